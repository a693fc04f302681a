/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario 120: iSNS (RFC 4171) with a server of the test's own, which speaks
 * in bytes: register, query, state change notifications, entity status
 * inquiries; a server that dies and knows nobody afterwards. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/units.h>
#include <umpio/isns.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"

#define SERVER "10.9.0.1:3205"
#define ME     "iqn.2026-01.org.example:host"
#define A      "iqn.2026-01.org.example:a"

enum { REG = 1, QRY = 2, DEREG = 4, SCNREG = 5, SCN = 8, ESI = 13 };

/* One connection of the server, or of ours to the client. */
struct end {
	struct stream *stream;
	uint8_t in[4096];
	size_t len;
};

static struct {
	struct loop *loop;
	struct isns *isns;
	struct stream_listener *listener;
	struct end server, caller;
	unsigned asked[16]; /* requests by function */
	bool known;         /* our client is registered */
	bool strict;        /* who is not known gets status 6 */
	bool forgetful;     /* and who registers is not known afterwards */
	bool groups;        /* it knows portal groups */
	bool nonsense, silent, split;
	unsigned portals; /* of the target; 0: none is listed */
	uint32_t period;
	uint8_t scn_port[8];
	struct addr notify;   /* where the client listens */
	unsigned answered;    /* by the client, on `caller` */
	uint8_t answer[1024]; /* the last */
	size_t answer_len;
	/* What the client has told */
	unsigned told, errors, ntargets, nportals;
	unsigned tpgt;
	int err;
	char reason[256];
} S;

/* --- bytes -----------------------------------------------------------------
 */

static uint8_t message[4096];
static size_t length;

static void put(uint32_t tag, const void *value, size_t len)
{
	put_be32(message + length, tag);
	put_be32(message + length + 4, (uint32_t)(len + 3) & ~3u);
	memset(message + length + 8, 0, len + 3);
	memcpy(message + length + 8, value, len);
	length += 8 + ((len + 3) & ~(size_t)3);
}

static void put_number(uint32_t tag, uint32_t number)
{
	uint8_t be[4];

	put_be32(be, number);
	put(tag, be, 4);
}

static void put_ip(uint32_t tag, unsigned last)
{
	const uint8_t ip[16] = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)last};

	put(tag, ip, 16);
}

static void send_part(struct end *e, unsigned function, unsigned transaction,
	unsigned flags, const uint8_t *payload, size_t len, unsigned sequence)
{
	uint8_t head[12];
	struct iovec iov[2] = {{.iov_base = head, .iov_len = 12},
		{.iov_base = (void *)payload, .iov_len = len}};

	put_be16(head, 1);
	put_be16(head + 2, (uint16_t)function);
	put_be16(head + 4, (uint16_t)len);
	put_be16(head + 6, (uint16_t)flags);
	put_be16(head + 8, (uint16_t)transaction);
	put_be16(head + 10, (uint16_t)sequence);
	cr_assert_eq(stream_writev(e->stream, iov, 2), (ssize_t)(12 + len));
}

static void send_message(struct end *e, unsigned function, unsigned transaction)
{
	size_t half = length / 2 & ~(size_t)3;

	if (!S.split || half == 0) {
		send_part(e, function, transaction, 0x4c00, message, length, 0);
		return;
	}
	send_part(e, function, transaction, 0x4400, message, half, 0);
	send_part(e, function, transaction, 0x4800, message + half,
		length - half, 1);
}

/* --- the server ------------------------------------------------------------
 */

static void put_status(uint32_t status)
{
	put_be32(message, status);
	length = 4;
}

/* The value of the first attribute with that tag; NULL when there is none. */
static const uint8_t *value_of(const uint8_t *at, size_t len, uint32_t tag)
{
	while (len >= 8) {
		size_t n = 8 + get_be32(at + 4);

		cr_assert_leq(n, len, "an attribute that is cut off");
		if (get_be32(at) == tag)
			return at + 8;
		at += n;
		len -= n;
	}
	return NULL;
}

