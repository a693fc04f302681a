/* SPDX-License-Identifier: BSD-2-Clause */
#include "name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* RFC 3722: what stays of ASCII after preparation; case is folded when names
 * are compared. Bytes of UTF-8 beyond ASCII are let through. */
static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':' ||
	       (unsigned char)c >= 0x80;
}

static bool all_name_chars(const char *s)
{
	while (name_char(*s))
		s++;
	return *s == '\0';
}

static bool hex_digits(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdefABCDEF") == n;
}

/* `yyyy-mm.` and at least one more byte, RFC 7143 4.2.7.4 */
static bool iqn_valid(const char *s)
{
	size_t i;

	for (i = 0; i < 7; i++)
		if (i == 4 ? s[i] != '-' : (s[i] < '0' || s[i] > '9'))
			return false;
	return s[7] == '.' && s[8] != '\0' && s[8] != ':' && s[8] != '.' &&
	       all_name_chars(s);
}

bool iscsi_name_valid(const char *name)
{
	if (strlen(name) > ISCSI_NAME_MAX)
		return false;
	if (strncasecmp(name, "iqn.", 4) == 0)
		return iqn_valid(name + 4);
	if (strncasecmp(name, "eui.", 4) == 0)
		return hex_digits(name + 4, 16);
	if (strncasecmp(name, "naa.", 4) == 0)
		return hex_digits(name + 4, 16) || hex_digits(name + 4, 32);
	return false;
}

int iscsi_name_compare(const char *a, const char *b)
{
	return strcasecmp(a, b);
}

/* Takes `,TPGT` off the end: `len` is the length without it. */
static int take_tag(const char *text, size_t *len, unsigned *tag)
{
	const char *comma = strrchr(text, ',');
	uint64_t number;

	if (!comma)
		return 0;
	if (text_number(comma + 1, &number) < 0 || number > UINT16_MAX)
		return -EINVAL;
	*tag = (unsigned)number;
	*len = (size_t)(comma - text);
	return 1;
}

/* Nothing but what an address or a DNS name has: a peer's text ends up in
 * messages and in the resolver. */
static bool host_valid(const char *host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:%";

	return *host && host[strspn(host, allowed)] == '\0';
}

int iscsi_address_parse(
	const char *text, struct iscsi_portal *portal, bool *has_tpgt)
{
	struct iscsi_portal result = {0};
	size_t len = strlen(text);
	int tagged = take_tag(text, &len, &result.tpgt);

	if (tagged < 0 || endpoint_parse(&result.at, text, len, ISCSI_PORT) < 0)
		return -EINVAL;
	if (!host_valid(result.at.host) || result.at.port == 0)
		return -EINVAL;
	*portal = result;
	if (has_tpgt)
		*has_tpgt = tagged > 0;
	return 0;
}

const char *isid_text(
	const uint8_t isid[ISCSI_ISID_LEN], char text[ISID_TEXT_MAX])
{
	snprintf(text, ISID_TEXT_MAX, "0x%02x%02x%02x%02x%02x%02x", isid[0],
		isid[1], isid[2], isid[3], isid[4], isid[5]);
	return text;
}
