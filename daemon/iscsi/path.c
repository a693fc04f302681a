/* SPDX-License-Identifier: BSD-2-Clause */
/* A session as the rest of the daemon sees it: struct path, with fences. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/units.h>
#include <umpio/iscsi.h>
#include <umpio/loop.h>

#include "config.h"
#include "renegotiate.h"
#include "session.h"

struct iscsi_path {
	struct path path;
	struct iscsi_config config;
	struct session session;
	struct loop_task settle; /* ends fences that need no waiting */
	TAILQ_HEAD(, path_fence) fences;
	char texts[ISCSI_PORTALS_MAX][ENDPOINT_TEXT_MAX];
	const char *portals[ISCSI_PORTALS_MAX + 1];
};

static struct iscsi_path *of(const struct path *path)
{
	return (struct iscsi_path *)path; /* its first member */
}

static void count(struct iscsi_path *p)
{
	p->session.counters.fences++;
	p->session.counters.sibling_fences += p->session.visit.on;
}

static void end_fences(struct iscsi_path *p, int err)
{
	struct path_fence *fence;

	while ((fence = TAILQ_FIRST(&p->fences))) {
		TAILQ_REMOVE(&p->fences, fence, link);
		if (err == 0)
			count(p);
		fence->done(fence, err);
	}
}

/* Nothing is unfenced: done. Up, and still something is: of this session, whose
 * end will say, or in another portal group, of which it tells nothing. Else the
 * next login says; a visit that was let in elsewhere does not. */
static void settle(void *arg)
{
	struct iscsi_path *p = arg;
	const struct session *s = &p->session;

	if (past_is_settled(&s->past))
		end_fences(p, 0);
	else if (s->state == SESSION_UP && !s->visit.on)
		end_fences(p,
			past_is_in_only(&s->past, s->group) ? -EAGAIN : -EXDEV);
}

static void on_up(void *arg)
{
	struct iscsi_path *p = arg;

	settle(p);
	if (p->session.visit.on)
		session_stop(&p->session, false);
	else
		p->path.events->up(&p->path);
}

static void on_leaving(void *arg)
{
	struct iscsi_path *p = arg;

	if (!p->session.visit.on)
		p->path.events->leaving(&p->path);
}

static void on_down(void *arg, const struct path_down *why)
{
	struct iscsi_path *p = arg;

	settle(p);
	p->path.events->down(&p->path, why);
}

static void name_portals(struct iscsi_path *p)
{
	unsigned n = p->config.nportals;

	for (unsigned i = 0; i < n; i++)
		p->portals[i] =
			endpoint_text(&p->config.portals[i], p->texts[i]);
	p->portals[n] = NULL;
}

static void on_elsewhere(void *arg, const struct endpoint *portal)
{
	struct iscsi_path *p = arg;
	struct endpoint *portals = p->config.portals;
	char text[ENDPOINT_TEXT_MAX];
	unsigned at = 0;

	while (at < p->config.nportals && !endpoint_equal(&portals[at], portal))
		at++;
	if (at == p->config.nportals)
		return; /* a redirection has put it there */
	p->config.nportals--;
	memmove(portals + at, portals + at + 1,
		(p->config.nportals - at) * sizeof *portals);
	name_portals(p);
	if (p->path.events->elsewhere)
		p->path.events->elsewhere(
			&p->path, endpoint_text(portal, text));
}

static void on_sense(void *arg, const uint8_t *sense, size_t len)
{
	struct iscsi_path *p = arg;

	if (p->path.events->sense)
		p->path.events->sense(&p->path, sense, len);
}

static const struct session_events session_events = {.up = on_up,
	.leaving = on_leaving,
	.down = on_down,
	.elsewhere = on_elsewhere,
	.sense = on_sense};

static void op_start(struct path *path)
{
	session_start(&of(path)->session);
}

static void op_stop(struct path *path, bool now)
{
	session_stop(&of(path)->session, now);
}

static void op_submit(struct path *path, struct path_cmd *cmd)
{
	session_submit(&of(path)->session, cmd);
}

static void op_abort(struct path *path, struct path_cmd *cmd)
{
	session_abort(&of(path)->session, cmd);
}

static void op_fence(struct path *path, struct path_fence *fence)
{
	struct iscsi_path *p = of(path);

	TAILQ_INSERT_TAIL(&p->fences, fence, link);
	loop_post(p->session.loop, &p->settle);
}

static int op_fence_by(struct path *path, const struct path *sibling,
	char *portal, size_t size)
{
	struct session *s = &of(path)->session;
	char text[ENDPOINT_TEXT_MAX];
	int err = session_visit(s, &of(sibling)->session);

	if (err)
		return err;
	snprintf(portal, size, "%s", endpoint_text(&s->visit.at, text));
	return 0;
}

/* Every connection is asked: the path lives as long as one answers. */
static void op_probe(struct path *path)
{
	struct session *s = &of(path)->session;
	unsigned place = 0;
	struct conn *c;

	if (s->state != SESSION_UP && s->state != SESSION_DRAINING)
		return;
	while ((c = session_next_conn(s, &place)))
		if (conn_is_up(c))
			nop_ping(c);
}

