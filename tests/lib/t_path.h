/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path (umpio/path.h) to a model LUN, without any transport: a test says when
 * it comes up, how long commands take, whether they are held, and how it dies.
 * It keeps to what path.h promises: no callback from within a call, one done()
 * for each command, down() after the last of them.
 */
#ifndef TESTS_LIB_T_PATH_H
#define TESTS_LIB_T_PATH_H

#include "t_lun.h"

#include <umpio/loop.h>
#include <umpio/path.h>

#define T_PATH_STARTS 64
#define T_PATH_GHOSTS 64

/* A command that the target still has although its path has ended it. */
struct t_ghost {
	uint8_t cdb[PATH_CDB_MAX];
	uint8_t *data; /* a copy; NULL: none */
	uint32_t len;
};

struct t_path {
	struct path path;
	struct loop *loop;
	struct t_nexus nexus; /* while up */
	/* The test's to set: */
	struct t_lun *lun;
	struct path_down *refusal; /* what start() gets; NULL: it comes up */
	uint64_t latency;          /* ns of every command */
	uint8_t slow_opcode;       /* this one takes `slow` ns more */
	uint64_t slow;
	bool hold;       /* commands stay, but for TEST UNIT READY;
			  * t_path_go() */
	bool dead;       /* that one stays too; pings are answered */
	bool silent;     /* nothing comes back */
	bool cut_off;    /* what path_links_changed() denies while it is up */
	bool deaf;       /* an abort has no effect */
	bool unordered;  /* so it says; and commands are executed when they
			  * come, so an answer may overtake another */
	unsigned drop;   /* so many reads and writes are lost */
	bool stopped;    /* a start hangs; t_path_continue() */
	int fence_error; /* what its fences say when it is up; with -EAGAIN the
			  * target keeps what is rejected until the path has
			  * been down, and then they are good */
	bool shared;     /* other paths that are up can do its fences */
	bool visit_hangs;
	uint32_t max_transfer;
	uint16_t group, port; /* target port group, tag of the portal group;
			       * relative port. 1 at first */
	/* To look at: */
	bool up;
	unsigned starts, submitted, open, fences;
	unsigned visits; /* starts for a fence, by another path's portal */
	unsigned probes, asks, aborts; /* asks: TEST UNIT READY */
	unsigned looks;                /* READ CAPACITY(16) */
	uint64_t looked_at;            /* the last one */
	uint64_t heard, digest_errors;
	unsigned nghosts;
	struct t_ghost ghosts[T_PATH_GHOSTS];
	TAILQ_HEAD(, path_fence) asked;
	unsigned log_len; /* opcodes of all commands but those of bring-up */
	uint8_t log[256];
	uint64_t started_at[T_PATH_STARTS];
	bool *freed; /* set to true when freed; NULL: none */

	TAILQ_HEAD(, path_cmd) cmds;
	bool starting, visiting, stopping, now;
	struct loop_timer *timer;
	struct loop_task task;
};

struct t_path *t_path_new(struct loop *loop, struct t_lun *lun);

/* Executes what is held, in order, and holds no more. */
void t_path_go(struct t_path *tp);

/* The path dies: what is open ends as `outcome` (executed before when `ran`),
 * then it is down. */
void t_path_die(struct t_path *tp, enum path_outcome outcome, bool ran,
	const char *reason);

/* The same, and the target keeps a copy of what was open. */
void t_path_haunt(struct t_path *tp);

/* The target executes the copies that it still has: none after a login, which
 * reinstates the session. Returns how many. */
unsigned t_path_run_ghosts(struct t_path *tp);

/* A start that hangs goes on. */
void t_path_continue(struct t_path *tp);

/* The oldest open command ends as `outcome`; the path lives on. */
void t_path_reject(struct t_path *tp, enum path_outcome outcome);

/* The target asks to be left. */
void t_path_leave(struct t_path *tp);

#endif
