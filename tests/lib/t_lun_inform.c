/* SPDX-License-Identifier: BSD-2-Clause */
/* The model logical unit tells about itself. */
#include "t_lun_private.h"

#include <stdio.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/lun.h>
#include <umpio/scsi/mode.h>
#include <umpio/scsi/vpd.h>

#define VENDOR  "UMPIO   "
#define PRODUCT "model disk      "

static const char *serial_of(const struct t_lun *lun)
{
	return lun->options.serial ? lun->options.serial : "T0001";
}

static size_t standard_inquiry(const struct t_nexus *nexus, uint8_t *d)
{
	const struct t_lun *lun = nexus->lun;

	d[0] = lun->gone ? 0x7f : 0x00;
	d[2] = 6; /* SPC-4 */
	d[3] = 2;
	d[4] = 96 - 5;
	d[5] = (uint8_t)(lun->options.tpgs << 4);
	d[6] = 0x10;
	d[7] = 0x02;
	memcpy(d + 8, VENDOR, 8);
	memcpy(d + 16, PRODUCT, 16);
	memcpy(d + 32, "0001", 4);
	return 96;
}

static size_t vpd_pages(const struct t_nexus *nexus, uint8_t *d)
{
	static const uint8_t pages[] = {VPD_PAGES, VPD_SERIAL, VPD_DESIGNATORS,
		VPD_LIMITS, VPD_ROTATION, VPD_PROVISIONING};

	(void)nexus;
	memcpy(d, pages, sizeof pages);
	return sizeof pages;
}

static size_t vpd_serial(const struct t_nexus *nexus, uint8_t *d)
{
	size_t len = strnlen(serial_of(nexus->lun), 64);

	memcpy(d, serial_of(nexus->lun), len);
	return len;
}

static uint8_t *put_designator(
	uint8_t *d, uint8_t code, uint8_t type, const void *value, size_t len)
{
	d[0] = code;
	d[1] = type;
	d[3] = (uint8_t)len;
	memcpy(d + 4, value, len);
	return d + 4 + len;
}

static size_t vpd_designators(const struct t_nexus *nexus, uint8_t *d)
{
	static const uint8_t none[16];
	const struct t_lun *lun = nexus->lun;
	uint8_t t10[80], number[4] = {0}, *p = d;
	size_t len = strnlen(serial_of(lun), 64);

	if (memcmp(lun->options.naa, none, 16))
		p = put_designator(p, 1, 3, lun->options.naa, 16);
	memcpy(t10, VENDOR, 8);
	memcpy(t10 + 8, serial_of(lun), len);
	p = put_designator(p, 2, 1, t10, 8 + len);
	put_be16(number + 2, nexus->port);
	p = put_designator(p, 1, 0x14, number, 4);
	put_be16(number + 2, nexus->group);
	p = put_designator(p, 1, 0x15, number, 4);
	return (size_t)(p - d);
}

static size_t vpd_limits(const struct t_nexus *nexus, uint8_t *d)
{
	const struct t_lun_options *o = &nexus->lun->options;

	d[0] = 0x01; /* WSNZ */
	d[1] = T_LUN_MAX_CAW;
	put_be32(d + 4, o->max_transfer);
	if (o->unmap) {
		put_be32(d + 16, UINT32_MAX);
		put_be32(d + 20, T_LUN_MAX_UNMAP);
		put_be32(d + 24,
			o->unmap_granularity ? o->unmap_granularity : 1);
	}
	put_be64(d + 32, T_LUN_MAX_WRITE_SAME);
	return 60;
}

static size_t vpd_rotation(const struct t_nexus *nexus, uint8_t *d)
{
	put_be16(d, nexus->lun->options.rotational ? 7200 : 1);
	return 60;
}

static size_t vpd_provisioning(const struct t_nexus *nexus, uint8_t *d)
{
	if (nexus->lun->options.unmap) {
		d[1] = 0x80 | 0x40 | 1 << 2; /* LBPU, LBPWS, LBPRZ */
		d[2] = VPD_THIN;
	}
	return 4;
}

static const struct {
	uint8_t page;
	size_t (*build)(const struct t_nexus *nexus, uint8_t *body);
} vpds[] = {
	{VPD_PAGES, vpd_pages},
	{VPD_SERIAL, vpd_serial},
	{VPD_DESIGNATORS, vpd_designators},
	{VPD_LIMITS, vpd_limits},
	{VPD_ROTATION, vpd_rotation},
	{VPD_PROVISIONING, vpd_provisioning},
};

