/* SPDX-License-Identifier: BSD-2-Clause */
#include "io.h"

#include "mpdev.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/opcode.h>

static void tell(void *arg);
static void delay_over(void *arg);

int io_queue_init(struct mpdev *dev)
{
	struct io_queue *q = &dev->io;

	TAILQ_INIT(&q->spare);
	TAILQ_INIT(&q->held);
	TAILQ_INIT(&q->delayed);
	TAILQ_INIT(&q->ended);
	loop_task_init(&q->tell, tell, dev);
	q->delay = loop_timer_new(dev->loop, delay_over, dev);
	return q->delay ? 0 : -ENOMEM;
}

void io_queue_fini(struct mpdev *dev)
{
	struct io_queue *q = &dev->io;
	struct io *io;

	assert(TAILQ_EMPTY(&q->held) && TAILQ_EMPTY(&q->delayed) &&
		TAILQ_EMPTY(&q->ended));
	while ((io = TAILQ_FIRST(&q->spare))) {
		TAILQ_REMOVE(&q->spare, io, link);
		free(io);
	}
	loop_unpost(dev->loop, &q->tell);
	loop_timer_free(q->delay);
}

static void answered(struct path_cmd *cmd);
static void settled(struct promise *promise, bool kept);

struct io *io_new(struct mpdev *dev, enum io_kind kind)
{
	struct io *io = TAILQ_FIRST(&dev->io.spare);

	if (io)
		TAILQ_REMOVE(&dev->io.spare, io, link);
	else if (!(io = calloc(1, sizeof *io)))
		return NULL;
	io->dev = dev;
	io->kind = (uint8_t)kind;
	io->path = NULL;
	io->session = 0;
	io->gave_up = 0;
	io->from = -1;
	io->error = 0;
	io->history = (struct retry_history){0};
	io->range = NULL;
	io->cmd.direction = PATH_NO_DATA;
	io->cmd.len = 0;
	io->cmd.data = NULL;
	io->cmd.buf = NULL;
	io->cmd.buf_at = 0;
	io->cmd.done = answered;
	io->cmd.arg = io;
	io->promise.settled = settled;
	return io;
}

void io_put(struct io *io)
{
	TAILQ_INSERT_HEAD(&io->dev->io.spare, io, link);
}

/* Ends `io` with `err`, from the task: its owner may be in the middle of
 * something. */
static void end_later(struct io *io, int err)
{
	struct mpdev *dev = io->dev;

	io->error = err;
	TAILQ_INSERT_TAIL(&dev->io.ended, io, link);
	loop_post(dev->loop, &dev->io.tell);
}

static void tell(void *arg)
{
	struct mpdev *dev = arg;
	struct io *io;

	while ((io = TAILQ_FIRST(&dev->io.ended))) {
		TAILQ_REMOVE(&dev->io.ended, io, link);
		io->done(io, io->error);
	}
}

static void hold(struct io *io)
{
	struct mpdev *dev = io->dev;
	int err = mpdev_no_path_error(dev);

	if (err) {
		end_later(io, err);
		return;
	}
	TAILQ_INSERT_TAIL(&dev->io.held, io, link);
	dev->io.nheld++;
	mpdev_waiting(dev);
}

static struct mpath *path_by_id(struct mpdev *dev, int id)
{
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->id == id)
			return mp;
	return NULL;
}

/* `io` goes over `mp` although another path had it before. */
static void note_move(struct io *io, const struct mpath *mp)
{
	struct mpath *from;

	if (io->from == mp->id)
		return;
	from = path_by_id(io->dev, io->from);
	if (from)
		mpath_moved(from);
	else
		io->dev->failovers++;
}

/* Reads and writes: what a path's load is made of. */
static bool io_moves_data(const struct io *io)
{
	return io->kind <= IO_WRITE;
}

static void send_over(struct io *io, struct mpath *mp, uint64_t now)
{
	io->path = mp;
	io->sent = now;
	io->session = mp->session;
	io->given_up = 0;
	io->cmd.deadline = 0; /* health.c watches over it */
	mp->inflight++;
	mp->depth.open++;
	if (io_moves_data(io))
		load_sent(&mp->load, io->cmd.len, io->sent);
	health_sent(mp, io);
	path_submit(mp->path, &io->cmd);
}

static bool has_room(const struct mpath *mp)
{
	return depth_has_room(&mp->depth);
}

static struct mpath *path_with_room(struct mpdev *dev)
{
	for (unsigned n = 0; n < dev->view.nactive; n++)
		if (has_room(dev->active[n]))
			return dev->active[n];
	return NULL;
}

/* Every target is full: until one of them has answered something. */
static void queue(struct io *io)
{
	TAILQ_INSERT_TAIL(&io->dev->io.held, io, link);
	io->dev->io.nheld++;
}

