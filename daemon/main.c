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

#include "activation.h"
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

/* The settings to run with: those of the command line, or of the file with the
 * options of the command line before it. */
static int load(struct args *args, struct settings **settings)
{
	char why[512];

	*settings = NULL;
	if (args->urls)
		return 0;
	if (!args->config_file && access(DEFAULT_CONFIG, F_OK) == 0)
		args->config_file = DEFAULT_CONFIG;
	if (!args->config_file)
		return 0; /* starts empty and waits for attach */
	*settings = settings_read(args->config_file, why, sizeof why);
	if (!*settings)
		return refuse(why);
	if (settings_override(*settings, args->settings) < 0)
		return refuse("out of memory");
	return 0;
}

static int run(struct args *args)
{
	char control[PATH_MAX];
	struct settings *settings;
	int status = load(args, &settings);

	if (status == 0 && !args->control &&
		control_default_path(control, sizeof control) < 0)
		status = refuse("no place for the control socket: "
				"XDG_RUNTIME_DIR is not set; give --control");
	if (status != 0) {
		settings_free(settings);
		return status;
	}
	if (args->control)
		snprintf(control, sizeof control, "%s", args->control);
	log_setup(LOG_LEVEL_INFO, getenv("JOURNAL_STREAM") != NULL);
	log_start();
	status = daemon_run(args, settings, control);
	log_stop();
	return status;
}

int main(int argc, char **argv)
{
	struct args args;
	int status = EXIT_USAGE;

	char why[128] = "";

	prepare_process();
	if (activation_take(why, sizeof why) < 0)
		return refuse(why);
	switch (args_read(&args, argc, argv)) {
	case ARGS_RUN: status = run(&args); break;
	case ARGS_DONE: status = EXIT_DONE; break;
	case ARGS_WRONG: break;
	}
	settings_free(args.settings);
	return status;
}
