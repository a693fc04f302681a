/* SPDX-License-Identifier: BSD-2-Clause */
#include "witness.h"

#include "mpdev.h"

#include <stddef.h>
#include <umpio/base/units.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/disposition.h>

/* For a witness. Then all is written again, which costs little; where others
 * write to the unit too, flushes fail, so that it may take longer. */
#define TIME        (2 * NS_PER_S)
#define TIME_SHARED (5 * NS_PER_S)
#define LOOK        (50 * NS_PER_MS) /* how often at those that are asked */
#define TRIES       8                /* unit attentions that a path may have */

static void look(void *arg);

void witnesses_init(struct mpdev *dev)
{
	dev->suspect.witnesses.timer = loop_timer_new(dev->loop, look, dev);
}

void witnesses_fini(struct mpdev *dev)
{
	loop_timer_free(dev->suspect.witnesses.timer);
}

void witnesses_decide(struct mpdev *dev)
{
	if (!dev->suspect.witnesses.doubt)
		return;
	dev->suspect.witnesses.doubt = false;
	suspect_decided(dev);
}

void witnesses_trust(struct mpdev *dev)
{
	dev->suspect.witnesses.proven = dev->suspect.witnesses.clock;
	witnesses_decide(dev);
}

static void ask(struct mpath *mp);
static void ask_anew(struct mpath *mp);

/* What a path has said to TEST UNIT READY. */
enum word { WORD_RESET, WORD_AGAIN, WORD_LATER, WORD_GOOD, WORD_NONE };

/* It is alive and does not answer the question yet: full, becoming ready, in
 * transition. A port that gives no access for longer is not waited for. */
static bool may_answer_later(
	const struct mpath *mp, const struct disposition *d)
{
	const struct witnesses *w = &mp->dev->suspect.witnesses;
	int state = mp->facts.alua_state;

	if (d->action != DISPOSITION_WAIT &&
		d->action != DISPOSITION_RETRY_ELSEWHERE)
		return false;
	if (d->flags & DISPOSITION_REREAD_ALUA && !alua_state_usable(state) &&
		state != ALUA_TRANSITIONING)
		return false;
	return w->doubt && !mp->dev->hurry &&
	       loop_now(mp->dev->loop) + LOOK < mp->witness.until;
}

static enum word word_of(struct mpath *mp)
{
	const struct path_result *r = &mp->witness.cmd.result;
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
	return d.action == DISPOSITION_RETRY_HERE && ++mp->witness.tries < TRIES
		       ? WORD_AGAIN
		       : WORD_NONE;
}

/* It was without a reset until it was asked, at least; with newer sessions
 * since then it is asked again. */
static bool has_proven(struct mpath *mp)
{
	struct witnesses *w = &mp->dev->suspect.witnesses;

	if (!w->doubt)
		return true;
	if (mp->witness.clock > w->proven)
		w->proven = mp->witness.clock;
	if (w->proven != w->clock)
		return false;
	witnesses_trust(mp->dev);
	return true;
}

static void hear(struct mpath *mp, enum word word)
{
	struct mpdev *dev = mp->dev;
	struct witnesses *w = &dev->suspect.witnesses;

	if (word == WORD_LATER) {
		mp->witness.later = true;
		return;
	}
	if ((word == WORD_RESET && dev->suspect.step == SUSPECT_SETTLE) ||
		(word == WORD_GOOD && !has_proven(mp))) {
		ask_anew(mp);
		return;
	}
	if (word == WORD_AGAIN) {
		ask(mp);
		return;
	}
	if (word == WORD_NONE && loop_now(dev->loop) >= mp->witness.until)
		mp->witness.mute = mp->witness.asked_at;
	mp->witness.asking = false;
	if (--w->asking)
		return;
	loop_timer_stop(w->timer);
	if (w->doubt)
		suspect_reset(dev, "no session that was there before answers");
	suspect_poke(dev);
}

