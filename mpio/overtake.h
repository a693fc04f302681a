/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers that may have overtaken a unit attention.
 *
 * A reset is told once, in the answer to one command (SAM-5 5.14). Over one
 * connection at level 0 answers come in the order in which the target gave
 * them, so whatever was executed after the reset is heard of after it. Over
 * several, or where a lost status is sent again, what another answer says may
 * come first: a flush without what it was to flush, or a read of what was lost.
 *
 * So over a session that is not in order such an answer is believed when all
 * that was under way when it came has been answered, too: the command that met
 * the reset is one of them, since it was executed before. When one of them ends
 * without an answer, the unit attention may have gone with it: then the session
 * is as good as a new one (suspect.h), and what has waited is asked for again;
 * and so it is when the session ends.
 *
 * Concerned are flushes, reads of blocks of which something is unflushed or
 * being changed, holes, and testimonies. All else is told at once.
 */
#ifndef MPIO_OVERTAKE_H
#define MPIO_OVERTAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/loop.h>
#include <umpio/path.h>

struct io;
struct mpath;

/* An answer that waits, embedded in what it is the answer to. */
struct promise {
	uint64_t session; /* over which it came */
	uint64_t until;   /* loop_now() when it came */
	void (*settled)(struct promise *promise, bool kept);
	TAILQ_ENTRY(promise) link;
};

TAILQ_HEAD(promise_list, promise);

/* Of a path. */
struct overtake {
	bool loose;      /* its answers are in no order */
	bool lost;       /* a command has ended without an answer */
	unsigned asides; /* commands under way that no io has */
	uint64_t asides_since;
	struct promise_list waiting; /* in order of `until` */
	struct loop_task task;
};

void overtake_init(struct mpath *mp);
void overtake_fini(struct mpath *mp);

/* The path is up: what its transport promises. */
void overtake_up(struct mpath *mp);

/* It is down: nothing that waits is kept. */
void overtake_down(struct mpath *mp);

/* Something that is waited for may be over. */
void overtake_poke(struct mpath *mp);

/* A command of the device's own goes over the path, in place of path_submit();
 * it has come back. */
void overtake_ask(struct mpath *mp, struct path_cmd *cmd);
void overtake_told(struct mpath *mp, const struct path_cmd *cmd);

/* The same for what the probe of the path, whose session is in use, sends. */
void overtake_probe(struct mpath *mp);

/* An io has come back. */
void overtake_ended(struct mpath *mp, const struct path_cmd *cmd);

/* `session` has brought an answer over `mp` (of the owner of `promise`) that
 * has to wait: true, and settled() comes later, from the loop. False: it counts
 * as it is. */
bool overtake_wait(struct mpath *mp, struct promise *promise, uint64_t session);

/* The same for what an io, which has succeeded, has found. */
bool overtake_defers(struct mpath *mp, struct io *io);

#endif
