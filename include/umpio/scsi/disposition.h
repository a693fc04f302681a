/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to do about a command that a target has answered: one table from status
 * and sense to an action. The caller counts attempts and keeps time; this knows
 * neither path nor clock.
 *
 * Errors for the caller's caller: -EIO (medium, hardware, whatever cannot be
 * said better; medium errors are not told apart), -ENOSPC (07/27/07 and VOLUME
 * OVERFLOW), -EPERM (other DATA PROTECT), -EBADE (RESERVATION CONFLICT; to a
 * frontend that is -EPERM), -ENOTSUP (not implemented by the target), -EILSEQ
 * (MISCOMPARE).
 */
#ifndef UMPIO_SCSI_DISPOSITION_H
#define UMPIO_SCSI_DISPOSITION_H

#include <stddef.h>
#include <stdint.h>

enum disposition_action {
	DISPOSITION_OK,              /* done */
	DISPOSITION_RETRY_HERE,      /* the same path, at once */
	DISPOSITION_RETRY_ELSEWHERE, /* another path first, else this one */
	DISPOSITION_WAIT,            /* the same path after `delay` */
	DISPOSITION_PATH_BAD, /* this path is no use for I/O: mark it, and
			       * retry elsewhere */
	DISPOSITION_FAIL,     /* `error` is the answer */
};

/* What else has to happen. */
#define DISPOSITION_REREAD_CAPACITY 0x001u
#define DISPOSITION_REREAD_IDENTITY 0x002u /* INQUIRY, VPD 80 and 83 */
#define DISPOSITION_REREAD_ALUA     0x004u
#define DISPOSITION_REREAD_MODE     0x008u /* write protect, WCE */
/* a volatile cache may be lost: unflushed writes are unsafe */
#define DISPOSITION_CACHE_SUSPECT   0x010u
#define DISPOSITION_THIN_WARNING    0x020u /* tell the operator, once */
#define DISPOSITION_UNSUPPORTED     0x040u /* switch the feature off */
/* deferred error: an earlier write was lost; the next flush fails */
#define DISPOSITION_WRITE_ERROR     0x080u
#define DISPOSITION_RESERVATION     0x100u /* reservations changed */
#define DISPOSITION_QUEUE_FULL      0x200u /* less depth on this path */
/* wants START STOP UNIT; it is only waited for */
#define DISPOSITION_START_UNIT      0x400u
/* succeeded with trouble; nobody acts on it */
#define DISPOSITION_RECOVERED       0x800u
/* refused before anything was tried: a flush so answered has lost nothing */
#define DISPOSITION_NOT_DONE        0x1000u

struct disposition {
	enum disposition_action action;
	int error;         /* -errno for FAIL, and for the others when `limit`
			    * or `patience` is used up; 0 for OK */
	unsigned flags;    /* DISPOSITION_* */
	unsigned limit;    /* retries of one command for this cause; 0: as
			    * many as `patience` allows */
	uint64_t delay;    /* ns before the first retry; the caller doubles */
	uint64_t patience; /* ns that retries may take; 0: `limit` rules */
	const char *what;  /* the row's name by the standard, for logs; a
			    * constant, never NULL */
};

/* `sense` is NULL or of `len` bytes, looked at for CHECK CONDITION alone. */
struct disposition disposition_of(
	uint8_t status, const void *sense, size_t len);

const char *disposition_action_name(enum disposition_action action);

#endif
