/* SPDX-License-Identifier: BSD-2-Clause */
/* A login of the model target, as its stages share it. */
#ifndef TESTS_LIB_T_TARGET_LOGIN_H
#define TESTS_LIB_T_TARGET_LOGIN_H

#include "t_target_private.h"

#define T_LOGIN_TEXT_MAX 65536
#define T_LOGIN_SEEN_MAX 64

enum chap_step { CHAP_NONE, CHAP_METHOD, CHAP_CHALLENGE, CHAP_DONE };

struct t_login {
	struct t_conn *conn;
	char text[T_LOGIN_TEXT_MAX + 1]; /* what came, over PDUs with C */
	size_t len;
	char out[T_LOGIN_TEXT_MAX]; /* the reply */
	size_t out_len, out_at;
	unsigned stayed;
	char seen[T_LOGIN_SEEN_MAX][64]; /* keys that were sent */
	unsigned nseen;
	bool begun, declared;
	uint8_t isid[6];
	uint16_t tsih, cid;
	uint32_t itt, cmd_sn, exp_stat_sn;
	unsigned stage, status; /* status: class << 8 | detail */
	enum chap_step chap;
	unsigned alg;
	bool mutual;
	bool named;              /* TargetName came and is ours */
	struct t_session params; /* what is agreed so far */
	bool header_digest, data_digest;
};

/* Adds a pair to the reply. */
void t_login_reply(struct t_login *l, const char *key, const char *value);
void t_login_reply_number(struct t_login *l, const char *key, unsigned long n);

/* The value of a key in this exchange; NULL when it did not come. */
const char *t_login_value(const struct t_login *l, const char *key);

/* `word` is an element of the comma-separated list. */
bool t_list_has(const char *list, const char *word);

/* t_target_chap.c: what AuthMethod, CHAP_A and CHAP_R lead to */
void t_chap_method(struct t_login *l, const char *methods);
void t_chap_algorithm(struct t_login *l, const char *list);
void t_chap_response(struct t_login *l, const char *response);

#endif
