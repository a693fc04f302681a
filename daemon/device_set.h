/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `umpio set`: settings that are changed in a live device. The device keeps
 * them beside what it was made of; together they make a plan like any other,
 * which is checked whole before anything changes. A reload takes them back.
 */
#ifndef UMPIOD_DEVICE_SET_H
#define UMPIOD_DEVICE_SET_H

#include <stddef.h>

struct device;
struct json_object;

/* Changes all of [["key","value"],…], or nothing. 0; -EINVAL (the request) or
 * another -errno, and a line in `why`. */
int device_set(struct device *dev, struct json_object *values, char *why,
	size_t why_size);

/* What was changed so far, {"key":"value",…}; NULL: nothing. */
struct json_object *device_changes(const struct device *dev);

#endif
