/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two files of TLS share. */
#ifndef UMPIO_NBDS_TLS_PRIVATE_H
#define UMPIO_NBDS_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <umpio/frontend.h>

#include "nbds_tls.h"

struct nbds_psk {
	char name[128];
	unsigned char key[64];
	size_t key_len;
};

struct nbds_tls {
	SSL_CTX *ctx;
	struct nbds_psk *psks;
	unsigned npsks;
};

/* The key of that name, NULL when there is none. */
const struct nbds_psk *nbds_tls_psk(
	const struct nbds_tls *tls, const void *name, size_t len);

/* The same for a connection, which remembers who it is. */
const struct nbds_psk *nbds_tls_psk_chosen(
	SSL *ssl, const void *name, size_t len);

#endif
