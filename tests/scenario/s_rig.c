/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scenario/s_rig.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>

#define MINUTE (60 * NS_PER_S)

struct s_world W;
static struct path_fence fence;

static void accepted(void *arg, struct stream *s)
{
	(void)arg;
	t_target_accept(W.target, s, W.options.portals[0].tpgt);
}

static void on_up(struct path *p)
{
	(void)p;
	W.ups++;
}

static void on_down(struct path *p, const struct path_down *why)
{
	(void)p;
	cr_assert_eq(W.open, 0, "down with %u commands open", W.open);
	W.downs++;
	W.down = *why;
}

static void on_leaving(struct path *p)
{
	(void)p;
	W.leavings++;
}

static const struct path_events events = {
	.up = on_up, .down = on_down, .leaving = on_leaving};

/*
 * What goes over the wire
 */
static enum t_verdict on_rx(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	struct s_pdu *pdu = &W.sent[W.nsent];
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);

	(void)arg;
	if (W.nsent < S_SENT_MAX) {
		W.nsent++;
		memcpy(pdu->bhs, bhs, T_BHS_LEN);
		pdu->len = len;
		pdu->at = loop_now(W.loop);
		if (op == 0x03 || op == 0x04) {
			pdu->text = calloc(1, len + 1);
			memcpy(pdu->text, data, len);
		}
	}
	return W.hooks.rx ? W.hooks.rx(NULL, c, bhs, data, len) : T_PASS;
}

static size_t pair_find(const char *text, size_t len, const char *key)
{
	size_t key_len = strlen(key), at = 0;

	while (at < len && (strncmp(text + at, key, key_len) != 0 ||
				   text[at + key_len] != '='))
		at += strnlen(text + at, len - at) + 1;
	return at;
}

/* Puts a pair in place of what the PDU says of that key. False when it says
 * nothing of it. */
static bool change_pair(struct t_pdu *pdu, const char *key, const char *value)
{
	size_t at = pair_find((char *)pdu->data, pdu->len, key), old = 0;
	size_t need = value ? strlen(key) + strlen(value) + 2 : 0;
	bool there = at < pdu->len;
	uint8_t *fresh = calloc(1, pdu->len + need + 1);

	if (there)
		old = strlen((char *)pdu->data + at) + 1;
	else
		at = pdu->len;
	memcpy(fresh, pdu->data, at);
	if (value)
		sprintf((char *)fresh + at, "%s=%s", key, value);
	memcpy(fresh + at + need, pdu->data + at + old, pdu->len - at - old);
	free(pdu->data);
	pdu->data = fresh;
	pdu->len = (uint32_t)(pdu->len - old + need);
	return there;
}

static void edit_apply(struct s_edit *e, struct t_pdu *pdu)
{
	for (unsigned i = 0; i < e->nfields; i++)
		t_set(pdu->bhs, e->fields[i], e->values[i]);
	if (e->has_data) {
		free(pdu->data);
		pdu->data = malloc(e->len + 1);
		memcpy(pdu->data, e->data, e->len);
		pdu->len = e->len;
	}
	pdu->break_header |= e->break_header;
	pdu->break_data |= e->break_data;
	if (e->key)
		change_pair(pdu, e->key, e->value);
}

static bool edit_fits(struct s_edit *e, const struct t_pdu *pdu)
{
	if (e->opcode != t_get(pdu->bhs, T_OPCODE) || e->seen == e->times)
		return false;
	if (e->key && e->times == UINT_MAX &&
		pair_find((char *)pdu->data, pdu->len, e->key) >= pdu->len)
		return false;
	if (e->skip > 0) {
		e->skip--;
		return false;
	}
	e->seen++;
	return true;
}

static enum t_verdict on_tx(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	enum t_verdict verdict = T_PASS;

	(void)arg;
	for (unsigned i = 0; i < W.nedits; i++) {
		if (!edit_fits(&W.edits[i], pdu))
			continue;
		edit_apply(&W.edits[i], pdu);
		if (W.edits[i].verdict != T_PASS)
			verdict = W.edits[i].verdict;
	}
	if (verdict != T_PASS)
		return verdict;
	return W.hooks.tx ? W.hooks.tx(NULL, c, pdu) : T_PASS;
}

static void on_answer(void *arg, struct t_lun_cmd *cmd)
{
	(void)arg;
	if (W.hooks.answer)
		W.hooks.answer(NULL, cmd);
}

static const struct t_hooks hooks = {
	.rx = on_rx, .tx = on_tx, .answer = on_answer};

struct s_edit *s_edit(uint8_t opcode, unsigned skip)
{
	struct s_edit *e = &W.edits[W.nedits++];

	cr_assert(W.nedits <= S_EDITS);
	*e = (struct s_edit){.opcode = opcode, .skip = skip, .times = 1};
	return e;
}

void s_set(struct s_edit *e, enum t_field field, uint64_t value)
{
	e->fields[e->nfields] = field;
	e->values[e->nfields++] = value;
}

