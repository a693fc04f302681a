/* SPDX-License-Identifier: BSD-2-Clause */
/* The stages of a login (RFC 7143 6.3.1 to 6.3.3, 12.1.3). */
#include <stddef.h>
#include <string.h>

#include "login.h"

typedef enum login_step action_fn(
	struct login *l, const struct login_auth *auth);

static bool wants_chap(const struct login *l)
{
	return l->chap_begun;
}

/* The next request goes on in the stage, or asks for the next one. */
static void ask(struct login *l, enum login_state state, bool transit)
{
	l->state = state;
	l->transit = transit;
	l->nsg = l->csg == STAGE_SECURITY ? STAGE_OPERATIONAL
					  : STAGE_FULL_FEATURE;
}

void login_begin(struct login *l)
{
	l->csg = STAGE_SECURITY;
	text_put(&l->out, "AuthMethod", wants_chap(l) ? "CHAP" : "None");
	ask(l, LOGIN_ST_METHOD, !wants_chap(l));
}

static enum login_step chap_failed(struct login *l, const char *why)
{
	return login_fail(l, PATH_RETRY_SLOW, "CHAP: %s", why);
}

/* Without a user None is all that we can agree to; no answer means that. */
static bool wants_user(struct login *l, const char *method)
{
	if (!method || strcmp(method, "None") == 0)
		return false;
	login_fail(l, PATH_RETRY_SLOW,
		"it wants AuthMethod %.16s; name a CHAP user", method);
	return true;
}

static enum login_step method_chosen(
	struct login *l, const struct login_auth *auth)
{
	char list[CHAP_LIST_MAX];
	const char *method = auth->method ? auth->method : "nothing";

	if (!wants_chap(l)) {
		if (wants_user(l, auth->method))
			return LOGIN_FAILED;
		ask(l, LOGIN_ST_SECURED, true);
		return LOGIN_SEND;
	}
	if (strcmp(method, "CHAP") != 0)
		return login_fail(l, PATH_RETRY_SLOW,
			"it answers %.16s to AuthMethod CHAP", method);
	if (!chap_list(&l->chap, list))
		return chap_failed(l, "the crypto library allows no algorithm");
	text_put(&l->out, "CHAP_A", list);
	ask(l, LOGIN_ST_ALGORITHM, false);
	return LOGIN_SEND;
}

static enum login_step enter_operational(
	struct login *l, const struct login_auth *auth)
{
	(void)auth;
	l->csg = STAGE_OPERATIONAL;
	keys_offer(&l->keys, &l->out);
	ask(l, LOGIN_ST_OPERATIONAL, true);
	return LOGIN_SEND;
}

static enum login_step method_skipped(
	struct login *l, const struct login_auth *auth)
{
	if (wants_user(l, auth->method))
		return LOGIN_FAILED;
	return enter_operational(l, auth);
}

static enum login_step chap_challenged(
	struct login *l, const struct login_auth *auth)
{
	const char *why;

	if (!auth->a || !auth->i || !auth->c)
		return chap_failed(l, "the challenge is not whole");
	if (chap_choose(&l->chap, auth->a, &why) ||
		chap_challenge(&l->chap, auth->i, auth->c, &why) ||
		chap_respond(&l->chap, l->setup.random, &l->out, &why))
		return chap_failed(l, why);
	ask(l, LOGIN_ST_RESPONSE, true);
	return LOGIN_SEND;
}

static enum login_step chap_proved(
	struct login *l, const struct login_auth *auth)
{
	const char *why;

	if (chap_verify(&l->chap, auth->n, auth->r, &why))
		return chap_failed(l, why);
	return enter_operational(l, auth);
}

/* The target has answered and stays in the stage: ask to leave it again. */
static enum login_step chap_answered(
	struct login *l, const struct login_auth *auth)
{
	const char *why;

	if (chap_verify(&l->chap, auth->n, auth->r, &why))
		return chap_failed(l, why);
	ask(l, LOGIN_ST_SECURED, true);
	return LOGIN_SEND;
}

static enum login_step stay(struct login *l, const struct login_auth *auth)
{
	(void)auth;
	ask(l, l->state, true);
	return LOGIN_SEND;
}

static enum login_step finish(struct login *l, const struct login_auth *auth)
{
	char why[LOGIN_WHY_MAX];

	(void)auth;
	if (keys_finish(&l->keys, &l->session, &l->conn, why, sizeof why))
		return login_fail(l, PATH_RETRY_SLOW, "%s", why);
	l->state = LOGIN_ST_OVER;
	return LOGIN_DONE;
}

#define S(name) (1u << LOGIN_ST_##name)

static const struct {
	unsigned states;
	enum login_event event;
	action_fn *action;
	bool chap; /* holds with CHAP, or without */
	bool both; /* with and without */
} rows[] = {
	{S(METHOD), LOGIN_EV_STAY, method_chosen, false, true},
	{S(METHOD), LOGIN_EV_OPERATIONAL, method_skipped, false, false},
	{S(ALGORITHM), LOGIN_EV_STAY, chap_challenged, true, false},
	{S(RESPONSE), LOGIN_EV_STAY, chap_answered, true, false},
	{S(RESPONSE), LOGIN_EV_OPERATIONAL, chap_proved, true, false},
	{S(SECURED), LOGIN_EV_STAY, stay, false, true},
	{S(SECURED), LOGIN_EV_OPERATIONAL, enter_operational, false, true},
	{S(OPERATIONAL), LOGIN_EV_STAY, stay, false, true},
	{S(OPERATIONAL), LOGIN_EV_FULL, finish, false, true},
};

enum login_step login_advance(
	struct login *l, enum login_event event, const struct login_auth *auth)
{
	static const char *const names[] = {
#define X(name) #name,
		LOGIN_STATES(X)
#undef X
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].states & 1u << l->state && rows[i].event == event &&
			(rows[i].both || rows[i].chap == wants_chap(l)))
			return rows[i].action(l, auth);
	return login_fail(
		l, PATH_RETRY, "login out of order in %s", names[l->state]);
}
