/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's login: stages and negotiation (RFC 7143 6, 13). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t_target_login.h"

void t_login_free(struct t_login *login)
{
	free(login);
}

void t_login_reply(struct t_login *l, const char *key, const char *value)
{
	size_t need = strlen(key) + strlen(value) + 2;

	if (need > sizeof l->out - l->out_len)
		return;
	sprintf(l->out + l->out_len, "%s=%s", key, value);
	l->out_len += need;
}

void t_login_reply_number(struct t_login *l, const char *key, unsigned long n)
{
	char text[24];

	snprintf(text, sizeof text, "%lu", n);
	t_login_reply(l, key, text);
}

bool t_list_has(const char *list, const char *word)
{
	size_t len = strlen(word);
	const char *at = list;

	while ((at = strstr(at, word))) {
		if ((at == list || at[-1] == ',') &&
			(at[len] == ',' || at[len] == '\0'))
			return true;
		at += len;
	}
	return false;
}

/* The value of a key in this exchange; NULL when it did not come. */
const char *t_login_value(const struct t_login *l, const char *key)
{
	size_t at, len = strlen(key);

	for (at = 0; at < l->len; at += strlen(l->text + at) + 1)
		if (strncmp(l->text + at, key, len) == 0 &&
			l->text[at + len] == '=')
			return l->text + at + len + 1;
	return NULL;
}

enum kind { MINIMUM, MAXIMUM, AND, OR };

#define NUMBER(name, kind, field, min, max)                                    \
	{                                                                      \
		name, kind, offsetof(struct t_session, field),                 \
			offsetof(struct t_target_options, field), min, max     \
	}

static const struct {
	const char *name;
	enum kind kind;
	size_t session, option;
	unsigned long min, max;
} negotiated[] = {
	NUMBER("MaxBurstLength", MINIMUM, max_burst_length, 512, 16777215),
	NUMBER("FirstBurstLength", MINIMUM, first_burst_length, 512, 16777215),
	NUMBER("MaxOutstandingR2T", MINIMUM, max_outstanding_r2t, 1, 65535),
	NUMBER("MaxConnections", MINIMUM, max_connections, 1, 65535),
	NUMBER("ErrorRecoveryLevel", MINIMUM, error_recovery_level, 0, 2),
	NUMBER("DefaultTime2Wait", MAXIMUM, default_time2wait, 0, 3600),
	NUMBER("DefaultTime2Retain", MINIMUM, default_time2retain, 0, 3600),
	NUMBER("iSCSIProtocolLevel", MINIMUM, protocol_level, 0, 31),
	NUMBER("InitialR2T", OR, initial_r2t, 0, 1),
	NUMBER("ImmediateData", AND, immediate_data, 0, 1),
};

static void negotiate_number(struct t_login *l, size_t i, const char *value)
{
	uint32_t *result =
		(uint32_t *)((char *)&l->params + negotiated[i].session);
	uint32_t mine, his = (uint32_t)strtoul(value, NULL, 0);

	memcpy(&mine, (char *)&l->conn->target->options + negotiated[i].option,
		sizeof mine);
	if (his < negotiated[i].min || his > negotiated[i].max)
		t_violation(
			l->conn->target, "%s=%s", negotiated[i].name, value);
	if (negotiated[i].kind == MINIMUM)
		*result = mine < his ? mine : his;
	else
		*result = mine > his ? mine : his;
	t_login_reply_number(l, negotiated[i].name, *result);
}

static void negotiate_bool(struct t_login *l, size_t i, const char *value)
{
	bool *result = (bool *)((char *)&l->params + negotiated[i].session);
	bool mine = *(bool *)((char *)&l->conn->target->options +
			      negotiated[i].option);
	bool his = strcmp(value, "Yes") == 0;

	if (!his && strcmp(value, "No") != 0)
		t_violation(
			l->conn->target, "%s=%s", negotiated[i].name, value);
	*result = negotiated[i].kind == OR ? mine || his : mine && his;
	t_login_reply(l, negotiated[i].name, *result ? "Yes" : "No");
}

static bool negotiate_digest(
	struct t_login *l, const char *key, const char *value, bool wanted)
{
	bool crc = t_list_has(value, "CRC32C") &&
		   (wanted || !t_list_has(value, "None"));

