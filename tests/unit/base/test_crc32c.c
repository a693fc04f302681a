/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>

typedef uint32_t crc_fn(uint32_t crc, const void *data, size_t len);
static crc_fn *const both[] = {crc32c, crc32c_table};

/* RFC 3720 B.4, and the check value of the catalogues. */
Test(crc32c, vectors)
{
	static const uint8_t wire[] = {0xaa, 0x36, 0x91, 0x8a};
	uint8_t zeros[32] = {0}, ones[32], up[32], down[32], out[4];

	for (unsigned i = 0; i < 32; i++) {
		ones[i] = 0xff;
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	for (unsigned i = 0; i < 2; i++) {
		put_le32(out, both[i](0, zeros, sizeof zeros));
		cr_assert_arr_eq(out, wire, 4);
		cr_assert_eq(both[i](0, ones, sizeof ones), 0x62a8ab43);
		cr_assert_eq(both[i](0, up, sizeof up), 0x46dd794e);
		cr_assert_eq(both[i](0, down, sizeof down), 0x113fdb5c);
		cr_assert_eq(both[i](0, "123456789", 9), 0xe3069283);
		cr_assert_eq(both[i](0, "", 0), 0);
	}
}

Test(crc32c, splits_and_both_agree)
{
	uint8_t data[300];
	uint32_t whole;

	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 37 + i / 7);
	whole = crc32c_table(0, data, sizeof data);
	for (size_t at = 0; at <= sizeof data; at++)
		for (unsigned i = 0; i < 2; i++) {
			uint32_t crc = both[i](0, data, at);

			crc = both[i](crc, data + at, sizeof data - at);
			cr_assert_eq(crc, whole, "split at %zu", at);
		}
}
