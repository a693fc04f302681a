/* SPDX-License-Identifier: BSD-2-Clause */
/* Logins: stages, status and keys of each Login Response are the input's. The
 * first byte says which credentials we have. */
#include <umpio/path.h>

#include "tests/fuzz/fuzz_target.h"

static unsigned ups, downs;

static void on_up(struct path *path)
{
	(void)path;
	ups++;
}

static void on_down(struct path *path, const struct path_down *why)
{
	(void)path;
	FUZZ_CHECK(memchr(why->reason, '\0', sizeof why->reason));
	downs++;
}

static void on_leaving(struct path *path)
{
	(void)path;
}

static const struct path_events events = {
	.up = on_up, .down = on_down, .leaving = on_leaving};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_target target;
	struct cursor c = cursor_over(data, size);
	uint8_t how = cursor_u8(&c);
	struct iscsi_config config;
	struct loop *loop = loop_new();
	struct path *path;

	log_setup(LOG_LEVEL_ERROR, false);
	fuzz_target_init(&target, loop);
	target.script = &c;
	fuzz_target_config(&config);
	config.timeouts.ping_interval = 0;
	if (how & 1)
		config.chap = (struct iscsi_chap){.user = "host1",
			.secret = "secretsecret1",
			.secret_len = 13};
	if ((how & 3) == 3) {
		config.chap.mutual_secret = "othersecret12";
		config.chap.mutual_secret_len = 13;
	}
	path = iscsi_path_new(loop, &config);
	FUZZ_CHECK(path);
	path->events = &events;
	ups = downs = 0;
	path_start(path);
	for (unsigned i = 0; i < 100 && downs == 0 && ups == 0; i++)
		fuzz_target_run(&target, 1);
	/* Nobody here knows the mutual secret. */
	FUZZ_CHECK((how & 3) != 3 || ups == 0);
	if (downs == 0)
		path_stop(path, true);
	t_loop_run_for(loop, NS_PER_S);
	FUZZ_CHECK(downs == 1);
	path_free(path);
	fuzz_target_fini(&target);
	loop_free(loop);
	return 0;
}
