/* SPDX-License-Identifier: BSD-2-Clause */
#include "nbds_option.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/cursor.h>

#include "nbd_proto.h"
#include "nbds_client.h"
#include "nbds_server.h"

int nbds_option_refuse(struct nbds_client *c, uint32_t option, uint32_t error,
	const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* Clients ask for what they could use; only a lack is no mistake. */
	if (error != NBD_REP_ERR_UNSUP)
		(void)nbds_client_complain(
			c, "option %u refused: %s", option, text);
	return nbds_option_reply(c, option, error, text, strlen(text));
}

/* No error can be answered here; all that is left is to close. */
static int export_name(
	struct nbds_client *c, uint32_t option, struct cursor *data)
{
	uint8_t reply[NBD_EXPORT_REPLY_LEN + NBD_EXPORT_ZEROES] = {0};
	const struct nbds_name name = {data->at, (uint32_t)data->left};
	size_t len = sizeof reply - (c->no_zeroes ? NBD_EXPORT_ZEROES : 0);
	struct nbds_export *export;
	struct blk_info info;
	int err;

	(void)option;
	export = nbds_server_find(c->server, name.at, name.len);
	if (!export || export->removing || !nbds_info_may_use(c, export))
		return nbds_client_complain(c, "no export named \"%.*s\"",
			(int)data->left, (const char *)data->at);
	blkdev_info(export->dev, &info);
	put_be64(reply, info.size);
	put_be16(reply + 8, nbds_info_flags(c, &info));
	err = nbds_handshake_send(c, reply, len);
	return err ? err : nbds_info_choose(c, export, &info, &name);
}

static int acknowledge(struct nbds_client *c, uint32_t option)
{
	return nbds_option_reply(c, option, NBD_REP_ACK, NULL, 0);
}

static int abort_option(
	struct nbds_client *c, uint32_t option, struct cursor *data)
{
	(void)data;
	nbds_client_event(c, NBDS_EV_ABORT);
	return acknowledge(c, option);
}

static int list_one(struct nbds_client *c, uint32_t option,
	const struct nbds_export *export)
{
	size_t name_len = export->name_len, about_len;
	char about[256];
	uint8_t *reply;
	int err;

	about_len = strlen(nbds_info_description(export, about, sizeof about));
	reply = malloc(4 + name_len + about_len);
	if (!reply)
		return -ENOMEM;
	put_be32(reply, (uint32_t)name_len);
	memcpy(reply + 4, export->name, name_len);
	memcpy(reply + 4 + name_len, about, about_len);
	err = nbds_option_reply(
		c, option, NBD_REP_SERVER, reply, 4 + name_len + about_len);
	free(reply);
	return err;
}

static int list(struct nbds_client *c, uint32_t option, struct cursor *data)
{
	struct nbds_export *export;
	int err;

	(void)data;
	TAILQ_FOREACH (export, &c->server->exports, link) {
		if (export->removing || !nbds_info_may_use(c, export))
			continue;
		err = list_one(c, option, export);
		if (err)
			return err;
	}
	return acknowledge(c, option);
}

static int structured_reply(
	struct nbds_client *c, uint32_t option, struct cursor *data)
{
	(void)data;
	c->structured = true;
	return acknowledge(c, option);
}

static int starttls(struct nbds_client *c, uint32_t option, struct cursor *data)
{
	int err;

	(void)data;
	if (c->secured)
		return nbds_option_refuse(c, option, NBD_REP_ERR_INVALID,
			"TLS is in use already");
	if (!c->server->tls)
		return nbds_option_refuse(c, option, NBD_REP_ERR_POLICY,
			"this server has no TLS; connect without it");
	/* What came behind in plain could be anybody's (CVE-2021-3716). */
	if (intake_len(&c->in) > NBD_OPT_HEADER_LEN)
		return nbds_client_complain(
			c, "more bytes behind STARTTLS, before TLS");
	err = acknowledge(c, option);
	nbds_client_event(c, NBDS_EV_STARTTLS);
	return err;
}

