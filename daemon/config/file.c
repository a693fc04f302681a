/* SPDX-License-Identifier: BSD-2-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
	const char *path;
	size_t max;
	bool secret;
	char *why;
	size_t why_size;
};

static int refuse(const struct reading *r, int err, const char *cause)
{
	snprintf(r->why, r->why_size, "%s: %s", r->path, cause);
	return err;
}

/* The open file and not the path is asked, so that neither can be exchanged
 * between the look and the use. */
static int check_secret(const struct reading *r, const struct stat *st)
{
	if (st->st_uid != geteuid()) {
		snprintf(r->why, r->why_size,
			"%s: belongs to uid %u and not to us (uid %u); a "
			"secret file must be our own: chown %u it",
			r->path, (unsigned)st->st_uid, (unsigned)geteuid(),
			(unsigned)geteuid());
		return -EPERM;
	}
	if (st->st_mode & (S_IRWXG | S_IRWXO)) {
		snprintf(r->why, r->why_size,
			"%s: mode %04o lets others at the secret; chmod 600 it",
			r->path, (unsigned)st->st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

static int check_file(const struct reading *r, int fd)
{
	struct stat st;
	if (fstat(fd, &st))
		return refuse(r, -errno, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(r, -EINVAL, "not a regular file");
	if ((uint64_t)st.st_size > r->max) {
		snprintf(r->why, r->why_size, "%s: larger than %zu bytes",
			r->path, r->max);
		return -EFBIG;
	}
	return r->secret ? check_secret(r, &st) : 0;
}

/* It may grow while it is read: never more than max + 1 bytes are taken. */
static int read_all(const struct reading *r, int fd, char *text, size_t *len)
{
	*len = 0;
	while (*len <= r->max) {
		ssize_t n = read(fd, text + *len, r->max + 1 - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refuse(r, -errno, strerror(errno));
		if (n == 0)
			return 0;
		*len += (size_t)n;
	}
	return refuse(r, -EFBIG, "grew while it was read");
}

static int open_file(const struct reading *r)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(r->path, flags | (r->secret ? O_NOFOLLOW : 0));
	if (fd >= 0)
		return fd;
	if (r->secret && errno == ELOOP)
		return refuse(r, -ELOOP,
			"is a symlink; name the secret file itself, mode 0600 "
			"(chmod 600)");
	return refuse(r, -errno, strerror(errno));
}

int file_read(const char *path, size_t max, bool secret, char **text,
	size_t *len, char *why, size_t why_size)
{
	struct reading r = {path, max, secret, why, why_size};
	int fd = open_file(&r);
	if (fd < 0)
		return fd;
	int err = check_file(&r, fd);
	char *buf = NULL;
	if (!err && !(buf = calloc(1, max + 2)))
		err = refuse(&r, -ENOMEM, strerror(ENOMEM));
	if (!err)
		err = read_all(&r, fd, buf, len);
	close(fd);
	if (err) {
		if (buf)
			explicit_bzero(buf, max + 2);
		free(buf);
		return err;
	}
	buf[*len] = '\0';
	*text = buf;
	return 0;
}
