/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection under TLS. OpenSSL works on a pair of rings: what the socket
 * gives is read right into one, what it is to get is written right out of the
 * other.
 *
 * A write counts as done when its records have left for the socket, not before:
 * so an orderly close loses nothing that the owner was told is out.
 */
#include "nbds_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "nbds_tls_private.h"

#define RING_IN     (64u << 10)
#define RING_OUT    (160u << 10)
#define RECORD      16384u /* bytes of plaintext, RFC 8446 5.1 */
#define RECORD_ROOM (RECORD + 1024u)

struct tls_stream {
	struct stream stream; /* first: ops get it */
	struct nbds_tls *tls;
	struct loop *loop;
	struct stream *inner;
	SSL *ssl;
	BIO *net;                   /* our end of the rings */
	struct loop_task more;      /* what is buffered is offered again */
	const struct nbds_psk *psk; /* that the peer has named */
	size_t taken; /* bytes of the owner's next write, encrypted already */
	int err;      /* of the socket, for good */
	bool no_fill; /* while only what is buffered is read */
	bool *gone;   /* set by close() while an event is told */
	uint8_t gather[RECORD]; /* small pieces become one record */
};

static struct tls_stream *of(struct stream *s)
{
	return (struct tls_stream *)s;
}

static bool is_open(const struct tls_stream *t)
{
	return SSL_is_init_finished(t->ssl);
}

static void update_want(struct tls_stream *t)
{
	bool out = BIO_ctrl_pending(t->net) > 0;

	stream_want(t->inner, t->stream.want_read,
		out || (t->stream.want_write && is_open(t)));
}

/* Sends what the ring has. True when it is empty. */
static bool flush(struct tls_stream *t)
{
	char *at;
	int n;

	while (!t->err && (n = BIO_nread0(t->net, &at)) > 0) {
		struct iovec iov = {at, (size_t)n};
		ssize_t sent = stream_writev(t->inner, &iov, 1);

		if (sent == -EAGAIN)
			return false;
		if (sent < 0)
			t->err = (int)sent;
		else
			BIO_nread(t->net, &at, (int)sent);
	}
	return !t->err;
}

/* Takes what the socket has. As stream_readv(). */
static ssize_t fill(struct tls_stream *t)
{
	struct iovec iov;
	ssize_t got;
	char *at;
	int room = BIO_nwrite0(t->net, &at);

	if (t->no_fill || room <= 0)
		return -EAGAIN;
	iov = (struct iovec){at, (size_t)room};
	got = stream_readv(t->inner, &iov, 1);
	if (got > 0)
		BIO_nwrite(t->net, &at, (int)got);
	return got;
}

static int broken(struct tls_stream *t)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	char peer[128];

	if (!t->err)
		log_warn("nbd client %s: TLS: %s",
			addr_text(&t->stream.peer, peer, sizeof peer),
			reason ? reason : "broken");
	ERR_clear_error();
	t->err = -EPROTO;
	return t->err;
}

/* Up to `len` bytes of plaintext, as stream_readv(). */
static ssize_t read_some(struct tls_stream *t, void *to, size_t len)
{
	size_t got;
	ssize_t rc;

	for (;;) {
		int ok, error;

		if (t->err)
			return t->err;
		ERR_clear_error();
		ok = SSL_read_ex(t->ssl, to, len, &got);
		error = ok ? SSL_ERROR_NONE : SSL_get_error(t->ssl, ok);
		/* A handshake, an alert: whatever it has to say. */
		flush(t);
		switch (error) {
		case SSL_ERROR_NONE: return (ssize_t)got;
		case SSL_ERROR_ZERO_RETURN: return 0;
		case SSL_ERROR_WANT_WRITE: return -EAGAIN;
		case SSL_ERROR_WANT_READ: break;
		default: return broken(t);
		}
		rc = fill(t);
		if (rc <= 0)
			return rc;
	}
}

static bool has_buffered(const struct tls_stream *t)
{
	return SSL_has_pending(t->ssl) || BIO_ctrl_wpending(t->net) > 0;
}

