/* SPDX-License-Identifier: BSD-2-Clause */
/* A network that changes bits is noticed by digests alone (RFC 7143 13.1):
 * TCP's checksum misses some, and network cards more. */
#include <string.h>
#include <umpio/base/addr.h>
#include <umpio/base/log.h>

#include "session.h"

static bool is_local(const struct endpoint *portal)
{
	struct addr at;

	if (addr_from_endpoint(&at, portal))
		return strcmp(portal->host, "localhost") == 0;
	return addr_is_loopback(&at);
}

void session_tell_digests(struct session *s)
{
	const struct endpoint *portal = &s->hops[s->nhops - 1];
	const struct conn_params *p = &s->conn->params;
	const struct iscsi_offer *offer = &s->config->offer;
	const char *key = p->header_digest ? "data-digest"
			  : p->data_digest ? "header-digest"
					   : "header-digest and data-digest";
	bool ours =
		(!p->header_digest &&
			offer->header_digest == ISCSI_DIGEST_NONE) ||
		(!p->data_digest && offer->data_digest == ISCSI_DIGEST_NONE);
	char text[ENDPOINT_TEXT_MAX];

	if (s->digests_told || (p->header_digest && p->data_digest) ||
		is_local(portal))
		return;
	s->digests_told = true;
	endpoint_text(portal, text);
	if (ours)
		log_info("%s: without %s nobody notices what the network "
			 "changes; set it to CRC32C,None in the configuration",
			text, key);
	else
		log_warn("%s: without %s nobody notices what the network "
			 "changes; the target refuses it: allow CRC32C there",
			text, key);
}
