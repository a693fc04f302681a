/* SPDX-License-Identifier: BSD-2-Clause */
#include "lean_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tests/lib/t_bhs.h>
#include <tests/lib/t_lun.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>
#include <umpio/base/pump.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "lean_wire.h"

#define SEGMENT (256u << 10) /* most data of one Data-In */
#define BURST   (1u << 20)
#define RX_CAP  (2u << 20)
#define WINDOW  256
#define TASKS   1024 /* open writes, by ITT */

struct lean_pdu {
	uint8_t head[T_BHS_LEN + 4], tail[8];
	uint8_t head_len, tail_len;
	uint32_t len;
	const uint8_t *data;
	bool owned; /* the data is freed with it */
	STAILQ_ENTRY(lean_pdu) link;
};

struct lean_conn {
	struct lean_target *target;
	struct lean_link *wire;
	STAILQ_HEAD(, lean_pdu) out, spare;
	size_t out_done; /* bytes of the first one that have left */
	uint8_t *rx;
	size_t have;
	bool declared; /* what a target declares once */
	bool digests;  /* from the end of login on */
	uint32_t stat_sn, cmd_sn;
	struct lean_write {
		uint32_t itt, at, len;
	} writes[TASKS];
	LIST_ENTRY(lean_conn) link;
};

struct lean_target {
	struct loop *loop;
	struct lean_options options;
	struct stream_listener *listener;
	struct t_lun *lun;
	struct t_nexus nexus;
	uint8_t *pattern; /* what every read gives */
	struct {
		uint32_t len, crc;
	} known[2]; /* digests of its first bytes */
	LIST_HEAD(, lean_conn) conns;
};

/*
 * Sending
 */
static void pdu_put(struct lean_conn *c, struct lean_pdu *p)
{
	if (p->owned)
		free((void *)(uintptr_t)p->data);
	STAILQ_INSERT_HEAD(&c->spare, p, link);
}

static struct lean_pdu *pdu_new(struct lean_conn *c, uint8_t opcode)
{
	struct lean_pdu *p = STAILQ_FIRST(&c->spare);

	if (p)
		STAILQ_REMOVE_HEAD(&c->spare, link);
	else if (!(p = calloc(1, sizeof *p)))
		abort();
	p->owned = false;
	memset(p->head, 0, T_BHS_LEN);
	p->head[0] = opcode;
	return p;
}

/* The digest of data that is the beginning of the pattern is worked out once.
 */
static uint32_t digest_of(struct lean_target *t, const void *data, uint32_t len)
{
	unsigned i = len == SEGMENT;

	if (data != t->pattern)
		return crc32c(0, data, len);
	if (t->known[i].len != len) {
		t->known[i].len = len;
		t->known[i].crc = crc32c(0, data, len);
	}
	return t->known[i].crc;
}

static void pdu_send(
	struct lean_conn *c, struct lean_pdu *p, const void *data, uint32_t len)
{
	uint8_t pad = (uint8_t)(-len & 3);
	uint8_t *bhs = p->head;
	uint32_t crc;

	put_be32(bhs + 24, c->stat_sn);
	put_be32(bhs + 28, c->cmd_sn);
	put_be32(bhs + 32, c->cmd_sn + WINDOW);
	put_be24(bhs + 5, len);
	p->head_len = T_BHS_LEN;
	if (c->target->options.shifted && len == SEGMENT) {
		bhs[4] = 1;
		p->head_len += 4;
	}
	p->data = data;
	p->len = len;
	p->tail_len = pad;
	if (c->digests) {
		put_le32(bhs + T_BHS_LEN, crc32c(0, bhs, T_BHS_LEN));
		p->head_len += 4;
	}
	if (c->digests && len) {
		crc = digest_of(c->target, data, len);
		put_le32(p->tail + pad, crc32c(crc, p->tail, pad));
		p->tail_len += 4;
	}
	STAILQ_INSERT_TAIL(&c->out, p, link);
	lean_link_tx(c->wire);
}

/* A response whose data are copied. */
static void pdu_send_copy(
	struct lean_conn *c, struct lean_pdu *p, const void *data, uint32_t len)
{
	void *copy = len ? malloc(len) : NULL;

	if (len && !copy)
		abort();
	if (len)
		memcpy(copy, data, len);
	p->owned = len > 0;
	pdu_send(c, p, copy, len);
}

/*
 * Commands
 */
static void respond(struct lean_conn *c, const uint8_t *cmd)
{
	struct lean_pdu *p = pdu_new(c, 0x21);

	p->head[1] = 0x80;
	memcpy(p->head + 16, cmd + 16, 4);
	pdu_send(c, p, NULL, 0);
	c->stat_sn++;
}

