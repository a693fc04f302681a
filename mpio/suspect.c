/* SPDX-License-Identifier: BSD-2-Clause */
#include "suspect.h"

#include "mpdev.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <umpio/base/buf.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/disposition.h>

#define PIECE_MAX      (1u << 20) /* bytes in one request */
#define FLUSH_FAILURES 3          /* with a replay each, until one succeeds */
#define STARVED_TIME   (100 * NS_PER_MS)

static void step(void *arg);
static void try_again(void *arg);

void suspect_init(struct mpdev *dev)
{
	loop_task_init(&dev->suspect.task, step, dev);
	dev->suspect.later = loop_timer_new(dev->loop, try_again, dev);
	witnesses_init(dev);
}

void suspect_fini(struct mpdev *dev)
{
	loop_unpost(dev->loop, &dev->suspect.task);
	loop_timer_free(dev->suspect.later);
	witnesses_fini(dev);
}

void suspect_poke(struct mpdev *dev)
{
	if (dev->suspect.step != SUSPECT_CALM)
		loop_post(dev->loop, &dev->suspect.task);
}

static void begin(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;

	s->step = SUSPECT_SETTLE;
	s->again = s->failed = s->starved = s->asked = false;
	dev->gate |= GATE_ALL;
	suspect_poke(dev);
}

void suspect_decided(struct mpdev *dev)
{
	loop_post(dev->loop, &dev->suspect.task);
}

static bool at_risk(const struct mpdev *dev)
{
	return dev->retain.on &&
	       (!retain_is_empty(&dev->retain) || dev->suspect.running);
}

void suspect_reset(struct mpdev *dev, const char *what)
{
	struct suspect *s = &dev->suspect;

	s->mild = false;
	witnesses_decide(dev);
	if (!at_risk(dev))
		s->witnesses.proven = s->witnesses.clock;
	if (!dev->retain.on)
		return;
	s->epoch++;
	if (s->step == SUSPECT_REPLAY || s->step == SUSPECT_SYNC) {
		s->again = true;
	} else if (s->step == SUSPECT_CALM && at_risk(dev)) {
		log_warn("%s: the target may have lost its write cache: %s",
			dev->blk.name, what);
		begin(dev);
	}
}

void suspect_heed(struct mpath *mp, unsigned flags, const char *what)
{
	if (!(flags & DISPOSITION_CACHE_SUSPECT) || !mp->session)
		return;
	pr_reset(mp->dev);
	suspect_reset(mp->dev, what);
}

void suspect_new_session(struct mpath *mp)
{
	struct mpdev *dev = mp->dev;
	struct suspect *s = &dev->suspect;

	mp->session = ++s->witnesses.clock;
	mp->witness.mute = 0;
	/* Who knows what became of what was written again before it? */
	if (s->step == SUSPECT_REPLAY || s->step == SUSPECT_SYNC)
		s->again = true;
	else if (s->step == SUSPECT_CALM && at_risk(dev))
		witnesses_call(dev);
	else if (s->step == SUSPECT_CALM)
		witnesses_trust(dev);
}

/*
 * The replay
 */
static void calm(struct mpdev *dev)
{
	dev->suspect.step = SUSPECT_CALM;
	request_gate_open(dev, GATE_ALL);
	flush_kick(dev);
	fence_poke(dev);
}

static void end(struct mpdev *dev)
{
	retain_drop(dev);
	dev->suspect.witnesses.proven = dev->suspect.witnesses.clock;
	calm(dev);
}

/* No reset was seen, and not everything can be written again: that a path was
 * lost is no reason to tell of a loss, so the flush is believed next time. */
static void relent(struct mpdev *dev)
{
	struct witnesses *w = &dev->suspect.witnesses;

	dev->suspect.failures = FLUSH_FAILURES;
	calm(dev);
	if (w->clock > w->proven)
		witnesses_call(dev);
}

static void lose(struct mpdev *dev, const char *why)
{
	char text[200];

	snprintf(text, sizeof text,
		"acknowledged writes may be lost with the target's cache: %s; "
		"the next flush of every client fails",
		why);
	notice_event(dev, -1, EVENT_CACHE_LOST, text);
	flush_lost(dev);
}

static void give_up(struct mpdev *dev, const char *why)
{
	lose(dev, why);
	end(dev);
}

/* Something is acknowledged that no flush has covered. */
static bool is_unflushed(const struct mpdev *dev)
{
	return dev->retain.on ? !retain_is_empty(&dev->retain)
			      : flush_is_needed(dev);
}

bool suspect_flush_failed(struct mpdev *dev, const char *what)
{
	struct suspect *s = &dev->suspect;
	char text[100];
	bool repeat;

	if (s->step == SUSPECT_CALM && !at_risk(dev) && !is_unflushed(dev))
		return false;
	if (dev->hurry || (s->step != SUSPECT_CALM && s->step != SUSPECT_SYNC))
		return true;
	repeat = s->failures < FLUSH_FAILURES && at_risk(dev);
	s->failures += repeat;
	snprintf(text, sizeof text, "a flush failed: %s", what);
	if (s->step == SUSPECT_SYNC) {
		s->again |= repeat;
	} else if (s->step == SUSPECT_CALM && repeat) {
		suspect_reset(dev, text);
	} else if (s->step == SUSPECT_CALM && is_unflushed(dev)) {
		lose(dev, text);
		retain_drop(dev);
	}
	return true;
}

bool suspect_flush_unheard(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;

	if ((s->step != SUSPECT_CALM && s->step != SUSPECT_SYNC) ||
		s->failures == FLUSH_FAILURES || dev->options.shared ||
		dev->hurry || !at_risk(dev))
		return false;
	s->failures++;
	if (s->step == SUSPECT_SYNC) {
		s->again = true;
		return true;
	}
	suspect_reset(dev, "the answer to a flush is lost");
	s->mild = true;
	return true;
}

