/* SPDX-License-Identifier: BSD-2-Clause */
/* What the settings say of a device's frontends: part of making a plan. */
#ifndef UMPIOD_PLAN_FRONTEND_H
#define UMPIOD_PLAN_FRONTEND_H

#include "plan.h"

/* Fills in the NBD part of `plan`, whose name is set. 0; -ENOMEM; or -EINVAL,
 * and `key` and `why` say which setting is wrong and how. */
int plan_frontend_nbd(struct plan *plan, const struct settings *settings,
	const struct section *device, const char **key, char *why,
	size_t why_size);

void plan_frontend_free(struct plan *plan);

/* True when one listener can serve both. */
bool plan_tls_equal(const struct plan_tls *a, const struct plan_tls *b);

bool plan_addr_equal(const struct addr *a, const struct addr *b);

/* True when both name the same NBD address. */
bool plan_nbd_shared(const struct plan *a, const struct plan *b);

/* True when clients would see the same. */
bool plan_frontend_equal(const struct plan *a, const struct plan *b);

#endif
