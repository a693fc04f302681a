/* SPDX-License-Identifier: BSD-2-Clause */
#include "isns_answer.h"

#include <errno.h>

#include "name.h"
#include "targets.h"

/* Behind the message key, which the server repeats, and its delimiter. */
static int skip_key(struct cursor *c)
{
	struct isns_attr a;
	int got;

	while ((got = isns_attr_next(c, &a)) > 0)
		if (a.tag == ISNS_DELIMITER)
			return 0;
	return got;
}

/* A port attribute. False when it is none that TCP can use. */
static bool take_port(const struct isns_attr *a, struct endpoint *at)
{
	uint32_t port;

	if (isns_attr_u32(a, &port) < 0 || (port & ISNS_PORT_UDP))
		return false;
	at->port = (uint16_t)port;
	return at->port != 0;
}

/* A portal group while its attributes come, in the order of their tags. */
struct group {
	struct iscsi_target *target; /* NULL: not one that was listed */
	struct iscsi_portal portal;
	bool has_ip, has_port;
};

static int group_take(
	struct group *g, const struct isns_attr *a, struct targets *all)
{
	char name[ISCSI_NAME_MAX + 1];
	uint32_t tag;

	switch (a->tag) {
	case ISNS_PG_NAME:
		*g = (struct group){0};
		if (isns_attr_text(a, name, sizeof name) == 0)
			g->target = targets_find(all, name);
		break;
	case ISNS_PG_IP:
		g->has_ip = isns_attr_host(a, &g->portal.at) == 0;
		break;
	case ISNS_PG_PORT: g->has_port = take_port(a, &g->portal.at); break;
	case ISNS_PG_TAG:
		if (!g->target || !g->has_ip || !g->has_port ||
			isns_attr_u32(a, &tag) < 0)
			break;
		g->portal.tpgt = (uint16_t)tag;
		return targets_add_portal(all, g->target, &g->portal);
	default: break;
	}
	return 0;
}

static int take_node(const struct isns_attr *a, struct targets *all)
{
	char name[ISCSI_NAME_MAX + 1];

	/* One bad name does not spoil the others. */
	if (isns_attr_text(a, name, sizeof name) < 0 || !iscsi_name_valid(name))
		return 0;
	return targets_named(all, name) ? 0 : -ENOSPC;
}

int isns_answer_targets(struct cursor c, struct targets *all)
{
	const struct cursor begin = c;
	struct group group = {0};
	struct isns_attr a;
	int got, err = 0;

	/* Names first: adding one moves the targets that groups point to. */
	if (skip_key(&c) < 0)
		return -EPROTO;
	while (!err && (got = isns_attr_next(&c, &a)) != 0) {
		if (got < 0)
			return got;
		if (a.tag == ISNS_NAME)
			err = take_node(&a, all);
	}
	c = begin;
	if (!err)
		err = skip_key(&c);
	while (!err && isns_attr_next(&c, &a) > 0)
		err = group_take(&group, &a, all);
	return err;
}

int isns_answer_portals(
	struct cursor c, struct targets *all, struct iscsi_target *target)
{
	struct iscsi_portal portal = {.tpgt = 1};
	struct isns_attr a;
	bool has_ip = false;
	int got, err = 0;

	if (skip_key(&c) < 0)
		return -EPROTO;
	while (!err && (got = isns_attr_next(&c, &a)) != 0) {
		if (got < 0)
			return got;
		if (a.tag == ISNS_PORTAL_IP)
			has_ip = isns_attr_host(&a, &portal.at) == 0;
		else if (a.tag == ISNS_PORTAL_PORT && has_ip &&
			 take_port(&a, &portal.at))
			err = targets_add_portal(all, target, &portal);
	}
	return err;
}

int isns_answer_period(struct cursor c, uint32_t *seconds)
{
	struct isns_attr a;
	int got;

	*seconds = 0;
	while ((got = isns_attr_next(&c, &a)) > 0)
		if (a.tag == ISNS_REGISTRATION_PERIOD &&
			isns_attr_u32(&a, seconds) < 0)
			return -EPROTO;
	return got;
}
