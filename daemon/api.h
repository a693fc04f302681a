/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the control socket: what each of them does to the daemon. */
#ifndef UMPIOD_API_H
#define UMPIOD_API_H

#include <umpio/control.h>

/* Ends with a NULL name; `arg` of each is the daemon. */
extern const struct control_command api_commands[];

#endif