void t_lun_inquiry(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint32_t alloc = get_be16(cmd->cdb + 3);
	uint8_t d[256] = {0};

	if (!(cmd->cdb[1] & 1)) {
		if (cmd->cdb[2])
			t_lun_check(cmd, T_INVALID_FIELD);
		else
			t_lun_give(cmd, d, standard_inquiry(nexus, d), alloc);
		return;
	}
	for (size_t i = 0; i < sizeof vpds / sizeof *vpds; i++) {
		size_t len;

		if (vpds[i].page != cmd->cdb[2] || nexus->lun->gone)
			continue;
		len = vpds[i].build(nexus, d + 4);
		d[1] = vpds[i].page;
		put_be16(d + 2, (uint16_t)len);
		t_lun_give(cmd, d, 4 + len, alloc);
		return;
	}
	t_lun_check(cmd, T_INVALID_FIELD);
}

/* The pages behind header and descriptors; 0: no such page. */
static size_t mode_pages(const struct t_lun *lun, uint8_t page, uint8_t *d)
{
	uint8_t *p = d;

	if ((page == MODE_PAGE_CACHING || page == MODE_PAGE_ALL) &&
		!lun->options.no_caching_page) {
		p[0] = MODE_PAGE_CACHING;
		p[1] = 18;
		p[2] = lun->options.wce ? 0x04 : 0;
		p += 20;
	}
	if (page == MODE_PAGE_CONTROL || page == MODE_PAGE_ALL) {
		p[0] = MODE_PAGE_CONTROL;
		p[1] = 10;
		p[3] = 0x10; /* unrestricted reordering */
		p[5] = 0x40; /* TAS */
		p += 12;
	}
	return (size_t)(p - d);
}

static uint8_t mode_specific(const struct t_lun *lun)
{
	return (uint8_t)((lun->options.read_only ? 0x80 : 0) |
			 (lun->options.dpofua ? 0x10 : 0));
}

void t_lun_mode_sense6(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint8_t d[64] = {0};
	size_t len = mode_pages(nexus->lun, cmd->cdb[2] & 0x3f, d + 4);

	if (!len || cmd->cdb[3]) {
		t_lun_check(cmd, T_INVALID_FIELD);
		return;
	}
	d[0] = (uint8_t)(len + 3);
	d[2] = mode_specific(nexus->lun);
	t_lun_give(cmd, d, len + 4, cmd->cdb[4]);
}

void t_lun_mode_sense10(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint8_t d[64] = {0};
	size_t len = mode_pages(nexus->lun, cmd->cdb[2] & 0x3f, d + 8);

	if (!len || cmd->cdb[3]) {
		t_lun_check(cmd, T_INVALID_FIELD);
		return;
	}
	put_be16(d, (uint16_t)(len + 6));
	d[3] = mode_specific(nexus->lun);
	t_lun_give(cmd, d, len + 8, get_be16(cmd->cdb + 7));
}

void t_lun_read_capacity10(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint64_t last = nexus->lun->blocks - 1;
	uint8_t d[8];

	put_be32(d, last > UINT32_MAX ? UINT32_MAX : (uint32_t)last);
	put_be32(d + 4, nexus->lun->options.block_size);
	t_lun_give(cmd, d, sizeof d, sizeof d);
}

void t_lun_read_capacity16(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	const struct t_lun *lun = nexus->lun;
	uint8_t d[32] = {0};

	put_be64(d, lun->blocks - 1);
	put_be32(d + 8, lun->options.block_size);
	d[13] = lun->options.physical_exponent & 0x0f;
	if (lun->options.unmap)
		d[14] = 0xc0; /* LBPME, LBPRZ */
	t_lun_give(cmd, d, sizeof d, get_be32(cmd->cdb + 10));
}

/* This unit is all the model has: LUN 0. The target that has several answers
 * for them itself. */
void t_lun_report_luns(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint32_t alloc = get_be32(cmd->cdb + 6);
	uint8_t d[8 + LUN_LEN] = {0};
	size_t len = cmd->cdb[2] == 1 || nexus->lun->gone ? 0 : LUN_LEN;

	if (cmd->cdb[2] > 2 || alloc < 16) {
		t_lun_check(cmd, T_INVALID_FIELD);
		return;
	}
	put_be32(d, (uint32_t)len);
	t_lun_give(cmd, d, 8 + len, alloc);
}

