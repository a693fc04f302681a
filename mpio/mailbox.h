/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letters from loop to loop, in batches: an outbox gathers what a turn of the
 * sender's loop has for one receiver and brings it over at the turn's end, with
 * at most one wake-up. Order is kept between each two loops.
 */
#ifndef MPIO_MAILBOX_H
#define MPIO_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <umpio/loop.h>

/* Embedded in what it is about; the sender's until it is posted, the reader's
 * from then on. */
struct letter {
	void (*read)(struct letter *letter); /* on the receiver's loop */
	TAILQ_ENTRY(letter) link;
};

TAILQ_HEAD(letter_list, letter);

struct mailbox {
	struct loop *loop;
	pthread_mutex_t lock;
	struct letter_list letters; /* under the lock, and so is `woken` */
	bool woken;
	struct loop_task task;
};

/* Of the loop that receives. */
void mailbox_init(struct mailbox *box, struct loop *loop);
/* When nothing was put in that the loop has not read. */
void mailbox_fini(struct mailbox *box);

/* Moves all of `letters` over. From any thread. */
void mailbox_put(struct mailbox *box, struct letter_list *letters);

#endif
