/* SPDX-License-Identifier: BSD-2-Clause */
#include "api_fault.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <umpio/base/stream_fault.h>
#include <umpio/base/units.h>

#include "api.h"
#include "daemon.h"

#define DELAY_MAX_MS 3600000u

/* What of a request makes a fault. */
struct wanted {
	const char *kind, *value; /* value NULL: none given */
	struct path_fault fault;
};

static int parse_delay(const char *text, uint64_t *ns)
{
	uint64_t ms;

	if (units_u64(text, &ms) || ms == 0 || ms > DELAY_MAX_MS)
		return -EINVAL;
	*ns = ms * NS_PER_MS;
	return 0;
}

static int parse_rate(const char *text, uint64_t *rate)
{
	return units_size(text, rate) || *rate == 0 ||
			       *rate > STREAM_FAULT_RATE_MAX
		       ? -EINVAL
		       : 0;
}

/* Each kind as it is written; `value` with parse NULL: that word. */
static const struct {
	const char *kind, *value;
	uint8_t fault; /* enum path_fault_kind */
	int (*parse)(const char *text, uint64_t *value);
} kinds[] = {
	{"off", NULL, PATH_FAULT_OFF, NULL},
	{"drop", NULL, PATH_FAULT_DROP, NULL},
	{"blackhole", NULL, PATH_FAULT_BLACKHOLE, NULL},
	{"delay", "MS, from 1 to 3600000", PATH_FAULT_DELAY, parse_delay},
	{"rate", "BYTES/S, from 1 to 10000000000, for example 50MiB",
		PATH_FAULT_RATE, parse_rate},
	{"corrupt", "header", PATH_FAULT_CORRUPT_HEADER, NULL},
	{"corrupt", "data", PATH_FAULT_CORRUPT_DATA, NULL},
};

#define NKINDS (sizeof kinds / sizeof *kinds)

/* True when the request is of kind `i`, whose value then is in `w`. */
static bool is_kind(struct wanted *w, size_t i)
{
	if (strcmp(w->kind, kinds[i].kind) != 0)
		return false;
	if (!kinds[i].value || !w->value)
		return !kinds[i].value && !w->value;
	if (kinds[i].parse)
		return kinds[i].parse(w->value, &w->fault.value) == 0;
	return strcmp(w->value, kinds[i].value) == 0;
}

/* NULL, or why the words are none of a fault. */
static const char *parse(struct wanted *w)
{
	const char *value = NULL;

	for (size_t i = 0; i < NKINDS; i++) {
		if (strcmp(w->kind, kinds[i].kind) != 0)
			continue;
		if (is_kind(w, i)) {
			w->fault.kind = kinds[i].fault;
			return NULL;
		}
		value = strcmp(w->kind, "corrupt") == 0 ? "header or data"
			: kinds[i].value                ? kinds[i].value
							: "no value";
	}
	return value ? value : "unknown";
}

static bool flag(struct json_object *request, const char *member)
{
	struct json_object *value;

	return json_object_object_get_ex(request, member, &value) &&
	       json_object_get_boolean(value);
}

static bool read_request(struct wanted *w, struct control_call *call,
	struct json_object *request)
{
	const char *want;

	w->kind = control_text(request, "kind");
	w->value = control_text(request, "value");
	want = w->kind ? parse(w) : "unknown";
	if (strcmp(want ? want : "", "unknown") == 0)
		control_fail(call, CONTROL_USAGE,
			"fault: no such kind; there are drop, blackhole, "
			"delay, "
			"rate, corrupt and off");
	else if (want)
		control_fail(call, CONTROL_USAGE,
			"fault: %s wants %s, then a "
			"device and a path",
			w->kind, want);
	if (want)
		return false;
	w->fault.in = flag(request, "in");
	w->fault.out = flag(request, "out");
	if (w->fault.kind == PATH_FAULT_DROP && (w->fault.in || w->fault.out)) {
		control_fail(call, CONTROL_USAGE,
			"fault: drop resets whole connections, without --in "
			"or --out");
		return false;
	}
	if (w->fault.in == w->fault.out)
		w->fault.in = w->fault.out = true;
	return true;
}

static void on_done(void *arg, int err, void *about)
{
	struct control_call *call = about;

	(void)arg;
	if (err == -ENOTCONN)
		control_fail(call, CONTROL_FAILED,
			"the path is not logged in; `umpio status` says why, "
			"and there is nothing to hit before it is up");
	else if (err == -EOPNOTSUPP)
		control_fail(call, CONTROL_FAILED,
			"nothing would notice: that digest was not negotiated "
			"on this path; see header-digest and data-digest in "
			"umpio.conf(5)");
	else if (err < 0)
		control_fail(call, CONTROL_FAILED, "fault: %s",
			err == -ENOENT || err == -ESHUTDOWN ? "the path is gone"
							    : strerror(-err));
	else
		control_reply(call, json_object_new_object());
}

void api_fault(
	void *arg, struct control_call *call, struct json_object *request)
{
	const char *text = control_text(request, "path");
	struct wanted w = {0};
	struct device *dev;
	struct plan_path *path;
	int queue;

	if (!read_request(&w, call, request))
		return;
	if (!text) {
		control_fail(call, CONTROL_USAGE, "fault: no path is named");
		return;
	}
	dev = call_device(arg, call, request);
	if (!dev)
		return;
	path = call_path(dev, call, text, &queue);
	if (path)
		unit_fault(dev->unit, path->id, queue, &w.fault, on_done, call);
}
