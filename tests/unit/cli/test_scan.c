/* SPDX-License-Identifier: BSD-2-Clause */
/* Scanning a target whose paths are fakes over model LUNs. */
#include <criterion/criterion.h>
#include <daemon/cli/scan.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <tests/lib/t_lun.h>
#include <umpio/base/bytes.h>
#include <umpio/control.h>
#include <umpio/loop.h>
#include <umpio/path.h>
#include <umpio/scsi/lun.h>
#include <umpio/scsi/opcode.h>

/* The array: what REPORT LUNS says, and who answers at which LUN. */
static struct {
	struct t_lun *luns[4]; /* by number; NULL: login goes, no unit */
	uint8_t list[64];
	uint32_t list_len;
	unsigned busy;      /* so many times REPORT LUNS is refused */
	bool drop_list;     /* the connection ends in place of an answer */
	const char *refuse; /* a host that takes no login */
	unsigned logins, alive;
} array;

struct t_path {
	struct path path;
	struct loop *loop;
	struct t_nexus nexus;
	struct t_lun *lun;
	bool starting, up, stopping, refused;
	struct path_cmd *cmd;
	struct loop_task step;
};

static struct t_path *of(struct path *p)
{
	return (struct t_path *)p;
}

static void report_luns(struct path_cmd *cmd)
{
	uint32_t n = array.list_len < cmd->len ? array.list_len : cmd->len;
	if (array.busy) {
		array.busy--;
		cmd->result.status = SCSI_STATUS_BUSY;
		return;
	}
	memcpy(cmd->data, array.list, n);
	cmd->result.residual = cmd->len - n;
}

static void execute(struct t_path *p, struct path_cmd *cmd)
{
	struct t_lun_cmd c = {.cdb = cmd->cdb,
		.in = cmd->data,
		.in_len = cmd->direction == PATH_DATA_IN ? cmd->len : 0};
	t_lun_execute(&p->nexus, &c);
	cmd->result.status = c.status;
	cmd->result.residual = c.residual;
	cmd->result.overflow = c.overflow;
	cmd->result.sense_len = c.sense_len;
	memcpy(cmd->result.sense, c.sense, c.sense_len);
}

static void go_down(struct t_path *p, const char *reason)
{
	struct path_down why = {.was_up = p->up};
	strcpy(why.reason, reason);
	p->starting = p->up = p->stopping = false;
	p->path.events->down(&p->path, &why);
}

static void answer(struct t_path *p)
{
	struct path_cmd *cmd = p->cmd;
	p->cmd = NULL;
	cmd->result = (struct path_result){.outcome = PATH_DONE};
	bool list = cmd->cdb[0] == SCSI_REPORT_LUNS;
	if (p->stopping || (list && array.drop_list) || (!list && !p->lun)) {
		cmd->result.outcome = PATH_UNKNOWN;
		cmd->result.error = -ECONNRESET;
	} else if (list) {
		report_luns(cmd);
	} else {
		execute(p, cmd);
	}
	bool lost = cmd->result.outcome == PATH_UNKNOWN;
	cmd->done(cmd);
	if (lost && p->up)
		go_down(p, "connection reset");
}

static void step(void *arg)
{
	struct t_path *p = arg;
	if (p->cmd) {
		answer(p);
	} else if (p->stopping) {
		go_down(p, "stopped");
	} else if (p->starting && p->refused) {
		go_down(p, "login refused");
	} else if (p->starting) {
		p->starting = false;
		p->up = true;
		p->path.events->up(&p->path);
	}
}

static void t_start(struct path *path)
{
	array.logins++;
	of(path)->starting = true;
	loop_post(of(path)->loop, &of(path)->step);
}

static void t_stop(struct path *path, bool now)
{
	(void)now;
	if (!of(path)->up)
		return;
	of(path)->stopping = true;
	loop_post(of(path)->loop, &of(path)->step);
}

static void t_submit(struct path *path, struct path_cmd *cmd)
{
	cr_assert_null(of(path)->cmd);
	of(path)->cmd = cmd;
	loop_post(of(path)->loop, &of(path)->step);
}

static void t_free(struct path *path)
{
	struct t_path *p = of(path);
	cr_expect_not(p->up);
	loop_unpost(p->loop, &p->step);
	if (p->lun)
		t_nexus_fini(&p->nexus);
	array.alive--;
	free(p);
}

static void t_facts(const struct path *path, struct path_facts *facts)
{
	(void)path;
	*facts = (struct path_facts){0};
}

static const struct path_ops ops = {
	.start = t_start,
	.stop = t_stop,
	.submit = t_submit,
	.facts = t_facts,
	.free = t_free,
};