	if (!crc && !t_list_has(value, "None")) {
		t_login_reply(l, key, "Reject");
		return false;
	}
	if (crc && !wanted) {
		t_login_reply(l, key, "Reject");
		return false;
	}
	t_login_reply(l, key, crc ? "CRC32C" : "None");
	return crc;
}

/* RFC 7143 13.23: the first of the list that we can do. */
static void negotiate_reporting(struct t_login *l, const char *value)
{
	static const char *const names[] = {
		"RFC3720", "ResponseFence", "FastAbort"};
	unsigned most = l->conn->target->options.reporting;
	unsigned best = 0, i;
	const char *at, *first = NULL;

	for (i = 0; i <= most; i++) {
		at = strstr(value, names[i]);
		if (at && (!first || at < first)) {
			first = at;
			best = i;
		}
	}
	l->params.reporting = (enum t_reporting)best;
	t_login_reply(l, "TaskReporting", first ? names[best] : "Reject");
}

static bool understands(const struct t_target_options *o, const char *key)
{
	if (strcmp(key, "iSCSIProtocolLevel") == 0)
		return o->protocol_level > 0;
	if (strcmp(key, "TaskReporting") == 0)
		return o->task_reporting;
	return true;
}

static bool negotiate(struct t_login *l, const char *key, const char *value)
{
	const struct t_target_options *o = &l->conn->target->options;
	size_t i;

	if (!understands(o, key))
		return false;
	for (i = 0; i < sizeof negotiated / sizeof *negotiated; i++) {
		if (strcmp(negotiated[i].name, key) != 0)
			continue;
		if (l->tsih != 0)
			t_violation(l->conn->target, "%s in a login that joins",
				key);
		if (l->params.discovery && negotiated[i].kind != MAXIMUM &&
			strncmp(key, "Default", 7) != 0 && *key != 'E')
			t_login_reply(l, key, "Irrelevant");
		else if (negotiated[i].kind >= AND)
			negotiate_bool(l, i, value);
		else
			negotiate_number(l, i, value);
		return true;
	}
	if (strcmp(key, "HeaderDigest") == 0)
		l->header_digest =
			negotiate_digest(l, key, value, o->header_digest);
	else if (strcmp(key, "DataDigest") == 0)
		l->data_digest =
			negotiate_digest(l, key, value, o->data_digest);
	else if (strcmp(key, "TaskReporting") == 0)
		negotiate_reporting(l, value);
	else if (strcmp(key, "MaxRecvDataSegmentLength") == 0)
		l->conn->max_send_data = (uint32_t)strtoul(value, NULL, 0);
	else if (strcmp(key, "DataPDUInOrder") == 0 ||
		 strcmp(key, "DataSequenceInOrder") == 0)
		t_login_reply(l, key, "Yes");
	else
		return false;
	return true;
}

/* One pair; keys of the security stage are looked up when it is their turn. */
static void login_key(struct t_login *l, const char *key, const char *value)
{
	static const char *const plain[] = {"AuthMethod", "CHAP_A", "CHAP_N",
		"CHAP_R", "CHAP_I", "CHAP_C", "InitiatorName", "InitiatorAlias",
		"TargetName", "SessionType"};
	unsigned i;

	for (i = 0; i < l->nseen; i++)
		if (strcmp(l->seen[i], key) == 0)
			t_violation(l->conn->target, "%s sent twice", key);
	if (l->nseen < T_LOGIN_SEEN_MAX)
		snprintf(l->seen[l->nseen++], 64, "%s", key);
	for (i = 0; i < sizeof plain / sizeof *plain; i++)
		if (strcmp(plain[i], key) == 0)
			return;
	if (strcmp(value, "NotUnderstood") == 0 ||
		strcmp(value, "Irrelevant") == 0 ||
		strcmp(value, "Reject") == 0)
		return;
	if (l->stage != 1)
		t_violation(l->conn->target, "%s in the security stage", key);
	if (!negotiate(l, key, value))
		t_login_reply(l, key, "NotUnderstood");
}

