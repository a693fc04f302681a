/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done to single PDUs. */
#include <stdlib.h>
#include <umpio/base/bytes.h>

#include "proxy.h"

static size_t data_len(const struct proxy_pdu *pdu)
{
	return get_be24(pdu->data + 5);
}

/* The middle of the data: away from the padding and from the digest. */
static void flip(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	size_t at = PROXY_BHS + (size_t)pdu->data[4] * 4 + data_len(pdu) / 2;

	if (flow->pair->full && flow->pair->header_digest)
		at += 4;
	pdu->data[at] ^= 0x10;
	proxy_flow_add(flow, pdu);
}

/* The last byte of the header: reserved, or low in a number, but no length. */
static void flip_header(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	pdu->data[PROXY_BHS - 1] ^= 0x10;
	proxy_flow_add(flow, pdu);
}

static void drop(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	(void)flow;
	free(pdu);
}

static void twice(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	struct proxy_pdu *copy = proxy_pdu_copy(pdu);

	proxy_flow_add(flow, pdu);
	if (copy)
		proxy_flow_add(flow, copy);
}

static void swap(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	flow->late = pdu;
}

static void keep(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	struct proxy_pdu **kept = &flow->pair->proxy->kept[flow->way];

	free(*kept);
	*kept = proxy_pdu_copy(pdu);
	proxy_flow_add(flow, pdu);
}

static void tear(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	pdu->len /= 2;
	flow->torn = true;
	proxy_flow_add(flow, pdu);
}

static void reset(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	free(pdu);
	proxy_pair_end(flow->pair, true);
}

static void (*const faults[])(struct proxy_flow *, struct proxy_pdu *) = {
	[PROXY_FLIP] = flip,
	[PROXY_FLIP_HEADER] = flip_header,
	[PROXY_DROP] = drop,
	[PROXY_TWICE] = twice,
	[PROXY_SWAP] = swap,
	[PROXY_KEEP] = keep,
	[PROXY_TEAR] = tear,
	[PROXY_RESET] = reset,
};

static bool rule_fits(const struct proxy_rule *rule,
	const struct proxy_flow *flow, const struct proxy_pdu *pdu)
{
	uint8_t opcode = pdu->data[0] & 0x3f;

	return rule->way == flow->way &&
	       proxy_scope_has(rule->scope, flow->pair) &&
	       (rule->opcode == PROXY_ANY || rule->opcode == opcode) &&
	       (rule->fault != PROXY_FLIP || data_len(pdu));
}

/* Counts, and says whether it is this one. A rule that is done goes. */
static bool rule_strikes(struct proxy *proxy, struct proxy_rule *rule)
{
	if (++rule->seen < rule->nth)
		return false;
	rule->seen = 0;
	proxy->faults++;
	if (!rule->every) {
		TAILQ_REMOVE(&proxy->rules, rule, link);
		free(rule);
	}
	return true;
}

void proxy_rules_apply(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	struct proxy *proxy = flow->pair->proxy;
	struct proxy_pdu *late = flow->late;
	struct proxy_rule *rule;
	enum proxy_fault fault;

	flow->late = NULL;
	TAILQ_FOREACH (rule, &proxy->rules, link) {
		fault = rule->fault;
		if (rule_fits(rule, flow, pdu) && rule_strikes(proxy, rule)) {
			faults[fault](flow, pdu);
			goto out;
		}
	}
	proxy_flow_add(flow, pdu);
out:
	if (late)
		proxy_flow_add(flow, late);
}

void proxy_rules_clear(struct proxy *proxy)
{
	struct proxy_rule *rule;

	while ((rule = TAILQ_FIRST(&proxy->rules))) {
		TAILQ_REMOVE(&proxy->rules, rule, link);
		free(rule);
	}
}