/* Data-In of a read; the last one carries GOOD. */
static void answer_read(struct lean_conn *c, const uint8_t *cmd)
{
	uint32_t len = get_be32(cmd + 20), at = 0, sn = 0;

	while (at < len) {
		struct lean_pdu *p = pdu_new(c, 0x25);
		uint32_t n = len - at < SEGMENT ? len - at : SEGMENT;
		uint8_t *bhs = p->head;

		memcpy(bhs + 16, cmd + 16, 4);
		put_be32(bhs + 20, 0xffffffff);
		put_be32(bhs + 36, sn++);
		put_be32(bhs + 40, at);
		at += n;
		bhs[1] = at == len ? 0x81 : 0;
		pdu_send(c, p, c->target->pattern, n);
	}
	c->stat_sn++;
}

static void ask_for(struct lean_conn *c, const uint8_t *cmd, uint32_t sn)
{
	struct lean_write *w = &c->writes[get_be32(cmd + 16) % TASKS];
	struct lean_pdu *p = pdu_new(c, 0x31);
	uint32_t left = w->len - w->at;
	uint8_t *bhs = p->head;

	bhs[1] = 0x80;
	memcpy(bhs + 8, cmd + 8, 12); /* LUN, ITT */
	put_be32(bhs + 20, get_be32(cmd + 16));
	put_be32(bhs + 36, sn);
	put_be32(bhs + 40, w->at);
	put_be32(bhs + 44, left < BURST ? left : BURST);
	pdu_send(c, p, NULL, 0);
}

static void answer_write(
	struct lean_conn *c, const uint8_t *cmd, uint32_t immediate)
{
	struct lean_write *w = &c->writes[get_be32(cmd + 16) % TASKS];

	*w = (struct lean_write){
		get_be32(cmd + 16), immediate, get_be32(cmd + 20)};
	if (w->at == w->len)
		respond(c, cmd);
	else
		ask_for(c, cmd, 0);
}

static void take_data(struct lean_conn *c, const uint8_t *bhs, uint32_t len)
{
	struct lean_write *w = &c->writes[get_be32(bhs + 16) % TASKS];

	w->at += len;
	if (w->at == w->len)
		respond(c, bhs);
	else if (bhs[1] & 0x80)
		ask_for(c, bhs, 1);
}

/* What is neither read nor write: INQUIRY and the like. */
static void answer_other(struct lean_conn *c, const uint8_t *bhs,
	const uint8_t *out, uint32_t out_len)
{
	uint32_t len = bhs[1] & 0x40 ? get_be32(bhs + 20) : 0;
	uint8_t *in = calloc(1, len + 1), sense[2 + T_LUN_SENSE_MAX];
	struct t_lun_cmd cmd = {.cdb = bhs + 32,
		.out = out,
		.in = in,
		.out_len = out_len,
		.in_len = len};
	struct lean_pdu *p;

	t_lun_execute(&c->target->nexus, &cmd);
	if (cmd.status == 0 && cmd.moved > 0 && len > 0) {
		p = pdu_new(c, 0x25);
		p->head[1] = cmd.residual ? 0x83 : 0x81;
		memcpy(p->head + 16, bhs + 16, 4);
		put_be32(p->head + 20, 0xffffffff);
		put_be32(p->head + 44, cmd.residual);
		pdu_send_copy(c, p, in, cmd.moved);
	} else {
		p = pdu_new(c, 0x21);
		p->head[1] = cmd.residual ? 0x82 : 0x80;
		p->head[3] = cmd.status;
		memcpy(p->head + 16, bhs + 16, 4);
		put_be32(p->head + 44, cmd.residual);
		put_be16(sense, cmd.sense_len);
		memcpy(sense + 2, cmd.sense, cmd.sense_len);
		pdu_send_copy(
			c, p, sense, cmd.sense_len ? 2u + cmd.sense_len : 0);
	}
	c->stat_sn++;
	free(in);
}

static void command(struct lean_conn *c, const uint8_t *bhs,
	const uint8_t *data, uint32_t len)
{
	uint8_t op = bhs[32];

	if (op == 0x88 || op == 0x28)
		answer_read(c, bhs);
	else if (op == 0x8a || op == 0x2a)
		answer_write(c, bhs, len);
	else
		answer_other(c, bhs, data, len);
}

/*
 * Login: whatever is offered is answered from one table (RFC 7143 13)
 */
