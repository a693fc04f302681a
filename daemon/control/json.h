/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of JSON: limits, and one way to read them for both sides. */
#ifndef UMPIO_CONTROL_JSON_H
#define UMPIO_CONTROL_JSON_H

#include <stddef.h>
#include <umpio/control.h>

#define CONTROL_LINE_MAX    65536u              /* bytes of a request */
#define CONTROL_REPLY_MAX   (16u * 1024 * 1024) /* bytes of a reply */
#define CONTROL_DEPTH_MAX   32                  /* of nested JSON */
#define CONTROL_CLIENTS_MAX 16

/* The object that `line` of `len` bytes is, whole and with nothing behind it
 * but blanks; the caller puts it. NULL, and the cause in `why`. */
struct json_object *json_line_parse(
	const char *line, size_t len, const char **why);

/* {"error":…,"code":…}; NULL without memory. */
struct json_object *json_error(enum control_code code, const char *text);

#endif
