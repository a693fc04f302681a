/* SPDX-License-Identifier: BSD-2-Clause */
/* What people write: lines at the control socket, a configuration file. */
#include <json-c/json.h>
#include <string.h>
#include <sys/uio.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/settings.h>

#include "daemon/control/peer.h"
#include "tests/alloc/alloc.h"
#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"

/* Control */

static unsigned carried_out; /* commands */

static void echo(
	void *arg, struct control_call *call, struct json_object *request)
{
	struct json_object *reply = json_object_new_object();

	(void)arg;
	carried_out++;
	json_object_object_add(reply, "paths",
		json_object_new_int64(control_number(request, "paths", 1)));
	control_reply(call, reply);
}

static const struct control_command commands[] = {
	{.name = "status", .run = echo},
	{0},
};

static void on_closed(void *owner, struct peer *p)
{
	struct peer **slot = owner;

	peer_free(p);
	*slot = NULL;
}

static void converse(struct loop *loop, struct stream *client)
{
	static const char line[] = "{\"command\":\"status\",\"paths\":2}\n";

	for (unsigned i = 0; i < 3; i++) {
		struct iovec say = {(void *)line, sizeof line - 1};
		char in[4096] = "";
		struct iovec hear = {in, sizeof in - 1};

		carried_out = 0;
		(void)stream_writev(client, &say, 1);
		t_loop_run_for(loop, NS_PER_S);
		if (stream_readv(client, &hear, 1) <= 0)
			return;
		ALLOC_CHECK(strstr(in, "error") ||
			    (carried_out == 1 && strstr(in, "\"paths\":2")));
	}
}

void story_control(void)
{
	struct peer *peer = NULL;
	const struct peer_owner owner = {
		.commands = commands, .closed = on_closed, .owner = &peer};
	struct loop *loop = loop_new();
	struct addr at = t_addr("10.0.0.2:1");
	struct stream *s[2];

	log_setup(LOG_LEVEL_ERROR, false);
	t_stream_pair(loop, loop, &at, s);
	alloc_set(true);
	peer = peer_new(loop, s[1], &owner);
	if (peer)
		converse(loop, s[0]);
	stream_abort(s[0]);
	t_loop_run_for(loop, NS_PER_S);
	peer_free(peer);
	alloc_set(false);
	loop_free(loop);
}

/* Configuration */

static const char text[] =
	"[daemon]\n"
	"initiator-name = iqn.2003-01.org.example:host1\n"
	"[target array1]\n"
	"target = iqn.2003-01.org.example:array1\n"
	"portal = 10.0.1.10:3260\n"
	"portal = 10.0.2.10:3260\n"
	"[device db0]\n"
	"target = array1\n"
	"lun = 1\n"
	"policy = failover\n"
	"nbd = unix:/run/umpio/db0.sock\n"
	"nbd = tcp:127.0.0.1:10809\n"
	"[device db1]\n"
	"url = iscsi://10.0.0.1/iqn.2003-01.org.example:t/1\n"
	"url = iscsi://10.0.0.2/iqn.2003-01.org.example:t/1\n"
	"fuse = /srv/db1.img\n";

void story_config(void)
{
	char why[256] = "";
	const struct section *device;
	struct settings *s;

	alloc_set(true);
	s = settings_parse(
		"umpio.conf", text, sizeof text - 1, why, sizeof why);
	alloc_set(false);
	ALLOC_CHECK(s || why[0]);
	if (!s)
		return;
	device = settings_find(s, SETTING_DEVICE, "db0");
	ALLOC_CHECK(device);
	ALLOC_CHECK(!strcmp(settings_text(s, device, SET_POLICY), "failover"));
	ALLOC_CHECK(settings_list(s, device, SET_NBD)[1]);
	ALLOC_CHECK(settings_find(s, SETTING_DEVICE, "db1"));
	settings_free(s);
}
