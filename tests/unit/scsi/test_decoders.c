/* SPDX-License-Identifier: BSD-2-Clause */
/* Every decoder but sense and page 83h: what they read, and that no length and
 * no lie about a length makes them read more than is there. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/capacity.h>
#include <umpio/scsi/inquiry.h>
#include <umpio/scsi/lba_status.h>
#include <umpio/scsi/lun.h>
#include <umpio/scsi/mode.h>
#include <umpio/scsi/pr.h>
#include <umpio/scsi/text.h>
#include <umpio/scsi/vpd.h>

static uint8_t page[1024];

static size_t unhex(const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		cr_assert_eq(sscanf(hex + 2 * i, "%2hhx", page + i), 1);
	return n;
}

static void feed_inquiry(const uint8_t *d, size_t n)
{
	struct inquiry i;

	cr_assert_eq(inquiry_decode(&i, d, n), n < 36 ? -EPROTO : 0);
}

static void feed_vpd(const uint8_t *d, size_t n)
{
	struct vpd_pages pages;
	struct vpd_limits limits;
	struct vpd_rotation rotation;
	struct vpd_provisioning thin;
	char serial[64];

	vpd_pages_decode(&pages, d, n);
	vpd_limits_decode(&limits, d, n);
	vpd_rotation_decode(&rotation, d, n);
	vpd_provisioning_decode(&thin, d, n);
	vpd_serial_decode(serial, sizeof serial, d, n);
	cr_assert_eq(vpd_length(d, n) == 0, n < 4);
}

static void feed_capacity(const uint8_t *d, size_t n)
{
	struct capacity c;

	cr_assert_eq(capacity_decode10(&c, d, n) == -EPROTO, n < 8);
	cr_assert_eq(capacity_decode16(&c, d, n) == -EPROTO, n < 12);
}

static void feed_mode(const uint8_t *d, size_t n)
{
	struct mode m;

	if (mode_decode6(&m, d, n))
		cr_assert(m.write_cache && !m.dpofua && !m.has_caching);
	if (mode_decode10(&m, d, n))
		cr_assert(m.write_cache && !m.dpofua && !m.has_caching);
}

static void feed_alua(const uint8_t *d, size_t n)
{
	for (int extended = 0; extended < 2; extended++) {
		struct alua_report r;
		struct alua_group g;
		unsigned groups = 0, sum = 0;

		if (alua_report_open(&r, d, n, extended))
			continue;
		for (; alua_report_next(&r, &g); groups++)
			for (unsigned i = 0; i < g.nports; i++)
				sum += alua_group_port(&g, i);
		cr_assert(groups <= n / 8 && sum <= n * 65535);
	}
}

static void feed_luns(const uint8_t *d, size_t n)
{
	struct lun_list l;
	char text[LUN_TEXT_MAX];

	if (lun_list_decode(&l, d, n)) {
		cr_assert_lt(n, 8);
		return;
	}
	cr_assert_leq(8 + 8 * (size_t)l.count, n);
	for (uint32_t i = 0; i < l.count; i++)
		cr_assert(*lun_text(l.luns + 8 * i, text));
}

static void feed_lba_status(const uint8_t *d, size_t n)
{
	struct lba_status s;
	struct lba_extent e;
	uint64_t at = 5;

	if (lba_status_open(&s, 5, 100, d, n))
		return;
	while (lba_status_next(&s, &e)) {
		cr_assert(e.lba == at && e.blocks && e.blocks <= 105 - at);
		at += e.blocks;
	}
}

static void feed_pr(const uint8_t *d, size_t n)
{
	struct pr_reservation reservation;
	struct pr_registrant r;
	struct pr_keys keys;
	struct pr_full full;
	size_t count = 0;

	if (!pr_keys_decode(&keys, d, n))
		cr_assert_leq(8 + 8 * (size_t)keys.count, n);
	(void)pr_reservation_decode(&reservation, d, n);
	if (pr_full_open(&full, d, n))
		return;
	while (pr_full_next(&full, &r))
		cr_assert_leq(++count * 24, n);
}

static void (*const feeds[])(const uint8_t *, size_t) = {feed_inquiry, feed_vpd,
	feed_capacity, feed_mode, feed_alua, feed_luns, feed_lba_status,
	feed_pr};

/* Good and hostile data; each goes to every decoder at every length. */
static const char *const inputs[] = {
	"00000602"
	"1f301002"
	"4c494f2d4f524720"
	"6469736b20202020202020202020"
	"2020"
	"342e3020",
	"0000060200000000"
	"ffffffffffffffffffffffffffffffffffffffffffffffff"
	"ffffffff",
	"00b0003c"
	"0180"
	"00080000800000000008"
	"00000000"
	"ffffffff00000008"
	"00000008"
	"80000001"
	"0000000000010000"
	"00000000000000000000000000"
	"00000000000000",
	"00b0ffff"
	"0180",
	"00b20004"
	"00e50200",
	"00b1003c"
	"0001",
	"00000006"
	"00b080b200ff",
	"0080ffff"
	"20410a42",
	"00800000",
	"ffffffffffffffff"
	"00000200",
	"ffffffff"
	"00000200",
	"7ffffffffffffffe"
	"00000200"
	"000f"
	"ffff",
	"1b009000"
	"08120400000000000000000000000000000000000000",
	"ffff00ff"
	"0812",
	"0300ff08",
	"1200900010"
	"0800",
	"001a00100000000808000000000002000812040000000000",
	"0016"
	"0010"
	"0000"
	"ffff"
	"0812",
	"ffffffff"
	"801f00010002000100000001"
	"020f0002000200ff00000002",
	"00000014"
	"101e0000"
	"000f00010002000200000001"
	"00000007",
	"00000010"
	"0000000000000000"
	"0000000000000000",
	"fffffff8"
	"00000000"
	"0001000000000000"
	"4100000000000000"
	"c101000000000000"
	"d201000000000000"
	"0001000000000000",
	"00000024"
	"00000000"
	"0000000000000000"
	"0000000a"
	"00000000"
	"000000000000000a"
	"ffffffff"
	"01000000",
	"ffffffff"
	"00000000"
	"0000000000000005"
	"00000000"
	"00000000",
	"00000014"
	"00000000"
	"ffffffffffffffff"
	"ffffffff"
	"01000000",
};

