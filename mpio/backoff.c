/* SPDX-License-Identifier: BSD-2-Clause */
#include "backoff.h"

#include "fence.h"
#include "mpath.h"
#include "mpdev.h"

#include <umpio/base/units.h>
#include <umpio/loop.h>

#define FIRST      (100 * NS_PER_MS)
#define MAX        (5 * NS_PER_S)
#define MAX_URGENT (1 * NS_PER_S)
/* Passwords may be locked out by too many tries. */
#define SLOW       (30 * NS_PER_S)

/* The least wait by cure: a target that is not there may be starting up. */
static const uint64_t least[] = {
	[PATH_RETRY] = 0,
	[PATH_RETRY_SLOW] = SLOW,
	[PATH_FATAL] = MAX,
};

static uint64_t now(const struct mpath *mp)
{
	return loop_now(mp->dev->loop);
}

/* Requests wait for any path, or newer writes for what this one owes. */
static bool is_urgent(const struct mpath *mp)
{
	return !mpdev_has_path(mp->dev) || mp->fence->count > 0;
}

static uint64_t delay_of(struct mpath *mp, uint64_t max)
{
	unsigned n = mp->backoff.attempts;
	uint64_t delay = FIRST, random;

	if (n == 0)
		return 0;
	while (--n && delay < max)
		delay *= 2;
	if (delay > max)
		delay = max;
	loop_random(mp->dev->loop, &random, sizeof random);
	return random % (delay + 1);
}

void backoff_attempt(struct mpath *mp)
{
	mp->backoff.attempts++;
	mp->backoff.started_at = now(mp);
}

void backoff_wait(struct mpath *mp, enum path_cure cure, uint64_t wait)
{
	uint64_t until = now(mp) + (wait > least[cure] ? wait : least[cure]);

	if (mp->backoff.slow_until < until)
		mp->backoff.slow_until = until;
}

static void start_at(struct mpath *mp, uint64_t at)
{
	if (at < mp->backoff.slow_until)
		at = mp->backoff.slow_until;
	mp->backoff.start_at = at;
	loop_timer_set(mp->timer, at > now(mp) ? at - now(mp) : 0);
}

/* One that has waited long enough for an answer goes on at once, when it is
 * urgent. */
void backoff_rest(struct mpath *mp)
{
	if (is_urgent(mp))
		start_at(mp, mp->backoff.started_at + delay_of(mp, MAX_URGENT));
	else
		start_at(mp, now(mp) + delay_of(mp, MAX));
}

void backoff_advance(struct mpath *mp, uint64_t at)
{
	if (mp->phase == PHASE_BACKOFF && at < mp->backoff.start_at)
		start_at(mp, at);
}

void backoff_hurry(struct mpath *mp)
{
	backoff_advance(mp, mp->backoff.started_at + MAX_URGENT);
}

void backoff_reset(struct mpath *mp)
{
	mp->backoff.attempts = 0;
	mp->backoff.slow_until = 0;
}
