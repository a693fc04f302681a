/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block file or device, past the page cache; one request a thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "job.h"
#include "worker.h"

#define FILE_UNIT 4096u

int target_probe_file(struct target *t)
{
	int fd = open(t->name, O_RDWR | O_DIRECT | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size < 0) {
		int err = errno;

		fprintf(stderr, "verify: %s: %s\n", t->name, strerror(err));
		if (fd >= 0)
			close(fd);
		return -err;
	}
	t->size = (uint64_t)size;
	t->unit = FILE_UNIT;
	close(fd);
	return 0;
}

/* All of it, or -errno. */
static int transfer(int fd, const struct job *j, off_t at)
{
	uint64_t done = 0;
	ssize_t n;

	while (done < j->len) {
		struct iovec v = {j->data + done, j->len - done};

		if (j->op == OP_READ)
			n = preadv(fd, &v, 1, at + (off_t)done);
		else
			n = pwritev2(fd, &v, 1, at + (off_t)done,
				j->op == OP_FUA ? RWF_DSYNC : 0);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static int punch(int fd, const struct job *j, off_t at, int how)
{
	return fallocate(fd, how | FALLOC_FL_KEEP_SIZE, at, (off_t)j->len)
		       ? -errno
		       : 0;
}

static int perform(int fd, const struct job *j)
{
	off_t at = (off_t)(j->source->run->o.offset + j->offset);

	switch (j->op) {
	case OP_READ:
	case OP_WRITE:
	case OP_FUA: return transfer(fd, j, at);
	case OP_FLUSH: return fdatasync(fd) ? -errno : 0;
	case OP_ZERO: return punch(fd, j, at, FALLOC_FL_ZERO_RANGE);
	case OP_TRIM: return punch(fd, j, at, FALLOC_FL_PUNCH_HOLE);
	case OPS: break;
	}
	return -EINVAL;
}

/* One phase. */
static void work(int fd, struct job *j)
{
	uint64_t wait;

	for (;;) {
		if ((wait = source_wait(j->source))) {
			usleep((useconds_t)(wait / 1000 + 1));
			continue;
		}
		if (!job_begin(j))
			return;
		job_end(j, perform(fd, j), false);
	}
}

void *worker_file(void *arg)
{
	struct worker *w = arg;
	struct source s = {.run = w->run,
		.writer = w->n,
		.random = w->run->o.seed + w->n * 1000003u,
		.fua = true,
		.flush = true,
		.zero = true,
		.trim = true,
		.file = true};
	int fd = open(w->target->name, O_RDWR | O_DIRECT | O_CLOEXEC);
	struct job j;

	source_init(&s, w->n, w->of);
	if (fd < 0 || job_init(&j, &s))
		abort();
	if (!w->run->o.no_fill)
		source_rewind(&s);
	work(fd, &j);
	run_arrive(w->run);
	run_await(w->run, PHASE_MIX);
	work(fd, &j);
	run_arrive(w->run);
	run_await(w->run, PHASE_CHECK);
	if (!w->run->o.no_check)
		source_rewind(&s);
	work(fd, &j);
	job_fini(&j);
	close(fd);
	run_arrive(w->run);
	return NULL;
}
