/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox.h"

#include <assert.h>

static void mailbox_read(void *arg)
{
	struct mailbox *box = arg;
	struct letter_list letters = TAILQ_HEAD_INITIALIZER(letters);
	struct letter *letter;

	pthread_mutex_lock(&box->lock);
	TAILQ_CONCAT(&letters, &box->letters, link);
	box->woken = false;
	pthread_mutex_unlock(&box->lock);
	while ((letter = TAILQ_FIRST(&letters))) {
		TAILQ_REMOVE(&letters, letter, link);
		letter->read(letter);
	}
}

void mailbox_init(struct mailbox *box, struct loop *loop)
{
	box->loop = loop;
	pthread_mutex_init(&box->lock, NULL);
	TAILQ_INIT(&box->letters);
	box->woken = false;
	loop_task_init(&box->task, mailbox_read, box);
}

void mailbox_fini(struct mailbox *box)
{
	assert(TAILQ_EMPTY(&box->letters) && !box->woken);
	pthread_mutex_destroy(&box->lock);
}

/* The task is sent under the lock: once it is known to be on its way, nobody
 * takes the box apart before it has run. */
void mailbox_put(struct mailbox *box, struct letter_list *letters)
{
	pthread_mutex_lock(&box->lock);
	TAILQ_CONCAT(&box->letters, letters, link);
	if (!box->woken) {
		box->woken = true;
		loop_send(box->loop, &box->task);
	}
	pthread_mutex_unlock(&box->lock);
}
