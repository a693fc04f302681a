/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client is told about an export: INFO, GO, and the transmission flags.
 */
#include <stdio.h>
#include <string.h>
#include <umpio/base/cursor.h>
#include <umpio/base/pump.h>
#include <umpio/blkdev.h>

#include "nbd_proto.h"
#include "nbds_client.h"
#include "nbds_option.h"
#include "nbds_server.h"
#include "nbds_tls.h"

/* CAN_MULTI_CONN: nothing here caches, and connections share the device, so it
 * holds where it holds of the device. CACHE is answered, but there is nothing
 * that would make it worth sending. */
uint16_t nbds_info_flags(
	const struct nbds_client *c, const struct blk_info *info)
{
	unsigned flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH |
			 NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_WRITE_ZEROES |
			 NBD_FLAG_SEND_FAST_ZERO;

	if (info->read_only)
		flags |= NBD_FLAG_READ_ONLY;
	if (info->rotational)
		flags |= NBD_FLAG_ROTATIONAL;
	if (info->can_trim)
		flags |= NBD_FLAG_SEND_TRIM;
	if (info->multi_conn)
		flags |= NBD_FLAG_CAN_MULTI_CONN;
	if (c->structured)
		flags |= NBD_FLAG_SEND_DF;
	return (uint16_t)flags;
}

