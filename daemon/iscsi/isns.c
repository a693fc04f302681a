/* SPDX-License-Identifier: BSD-2-Clause */
#include "isns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>

#include "dial.h"
#include "isns_answer.h"
#include "isns_link.h"
#include "targets.h"

#define DIAL_TIMEOUT   (5 * NS_PER_S)
#define ANSWER_TIMEOUT (10 * NS_PER_S)
#define RETRY_FIRST    (1 * NS_PER_S)
#define RETRY_MOST     (30 * NS_PER_S)
#define SETTLE         (50 * NS_PER_MS) /* changes come in bursts */
#define RENEW_LEAST    5u               /* s between registrations */
#define RENEW_DEFAULT  300u             /* s, when the server names no period */
#define ESI_INTERVAL   60u              /* s that we ask for */
#define REQUEST_MAX    2048             /* bytes: a few names and numbers */
#define REASON_MAX     (DIAL_WHY_MAX + 80)

/* The request under way. */
enum request { REGISTER, SUBSCRIBE, LIST, PORTALS, DEREGISTER, NOTHING };

struct isns {
	struct loop *loop;
	struct isns_config config;
	char name[ISCSI_NAME_MAX + 1];
	char *interface;
	isns_fn *told;
	void *arg;
	struct dial *dial;
	struct isns_link *link;
	struct isns_listen *listen;
	enum request request;
	uint16_t transaction;
	bool registered;          /* the server has said so on this link */
	bool forgotten;           /* it has said so since it last told a list */
	bool changed;             /* since the last LIST was sent */
	struct loop_timer *timer; /* for the answer; to ask again; to dial */
	struct loop_timer *renew;
	uint64_t retry;
	struct targets targets;
	unsigned at; /* the target whose portals are asked for */
	struct loop_task tell;
	int err;
	uint32_t refusal; /* with -EREMOTEIO */
	char reason[REASON_MAX];
};

static void request(struct isns *n, enum request what);

/* --- requests: source, key, delimiter, attributes (RFC 4171 5.6.1) ---------
 */

static void put_entity(struct isns *n, struct isns_out *o)
{
	/* Named as we are: the daemons of one host share the entity, and each
	 * adds its portal. */
	isns_put_text(o, ISNS_ENTITY_ID, n->name);
}

static void put_register(struct isns *n, struct isns_out *o)
{
	uint16_t port;

	put_entity(n, o);
	isns_put_empty(o, ISNS_DELIMITER);
	put_entity(n, o);
	isns_put_u32(o, ISNS_ENTITY_PROTOCOL, ISNS_PROTOCOL_ISCSI);
	if (n->listen && isns_put_addr(o, ISNS_PORTAL_IP,
				 isns_listen_addr(n->listen), &port) == 0) {
		isns_put_u32(o, ISNS_PORTAL_PORT, port);
		isns_put_u32(o, ISNS_ESI_INTERVAL, ESI_INTERVAL);
		isns_put_u32(o, ISNS_ESI_PORT, port);
		isns_put_u32(o, ISNS_SCN_PORT, port);
	}
	isns_put_text(o, ISNS_NAME, n->name);
	isns_put_u32(o, ISNS_NODE_TYPE, ISNS_NODE_INITIATOR);
}

static void put_subscribe(struct isns *n, struct isns_out *o)
{
	isns_put_text(o, ISNS_NAME, n->name);
	isns_put_empty(o, ISNS_DELIMITER);
	isns_put_u32(o, ISNS_SCN_BITMAP, ISNS_SCN_WANTED);
}

static void put_list(struct isns *n, struct isns_out *o)
{
	static const enum isns_tag wanted[] = {
		ISNS_NAME, ISNS_PG_NAME, ISNS_PG_IP, ISNS_PG_PORT, ISNS_PG_TAG};

	(void)n;
	isns_put_u32(o, ISNS_NODE_TYPE, ISNS_NODE_TARGET);
	isns_put_empty(o, ISNS_DELIMITER);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		isns_put_empty(o, wanted[i]);
}

static void put_portals(struct isns *n, struct isns_out *o)
{
	isns_put_text(o, ISNS_NAME, n->targets.list.targets[n->at].name);
	isns_put_empty(o, ISNS_DELIMITER);
	isns_put_empty(o, ISNS_PORTAL_IP);
	isns_put_empty(o, ISNS_PORTAL_PORT);
}

static void put_deregister(struct isns *n, struct isns_out *o)
{
	isns_put_empty(o, ISNS_DELIMITER);
	put_entity(n, o);
}

/* --- answers: 0 or -errno; what comes next is requested from here ----------
 */

static void tell(struct isns *n, int err)
{
	n->err = err;
	loop_post(n->loop, &n->tell);
}

/* The list is whole. */
static void listed(struct isns *n)
{
	n->forgotten = false;
	if (n->config.watch)
		n->retry = RETRY_FIRST;
	if (!n->config.watch && n->registered) {
		request(n, DEREGISTER);
		return;
	}
	n->request = NOTHING;
	tell(n, 0);
	if (n->config.watch && n->changed)
		loop_timer_set(n->timer, SETTLE);
}

