/* SPDX-License-Identifier: BSD-2-Clause */
/* The bring-up of a LUN: the machine is in lun_probe.c, its steps are in
 * lun_steps.c. */
#ifndef MPIO_LUN_PROBE_H
#define MPIO_LUN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/lun.h>
#include <umpio/path.h>
#include <umpio/scsi/capacity.h>
#include <umpio/scsi/inquiry.h>
#include <umpio/scsi/mode.h>
#include <umpio/scsi/vpd.h>

#define LUN_PROBE_DATA 4096 /* most data of one step */

struct disposition;
struct loop_timer;
struct lun_step;

struct lun_probe {
	struct loop *loop;
	struct path *path;
	lun_probe_fn *done;
	void *arg;

	/* Called at once with every answer whose disposition has flags, also
	 * when it was cancelled meanwhile; it may be cancelled in it. NULL: the
	 * session is new, and they say nothing. */
	void (*heed)(void *arg, const struct path_result *result,
		const struct disposition *d);

	/* A command of it goes, and is back, also a cancelled one's; NULL:
	 * nobody counts them. */
	void (*goes)(void *arg);
	void (*back)(void *arg, const struct path_cmd *cmd);

	bool brief; /* of the facts only the identity */

	const struct lun_step *step;
	struct path_cmd cmd;
	bool sent, cancelled;
	unsigned retries; /* of this step */
	unsigned anew;    /* it began again */
	uint64_t started;
	struct loop_timer *wait;

	struct lun_facts facts;
	struct inquiry inquiry;
	struct vpd_pages pages;
	struct capacity capacity;
	struct mode mode;
	bool has_capacity, has_mode, has_wwid;
	int relative_port; /* -1: not said */
	char why[160];
	uint8_t data[LUN_PROBE_DATA];
};

/* One command. decode() judges an answer of `len` bytes in p->data: 0, or
 * -errno with a line in p->why that ends the probe unless the step is optional.
 */
struct lun_step {
	const char *name;
	void (*build)(uint8_t *cdb);
	uint16_t alloc;
	bool optional;
	bool (*wanted)(const struct lun_probe *p);      /* NULL: always */
	int (*decode)(struct lun_probe *p, size_t len); /* NULL: no data */
	bool names; /* tells something of the identity */
};

/* In order; the last one has no name. */
extern const struct lun_step lun_steps[];

/* Puts together what the steps have found. 0, or -errno and p->why. */
int lun_probe_conclude(struct lun_probe *p);

/* Notes a line for people; returns `err`. */
int lun_probe_fault(struct lun_probe *p, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
