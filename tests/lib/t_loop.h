/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h on virtual time: link with umpio_test_world instead of umpio_world.
 * All loops of the process live in one world with one clock, on one thread.
 * When nothing is ready on any of them, time jumps to what is due next. The
 * same program and seed give the same run.
 *
 * The world begins with the first loop_new() and ends with the last
 * loop_free(): then the clock, the wires and the names are forgotten.
 */
#ifndef TESTS_T_LOOP_H
#define TESTS_T_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/loop.h>

/* Where time begins; not zero, so that a forgotten deadline of 0 shows. */
#define T_EPOCH 1000000000000ull

/* The seed of this world, or of the next one when there is none. Default 1. */
void t_world_seed(uint64_t seed);

/* Lets `ns` pass. All loops of the world run; `loop` is any of them. */
void t_loop_run_for(struct loop *loop, uint64_t ns);

/* Runs until `is_so(arg)`, asked between turns; false when `limit_ns` went by
 * without. A world that stays busy without time passing is aborted. */
typedef bool t_predicate(void *arg);
bool t_loop_run_until(
	struct loop *loop, t_predicate *is_so, void *arg, uint64_t limit_ns);

/* The process does not run for `ns`: the clock goes on, and what was due by then
 * is late. */
void t_loop_skip(struct loop *loop, uint64_t ns);

/* `loop` does not run for `ns`, as a process that was stopped: what comes for
 * it waits, and time goes on for the others. */
void t_loop_pause(struct loop *loop, uint64_t ns);

/* The loop whose callback is running; NULL: none. */
struct loop *t_loop_current(void);

/* Delivers a signal to those who watch it on this loop. */
void t_loop_raise(struct loop *loop, int signo);

#endif