static void login_keys(struct t_login *l)
{
	size_t at;

	for (at = 0; at < l->len; at += strlen(l->text + at) + 1) {
		char key[64];
		const char *equals = strchr(l->text + at, '=');

		if (!equals || equals - (l->text + at) >= 64) {
			t_violation(l->conn->target, "malformed login text");
			l->status = 0x0200;
			return;
		}
		snprintf(key, sizeof key, "%.*s",
			(int)(equals - (l->text + at)), l->text + at);
		login_key(l, key, equals + 1);
	}
}

static void login_security(struct t_login *l)
{
	const char *value;

	if ((value = t_login_value(l, "AuthMethod")))
		t_chap_method(l, value);
	else if ((value = t_login_value(l, "CHAP_A")) && l->chap == CHAP_METHOD)
		t_chap_algorithm(l, value);
	else if ((value = t_login_value(l, "CHAP_R")) &&
		 l->chap == CHAP_CHALLENGE)
		t_chap_response(l, value);
}

/* Who it is, and that it stays so: RFC 7143 6.3, 11.12. */
static void login_begin(struct t_login *l, const uint8_t *bhs)
{
	const struct t_target_options *o = &l->conn->target->options;
	const char *name = t_login_value(l, "InitiatorName");
	const char *type = t_login_value(l, "SessionType");
	const char *target = t_login_value(l, "TargetName");

	memcpy(l->isid, bhs + 8, 6);
	l->tsih = (uint16_t)t_get(bhs, T_TSIH);
	l->conn->cid = l->cid = (uint16_t)t_get(bhs, T_CID);
	l->itt = (uint32_t)t_get(bhs, T_ITT);
	l->cmd_sn = (uint32_t)t_get(bhs, T_CMD_SN);
	l->exp_stat_sn = (uint32_t)t_get(bhs, T_EXP_STAT_SN);
	l->stage = (unsigned)t_get(bhs, T_CSG);
	l->begun = true;
	if (l->conn->target->refuse)
		l->status = 0x0301;
	else if (!name)
		l->status = 0x0207;
	else
		snprintf(l->params.initiator, sizeof l->params.initiator, "%s",
			name);
	l->params.discovery = type && strcmp(type, "Discovery") == 0;
	if (!l->status && !l->params.discovery) {
		if (!target)
			l->status = 0x0207;
		else if (strcmp(target, o->name) != 0)
			l->status = 0x0203;
	}
	if (l->stage == 1 && o->chap_user)
		l->status = 0x0201;
}

static void login_same(struct t_login *l, const uint8_t *bhs)
{
	struct t_target *t = l->conn->target;

	if (bhs[0] != 0x43)
		t_violation(t, "Login Request that is not immediate");
	if (t_get(bhs, T_VERSION_MAX) || t_get(bhs, T_VERSION_MIN))
		t_violation(t, "Login Request of another version");
	if (t_get(bhs, T_FINAL) && t_get(bhs, T_CONTINUE))
		t_violation(t, "Login Request with T and C");
	if (!l->begun)
		return;
	if (memcmp(l->isid, bhs + 8, 6) != 0 || l->tsih != t_get(bhs, T_TSIH) ||
		l->cid != t_get(bhs, T_CID))
		t_violation(t, "ISID, TSIH or CID changed during login");
	if (l->itt != t_get(bhs, T_ITT))
		t_violation(t, "Initiator Task Tag changed during login");
	if (l->cmd_sn != t_get(bhs, T_CMD_SN))
		t_violation(t, "CmdSN changed during login");
	if (l->stage != t_get(bhs, T_CSG))
		t_violation(t, "CSG %u in stage %u",
			(unsigned)t_get(bhs, T_CSG), l->stage);
}

/* The same connection again: an implicit logout of the old one, for recovery
 * at level 2 (6.3.4). ExpStatSN of the first request is for the old one. */
