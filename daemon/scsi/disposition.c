/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/opcode.h>
#include <umpio/scsi/sense.h>

#define MS         1000000ull
#define ANY        (-1)
#define UA_MAX     8 /* unit attentions that one command may meet */
/* Ports without access that one command may meet; who carries I/O is known
 * after the first. */
#define ACCESS_MAX 60

#define REVALIDATE                                                             \
	(DISPOSITION_REREAD_IDENTITY | DISPOSITION_REREAD_CAPACITY |           \
		DISPOSITION_REREAD_MODE)

enum {
	HERE = DISPOSITION_RETRY_HERE,
	ELSEWHERE = DISPOSITION_RETRY_ELSEWHERE,
	WAIT = DISPOSITION_WAIT,
	BAD = DISPOSITION_PATH_BAD,
	FAIL = DISPOSITION_FAIL
};

struct row {
	int16_t status, key, asc, ascq, ascq_to; /* ANY: whatever it is */
	uint8_t action;
	int16_t error;
	uint16_t limit;
	uint16_t delay_ms, patience_ms; /* 65 s is more than any of them */
	uint16_t flags;
	const char *what;
};

/* Rows of statuses other than CHECK CONDITION, and of sense: the first that
 * fits holds. Columns: status, key, asc, ascq from and to, action, error,
 * limit, delay, patience, flags, name. */
#define STATUS(id) SCSI_STATUS_##id, ANY, ANY, ANY, ANY
#define SENSE(id, asc, from, to)                                               \
	SCSI_STATUS_CHECK_CONDITION, SENSE_##id, asc, from, to
#define KEY(id) SENSE(id, ANY, ANY, ANY)
#define F(id)   DISPOSITION_##id

