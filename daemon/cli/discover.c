/* SPDX-License-Identifier: BSD-2-Clause */
/* umpio discover: SendTargets at a portal, or what an iSNS server lists, and
 * the LUNs of what it names. Needs no daemon, and runs on a loop of its own. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/control.h>
#include <umpio/iscsi.h>
#include <umpio/isns.h>
#include <umpio/loop.h>
#include <umpio/settings.h>

#include "commands.h"
#include "render.h"
#include "scan.h"

struct discovery {
	struct cli *cli;
	struct loop *loop;
	struct iscsi_config config;
	char initiator[ISCSI_NAME_MAX + 1];
	char *secret;
	size_t secret_len;
	struct iscsi_discover *asking;
	struct isns *isns; /* asked instead of a portal */
	bool by_isns;
	bool with_chap;      /* the discovery session too */
	struct scan **scans; /* one a target, the next when one is done */
	unsigned nscans, at;
	struct json_object *targets, *reply;
	int status;
};

static void stop(struct discovery *d, int status)
{
	d->status = status;
	loop_stop(d->loop);
}

/* One target at a time: some arrays take few logins at once. */
static void scan_next(struct discovery *d)
{
	if (d->at < d->nscans)
		scan_start(d->scans[d->at]);
	else
		stop(d, CLI_DONE);
}

static void on_scanned(void *arg, struct json_object *luns, const char *error)
{
	struct discovery *d = arg;
	struct json_object *target =
		json_object_array_get_idx(d->targets, d->at);
	control_add(target, "luns", luns);
	if (error)
		cli_add(target, "error", error);
	d->at++;
	scan_next(d);
}

static struct json_object *describe(const struct iscsi_target *target)
{
	struct json_object *o = json_object_new_object(), *portals;
	cli_add(o, "target", target->name);
	portals = control_add(o, "portals", json_object_new_array());
	for (unsigned i = 0; i < target->nportals; i++) {
		const struct iscsi_portal *portal = &target->portals[i];
		struct json_object *p = json_object_new_object();
		char text[ENDPOINT_TEXT_MAX];
		cli_add(p, "portal", endpoint_text(&portal->at, text));
		control_add(p, "tpgt", json_object_new_int64(portal->tpgt));
		control_append(portals, p);
	}
	return o;
}

static int add_targets(struct discovery *d, const struct iscsi_targets *targets)
{
	d->scans = calloc(targets->ntargets + 1, sizeof *d->scans);
	if (!d->scans)
		return -ENOMEM;
	for (unsigned i = 0; i < targets->ntargets; i++) {
		const struct iscsi_target *target = &targets->targets[i];
		d->scans[i] =
			scan_new(d->loop, &d->config, target, on_scanned, d);
		if (!d->scans[i])
			return -ENOMEM;
		d->nscans++;
		if (!control_append(d->targets, describe(target)))
			return -ENOMEM;
	}
	return 0;
}

static int ask(struct discovery *d);

static void on_discovered(void *arg, int err,
	const struct iscsi_targets *targets, const char *reason)
{
	struct discovery *d = arg;
	d->asking = NULL;
	if (err == -EACCES && !d->by_isns && d->config.chap.user &&
		!d->with_chap) {
		d->with_chap = true;
		err = ask(d);
		if (!err)
			return;
		reason = strerror(-err);
	}
	if (!err && (err = add_targets(d, targets)))
		reason = strerror(-err);
	if (err)
		stop(d, cli_fail(d->cli, CLI_FAILED, "%s", reason));
	else
		scan_next(d);
}

static int ask_isns(struct discovery *d)
{
	const struct isns_config config = {
		.server = d->config.portals[0],
		.initiator_name = d->initiator,
	};
	d->isns = isns_new(d->loop, &config, on_discovered, d);
	return d->isns ? 0 : -ENOMEM;
}

/* Without CHAP first: many targets want it of normal sessions only, and refuse
 * a discovery session that offers nothing else. */
static int ask(struct discovery *d)
{
	struct iscsi_config config = d->config;
	if (!d->with_chap)
		config.chap = (struct iscsi_chap){0};
	scan_isid(d->loop, config.isid);
	d->asking = iscsi_discover(d->loop, &config, on_discovered, d);
	return d->asking ? 0 : -ENOMEM;
}

/* CHAP user and secret come together or not at all. */
static int configure_chap(struct discovery *d)
{
	const char *user = args_value(&d->cli->args, "chap-user");
	const char *file = args_value(&d->cli->args, "chap-secret-file");
	char why[512];
	if (!user != !file)
		return cli_misuse(d->cli,
			"--chap-user and --chap-secret-file belong together");
	if (!user)
		return CLI_DONE;
	if (secret_read(file, &d->secret, &d->secret_len, why, sizeof why))
		return cli_fail(d->cli, CLI_USAGE, "%s", why);
	d->config.chap.user = user;
	d->config.chap.secret = d->secret;
	d->config.chap.secret_len = d->secret_len;
	return CLI_DONE;
}

static int configure(struct discovery *d)
{
	const char *portal = d->cli->args.words[0];
	const char *name = args_value(&d->cli->args, "initiator-name");
	char why[512];
	iscsi_config_init(&d->config);
	if (endpoint_parse(&d->config.portals[0], portal, strlen(portal),
		    d->by_isns ? ISNS_PORT : ISCSI_PORT))
		return cli_misuse(
			d->cli, "`%.128s` is not HOST[:PORT]", portal);
	d->config.nportals = 1;
	if (initiator_name_find(name, d->initiator, why, sizeof why))
		return cli_fail(d->cli, CLI_USAGE, "%s", why);
	d->config.initiator_name = d->initiator;
	return configure_chap(d);
}

static int run(struct discovery *d)
{
	int status = configure(d);
	if (status != CLI_DONE)
		return status;
	if (d->by_isns ? ask_isns(d) : ask(d))
		return cli_fail(d->cli, CLI_FAILED, "%s", strerror(ENOMEM));
	loop_run(d->loop);
	if (d->status != CLI_DONE)
		return d->status;
	if (d->cli->json)
		return cli_print_json(d->reply);
	if (!control_whole(d->reply))
		return cli_fail(d->cli, CLI_FAILED, "%s", strerror(ENOMEM));
	render_targets(d->reply);
	return CLI_DONE;
}

static void discovery_fini(struct discovery *d)
{
	for (unsigned i = 0; i < d->nscans; i++)
		scan_free(d->scans[i]);
	free(d->scans);
	iscsi_discover_cancel(d->asking);
	isns_free(d->isns);
	json_object_put(d->reply);
	secret_free(d->secret, d->secret_len);
	loop_free(d->loop);
}

int cmd_discover(struct cli *cli)
{
	/* What matters of it stands in the answer. */
	log_setup(LOG_LEVEL_ERROR, false);
	struct discovery d = {
		.cli = cli,
		.loop = loop_new(),
		.by_isns = args_value(&cli->args, "isns") != NULL,
		.reply = json_object_new_object(),
	};
	d.targets = control_add(d.reply, "targets", json_object_new_array());
	int status = d.loop ? run(&d)
			    : cli_fail(cli, CLI_FAILED, "%s", strerror(errno));
	discovery_fini(&d);
	return status;
}