static void login_reinstate(struct t_login *l, struct t_session *s)
{
	struct t_conn *c = l->conn, *other;
	struct t_parked *p;
	struct t_task *task, *next;
	uint16_t times[2];
	bool again = false;

	TAILQ_FOREACH (other, &c->target->conns, link)
		if (other->session == s && other->cid == c->cid)
			break;
	if (other && s->error_recovery_level < 2) {
		t_conn_end(other, true);
		again = true;
	} else if (s->error_recovery_level == 2) {
		again = t_recover(s, NULL, c->cid, times) == 0;
	}
	c->target->conn_reinstatements += again;
	p = t_parked_find(s, c->cid);
	if (!p)
		return;
	if (t_sn_lt(p->stat_sn, l->exp_stat_sn))
		t_violation(c->target,
			"login: ExpStatSN %u, the connection "
			"before had come to %u",
			l->exp_stat_sn, p->stat_sn);
	for (task = TAILQ_FIRST(&p->tasks); task; task = next) {
		next = TAILQ_NEXT(task, link);
		if (!task->done || !t_sn_lt(task->stat_sn, l->exp_stat_sn))
			continue;
		TAILQ_REMOVE(&p->tasks, task, link);
		t_task_destroy(task);
	}
}

/* A further connection, or the same one again. */
static struct t_session *login_join(struct t_login *l)
{
	struct t_conn *c = l->conn;
	struct t_session *s = t_session_find(
		c->target, l->params.initiator, l->isid, c->tpgt);

	if (!s || s->tsih != l->tsih) {
		l->status = 0x020a;
		return NULL;
	}
	login_reinstate(l, s);
	if (t_session_connections(s) < s->max_connections)
		return s;
	l->status = 0x0206;
	return NULL;
}

/* A new session, in place of one of the same name (6.3.5). */
static struct t_session *login_create(struct t_login *l)
{
	struct t_target *t = l->conn->target;
	struct t_session *s =
		t_session_find(t, l->params.initiator, l->isid, l->conn->tpgt);

	if (s) {
		t->reinstatements++;
		t_session_free(s);
	}
	s = t_session_new(t, l->conn->tpgt);
	memcpy(s->initiator, l->params.initiator, sizeof s->initiator);
	memcpy(s->isid, l->isid, 6);
	s->discovery = l->params.discovery;
	s->initial_r2t = l->params.initial_r2t;
	s->immediate_data = l->params.immediate_data;
	s->first_burst_length = l->params.first_burst_length;
	s->max_burst_length = l->params.max_burst_length;
	s->max_outstanding_r2t = l->params.max_outstanding_r2t;
	s->max_connections = l->params.max_connections;
	s->error_recovery_level = l->params.error_recovery_level;
	s->protocol_level = l->params.protocol_level;
	s->reporting = l->params.reporting;
	/* With DataSequenceInOrder=Yes, RFC 7143 13.19 */
	if (s->error_recovery_level > 0)
		s->max_outstanding_r2t = 1;
	s->default_time2wait = l->params.default_time2wait;
	s->default_time2retain = l->params.default_time2retain;
	s->exp_cmd_sn = l->cmd_sn;
	s->max_cmd_sn = l->cmd_sn + t->options.window - 1;
	return s;
}

static void login_refuse(struct t_login *l, const uint8_t *request)
{
	uint8_t bhs[T_BHS_LEN];

	t_make(bhs, 0x23);
	t_set(bhs, T_TTT, 0);
	memcpy(bhs + 8, request + 8, 8);
	t_set(bhs, T_ITT, l->itt);
	t_set(bhs, T_STATUS_CLASS, l->status >> 8);
	t_set(bhs, T_STATUS_DETAIL, l->status);
	t_conn_stamp(l->conn, bhs, true);
	t_conn_send(l->conn, bhs, NULL, 0);
	l->conn->closing = true;
}

/* What every login's first operational reply declares. */
static void login_declare(struct t_login *l)
{
	const struct t_target_options *o = &l->conn->target->options;

	if (!l->declared && l->stage == 1)
		t_login_reply_number(l, "MaxRecvDataSegmentLength",
			l->conn->target->options.max_recv_data_segment_length);
	if (!l->declared && l->stage == 1 && o->login_text) {
		memcpy(l->out + l->out_len, o->login_text, o->login_text_len);
		l->out_len += o->login_text_len;
	}
	l->declared = l->declared || l->stage == 1;
}

static void login_finish(struct t_login *l)
{
	struct t_conn *c = l->conn;
	struct t_target *t = c->target;

	c->header_digest = l->header_digest;
	c->data_digest = l->data_digest;
	c->state = T_FULL_FEATURE;
	c->fence_sn = c->acked;
	t->logins++;
	if (t->hooks && t->hooks->up)
		t->hooks->up(t->hooks_arg, c);
}