static ssize_t tls_readv(struct stream *s, const struct iovec *iov, int n)
{
	struct tls_stream *t = of(s);
	ssize_t sum = 0, rc = 1;

	for (int i = 0; i < n && rc > 0; i++) {
		for (size_t at = 0; at < iov[i].iov_len; at += (size_t)rc) {
			rc = read_some(t, (uint8_t *)iov[i].iov_base + at,
				iov[i].iov_len - at);
			if (rc <= 0)
				break;
			sum += rc;
		}
	}
	/* No event of the socket will tell of these. */
	if (has_buffered(t) && !t->err)
		loop_post(t->loop, &t->more);
	update_want(t);
	return sum > 0 ? sum : rc;
}

/* Where the bytes behind the first `skip` are: the longest run of one record,
 * in place when it is long enough to be worth it. */
static const void *next_piece(struct tls_stream *t, const struct iovec *iov,
	int n, size_t skip, size_t *len)
{
	size_t have = 0;

	while (n && skip >= iov->iov_len) {
		skip -= iov->iov_len;
		iov++;
		n--;
	}
	for (; n && have < RECORD; iov++, n--, skip = 0) {
		const uint8_t *at = (const uint8_t *)iov->iov_base + skip;
		size_t left = iov->iov_len - skip;
		size_t room = RECORD - have;

		if (!have && (left >= RECORD || n == 1)) {
			*len = left < RECORD ? left : RECORD;
			return at;
		}
		if (left > room)
			left = room;
		memcpy(t->gather + have, at, left);
		have += left;
	}
	*len = have;
	return t->gather;
}

/* Encrypts as much as the ring has room for. */
static int encrypt(struct tls_stream *t, const struct iovec *iov, int n,
	size_t skip, size_t total)
{
	BIO *own = SSL_get_wbio(t->ssl);

	while (skip + t->taken < total &&
		BIO_ctrl_get_write_guarantee(own) >= RECORD_ROOM) {
		size_t len, done;
		const void *at = next_piece(t, iov, n, skip + t->taken, &len);

		ERR_clear_error();
		if (!SSL_write_ex(t->ssl, at, len, &done))
			return broken(t);
		t->taken += done;
	}
	return 0;
}

static ssize_t tls_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct tls_stream *t = of(s);
	size_t total = 0, done = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	while (is_open(t) && flush(t)) {
		done += t->taken;
		t->taken = 0;
		if (done == total || encrypt(t, iov, n, done, total))
			break;
	}
	update_want(t);
	if (done)
		return (ssize_t)done;
	return t->err ? t->err : -EAGAIN;
}

static void tls_want(struct stream *s, bool read, bool write)
{
	struct tls_stream *t = of(s);

	(void)write;
	if (read && has_buffered(t))
		loop_post(t->loop, &t->more);
	update_want(t);
}

static void tls_close(struct stream *s, bool abort)
{
	struct tls_stream *t = of(s);

	if (t->gone)
		*t->gone = true;
	if (!abort && is_open(t) && !t->err) {
		ERR_clear_error();
		SSL_shutdown(t->ssl); /* close_notify */
	}
	if (!abort)
		flush(t);
	loop_unpost(t->loop, &t->more);
	if (abort)
		stream_abort(t->inner);
	else
		stream_close(t->inner);
	BIO_free(t->net);
	SSL_free(t->ssl);
	free(t);
}

static bool tls_hung_up(const struct stream *s)
{
	return stream_hung_up(((const struct tls_stream *)s)->inner);
}

static const struct stream_ops tls_ops = {
	.readv = tls_readv,
	.writev = tls_writev,
	.want = tls_want,
	.close = tls_close,
	.hung_up = tls_hung_up,
};

static void on_more(void *arg)
{
	struct tls_stream *t = arg;
	bool gone = false;

	if (!t->stream.want_read)
		return;
	t->gone = &gone;
	t->no_fill = true;
	t->stream.events->readable(t->stream.arg);
	if (gone)
		return;
	t->no_fill = false;
	t->gone = NULL;
	update_want(t);
}

