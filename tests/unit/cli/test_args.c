/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <daemon/cli/args.h>
#include <errno.h>
#include <string.h>

static const struct arg_option common[] = {
	{"json", 'j', NULL},
	{"control", 0, "PATH"},
	{0},
};
static const struct arg_option own[] = {
	{"now", 'n', NULL},
	{"option", 'o', "K=V"},
	{0},
};
static const struct arg_option *const tables[2] = {common, own};

static char why[128];

#define PARSE(args, stop, ...)                                                 \
	args_parse(args, (const char *const[]){__VA_ARGS__, NULL}, stop,       \
		tables, why, sizeof why)

Test(args, words_and_options_in_any_order)
{
	struct args a;
	cr_assert_eq(PARSE(&a, false, "one", "--json", "-ok=v", "two", "-no",
			     "x", "--control=/p", "--", "--now", "-"),
		10);
	cr_assert_eq(a.nwords, 4);
	cr_expect_str_eq(a.words[0], "one");
	cr_expect_str_eq(a.words[1], "two");
	cr_expect_str_eq(a.words[2], "--now");
	cr_expect_str_eq(a.words[3], "-");
	cr_assert_eq(a.ngiven, 5);
	cr_expect_str_eq(a.given[1].value, "k=v");
	cr_expect_str_eq(args_value(&a, "option"), "x", "the last one");
	cr_expect_str_eq(args_value(&a, "control"), "/p");
	cr_expect_str_eq(args_value(&a, "json"), "");
	args_fini(&a);
}

Test(args, stops_at_the_first_word)
{
	struct args a;
	cr_expect_eq(PARSE(&a, true, "--control", "c", "cmd", "--bogus"), 2);
	cr_expect_eq(a.nwords, 0);
	cr_expect_str_eq(args_value(&a, "control"), "c");
	cr_expect_null(args_value(&a, "json"));
	args_fini(&a);
}

Test(args, errors_name_the_option)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{"--bogus=1", "unknown option --bogus"},
		{"--contro", "unknown option --contro"},
		{"-x", "unknown option -x"},
		{"-nx", "unknown option -nx"},
		{"--json=1", "--json takes no value"},
		{"--control", "--control needs PATH"},
		{"-o", "--option needs K=V"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct args a;
		cr_expect_eq(PARSE(&a, false, wrong[i].text), -EINVAL);
		cr_expect_str_eq(why, wrong[i].why);
		args_fini(&a);
	}
}
