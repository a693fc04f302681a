/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel is asked (rtnetlink(7)) as it would ask itself for the next packet
 * of the connection. These questions take no lock of the kernel's that is held
 * while interfaces come and go, unlike a list of all interfaces; and they cost
 * the same with a thousand of them.
 */
#include "reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
	struct nlmsghdr head;
	struct rtmsg route;
	uint8_t attrs[2 * RTA_SPACE(sizeof(struct in6_addr)) +
		      RTA_SPACE(sizeof(uint32_t))];
};

struct answer {
	struct nlmsghdr head;
	union {
		struct nlmsgerr error;
		struct rtmsg route;
		uint8_t bytes[1024];
	};
};

static const void *ip_of(const struct addr *a, size_t *len)
{
	if (a->ss.ss_family == AF_INET) {
		*len = sizeof(struct in_addr);
		return &((const struct sockaddr_in *)&a->ss)->sin_addr;
	}
	*len = sizeof(struct in6_addr);
	return &((const struct sockaddr_in6 *)&a->ss)->sin6_addr;
}

static void put(
	struct question *q, unsigned short type, const void *data, size_t len)
{
	uint8_t *at = (uint8_t *)q + q->head.nlmsg_len;
	struct rtattr attr = {
		.rta_len = (unsigned short)RTA_LENGTH(len), .rta_type = type};

	memcpy(at, &attr, sizeof attr);
	memcpy(at + RTA_LENGTH(0), data, len);
	q->head.nlmsg_len += (uint32_t)RTA_SPACE(len);
}

static void put_ip(
	struct question *q, unsigned short type, const struct addr *a)
{
	size_t len;
	const void *ip = ip_of(a, &len);

	put(q, type, ip, len);
	if (type == RTA_DST)
		q->route.rtm_dst_len = (uint8_t)(len * 8);
	else
		q->route.rtm_src_len = (uint8_t)(len * 8);
}

/* The index of the interface in a route; 0: none. */
static int interface_in(const struct answer *a, size_t len)
{
	const uint8_t *at = a->bytes + NLMSG_ALIGN(sizeof a->route);
	const uint8_t *end = (const uint8_t *)a + len;
	struct rtattr attr;
	uint32_t index;

	while ((size_t)(end - at) >= sizeof attr) {
		memcpy(&attr, at, sizeof attr);
		if (attr.rta_len < sizeof attr || attr.rta_len > end - at)
			return 0;
		if (attr.rta_type == RTA_OIF &&
			attr.rta_len >= RTA_LENGTH(sizeof index)) {
			memcpy(&index, at + RTA_LENGTH(0), sizeof index);
			return (int)index;
		}
		if (RTA_ALIGN(attr.rta_len) > (size_t)(end - at))
			return 0;
		at += RTA_ALIGN(attr.rta_len);
	}
	return 0;
}

/* The index of the interface that the answer names; 0: it is not known;
 * -errno: the kernel's no. It has answered by the time that send() returns. */
static int ask(int fd, const struct question *q)
{
	struct answer a;
	ssize_t got;

	if (send(fd, q, q->head.nlmsg_len, 0) < 0)
		return 0;
	got = recv(fd, &a, sizeof a, MSG_DONTWAIT);
	if (got < (ssize_t)(sizeof a.head + sizeof a.route))
		return 0;
	if (a.head.nlmsg_type == RTM_NEWROUTE)
		return interface_in(&a, (size_t)got);
	if (a.head.nlmsg_type != NLMSG_ERROR ||
		got < (ssize_t)(sizeof a.head + sizeof a.error))
		return 0;
	return a.error.error;
}

static void begin(struct question *q, const struct addr *to)
{
	memset(q, 0, sizeof *q);
	q->head.nlmsg_type = RTM_GETROUTE;
	q->head.nlmsg_flags = NLM_F_REQUEST;
	q->head.nlmsg_len = NLMSG_LENGTH(sizeof q->route);
	q->route.rtm_family = (uint8_t)to->ss.ss_family;
	put_ip(q, RTA_DST, to);
}

static int ask_route(int fd, const struct addr *local, const struct addr *peer,
	unsigned device)
{
	struct question q;
	uint32_t index = device;

	begin(&q, peer);
	put_ip(&q, RTA_SRC, local);
	if (index == 0 && peer->ss.ss_family == AF_INET6)
		index = ((const struct sockaddr_in6 *)&peer->ss)->sin6_scope_id;
	if (index)
		put(&q, RTA_OIF, &index, sizeof index);
	return ask(fd, &q);
}

/* Which interface has the address: the entry itself, not its use, which is
 * always by the loopback interface. */
static int ask_owner(int fd, const struct addr *local)
{
	struct question q;

	begin(&q, local);
	q.route.rtm_flags = RTM_F_FIB_MATCH;
	return ask(fd, &q);
}

/* Up, and with a carrier. */
static bool is_running(int fd, int index, struct ifreq *r)
{
	memset(r, 0, sizeof *r);
	r->ifr_ifindex = index;
	if (ioctl(fd, SIOCGIFNAME, r) < 0 || ioctl(fd, SIOCGIFFLAGS, r) < 0)
		return true;
	return (r->ifr_flags & IFF_UP) && (r->ifr_flags & IFF_RUNNING);
}

/* What the kernel says where there is no way; other errors are of the
 * question. A blackhole is EINVAL, and so is a source address that is gone. */
static bool is_no(int err)
{
	return err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EINVAL ||
	       err == -EACCES || err == -ENODEV;
}

static bool look(int fd, const struct addr *local, const struct addr *peer,
	unsigned device, char *why, size_t size)
{
	int by = ask_route(fd, local, peer, device);
	int owner = ask_owner(fd, local);
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	size_t len;
	struct ifreq r;

	if ((by > 0 && !is_running(fd, by, &r)) ||
		(owner > 0 && !is_running(fd, owner, &r))) {
		snprintf(why, size, "the link to it is down (%.*s)", IFNAMSIZ,
			r.ifr_name);
		return false;
	}
	if (!is_no(by))
		return true;
	snprintf(why, size, "there is no route from %s to %s",
		inet_ntop(local->ss.ss_family, ip_of(local, &len), from,
			sizeof from),
		inet_ntop(
			peer->ss.ss_family, ip_of(peer, &len), to, sizeof to));
	return false;
}

bool reach(const struct addr *local, const struct addr *peer, unsigned device,
	char *why, size_t size)
{
	bool yes;
	int fd;

	if ((peer->ss.ss_family != AF_INET && peer->ss.ss_family != AF_INET6) ||
		local->ss.ss_family != peer->ss.ss_family)
		return true;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return true;
	yes = look(fd, local, peer, device, why, size);
	close(fd);
	return yes;
}
