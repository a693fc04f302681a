/* SPDX-License-Identifier: BSD-2-Clause */
#include "nbds_request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <umpio/base/buf.h>
#include <umpio/base/bytes.h>
#include <umpio/loop.h>

#include "nbd_proto.h"
#include "nbds_client.h"
#include "nbds_server.h"

/* Commands, and what they may carry beyond FUA, which any may. */
static const struct command {
	bool known;
	bool payload; /* the data follows the request */
	bool reads;   /* the data follows the reply */
	bool changes;
	bool status; /* extents follow the reply */
	bool device; /* the device carries it out */
	uint8_t op;  /* enum blk_op */
	uint16_t flags;
	int past_end;
} commands[] = {
	[NBD_CMD_READ] = {.known = true,
		.reads = true,
		.device = true,
		.op = BLK_READ,
		.flags = NBD_CMD_FLAG_DF,
		.past_end = -EINVAL},
	[NBD_CMD_WRITE] = {.known = true,
		.payload = true,
		.changes = true,
		.device = true,
		.op = BLK_WRITE,
		.past_end = -ENOSPC},
	[NBD_CMD_FLUSH] = {.known = true, .device = true, .op = BLK_FLUSH},
	[NBD_CMD_TRIM] = {.known = true,
		.changes = true,
		.device = true,
		.op = BLK_TRIM,
		.past_end = -EINVAL},
	/* A hint that we have no use for: success is the right answer. */
	[NBD_CMD_CACHE] = {.known = true, .past_end = -EINVAL},
	[NBD_CMD_WRITE_ZEROES] = {.known = true,
		.changes = true,
		.device = true,
		.op = BLK_ZERO,
		.flags = NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FAST_ZERO,
		.past_end = -ENOSPC},
	[NBD_CMD_BLOCK_STATUS] = {.known = true,
		.status = true,
		.device = true,
		.op = BLK_STATUS,
		.flags = NBD_CMD_FLAG_REQ_ONE,
		.past_end = -EINVAL},
};

static const struct command *command_of(unsigned type)
{
	static const struct command unknown = {.known = false};

	return type < sizeof commands / sizeof *commands ? &commands[type]
							 : &unknown;
}

/* A request as it came, in host order. */
struct wire {
	uint16_t flags, type;
	uint64_t cookie, offset;
	uint32_t len;
};

static void wire_decode(struct wire *w, const uint8_t *p)
{
	w->flags = get_be16(p + 4);
	w->type = get_be16(p + 6);
	w->cookie = get_be64(p + 8);
	w->offset = get_be64(p + 16);
	w->len = get_be32(p + 24);
}

