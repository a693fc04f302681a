/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target, its commands and data, driven by a bare initiator: both
 * halves of the protocol check each other. */
#include <criterion/criterion.h>
#include <string.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "ini.h"

static void setup(void)
{
	t_target_options_init(&options);
}

TestSuite(target, .init = setup);

static struct bhs rw_command(
	bool write, uint32_t itt, uint32_t lba, uint32_t bytes)
{
	struct bhs b = bhs_make(OP_SCSI_CMD);

	b.itt = itt;
	b.scsi_cmd.write = write;
	b.scsi_cmd.read = !write;
	b.scsi_cmd.attr = ATTR_SIMPLE;
	b.scsi_cmd.edtl = bytes;
	b.scsi_cmd.cdb[0] = write ? 0x2a : 0x28;
	b.scsi_cmd.cdb[4] = (uint8_t)(lba >> 8);
	b.scsi_cmd.cdb[5] = (uint8_t)lba;
	b.scsi_cmd.cdb[7] = (uint8_t)(bytes / 512 >> 8);
	b.scsi_cmd.cdb[8] = (uint8_t)(bytes / 512);
	return b;
}

/* Answers each R2T with PDUs of at most `most` bytes. */
static void answer_r2ts(uint32_t most)
{
	while (ini.count > 0 && ini.got[ini.count - 1].op == OP_R2T) {
		struct bhs r2t = ini.got[ini.count - 1];
		uint32_t at = 0, sn = 0;

		cr_assert_leq(r2t.r2t.len, session.max_burst_length);
		while (at < r2t.r2t.len) {
			struct bhs b = bhs_make(OP_DATA_OUT);
			uint32_t left = r2t.r2t.len - at;
			uint32_t len = left < most ? left : most;

			memcpy(b.lun, r2t.lun, 8);
			b.itt = r2t.itt;
			b.ttt = r2t.ttt;
			b.final = len == left;
			b.data_out.data_sn = sn++;
			b.data_out.offset = r2t.r2t.offset + at;
			send_pdu(&b, out_data + b.data_out.offset, len);
			at += len;
		}
	}
}

static void check_good(void)
{
	const struct bhs *last = &ini.got[ini.count - 1];

	cr_assert_gt(ini.count, 0);
	cr_assert_eq(last->op, OP_SCSI_RSP);
	cr_expect_eq(last->scsi_rsp.status, 0);
	cr_expect_eq(last->scsi_rsp.residual_kind, RESIDUAL_NONE);
}

/* Immediate and solicited data out, then the same back. */
static void write_and_read(uint32_t immediate, uint32_t bytes)
{
	struct bhs b = rw_command(true, 10, 8, bytes);
	unsigned reads;

	send_command(&b, out_data, immediate);
	answer_r2ts(50000);
	check_good();
	b = rw_command(false, 11, 8, bytes);
	ini.buffer = in_data;
	send_command(&b, NULL, 0);
	ini.buffer = NULL;
	reads = ini.count;
	cr_expect_arr_eq(in_data, out_data, bytes);
	if (!options.collapse) {
		check_good();
		cr_expect_eq(
			ini.got[ini.count - 1].scsi_rsp.exp_data_sn, reads - 1);
	} else {
		cr_expect(ini.got[reads - 1].data_in.has_status);
	}
	cr_expect(reads > 1 || options.collapse);
	no_violations();
}

Test(target, data_with_digests)
{
	begin();
	login();
	write_and_read(0, 512);
	write_and_read(32768, INI_DATA);
	write_and_read(4096, 4096);
	end();
}

Test(target, data_without_digests_collapsed)
{
	options.header_digest = options.data_digest = false;
	options.collapse = true;
	begin();
	login();
	cr_expect(!conn.header_digest);
	write_and_read(4096, INI_DATA);
	end();
}

Test(target, unsolicited_data)
{
	struct bhs b;

	begin();
	login();
	cr_assert(!session.initial_r2t);
	b = rw_command(true, 10, 0, 65536);
	b.final = false;
	send_command(&b, out_data, 4096);
	cr_expect_eq(ini.count, 0);
	b = bhs_make(OP_DATA_OUT);
	b.itt = 10;
	b.data_out.offset = 4096;
	send_pdu(&b, out_data + 4096, 32768 - 4096);
	answer_r2ts(65536);
	check_good();
	cr_expect_arr_eq(lun->memory, out_data, 65536);
	no_violations();
	/* Less than announced, with F: that is a breach. */
	b = rw_command(true, 11, 0, 65536);
	b.final = false;
	send_command(&b, out_data, 4096);
	b = bhs_make(OP_DATA_OUT);
	b.itt = 11;
	b.data_out.offset = 4096;
	send_pdu(&b, out_data + 4096, 512);
	cr_expect_eq(target->violations, 1);
	end();
}

