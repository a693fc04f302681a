/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of a LUN, in which order, and what is made of the answers. */
#include "lun_probe.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/designator.h>

#define PHYSICAL_MAX (1u << 20) /* bytes of a physical block; more is a lie */

/*
 * INQUIRY and vital product data
 */
static void build_inquiry(uint8_t *cdb)
{
	cdb_inquiry(cdb, INQUIRY_LEN);
}

static int decode_inquiry(struct lun_probe *p, size_t len)
{
	struct inquiry *q = &p->inquiry;

	if (inquiry_decode(q, p->data, len))
		return lun_probe_fault(
			p, -EPROTO, "INQUIRY: the answer is cut off");
	if (q->qualifier || q->type == 0x1f)
		return lun_probe_fault(p, -ENODEV,
			"the target has no such LUN (qualifier %u, type %u)",
			q->qualifier, q->type);
	if (!inquiry_is_disk(q))
		return lun_probe_fault(p, -EMEDIUMTYPE,
			"the LUN is not a disk but of device type %u", q->type);
	memcpy(p->facts.vendor, q->vendor, sizeof p->facts.vendor);
	memcpy(p->facts.product, q->product, sizeof p->facts.product);
	memcpy(p->facts.revision, q->revision, sizeof p->facts.revision);
	p->facts.tpgs = q->tpgs;
	return 0;
}

static void build_pages(uint8_t *cdb)
{
	cdb_inquiry_vpd(cdb, VPD_PAGES, VPD_ALLOC);
}

static int decode_pages(struct lun_probe *p, size_t len)
{
	return vpd_pages_decode(&p->pages, p->data, len);
}

static void build_serial(uint8_t *cdb)
{
	cdb_inquiry_vpd(cdb, VPD_SERIAL, VPD_ALLOC);
}

static int decode_serial(struct lun_probe *p, size_t len)
{
	return vpd_serial_decode(p->facts.identity.serial,
		sizeof p->facts.identity.serial, p->data, len);
}

static void build_designators(uint8_t *cdb)
{
	cdb_inquiry_vpd(cdb, VPD_DESIGNATORS, LUN_PROBE_DATA);
}

static int decode_designators(struct lun_probe *p, size_t len)
{
	uint16_t port;

	_Static_assert(sizeof p->facts.identity.wwid >= WWID_MAX, "WWID");
	p->has_wwid = !designator_wwid(p->facts.identity.wwid, p->data, len);
	if (designator_target_group(&p->facts.target_group, p->data, len))
		p->facts.target_group = 0;
	if (!designator_relative_port(&port, p->data, len))
		p->relative_port = port;
	return 0;
}

static bool wants_limits(const struct lun_probe *p)
{
	return vpd_pages_has(&p->pages, VPD_LIMITS);
}

static void build_limits(uint8_t *cdb)
{
	cdb_inquiry_vpd(cdb, VPD_LIMITS, VPD_ALLOC);
}

static int decode_limits(struct lun_probe *p, size_t len)
{
	struct lun_facts *f = &p->facts;
	struct vpd_limits l;

	if (vpd_limits_decode(&l, p->data, len))
		return -EPROTO;
	f->optimal_blocks = l.optimal_transfer;
	f->max_transfer_blocks = l.max_transfer;
	f->max_unmap_blocks = l.max_unmap_descriptors ? l.max_unmap_blocks : 0;
	f->unmap_granularity = l.unmap_granularity;
	f->unmap_alignment = l.unmap_alignment;
	f->max_write_same_blocks = l.max_write_same;
	return 0;
}

static bool wants_rotation(const struct lun_probe *p)
{
	return vpd_pages_has(&p->pages, VPD_ROTATION);
}

static void build_rotation(uint8_t *cdb)
{
	cdb_inquiry_vpd(cdb, VPD_ROTATION, VPD_ALLOC);
}

static int decode_rotation(struct lun_probe *p, size_t len)
{
	struct vpd_rotation r;

	if (vpd_rotation_decode(&r, p->data, len))
		return -EPROTO;
	p->facts.rotational = r.rate > 1;
	return 0;
}

static bool wants_provisioning(const struct lun_probe *p)
{
	return vpd_pages_has(&p->pages, VPD_PROVISIONING);
}

static void build_provisioning(uint8_t *cdb)
{
	cdb_inquiry_vpd(cdb, VPD_PROVISIONING, VPD_ALLOC);
}

static int decode_provisioning(struct lun_probe *p, size_t len)
{
	struct vpd_provisioning v;

	if (vpd_provisioning_decode(&v, p->data, len))
		return -EPROTO;
	p->facts.unmap = v.unmap && p->facts.max_unmap_blocks;
	p->facts.write_same_unmap = v.write_same16;
	p->facts.reads_zero_after_unmap |= v.reads_zero & 1;
	return 0;
}

/*
 * Capacity
 */
