/* SPDX-License-Identifier: BSD-2-Clause */
/* A path whose portal is gone proves its fence through the portal of another
 * path, over the model target with two portals. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umpio/iscsi.h>
#include <umpio/loop.h>
#include <umpio/path.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define SECOND 1000000000ull
#define LENGTH 4096u

/* A path and what it has said. */
struct way {
	struct path *path;
	unsigned ups, downs;
	char reason[160];
};

static struct loop *loop;
static struct t_lun *lun;
static struct t_target *target;
static struct t_target_options options;
static struct iscsi_offer offer;
static struct way ways[2]; /* each over the portal of its number */
static struct path_cmd cmd;
static struct path_fence fence;
static unsigned dones, fenced;
static int fence_err;
static uint8_t data[LENGTH];

static void way_is_up(struct path *path)
{
	((struct way *)path->owner)->ups++;
}

static void way_is_down(struct path *path, const struct path_down *why)
{
	struct way *w = path->owner;

	w->downs++;
	snprintf(w->reason, sizeof w->reason, "%s", why->reason);
}

static void way_is_leaving(struct path *path)
{
	cr_assert_fail("%p is to leave", (void *)path);
}

static void cmd_done(struct path_cmd *c)
{
	cr_expect_eq(c->result.outcome, PATH_UNKNOWN);
	dones++;
}

static void fence_done(struct path_fence *f, int err)
{
	cr_expect_eq(f, &fence);
	fenced++;
	fence_err = err;
}

static void make(unsigned n, const char *name)
{
	static const struct path_events events = {.up = way_is_up,
		.down = way_is_down,
		.leaving = way_is_leaving};
	struct iscsi_config config;

	iscsi_config_init(&config);
	config.initiator_name = "iqn.2003-01.org.example:host";
	config.target_name = name;
	snprintf(config.portals[0].host, sizeof config.portals[0].host,
		"10.0.0.%u", n + 1);
	config.portals[0].port = 3260;
	config.nportals = 1;
	config.isid[0] = 0x80;
	config.isid[5] = (uint8_t)n;
	config.offer = offer;
	ways[n] = (struct way){.path = iscsi_path_new(loop, &config)};
	ways[n].path->events = &events;
	ways[n].path->owner = &ways[n];
}

static void listen_at(unsigned n)
{
	static const char *const at[] = {"10.0.0.1:3260", "10.0.0.2:3260"};
	struct addr addr = t_addr(at[n]);

	cr_assert_eq(t_target_listen(target, n, &addr), 0);
}

static void setup(void)
{
	struct iscsi_config config;

	iscsi_config_init(&config);
	offer = config.offer;
	t_target_options_init(&options);
	options.nportals = 2;
	options.portals[0] = options.portals[1] =
		(struct t_portal){"10.0.0.1:3260", 1};
	dones = fenced = 0;
}

static void begin(void)
{
	struct t_lun_options unit = {.blocks = 64};

	loop = loop_new();
	lun = t_lun_new(&unit);
	target = t_target_new(loop, lun, &options);
	for (unsigned n = 0; n < 2; n++) {
		listen_at(n);
		make(n, options.name);
		path_start(ways[n].path);
	}
	t_loop_run_for(loop, 3 * SECOND);
	cr_assert_eq(ways[0].ups + ways[1].ups, 2, "%s", ways[0].reason);
}

static void end(void)
{
	for (unsigned n = 0; n < 2; n++)
		path_stop(ways[n].path, true);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	path_free(ways[0].path);
	path_free(ways[1].path);
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}

/* Path 0 is cut in the middle of a write, and its portal is gone. */
static void lose_portal(void)
{
	target->hold = true;
	cmd = (struct path_cmd){.cdb = {0x2a, [8] = LENGTH / 512},
		.direction = PATH_DATA_OUT,
		.len = LENGTH,
		.data = data,
		.done = cmd_done};
	path_submit(ways[0].path, &cmd);
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(dones, 0);
	t_target_unlisten(target, 0);
	path_stop(ways[0].path, true);
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(dones, 1);
	cr_assert_eq(ways[0].downs, 1);
	fence = (struct path_fence){.done = fence_done};
	path_fence(ways[0].path, &fence);
	path_start(ways[0].path);
	t_loop_run_for(loop, 10 * SECOND);
	cr_assert_eq(ways[0].downs, 2);
	cr_assert_eq(fenced, 0);
}

