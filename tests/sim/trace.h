/* SPDX-License-Identifier: BSD-2-Clause */
/* What happened, in order: always as a hash, and as a timeline to read when it
 * is wanted. Two runs with equal hashes went the same way. */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* X(ID, level, format of up to four numbers, or of a number and a text)
 * level 1: always in a timeline; 2: only in a full one; 3: only when it has the
 * PDUs, too */
#define TRACES(X)                                                              \
	X(READ, 2, "client %llu  read   #%llu  %llu+%llu")                     \
	X(WRITE, 2, "client %llu  write  #%llu  %llu+%llu")                    \
	X(WRITE_FUA, 2, "client %llu  write  #%llu  %llu+%llu fua")            \
	X(TRIM, 2, "client %llu  trim   #%llu  %llu+%llu")                     \
	X(ZERO, 2, "client %llu  zero   #%llu  %llu+%llu")                     \
	X(ZERO_FUA, 2, "client %llu  zero   #%llu  %llu+%llu fua")             \
	X(FLUSH, 2, "client %llu  flush  #%llu")                               \
	X(DONE, 2, "client %llu  done   #%llu  %llu us")                       \
	X(FAILED, 1, "client %llu  FAILED #%llu  errno %llu, after %llu ms")   \
	X(EXECUTED, 2, "medium    blocks %llu+%llu changed, first cell #%llu") \
	X(CUT, 1, "medium    power cut")                                       \
	X(EVENT, 1, "path %lld    %s")                                         \
	X(FAULT, 1, "FAULT %lld   %s")                                         \
	X(HEAL, 1, "heal  %lld   %s")                                          \
	X(PHASE, 1, "---- %lld    %s")                                         \
	X(PLAN, 1, "plan %lld    %s")                                          \
	X(PDU_IN, 3, "group %llu   -> opcode %02llx tag %llx CmdSN %llu")      \
	X(PDU_OUT, 3, "group %llu   <- opcode %02llx tag %llx StatSN %llu")    \
	X(SAMPLE, 2,                                                           \
		"sample    %llu in flight, %llu paths active, %llu KiB, "      \
		"%llu breaches")                                               \
	X(BROKEN, 1, "BROKEN %lld %s")

enum trace_kind {
#define X(id, level, fmt) TRACE_##id,
	TRACES(X)
#undef X
};

/* Begins a trace; `level` 0 prints nothing. */
void trace_begin(unsigned level);
void trace_note(
	enum trace_kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
void trace_text(enum trace_kind kind, int64_t n, const char *text);
uint64_t trace_hash(void);

#endif