static uint64_t op_heard(const struct path *path)
{
	const struct session *s = &of(path)->session;
	uint64_t heard = s->heard;
	const struct conn *c;
	unsigned place = 0;

	while ((c = session_next_conn(s, &place)))
		if (c->heard > heard)
			heard = c->heard;
	return heard;
}

static bool op_links_changed(struct path *path, char *why, size_t size)
{
	return session_links_changed(&of(path)->session, why, size);
}

/* SAM-5 4.7.5, 4.7.6: peripheral device and flat space addressing. */
static unsigned lun_number(const uint8_t lun[8])
{
	return get_be16(lun) & 0x3fff;
}

static void op_facts(const struct path *path, struct path_facts *f)
{
	struct iscsi_path *p = of(path);
	const struct session *s = &p->session;
	bool up = (s->state == SESSION_UP || s->state == SESSION_DRAINING) &&
		  !s->visit.on;
	unsigned room = task_table_room(&s->tasks);

	*f = (struct path_facts){.portal = p->portals[0],
		.portals = p->portals,
		.target = p->config.target_name,
		.tpgt = s->group.tag,
		.lun = lun_number(p->config.lun),
		.connections = up ? 1 : 0};
	/* Each connection has an order of its own; and at level 1 a status that
	 * was lost comes behind those after it. */
	f->unordered = up && (s->managed || s->params.error_recovery_level > 0);
	if (s->managed)
		f->connections = legs_up(s);
	faults_show(&s->faults, &f->fault_in, &f->fault_out);
	if (up)
		f->inflight_max = s->window_seen < room ? s->window_seen : room;
}

static void op_counters(const struct path *path, struct path_counters *counters)
{
	*counters = of(path)->session.counters;
}

static int op_fault(struct path *path, const struct path_fault *fault)
{
	return session_fault(&of(path)->session, fault);
}

static void op_free(struct path *path)
{
	struct iscsi_path *p = of(path);

	assert(p->session.state == SESSION_DOWN);
	loop_unpost(p->session.loop, &p->settle);
	end_fences(p, -ECANCELED);
	session_fini(&p->session);
	config_fini(&p->config);
	free(p);
}

static const struct path_ops path_ops = {
	.start = op_start,
	.stop = op_stop,
	.submit = op_submit,
	.abort = op_abort,
	.fence = op_fence,
	.fence_by = op_fence_by,
	.probe = op_probe,
	.heard = op_heard,
	.links_changed = op_links_changed,
	.facts = op_facts,
	.counters = op_counters,
	.fault = op_fault,
	.free = op_free,
};

struct path *iscsi_path_new(
	struct loop *loop, const struct iscsi_config *config)
{
	struct iscsi_path *p;
	struct iscsi_offer *offer;

	if (config->nportals == 0 || config->nportals > ISCSI_PORTALS_MAX ||
		!config->target_name || !config->initiator_name)
		return NULL;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	if (config_copy(&p->config, config)) {
		free(p);
		return NULL;
	}
	offer = &p->config.offer;
	if (offer->max_outstanding_r2t > TASK_R2T_MAX)
		offer->max_outstanding_r2t = TASK_R2T_MAX;
	if (session_init(
		    &p->session, loop, &p->config, false, &session_events, p)) {
		config_fini(&p->config);
		free(p);
		return NULL;
	}
	p->path.ops = &path_ops;
	TAILQ_INIT(&p->fences);
	loop_task_init(&p->settle, settle, p);
	name_portals(p);
	return &p->path;
}

void iscsi_path_set_max_recv(struct path *path, uint32_t bytes)
{
	struct iscsi_path *p = of(path);
	struct session *s = &p->session;
	unsigned place = 0;
	struct conn *c;

	if (p->config.offer.max_recv_data_segment_length == bytes)
		return;
	p->config.offer.max_recv_data_segment_length = bytes;
	if (s->state != SESSION_UP)
		return;
	while ((c = session_next_conn(s, &place)))
		renegotiate(c);
}

void iscsi_path_set_patience(
	struct path *path, uint64_t suspect, uint64_t stalled)
{
	struct iscsi_timeouts *t = &of(path)->config.timeouts;

	t->suspect = suspect;
	t->stalled = stalled;
}

int iscsi_path_add_portal(struct path *path, const struct endpoint *at)
{
	struct iscsi_path *p = of(path);
	int err = session_add_portal(&p->session, at);

	if (err)
		return err;
	if (p->config.nportals < ISCSI_PORTALS_MAX)
		p->config.portals[p->config.nportals++] = *at;
	name_portals(p);
	return 0;
}

int iscsi_path_set_chap(struct path *path, const struct iscsi_chap *chap)
{
	struct iscsi_path *p = of(path);

	p->session.no_sha256 = false;
	return config_set_chap(&p->config, chap);
}
