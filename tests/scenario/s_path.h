/* SPDX-License-Identifier: BSD-2-Clause */
/* What the scenarios stand on: one path over one wire to the model target, on
 * virtual time. One instance a test; s_start() makes it, s_end() checks that
 * the target saw nothing that RFC 7143 forbids. */
#ifndef TESTS_SCENARIO_S_PATH_H
#define TESTS_SCENARIO_S_PATH_H

#include <criterion/criterion.h>
#include <umpio/base/units.h>
#include <umpio/iscsi.h>
#include <umpio/loop.h>
#include <umpio/scsi/cdb.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define S_COMMANDS 64
#define S_DATA     (1u << 20)

struct s_command {
	struct path_cmd cmd;
	unsigned done; /* calls */
	uint8_t *data; /* S_DATA bytes */
};

struct s_world {
	struct loop *loop;
	struct addr at;
	struct t_wire *wire;
	struct t_lun *lun;
	struct t_target_options options; /* set before s_start() */
	struct iscsi_config config;      /* likewise */
	struct t_target *target;
	struct t_hooks hooks; /* of the target; may be set at any time */
	struct stream_listener *listener;
	struct path *path;
	struct s_command commands[S_COMMANDS];
	unsigned ups, downs, leavings, open;
	struct path_down down;
	unsigned fences;
	int fence_err;
};

extern struct s_world W;

/* Defaults of options and config. */
void s_init(void);
void s_start(void);
/* s_init(), s_start(), path_start(), and it is up. */
void s_up(void);
void s_end(void);             /* the target must have had no complaint */
void s_end_with_breach(void); /* the test made the target misbehave */

/* path_start() and what comes of it within a minute: true for up. */
bool s_try(void);
/* Waits up to a minute for the path to be down (again). */
void s_wait_down(void);
/* Waits up to a minute for all commands to be done. */
void s_wait_done(void);
void s_pass(uint64_t ms);

/* Submits READ or WRITE of `len` bytes at the place of command `n`; a write's
 * pattern comes from `seed`. */
struct s_command *s_read(unsigned n, uint32_t len);
struct s_command *s_write(unsigned n, uint32_t len, uint8_t seed);
struct s_command *s_ready(unsigned n); /* TEST UNIT READY */

/* All the bytes are the pattern of `seed`. */
bool s_pattern_is(const struct s_command *c, uint32_t len, uint8_t seed);

void s_expect_good(const struct s_command *c);
void s_expect(const struct s_command *c, enum path_outcome outcome, int error);
void s_expect_reason(const char *text);

/* The target's first living connection. */
struct t_conn *s_conn(void);
void s_fence(void); /* path_fence(); W.fences counts, W.fence_err holds */

#endif
