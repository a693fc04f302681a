/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario 101, of a target that sends data for a task which it says it will
 * not reassign yet (RFC 7143 7.2.2). */
#include <string.h>

#include "tests/scenario/s_many.h"

/* A Data-In of which a half comes on connection 1, after "still allegiant" for
 * its task there. */
#define HALF 4096
static struct {
	uint32_t itt;
	unsigned requests; /* TASK REASSIGNs on connection 1 */
	bool comes_back;   /* the second one is answered too */
} half;

static void send_rest(struct t_conn *c)
{
	static const uint8_t rest[HALF];

	t_conn_send_raw(c, rest, sizeof rest);
}

static enum t_verdict on_reassign(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	bool first;

	(void)arg;
	(void)data;
	(void)len;
	if (t_get(bhs, T_OPCODE) != 0x02 || t_get(bhs, T_FUNCTION) != 8)
		return T_PASS;
	first = c->cid == 1 && half.requests++ == 0;
	W.target->options.reassign_response = first ? 3 : T_AS_IT_IS;
	if (first)
		half.itt = (uint32_t)t_get(bhs, T_RTT);
	if (first || c->cid != 1)
		return T_PASS;
	if (!half.comes_back)
		return T_DROP;
	if (t_get(bhs, T_RTT) == half.itt)
		send_rest(c); /* before the answer */
	return T_PASS;
}

/* Commands take their CmdSNs in order, wherever they go. */
static struct s_command *half_command(void)
{
	uint64_t sn, first = UINT64_MAX, its = 0;
	const struct s_pdu *pdu;

	for (unsigned i = 0; (pdu = s_sent(0x01, i)); i++) {
		sn = t_get(pdu->bhs, T_CMD_SN);
		if (sn < first)
			first = sn;
		if (t_get(pdu->bhs, T_ITT) == half.itt)
			its = sn;
	}
	cr_assert_geq(its, first);
	return &W.commands[its - first];
}

/* Ends with the half on its way in; W.target->hold is still set. */
static struct t_conn *half_sent(unsigned connections, bool comes_back)
{
	static const uint8_t data[HALF];
	struct t_conn *c;
	uint8_t bhs[T_BHS_LEN];

	memset(&half, 0, sizeof half);
	half.comes_back = comes_back;
	s_many(connections);
	W.options.header_digest = W.options.data_digest = false;
	W.hooks.rx = on_reassign;
	s_up();
	s_wait_connections(connections);
	W.target->hold = true;
	for (unsigned n = 0; n < 3 * connections; n++)
		s_read(n, 65536);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, (uint16_t)connections), true);
	s_pass(100);
	cr_assert_gt(half.requests, 0);
	c = t_target_cid(W.target, 1);
	t_make(bhs, 0x25);
	t_set(bhs, T_ITT, half.itt);
	t_set(bhs, T_DATA_LEN, 2 * HALF);
	t_conn_stamp(c, bhs, false);
	t_conn_send_raw(c, bhs, sizeof bhs);
	t_conn_send_raw(c, data, sizeof data);
	s_pass(10);
	return c;
}

Test(reassign, s101_what_comes_for_a_task_that_has_moved_on)
{
	for (unsigned ends = 0; ends < 2; ends++) {
		struct t_conn *c = half_sent(3, false);
		struct s_command *moved = half_command();

		W.target->hold = !ends; /* of what moves from here on */
		s_pass(700);
		cr_assert_eq(moved->done, ends);
		memset(moved->data, 0xaa, 65536);
		send_rest(c);
		s_pass(10);
		for (unsigned i = 0; i < 65536; i++)
			cr_assert_eq(moved->data[i], 0xaa, "byte %u", i);
		cr_assert_eq(s_connections(), 3);
		t_target_release(W.target);
		s_expect_all_good(9);
		s_end_recovered();
	}
}

/* What was not stored does not count. */
Test(reassign, s101_and_for_one_that_comes_back)
{
	struct s_command *moved;

	half_sent(2, true);
	moved = half_command();
	memset(moved->data, 0xaa, 65536);
	s_pass(700);
	cr_assert_geq(half.requests, 2);
	t_target_release(W.target);
	s_expect_all_good(6);
	for (unsigned i = 0; i < 65536; i++)
		cr_assert_eq(moved->data[i], 0, "byte %u", i);
	s_end_recovered();
}