static void on_readable(void *arg)
{
	struct tls_stream *t = arg;
	bool was_open = is_open(t), gone = false;

	t->gone = &gone;
	if (t->stream.want_read)
		t->stream.events->readable(t->stream.arg);
	if (gone)
		return;
	/* What waited for the handshake may go. */
	if (!was_open && is_open(t) && t->stream.want_write)
		t->stream.events->writable(t->stream.arg);
	if (gone)
		return;
	t->gone = NULL;
	update_want(t);
}

static void on_writable(void *arg)
{
	struct tls_stream *t = arg;
	bool gone = false;

	t->gone = &gone;
	if ((flush(t) || t->err) && is_open(t) && t->stream.want_write)
		t->stream.events->writable(t->stream.arg);
	if (gone)
		return;
	t->gone = NULL;
	update_want(t);
}

static const struct stream_events inner_events = {
	.readable = on_readable,
	.writable = on_writable,
};

static bool make_ssl(struct tls_stream *t)
{
	BIO *own;

	t->ssl = SSL_new(t->tls->ctx);
	if (!t->ssl || !BIO_new_bio_pair(&own, RING_OUT, &t->net, RING_IN))
		return false;
	SSL_set_bio(t->ssl, own, own);
	SSL_set_accept_state(t->ssl);
	return SSL_set_app_data(t->ssl, t) == 1;
}

struct stream *nbds_tls_stream(
	struct nbds_tls *tls, struct loop *loop, struct stream *inner)
{
	struct tls_stream *t = calloc(1, sizeof *t);

	if (t) {
		t->tls = tls;
		t->loop = loop;
		t->inner = inner;
	}
	if (!t || !make_ssl(t)) {
		SSL_free(t ? t->ssl : NULL);
		BIO_free(t ? t->net : NULL);
		free(t);
		return NULL;
	}
	t->stream.ops = &tls_ops;
	t->stream.local = inner->local;
	t->stream.peer = inner->peer;
	loop_task_init(&t->more, on_more, t);
	stream_own(inner, &inner_events, t);
	return &t->stream;
}

const struct nbds_psk *nbds_tls_psk_chosen(
	SSL *ssl, const void *name, size_t len)
{
	struct tls_stream *t = SSL_get_app_data(ssl);

	t->psk = nbds_tls_psk(t->tls, name, len);
	return t->psk;
}

static bool has_cn(X509 *cert, const char *name)
{
	char cn[256];
	int len = X509_NAME_get_text_by_NID(
		X509_get_subject_name(cert), NID_commonName, cn, sizeof cn);

	return len > 0 && (size_t)len == strlen(name) &&
	       memcmp(cn, name, (size_t)len) == 0;
}

static bool has_alternative(X509 *cert, const char *name)
{
	GENERAL_NAMES *all =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(all) && !found; i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
		const ASN1_IA5STRING *text = one->d.ia5;

		if (one->type != GEN_DNS && one->type != GEN_EMAIL &&
			one->type != GEN_URI)
			continue;
		found = (size_t)ASN1_STRING_length(text) == strlen(name) &&
			memcmp(ASN1_STRING_get0_data(text), name,
				strlen(name)) == 0;
	}
	GENERAL_NAMES_free(all);
	return found;
}

bool nbds_tls_peer_is(const struct stream *s, char *const *names)
{
	const struct tls_stream *t = (const struct tls_stream *)s;
	X509 *cert;

	if (s->ops != &tls_ops || !is_open(t))
		return false;
	cert = SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER
		       ? SSL_get0_peer_certificate(t->ssl)
		       : NULL;
	for (; *names; names++) {
		if (t->psk && !cert && strcmp(t->psk->name, *names) == 0)
			return true;
		if (cert &&
			(has_cn(cert, *names) || has_alternative(cert, *names)))
			return true;
	}
	return false;
}
