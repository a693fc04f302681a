/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that ask and show. */
#include <json-c/json.h>
#include <limits.h>
#include <umpio/base/units.h>
#include <umpio/control.h>

#include "commands.h"
#include "render.h"

#define REPLY_TIMEOUT_MS 10000

static int show(struct cli *cli, void (*render)(struct json_object *reply))
{
	struct json_object *request = cli_request(cli->command->name);
	if (cli->args.nwords)
		cli_add(request, "device", cli->args.words[0]);
	return cli_show(cli, request, REPLY_TIMEOUT_MS, render);
}

int cmd_status(struct cli *cli)
{
	return show(cli, render_status);
}

int cmd_stats(struct cli *cli)
{
	return show(cli, render_stats);
}

/* An option that is a number from 1 to `max`, added to the request when given.
 * False: said that it is none. */
static bool add_number(struct cli *cli, struct json_object *request,
	const char *option, uint64_t max)
{
	const char *text = args_value(&cli->args, option);
	uint64_t number;
	if (!text)
		return true;
	if (units_u64(text, &number) || number < 1 || number > max) {
		cli_misuse(cli, "--%s: `%s` is not a number from 1 to %ju",
			option, text, (uintmax_t)max);
		return false;
	}
	control_add(request, option, json_object_new_int64((int64_t)number));
	return true;
}

int cmd_wait(struct cli *cli)
{
	struct json_object *request = cli_request("wait");
	cli_add(request, "device", cli->args.words[0]);
	if (!add_number(cli, request, "paths", 1024) ||
		!add_number(cli, request, "timeout", 1000000)) {
		json_object_put(request);
		return CLI_USAGE;
	}
	/* The daemon keeps the time. */
	return cli_show(cli, request, 0, NULL);
}
