/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/intake.h>

int intake_init(struct intake *in, size_t cap)
{
	*in = (struct intake){.cap = cap, .ahead = cap};
	in->stage = malloc(cap);
	return in->stage ? 0 : -ENOMEM;
}

void intake_fini(struct intake *in)
{
	free(in->stage);
	*in = (struct intake){.cap = 0};
}

/* Room behind the staged bytes; they move to the front when it gets scarce,
 * which then is a part of a header, or less than half of the buffer. */
static void make_room(struct intake *in)
{
	size_t len = intake_len(in);

	if (in->head == 0 || (len > 0 && in->cap - in->tail > in->cap / 2))
		return;
	memmove(in->stage, in->stage + in->head, len);
	in->head = 0;
	in->tail = len;
}

int intake_iov(struct intake *in, struct iovec iov[2])
{
	size_t room;
	int n = 0;

	make_room(in);
	if (in->want > 0 && in->into)
		iov[n++] = (struct iovec){in->into, in->want};
	room = in->cap - in->tail;
	if (intake_len(in) < in->ahead && room > in->ahead - intake_len(in))
		room = in->ahead - intake_len(in);
	if (room > 0)
		iov[n++] = (struct iovec){in->stage + in->tail, room};
	return n;
}

/* What is thrown away comes through the staging buffer, which is empty. */
void intake_commit(struct intake *in, size_t n)
{
	size_t direct = n < in->want ? n : in->want;

	in->want -= direct;
	if (direct > 0 && in->into) {
		in->into += direct;
		in->tail += n - direct;
	} else if (direct > 0) {
		in->head = n > direct ? direct : 0;
		in->tail = n > direct ? n : 0;
	} else {
		in->tail += n;
	}
	assert(in->tail <= in->cap);
}

void intake_divert(struct intake *in, void *into, size_t len)
{
	size_t staged = intake_len(in) < len ? intake_len(in) : len;

	assert(in->want == 0);
	if (into && staged > 0)
		memcpy(into, intake_data(in), staged);
	intake_consume(in, staged);
	in->into = into ? (uint8_t *)into + staged : NULL;
	in->want = len - staged;
	in->ahead = into && len >= INTAKE_LARGE ? INTAKE_SHORT : in->cap;
}
