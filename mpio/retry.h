/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a command that a path has ended: a pure function of its kind,
 * its result and what happened to it before. All kinds here are idempotent, so
 * an unknown outcome may be tried again; what keeps an old copy from undoing a
 * newer write is its fence (fence.h).
 */
#ifndef MPIO_RETRY_H
#define MPIO_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct path_result;

enum io_kind {
	IO_READ,
	IO_WRITE,
	IO_SYNC,
	IO_UNMAP,
	IO_WRITE_SAME,
	IO_STATUS,
	IO_KINDS
};

enum retry_action {
	RETRY_COMPLETE,
	RETRY_HERE,      /* the same path, at once */
	RETRY_ELSEWHERE, /* another path if there is one, at once */
	RETRY_LATER,     /* any path, after `delay` */
	RETRY_FAIL,      /* `error` is the answer */
};

/* What happened to one command before; zero at first. */
struct retry_history {
	const char *cause; /* of the last retry */
	uint64_t since;    /* loop_now() of the first retry for that cause */
	unsigned tries;    /* retries for that cause */
	unsigned total;    /* retries after any answer or time-out */
};

struct retry_verdict {
	enum retry_action action;
	int error;        /* -errno for a frontend */
	uint64_t delay;   /* ns */
	unsigned flags;   /* DISPOSITION_* of the answer */
	bool other;       /* RETRY_LATER: rather over another path */
	bool path_bad;    /* the path is no use until it was probed again */
	bool path_dying;  /* its transport seems to be gone: is down to follow?
			   */
	bool unknown;     /* an old copy may still be executed */
	bool unflushed;   /* a flush has failed, and what it was to write may
			   * be lost */
	bool unheard;     /* what a flush has come to is not known */
	const char *what; /* a constant, for logs */
};

/* Judges `result`, and counts in `history`. */
struct retry_verdict retry_judge(enum io_kind kind,
	const struct path_result *result, struct retry_history *history,
	uint64_t now);

/* A good answer cannot be believed: counts another try; false: no more. */
bool retry_unproven(struct retry_history *history, uint64_t now);

#endif
