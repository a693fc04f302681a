/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>
#include <stdint.h>
#include <umpio/scsi/text.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\0';
}

size_t text_printable(char *out, size_t size, const void *in, size_t len)
{
	const uint8_t *p = in;
	size_t n = 0;

	while (len && is_blank(*p)) {
		p++;
		len--;
	}
	while (len && is_blank(p[len - 1]))
		len--;
	for (; n < len && n + 1 < size; n++)
		out[n] = p[n] < 0x20 || p[n] > 0x7e ? '.' : (char)p[n];
	out[n] = '\0';
	return n;
}
