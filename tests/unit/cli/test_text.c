/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <daemon/cli/table.h>
#include <daemon/cli/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(text, sizes)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{1048575, "1.0 MiB"},
		{1ull << 30, "1.0 GiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char text[TEXT_SIZE_MAX];
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		cr_expect_str_eq(
			text_size(sizes[i].bytes, text), sizes[i].text);
	cr_expect_str_eq(text_latency(999, text), "999 µs");
	cr_expect_str_eq(text_latency(1250, text), "1.2 ms");
	cr_expect_str_eq(text_latency(UINT64_MAX, text), "18446744073709.6 s");
}

Test(text, control_characters_do_not_reach_the_terminal)
{
	char *out;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	text_print(f, "a\x1b[31m\n\x7f\xc2\x9b"
		      "é");
	fclose(f);
	cr_expect_str_eq(out, "a?[31m???é");
	free(out);
	cr_expect_eq(text_width("a\x1b\xc2\x9bé"), 4);
}

Test(table, columns_fit_and_empty_ones_go)
{
	static const struct table_column columns[] = {
		{"ID", true, false},
		{"GONE", false, false},
		{"STATE", false, true},
		{"LAST", false, false},
	};
	static const char *const cells[] = {
		"0", "", "up", "", "100", "", "é", "x"};
	struct table t;
	char *out;
	size_t len;
	table_init(&t, columns, 4);
	for (size_t i = 0; i < 8; i++)
		table_add(&t, cells[i]);
	FILE *f = open_memstream(&out, &len);
	table_print(&t, f, "> ", false);
	fclose(f);
	cr_expect_str_eq(out, ">  ID  STATE  LAST\n"
			      ">   0  up\n"
			      "> 100  é      x\n");
	free(out);
	f = open_memstream(&out, &len);
	table_print(&t, f, "", true);
	fclose(f);
	cr_expect(strstr(out, "\033[32mup\033[0m"));
	free(out);
	table_fini(&t);
}
