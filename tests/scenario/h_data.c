/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile classes 21 to 30: data nobody asked for, answers that contradict
 * themselves, and what comes unasked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/sense.h>

#include "tests/scenario/s_rig.h"

#define DATA_IN  0x25
#define SCSI_RSP 0x21
#define R2T      0x31

static uint8_t zeroes[65536];

static void begin(bool write)
{
	s_init();
	W.disk.blocks = 4096;
	W.config.timeouts.ping_interval = 0;
	s_up();
	W.target->hold = true;
	if (write)
		s_write(0, 4096, 1);
	else
		s_read(0, 4096);
	s_pass(10);
}

static void data_in(uint32_t sn, uint32_t offset, uint32_t len, uint8_t flags)
{
	uint8_t bhs[T_BHS_LEN];

	s_make(bhs, DATA_IN, 0);
	t_set(bhs, T_FLAGS, flags);
	t_set(bhs, T_DATA_SN, sn);
	t_set(bhs, T_OFFSET, offset);
	s_inject(bhs, zeroes, len);
}

Test(scenario, h21_data_beyond_the_end)
{
	static const struct {
		uint32_t first, offset, len;
		const char *text;
	} cases[] = {
		{0, 0, 4097, "beyond the expected length"},
		{0, 0, 65536, "beyond the expected length"},
		{4096, 4096, 1, "beyond the expected length"},
		{0, 4096, 512, "BufferOffset"},
		{0, 0xfffffe00, 512, "BufferOffset"},
		{0, 0x80000000, 512, "BufferOffset"},
		{512, 0, 512, "BufferOffset"},
		{512, 511, 512, "BufferOffset"},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		begin(false);
		if (cases[i].first)
			data_in(0, 0, cases[i].first, 0);
		data_in(cases[i].first > 0, cases[i].offset, cases[i].len,
			0x80);
		s_breach(0, cases[i].text);
	}
}

/* Empty PDUs move nothing, however many there are. */
Test(scenario, h21_data_of_no_length)
{
	begin(false);
	for (unsigned i = 0; i < 1000; i++)
		data_in(i, 0, 0, 0);
	data_in(1000, 0, 4096, 0x81);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_end_with_breach();
	begin(false);
	data_in(0, 0, 0, 0x81);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -EBADMSG);
	s_end_with_breach();
}

Test(scenario, h22_data_for_a_write)
{
	begin(true);
	data_in(0, 0, 512, 0x80);
	s_breach(0, "Data-In for a task that reads nothing");
	begin(true);
	data_in(0, 0, 0, 0x81);
	s_breach(0, "Data-In for a task that reads nothing");
}

static void r2t(uint32_t sn, uint32_t offset, uint32_t len, uint32_t ttt)
{
	uint8_t bhs[T_BHS_LEN];

	s_make(bhs, R2T, 0);
	t_set(bhs, T_TTT, ttt);
	t_set(bhs, T_DATA_SN, sn);
	t_set(bhs, T_OFFSET, offset);
	t_set(bhs, T_DESIRED, len);
	s_inject(bhs, NULL, 0);
}

Test(scenario, h23_r2ts)
{
	static const struct {
		bool write;
		uint32_t offset, len;
		const char *text;
	} cases[] = {
		{false, 0, 512, "R2T for a task that writes nothing"},
		{true, 0, 0, "R2T for no data"},
		{true, 0, 262145, "R2T of a length that was not agreed"},
		{true, 0, 4097, "R2T beyond the expected length"},
		{true, 4096, 1, "R2T beyond the expected length"},
		{true, 0xffffffff, 2, "R2T beyond the expected length"},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		begin(cases[i].write);
		r2t(0, cases[i].offset, cases[i].len, 7);
		s_breach(0, cases[i].text);
	}
}

static void r2ts(uint32_t n)
{
	s_init();
	W.disk.blocks = 4096;
	W.options.max_outstanding_r2t = 2;
	s_up();
	W.wire->way[T_OUT].capacity = 4096;
	W.wire->way[T_OUT].rate = 100000;
	W.target->hold = true;
	s_write(0, 4096, 1);
	s_pass(200);
	for (uint32_t sn = 0; sn < n; sn++)
		r2t(sn, 0, 4096, sn + 7);
	s_breach(0, "R2T beyond MaxOutstandingR2T");
}

Test(scenario, h23_more_r2ts_than_agreed)
{
	r2ts(3);
	r2ts(1000);
}

Test(scenario, h23_r2t_after_the_end)
{
	s_init();
	W.disk.blocks = 4096;
	s_up();
	s_write(0, 4096, 1);
	s_wait_done();
	r2t(0, 0, 512, 7);
	s_wait_down();
	s_expect_reason("R2T for an unknown task");
	s_end_with_breach();
}

