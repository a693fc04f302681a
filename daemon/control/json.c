/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <json-c/json.h>
#include <json-c/json_visit.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A text that grows. */
struct text {
	char *at;
	size_t len, room;
	bool lost; /* memory was missing */
};

static void put(struct text *t, const char *bytes, size_t n)
{
	size_t room = t->room ? t->room : 1024;
	char *at;

	while (room - t->len < n + 1)
		room *= 2;
	if (room > t->room && !t->lost) {
		at = realloc(t->at, room);
		t->lost = !at;
		t->at = at ? at : t->at;
		t->room = at ? room : t->room;
	}
	if (t->lost)
		return;
	memcpy(t->at + t->len, bytes, n);
	t->len += n;
	t->at[t->len] = '\0';
}

static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && c != '"' && c != '\\';
}

static void put_escape(struct text *t, char c)
{
	static const char shorts[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
	const char *found = c ? strchr(shorts, c) : NULL;
	char escape[8];

	if (found)
		snprintf(
			escape, sizeof escape, "\\%c", letters[found - shorts]);
	else
		snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)c);
	put(t, escape, strlen(escape));
}

static void put_text(struct text *t, const char *s, size_t n)
{
	size_t from = 0;

	put(t, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		if (is_plain(s[i]))
			continue;
		put(t, s + from, i - from);
		put_escape(t, s[i]);
		from = i + 1;
	}
	put(t, s + from, n - from);
	put(t, "\"", 1);
}

static void put_number(struct text *t, struct json_object *o)
{
	int64_t n = json_object_get_int64(o);
	char text[32];

	if (json_object_is_type(o, json_type_double))
		snprintf(text, sizeof text, "%.17g", json_object_get_double(o));
	else if (n == INT64_MAX)
		snprintf(text, sizeof text, "%ju",
			(uintmax_t)json_object_get_uint64(o));
	else
		snprintf(text, sizeof text, "%jd", (intmax_t)n);
	put(t, text, strlen(text));
}

static void put_value(struct text *t, struct json_object *o)
{
	switch (json_object_get_type(o)) {
	case json_type_null: put(t, "null", 4); break;
	case json_type_boolean:
		if (json_object_get_boolean(o))
			put(t, "true", 4);
		else
			put(t, "false", 5);
		break;
	case json_type_string:
		put_text(t, json_object_get_string(o),
			(size_t)json_object_get_string_len(o));
		break;
	case json_type_int:
	case json_type_double: put_number(t, o); break;
	default: break; /* put_visited() */
	}
}

/* What stands before and behind a value; those that hold others are visited
 * twice. */
static int put_visited(struct json_object *o, int flags,
	struct json_object *parent, const char *key, size_t *index, void *arg)
{
	const bool array = json_object_is_type(o, json_type_array);
	const bool holds = array || json_object_is_type(o, json_type_object);
	struct text *t = arg;

	if (flags & JSON_C_VISIT_SECOND) {
		put(t, array ? "]" : "}", 1);
		return JSON_C_VISIT_RETURN_CONTINUE;
	}
	if (parent && t->len > 0 && !t->lost &&
		!strchr("[{", t->at[t->len - 1]))
		put(t, ",", 1);
	(void)index;
	if (key) {
		put_text(t, key, strlen(key));
		put(t, ":", 1);
	}
	if (holds)
		put(t, array ? "[" : "{", 1);
	else
		put_value(t, o);
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/* json-c's own leaves out of a text what it finds no memory for. */
char *control_line(struct json_object *o, size_t *len)
{
	struct text t = {0};

	if (!control_whole(o))
		return NULL;
	json_c_visit(o, 0, put_visited, &t);
	if (t.lost) {
		free(t.at);
		return NULL;
	}
	*len = t.len;
	return t.at;
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
