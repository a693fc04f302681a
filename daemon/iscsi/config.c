/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>

#include "config.h"

void iscsi_config_init(struct iscsi_config *config)
{
	*config = (struct iscsi_config){
		.first_cmd_sn = 1,
		.offer =
			{
				.header_digest = ISCSI_DIGEST_PREFER,
				.data_digest = ISCSI_DIGEST_PREFER,
				.initial_r2t = false,
				.immediate_data = true,
				.first_burst_length = 262144,
				.max_burst_length = 1048576,
				.max_recv_data_segment_length = 262144,
				.max_outstanding_r2t = 8,
				.max_connections = 1,
				.error_recovery_level = 0,
				.default_time2wait = 0,
				.default_time2retain = 20,
			},
		.timeouts =
			{
				.connect = 5 * NS_PER_S,
				.login = 15 * NS_PER_S,
				.ping_interval = 5 * NS_PER_S,
				.ping = 5 * NS_PER_S,
				.abort = 15 * NS_PER_S,
				.lun_reset = 30 * NS_PER_S,
				.logout = 15 * NS_PER_S,
			},
	};
}

/* A copy of `len` bytes and a NUL; NULL for NULL, and `*ok` false without
 * memory. */
static char *copy(const char *text, size_t len, bool *ok)
{
	char *to;

	if (!text)
		return NULL;
	to = malloc(len + 1);
	if (!to) {
		*ok = false;
		return NULL;
	}
	memcpy(to, text, len);
	to[len] = '\0';
	return to;
}

static char *copy_text(const char *text, bool *ok)
{
	return copy(text, text ? strlen(text) : 0, ok);
}

static void wipe(const char *secret, size_t len)
{
	char *s = (char *)secret;

	if (s)
		explicit_bzero(s, len);
	free(s);
}

static void chap_config_fini(struct iscsi_chap *chap)
{
	free((char *)chap->user);
	free((char *)chap->mutual_user);
	wipe(chap->secret, chap->secret_len);
	wipe(chap->mutual_secret, chap->mutual_secret_len);
	*chap = (struct iscsi_chap){0};
}

static int chap_config_copy(
	struct iscsi_chap *to, const struct iscsi_chap *from)
{
	bool ok = true;

	*to = *from;
	to->user = copy_text(from->user, &ok);
	to->mutual_user = copy_text(from->mutual_user, &ok);
	to->secret = copy(from->secret, from->secret_len, &ok);
	to->mutual_secret =
		copy(from->mutual_secret, from->mutual_secret_len, &ok);
	if (!ok)
		chap_config_fini(to);
	return ok ? 0 : -ENOMEM;
}

int config_copy(struct iscsi_config *to, const struct iscsi_config *from)
{
	bool ok = true;

	*to = *from;
	to->initiator_name = copy_text(from->initiator_name, &ok);
	to->target_name = copy_text(from->target_name, &ok);
	to->interface = copy_text(from->interface, &ok);
	if (chap_config_copy(&to->chap, &from->chap))
		ok = false;
	if (!ok)
		config_fini(to);
	return ok ? 0 : -ENOMEM;
}

int config_set_chap(struct iscsi_config *config, const struct iscsi_chap *chap)
{
	struct iscsi_chap fresh;
	int err = chap_config_copy(&fresh, chap);

	if (err)
		return err;
	chap_config_fini(&config->chap);
	config->chap = fresh;
	return 0;
}

void config_fini(struct iscsi_config *config)
{
	free((char *)config->initiator_name);
	free((char *)config->target_name);
	free((char *)config->interface);
	chap_config_fini(&config->chap);
	*config = (struct iscsi_config){0};
}
