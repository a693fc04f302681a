/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target at ErrorRecoveryLevel 1: SNACK, retry, recovery R2T, and
 * what it holds against an initiator (RFC 7143 7.3, 7.8, 11.16). */
#include <criterion/criterion.h>
#include <string.h>

#include "raw.h"

static void setup(void)
{
	raw_init();
	keys = "MaxRecvDataSegmentLength=2048;";
}

TestSuite(target_erl1, .init = setup);

static struct raw *start(void)
{
	raw_begin();
	return raw_login(0, 1, 0);
}

/* Data-In `lost` is dropped; everything but it comes. 16 KiB in 8 PDUs. */
static void lossy_read(struct raw *r, unsigned lost)
{
	uint8_t bhs[T_BHS_LEN];

	t_target_fault(target, &(struct t_fault){T_TO_INITIATOR, 0x25, T_ANY,
				       .nth = lost + 1});
	make_rw(bhs, false, 10, 16384);
	raw_request(r, bhs, NULL, 0);
	cr_assert_eq(target->struck, 1);
	cr_assert_eq(got_count(r, 0x25), 7);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_EXP_DATA_SN), 8);
}

Test(target_erl1, data_snack)
{
	struct raw *r = start();
	uint8_t bhs[T_BHS_LEN];

	lossy_read(r, 2);
	cr_expect_arr_neq(r->data, pattern, 16384);
	r->exp_stat_sn--; /* held back */
	make_snack(bhs, 0, 10, 2, 1);
	raw_send(r, bhs, NULL, 0);
	cr_assert_eq(r->count, 1);
	cr_expect_eq(t_get(r->got[0].bhs, T_DATA_SN), 2);
	cr_expect_eq(t_get(r->got[0].bhs, T_OFFSET), 4096);
	cr_expect_arr_eq(r->data, pattern, 16384);
	make_snack(bhs, 0, 10, 5, 0);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(got_count(r, 0x25), 3);
	r->exp_stat_sn++;
	raw_ack(r);
	cr_expect_eq(target->snacks[0], 2);
	raw_end();
}

Test(target_erl1, status_is_not_acknowledged_before_data)
{
	struct raw *r = start();

	lossy_read(r, 7);
	raw_ack(r);
	expect_violation("DataSN 7");
	raw_end();
}

Test(target_erl1, illegal_snacks)
{
	struct raw *r = start();
	uint8_t bhs[T_BHS_LEN];

	lossy_read(r, 0);
	r->exp_stat_sn--;
	make_snack(bhs, 0, 10, 7, 2);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 4);
	expect_violation("not sent");
	make_snack(bhs, 1, T_NO_TAG, r->exp_stat_sn + 9, 1);
	raw_send(r, bhs, NULL, 0);
	expect_violation("not sent");
	make_snack(bhs, 1, T_NO_TAG, r->exp_stat_sn - 1, 1);
	raw_send(r, bhs, NULL, 0);
	expect_violation("acknowledged");
	make_snack(bhs, 0, 99, 0, 0);
	raw_send(r, bhs, NULL, 0);
	expect_violation("unknown task");
	make_snack(bhs, 0, 10, 0, 1);
	raw_send(r, bhs, NULL, 0);
	cr_expect_arr_eq(r->data, pattern, 16384);
	raw_end();
}

Test(target_erl1, status_snack)
{
	struct raw *r = start();
	uint8_t bhs[T_BHS_LEN];
	uint32_t sn = r->exp_stat_sn;

	t_target_lose(target, T_TO_INITIATOR, 0x21);
	make_rw(bhs, false, 10, 512);
	raw_request(r, bhs, NULL, 0);
	cr_expect_eq(got_count(r, 0x21), 0);
	make_rw(bhs, false, 11, 512);
	raw_request(r, bhs, NULL, 0);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_STAT_SN), sn + 1);
	cr_expect_eq(r->exp_stat_sn, sn);
	make_snack(bhs, 1, T_NO_TAG, sn, 1);
	raw_send(r, bhs, NULL, 0);
	cr_assert_eq(r->count, 1);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_ITT), 10);
	r->exp_stat_sn = sn + 2;
	raw_ack(r);
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	t_target_lose(target, T_TO_INITIATOR, 0x21);
	make_rw(bhs, false, 12, 512);
	raw_request(r, bhs, NULL, 0);
	r->exp_stat_sn++;
	raw_ack(r);
	expect_violation("which has not arrived");
	raw_end();
}

