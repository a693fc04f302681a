/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model target (t_target.h) over TCP, for the system tests: one unit of
 * memory, any error recovery level, several connections, digests.
 *
 *   target NAME LEVEL CONNECTIONS SIZE HOST:PORT[,TPGT]…
 *
 * Portal group 1, where it is not said. Prints `ready`, serves until SIGTERM,
 * and then tells what it has counted, a line `breaches=N …` and the first
 * breach of RFC 7143 by the initiator. Ends with 0 when there was none.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/addr.h>
#include <umpio/loop.h>

#include "t_target.h"

#define BLOCK 512

struct server {
	struct loop *loop;
	struct t_lun *lun;
	struct t_target *target;
	struct loop_signal *term;
};

static void on_term(void *arg)
{
	loop_stop(arg);
}

/* The portals of the options, from `HOST:PORT[,TPGT]`; cuts the texts. */
static void portals_take(
	struct t_target_options *options, char **texts, int portals)
{
	for (int i = 0; i < portals; i++) {
		char *comma = strchr(texts[i], ',');

		options->portals[i] = (struct t_portal){
			texts[i], comma ? (uint16_t)atoi(comma + 1) : 1};
		if (comma)
			*comma = '\0';
	}
	options->nportals = (unsigned)portals;
}

static int listen_at(struct server *s, unsigned n, const char *text)
{
	struct endpoint ep;
	struct addr at;

	if (endpoint_parse(&ep, text, strlen(text), 3260) ||
		addr_from_endpoint(&at, &ep))
		return -1;
	return t_target_listen(s->target, n, &at);
}

static int start(struct server *s, char **argv, int portals)
{
	struct t_target_options options;
	struct t_lun_options disk = {.wce = true, .naa = {0x60, 0x01}};

	t_target_options_init(&options);
	options.name = argv[1];
	options.error_recovery_level = (uint32_t)atoi(argv[2]);
	options.max_connections = (uint32_t)atoi(argv[3]);
	options.header_digest = options.data_digest = true;
	disk.blocks = strtoull(argv[4], NULL, 10) / BLOCK;
	portals_take(&options, argv + 5, portals);
	s->loop = loop_new();
	s->lun = t_lun_new(&disk);
	s->target = s->lun ? t_target_new(s->loop, s->lun, &options) : NULL;
	s->term = loop_signal_new(s->loop, SIGTERM, on_term, s->loop);
	if (!s->target || !s->term)
		return -1;
	s->target->noisy = true; /* the wire is somebody's proxy */
	for (int i = 0; i < portals; i++)
		if (listen_at(s, (unsigned)i, argv[5 + i]))
			return -1;
	return 0;
}

static int stop(struct server *s)
{
	const struct t_target *t = s->target;
	unsigned breaches = t ? t->violations : 1;

	if (t)
		printf("breaches=%u logins=%u commands=%u retries=%u "
		       "snacks=%u,%u,%u,%u reassigns=%u\n%s\n",
			t->violations, t->logins, t->commands, t->retries,
			t->snacks[0], t->snacks[1], t->snacks[2], t->snacks[3],
			t->reassigns, t->violation);
	t_target_free(s->target);
	t_lun_free(s->lun);
	loop_signal_free(s->term);
	loop_free(s->loop);
	return breaches ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct server server = {0};

	if (argc < 6 || argc - 5 > T_PORTALS_MAX) {
		fputs("target NAME LEVEL CONNECTIONS SIZE HOST:PORT[,TPGT]…\n",
			stderr);
		return 2;
	}
	if (start(&server, argv, argc - 5)) {
		fputs("target: cannot start\n", stderr);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	loop_run(server.loop);
	return stop(&server);
}
