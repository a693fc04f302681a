/* SPDX-License-Identifier: BSD-2-Clause */
/* SendTargets: the answer's text is the input's, over one Text Response or
 * several; the first byte says how much each has. */
#include "tests/fuzz/fuzz_target.h"

#define TEXT_RSP 0x24

static unsigned told;

static void on_told(void *arg, int err, const struct iscsi_targets *targets,
	const char *reason)
{
	(void)arg;
	told++;
	FUZZ_CHECK((err < 0) == (reason != NULL));
	for (unsigned i = 0; targets && i < targets->ntargets; i++) {
		FUZZ_CHECK(iscsi_name_valid(targets->targets[i].name));
		FUZZ_CHECK(targets->targets[i].nportals > 0);
	}
}

static void answer(struct fuzz_target *t, struct cursor *c, size_t most)
{
	uint8_t bhs[48] = {TEXT_RSP};
	size_t len = c->left < most ? c->left : most;
	const uint8_t *text = cursor_take(c, len);

	bhs[1] = c->left ? 0 : 0x80;
	put_be24(bhs + 5, (uint32_t)len);
	put_be32(bhs + 16, t->tags[(t->requests - 1) % FUZZ_TAGS]);
	put_be32(bhs + 20, c->left ? 5 : 0xffffffff);
	put_be32(bhs + 24, t->stat_sn++);
	put_be32(bhs + 28, t->requests + 1);
	put_be32(bhs + 32, t->requests + 64);
	fuzz_target_pdu(t, bhs, text, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_target target;
	struct cursor c = cursor_over(data, size);
	size_t most = 1 + cursor_u8(&c) * 16u;
	struct loop *loop = loop_new();
	struct iscsi_discover *discover;
	struct iscsi_config config;

	log_setup(LOG_LEVEL_ERROR, false);
	fuzz_target_init(&target, loop);
	fuzz_target_config(&config);
	config.target_name = NULL;
	told = 0;
	discover = iscsi_discover(loop, &config, on_told, NULL);
	FUZZ_CHECK(discover);
	fuzz_target_run(&target, 8);
	for (unsigned n = 0; target.requests > n && n < 64;
		n = target.requests, fuzz_target_run(&target, 2)) {
		if (told)
			break;
		answer(&target, &c, most);
	}
	if (!told && target.stream) {
		/* It waits for the answer to its logout. */
		stream_abort(target.stream);
		target.stream = NULL;
	}
	t_loop_run_for(loop, 100 * NS_PER_S);
	FUZZ_CHECK(told == 1);
	fuzz_target_fini(&target);
	loop_free(loop);
	return 0;
}
