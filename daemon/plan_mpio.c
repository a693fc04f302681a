/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_mpio.h"

#include "plan_path.h"

#include <errno.h>
#include <string.h>
#include <umpio/base/units.h>

#define GHOST_GUARD_MAX (3600 * NS_PER_S)

/* The place of `word` among the words, which are the setting's choices. */
static uint8_t place_of(const char *word, const char *const *words)
{
	uint8_t n = 0;

	while (words[n] && strcmp(words[n], word) != 0)
		n++;
	return n;
}

static const char *const groupings[] = {
	[MPIO_BY_ALUA] = "alua",
	[MPIO_BY_PORTAL_GROUP] = "portal-group",
	[MPIO_BY_PRIORITY] = "priority",
	[MPIO_ONE_GROUP] = "none",
	NULL,
};

static const char *const caches[] = {
	[MPIO_CACHE_AUTO] = "auto",
	[MPIO_CACHE_VOLATILE] = "volatile",
	[MPIO_CACHE_NONVOLATILE] = "nonvolatile",
	NULL,
};

static int failback_parse(const char *text, uint64_t *failback)
{
	if (strcmp(text, "immediate") == 0)
		*failback = MPIO_FAILBACK_IMMEDIATE;
	else if (strcmp(text, "followover") == 0)
		*failback = MPIO_FAILBACK_FOLLOWOVER;
	else if (strcmp(text, "manual") == 0)
		*failback = MPIO_FAILBACK_MANUAL;
	else
		return units_duration(text, failback);
	return 0;
}

static int guard_parse(const char *text, uint64_t *guard)
{
	if (strcmp(text, "forever") == 0) {
		*guard = MPIO_FOREVER;
		return 0;
	}
	if (units_duration(text, guard) < 0 || *guard > GHOST_GUARD_MAX)
		return -EINVAL;
	return 0;
}

/* `id`, or `part` thirds of failover-time where it is not given. */
static uint64_t share_of(const struct settings *s, const struct section *device,
	enum setting id, unsigned part)
{
	if (settings_is_set(s, device, id))
		return settings_number(s, device, id);
	return settings_number(s, device, SET_FAILOVER_TIME) / 3 * part;
}

static int refuse(const char **key, const char **why, const char *the_key,
	const char *the_why)
{
	*key = the_key;
	*why = the_why;
	return -EINVAL;
}

int plan_mpio_device(struct plan *plan, const struct settings *s,
	const struct section *device, const char **key, const char **why)
{
	struct mpdev_options *o = &plan->device;

	*o = (struct mpdev_options){
		.policy = plan->policy,
		.group_by = place_of(
			settings_text(s, device, SET_GROUP_BY), groupings),
		.write_cache = place_of(
			settings_text(s, device, SET_WRITE_CACHE), caches),
		.read_only = settings_bool(s, device, SET_READ_ONLY),
		.shared = settings_bool(s, device, SET_SHARED),
		.hold_down = settings_bool(s, device, SET_HOLD_DOWN),
		.marginal = settings_bool(s, device, SET_MARGINAL),
		.no_path_timeout =
			settings_number(s, device, SET_NO_PATH_TIMEOUT),
		.probe_after = share_of(s, device, SET_PROBE_AFTER, 1),
		.fail_after = share_of(s, device, SET_FAIL_AFTER, 2),
		.check_interval =
			settings_number(s, device, SET_CHECK_INTERVAL),
		.io_timeout = settings_number(s, device, SET_IO_TIMEOUT),
	};
	if (guard_parse(settings_text(s, device, SET_GHOST_GUARD),
		    &o->ghost_guard) < 0)
		return refuse(key, why, "ghost-guard",
			"is neither forever nor a duration such as 15s, at "
			"most 1h");
	if (failback_parse(
		    settings_text(s, device, SET_FAILBACK), &o->failback) < 0)
		return refuse(key, why, "failback",
			"is none of immediate, followover, manual or a "
			"duration such as 30s");
	if (o->probe_after >= o->fail_after)
		return refuse(key, why, "probe-after",
			"must be shorter than fail-after");
	return 0;
}

/* Splits HOST:PORT=VALUE. 1 and the value when the portal is one of the path's,
 * 0 when it is another one, or -EINVAL. */
static int portal_value(
	const struct plan_path *path, const char *item, const char **value)
{
	const char *equals = strrchr(item, '=');
	struct endpoint portal;

	if (!equals || endpoint_parse(&portal, item, (size_t)(equals - item),
			       ISCSI_PORT) < 0)
		return -EINVAL;
	*value = equals + 1;
	return plan_path_has_portal(path, &portal);
}

/* The number that a list of HOST:PORT=N gives one of the path's portals. */
static int portal_number(const struct plan_path *path, char *const *list,
	uint64_t max, uint64_t *number)
{
	for (; *list; list++) {
		const char *value;
		int ours = portal_value(path, *list, &value);
		uint64_t n;

		if (ours < 0 || units_u64(value, &n) < 0 || n > max)
			return -EINVAL;
		if (ours)
			*number = n;
	}
	return 0;
}

/* The interface that the list gives the path: one for its portal goes before
 * one for all. -EINVAL for nonsense, -ENOMEM. */
static int path_interface(struct plan_path *path, char *const *list)
{
	const char *all = NULL, *own = NULL;

	for (; *list; list++) {
		const char *value = *list;
		int ours = 1;

		if (strchr(*list, '='))
			ours = portal_value(path, *list, &value);
		else
			all = value;
		if (ours < 0 || !*value)
			return -EINVAL;
		if (ours && value != all)
			own = value;
	}
	if (!own)
		own = all;
	path->config.interface = plan_path_keep(path, own);
	return own && !path->config.interface ? -ENOMEM : 0;
}

/* The paths are mpio's to judge (mpio/health.h), so a session asks nothing by
 * itself. One that does not come up soon is better tried anew: what is lost of
 * a TCP handshake is sent again only after a second. */
#define CONNECT_TIME NS_PER_S
#define LOGIN_TIME   (5 * NS_PER_S)

static void set_times(struct iscsi_timeouts *t, const struct settings *s,
	const struct section *device)
{
	t->ping_interval = t->ping = 0;
	t->suspect = share_of(s, device, SET_PROBE_AFTER, 1);
	t->stalled = share_of(s, device, SET_FAIL_AFTER, 2);
	t->connect = CONNECT_TIME;
	t->login = LOGIN_TIME;
}

int plan_mpio_path(struct plan_path *path, const struct settings *s,
	const struct section *device, const char **key, const char **why)
{
	uint64_t priority = 0, weight = 1;

	if (path_interface(path, settings_list(s, device, SET_INTERFACE)) < 0)
		return refuse(key, why, "interface",
			"is neither an address or network device nor "
			"HOST:PORT= and one");
	if (portal_number(path, settings_list(s, device, SET_PATH_PRIORITY),
		    1000, &priority) < 0)
		return refuse(key, why, "path-priority",
			"is no HOST:PORT=N with N from 0 to 1000");
	if (portal_number(path, settings_list(s, device, SET_PATH_WEIGHT), 1000,
		    &weight) < 0 ||
		!weight)
		return refuse(key, why, "path-weight",
			"is no HOST:PORT=N with N from 1 to 1000");
	path->options.priority = (int)priority;
	path->options.weight = (unsigned)weight;
	set_times(&path->config.timeouts, s, device);
	return 0;
}
