/* SPDX-License-Identifier: BSD-2-Clause */
#include "fault.h"

#include <errno.h>
#include <umpio/base/pump.h>
#include <umpio/base/stream_fault.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "session.h"

bool faults_blackhole(const struct faults *f)
{
	return f->in.kind == PATH_FAULT_BLACKHOLE ||
	       f->out.kind == PATH_FAULT_BLACKHOLE;
}

static uint8_t spoil_bit(uint8_t kind)
{
	return kind == PATH_FAULT_CORRUPT_HEADER ? PDU_SPOIL_HEADER
	       : kind == PATH_FAULT_CORRUPT_DATA ? PDU_SPOIL_DATA
						 : 0;
}

/* One that has struck is over. */
static struct path_fault show(const struct fault_way *way, uint8_t spoil)
{
	uint8_t bit = spoil_bit(way->kind);

	if (bit && !(spoil & bit))
		return (struct path_fault){.kind = PATH_FAULT_OFF};
	return (struct path_fault){.kind = way->kind, .value = way->value};
}

void faults_show(
	const struct faults *f, struct path_fault *in, struct path_fault *out)
{
	*in = show(&f->in, f->spoil_in);
	*out = show(&f->out, f->spoil_out);
}

static struct stream_fault on_stream(const struct fault_way *way)
{
	switch (way->kind) {
	case PATH_FAULT_BLACKHOLE: return (struct stream_fault){.hold = true};
	case PATH_FAULT_DELAY:
		return (struct stream_fault){.delay = way->value};
	case PATH_FAULT_RATE: return (struct stream_fault){.rate = way->value};
	default: return (struct stream_fault){0};
	}
}

static bool is_fault(const struct stream_fault *f)
{
	return f->hold || f->delay || f->rate;
}

int conn_take_faults(struct conn *c)
{
	const struct faults *f = &c->session->faults;
	struct stream_fault in = on_stream(&f->in), out = on_stream(&f->out);
	bool any = is_fault(&in) || is_fault(&out);
	struct stream *inner;

	if (!c->faulty && (!any || c->session->visit.on))
		return 0;
	if (!c->faulty) {
		c->faulty = stream_fault_new(
			c->session->loop, pump_stream(c->pump));
		if (!c->faulty)
			return -ENOMEM;
		pump_replace(c->pump, c->faulty);
	}
	stream_fault_set(c->faulty, &in, &out);
	inner = any ? NULL : stream_fault_unwrap(c->faulty);
	if (inner) {
		c->faulty = NULL;
		pump_replace(c->pump, inner);
	}
	return 0;
}

/* Calls `act` for each connection that lives; the first failure. */
static int each_conn(struct session *s, int (*act)(struct conn *c))
{
	unsigned place = 0;
	int err = 0, one;
	struct conn *c;

	while ((c = session_next_conn(s, &place))) {
		one = conn_is_up(c) ? act(c) : 0;
		err = err ? err : one;
	}
	return err;
}

static int reset(struct conn *c)
{
	conn_fail(c, -ECONNRESET, "connection reset by an injected fault");
	return 0;
}

static bool has_digest(const struct session *s, uint8_t kind)
{
	const struct conn *c = s->managed ? leg_any(s) : s->conn;

	return c && (kind == PATH_FAULT_CORRUPT_HEADER ? c->params.header_digest
						       : c->params.data_digest);
}

static bool is_up(const struct session *s)
{
	return (s->state == SESSION_UP || s->state == SESSION_DRAINING) &&
	       !s->visit.on;
}

static void set_way(
	struct fault_way *way, uint8_t *spoil, const struct path_fault *fault)
{
	way->kind = fault->kind;
	way->value = fault->value;
	*spoil = spoil_bit(fault->kind);
}

int session_fault(struct session *s, const struct path_fault *fault)
{
	const bool corrupt = spoil_bit(fault->kind) != 0;

	if ((corrupt || fault->kind == PATH_FAULT_DROP) && !is_up(s))
		return -ENOTCONN;
	if (corrupt && !has_digest(s, fault->kind))
		return -EOPNOTSUPP;
	if (fault->kind == PATH_FAULT_DROP)
		return each_conn(s, reset);
	if (fault->in)
		set_way(&s->faults.in, &s->faults.spoil_in, fault);
	if (fault->out)
		set_way(&s->faults.out, &s->faults.spoil_out, fault);
	if (!s->visit.on)
		dial_set_blackhole(s->dial, faults_blackhole(&s->faults));
	for (unsigned i = 0; i < s->nlegs; i++)
		dial_set_blackhole(
			s->legs[i].dial, faults_blackhole(&s->faults));
	return each_conn(s, conn_take_faults);
}