void io_submit(struct io *io)
{
	uint64_t now = loop_now(io->dev->loop);
	struct mpath *mp = mpdev_pick(io->dev, now, io->cmd.len);

	if (!mp) {
		hold(io);
		return;
	}
	if (mp->id == io->from)
		mp = mpdev_pick_other(io->dev, mp);
	if (!has_room(mp) && !(mp = path_with_room(io->dev))) {
		queue(io);
		return;
	}
	if (io->from >= 0)
		note_move(io, mp);
	send_over(io, mp, now);
}

void io_release_held(struct mpdev *dev)
{
	struct io_list held = TAILQ_HEAD_INITIALIZER(held);
	struct io *io;

	TAILQ_CONCAT(&held, &dev->io.held, link);
	dev->io.nheld = 0;
	while ((io = TAILQ_FIRST(&held))) {
		TAILQ_REMOVE(&held, io, link);
		io_submit(io);
	}
}

/* An answer has made room for those that came first. */
static void fill_room(struct mpdev *dev)
{
	struct io *io;

	while ((io = TAILQ_FIRST(&dev->io.held)) && path_with_room(dev)) {
		TAILQ_REMOVE(&dev->io.held, io, link);
		dev->io.nheld--;
		io_submit(io);
	}
}

static void fail_list(struct io_list *list, int err)
{
	struct io *io;

	while ((io = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, io, link);
		end_later(io, err);
	}
}

void io_fail_held(struct mpdev *dev, int err)
{
	fail_list(&dev->io.held, err);
	dev->io.nheld = 0;
	fail_list(&dev->io.delayed, err);
	loop_timer_stop(dev->io.delay);
}

/* The list stays in order of time; most delays are longer than those there. */
static void submit_after(struct io *io, uint64_t delay)
{
	struct mpdev *dev = io->dev;
	struct io *before = TAILQ_LAST(&dev->io.delayed, io_list);

	io->due = loop_now(dev->loop) + delay;
	while (before && before->due > io->due)
		before = TAILQ_PREV(before, io_list, link);
	if (before) {
		TAILQ_INSERT_AFTER(&dev->io.delayed, before, io, link);
		return;
	}
	TAILQ_INSERT_HEAD(&dev->io.delayed, io, link);
	loop_timer_set(dev->io.delay, delay);
}

static void delay_over(void *arg)
{
	struct mpdev *dev = arg;
	uint64_t now = loop_now(dev->loop);
	struct io *io;

	while ((io = TAILQ_FIRST(&dev->io.delayed)) && io->due <= now) {
		TAILQ_REMOVE(&dev->io.delayed, io, link);
		io_submit(io);
	}
	if (io)
		loop_timer_set(dev->io.delay, io->due - now);
}

static void account(struct mpath *mp, const struct io *io, uint64_t now)
{
	uint64_t us = (now - io->sent) / NS_PER_US;
	struct mpath *from = NULL;

	if (io->from >= 0 && io->from != mp->id)
		from = path_by_id(mp->dev, io->from);
	if (from)
		mpath_resumed(from);
	if (io_moves_data(io))
		load_measure(&mp->load, io->cmd.len, now - io->sent, now);
	if (io->kind == IO_READ) {
		mp->reads++;
		mp->read_bytes += io->cmd.len;
		histogram_add(&mp->read_latency, us);
	} else if (io->kind == IO_WRITE) {
		mp->writes++;
		mp->write_bytes += io->cmd.len;
		histogram_add(&mp->write_latency, us);
	}
}

void io_heed(struct mpath *mp, unsigned flags, const char *what)
{
	struct mpdev *dev = mp->dev;

	if (flags & DISPOSITION_WRITE_ERROR)
		flush_lost(dev);
	suspect_heed(mp, flags, what);
	if (flags & DISPOSITION_THIN_WARNING && !dev->thin_warned) {
		dev->thin_warned = true;
		log_warn("%s: the target runs out of space: %s", dev->blk.name,
			what);
	}
	if (flags & DISPOSITION_RESERVATION)
		pr_check(mp);
	if (flags & (DISPOSITION_REREAD_IDENTITY | DISPOSITION_REREAD_MODE))
		mpath_input(mp, INPUT_RECHECK);
	else if (flags & DISPOSITION_REREAD_CAPACITY)
		growth_check(dev);
}

void io_heed_aside(struct mpath *mp, const struct path_result *result,
	const struct disposition *d)
{
	if (mp->phase != PHASE_ACTIVE) {
		suspect_heed(mp, d->flags, d->what);
		return;
	}
	io_heed(mp, d->flags, d->what);
	if (d->flags & DISPOSITION_REREAD_ALUA)
		alua_watch_heed(mp, result);
}

