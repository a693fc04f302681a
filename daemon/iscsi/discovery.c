/* SPDX-License-Identifier: BSD-2-Clause */
/* SendTargets in a discovery session (RFC 7143 4.3, Appendix C). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/iscsi.h>
#include <umpio/loop.h>

#include "config.h"
#include "name.h"
#include "session.h"
#include "targets.h"

#define REPLY_MAX  (16u << 20)     /* bytes, over all Text Responses */
#define PIECES_MAX 65536           /* Text Responses */
#define REPLY_TIME (60 * NS_PER_S) /* for all of them together */

struct iscsi_discover {
	struct iscsi_config config;
	struct session session;
	struct text_in reply; /* grown here, beyond what one login may have */
	size_t cap;
	unsigned pieces;
	uint64_t late; /* loop_now() when the list is to be complete */
	struct targets targets;
	bool complete;
	const char *wrong; /* with the reply; NULL: nothing */
	iscsi_discover_fn *done;
	void *arg;
};

static const char request[] = "SendTargets=All";

static void discover_free(struct iscsi_discover *d)
{
	session_fini(&d->session);
	config_fini(&d->config);
	targets_fini(&d->targets);
	free(d->reply.data);
	free(d);
}

/* Where we are connected: it stands for an address that is not given, and for
 * the "any" address that some targets report. */
static struct iscsi_portal here(const struct iscsi_discover *d)
{
	const struct session *s = &d->session;

	return (struct iscsi_portal){.at = s->hops[s->nhops - 1],
		.tpgt = s->group.known ? s->group.tag : 1};
}

static int take_address(
	struct iscsi_discover *d, struct iscsi_target *t, const char *value)
{
	struct iscsi_portal portal;
	bool has_tpgt;

	if (iscsi_address_parse(value, &portal, &has_tpgt))
		return 0; /* one bad address does not spoil the others */
	if (!has_tpgt)
		portal.tpgt = 1;
	if (strcmp(portal.at.host, "0.0.0.0") == 0 ||
		strcmp(portal.at.host, "::") == 0)
		memcpy(portal.at.host, here(d).at.host, sizeof portal.at.host);
	return targets_add_portal(&d->targets, t, &portal);
}

static const char *reason_of(int err)
{
	return err == -ENOSPC ? "it reports too many targets or addresses"
			      : "out of memory";
}

static const char *parse(struct iscsi_discover *d)
{
	struct iscsi_target *t = NULL;
	struct text_pair pair;
	const char *why;
	size_t at = 0;
	int got, err;

	while ((got = text_in_next(&d->reply, &at, &pair, &why)) > 0) {
		if (strcmp(pair.key, "TargetName") == 0) {
			if (!iscsi_name_valid(pair.value))
				return "it reports a name that is none";
			t = targets_named(&d->targets, pair.value);
			if (!t)
				return reason_of(-ENOSPC);
		} else if (strcmp(pair.key, "TargetAddress") == 0) {
			if (!t)
				return "it reports an address of no target";
			err = take_address(d, t, pair.value);
			if (err)
				return reason_of(err);
		}
	}
	return got < 0 ? why : NULL;
}

/* RFC 7143 Appendix C: no address means the one that was asked. */
static const char *complete(struct iscsi_discover *d)
{
	const struct iscsi_portal portal = here(d);
	int err = 0;

	for (unsigned i = 0; i < d->targets.list.ntargets; i++) {
		struct iscsi_target *t = &d->targets.list.targets[i];

		if (t->nportals == 0)
			err = targets_add_portal(&d->targets, t, &portal);
		if (err)
			return reason_of(err);
	}
	d->complete = true;
	return NULL;
}

static const char *append(
	struct iscsi_discover *d, const uint8_t *data, uint32_t len)
{
	size_t need = d->reply.len + len + 1;
	char *more;

	if (need > REPLY_MAX || ++d->pieces > PIECES_MAX)
		return "its list of targets is too long";
	if (loop_now(d->session.loop) >= d->late)
		return "its list of targets takes too long";
	if (need > d->cap) {
		more = realloc(d->reply.data, need * 2);
		if (!more)
			return "out of memory";
		d->reply.data = more;
		d->cap = need * 2;
	}
	if (len > 0)
		memcpy(d->reply.data + d->reply.len, data, len);
	d->reply.len += len;
	return NULL;
}

static void on_up(void *arg)
{
	struct iscsi_discover *d = arg;

	d->late = loop_now(d->session.loop) + REPLY_TIME;
	session_text(&d->session, NULL, request, sizeof request);
}

static void on_text(
	void *arg, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct iscsi_discover *d = arg;

	d->wrong = append(d, data, len);
	if (!d->wrong && !b->final) {
		if (b->ttt != BHS_TAG_NONE) {
			session_text(&d->session, b, NULL, 0);
			return;
		}
		d->wrong = "Text Response without a tag to go on with";
	}
	if (!d->wrong)
		d->wrong = parse(d);
	if (!d->wrong)
		d->wrong = complete(d);
	session_stop(&d->session, false);
}

/* Discovery never asks to be left in a way that matters: it ends by itself. */
static void on_leaving(void *arg)
{
	(void)arg;
}

static int error_of(enum path_cure cure)
{
	switch (cure) {
	case PATH_RETRY_SLOW: return -EACCES;
	case PATH_FATAL: return -EINVAL;
	case PATH_RETRY: break;
	}
	return -ECONNABORTED;
}

static void on_down(void *arg, const struct path_down *why)
{
	struct iscsi_discover *d = arg;
	char reason[sizeof why->reason], portal[ENDPOINT_TEXT_MAX];

	if (d->complete) {
		d->done(d->arg, 0, &d->targets.list, NULL);
	} else if (d->wrong) {
		endpoint_text(&d->config.portals[0], portal);
		snprintf(reason, sizeof reason, "%.80s: %s", portal, d->wrong);
		d->done(d->arg, -EPROTO, NULL, reason);
	} else {
		d->done(d->arg, error_of(why->cure), NULL, why->reason);
	}
	discover_free(d);
}

static const struct session_events session_events = {
	.up = on_up, .leaving = on_leaving, .down = on_down, .text = on_text};

/* RFC 7143 11.12.5: type 10b, random, so that it never meets a session. */
static void random_isid(struct loop *loop, uint8_t isid[ISCSI_ISID_LEN])
{
	loop_random(loop, isid, ISCSI_ISID_LEN);
	isid[0] = 0x80;
}

struct iscsi_discover *iscsi_discover(struct loop *loop,
	const struct iscsi_config *config, iscsi_discover_fn *done, void *arg)
{
	struct iscsi_discover *d;

	if (config->nportals == 0 || !config->initiator_name)
		return NULL;
	d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	if (config_copy(&d->config, config)) {
		free(d);
		return NULL;
	}
	d->config.nportals = 1;
	random_isid(loop, d->config.isid);
	if (session_init(
		    &d->session, loop, &d->config, true, &session_events, d)) {
		config_fini(&d->config);
		free(d);
		return NULL;
	}
	d->done = done;
	d->arg = arg;
	session_start(&d->session);
	return d;
}

void iscsi_discover_cancel(struct iscsi_discover *d)
{
	if (d)
		discover_free(d);
}
