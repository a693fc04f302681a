/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/isns.h>
#include <umpio/scsi/lun.h>

#include "plan_frontend.h"
#include "plan_mpio.h"
#include "plan_path.h"

/* What is at hand while a plan is made. */
struct draft {
	const struct settings *settings;
	const struct section *device;
	const struct plan_context *context;
	char initiator[ISCSI_NAME_MAX + 1];
	struct plan *plan;
	char *why;
	size_t why_size;
};

static int refuse(struct draft *d, const char *key, const char *cause)
{
	snprintf(d->why, d->why_size, "device %s: %s: %s", d->device->name, key,
		cause);
	return -EINVAL;
}

static int out_of_memory(struct draft *d)
{
	snprintf(d->why, d->why_size, "device %s: out of memory",
		d->device->name);
	return -ENOMEM;
}

/* The secret in the file that setting `id` names, if it names one. */
static int draft_secret(
	struct draft *d, enum setting id, const char **secret, size_t *len)
{
	const char *file = settings_text(d->settings, d->device, id);
	char why[256], *text = NULL;

	if (!file)
		return 0;
	if (secret_read(file, &text, len, why, sizeof why) < 0)
		return refuse(d, setting_info(id)->key, why);
	*secret = text;
	if (*len < ISCSI_SECRET_MIN)
		return refuse(d, setting_info(id)->key,
			"a CHAP secret has at least 12 bytes (RFC 7143 "
			"12.1.3)");
	return 0;
}

static int draft_chap(struct draft *d, struct plan_path *path, const char *user)
{
	struct iscsi_chap *chap = &path->config.chap;
	int err;

	if (!user)
		user = settings_text(d->settings, d->device, SET_CHAP_USER);
	chap->user = plan_path_keep(path, user);
	chap->mutual_user = plan_path_keep(path,
		settings_text(d->settings, d->device, SET_MUTUAL_CHAP_USER));
	err = draft_secret(
		d, SET_CHAP_SECRET_FILE, &chap->secret, &chap->secret_len);
	if (err < 0)
		return err;
	err = draft_secret(d, SET_MUTUAL_CHAP_SECRET_FILE, &chap->mutual_secret,
		&chap->mutual_secret_len);
	if (err < 0)
		return err;
	if (chap->secret && !chap->user)
		return refuse(
			d, "chap-user", "missing beside chap-secret-file");
	if (chap->user && !chap->secret)
		return refuse(d, "chap-secret-file",
			"missing beside chap-user; give --chap-secret-file");
	if (chap->mutual_secret && !chap->secret)
		return refuse(d, "mutual-chap-secret-file",
			"mutual CHAP needs chap-user and chap-secret-file too");
	if (chap->mutual_secret &&
		chap->secret_len == chap->mutual_secret_len &&
		memcmp(chap->secret, chap->mutual_secret, chap->secret_len) ==
			0)
		return refuse(d, "mutual-chap-secret-file",
			"the secrets of the two directions must differ");
	return 0;
}

static int draft_digest(struct draft *d, enum setting id, enum iscsi_digest *to)
{
	static const struct {
		const char *text;
		enum iscsi_digest digest;
	} offers[] = {
		{"CRC32C,None", ISCSI_DIGEST_PREFER},
		{"CRC32C", ISCSI_DIGEST_CRC32C},
		{"None", ISCSI_DIGEST_NONE},
	};
	const char *text = settings_text(d->settings, d->device, id);

	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		if (strcmp(text, offers[i].text) == 0) {
			*to = offers[i].digest;
			return 0;
		}
	}
	return refuse(d, setting_info(id)->key,
		"takes CRC32C,None or CRC32C or None");
}

static int draft_offer(struct draft *d, struct iscsi_offer *offer)
{
	const struct {
		enum setting id;
		uint32_t *to;
	} numbers[] = {
		{SET_FIRST_BURST_LENGTH, &offer->first_burst_length},
		{SET_MAX_BURST_LENGTH, &offer->max_burst_length},
		{SET_MAX_RECV_DATA_SEGMENT_LENGTH,
			&offer->max_recv_data_segment_length},
		{SET_MAX_OUTSTANDING_R2T, &offer->max_outstanding_r2t},
		{SET_MAX_CONNECTIONS, &offer->max_connections},
		{SET_ERROR_RECOVERY_LEVEL, &offer->error_recovery_level},
		{SET_DEFAULT_TIME2WAIT, &offer->default_time2wait},
		{SET_DEFAULT_TIME2RETAIN, &offer->default_time2retain},
	};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		*numbers[i].to = (uint32_t)settings_number(
			d->settings, d->device, numbers[i].id);
	if (offer->max_connections > 1 &&
		!settings_is_set(
			d->settings, d->device, SET_ERROR_RECOVERY_LEVEL))
		offer->error_recovery_level = 2;
	offer->initial_r2t =
		settings_bool(d->settings, d->device, SET_INITIAL_R2T);
	offer->immediate_data =
		settings_bool(d->settings, d->device, SET_IMMEDIATE_DATA);
	if (offer->first_burst_length > offer->max_burst_length)
		return refuse(d, "first-burst-length",
			"must not exceed max-burst-length (RFC 7143 13.14)");
	if (draft_digest(d, SET_HEADER_DIGEST, &offer->header_digest) < 0)
		return -EINVAL;
	return draft_digest(d, SET_DATA_DIGEST, &offer->data_digest);
}