/* Targets of which no portal group was reported are asked about singly. */
static void list_portals(struct isns *n)
{
	while (n->at < n->targets.list.ntargets &&
		n->targets.list.targets[n->at].nportals > 0)
		n->at++;
	if (n->at < n->targets.list.ntargets)
		request(n, PORTALS);
	else
		listed(n);
}

static int take_registered(struct isns *n, struct cursor c)
{
	uint32_t period;

	if (isns_answer_period(c, &period) < 0)
		return -EPROTO;
	n->registered = true;
	if (!n->config.watch) {
		request(n, LIST);
		return 0;
	}
	period = period == 0 ? RENEW_DEFAULT : period / 2;
	loop_timer_set(n->renew,
		(period < RENEW_LEAST ? RENEW_LEAST : period) * NS_PER_S);
	request(n, SUBSCRIBE);
	return 0;
}

static int take_subscribed(struct isns *n, struct cursor c)
{
	(void)c;
	request(n, LIST);
	return 0;
}

static int take_list(struct isns *n, struct cursor c)
{
	int err = isns_answer_targets(c, &n->targets);

	if (err < 0)
		return err;
	/* Some servers show nothing to those that they do not know. */
	if (n->targets.list.ntargets == 0 && !n->registered) {
		request(n, REGISTER);
		return 0;
	}
	n->at = 0;
	list_portals(n);
	return 0;
}

static int take_portals(struct isns *n, struct cursor c)
{
	int err = isns_answer_portals(
		c, &n->targets, &n->targets.list.targets[n->at]);

	if (err < 0)
		return err;
	n->at++;
	list_portals(n);
	return 0;
}

static int take_deregistered(struct isns *n, struct cursor c)
{
	(void)c;
	n->registered = false;
	listed(n);
	return 0;
}

static const struct {
	uint16_t function;
	void (*put)(struct isns *n, struct isns_out *o);
	int (*take)(struct isns *n, struct cursor c);
} requests[] = {
	[REGISTER] = {ISNS_DEV_ATTR_REG, put_register, take_registered},
	[SUBSCRIBE] = {ISNS_SCN_REG, put_subscribe, take_subscribed},
	[LIST] = {ISNS_DEV_ATTR_QRY, put_list, take_list},
	[PORTALS] = {ISNS_DEV_ATTR_QRY, put_portals, take_portals},
	[DEREGISTER] = {ISNS_DEV_DEREG, put_deregister, take_deregistered},
};

/* --- the link --------------------------------------------------------------
 */

/* Nobody waits for an answer any more, and nothing stands on the link. */
static void hang_up(struct isns *n)
{
	dial_cancel(n->dial);
	n->dial = NULL;
	isns_link_free(n->link);
	n->link = NULL;
	isns_listen_free(n->listen);
	n->listen = NULL;
	n->request = NOTHING;
	n->registered = n->forgotten = false;
	loop_timer_stop(n->renew);
	loop_timer_stop(n->timer);
}

/* Ends the attempt for `reason`; not from within the link's message(). */
static void give_up(struct isns *n, int err)
{
	bool over = !n->config.watch && n->tell.queued;

	hang_up(n);
	if (over)
		return; /* the list is whole: what ends now is no matter */
	tell(n, err);
	if (!n->config.watch)
		return;
	loop_timer_set(n->timer, n->retry);
	n->retry = n->retry * 2 < RETRY_MOST ? n->retry * 2 : RETRY_MOST;
}

static void failed(struct isns *n, int err, const char *what)
{
	char server[ENDPOINT_TEXT_MAX];

	snprintf(n->reason, sizeof n->reason, "iSNS server %s: %s",
		endpoint_text(&n->config.server, server), what);
	give_up(n, err);
}

static int send_request(struct isns *n, enum request what)
{
	uint8_t data[REQUEST_MAX];
	struct isns_out out = {.data = data, .cap = sizeof data};

	isns_put_text(&out, ISNS_NAME, n->name);
	requests[what].put(n, &out);
	return isns_link_send(
		n->link, requests[what].function, ++n->transaction, 0, &out);
}

static void request(struct isns *n, enum request what)
{
	n->request = what;
	if (what == LIST) {
		n->changed = false;
		targets_fini(&n->targets);
	}
	/* One request at a time fits; should it not, no answer comes. */
	(void)send_request(n, what);
	loop_timer_set(n->timer, ANSWER_TIMEOUT);
}

/* RFC 4171 5.6.5: who is not known has to register. */
static bool wants_registration(const struct isns *n, uint32_t status)
{
	return n->request != REGISTER && n->request != DEREGISTER &&
	       (status == ISNS_SOURCE_UNKNOWN || status == ISNS_SOURCE_ABSENT ||
		       (status == ISNS_SOURCE_UNAUTHORIZED && !n->registered));
}