struct s_edit *s_edit_field(
	uint8_t opcode, unsigned skip, enum t_field field, uint64_t value)
{
	struct s_edit *e = s_edit(opcode, skip);

	s_set(e, field, value);
	return e;
}

void s_set_data(struct s_edit *e, const void *data, uint32_t len)
{
	e->has_data = true;
	e->data = data;
	e->len = len;
}

void s_key(const char *key, const char *value)
{
	struct s_edit *e = s_edit(0x23, 0);

	e->times = UINT_MAX;
	e->key = key;
	e->value = value;
}

void s_key_in(unsigned skip, const char *key, const char *value)
{
	struct s_edit *e = s_edit(0x23, skip);

	e->key = key;
	e->value = value;
}

const struct s_pdu *s_sent(uint8_t opcode, unsigned nth)
{
	for (unsigned i = 0; i < W.nsent; i++)
		if (t_get(W.sent[i].bhs, T_OPCODE) == opcode && nth-- == 0)
			return &W.sent[i];
	return NULL;
}

unsigned s_count(uint8_t opcode)
{
	unsigned n = 0;

	while (s_sent(opcode, n))
		n++;
	return n;
}

bool s_says(const struct s_pdu *pdu, const char *pair)
{
	for (size_t at = 0; pdu->text && at < pdu->len;
		at += strlen(pdu->text + at) + 1)
		if (strcmp(pdu->text + at, pair) == 0)
			return true;
	return false;
}

unsigned s_said(const char *pair)
{
	unsigned n = 0;

	for (unsigned i = 0; s_sent(0x03, i); i++)
		n += s_says(s_sent(0x03, i), pair);
	return n;
}

const char *s_value(const char *key)
{
	const struct s_pdu *pdu;
	size_t at;

	for (unsigned i = 0; (pdu = s_sent(0x03, i)); i++) {
		at = pair_find(pdu->text, pdu->len, key);
		if (at < pdu->len)
			return pdu->text + at + strlen(key) + 1;
	}
	return NULL;
}

void s_init(void)
{
	memset(&W, 0, sizeof W);
	W.sent = calloc(S_SENT_MAX, sizeof *W.sent);
	t_target_options_init(&W.options);
	W.options.lun = 1ull << 48;
	W.disk.blocks = (uint64_t)S_COMMANDS * S_DATA / 512;
	iscsi_config_init(&W.config);
	W.config.initiator_name = "iqn.2026-01.org.example:scenario";
	W.config.target_name = W.options.name;
	W.config.nportals = 1;
	strcpy(W.config.portals[0].host, "127.0.0.1");
	W.config.portals[0].port = 3260;
	W.config.lun[1] = 1;
	W.config.isid[0] = 0x80;
	W.config.isid[5] = 7;
}

void s_start(void)
{
	int err;

	W.loop = loop_new();
	W.at = t_addr("127.0.0.1:3260");
	W.wire = t_wire_at(&W.at);
	W.lun = t_lun_new(&W.disk);
	W.target = t_target_new(W.loop, W.lun, &W.options);
	W.target->hooks = &hooks;
	W.listener = stream_listen(W.loop, &W.at, 0, accepted, NULL, &err);
	cr_assert(W.listener);
	W.path = iscsi_path_new(W.loop, &W.config);
	cr_assert(W.path);
	W.path->events = &events;
}

static bool settled(void *arg)
{
	const unsigned *sum = arg;

	return W.ups + W.downs > *sum;
}

bool s_try(void)
{
	unsigned sum = W.ups + W.downs, ups = W.ups;

	path_start(W.path);
	cr_assert(t_loop_run_until(W.loop, settled, &sum, MINUTE));
	return W.ups > ups;
}

void s_up(void)
{
	s_start();
	cr_assert(s_try(), "%s", W.down.reason);
}

static bool is_down(void *arg)
{
	(void)arg;
	return W.downs > 0;
}

void s_wait_down(void)
{
	cr_assert(t_loop_run_until(W.loop, is_down, NULL, MINUTE));
}

static bool is_done(void *arg)
{
	(void)arg;
	return W.open == 0;
}

void s_wait_done(void)
{
	cr_assert(t_loop_run_until(W.loop, is_done, NULL, MINUTE));
}

void s_pass(uint64_t ms)
{
	t_loop_run_for(W.loop, ms * NS_PER_MS);
}

static void finish(void)
{
	unsigned sum = W.ups + W.downs;

	/* Whatever state it is in: nothing happens, or down follows. */
	path_stop(W.path, true);
	t_loop_run_until(W.loop, settled, &sum, NS_PER_S);
	path_free(W.path);
	cr_assert_eq(buf_pool_used(loop_pool(W.loop)), 0);
	stream_listener_free(W.listener);
	t_target_free(W.target);
	t_lun_free(W.lun);
	loop_free(W.loop);
	for (unsigned i = 0; i < S_COMMANDS; i++)
		free(W.commands[i].data);
	for (unsigned i = 0; i < W.nsent; i++)
		free(W.sent[i].text);
	free(W.sent);
	W.sent = NULL;
	W.nsent = 0;
	W.target = NULL;
}

