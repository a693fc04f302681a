/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One command after the other, by a table. Every answer goes through the
 * disposition table first: unit attentions and the like are retried, a step
 * that the target lacks is left out when it is optional.
 */
#include "lun_probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/opcode.h>
#include <umpio/scsi/sense.h>

#define COMMAND_TIME    (5 * NS_PER_S)
#define RETRIES_MAX     8 /* of one step; unit attentions among them */
#define NOT_READY_TIME  (60 * NS_PER_S) /* becoming ready, all in all */
#define NOT_READY_DELAY (1 * NS_PER_S)

int lun_probe_fault(struct lun_probe *p, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof p->why, fmt, ap);
	va_end(ap);
	return err;
}

static void probe_free(struct lun_probe *p)
{
	loop_timer_free(p->wait);
	free(p);
}

static void end(struct lun_probe *p, int err)
{
	p->done(p->arg, err, err ? NULL : &p->facts, p->why);
	probe_free(p);
}

static void command_done(struct path_cmd *cmd);

static void send_step(struct lun_probe *p)
{
	memset(p->data, 0, sizeof p->data);
	p->step->build(p->cmd.cdb);
	p->cmd.direction = p->step->alloc ? PATH_DATA_IN : PATH_NO_DATA;
	p->cmd.len = p->step->alloc;
	p->cmd.data = p->step->alloc ? p->data : NULL;
	p->cmd.deadline = loop_now(p->loop) + COMMAND_TIME;
	p->cmd.done = command_done;
	p->cmd.arg = p;
	p->sent = true;
	if (p->goes)
		p->goes(p->arg);
	path_submit(p->path, &p->cmd);
}

static void begin(struct lun_probe *p)
{
	p->step = lun_steps;
	p->retries = 0;
	p->facts = (struct lun_facts){.alua_state = ALUA_NONE};
	p->pages = (struct vpd_pages){0};
	p->has_capacity = p->has_mode = p->has_wwid = false;
	p->relative_port = -1;
	mode_init(&p->mode);
	send_step(p);
}

static bool is_wanted(const struct lun_probe *p)
{
	if (p->brief && !p->step->names)
		return false;
	return !p->step->wanted || p->step->wanted(p);
}

static void next_step(struct lun_probe *p)
{
	p->retries = 0;
	do
		p->step++;
	while (p->step->name && !is_wanted(p));
	if (p->step->name)
		send_step(p);
	else
		end(p, lun_probe_conclude(p));
}

static void decode(struct lun_probe *p)
{
	const struct path_result *r = &p->cmd.result;
	size_t len = p->cmd.len;
	int err = 0;

	if (!r->overflow)
		len -= r->residual < len ? r->residual : len;
	if (p->step->decode)
		err = p->step->decode(p, len);
	/* A size that is there and cannot be served is no lack of the step. */
	if (err && (!p->step->optional || err == -EINVAL)) {
		end(p, err);
		return;
	}
	next_step(p);
}

/* What was read may be another by now. INQUIRY and TEST UNIT READY come first:
 * a new session has news then. */
static bool is_stale(struct lun_probe *p, const struct disposition *d)
{
	return d->flags & (DISPOSITION_REREAD_IDENTITY |
				  DISPOSITION_REREAD_MODE) &&
	       p->step > lun_steps + 1 && p->anew++ < RETRIES_MAX;
}

/* True when the step is tried again, now or later. */
static bool retry(struct lun_probe *p, const struct disposition *d)
{
	uint64_t delay = d->delay ? d->delay : NOT_READY_DELAY;

	if (d->action == DISPOSITION_WAIT) {
		if (loop_now(p->loop) - p->started >= NOT_READY_TIME)
			return false;
		if (p->step->optional && p->retries++ >= RETRIES_MAX)
			return false;
		loop_timer_set(p->wait,
			delay < NOT_READY_DELAY ? delay : NOT_READY_DELAY);
		return true;
	}
	if (d->action == DISPOSITION_FAIL || p->retries >= RETRIES_MAX)
		return false;
	if (d->action == DISPOSITION_PATH_BAD)
		return false;
	p->retries++;
	if (is_stale(p, d))
		begin(p);
	else
		send_step(p);
	return true;
}

/* The last word of a step that did not succeed. */
static void step_failed(struct lun_probe *p, const struct disposition *d)
{
	if (p->step->optional && d->action != DISPOSITION_PATH_BAD) {
		next_step(p);
		return;
	}
	/* A unit that others have reserved still says what it is. */
	if (d->error == -EBADE && p->step->decode == NULL) {
		next_step(p);
		return;
	}
	end(p, lun_probe_fault(p, -EAGAIN, "%s: %s", p->step->name, d->what));
}

/* 05/25: LOGICAL UNIT NOT SUPPORTED */
static bool is_absent(const struct path_result *r)
{
	struct sense s = sense_decode(r->sense, r->sense_len);

	return r->status == SCSI_STATUS_CHECK_CONDITION && s.valid &&
	       s.key == SENSE_ILLEGAL_REQUEST && s.asc == 0x25;
}

/* The port is in a state without access (SPC-5 5.16.2): the step has to wait
 * until that is over, and is left out. */
static bool is_barred(struct lun_probe *p, const struct path_result *r)
{
	int state = r->status == SCSI_STATUS_CHECK_CONDITION
			    ? alua_state_of_sense(r->sense, r->sense_len)
			    : ALUA_NONE;

	if (state == ALUA_NONE)
		return false;
	p->facts.alua_state = state;
	p->facts.limited |= p->step->decode != NULL;
	return true;
}

static void command_done(struct path_cmd *cmd)
{
	struct lun_probe *p = cmd->arg;
	const struct path_result *r = &cmd->result;
	struct disposition d = {0};

	if (p->back)
		p->back(p->arg, cmd);
	if (r->outcome == PATH_DONE)
		d = disposition_of(r->status, r->sense, r->sense_len);
	if (d.flags && p->heed)
		p->heed(p->arg, r, &d);
	p->sent = false;
	if (p->cancelled) {
		probe_free(p);
		return;
	}
	if (r->outcome != PATH_DONE) {
		end(p, lun_probe_fault(p, -EAGAIN, "%s: no answer (%s)",
			       p->step->name, strerror(-r->error)));
		return;
	}
	if (d.action == DISPOSITION_OK)
		decode(p);
	else if (is_absent(r))
		end(p, lun_probe_fault(
			       p, -ENODEV, "the target has no such LUN"));
	else if (is_barred(p, r))
		next_step(p);
	else if (!retry(p, &d))
		step_failed(p, &d);
}

static void wait_over(void *arg)
{
	send_step(arg);
}

struct lun_probe *lun_probe(
	struct loop *loop, struct path *path, lun_probe_fn *done, void *arg)
{
	struct lun_probe *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->loop = loop;
	p->path = path;
	p->done = done;
	p->arg = arg;
	p->started = loop_now(loop);
	p->wait = loop_timer_new(loop, wait_over, p);
	if (!p->wait) {
		free(p);
		return NULL;
	}
	begin(p);
	return p;
}

void lun_probe_cancel(struct lun_probe *probe)
{
	if (!probe)
		return;
	probe->cancelled = true;
	if (!probe->sent)
		probe_free(probe);
}
