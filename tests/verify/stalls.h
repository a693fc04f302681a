/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long requests took, and which fault to blame: announced faults open and
 * close windows, and a request belongs to the first window that it touches.
 * All times are CLOCK_MONOTONIC in ns; any thread may call.
 */
#ifndef VERIFY_STALLS_H
#define VERIFY_STALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "history.h"

#define FAULT_NAME 48

struct stalls;

struct slow { /* one request */
	uint64_t begun, took, offset, len;
	const char *what;       /* "read", …; static */
	char fault[FAULT_NAME]; /* "" : none */
	bool failed;
	bool hot; /* it may have to wait for a fence */
};

/* Keeps the `keep` longest. NULL without memory. */
struct stalls *stalls_new(unsigned keep);
void stalls_free(struct stalls *s);

/* A fault begins; it ends with `stalls_calm`, or where the next begins. */
void stalls_fault(struct stalls *s, const char *name, uint64_t at);
void stalls_calm(struct stalls *s, uint64_t at);

/* A request has ended, at begun + took; `fault` is filled in here. */
void stalls_note(struct stalls *s, const struct slow *request);
/* Something was found wrong at that time. */
void stalls_found(struct stalls *s, uint64_t at);

/* Figures of one fault by name, of its windows together; or of the calm. */
struct fault_sum {
	char name[FAULT_NAME];
	uint64_t times, requests, errors, found;
	uint64_t longest, longest_hot; /* of others, of hot ones */
	double total;                  /* s of its windows; not of the calm */
};
/* Calls `each` for the calm, named "none", then for each fault by its first
 * announcement. */
void stalls_sums(struct stalls *s,
	void (*each)(void *arg, const struct fault_sum *sum), void *arg);

/* The longest, longest first; returns how many. */
unsigned stalls_longest(const struct stalls *s, const struct slow **out);

/* Of all requests, in ns: below it lie `part` (0 to 1) of them. */
uint64_t stalls_quantile(const struct stalls *s, double part);

/* Calls `each` for each step of the histogram that is not empty. */
void stalls_steps(const struct stalls *s,
	void (*each)(void *arg, uint64_t upto, uint64_t n), void *arg);

#endif
