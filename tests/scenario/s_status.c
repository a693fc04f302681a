/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 65 to 70: how a command ends: status, residual, sense, padding (RFC
 * 7143 11.4, 11.7). */
#include <errno.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/sense.h>

#include "tests/scenario/s_rig.h"

#define DATA_IN  0x25
#define SCSI_RSP 0x21

/* INQUIRY for `alloc` bytes (there are 96), with place for `len`. */
static struct s_command *inquiry(unsigned n, uint16_t alloc, uint32_t len)
{
	cdb_inquiry(W.commands[n].cmd.cdb, alloc);
	return s_command(n, PATH_DATA_IN, len);
}

Test(scenario, s065_status_with_the_last_data)
{
	struct s_command *c;

	s_init();
	W.options.collapse = true;
	s_up();
	c = inquiry(0, 255, 255);
	s_wait_done();
	s_expect(c, PATH_DONE, 0);
	cr_assert_eq(c->cmd.result.status, 0);
	cr_assert_eq(c->cmd.result.residual, 255 - 96);
	cr_assert(!c->cmd.result.overflow);
	/* A residual that does not fit what has come is no success. */
	s_edit_field(DATA_IN, 0, T_RESIDUAL, 10);
	c = inquiry(0, 255, 255);
	s_wait_done();
	s_expect(c, PATH_UNKNOWN, -EBADMSG);
	s_end();
}

Test(scenario, s065_status_that_is_not_final)
{
	s_init();
	W.options.collapse = true;
	s_edit_field(DATA_IN, 0, T_FLAGS, 0x01);
	s_up();
	s_read(0, 4096);
	s_breach(0, "Data-In with status that is not the final one");
}

Test(scenario, s066_good_with_data_missing)
{
	struct s_command *c;

	s_init();
	s_edit(DATA_IN, 1)->verdict = T_DROP;
	s_edit_field(SCSI_RSP, 0, T_EXP_DATA_SN, 0); /* not said */
	s_up();
	c = s_read(0, 262144 + 4096);
	s_wait_done();
	s_expect(c, PATH_UNKNOWN, -EBADMSG);
	s_end();
	s_init();
	s_edit(DATA_IN, 1)->verdict = T_DROP;
	s_up();
	s_read(0, 262144 + 4096);
	s_breach(0, "Data-In was lost (ExpDataSN)");
}

Test(scenario, s066_residuals_that_do_not_add_up)
{
	struct s_command *c;
	struct s_edit *e;

	s_init();
	s_up();
	/* Without U the field means nothing. */
	s_edit_field(SCSI_RSP, 0, T_RESIDUAL, 512);
	c = s_read(0, 4096);
	s_wait_done();
	s_expect_good(c);
	e = s_edit_field(SCSI_RSP, 0, T_RESIDUAL, 512);
	s_set(e, T_UNDER, 1);
	c = s_read(0, 4096);
	s_wait_done();
	s_expect(c, PATH_UNKNOWN, -EBADMSG);
	e = s_edit_field(SCSI_RSP, 0, T_RESIDUAL, 5000);
	s_set(e, T_UNDER, 1);
	c = s_write(0, 4096, 1);
	s_wait_done();
	s_expect(c, PATH_UNKNOWN, -EBADMSG);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(scenario, s067_more_than_the_buffer_takes)
{
	struct s_command *c;

	s_init();
	s_up();
	c = inquiry(0, 96, 36);
	s_wait_done();
	s_expect(c, PATH_DONE, 0);
	cr_assert(c->cmd.result.overflow);
	cr_assert_eq(c->cmd.result.residual, 60);
	s_edit_field(SCSI_RSP, 0, T_FLAGS, 0x86);
	s_read(0, 4096);
	s_breach(0, "both overflow and underflow");
}

/* What is left of CHECK CONDITION with such a data segment. */
static const struct path_result *sense_of(const void *data, uint32_t len)
{
	struct s_edit *e = s_edit_field(SCSI_RSP, 0, T_STATUS, 2);

	s_set_data(e, data, len);
	s_ready(0);
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	cr_assert_eq(W.commands[0].cmd.result.status, 2);
	W.nedits = 0;
	return &W.commands[0].cmd.result;
}

Test(scenario, s068_sense_of_every_length)
{
	static const uint16_t lengths[] = {0, 1, 8, 18, 96, 252};
	uint8_t data[2 + 300];

	s_init();
	s_up();
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)i;
	for (unsigned i = 0; i < 6; i++) {
		const struct path_result *r;

		put_be16(data, lengths[i]);
		r = sense_of(data, 2u + lengths[i]);
		cr_assert_eq(r->sense_len, lengths[i]);
		cr_assert_arr_eq(r->sense, data + 2, lengths[i]);
	}
	put_be16(data, 300);
	cr_assert_eq(sense_of(data, 302)->sense_len, PATH_SENSE_MAX);
	put_be16(data, 252); /* a lie: 18 are there */
	cr_assert_eq(sense_of(data, 20)->sense_len, 18);
	put_be16(data, 0xffff);
	cr_assert_eq(sense_of(data, 20)->sense_len, 18);
	put_be16(data, 18); /* more is there than it says */
	cr_assert_eq(sense_of(data, 100)->sense_len, 18);
	cr_assert_eq(sense_of(data, 1)->sense_len, 0);
	cr_assert_eq(sense_of(data, 0)->sense_len, 0);
	s_end();
}

