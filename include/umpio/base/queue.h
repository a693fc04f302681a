/* SPDX-License-Identifier: BSD-2-Clause */
/* <sys/queue.h> with the walks of BSD that glibc leaves out: the element may be
 * removed, and freed, in the body. */
#ifndef UMPIO_BASE_QUEUE_H
#define UMPIO_BASE_QUEUE_H

#include <sys/queue.h>

#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, next)                              \
	for ((var) = LIST_FIRST(head);                                         \
		(var) && ((next) = LIST_NEXT(var, field), 1); (var) = (next))
#endif

#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, next)                             \
	for ((var) = TAILQ_FIRST(head);                                        \
		(var) && ((next) = TAILQ_NEXT(var, field), 1); (var) = (next))
#endif

#endif
