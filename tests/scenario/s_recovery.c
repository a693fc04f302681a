/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 111 to 119: sessions that come back, several paths, and what a unit
 * says while it is in use (RFC 7143 6.3.5, 7.1.4.1; SPC-5, SBC-4). */
#include <errno.h>
#include <string.h>

#include "tests/scenario/s_device.h"
#include "tests/scenario/s_rig.h"

#define K4 4096

Test(scenario, s111_a_reset_with_writes_in_flight)
{
	struct d_request writes[32];

	d_init();
	D.options.attention = true; /* 29/00 for each new session */
	d_up(1);
	D.target->hold = true;
	for (unsigned i = 0; i < 32; i++)
		d_write(&writes[i], i * 65536ul, 65536, 'a' + (int)i);
	d_pass(10);
	t_wire_reset(&D.at[0]);
	D.target->hold = false;
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(d_wait(&writes[i]), 0);
	cr_assert_eq(D.target->reinstatements, 1);
	for (unsigned i = 0; i < 32; i++)
		d_expect_read(i * 65536ul, 65536, 'a' + (int)i);
	cr_assert_eq(d_path(0).counters.session_recoveries, 1);
	d_end();
}

/* At the path: each command ends once, and a login into the same portal group
 * says that none can come late. */
Test(scenario, s111_what_is_lost_is_fenced_by_the_next_login)
{
	struct path_counters counters;

	s_init();
	s_up();
	W.target->hold = true;
	for (unsigned i = 0; i < 32; i++)
		s_write(i, 65536, (uint8_t)i);
	s_pass(10);
	t_wire_reset(&W.at);
	s_wait_down();
	for (unsigned i = 0; i < 32; i++)
		s_expect(&W.commands[i], PATH_UNKNOWN, -ECONNRESET);
	s_fence();
	s_pass(100);
	cr_assert_eq(W.fences, 0, "fenced while it is down");
	cr_assert(s_try());
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
	cr_assert_eq(W.target->reinstatements, 1);
	path_counters(W.path, &counters);
	cr_assert_eq(counters.logins, 2);
	cr_assert_eq(counters.session_recoveries, 1);
	cr_assert_eq(counters.fences, 1);
	cr_assert_eq(t_get(s_sent(0x03, 2)->bhs, T_TSIH), 0);
	cr_assert_eq(t_get(s_sent(0x03, 2)->bhs, T_ISID),
		t_get(s_sent(0x03, 0)->bhs, T_ISID));
	s_end();
}

Test(scenario, s111_time2wait_is_kept)
{
	uint64_t began;
	struct d_request r;

	d_init();
	D.options.default_time2wait = 7;
	d_up(1);
	t_wire_reset(&D.at[0]);
	d_pass(1);
	began = loop_now(D.loop);
	d_write(&r, 0, K4, 'x');
	cr_assert_eq(d_wait(&r), 0);
	cr_assert(loop_now(D.loop) - began >= 6900 * NS_PER_MS);
	d_end();
}

Test(scenario, s112_another_unit_after_the_relogin)
{
	struct d_request r;

	d_init();
	d_up(1);
	D.target->hold = true;
	d_write(&r, 0, K4, 'x');
	d_pass(10);
	D.lun->options.naa[15] = 2;
	t_wire_reset(&D.at[0]);
	D.target->hold = false;
	cr_assert_eq(d_wait(&r), -EIO);
	cr_assert_eq(D.lun->writes, 0);
	cr_assert_eq(d_path(0).state, MPATH_QUARANTINED);
	cr_assert(strstr(d_path(0).reason, "WWID"), "%s", d_path(0).reason);
	cr_assert(d_heard("path-mismatched/0"));
	D.lun->options.naa[15] = 1;
	d_wait_up();
	d_end();
}

/* A path that swallows a write; the other one does it, and newer writes to the
 * same blocks wait until that is done. */
