/* SPDX-License-Identifier: BSD-2-Clause */
/* A session that has logged in and has commands open; then its target says
 * what the input says. Whatever that is, every command ends once, and the path
 * can be stopped. */
#include <umpio/path.h>
#include <umpio/scsi/cdb.h>

#include "tests/fuzz/fuzz_target.h"

#define COMMANDS 6
#define BYTES    8192u
#define BLOCK    512u

static struct {
	struct path_cmd cmd;
	unsigned done;
	uint8_t *data;
} commands[COMMANDS];
static unsigned ups, downs;
static bool up;

static void on_up(struct path *path)
{
	(void)path;
	ups++;
	up = true;
}

static void on_down(struct path *path, const struct path_down *why)
{
	(void)path;
	FUZZ_CHECK(memchr(why->reason, '\0', sizeof why->reason));
	downs++;
	up = false;
}

static void on_leaving(struct path *path)
{
	(void)path;
}

static void on_done(struct path_cmd *cmd)
{
	unsigned *done = cmd->arg;

	(*done)++;
	FUZZ_CHECK(cmd->result.sense_len <= PATH_SENSE_MAX);
	FUZZ_CHECK(cmd->result.outcome != PATH_DONE || cmd->result.overflow ||
		   cmd->result.residual <= cmd->len);
}

static const struct path_events events = {
	.up = on_up, .down = on_down, .leaving = on_leaving};

static void submit(struct path *path, struct loop *loop, unsigned i)
{
	struct path_cmd *cmd = &commands[i].cmd;

	commands[i].done = 0;
	/* The exact size, so that the sanitizer sees what goes beyond. */
	commands[i].data = calloc(1, BYTES);
	*cmd = (struct path_cmd){
		.direction = (uint8_t)(i % 3),
		.len = i % 3 == PATH_NO_DATA ? 0 : BYTES,
		.data = commands[i].data,
		.deadline = loop_now(loop) + 5 * NS_PER_S,
		.done = on_done,
		.arg = &commands[i].done,
	};
	cmd->cdb[0] = i % 3 == PATH_DATA_OUT ? 0x8a : 0x88;
	cmd->cdb[13] = BYTES / BLOCK;
	path_submit(path, cmd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_target target;
	struct cursor c = cursor_over(data, size);
	struct iscsi_config config;
	struct loop *loop = loop_new();
	struct path *path;

	log_setup(LOG_LEVEL_ERROR, false);
	fuzz_target_init(&target, loop);
	fuzz_target_config(&config);
	config.timeouts.ping_interval = 0;
	path = iscsi_path_new(loop, &config);
	FUZZ_CHECK(path);
	path->events = &events;
	ups = downs = 0;
	path_start(path);
	fuzz_target_run(&target, 8);
	FUZZ_CHECK(up);
	for (unsigned i = 0; i < COMMANDS; i++)
		submit(path, loop, i);
	fuzz_target_run(&target, 2);
	for (unsigned i = 0; i < 40 && up; i++) {
		if (!fuzz_target_send(&target, &c))
			break;
		fuzz_target_run(&target, 1);
	}
	path_stop(path, true);
	t_loop_run_for(loop, NS_PER_S);
	for (unsigned i = 0; i < COMMANDS; i++) {
		FUZZ_CHECK(commands[i].done == 1);
		free(commands[i].data);
	}
	FUZZ_CHECK(!up && downs == ups);
	path_free(path);
	fuzz_target_fini(&target);
	loop_free(loop);
	return 0;
}