static int check_capacity(struct lun_probe *p, int err)
{
	const struct capacity *c = &p->capacity;

	if (err == -EPROTO)
		return lun_probe_fault(
			p, err, "READ CAPACITY: the answer is cut off");
	if (!err && c->block_size != 512 && c->block_size != 4096)
		return lun_probe_fault(p, -EINVAL,
			"a block size of %" PRIu32
			" bytes cannot be served, only 512 and 4096",
			c->block_size);
	if (err || !c->blocks || c->blocks > INT64_MAX / c->block_size)
		return lun_probe_fault(p, -EINVAL,
			"READ CAPACITY tells a size that cannot be served");
	p->has_capacity = true;
	p->facts.identity.blocks = c->blocks;
	p->facts.identity.block_size = c->block_size;
	p->facts.physical_block_size = c->physical_block_size;
	if (c->physical_block_size < c->block_size ||
		c->physical_block_size > PHYSICAL_MAX)
		p->facts.physical_block_size = c->block_size;
	p->facts.reads_zero_after_unmap |= c->reads_zero;
	p->facts.provisioned = c->provisioned;
	return 0;
}

static void build_capacity16(uint8_t *cdb)
{
	cdb_read_capacity16(cdb, CAPACITY16_LEN);
}

static int decode_capacity16(struct lun_probe *p, size_t len)
{
	return check_capacity(p, capacity_decode16(&p->capacity, p->data, len));
}

static bool wants_capacity10(const struct lun_probe *p)
{
	return !p->has_capacity;
}

static void build_capacity10(uint8_t *cdb)
{
	cdb_read_capacity10(cdb);
}

static int decode_capacity10(struct lun_probe *p, size_t len)
{
	return check_capacity(p, capacity_decode10(&p->capacity, p->data, len));
}

/*
 * Mode pages, port groups
 */
static void build_mode6(uint8_t *cdb)
{
	cdb_mode_sense6(cdb, MODE_PAGE_CACHING, 252);
}

static int decode_mode6(struct lun_probe *p, size_t len)
{
	p->has_mode = !mode_decode6(&p->mode, p->data, len);
	return 0;
}

static bool wants_mode10(const struct lun_probe *p)
{
	return !p->has_mode;
}

static void build_mode10(uint8_t *cdb)
{
	cdb_mode_sense10(cdb, MODE_PAGE_CACHING, 512);
}

static int decode_mode10(struct lun_probe *p, size_t len)
{
	return mode_decode10(&p->mode, p->data, len);
}

static bool wants_groups(const struct lun_probe *p)
{
	return p->facts.tpgs != 0;
}

static void build_groups(uint8_t *cdb)
{
	cdb_report_target_groups(cdb, false, LUN_PROBE_DATA);
}

static bool has_our_port(const struct lun_probe *p, const struct alua_group *g)
{
	if (p->facts.target_group)
		return g->id == p->facts.target_group;
	for (unsigned n = 0; n < g->nports; n++)
		if (alua_group_port(g, n) == p->relative_port)
			return true;
	return false;
}

static int decode_groups(struct lun_probe *p, size_t len)
{
	struct alua_report report;
	struct alua_group group;

	if (alua_report_open(&report, p->data, len, false))
		return -EPROTO;
	while (alua_report_next(&report, &group))
		if (has_our_port(p, &group)) {
			p->facts.alua_state = group.state;
			p->facts.alua_preferred = group.preferred;
			p->facts.target_group = group.id;
			break;
		}
	return 0;
}

static void build_ready(uint8_t *cdb)
{
	cdb_test_unit_ready(cdb);
}

const struct lun_step lun_steps[] = {
	{"INQUIRY", build_inquiry, INQUIRY_LEN, false, NULL, decode_inquiry,
		true},
	{"TEST UNIT READY", build_ready, 0, false, NULL, NULL, false},
	{"VPD page 00h", build_pages, VPD_ALLOC, true, NULL, decode_pages,
		false},
	{"VPD page 80h", build_serial, VPD_ALLOC, true, NULL, decode_serial,
		true},
	{"VPD page 83h", build_designators, LUN_PROBE_DATA, true, NULL,
		decode_designators, true},
	{"VPD page B0h", build_limits, VPD_ALLOC, true, wants_limits,
		decode_limits, false},
	{"VPD page B1h", build_rotation, VPD_ALLOC, true, wants_rotation,
		decode_rotation, false},
	{"VPD page B2h", build_provisioning, VPD_ALLOC, true,
		wants_provisioning, decode_provisioning, false},
	{"READ CAPACITY(16)", build_capacity16, CAPACITY16_LEN, true, NULL,
		decode_capacity16, true},
	{"READ CAPACITY(10)", build_capacity10, CAPACITY10_LEN, false,
		wants_capacity10, decode_capacity10, true},
	{"MODE SENSE(6)", build_mode6, 252, true, NULL, decode_mode6, false},
	{"MODE SENSE(10)", build_mode10, 512, true, wants_mode10, decode_mode10,
		false},
	{"REPORT TARGET PORT GROUPS", build_groups, LUN_PROBE_DATA, true,
		wants_groups, decode_groups, false},
	{NULL, NULL, 0, false, NULL, NULL, false},
};

int lun_probe_conclude(struct lun_probe *p)
{
	struct lun_facts *f = &p->facts;

	if (!p->has_wwid && wwid_from_serial(f->identity.wwid, &p->inquiry,
				    f->identity.serial))
		return lun_probe_fault(p, -EPROTO,
			"the LUN has no identity: neither VPD page 83h nor "
			"80h names it");
	f->read_only = p->mode.write_protect || p->mode.software_write_protect;
	f->write_cache = p->mode.write_cache;
	f->cache_claimed = p->mode.has_caching && p->mode.write_cache;
	f->dpofua = p->mode.dpofua;
	/* Whether it is really there shows at first use. */
	f->write_same = p->inquiry.version >= 5 || f->max_write_same_blocks;
	return 0;
}
