/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>

#include "nbd_proto.h"
#include "nbds_client.h"
#include "nbds_option.h"

/* A message of the handshake, which owns its data. */
struct note {
	struct outq_item item;
	uint8_t data[];
};

static void note_done(struct outq_item *item, bool sent)
{
	(void)sent;
	free(item); /* the item is the note's head */
}

static struct note *note_new(const void *data, size_t len)
{
	struct note *note = calloc(1, sizeof *note + len);

	if (!note)
		return NULL;
	note->item.done = note_done;
	note->item.data = note->data;
	note->item.data_len = (uint32_t)len;
	if (len)
		memcpy(note->data, data, len);
	return note;
}

int nbds_handshake_send(struct nbds_client *c, const void *data, size_t len)
{
	struct note *note = note_new(data, len);

	if (!note)
		return -ENOMEM;
	nbds_client_send(c, &note->item);
	return 0;
}

int nbds_option_reply(struct nbds_client *c, uint32_t option, uint32_t type,
	const void *data, size_t len)
{
	struct note *note = note_new(data, len);
	uint8_t *head;

	if (!note)
		return -ENOMEM;
	head = note->item.head;
	put_be64(head, NBD_OPT_REPLY_MAGIC);
	put_be32(head + 8, option);
	put_be32(head + 12, type);
	put_be32(head + 16, (uint32_t)len);
	note->item.head_len = NBD_OPT_REPLY_LEN;
	nbds_client_send(c, &note->item);
	return 0;
}

int nbds_handshake_greet(struct nbds_client *c)
{
	uint8_t greeting[NBD_GREETING_LEN];

	put_be64(greeting, NBD_MAGIC);
	put_be64(greeting + 8, NBD_OPTION_MAGIC);
	put_be16(greeting + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	return nbds_handshake_send(c, greeting, sizeof greeting);
}

int nbds_handshake_step(struct nbds_client *c)
{
	uint32_t flags;

	if (intake_len(&c->in) < sizeof flags)
		return 0;
	flags = get_be32(intake_data(&c->in));
	intake_consume(&c->in, sizeof flags);
	if (flags & ~(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES))
		return nbds_client_complain(
			c, "unknown client flags 0x%x", flags);
	c->fixed = flags & NBD_FLAG_FIXED_NEWSTYLE;
	c->no_zeroes = flags & NBD_FLAG_NO_ZEROES;
	nbds_client_event(c, NBDS_EV_GREETED);
	return 1;
}