void suspect_flushed(struct mpdev *dev)
{
	dev->suspect.failures = 0;
}

/* The target has refused nothing: what is kept stays kept. In a hurry nothing
 * waits. */
static void starve(struct mpdev *dev)
{
	if (dev->hurry) {
		give_up(dev, "no memory");
		return;
	}
	dev->suspect.step = SUSPECT_STARVED;
	loop_timer_set(dev->suspect.later, STARVED_TIME);
}

static void try_again(void *arg)
{
	begin(arg);
}

/* All has been written again, and flushed with `err`. */
static void conclude(struct mpdev *dev, int err)
{
	struct suspect *s = &dev->suspect;
	char text[120];

	if (s->again || (err && !mpdev_has_path(dev) && !dev->hurry)) {
		begin(dev);
		return;
	}
	if (err) {
		give_up(dev, "the flush after writing them again failed");
		return;
	}
	snprintf(text, sizeof text,
		"the target may have lost its cache; %u unflushed piece%s "
		"written again and flushed",
		s->pieces, s->pieces == 1 ? " was" : "s were");
	notice_event(dev, -1, EVENT_CACHE_REPLAYED, text);
	dev->flush.clean = dev->flush.covered = dev->flush.written;
	end(dev);
}

static void sync(struct mpdev *dev);

static void synced(struct io *io, int err)
{
	struct mpdev *dev = io->dev;
	bool refused = err == -EOPNOTSUPP;

	if (refused)
		cache_refused(dev, io->cmd.cdb);
	io_put(io);
	if (--dev->pending == 0)
		drain_poke(dev);
	if (refused && !dev->suspect.again)
		sync(dev);
	else
		conclude(dev, err);
}

static void sync(struct mpdev *dev)
{
	struct io *io;

	if (!cache_can_sync(dev)) {
		conclude(dev, cache_unsynced(dev));
		return;
	}
	io = io_new(dev, IO_SYNC);
	if (!io) {
		starve(dev);
		return;
	}
	dev->suspect.step = SUSPECT_SYNC;
	dev->pending++;
	io->done = synced;
	cache_build_sync(dev, io->cmd.cdb, 0, 0);
	io_submit(io);
}

static void written(struct blk_req *blk, int err)
{
	struct mpdev *dev = blk->arg;

	blk->arg = NULL;
	dev->suspect.inflight--;
	if (err && !mpdev_has_path(dev) && !dev->hurry)
		dev->suspect.again = true;
	else if (err == -ENOMEM)
		dev->suspect.starved = true;
	else if (err)
		dev->suspect.failed = true;
	suspect_poke(dev);
}

static void write_again(
	struct mpdev *dev, struct blk_req *blk, const struct piece *p)
{
	const struct retained *x = p->of;

	assert(x); /* retain_next() found it */
	*blk = (struct blk_req){
		.op = x->buf ? BLK_WRITE : BLK_ZERO,
		.len = (uint32_t)(p->end - p->start),
		.offset = p->start,
		.buf = x->buf ? buf_ref(x->buf) : NULL,
		.data = x->buf ? (void *)(x->data + (p->start - x->start))
			       : NULL,
		.done = written,
		.arg = dev,
	};
	dev->suspect.inflight++;
	dev->suspect.pieces++;
	request_replay(dev, blk);
}

/* Pieces do not overlap: they go side by side. */
static void replay(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;

	for (unsigned i = 0;
		i < SUSPECT_WINDOW && !s->again && !s->failed && !s->starved;
		i++) {
		if (s->slots[i].arg)
			continue;
		if (!retain_next(dev, &s->next))
			break;
		if (s->next.end - s->next.start > PIECE_MAX)
			s->next.end = s->next.start + PIECE_MAX;
		write_again(dev, &s->slots[i], &s->next);
	}
	if (s->inflight)
		return;
	if (s->again)
		begin(dev);
	else if (s->failed)
		give_up(dev, "they could not be written again");
	else if (s->starved)
		starve(dev);
	else
		sync(dev);
}

static void settle(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;

	if (s->running || dev->flush.busy || s->witnesses.asking ||
		!mpdev_has_path(dev))
		return;
	/* What other sessions have to say of it is heard first. */
	if (!s->asked) {
		s->asked = true;
		for (unsigned n = 0; n < dev->view.nactive; n++)
			witness_ask(dev->active[n]);
		if (s->witnesses.asking)
			return;
	}
	if (retain_is_empty(&dev->retain)) {
		end(dev);
	} else if (dev->options.shared) {
		give_up(dev, "others write to it too, so nothing is repeated");
	} else if (dev->retain.holes && s->mild) {
		relent(dev);
	} else if (dev->retain.holes) {
		give_up(dev, "not all of them were kept");
	} else {
		s->step = SUSPECT_REPLAY;
		s->next = (struct piece){0};
		s->pieces = 0;
		replay(dev);
	}
}

/* What has waited for the end of doubt; it may have to wait for the replay. */
static void go_on(struct mpdev *dev)
{
	request_gate_open(dev, GATE_SYNC);
	request_decide(dev);
	flush_kick(dev);
	fence_poke(dev);
}

static void step(void *arg)
{
	struct mpdev *dev = arg;
	bool was_inside = dev->inside;

	dev->inside = true;
	if (!dev->suspect.witnesses.doubt)
		go_on(dev);
	if (dev->suspect.step == SUSPECT_SETTLE)
		settle(dev);
	else if (dev->suspect.step == SUSPECT_REPLAY)
		replay(dev);
	dev->inside = was_inside;
}
