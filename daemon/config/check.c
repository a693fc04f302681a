/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "section.h"

struct checking {
	const struct settings *s;
	char *why;
	size_t why_size;
};

static int refuse(const struct checking *c, const struct section *section,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int refuse(const struct checking *c, const struct section *section,
	const char *fmt, ...)
{
	char cause[256], title[96];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(cause, sizeof cause, fmt, ap);
	va_end(ap);
	snprintf(c->why, c->why_size, "%s:%u: %s: %s", c->s->file,
		section->line, section_text(section, title, sizeof title),
		cause);
	return -EINVAL;
}

static bool has(const struct section *section, enum setting id)
{
	return section->values[id].set;
}

static int check_target(const struct checking *c, const struct section *target)
{
	if (!has(target, SET_TARGET))
		return refuse(
			c, target, "no `target`, the target's iSCSI name");
	if (!has(target, SET_PORTAL))
		return refuse(c, target, "no `portal`; at least one is needed");
	return 0;
}

/* Where a device's LUN is: named once, in one of the two ways. */
static int check_place(const struct checking *c, const struct section *device)
{
	if (!has(device, SET_URL)) {
		if (!has(device, SET_TARGET))
			return refuse(c, device,
				"neither `target` and `lun` nor `url`");
		const char *name = device->values[SET_TARGET].text;
		if (!settings_find(c->s, SETTING_TARGET, name))
			return refuse(c, device,
				"target: there is no section [target %.64s]",
				name);
		return 0;
	}
	if (has(device, SET_TARGET))
		return refuse(c, device, "both `url` and `target`; take one");
	if (has(device, SET_LUN))
		return refuse(c, device,
			"both `url` and `lun`; a URL ends with its LUN");
	return 0;
}

static bool share_entry(const struct setting_value *a,
	const struct setting_value *b, const char **entry)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++)
			if (strcmp(a->list[i], b->list[j]) == 0) {
				*entry = a->list[i];
				return true;
			}
	return false;
}

static bool share_lun(const struct section *a, const struct section *b)
{
	return has(a, SET_TARGET) && has(b, SET_TARGET) &&
	       strcmp(a->values[SET_TARGET].text, b->values[SET_TARGET].text) ==
		       0 &&
	       a->values[SET_LUN].number == b->values[SET_LUN].number;
}

/* Two devices of one LUN would not know of each other's writes in flight. */
static int check_pair(const struct checking *c, const struct section *a,
	const struct section *b)
{
	const char *entry;
	if (share_lun(a, b))
		return refuse(c, b, "the same target and LUN as [device %s]",
			a->name);
	if (share_entry(&a->values[SET_URL], &b->values[SET_URL], &entry))
		return refuse(c, b, "the same LUN as [device %s]: %.128s",
			a->name, entry);
	if (share_entry(&a->values[SET_FUSE], &b->values[SET_FUSE], &entry))
		return refuse(c, b,
			"the same block file as [device %s]: %.128s", a->name,
			entry);
	return 0;
}

static int check_device(const struct checking *c, const struct section *device)
{
	int err = check_place(c, device);
	const struct section *other = c->s->devices;
	for (; !err && other != device; other = other->next)
		err = check_pair(c, other, device);
	return err;
}

int settings_check(const struct settings *s, char *why, size_t why_size)
{
	struct checking c = {s, why, why_size};
	int err = 0;
	const struct section *section;
	for (section = s->targets; !err && section; section = section->next)
		err = check_target(&c, section);
	for (section = s->devices; !err && section; section = section->next)
		err = check_device(&c, section);
	return err;
}
