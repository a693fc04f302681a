/* SPDX-License-Identifier: BSD-2-Clause */
/* iscsi:// URLs, in the form that QEMU and libiscsi use. */
#include <umpio/settings.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>

#include "name.h"

#define SCHEME     "iscsi://"
#define ISCSI_PORT 3260
#define LUN_MAX    16383 /* flat space addressing, SAM-5 4.7.7.3 */

struct parsing {
	struct iscsi_url *url;
	char *why;
	size_t why_size;
};

static int refuse(const struct parsing *p, const char *cause)
{
	snprintf(p->why, p->why_size,
		"%s; a URL reads iscsi://[USER@]HOST[:PORT]/TARGET/LUN", cause);
	return -EINVAL;
}

/* The user before the last @. Nothing of it is repeated in a message: it may
 * be a password, or hold one that a / or @ cut in two. */
static int parse_user(const struct parsing *p, const char *text, size_t len)
{
	if (memchr(text, ':', len) || memchr(text, '%', len)) {
		snprintf(p->why, p->why_size,
			"a URL must not hold a password, since everybody on "
			"the host can see it; put it into a file and name "
			"that with --chap-secret-file");
		return -EINVAL;
	}
	if (len == 0)
		return refuse(p, "no user before @");
	if (len >= sizeof p->url->user)
		return refuse(p, "the user before @ is too long");
	if (memchr(text, '/', len))
		return refuse(p, "a / in the user before @");
	memcpy(p->url->user, text, len);
	p->url->user[len] = '\0';
	return 0;
}

static int parse_target(const struct parsing *p, const char *text, size_t len)
{
	if (len == 0 || len >= sizeof p->url->target)
		return refuse(p, "the target's name has 1 to 223 bytes");
	memcpy(p->url->target, text, len);
	p->url->target[len] = '\0';
	return name_check(p->url->target, p->why, p->why_size);
}

static int parse_lun(const struct parsing *p, const char *text)
{
	uint64_t lun;
	if (units_u64(text, &lun) || lun > LUN_MAX)
		return refuse(p, "the LUN is a number from 0 to 16383");
	p->url->lun = (unsigned)lun;
	return 0;
}

/* HOST[:PORT]/TARGET/LUN */
static int parse_place(const struct parsing *p, const char *text)
{
	const char *slash = strchr(text, '/');
	if (!slash || slash == text)
		return refuse(p, "no host, or nothing behind it");
	if (endpoint_parse(
		    &p->url->portal, text, (size_t)(slash - text), ISCSI_PORT))
		return refuse(p, "bad HOST[:PORT]; IPv6 stands in brackets");
	const char *target = slash + 1;
	slash = strchr(target, '/');
	if (!slash)
		return refuse(p, "no LUN at the end");
	int err = parse_target(p, target, (size_t)(slash - target));
	return err ? err : parse_lun(p, slash + 1);
}

int iscsi_url_parse(
	struct iscsi_url *url, const char *text, char *why, size_t why_size)
{
	struct parsing p = {url, why, why_size};
	*url = (struct iscsi_url){0};
	if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
		return refuse(&p, "no iscsi:// at the start");
	text += strlen(SCHEME);
	const char *at = strrchr(text, '@');
	if (at) {
		int err = parse_user(&p, text, (size_t)(at - text));
		if (err)
			return err;
		text = at + 1;
	}
	if (strchr(text, '?'))
		return refuse(&p,
			"parameters behind ? are not taken; options and secret "
			"files are named apart");
	return parse_place(&p, text);
}
