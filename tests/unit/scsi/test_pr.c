/* SPDX-License-Identifier: BSD-2-Clause */
/* Persistent reservations: what a target says of them, and lies about it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/pr.h>

Test(pr, keys)
{
	uint8_t data[8 + 8 * (PR_KEYS_MAX + 1)] = {0, 0, 0, 5, 0, 0, 0, 16};
	struct pr_keys k;

	data[15] = 1;
	data[23] = 2;
	cr_assert_eq(pr_keys_decode(&k, data, 24), 0);
	cr_assert(k.generation == 5 && k.count == 2 && !k.cut);
	cr_assert(pr_keys_have(&k, 1) && pr_keys_have(&k, 2));
	cr_assert(!pr_keys_have(&k, 0));
	/* Cut off by the allocation length, in the middle of a key. */
	cr_assert_eq(pr_keys_decode(&k, data, 20), 0);
	cr_assert(k.count == 1 && k.cut);
	cr_assert_eq(pr_keys_decode(&k, data, 7), -EPROTO);
	/* No multiple of a key. */
	data[7] = 15;
	cr_assert_eq(pr_keys_decode(&k, data, 24), -EPROTO);
	/* More than are taken, and a length that is a lie. */
	put_be32(data + 4, 8 * (PR_KEYS_MAX + 1));
	cr_assert_eq(pr_keys_decode(&k, data, sizeof data), 0);
	cr_assert(k.count == PR_KEYS_MAX && k.cut);
	put_be32(data + 4, 0xfffffff8);
	cr_assert_eq(pr_keys_decode(&k, data, 24), 0);
	cr_assert(k.count == 2 && k.cut);
}

Test(pr, reservation)
{
	uint8_t data[24] = {0, 0, 0, 9};
	struct pr_reservation r;

	cr_assert_eq(pr_reservation_decode(&r, data, 8), 0);
	cr_assert(r.generation == 9 && !r.held);
	data[7] = 16;
	data[15] = 0x77;
	data[21] = 0x05;
	cr_assert_eq(pr_reservation_decode(&r, data, 24), 0);
	cr_assert(r.held && r.key == 0x77 && r.scope == 0 && r.type == 5);
	for (size_t n = 8; n < 22; n++)
		cr_assert_eq(pr_reservation_decode(&r, data, n), -EPROTO);
	data[7] = 8;
	cr_assert_eq(pr_reservation_decode(&r, data, 24), -EPROTO);
}

/* Two registrants; the first with an iSCSI TransportID. */
static size_t make_full(uint8_t *data)
{
	static const char name[] = "iqn.2026-01.org.example:a";

	memset(data, 0, 128);
	data[15] = 0xab;
	data[20] = 1;
	data[21] = 0x05;
	put_be16(data + 26, 3);
	put_be32(data + 28, 4 + 28);
	data[32] = 0x05;
	put_be16(data + 34, 28);
	memcpy(data + 36, name, sizeof name);
	data[71] = 0xcd;
	data[76] = 2;
	return 8 + 24 + 32 + 24;
}

Test(pr, full_status)
{
	uint8_t data[128];
	size_t len = make_full(data);
	struct pr_registrant r;
	struct pr_full f;

	put_be32(data + 4, (uint32_t)len - 8);
	cr_assert_eq(pr_full_open(&f, data, len), 0);
	cr_assert(pr_full_next(&f, &r));
	cr_assert(r.key == 0xab && r.holder && !r.all_ports && r.type == 5 &&
		  r.port == 3);
	cr_assert_str_eq(r.name, "iqn.2026-01.org.example:a");
	cr_assert(pr_full_next(&f, &r));
	cr_assert(r.key == 0xcd && r.all_ports && !r.holder);
	cr_assert_str_eq(r.name, "");
	cr_assert(!pr_full_next(&f, &r) && !f.rest.bad);
}

/* A descriptor that claims more than there is ends the list, and a name that
 * does is none. */
Test(pr, full_status_lies)
{
	uint8_t data[128];
	size_t len = make_full(data);
	struct pr_registrant r;
	struct pr_full f;

	put_be32(data + 4, 0xffffffff);
	put_be32(data + 28, 0xffffffff);
	cr_assert_eq(pr_full_open(&f, data, len), 0);
	cr_assert(!pr_full_next(&f, &r) && f.rest.bad);

	len = make_full(data);
	put_be32(data + 4, (uint32_t)len - 8);
	put_be16(data + 34, 0xffff);
	cr_assert_eq(pr_full_open(&f, data, len), 0);
	cr_assert(pr_full_next(&f, &r));
	cr_assert_str_eq(r.name, "");
	cr_assert(pr_full_next(&f, &r));
	cr_assert(!pr_full_next(&f, &r));
}
