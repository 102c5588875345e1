/* SPDX-License-Identifier: ISC */
/*
 * TLS contexts: certificates with their keys, what is offered to clients, and
 * session tickets.
 *
 * A connection keeps its context (OpenSSL counts the references), so a new
 * set of certificates takes the place of an old one at any time.  For the same
 * reason no callback here is given a pointer to the set: it goes from the
 * connection to its net and finds what is in force now, so that a handshake
 * that began before the change ends with the new names and ticket keys.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/net_tls.h"

#define TLS_SESSION_NAME "linnet"

struct tls_entry {
	SSL_CTX *ctx;
	X509 *cert;
	struct net_tls_cert about;
};

struct net_tls {
	struct net_tls_options options;
	char *ciphers;
	struct tls_entry *entries;
	size_t n;
};

void
net_tls_start(void)
{
	/* OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS |
				 OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
				 OPENSSL_INIT_LOAD_CONFIG,
		NULL) != 1)
		fatalx("OpenSSL does not start");
}

/*
 * Callbacks of OpenSSL, during a handshake.
 */

static struct net *
tls_net(SSL *ssl)
{
	const struct conn *c = SSL_get_app_data(ssl);

	return c->net;
}

/* RFC 7301.  A client that names no protocol is taken for one of HTTP/1.1. */
static int
tls_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
	static const char http[] = "http/1.1";
	unsigned i;

	(void)ssl;
	(void)arg;
	for (i = 0; i < inlen; i += 1U + in[i]) {
		if (in[i] == sizeof(http) - 1 && inlen - i > in[i] &&
		    memcmp(in + i + 1, http, in[i]) == 0) {
			*out = in + i + 1;
			*outlen = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* RFC 6066 3.  A name that no certificate has gets the first one: the client
 * then sees for itself that it is not the right one. */
static int
tls_name_cb(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct net_tls *t = tls_net(ssl)->tls;
	size_t i;

	(void)alert;
	(void)arg;
	if (name == NULL || t == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (i = 0; i < t->n; i++) {
		if (X509_check_host(t->entries[i].cert, name, 0, 0, NULL) == 1)
			break;
	}
	if (i == t->n)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, t->entries[i].ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* The newest key makes tickets; the older one still opens them, and its
 * holder gets a new one.  RFC 5077 4. */
static int
tls_ticket_cb(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	const struct net *n = tls_net(ssl);
	const struct net_tls_ticket *k = n->tickets;
	static char digest[] = "SHA256";
	OSSL_PARAM params[3];
	size_t i = 0;

	if (!seal) {
		while (i < n->ntickets &&
		       memcmp(name, k[i].name, sizeof(k[i].name)) != 0)
			i++;
	}
	if (i == n->ntickets)
		return 0;
	k += i;
	params[0] = OSSL_PARAM_construct_octet_string(
	    OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac));
	params[1] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_MAC_CTX_set_params(mac, params) != 1)
		return -1;
	if (!seal)
		return EVP_DecryptInit_ex(
			   cipher, EVP_aes_256_cbc(), NULL, k->aes, iv) != 1
			   ? -1
		       : i == 0 ? 1
				: 2;
	memcpy(name, k->name, sizeof(k->name));
	if (RAND_bytes(iv, 16) != 1 ||
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv) !=
		1)
		return -1;
	return 1;
}

/*
 * Contexts.
 */

/* NULL, or what is wrong with the options. */
static const char *
tls_set_options(SSL_CTX *ctx, const struct net_tls *t)
{
	int64_t seconds = t->options.session_ms / 1000;

	SSL_CTX_set_options(
	    ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
		     SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				  SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* One call for a record, not one for its head and one for the rest. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_timeout(ctx, (long)(seconds > 0 ? seconds : 1));
	SSL_CTX_set_alpn_select_cb(ctx, tls_alpn_cb, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, tls_name_cb);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_ticket_cb);
	if (SSL_CTX_set_session_id_context(ctx,
		(const unsigned char *)TLS_SESSION_NAME,
		sizeof(TLS_SESSION_NAME) - 1) != 1 ||
	    SSL_CTX_set_min_proto_version(ctx,
		t->options.only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, 0) != 1)
		return "OpenSSL does not take the options";
	if (SSL_CTX_set_cipher_list(ctx, t->ciphers) != 1)
		return "there is no such cipher in tls.ciphers";
	return NULL;
}

/* Without a terminal there is nobody to ask for a passphrase. */
static int
tls_passphrase_cb(char *buf, int size, int rwflag, void *arg)
{
	bool *asked = arg;

	(void)buf;
	(void)size;
	(void)rwflag;
	*asked = true;
	return -1;
}

static const char *
tls_use_chain(struct tls_entry *e, BIO *in)
{
	X509 *x;

	e->cert = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
	if (e->cert == NULL)
		return "the first file holds no certificate";
	if (SSL_CTX_use_certificate(e->ctx, e->cert) != 1)
		return "the certificate is not good for TLS; its key may be "
		       "too short";
	while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(e->ctx, x) != 1) {
			X509_free(x);
			return "a certificate of the chain is not good for TLS";
		}
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return "the chain of certificates cannot be read";
	return NULL;
}