/* The path to which a further portal adds a connection: with several in a
 * session, portals of one target are taken for one portal group. */
static struct plan_path *draft_shared(
	struct draft *d, const char *target, unsigned lun)
{
	struct plan *plan = d->plan;
	struct iscsi_config *c;
	uint8_t bytes[8];

	if (settings_number(d->settings, d->device, SET_MAX_CONNECTIONS) < 2)
		return NULL;
	lun_encode(bytes, lun);
	for (unsigned i = 0; i < plan->npaths; i++) {
		c = &plan->paths[i]->config;
		if (strcmp(c->target_name, target) == 0 &&
			memcmp(c->lun, bytes, sizeof bytes) == 0 &&
			c->nportals < sizeof c->portals / sizeof c->portals[0])
			return plan->paths[i];
	}
	return NULL;
}

static int draft_path(struct draft *d, const char *target,
	const struct endpoint *portal, unsigned lun, const char *user)
{
	struct plan *plan = d->plan;
	struct plan_path *path = draft_shared(d, target, lun);
	int err;

	if (path && plan_path_has_portal(path, portal))
		return refuse(d, "url", "one path is given twice");
	if (path) {
		path->config.portals[path->config.nportals++] = *portal;
		return 0;
	}
	path = plan_path_new();
	if (!path || plan_add_path(plan, path) < 0) {
		plan_path_free(path);
		return out_of_memory(d);
	}
	path->config.initiator_name = plan_path_keep(path, d->initiator);
	path->config.target_name = plan_path_keep(path, target);
	if (!path->config.initiator_name || !path->config.target_name)
		return out_of_memory(d);
	path->config.portals[0] = *portal;
	path->config.nportals = 1;
	lun_encode(path->config.lun, lun);
	if (strcmp(settings_text(d->settings, d->device, SET_CONNECTION_POLICY),
		    "queue-length") == 0)
		path->config.spread = ISCSI_SPREAD_LEAST_QUEUE;
	if (plan_path_identify(path, plan->name, d->context) < 0)
		return out_of_memory(d);
	err = draft_chap(d, path, user);
	return err < 0 ? err : draft_offer(d, &path->config.offer);
}

static int draft_urls(struct draft *d, char *const *urls)
{
	for (; *urls; urls++) {
		struct iscsi_url url;
		int err = iscsi_url_parse(&url, *urls, d->why, d->why_size);

		if (err < 0)
			return err;
		err = draft_path(d, url.target, &url.portal, url.lun,
			url.user[0] ? url.user : NULL);
		if (err < 0)
			return err;
	}
	return 0;
}

static int draft_portals(struct draft *d)
{
	const char *name = d->device->values[SET_TARGET].text;
	const struct section *target =
		name ? settings_find(d->settings, SETTING_TARGET, name) : NULL;
	unsigned lun =
		(unsigned)settings_number(d->settings, d->device, SET_LUN);

	if (!target)
		return refuse(d, "target", "names no [target] section");
	for (size_t i = 0; i < target->values[SET_PORTAL].count; i++) {
		const char *text = target->values[SET_PORTAL].list[i];
		struct endpoint portal;
		int err;

		if (endpoint_parse(&portal, text, strlen(text), ISCSI_PORT) < 0)
			return refuse(d, text, "is no portal (HOST[:PORT])");
		err = draft_path(
			d, target->values[SET_TARGET].text, &portal, lun, NULL);
		if (err < 0)
			return err;
	}
	return 0;
}

static int draft_paths(struct draft *d)
{
	char *const *urls = settings_list(d->settings, d->device, SET_URL);
	int err = *urls ? draft_urls(d, urls) : draft_portals(d);
	const char *key, *why;

	if (err < 0)
		return err;
	for (unsigned i = 0; i < d->plan->npaths; i++)
		if (plan_mpio_path(d->plan->paths[i], d->settings, d->device,
			    &key, &why) < 0)
			return refuse(d, key, why);
	if (d->plan->npaths == 0)
		return refuse(
			d, "url", "missing: a device needs url or target");
	for (unsigned i = 0; i < d->plan->npaths; i++)
		for (unsigned j = 0; j < i; j++)
			if (plan_path_same_way(
				    d->plan->paths[i], d->plan->paths[j]))
				return refuse(
					d, "url", "one path is given twice");
	return 0;
}

static int draft_nbd(struct draft *d)
{
	char why[256];
	const char *key;
	int err = plan_frontend_nbd(
		d->plan, d->settings, d->device, &key, why, sizeof why);

	if (err == -ENOMEM)
		return out_of_memory(d);
	return err ? refuse(d, key, why) : 0;
}