static int on_message(void *arg, const struct isns_header *h,
	const uint8_t *payload, size_t len)
{
	struct isns *n = arg;
	struct cursor c = cursor_over(payload, len);
	uint32_t status = cursor_be32(&c);

	if (n->request == NOTHING || h->transaction != n->transaction ||
		h->function !=
			(requests[n->request].function | ISNS_RESPONSE) ||
		c.bad)
		return -EPROTO;
	loop_timer_stop(n->timer);
	if (wants_registration(n, status) && !n->forgotten) {
		n->forgotten = true;
		request(n, REGISTER);
		return 0;
	}
	/* Nothing found is an answer, and some servers say it so. */
	if (status == ISNS_NO_SUCH_ENTRY &&
		(n->request == LIST || n->request == PORTALS))
		c = cursor_over(payload, 0);
	else if (status != ISNS_OK && n->request != DEREGISTER) {
		n->refusal = status;
		return -EREMOTEIO;
	}
	return requests[n->request].take(n, c);
}

static void on_closed(void *arg, int err)
{
	struct isns *n = arg;

	if (err == 0)
		failed(n, -ECONNRESET, "it closed the connection");
	else if (err == -EREMOTEIO)
		failed(n, err, isns_status_name(n->refusal));
	else if (err == -EPROTO)
		failed(n, err, "its answer makes no sense");
	else if (err == -ENOSPC)
		failed(n, err, "it lists too many targets or portals");
	else
		failed(n, err, strerror(-err));
}

static const struct isns_link_events link_events = {
	.message = on_message, .closed = on_closed};

/* The server notifies us of a change. Those that follow put off nothing. */
static void on_changed(void *arg)
{
	struct isns *n = arg;

	n->changed = true;
	if (n->link && n->request == NOTHING && !loop_timer_is_set(n->timer))
		loop_timer_set(n->timer, SETTLE);
}

static void on_dialled(
	void *arg, struct stream *s, unsigned portal, const char *why)
{
	struct isns *n = arg;
	struct addr local;

	(void)portal;
	n->dial = NULL;
	if (!s) {
		snprintf(n->reason, sizeof n->reason, "iSNS server %s", why);
		give_up(n, -ECONNREFUSED);
		return;
	}
	local = s->local;
	n->link = isns_link_new(n->loop, s, &link_events, n);
	if (n->link && n->config.watch)
		n->listen = isns_listen_new(
			n->loop, &local, n->name, on_changed, n);
	if (!n->link || (n->config.watch && !n->listen))
		failed(n, -ENOMEM, "no port to be notified at");
	else
		request(n, n->config.watch ? REGISTER : LIST);
}

static void dial(struct isns *n)
{
	struct dial_plan plan = {
		.portals = {n->config.server},
		.nportals = 1,
		.interface = n->interface,
		.timeout = DIAL_TIMEOUT,
	};

	n->dial = dial_new(n->loop, &plan, on_dialled, n);
	if (!n->dial)
		failed(n, -ENOMEM, "out of memory");
}

static void on_timer(void *arg)
{
	struct isns *n = arg;

	if (!n->link)
		dial(n);
	else if (n->request == NOTHING)
		request(n, LIST);
	else
		failed(n, -ETIMEDOUT, "no answer");
}

static void on_renew(void *arg)
{
	struct isns *n = arg;

	if (n->request == NOTHING)
		request(n, REGISTER);
	else
		loop_timer_set(n->renew, NS_PER_S);
}

static void on_tell(void *arg)
{
	struct isns *n = arg;

	if (!n->config.watch)
		hang_up(n);
	if (n->err < 0)
		n->told(n->arg, n->err, NULL, n->reason);
	else if (n->request == NOTHING) /* else a newer list is coming */
		n->told(n->arg, 0, &n->targets.list, NULL);
}

static void isns_dispose(struct isns *n)
{
	loop_unpost(n->loop, &n->tell);
	loop_timer_free(n->timer);
	loop_timer_free(n->renew);
	targets_fini(&n->targets);
	free(n->interface);
	free(n);
}

struct isns *isns_new(struct loop *loop, const struct isns_config *config,
	isns_fn *told, void *arg)
{
	struct isns *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	n->loop = loop;
	n->config = *config;
	n->told = told;
	n->arg = arg;
	n->request = NOTHING;
	n->retry = RETRY_FIRST;
	snprintf(n->name, sizeof n->name, "%s", config->initiator_name);
	n->interface = config->interface ? strdup(config->interface) : NULL;
	n->timer = loop_timer_new(loop, on_timer, n);
	n->renew = loop_timer_new(loop, on_renew, n);
	loop_task_init(&n->tell, on_tell, n);
	if (!n->timer || !n->renew || (config->interface && !n->interface)) {
		isns_dispose(n);
		return NULL;
	}
	dial(n);
	return n;
}

void isns_again(struct isns *n)
{
	on_changed(n);
}

void isns_free(struct isns *n)
{
	if (!n)
		return;
	if (n->registered && send_request(n, DEREGISTER) == 0) {
		isns_link_close(n->link);
		n->link = NULL;
	}
	hang_up(n);
	isns_dispose(n);
}
