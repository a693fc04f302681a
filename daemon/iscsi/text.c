/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int text_in_add(struct text_in *in, const void *data, size_t len)
{
	char *more;

	if (len > TEXT_TOTAL_MAX || in->len > TEXT_TOTAL_MAX - len)
		return -EMSGSIZE;
	if (len == 0)
		return 0;
	more = realloc(in->data, in->len + len + 1);
	if (!more)
		return -ENOMEM;
	in->data = more;
	memcpy(more + in->len, data, len);
	in->len += len;
	more[in->len] = '\0';
	return 0;
}

void text_in_clear(struct text_in *in)
{
	free(in->data);
	*in = (struct text_in){0};
}

/* RFC 7143 6.1: letters, digits, and few others; it begins with a capital
 * letter in the standard's own keys, but not in all that are met. */
static bool key_valid(const char *key, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789.-+@_/#:";

	return len > 0 && len <= TEXT_KEY_MAX && strspn(key, allowed) == len;
}

int text_in_next(struct text_in *in, size_t *at, struct text_pair *pair,
	const char **why)
{
	char *start, *end, *equals;

	/* Some peers pad a segment with NULs. */
	while (*at < in->len && in->data[*at] == '\0')
		++*at;
	if (*at >= in->len)
		return 0;
	start = in->data + *at;
	end = memchr(start, '\0', in->len - *at);
	if (!end) {
		*why = "text that does not end with a NUL";
		return -EPROTO;
	}
	equals = memchr(start, '=', (size_t)(end - start));
	if (!equals) {
		*why = "text that is no key=value";
		return -EPROTO;
	}
	*equals = '\0';
	if (!key_valid(start, (size_t)(equals - start))) {
		*why = "a text key that is empty, too long, or has characters "
		       "that none may have";
		return -EPROTO;
	}
	*pair = (struct text_pair){.key = start, .value = equals + 1};
	*at = (size_t)(end - in->data) + 1;
	return 1;
}

void text_put(struct text_out *out, const char *key, const char *value)
{
	size_t key_len = strlen(key), value_len = strlen(value);
	size_t need = key_len + 1 + value_len + 1;
	char *at = out->data + out->len;

	if (need > out->cap - out->len) {
		out->full = true;
		return;
	}
	memcpy(at, key, key_len);
	at[key_len] = '=';
	memcpy(at + key_len + 1, value, value_len + 1);
	out->len += need;
}

void text_put_number(struct text_out *out, const char *key, uint64_t value)
{
	char text[21];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	text_put(out, key, text);
}

void text_put_bool(struct text_out *out, const char *key, bool value)
{
	text_put(out, key, value ? "Yes" : "No");
}

void text_put_binary(
	struct text_out *out, const char *key, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 + 2 * TEXT_BINARY_MAX + 1] = "0x";
	size_t i;

	if (len > TEXT_BINARY_MAX) {
		out->full = true;
		return;
	}
	for (i = 0; i < len; i++) {
		text[2 + 2 * i] = digits[data[i] >> 4];
		text[3 + 2 * i] = digits[data[i] & 15];
	}
	text[2 + 2 * len] = '\0';
	text_put(out, key, text);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool has_prefix(const char *value, char letter)
{
	return value[0] == '0' && (value[1] | 0x20) == letter;
}

int text_number(const char *value, uint64_t *number)
{
	unsigned base = 10;
	uint64_t sum = 0;
	int digit;

	if (has_prefix(value, 'x')) {
		base = 16;
		value += 2;
	} else if (value[0] == '0' && value[1] != '\0') {
		return -EINVAL;
	}
	if (*value == '\0')
		return -EINVAL;
	for (; *value; value++) {
		digit = hex_digit(*value);
		if (digit < 0 || (unsigned)digit >= base)
			return -EINVAL;
		if (sum > (UINT64_MAX - (unsigned)digit) / base)
			return -ERANGE;
		sum = sum * base + (unsigned)digit;
	}
	*number = sum;
	return 0;
}

int text_bool(const char *value, bool *yes)
{
	*yes = strcmp(value, "Yes") == 0;
	return *yes || strcmp(value, "No") == 0 ? 0 : -EINVAL;
}

/* An odd number of digits has a leading zero that was not written. */
static int hex_decode(const char *text, uint8_t *out, size_t cap)
{
	size_t digits = strlen(text), i;
	size_t odd = digits & 1;
	int digit;

	if (digits == 0)
		return -EINVAL;
	if ((digits + 1) / 2 > cap)
		return -EMSGSIZE;
	memset(out, 0, (digits + 1) / 2);
	for (i = 0; i < digits; i++) {
		digit = hex_digit(text[i]);
		if (digit < 0)
			return -EINVAL;
		out[(i + odd) / 2] |=
			(uint8_t)((i + odd) & 1 ? digit : digit << 4);
	}
	return (int)((digits + 1) / 2);
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* RFC 4648 4: groups of four, the last one filled up with `=`; bits that the
 * bytes do not need are zero. */
static int base64_decode(const char *text, uint8_t *out, size_t cap)
{
	size_t chars = strlen(text), pad = 0, len, i;
	uint32_t bits = 0;

	while (pad < 2 && pad < chars && text[chars - 1 - pad] == '=')
		pad++;
	if (chars == 0 || chars % 4 != 0)
		return -EINVAL;
	len = chars / 4 * 3 - pad;
	if (len > cap)
		return -EMSGSIZE;
	for (i = 0; i < chars; i++) {
		int digit = i < chars - pad ? base64_digit(text[i]) : 0;
		size_t byte = i * 6 / 8;

		if (digit < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 0 && byte < len)
			out[byte] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	return bits & ((1u << 8 * pad) - 1) ? -EINVAL : (int)len;
}

int text_binary(const char *value, uint8_t *out, size_t cap)
{
	if (has_prefix(value, 'x'))
		return hex_decode(value + 2, out, cap);
	if (has_prefix(value, 'b'))
		return base64_decode(value + 2, out, cap);
	return -EINVAL;
}

static bool list_has(const char *list, const char *word, size_t len)
{
	size_t item;

	for (;; list += item + 1) {
		item = strcspn(list, ",");
		if (item == len && memcmp(list, word, len) == 0)
			return true;
		if (list[item] == '\0')
			return false;
	}
}

bool text_list_has(const char *list, const char *word)
{
	return list_has(list, word, strlen(word));
}

bool text_list_choose(
	const char *theirs, const char *ours, char *out, size_t size)
{
	size_t item;

	for (;; theirs += item + 1) {
		item = strcspn(theirs, ",");
		if (item > 0 && item < size && list_has(ours, theirs, item)) {
			memcpy(out, theirs, item);
			out[item] = '\0';
			return true;
		}
		if (theirs[item] == '\0')
			return false;
	}
}
