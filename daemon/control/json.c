/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <json-c/json.h>
#include <string.h>

struct json_object *json_line_parse(
	const char *line, size_t len, const char **why)
{
	struct json_tokener *tok = json_tokener_new_ex(CONTROL_DEPTH_MAX);
	if (!tok) {
		*why = "out of memory";
		return NULL;
	}
	json_tokener_set_flags(
		tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *object = json_tokener_parse_ex(tok, line, (int)len);
	enum json_tokener_error err = json_tokener_get_error(tok);
	json_tokener_free(tok);
	if (err == json_tokener_success &&
		json_object_is_type(object, json_type_object))
		return object;
	*why = err == json_tokener_success ? "not an object"
	       : err == json_tokener_continue
		       ? "the line ends within the object"
		       : json_tokener_error_desc(err);
	json_object_put(object);
	return NULL;
}

struct json_object *json_error(enum control_code code, const char *text)
{
	struct json_object *error = json_object_new_object();
	json_object_object_add(error, "error", json_object_new_string(text));
	json_object_object_add(error, "code", json_object_new_int(code));
	return error;
}

const char *control_text(struct json_object *request, const char *member)
{
	struct json_object *value;
	if (!json_object_object_get_ex(request, member, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	const char *text = json_object_get_string(value);
	/* A NUL inside would show one text to us and another to the log. */
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text
									 : NULL;
}

int64_t control_number(
	struct json_object *request, const char *member, int64_t missing)
{
	struct json_object *value;
	if (!json_object_object_get_ex(request, member, &value) ||
		!json_object_is_type(value, json_type_int))
		return missing;
	return json_object_get_int64(value);
}
