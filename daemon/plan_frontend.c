/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/addr.h>

#include "activation.h"

/* A copy of a list of texts, NULL at the end; NULL without memory. */
static char **list_copy(char *const *list)
{
	size_t n = 0;
	char **copy;

	while (list[n])
		n++;
	copy = calloc(n + 1, sizeof *copy);
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = strdup(list[i]);
	return copy;
}

static void list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static bool list_equal(char *const *a, char *const *b)
{
	while (*a && *b && strcmp(*a, *b) == 0) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static int nbd_addr(const struct plan_nbd *nbd, struct addr *at)
{
	struct endpoint tcp = nbd->address.tcp;

	if (nbd->address.is_unix)
		return addr_from_unix(at, nbd->address.path);
	if (strcmp(tcp.host, "localhost") == 0)
		snprintf(tcp.host, sizeof tcp.host, "127.0.0.1");
	return addr_from_endpoint(at, &tcp);
}

static int add_nbd(
	struct plan *plan, const char *text, int fd, char *why, size_t why_size)
{
	struct plan_nbd *nbd = &plan->nbd[plan->nnbd];

	nbd->fd = fd;
	if (nbd_address_parse(&nbd->address, text, why, why_size) < 0)
		return -EINVAL;
	if (nbd_addr(nbd, &nbd->at) < 0)
		nbd->at.len = 0;
	nbd->text = strdup(text);
	if (!nbd->text)
		return -ENOMEM;
	plan->nnbd++;
	return 0;
}

/* A socket that is called as another device is that one's. */
static bool is_ours(const struct activated *a, const struct plan *plan,
	const struct settings *settings)
{
	return strcmp(a->name, plan->name) == 0 ||
	       !settings_find(settings, SETTING_DEVICE, a->name);
}

/* The sockets of the service manager: in the place of our own where the
 * addresses agree, and beside them. */
static int add_activated(struct plan *plan, const struct settings *settings,
	char *why, size_t why_size)
{
	unsigned configured = plan->nnbd;

	for (unsigned n = 0; n < activation_count(); n++) {
		const struct activated *a = activation_get(n);
		unsigned i = 0;
		int err;

		/* Each that is counted has a text: add_nbd().
		 * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
		while (i < configured && strcmp(plan->nbd[i].text, a->text))
			i++;
		if (i < configured) {
			plan->nbd[i].fd = a->fd;
		} else if (is_ours(a, plan, settings)) {
			err = add_nbd(plan, a->text, a->fd, why, why_size);
			if (err)
				return err;
		}
	}
	return 0;
}

static int copy_text(char **to, const struct settings *settings,
	const struct section *device, enum setting id)
{
	const char *text = settings_text(settings, device, id);

	if (!text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

/* Keys that say nothing without another one are mistakes: who sets them thinks
 * that they protect something. */
static int check_tls(
	const struct plan *plan, const char **key, char *why, size_t why_size)
{
	const struct plan_tls *tls = &plan->tls;
	const struct {
		bool wrong;
		const char *key, *why;
	} rules[] = {
		{tls->required && !tls->certificates && !tls->psk_file, "tls",
			"`required` needs tls-certificates or tls-psk-file"},
		{!tls->required && (tls->certificates || tls->psk_file), "tls",
			"missing: `required` beside tls-certificates or "
			"tls-psk-file"},
		{!tls->required && plan->tls_allow[0], "tls-allow",
			"needs tls = required"},
		{tls->verify_peer && !tls->certificates, "tls-verify-peer",
			"needs tls-certificates"},
		{plan->tls_allow[0] && !tls->verify_peer && !tls->psk_file,
			"tls-allow",
			"needs tls-verify-peer = yes, or tls-psk-file"},
	};

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (rules[i].wrong) {
			*key = rules[i].key;
			snprintf(why, why_size, "%s", rules[i].why);
			return -EINVAL;
		}
	}
	return 0;
}

static int take_tls(struct plan *plan, const struct settings *settings,
	const struct section *device, const char **key, char *why,
	size_t why_size)
{
	struct plan_tls *tls = &plan->tls;

	tls->required = strcmp(settings_text(settings, device, SET_TLS),
				"required") == 0;
	tls->verify_peer = settings_bool(settings, device, SET_TLS_VERIFY_PEER);
	plan->tls_allow =
		list_copy(settings_list(settings, device, SET_TLS_ALLOW));
	if (copy_text(&tls->certificates, settings, device,
		    SET_TLS_CERTIFICATES) ||
		copy_text(&tls->psk_file, settings, device, SET_TLS_PSK_FILE) ||
		!plan->tls_allow)
		return -ENOMEM;
	return check_tls(plan, key, why, why_size);
}

static bool is_local(const struct nbd_address *a)
{
	struct addr at;

	return a->is_unix || strcmp(a->tcp.host, "localhost") == 0 ||
	       addr_from_endpoint(&at, &a->tcp) || addr_is_loopback(&at);
}

/* Without TLS whoever can connect can read and write. */
static int check_reach(const struct plan *plan, const struct settings *settings,
	const struct section *device, char *why, size_t why_size)
{
	if (plan->tls.required || settings_bool(settings, device, SET_INSECURE))
		return 0;
	for (unsigned i = 0; i < plan->nnbd; i++) {
		if (is_local(&plan->nbd[i].address))
			continue;
		snprintf(why, why_size,
			"%.100s: other hosts could read and write the device; "
			"set tls = required, or insecure = yes to let them",
			plan->nbd[i].text);
		return -EINVAL;
	}
	return 0;
}

int plan_frontend_nbd(struct plan *plan, const struct settings *settings,
	const struct section *device, const char **key, char *why,
	size_t why_size)
{
	char *const *list = settings_list(settings, device, SET_NBD);
	size_t n = 0;
	int err = 0;

	*key = "nbd";
	while (list[n])
		n++;
	plan->nbd = calloc(n + activation_count() + 1, sizeof *plan->nbd);
	if (!plan->nbd)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		err = add_nbd(plan, list[i], -1, why, why_size);
	if (!err)
		err = add_activated(plan, settings, why, why_size);
	plan->nbd_max_clients = (unsigned)settings_number(
		settings, device, SET_NBD_MAX_CLIENTS);
	if (!err)
		err = take_tls(plan, settings, device, key, why, why_size);
	if (!err)
		err = check_reach(plan, settings, device, why, why_size);
	return err;
}

void plan_frontend_free(struct plan *plan)
{
	for (unsigned i = 0; plan->nbd && i < plan->nnbd; i++)
		free(plan->nbd[i].text);
	free(plan->nbd);
	free(plan->tls.certificates);
	free(plan->tls.psk_file);
	list_free(plan->tls_allow);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool plan_tls_equal(const struct plan_tls *a, const struct plan_tls *b)
{
	return a->required == b->required && a->verify_peer == b->verify_peer &&
	       same_text(a->certificates, b->certificates) &&
	       same_text(a->psk_file, b->psk_file);
}

bool plan_addr_equal(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

bool plan_nbd_shared(const struct plan *a, const struct plan *b)
{
	for (unsigned i = 0; i < a->nnbd; i++)
		for (unsigned j = 0; j < b->nnbd; j++)
			if (plan_addr_equal(&a->nbd[i].at, &b->nbd[j].at))
				return true;
	return false;
}

bool plan_frontend_equal(const struct plan *a, const struct plan *b)
{
	if (a->nnbd != b->nnbd || !plan_tls_equal(&a->tls, &b->tls) ||
		!list_equal(a->tls_allow, b->tls_allow))
		return false;
	for (unsigned i = 0; i < a->nnbd; i++)
		if (strcmp(a->nbd[i].text, b->nbd[i].text) != 0)
			return false;
	return true;
}
