/* SPDX-License-Identifier: ISC */
/*
 * GET /openapi.json.  The document is made when it is first asked for, and
 * again after the limits in it have changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/proto_openapi.h"
#include "proto/proto_rest.h"

struct openapi_document {
	int64_t limits[LIMIT_MAX];
	struct buf text;
	char etag[2 * CRYPTO_DIGEST_LEN + 3];
};

static struct openapi_document *
openapi_document(struct proto *p)
{
	const int64_t *limits = p->core->limits.fields;
	struct openapi_document *d = p->openapi;
	uint8_t digest[CRYPTO_DIGEST_LEN];
	char hex[2 * CRYPTO_DIGEST_LEN + 1];

	if (d == NULL) {
		d = p->openapi = xcalloc(1, sizeof(*d));
		buf_init(&d->text, SIZE_MAX / 2);
	} else if (memcmp(d->limits, limits, sizeof(d->limits)) == 0)
		return d;
	memcpy(d->limits, limits, sizeof(d->limits));
	buf_clear(&d->text);
	openapi_write(&d->text, d->limits);
	if (d->text.failed)
		fatalx("out of memory");
	crypto_digest(digest, d->text.data, d->text.len, NULL);
	crypto_hex(hex, digest, sizeof(digest));
	hex[sizeof(hex) - 1] = '\0';
	snprintf(d->etag, sizeof(d->etag), "\"%.32s\"", hex);
	return d;
}

void
openapi_http_reply(
    struct proto *p, struct conn *c, const struct http_request *h)
{
	const struct openapi_document *d = openapi_document(p);
	char cors[HTTP_CORS_MAX], headers[HTTP_CORS_MAX + 128];

	snprintf(headers, sizeof(headers),
	    "%sETag: %s\r\nCache-Control: no-cache\r\n",
	    http_cors(p, h, cors) != NULL ? cors : "", d->etag);
	if (rest_etag_known(http_header(h, "if-none-match"), d->etag))
		conn_reply(c, 304, NULL, headers, NULL, 0);
	else
		conn_reply(c, 200, "application/json", headers, d->text.data,
		    d->text.len);
}

void
openapi_http_free(struct openapi_document *d)
{
	if (d == NULL)
		return;
	buf_free(&d->text);
	free(d);
}
