/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring holds whole lines back to back, without gaps: `ring_len` bytes from
 * `ring_head` on. The writer thread copies whole lines out of it and writes
 * them without the lock, so a stalled stderr blocks that thread alone.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <umpio/base/log.h>
#include <unistd.h>

#define LINE_TEXT_MAX 1024 /* of the message, before it is escaped */
#define LINE_MAX_SIZE 4608 /* every byte as \xNN, and what stands before it */
#define RING_SIZE     (256u << 10)
#define BATCH_SIZE    (16u << 10)

static _Atomic int max_level = LOG_LEVEL_INFO;
static atomic_bool with_prefix;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more, idle; /* for the writer; from the writer */
static pthread_t writer;
static bool running, stopping;
static bool writing; /* the writer is between two looks at the ring */
static char ring[RING_SIZE];
static size_t ring_head, ring_len;
static unsigned long dropped;

void log_setup(enum log_level max, bool prefix)
{
	atomic_store_explicit(&max_level, max, memory_order_relaxed);
	atomic_store_explicit(&with_prefix, prefix, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <=
	       atomic_load_explicit(&max_level, memory_order_relaxed);
}

/* The bytes of a well-formed UTF-8 sequence at `p` (at least a second byte in
 * the right range), or 0; 0 also for the C1 controls U+0080 to U+009F. */
static size_t utf8_len(const unsigned char *p)
{
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0xc2 || p[0] > 0xf4 || (p[0] == 0xc2 && p[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Appends `text`, with what is not printable as \xNN; returns the new length.
 * `out` has room for four times `text`. */
static size_t escape(char *out, size_t at, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		size_t len =
			*p < 0x80 ? (*p >= 0x20 && *p != 0x7f) : utf8_len(p);

		if (len > 0) {
			memcpy(out + at, p, len);
			at += len;
			p += len;
		} else {
			at += (size_t)sprintf(out + at, "\\x%02x", *p++);
		}
	}
	return at;
}

/* What stands before the message: the priority, or the time and the level. */
static size_t begin_line(char *out, enum log_level level)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	struct timespec now;
	struct tm tm;
	size_t n;

	if (atomic_load_explicit(&with_prefix, memory_order_relaxed))
		return (size_t)sprintf(out, "<%d>", level);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(out, 64, "%Y-%m-%d %H:%M:%S", &tm);
	return n + (size_t)sprintf(out + n, ".%03ld %-5s ",
			   now.tv_nsec / 1000000, names[level]);
}

static size_t make_line(char *out, enum log_level level, const char *text)
{
	size_t n = begin_line(out, level);

	n = escape(out, n, text);
	out[n++] = '\n';
	return n;
}

/* All of it, whatever it takes; gives up only when stderr is broken. */
static void write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, data, len);
		struct pollfd pfd = {STDERR_FILENO, POLLOUT, 0};

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&pfd, 1, -1);
		} else if (errno != EINTR) {
			return;
		}
	}
}

/* The ring, under the lock */

static void ring_copy_out(char *out, size_t len)
{
	size_t first = RING_SIZE - ring_head;

	if (first > len)
		first = len;
	memcpy(out, ring + ring_head, first);
	memcpy(out + first, ring, len - first);
}

static void ring_skip(size_t len)
{
	ring_head = (ring_head + len) % RING_SIZE;
	ring_len -= len;
}

static void ring_drop_line(void)
{
	size_t len = 0;

	while (ring[(ring_head + len++) % RING_SIZE] != '\n')
		;
	ring_skip(len);
	dropped++;
}

static void ring_add(const char *line, size_t len)
{
	size_t tail, first;

	while (RING_SIZE - ring_len < len)
		ring_drop_line();
	tail = (ring_head + ring_len) % RING_SIZE;
	first = RING_SIZE - tail < len ? RING_SIZE - tail : len;
	memcpy(ring + tail, line, first);
	memcpy(ring, line + first, len - first);
	ring_len += len;
}

/* Whole lines, as many as fit; first of all how many are missing. */
static size_t take_batch(char *out)
{
	char text[64];
	size_t n = 0, len;

	if (dropped > 0) {
		snprintf(text, sizeof text, "log: %lu lines dropped", dropped);
		n = make_line(out, LOG_LEVEL_WARN, text);
		dropped = 0;
	}
	len = ring_len < BATCH_SIZE - n ? ring_len : BATCH_SIZE - n;
	ring_copy_out(out + n, len);
	while (len > 0 && out[n + len - 1] != '\n')
		len--;
	ring_skip(len);
	return n + len;
}

static void *write_lines(void *arg)
{
	static char batch[BATCH_SIZE];

	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		size_t len = take_batch(batch);

		if (len == 0 && stopping)
			break;
		if (len == 0) {
			pthread_cond_wait(&more, &lock);
			continue;
		}
		pthread_mutex_unlock(&lock);
		write_all(batch, len);
		pthread_mutex_lock(&lock);
	}
	writing = false;
	pthread_cond_signal(&idle);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int start_writer(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128u << 10);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&writer, &attr, write_lines, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

int log_start(void)
{
	pthread_condattr_t attr;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&more, NULL);
	pthread_cond_init(&idle, &attr);
	pthread_condattr_destroy(&attr);

	pthread_mutex_lock(&lock);
	stopping = false;
	writing = true;
	err = start_writer();
	running = err == 0;
	pthread_mutex_unlock(&lock);
	return err;
}

/* A writer that hangs in write() is left behind: the process is about to end,
 * and what it touches is static. */
void log_stop(void)
{
	struct timespec until;
	bool done;

	pthread_mutex_lock(&lock);
	if (!running) {
		pthread_mutex_unlock(&lock);
		return;
	}
	running = false;
	stopping = true;
	pthread_cond_signal(&more);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	while (writing)
		if (pthread_cond_timedwait(&idle, &lock, &until) == ETIMEDOUT)
			break;
	done = !writing;
	pthread_mutex_unlock(&lock);
	if (done)
		pthread_join(writer, NULL);
	else
		pthread_detach(writer);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[LINE_TEXT_MAX + 1], line[LINE_MAX_SIZE];
	int saved = errno;
	bool queued;
	size_t len;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	len = make_line(line, level, text);

	pthread_mutex_lock(&lock);
	queued = running;
	if (queued) {
		if (ring_len == 0)
			pthread_cond_signal(&more);
		ring_add(line, len);
	}
	pthread_mutex_unlock(&lock);
	if (!queued)
		write_all(line, len);
	errno = saved;
}
