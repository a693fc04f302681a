/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions that bear witness that the target has not lost its cache: one that
 * is proven, and still answers without a unit attention of a reset to what was
 * asked after another has come up. That a new session meets one (SAM-5 5.14)
 * says nothing. Proven are the sessions that were there when nothing was at
 * risk, when a witness answered, or when a replay had ended.
 *
 * Until a witness has answered there is doubt. A new session carries commands
 * meanwhile, lest failover takes longer; but what was read over it is not told,
 * no flush begins or counts, nor does a change that ends with one or that
 * merges what it has read. When none is left, the cache is suspect.
 */
#ifndef MPIO_WITNESS_H
#define MPIO_WITNESS_H

#include "overtake.h"

#include <stdbool.h>
#include <stdint.h>
#include <umpio/loop.h>
#include <umpio/path.h>

struct mpath;
struct mpdev;

/* A path as one. */
struct witness {
	struct path_cmd cmd;      /* TEST UNIT READY */
	struct promise testimony; /* a good word, until it can be believed */
	uint64_t clock;           /* witnesses.clock when it was asked */
	uint64_t session;         /* the path's then */
	uint64_t asked_at, until; /* loop_now(); then it is none */
	uint64_t mute;            /* asked_at of one that had no answer */
	unsigned tries;
	bool asking; /* its word is waited for */
	bool sent;   /* the command is under way, perhaps for longer */
	bool later;  /* it waits to be asked again */
};

/* All of a device. */
struct witnesses {
	bool doubt;      /* sessions after `proven` are in use */
	uint64_t clock;  /* logins so far */
	uint64_t proven; /* of them: those sessions have seen all that was
			  * acknowledged */
	unsigned asking; /* paths asked to bear witness or to settle */
	struct loop_timer *timer; /* while any is asked */
};

void witnesses_init(struct mpdev *dev);
void witnesses_fini(struct mpdev *dev);

/* A session is new while something is at risk: there is doubt, and all that
 * can bear witness are asked. */
void witnesses_call(struct mpdev *dev);

/* All sessions that there are have seen all that was acknowledged. */
void witnesses_trust(struct mpdev *dev);

/* There is no doubt any more, either way. */
void witnesses_decide(struct mpdev *dev);

/* Asks one path whether there was a reset, unless it leaves that unanswered. */
void witness_ask(struct mpath *mp);

/* The path is down: it bears no witness. */
void witness_down(struct mpath *mp);

#endif
