/* SPDX-License-Identifier: ISC */
/*
 * TLS: the client's side, and a certificate for servers that are started here.
 * Nobody checks it: what is measured is the price of TLS.
 */
#include "bench/bench.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

#define TLS_DAYS 30

static X509 *
tls_sign(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name;

	if (x == NULL)
		return NULL;
	name = X509_get_subject_name(x);
	if (X509_set_version(x, 2) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -86400) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), TLS_DAYS * 86400L) == NULL ||
	    X509_set_pubkey(x, key) != 1 ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)"localhost", -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, name) != 1 ||
	    X509_sign(x, key, EVP_sha256()) == 0) {
		X509_free(x);
		return NULL;
	}
	return x;
}

int
bench_tls_make(const char *cert_file, const char *key_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key != NULL ? tls_sign(key) : NULL;
	FILE *cert = fopen(cert_file, "we"), *secret = fopen(key_file, "we");
	int done = -1;

	if (cert != NULL && secret != NULL && x != NULL &&
	    PEM_write_X509(cert, x) == 1 &&
	    PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1)
		done = 0;
	if (cert != NULL && fclose(cert) != 0)
		done = -1;
	if (secret != NULL && fclose(secret) != 0)
		done = -1;
	X509_free(x);
	EVP_PKEY_free(key);
	return done;
}

struct ssl_ctx_st *
bench_tls_client(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		fatalx("TLS: no memory");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				  SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

void
bench_tls_client_free(struct ssl_ctx_st *ctx)
{
	SSL_CTX_free(ctx);
}

struct ssl_st *
bench_tls_new(struct ssl_ctx_st *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		fatalx("TLS: no memory");
	SSL_set_connect_state(ssl);
	return ssl;
}

static ssize_t
tls_failed(SSL *ssl, int result)
{
	int why = SSL_get_error(ssl, result);

	ERR_clear_error();
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE
		    ? EAGAIN
		    : ECONNRESET;
	return -1;
}

int
bench_tls_shake(struct ssl_st *ssl, bool *out)
{
	int n = SSL_do_handshake(ssl);

	if (n == 1)
		return 1;
	*out = SSL_get_error(ssl, n) == SSL_ERROR_WANT_WRITE;
	return tls_failed(ssl, n) < 0 && errno == EAGAIN ? 0 : -1;
}

/* Reads on until nothing is left that epoll would not announce. */
ssize_t
bench_tls_read(struct ssl_st *ssl, void *p, size_t n)
{
	size_t done = 0;
	int got = 0;

	while (done < n) {
		got = SSL_read(ssl, (char *)p + done, (int)(n - done));
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done > 0 ? (ssize_t)done : tls_failed(ssl, got);
}

ssize_t
bench_tls_write(struct ssl_st *ssl, const void *p, size_t n)
{
	int put = SSL_write(ssl, p, n < 1u << 30 ? (int)n : 1 << 30);

	if (put > 0)
		return put;
	if (tls_failed(ssl, put) == 0)
		errno = EPIPE;
	return -1;
}

void
bench_tls_free(struct ssl_st *ssl)
{
	SSL_set_quiet_shutdown(ssl, 1);
	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	ERR_clear_error();
}
