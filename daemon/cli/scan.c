/* SPDX-License-Identifier: BSD-2-Clause */
#include "scan.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/control.h>
#include <umpio/loop.h>
#include <umpio/lun.h>
#include <umpio/path.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/lun.h>
#include <umpio/scsi/opcode.h>

#define LIST_TIMEOUT  (10 * NS_PER_S)
#define LIST_ATTEMPTS 3 /* unit attentions come first */
#define LIST_BYTES    65536u
#define ISID_RANDOM   0x80 /* T = 10b, A reserved */

struct scan {
	struct loop *loop;
	scan_fn *done;
	void *arg;
	struct iscsi_config config; /* of the path that is or comes next */
	char target[ISCSI_NAME_MAX + 1];
	struct iscsi_portal *portals;
	unsigned nportals, portal;
	struct path *path;
	struct loop_task next; /* frees the path that is down and goes on */
	struct path_cmd cmd;
	unsigned attempts;
	struct lun_probe *probe;
	bool listed;      /* REPORT LUNS has been answered */
	bool answered;    /* this path has done what it was for */
	size_t at, count; /* LUNs of `list` */
	bool truncated;
	struct json_object *luns;
	char reason[256];
	uint8_t *list;          /* LIST_BYTES, from the start on */
	const uint8_t *numbers; /* LUN_LEN bytes each, inside `list` */
};

void scan_isid(struct loop *loop, uint8_t isid[ISCSI_ISID_LEN])
{
	loop_random(loop, isid, ISCSI_ISID_LEN);
	isid[0] = ISID_RANDOM;
}

static void answered(struct scan *s)
{
	s->answered = true;
	path_stop(s->path, false);
}

/* LUNs */

static void add_text(struct json_object *o, const char *key, const char *text)
{
	if (*text)
		control_add(o, key, json_object_new_string(text));
}

/* A LUN with its facts, or why it has none. */
static void add_lun(
	struct scan *s, const struct lun_facts *facts, const char *reason)
{
	struct json_object *o = json_object_new_object();
	char text[LUN_TEXT_MAX];
	const uint8_t *lun = s->numbers + s->at * LUN_LEN;
	int32_t number = lun_number(lun);
	control_add(o, "lun",
		number >= 0 ? json_object_new_int(number)
			    : json_object_new_string(lun_text(lun, text)));
	if (!facts) {
		add_text(o, "error", reason);
	} else {
		const struct lun_identity *id = &facts->identity;
		control_add(o, "size",
			json_object_new_uint64(id->blocks * id->block_size));
		control_add(
			o, "block_size", json_object_new_int64(id->block_size));
		add_text(o, "wwid", id->wwid);
		add_text(o, "vendor", facts->vendor);
		add_text(o, "product", facts->product);
	}
	control_append(s->luns, o);
}

static void on_probed(
	void *arg, int err, const struct lun_facts *facts, const char *reason)
{
	struct scan *s = arg;
	s->probe = NULL;
	add_lun(s, err ? NULL : facts, reason);
	answered(s);
}

/* REPORT LUNS */

static void list_luns(struct scan *s);

static void take_list(struct scan *s)
{
	const struct path_result *r = &s->cmd.result;
	size_t len = s->cmd.len;
	struct lun_list list;
	if (!r->overflow)
		len = r->residual < len ? len - r->residual : 0;
	if (lun_list_decode(&list, s->list, len)) {
		snprintf(s->reason, sizeof s->reason,
			"REPORT LUNS: the answer makes no sense");
		return;
	}
	s->listed = true;
	s->count = list.count;
	s->truncated = list.needed > len;
	s->numbers = list.luns;
}

static void on_listed(struct path_cmd *cmd)
{
	struct scan *s = cmd->arg;
	const struct path_result *r = &cmd->result;
	if (r->outcome == PATH_DONE && r->status == SCSI_STATUS_GOOD) {
		take_list(s);
		answered(s);
		return;
	}
	if (r->outcome == PATH_DONE && ++s->attempts < LIST_ATTEMPTS) {
		list_luns(s);
		return;
	}
	if (r->outcome == PATH_DONE)
		snprintf(s->reason, sizeof s->reason, "REPORT LUNS: %s",
			scsi_status_name(r->status));
	else
		snprintf(s->reason, sizeof s->reason, "REPORT LUNS: %s",
			strerror(-r->error));
	path_stop(s->path, false);
}

