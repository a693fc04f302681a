/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path that fails as it is told: a TCP proxy that knows iSCSI PDUs.
 *
 *   proxy CONTROL LISTEN=TO…        serves until SIGTERM; prints `ready`
 *   proxy tell CONTROL WORD…        sends one command, prints the answer
 *
 * Each LISTEN=TO, both HOST:PORT, is a route; routes count from 1 (r1, r2, …),
 * and so do the connections of all of them, in the order in which they come
 * (c1, c2, …). CONTROL is a unix socket that takes commands, a line each, and
 * answers each with a line: `ok`, `ok VALUES` or `error: CAUSE`.
 *
 * SCOPE is all, rN or cN; a DIRECTION is as the initiator sees it, in or out.
 * PDU is nop-out command tmf login text data-out logout snack any-out, or
 * nop-in response tmf-response login-response text-response data-in
 * logout-response r2t async reject any-in.
 *
 * Faults of single PDUs: the Nth (default 1) that passes from now on, and with
 * `every` each Nth one. One PDU meets at most one fault. They are
 *
 *   flip SCOPE PDU [N [every]]      a bit of its data: the data digest is
 *                                   wrong; PDUs without data do not count
 *   flip-header SCOPE PDU …         a bit of its header
 *   drop, twice SCOPE PDU …         it does not come; comes twice
 *   swap SCOPE PDU …                comes behind the one that follows it
 *   tear SCOPE PDU …                half of it comes, then the stream ends
 *   reset SCOPE PDU …               RST to both sides instead of it
 *   keep SCOPE PDU …                it passes, and a copy is kept for `replay`
 *
 * Of whole directions, for `all` and rN also on connections to come:
 *
 *   hold, release SCOPE DIRECTION   nothing leaves (it is read, up to 4 MiB). A
 *                                   held direction outlives its sender: when it
 *                                   is released, what waited still arrives
 *   delay SCOPE DIRECTION MS        each PDU waits that long; 0 ends it
 *   rate SCOPE DIRECTION BYTES      a second; 0 ends it
 *
 * And of connections:
 *
 *   cut SCOPE, end SCOPE            RST, or the end of the stream, to both
 *                                   sides; answers how many there were
 *   after SCOPE DIRECTION BYTES     the stream ends when so many more are sent
 *   replay SCOPE DIRECTION          the copy that was kept is sent again
 *   refuse, accept SCOPE            new connections of a route are reset at
 *                                   once; or no longer
 *   clear                           ends all of the above
 *   show                            faults=N accepted=N, and for each
 *                                   connection cN:rN:PDUS-IN/PDUS-OUT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <umpio/loop.h>
#include <unistd.h>

#include "proxy.h"

#define ISCSI_PORT 3260

static int usage(void)
{
	fputs("proxy CONTROL LISTEN=TO…\nproxy tell CONTROL WORD…\n", stderr);
	return 2;
}

static int addr_take(struct addr *addr, const char *text, size_t len)
{
	struct endpoint ep;
	int err = endpoint_parse(&ep, text, len, ISCSI_PORT);

	return err ? err : addr_from_endpoint(addr, &ep);
}

static int route_add(struct proxy *proxy, const char *text)
{
	struct proxy_route *route = &proxy->routes[proxy->nroutes];
	const char *equals = strchr(text, '=');
	struct addr at;
	int err = -EINVAL;

	if (equals && proxy->nroutes < PROXY_ROUTES &&
		!addr_take(&at, text, (size_t)(equals - text)))
		err = addr_take(&route->to, equals + 1, strlen(equals + 1));
	if (err)
		return err;
	route->proxy = proxy;
	route->listener =
		stream_listen(proxy->loop, &at, 0, proxy_accepted, route, &err);
	if (!route->listener)
		return err;
	proxy->nroutes++;
	return 0;
}

static void on_term(void *arg)
{
	loop_stop(arg);
}

static int control_start(struct proxy *proxy, const char *path)
{
	struct addr at;
	int err = addr_from_unix(&at, path);

	if (err)
		return err;
	proxy->control = stream_listen(
		proxy->loop, &at, 0600, proxy_talk_accepted, proxy, &err);
	proxy->term =
		loop_signal_new(proxy->loop, SIGTERM, on_term, proxy->loop);
	if (!proxy->control)
		return err;
	return proxy->term ? 0 : -ENOMEM;
}

static void stop(struct proxy *proxy)
{
	proxy_talks_end(proxy);
	while (!LIST_EMPTY(&proxy->pairs))
		proxy_pair_free(LIST_FIRST(&proxy->pairs));
	proxy_rules_clear(proxy);
	for (unsigned i = 0; i < PROXY_ROUTES; i++)
		stream_listener_free(proxy->routes[i].listener);
	stream_listener_free(proxy->control);
	loop_signal_free(proxy->term);
	free(proxy->kept[PROXY_IN]);
	free(proxy->kept[PROXY_OUT]);
	loop_free(proxy->loop);
}

static int serve(int argc, char **argv)
{
	static struct proxy proxy;
	const char *what = argv[1];
	int err;

	LIST_INIT(&proxy.pairs);
	LIST_INIT(&proxy.talks);
	TAILQ_INIT(&proxy.rules);
	proxy.loop = loop_new();
	if (!proxy.loop)
		return 1;
	err = control_start(&proxy, argv[1]);
	for (int i = 2; !err && i < argc; i++) {
		what = argv[i];
		err = route_add(&proxy, argv[i]);
	}
	if (err) {
		fprintf(stderr, "proxy: %s: %s\n", what, strerror(-err));
	} else {
		puts("ready");
		fflush(stdout);
		loop_run(proxy.loop);
	}
	stop(&proxy);
	return err ? 1 : 0;
}

static int tell(int argc, char **argv)
{
	char line[4096] = "", answer[4096];
	struct addr to;
	FILE *f;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || addr_from_unix(&to, argv[2]) ||
		connect(fd, (struct sockaddr *)&to.ss, to.len) ||
		!(f = fdopen(fd, "r+"))) {
		fprintf(stderr, "proxy: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	for (int i = 3; i < argc; i++) {
		size_t at = strlen(line);

		snprintf(line + at, sizeof line - at, "%s ", argv[i]);
	}
	fprintf(f, "%s\n", line);
	fflush(f);
	if (!fgets(answer, sizeof answer, f))
		snprintf(answer, sizeof answer, "error: no answer\n");
	fputs(answer, stdout);
	fclose(f);
	return strncmp(answer, "ok", 2) ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "tell"))
		return tell(argc, argv);
	if (argc < 3 || !strcmp(argv[1], "tell"))
		return usage();
	return serve(argc, argv);
}
