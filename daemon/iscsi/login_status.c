/* SPDX-License-Identifier: BSD-2-Clause */
/* The statuses of a Login Response, RFC 7143 11.13.5. */
#include <stddef.h>

#include "login.h"

/* A detail of 0xff stands for all others of its class and comes last in it. */
#define ANY 0xff

static const struct login_status statuses[] = {
	{1, ANY, PATH_RETRY, PATH_RETRY, "it redirects without an address"},
	{2, 0x00, PATH_FATAL, PATH_RETRY_SLOW, "it blames the initiator"},
	{2, 0x01, PATH_RETRY_SLOW, PATH_RETRY_SLOW,
		"authentication failed; check CHAP user and secret"},
	{2, 0x02, PATH_RETRY_SLOW, PATH_RETRY_SLOW,
		"access denied; allow this initiator name at the target"},
	/* Targets that are starting up say so too, and so do some that deny
	 * access: once it was there, it may come back. */
	{2, 0x03, PATH_FATAL, PATH_RETRY,
		"no such target, or no access to it; check its name"},
	{2, 0x04, PATH_FATAL, PATH_RETRY_SLOW, "the target was removed"},
	{2, 0x05, PATH_FATAL, PATH_FATAL, "it speaks another iSCSI version"},
	{2, 0x06, PATH_RETRY, PATH_RETRY, "too many connections"},
	{2, 0x07, PATH_FATAL, PATH_FATAL, "it misses a parameter"},
	{2, 0x08, PATH_RETRY, PATH_RETRY,
		"the connection cannot be in this session"},
	{2, 0x09, PATH_FATAL, PATH_FATAL,
		"it does not do this type of session"},
	{2, 0x0a, PATH_RETRY, PATH_RETRY, "the session does not exist"},
	{2, 0x0b, PATH_FATAL, PATH_FATAL, "it calls the request invalid"},
	{2, ANY, PATH_FATAL, PATH_RETRY_SLOW, "it blames the initiator"},
	{3, 0x00, PATH_RETRY, PATH_RETRY, "target error"},
	{3, 0x01, PATH_RETRY, PATH_RETRY, "service unavailable"},
	{3, 0x02, PATH_RETRY, PATH_RETRY, "the target is out of resources"},
	{3, ANY, PATH_RETRY, PATH_RETRY, "target error"},
};

static const struct login_status unknown = {
	ANY, ANY, PATH_FATAL, PATH_RETRY_SLOW, "unknown status"};

const struct login_status *login_status_find(uint8_t class, uint8_t detail)
{
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		const struct login_status *s = &statuses[i];

		if (s->class == class &&
			(s->detail == detail || s->detail == ANY))
			return s;
	}
	return &unknown;
}
