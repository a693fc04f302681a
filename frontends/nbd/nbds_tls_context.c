/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates and keys of a listener. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nbds_tls_private.h"

/* Whole suites only: forward secrecy, and keys by certificate or PSK. */
#define CIPHERS    "HIGH:!aNULL:!eNULL:!kRSA:!kPSK:!kRSAPSK:!SHA1:!CAMELLIA:!ARIA"

#define PSK_SUITES "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"

/* What a TLS 1.3 PSK is used with: a suite of SHA-256, as the key's file has no
 * other. */
static const unsigned char psk_suite[] = {0x13, 0x01};

static int refuse(char *why, size_t why_size, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	snprintf(why, why_size, "%s: %s", what, reason ? reason : "unusable");
	ERR_clear_error();
	return -EINVAL;
}

static int load_certificates(SSL_CTX *ctx, const struct nbds_tls_options *o,
	char *why, size_t why_size)
{
	char file[4096 + 32];

	snprintf(file, sizeof file, "%s/server-cert.pem", o->certificates);
	if (SSL_CTX_use_certificate_chain_file(ctx, file) != 1)
		return refuse(why, why_size, file);
	snprintf(file, sizeof file, "%s/server-key.pem", o->certificates);
	if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1)
		return refuse(why, why_size, file);
	if (!o->verify_peer)
		return 0;
	snprintf(file, sizeof file, "%s/ca-cert.pem", o->certificates);
	if (SSL_CTX_load_verify_file(ctx, file) != 1)
		return refuse(why, why_size, file);
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(file));
	SSL_CTX_set_verify(
		ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

/* `NAME:HEX` of `len` bytes into `psk`. 0 or -EINVAL. */
static int parse_psk(struct nbds_psk *psk, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : 0;
	size_t digits = colon ? len - name - 1 : 0;

	if (!name || name >= sizeof psk->name || !digits || digits % 2 ||
		digits / 2 > sizeof psk->key || digits / 2 < 16)
		return -EINVAL;
	memcpy(psk->name, line, name);
	psk->name[name] = '\0';
	for (size_t i = 0; i < digits; i += 2) {
		int high = OPENSSL_hexchar2int((unsigned char)colon[1 + i]),
		    low = OPENSSL_hexchar2int((unsigned char)colon[2 + i]);

		if (high < 0 || low < 0)
			return -EINVAL;
		psk->key[i / 2] = (unsigned char)(high << 4 | low);
	}
	psk->key_len = digits / 2;
	return 0;
}

/* Lines as psktool writes them; empty ones and comments are passed over. */
static int load_psks(
	struct nbds_tls *tls, const char *text, char *why, size_t why_size)
{
	for (unsigned line = 1; *text; line++) {
		size_t len = strcspn(text, "\n");
		struct nbds_psk *more;

		if (len && *text != '#') {
			more = realloc(tls->psks,
				(tls->npsks + 1) * sizeof *tls->psks);
			if (!more)
				return -ENOMEM;
			tls->psks = more;
			memset(&more[tls->npsks], 0, sizeof *more);
			if (parse_psk(&more[tls->npsks++], text, len)) {
				snprintf(why, why_size,
					"line %u is not NAME:KEY with a key of "
					"32 to 128 hexadecimal digits",
					line);
				return -EINVAL;
			}
		}
		text += len + (text[len] == '\n');
	}
	return 0;
}

const struct nbds_psk *nbds_tls_psk(
	const struct nbds_tls *tls, const void *name, size_t len)
{
	for (unsigned i = 0; i < tls->npsks; i++)
		if (strlen(tls->psks[i].name) == len &&
			memcmp(tls->psks[i].name, name, len) == 0)
			return &tls->psks[i];
	return NULL;
}

/* TLS 1.2 */
static unsigned int psk_server(
	SSL *ssl, const char *identity, unsigned char *key, unsigned int max)
{
	const struct nbds_psk *psk =
		nbds_tls_psk_chosen(ssl, identity, strlen(identity));

	if (!psk || psk->key_len > max)
		return 0;
	memcpy(key, psk->key, psk->key_len);
	return (unsigned int)psk->key_len;
}

/* TLS 1.3: an identity that is not known is no error, the handshake goes on
 * with certificates, or fails without them. */
static int psk_find(SSL *ssl, const unsigned char *identity, size_t len,
	SSL_SESSION **session)
{
	const struct nbds_psk *psk = nbds_tls_psk_chosen(ssl, identity, len);
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, psk_suite);

	*session = NULL;
	if (!psk)
		return 1;
	*session = SSL_SESSION_new();
	if (!*session || !cipher ||
		!SSL_SESSION_set1_master_key(
			*session, psk->key, psk->key_len) ||
		!SSL_SESSION_set_cipher(*session, cipher) ||
		!SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION)) {
		SSL_SESSION_free(*session);
		*session = NULL;
		return 0;
	}
	return 1;
}

static void configure(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ctx, CIPHERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(ctx, 0);
	/* PSKs count as sessions, which OpenSSL wants to have a context. */
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"nbd", 3);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx,
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static int load(struct nbds_tls *tls, const struct nbds_tls_options *o,
	char *why, size_t why_size)
{
	int err = 0;

	if (!o->certificates && !o->psk_text) {
		snprintf(why, why_size, "neither certificates nor PSKs");
		return -EINVAL;
	}
	configure(tls->ctx);
	if (o->certificates)
		err = load_certificates(tls->ctx, o, why, why_size);
	if (!err && o->psk_text)
		err = load_psks(tls, o->psk_text, why, why_size);
	if (err || !o->psk_text)
		return err;
	/* With certificates beside them OpenSSL would take a suite of SHA-384
	 * first, and then find no PSK for it. */
	if (SSL_CTX_set_ciphersuites(tls->ctx, PSK_SUITES) != 1)
		return -EINVAL;
	SSL_CTX_set_psk_server_callback(tls->ctx, psk_server);
	SSL_CTX_set_psk_find_session_callback(tls->ctx, psk_find);
	return 0;
}

struct nbds_tls *nbds_tls_new(
	const struct nbds_tls_options *o, char *why, size_t why_size)
{
	struct nbds_tls *tls = calloc(1, sizeof *tls);

	snprintf(why, why_size, "out of memory");
	if (!tls)
		return NULL;
	tls->ctx = SSL_CTX_new(TLS_server_method());
	if (!tls->ctx || load(tls, o, why, why_size)) {
		nbds_tls_free(tls);
		return NULL;
	}
	return tls;
}

void nbds_tls_free(struct nbds_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	if (tls->psks)
		OPENSSL_cleanse(tls->psks, tls->npsks * sizeof *tls->psks);
	free(tls->psks);
	free(tls);
}
