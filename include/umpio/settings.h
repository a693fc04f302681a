/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings: the configuration as plain data, whether it came from a file, the
 * command line or the control socket. tbl/settings.h lists every key.
 */
#ifndef UMPIO_SETTINGS_H
#define UMPIO_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/addr.h>

enum setting_scope {
	SETTING_DAEMON = 1,
	SETTING_TARGET = 2,
	SETTING_DEVICE = 4,
};

enum setting_type {
	SETTING_BOOL,
	SETTING_NUMBER,
	SETTING_DURATION, /* ns */
	SETTING_SIZE,     /* bytes */
	SETTING_CHOICE,
	SETTING_TEXT,
	SETTING_LIST,
};

enum setting {
#define X(id, ...) SET_##id,
#include <umpio/tbl/settings.h>
#undef X
	SETTINGS
};

struct setting_info {
	const char *key;
	unsigned scopes;
	enum setting_type type;
	const char *choices;
	uint64_t min, max; /* DURATION: milliseconds */
	const char *def;
	bool live;
	const char *help;
};

const struct setting_info *setting_info(enum setting id);

/* The setting named `key`, or -1. */
int setting_find(const char *key);

struct setting_value {
	bool set;
	uint64_t number; /* BOOL, NUMBER, DURATION, SIZE */
	char *text;      /* CHOICE, TEXT */
	char **list;     /* LIST, NULL at the end */
	size_t count;
};

/* One section: [daemon], a [target NAME] or a [device NAME]. */
struct section {
	enum setting_scope scope;
	char *name; /* empty for [daemon] */
	unsigned line;
	struct setting_value values[SETTINGS];
	struct section *next;
};

struct settings {
	char *file; /* where it came from, for messages */
	struct section *daemon;
	struct section *targets; /* in order of the file */
	struct section *devices;
};

/* An empty configuration, all defaults. NULL without memory. */
struct settings *settings_new(void);
void settings_free(struct settings *s); /* NULL is allowed */

/* True for what a device or target may be called: 1 to 64 printable ASCII
 * characters other than / and ], not `.` or `..`, no blank at either end. */
bool settings_name_valid(const char *name);

/* A new section, at the end of its list, owned by `s`. NULL without memory, or
 * when the name is not valid. */
struct section *settings_add(
	struct settings *s, enum setting_scope scope, const char *name);
struct section *settings_find(
	const struct settings *s, enum setting_scope scope, const char *name);

/* What [daemon] of `over` sets, holds in all of `s`, whatever its sections say:
 * options of the command line before a file. 0 or -ENOMEM. */
int settings_override(struct settings *s, const struct settings *over);

/* Sets `key` from text, checking scope, type and range. 0; or -EINVAL and a
 * line in `why` that names key and cause. A LIST grows. */
int section_set(struct section *section, const char *key, const char *value,
	char *why, size_t why_size);

/* Reads a configuration file and checks it whole: unknown keys, ranges, targets
 * that a device names, missing keys. NULL, and `FILE:LINE: …` in `why`. */
struct settings *settings_read(const char *file, char *why, size_t why_size);

/* The same on text in memory (tests, fuzzing); `file` is for messages. */
struct settings *settings_parse(const char *file, const char *text, size_t len,
	char *why, size_t why_size);

/* What holds for a device: its own value, its target's, [daemon]'s, or the
 * default. `device` may be NULL for a setting of the daemon. */
bool settings_bool(const struct settings *s, const struct section *device,
	enum setting id);
uint64_t settings_number(const struct settings *s, const struct section *device,
	enum setting id);
const char *settings_text(const struct settings *s,
	const struct section *device, enum setting id); /* NULL: none */
/* NULL at the end; never NULL itself */
char *const *settings_list(const struct settings *s,
	const struct section *device, enum setting id);
/* True when it was set in the device, its target or [daemon]. */
bool settings_is_set(const struct settings *s, const struct section *device,
	enum setting id);

/* iscsi://[USER@]HOST[:PORT]/TARGET-IQN/LUN */
struct iscsi_url {
	char user[256]; /* empty: none */
	struct endpoint portal;
	char target[224];
	unsigned lun;
};

/* 0; or -EINVAL and a line in `why`. A password in it is refused, with a line
 * that names --chap-secret-file and does not repeat the password. */
int iscsi_url_parse(
	struct iscsi_url *url, const char *text, char *why, size_t why_size);

/* A frontend's address: unix:PATH or tcp:HOST:PORT. */
struct nbd_address {
	bool is_unix;
	char path[108];
	struct endpoint tcp;
};
int nbd_address_parse(
	struct nbd_address *a, const char *text, char *why, size_t why_size);

/* Reads a secret: a regular file of our own uid, mode 0600 or stricter, no
 * symlink; one trailing newline is dropped. The caller clears and frees
 * `*secret`. 0; or -errno and a line in `why`. */
int secret_read(const char *file, char **secret, size_t *len, char *why,
	size_t why_size);
void secret_free(char *secret, size_t len);

/* The initiator name, the first of these that there is: `configured` (NULL:
 * none), /etc/iscsi/initiatorname.iscsi, or one made and kept in the state
 * directory. Into `name` of 224 bytes. 0; or -errno and a line in `why`. */
int initiator_name_find(
	const char *configured, char *name, char *why, size_t why_size);

/* An ISID of type 10b (RFC 7143 11.12.5) from what must stay the same when a
 * daemon restarts, and differ between daemons, devices and paths. 0; or
 * -ENOMEM.
 */
int isid_make(uint8_t isid[6], const char *instance, const char *device,
	const char *target, const char *portal, unsigned queue);

#endif