/* In place of the initiator's. */
struct path *iscsi_path_new(
	struct loop *loop, const struct iscsi_config *config)
{
	struct t_path *p = calloc(1, sizeof *p);
	int32_t number = lun_number(config->lun);
	cr_expect_eq(config->isid[0], 0x80);
	cr_expect_str_eq(config->target_name, "iqn.a:t");
	p->path.ops = &ops;
	p->loop = loop;
	p->lun = number >= 0 && number < 4 ? array.luns[number] : NULL;
	p->refused = array.refuse &&
		     strcmp(config->portals[0].host, array.refuse) == 0;
	if (p->lun)
		t_nexus_init(&p->nexus, p->lun, 1, 1, true);
	loop_task_init(&p->step, step, p);
	array.alive++;
	return &p->path;
}

static struct loop *loop;
static struct json_object *luns;
static char error[256];

static void on_scanned(void *arg, struct json_object *found, const char *why)
{
	(void)arg;
	luns = found;
	strcpy(error, why ? why : "");
	loop_stop(loop);
}

static void set_list(const uint8_t *numbers, unsigned n)
{
	memset(array.list, 0, sizeof array.list);
	put_be32(array.list, n * 8);
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(lun_encode(array.list + 8 + i * 8, numbers[i]), 0);
	array.list_len = 8 + n * 8;
}

static void setup(void)
{
	loop = loop_new();
	struct t_lun_options options = {.blocks = 2048, .naa = {0x60, 1, 2, 3}};
	array.luns[1] = t_lun_new(&options);
	set_list((uint8_t[]){1}, 1);
}

static void scan(void)
{
	struct iscsi_config like = {.initiator_name = "iqn.a:i"};
	struct iscsi_portal portals[2] = {{{"one", 3260}, 1}, {{"two", 1}, 1}};
	struct iscsi_target target = {"iqn.a:t", portals, 2};
	struct scan *s = scan_new(loop, &like, &target, on_scanned, NULL);
	memset(portals, 'x', sizeof portals);
	scan_start(s);
	loop_run(loop);
	scan_free(s);
	cr_expect_eq(array.alive, 0, "a path is left");
}

static void teardown(void)
{
	json_object_put(luns);
	t_lun_free(array.luns[1]);
	loop_free(loop);
}

TestSuite(scan, .init = setup, .fini = teardown, .timeout = 30);

static struct json_object *found(size_t i)
{
	return json_object_array_get_idx(luns, i);
}

Test(scan, shows_size_and_identity)
{
	scan();
	cr_expect_str_eq(error, "");
	cr_assert_eq(json_object_array_length(luns), 1);
	cr_expect_eq(control_number(found(0), "lun", -1), 1);
	cr_expect_eq(control_number(found(0), "size", -1), 1 << 20);
	cr_expect_eq(control_number(found(0), "block_size", -1), 512);
	cr_expect_eq(strncmp(control_text(found(0), "wwid"), "naa.6001", 8), 0);
	cr_expect_eq(array.logins, 2);
}

Test(scan, next_portal_when_the_first_refuses)
{
	array.refuse = "one";
	scan();
	cr_expect_str_eq(error, "");
	cr_assert_eq(json_object_array_length(luns), 1);
	cr_expect_eq(array.logins, 3, "the second portal is kept");
}

Test(scan, no_portal_takes_us)
{
	array.refuse = "one";
	array.drop_list = true;
	scan();
	cr_expect(strstr(error, "reset"), "%s", error);
	cr_expect_eq(json_object_array_length(luns), 0);
	cr_expect_eq(array.logins, 2);
}

Test(scan, busy_is_tried_again)
{
	array.busy = 2;
	scan();
	cr_expect_eq(json_object_array_length(luns), 1);
}

Test(scan, busy_for_ever_is_an_error)
{
	array.busy = 100;
	scan();
	cr_expect_str_eq(error, "REPORT LUNS: BUSY");
	cr_expect_eq(array.logins, 2);
}

/* One LUN that fails does not hide the others. */
Test(scan, dead_lun_among_living)
{
	set_list((uint8_t[]){2, 1, 3}, 3);
	scan();
	cr_expect_str_eq(error, "");
	cr_assert_eq(json_object_array_length(luns), 3);
	cr_expect(control_text(found(0), "error"));
	cr_expect_eq(control_number(found(1), "size", -1), 1 << 20);
	cr_expect_eq(control_number(found(2), "lun", -1), 3);
	cr_expect(control_text(found(2), "error"));
}

Test(scan, list_that_makes_no_sense)
{
	array.list_len = 3;
	scan();
	cr_expect(strstr(error, "REPORT LUNS"), "%s", error);
	cr_expect_eq(json_object_array_length(luns), 0);
}

Test(scan, list_longer_than_what_came)
{
	put_be32(array.list, 0xfffffff8);
	scan();
	cr_expect_eq(json_object_array_length(luns), 1);
	cr_expect_str_eq(error, "there are more LUNs than are shown");
}

Test(scan, no_luns)
{
	set_list(NULL, 0);
	scan();
	cr_expect_str_eq(error, "");
	cr_expect_eq(json_object_array_length(luns), 0);
}
