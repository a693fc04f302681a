/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path: one way to one logical unit. It carries SCSI commands and says what
 * became of them; it knows nothing of other paths. mpio stands above it, an
 * iSCSI session (or a test's fake) below.
 *
 * A path is started by its owner and reports up or down. It never reconnects by
 * itself: when and how often is the owner's policy. All calls and callbacks are
 * on the loop of the path; no callback comes from within a call made here.
 */
#ifndef UMPIO_PATH_H
#define UMPIO_PATH_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/base/buf.h>

struct path;

#define PATH_CDB_MAX   16
#define PATH_SENSE_MAX 252 /* SPC-4: the most that REQUEST SENSE returns */

enum path_direction { PATH_NO_DATA, PATH_DATA_IN, PATH_DATA_OUT };

/* What became of a command. */
enum path_outcome {
	PATH_DONE,     /* the target answered: status, sense, residual hold */
	PATH_NOT_SENT, /* not a byte of it left: it cannot have been executed */
	PATH_UNKNOWN,  /* it may have been executed, and may still be */
};

struct path_result {
	enum path_outcome outcome;
	int error;         /* for the log: -errno of a transport outcome */
	uint8_t status;    /* SAM-5 status code */
	bool overflow;     /* the target had more data by `residual` bytes */
	uint32_t residual; /* bytes of `len` not moved, when not overflow */
	uint16_t sense_len;
	uint8_t sense[PATH_SENSE_MAX];
};

/*
 * One command, embedded in its owner. From path_submit() until `done` it is the
 * path's; `done` is called exactly once, also when the path dies or is freed,
 * and from then on the path holds no reference to the command or its data.
 *
 * The data is one run of bytes; a write's must not change meanwhile. A read's
 * may be given as a buffer without memory yet (buf_get_bare()), and where in
 * it.
 */
struct path_cmd {
	uint8_t cdb[PATH_CDB_MAX];
	uint8_t direction; /* enum path_direction */
	uint32_t len;      /* bytes of data: the expected transfer length */
	void *data;        /* or NULL, and then path_cmd_data() */
	struct buf *buf;   /* of a read; NULL: none */
	size_t buf_at;
	uint64_t deadline; /* loop_now() at which the path aborts it; 0: never.
			    * It then ends as PATH_UNKNOWN, -ETIMEDOUT */
	void (*done)(struct path_cmd *cmd);
	void *arg; /* the owner's */
	struct path_result result;

	void *task; /* the path's */
	TAILQ_ENTRY(path_cmd)
	link; /* the path's while it has the command, the
	       * owner's otherwise */
};

/* Where the data of a command are, or go to. A bare buffer gets its memory
 * then, so a path does not ask before there are some. NULL without memory. */
static inline uint8_t *path_cmd_data(struct path_cmd *cmd)
{
	uint8_t *memory;

	if (cmd->data || !cmd->buf)
		return cmd->data;
	memory = buf_memory(cmd->buf);
	if (memory)
		cmd->data = memory + cmd->buf_at;
	return cmd->data;
}

/* Why a path is down, and what its owner may do about it. */
enum path_cure {
	PATH_RETRY,      /* connect again, by the owner's back-off */
	PATH_RETRY_SLOW, /* refused for a reason that seldom passes by itself
			  * (credentials, access): at most every 30 s */
	PATH_FATAL,      /* does not work as configured; a target that starts
			  * up may change its mind */
};

struct path_down {
	enum path_cure cure;
	uint64_t wait;    /* ns before the next attempt may start (Time2Wait) */
	bool was_up;      /* it was up before: commands may have been lost */
	char reason[160]; /* one line for people: the thing and the cause */
};

struct path_events {
	/* Logged in; commands may be submitted. */
	void (*up)(struct path *path);
	/* Down, or could not come up. Every command has had its `done`. */
	void (*down)(struct path *path, const struct path_down *why);
	/* The target asks to be left (Async Message 1): submit nothing new. The
	 * path logs out when its commands are done, and then reports down. */
	void (*leaving)(struct path *path);
	/* A portal of the path, HOST:PORT, is in another port group than it:
	 * the path does not use it any more. NULL: not wanted. */
	void (*elsewhere)(struct path *path, const char *portal);
	/* The unit reports something of itself, without a command (Async
	 * Message 0): fixed or descriptor format sense, to be taken like that
	 * of a unit attention. NULL: not wanted. */
	void (*sense)(struct path *path, const uint8_t *sense, size_t len);
};

/* Counters since the path was made. */
struct path_counters {
	uint64_t logins, session_recoveries, connection_recoveries;
	uint64_t tasks_reassigned, tasks_retried, snacks_sent;
	uint64_t digest_errors, fences, sibling_fences;
};

/*
 * Faults that a path injects into itself, for tests of failover. DROP happens
 * once and at once, the CORRUPT ones once, to the next segment of their sort;
 * the others stay until they are switched off, also over reconnects.
 */
#define PATH_FAULTS(X)                                                         \
	X(OFF, "off")                                                          \
	X(DROP, "drop")           /* connections end as if reset */            \
	X(BLACKHOLE, "blackhole") /* nothing passes; new connections neither   \
				   */                                          \
	X(DELAY, "delay")         /* `value` ns between in and out */          \
	X(RATE, "rate")           /* `value` bytes a second */                 \
	X(CORRUPT_HEADER, "corrupt header") /* a digest will not match */      \
	X(CORRUPT_DATA, "corrupt data")

enum path_fault_kind {
#define X(id, name) PATH_FAULT_##id,
	PATH_FAULTS(X)
#undef X
};

struct path_fault {
	uint8_t kind; /* enum path_fault_kind */
	uint64_t value;
	bool in, out; /* what comes from the target, what goes to it */
};

/* What a status shows of the transport. Strings are the path's, valid until the
 * next call on the path. */
struct path_facts {
	const char *portal;         /* HOST:PORT, as configured */
	const char *const *portals; /* all of them, NULL at the end */
	const char *target;
	unsigned tpgt;         /* as the target said at login; 0 before */
	unsigned lun;          /* its number */
	unsigned connections;  /* up */
	unsigned inflight_max; /* commands the target lets us have open; 0: not
				* known */
	uint32_t max_transfer; /* best bytes in one command; 0: no limit */
	bool unordered; /* in the session that is up, an answer may overtake
			 * one that the target gave before it */
	struct path_fault fault_in, fault_out; /* kind OFF: none */
};

/* A request to make sure of the past, embedded in its owner. */
struct path_fence {
	void (*done)(struct path_fence *fence, int err);
	void *arg;
	TAILQ_ENTRY(path_fence) link; /* the path's */
};

struct path_ops {
	void (*start)(struct path *path);
	void (*stop)(struct path *path, bool now);
	void (*submit)(struct path *path, struct path_cmd *cmd);
	void (*abort)(struct path *path, struct path_cmd *cmd);
	void (*fence)(struct path *path, struct path_fence *fence);
	/* NULL: no path does it for another. */
	int (*fence_by)(struct path *path, const struct path *sibling,
		char *portal, size_t size);
	void (*probe)(struct path *path);
	uint64_t (*heard)(const struct path *path);
	/* NULL: it cannot be known. */
	bool (*links_changed)(struct path *path, char *why, size_t size);
	void (*facts)(const struct path *path, struct path_facts *facts);
	void (*counters)(
		const struct path *path, struct path_counters *counters);
	/* NULL: the transport can inject none. */
	int (*fault)(struct path *path, const struct path_fault *fault);
	void (*free)(struct path *path);
};

/* The head of every implementation's own struct. */
struct path {
	const struct path_ops *ops;
	const struct path_events *events; /* set by the owner before start */
	void *owner;
};

/* Begins to connect; up or down follows, once. Only while down. */
static inline void path_start(struct path *p)
{
	p->ops->start(p);
}

/* Ends the path; down follows, once. Orderly: no new commands, those in flight
 * finish, logout (but not after something that only a login can end). `now`:
 * what is in flight ends as PATH_UNKNOWN and the transport is aborted. Nothing
 * when down. */
static inline void path_stop(struct path *p, bool now)
{
	p->ops->stop(p, now);
}

/* Sends `cmd`. When the path is not up it ends as PATH_NOT_SENT. */
static inline void path_submit(struct path *p, struct path_cmd *cmd)
{
	p->ops->submit(p, cmd);
}

/* Gives up a submitted command: ABORT TASK, then escalation with timers (RFC
 * 7143 11.5). `done` still comes, with whatever happened first. */
static inline void path_abort(struct path *p, struct path_cmd *cmd)
{
	p->ops->abort(p, cmd);
}

/*
 * Asks that every command which this path has ended as PATH_UNKNOWN so far can
 * no longer be executed by the target. done(0): none can. Waits for a login
 * that reinstates the session when the path is down (RFC 7143 6.3.5), so it may
 * take as long as the path is down. When it is up and cannot tell, it says so:
 * -EAGAIN: the session that is up has ended some that way; when the path has
 * logged in anew to the same portal group, or has been stopped in order and
 * says so, none can. -EXDEV: some are another portal group's, and only a login
 * into that tells. After either it may be asked again once the path is down.
 * -ECANCELED: the path was freed.
 */
static inline void path_fence(struct path *p, struct path_fence *fence)
{
	p->ops->fence(p, fence);
}

/*
 * In place of path_start(), for the sake of its fences alone, when the path's
 * own portals do not answer: reinstates its session through a portal of
 * `sibling`, which is up, and logs out again (RFC 7143 6.3.5). Fences end as
 * soon as that says so; then down follows, once, and up does not. path_stop()
 * ends it. 0, and the portal, HOST:PORT; -EXDEV: the sibling's portal group is
 * not known to be one, of the same target, where the path has left such
 * commands; -EOPNOTSUPP.
 */
static inline int path_fence_by(
	struct path *p, const struct path *sibling, char *portal, size_t size)
{
	return p->ops->fence_by && p->ops == sibling->ops
		       ? p->ops->fence_by(p, sibling, portal, size)
		       : -EOPNOTSUPP;
}

/* Asks the transport for a sign of life (NOP-Out, RFC 7143 11.18); the answer
 * shows in path_heard(). Nothing when down or when one is under way. */
static inline void path_probe(struct path *p)
{
	p->ops->probe(p);
}

/* loop_now() of the last byte that came from the target. */
static inline uint64_t path_heard(const struct path *p)
{
	return p->ops->heard(p);
}

/* Links of this host have changed. False: the path is up, and nothing can get
 * to its target from here any more; `why` is a line that says so. What the
 * owner makes of that is its own affair. A path of several connections goes on
 * over those that still can, and gives up the others. */
static inline bool path_links_changed(struct path *p, char *why, size_t size)
{
	return !p->ops->links_changed || p->ops->links_changed(p, why, size);
}

static inline void path_facts(const struct path *p, struct path_facts *f)
{
	p->ops->facts(p, f);
}

static inline void path_counters(const struct path *p, struct path_counters *c)
{
	p->ops->counters(p, c);
}

/* Injects a fault in place of the one that its directions had (DROP leaves them
 * alone), or with OFF ends it. 0; -ENOTCONN: DROP and CORRUPT want a path that
 * is logged in; -EOPNOTSUPP: nothing would notice, since the digest that
 * CORRUPT spoils was not negotiated, or the transport injects none; -ENOMEM. */
static inline int path_fault(struct path *p, const struct path_fault *fault)
{
	return p->ops->fault ? p->ops->fault(p, fault) : -EOPNOTSUPP;
}

/* Frees a path that is down. Fences still waiting end with -ECANCELED. NULL is
 * allowed. */
static inline void path_free(struct path *p)
{
	if (p)
		p->ops->free(p);
}

#endif
