/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Servers beside each other serve the clients of one listening socket, each on
 * its loop. The one that listens gives every client a seat, at the server that
 * has the fewest; the limit on clients is that of all of them together.
 *
 * What a client takes up it gives back in two steps, as it leaves the handshake
 * and as its object goes.
 */
#ifndef UMPIO_NBDS_SEAT_H
#define UMPIO_NBDS_SEAT_H

#include <stdbool.h>

struct nbds_seat;
struct nbds_server;
struct stream;

/* The seats of `server`, beside those that `other` belongs to (from any thread)
 * or, NULL, alone. NULL without memory. */
struct nbds_seat *nbds_seat_new(
	struct nbds_server *server, struct nbds_seat *other);

/* The server goes, and its clients have gone; who is on the way to it is cut
 * off. NULL is allowed. On the server's loop. */
void nbds_seat_free(struct nbds_seat *seat);

/* Takes a place for a client where the fewest are; with `limit` of them or more
 * there already, where the most could give way, which they must, and NULL when
 * none could. `before`: how many there were. */
struct nbds_seat *nbds_seat_take(
	struct nbds_seat *any, unsigned limit, unsigned *before);

/* The client `s`, for which the place was taken, goes there: to that server's
 * nbds_server_seat(). From the thread on which `s` is. */
void nbds_seat_send(struct nbds_seat *seat, struct stream *s, bool full);

/* A client is past its handshake, or gone before its end. */
void nbds_seat_settle(struct nbds_seat *seat);

/* A client's place is free. */
void nbds_seat_leave(struct nbds_seat *seat);

/* Clients of this server, also those on their way and those that only wait for
 * the device. */
unsigned nbds_seat_clients(struct nbds_seat *seat);

#endif