static const char *lesser(const char *offered, unsigned ours)
{
	static const char *const digits[] = {
		"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
	unsigned theirs = (unsigned)atoi(offered);

	return digits[(theirs < ours ? theirs : ours) % 10];
}

static const char *answer_to(
	const struct lean_target *t, const char *key, const char *offered)
{
	static const char *const table[][2] = {
		{"AuthMethod", "None"},
		{"InitialR2T", "Yes"},
		{"ImmediateData", "Yes"},
		{"MaxBurstLength", "1048576"},
		{"FirstBurstLength", "262144"},
		{"DefaultTime2Wait", "0"},
		{"DefaultTime2Retain", "0"},
		{"MaxOutstandingR2T", "1"},
		{"DataPDUInOrder", "Yes"},
		{"DataSequenceInOrder", "Yes"},
	};

	if (strcmp(key, "HeaderDigest") == 0 || strcmp(key, "DataDigest") == 0)
		return t->options.digests ? "CRC32C" : "None";
	if (strcmp(key, "ErrorRecoveryLevel") == 0)
		return lesser(offered, t->options.level);
	if (strcmp(key, "MaxConnections") == 0)
		return lesser(offered, t->options.connections);
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(table[i][0], key) == 0)
			return table[i][1];
	return NULL;
}

static bool is_declared(const char *key)
{
	return strncmp(key, "Initiator", 9) == 0 ||
	       strcmp(key, "SessionType") == 0 ||
	       strcmp(key, "TargetName") == 0 ||
	       strcmp(key, "MaxRecvDataSegmentLength") == 0;
}

static uint32_t negotiate(const struct lean_target *t, const char *text,
	uint32_t len, char *reply, size_t size)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < len; i += (uint32_t)strlen(text + i) + 1) {
		char key[64];
		size_t n = strcspn(text + i, "=");
		const char *answer;

		snprintf(key, sizeof key, "%.*s", (int)n, text + i);
		if (!n || is_declared(key))
			continue;
		answer = answer_to(t, key, text + i + n + 1);
		at += (uint32_t)snprintf(reply + at, size - at, "%s=%s", key,
			      answer ? answer : "NotUnderstood") +
		      1;
	}
	return at;
}

static void login(
	struct lean_conn *c, const uint8_t *bhs, const char *text, uint32_t len)
{
	static const char more[] = "TargetPortalGroupTag=1\0"
				   "MaxRecvDataSegmentLength=262144";
	struct lean_pdu *p = pdu_new(c, 0x23);
	char reply[2048];
	uint32_t n = negotiate(c->target, text, len, reply, 1900);
	bool last = (bhs[1] & 0x83) == 0x83;

	if (!c->declared) {
		memcpy(reply + n, more, sizeof more);
		n += sizeof more;
	}
	c->declared = true;
	p->head[1] = bhs[1];
	memcpy(p->head + 8, bhs + 8, 12); /* ISID, TSIH, ITT */
	if (last)
		put_be16(p->head + 14, 1);
	c->cmd_sn = get_be32(bhs + 24);
	pdu_send_copy(c, p, reply, n);
	c->stat_sn++;
	c->digests = last && c->target->options.digests;
}

/* NOP-Out, Logout: the same header comes back, 0x20 above. */
static void echo(struct lean_conn *c, const uint8_t *bhs)
{
	struct lean_pdu *p = pdu_new(c, (bhs[0] & 0x3f) + 0x20);

	if (get_be32(bhs + 16) == T_NO_TAG) {
		pdu_put(c, p);
		return;
	}
	p->head[1] = 0x80;
	memcpy(p->head + 16, bhs + 16, 4);
	put_be32(p->head + 20, 0xffffffff);
	pdu_send(c, p, NULL, 0);
	c->stat_sn++;
}

static void pdu_in(
	struct lean_conn *c, const uint8_t *bhs, uint8_t *data, uint32_t len)
{
	uint8_t op = bhs[0] & 0x3f;

	if (op != 0x05 && !(bhs[0] & 0x40))
		c->cmd_sn = get_be32(bhs + 24) + 1;
	if (op == 0x01)
		command(c, bhs, data, len);
	else if (op == 0x05)
		take_data(c, bhs, len);
	else if (op == 0x03)
		login(c, bhs, (const char *)data, len);
	else
		echo(c, bhs);
}

/*
 * The engine
 */
static int on_rx(void *engine, struct iovec *iov)
{
	struct lean_conn *c = engine;

	*iov = (struct iovec){c->rx + c->have, RX_CAP - c->have};
	return 1;
}

