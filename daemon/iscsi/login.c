/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests, and the checks that every response must pass (RFC 7143 6.3, 11.13);
 * what the keys in it mean is in login_fsm.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "login.h"
#include "name.h"
#include "pdu.h"

/* Responses of one login. A target that keeps T=0 for more has nothing to say;
 * the login's timer bounds the time. */
#define ROUNDS_MAX 64

enum login_step login_fail(
	struct login *l, enum path_cure cure, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof l->why, fmt, ap);
	va_end(ap);
	l->cure = cure;
	l->state = LOGIN_ST_OVER;
	return LOGIN_FAILED;
}

static enum keys_phase phase(const struct login_setup *setup)
{
	if (setup->discovery)
		return KEYS_DISCOVERY;
	return setup->tsih ? KEYS_JOINING : KEYS_LEADING;
}

enum login_step login_init(struct login *l, const struct login_setup *setup)
{
	const struct iscsi_config *config = setup->config;
	struct iscsi_offer offer = config->offer;
	const char *why;

	memset(l, 0, offsetof(struct login, out_data));
	l->setup = *setup;
	l->out = (struct text_out){l->out_data, sizeof l->out_data, 0, false};
	l->exp_stat_sn = setup->exp_stat_sn;
	if (offer.error_recovery_level > setup->level_max)
		offer.error_recovery_level = setup->level_max;
	keys_init(&l->keys, phase(setup), &offer);
	if (!config->chap.user && config->chap.mutual_secret)
		return login_fail(l, PATH_FATAL,
			"mutual CHAP needs a CHAP user and secret too");
	l->chap_begun = config->chap.user != NULL;
	if (l->chap_begun && chap_init(&l->chap, &config->chap, setup->chaps,
				     setup->no_sha256, &why))
		return login_fail(l, PATH_FATAL, "CHAP: %s", why);
	text_put(&l->out, "InitiatorName", config->initiator_name);
	text_put(&l->out, "SessionType",
		setup->discovery ? "Discovery" : "Normal");
	if (!setup->discovery)
		text_put(&l->out, "TargetName", config->target_name);
	login_begin(l);
	return LOGIN_SEND;
}

void login_fini(struct login *l)
{
	if (l->chap_begun)
		chap_fini(&l->chap);
	text_in_clear(&l->in);
	memset(&l->setup, 0, sizeof l->setup);
}

void login_request(
	struct login *l, struct bhs *b, const void **data, uint32_t *len)
{
	size_t left = l->out.len - l->out_at;
	bool more = left > PDU_LOGIN_DATA_MAX;

	*b = bhs_make(OP_LOGIN_REQ);
	b->immediate = true;
	b->itt = l->setup.itt;
	b->cmd_sn = l->setup.cmd_sn;
	b->exp_stat_sn = l->exp_stat_sn;
	b->login.more = more;
	l->asked_t = l->transit && !more;
	b->final = l->asked_t;
	b->login.csg = l->csg;
	b->login.nsg = l->asked_t ? l->nsg : 0;
	memcpy(b->login.isid, l->setup.config->isid, ISCSI_ISID_LEN);
	b->login.tsih = l->setup.tsih;
	b->login.cid = l->setup.cid;
	*len = more ? PDU_LOGIN_DATA_MAX : (uint32_t)left;
	*data = l->out_data + l->out_at;
	l->out_at += *len;
}

static enum login_step redirected(struct login *l, const struct bhs *b)
{
	struct text_pair pair;
	const char *why;
	size_t at = 0;

	while (text_in_next(&l->in, &at, &pair, &why) > 0) {
		if (strcmp(pair.key, "TargetAddress") != 0)
			continue;
		if (iscsi_address_parse(pair.value, &l->redirect, NULL))
			return login_fail(l, PATH_RETRY,
				"it redirects to an address that is none");
		l->permanent = b->login.status_detail == 2;
		l->state = LOGIN_ST_OVER;
		return LOGIN_REDIRECT;
	}
	return login_fail(l, PATH_RETRY, "login refused (01%02x): %s",
		b->login.status_detail, login_status_find(1, 0)->text);
}

static enum login_step refused(
	struct login *l, const struct bhs *b, const void *data, uint32_t len)
{
	const struct login_status *s;
	uint8_t class = b->login.status_class, detail = b->login.status_detail;

	if (class == 1 && (detail == 1 || detail == 2)) {
		text_in_clear(&l->in);
		if (text_in_add(&l->in, data, len))
			return login_fail(l, PATH_RETRY, "out of memory");
		return redirected(l, b);
	}
	/* Some targets compute SHA-1 under the number of SHA-256, and call ours
	 * wrong (0201) or too long (0200). */
	if (class == 2 && detail <= 1 && l->state == LOGIN_ST_RESPONSE &&
		l->chap.alg == CHAP_SHA256 && !l->setup.no_sha256) {
		l->state = LOGIN_ST_OVER;
		return LOGIN_WEAKER;
	}
	s = login_status_find(class, detail);
	l->status = (uint16_t)(class << 8 | detail);
	return login_fail(l, l->setup.again ? s->again : s->fresh,
		"login refused (%02x%02x): %s", class, detail, s->text);
}

