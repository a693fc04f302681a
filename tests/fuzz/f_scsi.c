/* SPDX-License-Identifier: BSD-2-Clause */
/* What a unit says of itself: the first byte chooses who reads the rest. */
#include <umpio/scsi/alua.h>
#include <umpio/scsi/capacity.h>
#include <umpio/scsi/designator.h>
#include <umpio/scsi/inquiry.h>
#include <umpio/scsi/lba_status.h>
#include <umpio/scsi/lun.h>
#include <umpio/scsi/mode.h>
#include <umpio/scsi/pr.h>
#include <umpio/scsi/sense.h>
#include <umpio/scsi/vpd.h>

#include "tests/fuzz/fuzz.h"

static void inquiry(const uint8_t *data, size_t len)
{
	struct inquiry q;

	if (inquiry_decode(&q, data, len) == 0)
		FUZZ_CHECK(strlen(q.vendor) <= 8 && strlen(q.product) <= 16);
}

static void vpd(const uint8_t *data, size_t len)
{
	struct vpd_pages pages;
	struct vpd_limits limits;
	struct vpd_rotation rotation;
	struct vpd_provisioning provisioning;
	char serial[32];

	(void)vpd_pages_decode(&pages, data, len);
	(void)vpd_limits_decode(&limits, data, len);
	(void)vpd_rotation_decode(&rotation, data, len);
	(void)vpd_provisioning_decode(&provisioning, data, len);
	if (vpd_serial_decode(serial, sizeof serial, data, len) == 0)
		FUZZ_CHECK(strlen(serial) < sizeof serial);
}

static void designators(const uint8_t *data, size_t len)
{
	struct designator d;
	struct cursor c;
	char wwid[WWID_MAX];
	uint16_t n;

	if (designator_open(&c, data, len) == 0)
		while (designator_next(&c, &d))
			FUZZ_CHECK(d.value >= data &&
				   d.value + d.len <= data + len);
	if (designator_wwid(wwid, data, len) == 0)
		FUZZ_CHECK(strlen(wwid) < sizeof wwid);
	(void)designator_target_group(&n, data, len);
	(void)designator_relative_port(&n, data, len);
}

static void groups(const uint8_t *data, size_t len)
{
	struct alua_report report;
	struct alua_group group;

	for (int extended = 0; extended < 2; extended++) {
		if (alua_report_open(&report, data, len, extended))
			continue;
		while (alua_report_next(&report, &group))
			for (unsigned i = 0; i < group.nports; i++)
				(void)alua_group_port(&group, i);
		(void)alua_report_find(&group, 1, data, len, extended);
	}
}

static void luns(const uint8_t *data, size_t len)
{
	char text[LUN_TEXT_MAX];
	struct lun_list list;

	if (lun_list_decode(&list, data, len))
		return;
	FUZZ_CHECK((size_t)list.count * LUN_LEN <= len);
	for (uint32_t i = 0; i < list.count; i++) {
		(void)lun_number(list.luns + i * LUN_LEN);
		(void)lun_text(list.luns + i * LUN_LEN, text);
	}
}

static void modes(const uint8_t *data, size_t len)
{
	struct mode mode;

	mode_init(&mode);
	(void)mode_decode6(&mode, data, len);
	mode_init(&mode);
	(void)mode_decode10(&mode, data, len);
}

static void extents(const uint8_t *data, size_t len)
{
	const uint64_t lba = 1000, blocks = 5000;
	struct lba_extent x;
	struct lba_status s;
	uint64_t at = lba;

	if (lba_status_open(&s, lba, blocks, data, len))
		return;
	while (lba_status_next(&s, &x)) {
		FUZZ_CHECK(x.lba == at && x.blocks > 0);
		at += x.blocks;
		FUZZ_CHECK(at <= lba + blocks);
	}
}

static void senses(const uint8_t *data, size_t len)
{
	struct sense s = sense_decode(data, len);
	char text[80];

	(void)sense_text(&s, text, sizeof text);
}

static void capacities(const uint8_t *data, size_t len)
{
	struct capacity capacity;

	(void)capacity_decode10(&capacity, data, len);
	(void)capacity_decode16(&capacity, data, len);
}

static void reservations(const uint8_t *data, size_t len)
{
	struct pr_reservation reservation;
	struct pr_registrant r;
	struct pr_keys keys;
	struct pr_full full;
	size_t n = 0;

	if (pr_keys_decode(&keys, data, len) == 0)
		FUZZ_CHECK(keys.count <= PR_KEYS_MAX &&
			   8 + 8 * (size_t)keys.count <= len);
	(void)pr_reservation_decode(&reservation, data, len);
	if (pr_full_open(&full, data, len))
		return;
	while (pr_full_next(&full, &r)) {
		FUZZ_CHECK(strlen(r.name) < sizeof r.name);
		FUZZ_CHECK(++n <= len / 24);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const uint8_t *, size_t) = {inquiry, vpd,
		designators, groups, luns, modes, extents, senses, capacities,
		reservations};
	uint8_t *copy;

	if (size == 0)
		return 0;
	copy = fuzz_copy(data + 1, size - 1);
	readers[data[0] % (sizeof readers / sizeof *readers)](copy, size - 1);
	free(copy);
	return 0;
}
