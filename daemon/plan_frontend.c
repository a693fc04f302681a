/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan_frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activation.h"

static int add_nbd(
	struct plan *plan, const char *text, int fd, char *why, size_t why_size)
{
	struct plan_nbd *nbd = &plan->nbd[plan->nnbd];

	nbd->fd = fd;
	if (nbd_address_parse(&nbd->address, text, why, why_size) < 0)
		return -EINVAL;
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
	return err;
}

void plan_frontend_free(struct plan *plan)
{
	for (unsigned i = 0; plan->nbd && i < plan->nnbd; i++)
		free(plan->nbd[i].text);
	free(plan->nbd);
}

bool plan_frontend_equal(const struct plan *a, const struct plan *b)
{
	if (a->nnbd != b->nnbd)
		return false;
	for (unsigned i = 0; i < a->nnbd; i++)
		if (strcmp(a->nbd[i].text, b->nbd[i].text) != 0)
			return false;
	return true;
}
