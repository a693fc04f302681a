/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>
#include <umpio/base/outq.h>

#define ITEMS 3

static unsigned sent, dropped;
static struct outq_item *last;

static void on_done(struct outq_item *item, bool was_sent)
{
	cr_assert_not(item->queued);
	last = item;
	if (was_sent)
		sent++;
	else
		dropped++;
	memset(item, 0xee, sizeof *item); /* it may be freed */
}

static void make_item(struct outq_item *item, const char *head,
	const char *data, const char *tail)
{
	*item = (struct outq_item){.head_len = (uint8_t)strlen(head),
		.tail_len = (uint8_t)strlen(tail),
		.data_len = (uint32_t)strlen(data),
		.data = data,
		.done = on_done};
	memcpy(item->head, head, strlen(head));
	memcpy(item->tail, tail, strlen(tail));
}

static void fill(struct outq *q, struct outq_item item[ITEMS])
{
	outq_init(q);
	make_item(&item[0], "ab", "cdefg", "h");
	make_item(&item[1], "ij", "", "");
	make_item(&item[2], "k", "lm", "nop");
	for (unsigned i = 0; i < ITEMS; i++)
		outq_push(q, &item[i]);
	cr_assert_eq(q->bytes, 16);
	cr_assert_eq(q->count, ITEMS);
}

/* Takes up to `n` bytes as writev() would; returns how many. */
static size_t take(struct outq *q, char *out, size_t n, int max)
{
	struct iovec iov[8];
	int count = outq_iov(q, iov, max);
	size_t sum = 0;

	for (int i = 0; i < count; i++) {
		size_t part = iov[i].iov_len;

		cr_assert_gt(part, 0);
		if (part > n - sum)
			part = n - sum;
		memcpy(out + sum, iov[i].iov_base, part);
		sum += part;
	}
	outq_commit(q, sum);
	return sum;
}

Test(outq, every_partial_commit)
{
	for (int max = OUTQ_PARTS; max <= 8; max++)
		for (size_t step = 1; step <= 16; step++) {
			struct outq_item item[ITEMS];
			struct outq q;
			char out[17] = "";
			size_t n = 0;

			sent = 0;
			fill(&q, item);
			while (!outq_is_empty(&q)) {
				n += take(&q, out + n, step, max);
				cr_assert_eq(q.bytes, 16 - n);
			}
			cr_assert_str_eq(out, "abcdefghijklmnop");
			cr_assert_eq(sent, ITEMS);
			cr_assert_eq(q.count, 0);
		}
}

Test(outq, front_goes_behind_what_has_begun)
{
	struct outq_item item[ITEMS], urgent, second;
	struct outq q;
	char out[32] = "";
	size_t n = 0;

	fill(&q, item);
	make_item(&urgent, "U", "", "");
	make_item(&second, "V", "", "");
	outq_push_front(&q, &urgent);
	n += take(&q, out, 2, 8);
	cr_assert_str_eq(out, "Ua");
	cr_assert(outq_is_begun(&q, &item[0]));
	cr_assert_not(outq_is_begun(&q, &item[1]));
	outq_push_front(&q, &second);
	while (!outq_is_empty(&q))
		n += take(&q, out + n, 32, 8);
	cr_assert_str_eq(out, "UabcdefghVijklmnop");
}

Test(outq, remove_and_drop)
{
	struct outq_item item[ITEMS];
	struct outq q;
	char out[32] = "";

	fill(&q, item);
	take(&q, out, 1, 8);
	cr_assert_not(outq_remove(&q, &item[0]), "a byte of it has left");
	cr_assert(outq_remove(&q, &item[2]));
	cr_assert_not(outq_remove(&q, &item[2]));
	cr_assert_eq(q.bytes, 9);
	cr_assert_eq(q.count, 2);
	outq_drop(&q);
	cr_assert_eq(dropped, 2);
	cr_assert_eq(last, &item[1]);
	cr_assert_eq(q.bytes + q.count + q.offset, 0);
}
