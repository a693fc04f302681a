/* SPDX-License-Identifier: BSD-2-Clause */
/* Asymmetric logical unit access: target port groups (SPC-5 5.16, 6.36). */
#ifndef UMPIO_SCSI_ALUA_H
#define UMPIO_SCSI_ALUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/cursor.h>

enum alua_state {
	ALUA_NONE = -1, /* the unit has no asymmetric access */
#define X(id, code, name) ALUA_##id = code,
#include <umpio/tbl/scsi_alua_states.h>
#undef X
};

/* "optimized", "none" …; "reserved" for what the standard does not know. */
const char *alua_state_name(int state);

/* True for states in which a port group takes reads and writes: optimized,
 * non-optimized, LBA dependent, and none. */
bool alua_state_usable(int state);

/* The state in which a port is whose answer has this sense (02/04/0A, 0B, 0C,
 * 12); ALUA_NONE when it says nothing of that. */
int alua_state_of_sense(const void *sense, size_t len);

struct alua_group {
	uint16_t id;
	uint8_t state;   /* enum alua_state, or reserved */
	uint8_t status;  /* 1 changed by SET TARGET PORT GROUPS, 2 implicitly */
	uint8_t support; /* byte 1: T_SUP 80 O_SUP 40 LBD_SUP 10 U_SUP 08 S_SUP
			  * 04 AN_SUP 02 AO_SUP 01 */
	bool preferred;
	uint8_t nports;       /* ports that are really there */
	const uint8_t *ports; /* 4 bytes each, see alua_group_port() */
};

/* The relative target port identifier of the `n`th port (< nports). */
uint16_t alua_group_port(const struct alua_group *group, unsigned n);

/* REPORT TARGET PORT GROUPS, either header. */
struct alua_report {
	struct cursor groups;
	uint32_t length;         /* bytes of the whole, as the target says */
	uint8_t transition_time; /* seconds (extended header); 0: not said */
};

/* 0 or -EPROTO. `extended`: it was asked for that way; a target may still give
 * the short form. next() is false at the end, or at a group that is cut off. */
int alua_report_open(struct alua_report *report, const void *data, size_t len,
	bool extended);
bool alua_report_next(struct alua_report *report, struct alua_group *group);

/* Looks for group `id`. 0, -EPROTO, or -ENOENT. */
int alua_report_find(struct alua_group *group, uint16_t id, const void *data,
	size_t len, bool extended);

/* The parameter list of SET TARGET PORT GROUPS for one group. */
#define ALUA_SET_LEN 8
void alua_set_build(
	uint8_t out[ALUA_SET_LEN], uint16_t id, enum alua_state state);

#endif
