/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata contexts: the one there is, base:allocation, is listed and selected
 * here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/cursor.h>

#include "nbd_proto.h"
#include "nbds_client.h"
#include "nbds_option.h"

#define QUERIES_MAX 64u
#define WILDCARD    "base:"

void nbds_context_drop(struct nbds_client *c, const struct nbds_name *keep)
{
	if (c->context && keep && keep->len == c->context_len &&
		memcmp(c->context, keep->at, keep->len) == 0)
		return;
	free(c->context);
	c->context = NULL;
}

static int context_select(struct nbds_client *c, const struct nbds_name *name)
{
	c->context = malloc(name->len + 1u);
	if (!c->context)
		return -ENOMEM;
	memcpy(c->context, name->at, name->len);
	c->context_len = name->len;
	return 0;
}

static bool is_text(const struct nbds_name *query, const char *text)
{
	return query->len == strlen(text) &&
	       memcmp(query->at, text, query->len) == 0;
}

/* Reads all queries. -EPROTO unless they end where the option ends; else 1 when
 * one of them asks for the context. What asks for other namespaces is passed
 * over; the bare namespace stands for all of it in a list only. */
static int read_queries(struct cursor *data, uint32_t n, bool wildcard)
{
	int wanted = wildcard && n == 0;
	struct nbds_name query;

	while (n--) {
		query.len = cursor_be32(data);
		query.at = cursor_take(data, query.len);
		if (data->bad)
			return -EPROTO;
		if (is_text(&query, NBD_CONTEXT_NAME) ||
			(wildcard && is_text(&query, WILDCARD)))
			wanted = 1;
	}
	return data->left ? -EPROTO : wanted;
}

static int send_context(struct nbds_client *c, uint32_t option)
{
	static const char name[] = NBD_CONTEXT_NAME;
	uint8_t reply[4 + sizeof name - 1];

	put_be32(
		reply, option == NBD_OPT_SET_META_CONTEXT ? NBD_CONTEXT_ID : 0);
	memcpy(reply + 4, name, sizeof name - 1);
	return nbds_option_reply(
		c, option, NBD_REP_META_CONTEXT, reply, sizeof reply);
}

/* The export is there; `data` is at the number of queries. */
static int answer(struct nbds_client *c, uint32_t option,
	const struct nbds_name *name, struct cursor *data)
{
	bool set = option == NBD_OPT_SET_META_CONTEXT;
	uint32_t n = cursor_be32(data);
	int wanted, err = 0;

	if (n > QUERIES_MAX)
		return nbds_option_refuse(c, option, NBD_REP_ERR_TOO_BIG,
			"at most %u queries at once", QUERIES_MAX);
	wanted = read_queries(data, n, !set);
	if (wanted < 0)
		return nbds_option_refuse(c, option, NBD_REP_ERR_INVALID,
			"the lengths within option %u do not add up", option);
	if (wanted && set)
		err = context_select(c, name);
	if (wanted && !err)
		err = send_context(c, option);
	return err ? err : nbds_option_reply(c, option, NBD_REP_ACK, NULL, 0);
}

int nbds_context_option(
	struct nbds_client *c, uint32_t option, struct cursor *data)
{
	struct nbds_name name;
	int err = 0;

	/* Every SET takes the place of the one before, also one that fails. */
	if (option == NBD_OPT_SET_META_CONTEXT) {
		nbds_context_drop(c, NULL);
		if (!c->structured)
			return nbds_option_refuse(c, option,
				NBD_REP_ERR_INVALID,
				"contexts need structured replies");
	}
	name.len = cursor_be32(data);
	name.at = cursor_take(data, name.len);
	if (data->bad || data->left < 4)
		return nbds_option_refuse(c, option, NBD_REP_ERR_INVALID,
			"the lengths within option %u do not add up", option);
	if (!nbds_info_export(c, option, &name, &err))
		return err;
	return answer(c, option, &name, data);
}
