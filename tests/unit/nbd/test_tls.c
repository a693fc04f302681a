/* SPDX-License-Identifier: BSD-2-Clause */
/* STARTTLS with a client of OpenSSL's, byte by byte through the wire; the
 * clients of others are in nbd-tls.sh. */
#include "t_nbd.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/units.h>

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static unsigned char client_key[32];

static unsigned int psk_client(SSL *ssl, const char *hint, char *identity,
	unsigned int identity_max, unsigned char *key, unsigned int max)
{
	(void)ssl, (void)hint;
	cr_assert(identity_max > 5 && max >= sizeof client_key);
	memcpy(identity, "alice", 6);
	memcpy(key, client_key, sizeof client_key);
	return sizeof client_key;
}

struct tls_world {
	struct world world;
	struct nbds_tls *tls;
	struct peer peer;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out; /* of the client: what it gets and says */
};

/* A server that wants TLS, and a client that has been greeted. */
static void tls_init(struct tls_world *w, int version)
{
	const struct nbds_tls_options options = {.psk_text = "alice:" KEY "\n"};
	char why[256];

	*w = (struct tls_world){.peer = {0}};
	for (unsigned i = 0; i < sizeof client_key; i++)
		client_key[i] = (unsigned char)i;
	world_init(&w->world, NULL);
	w->tls = nbds_tls_new(&options, why, sizeof why);
	cr_assert(w->tls, "%s", why);
	w->world.server->tls = w->tls;
	peer_hello(&w->peer, &w->world, 3);

	w->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(w->ctx, 0);
	SSL_CTX_set_min_proto_version(w->ctx, version);
	SSL_CTX_set_max_proto_version(w->ctx, version);
	SSL_CTX_set_cipher_list(w->ctx, "ALL:@SECLEVEL=0");
	SSL_CTX_set_ciphersuites(w->ctx, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_psk_client_callback(w->ctx, psk_client);
	w->ssl = SSL_new(w->ctx);
	w->in = BIO_new(BIO_s_mem());
	w->out = BIO_new(BIO_s_mem());
	SSL_set_bio(w->ssl, w->in, w->out);
	SSL_set_connect_state(w->ssl);
}

static void tls_fini(struct tls_world *w)
{
	SSL_free(w->ssl);
	SSL_CTX_free(w->ctx);
	peer_close(&w->peer);
	world_fini(&w->world);
	nbds_tls_free(w->tls);
}

/* What the client has said goes out, what has come goes in. */
static void carry(struct tls_world *w)
{
	struct peer *p = &w->peer;
	uint8_t some[4096];
	int n;

	while ((n = BIO_read(w->out, some, sizeof some)) > 0)
		peer_send(p, some, (size_t)n);
	world_run(&w->world, NS_PER_MS);
	if (p->len)
		BIO_write(w->in, p->in, (int)p->len);
	p->len = 0;
}

/* 1: done. 0: it goes on and on. -1: refused. */
static int handshake(struct tls_world *w)
{
	for (int i = 0; i < 20; i++) {
		int rc = SSL_do_handshake(w->ssl);
		int error = SSL_get_error(w->ssl, rc);

		carry(w);
		if (rc == 1)
			return 1;
		if (error != SSL_ERROR_WANT_READ)
			return -1;
	}
	return 0;
}

static void tls_take(struct tls_world *w, void *out, size_t len)
{
	uint8_t *at = out;

	for (int i = 0; i < 20 && len; i++) {
		int n = SSL_read(w->ssl, at, (int)len);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else {
			carry(w);
		}
	}
	cr_assert_eq(len, 0, "%zu bytes have not come", len);
}

static void start(struct tls_world *w)
{
	option_send(&w->peer, NBD_OPT_STARTTLS, NULL, 0);
	cr_assert_eq(option_take(&w->peer, NBD_OPT_STARTTLS, NULL, NULL),
		NBD_REP_ACK);
}

/* GO, and a read of 512 bytes. */
static void use(struct tls_world *w)
{
	uint8_t wire[NBD_OPT_HEADER_LEN + 10 + NBD_REQUEST_LEN] = {0};
	uint8_t *request = wire + NBD_OPT_HEADER_LEN + 10;
	uint8_t reply[NBD_OPT_REPLY_LEN + 64], data[16 + 512];

	put_be64(wire, NBD_OPTION_MAGIC);
	put_be32(wire + 8, NBD_OPT_GO);
	put_be32(wire + 12, 10);
	put_be32(wire + 16, 4);
	memcpy(wire + 20, "disk", 4);
	put_be32(request, NBD_REQUEST_MAGIC);
	put_be64(request + 8, 77);
	put_be32(request + 24, 512);
	cr_assert_eq(SSL_write(w->ssl, wire, sizeof wire), (int)sizeof wire);
	carry(w);
	do {
		tls_take(w, reply, NBD_OPT_REPLY_LEN);
		cr_assert(get_be32(reply + 16) <= 64);
		tls_take(w, reply + NBD_OPT_REPLY_LEN, get_be32(reply + 16));
	} while (get_be32(reply + 12) == NBD_REP_INFO);
	cr_assert_eq(get_be32(reply + 12), NBD_REP_ACK);
	tls_take(w, data, sizeof data);
	cr_assert_eq(get_be32(data), NBD_SIMPLE_REPLY_MAGIC);
	cr_assert_eq(get_be64(data + 8), 77);
}

Test(tls, session_of_1_3)
{
	struct tls_world w;

	tls_init(&w, TLS1_3_VERSION);
	start(&w);
	cr_assert_eq(handshake(&w), 1);
	use(&w);
	tls_fini(&w);
}

Test(tls, session_of_1_2)
{
	struct tls_world w;

	tls_init(&w, TLS1_2_VERSION);
	start(&w);
	cr_assert_eq(handshake(&w), 1);
	use(&w);
	tls_fini(&w);
}

Test(tls, version_1_1_is_refused)
{
	struct tls_world w;

	tls_init(&w, TLS1_1_VERSION);
	start(&w);
	cr_assert_eq(handshake(&w), -1);
	tls_fini(&w);
}

Test(tls, renegotiation_is_refused)
{
	struct tls_world w;
	struct peer other;

	tls_init(&w, TLS1_2_VERSION);
	start(&w);
	cr_assert_eq(handshake(&w), 1);
	use(&w);
	cr_assert_eq(SSL_renegotiate(w.ssl), 1);
	cr_assert_eq(handshake(&w), -1);
	/* And nobody else notices. */
	peer_hello(&other, &w.world, 3);
	option_send(&other, NBD_OPT_ABORT, NULL, 0);
	cr_assert_eq(
		option_take(&other, NBD_OPT_ABORT, NULL, NULL), NBD_REP_ACK);
	peer_close(&other);
	tls_fini(&w);
}

Test(tls, wrong_key_is_refused)
{
	struct tls_world w;

	tls_init(&w, TLS1_3_VERSION);
	client_key[3] ^= 1;
	start(&w);
	cr_assert_eq(handshake(&w), -1);
	tls_fini(&w);
}

Test(tls, every_option_before_it_is_refused)
{
	static const uint32_t options[] = {NBD_OPT_LIST, NBD_OPT_INFO,
		NBD_OPT_GO, NBD_OPT_STRUCTURED_REPLY, NBD_OPT_LIST_META_CONTEXT,
		NBD_OPT_SET_META_CONTEXT, 4711};
	struct tls_world w;

	tls_init(&w, TLS1_3_VERSION);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		option_send(&w.peer, options[i], NULL, 0);
		cr_assert_eq(option_take(&w.peer, options[i], NULL, NULL),
			NBD_REP_ERR_TLS_REQD);
	}
	start(&w);
	cr_assert_eq(handshake(&w), 1);
	use(&w);
	tls_fini(&w);
}

Test(tls, bytes_behind_starttls_end_it)
{
	struct tls_world w;
	uint8_t wire[2 * NBD_OPT_HEADER_LEN] = {0};

	tls_init(&w, TLS1_3_VERSION);
	put_be64(wire, NBD_OPTION_MAGIC);
	put_be32(wire + 8, NBD_OPT_STARTTLS);
	put_be64(wire + 16, NBD_OPTION_MAGIC);
	put_be32(wire + 24, NBD_OPT_STRUCTURED_REPLY);
	peer_send(&w.peer, wire, sizeof wire);
	peer_expect_end(&w.peer);
	tls_fini(&w);
}
