/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <umpio/lun.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/opcode.h>

struct probing {
	struct loop *loop;
	struct t_lun *lun;
	struct t_path *path;
	struct lun_facts facts;
	unsigned done;
	int err;
	char reason[160];
};

static void path_up(struct path *path)
{
	(void)path;
}

static void path_down(struct path *path, const struct path_down *why)
{
	(void)path;
	(void)why;
}

static const struct path_events events = {.up = path_up, .down = path_down};

static void init(struct probing *p, const struct t_lun_options *o)
{
	memset(p, 0, sizeof *p);
	p->loop = loop_new();
	p->lun = t_lun_new(o);
	p->path = t_path_new(p->loop, p->lun);
	p->path->path.events = &events;
	path_start(&p->path->path);
	t_loop_run_for(p->loop, MS);
	cr_assert(p->path->up);
}

static void on_done(
	void *arg, int err, const struct lun_facts *facts, const char *reason)
{
	struct probing *p = arg;

	p->done++;
	p->err = err;
	if (err)
		snprintf(p->reason, sizeof p->reason, "%s", reason);
	else
		p->facts = *facts;
}

static bool is_done(void *arg)
{
	return ((struct probing *)arg)->done;
}

static int run(struct probing *p)
{
	p->done = 0;
	cr_assert_not_null(lun_probe(p->loop, &p->path->path, on_done, p));
	cr_assert_eq(p->done, 0);
	cr_assert(t_loop_run_until(p->loop, is_done, p, 200 * S));
	cr_assert_eq(p->done, 1);
	cr_assert(!p->err || *p->reason);
	return p->err;
}

static void fini(struct probing *p)
{
	path_stop(&p->path->path, true);
	t_loop_run_for(p->loop, MS);
	path_free(&p->path->path);
	t_lun_free(p->lun);
	loop_free(p->loop);
}

Test(lun_probe, all_facts)
{
	struct t_lun_options o = bench_lun();
	struct probing p;

	o.physical_exponent = 3;
	o.max_transfer = 2048;
	o.unmap_granularity = 16;
	o.tpgs = 1;
	init(&p, &o);
	cr_assert_eq(run(&p), 0);
	cr_assert_str_eq(
		p.facts.identity.wwid, "naa.6001405a000000000000000000000000");
	cr_assert_str_eq(p.facts.identity.serial, "T0001");
	cr_assert_eq(p.facts.identity.blocks, 4096);
	cr_assert_eq(p.facts.identity.block_size, 512);
	cr_assert_eq(p.facts.physical_block_size, 4096);
	cr_assert_eq(p.facts.max_transfer_blocks, 2048);
	cr_assert_eq(p.facts.unmap_granularity, 16);
	cr_assert(p.facts.write_cache && p.facts.dpofua && p.facts.unmap);
	cr_assert_not(p.facts.read_only);
	cr_assert_not(p.facts.rotational);
	cr_assert_eq(p.facts.alua_state, ALUA_OPTIMIZED);
	cr_assert_eq(p.facts.target_group, 1);
	fini(&p);
}

/* What was read before a unit attention may be another: all is read again. */
Test(lun_probe, news_in_the_middle)
{
	struct t_lun_options o = bench_lun();
	struct probing p;

	init(&p, &o);
	p.path->slow_opcode = SCSI_MODE_SENSE_6;
	p.path->slow = S;
	cr_assert_not_null(lun_probe(p.loop, &p.path->path, on_done, &p));
	t_loop_run_for(p.loop, 500 * MS);
	p.lun->options.serial = "OTHER";
	t_nexus_attend(&p.path->nexus, 0x3f, 0x03);
	cr_assert(t_loop_run_until(p.loop, is_done, &p, 10 * S));
	cr_assert_eq(p.err, 0);
	cr_assert_str_eq(p.facts.identity.serial, "OTHER");
	fini(&p);
}

Test(lun_probe, without_ext_pages)
{
	static const uint8_t missing[] = {SCSI_MODE_SENSE_6, SCSI_MODE_SENSE_10,
		SCSI_SERVICE_ACTION_IN_16};
	struct t_lun_options o = bench_lun();
	struct probing p;

	init(&p, &o);
	for (size_t i = 0; i < sizeof missing; i++)
		t_nexus_script(&p.path->nexus, missing[i],
			SCSI_STATUS_CHECK_CONDITION, 0x052000);
	cr_assert_eq(run(&p), 0);
	cr_assert_eq(p.facts.identity.blocks, 4096);
	cr_assert(p.facts.write_cache); /* to be safe */
	cr_assert_not(p.facts.dpofua);
	fini(&p);
}

