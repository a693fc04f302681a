/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a stream goes: host and port, or a unix socket; and the resolved form
 * of it. */
#ifndef UMPIO_BASE_ADDR_H
#define UMPIO_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_HOST_MAX 255 /* bytes of a DNS name, RFC 1035 2.3.4 */
#define ENDPOINT_TEXT_MAX                                                      \
	(ENDPOINT_HOST_MAX + 9) /* with [], : and port, NUL                    \
				 */

/* A host as the user wrote it (name, IPv4, IPv6 without brackets) and a port */
struct endpoint {
	char host[ENDPOINT_HOST_MAX + 1];
	uint16_t port;
};

/* A resolved address of any family. */
struct addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* Reads `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT` of `len` bytes; a bare
 * IPv6 address of several colons has no port. 0, or -EINVAL. */
int endpoint_parse(struct endpoint *ep, const char *text, size_t len,
	uint16_t default_port);

/* `HOST:PORT` with IPv6 in brackets, into `text` of ENDPOINT_TEXT_MAX bytes;
 * returns it. */
const char *endpoint_text(const struct endpoint *ep, char *text);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* A numeric host into an address. 0, or -EINVAL when it is a name. */
int addr_from_endpoint(struct addr *a, const struct endpoint *ep);

/* The address of the unix socket `path`. 0, or -ENAMETOOLONG. */
int addr_from_unix(struct addr *a, const char *path);

/* `HOST:PORT` or `unix:PATH`, into `text` of `size` bytes; returns it. */
const char *addr_text(const struct addr *a, char *text, size_t size);
bool addr_is_loopback(const struct addr *a); /* unix sockets count as such */

#endif