Test(decoders, every_length)
{
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		size_t len = unhex(inputs[i]);

		for (size_t n = 0; n <= len; n++) {
			uint8_t *copy = malloc(n ? n : 1);

			memcpy(copy, page, n);
			for (size_t f = 0; f < sizeof feeds / sizeof *feeds;
				f++)
				feeds[f](copy, n);
			free(copy);
		}
	}
}

/* The same with each byte in turn made extreme. */
Test(decoders, every_byte)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		size_t len = unhex(inputs[i]);

		for (size_t at = 0; at < len; at++)
			for (size_t v = 0; v < sizeof values; v++) {
				uint8_t *copy = malloc(len);

				memcpy(copy, page, len);
				copy[at] = values[v];
				for (size_t f = 0;
					f < sizeof feeds / sizeof *feeds; f++)
					feeds[f](copy, len);
				free(copy);
			}
	}
}

Test(text, printable)
{
	char out[8];

	cr_expect_eq(text_printable(out, 8, " a\x1b[m \0", 7), 4);
	cr_expect_str_eq(out, "a.[m");
	cr_expect_eq(text_printable(out, 8, "\0\0  ", 4), 0);
	cr_expect_eq(text_printable(out, 4, "abcdef", 6), 3);
	cr_expect_str_eq(out, "abc");
	cr_expect_eq(text_printable(out, 8, "\xc3\xa9\x7f", 3), 3);
	cr_expect_str_eq(out, "...");
}

Test(inquiry, fields)
{
	struct inquiry i;

	cr_expect_eq(inquiry_decode(&i, page, unhex(inputs[0])), 0);
	cr_expect(inquiry_is_disk(&i) && i.version == 6 && i.tpgs == 3);
	cr_expect_str_eq(i.vendor, "LIO-ORG");
	cr_expect_str_eq(i.product, "disk");
	cr_expect_str_eq(i.revision, "4.0");
	page[0] = 0x7f;
	cr_expect_eq(inquiry_decode(&i, page, 36), 0);
	cr_expect(i.qualifier == 3 && i.type == 0x1f && !inquiry_is_disk(&i));
	page[4] = 3; /* ends before the vendor */
	cr_expect_eq(inquiry_decode(&i, page, 36), 0);
	cr_expect_str_empty(i.vendor);
}

