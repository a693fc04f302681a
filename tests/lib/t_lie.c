/* SPDX-License-Identifier: BSD-2-Clause */
#include "t_lie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

static const char *const names[] = {
#define X(NAME, name) #name,
	T_LIES(X)
#undef X
};

int t_lie_parse(struct t_lie *lie, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	*lie = (struct t_lie){0};
	lie->every = colon ? strtoull(colon + 1, NULL, 10) : 0;
	for (unsigned i = 1; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == n && !strncmp(names[i], text, n))
			lie->kind = i;
	return lie->kind && lie->every ? 0 : -EINVAL;
}

void t_lie_fini(struct t_lie *lie)
{
	free(lie->old);
	lie->old = NULL;
}

static bool due(struct t_lie *lie, uint64_t len, bool fua)
{
	if (lie->kind == T_LIE_NONE || (lie->kind == T_LIE_FUA && !fua))
		return false;
	if (len < 2 * SECTOR || ++lie->writes % lie->every)
		return false;
	lie->told++;
	return true;
}

static void remember(
	struct t_lie *lie, const uint8_t *at, uint64_t offset, uint64_t len)
{
	free(lie->old);
	lie->old = malloc(len);
	if (!lie->old)
		abort();
	memcpy(lie->old, at, len);
	lie->offset = offset;
	lie->len = len;
}

static void undo(struct t_lie *lie, const struct t_lie_disk *disk)
{
	memcpy(disk->data + lie->offset, lie->old, lie->len);
	lie->len = 0;
}

static void swap(uint8_t *to, const uint8_t *data, uint64_t len)
{
	memcpy(to, data, len);
	memcpy(to, data + len - SECTOR, SECTOR);
	memcpy(to + len - SECTOR, data, SECTOR);
}

static void misplace(const struct t_lie_disk *disk, uint64_t offset,
	const void *data, uint64_t len)
{
	if (offset + SECTOR + len <= disk->size)
		offset += SECTOR;
	else
		offset -= SECTOR;
	memcpy(disk->data + offset, data, len);
}

int t_lie_write(struct t_lie *lie, const struct t_lie_disk *disk,
	uint64_t offset, const void *data, uint64_t len, bool fua)
{
	uint8_t *to = disk->data + offset;
	uint64_t half = len / 2 / SECTOR * SECTOR;

	if (!due(lie, len, fua)) {
		memcpy(to, data, len);
		return 0;
	}
	switch (lie->kind) {
	case T_LIE_LOSE:
	case T_LIE_FUA:
	case T_LIE_NONE: return 0;
	case T_LIE_STALE:
	case T_LIE_FLUSH:
		remember(lie, to, offset, len);
		memcpy(to, data, len);
		return 0;
	case T_LIE_TEAR: memcpy(to, data, half); return 0;
	case T_LIE_CUT: memcpy(to, data, half + 100); return 0;
	case T_LIE_SWAP: swap(to, data, len); return 0;
	case T_LIE_MISPLACE: misplace(disk, offset, data, len); return 0;
	case T_LIE_FLIP:
		memcpy(to, data, len);
		to[half + 77] ^= 0x10;
		return 0;
	case T_LIE_FAIL: memcpy(to, data, half); return -EIO;
	}
	return 0;
}

void t_lie_was_read(struct t_lie *lie, const struct t_lie_disk *disk,
	uint64_t offset, uint64_t len)
{
	if (lie->kind == T_LIE_STALE && lie->len && offset <= lie->offset &&
		lie->offset < offset + len)
		undo(lie, disk);
}

void t_lie_flushed(struct t_lie *lie, const struct t_lie_disk *disk)
{
	if (lie->kind == T_LIE_FLUSH && lie->len)
		undo(lie, disk);
}
