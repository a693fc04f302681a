/* SPDX-License-Identifier: BSD-2-Clause */
#include "suspect.h"

#include "mpdev.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <umpio/base/buf.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/disposition.h>

/* For a witness. Then all is written again, which costs little; where others
 * write to the unit too, flushes fail, so that it may take longer. */
#define WITNESS_TIME        (2 * NS_PER_S)
#define WITNESS_TIME_SHARED (5 * NS_PER_S)
#define WITNESS_AGAIN       (50 * NS_PER_MS) /* after it could not answer */
#define WITNESS_TRIES       8 /* unit attentions that a path may have */
#define PIECE_MAX           (1u << 20) /* bytes in one request */
#define FLUSH_FAILURES      3 /* with a replay each, until one succeeds */
#define STARVED_TIME        (100 * NS_PER_MS)

static void step(void *arg);
static void try_again(void *arg);
static void ask_again(void *arg);

void suspect_init(struct mpdev *dev)
{
	loop_task_init(&dev->suspect.task, step, dev);
	dev->suspect.later = loop_timer_new(dev->loop, try_again, dev);
	dev->suspect.ask_again = loop_timer_new(dev->loop, ask_again, dev);
}

void suspect_fini(struct mpdev *dev)
{
	loop_unpost(dev->loop, &dev->suspect.task);
	loop_timer_free(dev->suspect.later);
	loop_timer_free(dev->suspect.ask_again);
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

/* There is no doubt any more. What waits for that is seen to by the task: an
 * answer may be in the middle of its way. */
static void decide(struct mpdev *dev)
{
	if (!dev->suspect.doubt)
		return;
	dev->suspect.doubt = false;
	loop_post(dev->loop, &dev->suspect.task);
}

static void trust(struct mpdev *dev)
{
	dev->suspect.proven = dev->suspect.clock;
	decide(dev);
}

static bool at_risk(const struct mpdev *dev)
{
	return dev->retain.on &&
	       (!retain_is_empty(&dev->retain) || dev->suspect.running);
}

void suspect_reset(struct mpdev *dev, const char *what)
{
	struct suspect *s = &dev->suspect;

	decide(dev);
	if (!at_risk(dev))
		s->proven = s->clock;
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

/*
 * Asking paths
 */
static void ask(struct mpath *mp);
static void ask_anew(struct mpath *mp);

/* What a path has said to TEST UNIT READY. */
enum word { WORD_RESET, WORD_AGAIN, WORD_LATER, WORD_GOOD, WORD_NONE };

/* It is alive and does not answer the question yet: full, becoming ready, in
 * transition. A port that gives no access for longer is not waited for. */
static bool may_answer_later(
	const struct mpath *mp, const struct disposition *d)
{
	const struct suspect *s = &mp->dev->suspect;
	int state = mp->facts.alua_state;

	if (d->action != DISPOSITION_WAIT &&
		d->action != DISPOSITION_RETRY_ELSEWHERE)
		return false;
	if (d->flags & DISPOSITION_REREAD_ALUA && !alua_state_usable(state) &&
		state != ALUA_TRANSITIONING)
		return false;
	return s->doubt && s->ask_again && !mp->dev->hurry &&
	       loop_now(mp->dev->loop) + WITNESS_AGAIN < mp->witness_until;
}

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
	if (may_answer_later(mp, &d))
		return WORD_LATER;
	return d.action == DISPOSITION_RETRY_HERE &&
			       ++mp->witness_tries < WITNESS_TRIES
		       ? WORD_AGAIN
		       : WORD_NONE;
}

/* It was without a reset until it was asked, at least; with newer sessions
 * since then it is asked again. */
static bool has_proven(struct mpath *mp)
{
	struct suspect *s = &mp->dev->suspect;

	if (!s->doubt)
		return true;
	if (mp->witness_clock > s->proven)
		s->proven = mp->witness_clock;
	if (s->proven != s->clock)
		return false;
	trust(mp->dev);
	return true;
}

static void wait_to_ask(struct mpath *mp)
{
	struct suspect *s = &mp->dev->suspect;

	mp->witness_later = true;
	if (s->ask_again_set)
		return;
	s->ask_again_set = true;
	loop_timer_set(s->ask_again, WITNESS_AGAIN);
}

static void hear(struct mpath *mp, enum word word)
{
	struct mpdev *dev = mp->dev;
	struct suspect *s = &dev->suspect;

	if (word == WORD_RESET) {
		pr_reset(dev);
		suspect_reset(dev, "a reset was reported");
	}
	if (word == WORD_LATER) {
		wait_to_ask(mp);
		return;
	}
	if ((word == WORD_RESET && s->step == SUSPECT_SETTLE) ||
		(word == WORD_GOOD && !has_proven(mp))) {
		ask_anew(mp);
		return;
	}
	if (word == WORD_AGAIN) {
		ask(mp);
		return;
	}
	mp->witnessing = false;
	if (--s->asking)
		return;
	if (s->doubt)
		suspect_reset(dev, "no session that was there before answers");
	suspect_poke(dev);
}

/* A word that has waited until it could be believed. */
static void settled(struct promise *testimony, bool kept)
{
	struct mpath *mp = (struct mpath *)((char *)testimony -
					    offsetof(struct mpath, testimony));

	hear(mp, kept ? WORD_GOOD : WORD_NONE);
}

static void answered(struct path_cmd *cmd)
{
	struct mpath *mp = cmd->arg;
	enum word word = word_of(mp);

	mp->inflight--;
	overtake_told(mp, cmd);
	if (word != WORD_GOOD || !mp->dev->suspect.doubt ||
		!overtake_wait(mp, &mp->testimony, mp->witness_session))
		hear(mp, word);
}

static void ask(struct mpath *mp)
{
	struct path_cmd *cmd = &mp->witness;
	struct mpdev *dev = mp->dev;

	mp->witness_clock = dev->suspect.clock;
	mp->witness_session = mp->session;
	mp->testimony.settled = settled;
	*cmd = (struct path_cmd){
		.direction = PATH_NO_DATA,
		.deadline = mp->witness_until,
		.done = answered,
		.arg = mp,
	};
	cdb_test_unit_ready(cmd->cdb);
	mp->inflight++;
	overtake_ask(mp, cmd);
}

static void ask_anew(struct mpath *mp)
{
	mp->witness_until =
		loop_now(mp->dev->loop) +
		(mp->dev->options.shared ? WITNESS_TIME_SHARED : WITNESS_TIME);
	ask(mp);
}

static void begin_to_ask(struct mpath *mp)
{
	if (mp->witnessing)
		return;
	mp->witnessing = true;
	mp->witness_tries = 0;
	mp->dev->suspect.asking++;
	ask_anew(mp);
}

static bool is_witness(const struct mpath *mp)
{
	return (mp->phase == PHASE_ACTIVE || mp->phase == PHASE_PROBING ||
		       mp->phase == PHASE_LEAVING) &&
	       mp->session && mp->session <= mp->dev->suspect.proven;
}

static void ask_again(void *arg)
{
	struct mpdev *dev = arg;
	struct mpath *mp;

	dev->suspect.ask_again_set = false;
	TAILQ_FOREACH (mp, &dev->paths, link) {
		if (!mp->witness_later)
			continue;
		mp->witness_later = false;
		if (dev->suspect.doubt && is_witness(mp))
			ask(mp);
		else
			hear(mp, WORD_NONE);
	}
}

void suspect_path_down(struct mpath *mp)
{
	if (!mp->witness_later)
		return;
	mp->witness_later = false;
	hear(mp, WORD_NONE);
}

static void doubt(struct mpdev *dev)
{
	struct mpath *mp;

	dev->suspect.doubt = true;
	dev->gate |= GATE_SYNC;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (is_witness(mp))
			begin_to_ask(mp);
	if (!dev->suspect.asking)
		suspect_reset(dev, "no session that was there before is left");
}

void suspect_new_session(struct mpath *mp)
{
	struct mpdev *dev = mp->dev;
	struct suspect *s = &dev->suspect;

	mp->session = ++s->clock;
	/* Who knows what became of what was written again before it? */
	if (s->step == SUSPECT_REPLAY || s->step == SUSPECT_SYNC)
		s->again = true;
	else if (s->step == SUSPECT_CALM && at_risk(dev))
		doubt(dev);
	else if (s->step == SUSPECT_CALM)
		trust(dev);
}

/*
 * The replay
 */
static void end(struct mpdev *dev)
{
	struct suspect *s = &dev->suspect;

	retain_drop(dev);
	s->step = SUSPECT_CALM;
	s->proven = s->clock;
	request_gate_open(dev, GATE_ALL);
	flush_kick(dev);
	fence_poke(dev);
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
	repeat = ++s->failures <= FLUSH_FAILURES && at_risk(dev);
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
	if (!dev->suspect.doubt)
		go_on(dev);
	if (dev->suspect.step == SUSPECT_SETTLE)
		settle(dev);
	else if (dev->suspect.step == SUSPECT_REPLAY)
		replay(dev);
	dev->inside = was_inside;
}
