/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text keys of RFC 7143 13 and RFC 7144 that operational negotiation
 * knows, once, in the order in which we offer them. MaxBurstLength comes before
 * FirstBurstLength: some targets check the one against the other as they read.
 *
 *   X(ID, "Name", function, default, min, max, scope, words)
 *
 * function  MIN, MAX (numbers), AND, OR (booleans), LIST (one of `words`),
 *           LIMIT (each side declares its own number), DECLARE (a value of the
 *           target), OURS (only an initiator sends it), MARKER (obsolete: the
 *           answer is Reject)
 * default   what holds without negotiation; of LIST the index in `words`
 * scope     S: session-wide, only in the leading login; N: likewise, and
 *           irrelevant in a discovery session; C: of the connection, any login;
 *           A: of the connection, in full feature phase too; D: declarations
 *           that may come at any time; L: declarations of a login
 *
 * No include guard: defining X and including this is how it is used.
 */

X(HEADER_DIGEST, "HeaderDigest", LIST, 0, 0, 0, C, "None,CRC32C")
X(DATA_DIGEST, "DataDigest", LIST, 0, 0, 0, C, "None,CRC32C")
X(MAX_RECV_DATA, "MaxRecvDataSegmentLength", LIMIT, 8192, 512, 16777215, A,
	NULL)
X(INITIAL_R2T, "InitialR2T", OR, 1, 0, 1, N, NULL)
X(IMMEDIATE_DATA, "ImmediateData", AND, 1, 0, 1, N, NULL)
X(MAX_BURST, "MaxBurstLength", MIN, 262144, 512, 16777215, N, NULL)
X(FIRST_BURST, "FirstBurstLength", MIN, 65536, 512, 16777215, N, NULL)
X(MAX_OUTSTANDING_R2T, "MaxOutstandingR2T", MIN, 1, 1, 65535, N, NULL)
X(DATA_PDU_IN_ORDER, "DataPDUInOrder", OR, 1, 0, 1, N, NULL)
X(DATA_SEQUENCE_IN_ORDER, "DataSequenceInOrder", OR, 1, 0, 1, N, NULL)
X(ERROR_RECOVERY_LEVEL, "ErrorRecoveryLevel", MIN, 0, 0, 2, S, NULL)
X(MAX_CONNECTIONS, "MaxConnections", MIN, 1, 1, 65535, N, NULL)
X(TIME2WAIT, "DefaultTime2Wait", MAX, 2, 0, 3600, S, NULL)
X(TIME2RETAIN, "DefaultTime2Retain", MIN, 20, 0, 3600, S, NULL)
X(TASK_REPORTING, "TaskReporting", LIST, 0, 0, 0, N,
	"RFC3720,ResponseFence,FastAbort")
X(PROTOCOL_LEVEL, "iSCSIProtocolLevel", MIN, 1, 0, 31, N, NULL)
X(TARGET_ALIAS, "TargetAlias", DECLARE, 0, 0, 0, D, NULL)
X(TARGET_ADDRESS, "TargetAddress", DECLARE, 0, 0, 0, D, NULL)
X(TARGET_NAME, "TargetName", DECLARE, 0, 0, 0, D, NULL)
X(TARGET_PORTAL_GROUP_TAG, "TargetPortalGroupTag", DECLARE, 0, 0, 65535, L,
	NULL)
X(INITIATOR_NAME, "InitiatorName", OURS, 0, 0, 0, L, NULL)
X(INITIATOR_ALIAS, "InitiatorAlias", OURS, 0, 0, 0, D, NULL)
X(SESSION_TYPE, "SessionType", OURS, 0, 0, 0, L, NULL)
X(SEND_TARGETS, "SendTargets", OURS, 0, 0, 0, D, NULL)
X(IF_MARKER, "IFMarker", MARKER, 0, 0, 0, C, NULL)
X(OF_MARKER, "OFMarker", MARKER, 0, 0, 0, C, NULL)
X(IF_MARK_INT, "IFMarkInt", MARKER, 0, 0, 0, C, NULL)
X(OF_MARK_INT, "OFMarkInt", MARKER, 0, 0, 0, C, NULL)