void s_end(void)
{
	cr_assert_eq(W.target->violations, 0, "%s", W.target->violation);
	finish();
}

void s_end_with_breach(void)
{
	finish();
}

static void done(struct path_cmd *cmd)
{
	struct s_command *c = cmd->arg;

	c->done++;
	cr_assert_eq(c->done, 1);
	W.open--;
}

static struct s_command *with_data(unsigned n)
{
	struct s_command *c = &W.commands[n];

	if (!c->data)
		c->data = malloc(S_DATA);
	return c;
}

struct s_command *s_command(
	unsigned n, enum path_direction direction, uint32_t len)
{
	struct s_command *c = with_data(n);

	c->done = 0;
	c->cmd.direction = (uint8_t)direction;
	c->cmd.len = len;
	c->cmd.data = c->data;
	c->cmd.done = done;
	c->cmd.arg = c;
	W.open++;
	path_submit(W.path, &c->cmd);
	cr_assert_eq(c->done, 0, "done() from within path_submit()");
	return c;
}

struct s_command *s_read(unsigned n, uint32_t len)
{
	struct s_command *c = with_data(n);

	memset(c->data, 0xee, len);
	cdb_read(c->cmd.cdb, n * (S_DATA / 512), len / 512, 0);
	return s_command(n, PATH_DATA_IN, len);
}

static uint8_t pattern(uint32_t at, uint8_t seed)
{
	return (uint8_t)(at * 7 + at / 251 + seed);
}

struct s_command *s_write(unsigned n, uint32_t len, uint8_t seed)
{
	struct s_command *c = with_data(n);

	for (uint32_t i = 0; i < len; i++)
		c->data[i] = pattern(i, seed);
	cdb_write(c->cmd.cdb, n * (S_DATA / 512), len / 512, 0);
	return s_command(n, PATH_DATA_OUT, len);
}

struct s_command *s_ready(unsigned n)
{
	cdb_test_unit_ready(W.commands[n].cmd.cdb);
	return s_command(n, PATH_NO_DATA, 0);
}

bool s_pattern_is(const struct s_command *c, uint32_t len, uint8_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		if (c->data[i] != pattern(i, seed))
			return false;
	return true;
}

void s_expect_good(const struct s_command *c)
{
	s_expect(c, PATH_DONE, 0);
	cr_assert_eq(c->cmd.result.status, 0);
	cr_assert_eq(c->cmd.result.residual, 0);
}

void s_expect(const struct s_command *c, enum path_outcome outcome, int error)
{
	const struct path_result *r = &c->cmd.result;

	cr_assert_eq(c->done, 1, "command %td is not done", c - W.commands);
	cr_assert_eq(r->outcome, outcome, "outcome %d error %d: %s", r->outcome,
		r->error, W.down.reason);
	cr_assert_eq(r->error, error, "error %d", r->error);
}

void s_expect_reason(const char *text)
{
	cr_assert(strstr(W.down.reason, text), "no \"%s\" in: %s", text,
		W.down.reason);
}

struct t_conn *s_conn(void)
{
	struct t_conn *c = t_target_conn(W.target, 0);

	cr_assert(c);
	return c;
}

static void fenced(struct path_fence *f, int err)
{
	(void)f;
	W.fences++;
	W.fence_err = err;
}

void s_fence(void)
{
	fence.done = fenced;
	path_fence(W.path, &fence);
	cr_assert_eq(W.fences, 0, "done() from within path_fence()");
}

void s_refused(const char *text)
{
	s_start();
	cr_assert(!s_try(), "it came up, not: %s", text);
	s_expect_reason(text);
	s_expect_reason("127.0.0.1:3260: ");
	cr_assert(!W.down.was_up);
	s_end_with_breach();
}

void s_breach(unsigned n, const char *text)
{
	s_wait_down();
	s_expect_reason(text);
	s_expect(&W.commands[n], PATH_UNKNOWN, -ECONNRESET);
	cr_assert(W.down.was_up);
	cr_assert_eq(W.down.cure, PATH_RETRY);
	s_end_with_breach();
}

uint32_t s_tag(unsigned nth)
{
	const struct s_pdu *pdu = s_sent(0x01, nth);

	cr_assert(pdu);
	return (uint32_t)t_get(pdu->bhs, T_ITT);
}

void s_make(uint8_t bhs[T_BHS_LEN], uint8_t opcode, unsigned n)
{
	t_make(bhs, opcode);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_ITT, s_tag(n));
	if (opcode == 0x21 || opcode == 0x22 || opcode == 0x31)
		t_set(bhs, T_TTT, 0);
}

void s_inject(uint8_t bhs[T_BHS_LEN], const void *data, uint32_t len)
{
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);
	bool status = op != 0x31 && op != 0x20 &&
		      (op != 0x25 || t_get(bhs, T_HAS_STATUS));

	if (op == 0x20 && t_get(bhs, T_ITT) != T_NO_TAG)
		status = true;
	t_conn_stamp(s_conn(), bhs, status);
	t_conn_send(s_conn(), bhs, data, len);
}