static int visit(void)
{
	char portal[80] = "";
	int err = path_fence_by(
		ways[0].path, ways[1].path, portal, sizeof portal);

	if (!err)
		cr_expect_str_eq(portal, "10.0.0.2:3260");
	return err;
}

TestSuite(visit, .init = setup);

Test(visit, reinstates_and_logs_out)
{
	struct path_counters c;
	struct path_facts facts;

	begin();
	lose_portal();
	cr_assert_eq(visit(), 0);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(fenced, 1);
	cr_expect_eq(fence_err, 0);
	cr_expect_eq(ways[0].ups, 1, "it does not count as up");
	cr_expect_eq(ways[0].downs, 3);
	cr_expect_eq(ways[1].downs, 0, "its helper goes on");
	cr_expect_eq(target->reinstatements, 1);
	cr_expect_eq(target->logouts, 1);
	path_counters(ways[0].path, &c);
	cr_expect_eq(c.fences, 1);
	cr_expect_eq(c.sibling_fences, 1);
	cr_expect_eq(c.logins, 2);
	cr_expect_eq(c.session_recoveries, 0, "that is still to come");
	path_facts(ways[0].path, &facts);
	cr_expect_eq(facts.connections, 0);
	cr_expect_eq(facts.tpgt, 1);
	t_target_release(target);
	cr_expect_eq(lun->writes, 0, "nothing of the old session is left");
	/* Its own portal is the one that it comes back by. */
	listen_at(0);
	path_start(ways[0].path);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(ways[0].ups, 2, "%s", ways[0].reason);
	cr_expect_eq(t_target_conn(target, 1)->tpgt, 1);
	end();
}

/* One connection is enough, whatever was agreed. */
Test(visit, of_a_session_of_several_connections)
{
	offer.max_connections = options.max_connections = 2;
	offer.error_recovery_level = options.error_recovery_level = 2;
	options.default_time2wait = offer.default_time2wait = 0;
	options.default_time2retain = offer.default_time2retain = 0;
	begin();
	t_loop_run_for(loop, 5 * SECOND);
	lose_portal();
	cr_assert_eq(visit(), 0);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(fenced, 1);
	cr_expect_eq(fence_err, 0);
	cr_expect_eq(ways[0].downs, 3);
	cr_expect_eq(target->logouts, 1);
	end();
}

/* The path's injected faults are its own way's. */
Test(visit, past_an_injected_blackhole)
{
	const struct path_fault fault = {
		.kind = PATH_FAULT_BLACKHOLE, .in = true, .out = true};

	begin();
	lose_portal();
	cr_assert_eq(path_fault(ways[0].path, &fault), 0);
	cr_assert_eq(visit(), 0);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(fenced, 1);
	end();
}

/* Nothing to be proven over there. */
Test(visit, not_in_another_group)
{
	options.portals[1].tpgt = 2;
	begin();
	lose_portal();
	cr_expect_eq(visit(), -EXDEV);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(ways[0].downs, 2);
	cr_expect_eq(fenced, 0);
	end();
}

Test(visit, not_of_another_target)
{
	begin();
	lose_portal();
	path_stop(ways[1].path, true);
	t_loop_run_for(loop, SECOND);
	path_free(ways[1].path);
	target->options.name = "iqn.2003-01.org.example:other";
	make(1, target->options.name);
	path_start(ways[1].path);
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(ways[1].ups, 1, "%s", ways[1].reason);
	cr_expect_eq(visit(), -EXDEV);
	end();
}

Test(visit, not_while_either_is_as_it_should_not_be)
{
	begin();
	cr_expect_eq(visit(), -EXDEV, "it is up itself");
	lose_portal();
	path_stop(ways[1].path, true);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(visit(), -EXDEV, "the other is down");
	cr_expect_eq(fenced, 0);
	end();
}

/* The portal has become another group's since: nothing is proven, and nothing
 * forgotten. */
Test(visit, that_is_let_in_elsewhere)
{
	struct path_counters c;

	begin();
	lose_portal();
	target->doors[1].tpgt = 2;
	cr_assert_eq(visit(), 0);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(ways[0].downs, 3);
	cr_expect_eq(fenced, 0);
	cr_expect_eq(target->reinstatements, 0);
	listen_at(0);
	path_start(ways[0].path);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(ways[0].ups, 2);
	cr_expect_eq(fenced, 1);
	cr_expect_eq(fence_err, 0);
	path_counters(ways[0].path, &c);
	cr_expect_eq(c.fences, 1);
	cr_expect_eq(c.sibling_fences, 0);
	end();
}

