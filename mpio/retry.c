/* SPDX-License-Identifier: BSD-2-Clause */
#include "retry.h"

#include <errno.h>
#include <umpio/base/units.h>
#include <umpio/path.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/opcode.h>

#define TIMEOUTS_MAX 3 /* of one command, before it fails */
#define SHORTS_MAX   3 /* answers with data missing */
#define ANSWERS_MAX                                                            \
	64 /* retries of one command, whatever the causes: one that            \
	    * kills every path it meets must not do so for ever */
#define DELAY_MAX NS_PER_S
/* How long a full target is asked again before another path is. */
#define FULL_HERE (10 * NS_PER_S)

/* The action of each disposition while its limits last. */
static const enum retry_action action_of[] = {
	[DISPOSITION_OK] = RETRY_COMPLETE,
	[DISPOSITION_RETRY_HERE] = RETRY_HERE,
	[DISPOSITION_RETRY_ELSEWHERE] = RETRY_ELSEWHERE,
	[DISPOSITION_WAIT] = RETRY_LATER,
	[DISPOSITION_PATH_BAD] = RETRY_ELSEWHERE,
	[DISPOSITION_FAIL] = RETRY_FAIL,
};

/* What a frontend is told (blkdev.h). */
static int error_for_frontend(int error)
{
	switch (error) {
	case -EBADE: /* RESERVATION CONFLICT */
	case -EPERM: return -EPERM;
	case -ENOSPC: return -ENOSPC;
	default: return -EIO;
	}
}

/* Retries for one cause are counted together; a new cause starts anew. */
static void count(struct retry_history *h, const char *cause, uint64_t now)
{
	if (h->cause != cause) {
		h->cause = cause;
		h->tries = 0;
		h->since = now;
	}
	h->tries++;
	h->total++;
}

static uint64_t backoff(uint64_t first, unsigned tries)
{
	uint64_t delay = first ? first : 10 * NS_PER_MS;

	while (--tries && delay < DELAY_MAX)
		delay *= 2;
	return delay < DELAY_MAX ? delay : DELAY_MAX;
}

static bool used_up(const struct disposition *d, const struct retry_history *h,
	uint64_t now)
{
	if (h->total > ANSWERS_MAX)
		return true;
	return d->limit ? h->tries > d->limit
			: d->patience && now - h->since >= d->patience;
}

static struct retry_verdict judge_answer(
	const struct path_result *result, struct retry_history *h, uint64_t now)
{
	struct disposition d = disposition_of(
		result->status, result->sense, result->sense_len);
	struct retry_verdict v = {
		.action = action_of[d.action],
		.error = error_for_frontend(d.error),
		.flags = d.flags,
		.path_bad = d.action == DISPOSITION_PATH_BAD,
		.what = d.what,
	};

	if (v.action == RETRY_COMPLETE || v.action == RETRY_FAIL)
		return v;
	count(h, d.what, now);
	if (used_up(&d, h, now))
		v.action = RETRY_FAIL;
	else if (v.action == RETRY_LATER)
		v.delay = backoff(d.delay, h->tries);
	/* A target that is full is left in peace first; one that is not ready
	 * may be so over one path only. */
	v.other = v.action == RETRY_LATER &&
		  (!(d.flags & DISPOSITION_QUEUE_FULL) ||
			  now - h->since >= FULL_HERE);
	return v;
}

/* Reads and writes must move all of their data (RFC 7143 11.4.5): an answer
 * that says otherwise is not believed. */
static struct retry_verdict judge_short(struct retry_history *h, uint64_t now)
{
	static const char what[] = "not all data were moved";
	struct retry_verdict v = {
		.action = RETRY_ELSEWHERE,
		.error = -EIO,
		.what = what,
	};

	count(h, what, now);
	if (h->tries > SHORTS_MAX || h->total > ANSWERS_MAX)
		v.action = RETRY_FAIL;
	return v;
}

static struct retry_verdict judge_transport(
	const struct path_result *result, struct retry_history *h, uint64_t now)
{
	static const char timed_out[] = "no answer in time";
	static const char died[] = "the path died";
	struct retry_verdict v = {
		.action = RETRY_ELSEWHERE,
		.error = -EIO,
		.unknown = result->outcome != PATH_NOT_SENT,
		.what = died,
	};

	if (result->error != -ETIMEDOUT) {
		v.path_dying = true;
		count(h, died, now);
		if (h->total > ANSWERS_MAX)
			v.action = RETRY_FAIL;
		return v;
	}
	v.what = timed_out;
	count(h, timed_out, now);
	if (h->tries > TIMEOUTS_MAX || h->total > ANSWERS_MAX)
		v.action = RETRY_FAIL;
	return v;
}

struct retry_verdict retry_judge(enum io_kind kind,
	const struct path_result *result, struct retry_history *history,
	uint64_t now)
{
	bool moves_all = kind == IO_READ || kind == IO_WRITE;
	struct retry_verdict v;

	if (result->outcome != PATH_DONE) {
		v = judge_transport(result, history, now);
		v.unheard = kind == IO_SYNC && v.unknown;
		return v;
	}
	v = judge_answer(result, history, now);
	v.unheard =
		kind == IO_SYNC && result->status == SCSI_STATUS_TASK_ABORTED;
	v.unflushed = kind == IO_SYNC && v.action != RETRY_COMPLETE &&
		      !(v.flags & DISPOSITION_NOT_DONE);
	if (v.action == RETRY_COMPLETE && moves_all &&
		(result->residual || result->overflow))
		return judge_short(history, now);
	return v;
}

bool retry_unproven(struct retry_history *history, uint64_t now)
{
	count(history, "what was answered may be over", now);
	return history->total <= ANSWERS_MAX;
}