/* clang-format off */
static const struct row rows[] = {
	/* SAM-5 5.3 */
	{STATUS(GOOD), 0, 0, 0, 0, 0, 0, "GOOD"},
	{STATUS(CONDITION_MET), 0, 0, 0, 0, 0, 0, "CONDITION MET"},
	{STATUS(BUSY), WAIT, -EIO, 0, 10, 30000, F(QUEUE_FULL) | F(NOT_DONE),
		"BUSY"},
	{STATUS(TASK_SET_FULL), WAIT, -EIO, 0, 10, 30000,
		F(QUEUE_FULL) | F(NOT_DONE), "TASK SET FULL"},
	{STATUS(RESERVATION_CONFLICT), FAIL, -EBADE, 0, 0, 0,
		F(RESERVATION) | F(NOT_DONE), "RESERVATION CONFLICT"},
	{STATUS(TASK_ABORTED), HERE, -EIO, 5, 0, 0, F(NOT_DONE),
		"TASK ABORTED"},
	{STATUS(ACA_ACTIVE), ELSEWHERE, -EIO, 3, 0, 0, F(NOT_DONE),
		"ACA ACTIVE"},

	/* It did its work, and says how hard that was. */
	{KEY(RECOVERED_ERROR), 0, 0, 0, 0, 0, F(RECOVERED), "RECOVERED ERROR"},

	{SENSE(NOT_READY, 0x04, 0x01, 0x01), WAIT, -EIO, 0, 1000, 60000,
		F(NOT_DONE), "BECOMING READY"},
	{SENSE(NOT_READY, 0x04, 0x02, 0x02), WAIT, -EIO, 5, 1000, 60000,
		F(START_UNIT) | F(NOT_DONE), "INITIALIZING COMMAND REQUIRED"},
	{SENSE(NOT_READY, 0x04, 0x03, 0x03), FAIL, -EIO, 0, 0, 0, 0,
		"MANUAL INTERVENTION REQUIRED"},
	{SENSE(NOT_READY, 0x04, 0x0a, 0x0a), ELSEWHERE, -EIO, ACCESS_MAX, 0, 0,
		F(REREAD_ALUA) | F(NOT_DONE), "ASYMMETRIC ACCESS STATE TRANSITION"},
	{SENSE(NOT_READY, 0x04, 0x0b, 0x0b), ELSEWHERE, -EIO, ACCESS_MAX, 0, 0,
		F(REREAD_ALUA) | F(NOT_DONE), "TARGET PORT IN STANDBY STATE"},
	{SENSE(NOT_READY, 0x04, 0x0c, 0x0c), ELSEWHERE, -EIO, ACCESS_MAX, 0, 0,
		F(REREAD_ALUA) | F(NOT_DONE), "TARGET PORT IN UNAVAILABLE STATE"},
	{SENSE(NOT_READY, 0x04, 0x12, 0x12), ELSEWHERE, -EIO, ACCESS_MAX, 0, 0,
		F(REREAD_ALUA) | F(NOT_DONE), "OFFLINE"},
	/* rebuild, format, self-test, sanitize … in progress */
	{SENSE(NOT_READY, 0x04, 0x04, ANY), WAIT, -EIO, 0, 5000, 60000,
		F(NOT_DONE), "OPERATION IN PROGRESS"},
	{SENSE(NOT_READY, 0x04, ANY, ANY), WAIT, -EIO, 0, 1000, 10000, 0,
		"CAUSE NOT REPORTABLE"},
	{SENSE(NOT_READY, 0x05, ANY, ANY), BAD, -EIO, 0, 0, 0, F(NOT_DONE),
		"LOGICAL UNIT DOES NOT RESPOND TO SELECTION"},
	{SENSE(NOT_READY, 0x3a, ANY, ANY), FAIL, -EIO, 0, 0, 0, 0,
		"MEDIUM NOT PRESENT"},
	{KEY(NOT_READY), WAIT, -EIO, 0, 1000, 10000, 0, "NOT READY"},

	/* The medium is the same behind every path. */
	{KEY(MEDIUM_ERROR), FAIL, -EIO, 0, 0, 0, 0, "MEDIUM ERROR"},
	{KEY(HARDWARE_ERROR), ELSEWHERE, -EIO, 2, 0, 0, 0, "HARDWARE ERROR"},

	{SENSE(ILLEGAL_REQUEST, 0x20, ANY, ANY), FAIL, -ENOTSUP, 0, 0, 0,
		F(UNSUPPORTED), "INVALID COMMAND OPERATION CODE"},
	{SENSE(ILLEGAL_REQUEST, 0x24, ANY, ANY), FAIL, -ENOTSUP, 0, 0, 0,
		F(UNSUPPORTED), "INVALID FIELD IN CDB"},
	{SENSE(ILLEGAL_REQUEST, 0x26, ANY, ANY), FAIL, -ENOTSUP, 0, 0, 0,
		F(UNSUPPORTED), "INVALID FIELD IN PARAMETER LIST"},
	{SENSE(ILLEGAL_REQUEST, 0x21, ANY, ANY), FAIL, -EIO, 0, 0, 0,
		F(REREAD_CAPACITY), "LOGICAL BLOCK ADDRESS OUT OF RANGE"},
	{SENSE(ILLEGAL_REQUEST, 0x25, ANY, ANY), BAD, -EIO, 0, 0, 0,
		F(REREAD_IDENTITY), "LOGICAL UNIT NOT SUPPORTED"},
	{KEY(ILLEGAL_REQUEST), FAIL, -EIO, 0, 0, 0, 0, "ILLEGAL REQUEST"},

	{SENSE(UNIT_ATTENTION, 0x28, ANY, ANY), HERE, -EIO, UA_MAX, 0, 0,
		REVALIDATE, "NOT READY TO READY CHANGE"},
	/* Power on, resets of bus, target and unit: what a volatile cache held
	 * may be gone. */
	{SENSE(UNIT_ATTENTION, 0x29, 0x00, 0x04), HERE, -EIO, UA_MAX, 0, 0,
		REVALIDATE | F(CACHE_SUSPECT) | F(RESERVATION),
		"POWER ON, RESET, OR BUS DEVICE RESET OCCURRED"},
	{SENSE(UNIT_ATTENTION, 0x29, ANY, ANY), HERE, -EIO, UA_MAX, 0, 0,
		REVALIDATE, "I_T NEXUS LOSS OCCURRED"},
	{SENSE(UNIT_ATTENTION, 0x2a, 0x00, 0x01), HERE, -EIO, UA_MAX, 0, 0,
		F(REREAD_MODE), "MODE PARAMETERS CHANGED"},
	{SENSE(UNIT_ATTENTION, 0x2a, 0x03, 0x05), HERE, -EIO, UA_MAX, 0, 0,
		F(RESERVATION), "RESERVATIONS OR REGISTRATIONS PREEMPTED"},
	{SENSE(UNIT_ATTENTION, 0x2a, 0x06, 0x07), HERE, -EIO, UA_MAX, 0, 0,
		F(REREAD_ALUA), "ASYMMETRIC ACCESS STATE CHANGED"},
	{SENSE(UNIT_ATTENTION, 0x2a, 0x09, 0x09), HERE, -EIO, UA_MAX, 0, 0,
		F(REREAD_CAPACITY), "CAPACITY DATA HAS CHANGED"},
	{SENSE(UNIT_ATTENTION, 0x2f, 0x01, 0x01), HERE, -EIO, UA_MAX, 0, 0,
		F(CACHE_SUSPECT), "COMMANDS CLEARED BY POWER LOSS NOTIFICATION"},
	{SENSE(UNIT_ATTENTION, 0x38, 0x07, 0x07), HERE, -EIO, UA_MAX, 0, 0,
		F(THIN_WARNING), "THIN PROVISIONING SOFT THRESHOLD REACHED"},
	{SENSE(UNIT_ATTENTION, 0x3f, ANY, ANY), HERE, -EIO, UA_MAX, 0, 0,
		F(REREAD_IDENTITY) | F(REREAD_MODE),
		"TARGET OPERATING CONDITIONS HAVE CHANGED"},
	{KEY(UNIT_ATTENTION), HERE, -EIO, UA_MAX, 0, 0, 0, "UNIT ATTENTION"},

	{SENSE(DATA_PROTECT, 0x27, 0x07, 0x07), FAIL, -ENOSPC, 0, 0, 0, 0,
		"SPACE ALLOCATION FAILED WRITE PROTECT"},
	{KEY(DATA_PROTECT), FAIL, -EPERM, 0, 0, 0, F(REREAD_MODE),
		"DATA PROTECT"},
	/* by the transport, or by others */
	{SENSE(ABORTED_COMMAND, 0x2f, ANY, ANY), ELSEWHERE, -EIO, 5, 0, 0,
		F(NOT_DONE), "COMMANDS CLEARED"},
	{SENSE(ABORTED_COMMAND, 0x47, ANY, ANY), ELSEWHERE, -EIO, 5, 0, 0,
		F(NOT_DONE), "SCSI PARITY ERROR"},
	{KEY(ABORTED_COMMAND), ELSEWHERE, -EIO, 5, 0, 0, 0, "ABORTED COMMAND"},
	{KEY(VOLUME_OVERFLOW), FAIL, -ENOSPC, 0, 0, 0, 0, "VOLUME OVERFLOW"},
	{KEY(MISCOMPARE), FAIL, -EILSEQ, 0, 0, 0, 0, "MISCOMPARE"},
	{KEY(COPY_ABORTED), FAIL, -EIO, 0, 0, 0, 0, "COPY ABORTED"},
	{KEY(BLANK_CHECK), FAIL, -EIO, 0, 0, 0, 0, "BLANK CHECK"},
	{KEY(VENDOR_SPECIFIC), ELSEWHERE, -EIO, 2, 0, 0, 0, "VENDOR SPECIFIC"},
	/* CHECK CONDITION with nothing to say is no success. */
	{SCSI_STATUS_CHECK_CONDITION, ANY, ANY, ANY, ANY, HERE, -EIO, 3, 0, 0,
		0, "CHECK CONDITION WITHOUT SENSE"},
	{ANY, ANY, ANY, ANY, ANY, ELSEWHERE, -EIO, 1, 0, 0, 0,
		"RESERVED STATUS"},
};