static const char *
tls_use_key(struct tls_entry *e, BIO *in)
{
	bool asked = false;
	EVP_PKEY *key =
	    PEM_read_bio_PrivateKey(in, NULL, tls_passphrase_cb, &asked);
	const char *wrong = NULL;

	if (key == NULL)
		return asked ? "the private key is encrypted; give one "
			       "without a passphrase"
			     : "the second file holds no private key";
	if (X509_check_private_key(e->cert, key) != 1)
		wrong = "the private key does not belong to the certificate";
	else if (SSL_CTX_use_PrivateKey(e->ctx, key) != 1)
		wrong = "the private key is not good for TLS";
	EVP_PKEY_free(key);
	return wrong;
}

static int64_t
tls_time(const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

/* The first name in it that a client may look for. */
static void
tls_describe(struct tls_entry *e)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(e->cert, NID_subject_alt_name, NULL, NULL);
	struct net_tls_cert *a = &e->about;
	const GENERAL_NAME *g;
	int i;

	a->begins_ms = tls_time(X509_get0_notBefore(e->cert));
	a->ends_ms = tls_time(X509_get0_notAfter(e->cert));
	for (i = 0; a->name[0] == '\0' && i < sk_GENERAL_NAME_num(names); i++) {
		g = sk_GENERAL_NAME_value(names, i);
		if (g->type == GEN_DNS)
			str_copy(a->name,
			    (const char *)ASN1_STRING_get0_data(g->d.dNSName),
			    sizeof(a->name));
	}
	GENERAL_NAMES_free(names);
	if (a->name[0] == '\0')
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(e->cert),
		    NID_commonName, a->name, sizeof(a->name));
}

static void
tls_entry_free(struct tls_entry *e)
{
	X509_free(e->cert);
	SSL_CTX_free(e->ctx);
}

static const char *
tls_entry_fill(
    const struct net_tls *t, struct tls_entry *e, BIO *chain, BIO *key)
{
	const char *wrong;

	if (e->ctx == NULL || chain == NULL || key == NULL)
		return "there is no memory";
	if ((wrong = tls_set_options(e->ctx, t)) == NULL &&
	    (wrong = tls_use_chain(e, chain)) == NULL &&
	    (wrong = tls_use_key(e, key)) == NULL)
		tls_describe(e);
	return wrong;
}

struct net_tls *
net_tls_new(const struct net_tls_options *o)
{
	struct net_tls *t = xcalloc(1, sizeof(*t));

	t->options = *o;
	t->ciphers = xstrdup(o->ciphers);
	t->options.ciphers = t->ciphers;
	return t;
}

const char *
net_tls_add(struct net_tls *t, struct slice chain, struct slice key)
{
	struct tls_entry e = { .ctx = SSL_CTX_new(TLS_server_method()) };
	BIO *chain_bio = BIO_new_mem_buf(chain.p, (int)chain.n);
	BIO *key_bio = BIO_new_mem_buf(key.p, (int)key.n);
	const char *wrong;

	ERR_clear_error();
	wrong = tls_entry_fill(t, &e, chain_bio, key_bio);
	ERR_clear_error();
	BIO_free(chain_bio);
	BIO_free(key_bio);
	if (wrong != NULL) {
		tls_entry_free(&e);
		return wrong;
	}
	t->entries = xreallocarray(t->entries, t->n + 1, sizeof(*t->entries));
	t->entries[t->n++] = e;
	return NULL;
}

void
net_tls_free(struct net_tls *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->n; i++)
		tls_entry_free(&t->entries[i]);
	free(t->entries);
	free(t->ciphers);
	free(t);
}

size_t
net_tls_count(const struct net_tls *t)
{
	return t->n;
}

const struct net_tls_cert *
net_tls_cert(const struct net_tls *t, size_t i)
{
	return &t->entries[i].about;
}

SSL_CTX *
net_tls_first(const struct net_tls *t)
{
	return t->entries[0].ctx;
}

void
net_set_tls(struct net *n, struct net_tls *t)
{
	net_tls_free(n->tls);
	n->tls = t;
}

void
net_set_tickets(struct net *n, const struct net_tls_ticket *keys, size_t count)
{
	crypto_wipe(n->tickets, sizeof(n->tickets));
	n->ntickets = count < NET_TLS_TICKETS ? count : NET_TLS_TICKETS;
	memcpy(n->tickets, keys, n->ntickets * sizeof(*keys));
}
