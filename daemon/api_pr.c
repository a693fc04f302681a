/* SPDX-License-Identifier: BSD-2-Clause */
#include "api_pr.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/pr.h>

#include "api.h"
#include "daemon.h"

enum wants { NOTHING = 0, KEY = 1, TYPE = 2, MAYBE_TYPE = 4 };

static const struct {
	const char *verb;
	uint8_t action; /* enum mpio_pr_action */
	uint8_t wants;
} verbs[] = {
	{"register", MPIO_PR_REGISTER, KEY},
	{"reserve", MPIO_PR_RESERVE, TYPE},
	{"release", MPIO_PR_RELEASE, MAYBE_TYPE},
	{"preempt", MPIO_PR_PREEMPT, KEY | TYPE},
	{"clear", MPIO_PR_CLEAR, NOTHING},
	{"read-keys", MPIO_PR_READ_KEYS, NOTHING},
	{"read-reservation", MPIO_PR_READ_RESERVATION, NOTHING},
	{"read-full-status", MPIO_PR_READ_FULL, NOTHING},
};

static const struct {
	const char *shorter, *name;
	uint8_t type;
} types[] = {
	{"we", "write-exclusive", PR_WRITE_EXCLUSIVE},
	{"ea", "exclusive-access", PR_EXCLUSIVE_ACCESS},
	{"wero", "write-exclusive-registrants-only",
		PR_WRITE_EXCLUSIVE_REGISTRANTS},
	{"earo", "exclusive-access-registrants-only",
		PR_EXCLUSIVE_ACCESS_REGISTRANTS},
	{"wear", "write-exclusive-all-registrants", PR_WRITE_EXCLUSIVE_ALL},
	{"eaar", "exclusive-access-all-registrants", PR_EXCLUSIVE_ACCESS_ALL},
};

struct pr_call {
	struct unit_pr unit; /* first */
	struct control_call *call;
	struct json_object *reply;
};

static const char *type_name(uint8_t type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].type == type)
			return types[i].name;
	return "unknown";
}

static int type_parse(const char *text, uint8_t *type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(text, types[i].shorter) == 0 ||
			strcmp(text, types[i].name) == 0) {
			*type = types[i].type;
			return 0;
		}
	return -EINVAL;
}

/* 64 bits, decimal or 0x…; nothing else. */
static int key_parse(const char *text, uint64_t *key)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	if (!*digits || strspn(digits, hex ? "0123456789abcdefABCDEF"
					   : "0123456789") != strlen(digits))
		return -EINVAL;
	errno = 0;
	*key = strtoull(digits, &end, hex ? 16 : 10);
	return errno ? -ERANGE : 0;
}

static struct json_object *key_text(uint64_t key)
{
	char text[24];

	snprintf(text, sizeof text, "0x%" PRIx64, key);
	return json_object_new_string(text);
}

/*
 * What the target says, taken down on the worker's loop: the reply is nobody
 * else's meanwhile.
 */
static bool take_keys(struct json_object *o, const struct mpio_pr *pr)
{
	struct json_object *list;
	struct pr_keys keys;

	if (pr_keys_decode(&keys, pr->data, pr->len))
		return false;
	list = json_object_new_array();
	for (unsigned i = 0; i < keys.count; i++)
		control_append(list, key_text(keys.keys[i]));
	control_add(o, "generation", json_object_new_int64(keys.generation));
	control_add(o, "keys", list);
	control_add(o, "cut", json_object_new_boolean(keys.cut));
	return true;
}

static bool take_reservation(struct json_object *o, const struct mpio_pr *pr)
{
	struct json_object *held = NULL;
	struct pr_reservation r;

	if (pr_reservation_decode(&r, pr->data, pr->len))
		return false;
	if (r.held) {
		held = json_object_new_object();
		control_add(held, "key", key_text(r.key));
		control_add(held, "type",
			json_object_new_string(type_name(r.type)));
	}
	control_add(o, "generation", json_object_new_int64(r.generation));
	if (r.held)
		control_add(o, "reservation", held);
	else
		control_add_null(o, "reservation");
	return true;
}

static struct json_object *registrant_view(const struct pr_registrant *r)
{
	struct json_object *o = json_object_new_object();