static int refusal(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

static int check_range(const struct nbds_client *c, const struct wire *w,
	const struct command *cmd, const char **why)
{
	uint64_t size = c->info.size;

	if (w->type == NBD_CMD_FLUSH)
		return w->offset || w->len
			       ? refusal(why, "a flush has no range", -EINVAL)
			       : 0;
	if (cmd->reads && w->len > NBD_PAYLOAD_MAX)
		return refusal(why, "reads have at most 32 MiB", -EINVAL);
	if (w->offset > size || w->len > size - w->offset)
		return refusal(
			why, "past the end of the export", cmd->past_end);
	return 0;
}

static int check_status(
	const struct nbds_client *c, const struct wire *w, const char **why)
{
	if (!c->context)
		return refusal(why, "no metadata context is selected", -EINVAL);
	return w->len ? 0 : refusal(why, "status of no bytes", -EINVAL);
}

/* Everything about a request that can be wrong before the device sees it. 0, or
 * -errno and a static text. */
static int check(
	const struct nbds_client *c, const struct wire *w, const char **why)
{
	const struct command *cmd = command_of(w->type);
	unsigned flags = w->flags & ~NBD_CMD_FLAG_FUA;

	if (c->state == NBDS_REFUSING)
		return refusal(
			why, "the export is being taken away", -ESHUTDOWN);
	if (!cmd->known || (w->type == NBD_CMD_TRIM && !c->info.can_trim))
		return refusal(why, "command not supported", -EINVAL);
	if ((flags & ~cmd->flags) ||
		((flags & NBD_CMD_FLAG_DF) && !c->structured))
		return refusal(why, "flag not valid for the command", -EINVAL);
	if (cmd->changes && c->info.read_only)
		return refusal(why, "the export is read-only", -EPERM);
	if (cmd->status && check_status(c, w, why))
		return -EINVAL;
	return check_range(c, w, cmd, why);
}

static struct nbds_request *request_get(struct nbds_client *c)
{
	struct nbds_request *req = SLIST_FIRST(&c->spare);

	if (req)
		SLIST_REMOVE_HEAD(&c->spare, spare);
	else
		req = calloc(1, sizeof *req);
	if (!req)
		return NULL;
	req->client = c;
	req->blk.buf = NULL;
	req->charged = req->held = 0;
	c->inflight++;
	return req;
}

static void let_go(struct nbds_request *req)
{
	if (req->held)
		blkdev_let_go(req->client->export->dev, req->held);
	req->held = 0;
}

void nbds_request_release(struct nbds_request *req)
{
	struct nbds_client *c = req->client;

	let_go(req);
	buf_put(req->blk.buf);
	req->blk.buf = NULL;
	c->bytes -= req->charged;
	c->inflight--;
	SLIST_INSERT_HEAD(&c->spare, req, spare);
	if (c->blocked || c->state != NBDS_TRANSMISSION)
		nbds_client_kick(c);
}

void nbds_request_fini(struct nbds_client *c)
{
	struct nbds_request *req;

	while ((req = SLIST_FIRST(&c->spare))) {
		SLIST_REMOVE_HEAD(&c->spare, spare);
		free(req);
	}
}

static void request_done(struct blk_req *blk, int err)
{
	struct nbds_request *req = blk->arg;
	struct nbds_client *c = req->client;

	c->submitted--;
	let_go(req);
	if (blk->op == BLK_WRITE)
		blk->buf = NULL; /* was ours until submit */
	if (c->state == NBDS_GONE) {
		nbds_request_release(req);
		return;
	}
	nbds_reply(req, err);
	if (c->state == NBDS_REFUSING)
		nbds_client_kick(c);
}

/* Room for the extents of a status: more are asked for anew. */
static unsigned extents_of(unsigned flags)
{
	return flags & NBD_CMD_FLAG_REQ_ONE ? 1 : NBDS_EXTENTS_MAX;
}

/* Bytes of buffer that a request needs. */
static uint32_t buffer_of(const struct command *cmd, const struct wire *w)
{
	if (cmd->status)
		return extents_of(w->flags) *
		       (uint32_t)sizeof(struct blk_extent);
	return cmd->payload || cmd->reads ? w->len : 0;
}

static void submit(struct nbds_request *req, const struct command *cmd)
{
	struct nbds_client *c = req->client;
	struct blk_req *blk = &req->blk;
	struct buf *buf = blk->buf;

	blk->op = cmd->op;
	blk->flags = 0;
	if (cmd->changes && (req->flags & NBD_CMD_FLAG_FUA))
		blk->flags |= BLK_FUA;
	if (req->flags & NBD_CMD_FLAG_NO_HOLE)
		blk->flags |= BLK_NO_HOLE;
	if (req->flags & NBD_CMD_FLAG_FAST_ZERO)
		blk->flags |= BLK_FAST_ZERO;
	blk->len = req->len;
	blk->offset = req->offset;
	blk->data = buf ? buf->data : NULL;
	if (cmd->status) {
		blk->extents = blk->data;
		blk->nextents = extents_of(req->flags);
	}
	blk->losses = &c->losses;
	blk->done = request_done;
	blk->arg = req;
	c->submitted++;
	blkdev_submit(c->export->dev, blk);
}

/* A request of which everything is here. */
static void carry_out(struct nbds_request *req)
{
	const struct command *cmd = command_of(req->type);

	if (req->err)
		nbds_reply(req, req->err);
	else if (!cmd->device || (req->len == 0 && cmd->op != BLK_FLUSH))
		nbds_reply(req, 0);
	else
		submit(req, cmd);
}

void nbds_request_received(struct nbds_client *c)
{
	struct nbds_request *req = c->receiving;

	c->receiving = NULL;
	if (!req->err && c->state == NBDS_REFUSING) {
		req->err = -ESHUTDOWN;
		req->why = NULL;
	}
	carry_out(req);
}

/* Whether another request with `bytes` of payload may be taken in. */
static bool has_room(const struct nbds_client *c, uint32_t bytes)
{
	const struct nbds_limits *limits = &c->server->limits;

	if (c->inflight == 0)
		return true;
	return c->inflight < limits->requests &&
	       c->bytes + bytes <= limits->request_bytes &&
	       blkdev_has_room(c->export->dev, bytes);
}

/* A request object with its buffer. NULL: there is no memory for it now. When
 * nothing of this client is in flight whose end could be waited for, the
 * request is made without and fails. */
static struct nbds_request *request_make(struct nbds_client *c,
	const struct command *cmd, uint32_t bytes, int *err)
{
	struct buf_pool *pool = loop_pool(c->loop);
	struct nbds_request *req = request_get(c);

	if (!req || !bytes)
		return req;
	req->blk.buf =
		cmd->reads ? buf_get_bare(pool, bytes) : buf_get(pool, bytes);
	if (req->blk.buf) {
		req->charged = req->held = bytes;
		c->bytes += bytes;
		blkdev_hold(c->export->dev, bytes);
	} else if (c->inflight > 1) {
		c->inflight--;
		SLIST_INSERT_HEAD(&c->spare, req, spare);
		return NULL;
	} else {
		*err = -ENOMEM;
	}
	return req;
}

static int request_take(struct nbds_client *c, const struct wire *w)
{
	const struct command *cmd = command_of(w->type);
	const char *why = NULL;
	int err = check(c, w, &why);
	uint32_t bytes = err ? 0 : buffer_of(cmd, w);
	struct nbds_request *req;

	if (!has_room(c, bytes))
		return nbds_client_block(c);
	req = request_make(c, cmd, bytes, &err);
	if (!req)
		return c->inflight ? nbds_client_block(c) : -ENOMEM;
	if (err == -EINVAL)
		(void)nbds_client_complain(
			c, "command %u refused: %s", w->type, why);
	req->cookie = w->cookie;
	req->offset = w->offset;
	req->len = w->len;
	req->flags = w->flags;
	req->type = w->type;
	req->err = err;
	req->why = why;
	intake_consume(&c->in, NBD_REQUEST_LEN);
	if (cmd->payload && w->len) {
		c->receiving = req;
		intake_divert(&c->in, req->blk.buf ? req->blk.buf->data : NULL,
			w->len);
		if (intake_diverting(&c->in))
			nbds_client_await(c);
	} else {
		carry_out(req);
	}
	return 1;
}

int nbds_request_step(struct nbds_client *c)
{
	const uint8_t *p = intake_data(&c->in);
	struct wire w;

	if (intake_len(&c->in) < NBD_REQUEST_LEN)
		return 0;
	if (get_be32(p) != NBD_REQUEST_MAGIC)
		return nbds_client_complain(c, "no request where one must be");
	wire_decode(&w, p);
	if (w.type == NBD_CMD_DISC) {
		nbds_client_event(c, NBDS_EV_DISC);
		return 1;
	}
	/* More than anybody has reason to send is not worth taking in only to
	 * refuse it. */
	if (w.type == NBD_CMD_WRITE && w.len > NBD_PAYLOAD_MAX)
		return nbds_client_complain(c, "write of %u bytes", w.len);
	return request_take(c, &w);
}