static void heed(struct io *io, struct mpath *mp, const struct retry_verdict *v)
{
	if (v->unknown && io->range)
		fence_note(mp->fence, io->range);
	if (v->flags & DISPOSITION_REREAD_ALUA)
		alua_watch_heed(mp, &io->cmd.result);
	if (v->flags & DISPOSITION_QUEUE_FULL)
		depth_full(&mp->depth, io->sent, loop_now(io->dev->loop));
	if (v->path_dying)
		mpath_hold_back(mp);
	if (v->path_bad)
		mpath_bad(mp, v->what);
	io_heed(mp, v->flags, v->what);
}

/* Once, until a probe finds that it is over. */
static void tell_protected(struct mpdev *dev, const char *what)
{
	if (dev->protection_told)
		return;
	dev->protection_told = true;
	notice_event(dev, -1, EVENT_DEVICE_PROTECTED, what);
}

static void fail(struct io *io, const struct retry_verdict *v)
{
	bool optional = io->kind != IO_READ && io->kind != IO_WRITE;

	if (v->flags & DISPOSITION_UNSUPPORTED && optional) {
		io->done(io, -EOPNOTSUPP);
		return;
	}
	log_warn("%s: %s failed: %s", io->dev->blk.name,
		scsi_opcode_name(io->cmd.cdb[0]), v->what);
	if (v->error == -EPERM && !(v->flags & DISPOSITION_RESERVATION))
		tell_protected(io->dev, v->what);
	io->done(io, v->error);
}

static void complete(struct io *io, struct mpath *mp, uint64_t now)
{
	account(mp, io, now);
	if (!overtake_defers(mp, io))
		io->done(io, 0);
}

/* An answer has waited until it could be believed, or cannot be: the command
 * goes again. */
static void settled(struct promise *promise, bool kept)
{
	struct io *io =
		(struct io *)((char *)promise - offsetof(struct io, promise));

	if (kept)
		io->done(io, 0);
	else if (io->dev->hurry)
		io->done(io, -ESHUTDOWN);
	else if (!retry_unproven(&io->history, loop_now(io->dev->loop)))
		io->done(io, -EIO);
	else
		io_submit(io);
}

/* The path has not simply succeeded. */
static void judge(struct io *io, struct mpath *mp)
{
	struct mpdev *dev = io->dev;
	struct path_result *r = &io->cmd.result;
	struct retry_verdict v;
	bool unheard;

	/* The path lives, as far as is known; this command was lost alone. */
	if (io->given_up && r->outcome != PATH_DONE && mpath_is_active(mp)) {
		r->error = -ETIMEDOUT;
		damping_fault(mp, "a command was lost");
	}
	v = retry_judge(io->kind, r, &io->history, loop_now(dev->loop));
	/* A target that could not write its cache to the medium says so once,
	 * and may have thrown away what it could not write: the same command
	 * again, which has nothing left to do, would succeed. */
	if (v.unflushed && suspect_flush_failed(dev, v.what))
		v.action = RETRY_FAIL;
	unheard = v.unheard && suspect_flush_unheard(dev);
	heed(io, mp, &v);
	if (v.action == RETRY_COMPLETE) {
		complete(io, mp, loop_now(dev->loop));
		return;
	}
	mp->errors++;
	if (v.action == RETRY_ELSEWHERE || v.other)
		io->from = mp->id;
	if (dev->hurry)
		io->done(io, -ESHUTDOWN);
	else if (unheard && mpdev_has_path(dev))
		io->done(io, v.error); /* the replay waits for it */
	else if (v.action == RETRY_FAIL)
		fail(io, &v);
	else if (v.action == RETRY_LATER)
		submit_after(io, v.delay);
	else if (v.action == RETRY_HERE && mpath_is_active(mp))
		send_over(io, mp, loop_now(dev->loop));
	else
		io_submit(io);
}

static void answered(struct path_cmd *cmd)
{
	struct io *io = cmd->arg;
	struct mpath *mp = io->path;
	uint64_t now = loop_now(io->dev->loop);

	io->path = NULL;
	mp->inflight--;
	mp->depth.open--;
	if (io_moves_data(io))
		load_ended(&mp->load, io->cmd.len, now);
	health_ended(mp, io);
	overtake_ended(mp, cmd);
	if (mp->dev->io.nheld)
		fill_room(mp->dev);
	if (cmd->result.outcome != PATH_DONE || cmd->result.status ||
		cmd->result.residual || cmd->result.overflow) {
		judge(io, mp);
		return;
	}
	depth_good(&mp->depth);
	complete(io, mp, now);
}
