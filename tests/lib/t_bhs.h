/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header segments for tests: fields of the raw 48 bytes by name, read and
 * written through one table of offsets (RFC 7143 11). It shares nothing with
 * the daemon's codec, so that each finds the other's mistakes.
 */
#ifndef UMPIO_T_BHS_H
#define UMPIO_T_BHS_H

#include <stdint.h>

#define T_BHS_LEN 48
#define T_NO_TAG  0xffffffffu

/* X(NAME, first byte, bytes, mask within one byte) */
#define T_FIELDS                                                               \
	X(OPCODE, 0, 1, 0x3f)                                                  \
	X(IMMEDIATE, 0, 1, 0x40)                                               \
	X(FLAGS, 1, 1, 0xff)                                                   \
	X(FINAL, 1, 1, 0x80)                                                   \
	X(CONTINUE, 1, 1, 0x40)                                                \
	X(CSG, 1, 1, 0x0c)                                                     \
	X(NSG, 1, 1, 0x03)                                                     \
	X(READ, 1, 1, 0x40)                                                    \
	X(WRITE, 1, 1, 0x20)                                                   \
	X(ATTR, 1, 1, 0x07)                                                    \
	X(FUNCTION, 1, 1, 0x7f)                                                \
	X(REASON, 1, 1, 0x7f)                                                  \
	X(ACK, 1, 1, 0x40)                                                     \
	X(OVER, 1, 1, 0x04)                                                    \
	X(UNDER, 1, 1, 0x02)                                                   \
	X(HAS_STATUS, 1, 1, 0x01)                                              \
	X(RESPONSE, 2, 1, 0xff)                                                \
	X(STATUS, 3, 1, 0xff)                                                  \
	X(VERSION_MAX, 2, 1, 0xff)                                             \
	X(VERSION_MIN, 3, 1, 0xff)                                             \
	X(AHS_WORDS, 4, 1, 0xff)                                               \
	X(DATA_LEN, 5, 3, 0xff)                                                \
	X(LUN, 8, 8, 0xff)                                                     \
	X(ISID, 8, 6, 0xff)                                                    \
	X(TSIH, 14, 2, 0xff)                                                   \
	X(ITT, 16, 4, 0xff)                                                    \
	X(TTT, 20, 4, 0xff)                                                    \
	X(EDTL, 20, 4, 0xff)                                                   \
	X(RTT, 20, 4, 0xff)                                                    \
	X(CID, 20, 2, 0xff)                                                    \
	X(CMD_SN, 24, 4, 0xff)                                                 \
	X(STAT_SN, 24, 4, 0xff)                                                \
	X(EXP_STAT_SN, 28, 4, 0xff)                                            \
	X(EXP_CMD_SN, 28, 4, 0xff)                                             \
	X(MAX_CMD_SN, 32, 4, 0xff)                                             \
	X(REF_CMD_SN, 32, 4, 0xff)                                             \
	X(DATA_SN, 36, 4, 0xff)                                                \
	X(EXP_DATA_SN, 36, 4, 0xff)                                            \
	X(STATUS_CLASS, 36, 1, 0xff)                                           \
	X(STATUS_DETAIL, 37, 1, 0xff)                                          \
	X(EVENT, 36, 1, 0xff)                                                  \
	X(VCODE, 37, 1, 0xff)                                                  \
	X(PARAM1, 38, 2, 0xff)                                                 \
	X(PARAM2, 40, 2, 0xff)                                                 \
	X(PARAM3, 42, 2, 0xff)                                                 \
	X(TIME2WAIT, 40, 2, 0xff)                                              \
	X(TIME2RETAIN, 42, 2, 0xff)                                            \
	X(OFFSET, 40, 4, 0xff)                                                 \
	X(BEG_RUN, 40, 4, 0xff)                                                \
	X(RESIDUAL, 44, 4, 0xff)                                               \
	X(DESIRED, 44, 4, 0xff)                                                \
	X(RUN_LENGTH, 44, 4, 0xff)

enum t_field {
#define X(NAME, at, bytes, mask) T_##NAME,
	T_FIELDS
#undef X
		T_FIELD_COUNT
};

/* The field's value; of a masked one shifted down to bit 0. */
uint64_t t_get(const uint8_t *bhs, enum t_field field);

/* Bits beyond the field's width are cut off. */
void t_set(uint8_t *bhs, enum t_field field, uint64_t value);

/* 48 zero bytes with the opcode and both tags T_NO_TAG where they stand. */
void t_make(uint8_t *bhs, uint8_t opcode);

#endif