Test(target_erl1, collapsed_status)
{
	struct raw *r;
	uint8_t bhs[T_BHS_LEN];

	options.collapse = true;
	r = start();
	t_target_fault(target,
		&(struct t_fault){T_TO_INITIATOR, 0x25, T_ANY, .flags = 0x01});
	make_rw(bhs, false, 10, 4096);
	raw_request(r, bhs, NULL, 0);
	cr_expect_eq(r->count, 1);
	make_snack(bhs, 1, T_NO_TAG, r->exp_stat_sn, 0);
	raw_send(r, bhs, NULL, 0);
	cr_assert_eq(r->count, 1);
	cr_expect(t_get(r->got[0].bhs, T_HAS_STATUS));
	cr_expect_arr_eq(r->data, pattern, 4096);
	raw_ack(r);
	raw_end();
}

Test(target_erl1, data_ack)
{
	struct raw *r = start();
	uint8_t bhs[T_BHS_LEN];
	uint32_t ttt;

	make_rw(bhs, false, 10, 16384);
	raw_request(r, bhs, NULL, 0);
	r->exp_stat_sn--;
	cr_assert(t_get(got(r, 0x25, 3), T_ACK));
	cr_expect_not(t_get(got(r, 0x25, 2), T_ACK));
	ttt = (uint32_t)t_get(got(r, 0x25, 3), T_TTT);
	make_snack(bhs, 2, T_NO_TAG, 4, 0);
	t_set(bhs, T_TTT, ttt);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(r->count, 0);
	make_snack(bhs, 0, 10, 0, 0);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(got_count(r, 0x25), 4, "only what is left");
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	make_snack(bhs, 0, 10, 3, 1);
	raw_send(r, bhs, NULL, 0);
	expect_violation("acknowledged data");
	make_snack(bhs, 2, T_NO_TAG, 4, 0);
	t_set(bhs, T_TTT, ttt);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 8);
	expect_violation("DataACK of 4, after 4");
	raw_end();
}

Test(target_erl1, r_data)
{
	struct raw *r = start();
	uint8_t bhs[T_BHS_LEN];
	uint32_t sn = r->exp_stat_sn;

	lossy_read(r, 1);
	r->exp_stat_sn = sn;
	t_make(bhs, 0x04);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_ITT, 20);
	raw_request(r, bhs, "MaxRecvDataSegmentLength=1024", 30);
	r->exp_stat_sn = sn;
	make_snack(bhs, 0, 10, 1, 1);
	raw_send(r, bhs, NULL, 0);
	expect_violation("MaxRecvDataSegmentLength changed");
	r->exp_stat_sn = sn;
	make_snack(bhs, 3, 10, 0, 0);
	t_set(bhs, T_TTT, 77);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(got_count(r, 0x25), 16);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_TTT), 77);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_STAT_SN), sn);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_EXP_DATA_SN), 16);
	cr_expect_arr_eq(r->data, pattern, 16384);
	raw_end();
}

Test(target_erl1, digest_errors)
{
	struct raw *r;
	uint8_t bhs[T_BHS_LEN], saved[T_BHS_LEN];

	raw[0].digests = true;
	raw_begin();
	r = raw_login(0, 1, 0);
	/* In: the status that is damaged comes again. */
	t_target_spoil(target, T_TO_INITIATOR, 0x25);
	make_rw(bhs, false, 10, 512);
	raw_request(r, bhs, NULL, 0);
	cr_assert(r->got[0].bad);
	r->exp_stat_sn--;
	make_snack(bhs, 0, 10, 0, 1);
	raw_send(r, bhs, NULL, 0);
	cr_expect_arr_eq(r->data, pattern, 512);
	r->exp_stat_sn++;
	/* Out: the command's place stays open, and a retry fills it. */
	t_target_spoil(target, T_FROM_INITIATOR, 0x01);
	make_rw(bhs, true, 11, 1024);
	raw_request(r, bhs, pattern + 512, 1024);
	memcpy(saved, bhs, T_BHS_LEN);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 2);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_EXP_CMD_SN), cmd_sn - 1);
	make_rw(bhs, false, 12, 512);
	raw_request(r, bhs, NULL, 0);
	cr_expect_eq(r->count, 0, "it waits for its turn");
	raw_send(r, saved, pattern + 512, 1024);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_ITT), 11);
	cr_expect_eq(t_get(got(r, 0x21, 1), T_ITT), 12);
	cr_expect_eq(target->retries, 1);
	cr_expect_arr_eq(lun->memory, pattern + 512, 1024);
	raw_send(r, saved, pattern + 512, 1024);
	cr_expect_eq(r->count, 0, "not executed again");
	cr_expect_eq(target->commands, 3);
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	saved[40] = 1;
	raw_send(r, saved, pattern + 512, 1024);
	expect_violation("not the same PDU");
	raw_end();
}

