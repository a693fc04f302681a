/* SPDX-License-Identifier: BSD-2-Clause */
/* A path, from login to logout, over the model target: what it sends breaks no
 * rule, what comes back is right, and a target that lies costs at most the
 * connection. */
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

#define SECOND   1000000000ull
#define COMMANDS 8
#define LENGTH   131072u /* bytes of each */

static struct loop *loop;
static struct t_lun *lun;
static struct t_target *target;
static struct t_target_options options;
static struct path *path;
static struct path_cmd cmds[COMMANDS];
static unsigned ups, downs, dones[COMMANDS];
static char reason[160];
static uint8_t written[COMMANDS * LENGTH], read_back[COMMANDS * LENGTH];

static void path_is_up(struct path *p)
{
	cr_expect_eq(p, path);
	ups++;
}

static void path_is_down(struct path *p, const struct path_down *why)
{
	cr_expect_eq(p, path);
	downs++;
	snprintf(reason, sizeof reason, "%s", why->reason);
}

static void path_is_leaving(struct path *p)
{
	cr_expect_eq(p, path);
}

static void cmd_done(struct path_cmd *cmd)
{
	dones[cmd - cmds]++;
}

static void configure(struct iscsi_config *config)
{
	iscsi_config_init(config);
	config->initiator_name = "iqn.2003-01.org.example:host";
	config->target_name = options.name;
	snprintf(config->portals[0].host, sizeof config->portals[0].host,
		"10.0.0.1");
	config->portals[0].port = 3260;
	config->nportals = 1;
	config->isid[0] = 0x80;
	if (options.chap_user) {
		config->chap.user = options.chap_user;
		config->chap.secret = options.chap_secret;
		config->chap.secret_len = strlen(options.chap_secret);
	}
	if (options.mutual_secret) {
		config->chap.mutual_user = options.mutual_user;
		config->chap.mutual_secret = options.mutual_secret;
		config->chap.mutual_secret_len = strlen(options.mutual_secret);
	}
}

static void begin(void)
{
	static const struct path_events events = {.up = path_is_up,
		.down = path_is_down,
		.leaving = path_is_leaving};
	struct t_lun_options unit = {.blocks = COMMANDS * LENGTH / 512};
	struct addr at = t_addr("10.0.0.1:3260");
	struct iscsi_config config;
	size_t i;

	for (i = 0; i < sizeof written; i++)
		written[i] = (uint8_t)(i * 31 + i / 255);
	memset(read_back, 0, sizeof read_back);
	ups = downs = 0;
	reason[0] = '\0';
	loop = loop_new();
	lun = t_lun_new(&unit);
	target = t_target_new(loop, lun, &options);
	cr_assert_eq(t_target_listen(target, 0, &at), 0);
	configure(&config);
	path = iscsi_path_new(loop, &config);
	path->events = &events;
	path_start(path);
	t_loop_run_for(loop, 3 * SECOND);
	cr_assert_eq(ups, 1, "%s", reason);
}

static void end(void)
{
	path_free(path);
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}

/* Submits all commands at once: writes, or reads of what they wrote. */
static void submit(bool write)
{
	unsigned i;

	memset(dones, 0, sizeof dones);
	for (i = 0; i < COMMANDS; i++) {
		uint8_t *data = write ? written : read_back;

		cmds[i] = (struct path_cmd){
			.cdb = {write ? 0x2a : 0x28, [4] = (uint8_t)i,
				[7] = LENGTH / 512 >> 8},
			.direction = write ? PATH_DATA_OUT : PATH_DATA_IN,
			.len = LENGTH,
			.data = data + i * LENGTH,
			.done = cmd_done,
		};
		path_submit(path, &cmds[i]);
	}
}

/* Each is over, once; those that claim success have their data where it
 * belongs. Returns their number. */
static unsigned check_ended(const char *what, bool write)
{
	unsigned i, good = 0;

	for (i = 0; i < COMMANDS; i++) {
		const struct path_result *r = &cmds[i].result;

		cr_assert_eq(dones[i], 1, "%s: command %u done %u times", what,
			i, dones[i]);
		if (r->outcome != PATH_DONE || r->status != 0 || r->residual)
			continue;
		good++;
		cr_assert_arr_eq((write ? lun->memory : read_back) + i * LENGTH,
			written + i * LENGTH, LENGTH, "%s: data", what);
	}
	return good;
}

static void write_and_read(const char *what)
{
	begin();
	submit(true);
	t_loop_run_for(loop, 20 * SECOND);
	cr_expect_eq(check_ended(what, true), COMMANDS, "%s", what);
	submit(false);
	t_loop_run_for(loop, 20 * SECOND);
	cr_expect_eq(check_ended(what, false), COMMANDS, "%s", what);
	path_stop(path, false);
	t_loop_run_for(loop, 20 * SECOND);
	cr_expect_eq(downs, 1);
	cr_expect_eq(target->logouts, 1);
	cr_expect_eq(target->violations, 0, "%s: %s", what, target->violation);
	end();
}

static void setup(void)
{
	t_target_options_init(&options);
}

TestSuite(path_model, .init = setup);

