/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: one line an entry, to stderr, from any thread, never blocking. The
 * lines go through a bounded ring to a writer thread; when the reader of
 * stderr stalls, the oldest waiting lines give way and their number is
 * reported. Before log_start() and after log_stop() lines are written at once.
 *
 * Control characters in what is logged are escaped, so a peer's text cannot
 * forge a line. errno is preserved.
 */
#ifndef UMPIO_BASE_LOG_H
#define UMPIO_BASE_LOG_H

#include <stdbool.h>

/* Values are syslog's priorities, for the <N> prefix of a service manager. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Levels above `max` are dropped. `prefix`: lines begin with <N>. */
void log_setup(enum log_level max, bool prefix);
bool log_enabled(enum log_level level);

/* Starts and stops the writer thread; stop writes what waits, for at most one
 * second. 0 or -errno. */
int log_start(void);
void log_stop(void);

void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_enabled(LOG_LEVEL_DEBUG))                              \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);               \
	} while (0)

#endif
