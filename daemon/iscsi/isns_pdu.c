/* SPDX-License-Identifier: BSD-2-Clause */
#include "isns_pdu.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define ATTR_HEAD 8
#define IP_LEN    16

const char *isns_status_name(uint32_t status)
{
	static const char *const names[] = {
		[0] = "successful",
		[1] = "unknown error",
		[2] = "message format error",
		[3] = "invalid registration",
		[5] = "invalid query",
		[6] = "source unknown",
		[7] = "source absent",
		[8] = "source unauthorized",
		[9] = "no such entry",
		[10] = "version not supported",
		[11] = "internal error",
		[12] = "busy",
		[13] = "option not understood",
		[14] = "invalid update",
		[15] = "message not supported",
		[16] = "SCN event rejected",
		[17] = "SCN registration rejected",
		[18] = "attribute not implemented",
		[21] = "ESI not available",
		[22] = "invalid deregistration",
		[23] = "registration feature not supported",
	};

	if (status >= sizeof names / sizeof *names || !names[status])
		return "status out of the standard";
	return names[status];
}

void isns_header_decode(
	struct isns_header *h, const uint8_t data[ISNS_HEADER_LEN])
{
	h->version = get_be16(data);
	h->function = get_be16(data + 2);
	h->length = get_be16(data + 4);
	h->flags = get_be16(data + 6);
	h->transaction = get_be16(data + 8);
	h->sequence = get_be16(data + 10);
}

void isns_header_encode(
	const struct isns_header *h, uint8_t data[ISNS_HEADER_LEN])
{
	put_be16(data, h->version);
	put_be16(data + 2, h->function);
	put_be16(data + 4, h->length);
	put_be16(data + 6, h->flags);
	put_be16(data + 8, h->transaction);
	put_be16(data + 10, h->sequence);
}

int isns_attr_next(struct cursor *c, struct isns_attr *a)
{
	if (!c->bad && c->left == 0)
		return 0;
	a->tag = cursor_be32(c);
	a->len = cursor_be32(c);
	a->value = cursor_take(c, a->len);
	if (c->bad || a->len % 4 != 0)
		return -EPROTO;
	return 1;
}

int isns_attr_text(const struct isns_attr *a, char *text, size_t size)
{
	size_t len = strnlen((const char *)a->value, a->len);

	if (len == a->len || len >= size)
		return -EPROTO;
	memcpy(text, a->value, len + 1);
	return 0;
}

int isns_attr_u32(const struct isns_attr *a, uint32_t *number)
{
	if (a->len != 4)
		return -EPROTO;
	*number = get_be32(a->value);
	return 0;
}

/* ::ffff:a.b.c.d, or ::a.b.c.d of some servers, which ::1 is not. */
static bool is_ipv4(const uint8_t ip[IP_LEN])
{
	static const uint8_t zero[10];

	if (memcmp(ip, zero, sizeof zero) != 0)
		return false;
	return get_be16(ip + 10) == 0xffff ||
	       (get_be16(ip + 10) == 0 && get_be16(ip + 12) != 0);
}

int isns_attr_host(const struct isns_attr *a, struct endpoint *at)
{
	bool ipv4;

	if (a->len != IP_LEN)
		return -EPROTO;
	ipv4 = is_ipv4(a->value);
	if (!inet_ntop(ipv4 ? AF_INET : AF_INET6, a->value + (ipv4 ? 12 : 0),
		    at->host, sizeof at->host))
		return -EPROTO;
	return 0;
}

/* Room for `len` bytes, or NULL. */
static uint8_t *put_room(struct isns_out *o, size_t len)
{
	uint8_t *at = o->data + o->len;

	if (o->full || len > o->cap - o->len) {
		o->full = true;
		return NULL;
	}
	o->len += len;
	return at;
}

void isns_put(struct isns_out *o, uint32_t tag, const void *value, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;
	uint8_t *at = put_room(o, ATTR_HEAD + padded);

	if (!at)
		return;
	put_be32(at, tag);
	put_be32(at + 4, (uint32_t)padded);
	memset(at + ATTR_HEAD, 0, padded);
	if (len > 0)
		memcpy(at + ATTR_HEAD, value, len);
}

void isns_put_empty(struct isns_out *o, uint32_t tag)
{
	isns_put(o, tag, NULL, 0);
}

void isns_put_u32(struct isns_out *o, uint32_t tag, uint32_t number)
{
	uint8_t value[4];

	put_be32(value, number);
	isns_put(o, tag, value, sizeof value);
}

void isns_put_text(struct isns_out *o, uint32_t tag, const char *text)
{
	isns_put(o, tag, text, strlen(text) + 1);
}

int isns_put_addr(struct isns_out *o, uint32_t tag, const struct addr *addr,
	uint16_t *port)
{
	uint8_t ip[IP_LEN] = {[10] = 0xff, [11] = 0xff};
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (addr->ss.ss_family == AF_INET) {
		memcpy(&in, &addr->ss, sizeof in);
		memcpy(ip + 12, &in.sin_addr, 4);
		*port = ntohs(in.sin_port);
	} else if (addr->ss.ss_family == AF_INET6) {
		memcpy(&in6, &addr->ss, sizeof in6);
		memcpy(ip, &in6.sin6_addr, IP_LEN);
		*port = ntohs(in6.sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	isns_put(o, tag, ip, sizeof ip);
	return 0;
}

void isns_put_status(struct isns_out *o, uint32_t status)
{
	uint8_t *at = put_room(o, 4);

	if (at)
		put_be32(at, status);
}