static int on_rx_commit(void *engine, size_t n)
{
	struct lean_conn *c = engine;
	size_t at = 0, total;

	c->have += n;
	while (c->have - at >= T_BHS_LEN) {
		uint8_t *bhs = c->rx + at;
		uint32_t len = get_be24(bhs + 5);
		size_t head = T_BHS_LEN + (c->digests ? 4 : 0);

		total = head + ((len + 3) & ~3u) + (c->digests && len ? 4 : 0);
		if (c->have - at < total)
			break;
		pdu_in(c, bhs, bhs + head, len);
		at += total;
	}
	c->have -= at;
	memmove(c->rx, c->rx + at, c->have);
	return 0;
}

static int add(struct iovec *iov, const void *part, size_t len, size_t *skip)
{
	size_t gone = *skip < len ? *skip : len;

	*skip -= gone;
	if (gone == len)
		return 0;
	*iov = (struct iovec){(uint8_t *)(uintptr_t)part + gone, len - gone};
	return 1;
}

static int on_tx(void *engine, struct iovec *iov, int max)
{
	struct lean_conn *c = engine;
	size_t skip = c->out_done;
	struct lean_pdu *p;
	int n = 0;

	STAILQ_FOREACH (p, &c->out, link) {
		if (n + 3 > max)
			return n ? n : 1; /* asked whether there is something */
		n += add(&iov[n], p->head, p->head_len, &skip);
		n += add(&iov[n], p->data, p->len, &skip);
		n += add(&iov[n], p->tail, p->tail_len, &skip);
	}
	return n;
}

static void on_tx_commit(void *engine, size_t n)
{
	struct lean_conn *c = engine;
	struct lean_pdu *p;

	c->out_done += n;
	while ((p = STAILQ_FIRST(&c->out))) {
		size_t size = p->head_len + p->len + p->tail_len;

		if (c->out_done < size)
			return;
		c->out_done -= size;
		STAILQ_REMOVE_HEAD(&c->out, link);
		pdu_put(c, p);
	}
}

static void conn_free(struct lean_conn *c)
{
	struct lean_pdu *p;

	while ((p = STAILQ_FIRST(&c->out))) {
		STAILQ_REMOVE_HEAD(&c->out, link);
		pdu_put(c, p);
	}
	while ((p = STAILQ_FIRST(&c->spare))) {
		STAILQ_REMOVE_HEAD(&c->spare, link);
		free(p);
	}
	lean_link_free(c->wire);
	LIST_REMOVE(c, link);
	free(c->rx);
	free(c);
}

static void on_closed(void *engine, int err)
{
	(void)err;
	conn_free(engine);
}

static const struct engine_ops ops = {
	on_rx, on_rx_commit, on_tx, on_tx_commit, on_closed};

static void accepted(void *arg, struct stream *s)
{
	struct lean_target *t = arg;
	struct lean_conn *c = calloc(1, sizeof *c);

	if (!c || !(c->rx = malloc(RX_CAP)))
		abort();
	c->target = t;
	c->stat_sn = 1;
	STAILQ_INIT(&c->out);
	STAILQ_INIT(&c->spare);
	LIST_INSERT_HEAD(&t->conns, c, link);
	c->wire = lean_link_new(t->loop, s, &ops, c);
}

struct lean_target *lean_target_new(struct loop *loop, const struct addr *at,
	const struct lean_options *options)
{
	const struct t_lun_options lun = {
		.blocks = 1u << 20, .naa = {0x60, 0x01, 0x40, 0x5a}};
	struct lean_target *t = calloc(1, sizeof *t);
	int err;

	if (!t)
		return NULL;
	t->loop = loop;
	t->options = *options;
	if (t->options.connections == 0)
		t->options.connections = 1;
	LIST_INIT(&t->conns);
	t->pattern = calloc(1, SEGMENT);
	t->lun = t_lun_new(&lun);
	t->listener = stream_listen(loop, at, 0, accepted, t, &err);
	if (t->lun)
		t_nexus_init(&t->nexus, t->lun, 1, 1, false);
	if (!t->pattern || !t->lun || !t->listener) {
		lean_target_free(t);
		return NULL;
	}
	return t;
}

void lean_target_free(struct lean_target *t)
{
	struct lean_conn *c;

	if (!t)
		return;
	while ((c = LIST_FIRST(&t->conns)))
		conn_free(c);
	stream_listener_free(t->listener);
	if (t->lun)
		t_nexus_fini(&t->nexus);
	t_lun_free(t->lun);
	free(t->pattern);
	free(t);
}
