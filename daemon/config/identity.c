/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <umpio/settings.h>
#include <unistd.h>

#include "file.h"
#include "name.h"

#define SYSTEM_FILE "/etc/iscsi/initiatorname.iscsi"
#define STATE_FILE  "initiatorname"
#define LINE_KEY    "InitiatorName="
#define FILE_MAX    65536
#define OUR_PREFIX  "iqn.2026-11.io.umpio:"

/* Root of a user namespace (unshare -r) is a user without rights to /var/lib.
 */
static bool is_root(void)
{
	return geteuid() == 0 &&
	       (access("/var/lib", W_OK) == 0 || errno != EACCES);
}

int identity_state_dir(char *path, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int n;
	if (is_root())
		n = snprintf(path, size, "/var/lib/umpio");
	else if (state && *state == '/')
		n = snprintf(path, size, "%s/umpio", state);
	else if (home && *home == '/')
		n = snprintf(path, size, "%s/.local/state/umpio", home);
	else
		return -ENOENT;
	return (size_t)n < size ? 0 : -ENOENT;
}

/* The value of the first `InitiatorName=` line, cut out of `text`. */
static const char *find_line(char *text)
{
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		if (strncmp(line, LINE_KEY, strlen(LINE_KEY)) != 0)
			continue;
		line += strlen(LINE_KEY);
		line += strspn(line, " \t");
		line[strcspn(line, " \t\r")] = '\0';
		return line;
	}
	return NULL;
}

int identity_read(const char *file, char *name, char *why, size_t why_size)
{
	char *text, cause[192];
	size_t len;
	int err = file_read(file, FILE_MAX, false, &text, &len, why, why_size);
	if (err)
		return err == -EACCES ? -ENOENT : err;
	const char *found = find_line(text);
	if (!found) {
		snprintf(why, why_size, "%s: no line %s…", file, LINE_KEY);
		err = -ENOENT;
	} else if ((err = name_check(found, cause, sizeof cause))) {
		snprintf(why, why_size, "%s: %s", file, cause);
	} else {
		memcpy(name, found, strlen(found) + 1);
	}
	free(text);
	return err;
}

static int make_dirs(const char *dir)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s", dir) >= (int)sizeof path)
		return -ENAMETOOLONG;
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			if (mkdir(path, 0755) && errno != EEXIST)
				return -errno;
			*p = '/';
		}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static int make_name(char *name)
{
	unsigned char random[8];
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return -EIO;
	char *p = name + sprintf(name, "%s", OUR_PREFIX);
	for (size_t i = 0; i < sizeof random; i++)
		p += sprintf(p, "%02x", random[i]);
	return 0;
}

static int write_file(int fd, const char *name)
{
	int n = dprintf(fd, "%s%s\n", LINE_KEY, name);
	if (n != (int)(strlen(LINE_KEY) + strlen(name) + 1))
		return n < 0 ? -errno : -ENOSPC;
	return fsync(fd) ? -errno : 0;
}

/* A file appears under its name only when it is whole. link() and not rename():
 * when two daemons start at once, the second must not replace the name with
 * which the first has logged in already. */
static int keep_file(const char *file, const char *name)
{
	char temp[PATH_MAX];
	if (snprintf(temp, sizeof temp, "%s.XXXXXX", file) >= (int)sizeof temp)
		return -ENAMETOOLONG;
	int fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int err = write_file(fd, name);
	if (!err && link(temp, file))
		err = -errno;
	close(fd);
	unlink(temp);
	return err;
}

int identity_keep(const char *dir, char *name, char *why, size_t why_size)
{
	char file[PATH_MAX];
	if (snprintf(file, sizeof file, "%s/%s", dir, STATE_FILE) >=
		(int)sizeof file)
		return -ENAMETOOLONG;
	if (access(file, F_OK) != 0) {
		int err = make_dirs(dir);
		if (!err)
			err = make_name(name);
		if (!err)
			err = keep_file(file, name);
		if (err && err != -EEXIST) {
			snprintf(why, why_size,
				"%s: cannot keep an initiator name: %s; give "
				"one with --initiator-name",
				file, strerror(-err));
			return err;
		}
	}
	char cause[256];
	int err = identity_read(file, name, cause, sizeof cause);
	if (err)
		snprintf(why, why_size,
			"%s; write %sNAME into it, or remove it to have a new "
			"name made",
			cause, LINE_KEY);
	return err;
}

int initiator_name_find(
	const char *configured, char *name, char *why, size_t why_size)
{
	if (configured) {
		int err = name_check(configured, why, why_size);
		if (!err)
			memcpy(name, configured, strlen(configured) + 1);
		return err;
	}
	int err = identity_read(SYSTEM_FILE, name, why, why_size);
	if (err != -ENOENT)
		return err;
	char dir[PATH_MAX];
	if (identity_state_dir(dir, sizeof dir)) {
		snprintf(why, why_size,
			"no place to keep an initiator name: neither "
			"XDG_STATE_HOME nor HOME is set; give one with "
			"--initiator-name");
		return -ENOENT;
	}
	return identity_keep(dir, name, why, why_size);
}