Test(target_erl1, recovery_r2t)
{
	struct raw *r = start();
	uint8_t bhs[T_BHS_LEN], r2t[T_BHS_LEN];

	memset(lun->memory, 0, 8192);
	t_target_fault(target, &(struct t_fault){T_FROM_INITIATOR, 0x05, T_ANY,
				       .nth = 2, .effect = T_SPOIL_DATA});
	make_rw(bhs, true, 10, 8192);
	raw_request(r, bhs, NULL, 0);
	memcpy(r2t, got(r, 0x31, 0), T_BHS_LEN);
	make_snack(bhs, 0, 10, 0, 1);
	raw_send(r, bhs, NULL, 0);
	cr_expect_arr_eq(got(r, 0x31, 0) + 16, r2t + 16, 8, "the same again");
	answer_r2t(r, r2t, 4096);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 2);
	memcpy(r2t, got(r, 0x31, 0), T_BHS_LEN);
	cr_expect_eq(t_get(r2t, T_DATA_SN), 1);
	cr_expect_eq(t_get(r2t, T_OFFSET), 4096);
	cr_expect_eq(t_get(r2t, T_DESIRED), 4096);
	answer_r2t(r, r2t, 4096);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_EXP_DATA_SN), 2);
	cr_expect_arr_eq(lun->memory, pattern, 8192);
	raw_end();
}

/* Of unsolicited data, too, and of the last PDU of a sequence. */
Test(target_erl1, unsolicited_data_are_lost)
{
	struct raw *r;
	uint8_t bhs[T_BHS_LEN], r2t[T_BHS_LEN];
	unsigned n;

	options.initial_r2t = false;
	r = start();
	memset(lun->memory, 0, 4096);
	t_target_fault(target, &(struct t_fault){T_FROM_INITIATOR, 0x05, T_ANY,
				       .nth = 2, .effect = T_LOSE});
	make_rw(bhs, true, 10, 4096);
	t_set(bhs, T_FINAL, 0);
	raw_request(r, bhs, pattern, 2048);
	for (n = 0; n < 2; n++) {
		t_make(bhs, 0x05);
		t_set(bhs, T_FINAL, n == 1);
		t_set(bhs, T_ITT, 10);
		t_set(bhs, T_DATA_SN, n);
		t_set(bhs, T_OFFSET, 2048 + n * 1024);
		raw_send(r, bhs, pattern + 2048 + n * 1024, 1024);
	}
	cr_assert_eq(r->count, 1);
	memcpy(r2t, got(r, 0x31, 0), T_BHS_LEN);
	cr_expect_eq(t_get(r2t, T_OFFSET), 3072);
	answer_r2t(r, r2t, 4096);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_STATUS), 0);
	cr_expect_arr_eq(lun->memory, pattern, 4096);
	raw_end();
}

Test(target_erl1, like_lio)
{
	struct raw *r;
	uint8_t bhs[T_BHS_LEN];

	options.manner = T_LIKE_LIO;
	r = start();
	lossy_read(r, 7);
	r->exp_stat_sn--;
	make_snack(bhs, 0, 10, 7, 1);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 9);
	make_snack(bhs, 3, 10, 0, 0);
	t_set(bhs, T_TTT, 5);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 4);
	make_snack(bhs, 0, 10, 7, 0);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(got_count(r, 0x25), 1);
	cr_expect(t_get(got(r, 0x25, 0), T_ACK));
	cr_expect_arr_eq(r->data, pattern, 16384);
	raw_end();
}

/* The bits flip on the wire itself: what came is not believed. */
Test(target_erl1, noisy_wire)
{
	struct addr at = t_addr("10.0.0.1:3260");
	struct raw *r;
	uint8_t bhs[T_BHS_LEN];

	raw[0].digests = true;
	raw_begin();
	r = raw_login(0, 1, 0);
	target->noisy = true;
	t_wire_at(&at)->way[T_OUT].flip_at = r->sent + T_BHS_LEN + 100;
	make_rw(bhs, true, 10, 1024);
	raw_request(r, bhs, pattern + 512, 1024);
	cr_assert_eq(r->count, 1);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 2);
	cr_expect_eq(target->commands, 0);
	raw_send(r, bhs, pattern + 512, 1024);
	cr_expect_eq(t_get(got(r, 0x21, 0), T_STATUS), 0);
	cr_expect_arr_eq(lun->memory, pattern + 512, 1024);
	raw_end();
}

Test(target_erl1, level_0_has_no_snack)
{
	struct raw *r;
	uint8_t bhs[T_BHS_LEN];

	options.error_recovery_level = 0;
	r = start();
	make_snack(bhs, 1, T_NO_TAG, r->exp_stat_sn, 0);
	raw_send(r, bhs, NULL, 0);
	cr_expect_eq(t_get(got(r, 0x3f, 0), T_RESPONSE), 5);
	expect_violation("ErrorRecoveryLevel 0");
	raw_end();
}