Test(target, check_condition_has_sense)
{
	struct bhs b = rw_command(false, 10, 4095, 1024);

	begin();
	login();
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].scsi_rsp.status, 2);
	cr_expect_eq(ini.len, 2 + 18);
	cr_expect_eq(ini.data[1], 18);
	cr_expect_eq(ini.data[2 + 2] & 15, 5);
	end();
}

Test(target, pings)
{
	struct bhs b = bhs_make(OP_NOP_OUT), ping;

	begin();
	login();
	b.itt = 5;
	b.immediate = true;
	send_command(&b, "hello", 5);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].op, OP_NOP_IN);
	cr_expect_eq(ini.got[0].itt, 5);
	cr_expect_arr_eq(ini.data, "hello", 5);
	ini.count = 0;
	t_conn_ping(t_target_conn(target, 0));
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(ini.count, 1);
	ping = ini.got[0];
	cr_expect_eq(bhs_stat_use(&ping), STAT_NEXT);
	b = bhs_make(OP_NOP_OUT);
	b.immediate = true;
	b.ttt = ping.ttt;
	memcpy(b.lun, ping.lun, 8);
	send_command(&b, NULL, 0);
	cr_expect_eq(t_target_conn(target, 0)->ping_ttt, T_NO_TAG);
	no_violations();
	b.ttt = 4711;
	send_command(&b, NULL, 0);
	cr_expect_eq(target->violations, 1);
	end();
}

Test(target, task_management)
{
	struct bhs b = rw_command(true, 10, 0, 65536), tmf;

	begin();
	login();
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.got[0].op, OP_R2T);
	tmf = bhs_make(OP_TMF_REQ);
	tmf.immediate = true;
	tmf.itt = 11;
	tmf.tmf.function = TMF_ABORT_TASK;
	tmf.tmf.rtt = 10;
	tmf.tmf.ref_cmd_sn = b.cmd_sn;
	send_command(&tmf, NULL, 0);
	cr_expect_eq(ini.got[0].tmf_rsp.response, TMF_RSP_COMPLETE);
	send_command(&tmf, NULL, 0);
	cr_expect_eq(ini.got[0].tmf_rsp.response, TMF_RSP_NO_TASK);
	tmf.tmf.function = TMF_LUN_RESET;
	tmf.tmf.rtt = BHS_TAG_NONE;
	send_command(&tmf, NULL, 0);
	cr_expect_eq(ini.got[0].tmf_rsp.response, TMF_RSP_COMPLETE);
	no_violations();
	end();
}

Test(target, numbers_are_watched)
{
	struct bhs b = rw_command(false, 10, 0, 512);

	begin();
	login();
	ini.cmd_sn++;
	send_command(&b, NULL, 0);
	cr_expect_eq(target->violations, 1);
	cr_expect_eq(ini.count, 0);
	end();
}

Test(target, hold_and_release)
{
	struct bhs b = rw_command(false, 10, 0, 512);

	begin();
	login();
	target->hold = true;
	send_command(&b, NULL, 0);
	cr_expect_eq(ini.count, 0);
	t_target_release(target);
	t_loop_run_for(loop, SECOND);
	check_good();
	end();
}

static enum t_verdict drop_data_in(
	void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	(void)c;
	if (t_get(pdu->bhs, T_OPCODE) == 0x21)
		t_set(pdu->bhs, T_STATUS, 0x28);
	return t_get(pdu->bhs, T_OPCODE) == *(unsigned *)arg ? T_DROP : T_PASS;
}

Test(target, hooks)
{
	static const struct t_hooks hooks = {.tx = drop_data_in};
	struct bhs b = rw_command(false, 10, 0, 512);
	unsigned opcode = 0x25;

	begin();
	login();
	target->hooks = &hooks;
	target->hooks_arg = &opcode;
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].op, OP_SCSI_RSP);
	cr_expect_eq(ini.got[0].scsi_rsp.status, 0x28);
	t_conn_end(t_target_conn(target, 0), true);
	t_loop_run_for(loop, SECOND);
	cr_expect(ini.closed);
	cr_expect_lt(ini.err, 0);
	end();
}
