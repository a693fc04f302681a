/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's sessions: who they are and what is theirs. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t_target_private.h"

struct t_session *t_session_find(struct t_target *t, const char *initiator,
	const uint8_t *isid, uint16_t tpgt)
{
	struct t_session *s;

	LIST_FOREACH (s, &t->sessions, link)
		if (strcasecmp(s->initiator, initiator) == 0 &&
			memcmp(s->isid, isid, 6) == 0 && s->tpgt == tpgt)
			return s;
	return NULL;
}

struct t_session *t_session_new(struct t_target *t, uint16_t tpgt)
{
	struct t_session *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->target = t;
	s->tpgt = tpgt;
	s->tsih = t->next_tsih++;
	TAILQ_INIT(&s->tasks);
	TAILQ_INIT(&s->done);
	TAILQ_INIT(&s->waiting);
	LIST_INIT(&s->parked);
	LIST_INSERT_HEAD(&t->sessions, s, link);
	if (t->lun) {
		t_nexus_init(
			&s->nexus, t->lun, tpgt, tpgt, t->options.attention);
		s->has_nexus = true;
	}
	return s;
}

void t_session_drop_tasks(struct t_session *s, const struct t_conn *c)
{
	struct t_task_list *lists[] = {&s->tasks, &s->done};
	struct t_task *task, *next;
	unsigned i;

	for (i = 0; i < 2; i++) {
		for (task = TAILQ_FIRST(lists[i]); task; task = next) {
			next = TAILQ_NEXT(task, link);
			if (c && task->conn != c)
				continue;
			TAILQ_REMOVE(lists[i], task, link);
			t_task_destroy(task);
		}
	}
	t_order_drop(s, c);
}

void t_session_free(struct t_session *s)
{
	struct t_conn *c;

	s->error_recovery_level = 0; /* nothing is parked any more */
	TAILQ_FOREACH (c, &s->target->conns, link)
		if (c->session == s)
			t_conn_end(c, true);
	t_session_drop_tasks(s, NULL);
	while (!LIST_EMPTY(&s->parked))
		t_parked_free(LIST_FIRST(&s->parked));
	free(s->fence);
	if (s->has_nexus)
		t_nexus_fini(&s->nexus);
	LIST_REMOVE(s, link);
	free(s);
}

unsigned t_session_connections(const struct t_session *s)
{
	const struct t_parked *p;
	const struct t_conn *c;
	unsigned n = 0;

	TAILQ_FOREACH (c, &s->target->conns, link)
		n += c->session == s;
	LIST_FOREACH (p, &s->parked, link)
		n += !p->noticed;
	return n;
}
