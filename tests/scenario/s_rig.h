/* SPDX-License-Identifier: BSD-2-Clause */
/* What the scenarios stand on: one path over one wire to the model target, on
 * virtual time. One instance a test; s_start() makes it, s_end() checks that
 * the target saw nothing that RFC 7143 forbids. */
#ifndef TESTS_SCENARIO_S_RIG_H
#define TESTS_SCENARIO_S_RIG_H

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

#define S_SENT_MAX 8192 /* PDUs that are remembered */
#define S_EDITS    8

/* A PDU that the initiator has sent. */
struct s_pdu {
	uint8_t bhs[T_BHS_LEN];
	uint32_t len;
	uint64_t at; /* loop_now() */
	char *text;  /* the data of Login and Text Requests, and a NUL */
};

/* What is done to PDUs of one opcode that the target sends. */
struct s_edit {
	uint8_t opcode;
	unsigned skip;  /* that many pass first */
	unsigned times; /* so many are changed; s_edit() says 1 */
	unsigned seen;  /* changed so far */
	enum t_verdict verdict;
	bool break_header, break_data;
	unsigned nfields;
	enum t_field fields[4];
	uint64_t values[4];
	bool has_data;
	const void *data; /* in place of its own; the test's */
	uint32_t len;
	/* In a Login Response: the pair of this key is put in place of the
	 * target's, or added when it has none; NULL takes it out. */
	const char *key, *value;
};

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
	struct t_lun_options disk;       /* likewise: set before s_start() */
	struct t_target_options options; /* set before s_start() */
	struct iscsi_config config;      /* likewise */
	struct t_target *target;
	struct t_hooks hooks; /* of the target; may be set at any time. They
			       * come after the edits */
	struct s_edit edits[S_EDITS];
	unsigned nedits;
	struct s_pdu *sent; /* S_SENT_MAX */
	unsigned nsent;
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

/* A change to the PDU of the opcode after `skip` others, counted from now; it
 * is then filled in. */
struct s_edit *s_edit(uint8_t opcode, unsigned skip);
struct s_edit *s_edit_field(
	uint8_t opcode, unsigned skip, enum t_field field, uint64_t value);
void s_set(struct s_edit *edit, enum t_field field, uint64_t value);
void s_set_data(struct s_edit *edit, const void *data, uint32_t len);
/* In every Login Response that has the key; `value` NULL takes it out. */
void s_key(const char *key, const char *value);
/* In the Login Response after `skip` others, whether it has the key or not. */
void s_key_in(unsigned skip, const char *key, const char *value);

/* The nth PDU with the opcode that the initiator has sent, NULL when there are
 * fewer; how many there are; whether one has the `Key=Value` pair. */
const struct s_pdu *s_sent(uint8_t opcode, unsigned nth);
unsigned s_count(uint8_t opcode);
bool s_says(const struct s_pdu *pdu, const char *pair);
/* The same in any Login Request; the number of times. */
unsigned s_said(const char *pair);
/* The value of a key in any Login Request; NULL when it did not come. */
const char *s_value(const char *key);

/* A command of any CDB in `c->cmd.cdb`. */
struct s_command *s_command(
	unsigned n, enum path_direction direction, uint32_t len);

/* s_start(); the path does not come up, and the reason has `text`. */
void s_refused(const char *text);
/* The connection ends for a reason with `text`, and command `n` as unknown. */
void s_breach(unsigned n, const char *text);

/* A PDU of the target's own making, for the tag of command `n`: fields of the
 * opcode at will, then s_inject() stamps and sends it. */
void s_make(uint8_t bhs[T_BHS_LEN], uint8_t opcode, unsigned n);
void s_inject(uint8_t bhs[T_BHS_LEN], const void *data, uint32_t len);

/* The initiator's tag of the nth SCSI Command that it has sent. */
uint32_t s_tag(unsigned nth);

/* The target's first living connection. */
struct t_conn *s_conn(void);
void s_fence(void); /* path_fence(); W.fences counts, W.fence_err holds */

#endif
