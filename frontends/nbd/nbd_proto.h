/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of the NBD protocol, as the NBD project's doc/proto.md has them;
 * everything on the wire is big-endian. */
#ifndef UMPIO_NBD_PROTO_H
#define UMPIO_NBD_PROTO_H

/* Handshake */
#define NBD_MAGIC               0x4e42444d41474943ull /* NBDMAGIC */
#define NBD_OPTION_MAGIC        0x49484156454f5054ull /* IHAVEOPT */
#define NBD_OPT_REPLY_MAGIC     0x0003e889045565a9ull

#define NBD_FLAG_FIXED_NEWSTYLE 1u /* both the server's and the client's */
#define NBD_FLAG_NO_ZEROES      2u

#define NBD_GREETING_LEN        18
#define NBD_OPT_HEADER_LEN      16
#define NBD_OPT_REPLY_LEN       20
#define NBD_NAME_MAX            4096 /* bytes of any string */
#define NBD_EXPORT_REPLY_LEN    10
#define NBD_EXPORT_ZEROES       124

enum nbd_option {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT = 2,
	NBD_OPT_LIST = 3,
	NBD_OPT_STARTTLS = 5,
	NBD_OPT_INFO = 6,
	NBD_OPT_GO = 7,
	NBD_OPT_STRUCTURED_REPLY = 8,
	NBD_OPT_LIST_META_CONTEXT = 9,
	NBD_OPT_SET_META_CONTEXT = 10,
	NBD_OPT_EXTENDED_HEADERS = 11,
};

#define NBD_REP_ACK          1u
#define NBD_REP_SERVER       2u
#define NBD_REP_INFO         3u
#define NBD_REP_META_CONTEXT 4u
#define NBD_REP_ERR(n)       (1u << 31 | (n))
#define NBD_REP_ERR_UNSUP    NBD_REP_ERR(1)
#define NBD_REP_ERR_POLICY   NBD_REP_ERR(2)
#define NBD_REP_ERR_INVALID  NBD_REP_ERR(3)
#define NBD_REP_ERR_TLS_REQD NBD_REP_ERR(5)
#define NBD_REP_ERR_UNKNOWN  NBD_REP_ERR(6)
#define NBD_REP_ERR_SHUTDOWN NBD_REP_ERR(7)
#define NBD_REP_ERR_TOO_BIG  NBD_REP_ERR(9)

enum nbd_info {
	NBD_INFO_EXPORT = 0,
	NBD_INFO_NAME = 1,
	NBD_INFO_DESCRIPTION = 2,
	NBD_INFO_BLOCK_SIZE = 3,
};

/* Transmission flags of an export */
#define NBD_FLAG_HAS_FLAGS         (1u << 0)
#define NBD_FLAG_READ_ONLY         (1u << 1)
#define NBD_FLAG_SEND_FLUSH        (1u << 2)
#define NBD_FLAG_SEND_FUA          (1u << 3)
#define NBD_FLAG_ROTATIONAL        (1u << 4)
#define NBD_FLAG_SEND_TRIM         (1u << 5)
#define NBD_FLAG_SEND_WRITE_ZEROES (1u << 6)
#define NBD_FLAG_SEND_DF           (1u << 7)
#define NBD_FLAG_CAN_MULTI_CONN    (1u << 8)
#define NBD_FLAG_SEND_CACHE        (1u << 10)
#define NBD_FLAG_SEND_FAST_ZERO    (1u << 11)

/* Transmission */
#define NBD_REQUEST_MAGIC          0x25609513u
#define NBD_SIMPLE_REPLY_MAGIC     0x67446698u
#define NBD_STRUCTURED_REPLY_MAGIC 0x668e33efu

#define NBD_REQUEST_LEN            28
#define NBD_SIMPLE_REPLY_LEN       16
#define NBD_CHUNK_LEN              20

/* The largest payload that every server has to take, and the most we do. */
#define NBD_PAYLOAD_MAX            (32u << 20)

enum nbd_cmd {
	NBD_CMD_READ = 0,
	NBD_CMD_WRITE = 1,
	NBD_CMD_DISC = 2,
	NBD_CMD_FLUSH = 3,
	NBD_CMD_TRIM = 4,
	NBD_CMD_CACHE = 5,
	NBD_CMD_WRITE_ZEROES = 6,
	NBD_CMD_BLOCK_STATUS = 7,
};

#define NBD_CMD_FLAG_FUA            (1u << 0)
#define NBD_CMD_FLAG_NO_HOLE        (1u << 1)
#define NBD_CMD_FLAG_DF             (1u << 2)
#define NBD_CMD_FLAG_REQ_ONE        (1u << 3)
#define NBD_CMD_FLAG_FAST_ZERO      (1u << 4)

#define NBD_REPLY_FLAG_DONE         1u
#define NBD_REPLY_TYPE_NONE         0u
#define NBD_REPLY_TYPE_OFFSET_DATA  1u
#define NBD_REPLY_TYPE_BLOCK_STATUS 5u
#define NBD_REPLY_TYPE_ERROR        (1u << 15 | 1)

/* The metadata context base:allocation and its flags */
#define NBD_CONTEXT_NAME            "base:allocation"
#define NBD_CONTEXT_ID              1u
#define NBD_STATE_HOLE              (1u << 0)
#define NBD_STATE_ZERO              (1u << 1)
#define NBD_EXTENT_LEN              8

/* Errors on the wire: these and no others */
#define NBD_EPERM                   1u
#define NBD_EIO                     5u
#define NBD_ENOMEM                  12u
#define NBD_EINVAL                  22u
#define NBD_ENOSPC                  28u
#define NBD_EOVERFLOW               75u
#define NBD_ENOTSUP                 95u
#define NBD_ESHUTDOWN               108u

#endif
