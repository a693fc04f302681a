/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Name look-up. getaddrinfo() blocks for as long as it likes and cannot be
 * stopped, so each look-up has a thread of its own: a name server that does not
 * answer delays nobody else. A look-up that is given up lives until its thread
 * is back; whoever comes last frees it.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#define ADDRS_MAX  8
#define STACK_SIZE (256u << 10)

struct stream_resolve {
	struct loop *loop;
	stream_resolve_fn *done;
	void *arg;
	struct endpoint ep;
	struct loop_task answer;
	struct addr addrs[ADDRS_MAX];
	int n, err;
	pthread_mutex_t lock; /* of what is below */
	bool given_up;
};

static void resolve_free(struct stream_resolve *r)
{
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void on_answer(void *arg)
{
	struct stream_resolve *r = arg;

	/* The thread may not have left its lock yet. */
	pthread_mutex_lock(&r->lock);
	pthread_mutex_unlock(&r->lock);
	if (!r->given_up)
		r->done(r->arg, r->addrs, r->n, r->err);
	resolve_free(r);
}

static int errno_of(int eai)
{
	switch (eai) {
	case EAI_NONAME:
	case EAI_NODATA: return -ENOENT;
	case EAI_AGAIN: return -EAGAIN;
	case EAI_MEMORY: return -ENOMEM;
	case EAI_SYSTEM: return errno ? -errno : -EIO;
	default: return -EIO;
	}
}

static void look_up(struct stream_resolve *r)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *ai;
	int eai = getaddrinfo(r->ep.host, NULL, &hints, &list);

	if (eai != 0) {
		r->err = errno_of(eai);
		return;
	}
	for (ai = list; ai && r->n < ADDRS_MAX; ai = ai->ai_next) {
		struct addr *a = &r->addrs[r->n];
		struct sockaddr_in *sin = (struct sockaddr_in *)&a->ss;
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&a->ss;

		if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
			continue;
		memcpy(&a->ss, ai->ai_addr, ai->ai_addrlen);
		a->len = ai->ai_addrlen;
		if (ai->ai_family == AF_INET)
			sin->sin_port = htons(r->ep.port);
		else
			sin6->sin6_port = htons(r->ep.port);
		r->n++;
	}
	freeaddrinfo(list);
	r->err = r->n > 0 ? 0 : -ENOENT;
}

static void *run(void *arg)
{
	struct stream_resolve *r = arg;
	bool given_up;

	look_up(r);
	pthread_mutex_lock(&r->lock);
	given_up = r->given_up;
	if (!given_up)
		loop_send(r->loop, &r->answer);
	pthread_mutex_unlock(&r->lock);
	if (given_up)
		resolve_free(r);
	return NULL;
}

static int start_thread(struct stream_resolve *r)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, &attr, run, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

struct stream_resolve *stream_resolve(struct loop *loop,
	const struct endpoint *ep, stream_resolve_fn *done, void *arg)
{
	struct stream_resolve *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->loop = loop;
	r->done = done;
	r->arg = arg;
	r->ep = *ep;
	loop_task_init(&r->answer, on_answer, r);
	pthread_mutex_init(&r->lock, NULL);
	/* Once the thread runs, the rest of `r` is the thread's. */
	if (addr_from_endpoint(&r->addrs[0], ep) == 0) {
		r->n = 1;
	} else {
		int err = start_thread(r);

		if (err == 0)
			return r;
		r->err = err;
	}
	/* What is known at once is told later all the same. */
	loop_post(loop, &r->answer);
	return r;
}

void stream_resolve_cancel(struct stream_resolve *r)
{
	if (!r)
		return;
	/* Once it is unlocked the thread may free it. */
	pthread_mutex_lock(&r->lock);
	r->given_up = true;
	pthread_mutex_unlock(&r->lock);
}
