/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <umpio/base/addr.h>

/* Reads `[address]` with an optional scope. 0 or -EINVAL. */
static int parse_in6(struct sockaddr_in6 *sin6, const char *host)
{
	char text[INET6_ADDRSTRLEN];
	const char *scope = strchr(host, '%');
	size_t len = scope ? (size_t)(scope - host) : strlen(host);

	if (len >= sizeof text)
		return -EINVAL;
	memcpy(text, host, len);
	text[len] = '\0';
	*sin6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
	if (inet_pton(AF_INET6, text, &sin6->sin6_addr) != 1)
		return -EINVAL;
	if (!scope)
		return 0;
	sin6->sin6_scope_id = if_nametoindex(scope + 1);
	return sin6->sin6_scope_id ? 0 : -EINVAL;
}

static bool is_name_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

/* The scope of an address need not exist on this host yet. */
static bool is_in6_text(const char *host)
{
	struct sockaddr_in6 sin6;
	char text[ENDPOINT_HOST_MAX + 1];
	char *scope;

	snprintf(text, sizeof text, "%s", host);
	scope = strchr(text, '%');
	if (scope) {
		*scope++ = '\0';
		if (*scope == '\0')
			return false;
		for (; *scope; scope++)
			if (!is_name_byte(*scope))
				return false;
	}
	return parse_in6(&sin6, text) == 0;
}

static bool is_host(const char *host)
{
	if (strchr(host, ':'))
		return is_in6_text(host);
	for (const char *p = host; *p; p++)
		if (!is_name_byte(*p))
			return false;
	return *host != '\0' && *host != '-';
}

static int parse_port(uint16_t *port, const char *text, size_t len)
{
	unsigned value = 0;

	if (len == 0 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* Where the host ends and the port begins; `port` is NULL without one. */
struct split {
	const char *host, *port;
	size_t host_len, port_len;
	bool bracketed;
};

static int split_brackets(struct split *s, const char *text, size_t len)
{
	const char *close = memchr(text, ']', len);
	size_t rest;

	if (!close)
		return -EINVAL;
	s->bracketed = true;
	s->host = text + 1;
	s->host_len = (size_t)(close - s->host);
	rest = len - s->host_len - 2;
	if (rest == 0)
		return 0;
	if (close[1] != ':')
		return -EINVAL;
	s->port = close + 2;
	s->port_len = rest - 1;
	return 0;
}

static int split_endpoint(struct split *s, const char *text, size_t len)
{
	const char *colon;

	*s = (struct split){.host = text, .host_len = len};
	if (len > 0 && text[0] == '[')
		return split_brackets(s, text, len);
	colon = memchr(text, ':', len);
	if (!colon || memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)))
		return 0;
	s->host_len = (size_t)(colon - text);
	s->port = colon + 1;
	s->port_len = len - s->host_len - 1;
	return 0;
}

int endpoint_parse(struct endpoint *ep, const char *text, size_t len,
	uint16_t default_port)
{
	struct endpoint parsed = {.port = default_port};
	struct split s;

	if (split_endpoint(&s, text, len) < 0)
		return -EINVAL;
	if (s.host_len > ENDPOINT_HOST_MAX || memchr(s.host, '\0', s.host_len))
		return -EINVAL;
	memcpy(parsed.host, s.host, s.host_len);
	if (s.port && parse_port(&parsed.port, s.port, s.port_len) < 0)
		return -EINVAL;
	if (!is_host(parsed.host))
		return -EINVAL;
	if (s.bracketed && !strchr(parsed.host, ':'))
		return -EINVAL;
	*ep = parsed;
	return 0;
}

const char *endpoint_text(const struct endpoint *ep, char *text)
{
	bool in6 = strchr(ep->host, ':') != NULL;

	snprintf(text, ENDPOINT_TEXT_MAX, "%s%s%s:%u", in6 ? "[" : "", ep->host,
		in6 ? "]" : "", ep->port);
	return text;
}

/* Names compare without case (RFC 4343), addresses by value. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	struct addr x, y;

	if (a->port != b->port)
		return false;
	if (addr_from_endpoint(&x, a) == 0 && addr_from_endpoint(&y, b) == 0)
		return x.len == y.len && memcmp(&x.ss, &y.ss, x.len) == 0;
	return strcasecmp(a->host, b->host) == 0;
}

int addr_from_endpoint(struct addr *a, const struct endpoint *ep)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct sockaddr_in6 sin6;

	*a = (struct addr){.len = 0};
	if (inet_pton(AF_INET, ep->host, &sin.sin_addr) == 1) {
		sin.sin_port = htons(ep->port);
		memcpy(&a->ss, &sin, sizeof sin);
		a->len = sizeof sin;
		return 0;
	}
	if (parse_in6(&sin6, ep->host) < 0)
		return -EINVAL;
	sin6.sin6_port = htons(ep->port);
	memcpy(&a->ss, &sin6, sizeof sin6);
	a->len = sizeof sin6;
	return 0;
}

int addr_from_unix(struct addr *a, const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	*a = (struct addr){.len = 0};
	if (len >= sizeof un.sun_path)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, len + 1);
	memcpy(&a->ss, &un, sizeof un);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

static void in6_text(const struct sockaddr_in6 *sin6, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE];
	uint32_t id = sin6->sin6_scope_id;

	inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof host);
	if (id != 0 && !if_indextoname(id, scope))
		snprintf(scope, sizeof scope, "%u", id);
	snprintf(text, size, "[%s%s%s]:%u", host, id ? "%" : "",
		id ? scope : "", ntohs(sin6->sin6_port));
}

const char *addr_text(const struct addr *a, char *text, size_t size)
{
	const struct sockaddr_in *sin = (const void *)&a->ss;
	const struct sockaddr_un *un = (const void *)&a->ss;
	char host[INET_ADDRSTRLEN] = "";

	switch (a->len ? a->ss.ss_family : AF_UNSPEC) {
	case AF_INET:
		inet_ntop(AF_INET, &sin->sin_addr, host, sizeof host);
		snprintf(text, size, "%s:%u", host, ntohs(sin->sin_port));
		break;
	case AF_INET6: in6_text((const void *)&a->ss, text, size); break;
	case AF_UNIX:
		snprintf(text, size, "unix:%.*s", (int)sizeof un->sun_path,
			un->sun_path);
		break;
	default: snprintf(text, size, "unknown");
	}
	return text;
}

bool addr_is_loopback(const struct addr *a)
{
	const struct sockaddr_in *sin = (const void *)&a->ss;
	const struct in6_addr *in6 =
		&((const struct sockaddr_in6 *)(const void *)&a->ss)->sin6_addr;

	switch (a->ss.ss_family) {
	case AF_UNIX: return true;
	case AF_INET: return ntohl(sin->sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(in6) ||
		       (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
	default: return false;
	}
}
