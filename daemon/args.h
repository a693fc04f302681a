/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of umpiod. */
#ifndef UMPIOD_ARGS_H
#define UMPIOD_ARGS_H

#include <stdbool.h>
#include <umpio/settings.h>

enum args_outcome { ARGS_RUN, ARGS_DONE, ARGS_WRONG };

struct args {
	struct settings *settings; /* from options and URLs; never NULL */
	const char *config_file;   /* NULL: not given */
	const char *control;       /* NULL: the default */
	bool urls;
};

/* Reads the command line. ARGS_DONE: help or version was printed. ARGS_WRONG:
 * the mistake was printed. The settings are the caller's. */
enum args_outcome args_read(struct args *args, int argc, char **argv);

#endif
