/* SPDX-License-Identifier: BSD-2-Clause */
#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "activation.h"

#define ARG_MAX_SETS 256

/* An option that is a setting in short form: applied when the device has its
 * name, in the order given. */
struct arg_set {
	const char *key, *value;
};

struct reader {
	struct args *args;
	const char *name; /* of the one device */
	struct arg_set sets[ARG_MAX_SETS];
	unsigned nsets;
	char why[512];
};

/* Values of options that have no letter. */
enum {
	OPT_CONTROL = 256,
	OPT_NAME,
	OPT_SETTING, /* and above: settings[value - OPT_SETTING] */
};

static const struct {
	const char *option, *key, *value; /* value NULL: the argument */
	const char *argument, *help;
} settings_options[] = {
	{"nbd", "nbd", NULL, "ADDRESS",
		"serve over NBD at unix:PATH or tcp:HOST:PORT; repeatable"},
	{"fuse", "fuse", NULL, "FILE", "serve as a FUSE block file at FILE"},
	{"policy", "policy", NULL, "NAME",
		"how requests are spread over the paths, see umpiod(8)"},
	{"discover", "discover", "yes", NULL,
		"add every portal that the target reports"},
	{"read-only", "read-only", "yes", NULL, "refuse all writes"},
	{"initiator-name", "initiator-name", NULL, "IQN", "who we are"},
	{"chap-user", "chap-user", NULL, "NAME", "CHAP name"},
	{"chap-secret-file", "chap-secret-file", NULL, "FILE",
		"file with the CHAP secret, mode 0600"},
};

#define NSETTINGS (sizeof settings_options / sizeof *settings_options)

static void print_help(void)
{
	printf("Usage: umpiod [OPTIONS]            every device of the "
	       "configuration file\n"
	       "       umpiod [OPTIONS] URL...     one device; several URLs of "
	       "one LUN are its paths\n"
	       "\n"
	       "URL is iscsi://[USER@]HOST[:PORT]/TARGET-IQN/LUN\n"
	       "\n"
	       "  -c, --config FILE         configuration (default "
	       "/etc/umpio/umpio.conf)\n"
	       "      --control PATH        control socket\n"
	       "      --name NAME           name of the one device (default "
	       "disk0)\n");
	for (size_t i = 0; i < NSETTINGS; i++) {
		char left[64];

		snprintf(left, sizeof left, "%s%s%s",
			settings_options[i].option,
			settings_options[i].argument ? " " : "",
			settings_options[i].argument
				? settings_options[i].argument
				: "");
		printf("      --%-20s%s%s\n", left,
			strlen(left) < 20 ? "" : "  ",
			settings_options[i].help);
	}
	printf("  -o, --option KEY=VALUE    any key of umpio.conf(5) for the "
	       "device\n"
	       "  -h, --help                this text\n"
	       "  -V, --version             the version\n"
	       "\n"
	       "umpiod stays in the foreground and logs to stderr. See "
	       "umpiod(8).\n");
}

static int fail(struct reader *r, const char *what)
{
	if (what)
		snprintf(r->why, sizeof r->why, "%s", what);
	return -1;
}

static int take_set(struct reader *r, const char *key, const char *value)
{
	if (r->nsets == ARG_MAX_SETS)
		return fail(r, "too many options");
	r->sets[r->nsets++] = (struct arg_set){key, value};
	return 0;
}

static int take_key_value(struct reader *r, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals) {
		snprintf(r->why, sizeof r->why, "-o %s: wants KEY=VALUE", text);
		return -1;
	}
	*equals = '\0';
	return take_set(r, text, equals + 1);
}

static int take_option(struct reader *r, int opt, char *value)
{
	switch (opt) {
	case 'c': r->args->config_file = value; return 0;
	case OPT_CONTROL: r->args->control = value; return 0;
	case OPT_NAME: r->name = value; return 0;
	case 'o': return take_key_value(r, value);
	default: break;
	}
	if (opt < OPT_SETTING)
		return fail(r, NULL); /* getopt has said what is wrong */
	opt -= OPT_SETTING;
	return take_set(r, settings_options[opt].key,
		settings_options[opt].value ? settings_options[opt].value
					    : value);
}

/* A setting belongs to the device, or to [daemon] when only that knows it. */
static int apply_sets(struct reader *r, struct section *device)
{
	for (unsigned i = 0; i < r->nsets; i++) {
		int id = setting_find(r->sets[i].key);
		struct section *to = device;

		if (id >= 0 && !(setting_info((enum setting)id)->scopes &
				       SETTING_DEVICE))
			to = r->args->settings->daemon;
		if (!to)
			return fail(r, "options of a device need a URL");
		if (section_set(to, r->sets[i].key, r->sets[i].value, r->why,
			    sizeof r->why) < 0)
			return -1;
	}
	return 0;
}

static bool is_frontend(const struct arg_set *set)
{
	return strcmp(set->key, "nbd") == 0 || strcmp(set->key, "fuse") == 0;
}

static int apply_urls(struct reader *r, char **urls)
{
	struct section *device;
	bool frontend = false;

	if (r->args->config_file)
		return fail(r, "URLs and --config exclude each other");
	for (unsigned i = 0; i < r->nsets; i++)
		frontend |= is_frontend(&r->sets[i]);
	if (!frontend && !activation_count())
		return fail(r, "a URL without a frontend: add --nbd or --fuse");
	device = settings_add(r->args->settings, SETTING_DEVICE, r->name);
	if (!device)
		return fail(
			r, "--name: 1 to 64 printable characters without /");
	for (; *urls; urls++)
		if (section_set(device, "url", *urls, r->why, sizeof r->why) <
			0)
			return -1;
	r->args->urls = true;
	return apply_sets(r, device);
}

static void fill_options(struct option *to)
{
	static const struct option fixed[] = {
		{"config", required_argument, NULL, 'c'},
		{"control", required_argument, NULL, OPT_CONTROL},
		{"name", required_argument, NULL, OPT_NAME},
		{"option", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
	};
	size_t n = sizeof fixed / sizeof *fixed;

	memcpy(to, fixed, sizeof fixed);
	for (size_t i = 0; i < NSETTINGS; i++)
		to[n + i] = (struct option){settings_options[i].option,
			settings_options[i].value ? no_argument
						  : required_argument,
			NULL, OPT_SETTING + (int)i};
}

static enum args_outcome wrong(const struct reader *r)
{
	if (r->why[0]) /* else getopt_long() has said it */
		fprintf(stderr, "umpiod: %s; see umpiod --help\n", r->why);
	return ARGS_WRONG;
}

enum args_outcome args_read(struct args *args, int argc, char **argv)
{
	struct option options[NSETTINGS + 7] = {0};
	struct reader r = {.args = args, .name = "disk0"};
	int opt;

	*args = (struct args){.settings = settings_new()};
	if (!args->settings) {
		fail(&r, "out of memory");
		return wrong(&r);
	}
	fill_options(options);
	while ((opt = getopt_long(argc, argv, "c:o:hV", options, NULL)) >= 0) {
		if (opt == 'h') {
			print_help();
			return ARGS_DONE;
		}
		if (opt == 'V') {
			printf("umpiod %s\n", UMPIO_VERSION);
			return ARGS_DONE;
		}
		if (take_option(&r, opt, optarg) < 0)
			return wrong(&r);
	}
	if (optind < argc ? apply_urls(&r, argv + optind) < 0
			  : apply_sets(&r, NULL) < 0)
		return wrong(&r);
	return ARGS_RUN;
}
