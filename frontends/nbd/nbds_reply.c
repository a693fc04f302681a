/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/bytes.h>

#include "nbd_proto.h"
#include "nbds_client.h"
#include "nbds_request.h"

/* The protocol's errors: the one place where they are made. */
static const struct wire_error {
	int err;
	uint32_t code;
	const char *text;
} wire_errors[] = {
	{-EIO, NBD_EIO, "input/output error"}, /* first: stands for the rest */
	{-EPERM, NBD_EPERM, "not permitted: read-only or reserved"},
	{-ENOMEM, NBD_ENOMEM, "out of memory"},
	{-EINVAL, NBD_EINVAL, "invalid request"},
	{-ENOSPC, NBD_ENOSPC, "no space left"},
	{-ENOTSUP, NBD_ENOTSUP, "cannot be done fast"},
	{-ESHUTDOWN, NBD_ESHUTDOWN, "the export is being taken away"},
};

/* ENOTSUP has a meaning for FAST_ZERO only; from elsewhere it is our failure.
 */
static const struct wire_error *wire_error(
	const struct nbds_request *req, int err)
{
	if (err == -ENOTSUP && !(req->flags & NBD_CMD_FLAG_FAST_ZERO))
		err = -EIO;
	for (size_t i = 0; i < sizeof wire_errors / sizeof *wire_errors; i++)
		if (wire_errors[i].err == err)
			return &wire_errors[i];
	return &wire_errors[0];
}

static void simple(struct nbds_request *req, uint32_t code)
{
	struct outq_item *item = &req->item;

	put_be32(item->head, NBD_SIMPLE_REPLY_MAGIC);
	put_be32(item->head + 4, code);
	put_be64(item->head + 8, req->cookie);
	item->head_len = NBD_SIMPLE_REPLY_LEN;
}

/* The only chunk of a structured reply, `len` bytes behind its header. */
static void chunk(struct nbds_request *req, uint16_t type, uint32_t len)
{
	struct outq_item *item = &req->item;

	put_be32(item->head, NBD_STRUCTURED_REPLY_MAGIC);
	put_be16(item->head + 4, NBD_REPLY_FLAG_DONE);
	put_be16(item->head + 6, type);
	put_be64(item->head + 8, req->cookie);
	put_be32(item->head + 16, len);
	item->head_len = NBD_CHUNK_LEN;
}

static void attach(struct outq_item *item, const void *data, uint32_t len)
{
	item->data = data;
	item->data_len = len;
}

static void error_chunk(struct nbds_request *req, const struct wire_error *e)
{
	const char *text = req->why ? req->why : e->text;
	uint16_t len = (uint16_t)strlen(text);
	struct outq_item *item = &req->item;

	chunk(req, NBD_REPLY_TYPE_ERROR, 6u + len);
	put_be32(item->head + NBD_CHUNK_LEN, e->code);
	put_be16(item->head + NBD_CHUNK_LEN + 4, len);
	item->head_len = NBD_CHUNK_LEN + 6;
	attach(item, text, len);
}

static void read_reply(struct nbds_request *req, bool structured)
{
	struct outq_item *item = &req->item;

	if (!structured) {
		simple(req, 0);
	} else if (req->len == 0) {
		chunk(req, NBD_REPLY_TYPE_NONE, 0);
	} else {
		chunk(req, NBD_REPLY_TYPE_OFFSET_DATA, 8 + req->len);
		put_be64(item->head + NBD_CHUNK_LEN, req->offset);
		item->head_len = NBD_CHUNK_LEN + 8;
	}
	attach(item, blk_data(&req->blk), req->len);
}

/* Extents become what the wire has, in place: those are longer. The device told
 * of no more bytes than were asked for, so none exceeds 32 bits. */
static void status_reply(struct nbds_request *req)
{
	const struct blk_extent *x = req->blk.extents;
	uint8_t *wire = req->blk.buf->data;
	unsigned n = req->blk.nextents;

	_Static_assert(sizeof *x >= NBD_EXTENT_LEN, "in place");
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = (uint32_t)x[i].len, flags = x[i].flags;

		put_be32(wire + NBD_EXTENT_LEN * i, len);
		put_be32(wire + NBD_EXTENT_LEN * i + 4,
			(flags & BLK_HOLE ? NBD_STATE_HOLE : 0) |
				(flags & BLK_ZEROES ? NBD_STATE_ZERO : 0));
	}
	chunk(req, NBD_REPLY_TYPE_BLOCK_STATUS, 4 + NBD_EXTENT_LEN * n);
	put_be32(req->item.head + NBD_CHUNK_LEN, NBD_CONTEXT_ID);
	req->item.head_len = NBD_CHUNK_LEN + 4;
	attach(&req->item, wire, NBD_EXTENT_LEN * n);
}

static void reply_sent(struct outq_item *item, bool sent)
{
	(void)sent;
	nbds_request_release(
		(struct nbds_request *)((char *)item -
					offsetof(struct nbds_request, item)));
}

void nbds_reply(struct nbds_request *req, int err)
{
	struct nbds_client *c = req->client;
	struct outq_item *item = &req->item;

	item->done = reply_sent;
	item->tail_len = 0;
	attach(item, NULL, 0);
	if (err && c->structured)
		error_chunk(req, wire_error(req, err));
	else if (err)
		simple(req, wire_error(req, err)->code);
	else if (req->type == NBD_CMD_READ)
		read_reply(req, c->structured);
	else if (req->type == NBD_CMD_BLOCK_STATUS)
		status_reply(req);
	else
		simple(req, 0);
	nbds_client_send(c, item);
}
