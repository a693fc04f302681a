/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lean target over TCP: what a session of several connections, or of a
 * higher recovery level, costs when the target does not count.
 *
 *   lean LEVEL CONNECTIONS HOST:PORT
 *
 * Prints `ready` and serves until it is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/addr.h>
#include <umpio/loop.h>

#include "lean_target.h"

int main(int argc, char **argv)
{
	struct lean_options options = {0};
	struct lean_target *target;
	struct loop *loop;
	struct endpoint ep;
	struct addr at;

	if (argc != 4 || endpoint_parse(&ep, argv[3], strlen(argv[3]), 3260) ||
		addr_from_endpoint(&at, &ep)) {
		fprintf(stderr, "usage: lean LEVEL CONNECTIONS HOST:PORT\n");
		return 2;
	}
	options.level = (uint8_t)atoi(argv[1]);
	options.connections = (unsigned)atoi(argv[2]);
	loop = loop_new();
	target = loop ? lean_target_new(loop, &at, &options) : NULL;
	if (!target) {
		fprintf(stderr, "lean: cannot listen at %s\n", argv[3]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	loop_run(loop);
	lean_target_free(target);
	loop_free(loop);
	return 0;
}
