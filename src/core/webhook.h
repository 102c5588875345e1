/* SPDX-License-Identifier: ISC */
/*
 * Webhooks: events of the journal, sent by HTTP to where a member wants them.
 *
 * Each has a place in the journal up to which all is done with.  The jobs
 * process of one host at a time claims it, and sends what comes behind that
 * place: one event at a time, in their order, until it was taken or given up.
 * Whether its member may see an event is asked when it is sent.
 */
#ifndef CORE_WEBHOOK_H
#define CORE_WEBHOOK_H

#include "core/core.h"

#define WEBHOOK_URL_MAX 2048
#define WEBHOOK_HOST_MAX 253
#define WEBHOOK_SECRET_MIN 8
#define WEBHOOK_SECRET_MAX 256
/* What is kept of an answer. */
#define WEBHOOK_RESPONSE_MAX 1024

/*
 * webhook_url.c: where requests may go.
 */
struct webhook_url {
	bool tls;
	bool is_ip;
	struct ip ip;			 /* of one that names an address */
	char host[WEBHOOK_HOST_MAX + 1]; /* lower case, without brackets */
	unsigned port;
	struct slice path; /* with the query; of the text; perhaps empty */
};
/* NULL, or why not, in a word: "invalid-url", "protocol", "blocked-hostname",
 * or what ip_special() says. */
const char *webhook_url(struct webhook_url *out, struct slice text,
    const struct webhook_limits *l) MUST_CHECK;
/* The same for an address that a name stands for. */
const char *webhook_refuses(
    const struct webhook_limits *l, const struct ip *ip) MUST_CHECK;

/*
 * webhook_secret.c: what is signed with, and the signatures.
 */
/* A new one, in the form of Standard Webhooks: whsec_ and base64. */
#define WEBHOOK_SECRET_LEN 50
void webhook_secret_make(char out[WEBHOOK_SECRET_LEN + 1]);
/* out has room for n + CRYPTO_LOCK_EXTRA. */
void webhook_secret_lock(const struct core *c, const struct id *webhook,
    struct slice secret, uint8_t *out);
/* Returns its length (out has room for WEBHOOK_SECRET_MAX), or -1: it was
 * locked with the key of another host. */
ptrdiff_t webhook_secret_unlock(const struct core *c, const struct id *webhook,
    struct slice box, char *out) MUST_CHECK;
#define WEBHOOK_SIGNATURE_LEN 47 /* "v1," and base64 */
/* Standard Webhooks: over the delivery's id, the time in seconds and the body,
 * with dots between.  The key is what whsec_ stands before, in base64; another
 * secret is the key itself. */
void webhook_sign(char out[WEBHOOK_SIGNATURE_LEN + 1], struct slice secret,
    const char *id, int64_t at_s, struct slice body);
/* message-layer: over the body, with the secret as it is written, in hex. */
void webhook_sign_body(
    char out[2 * CRYPTO_HMAC_LEN + 1], struct slice secret, struct slice body);

/*
 * Who brings them: jobs sets core.courier.
 */
struct courier_post {
	const struct webhook_url *url;
	const char *const *headers; /* "name: value", NULL-ended */
	struct slice body;
	uint64_t n; /* of several addresses of a name: which one */
};
struct courier_answer {
	int64_t status;	   /* of HTTP; 0: there was none */
	const char *error; /* why not */
	struct slice body; /* at most WEBHOOK_RESPONSE_MAX bytes */
	int64_t retry_ms;  /* Retry-After; 0: it said none */
};
typedef void courier_fn(void *arg, const struct courier_answer *a);
struct courier {
	/* Copies what it needs; calls fn once, later, unless it is closed. */
	void (*post)(void *courier, const struct courier_post *p,
	    courier_fn *fn, void *arg);
};

/*
 * webhook_send.c: in jobs.
 */
void webhook_open(
    struct core *c, const struct courier *courier, void *courier_arg);
void webhook_close(struct core *c);
/* Often: sends what there is to send. */
void webhook_look(struct core *c);

/*
 * webhook.c
 */
/* Turns one off whose endpoint does not work. */
void webhook_disable(struct core *c, const struct id *mesh,
    const struct id *webhook, const char *why);

#endif
