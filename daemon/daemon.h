/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The composition root: settings become devices, devices live on a worker, the
 * control socket steers them. Everything here is on the control thread.
 */
#ifndef UMPIOD_DAEMON_H
#define UMPIOD_DAEMON_H

#include <stdbool.h>
#include <stdio.h>
#include <umpio/base/queue.h>
#include <umpio/loop.h>
#include <umpio/settings.h>

#include "args.h"
#include "device.h"
#include "plan.h"
#include "workers.h"

struct control_server;
struct events;

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct daemon {
	struct loop *loop;
	struct workers *workers;
	struct control_server *control;
	char *control_path;
	struct plan_context context;
	const struct args *args;
	struct settings *file;           /* NULL: there is none */
	const struct settings *settings; /* the file's, or the command line's */
	char *instance;                  /* outlives a reload, as ISIDs do */
	TAILQ_HEAD(, device) devices;
	LIST_HEAD(, isns_watch) watches;
	LIST_HEAD(, waiter) waiters; /* api_wait.c */
	struct events *events;
	struct loop_signal *signals[3];
	struct loop_timer *shutdown_timer;
	bool stopping, stopping_now;
	int status; /* enum exit_status */
};

/* Runs a daemon until it is told to end: with `file`, the settings of the
 * configuration file (which become its own), or when that is NULL with those of
 * the command line. `args` and `control_path` must live. Returns the exit
 * status. */
int daemon_run(
	const struct args *args, struct settings *file, char *control_path);

struct device *daemon_find(const struct daemon *daemon, const char *name);

/* A device has changed: those who wait for that look again. */
void daemon_changed(struct daemon *daemon);

/* A device has come to serve: the ready line. */
void daemon_ready(struct daemon *daemon, const struct device *dev);

/* A device is gone. */
void daemon_gone(struct daemon *daemon, int err);

/* Ends the daemon in order; `now`, or said again: at once. */
void daemon_stop(struct daemon *daemon, bool now);

/* reload.c: reads the file again and brings the devices to it. 0; -EAGAIN
 * without memory for all of it, and it is to be done again; or -errno with
 * nothing changed. Then a line in `why`, which says so. */
int daemon_reload(struct daemon *daemon, char *why, size_t why_size);

#endif