Test(lun_probe, what_cannot_be_served)
{
	struct t_lun_options o = bench_lun();
	struct probing p;

	init(&p, &o);
	t_nexus_script(&p.path->nexus, SCSI_INQUIRY,
		SCSI_STATUS_CHECK_CONDITION, 0x052500);
	cr_assert_eq(run(&p), -ENODEV);
	p.lun->gone = true;
	cr_assert_eq(run(&p), -ENODEV);
	fini(&p);
	o.block_size = 1024;
	init(&p, &o);
	cr_assert_eq(run(&p), -EINVAL);
	cr_assert_not_null(strstr(p.reason, "1024"));
	fini(&p);
}

Test(lun_probe, attentions_and_becoming_ready)
{
	struct t_lun_options o = bench_lun();
	struct probing p;

	init(&p, &o);
	for (int i = 0; i < 6; i++)
		t_nexus_attend(&p.path->nexus, 0x29, 0x03);
	for (int i = 0; i < 5; i++)
		t_nexus_script(&p.path->nexus, SCSI_TEST_UNIT_READY,
			SCSI_STATUS_CHECK_CONDITION, 0x020401);
	cr_assert_eq(run(&p), 0);
	for (int i = 0; i < 20; i++)
		t_nexus_script(&p.path->nexus, SCSI_TEST_UNIT_READY,
			SCSI_STATUS_CHECK_CONDITION, 0x062900);
	cr_assert_eq(run(&p), -EAGAIN);
	fini(&p);
}

Test(lun_probe, a_path_that_dies_and_one_that_is_silent)
{
	struct t_lun_options o = bench_lun();
	struct probing p;

	init(&p, &o);
	p.path->hold = true;
	cr_assert_eq(run(&p), -EAGAIN);
	p.path->hold = false;
	t_path_die(p.path, PATH_UNKNOWN, false, "reset");
	cr_assert_eq(run(&p), -EAGAIN);
	fini(&p);
}

Test(lun_probe, cancel_at_any_time)
{
	struct t_lun_options o = bench_lun();

	for (uint64_t at = 0; at < 20; at++) {
		struct lun_probe *probe;
		struct probing p;

		init(&p, &o);
		p.path->latency = MS;
		if (at % 2)
			t_nexus_script(&p.path->nexus, SCSI_TEST_UNIT_READY,
				SCSI_STATUS_CHECK_CONDITION, 0x020401);
		probe = lun_probe(p.loop, &p.path->path, on_done, &p);
		t_loop_run_for(p.loop, at * MS / 2);
		if (!p.done)
			lun_probe_cancel(probe);
		t_loop_run_for(p.loop, 10 * S);
		fini(&p);
	}
}

/* Every answer cut short or filled with rubbish: an end, and no crash. */
Test(lun_probe, hostile_answers_end)
{
	struct t_lun_options o = bench_lun();

	for (int byte = 0; byte < 24; byte++) {
		struct probing p;

		o.naa[byte % 16] = (uint8_t)(byte * 37);
		o.max_transfer = (uint32_t)byte * 0x0fffffff;
		o.unmap_granularity = (uint32_t)byte * 0x1fffffff;
		init(&p, &o);
		run(&p);
		fini(&p);
	}
}

Test(lun_identity, names_the_difference)
{
	struct lun_identity a = {
		.wwid = "naa.1", .serial = "x", .blocks = 5, .block_size = 512};
	struct lun_identity b = a;
	char why[160];

	cr_assert(lun_identity_equal(&a, &b, why, sizeof why));
	b.blocks++;
	cr_assert_not(lun_identity_equal(&a, &b, why, sizeof why));
	cr_assert_not_null(strstr(why, "capacity"));
	b.block_size = 4096;
	cr_assert_not(lun_identity_equal(&a, &b, why, sizeof why));
	cr_assert_not_null(strstr(why, "block size"));
	b.serial[0] = 'y';
	cr_assert_not(lun_identity_equal(&a, &b, why, sizeof why));
	cr_assert_not_null(strstr(why, "serial"));
	memset(b.wwid, 'z', sizeof b.wwid - 1);
	cr_assert_not(lun_identity_equal(&a, &b, why, sizeof why));
	cr_assert_not_null(strstr(why, "WWID"));
}