/* A word that has waited until it could be believed. */
static void settled(struct promise *testimony, bool kept)
{
	struct mpath *mp =
		(struct mpath *)((char *)testimony -
				 offsetof(struct mpath, witness.testimony));

	hear(mp, kept ? WORD_GOOD : WORD_NONE);
}

static void answered(struct path_cmd *cmd)
{
	struct mpath *mp = cmd->arg;
	enum word word = word_of(mp);

	mp->inflight--;
	mp->witness.sent = false;
	if (cmd->result.outcome == PATH_DONE)
		mp->witness.mute = 0;
	overtake_told(mp, cmd);
	if (word == WORD_RESET) {
		pr_reset(mp->dev);
		suspect_reset(mp->dev, "a reset was reported");
	}
	if (!mp->witness.asking)
		return; /* its time was over */
	if (word != WORD_GOOD || !mp->dev->suspect.witnesses.doubt ||
		!overtake_wait(mp, &mp->witness.testimony, mp->witness.session))
		hear(mp, word);
}

static void ask(struct mpath *mp)
{
	struct path_cmd *cmd = &mp->witness.cmd;
	struct mpdev *dev = mp->dev;

	mp->witness.clock = dev->suspect.witnesses.clock;
	mp->witness.session = mp->session;
	mp->witness.testimony.settled = settled;
	*cmd = (struct path_cmd){
		.direction = PATH_NO_DATA,
		.deadline = mp->witness.until,
		.done = answered,
		.arg = mp,
	};
	cdb_test_unit_ready(cmd->cdb);
	mp->inflight++;
	mp->witness.sent = true;
	overtake_ask(mp, cmd);
	health_expect(mp);
}

static void ask_anew(struct mpath *mp)
{
	mp->witness.asked_at = loop_now(mp->dev->loop);
	mp->witness.until = mp->witness.asked_at +
			    (mp->dev->options.shared ? TIME_SHARED : TIME);
	ask(mp);
}

/* It had its time, and has answered nothing that was sent since then. */
static bool is_mute(const struct mpath *mp)
{
	return mp->witness.sent ||
	       (mp->health.answered < mp->witness.mute &&
		       mp->health.replied_at < mp->witness.mute);
}

void witness_ask(struct mpath *mp)
{
	struct witnesses *w = &mp->dev->suspect.witnesses;

	if (mp->witness.asking || is_mute(mp))
		return;
	mp->witness.asking = true;
	mp->witness.tries = 0;
	if (w->asking++ == 0)
		loop_timer_set(w->timer, LOOK);
	ask_anew(mp);
}

static bool is_witness(const struct mpath *mp)
{
	return (mp->phase == PHASE_ACTIVE || mp->phase == PHASE_PROBING ||
		       mp->phase == PHASE_LEAVING) &&
	       mp->session && mp->session <= mp->dev->suspect.witnesses.proven;
}

static void ask_again(struct mpath *mp)
{
	mp->witness.later = false;
	if (mp->dev->suspect.witnesses.doubt && is_witness(mp))
		ask(mp);
	else
		hear(mp, WORD_NONE);
}

/* A command whose time is over may take much longer to end. */
static void look(void *arg)
{
	struct mpdev *dev = arg;
	uint64_t now = loop_now(dev->loop);
	struct mpath *mp;

	loop_timer_set(dev->suspect.witnesses.timer, LOOK);
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->witness.later)
			ask_again(mp);
		else if (mp->witness.sent && mp->witness.asking &&
			 now >= mp->witness.until)
			hear(mp, WORD_NONE);
}

void witness_down(struct mpath *mp)
{
	if (!mp->witness.later)
		return;
	mp->witness.later = false;
	hear(mp, WORD_NONE);
}

void witnesses_call(struct mpdev *dev)
{
	struct mpath *mp;

	dev->suspect.witnesses.doubt = true;
	dev->gate |= GATE_SYNC;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (is_witness(mp))
			witness_ask(mp);
	if (!dev->suspect.witnesses.asking)
		suspect_reset(dev, "no session that was there before is left");
}
