/* SPDX-License-Identifier: ISC */
/*
 * Who asks: the token that a request shows, or the member for whom a trusted
 * back end says that it acts.
 *
 * A back end shows a service key (x-api-key, or as a bearer token) and names
 * the member in x-principal, as JSON.  A key is the platform's, which is good
 * for all meshes, or a token with the scope `service`, which is good for its
 * own.  Programs that cannot set headers of a WebSocket say the same in its
 * query: token, x-api-key, principal.
 */
#include <string.h>

#include "proto/proto.h"

#define ENTER_PRINCIPAL_MAX 8192
#define ENTER_SCOPES_MAX 256

/* As message-layer's clients write it. */
struct enter_principal {
	struct slice actor;
	struct slice org;
	struct list scopes;
	struct slice provider;
};

#define IN(field) offsetof(struct enter_principal, field)
static const struct field enter_fields[] = {
	{ "actorId", F_STR, IN(actor), 1, 256, FIELD_REQUIRED, NULL, NULL, 0,
	    "For which member." },
	{ "orgId", F_STR, IN(org), 1, 256, FIELD_REQUIRED, NULL, NULL, 0,
	    "Of which mesh." },
	{ "scopes", F_STRS, IN(scopes), 0, ENTER_SCOPES_MAX, 0, NULL, NULL, 0,
	    "What it may do." },
	{ "provider", F_STR, IN(provider), 1, 256, 0, NULL, NULL, 0,
	    "Who vouches for it." },
	{ .type = F_END },
};
#undef IN

/* A request that shows a token which is a service key; of its pool. */
struct entering {
	struct principal principal;
	token_fn *fn;
};

/* A header (NULL: the bearer token), or for an upgrade what the query has under
 * this key; of the pool. */
static struct slice
enter_word(struct request *r, const struct http_request *h, const char *header,
    const char *key)
{
	struct slice v =
	    header != NULL ? http_header(h, header) : http_bearer(h);
	char *text;
	ptrdiff_t n;

	if (v.n > 0)
		return (struct slice){ pool_strndup(&r->pool, v.p, v.n), v.n };
	if (!h->upgrade || h->query.n == 0)
		return (struct slice){ NULL, 0 };
	text = pool_alloc(&r->pool, h->query.n + 1);
	n = http_query(h, key, text, h->query.n + 1);
	return n > 0 ? (struct slice){ text, (size_t)n }
		     : (struct slice){ NULL, 0 };
}

/* The principal of a header; false: the request was refused. */
static bool
enter_read(struct request *r, struct slice text, struct principal *out)
{
	struct json *j =
	    &CONTAINER(r->client, struct peer, client)->proto->json;
	struct enter_principal in;

	memset(&in, 0, sizeof(in));
	if (text.n > ENTER_PRINCIPAL_MAX || json_read(j, text.p, text.n) != 0 ||
	    j->nodes[0].type != JSON_OBJECT ||
	    decode_object(r, j, 0, enter_fields, &in) != ERR_NONE) {
		r->error_at = NULL;
		op_refuse(r, ERR_UNAUTHORIZED, "missing or invalid principal");
		return false;
	}
	*out =
	    (struct principal){ .scopes = in.scopes.v, .nscopes = in.scopes.n };
	if (id_parse(&out->mesh, in.org.p, in.org.n) == 0 &&
	    id_parse(&out->member, in.actor.p, in.actor.n) == 0)
		return true;
	op_refuse(r, ERR_FORBIDDEN, "actor is not in org");
	return false;
}

static void
enter_served(struct request *r)
{
	struct entering *e = r->context;

	r->context = NULL;
	principal_enter(r, &e->principal, false, e->fn);
}

static void
enter_principal(
    struct request *r, struct slice text, struct slice key, token_fn *fn)
{
	struct entering *e = pool_zalloc(&r->pool, sizeof(*e));

	if (key.n == 0) {
		op_refuse(r, ERR_UNAUTHORIZED,
		    "x-principal is believed together with a service key only "
		    "(x-api-key: the platform's key, or a token with the "
		    "scope service).");
		return;
	}
	if (!enter_read(r, text, &e->principal))
		return;
	e->fn = fn;
	if (principal_platform(r->core, key))
		principal_enter(r, &e->principal, true, fn);
	else {
		r->context = e;
		token_enter(r, key, enter_served);
	}
}

bool
proto_is_platform(const struct proto *p, const struct http_request *h)
{
	static const char *const headers[] = { "x-platform-key", "x-api-key" };
	struct slice v = http_bearer(h);
	size_t i;

	if (v.n > 0 && principal_platform(p->core, v))
		return true;
	for (i = 0; i < NELEM(headers); i++) {
		v = http_header(h, headers[i]);
		if (v.n > 0 && principal_platform(p->core, v))
			return true;
	}
	return false;
}

void
proto_enter(struct request *r, const struct http_request *h, token_fn *fn)
{
	struct slice principal = enter_word(r, h, "x-principal", "principal");
	struct slice key = enter_word(r, h, "x-api-key", "x-api-key");
	struct slice bearer = enter_word(r, h, NULL, "token");

	if (principal.n > 0)
		enter_principal(r, principal, key.n > 0 ? key : bearer, fn);
	else if (bearer.n > 0)
		token_enter(r, bearer, fn);
	else
		op_refuse(r, ERR_UNAUTHORIZED,
		    "It needs a token (Authorization: Bearer wat_...); linnet "
		    "token create makes one.");
}
