/* SPDX-License-Identifier: BSD-2-Clause */
#include "t_path.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* path_cmd.task keeps the time at which a command is answered, and whether it
 * was executed before that. */
#define LOST UINT64_MAX /* a command that is never answered */
#define RAN  (UINT64_C(1) << 63)

static bool is_lost(const struct path_cmd *cmd)
{
	return (uint64_t)(uintptr_t)cmd->task == LOST;
}

static bool has_run(const struct path_cmd *cmd)
{
	return !is_lost(cmd) && (uint64_t)(uintptr_t)cmd->task & RAN;
}

static uint64_t due_of(const struct path_cmd *cmd)
{
	return (uint64_t)(uintptr_t)cmd->task & ~RAN;
}

static struct t_path *of(struct path *path)
{
	return (struct t_path *)path;
}

/* With `hold` a command waits for t_path_go(). */
static bool is_kept(const struct t_path *tp, const struct path_cmd *cmd)
{
	if (tp->silent || is_lost(cmd))
		return true;
	return tp->dead || (tp->hold && cmd->cdb[0] != 0x00);
}

static void finish(struct t_path *tp, struct path_cmd *cmd)
{
	TAILQ_REMOVE(&tp->cmds, cmd, link);
	tp->open--;
	cmd->done(cmd);
}

static void execute(struct t_path *tp, struct path_cmd *cmd)
{
	bool in = cmd->direction == PATH_DATA_IN;
	bool out = cmd->direction == PATH_DATA_OUT;
	struct t_lun_cmd c = {
		.cdb = cmd->cdb,
		.out = out ? cmd->data : NULL,
		.in = in ? path_cmd_data(cmd) : NULL,
		.out_len = out ? cmd->len : 0,
		.in_len = in ? cmd->len : 0,
	};

	t_lun_execute(&tp->nexus, &c);
	cmd->result = (struct path_result){
		.outcome = PATH_DONE,
		.status = c.status,
		.overflow = c.overflow,
		.residual = c.residual,
		.sense_len = c.sense_len,
	};
	memcpy(cmd->result.sense, c.sense, c.sense_len);
}

static void fail(struct t_path *tp, struct path_cmd *cmd,
	enum path_outcome outcome, int error)
{
	cmd->result = (struct path_result){.outcome = outcome, .error = error};
	finish(tp, cmd);
}

static void plan(struct t_path *tp);

static void go_down(struct t_path *tp, const struct path_down *why)
{
	if (tp->up)
		t_nexus_fini(&tp->nexus);
	if (tp->fence_error == -EAGAIN)
		tp->fence_error = 0;
	tp->up = tp->starting = tp->visiting = tp->stopping = tp->now = false;
	loop_timer_stop(tp->timer);
	loop_unpost(tp->loop, &tp->task);
	tp->path.events->down(&tp->path, why);
}

static void forget_ghosts(struct t_path *tp)
{
	while (tp->nghosts)
		free(tp->ghosts[--tp->nghosts].data);
}

static void end_fences(struct t_path *tp, int err)
{
	struct path_fence *fence;

	while ((fence = TAILQ_FIRST(&tp->asked))) {
		TAILQ_REMOVE(&tp->asked, fence, link);
		tp->fences++;
		fence->done(fence, err);
	}
}

/* A path aborts what is late, which takes somebody who answers. */
static uint64_t deadline_of(const struct t_path *tp, const struct path_cmd *cmd)
{
	return cmd->deadline && !tp->silent && !tp->deaf ? cmd->deadline
							 : UINT64_MAX;
}

/* Ends `cmd` when it is time. */
static void end_one(struct t_path *tp, struct path_cmd *cmd)
{
	uint64_t now = loop_now(tp->loop);

	if (!tp->up) {
		fail(tp, cmd, PATH_NOT_SENT, -ENOTCONN);
	} else if (tp->now) {
		fail(tp, cmd, PATH_UNKNOWN, -ECANCELED);
	} else if (deadline_of(tp, cmd) <= now) {
		fail(tp, cmd, PATH_UNKNOWN,
			cmd->deadline == 1 ? -ECANCELED : -ETIMEDOUT);
	} else if (!is_kept(tp, cmd) && due_of(cmd) <= now) {
		tp->heard = now;
		if (!has_run(cmd))
			execute(tp, cmd);
		finish(tp, cmd);
	}
}

