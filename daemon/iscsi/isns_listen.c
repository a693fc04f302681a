/* SPDX-License-Identifier: BSD-2-Clause */
/* State change notifications (RFC 4171 5.6.5.8) and entity status inquiries
 * (5.6.5.13): the server connects to us. Whoever else does can make us ask the
 * server again, and no more. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/stream.h>

#include "isns.h"
#include "isns_link.h"

#define PEERS    4    /* at once; the oldest goes for a fifth */
#define ECHO_MAX 1024 /* bytes of an inquiry that we repeat */

struct peer {
	struct isns_listen *listen;
	struct isns_link *link; /* NULL: free */
};

struct isns_listen {
	struct loop *loop;
	struct stream_listener *listener;
	loop_fn *changed;
	void *arg;
	struct peer peers[PEERS];
	unsigned next;
	char name[ISCSI_NAME_MAX + 1];
};

static int answer(
	struct peer *p, const struct isns_header *h, const struct isns_out *out)
{
	return isns_link_send(
		p->link, h->function | ISNS_RESPONSE, h->transaction, 0, out);
}

static int answer_inquiry(struct peer *p, const struct isns_header *h,
	const uint8_t *payload, size_t len)
{
	uint8_t data[4 + ECHO_MAX];
	struct isns_out out = {.data = data, .cap = sizeof data};

	if (len > ECHO_MAX)
		return -EMSGSIZE;
	isns_put_status(&out, ISNS_OK);
	if (len > 0)
		memcpy(data + out.len, payload, len);
	out.len += len;
	return answer(p, h, &out);
}

static int answer_change(struct peer *p, const struct isns_header *h)
{
	uint8_t data[4 + 8 + ISCSI_NAME_MAX + 4];
	struct isns_out out = {.data = data, .cap = sizeof data};
	int err;

	isns_put_status(&out, ISNS_OK);
	isns_put_text(&out, ISNS_NAME, p->listen->name);
	err = answer(p, h, &out);
	if (!err)
		p->listen->changed(p->listen->arg);
	return err;
}

static int on_message(void *arg, const struct isns_header *h,
	const uint8_t *payload, size_t len)
{
	struct peer *p = arg;

	switch (h->function) {
	case ISNS_ESI: return answer_inquiry(p, h, payload, len);
	case ISNS_SCN: return answer_change(p, h);
	default: return -EPROTO;
	}
}

static void on_closed(void *arg, int err)
{
	struct peer *p = arg;

	(void)err;
	isns_link_free(p->link);
	p->link = NULL;
}

static const struct isns_link_events events = {
	.message = on_message, .closed = on_closed};

static void on_accepted(void *arg, struct stream *s)
{
	struct isns_listen *l = arg;
	struct peer *p = &l->peers[l->next++ % PEERS];

	isns_link_free(p->link);
	p->listen = l;
	p->link = isns_link_new(l->loop, s, &events, p);
}

struct isns_listen *isns_listen_new(struct loop *loop, const struct addr *local,
	const char *name, loop_fn *changed, void *arg)
{
	struct isns_listen *l = calloc(1, sizeof *l);
	struct addr at = *local;
	int err;

	if (!l)
		return NULL;
	l->loop = loop;
	l->changed = changed;
	l->arg = arg;
	memcpy(l->name, name, strnlen(name, ISCSI_NAME_MAX));
	/* Any port; it is in the same place of both families' addresses. */
	((struct sockaddr_in *)(void *)&at.ss)->sin_port = 0;
	l->listener = stream_listen(loop, &at, 0, on_accepted, l, &err);
	if (!l->listener) {
		free(l);
		return NULL;
	}
	return l;
}

void isns_listen_free(struct isns_listen *l)
{
	if (!l)
		return;
	stream_listener_free(l->listener);
	for (unsigned i = 0; i < PEERS; i++)
		isns_link_free(l->peers[i].link);
	free(l);
}

const struct addr *isns_listen_addr(const struct isns_listen *l)
{
	return stream_listener_addr(l->listener);
}
