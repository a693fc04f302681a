/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the model target. */
#ifndef TESTS_LIB_T_TARGET_PRIVATE_H
#define TESTS_LIB_T_TARGET_PRIVATE_H

#include "t_target.h"

/* A command that came ahead of its turn. */
struct t_waiting {
	struct t_conn *conn;
	uint8_t bhs[T_BHS_LEN];
	uint8_t *data;
	uint32_t len;
	TAILQ_ENTRY(t_waiting) link;
};

static inline bool t_sn_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* t_target_login.c */
void t_login_request(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
void t_login_free(struct t_login *login);

/* t_target_session.c */
struct t_session *t_session_find(struct t_target *t, const char *initiator,
	const uint8_t *isid, uint16_t tpgt);
struct t_session *t_session_new(struct t_target *t, uint16_t tpgt);
void t_session_free(struct t_session *s);
/* The tasks of a connection (NULL: all) are gone. */
void t_session_drop_tasks(struct t_session *s, const struct t_conn *c);
/* A request in full feature phase, in whatever order it came. */
void t_session_request(struct t_conn *c, const uint8_t *bhs,
	const uint8_t *data, uint32_t len);

/* t_target_request.c: requests whose turn it is */
void t_request(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);

/* t_target_data.c */
void t_scsi_command(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
void t_data_out(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
struct t_task *t_task_find(struct t_session *s, uint32_t itt);
void t_task_free(struct t_session *s, struct t_task *task);
void t_task_execute(struct t_task *task);

#endif
