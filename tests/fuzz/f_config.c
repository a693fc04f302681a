/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration file. */
#include <umpio/settings.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[256] = "";
	char *copy = (char *)fuzz_copy(data, size);
	struct settings *s =
		settings_parse("umpio.conf", copy, size, why, sizeof why);

	free(copy);
	FUZZ_CHECK((s == NULL) == (why[0] != '\0'));
	settings_free(s);
	return 0;
}
