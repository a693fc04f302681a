/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_path.h"

#include <stdlib.h>
#include <string.h>

struct plan_path *plan_path_new(void)
{
	struct plan_path *path = calloc(1, sizeof *path);

	if (!path)
		return NULL;
	path->id = -1;
	iscsi_config_init(&path->config);
	return path;
}

char *plan_path_keep(struct plan_path *path, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (copy)
		path->strings[path->nstrings++] = copy;
	return copy;
}

void plan_path_free(struct plan_path *path)
{
	if (!path)
		return;
	secret_free(
		(char *)path->config.chap.secret, path->config.chap.secret_len);
	secret_free((char *)path->config.chap.mutual_secret,
		path->config.chap.mutual_secret_len);
	for (unsigned i = 0; i < path->nstrings; i++)
		free(path->strings[i]);
	free(path);
}

static char *secret_copy(const char *secret, size_t len)
{
	char *copy = secret ? malloc(len + 1) : NULL;

	if (copy) {
		memcpy(copy, secret, len);
		copy[len] = '\0';
	}
	return copy;
}

int plan_path_identify(struct plan_path *path, const char *device,
	const struct plan_context *context)
{
	path->instance = context->instance;
	return plan_path_isid(path, device, 0, path->config.isid);
}

int plan_path_isid(const struct plan_path *path, const char *device,
	unsigned queue, uint8_t isid[6])
{
	char portal[ENDPOINT_TEXT_MAX];

	return isid_make(isid, path->instance, device, path->config.target_name,
		endpoint_text(&path->config.portals[0], portal), queue);
}

struct plan_path *plan_path_copy(const struct plan_path *from)
{
	struct plan_path *path = plan_path_new();
	struct iscsi_config *to;

	if (!path)
		return NULL;
	path->options = from->options;
	path->instance = from->instance;
	to = &path->config;
	*to = from->config;
	to->initiator_name = plan_path_keep(path, from->config.initiator_name);
	to->target_name = plan_path_keep(path, from->config.target_name);
	to->interface = plan_path_keep(path, from->config.interface);
	to->chap.user = plan_path_keep(path, from->config.chap.user);
	to->chap.mutual_user =
		plan_path_keep(path, from->config.chap.mutual_user);
	to->chap.secret = secret_copy(
		from->config.chap.secret, from->config.chap.secret_len);
	to->chap.mutual_secret = secret_copy(from->config.chap.mutual_secret,
		from->config.chap.mutual_secret_len);
	if (!to->initiator_name || !to->target_name ||
		!to->interface != !from->config.interface ||
		!to->chap.user != !from->config.chap.user ||
		!to->chap.mutual_user != !from->config.chap.mutual_user ||
		!to->chap.secret != !from->config.chap.secret ||
		!to->chap.mutual_secret != !from->config.chap.mutual_secret) {
		plan_path_free(path);
		return NULL;
	}
	return path;
}

struct plan_path *plan_path_at(const struct plan_path *from, const char *device,
	const struct endpoint *portal, const struct plan_context *context)
{
	struct plan_path *path = plan_path_copy(from);

	if (!path)
		return NULL;
	path->config.portals[0] = *portal;
	path->config.nportals = 1;
	if (plan_path_identify(path, device, context) == 0)
		return path;
	plan_path_free(path);
	return NULL;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool secret_equal(const char *a, size_t alen, const char *b, size_t blen)
{
	return alen == blen && (alen == 0 || memcmp(a, b, alen) == 0);
}

static bool offer_equal(
	const struct iscsi_offer *a, const struct iscsi_offer *b)
{
	return a->header_digest == b->header_digest &&
	       a->data_digest == b->data_digest &&
	       a->initial_r2t == b->initial_r2t &&
	       a->immediate_data == b->immediate_data &&
	       a->first_burst_length == b->first_burst_length &&
	       a->max_burst_length == b->max_burst_length &&
	       a->max_outstanding_r2t == b->max_outstanding_r2t &&
	       a->max_connections == b->max_connections &&
	       a->error_recovery_level == b->error_recovery_level &&
	       a->default_time2wait == b->default_time2wait &&
	       a->default_time2retain == b->default_time2retain;
}

static bool chap_equal(const struct iscsi_chap *a, const struct iscsi_chap *b)
{
	return text_equal(a->user, b->user) &&
	       text_equal(a->mutual_user, b->mutual_user) &&
	       secret_equal(
		       a->secret, a->secret_len, b->secret, b->secret_len) &&
	       secret_equal(a->mutual_secret, a->mutual_secret_len,
		       b->mutual_secret, b->mutual_secret_len);
}

bool plan_path_has_portal(
	const struct plan_path *path, const struct endpoint *portal)
{
	for (unsigned i = 0; i < path->config.nportals; i++)
		if (endpoint_equal(&path->config.portals[i], portal))
			return true;
	return false;
}

bool plan_path_same_way(const struct plan_path *a, const struct plan_path *b)
{
	for (unsigned i = 0; i < b->config.nportals - b->joined; i++)
		if (!plan_path_has_portal(a, &b->config.portals[i]))
			return false;
	return text_equal(a->config.target_name, b->config.target_name) &&
	       memcmp(a->config.lun, b->config.lun, sizeof a->config.lun) == 0;
}

bool plan_path_alike(const struct plan_path *a, const struct plan_path *b)
{
	return plan_path_same_way(a, b) && plan_path_same_way(b, a) &&
	       a->config.spread == b->config.spread &&
	       text_equal(a->config.initiator_name, b->config.initiator_name) &&
	       text_equal(a->config.interface, b->config.interface) &&
	       offer_equal(&a->config.offer, &b->config.offer);
}

bool plan_path_equal(const struct plan_path *a, const struct plan_path *b)
{
	return plan_path_alike(a, b) &&
	       a->config.offer.max_recv_data_segment_length ==
		       b->config.offer.max_recv_data_segment_length &&
	       a->config.timeouts.suspect == b->config.timeouts.suspect &&
	       a->config.timeouts.stalled == b->config.timeouts.stalled &&
	       chap_equal(&a->config.chap, &b->config.chap);
}
