/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 0 .. 31, DEL, and U+0080 .. U+009F, which some terminals obey too. */
static size_t control_len(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;
	if (b[0] < ' ' || b[0] == 0x7f)
		return 1;
	return b[0] == 0xc2 && b[1] >= 0x80 && b[1] < 0xa0 ? 2 : 0;
}

void text_print(FILE *out, const char *text)
{
	while (*text) {
		size_t n = control_len(text);
		fputc(n ? '?' : *text, out);
		text += n ? n : 1;
	}
}

size_t text_width(const char *text)
{
	size_t width = 0;
	while (*text) {
		size_t n = control_len(text);
		width += n || ((unsigned char)*text & 0xc0) != 0x80;
		text += n ? n : 1;
	}
	return width;
}

const char *text_size(uint64_t bytes, char text[TEXT_SIZE_MAX])
{
	static const char units[] = "KMGTPE";
	if (bytes < 1024) {
		snprintf(text, TEXT_SIZE_MAX, "%u B", (unsigned)bytes);
		return text;
	}
	double value = (double)bytes / 1024;
	unsigned i = 0;
	while (value >= 1023.95 && units[i + 1]) {
		value /= 1024;
		i++;
	}
	snprintf(text, TEXT_SIZE_MAX, "%.1f %ciB", value, units[i]);
	return text;
}

const char *text_latency(uint64_t us, char text[TEXT_SIZE_MAX])
{
	if (us < 1000)
		snprintf(text, TEXT_SIZE_MAX, "%u µs", (unsigned)us);
	else if (us < 1000000)
		snprintf(text, TEXT_SIZE_MAX, "%.1f ms", (double)us / 1e3);
	else
		snprintf(text, TEXT_SIZE_MAX, "%.1f s", (double)us / 1e6);
	return text;
}

bool text_coloured(FILE *out)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	return isatty(fileno(out)) && !(no && *no) &&
	       !(term && strcmp(term, "dumb") == 0);
}

void text_colour(FILE *out, bool coloured, enum text_colour colour)
{
	static const char *const codes[] = {
		[TEXT_PLAIN] = "\033[0m",
		[TEXT_GOOD] = "\033[32m",
		[TEXT_WARN] = "\033[33m",
		[TEXT_BAD] = "\033[31m",
		[TEXT_FAINT] = "\033[2m",
	};
	if (coloured)
		fputs(codes[colour], out);
}

enum text_colour text_state_colour(const char *state)
{
	static const struct {
		const char *state;
		enum text_colour colour;
	} colours[] = {
		{"up", TEXT_GOOD},
		{"active", TEXT_GOOD},
		{"degraded", TEXT_WARN},
		{"queueing", TEXT_BAD},
		{"failed", TEXT_BAD},
		{"connecting", TEXT_WARN},
		{"quarantined", TEXT_WARN},
		{"disabled", TEXT_FAINT},
	};
	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
		if (strcmp(colours[i].state, state) == 0)
			return colours[i].colour;
	return TEXT_PLAIN;
}
