/* SPDX-License-Identifier: BSD-2-Clause */
/* umpio: steers umpiod. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

/* Before the command or behind it */
static const struct arg_option common_options[] = {
	{"control", 0, "PATH"},
	{"json", 0, NULL},
	{"help", 'h', NULL},
	{"version", 'V', NULL},
	{0},
};

static void print_help(void)
{
	puts("usage: umpio [--control PATH] [--json] COMMAND\n"
	     "\n"
	     "Commands:");
	for (const struct command *c = commands; c->name; c++)
		if (c->run)
			printf("  %-10s %s\n", c->name, c->help);
	puts("\n"
	     "Options:\n"
	     "  --control PATH  the daemon's control socket; default\n"
	     "                  /run/umpio/control.sock, unprivileged\n"
	     "                  $XDG_RUNTIME_DIR/umpio/control.sock\n"
	     "  --json          answer in JSON, errors too\n"
	     "  -h, --help      this, or with COMMAND that command's help\n"
	     "  -V, --version   version\n"
	     "\n"
	     "Exit status: 0 done, 1 failed, 2 wrong usage. See umpio(8).");
}

static void print_command_help(const struct command *c)
{
	printf("usage: umpio %s %s\n\n%s\n", c->name, c->synopsis, c->help);
	if (c->details)
		printf("\n%s", c->details);
}

/* What holds wherever it stands. True: nothing more is to be done. */
static bool take_common(struct cli *cli, const struct args *args)
{
	const char *control = args_value(args, "control");
	if (control)
		cli->control = control;
	if (args_value(args, "help")) {
		if (cli->command && cli->command->run)
			print_command_help(cli->command);
		else
			print_help();
		return true;
	}
	if (args_value(args, "version")) {
		puts("umpio " UMPIO_VERSION);
		return true;
	}
	return false;
}

static int run_command(struct cli *cli, const char *const *argv)
{
	const struct command *c = cli->command;
	const struct arg_option *const tables[2] = {common_options, c->options};
	char why[256];
	if (args_parse(&cli->args, argv, false, tables, why, sizeof why) < 0)
		return cli_misuse(cli, "%s", why);
	if (take_common(cli, &cli->args))
		return CLI_DONE;
	if (cli->args.nwords < c->min)
		return cli_misuse(cli, "%s: too few arguments", c->name);
	if (cli->args.nwords > c->max)
		return cli_misuse(cli, "%s: too many arguments", c->name);
	return c->run(cli);
}

static int run(struct cli *cli, const char *const *argv)
{
	static const struct arg_option *const tables[2] = {common_options};
	struct args args;
	char why[256];
	int n = args_parse(&args, argv, true, tables, why, sizeof why);
	bool done = n >= 0 && take_common(cli, &args);
	args_fini(&args);
	if (n < 0)
		return cli_misuse(cli, "%s", why);
	if (done)
		return CLI_DONE;
	const char *name = argv[n];
	if (!name)
		return cli_misuse(cli, "no command");
	const struct command *command = command_find(name);
	if (!command)
		return cli_misuse(cli, "unknown command `%.64s`", name);
	if (!command->run)
		return cli_fail(
			cli, CLI_USAGE, "%s is not part of this version", name);
	cli->command = command;
	return run_command(cli, argv + n + 1);
}

/* Looked for first, so that an error in the options is JSON already. */
static bool wants_json(const char *const *argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (strcmp(*argv, "--json") == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	if (argc < 1)
		return CLI_USAGE;
	signal(SIGPIPE, SIG_DFL);
	const char *const *words = (const char *const *)(argv + 1);
	struct cli cli = {.json = wants_json(words)};
	int status = run(&cli, words);
	args_fini(&cli.args);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("umpio: stdout");
		return CLI_FAILED;
	}
	return status;
}