/* A nexus stands for its port; ports of a group stand together. */
static bool is_first_of_group(const struct t_nexus *nexus)
{
	const struct t_nexus *n;

	LIST_FOREACH (n, &nexus->lun->nexuses, link)
		if (n->group == nexus->group)
			return n == nexus;
	return false;
}

static bool is_first_of_port(const struct t_nexus *nexus)
{
	const struct t_nexus *n;

	LIST_FOREACH (n, &nexus->lun->nexuses, link)
		if (n->group == nexus->group && n->port == nexus->port)
			return n == nexus;
	return false;
}

/* At most eight ports of a group are told. */
static uint8_t *put_group(uint8_t *p, const struct t_nexus *nexus)
{
	const struct t_lun_group *group = &nexus->lun->groups[nexus->group];
	const struct t_nexus *n;
	uint8_t *count = p + 7;

	p[0] = (uint8_t)((group->alua & 0x0f) | (group->preferred ? 0x80 : 0));
	p[1] = 0x8f;
	put_be16(p + 2, nexus->group);
	p += 8;
	LIST_FOREACH (n, &nexus->lun->nexuses, link) {
		if (n->group != nexus->group || !is_first_of_port(n) ||
			*count == 8)
			continue;
		put_be16(p + 2, n->port);
		p += 4;
		++*count;
	}
	return p;
}

void t_lun_report_groups(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint8_t d[1024] = {0}, *p = d + 4;
	const struct t_nexus *n;

	if (!nexus->lun->options.tpgs) {
		t_lun_check(cmd, T_INVALID_FIELD);
		return;
	}
	nexus->lun->reports++;
	if (cmd->cdb[1] >> 5 == 1) {
		p[0] = 0x10;
		p[1] = 30; /* implicit transition time, seconds */
		p += 4;
	}
	LIST_FOREACH (n, &nexus->lun->nexuses, link)
		if (is_first_of_group(n) && p - d < 1024 - 40)
			p = put_group(p, n);
	put_be32(d, (uint32_t)(p - d - 4));
	t_lun_give(cmd, d, (size_t)(p - d), get_be32(cmd->cdb + 6));
}

void t_lun_set_groups(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint32_t len = get_be32(cmd->cdb + 6);
	const uint8_t *list = cmd->out;

	if (!(nexus->lun->options.tpgs & 2)) {
		t_lun_check(cmd, T_INVALID_OPCODE);
		return;
	}
	if (len > cmd->out_len || (len && (len < 4 || len % 4))) {
		t_lun_check(cmd, T_LIST_LENGTH);
		return;
	}
	cmd->moved = len;
	for (uint32_t at = 4; at + 4 <= len; at += 4)
		t_lun_set_alua(nexus->lun, get_be16(list + at + 2),
			(enum alua_state)(list[at] & 0x0f));
}

void t_lun_request_sense(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct sense sense = {.valid = true};
	uint8_t d[T_LUN_SENSE_MAX];

	if (nexus->nattention) {
		sense = nexus->attention[0];
		nexus->nattention--;
		memmove(nexus->attention, nexus->attention + 1,
			nexus->nattention * sizeof *nexus->attention);
	}
	t_lun_give(cmd, d, sense_build(&sense, d, sizeof d), cmd->cdb[4]);
}

/* As many extents as the allocation has room for, at most 16. */
void t_lun_get_lba_status(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	const struct t_lun *lun = nexus->lun;
	uint64_t lba = get_be64(cmd->cdb + 2);
	uint8_t d[8 + 16 * 16] = {0}, *p = d + 8;

	if (lba >= lun->blocks) {
		t_lun_check(cmd, T_OUT_OF_RANGE);
		return;
	}
	while (lba < lun->blocks && p < d + sizeof d) {
		uint8_t mapped = lun->state[lba] & T_LUN_MAPPED;
		uint64_t end = lba + 1;

		while (end < lun->blocks &&
			(lun->state[end] & T_LUN_MAPPED) == mapped)
			end++;
		put_be64(p, lba);
		put_be32(p + 8, (uint32_t)(end - lba));
		p[12] = mapped || !lun->options.unmap ? 0 : 1;
		p += 16;
		lba = end;
	}
	put_be32(d, (uint32_t)(p - d - 4));
	t_lun_give(cmd, d, (size_t)(p - d), get_be32(cmd->cdb + 10));
}
