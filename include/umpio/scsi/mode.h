/* SPDX-License-Identifier: BSD-2-Clause */
/* MODE SENSE parameter data (SPC-5 7.5, SBC-4 6.5). */
#ifndef UMPIO_SCSI_MODE_H
#define UMPIO_SCSI_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODE_PAGE_CACHING 0x08
#define MODE_PAGE_CONTROL 0x0a
#define MODE_PAGE_ALL     0x3f

struct mode {
	bool write_protect;      /* WP of the header */
	bool dpofua;             /* FUA and DPO may be used */
	bool has_caching;        /* page 08h was there: */
	bool write_cache;        /* WCE; true without the page, to be safe */
	bool read_cache_off;     /* RCD */
	bool has_control;        /* page 0Ah was there: */
	uint8_t task_set_type;   /* TST */
	uint8_t queue_algorithm; /* QUEUE ALGORITHM MODIFIER */
	bool software_write_protect; /* SWP */
	bool task_aborted_status;    /* TAS */
};

/* What to believe of a unit that does not answer MODE SENSE: writable, with a
 * volatile cache, without FUA. */
void mode_init(struct mode *mode);

/* Reads header and pages of MODE SENSE(6) or (10), lengths clamped to `len`. 0,
 * or -EPROTO when the header is cut off or its block descriptors go past the
 * end; `mode` then is as after mode_init(). A page that is cut off counts as
 * not there. */
int mode_decode6(struct mode *mode, const void *data, size_t len);
int mode_decode10(struct mode *mode, const void *data, size_t len);

#endif
