/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes what the tables of keys and of events say: `tables_doc man PAGE.in`
 * prints the manual page with the line @KEYS@ replaced by the keys, and
 * @EVENTS@ by the events; `tables_doc sample` the commented sample
 * configuration. Runs while building.
 */
#include <umpio/settings.h>

#include <stdio.h>
#include <string.h>

static const char *value_name(const struct setting_info *info)
{
	static const char *const names[] = {
		[SETTING_BOOL] = "yes|no",
		[SETTING_NUMBER] = "number",
		[SETTING_DURATION] = "duration",
		[SETTING_SIZE] = "size",
		[SETTING_CHOICE] = "word",
		[SETTING_TEXT] = "text",
		[SETTING_LIST] = "text",
	};
	return info->type == SETTING_TEXT && info->choices ? "word[,word]"
							   : names[info->type];
}

static void print_unit(const struct setting_info *info, uint64_t value)
{
	static const struct {
		uint64_t size;
		const char *name;
	} sizes[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}},
	  times[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	if (info->type == SETTING_SIZE && value)
		for (size_t i = 0; i < 3; i++)
			if (value % sizes[i].size == 0) {
				printf("%ju%s",
					(uintmax_t)(value / sizes[i].size),
					sizes[i].name);
				return;
			}
	if (info->type == SETTING_DURATION && value)
		for (size_t i = 0; i < 4; i++)
			if (value % times[i].size == 0) {
				printf("%ju%s",
					(uintmax_t)(value / times[i].size),
					times[i].name);
				return;
			}
	printf("%ju", (uintmax_t)value);
}

/* "one of a, b" or "from 1 to 64"; nothing where the type says it all. */
static void print_range(const struct setting_info *info)
{
	if (info->choices) {
		fputs(info->type == SETTING_CHOICE ? "one of " : "out of ",
			stdout);
		for (const char *p = info->choices; *p; p++)
			if (*p == '|')
				fputs(", ", stdout);
			else
				putchar(*p);
	} else if (info->type == SETTING_NUMBER || info->type == SETTING_SIZE ||
		   info->type == SETTING_DURATION) {
		fputs("from ", stdout);
		print_unit(info, info->min);
		fputs(" to ", stdout);
		print_unit(info, info->max);
	} else if (info->type == SETTING_LIST) {
		fputs("may be repeated", stdout);
	}
}

static bool has_range(const struct setting_info *info)
{
	return info->choices ||
	       (info->type != SETTING_TEXT && info->type != SETTING_BOOL);
}

static void print_scopes(const struct setting_info *info)
{
	static const struct {
		unsigned scope;
		const char *name;
	} scopes[] = {{SETTING_DAEMON, "[daemon]"},
		{SETTING_TARGET, "[target]"}, {SETTING_DEVICE, "[device]"}};
	const char *before = "";
	for (size_t i = 0; i < 3; i++)
		if (info->scopes & scopes[i].scope) {
			printf("%s%s", before, scopes[i].name);
			before = ", ";
		}
}

/* In a roff text line a backslash or a leading dot would be an instruction. */
static void print_roff(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++)
		if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
}

static void print_man_key(const struct setting_info *info)
{
	printf(".It Ic %s = Ar %s\n", info->key, value_name(info));
	print_roff(info->help);
	fputs(".\n.br\nIn ", stdout);
	print_scopes(info);
	if (has_range(info)) {
		fputs("; ", stdout);
		print_range(info);
	}
	if (info->def)
		printf("; default: %s", info->def);
	puts(info->live ? "; live." : ".");
}

static void print_man_keys(void)
{
	for (int i = 0; i < SETTINGS; i++)
		print_man_key(setting_info(i));
}

static void print_man_events(void)
{
	static const struct {
		const char *word, *help;
	} events[] = {
#define X(id, word, help) {word, help},
#include <umpio/tbl/events.h>
#undef X
	};
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		printf(".It Li %s\n", events[i].word);
		print_roff(events[i].help);
		puts(".");
	}
}

static int print_man(const char *file)
{
	char line[4096];
	FILE *in = fopen(file, "r");
	if (!in) {
		perror(file);
		return 1;
	}
	while (fgets(line, sizeof line, in)) {
		if (strcmp(line, "@KEYS@\n") == 0)
			print_man_keys();
		else if (strcmp(line, "@EVENTS@\n") == 0)
			print_man_events();
		else
			fputs(line, stdout);
	}
	fclose(in);
	return 0;
}

/* The section in which the sample shows a key. */
static enum setting_scope home(const struct setting_info *info)
{
	if (!(info->scopes & SETTING_DEVICE) && info->scopes & SETTING_DAEMON)
		return SETTING_DAEMON;
	if (info->scopes & SETTING_TARGET)
		return SETTING_TARGET;
	return SETTING_DEVICE;
}

#define COLUMNS 78

/* Words of `text` in lines that begin with "# ". */
static void print_comment(const char *text)
{
	size_t column = 0;
	while (*text) {
		size_t n = strcspn(text, " ");
		if (column && column + 1 + n > COLUMNS) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf(
			"%s%.*s", column ? " " : "# ", (int)n, text);
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static void print_sample_key(const struct setting_info *info)
{
	putchar('\n');
	print_comment(info->help);
	if (has_range(info)) {
		fputs("# ", stdout);
		print_range(info);
		putchar('\n');
	}
	printf("#%s =%s%s\n", info->key, info->def ? " " : "",
		info->def ? info->def : "");
}

static void print_sample_section(
	enum setting_scope scope, const char *title, const char *about)
{
	printf("\n%s\n", title);
	print_comment(about);
	for (int i = 0; i < SETTINGS; i++)
		if (home(setting_info(i)) == scope)
			print_sample_key(setting_info(i));
}

static int print_sample(void)
{
	puts("# Sample configuration of umpiod. Copy it to "
	     "/etc/umpio/umpio.conf, take the\n"
	     "# leading # off what you need and fill it in. A key that stands "
	     "without a value\n"
	     "# here has no default. See umpio.conf(5).\n"
	     "#\n"
	     "# Two paths to one LUN, served over NBD:\n"
	     "#\n"
	     "#   [target array1]\n"
	     "#   target = iqn.2003-01.org.example:array1\n"
	     "#   portal = 10.0.1.10:3260\n"
	     "#   portal = 10.0.2.10:3260\n"
	     "#\n"
	     "#   [device db0]\n"
	     "#   target = array1\n"
	     "#   lun = 1\n"
	     "#   nbd = unix:/run/umpio/db0.sock");
	print_sample_section(SETTING_DAEMON, "[daemon]",
		"What holds for the daemon, and for targets that do not say "
		"otherwise.");
	print_sample_section(SETTING_TARGET, "#[target NAME]",
		"One section a target. Most of these may also stand in a "
		"[device], and hold then for it alone.");
	print_sample_section(SETTING_DEVICE, "#[device NAME]",
		"One section a device. It names its target's section with "
		"`target = NAME`.");
	return 0;
}

int main(int argc, char **argv)
{
	int status = 2;
	if (argc == 3 && strcmp(argv[1], "man") == 0)
		status = print_man(argv[2]);
	else if (argc == 2 && strcmp(argv[1], "sample") == 0)
		status = print_sample();
	else
		fputs("usage: tables_doc man PAGE.in | sample\n", stderr);
	return status == 0 && fflush(stdout) != 0 ? 1 : status;
}
