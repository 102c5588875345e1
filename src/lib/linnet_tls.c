/* SPDX-License-Identifier: ISC */
/*
 * TLS by OpenSSL, over a descriptor that does not block.
 *
 * OpenSSL may want to write in order to read and the other way round: `wants`
 * of the socket says so after each call, and the loop looks at it.  It also
 * holds input that no descriptor announces any more: linnet_tls_pending().
 *
 * Its own BIO for sockets writes with write(2), which raises SIGPIPE in a
 * program that never asked for it; so there is one here that does not.
 */
#include "lib/lib.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

static BIO_METHOD *tls_bio;

static int
tls_bio_result(BIO *b, ssize_t n, int retry)
{
	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static int
tls_bio_read(BIO *b, char *p, int n)
{
	const struct linnet_socket *s = BIO_get_data(b);
	ssize_t got;

	do
		got = recv(s->fd, p, (size_t)n, 0);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return tls_bio_result(b, got, BIO_FLAGS_READ);
}

static int
tls_bio_write(BIO *b, const char *p, int n)
{
	const struct linnet_socket *s = BIO_get_data(b);
	ssize_t put;

	do
		put = send(s->fd, p, (size_t)n, MSG_NOSIGNAL);
	while (put == -1 && errno == EINTR);
	return tls_bio_result(b, put, BIO_FLAGS_WRITE);
}

static long
tls_bio_ctrl(BIO *b, int cmd, long n, void *p)
{
	(void)n;
	(void)p;
	if (cmd == BIO_CTRL_EOF)
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	return cmd == BIO_CTRL_FLUSH;
}

static void
tls_start_once(void)
{
	tls_bio =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "linnet");
	if (tls_bio == NULL || BIO_meth_set_read(tls_bio, tls_bio_read) != 1 ||
	    BIO_meth_set_write(tls_bio, tls_bio_write) != 1 ||
	    BIO_meth_set_ctrl(tls_bio, tls_bio_ctrl) != 1)
		fatalx("out of memory");
}

/* The last error of OpenSSL, and no other is left behind. */
static const char *
tls_reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return reason != NULL ? reason : "no reason given";
}

static int
tls_trust(SSL_CTX *ctx, const struct linnet_tls *t, struct linnet_error *e)
{
	if (t->ca_file == NULL && t->ca_dir == NULL) {
		(void)SSL_CTX_set_default_verify_paths(ctx);
		return 0;
	}
	if (SSL_CTX_load_verify_locations(ctx, t->ca_file, t->ca_dir) == 1)
		return 0;
	linnet_error_set(e, "bad_certificate",
	    "The authorities in %.300s cannot be read: %s.",
	    t->ca_file != NULL ? t->ca_file : t->ca_dir, tls_reason());
	return -1;
}

SSL_CTX *
linnet_tls_new(const struct linnet_tls *t, struct linnet_error *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	SSL_CTX *ctx;

	(void)pthread_once(&once, tls_start_once);
	ERR_clear_error();
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		fatalx("OpenSSL does not start: %s", tls_reason());
	/* wslay gives the rest of what was written in part, from elsewhere. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	if (t->insecure)
		return ctx;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (tls_trust(ctx, t, e) == 0)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

void
linnet_tls_free(SSL_CTX *ctx)
{
	SSL_CTX_free(ctx);
}

void
linnet_tls_begin(
    struct linnet_socket *s, SSL_CTX *ctx, const struct linnet_url *u)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	X509_VERIFY_PARAM *param;
	BIO *bio;

	ERR_clear_error();
	if ((s->ssl = SSL_new(ctx)) == NULL || (bio = BIO_new(tls_bio)) == NULL)
		fatalx("out of memory");
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_connect_state(s->ssl);
	param = SSL_get0_param(s->ssl);
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* An address has no name to ask for (RFC 6066 3). */
	if (X509_VERIFY_PARAM_set1_ip_asc(param, u->host) != 1 &&
	    (X509_VERIFY_PARAM_set1_host(param, u->host, 0) != 1 ||
		SSL_set_tlsext_host_name(s->ssl, u->host) != 1))
		fatalx("out of memory");
	if (SSL_set_alpn_protos(s->ssl, alpn, sizeof(alpn) - 1) != 0)
		fatalx("out of memory");
	s->shaken = false;
	s->wants = POLLOUT;
}

/* 0: later; -1: it is over. */
static int
tls_later(struct linnet_socket *s, int r)
{
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		s->wants = POLLIN;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		s->wants = POLLOUT;
		return 0;
	default:
		return -1;
	}
}

static void
tls_explain(const struct linnet_socket *s, const struct linnet_url *u,
    struct linnet_error *e)
{
	long verdict = SSL_get_verify_result(s->ssl);

	if (verdict != X509_V_OK)
		linnet_error_set(e, "bad_certificate",
		    "%s does not prove that it is %s: %s. Check the address, "
		    "the clock, and which authorities are trusted.",
		    u->authority, u->host,
		    X509_verify_cert_error_string(verdict));
	else if (ERR_peek_last_error() == 0 ||
		 ERR_GET_REASON(ERR_peek_last_error()) ==
		     SSL_R_UNEXPECTED_EOF_WHILE_READING)
		linnet_error_set(e, "closed",
		    "%s closed the connection before TLS was spoken.",
		    u->authority);
	else
		linnet_error_set(e, "tls",
		    "%s does not speak TLS as it should: %s. Is ws:// meant, "
		    "or another port?",
		    u->authority, tls_reason());
	ERR_clear_error();
}

int
linnet_tls_shake(
    struct linnet_socket *s, const struct linnet_url *u, struct linnet_error *e)
{
	int r;

	ERR_clear_error();
	if ((r = SSL_do_handshake(s->ssl)) == 1) {
		s->shaken = true;
		s->wants = 0;
		return 1;
	}
	if (tls_later(s, r) == 0)
		return 0;
	tls_explain(s, u, e);
	return -1;
}

ptrdiff_t
linnet_tls_read(struct linnet_socket *s, void *p, size_t n)
{
	size_t got;
	int r;

	ERR_clear_error();
	s->wants &= (short)~POLLIN;
	if ((r = SSL_read_ex(s->ssl, p, n, &got)) == 1) {
		s->wants = 0;
		return (ptrdiff_t)got;
	}
	if (tls_later(s, r) == 0)
		return 0;
	ERR_clear_error();
	s->shaken = false;
	return -1;
}

ptrdiff_t
linnet_tls_write(struct linnet_socket *s, const void *p, size_t n)
{
	size_t put;
	int r;

	ERR_clear_error();
	if ((r = SSL_write_ex(s->ssl, p, n, &put)) == 1) {
		s->wants = 0;
		return (ptrdiff_t)put;
	}
	if (tls_later(s, r) == 0)
		return 0;
	ERR_clear_error();
	s->shaken = false;
	return -1;
}

bool
linnet_tls_pending(const struct linnet_socket *s)
{
	return SSL_has_pending(s->ssl) == 1;
}

void
linnet_tls_end(struct linnet_socket *s)
{
	ERR_clear_error();
	/* So that the other side knows that nothing was cut off. */
	if (s->shaken)
		(void)SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	s->ssl = NULL;
	ERR_clear_error();
}