Test(path_model, common_target)
{
	write_and_read("common");
}

Test(path_model, every_way_of_writing)
{
	unsigned i;

	for (i = 0; i < 16; i++) {
		options.initial_r2t = i & 1;
		options.immediate_data = i & 2;
		options.header_digest = options.data_digest = i & 4;
		options.collapse = i & 8;
		options.max_outstanding_r2t = 1 + i % 5;
		write_and_read("ways");
	}
}

Test(path_model, narrow_target)
{
	options.first_burst_length = 512;
	options.max_burst_length = 1024;
	options.max_recv_data_segment_length = 700;
	options.window = 1;
	options.text_chunk = 8;
	write_and_read("narrow");
}

Test(path_model, chap)
{
	options.chap_user = "host1";
	options.chap_secret = "abcdefghijkl";
	write_and_read("one-way");
	options.mutual_user = "array1";
	options.mutual_secret = "mnopqrstuvwx";
	write_and_read("mutual");
}

/* One field of the next PDU of an opcode is a lie. */
struct lie {
	const char *name;
	uint8_t opcode;
	enum t_field field;
	uint32_t value;
	bool write;
};

static const struct lie *lie; /* NULL: it was told */

static enum t_verdict tell(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	(void)arg;
	if (!lie || c->state != T_FULL_FEATURE ||
		t_get(pdu->bhs, T_OPCODE) != lie->opcode)
		return T_PASS;
	t_set(pdu->bhs, lie->field, lie->value);
	lie = NULL;
	return T_PASS;
}

Test(path_model, lies)
{
	static const struct lie lies[] = {
		{"unknown opcode", 0x21, T_OPCODE, 0x3b, false},
		{"a request", 0x21, T_OPCODE, 0x01, false},
		{"response as R2T", 0x21, T_OPCODE, 0x31, true},
		{"response as Login Response", 0x21, T_OPCODE, 0x23, true},
		{"response as Logout Response", 0x21, T_OPCODE, 0x26, true},
		{"response as TMF Response", 0x21, T_OPCODE, 0x22, true},
		{"response as Text Response", 0x21, T_OPCODE, 0x24, true},
		{"response as Reject", 0x21, T_OPCODE, 0x3f, true},
		{"response to nobody", 0x21, T_ITT, 0x12345678, false},
		{"response without a tag", 0x21, T_ITT, T_NO_TAG, false},
		{"StatSN ahead", 0x21, T_STAT_SN, 0x7fffffff, false},
		{"StatSN behind", 0x21, T_STAT_SN, 0xfffffff0, false},
		{"both residuals", 0x21, T_FLAGS, 0x86, false},
		{"wild underflow", 0x21, T_FLAGS, 0x82, false},
		{"target failure", 0x21, T_RESPONSE, 1, true},
		{"vendor's response", 0x21, T_RESPONSE, 0x80, true},
		{"ExpDataSN", 0x21, T_EXP_DATA_SN, 99, false},
		{"window", 0x21, T_MAX_CMD_SN, 0, false},
		{"CHECK CONDITION without sense", 0x21, T_STATUS, 2, false},
		{"data to nobody", 0x25, T_ITT, 0x12345678, false},
		{"offset beyond the end", 0x25, T_OFFSET, LENGTH, false},
		{"offset beyond 2^31", 0x25, T_OFFSET, 0xfffffff0, false},
		{"offset", 0x25, T_OFFSET, 512, false},
		{"DataSN", 0x25, T_DATA_SN, 1, false},
		{"status at once", 0x25, T_FLAGS, 0x81, false},
		{"status, not final", 0x25, T_FLAGS, 0x01, false},
		{"R2T to nobody", 0x31, T_ITT, 0x12345678, true},
		{"R2T beyond the end", 0x31, T_OFFSET, LENGTH, true},
		{"R2T beyond 2^31", 0x31, T_OFFSET, 0xfffffff0, true},
		{"R2T for nothing", 0x31, T_DESIRED, 0, true},
		{"R2T above MaxBurstLength", 0x31, T_DESIRED, 0xffffffff, true},
		{"R2TSN", 0x31, T_DATA_SN, 7, true},
		{"R2T without a tag", 0x31, T_TTT, T_NO_TAG, true},
		{"R2T as Data-In", 0x31, T_OPCODE, 0x25, true},
		{"longest AHS", 0x21, T_AHS_WORDS, 255, false},
	};
	static const struct t_hooks hooks = {.tx = tell};
	unsigned i;

	options.max_outstanding_r2t = 2;
	options.header_digest = false;
	for (i = 0; i < sizeof lies / sizeof *lies; i++) {
		lie = NULL;
		begin();
		target->hooks = &hooks;
		submit(true);
		t_loop_run_for(loop, 20 * SECOND);
		cr_assert_eq(check_ended("before", true), COMMANDS);
		if (lies[i].write)
			memset(lun->memory, 0, sizeof written);
		lie = &lies[i];
		submit(lies[i].write);
		t_loop_run_for(loop, 5 * SECOND);
		cr_assert_null(lie, "%s: never told", lies[i].name);
		path_stop(path, true);
		t_loop_run_for(loop, 5 * SECOND);
		check_ended(lies[i].name, lies[i].write);
		cr_expect_eq(downs, 1, "%s", lies[i].name);
		end();
	}
}

