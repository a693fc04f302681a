/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPC-5 6.36 asymmetric access states: X(ID, code, "name"). No include guard:
 * define X and include.
 */
X(OPTIMIZED, 0x0, "optimized")
X(NON_OPTIMIZED, 0x1, "non-optimized")
X(STANDBY, 0x2, "standby")
X(UNAVAILABLE, 0x3, "unavailable")
X(LBA_DEPENDENT, 0x4, "lba-dependent")
X(OFFLINE, 0xe, "offline")
X(TRANSITIONING, 0xf, "transitioning")