Test(vpd, fields)
{
	struct vpd_limits l;
	struct vpd_provisioning p;
	struct vpd_rotation r;
	struct vpd_pages pages;
	char serial[8];
	size_t len = unhex(inputs[2]);

	cr_expect_eq(vpd_limits_decode(&l, page, len), 0);
	cr_expect(l.write_same_nonzero && l.max_compare_and_write == 0x80);
	cr_expect_eq(l.optimal_granularity, 8);
	cr_expect_eq(l.max_transfer, 0x8000);
	cr_expect_eq(l.optimal_transfer, 8);
	cr_expect_eq(l.max_unmap_blocks, UINT32_MAX);
	cr_expect_eq(l.max_unmap_descriptors, 8);
	cr_expect_eq(l.unmap_granularity, 8);
	cr_expect_eq(l.unmap_alignment, 1);
	cr_expect_eq(l.max_write_same, 65536);
	page[32] = 0; /* UGAVALID */
	cr_expect_eq(vpd_limits_decode(&l, page, len), 0);
	cr_expect_eq(l.unmap_alignment, 0);
	cr_expect_eq(vpd_rotation_decode(&r, page, len), -EPROTO);
	len = unhex("00b20004"
		    "0ae70200");
	cr_expect_eq(vpd_provisioning_decode(&p, page, len), 0);
	cr_expect(p.unmap && p.write_same16 && p.write_same10 && p.anchor);
	cr_expect(p.reads_zero == 1 && p.type == VPD_THIN);
	cr_expect_eq(p.threshold_exponent, 10);
	len = unhex("00b1003c"
		    "1c200002");
	cr_expect_eq(vpd_rotation_decode(&r, page, len), 0);
	cr_expect(r.rate == 7200 && r.form_factor == 2);
	len = unhex("00000004"
		    "b083ff00");
	cr_expect_eq(vpd_pages_decode(&pages, page, len), 0);
	cr_expect(vpd_pages_has(&pages, 0x83) && vpd_pages_has(&pages, 0xff));
	cr_expect(vpd_pages_has(&pages, 0) && !vpd_pages_has(&pages, 0xb1));
	cr_expect_eq(vpd_length(page, len), 8);
	len = unhex("00800006"
		    "2041420a2000");
	cr_expect_eq(vpd_serial_decode(serial, 8, page, len), 0);
	cr_expect_str_eq(serial, "AB.");
	page[1] = 0x83;
	cr_expect_eq(vpd_serial_decode(serial, 8, page, len), -EPROTO);
}

Test(capacity, table)
{
	static const struct {
		const char *hex;
		int err;
		uint64_t blocks;
		uint32_t size, physical;
	} cases[] = {
		{"00000000000000ff"
		 "00000200",
			0, 256, 512, 512},
		{"00000000000000ff"
		 "00001000",
			0, 256, 4096, 4096},
		{"00000000000000ff"
		 "00000200"
		 "0003",
			0, 256, 512, 4096},
		{"0000000000000000"
		 "00000200",
			0, 1, 512, 512},
		{"ffffffffffffffff"
		 "00000200",
			-EOVERFLOW, 0, 0, 0},
		{"ffffffffffffffff"
		 "00000001",
			-EOVERFLOW, 0, 0, 0},
		{"003fffffffffffff"
		 "00000200",
			-EOVERFLOW, 0, 0, 0},
		{"003ffffffffffffe"
		 "00000200",
			0, 0x3fffffffffffff, 512, 512},
		{"7ffffffffffffffe"
		 "00000001",
			0, INT64_MAX, 1, 1},
		{"00000000000000ff"
		 "00000000",
			-EINVAL, 0, 0, 0},
		{"00000000000000ff"
		 "00000003",
			0, 256, 3, 3},
		{"00000000000000ff"
		 "80000000",
			0, 256, 1u << 31, 1u << 31},
		{"00000000000000ff"
		 "80000000"
		 "000f",
			0, 256, 1u << 31, 1u << 31},
		{"00000000000000ff"
		 "0000fe00",
			0, 256, 65024, 65024},
	};
	struct capacity c;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = unhex(cases[i].hex);

		cr_expect_eq(capacity_decode16(&c, page, len), cases[i].err,
			"%zu", i);
		if (cases[i].err)
			continue;
		cr_expect_eq(c.blocks, cases[i].blocks, "%zu", i);
		cr_expect_eq(c.block_size, cases[i].size, "%zu", i);
		cr_expect_eq(
			c.physical_block_size, cases[i].physical, "%zu", i);
	}
	unhex("00000000000000ff"
	      "00000200"
	      "01"
	      "03"
	      "c005");
	cr_expect_eq(capacity_decode16(&c, page, 16), 0);
	cr_expect(c.provisioned && c.reads_zero && c.protection);
	cr_expect_eq(c.lowest_aligned, 5);
	cr_expect_eq(capacity_decode10(&c, page,
			     unhex("000000ff"
				   "00000200")),
		0);
	cr_expect_eq(c.blocks, 256);
	cr_expect_eq(capacity_decode10(&c, page,
			     unhex("ffffffff"
				   "00000200")),
		-EFBIG);
}