/* done() may add commands but takes none away: those are seen next time. */
static void end_due(struct t_path *tp)
{
	struct path_cmd *cmd = TAILQ_FIRST(&tp->cmds), *next;

	for (unsigned n = tp->open; n && cmd; n--, cmd = next) {
		next = TAILQ_NEXT(cmd, link);
		end_one(tp, cmd);
	}
}

static const struct path_down unreachable = {
	.cure = PATH_RETRY, .reason = "nobody answers"};

/* The session is reinstated, by way of another portal, and then logged out. */
static void visit(struct t_path *tp)
{
	static const struct path_down over = {
		.cure = PATH_RETRY, .reason = "stopped"};

	forget_ghosts(tp);
	end_fences(tp, 0);
	go_down(tp, &over);
}

/* Ends what is due, then what a stop waits for. */
static void work(void *arg)
{
	struct t_path *tp = arg;
	struct path_down why = {.cure = PATH_RETRY, .was_up = tp->up};

	if (tp->visiting && !tp->stopping) {
		if (!tp->visit_hangs)
			visit(tp);
		return;
	}
	if (tp->starting && !tp->stopping && !tp->stopped) {
		tp->starting = false;
		if (tp->refusal || tp->silent) {
			go_down(tp, tp->refusal ? tp->refusal : &unreachable);
			return;
		}
		tp->up = true;
		tp->heard = loop_now(tp->loop);
		t_nexus_init(&tp->nexus, tp->lun, tp->group, tp->port, true);
		tp->nexus.initiator = tp;
		if (!tp->fence_error)
			forget_ghosts(tp);
		end_fences(tp, tp->fence_error);
		tp->path.events->up(&tp->path);
	}
	end_due(tp);
	if (tp->up)
		end_fences(tp, tp->fence_error);
	if (tp->stopping && TAILQ_EMPTY(&tp->cmds)) {
		snprintf(why.reason, sizeof why.reason, "stopped");
		go_down(tp, &why);
		return;
	}
	plan(tp);
}

static void plan(struct t_path *tp)
{
	uint64_t now = loop_now(tp->loop), due = UINT64_MAX;
	struct path_cmd *cmd;

	TAILQ_FOREACH (cmd, &tp->cmds, link) {
		if (!is_kept(tp, cmd) && due_of(cmd) < due)
			due = due_of(cmd);
		if (deadline_of(tp, cmd) < due)
			due = deadline_of(tp, cmd);
		if (!tp->up || tp->now)
			due = now;
	}
	if (due == UINT64_MAX)
		loop_timer_stop(tp->timer);
	else if (due <= now)
		loop_post(tp->loop, &tp->task);
	else
		loop_timer_set(tp->timer, due - now);
}

static void start(struct path *path)
{
	struct t_path *tp = of(path);

	assert(!tp->up && !tp->starting);
	if (tp->starts < T_PATH_STARTS)
		tp->started_at[tp->starts] = loop_now(tp->loop);
	tp->starts++;
	tp->starting = true;
	loop_post(tp->loop, &tp->task);
}

static void stop(struct path *path, bool now)
{
	struct t_path *tp = of(path);

	if (!tp->up && !tp->starting)
		return;
	tp->stopping = true;
	tp->now |= now;
	loop_post(tp->loop, &tp->task);
}

static void fence(struct path *path, struct path_fence *request)
{
	struct t_path *tp = of(path);

	TAILQ_INSERT_TAIL(&tp->asked, request, link);
	loop_post(tp->loop, &tp->task);
}

