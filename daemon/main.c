/* SPDX-License-Identifier: BSD-2-Clause */
/* umpiod: from the command line to a running daemon and its exit status. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <umpio/base/log.h>
#include <umpio/control.h>
#include <unistd.h>

#include "args.h"
#include "daemon.h"

#define DEFAULT_CONFIG "/etc/umpio/umpio.conf"

static int refuse(const char *why)
{
	fprintf(stderr, "umpiod: %s\n", why);
	return EXIT_USAGE;
}

/* One descriptor per connection: as many as we may have. Secrets are in our
 * memory, so no core of it is written. */
static void prepare_process(void)
{
	const struct rlimit no_core = {0, 0};
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &no_core);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* The settings to run with: those of the command line, or of the file. */
static int load(struct args *args, const char **config_file)
{
	struct settings *read;
	char why[512];

	*config_file = args->config_file;
	if (args->urls)
		return 0;
	if (!*config_file && access(DEFAULT_CONFIG, F_OK) == 0)
		*config_file = DEFAULT_CONFIG;
	if (!*config_file)
		return 0; /* starts empty and waits for attach */
	read = settings_read(*config_file, why, sizeof why);
	if (!read)
		return refuse(why);
	settings_free(args->settings);
	args->settings = read;
	return 0;
}

static int run(struct args *args)
{
	char control[PATH_MAX];
	const char *config_file;
	int status = load(args, &config_file);

	if (status == 0 && !args->control &&
		control_default_path(control, sizeof control) < 0)
		status = refuse("no place for the control socket: "
				"XDG_RUNTIME_DIR is not set; give --control");
	if (status != 0) {
		settings_free(args->settings);
		return status;
	}
	if (args->control)
		snprintf(control, sizeof control, "%s", args->control);
	log_setup(LOG_LEVEL_INFO, getenv("JOURNAL_STREAM") != NULL);
	log_start();
	status = daemon_run(args->settings, config_file, args->urls, control);
	log_stop();
	return status;
}

int main(int argc, char **argv)
{
	struct args args;

	prepare_process();
	switch (args_read(&args, argc, argv)) {
	case ARGS_RUN: return run(&args);
	case ARGS_DONE: settings_free(args.settings); return EXIT_DONE;
	case ARGS_WRONG: settings_free(args.settings); return EXIT_USAGE;
	}
	return EXIT_USAGE;
}
