/* SPDX-License-Identifier: BSD-2-Clause */
/* SendTargets: the whole list, or an error and its reason; never a part. */
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/iscsi.h>

#include "tests/alloc/alloc.h"
#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define TARGETS 40

static unsigned told;

static void on_told(void *arg, int err, const struct iscsi_targets *list,
	const char *reason)
{
	(void)arg;
	ALLOC_CHECK(++told == 1);
	if (err) {
		ALLOC_CHECK(err < 0 && reason && *reason);
		return;
	}
	ALLOC_CHECK(list->ntargets == TARGETS);
	for (unsigned i = 0; i < TARGETS; i++) {
		char name[64];

		snprintf(name, sizeof name, "iqn.2026-01.org.example:t%u", i);
		ALLOC_CHECK(strcmp(list->targets[i].name, name) == 0);
		ALLOC_CHECK(list->targets[i].nportals == 2);
	}
}

void story_discover(void)
{
	const struct t_lun_options disk = {.blocks = 64, .naa = {0x60}};
	static char text[TARGETS * 128];
	struct t_target_options options;
	struct iscsi_discover *discover;
	struct iscsi_config config;
	struct t_target *target;
	struct loop *loop;
	struct t_lun *lun;
	struct addr at;
	size_t len = 0;

	for (unsigned i = 0; i < TARGETS; i++)
		len += (size_t)snprintf(text + len, sizeof text - len,
			"TargetName=iqn.2026-01.org.example:t%u%c"
			"TargetAddress=127.0.0.1:3260,1%c"
			"TargetAddress=127.0.0.2:3260,2%c",
			i, 0, 0, 0);
	log_setup(LOG_LEVEL_ERROR, false);
	t_target_options_init(&options);
	options.targets_text = text;
	options.targets_text_len = len;
	options.nportals = 1;
	options.portals[0] = (struct t_portal){"127.0.0.1:3260", 1};
	loop = loop_new();
	lun = t_lun_new(&disk);
	target = t_target_new(loop, lun, &options);
	ALLOC_CHECK(lun && target);
	at = t_addr("127.0.0.1:3260");
	ALLOC_CHECK(t_target_listen(target, 0, &at) == 0);
	iscsi_config_init(&config);
	config.initiator_name = "iqn.2026-01.org.example:alloc";
	config.nportals = 1;
	snprintf(config.portals[0].host, sizeof config.portals[0].host, "%s",
		"127.0.0.1");
	config.portals[0].port = 3260;
	config.isid[0] = 0x80;
	told = 0;
	alloc_set(true);
	discover = iscsi_discover(loop, &config, on_told, NULL);
	t_loop_run_for(loop, 300 * NS_PER_S);
	alloc_set(false);
	ALLOC_CHECK(told == (discover ? 1 : 0));
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}