static int fence_by(struct path *path, const struct path *sibling, char *portal,
	size_t size)
{
	struct t_path *tp = of(path);

	assert(!tp->up && !tp->starting);
	if (!tp->shared || !((const struct t_path *)sibling)->up)
		return -EXDEV;
	tp->visits++;
	tp->starting = tp->visiting = true;
	snprintf(portal, size, "192.0.2.9:3260");
	loop_post(tp->loop, &tp->task);
	return 0;
}

static bool is_bring_up(uint8_t opcode)
{
	static const uint8_t opcodes[] = {
		0x00, 0x12, 0x1a, 0x25, 0x5a, 0x9e, 0xa3, 0xa4};

	return memchr(opcodes, opcode, sizeof opcodes) != NULL;
}

static void submit(struct path *path, struct path_cmd *cmd)
{
	struct t_path *tp = of(path);

	tp->submitted++;
	tp->open++;
	if (!is_bring_up(cmd->cdb[0]) && tp->log_len < sizeof tp->log)
		tp->log[tp->log_len++] = cmd->cdb[0];
	tp->asks += cmd->cdb[0] == 0x00;
	if (cmd->cdb[0] == 0x9e && cmd->cdb[1] == 0x10) {
		tp->looks++;
		tp->looked_at = loop_now(tp->loop);
	}
	cmd->task =
		(void *)(uintptr_t)(loop_now(tp->loop) + tp->latency +
				    (cmd->cdb[0] == tp->slow_opcode ? tp->slow
								    : 0));
	if (tp->drop && !is_bring_up(cmd->cdb[0])) {
		tp->drop--;
		cmd->task = (void *)(uintptr_t)LOST;
	} else if (tp->unordered && tp->up && !tp->now) {
		execute(tp, cmd);
		cmd->task = (void *)((uintptr_t)cmd->task | RAN);
	}
	TAILQ_INSERT_TAIL(&tp->cmds, cmd, link);
	plan(tp);
}

static void probe(struct path *path)
{
	struct t_path *tp = of(path);

	tp->probes++;
	if (tp->up && !tp->silent)
		tp->heard = loop_now(tp->loop);
}

static bool links_changed(struct path *path, char *why, size_t size)
{
	const struct t_path *tp = of(path);

	if (!tp->up || !tp->cut_off)
		return true;
	snprintf(why, size, "the link to it is down (t0)");
	return false;
}

static uint64_t heard(const struct path *path)
{
	return ((const struct t_path *)path)->heard;
}

/* Ends it in the next turn, as one that was lost. */
static void abort_one(struct path *path, struct path_cmd *cmd)
{
	struct t_path *tp = of(path);

	tp->aborts++;
	if (tp->silent || tp->deaf)
		return;
	cmd->deadline = 1;
	plan(tp);
}

static void facts(const struct path *path, struct path_facts *f)
{
	static const char *const portals[] = {"192.0.2.1:3260", NULL};
	const struct t_path *tp = (const struct t_path *)path;

	*f = (struct path_facts){
		.portal = portals[0],
		.portals = portals,
		.target = "iqn.2003-01.org.example:t",
		.tpgt = tp->group,
		.connections = tp->up,
		.max_transfer = tp->max_transfer,
		.unordered = tp->unordered,
	};
}

static void counters(const struct path *path, struct path_counters *c)
{
	*c = (struct path_counters){
		.logins = ((const struct t_path *)path)->starts,
		.digest_errors = ((const struct t_path *)path)->digest_errors};
}

static void path_is_freed(struct path *path)
{
	struct t_path *tp = of(path);

	assert(!tp->up && !tp->starting && TAILQ_EMPTY(&tp->cmds));
	loop_unpost(tp->loop, &tp->task);
	end_fences(tp, -ECANCELED);
	loop_unpost(tp->loop, &tp->task);
	forget_ghosts(tp);
	loop_timer_free(tp->timer);
	if (tp->freed)
		*tp->freed = true;
	free(tp);
}