Test(scenario, s113_a_path_that_swallows_writes)
{
	struct d_request old, newer, beside;
	uint64_t began;

	d_init();
	d_up(2);
	began = loop_now(D.loop);
	D.wire[0]->way[T_OUT].blackhole = true;
	d_write(&old, 0, 2 * K4, 'o');
	d_pass(100);
	d_write(&newer, K4, 2 * K4, 'n');
	d_write(&beside, 16 * K4, K4, 'b');
	cr_assert_eq(d_wait(&old), 0);
	cr_assert(loop_now(D.loop) - began < 12 * NS_PER_S);
	cr_assert_eq(d_wait(&newer), 0);
	cr_assert_eq(d_wait(&beside), 0);
	d_expect_read(0, K4, 'o');
	d_expect_read(K4, 2 * K4, 'n');
	cr_assert(d_heard("path-failed/0"));
	/* Nothing of it comes when the wire is whole again. */
	D.wire[0]->way[T_OUT].blackhole = false;
	d_wait_up();
	d_pass(1000);
	d_expect_read(K4, 2 * K4, 'n');
	d_end();
}

static int write_with(unsigned path, uint8_t status, uint32_t sense)
{
	struct d_request r;

	t_nexus_script(d_nexus(path), SCSI_WRITE_16, status, sense);
	d_write(&r, 0, K4, 'x');
	return d_wait(&r);
}

Test(scenario, s114_access_state_changes)
{
	struct d_request r;

	d_init();
	D.disk.tpgs = 1;
	d_up(2);
	t_lun_set_alua(D.lun, 1, ALUA_NON_OPTIMIZED); /* and 2A/06 */
	d_write(&r, 0, K4, 'x');
	cr_assert_eq(d_wait(&r), 0);
	cr_assert(!d_heard("path-failed"));
	d_end();
}

Test(scenario, s114_in_transition_for_twenty_seconds)
{
	struct d_request r;

	d_init();
	D.disk.tpgs = 1;
	d_up(2);
	t_lun_set_alua(D.lun, 1, ALUA_TRANSITIONING);
	t_lun_set_alua(D.lun, 2, ALUA_TRANSITIONING);
	d_write(&r, 0, K4, 'x');
	d_pass(20000);
	cr_assert_eq(r.done, 0);
	t_lun_set_alua(D.lun, 1, ALUA_OPTIMIZED);
	t_lun_set_alua(D.lun, 2, ALUA_OPTIMIZED);
	cr_assert_eq(d_wait(&r), 0);
	d_expect_read(0, K4, 'x');
	d_end();
}

Test(scenario, s114_standby_is_not_used)
{
	d_init();
	D.disk.tpgs = 1;
	d_up(2);
	cr_assert_eq(write_with(0, 2, 0x02040b), 0);
	cr_assert(d_heard("alua-changed/0"));
	cr_assert(!d_heard("path-failed/0"));
	cr_assert(d_path(1).writes >= 1);
	d_end();
}

Test(scenario, s115_reservation_conflict)
{
	d_init();
	d_up(2);
	cr_assert_eq(
		write_with(0, SCSI_STATUS_RESERVATION_CONFLICT, 0), -EPERM);
	cr_assert(!d_heard("path-failed"));
	cr_assert_eq(d_path(1).writes + d_path(1).errors, 0);
	d_end();
}

Test(scenario, s115_busy_and_full)
{
	static const uint8_t statuses[] = {
		SCSI_STATUS_BUSY, SCSI_STATUS_TASK_SET_FULL};

	for (unsigned i = 0; i < 2; i++) {
		uint64_t began;

		d_init();
		d_up(2);
		began = loop_now(D.loop);
		for (unsigned n = 0; n < 8; n++)
			for (unsigned path = 0; path < 2; path++)
				t_nexus_script(d_nexus(path), SCSI_WRITE_16,
					statuses[i], 0);
		cr_assert_eq(write_with(0, statuses[i], 0), 0);
		/* In time that grows, and not at once again and again. */
		cr_assert(loop_now(D.loop) - began >= NS_PER_S);
		cr_assert(!d_heard("path-failed"));
		d_end();
	}
}

