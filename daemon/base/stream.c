/* SPDX-License-Identifier: BSD-2-Clause */
/* What is the same for every stream, whatever implements it. */
#include <umpio/stream.h>

void stream_own(struct stream *s, const struct stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
	stream_want(s, false, false);
}

void stream_want(struct stream *s, bool read, bool write)
{
	if (s->want_read == read && s->want_write == write)
		return;
	s->want_read = read;
	s->want_write = write;
	s->ops->want(s, read, write);
}

void stream_close(struct stream *s)
{
	if (s)
		s->ops->close(s, false);
}

void stream_abort(struct stream *s)
{
	if (s)
		s->ops->close(s, true);
}
