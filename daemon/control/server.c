/* SPDX-License-Identifier: BSD-2-Clause */
#include <umpio/control.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umpio/base/log.h>
#include <umpio/stream.h>
#include <unistd.h>

#include "json.h"
#include "peer.h"

struct control_server {
	struct loop *loop;
	struct stream_listener *listener;
	struct peer_owner owner;
	struct peer *peers[CONTROL_CLIENTS_MAX]; /* oldest first */
	unsigned nconns;
};

static void remove_conn(struct control_server *s, unsigned i)
{
	peer_free(s->peers[i]);
	s->nconns--;
	memmove(&s->peers[i], &s->peers[i + 1],
		(s->nconns - i) * sizeof *s->peers);
}

static void peer_ended(void *owner, struct peer *peer)
{
	struct control_server *s = owner;
	unsigned i = 0;
	while (s->peers[i] != peer)
		i++;
	remove_conn(s, i);
}

/* When all places are taken, the oldest client that asks nothing gives way:
 * otherwise clients that only sit there would lock everybody out. */
static bool make_room(struct control_server *s)
{
	if (s->nconns < CONTROL_CLIENTS_MAX)
		return true;
	for (unsigned i = 0; i < s->nconns; i++)
		if (peer_is_idle(s->peers[i])) {
			remove_conn(s, i);
			return true;
		}
	return false;
}

/* Offered once: nobody waits for a client that is not wanted. */
static void turn_away(struct stream *stream, const char *line)
{
	struct iovec iov = {(char *)line, strlen(line)};
	(void)stream_writev(stream, &iov, 1);
	stream_close(stream);
}

static void accepted(void *arg, struct stream *stream)
{
	struct control_server *s = arg;
	uid_t uid = stream_peer_uid(stream);
	if (uid != geteuid() && uid != 0) {
		log_warn("control: refused a client of uid %d", (int)uid);
		turn_away(stream,
			"{\"error\":\"only the daemon's own user and root "
			"may steer it\",\"code\":1}\n");
		return;
	}
	if (!make_room(s)) {
		turn_away(stream,
			"{\"error\":\"too many clients at the control "
			"socket\",\"code\":1}\n");
		return;
	}
	struct peer *peer = peer_new(s->loop, stream, &s->owner);
	if (peer)
		s->peers[s->nconns++] = peer;
}

/* The last directory of `path`; those above it are not ours to make. */
static int make_dir(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	size_t len = (size_t)(slash - path);
	if (len >= sizeof dir)
		return -ENAMETOOLONG;
	memcpy(dir, path, len);
	dir[len] = '\0';
	return mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
}

static int start_listening(struct control_server *s, const char *path)
{
	struct addr at;
	int err = addr_from_unix(&at, path);
	if (!err)
		err = make_dir(path);
	if (!err)
		s->listener =
			stream_listen(s->loop, &at, 0600, accepted, s, &err);
	return err;
}

struct control_server *control_server_new(struct loop *loop, const char *path,
	const struct control_command *commands, void *arg, int *err, char *why,
	size_t why_size)
{
	struct control_server *s = calloc(1, sizeof *s);
	*err = -ENOMEM;
	if (s) {
		s->loop = loop;
		s->owner = (struct peer_owner){
			.commands = commands,
			.arg = arg,
			.closed = peer_ended,
			.owner = s,
		};
		*err = start_listening(s, path);
	}
	if (*err == 0)
		return s;
	if (*err == -EADDRINUSE)
		snprintf(why, why_size,
			"%s: another umpiod is alive at this control socket; "
			"stop it, or give this one another with --control",
			path);
	else
		snprintf(why, why_size,
			"%s: no control socket: %s; give another place with "
			"--control",
			path, strerror(-*err));
	free(s);
	return NULL;
}

void control_server_free(struct control_server *s)
{
	if (!s)
		return;
	while (s->nconns)
		remove_conn(s, s->nconns - 1);
	stream_listener_free(s->listener);
	free(s);
}
