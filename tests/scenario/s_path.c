/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scenario/s_path.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE (60 * NS_PER_S)

struct s_world W;
static struct path_fence fence;

static void accepted(void *arg, struct stream *s)
{
	(void)arg;
	t_target_accept(W.target, s, W.options.portals[0].tpgt);
}

static void on_up(struct path *p)
{
	(void)p;
	W.ups++;
}

static void on_down(struct path *p, const struct path_down *why)
{
	(void)p;
	cr_assert_eq(W.open, 0, "down with %u commands open", W.open);
	W.downs++;
	W.down = *why;
}

static void on_leaving(struct path *p)
{
	(void)p;
	W.leavings++;
}

static const struct path_events events = {
	.up = on_up, .down = on_down, .leaving = on_leaving};

void s_init(void)
{
	memset(&W, 0, sizeof W);
	t_target_options_init(&W.options);
	W.options.lun = 1ull << 48;
	iscsi_config_init(&W.config);
	W.config.initiator_name = "iqn.2026-01.org.example:scenario";
	W.config.target_name = W.options.name;
	W.config.nportals = 1;
	strcpy(W.config.portals[0].host, "127.0.0.1");
	W.config.portals[0].port = 3260;
	W.config.lun[1] = 1;
	W.config.isid[0] = 0x80;
	W.config.isid[5] = 7;
}

void s_start(void)
{
	struct t_lun_options lun = {
		.blocks = (uint64_t)S_COMMANDS * S_DATA / 512};
	int err;

	W.loop = loop_new();
	W.at = t_addr("127.0.0.1:3260");
	W.wire = t_wire_at(&W.at);
	W.lun = t_lun_new(&lun);
	W.target = t_target_new(W.loop, W.lun, &W.options);
	W.target->hooks = &W.hooks;
	W.listener = stream_listen(W.loop, &W.at, 0, accepted, NULL, &err);
	cr_assert(W.listener);
	W.path = iscsi_path_new(W.loop, &W.config);
	cr_assert(W.path);
	W.path->events = &events;
	for (unsigned i = 0; i < S_COMMANDS; i++)
		W.commands[i].data = malloc(S_DATA);
}

static bool settled(void *arg)
{
	const unsigned *sum = arg;

	return W.ups + W.downs > *sum;
}

bool s_try(void)
{
	unsigned sum = W.ups + W.downs, ups = W.ups;

	path_start(W.path);
	cr_assert(t_loop_run_until(W.loop, settled, &sum, MINUTE));
	return W.ups > ups;
}

void s_up(void)
{
	s_start();
	cr_assert(s_try(), "%s", W.down.reason);
}

static bool is_down(void *arg)
{
	(void)arg;
	return W.downs > 0;
}

void s_wait_down(void)
{
	cr_assert(t_loop_run_until(W.loop, is_down, NULL, MINUTE));
}

static bool is_done(void *arg)
{
	(void)arg;
	return W.open == 0;
}

void s_wait_done(void)
{
	cr_assert(t_loop_run_until(W.loop, is_done, NULL, MINUTE));
}

void s_pass(uint64_t ms)
{
	t_loop_run_for(W.loop, ms * NS_PER_MS);
}

static void finish(void)
{
	unsigned sum = W.ups + W.downs;

	/* Whatever state it is in: nothing happens, or down follows. */
	path_stop(W.path, true);
	t_loop_run_until(W.loop, settled, &sum, NS_PER_S);
	path_free(W.path);
	stream_listener_free(W.listener);
	t_target_free(W.target);
	t_lun_free(W.lun);
	loop_free(W.loop);
	for (unsigned i = 0; i < S_COMMANDS; i++)
		free(W.commands[i].data);
}

void s_end(void)
{
	cr_assert_eq(W.target->violations, 0, "%s", W.target->violation);
	finish();
}

void s_end_with_breach(void)
{
	finish();
}

static void done(struct path_cmd *cmd)
{
	struct s_command *c = cmd->arg;

	c->done++;
	cr_assert_eq(c->done, 1);
	W.open--;
}

static struct s_command *submit(
	struct s_command *c, enum path_direction direction, uint32_t len)
{
	c->done = 0;
	c->cmd.direction = (uint8_t)direction;
	c->cmd.len = len;
	c->cmd.data = c->data;
	c->cmd.done = done;
	c->cmd.arg = c;
	W.open++;
	path_submit(W.path, &c->cmd);
	cr_assert_eq(c->done, 0, "done() from within path_submit()");
	return c;
}

struct s_command *s_read(unsigned n, uint32_t len)
{
	struct s_command *c = &W.commands[n];

	memset(c->data, 0xee, len);
	cdb_read(c->cmd.cdb, n * (S_DATA / 512), len / 512, 0);
	return submit(c, PATH_DATA_IN, len);
}

static uint8_t pattern(uint32_t at, uint8_t seed)
{
	return (uint8_t)(at * 7 + at / 251 + seed);
}

struct s_command *s_write(unsigned n, uint32_t len, uint8_t seed)
{
	struct s_command *c = &W.commands[n];

	for (uint32_t i = 0; i < len; i++)
		c->data[i] = pattern(i, seed);
	cdb_write(c->cmd.cdb, n * (S_DATA / 512), len / 512, 0);
	return submit(c, PATH_DATA_OUT, len);
}

struct s_command *s_ready(unsigned n)
{
	cdb_test_unit_ready(W.commands[n].cmd.cdb);
	return submit(&W.commands[n], PATH_NO_DATA, 0);
}

bool s_pattern_is(const struct s_command *c, uint32_t len, uint8_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		if (c->data[i] != pattern(i, seed))
			return false;
	return true;
}

void s_expect_good(const struct s_command *c)
{
	s_expect(c, PATH_DONE, 0);
	cr_assert_eq(c->cmd.result.status, 0);
	cr_assert_eq(c->cmd.result.residual, 0);
}

void s_expect(const struct s_command *c, enum path_outcome outcome, int error)
{
	const struct path_result *r = &c->cmd.result;

	cr_assert_eq(c->done, 1, "command %td is not done", c - W.commands);
	cr_assert_eq(r->outcome, outcome, "outcome %d error %d: %s", r->outcome,
		r->error, W.down.reason);
	cr_assert_eq(r->error, error, "error %d", r->error);
}

void s_expect_reason(const char *text)
{
	cr_assert(strstr(W.down.reason, text), "no \"%s\" in: %s", text,
		W.down.reason);
}

struct t_conn *s_conn(void)
{
	struct t_conn *c = t_target_conn(W.target, 0);

	cr_assert(c);
	return c;
}

static void fenced(struct path_fence *f, int err)
{
	(void)f;
	W.fences++;
	W.fence_err = err;
}

void s_fence(void)
{
	fence.done = fenced;
	path_fence(W.path, &fence);
	cr_assert_eq(W.fences, 0, "done() from within path_fence()");
}