/* The connection is reset while writes wait for their data to be asked for. */
Test(path_model, reset_in_flight)
{
	begin();
	target->hold = true;
	submit(true);
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(dones[0], 0);
	t_conn_end(t_target_conn(target, 0), true);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(check_ended("reset", true), 0);
	cr_expect_eq(cmds[0].result.outcome, PATH_UNKNOWN);
	cr_expect_eq(downs, 1);
	cr_expect_str_neq(reason, "");
	path_start(path);
	t_loop_run_for(loop, 5 * SECOND);
	cr_expect_eq(ups, 2, "%s", reason);
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	path_stop(path, true);
	t_loop_run_for(loop, SECOND);
	end();
}

/*
 * Injected faults
 */
static int inject(enum path_fault_kind kind, uint64_t value, bool in, bool out)
{
	const struct path_fault fault = {
		.kind = (uint8_t)kind, .value = value, .in = in, .out = out};

	return path_fault(path, &fault);
}

static void come_back(void)
{
	unsigned before = ups;

	path_start(path);
	t_loop_run_for(loop, 3 * SECOND);
	cr_assert_eq(ups, before + 1, "%s", reason);
}

static void finish(void)
{
	path_stop(path, true);
	t_loop_run_for(loop, SECOND);
	end();
}

Test(path_model, fault_drop)
{
	begin();
	submit(true);
	t_loop_run_for(loop, SECOND / 100000);
	cr_assert_eq(inject(PATH_FAULT_DROP, 0, true, true), 0);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(downs, 1);
	cr_expect_not_null(strstr(reason, "injected"), "%s", reason);
	check_ended("drop", true);
	cr_expect_eq(inject(PATH_FAULT_DROP, 0, true, true), -ENOTCONN);
	come_back();
	finish();
}

/* What is held back goes on its way when the hole closes in time. */
Test(path_model, fault_blackhole_that_ends)
{
	for (int way = 1; way < 4; way++) {
		begin();
		cr_assert_eq(
			inject(PATH_FAULT_BLACKHOLE, 0, way & 1, way & 2), 0);
		submit(true);
		t_loop_run_for(loop, SECOND);
		cr_expect_eq(dones[0], 0);
		cr_assert_eq(inject(PATH_FAULT_OFF, 0, true, true), 0);
		t_loop_run_for(loop, SECOND);
		cr_expect_eq(check_ended("blackhole", true), COMMANDS);
		cr_expect_eq(target->violations, 0);
		finish();
	}
}

/* It outlives the connection, and swallows attempts to connect. */
Test(path_model, fault_blackhole_outlives_a_reconnect)
{
	struct path_facts facts;

	begin();
	cr_assert_eq(inject(PATH_FAULT_BLACKHOLE, 0, true, true), 0);
	submit(true);
	path_stop(path, true);
	t_loop_run_for(loop, SECOND);
	check_ended("blackhole", true);
	cr_expect_eq(lun->writes, 0, "what was held back never left");
	path_start(path);
	t_loop_run_for(loop, 20 * SECOND);
	cr_expect_eq(downs, 2);
	cr_expect_not_null(strstr(reason, "timed out"), "%s", reason);
	path_facts(path, &facts);
	cr_expect_eq(facts.fault_in.kind, PATH_FAULT_BLACKHOLE);
	path_start(path);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(ups, 1);
	cr_assert_eq(inject(PATH_FAULT_OFF, 0, true, true), 0);
	t_loop_run_for(loop, SECOND);
	cr_expect_eq(ups, 2, "the attempt that was swallowed goes on");
	finish();
}

Test(path_model, fault_delay)
{
	begin();
	submit(true);
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(inject(PATH_FAULT_DELAY, SECOND / 10, true, true), 0);
	submit(false);
	t_loop_run_for(loop, SECOND / 10);
	cr_expect_eq(dones[0], 0);
	t_loop_run_for(loop, 3 * SECOND);
	cr_expect_eq(check_ended("delay", false), COMMANDS);
	cr_assert_eq(inject(PATH_FAULT_OFF, 0, true, true), 0);
	submit(false);
	t_loop_run_for(loop, SECOND / 20);
	cr_expect_eq(check_ended("no delay", false), COMMANDS);
	finish();
}

Test(path_model, fault_corrupt)
{
	struct path_counters counters;
	struct path_facts facts;

	begin();
	cr_assert_eq(inject(PATH_FAULT_CORRUPT_HEADER, 0, true, false), 0);
	submit(false);
	t_loop_run_for(loop, SECOND);
	check_ended("corrupt", false);
	path_counters(path, &counters);
	cr_expect_eq(counters.digest_errors, 1);
	path_facts(path, &facts);
	cr_expect_eq(facts.fault_in.kind, PATH_FAULT_OFF, "it has struck");
	cr_expect_eq(
		inject(PATH_FAULT_CORRUPT_DATA, 0, true, false), -ENOTCONN);
	come_back();
	finish();
}
