/* SPDX-License-Identifier: ISC */
/*
 * AWS Signature Version 4.  A request is brought into one form, its digest is
 * signed with a key that is derived for a day, a region and a service, and
 * what was signed is named beside the signature, so that the service can do
 * the same.  Nothing here knows the time or the network: the published vectors
 * are its test.
 */
#include "store/store.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_DAY_LEN 8
#define SIGV4_TEXT_MAX (64 * 1024)
#define SIGV4_EMPTY \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void
store_sigv4_date(char out[SIGV4_DATE_LEN + 1], int64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, SIGV4_DATE_LEN + 1, "%Y%m%dT%H%M%SZ", &tm) == 0)
		fatalx("the clock");
}

void
store_sigv4_sha256(char out[SIGV4_HEX_LEN + 1], const void *p, size_t n)
{
	uint8_t sum[32];

	if (EVP_Digest(p, n, sum, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256");
	crypto_hex(out, sum, sizeof(sum));
}

static void
sigv4_hmac(
    uint8_t out[32], const void *key, size_t key_len, const void *p, size_t n)
{
	if (HMAC(EVP_sha256(), key, (int)key_len, p, n, out, NULL) == NULL)
		fatalx("HMAC");
}

void
store_sigv4_encode(struct buf *out, const char *s, bool slash)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";

	for (; *s != '\0'; s++) {
		if (strchr(plain, *s) != NULL || (slash && *s == '/'))
			buf_addc(out, *s);
		else
			buf_addf(out, "%%%02X", (unsigned char)*s);
	}
}

static void
sigv4_day(char out[SIGV4_DAY_LEN + 1], const char *date)
{
	memcpy(out, date, SIGV4_DAY_LEN);
	out[SIGV4_DAY_LEN] = '\0';
}

static void
sigv4_scope(struct buf *out, const struct sigv4_key *key, const char *date)
{
	char day[SIGV4_DAY_LEN + 1];

	sigv4_day(day, date);
	buf_addf(out, "%s/%s/%s/aws4_request", day, key->region, key->service);
}

/* The key for one day, region and service. */
static void
sigv4_derive(uint8_t out[32], const struct sigv4_key *key, const char *date)
{
	const char *const steps[] = { key->region, key->service,
		"aws4_request" };
	char day[SIGV4_DAY_LEN + 1];
	struct buf first;
	size_t i;

	sigv4_day(day, date);
	buf_init(&first, SIGV4_TEXT_MAX);
	buf_addf(&first, "AWS4%s", key->secret);
	sigv4_hmac(out, first.data, first.len, day, SIGV4_DAY_LEN);
	crypto_wipe(first.data, first.len);
	buf_free(&first);
	for (i = 0; i < NELEM(steps); i++)
		sigv4_hmac(out, out, 32, steps[i], strlen(steps[i]));
}

static void
sigv4_names(struct buf *out, const struct sigv4_request *r)
{
	size_t i;

	for (i = 0; i < r->nheaders; i++)
		buf_addf(out, "%s%s", i > 0 ? ";" : "", r->headers[i].name);
}

/* Runs of spaces count as one, and none at the ends. */
static void
sigv4_value(struct buf *out, const char *s)
{
	bool space = false, begun = false;

	for (; *s != '\0'; s++) {
		if (*s == ' ' || *s == '\t') {
			space = begun;
			continue;
		}
		if (space)
			buf_addc(out, ' ');
		buf_addc(out, *s);
		space = false;
		begun = true;
	}
}

/* The request in its one form, as its digest. */
static void
sigv4_canonical(char out[SIGV4_HEX_LEN + 1], const struct sigv4_request *r,
    const char *query)
{
	struct buf b;
	size_t i;

	buf_init(&b, SIGV4_TEXT_MAX);
	buf_addf(&b, "%s\n%s\n%s\n", r->method, r->path, query);
	for (i = 0; i < r->nheaders; i++) {
		buf_addf(&b, "%s:", r->headers[i].name);
		sigv4_value(&b, r->headers[i].value);
		buf_addc(&b, '\n');
	}
	buf_addc(&b, '\n');
	sigv4_names(&b, r);
	buf_addf(&b, "\n%s", r->payload);
	if (b.failed)
		fatalx("a request is too long to be signed");
	store_sigv4_sha256(out, b.data, b.len);
	buf_free(&b);
}

/* Signs a text of lines. */
static void
sigv4_seal(
    char out[SIGV4_HEX_LEN + 1], const uint8_t key[32], const struct buf *text)
{
	uint8_t sum[32];

	sigv4_hmac(sum, key, 32, text->data, text->len);
	crypto_hex(out, sum, sizeof(sum));
}

static void
sigv4_signature(char out[SIGV4_HEX_LEN + 1], const struct sigv4_key *key,
    const struct sigv4_request *r, const char *query, uint8_t derived[32])
{
	char canonical[SIGV4_HEX_LEN + 1];
	struct buf text;

	sigv4_canonical(canonical, r, query);
	sigv4_derive(derived, key, r->date);
	buf_init(&text, SIGV4_TEXT_MAX);
	buf_addf(&text, SIGV4_ALGORITHM "\n%s\n", r->date);
	sigv4_scope(&text, key, r->date);
	buf_addf(&text, "\n%s", canonical);
	sigv4_seal(out, derived, &text);
	buf_free(&text);
}

void
store_sigv4_sign(const struct sigv4_key *key, const struct sigv4_request *r,
    struct buf *out, struct sigv4_chain *chain)
{
	char signature[SIGV4_HEX_LEN + 1];
	uint8_t derived[32];
	struct buf scope;

	sigv4_signature(signature, key, r, r->query, derived);
	buf_init(&scope, SIGV4_TEXT_MAX);
	sigv4_scope(&scope, key, r->date);
	buf_addf(out,
	    SIGV4_ALGORITHM " Credential=%s/%s, SignedHeaders=", key->key_id,
	    buf_str(&scope));
	sigv4_names(out, r);
	buf_addf(out, ", Signature=%s", signature);
	if (chain != NULL) {
		memcpy(chain->key, derived, sizeof(derived));
		memcpy(chain->date, r->date, sizeof(chain->date));
		memcpy(chain->signature, signature, sizeof(signature));
		str_copy(chain->scope, buf_str(&scope), sizeof(chain->scope));
	}
	crypto_wipe(derived, sizeof(derived));
	buf_free(&scope);
}

void
store_sigv4_presign(const struct sigv4_key *key, const struct sigv4_request *r,
    unsigned seconds, struct buf *out)
{
	char signature[SIGV4_HEX_LEN + 1];
	uint8_t derived[32];
	struct buf query, word;

	buf_init(&query, SIGV4_TEXT_MAX);
	buf_init(&word, SIGV4_TEXT_MAX);
	buf_addf(&word, "%s/", key->key_id);
	sigv4_scope(&word, key, r->date);
	buf_adds(
	    &query, "X-Amz-Algorithm=" SIGV4_ALGORITHM "&X-Amz-Credential=");
	store_sigv4_encode(&query, buf_str(&word), false);
	buf_addf(&query, "&X-Amz-Date=%s&X-Amz-Expires=%u", r->date, seconds);
	buf_adds(&query, "&X-Amz-SignedHeaders=");
	buf_clear(&word);
	sigv4_names(&word, r);
	store_sigv4_encode(&query, buf_str(&word), false);
	if (r->query[0] != '\0')
		buf_addf(&query, "&%s", r->query);
	sigv4_signature(signature, key, r, buf_str(&query), derived);
	buf_addf(out, "%s&X-Amz-Signature=%s", buf_str(&query), signature);
	crypto_wipe(derived, sizeof(derived));
	buf_free(&query);
	buf_free(&word);
}

void
store_sigv4_chunk(struct sigv4_chain *chain, const void *p, size_t n)
{
	char sum[SIGV4_HEX_LEN + 1];
	struct buf text;

	store_sigv4_sha256(sum, p, n);
	buf_init(&text, SIGV4_TEXT_MAX);
	buf_addf(&text,
	    SIGV4_ALGORITHM "-PAYLOAD\n%s\n%s\n%s\n" SIGV4_EMPTY "\n%s",
	    chain->date, chain->scope, chain->signature, sum);
	sigv4_seal(chain->signature, chain->key, &text);
	buf_free(&text);
}
