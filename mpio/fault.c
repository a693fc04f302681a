/* SPDX-License-Identifier: BSD-2-Clause */
/* `umpio fault`: passed on to the path, and told of. */
#include "mpdev.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <umpio/base/units.h>

static const char *const names[] = {
#define X(id, name) name,
	PATH_FAULTS(X)
#undef X
};

/* The kind as it would be asked for, with its value. */
static size_t put_fault(const struct path_fault *fault, const char *way,
	const char *before, char *text, size_t size)
{
	int n;

	if (fault->kind == PATH_FAULT_DELAY)
		n = snprintf(text, size, "%s%s %" PRIu64 "%s", before,
			names[fault->kind],
			(uint64_t)(fault->value / NS_PER_MS), way);
	else if (fault->kind == PATH_FAULT_RATE)
		n = snprintf(text, size, "%s%s %" PRIu64 "%s", before,
			names[fault->kind], fault->value, way);
	else
		n = snprintf(
			text, size, "%s%s%s", before, names[fault->kind], way);
	return (size_t)n < size ? (size_t)n : size - 1;
}

void fault_text(const struct path_facts *facts, char *text, size_t size)
{
	const struct path_fault *in = &facts->fault_in;
	const struct path_fault *out = &facts->fault_out;
	size_t at = 0;

	text[0] = '\0';
	if (in->kind && in->kind == out->kind && in->value == out->value) {
		put_fault(in, "", "", text, size);
		return;
	}
	if (in->kind)
		at = put_fault(in, " --in", "", text, size);
	if (out->kind)
		put_fault(out, " --out", at ? ", " : "", text + at, size - at);
}

int mpdev_fault_path(struct mpdev *dev, int id, const struct path_fault *fault)
{
	struct mpath *mp = mpdev_find(dev, id);
	struct path_facts facts;
	char text[96];
	int err;

	if (!mp)
		return -ENOENT;
	err = path_fault(mp->path, fault);
	if (err)
		return err;
	path_facts(mp->path, &facts);
	fault_text(&facts, text, sizeof text);
	notice_event(dev, id, EVENT_PATH_FAULT,
		fault->kind == PATH_FAULT_DROP ? names[PATH_FAULT_DROP]
		: text[0]                      ? text
					       : names[PATH_FAULT_OFF]);
	return 0;
}
