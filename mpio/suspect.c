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

#define WITNESS_TIME  (5 * NS_PER_S)
#define WITNESS_TRIES 8          /* unit attentions that a path may have */
#define PIECE_MAX     (1u << 20) /* bytes in one request */

static void step(void *arg);

void suspect_init(struct mpdev *dev)
{
	loop_task_init(&dev->suspect.task, step, dev);
}

void suspect_fini(struct mpdev *dev)
{
	loop_unpost(dev->loop, &dev->suspect.task);
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
	s->again = s->failed = s->asked = false;
	dev->gate |= GATE_ALL;
	suspect_poke(dev);
}

static bool at_risk(const struct mpdev *dev)
{
	return dev->retain.on &&
	       (!retain_is_empty(&dev->retain) || dev->suspect.running);
}

void suspect_reset(struct mpdev *dev, const char *what)
{
	struct suspect *s = &dev->suspect;

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
	if (flags & DISPOSITION_CACHE_SUSPECT && mp->session)
		suspect_reset(mp->dev, what);
}

/*
 * Asking paths
 */
static void ask(struct mpath *mp);

/* What a path has said to TEST UNIT READY. */
enum word { WORD_RESET, WORD_AGAIN, WORD_GOOD, WORD_NONE };

static enum word word_of(struct mpath *mp)
{
	const struct path_result *r = &mp->witness.result;
	struct disposition d;

	if (r->outcome != PATH_DONE)
		return WORD_NONE;
	d = disposition_of(r->status, r->sense, r->sense_len);
	if (d.flags & DISPOSITION_CACHE_SUSPECT)
		return WORD_RESET;
	if (d.action == DISPOSITION_OK)
		return WORD_GOOD;
	return d.action == DISPOSITION_RETRY_HERE &&
			       ++mp->witness_tries < WITNESS_TRIES
		       ? WORD_AGAIN
		       : WORD_NONE;
}

static void ask_witnesses(struct mpdev *dev);

/* All have answered: one that has seen no reset is enough. */
static void conclude(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;
	bool heard = s->heard;

	s->heard = false;
	if (s->step != SUSPECT_CALM) {
		suspect_poke(dev);
	} else if (s->newer) {
		s->newer = false;
		ask_witnesses(dev);
	} else if (heard) {
		s->verified = s->clock;
	} else {
		suspect_reset(dev, "no session that was there before answers");
	}
	if (s->asking)
		return;
	request_gate_open(dev, GATE_SYNC);
	flush_kick(dev);
}

static void answered(struct path_cmd *cmd)
{
	struct mpath *mp = cmd->arg;
	struct mpdev *dev = mp->dev;
	enum word word = word_of(mp);

	mp->inflight--;
	if (word == WORD_RESET)
		suspect_reset(dev, "a reset was reported");
	if (word == WORD_AGAIN ||
		(word == WORD_RESET && dev->suspect.step == SUSPECT_SETTLE)) {
		ask(mp);
		return;
	}
	dev->suspect.heard |= word == WORD_GOOD;
	mp->witnessing = false;
	if (--dev->suspect.asking == 0)
		conclude(dev);
}

static void ask(struct mpath *mp)
{
	struct path_cmd *cmd = &mp->witness;

	*cmd = (struct path_cmd){
		.direction = PATH_NO_DATA,
		.deadline = loop_now(mp->dev->loop) + WITNESS_TIME,
		.done = answered,
		.arg = mp,
	};
	cdb_test_unit_ready(cmd->cdb);
	mp->inflight++;
	path_submit(mp->path, cmd);
}

static void begin_to_ask(struct mpath *mp)
{
	if (mp->witnessing)
		return;
	mp->witnessing = true;
	mp->witness_tries = 0;
	mp->dev->gate |= GATE_SYNC;
	mp->dev->suspect.asking++;
	ask(mp);
}