static int draft_fuse(struct draft *d)
{
	char *const *list = settings_list(d->settings, d->device, SET_FUSE);
	struct plan *plan = d->plan;

	while (list[plan->nfuse])
		plan->nfuse++;
	plan->fuse = calloc(plan->nfuse + 1, sizeof *plan->fuse);
	if (!plan->fuse)
		return out_of_memory(d);
	for (unsigned i = 0; i < plan->nfuse; i++) {
		plan->fuse[i] = strdup(list[i]);
		if (!plan->fuse[i])
			return out_of_memory(d);
	}
	plan->fblk = (struct fblk_options){
		.cache = settings_bool(d->settings, d->device, SET_FUSE_CACHE),
		.allow_other = settings_bool(
			d->settings, d->device, SET_FUSE_ALLOW_OTHER),
		.read_only = plan->device.read_only,
	};
	return 0;
}

static int draft_device(struct draft *d)
{
	struct plan *plan = d->plan;
	const char *isns, *key, *why;

	plan->name = strdup(d->device->name);
	plan->policy =
		strdup(settings_text(d->settings, d->device, SET_POLICY));
	if (!plan->name || !plan->policy)
		return out_of_memory(d);
	if (plan_mpio_device(plan, d->settings, d->device, &key, &why) < 0)
		return refuse(d, key, why);
	plan->queues =
		(unsigned)settings_number(d->settings, d->device, SET_QUEUES);
	if (plan->queues > d->context->workers)
		return refuse(d, "queues",
			"more than there are workers; each queue has a thread "
			"of its own, see `workers`");
	plan->discover = settings_bool(d->settings, d->device, SET_DISCOVER);
	isns = settings_text(d->settings, d->device, SET_ISNS_SERVER);
	if (isns && endpoint_parse(&plan->isns, isns, strlen(isns), ISNS_PORT))
		return refuse(d, "isns-server", "is no HOST[:PORT]");
	return 0;
}

static int draft_initiator(struct draft *d)
{
	char why[256];

	if (initiator_name_find(
		    settings_text(d->settings, d->device, SET_INITIATOR_NAME),
		    d->initiator, why, sizeof why) < 0)
		return refuse(d, "initiator-name", why);
	return 0;
}

struct plan *plan_new(const struct settings *settings,
	const struct section *device, const struct plan_context *context,
	char *why, size_t why_size)
{
	static int (*const steps[])(struct draft *) = {
		draft_initiator,
		draft_device,
		draft_paths,
		draft_nbd,
		draft_fuse,
	};
	struct draft d = {
		.settings = settings,
		.device = device,
		.context = context,
		.plan = calloc(1, sizeof *d.plan),
		.why = why,
		.why_size = why_size,
	};

	if (!d.plan) {
		out_of_memory(&d);
		return NULL;
	}
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (steps[i](&d) < 0) {
			plan_free(d.plan);
			return NULL;
		}
	}
	return d.plan;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (unsigned i = 0; i < plan->npaths; i++)
		plan_path_free(plan->paths[i]);
	plan_frontend_free(plan);
	for (unsigned i = 0; plan->fuse && i < plan->nfuse; i++)
		free(plan->fuse[i]);
	free(plan->paths);
	free(plan->fuse);
	free(plan->policy);
	free(plan->name);
	free(plan);
}

int plan_add_path(struct plan *plan, struct plan_path *path)
{
	struct plan_path **paths =
		reallocarray(plan->paths, plan->npaths + 1, sizeof *paths);

	if (!paths)
		return -ENOMEM;
	plan->paths = paths;
	plan->paths[plan->npaths++] = path;
	return 0;
}

void plan_take_path(struct plan *plan, struct plan_path *path)
{
	unsigned i = 0;

	while (i < plan->npaths && plan->paths[i] != path)
		i++;
	if (i == plan->npaths)
		return;
	plan->npaths--;
	memmove(&plan->paths[i], &plan->paths[i + 1],
		(plan->npaths - i) * sizeof *plan->paths);
}

bool plan_has_way(const struct plan *plan, const struct plan_path *path)
{
	for (unsigned i = 0; i < plan->npaths; i++)
		if (plan_path_same_way(plan->paths[i], path))
			return true;
	return false;
}

/* Every configured way of `a` is one of `b`. */
static bool plan_ways_within(const struct plan *a, const struct plan *b)
{
	for (unsigned i = 0; i < a->npaths; i++)
		if (!a->paths[i]->discovered && !plan_has_way(b, a->paths[i]))
			return false;
	return true;
}

bool plan_same_ways(const struct plan *a, const struct plan *b)
{
	return plan_ways_within(a, b) && plan_ways_within(b, a);
}

bool plan_same_fixed(const struct plan *a, const struct plan *b)
{
	if (!plan_frontend_equal(a, b) || a->nfuse != b->nfuse ||
		a->queues != b->queues ||
		a->device.read_only != b->device.read_only ||
		a->device.shared != b->device.shared ||
		a->device.write_cache != b->device.write_cache ||
		a->fblk.cache != b->fblk.cache ||
		a->fblk.allow_other != b->fblk.allow_other)
		return false;
	for (unsigned i = 0; i < a->nfuse; i++)
		if (strcmp(a->fuse[i], b->fuse[i]) != 0)
			return false;
	return true;
}