Test(scenario, s116_no_space)
{
	d_init();
	d_up(2);
	cr_assert_eq(write_with(0, 2, 0x072707), -ENOSPC);
	cr_assert(!d_heard("path-failed"));
	cr_assert_eq(d_path(1).writes + d_path(1).errors, 0);
	cr_assert_eq(write_with(0, 2, 0x063807), 0);
	cr_assert(!d_heard("path-failed"));
	d_end();
}

Test(scenario, s117_compare_and_write_of_unknown_outcome)
{
	struct s_command *c;
	unsigned n = 0;

	s_init();
	s_up();
	W.target->hold = true;
	cdb_compare_and_write(W.commands[0].cmd.cdb, 0, 1, 0);
	c = s_command(0, PATH_DATA_OUT, 1024);
	s_pass(10);
	t_wire_reset(&W.at);
	s_wait_down();
	s_expect(c, PATH_UNKNOWN, -ECONNRESET);
	W.target->hold = false;
	cr_assert(s_try());
	s_pass(60000);
	for (unsigned i = 0; s_sent(0x01, i); i++)
		n += s_sent(0x01, i)->bhs[32] == SCSI_COMPARE_AND_WRITE;
	cr_assert_eq(n, 1);
	s_end();
}

/* The unit is looked at again, and is still the same. */
Test(scenario, s118_luns_have_changed)
{
	d_init();
	d_up(2);
	cr_assert_eq(write_with(0, 2, 0x063f0e), 0);
	d_wait_up();
	cr_assert(!d_heard("path-failed"));
	d_expect_read(0, K4, 'x');
	/* And now it is another one. */
	D.lun->options.naa[15] = 2;
	cr_assert_eq(write_with(0, 2, 0x063f0e), 0);
	d_pass(10);
	cr_assert(d_heard("path-mismatched/0"));
	D.lun->options.naa[15] = 1;
	d_wait_up();
	d_end();
}

Test(scenario, s118_unit_has_grown)
{
	struct d_request r;

	d_init();
	d_up(2);
	cr_assert_eq(t_lun_resize(D.lun, 2 * D.disk.blocks), 0);
	d_write(&r, 0, K4, 'x');
	cr_assert_eq(d_wait(&r), 0);
	d_pass(5000);
	cr_assert_eq(D.resized, 2 * D.disk.blocks * 512);
	cr_assert(d_heard("device-grown"));
	d_write(&r, 2 * D.disk.blocks * 512 - K4, K4, 'y');
	cr_assert_eq(d_wait(&r), 0);
	d_end();
}

/* The same by Asynchronous Message, with no command that would hear of it. */
Test(scenario, s079_async_0_says_that_the_unit_has_grown)
{
	d_init();
	d_up(2);
	cr_assert_eq(t_lun_resize(D.lun, 2 * D.disk.blocks), 0);
	t_conn_async_sense(t_target_conn(D.target, 0), 0x062a09);
	d_pass(5000);
	cr_assert_eq(D.resized, 2 * D.disk.blocks * 512);
	d_end();
}

Test(scenario, s079_async_0_says_that_it_is_another_one)
{
	d_init();
	d_up(2);
	D.lun->options.naa[15] = 2;
	t_conn_async_sense(t_target_conn(D.target, 0), 0x063f0e);
	d_pass(100);
	cr_assert(d_heard("path-mismatched/0"));
	D.lun->options.naa[15] = 1;
	d_wait_up();
	d_end();
}

/* Two forms of one number are two addresses: each is sent as it is. */
Test(scenario, s119_lun_forms)
{
	static const uint8_t forms[] = {0x00, 0x40};

	for (unsigned i = 0; i < 2; i++) {
		s_init();
		W.options.lun = (uint64_t)forms[i] << 56 | 1ull << 48;
		W.config.lun[0] = forms[i];
		s_up();
		s_write(0, S_DATA, 1);
		t_conn_ping(s_conn());
		s_wait_done();
		s_expect_good(&W.commands[0]);
		for (unsigned n = 0; n < W.nsent; n++) {
			unsigned op = (unsigned)t_get(W.sent[n].bhs, T_OPCODE);

			if (op == 0x01 || op == 0x05)
				cr_assert_eq(t_get(W.sent[n].bhs, T_LUN),
					W.options.lun);
		}
		s_end();
	}
}
