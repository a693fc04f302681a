/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model of a logical unit in memory, for tests: a disk as SBC-4 wants it,
 * with a volatile cache that a power cut empties, thin provisioning and target
 * port groups. No sockets, no clock: t_lun_execute() is a function from a CDB
 * to status, sense and data.
 *
 * A nexus is one initiator port's way to the unit; unit attentions, scripted
 * answers and the access state of the port are per nexus.
 */
#ifndef TESTS_LIB_T_LUN_H
#define TESTS_LIB_T_LUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/sense.h>

#define T_LUN_SENSE_MAX  18
#define T_LUN_SCRIPT_MAX 32
#define T_LUN_GROUPS     16 /* target port groups are below this */

struct t_lun_options {
	uint64_t blocks;
	uint32_t block_size;        /* 0: 512 */
	uint8_t physical_exponent;  /* physical block: block_size << this */
	uint32_t max_transfer;      /* blocks (VPD B0h); 0: no limit */
	uint32_t unmap_granularity; /* blocks; 0: 1 */
	bool wce;                   /* writes go to a volatile cache */
	bool no_caching_page;
	bool no_sync16, no_sync10; /* SYNCHRONIZE CACHE of that length */
	bool no_sync_range;        /* it takes the whole unit alone */
	bool dpofua, unmap, read_only, rotational;
	uint8_t tpgs;       /* 0: no ALUA */
	uint8_t naa[16];    /* NAA 6; all zero: no such designator */
	const char *serial; /* NULL: "T0001"; must outlive the unit */
};

/* An answer that a nexus gives in place of executing a command. */
struct t_lun_answer {
	int opcode; /* the command it waits for; -1: any */
	uint8_t status;
	struct sense sense; /* for CHECK CONDITION, when valid */
};

struct t_lun;

/* Embedded in its owner, t_nexus_init() to t_nexus_fini(). */
struct t_nexus {
	struct t_lun *lun;
	uint16_t group, port; /* target port group, relative target port */
	/* Who it is: registrations are by it and `port`, and outlive the
	 * nexus. NULL at first, so all are one. */
	const void *initiator;
	struct t_lun_answer script[T_LUN_SCRIPT_MAX];
	unsigned nscript;
	struct sense attention[8]; /* pending, the oldest first */
	unsigned nattention;
	LIST_ENTRY(t_nexus) link;
};

#define T_LUN_KEYS 16

struct t_lun_key {
	const void *initiator;
	uint64_t key;
	uint16_t port;
	bool holder;
};

struct t_lun {
	struct t_lun_options options;
	uint64_t blocks;
	bool gone;       /* unmapped: 05/25/00 for all but INQUIRY */
	uint8_t *memory; /* what a read gives */
	uint8_t *stable; /* what is left after a power cut */
	uint8_t *state;  /* of each block: T_LUN_DIRTY, T_LUN_MAPPED */
	uint64_t reads, writes, flushes, unmaps; /* executed */
	/* Blocks have changed in `memory`; NULL: nobody listens. A power cut
	 * is not told. */
	void (*changed)(void *arg, uint64_t lba, uint64_t blocks);
	void *changed_arg;
	LIST_HEAD(, t_nexus) nexuses;
	struct t_lun_group {
		int8_t alua; /* enum alua_state */
		bool preferred;
	} groups[T_LUN_GROUPS]; /* by id */
	struct t_lun_reserve {
		struct t_lun_key keys[T_LUN_KEYS];
		unsigned count;
		uint32_t generation;
		uint8_t type; /* enum pr_type; 0: no reservation */
	} reserve;
	unsigned reports; /* REPORT TARGET PORT GROUPS executed */
};

#define T_LUN_DIRTY  1 /* not in `stable` yet */
#define T_LUN_MAPPED 2

struct t_lun_cmd {
	const uint8_t *cdb; /* 16 bytes */
	const void *out;    /* of `out_len` bytes; data-out */
	void *in;           /* of `in_len` bytes; data-in */
	uint32_t out_len, in_len;

	/* Filled in: */
	uint8_t status;
	uint8_t sense_len;
	uint8_t sense[T_LUN_SENSE_MAX];
	uint32_t moved;    /* bytes of data that went either way */
	uint32_t residual; /* as in struct path_result */
	bool overflow;
	bool recovered; /* executed, though the status is not GOOD */
};

/* NULL without memory. */
struct t_lun *t_lun_new(const struct t_lun_options *options);
void t_lun_free(struct t_lun *lun); /* NULL is allowed; no nexus may be left */

/* A nexus begins with the unit attention of a new one, 29/00, when `attention`
 * is set. */
void t_nexus_init(struct t_nexus *nexus, struct t_lun *lun, uint16_t group,
	uint16_t port, bool attention);
void t_nexus_fini(struct t_nexus *nexus);

void t_lun_execute(struct t_nexus *nexus, struct t_lun_cmd *cmd);

/* The next command with this opcode (-1: any) is answered so and not executed.
 * `sense` as key/asc/ascq 0xKKAAQQ; 0: none. With RECOVERED ERROR it is
 * executed all the same. */
void t_nexus_script(
	struct t_nexus *nexus, int opcode, uint8_t status, uint32_t sense);

/* A pending unit attention, asc and ascq. A ninth is dropped, as a target may
 * do. */
void t_nexus_attend(struct t_nexus *nexus, uint8_t asc, uint8_t ascq);
/* The same on every nexus but `except` (NULL: on all). */
void t_lun_attend(struct t_lun *lun, const struct t_nexus *except, uint8_t asc,
	uint8_t ascq);

/* What the volatile cache held is lost; 29/00 on every nexus. */
void t_lun_power_cut(struct t_lun *lun);

/* Registrations and reservation are gone, as with the power (APTPL 0). */
void t_lun_forget_keys(struct t_lun *lun);

/* Another size; the data stay as far as they fit. 2A/09 on every nexus. 0 or
 * -ENOMEM. */
int t_lun_resize(struct t_lun *lun, uint64_t blocks);

/* A group's access state, with 2A/06 on every nexus; at first all groups are
 * optimized. The group outlives its nexuses. */
void t_lun_set_alua(struct t_lun *lun, uint16_t group, enum alua_state state);
/* The same without a word to anybody. */
void t_lun_set_alua_quietly(
	struct t_lun *lun, uint16_t group, enum alua_state state);

/* True when nothing is in the volatile cache alone. */
bool t_lun_is_clean(const struct t_lun *lun);

#endif
