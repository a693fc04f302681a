/* SPDX-License-Identifier: BSD-2-Clause */
#include "fblk_place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <umpio/base/log.h>
#include <unistd.h>

#include "fblk_mountinfo.h"

extern char **environ;

#define PROBE_STEP_MS  20
#define PROBE_LIMIT_MS 2000
#define STACKED_MAX    16 /* stale mounts, one over the other */

/* The directory is resolved, the file itself is not looked at: it may be a
 * mount that does not answer. */
static int place_resolve(
	struct fblk_place *place, const char *file, char *why, size_t why_size)
{
	char *dir_copy = strdup(file), *base_copy = strdup(file);
	char *dir = NULL;
	int n, err = 0;

	if (!dir_copy || !base_copy) {
		err = -ENOMEM;
		snprintf(why, why_size, "%s: out of memory", file);
		goto out;
	}
	dir = realpath(dirname(dir_copy), NULL);
	if (!dir) {
		err = -errno;
		snprintf(why, why_size,
			"%s: no block file there: its directory: %s", file,
			strerror(-err));
		goto out;
	}
	n = snprintf(place->path, sizeof(place->path), "%s/%s",
		strcmp(dir, "/") ? dir : "", basename(base_copy));
	if (n >= (int)sizeof(place->path)) {
		err = -ENAMETOOLONG;
		snprintf(why, why_size, "%.64s…: the name is too long", file);
	}
out:
	free(dir);
	free(base_copy);
	free(dir_copy);
	return err;
}

/* Asks a mount of ours that may be dead (-ENOTCONN), alive (0, -EACCES) or
 * alive and silent (-ETIMEDOUT); in a child, because nothing else ends such a
 * wait. A plain stat() would do with what the kernel remembers of a dead one.
 */
static int mount_probe(const char *path)
{
	const struct timespec step = {.tv_nsec = PROBE_STEP_MS * 1000000l};
	struct statx stx;
	int status;
	pid_t pid = fork();

	if (pid == -1)
		return -errno;
	if (pid == 0)
		_exit(statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC,
			      STATX_BASIC_STATS, &stx) == 0
				? 0
				: errno);
	for (int ms = 0; ms < PROBE_LIMIT_MS; ms += PROBE_STEP_MS) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
		nanosleep(&step, NULL);
	}
	kill(pid, SIGKILL);
	nanosleep(&step, NULL);
	waitpid(pid, &status, WNOHANG);
	return -ETIMEDOUT;
}

static int detach_by_helper(const char *path)
{
	char name[] = "fusermount3", flags[] = "-uqz", end[] = "--";
	char *argv[] = {name, flags, end, strdup(path), NULL};
	int status, err;
	pid_t pid;

	if (!argv[3])
		return -ENOMEM;
	err = posix_spawnp(&pid, name, NULL, NULL, argv, environ);
	free(argv[3]);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -errno;
	return status ? -EPERM : 0;
}

int fblk_place_detach(const struct fblk_place *place)
{
	if (umount2(place->path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	return errno == EPERM ? detach_by_helper(place->path) : -errno;
}

/* Takes one stale mount of ours away; refuses any other mount. */
static int mount_clear(const struct fblk_place *place,
	const struct fblk_mountinfo *m, char *why, size_t why_size)
{
	int err;

	if (strcmp(m->type, "fuse." FBLK_SUBTYPE) != 0) {
		snprintf(why, why_size,
			"%s: a file system of type %s (%s) is mounted there; "
			"unmount it or name another file",
			place->path, m->type, m->source);
		return -EBUSY;
	}
	if (mount_probe(place->path) != -ENOTCONN) {
		snprintf(why, why_size,
			"%s: in use: %s is mounted there by a living daemon; "
			"detach it there or name another file",
			place->path, m->source);
		return -EBUSY;
	}
	err = fblk_place_detach(place);
	if (err)
		snprintf(why, why_size,
			"%s: a dead daemon's mount is in the way and cannot be "
			"taken away: %s; run: umount -l %s",
			place->path, strerror(-err), place->path);
	else
		log_info("%s: took away the stale mount of %s", place->path,
			m->source);
	return err;
}

static int mounts_clear(
	const struct fblk_place *place, char *why, size_t why_size)
{
	struct fblk_mountinfo m;
	int err;

	for (int i = 0; i < STACKED_MAX; i++) {
		if (!fblk_mountinfo_get(place->path, &m))
			return 0;
		err = mount_clear(place, &m, why, why_size);
		if (err)
			return err;
	}
	snprintf(why, why_size, "%s: too many mounts there; run: umount -l %s",
		place->path, place->path);
	return -EBUSY;
}

/* What is wrong with an existing file; NULL: nothing. */
static const char *file_fault(const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "a symbolic link; name the file that it stands for";
	if (!S_ISREG(st->st_mode))
		return "not a regular file; name a file that is empty or "
		       "missing";
	if (st->st_size > 0)
		return "not empty; its content would be hidden, so name a file "
		       "that is empty or missing";
	return NULL;
}

static int file_make(struct fblk_place *place, char *why, size_t why_size)
{
	int fd = open(place->path,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const char *fault;
	struct stat st = {0};
	int err;

	if (fd != -1) {
		place->made = fstat(fd, &st) == 0;
		place->dev = st.st_dev;
		place->ino = st.st_ino;
		close(fd);
		return 0;
	}
	if (errno != EEXIST || lstat(place->path, &st) == -1) {
		err = -errno;
		snprintf(why, why_size, "%s: cannot make the block file: %s",
			place->path, strerror(-err));
		return err;
	}
	fault = file_fault(&st);
	if (!fault)
		return 0;
	snprintf(why, why_size, "%s: %s", place->path, fault);
	return -EINVAL;
}

int fblk_place_take(
	struct fblk_place *place, const char *file, char *why, size_t why_size)
{
	int err;

	*place = (struct fblk_place){0};
	err = place_resolve(place, file, why, why_size);
	if (!err)
		err = mounts_clear(place, why, why_size);
	if (!err)
		err = file_make(place, why, why_size);
	return err;
}

void fblk_place_leave(const struct fblk_place *place)
{
	struct fblk_mountinfo m;
	struct stat st;

	if (!place->made || fblk_mountinfo_get(place->path, &m))
		return;
	if (lstat(place->path, &st) == 0 && st.st_dev == place->dev &&
		st.st_ino == place->ino && st.st_size == 0)
		unlink(place->path);
}
