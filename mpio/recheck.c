/* SPDX-License-Identifier: BSD-2-Clause */
#include "recheck.h"

#include "lun_probe.h"
#include "mpdev.h"

#include <errno.h>
#include <string.h>
#include <umpio/scsi/disposition.h>

static void heed(void *arg, const struct path_result *result,
	const struct disposition *d)
{
	io_heed_aside(arg, result, d);
}

void recheck_watch(struct mpath *mp)
{
	mp->probe->heed = heed;
	overtake_probe(mp);
}

/* A port without access tells the names alone. */
static bool is_same(const struct lun_facts *a, const struct lun_facts *b)
{
	char why[160];

	if (a->limited || b->limited)
		return strcmp(a->identity.wwid, b->identity.wwid) == 0 &&
		       strcmp(a->identity.serial, b->identity.serial) == 0;
	return lun_identity_equal(&a->identity, &b->identity, why, sizeof why);
}

/* What gave no answer is judged by others. */
static void done(
	void *arg, int err, const struct lun_facts *facts, const char *reason)
{
	struct mpath *mp = arg;

	(void)reason;
	mp->probe = NULL;
	if (err != -EAGAIN && (err || !is_same(&mp->facts, facts)))
		mpath_input(mp, INPUT_RECHECK);
}

void recheck_begin(struct mpath *mp)
{
	if (mp->probe)
		return;
	mp->probe = lun_probe(mp->dev->loop, mp->path, done, mp);
	if (!mp->probe)
		return;
	recheck_watch(mp);
	mp->probe->brief = true;
}