	control_add(o, "key", key_text(r->key));
	control_add(o, "initiator", json_object_new_string(r->name));
	if (r->all_ports)
		control_add_null(o, "port");
	else
		control_add(o, "port", json_object_new_int(r->port));
	control_add(o, "holder", json_object_new_boolean(r->holder));
	if (r->holder)
		control_add(
			o, "type", json_object_new_string(type_name(r->type)));
	return o;
}

static bool take_full(struct json_object *o, const struct mpio_pr *pr)
{
	struct json_object *list;
	struct pr_registrant r;
	struct pr_full full;

	if (pr_full_open(&full, pr->data, pr->len))
		return false;
	list = json_object_new_array();
	while (pr_full_next(&full, &r))
		control_append(list, registrant_view(&r));
	control_add(o, "generation", json_object_new_int64(full.generation));
	control_add(o, "registrants", list);
	control_add(o, "cut", json_object_new_boolean(full.rest.bad));
	return true;
}

static void take(struct unit_pr *u)
{
	static bool (*const takers[])(
		struct json_object *, const struct mpio_pr *) = {
		[MPIO_PR_READ_KEYS] = take_keys,
		[MPIO_PR_READ_RESERVATION] = take_reservation,
		[MPIO_PR_READ_FULL] = take_full,
	};
	struct pr_call *p = (struct pr_call *)u;
	struct mpio_pr *pr = &u->pr;

	if (pr->error || pr->action < MPIO_PR_READ_KEYS)
		return;
	if (takers[pr->action](p->reply, pr))
		return;
	pr->error = -EPROTO;
	snprintf(pr->why, sizeof pr->why, "the target's answer is cut off");
}

static void done(struct unit_pr *u)
{
	struct pr_call *p = (struct pr_call *)u;

	if (u->pr.error) {
		control_fail(p->call,
			u->pr.error == -EINVAL ? CONTROL_USAGE : CONTROL_FAILED,
			"pr: %s", u->pr.why);
		json_object_put(p->reply);
	} else {
		control_reply(p->call, p->reply);
	}
	free(p);
}

/* NULL, or what the request lacks. */
static const char *parse(struct mpio_pr *pr, struct json_object *request)
{
	const char *verb = control_text(request, "verb");
	const char *key = control_text(request, "key");
	const char *type = control_text(request, "type");
	struct json_object *abort;
	size_t i = 0, n = sizeof verbs / sizeof *verbs;
	uint8_t wants;

	while (i < n && (!verb || strcmp(verbs[i].verb, verb) != 0))
		i++;
	if (i == n)
		return "wants register, reserve, release, preempt, clear, "
		       "read-keys, read-reservation or read-full-status";
	wants = verbs[i].wants;
	pr->action = verbs[i].action;
	if (!(wants & KEY) != !key || (key && key_parse(key, &pr->key) < 0))
		return wants & KEY ? "wants a key, a number of 64 bits"
				   : "takes no key";
	if ((wants & TYPE && !type) || (!(wants & (TYPE | MAYBE_TYPE)) && type))
		return wants & TYPE ? "wants a type" : "takes no type";
	if (type && type_parse(type, &pr->type) < 0)
		return "knows the types wero, earo, wear, eaar, we and ea";
	if (json_object_object_get_ex(request, "abort", &abort) &&
		json_object_get_boolean(abort)) {
		if (pr->action != MPIO_PR_PREEMPT)
			return "takes --abort with preempt only";
		pr->action = MPIO_PR_PREEMPT_ABORT;
	}
	return NULL;
}

void api_pr(void *arg, struct control_call *call, struct json_object *request)
{
	struct mpio_pr pr = {0};
	const char *wrong = parse(&pr, request);
	struct device *dev;
	struct pr_call *p;

	if (wrong) {
		control_fail(call, CONTROL_USAGE, "pr: %s", wrong);
		return;
	}
	dev = call_device(arg, call, request);
	if (!dev)
		return;
	/* What is needed to answer is there before anything is done. */
	p = calloc(1, sizeof *p);
	if (p)
		p->reply = json_object_new_object();
	if (!p || !p->reply) {
		free(p);
		control_fail(call, CONTROL_FAILED, "out of memory");
		return;
	}
	p->unit = (struct unit_pr){.pr = pr, .take = take, .done = done};
	p->call = call;
	unit_pr(dev->unit, &p->unit);
}
