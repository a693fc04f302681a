/* SPDX-License-Identifier: BSD-2-Clause */
/* What the logical unit says and becomes. */
#include "faults.h"
#include "features.h"
#include "world.h"

#include <umpio/base/units.h>
#include <umpio/scsi/alua.h>

static struct t_nexus *nexus_of(const struct world_fault *f)
{
	struct t_session *s = world_session(f->world, f->plan->where);

	return s ? &s->nexus : NULL;
}

static void script(
	struct world_fault *f, unsigned n, uint8_t status, uint32_t sense)
{
	struct t_nexus *nexus = nexus_of(f);

	fault_say(f, "%u times status %#x, sense %06x", n, status, sense);
	while (nexus && n-- > 0 && nexus->nscript < T_LUN_SCRIPT_MAX)
		t_nexus_script(nexus, -1, status, sense);
}

static void busy_begin(struct world_fault *f)
{
	script(f, 1 + (unsigned)(f->plan->dice >> 8) % 6,
		f->plan->dice & 1 ? 0x08 : 0x28, 0);
}

static void sense_begin(struct world_fault *f)
{
	static const uint32_t senses[] = {
		0x0b0000, /* ABORTED COMMAND */
		0x0b4703, /* its CRC */
		0x020401, /* becoming ready */
		0x031100, /* unrecovered read error */
		0x010000, /* RECOVERED ERROR */
		0x044400, /* internal target failure */
	};

	script(f, 1 + (unsigned)(f->plan->dice >> 8) % 3, 0x02,
		senses[f->plan->dice % (sizeof senses / sizeof senses[0])]);
}

/* On the nexus of the path, or on all. */
static void attention_begin(struct world_fault *f)
{
	static const struct {
		uint8_t asc, ascq;
	} news[] = {{0x29, 0x00}, {0x29, 0x02}, {0x29, 0x03}, {0x2a, 0x01},
		{0x2a, 0x09}, {0x3f, 0x03}, {0x3f, 0x0e}, {0x2f, 0x00},
		{0x28, 0x00}};
	unsigned n = (unsigned)(f->plan->dice % (sizeof news / sizeof news[0]));
	struct t_nexus *nexus = nexus_of(f);

	fault_say(f, "%02x/%02x", news[n].asc, news[n].ascq);
	if (f->plan->dice >> 40 & 1)
		t_lun_attend(f->world->lun, NULL, news[n].asc, news[n].ascq);
	else if (nexus)
		t_nexus_attend(nexus, news[n].asc, news[n].ascq);
}

static bool has_groups(const struct plan *p)
{
	return p->disk.tpgs;
}

static void access_begin(struct world_fault *f)
{
	static const enum alua_state states[] = {ALUA_NON_OPTIMIZED,
		ALUA_STANDBY, ALUA_UNAVAILABLE, ALUA_TRANSITIONING};
	enum alua_state state = states[f->plan->dice % 4];

	fault_say(f, "state %u for %llu ms", (unsigned)state,
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	t_lun_set_alua(
		f->world->lun, world_group(f->world, f->plan->where), state);
}

static void access_end(struct world_fault *f)
{
	t_lun_set_alua(f->world->lun, world_group(f->world, f->plan->where),
		ALUA_OPTIMIZED);
}

/* The cache is lost, but no connection is. The one answer that says so may be
 * overtaken on another connection, or by those after it when it is lost. */
static bool has_cache(const struct plan *p)
{
	return p->disk.wce &&
	       (p->connections == 1 || feature(FEATURE_OVERTAKEN));
}

static void lost_begin(struct world_fault *f)
{
	fault_say(f, "while all sessions live on");
	world_power_cut(f->world);
}

static void growth_begin(struct world_fault *f)
{
	struct t_lun *lun = f->world->lun;

	fault_say(f, "by 8 blocks");
	t_lun_resize(lun, lun->blocks + 8);
}

const struct fault_kind faults_scsi[] = {
	{"busy", 5, 0, 0, NULL, busy_begin, NULL},
	{"sense", 5, 0, 0, NULL, sense_begin, NULL},
	{"unit attention", 5, 0, 0, NULL, attention_begin, NULL},
	{"access state", 6, 10, 8000, has_groups, access_begin, access_end},
	{"cache lost", 3, 0, 0, has_cache, lost_begin, NULL},
	{"growth", 1, 0, 0, NULL, growth_begin, NULL},
	{NULL, 0, 0, 0, NULL, NULL, NULL},
};
