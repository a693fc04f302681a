/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <json-c/json.h>
#include <json-c/json_visit.h>
#include <stdint.h>
#include <string.h>

/* What is at objects and arrays that lack something. */
static char lacking;

static struct json_object *lacks(
	struct json_object *to, struct json_object *value)
{
	json_object_put(value);
	if (to)
		json_object_set_userdata(to, &lacking, NULL);
	return NULL;
}

struct json_object *control_add(
	struct json_object *to, const char *member, struct json_object *value)
{
	return to && value && json_object_object_add(to, member, value) == 0
		       ? value
		       : lacks(to, value);
}

void control_add_null(struct json_object *to, const char *member)
{
	if (!to || json_object_object_add(to, member, NULL) < 0)
		lacks(to, NULL);
}

struct json_object *control_append(
	struct json_object *to, struct json_object *value)
{
	return to && value && json_object_array_add(to, value) == 0
		       ? value
		       : lacks(to, value);
}

static int look_for_lack(struct json_object *o, int flags,
	struct json_object *parent, const char *key, size_t *index, void *arg)
{
	bool *whole = arg;

	(void)flags;
	(void)parent;
	(void)key;
	(void)index;
	if (o && json_object_get_userdata(o) == &lacking)
		*whole = false;
	return *whole ? JSON_C_VISIT_RETURN_CONTINUE : JSON_C_VISIT_RETURN_STOP;
}

bool control_whole(struct json_object *o)
{
	bool whole = o != NULL;

	if (o)
		json_c_visit(o, 0, look_for_lack, &whole);
	return whole;
}

/* Members of all objects. */
static int count_members(struct json_object *o, int flags,
	struct json_object *parent, const char *key, size_t *index, void *arg)
{
	(void)parent;
	(void)index;
	(void)o;
	if (key && !(flags & JSON_C_VISIT_SECOND))
		++*(size_t *)arg;
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/* The same of a line that is JSON: its colons outside of texts. */
static size_t count_colons(const char *line, size_t len)
{
	bool in_text = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_text && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			in_text = !in_text;
		else if (line[i] == ':' && !in_text)
			n++;
	}
	return n;
}

/* json-c goes on when it has no memory for a member, and lets a later member
 * replace one of the same name: neither is what was asked. */
static bool has_all_members(struct json_object *o, const char *line, size_t len)
{
	size_t members = 0;

	json_c_visit(o, 0, count_members, &members);
	return members == count_colons(line, len);
}

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
	const bool is_object = err == json_tokener_success &&
			       json_object_is_type(object, json_type_object);
	if (is_object && has_all_members(object, line, len))
		return object;
	*why = is_object ? "a member is there twice, or memory is short"
	       : err == json_tokener_success ? "not an object"
	       : err == json_tokener_continue
		       ? "the line ends within the object"
		       : json_tokener_error_desc(err);
	json_object_put(object);
	return NULL;
}

/* json-c leaves out of a text what it finds no memory for: text is good when it
 * reads back as what it is of. */
const char *control_line(struct json_object *o, size_t *len)
{
	struct json_tokener *tok;
	struct json_object *again;
	const char *text = NULL;

	if (control_whole(o))
		text = json_object_to_json_string_length(o,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
			len);
	tok = text ? json_tokener_new_ex(CONTROL_DEPTH_MAX) : NULL;
	if (!tok)
		return NULL;
	again = json_tokener_parse_ex(tok, text, (int)*len);
	json_tokener_free(tok);
	if (!again || !json_object_equal(o, again))
		text = NULL;
	json_object_put(again);
	return text;
}

struct json_object *json_error(enum control_code code, const char *text)
{
	struct json_object *error = json_object_new_object();
	control_add(error, "error", json_object_new_string(text));
	control_add(error, "code", json_object_new_int(code));
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