static void respond(uint8_t flags, uint32_t residual)
{
	uint8_t bhs[T_BHS_LEN];

	s_make(bhs, SCSI_RSP, 0);
	t_set(bhs, T_FLAGS, flags);
	t_set(bhs, T_RESIDUAL, residual);
	s_inject(bhs, NULL, 0);
}

Test(scenario, h24_residuals)
{
	static const uint32_t residuals[] = {1, 4095, 4097, 0xffffffff};

	for (unsigned i = 0; i < 4; i++) {
		begin(false); /* nothing has come */
		respond(0x82, residuals[i]);
		s_wait_done();
		s_expect(&W.commands[0], PATH_UNKNOWN, -EBADMSG);
		s_end_with_breach();
	}
	begin(true);
	respond(0x82, 4097);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -EBADMSG);
	s_end_with_breach();
	begin(true);
	respond(0x84, 0xffffffff); /* said, and seen by the owner */
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	cr_assert(W.commands[0].cmd.result.overflow);
	s_end_with_breach();
	begin(false);
	respond(0x86, 1);
	s_breach(0, "both overflow and underflow");
	begin(false); /* of a bidirectional command, which this is not */
	respond(0x98, 0);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -EBADMSG);
	s_end_with_breach();
}

/* A write is good only when its data have been asked for, and sent. */
static void begin_asked(uint32_t len)
{
	s_init();
	W.disk.blocks = 4096;
	W.options.initial_r2t = true;
	W.options.immediate_data = false;
	W.options.r2t_length = 4096;
	W.config.timeouts.ping_interval = 0;
	s_up();
	W.target->hold = true;
	s_edit(R2T, 0)->verdict = T_DROP;
	s_write(0, len, 1);
	s_pass(10);
}

static void false_good(void)
{
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -EBADMSG);
	s_end_with_breach();
}

Test(scenario, h24_good_without_the_data_of_a_write)
{
	static const struct {
		uint32_t asked;
		uint8_t flags;
		uint32_t residual;
	} cases[] = {
		{0, 0x80, 0},
		{0, 0x84, 512},
		{0, 0x82, 8191},
		{4096, 0x80, 0},
		{4096, 0x82, 4095},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		begin_asked(8192);
		if (cases[i].asked)
			r2t(0, 0, cases[i].asked, 7);
		s_pass(10);
		respond(cases[i].flags, cases[i].residual);
		false_good();
	}
	begin_asked(8192); /* what was not taken is told */
	r2t(0, 0, 4096, 7);
	s_pass(10);
	respond(0x82, 4096);
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	s_end_with_breach();
}

Test(scenario, h24_good_before_the_data_of_a_write_have_left)
{
	/* Asked for in the same breath */
	begin_asked(8192);
	r2t(0, 0, 8192, 7);
	respond(0x80, 0);
	false_good();
	/* Unsolicited, and still here */
	s_init();
	W.disk.blocks = 4096;
	W.options.initial_r2t = W.options.immediate_data = false;
	W.config.timeouts.ping_interval = 0;
	s_up();
	W.wire->way[T_OUT].capacity = 4096;
	W.wire->way[T_OUT].rate = 100000;
	W.target->hold = true;
	s_write(0, 65536, 1);
	s_pass(100);
	respond(0x80, 0);
	false_good();
}

Test(scenario, h25_status_before_the_end)
{
	begin(false);
	data_in(0, 0, 512, 0x01);
	s_breach(0, "Data-In with status that is not the final one");
}

Test(scenario, h26_check_condition_with_data)
{
	uint8_t bhs[T_BHS_LEN];

	begin(false);
	s_make(bhs, DATA_IN, 0);
	t_set(bhs, T_FLAGS, 0x81);
	t_set(bhs, T_STATUS, 2);
	t_set(bhs, T_DATA_SN, 0);
	t_set(bhs, T_OFFSET, 0);
	s_inject(bhs, zeroes, 4096);
	s_breach(0, "Data-In with CHECK CONDITION");
}

static const struct path_result *check(const void *data, uint32_t len)
{
	uint8_t bhs[T_BHS_LEN];

	begin(false);
	s_make(bhs, SCSI_RSP, 0);
	t_set(bhs, T_STATUS, 2);
	s_inject(bhs, data, len);
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	cr_assert_eq(W.commands[0].cmd.result.status, 2);
	return &W.commands[0].cmd.result;
}