Test(visit, that_is_refused)
{
	begin();
	lose_portal();
	target->refuse = true;
	cr_assert_eq(visit(), 0);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(ways[0].downs, 3);
	cr_expect_eq(fenced, 0);
	target->refuse = false;
	cr_assert_eq(visit(), 0, "and again");
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(fenced, 1);
	end();
}

/* It may hang: its owner stops it, at once or in order, and its helper may go
 * away under it. */
Test(visit, that_hangs_is_stopped)
{
	struct addr at = t_addr("10.0.0.2:3260");
	struct t_wire *wire;

	for (int now = 0; now < 2; now++) {
		setup();
		begin();
		lose_portal();
		wire = t_wire_at(&at);
		wire->way[T_OUT].blackhole = true;
		cr_assert_eq(visit(), 0);
		t_loop_run_for(loop, SECOND);
		cr_expect_eq(ways[0].downs, 2);
		path_stop(ways[1].path, true);
		t_loop_run_for(loop, SECOND);
		path_free(ways[1].path);
		make(1, options.name);
		path_stop(ways[0].path, now);
		t_loop_run_for(loop, SECOND);
		cr_expect_eq(ways[0].downs, 3);
		cr_expect_eq(fenced, 0);
		wire->way[T_OUT].blackhole = false;
		end();
		cr_expect_eq(fence_err, -ECANCELED);
	}
}

/*
 * What is left in which group
 */
static enum t_verdict reject_it(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *bytes, uint32_t len)
{
	(void)arg, (void)bytes, (void)len;
	if (t_get(bhs, T_OPCODE) != 1)
		return T_PASS;
	c->session->exp_cmd_sn++;
	c->session->max_cmd_sn++;
	t_conn_reject(c, 0x09, bhs); /* invalid PDU field */
	return T_DROP;
}

/* A write of path 0 is rejected: whether it was begun, nobody says. */
static void have_rejected(void)
{
	static struct t_hooks hooks = {.rx = reject_it};

	target->hooks = &hooks;
	cmd = (struct path_cmd){.cdb = {0x2a, [8] = LENGTH / 512},
		.direction = PATH_DATA_OUT,
		.len = LENGTH,
		.data = data,
		.done = cmd_done};
	path_submit(ways[0].path, &cmd);
	t_loop_run_for(loop, SECOND);
	target->hooks = NULL;
	cr_assert_eq(dones, 1);
	cr_assert_eq(ways[0].downs, 0, "%s", ways[0].reason);
}

static int ask(void)
{
	unsigned before = fenced;

	fence = (struct path_fence){.done = fence_done};
	path_fence(ways[0].path, &fence);
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(fenced, before + 1);
	return fence_err;
}

static void restart(bool now)
{
	path_stop(ways[0].path, now);
	t_loop_run_for(loop, SECOND);
	path_start(ways[0].path);
	t_loop_run_for(loop, SECOND);
}

/* The end of the session says it, in order or by the login that follows. */
Test(visit, a_rejected_write_is_fenced_by_the_next_login)
{
	for (int now = 0; now < 2; now++) {
		setup();
		begin();
		have_rejected();
		cr_expect_eq(ask(), -EAGAIN);
		cr_expect_eq(ask(), -EAGAIN, "and it does not pass");
		restart(now);
		cr_expect_eq(ways[0].ups, 2, "%s", ways[0].reason);
		cr_expect_eq(ask(), 0);
		end();
	}
}

/* Logins into another portal group, one after the other, and a logout there,
 * prove nothing; one into the first group does. */
Test(visit, only_its_own_group_tells_of_what_is_left_in_it)
{
	begin();
	have_rejected();
	target->doors[0].tpgt = 2;
	restart(true);
	cr_expect_eq(ask(), -EXDEV);
	restart(true);
	cr_expect_eq(ask(), -EXDEV);
	restart(false);
	cr_expect_eq(ask(), -EXDEV, "that was another group's logout");
	dones = 0;
	ways[0].downs = 0;
	have_rejected();
	target->doors[0].tpgt = 1;
	restart(true);
	cr_expect_eq(ask(), -EXDEV, "the other group's is left");
	target->doors[0].tpgt = 2;
	restart(true);
	cr_expect_eq(ask(), 0);
	end();
}