Test(mode, fields)
{
	struct mode m;
	size_t len = unhex("23009000"
			   "0812040000000000000000000000000000000000"
			   "0a0a40100840000000000000");

	cr_expect_eq(mode_decode6(&m, page, len), 0);
	cr_expect(m.write_protect && m.dpofua && m.has_caching);
	cr_expect(m.write_cache && !m.read_cache_off && m.has_control);
	cr_expect(m.task_set_type == 2 && m.queue_algorithm == 1);
	cr_expect(m.software_write_protect && m.task_aborted_status);
	/* behind a block descriptor; the cache is off */
	len = unhex("ff000008"
		    "0000000000000200"
		    "08120100");
	cr_expect_eq(mode_decode6(&m, page, len), 0);
	cr_expect_not(m.has_caching); /* cut off */
	cr_expect(m.write_cache);
	len = unhex("ff000008"
		    "0000000000000200"
		    "080201000a00");
	cr_expect_eq(mode_decode6(&m, page, len), 0);
	cr_expect(m.has_caching && !m.write_cache && m.read_cache_off);
	cr_expect_not(m.has_control); /* empty */
	cr_expect_eq(mode_decode6(&m, page,
			     unhex("ff0000ff"
				   "0802")),
		-EPROTO);
	/* a subpage of the same number is another page */
	len = unhex("0012"
		    "0010"
		    "0000"
		    "0000"
		    "48010002ffff"
		    "08020400");
	cr_expect_eq(mode_decode10(&m, page, len), 0);
	cr_expect(m.has_caching && m.write_cache && m.dpofua);
	cr_expect(!m.read_cache_off && !m.write_protect);
}

Test(alua, report)
{
	struct alua_report r;
	struct alua_group g;
	size_t len = unhex("0000001c"
			   "808f0001"
			   "00020002"
			   "00000001"
			   "00000002"
			   "0b0f0002"
			   "00000001"
			   "00000003");

	cr_expect_eq(alua_report_open(&r, page, len, true), 0);
	cr_expect_eq(r.length, 32);
	cr_expect(alua_report_next(&r, &g));
	cr_expect(g.preferred && g.state == ALUA_OPTIMIZED && g.id == 1);
	cr_expect(g.status == 2 && g.support == 0x8f && g.nports == 2);
	cr_expect_eq(alua_group_port(&g, 1), 2);
	cr_expect(alua_report_next(&r, &g));
	cr_expect(g.id == 2 && g.nports == 1);
	cr_expect_str_eq(alua_state_name(g.state), "reserved");
	cr_expect_not(alua_state_usable(g.state));
	cr_expect_not(alua_report_next(&r, &g));
	cr_expect_eq(alua_report_find(&g, 2, page, len, false), 0);
	cr_expect_eq(alua_report_find(&g, 3, page, len, false), -ENOENT);
	cr_expect_eq(alua_report_find(&g, 3, page, 3, false), -EPROTO);
	len = unhex("00000010"
		    "103c0000"
		    "0f8f0001"
		    "000200ff"
		    "00000009");
	cr_expect_eq(alua_report_open(&r, page, len, true), 0);
	cr_expect_eq(r.transition_time, 60);
	cr_expect(alua_report_next(&r, &g));
	cr_expect(g.state == ALUA_TRANSITIONING && g.nports == 1);
	cr_expect_str_eq(alua_state_name(ALUA_NONE), "none");
	cr_expect_str_eq(alua_state_name(ALUA_NON_OPTIMIZED), "non-optimized");
	cr_expect_str_eq(alua_state_name(99), "reserved");
	cr_expect(alua_state_usable(ALUA_NONE));
	cr_expect_not(alua_state_usable(ALUA_STANDBY));
}

