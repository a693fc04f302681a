/* SPDX-License-Identifier: BSD-2-Clause */
/* ISIDs of type 10b, RFC 7143 11.12.5. */
#include <umpio/settings.h>

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <umpio/base/bytes.h>

#define ISID_RANDOM 0x80 /* T = 10b, A reserved: zero */

int isid_make(uint8_t isid[6], const char *instance, const char *device,
	const char *target, const char *portal, unsigned queue)
{
	const char *const texts[] = {instance, device, target, portal};
	uint8_t number[4], digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	/* With their NULs, so that no two lists of texts run into one. */
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ok = ok &&
		     EVP_DigestUpdate(ctx, texts[i], strlen(texts[i]) + 1);
	put_be32(number, queue);
	ok = ok && EVP_DigestUpdate(ctx, number, sizeof number) &&
	     EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -ENOMEM;
	isid[0] = ISID_RANDOM;
	memcpy(isid + 1, digest, 5); /* B and C random, D qualifier */
	return 0;
}