/* mpio uses no other ones: a call of them is a mistake that shows. */
static const struct path_ops ops = {
	.start = start,
	.stop = stop,
	.submit = submit,
	.fence = fence,
	.fence_by = fence_by,
	.abort = abort_one,
	.probe = probe,
	.heard = heard,
	.links_changed = links_changed,
	.facts = facts,
	.counters = counters,
	.free = path_is_freed,
};

struct t_path *t_path_new(struct loop *loop, struct t_lun *lun)
{
	struct t_path *tp = calloc(1, sizeof *tp);

	assert(tp);
	tp->path.ops = &ops;
	tp->loop = loop;
	tp->lun = lun;
	tp->group = tp->port = 1;
	TAILQ_INIT(&tp->cmds);
	TAILQ_INIT(&tp->asked);
	tp->timer = loop_timer_new(loop, work, tp);
	loop_task_init(&tp->task, work, tp);
	return tp;
}

void t_path_go(struct t_path *tp)
{
	tp->hold = false;
	plan(tp);
}

void t_path_die(struct t_path *tp, enum path_outcome outcome, bool ran,
	const char *reason)
{
	struct path_down why = {.cure = PATH_RETRY, .was_up = tp->up};
	struct path_cmd *cmd;
	unsigned n = tp->open;

	snprintf(why.reason, sizeof why.reason, "%s", reason);
	while (n-- && (cmd = TAILQ_FIRST(&tp->cmds))) {
		if (ran && !has_run(cmd))
			execute(tp, cmd);
		fail(tp, cmd, outcome, -ECONNRESET);
	}
	/* What came meanwhile finds the path gone. */
	while ((cmd = TAILQ_FIRST(&tp->cmds)))
		fail(tp, cmd, PATH_NOT_SENT, -ENOTCONN);
	go_down(tp, &why);
}

static void keep_ghost(struct t_path *tp, const struct path_cmd *cmd)
{
	struct t_ghost *g = &tp->ghosts[tp->nghosts];

	assert(tp->nghosts < T_PATH_GHOSTS);
	tp->nghosts++;
	memcpy(g->cdb, cmd->cdb, sizeof g->cdb);
	g->len = cmd->direction == PATH_DATA_OUT ? cmd->len : 0;
	g->data = g->len ? malloc(g->len) : NULL;
	if (g->len) {
		assert(g->data);
		memcpy(g->data, cmd->data, g->len);
	}
}

void t_path_haunt(struct t_path *tp)
{
	const struct path_cmd *cmd;

	TAILQ_FOREACH (cmd, &tp->cmds, link)
		keep_ghost(tp, cmd);
	t_path_die(tp, PATH_UNKNOWN, false, "reset");
}

unsigned t_path_run_ghosts(struct t_path *tp)
{
	struct t_nexus nexus;
	unsigned n = tp->nghosts;

	t_nexus_init(&nexus, tp->lun, 1, 1, false);
	for (unsigned i = 0; i < n; i++) {
		struct t_lun_cmd cmd = {
			.cdb = tp->ghosts[i].cdb,
			.out = tp->ghosts[i].data,
			.out_len = tp->ghosts[i].len,
		};

		t_lun_execute(&nexus, &cmd);
		assert(cmd.status == 0);
	}
	t_nexus_fini(&nexus);
	forget_ghosts(tp);
	return n;
}

void t_path_continue(struct t_path *tp)
{
	tp->stopped = false;
	loop_post(tp->loop, &tp->task);
}

void t_path_reject(struct t_path *tp, enum path_outcome outcome)
{
	if (tp->fence_error == -EAGAIN)
		keep_ghost(tp, TAILQ_FIRST(&tp->cmds));
	fail(tp, TAILQ_FIRST(&tp->cmds), outcome, -EREMOTEIO);
}

void t_path_leave(struct t_path *tp)
{
	tp->path.events->leaving(&tp->path);
	tp->stopping = true;
	loop_post(tp->loop, &tp->task);
}
