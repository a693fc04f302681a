/* SPDX-License-Identifier: BSD-2-Clause */
/* What people write on a command line: URLs, addresses, numbers. */
#include <umpio/base/addr.h>
#include <umpio/settings.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), why[256];
	char again[ENDPOINT_TEXT_MAX];
	struct endpoint at, back;
	struct nbd_address nbd;
	struct iscsi_url url;
	uint64_t number;

	if (iscsi_url_parse(&url, text, why, sizeof why) == 0)
		FUZZ_CHECK(url.target[0] != '\0' && url.portal.port != 0);
	(void)nbd_address_parse(&nbd, text, why, sizeof why);
	if (endpoint_parse(&at, text, strlen(text), 3260) == 0) {
		endpoint_text(&at, again);
		FUZZ_CHECK(endpoint_parse(&back, again, strlen(again), 1) == 0);
		FUZZ_CHECK(endpoint_equal(&at, &back));
	}
	(void)units_u64(text, &number);
	free(text);
	return 0;
}