static void list_luns(struct scan *s)
{
	s->cmd = (struct path_cmd){
		.direction = PATH_DATA_IN,
		.len = LIST_BYTES,
		.data = s->list,
		.deadline = loop_now(s->loop) + LIST_TIMEOUT,
		.done = on_listed,
		.arg = s,
	};
	cdb_report_luns(s->cmd.cdb, LUN_SELECT_NORMAL, LIST_BYTES);
	path_submit(s->path, &s->cmd);
}

/* Paths, one after the other */

static void on_up(struct path *path)
{
	struct scan *s = path->owner;
	if (!s->listed) {
		s->attempts = 0;
		list_luns(s);
		return;
	}
	s->probe = lun_probe(s->loop, path, on_probed, s);
	if (!s->probe) {
		add_lun(s, NULL, strerror(ENOMEM));
		answered(s);
	}
}

static void on_down(struct path *path, const struct path_down *why)
{
	struct scan *s = path->owner;
	lun_probe_cancel(s->probe);
	s->probe = NULL;
	if (!s->answered && s->listed)
		add_lun(s, NULL, why->reason);
	else if (!s->answered && !why->was_up)
		snprintf(s->reason, sizeof s->reason, "%s", why->reason);
	loop_post(s->loop, &s->next);
}

/* The path will go down by itself, and says then why. */
static void on_leaving(struct path *path)
{
	(void)path;
}

static const struct path_events events = {
	.up = on_up,
	.down = on_down,
	.leaving = on_leaving,
};

static void finish(struct scan *s, const char *error)
{
	struct json_object *luns = s->luns;
	s->luns = NULL;
	s->done(s->arg, luns, error);
}

static void start_path(struct scan *s)
{
	s->answered = false;
	s->config.portals[0] = s->portals[s->portal].at;
	memset(s->config.lun, 0, sizeof s->config.lun);
	if (s->listed)
		memcpy(s->config.lun, s->numbers + s->at * LUN_LEN, LUN_LEN);
	scan_isid(s->loop, s->config.isid);
	s->path = iscsi_path_new(s->loop, &s->config);
	if (!s->path) {
		finish(s, strerror(ENOMEM));
		return;
	}
	s->path->owner = s;
	s->path->events = &events;
	path_start(s->path);
}

/* The path is down. What was it for, and what comes next? */
static void go_on(void *arg)
{
	struct scan *s = arg;
	path_free(s->path);
	s->path = NULL;
	if (!s->listed) {
		if (++s->portal < s->nportals)
			start_path(s);
		else
			finish(s, s->reason);
		return;
	}
	s->at = json_object_array_length(s->luns);
	if (s->at < s->count)
		start_path(s);
	else
		finish(s, s->truncated ? "there are more LUNs than are shown"
				       : NULL);
}

static void begin(void *arg)
{
	struct scan *s = arg;
	loop_task_init(&s->next, go_on, s);
	s->list = malloc(LIST_BYTES);
	if (!s->list)
		finish(s, strerror(ENOMEM));
	else if (!s->nportals)
		finish(s, "the target has no portal");
	else
		start_path(s);
}

struct scan *scan_new(struct loop *loop, const struct iscsi_config *like,
	const struct iscsi_target *target, scan_fn *done, void *arg)
{
	struct scan *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->portals = calloc(target->nportals + 1, sizeof *s->portals);
	s->luns = json_object_new_array();
	if (!s->portals || !s->luns) {
		scan_free(s);
		return NULL;
	}
	memcpy(s->portals, target->portals,
		target->nportals * sizeof *s->portals);
	memcpy(s->target, target->name, sizeof s->target);
	s->loop = loop;
	s->done = done;
	s->arg = arg;
	s->nportals = target->nportals;
	s->config = *like;
	s->config.target_name = s->target;
	s->config.nportals = 1;
	loop_task_init(&s->next, begin, s);
	return s;
}

void scan_start(struct scan *s)
{
	loop_post(s->loop, &s->next);
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	path_free(s->path);
	json_object_put(s->luns);
	free(s->portals);
	free(s->list);
	free(s);
}