/* SPC-5 4.4.7: the error is of an earlier command, this one was not done. */
static const struct row deferred = {
	ANY, ANY, ANY, ANY, ANY, HERE, -EIO, 3, 0, 0,
	F(WRITE_ERROR) | F(NOT_DONE), "DEFERRED ERROR"};
static const struct row deferred_recovered = {
	ANY, ANY, ANY, ANY, ANY, HERE, -EIO, 3, 0, 0,
	F(RECOVERED) | F(NOT_DONE), "DEFERRED RECOVERED ERROR"};
/* clang-format on */

static const char *const actions[] = {
	[DISPOSITION_OK] = "ok",
	[DISPOSITION_RETRY_HERE] = "retry here",
	[DISPOSITION_RETRY_ELSEWHERE] = "retry elsewhere",
	[DISPOSITION_WAIT] = "wait",
	[DISPOSITION_PATH_BAD] = "path bad",
	[DISPOSITION_FAIL] = "fail",
};

static bool fits(int16_t wanted, uint8_t found)
{
	return wanted == ANY || wanted == found;
}

static bool row_fits(const struct row *r, uint8_t status, const struct sense *s)
{
	if (!fits(r->status, status))
		return false;
	if (r->key == ANY)
		return true;
	return s->valid && s->key == r->key && fits(r->asc, s->asc) &&
	       (r->ascq == ANY || s->ascq >= r->ascq) &&
	       (r->ascq_to == ANY || s->ascq <= r->ascq_to);
}

static const struct row *row_find(uint8_t status, const struct sense *s)
{
	const struct row *r = rows;

	if (s->deferred && s->key <= SENSE_RECOVERED_ERROR)
		return &deferred_recovered;
	if (s->deferred && s->key != SENSE_UNIT_ATTENTION)
		return &deferred;
	/* The last row fits everything. */
	while (!row_fits(r, status, s))
		r++;
	return r;
}

/* SAM-5 5.14, SPC-5 4.4: with these keys the command was not executed. */
static unsigned refused(const struct row *r)
{
	return r->key == SENSE_UNIT_ATTENTION || r->key == SENSE_ILLEGAL_REQUEST
		       ? DISPOSITION_NOT_DONE
		       : 0;
}

struct disposition disposition_of(uint8_t status, const void *data, size_t len)
{
	struct sense s = {0};
	const struct row *r;

	if (status == SCSI_STATUS_CHECK_CONDITION && data)
		s = sense_decode(data, len);
	r = row_find(status, &s);
	return (struct disposition){
		.action = r->action,
		.error = r->error,
		.flags = r->flags | refused(r),
		.limit = r->limit,
		.delay = r->delay_ms * MS,
		.patience = r->patience_ms * MS,
		.what = r->what,
	};
}

const char *disposition_action_name(enum disposition_action action)
{
	return actions[action];
}