/* The stage may be left: asked for, and nothing is missing. */
static bool login_may_move(struct t_login *l, const uint8_t *request)
{
	const struct t_target_options *o = &l->conn->target->options;

	if (!t_get(request, T_FINAL) ||
		(l->stage == 0 && o->chap_user && l->chap != CHAP_DONE))
		return false;
	if (l->stayed < o->login_stay) {
		l->stayed++;
		return false;
	}
	l->stayed = 0;
	return true;
}

/* Bytes of the reply that go into the next PDU. */
static uint32_t login_next(const struct t_login *l)
{
	uint32_t chunk = l->conn->target->options.login_chunk;
	uint32_t left = (uint32_t)(l->out_len - l->out_at);

	return chunk && chunk < left ? chunk : left;
}

static void login_reply(struct t_login *l, const uint8_t *request)
{
	uint32_t at = (uint32_t)l->out_at, len = login_next(l);
	bool more = at + len < l->out_len;
	bool move = !more && login_may_move(l, request);
	unsigned next = (unsigned)t_get(request, T_NSG);
	struct t_conn *c = l->conn;
	uint8_t bhs[T_BHS_LEN];

	if (move && (next == 2 || next <= l->stage))
		t_violation(c->target, "Login Request to stage %u", next);
	if (move && next == 3)
		c->session = l->tsih ? login_join(l) : login_create(l);
	if (l->status) {
		login_refuse(l, request);
		return;
	}
	t_make(bhs, 0x23);
	t_set(bhs, T_TTT, 0);
	t_set(bhs, T_FINAL, move);
	t_set(bhs, T_CSG, l->stage);
	t_set(bhs, T_NSG, move ? next : 0);
	memcpy(bhs + 8, request + 8, 8);
	if (c->session)
		t_set(bhs, T_TSIH, c->session->tsih);
	t_set(bhs, T_ITT, l->itt);
	t_conn_stamp(c, bhs, true);
	if (!c->session) {
		t_set(bhs, T_EXP_CMD_SN, l->cmd_sn);
		t_set(bhs, T_MAX_CMD_SN, l->cmd_sn);
	}
	c->heard = true;
	if (move)
		l->stage = next;
	t_set(bhs, T_CONTINUE, more);
	l->out_at += len;
	t_conn_send(c, bhs, l->out + at, len);
	if (move && next == 3 && c->state == T_LOGIN)
		login_finish(l);
}

static struct t_login *login_new(struct t_conn *c)
{
	struct t_login *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->conn = c;
	l->params.initial_r2t = l->params.immediate_data = true;
	l->params.first_burst_length = 65536;
	l->params.max_burst_length = 262144;
	l->params.max_outstanding_r2t = l->params.max_connections = 1;
	l->params.protocol_level = 1;
	l->params.default_time2wait = 2;
	l->params.default_time2retain = 20;
	return l;
}

void t_login_request(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_login *l = c->login ? c->login : (c->login = login_new(c));
	bool first;

	if (!l || len > T_LOGIN_TEXT_MAX - l->len) {
		t_conn_end(c, true);
		return;
	}
	login_same(l, bhs);
	memcpy(l->text + l->len, data, len);
	l->len += len;
	l->text[l->len] = '\0';
	if (!c->heard)
		c->acked = c->stat_sn;
	if (l->out_at < l->out_len) {
		if (len > 0)
			t_violation(c->target, "keys before ours are all out");
		login_reply(l, bhs);
		return;
	}
	l->out_len = l->out_at = 0;
	if (!t_get(bhs, T_CONTINUE)) {
		first = !l->begun;
		if (first)
			login_begin(l, bhs);
		if (first && !l->params.discovery)
			t_login_reply_number(
				l, "TargetPortalGroupTag", c->tpgt);
		login_keys(l);
		if (!l->status && l->stage == 0)
			login_security(l);
		login_declare(l);
		l->len = 0;
	}
	if (l->status)
		login_refuse(l, bhs);
	else
		login_reply(l, bhs);
}
