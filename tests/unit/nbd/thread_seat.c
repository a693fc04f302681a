/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers beside each other on loops with threads of their own: connections are
 * spread evenly, the limit is that of all, and they may end in any order while
 * clients connect. For the thread sanitizer. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <umpio/base/addr.h>
#include <umpio/base/log.h>
#include <umpio/frontend.h>
#include <umpio/loop.h>
#include <unistd.h>

#define SERVERS  3
#define EACH     10
#define LIMIT    (SERVERS * EACH)
#define GREETING 18
#define ROUNDS   20

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #cond);      \
			exit(1);                                               \
		}                                                              \
	} while (0)

struct place {
	struct loop *loop;
	pthread_t thread;
	struct nbds_server *server;
	struct loop_task begin, end;
};

static struct place places[SERVERS];
static struct addr at;
static atomic_uint arrived;

static void on_begin(void *arg)
{
	const struct nbds_options options = {.max_clients = LIMIT};
	struct place *p = arg;
	int err = 0;

	p->server = p == places
			    ? nbds_server_new(p->loop, &at, -1, &options, &err)
			    : nbds_server_beside(p->loop, places[0].server,
				      &options, &err);
	CHECK(p->server);
	atomic_fetch_add(&arrived, 1);
}

static void on_end(void *arg)
{
	struct place *p = arg;

	nbds_server_free(p->server);
	atomic_fetch_add(&arrived, 1);
}

static void *run(void *arg)
{
	loop_run(((struct place *)arg)->loop);
	return NULL;
}

static void await(unsigned n)
{
	while (atomic_load(&arrived) < n)
		sched_yield();
}

static void begin(void)
{
	atomic_store(&arrived, 0);
	for (unsigned i = 0; i < SERVERS; i++) {
		struct place *p = &places[i];

		p->loop = loop_new();
		CHECK(p->loop);
		loop_task_init(&p->begin, on_begin, p);
		loop_task_init(&p->end, on_end, p);
		CHECK(pthread_create(&p->thread, NULL, run, p) == 0);
		loop_send(p->loop, &p->begin);
		if (i == 0)
			await(1);
	}
	await(SERVERS);
}

/* From the place `first` on, without waiting. */
static void end_servers(unsigned first)
{
	atomic_store(&arrived, 0);
	for (unsigned i = 0; i < SERVERS; i++) {
		struct place *p = &places[(first + i) % SERVERS];

		loop_send(p->loop, &p->end);
	}
}

static void join(void)
{
	await(SERVERS);
	for (unsigned i = 0; i < SERVERS; i++) {
		loop_stop(places[i].loop);
		pthread_join(places[i].thread, NULL);
		loop_free(places[i].loop);
	}
}

static int connect_to(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	if (connect(fd, (struct sockaddr *)&at.ss, at.len) == 0)
		return fd;
	close(fd);
	return -1;
}

/* True when the server has greeted; false: it has hung up. */
static bool greeted(int fd)
{
	char greeting[GREETING];

	return recv(fd, greeting, sizeof greeting, MSG_WAITALL) == GREETING;
}

static void expect(unsigned each)
{
	for (unsigned i = 0; i < SERVERS; i++)
		while (nbds_server_clients(places[i].server) != each)
			sched_yield();
}

static void check_spread(void)
{
	int fd[LIMIT], late;
	char byte;

	for (unsigned i = 0; i < LIMIT; i++)
		fd[i] = connect_to();
	for (unsigned i = 0; i < LIMIT; i++)
		CHECK(greeted(fd[i]));
	expect(EACH);
	late = connect_to(); /* somebody's oldest gives way */
	CHECK(greeted(late));
	expect(EACH);
	CHECK(recv(fd[0], &byte, 1, 0) <= 0);
	close(late);
	for (unsigned i = 0; i < LIMIT; i++)
		close(fd[i]);
	expect(0);
}

static void *keep_connecting(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = connect_to()) != -1)
		close(fd);
	return NULL;
}

int main(void)
{
	char path[] = "/tmp/umpio-seat-XXXXXX";
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	pthread_t flood;

	log_setup(LOG_LEVEL_ERROR, false);
	CHECK(mkdtemp(path));
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s/nbd", path);
	memcpy(&at.ss, &sun, sizeof sun);
	at.len = sizeof sun;
	begin();
	check_spread();
	end_servers(0);
	join();
	for (unsigned i = 0; i < ROUNDS; i++) {
		begin();
		CHECK(pthread_create(&flood, NULL, keep_connecting, NULL) == 0);
		while (nbds_server_clients(places[i % SERVERS].server) == 0)
			sched_yield();
		end_servers(i);
		join();
		pthread_join(flood, NULL);
	}
	rmdir(path);
	puts("ok");
	return 0;
}
