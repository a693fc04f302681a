/* SPDX-License-Identifier: BSD-2-Clause */
/* The faults that a session injects into its own connections (path.h). They
 * belong to the session, and so outlive each connection. */
#ifndef UMPIO_ISCSI_FAULT_H
#define UMPIO_ISCSI_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/path.h>

struct session;

struct fault_way {
	uint8_t kind; /* enum path_fault_kind; OFF: none */
	uint64_t value;
};

struct faults {
	struct fault_way in, out;
	uint8_t spoil_in, spoil_out; /* PDU_SPOIL_ bits that are to strike */
};

/* No attempt to connect is answered. */
bool faults_blackhole(const struct faults *faults);

/* What is set now, for a status. */
void faults_show(const struct faults *faults, struct path_fault *in,
	struct path_fault *out);

/* As path_fault(). */
int session_fault(struct session *s, const struct path_fault *fault);

#endif
