/* SPDX-License-Identifier: BSD-2-Clause */
#define FUSE_USE_VERSION 314
#include "fblk_mount.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <unistd.h>

#include "fblk_mountinfo.h"
#include "fblk_ops.h"

/* What libfuse says while this thread mounts goes into the one line that
 * explains the failure; what it says at other times goes to the log. */
static _Thread_local char *said;
static _Thread_local size_t said_size;

static void __attribute__((format(printf, 2, 0)))
on_libfuse_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char line[256];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (said)
		snprintf(said, said_size, "%s", line);
	else if (level <= FUSE_LOG_ERR)
		log_error("libfuse: %s", line);
	else
		log_debug("libfuse: %s", line);
}

/* Once, before any session is served: the setting is global and unlocked. */
static void log_take(void)
{
	fuse_set_log_func(on_libfuse_log);
}

const char *fblk_mount_options(const char *device_name,
	const struct fblk_options *options, char *text, size_t size)
{
	char name[128];

	snprintf(name, sizeof(name), "%s", device_name);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-:", *c))
			*c = '_';
	snprintf(text, size,
		"fsname=umpio:%s,subtype=" FBLK_SUBTYPE
		",default_permissions,max_read=%u%s%s",
		name, FBLK_IO_MAX, options->allow_other ? ",allow_other" : "",
		options->read_only ? ",ro" : "");
	return text;
}

/* /dev/fuse first: its faults are the common ones and have a way out. */
static int device_check(const char *path, char *why, size_t why_size)
{
	int err, fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd != -1) {
		close(fd);
		return 0;
	}
	err = -errno;
	snprintf(why, why_size, "%s: cannot open /dev/fuse: %s; %s", path,
		strerror(-err),
		err == -EACCES ? "run as root or make /dev/fuse mode 0666"
			       : "load the module (modprobe fuse), or give the "
				 "container --device /dev/fuse");
	return err;
}

static int session_start(struct fblk_mount *mount, const char *device_name)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char options[512];

	fblk_mount_options(
		device_name, &mount->options, options, sizeof(options));
	if (fuse_opt_add_arg(&args, "umpio") == 0 &&
		fuse_opt_add_arg(&args, "-o") == 0 &&
		fuse_opt_add_arg(&args, options) == 0)
		mount->session = fuse_session_new(
			&args, &fblk_ops, sizeof(fblk_ops), mount);
	fuse_opt_free_args(&args);
	if (!mount->session)
		return -ENOMEM;
	if (fuse_session_mount(mount->session, mount->place.path))
		return -EPERM;
	return 0;
}

static const char *way_out(const struct fblk_options *options)
{
	if (options->allow_other && geteuid() != 0)
		return "for fuse-allow-other, /etc/fuse.conf must say "
		       "user_allow_other";
	return "run as root, inside `unshare -Urm`, or install fusermount3";
}

static int mount_do(struct fblk_mount *mount, const char *device_name,
	char *why, size_t why_size)
{
	struct fblk_mountinfo info;
	char line[256] = "refused";
	int err = device_check(mount->place.path, why, why_size);

	if (err)
		return err;
	said = line;
	said_size = sizeof(line);
	err = session_start(mount, device_name);
	said = NULL;
	if (err) {
		snprintf(why, why_size,
			"%s: cannot mount the block file: %s; %s",
			mount->place.path, line, way_out(&mount->options));
		return err;
	}
	if (fblk_mountinfo_get(mount->place.path, &info))
		snprintf(mount->dev, sizeof(mount->dev), "%s", info.dev);
	return 0;
}

struct fblk_mount *fblk_mount(const char *file, const char *device_name,
	const struct fblk_options *options, char *why, size_t why_size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct fblk_mount *mount = calloc(1, sizeof(*mount));

	if (!mount) {
		snprintf(why, why_size, "%s: out of memory", file);
		return NULL;
	}
	pthread_once(&once, log_take);
	mount->options = *options;
	if (fblk_place_take(&mount->place, file, why, why_size)) {
		free(mount);
		return NULL;
	}
	if (mount_do(mount, device_name, why, why_size)) {
		if (mount->session)
			fuse_session_destroy(mount->session);
		fblk_place_leave(&mount->place);
		free(mount);
		return NULL;
	}
	return mount;
}

void fblk_unmount(struct fblk_mount *mount)
{
	struct fblk_mountinfo info;

	if (!mount)
		return;
	fuse_session_unmount(mount->session);
	fuse_session_destroy(mount->session);

	/* libfuse leaves the mount of an aborted connection where it is. */
	if (fblk_mountinfo_get(mount->place.path, &info) &&
		strcmp(info.dev, mount->dev) == 0)
		fblk_place_detach(&mount->place);
	fblk_place_leave(&mount->place);
	free(mount);
}
