/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum function {
	FN_MIN,
	FN_MAX,
	FN_AND,
	FN_OR,
	FN_LIST,
	FN_LIMIT,
	FN_DECLARE,
	FN_OURS,
	FN_MARKER,
};

enum scope { SC_S, SC_N, SC_C, SC_A, SC_D, SC_L };

struct key {
	const char *name;
	enum function function;
	uint64_t initial, min, max;
	enum scope scope;
	const char *words;
};

static const struct key table[KEY_COUNT] = {
#define X(ID, name, fn, initial, min, max, scope, words)                       \
	[KEY_##ID] = {name, FN_##fn, initial, min, max, SC_##scope, words},
#include <umpio/tbl/iscsi_keys.h>
#undef X
};

/* One pair under way: what the handlers of functions need. */
struct take {
	struct keys *k;
	enum key_id id;
	const struct key *key;
	struct key_state *state;
	const char *value;
	struct text_out *out;
	char *why;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static int fail(
	const struct take *t, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(t->why, t->size, fmt, args);
	va_end(args);
	return err;
}

static bool negotiable(const struct key *key)
{
	return key->function <= FN_LIST;
}

/* The words of a list that we accept, in order of preference. */
static const char *our_words(const struct keys *k, enum key_id id)
{
	static const char *const digest[] = {
		[ISCSI_DIGEST_PREFER] = "CRC32C,None",
		[ISCSI_DIGEST_CRC32C] = "CRC32C",
		[ISCSI_DIGEST_NONE] = "None",
	};

	if (id == KEY_HEADER_DIGEST)
		return digest[k->offer.header_digest];
	if (id == KEY_DATA_DIGEST)
		return digest[k->offer.data_digest];
	return "FastAbort,ResponseFence,RFC3720";
}

/* What the two values come to; also what a key comes to that stays at its
 * default although we want something else. */
static uint64_t combine(const struct key *key, uint64_t a, uint64_t b)
{
	switch (key->function) {
	case FN_MIN:
	case FN_AND: return a < b ? a : b;
	case FN_MAX:
	case FN_OR: return a > b ? a : b;
	default: return a;
	}
}

static void put_value(struct text_out *out, const struct key *key, uint64_t v)
{
	if (key->function == FN_AND || key->function == FN_OR)
		text_put_bool(out, key->name, v);
	else
		text_put_number(out, key->name, v);
}

/* Whether the key may be spoken of in this phase at all. */
static bool in_phase(const struct keys *k, const struct key *key)
{
	switch (key->scope) {
	case SC_S:
	case SC_N:
		return k->phase == KEYS_LEADING || k->phase == KEYS_DISCOVERY;
	case SC_C:
	case SC_L: return k->phase != KEYS_RENEGOTIATE;
	default: return true;
	}
}

static bool irrelevant(const struct keys *k, const struct key *key)
{
	return k->phase == KEYS_DISCOVERY && key->scope == SC_N;
}

void keys_init(
	struct keys *k, enum keys_phase phase, const struct iscsi_offer *offer)
{
	const uint64_t mine[KEY_COUNT] = {
		[KEY_MAX_RECV_DATA] = offer->max_recv_data_segment_length,
		[KEY_INITIAL_R2T] = offer->initial_r2t,
		[KEY_IMMEDIATE_DATA] = offer->immediate_data,
		[KEY_MAX_BURST] = offer->max_burst_length,
		[KEY_FIRST_BURST] =
			offer->first_burst_length < offer->max_burst_length
				? offer->first_burst_length
				: offer->max_burst_length,
		[KEY_MAX_OUTSTANDING_R2T] = offer->max_outstanding_r2t,
		[KEY_DATA_PDU_IN_ORDER] = true,
		[KEY_DATA_SEQUENCE_IN_ORDER] = true,
		[KEY_ERROR_RECOVERY_LEVEL] =
			phase == KEYS_DISCOVERY ? 0
						: offer->error_recovery_level,
		[KEY_MAX_CONNECTIONS] = offer->max_connections,
		[KEY_TIME2WAIT] = offer->default_time2wait,
		[KEY_TIME2RETAIN] = offer->default_time2retain,
		[KEY_PROTOCOL_LEVEL] = 2,
	};
	unsigned id;

	*k = (struct keys){.phase = phase, .offer = *offer};
	for (id = 0; id < KEY_COUNT; id++) {
		k->key[id].mine = mine[id];
		k->key[id].active = table[id].initial;
	}
}

void keys_offer(struct keys *k, struct text_out *out)
{
	unsigned id;

	for (id = 0; id < KEY_COUNT; id++) {
		const struct key *key = &table[id];
		struct key_state *state = &k->key[id];
		size_t before = out->len;

		if (!(negotiable(key) || key->function == FN_LIMIT) ||
			!in_phase(k, key) || irrelevant(k, key) ||
			state->offered)
			continue;
		if (negotiable(key) && state->theirs)
			continue;
		if (key->function == FN_LIST)
			text_put(out, key->name, our_words(k, id));
		else
			put_value(out, key, state->mine);
		state->offered = out->len > before;
	}
}

static bool reserved_word(const char *value)
{
	return strcmp(value, "NotUnderstood") == 0 ||
	       strcmp(value, "Irrelevant") == 0 || strcmp(value, "Reject") == 0;
}

/* Where `word` stands in `words`; -1 when it does not. */
static int word_index(const char *words, const char *word)
{
	size_t len = strlen(word), item;
	int index;

	for (index = 0;; index++, words += item + 1) {
		item = strcspn(words, ",");
		if (item == len && memcmp(words, word, len) == 0)
			return index;
		if (words[item] == '\0')
			return -1;
	}
}

/* A number or boolean in its range. 0 or -EINVAL. */
static int parse_value(const struct key *key, const char *value, uint64_t *v)
{
	bool yes;

	if (key->function == FN_AND || key->function == FN_OR) {
		if (text_bool(value, &yes) < 0)
			return -EINVAL;
		*v = yes;
		return 0;
	}
	if (text_number(value, v) < 0 || *v < key->min || *v > key->max)
		return -EINVAL;
	return 0;
}

static int conclude_list(struct take *t)
{
	const char *ours = our_words(t->k, t->id);
	int index = word_index(t->key->words, t->value);

	if (index >= 0 && text_list_has(ours, t->value)) {
		t->state->active = (unsigned)index;
		return 0;
	}
	if (strcmp(t->value, "None") == 0)
		return fail(t, -ENOTSUP,
			"target does not do %s=%s, which is required",
			t->key->name, ours);
	return fail(t, -EPROTO, "target answers %s=%.64s to an offer of %s",
		t->key->name, t->value, ours);
}

/* The target's answer to our offer (RFC 7143 6.2.1, 6.2.2). */
static int conclude(struct take *t)
{
	struct key_state *state = t->state;
	uint64_t his;

	state->answered = true;
	if (reserved_word(t->value)) {
		state->active = combine(t->key, t->key->initial, state->mine);
		return 0;
	}
	if (t->key->function == FN_LIST)
		return conclude_list(t);
	if (parse_value(t->key, t->value, &his) < 0)
		return fail(t, -EPROTO,
			"target answers %s=%.64s: no such value", t->key->name,
			t->value);
	if (combine(t->key, his, state->mine) != his)
		return fail(t, -EPROTO,
			"target answers %s=%.64s, which our offer rules out",
			t->key->name, t->value);
	state->active = his;
	return 0;
}

static int answer_list(struct take *t)
{
	char word[TEXT_VALUE_MAX + 1];

	if (text_list_choose(
		    t->value, our_words(t->k, t->id), word, sizeof word)) {
		t->state->active = (unsigned)word_index(t->key->words, word);
		text_put(t->out, t->key->name, word);
	} else {
		text_put(t->out, t->key->name, "Reject");
	}
	return 0;
}

/* A proposal of the target. What we cannot take stays at the default. */
static int answer(struct take *t)
{
	struct key_state *state = t->state;
	uint64_t his;

	if (reserved_word(t->value))
		return fail(t, -EPROTO,
			"target answers %s, which we did not "
			"send",
			t->key->name);
	state->theirs = true;
	if (irrelevant(t->k, t->key)) {
		text_put(t->out, t->key->name, "Irrelevant");
		return 0;
	}
	if (t->key->function == FN_LIST)
		return answer_list(t);
	if (parse_value(t->key, t->value, &his) < 0) {
		state->active = combine(t->key, t->key->initial, state->mine);
		text_put(t->out, t->key->name, "Reject");
		return 0;
	}
	state->active = combine(t->key, his, state->mine);
	put_value(t->out, t->key, state->active);
	return 0;
}

static int take_negotiated(struct take *t)
{
	if (t->state->answered || t->state->theirs)
		return fail(
			t, -EPROTO, "target negotiates %s twice", t->key->name);
	return t->state->offered ? conclude(t) : answer(t);
}

static int take_limit(struct take *t)
{
	if (t->state->theirs)
		return fail(
			t, -EPROTO, "target declares %s twice", t->key->name);
	t->state->theirs = true;
	if (reserved_word(t->value))
		return 0;
	if (parse_value(t->key, t->value, &t->state->active) < 0) {
		t->state->active = t->key->initial;
		return fail(t, -EPROTO,
			"target declares %s=%.64s: out of range", t->key->name,
			t->value);
	}
	return 0;
}

static int take_tag(struct take *t)
{
	uint64_t tag;

	if (text_number(t->value, &tag) < 0 || tag > t->key->max)
		return fail(t, -EPROTO,
			"target declares %s=%.64s: out of range", t->key->name,
			t->value);
	t->k->tpgt = (uint16_t)tag;
	t->k->has_tpgt = true;
	return 0;
}

static int take_declared(struct take *t)
{
	size_t len = strlen(t->value);

	if (t->state->theirs)
		return fail(
			t, -EPROTO, "target declares %s twice", t->key->name);
	t->state->theirs = true;
	if (len > TEXT_VALUE_MAX)
		return fail(t, -EPROTO, "target declares %s of %zu bytes",
			t->key->name, len);
	if (t->id == KEY_TARGET_PORTAL_GROUP_TAG)
		return take_tag(t);
	if (t->id == KEY_TARGET_ALIAS)
		memcpy(t->k->target_alias, t->value, len + 1);
	if (t->id == KEY_TARGET_ADDRESS)
		memcpy(t->k->target_address, t->value, len + 1);
	return 0;
}

/* A declaration of ours needs no answer, but some targets give one. */
static int take_ours(struct take *t)
{
	if (reserved_word(t->value))
		return 0;
	return fail(t, -EPROTO, "target sends %s, which is the initiator's",
		t->key->name);
}

/* Markers are obsolete: RFC 7143 13.25 has them rejected. */
static int take_marker(struct take *t)
{
	if (t->state->theirs)
		return fail(
			t, -EPROTO, "target negotiates %s twice", t->key->name);
	t->state->theirs = true;
	if (!reserved_word(t->value))
		text_put(t->out, t->key->name, "Reject");
	return 0;
}

static int take_known(struct take *t)
{
	static int (*const handlers[])(struct take *) = {
		[FN_MIN] = take_negotiated,
		[FN_MAX] = take_negotiated,
		[FN_AND] = take_negotiated,
		[FN_OR] = take_negotiated,
		[FN_LIST] = take_negotiated,
		[FN_LIMIT] = take_limit,
		[FN_DECLARE] = take_declared,
		[FN_OURS] = take_ours,
		[FN_MARKER] = take_marker,
	};

	t->key = &table[t->id];
	t->state = &t->k->key[t->id];
	if (!in_phase(t->k, t->key))
		return fail(t, -EPROTO,
			"target sends %s, which has no place "
			"%s",
			t->key->name,
			t->k->phase == KEYS_RENEGOTIATE
				? "after login"
				: "in a further connection's login");
	return handlers[t->key->function](t);
}

int keys_take(struct keys *k, const char *name, const char *value,
	struct text_out *out, char *why, size_t size)
{
	struct take t = {
		.k = k, .value = value, .out = out, .why = why, .size = size};
	int err = 0;

	if (strcmp(name, "AuthMethod") == 0 || strncmp(name, "CHAP_", 5) == 0)
		return KEYS_SECURITY;
	while (t.id < KEY_COUNT && strcmp(table[t.id].name, name) != 0)
		t.id++;
	if (t.id < KEY_COUNT)
		err = take_known(&t);
	else if (!reserved_word(value))
		text_put(out, name, "NotUnderstood");
	if (!err && out->full)
		err = fail(
			&t, -EPROTO, "target sends more keys than we answer");
	return err;
}

bool keys_settled(const struct keys *k)
{
	unsigned id;

	for (id = 0; id < KEY_COUNT; id++)
		if (negotiable(&table[id]) && k->key[id].offered &&
			!k->key[id].answered)
			return false;
	return true;
}

static uint64_t result(const struct keys *k, enum key_id id)
{
	const struct key_state *state = &k->key[id];

	if (state->offered && !state->answered)
		return combine(&table[id], state->active, state->mine);
	return state->active;
}

static uint32_t result32(const struct keys *k, enum key_id id)
{
	return (uint32_t)result(k, id);
}

static void session_params_fill(struct session_params *s, const struct keys *k)
{
	*s = (struct session_params){
		.initial_r2t = result(k, KEY_INITIAL_R2T),
		.immediate_data = result(k, KEY_IMMEDIATE_DATA),
		.data_pdu_in_order = result(k, KEY_DATA_PDU_IN_ORDER),
		.data_sequence_in_order = result(k, KEY_DATA_SEQUENCE_IN_ORDER),
		.first_burst_length = result32(k, KEY_FIRST_BURST),
		.max_burst_length = result32(k, KEY_MAX_BURST),
		.max_outstanding_r2t = result32(k, KEY_MAX_OUTSTANDING_R2T),
		.max_connections = result32(k, KEY_MAX_CONNECTIONS),
		.error_recovery_level = result32(k, KEY_ERROR_RECOVERY_LEVEL),
		.default_time2wait = result32(k, KEY_TIME2WAIT),
		.default_time2retain = result32(k, KEY_TIME2RETAIN),
		.protocol_level = result32(k, KEY_PROTOCOL_LEVEL),
		.task_reporting =
			(enum task_reporting)result(k, KEY_TASK_REPORTING),
	};
}

/* FirstBurstLength must not exceed MaxBurstLength (13.14). Where it is only a
 * default, or not used at all, it follows. */
static int check_bursts(
	const struct keys *k, struct session_params *s, char *why, size_t size)
{
	const struct key_state *first = &k->key[KEY_FIRST_BURST];
	bool used = !s->initial_r2t || s->immediate_data;

	if (s->first_burst_length <= s->max_burst_length)
		return 0;
	if (used && (first->answered || first->theirs)) {
		snprintf(why, size,
			"FirstBurstLength %u is above MaxBurstLength %u",
			s->first_burst_length, s->max_burst_length);
		return -EPROTO;
	}
	s->first_burst_length = s->max_burst_length;
	return 0;
}

static int check_digest(const struct keys *k, enum key_id id,
	enum iscsi_digest want, char *why, size_t size)
{
	if (want != ISCSI_DIGEST_CRC32C || result(k, id) != 0)
		return 0;
	snprintf(why, size, "target does not do %s=CRC32C, which is required",
		table[id].name);
	return -ENOTSUP;
}

int keys_finish(const struct keys *k, struct session_params *session,
	struct conn_params *conn, char *why, size_t size)
{
	const struct key_state *limit = &k->key[KEY_MAX_RECV_DATA];
	int err;

	if (k->phase == KEYS_RENEGOTIATE) {
		if (limit->theirs)
			conn->max_send_data = (uint32_t)limit->active;
		return 0;
	}
	err = check_digest(
		k, KEY_HEADER_DIGEST, k->offer.header_digest, why, size);
	if (!err)
		err = check_digest(
			k, KEY_DATA_DIGEST, k->offer.data_digest, why, size);
	if (err)
		return err;
	conn->header_digest = result(k, KEY_HEADER_DIGEST) != 0;
	conn->data_digest = result(k, KEY_DATA_DIGEST) != 0;
	conn->max_send_data = (uint32_t)limit->active;
	conn->max_recv_data =
		(uint32_t)(limit->offered ? limit->mine
					  : table[KEY_MAX_RECV_DATA].initial);
	if (!session || k->phase == KEYS_JOINING)
		return 0;
	session_params_fill(session, k);
	return check_bursts(k, session, why, size);
}

void session_params_init(struct session_params *session)
{
	struct keys k;

	keys_init(&k, KEYS_LEADING, &(struct iscsi_offer){0});
	session_params_fill(session, &k);
}

void conn_params_init(struct conn_params *conn)
{
	*conn = (struct conn_params){
		.max_recv_data = (uint32_t)table[KEY_MAX_RECV_DATA].initial,
		.max_send_data = (uint32_t)table[KEY_MAX_RECV_DATA].initial,
	};
}