static void take_register(const uint8_t *at, size_t len)
{
	const uint8_t *port = value_of(at, len, 23);

	S.known = true;
	cr_assert_str_eq((const char *)value_of(at, len, 32), ME);
	if (port) {
		const uint8_t *ip = value_of(at, len, 16);
		struct endpoint to = {.port = (uint16_t)get_be32(port)};

		cr_assert(ip);
		cr_assert_eq(get_be32(value_of(at, len, 20)), to.port);
		snprintf(to.host, sizeof to.host, "%u.%u.%u.%u", ip[12], ip[13],
			ip[14], ip[15]);
		cr_assert_eq(addr_from_endpoint(&S.notify, &to), 0);
	}
	put_number(6, S.period);
}

static void take_query(const uint8_t *at, size_t len)
{
	bool list = value_of(at, len, 48) != NULL;

	put(0, "", 0);
	if (list && S.portals > 0)
		put(32, A, sizeof A);
	for (unsigned i = 1; i <= S.portals && (!list || S.groups); i++) {
		if (list)
			put(48, A, sizeof A);
		put_ip(list ? 49 : 16, i);
		put_number(list ? 50 : 17, 3260);
		if (list)
			put_number(51, 7);
	}
}

static void serve(struct end *e, unsigned function, unsigned transaction,
	const uint8_t *at, size_t len)
{
	S.asked[function]++;
	cr_assert_str_eq((const char *)value_of(at, len, 32), ME, "the source");
	if (S.silent)
		return;
	put_status(0);
	if (S.strict && !S.known && function != REG)
		put_status(6);
	else if (function == REG)
		take_register(at, len);
	else if (function == QRY)
		take_query(at, len);
	else if (function == DEREG)
		S.known = false;
	if (S.forgetful)
		S.known = false;
	if (S.nonsense)
		put_be32(message + length - 8, 0xfffffff0);
	send_message(e, function | 0x8000, transaction);
}

/* Answers of the client, on the connection that we made. */
static void note_answer(const uint8_t *at, size_t len)
{
	S.answered++;
	cr_assert_leq(len, sizeof S.answer);
	memcpy(S.answer, at, len);
	S.answer_len = len;
}

static void on_readable(void *arg)
{
	struct end *e = arg;
	struct iovec iov = {e->in + e->len, sizeof e->in - e->len};
	ssize_t n = stream_readv(e->stream, &iov, 1);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		stream_abort(e->stream);
		e->stream = NULL;
		return;
	}
	e->len += (size_t)n;
	while (e->len >= 12 && e->len >= 12u + get_be16(e->in + 4)) {
		size_t len = get_be16(e->in + 4);

		if (e == &S.caller)
			note_answer(e->in + 12, len);
		else
			serve(e, get_be16(e->in + 2), get_be16(e->in + 8),
				e->in + 12, len);
		e->len -= 12 + len;
		memmove(e->in, e->in + 12 + len, e->len);
	}
}

static const struct stream_events stream_events = {.readable = on_readable};

static void own(struct end *e, struct stream *s)
{
	if (e->stream)
		stream_abort(e->stream);
	e->stream = s;
	e->len = 0;
	stream_own(s, &stream_events, e);
	stream_want(s, true, false);
}

static void on_accepted(void *arg, struct stream *s)
{
	(void)arg;
	own(&S.server, s);
}

static void on_connected(void *arg, struct stream *s, int err)
{
	(void)arg;
	cr_assert(s, "nobody listens for notifications: %d", err);
	own(&S.caller, s);
}

static void server_up(void)
{
	struct addr at = t_addr(SERVER);
	int err;

	S.listener = stream_listen(S.loop, &at, 0, on_accepted, NULL, &err);
	cr_assert(S.listener);
}

