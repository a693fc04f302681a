/* SPDX-License-Identifier: BSD-2-Clause */
/* What umpio can do: one table. */
#ifndef UMPIO_CLI_COMMANDS_H
#define UMPIO_CLI_COMMANDS_H

#include "cli.h"

struct command {
	const char *name;
	const char *synopsis; /* behind the name */
	const char *help;     /* one line */
	const char *details;  /* more of them, each ended; NULL: none */
	unsigned min, max;    /* words */
	const struct arg_option *options; /* besides the common ones */
	int (*run)(struct cli *cli);      /* NULL: not part of this version */
};

/* Ends with a NULL name. */
extern const struct command commands[];

/* NULL: there is none of that name. */
const struct command *command_find(const char *name);

int cmd_status(struct cli *cli);
int cmd_stats(struct cli *cli);
int cmd_wait(struct cli *cli);
int cmd_attach(struct cli *cli);
int cmd_detach(struct cli *cli);
int cmd_path(struct cli *cli);
int cmd_fault(struct cli *cli);
int cmd_events(struct cli *cli);
int cmd_set(struct cli *cli);
int cmd_abort(struct cli *cli);
int cmd_top(struct cli *cli);
int cmd_pr(struct cli *cli);
int cmd_reload(struct cli *cli);
int cmd_discover(struct cli *cli);

#endif