/* Sessions older than what is not flushed, or than the last proof. */
static bool is_witness(const struct mpath *mp)
{
	const struct mpdev *dev = mp->dev;
	const struct retained *oldest = TAILQ_FIRST(&dev->retain.list);
	uint64_t since = oldest ? oldest->clock : dev->suspect.since;

	if (since < dev->suspect.verified)
		since = dev->suspect.verified;
	return (mp->phase == PHASE_ACTIVE || mp->phase == PHASE_PROBING ||
		       mp->phase == PHASE_LEAVING) &&
	       mp->session && mp->session <= since;
}

static void ask_witnesses(struct mpdev *dev)
{
	struct mpath *mp;

	if (!at_risk(dev))
		return;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (is_witness(mp))
			begin_to_ask(mp);
	if (!dev->suspect.asking)
		suspect_reset(dev, "every session to it was lost");
}

void suspect_new_session(struct mpath *mp)
{
	struct mpdev *dev = mp->dev;
	struct suspect *s = &dev->suspect;

	mp->session = ++s->clock;
	/* Who knows what became of what was written again before it? */
	if (s->step == SUSPECT_REPLAY || s->step == SUSPECT_SYNC)
		s->again = true;
	else if (s->step == SUSPECT_SETTLE)
		return;
	else if (s->asking)
		s->newer = true;
	else
		ask_witnesses(dev);
}

/*
 * The replay
 */
static void end(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;

	retain_drop(dev);
	s->step = SUSPECT_CALM;
	s->verified = s->clock;
	request_gate_open(dev, GATE_ALL);
	flush_kick(dev);
}

static void give_up(struct mpdev *dev, const char *why)
{
	char text[160];

	snprintf(text, sizeof text,
		"acknowledged writes may be lost with the target's cache: %s; "
		"the next flush of every client fails",
		why);
	notice_event(dev, -1, EVENT_CACHE_LOST, text);
	flush_lost(dev);
	end(dev);
}

static void synced(struct io *io, int err)
{
	struct mpdev *dev = io->dev;
	struct suspect *s = &dev->suspect;
	char text[120];

	io_put(io);
	if (--dev->pending == 0)
		drain_poke(dev);
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

static void sync(struct mpdev *dev)
{
	struct io *io = io_new(dev, IO_SYNC);

	if (!io) {
		give_up(dev, "no memory");
		return;
	}
	dev->suspect.step = SUSPECT_SYNC;
	dev->pending++;
	io->done = synced;
	cdb_synchronize_cache16(io->cmd.cdb, 0, 0, 0);
	io_submit(io);
}

static void written(struct blk_req *blk, int err)
{
	struct mpdev *dev = blk->arg;

	blk->arg = NULL;
	dev->suspect.inflight--;
	if (err && !mpdev_has_path(dev) && !dev->hurry)
		dev->suspect.again = true;
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

	for (unsigned i = 0; i < SUSPECT_WINDOW && !s->again && !s->failed;
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
	else
		sync(dev);
}

static void settle(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;

	if (s->running || dev->flush.busy || s->asking || !mpdev_has_path(dev))
		return;
	/* What other sessions have to say of it is heard first. */
	if (!s->asked) {
		s->asked = true;
		for (unsigned n = 0; n < dev->view.nactive; n++)
			begin_to_ask(dev->active[n]);
		return;
	}
	if (retain_is_empty(&dev->retain)) {
		end(dev);
	} else if (dev->options.shared) {
		give_up(dev, "others write to it too, so nothing is repeated");
	} else if (dev->retain.holes) {
		give_up(dev, "not all of them were kept");
	} else {
		s->step = SUSPECT_REPLAY;
		s->next = (struct piece){0};
		s->pieces = 0;
		replay(dev);
	}
}

static void step(void *arg)
{
	struct mpdev *dev = arg;
	bool was_inside = dev->inside;

	dev->inside = true;
	if (dev->suspect.step == SUSPECT_SETTLE)
		settle(dev);
	else if (dev->suspect.step == SUSPECT_REPLAY)
		replay(dev);
	dev->inside = was_inside;
}