/* Echoes and numbers. NULL, or what is wrong. */
static const char *misfit(const struct login *l, const struct bhs *b)
{
	if (memcmp(b->login.isid, l->setup.config->isid, ISCSI_ISID_LEN) != 0)
		return "Login Response with another ISID";
	if (b->login.version_min != 0)
		return "Login Response of another version";
	if (l->answered && b->stat_sn != l->exp_stat_sn)
		return "Login Response out of order (StatSN)";
	if (b->login.csg != l->csg)
		return "Login Response of another stage";
	if (b->final && b->login.more)
		return "Login Response with both T and C";
	if (b->final && !l->asked_t)
		return "Login Response leaves the stage unasked";
	if (b->final && b->login.nsg != l->nsg)
		return "Login Response leads to another stage";
	if (b->final && b->login.nsg == STAGE_FULL_FEATURE &&
		b->login.tsih == 0)
		return "final Login Response without a TSIH";
	if (b->final && b->login.nsg == STAGE_FULL_FEATURE && l->setup.tsih &&
		b->login.tsih != l->setup.tsih)
		return "Login Response of another session (TSIH)";
	return NULL;
}

/* Where a security key's value is kept; NULL for a key that is none of ours. */
static const char **auth_slot(struct login_auth *auth, const char *key)
{
	const struct {
		const char *key, **slot;
	} slots[] = {
		{"AuthMethod", &auth->method},
		{"CHAP_A", &auth->a},
		{"CHAP_I", &auth->i},
		{"CHAP_C", &auth->c},
		{"CHAP_N", &auth->n},
		{"CHAP_R", &auth->r},
	};

	for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
		if (strcmp(slots[i].key, key) == 0)
			return slots[i].slot;
	return NULL;
}

/* All keys of a whole response. 0, or LOGIN_FAILED is set. */
static int read_keys(struct login *l, struct login_auth *auth)
{
	struct text_pair pair;
	const char *why = "", **slot;
	char text[LOGIN_WHY_MAX] = "";
	size_t at = 0;
	int got, err;

	while ((got = text_in_next(&l->in, &at, &pair, &why)) > 0) {
		err = keys_take(&l->keys, pair.key, pair.value, &l->out, text,
			sizeof text);
		if (err < 0) {
			login_fail(l, PATH_RETRY_SLOW, "%s", text);
			return err;
		}
		if (err != KEYS_SECURITY)
			continue;
		slot = auth_slot(auth, pair.key);
		if (!slot || *slot || l->csg != STAGE_SECURITY) {
			login_fail(l, PATH_RETRY_SLOW,
				"%s out of place in its Login Response",
				pair.key);
			return -EPROTO;
		}
		*slot = pair.value;
	}
	if (got < 0)
		login_fail(l, PATH_RETRY_SLOW, "Login Response: %s", why);
	return got;
}

/* A response whose C bit is not set, after which it is our turn. */
static enum login_step whole_response(struct login *l, const struct bhs *b)
{
	struct login_auth auth = {0};
	enum login_event event = LOGIN_EV_STAY;
	enum login_step step;

	l->out.len = 0;
	l->out_at = 0;
	if (read_keys(l, &auth))
		return LOGIN_FAILED;
	if (b->final)
		event = b->login.nsg == STAGE_FULL_FEATURE
				? LOGIN_EV_FULL
				: LOGIN_EV_OPERATIONAL;
	step = login_advance(l, event, &auth);
	text_in_clear(&l->in);
	if (step == LOGIN_SEND && l->out.full)
		return login_fail(l, PATH_RETRY_SLOW,
			"the target asks for more keys than we answer");
	return step;
}

enum login_step login_response(
	struct login *l, const struct bhs *b, const void *data, uint32_t len)
{
	const char *why;

	if (b->op == OP_REJECT)
		return login_fail(l, PATH_RETRY,
			"Reject (reason 0x%02x) during login",
			b->reject.reason);
	if (b->op != OP_LOGIN_RSP)
		return login_fail(l, PATH_RETRY, "%s during login",
			bhs_op_name((uint8_t)b->op));
	if (b->itt != l->setup.itt)
		return login_fail(
			l, PATH_RETRY, "Login Response with another tag");
	if (b->login.status_class != 0)
		return refused(l, b, data, len);
	why = misfit(l, b);
	if (why)
		return login_fail(l, PATH_RETRY, "%s", why);
	if (++l->rounds > ROUNDS_MAX)
		return login_fail(l, PATH_RETRY, "login does not end");
	l->answered = true;
	l->exp_stat_sn = b->stat_sn + 1;
	l->exp_cmd_sn = b->exp_cmd_sn;
	l->max_cmd_sn = b->max_cmd_sn;
	l->tsih = b->login.tsih;
	if (l->out_at < l->out.len) { /* the rest of ours goes first */
		if (len > 0)
			return login_fail(l, PATH_RETRY,
				"Login Response interrupts our keys");
		return LOGIN_SEND;
	}
	if (text_in_add(&l->in, data, len))
		return login_fail(l, PATH_RETRY, "too many keys at login");
	if (b->login.more) {
		l->out.len = 0;
		l->out_at = 0;
		l->transit = false;
		return LOGIN_SEND;
	}
	return whole_response(l, b);
}