Test(lun, forms)
{
	static const struct {
		uint32_t number;
		const char *hex;
	} cases[] = {
		{0, "0000000000000000"},
		{1, "0001000000000000"},
		{255, "00ff000000000000"},
		{256, "4100000000000000"},
		{16383, "7fff000000000000"},
		{16384, "d200400000000000"},
		{16777215, "d2ffffff00000000"},
	};
	uint8_t lun[LUN_LEN];
	char text[LUN_TEXT_MAX], number[16];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unhex(cases[i].hex);
		cr_expect_eq(lun_encode(lun, cases[i].number), 0);
		cr_expect_arr_eq(lun, page, LUN_LEN, "%zu", i);
		cr_expect_eq(lun_number(lun), (int32_t)cases[i].number);
		snprintf(number, sizeof number, "%u", cases[i].number);
		cr_expect_str_eq(lun_text(lun, text), number);
	}
	cr_expect_eq(lun_encode(lun, 16777216), -ERANGE);
	unhex("4001000000000000"); /* flat, though it need not be */
	cr_expect_eq(lun_number(page), 1);
	unhex("c101000000000000");
	cr_expect_eq(lun_number(page), -1);
	cr_expect_str_eq(lun_text(page, text), "c101000000000000");
	unhex("0101000000000000"); /* another bus */
	cr_expect_eq(lun_number(page), -1);
	unhex("0001000100000000"); /* two levels */
	cr_expect_eq(lun_number(page), -1);
}

Test(lun, list)
{
	struct lun_list l;
	size_t len = unhex(inputs[21]);

	cr_expect_eq(lun_list_decode(&l, page, len), 0);
	cr_expect_eq(l.count, 5);
	cr_expect_eq(l.needed, 0x100000000);
	cr_expect_eq(lun_list_decode(&l, page, 23), 0);
	cr_expect_eq(l.count, 1);
	cr_expect_eq(lun_number(l.luns), 1);
}

Test(lba_status, cut_to_the_request)
{
	struct lba_status s;
	struct lba_extent e;
	size_t len = unhex(inputs[22]);

	/* [0, 10) and [10, ...) answer a request for [5, 25) */
	cr_expect_eq(lba_status_open(&s, 5, 20, page, len), 0);
	cr_expect(lba_status_next(&s, &e));
	cr_expect(e.lba == 5 && e.blocks == 5 && e.status == LBA_MAPPED);
	cr_expect(lba_status_next(&s, &e));
	cr_expect(e.lba == 10 && e.blocks == 15 && e.status == LBA_DEALLOCATED);
	cr_expect_not(lba_status_next(&s, &e));
	cr_expect_eq(s.at, 25);
	/* a gap */
	page[23] = 11;
	page[31] = 11;
	cr_expect_eq(lba_status_open(&s, 5, 20, page, len), 0);
	cr_expect(lba_status_next(&s, &e));
	cr_expect_not(lba_status_next(&s, &e));
	cr_expect_eq(s.at, 10);
	/* no progress */
	len = unhex(inputs[23]);
	cr_expect_eq(lba_status_open(&s, 5, 20, page, len), 0);
	cr_expect_not(lba_status_next(&s, &e));
	/* the end of the address space */
	len = unhex(inputs[24]);
	cr_expect_eq(lba_status_open(&s, UINT64_MAX - 1, 9, page, len), 0);
	cr_expect_not(lba_status_next(&s, &e));
}