static void server_down(void)
{
	stream_listener_free(S.listener);
	S.listener = NULL;
	S.known = false;
	if (S.server.stream)
		stream_abort(S.server.stream);
	S.server.stream = NULL;
}

/* --- the client ------------------------------------------------------------
 */

static void on_told(void *arg, int err, const struct iscsi_targets *targets,
	const char *reason)
{
	(void)arg;
	S.told++;
	S.err = err;
	if (err < 0) {
		S.errors++;
		snprintf(S.reason, sizeof S.reason, "%s", reason);
		return;
	}
	S.ntargets = targets->ntargets;
	S.nportals = targets->ntargets ? targets->targets[0].nportals : 0;
	if (S.nportals)
		S.tpgt = targets->targets[0].portals[0].tpgt;
}

static void begin(void)
{
	memset(&S, 0, sizeof S);
	S.groups = true;
	S.portals = 2;
	S.period = 600;
	S.loop = loop_new();
	server_up();
}

static void start(bool watch)
{
	const struct isns_config config = {
		.server = {.host = "10.9.0.1", .port = 3205},
		.initiator_name = ME,
		.watch = watch,
	};

	S.isns = isns_new(S.loop, &config, on_told, NULL);
	cr_assert(S.isns);
}

static void pass(uint64_t ms)
{
	t_loop_run_for(S.loop, ms * NS_PER_MS);
}

static void end(void)
{
	isns_free(S.isns);
	pass(100);
	if (S.listener)
		server_down();
	if (S.caller.stream)
		stream_abort(S.caller.stream);
	loop_free(S.loop);
}

/* The server calls the client. */
static void call(unsigned function)
{
	if (!S.caller.stream) {
		const struct stream_options options = {0};

		cr_assert(stream_connect(
			S.loop, &S.notify, &options, on_connected, NULL));
		pass(10);
	}
	length = 0;
	if (function == SCN) {
		put(32, ME, sizeof ME);
		put_number(4, 0);
		put_number(35, 4);
		put(32, A, sizeof A);
	} else {
		put_number(4, 0);
		put(1, ME, sizeof ME);
		put_ip(16, 1);
		put_number(17, 3260);
	}
	send_message(&S.caller, function, 77);
	pass(10);
}

Test(scenario, s120_asked_once)
{
	begin();
	start(false);
	pass(100);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.err, 0);
	cr_assert_eq(S.ntargets, 1);
	cr_assert_eq(S.nportals, 2);
	cr_assert_eq(S.tpgt, 7);
	cr_assert_eq(S.asked[QRY], 1);
	cr_assert_eq(S.asked[REG] + S.asked[DEREG] + S.asked[SCNREG], 0);
	/* It has hung up: a server that ends later is no matter. */
	cr_assert_null(S.server.stream);
	server_down();
	pass(1000);
	cr_assert_eq(S.told, 1);
	end();
}

Test(scenario, s120_registers_when_it_must)
{
	begin();
	S.strict = true;
	start(false);
	pass(100);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.nportals, 2);
	cr_assert_eq(S.asked[REG], 1);
	cr_assert_eq(S.asked[DEREG], 1, "and takes it back");
	cr_assert(!S.known);
	end();
}

/* Servers that do not tell each other, say. */
Test(scenario, s120_registers_in_vain)
{
	for (int watch = 0; watch < 2; watch++) {
		begin();
		S.strict = S.forgetful = true;
		start(watch);
		pass(1000);
		cr_assert_eq(S.err, -EREMOTEIO);
		cr_assert_leq(S.asked[REG], 1 + 4 * watch);
		end();
	}
}

Test(scenario, s120_no_portal_groups)
{
	begin();
	S.groups = false;
	start(false);
	pass(100);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.nportals, 2);
	cr_assert_eq(S.tpgt, 1);
	cr_assert_eq(S.asked[QRY], 2);
	end();
}

