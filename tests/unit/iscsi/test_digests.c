/* SPDX-License-Identifier: BSD-2-Clause */
/* What a login without digests says, and to whom. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/iscsi.h>
#include <umpio/loop.h>
#include <umpio/path.h>
#include <unistd.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define SECOND 1000000000ull

static void nothing(struct path *path)
{
	(void)path;
}

static void is_down(struct path *path, const struct path_down *why)
{
	(void)path;
	(void)why;
}

static const struct path_events events = {
	.up = nothing, .down = is_down, .leaving = nothing};

/* What stderr gets in two logins of one path at `host`. */
static void logins(const char *host, enum iscsi_digest header,
	enum iscsi_digest data, bool target_takes, char *text, size_t size)
{
	struct t_lun_options unit = {.blocks = 64};
	struct t_target_options options;
	struct iscsi_config config;
	char where[64];
	struct addr at;
	int fd[2], old = dup(STDERR_FILENO);
	struct loop *loop = loop_new();
	struct t_lun *lun = t_lun_new(&unit);
	struct t_target *target;
	struct path *path;
	struct pollfd ready;
	ssize_t n = 0;

	t_target_options_init(&options);
	options.header_digest = options.data_digest = target_takes;
	target = t_target_new(loop, lun, &options);
	snprintf(where, sizeof where, "%s:3260", host);
	at = t_addr(where);
	cr_assert_eq(t_target_listen(target, 0, &at), 0);
	iscsi_config_init(&config);
	config.initiator_name = "iqn.2003-01.org.example:host";
	config.target_name = options.name;
	snprintf(config.portals[0].host, sizeof config.portals[0].host, "%s",
		host);
	config.portals[0].port = 3260;
	config.nportals = 1;
	config.isid[0] = 0x80;
	config.offer.header_digest = header;
	config.offer.data_digest = data;
	path = iscsi_path_new(loop, &config);
	path->events = &events;
	cr_assert_eq(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	log_setup(LOG_LEVEL_INFO, true);
	for (int i = 0; i < 2; i++) {
		path_start(path);
		t_loop_run_for(loop, SECOND);
		path_stop(path, false);
		t_loop_run_for(loop, SECOND);
	}
	dup2(old, STDERR_FILENO);
	close(old);
	close(fd[1]);
	ready = (struct pollfd){.fd = fd[0], .events = POLLIN};
	if (poll(&ready, 1, 0) > 0)
		n = read(fd[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd[0]);
	cr_assert_eq(target->logins, 2);
	path_free(path);
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}

Test(digests, switched_off_is_told_once)
{
	char text[1024];

	logins("10.0.0.1", ISCSI_DIGEST_NONE, ISCSI_DIGEST_NONE, true, text,
		sizeof text);
	cr_assert_str_eq(text,
		"<6>10.0.0.1:3260: without header-digest and data-digest "
		"nobody notices what the network changes; set it to "
		"CRC32C,None in the configuration\n");
	logins("10.0.0.1", ISCSI_DIGEST_PREFER, ISCSI_DIGEST_NONE, true, text,
		sizeof text);
	cr_assert_not_null(
		strstr(text, "without data-digest nobody"), "%s", text);
}

Test(digests, a_target_without_them_is_a_warning)
{
	char text[1024];

	logins("10.0.0.1", ISCSI_DIGEST_PREFER, ISCSI_DIGEST_PREFER, false,
		text, sizeof text);
	cr_assert_eq(strncmp(text, "<4>10.0.0.1:3260: ", 18), 0, "%s", text);
	cr_assert_not_null(strstr(text, "the target refuses it"), "%s", text);
	cr_assert_eq(strchr(text, '\n')[1], '\0', "%s", text);
}

Test(digests, nothing_where_nothing_is_to_be_said)
{
	char text[1024];

	logins("10.0.0.1", ISCSI_DIGEST_PREFER, ISCSI_DIGEST_CRC32C, true, text,
		sizeof text);
	cr_assert_str_eq(text, "");
	logins("127.0.0.1", ISCSI_DIGEST_NONE, ISCSI_DIGEST_NONE, true, text,
		sizeof text);
	cr_assert_str_eq(text, "", "no network");
}