static uint32_t power_of_two_below(uint32_t n)
{
	while (n & (n - 1))
		n &= n - 1;
	return n;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void nbds_info_block_sizes(
	struct nbds_block_sizes *sizes, const struct blk_info *info, bool asked)
{
	uint32_t best = power_of_two_below(info->optimal_io);

	if (best > 65536)
		best = 65536;
	best = larger(best, power_of_two_below(info->physical_block_size));
	sizes->min = asked ? info->block_size : 1;
	sizes->preferred = larger(larger(4096, info->block_size), best);
	sizes->max = NBD_PAYLOAD_MAX;
}

/* What INFO and GO carry. */
struct query {
	struct nbds_name name;
	bool wants_name, wants_description, wants_block_size;
};

/* False unless the length is exactly that of the fields. */
static bool query_parse(struct query *q, struct cursor *data)
{
	unsigned n;

	memset(q, 0, sizeof *q);
	q->name.len = cursor_be32(data);
	q->name.at = cursor_take(data, q->name.len);
	n = cursor_be16(data);
	if (data->bad || data->left != 2 * (size_t)n)
		return false;
	while (n--) {
		switch (cursor_be16(data)) {
		case NBD_INFO_NAME: q->wants_name = true; break;
		case NBD_INFO_DESCRIPTION: q->wants_description = true; break;
		case NBD_INFO_BLOCK_SIZE: q->wants_block_size = true; break;
		default: break; /* unknown ones are to be ignored */
		}
	}
	return true;
}

static int send_export(
	struct nbds_client *c, uint32_t option, const struct blk_info *info)
{
	uint8_t reply[12];

	put_be16(reply, NBD_INFO_EXPORT);
	put_be64(reply + 2, info->size);
	put_be16(reply + 10, nbds_info_flags(c, info));
	return nbds_option_reply(c, option, NBD_REP_INFO, reply, sizeof reply);
}

static int send_block_size(struct nbds_client *c, uint32_t option,
	const struct blk_info *info, bool asked)
{
	struct nbds_block_sizes sizes;
	uint8_t reply[14];

	nbds_info_block_sizes(&sizes, info, asked);
	put_be16(reply, NBD_INFO_BLOCK_SIZE);
	put_be32(reply + 2, sizes.min);
	put_be32(reply + 6, sizes.preferred);
	put_be32(reply + 10, sizes.max);
	return nbds_option_reply(c, option, NBD_REP_INFO, reply, sizeof reply);
}

static int send_name(struct nbds_client *c, uint32_t option,
	const struct nbds_export *export)
{
	uint8_t reply[2 + NBD_NAME_MAX];
	size_t len = export->name_len;

	if (len > NBD_NAME_MAX)
		return 0;
	put_be16(reply, NBD_INFO_NAME);
	memcpy(reply + 2, export->name, len);
	return nbds_option_reply(c, option, NBD_REP_INFO, reply, 2 + len);
}

const char *nbds_info_description(
	const struct nbds_export *export, char *text, size_t size)
{
	struct blk_info info;

	blkdev_info(export->dev, &info);
	snprintf(text, size, "umpio device %.128s, %u-byte blocks%s",
		export->dev->name, info.block_size,
		info.read_only ? ", read-only" : "");
	return text;
}

static int send_description(struct nbds_client *c, uint32_t option,
	const struct nbds_export *export)
{
	char reply[2 + 256];

	put_be16(reply, NBD_INFO_DESCRIPTION);
	nbds_info_description(export, reply + 2, sizeof reply - 2);
	return nbds_option_reply(
		c, option, NBD_REP_INFO, reply, 2 + strlen(reply + 2));
}

static int send_all(struct nbds_client *c, uint32_t option,
	const struct query *q, const struct nbds_export *export,
	const struct blk_info *info)
{
	int err = send_export(c, option, info);

	if (!err)
		err = send_block_size(c, option, info, q->wants_block_size);
	if (!err && (q->wants_name || q->name.len != export->name_len))
		err = send_name(c, option, export);
	if (!err && q->wants_description)
		err = send_description(c, option, export);
	if (!err)
		err = nbds_option_reply(c, option, NBD_REP_ACK, NULL, 0);
	return err;
}

int nbds_info_choose(struct nbds_client *c, struct nbds_export *export,
	const struct blk_info *info, const struct nbds_name *name)
{
	nbds_context_drop(c, name);
	c->export = export;
	c->info = *info;
	export->clients++;
	nbds_client_event(c, NBDS_EV_CHOSEN);
	return 0;
}

/* A client's name in an error text: it may be anything, so it is shown only
 * where it is plain. */
static int refuse_name(
	struct nbds_client *c, uint32_t option, const struct nbds_name *q)
{
	char name[64];

	if (q->len >= sizeof name)
		return nbds_option_refuse(c, option, NBD_REP_ERR_UNKNOWN,
			"no export has that name");
	for (uint32_t i = 0; i < q->len; i++)
		name[i] =
			q->at[i] < ' ' || q->at[i] > '~' ? '?' : (char)q->at[i];
	name[q->len] = '\0';
	return nbds_option_refuse(c, option, NBD_REP_ERR_UNKNOWN,
		"no export is named \"%s\"", name);
}

bool nbds_info_may_use(
	const struct nbds_client *c, const struct nbds_export *export)
{
	return !export->allow ||
	       nbds_tls_peer_is(pump_stream(c->pump), export->allow);
}

struct nbds_export *nbds_info_export(struct nbds_client *c, uint32_t option,
	const struct nbds_name *name, int *err)
{
	struct nbds_export *export;

	if (name->len > NBD_NAME_MAX) {
		*err = nbds_option_refuse(c, option, NBD_REP_ERR_TOO_BIG,
			"names have at most %u bytes", NBD_NAME_MAX);
		return NULL;
	}
	export = nbds_server_find(c->server, name->at, name->len);
	if (!export) {
		*err = refuse_name(c, option, name);
	} else if (!nbds_info_may_use(c, export)) {
		*err = nbds_option_refuse(c, option, NBD_REP_ERR_POLICY,
			"this export is not for you");
		export = NULL;
	} else if (export->removing) {
		*err = nbds_option_refuse(c, option, NBD_REP_ERR_SHUTDOWN,
			"the export is being taken away");
		export = NULL;
	}
	return export;
}

int nbds_info_option(
	struct nbds_client *c, uint32_t option, struct cursor *data)
{
	struct nbds_export *export;
	struct blk_info info;
	struct query q;
	int err;

	if (!query_parse(&q, data))
		return nbds_option_refuse(c, option, NBD_REP_ERR_INVALID,
			"the lengths within option %u do not add up", option);
	export = nbds_info_export(c, option, &q.name, &err);
	if (!export)
		return err;
	blkdev_info(export->dev, &info);
	err = send_all(c, option, &q, export, &info);
	if (err || option == NBD_OPT_INFO)
		return err;
	return nbds_info_choose(c, export, &info, &q.name);
}
