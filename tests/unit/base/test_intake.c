/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>
#include <umpio/base/intake.h>

/* What a peer sends: messages of a header that tells the payload's length, and
 * the payload. Odd ones are thrown away. */
#define MESSAGES 4
static const size_t payload[MESSAGES] = {5, 40, 0, 100};

struct reader {
	struct intake in;
	uint8_t body[MESSAGES][128];
	unsigned headers;
};

static size_t make_stream(uint8_t *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < MESSAGES; i++) {
		memcpy(out + n, "hdr", 3);
		out[n + 3] = (uint8_t)payload[i];
		n += 4;
		for (size_t j = 0; j < payload[i]; j++)
			out[n++] = (uint8_t)(i * 50 + j);
	}
	return n;
}

static void parse(struct reader *r)
{
	while (!intake_diverting(&r->in) && intake_len(&r->in) >= 4) {
		const uint8_t *h = intake_data(&r->in);
		size_t len = h[3];

		cr_assert_eq(memcmp(h, "hdr", 3), 0);
		cr_assert_lt(r->headers, MESSAGES);
		intake_consume(&r->in, 4);
		intake_divert(&r->in,
			r->headers % 2 ? NULL : r->body[r->headers], len);
		r->headers++;
	}
}

/* Hands over `n` bytes as readv() would, as often as it takes. */
static void feed(struct reader *r, const uint8_t *data, size_t n)
{
	while (n > 0) {
		struct iovec iov[2];
		int count = intake_iov(&r->in, iov);
		size_t sum = 0;

		cr_assert_gt(count, 0);
		for (int i = 0; i < count && n > 0; i++) {
			size_t part = iov[i].iov_len < n ? iov[i].iov_len : n;

			memcpy(iov[i].iov_base, data, part);
			data += part;
			n -= part;
			sum += part;
		}
		intake_commit(&r->in, sum);
		parse(r);
	}
}

static void check(struct reader *r)
{
	cr_assert_eq(r->headers, MESSAGES);
	cr_assert_not(intake_diverting(&r->in));
	cr_assert_eq(intake_len(&r->in), 0);
	for (unsigned i = 0; i < MESSAGES; i += 2)
		for (size_t j = 0; j < payload[i]; j++)
			cr_assert_eq(r->body[i][j], (uint8_t)(i * 50 + j));
}

/* Staging buffers smaller and larger than a payload; each pair of cuts. */
Test(intake, every_split)
{
	static const size_t caps[] = {4, 7, 16, 512};
	uint8_t stream[256];
	size_t n = make_stream(stream);

	for (size_t k = 0; k < sizeof caps / sizeof caps[0]; k++)
		for (size_t i = 0; i <= n; i++)
			for (size_t j = i; j <= n; j++) {
				struct reader r = {.headers = 0};

				intake_init(&r.in, caps[k]);
				feed(&r, stream, i);
				feed(&r, stream + i, j - i);
				feed(&r, stream + j, n - j);
				check(&r);
				intake_fini(&r.in);
			}
}

Test(intake, byte_by_byte)
{
	struct reader r = {.headers = 0};
	uint8_t stream[256];
	size_t n = make_stream(stream);

	cr_assert_eq(intake_init(&r.in, 6), 0);
	for (size_t i = 0; i < n; i++)
		feed(&r, stream + i, 1);
	check(&r);
	intake_fini(&r.in);
}

Test(intake, full_stage_takes_nothing)
{
	struct intake in;
	struct iovec iov[2];
	uint8_t body[32];

	intake_init(&in, 8);
	cr_assert_eq(intake_iov(&in, iov), 1);
	cr_assert_eq(iov[0].iov_len, 8);
	intake_commit(&in, 8);
	cr_assert_eq(intake_iov(&in, iov), 0);
	intake_consume(&in, 3);
	cr_assert_eq(intake_iov(&in, iov), 1);
	cr_assert_eq(iov[0].iov_len, 3);
	cr_assert_eq(intake_len(&in), 5);
	/* The rest of a payload comes first, and headers behind it. */
	intake_divert(&in, body, sizeof body);
	cr_assert_eq(intake_iov(&in, iov), 2);
	cr_assert_eq(iov[0].iov_base, body + 5);
	cr_assert_eq(iov[0].iov_len, 27);
	cr_assert_eq(iov[1].iov_len, 8);
	intake_fini(&in);
}
