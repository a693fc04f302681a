/* SPDX-License-Identifier: BSD-2-Clause */
/* The service manager's notification socket (sd_notify(3)); nothing happens
 * where there is none. */
#ifndef UMPIOD_NOTIFY_H
#define UMPIOD_NOTIFY_H

/* Sends one datagram, such as "READY=1\nSTATUS=…". */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