Test(scenario, s120_nothing_is_an_answer)
{
	begin();
	S.portals = 0;
	start(false);
	pass(100);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.err, 0);
	cr_assert_eq(S.ntargets, 0);
	end();
}

Test(scenario, s120_several_pdus_byte_by_byte)
{
	struct addr at = t_addr(SERVER);

	begin();
	S.split = true;
	t_wire_at(&at)->way[T_IN].chunk = 1;
	start(false);
	pass(100);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.nportals, 2, "%s", S.reason);
	end();
}

Test(scenario, s120_what_goes_wrong)
{
	begin();
	S.nonsense = true;
	start(false);
	pass(100);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.err, -EPROTO);
	cr_assert_str_eq(S.reason,
		"iSNS server 10.9.0.1:3205: its answer makes no sense");
	end();

	begin();
	S.silent = true;
	start(false);
	pass(60000);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.err, -ETIMEDOUT);
	end();

	begin();
	server_down();
	start(false);
	pass(60000);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.err, -ECONNREFUSED);
	end();
}

Test(scenario, s120_changes)
{
	begin();
	start(true);
	pass(100);
	cr_assert_eq(S.told, 1);
	cr_assert_eq(S.asked[REG], 1);
	cr_assert_eq(S.asked[SCNREG], 1);
	cr_assert_eq(S.nportals, 2);
	S.portals = 3;
	call(SCN);
	cr_assert_eq(S.answered, 1);
	cr_assert_eq(get_be32(S.answer), 0);
	cr_assert_str_eq(
		(const char *)value_of(S.answer + 4, S.answer_len - 4, 32), ME);
	pass(200);
	cr_assert_eq(S.told, 2);
	cr_assert_eq(S.nportals, 3);
	/* A burst of them is one question. */
	S.portals = 1;
	for (unsigned i = 0; i < 3; i++)
		call(SCN);
	pass(200);
	cr_assert_eq(S.told, 3);
	cr_assert_eq(S.nportals, 1);
	/* They do not put it off for ever. */
	S.portals = 2;
	for (unsigned i = 0; i < 20; i++)
		call(SCN);
	cr_assert_geq(S.told, 4);
	cr_assert_eq(S.nportals, 2);
	/* At the end it takes itself out. */
	isns_free(S.isns);
	S.isns = NULL;
	pass(100);
	cr_assert_eq(S.asked[DEREG], 1);
	cr_assert(!S.known);
	end();
}

Test(scenario, s120_status_inquiry)
{
	size_t len;

	begin();
	start(true);
	pass(100);
	call(ESI);
	len = length;
	cr_assert_eq(S.answered, 1);
	cr_assert_eq(S.answer_len, len + 4, "what was asked comes back");
	cr_assert_eq(get_be32(S.answer), 0);
	cr_assert_arr_eq(S.answer + 4, message, len);
	cr_assert_eq(S.told, 1);
	end();
}

Test(scenario, s120_server_dies)
{
	begin();
	start(true);
	pass(100);
	server_down();
	pass(2000);
	cr_assert_geq(S.errors, 1);
	server_up();
	S.portals = 3;
	pass(10000);
	cr_assert_eq(S.asked[REG], 2);
	cr_assert_eq(S.asked[SCNREG], 2);
	cr_assert_eq(S.err, 0);
	cr_assert_eq(S.nportals, 3);
	end();
}

Test(scenario, s120_forgotten_by_the_server)
{
	begin();
	S.strict = true;
	start(true);
	pass(100);
	S.known = false;
	call(SCN);
	pass(200);
	cr_assert_eq(S.asked[REG], 2);
	cr_assert(S.known);
	cr_assert_eq(S.errors, 0);
	end();
}

Test(scenario, s120_registers_again_in_time)
{
	begin();
	S.period = 60;
	start(true);
	pass(59000);
	cr_assert_eq(S.asked[REG], 2);
	cr_assert_eq(S.errors, 0);
	end();
}