Test(scenario, h27_sense_lengths)
{
	static const struct {
		uint16_t said;
		uint32_t len;
		uint16_t taken;
	} cases[] = {
		{0xffff, 20, 18},
		{20, 20, 18},
		{19, 20, 18},
		{0xffff, 2, 0},
		{0x8000, 65536, PATH_SENSE_MAX},
		{0, 20, 0},
	};
	uint8_t *data = calloc(1, 65536);

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		data[0] = (uint8_t)(cases[i].said >> 8);
		data[1] = (uint8_t)cases[i].said;
		cr_assert_eq(
			check(data, cases[i].len)->sense_len, cases[i].taken);
		s_end_with_breach();
	}
	free(data);
}

/* Fixed, descriptor, deferred, vendor's and none, of any length and content: an
 * action that is one, and no success. */
Test(scenario, h28_sense_of_all_kinds)
{
	uint8_t data[2 + 252];

	srandom(28);
	for (unsigned i = 0; i < 200; i++) {
		const struct path_result *r;
		uint16_t len = (uint16_t)(random() % 253);
		struct disposition d;

		for (unsigned n = 0; n < sizeof data; n++)
			data[n] = (uint8_t)random();
		data[0] = 0;
		data[1] = (uint8_t)len;
		data[2] = (uint8_t)(0x70 + i % 16);
		data[2 + 7] = i % 3 ? 255 : (uint8_t)random();
		r = check(data, 2u + len);
		cr_assert_eq(r->sense_len, len);
		(void)sense_decode(r->sense, r->sense_len);
		d = disposition_of(r->status, r->sense, r->sense_len);
		cr_assert(d.what != NULL);
		if (len < 3 || (data[2] & 0x7f) > 0x73)
			cr_assert_neq(d.action, DISPOSITION_OK);
		s_end_with_breach();
	}
}

static void reject(uint8_t reason, const void *data, uint32_t len)
{
	uint8_t bhs[T_BHS_LEN];

	begin(true);
	t_make(bhs, 0x3f);
	t_set(bhs, T_TTT, 0);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_RESPONSE, reason);
	t_conn_stamp(s_conn(), bhs, true);
	t_conn_send(s_conn(), bhs, data, len);
}

Test(scenario, h29_rejects)
{
	static const uint32_t lengths[] = {0, 1, 19, 20, 47};
	uint8_t foreign[T_BHS_LEN];

	for (unsigned i = 0; i < 5; i++) {
		reject(0x05, zeroes, lengths[i]);
		s_breach(0, "without a header");
	}
	memset(foreign, 0xff, sizeof foreign);
	reject(0x05, foreign, sizeof foreign);
	s_breach(0, "the target rejected a ");
	t_make(foreign, 0x01);
	t_set(foreign, T_ITT, 0x777);
	reject(0x09, foreign, sizeof foreign);
	s_breach(0, "the target rejected a SCSI Command");
	/* The tag of our command, in another request */
	begin(true);
	t_make(foreign, 0x02);
	t_set(foreign, T_ITT, s_tag(0));
	s_end();
	reject(0x05, foreign, sizeof foreign);
	s_breach(0, "the target rejected a Task Management Request");
}

Test(scenario, h30_async_messages)
{
	uint8_t event = 0;

	begin(true);
	do {
		if (event < 1 || event > 4)
			t_conn_async(s_conn(), event, 0xffff, 0xffff, 0xffff);
	} while (++event != 0);
	s_pass(10);
	cr_assert_eq(W.downs, 0);
	t_target_release(W.target);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_end();
}

/* The time to wait is what the key may be, an hour, and not a day. */
Test(scenario, h30_time_to_wait_without_end)
{
	for (uint8_t event = 2; event <= 3; event++) {
		begin(true);
		t_conn_async(s_conn(), event, 1, 0xffff, 0xffff);
		s_wait_down();
		s_expect(&W.commands[0], PATH_UNKNOWN, -ECONNRESET);
		cr_assert_eq(W.down.wait, 3600 * NS_PER_S);
		s_end();
	}
	s_init();
	W.disk.blocks = 4096;
	s_up();
	s_edit_field(0x26, 0, T_TIME2WAIT, 0xffff);
	path_stop(W.path, false);
	s_wait_down();
	cr_assert(W.down.wait <= 3600 * NS_PER_S);
	s_end();
}

/* A logout within no time, and within eighteen hours. */
Test(scenario, h30_logout_in_no_time)
{
	begin(true);
	t_conn_async(s_conn(), 1, 0, 0, 0);
	s_pass(100);
	cr_assert_eq(W.target->logouts, 1);
	s_wait_down();
	s_end();
	begin(true);
	t_conn_async(s_conn(), 1, 0, 0, 0xffff);
	t_target_release(W.target);
	s_wait_down();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.target->logouts, 1);
	s_end();
}