static const struct option {
	uint32_t code;
	bool data;    /* may have data */
	bool exports; /* waits until there is an export */
	int (*handle)(
		struct nbds_client *c, uint32_t option, struct cursor *data);
} options[] = {
	{NBD_OPT_EXPORT_NAME, true, true, export_name},
	{NBD_OPT_ABORT, true, false, abort_option},
	{NBD_OPT_LIST, false, false, list},
	{NBD_OPT_STARTTLS, false, false, starttls},
	{NBD_OPT_INFO, true, true, nbds_info_option},
	{NBD_OPT_GO, true, true, nbds_info_option},
	{NBD_OPT_STRUCTURED_REPLY, false, false, structured_reply},
	{NBD_OPT_LIST_META_CONTEXT, true, true, nbds_context_option},
	{NBD_OPT_SET_META_CONTEXT, true, true, nbds_context_option},
};

static const struct option *option_find(uint32_t code)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i].code == code)
			return &options[i];
	return NULL;
}

static bool needs_tls(const struct nbds_client *c)
{
	return c->server->tls && !c->secured;
}

static int handle(struct nbds_client *c, const struct option *o, uint32_t code,
	struct cursor *data)
{
	/* One who does not know the fixed form cannot read option replies. */
	if (!c->fixed && code != NBD_OPT_EXPORT_NAME)
		return nbds_client_complain(
			c, "option %u without fixed newstyle", code);
	if (needs_tls(c) && code == NBD_OPT_EXPORT_NAME)
		return nbds_client_complain(c, "EXPORT_NAME without TLS");
	if (needs_tls(c) && code != NBD_OPT_STARTTLS && code != NBD_OPT_ABORT)
		return nbds_option_refuse(c, code, NBD_REP_ERR_TLS_REQD,
			"this server wants TLS first");
	if (code != NBD_OPT_ABORT && nbds_server_is_ending(c->server))
		return nbds_option_refuse(
			c, code, NBD_REP_ERR_SHUTDOWN, "the server is ending");
	if (!o)
		return nbds_option_refuse(c, code, NBD_REP_ERR_UNSUP,
			"this server does not know option %u", code);
	if (!o->data && data->left)
		return nbds_option_refuse(c, code, NBD_REP_ERR_INVALID,
			"option %u takes no data", code);
	return o->handle(c, code, data);
}

/* The limits of a handshake, before any of the option's data is looked at. */
static int check_limits(
	struct nbds_client *c, uint64_t magic, uint32_t code, uint32_t len)
{
	const struct nbds_limits *limits = &c->server->limits;

	if (magic != NBD_OPTION_MAGIC)
		return nbds_client_complain(c, "no option where one must be");
	if (len > limits->option_bytes)
		return nbds_client_complain(
			c, "option %u of %u bytes", code, len);
	if (c->options >= limits->options ||
		len > limits->handshake_bytes - c->handshake_bytes)
		return nbds_client_complain(c, "too many options");
	return 0;
}

int nbds_option_step(struct nbds_client *c)
{
	struct cursor in = cursor_over(intake_data(&c->in), intake_len(&c->in));
	uint64_t magic = cursor_be64(&in);
	uint32_t code = cursor_be32(&in);
	uint32_t len = cursor_be32(&in);
	const struct option *o = option_find(code);
	struct cursor data;
	int err;

	if (in.bad)
		return 0;
	err = check_limits(c, magic, code, len);
	if (err)
		return err;
	if (in.left < len)
		return 0;
	if (o && o->exports && !needs_tls(c) &&
		TAILQ_EMPTY(&c->server->exports))
		return nbds_client_block(c);
	c->options++;
	c->handshake_bytes += len;
	data = cursor_sub(&in, len);
	err = handle(c, o, code, &data);
	intake_consume(&c->in, NBD_OPT_HEADER_LEN + len);
	return err ? err : 1;
}