Test(scenario, s068_sense_in_descriptors)
{
	static const uint8_t data[] = {0, 8, 0x72, 6, 0x29, 0x01, 0, 0, 0, 0};
	const struct path_result *r;
	struct sense sense;

	s_init();
	s_up();
	r = sense_of(data, sizeof data);
	sense = sense_decode(r->sense, r->sense_len);
	cr_assert(sense.valid);
	cr_assert_eq(sense.key, SENSE_UNIT_ATTENTION);
	cr_assert_eq(sense.asc, 0x29);
	cr_assert_eq(sense.ascq, 0x01);
	s_end();
}

Test(scenario, s068_sense_of_a_new_nexus)
{
	s_init();
	W.options.attention = true;
	s_up();
	s_ready(0);
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	cr_assert_eq(W.commands[0].cmd.result.sense_len, 18);
	cr_assert_eq(W.commands[0].cmd.result.sense[12], 0x29);
	s_ready(0);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_end();
}

Test(scenario, s069_target_failure)
{
	static const uint8_t responses[] = {0x01, 0x02, 0x80, 0xff};

	s_init();
	s_up();
	for (unsigned i = 0; i < 4; i++) {
		s_edit_field(SCSI_RSP, 0, T_RESPONSE, responses[i]);
		s_write(0, 4096, 1);
		s_wait_done();
		s_expect(&W.commands[0], PATH_UNKNOWN, -EREMOTEIO);
		cr_assert_eq(W.downs, 0);
		s_write(0, 4096, 1);
		s_wait_done();
		s_expect_good(&W.commands[0]);
	}
	s_end();
}

/* The digest is over the padding too: either side would notice. */
Test(scenario, s070_padding)
{
	struct s_command *c;

	for (unsigned digests = 0; digests < 2; digests++) {
		s_init();
		W.options.data_digest = W.options.header_digest = digests;
		s_up();
		for (uint32_t len = 1; len <= 9; len++) {
			c = inquiry(0, (uint16_t)len, len);
			s_wait_done();
			s_expect_good(c);
			/* An opcode that nobody has; the data comes all the
			 * same. */
			memset(c->cmd.cdb, 0, sizeof c->cmd.cdb);
			c->cmd.cdb[0] = 0xc1;
			s_command(0, PATH_DATA_OUT, len);
			s_wait_done();
			s_expect(c, PATH_DONE, 0);
			cr_assert_eq(c->cmd.result.status, 2);
		}
		s_end();
	}
}

Test(status, data_digest_error)
{
	struct path_counters counters;

	s_init();
	s_edit(DATA_IN, 0)->break_data = true;
	s_up();
	s_read(0, 4096);
	s_wait_down();
	path_counters(W.path, &counters);
	cr_assert_eq(counters.digest_errors, 1);
	s_breach(0, "data digest error in a");
}
