/* SPDX-License-Identifier: ISC */
/*
 * Principals: members for whom a trusted back end acts.  What they may do is
 * what it says of them, and what they were granted; reading is for all, as far
 * as they are members of what they read.
 */
#include <string.h>

#include "core/domain.h"

#define PRINCIPAL_READS                                                     \
	(SCOPE_BIT(SCOPE_MEMBER) | SCOPE_BIT(SCOPE_PRESENCE_READ) |         \
	    SCOPE_BIT(SCOPE_CHANNELS_READ) | SCOPE_BIT(SCOPE_MEMORY_READ) | \
	    SCOPE_BIT(SCOPE_FILES_READ))

/* A request that enters; of its pool. */
struct principal_entering {
	struct request *request;
	struct id mesh;
	struct id member;
	uint64_t scopes;
	bool vouched;
	struct token token; /* of the back end, without its texts */
	token_fn *fn;
};

bool
principal_platform(const struct core *c, struct slice key)
{
	static const uint8_t none[CRYPTO_DIGEST_LEN];
	uint8_t digest[CRYPTO_DIGEST_LEN];

	token_digest(digest, key, token_key(c));
	return !crypto_same(c->platform, none, sizeof(none)) &&
	       crypto_same(c->platform, digest, sizeof(digest));
}

static void
principal_begun(void *arg, bool good)
{
	struct principal_entering *n = arg;
	struct request *r = n->request;

	if (r->client == NULL)
		client_request_free(r);
	else if (!good)
		op_fail(r, ERR_UNAVAILABLE, NULL);
	else {
		r->client->deputy->vouched = n->vouched;
		r->client->deputy->token = n->token;
		r->state = REQUEST_WAITS;
		n->fn(r);
	}
}

static void
principal_found(void *arg, const struct db_result *res)
{
	struct principal_entering *n = arg;
	struct request *r = n->request;
	struct session_info i;
	struct slice bytes;

	if (r->client == NULL) {
		client_request_free(r);
		return;
	}
	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		op_refuse(r, ERR_FORBIDDEN, "actor is not in org");
		return;
	}
	memset(&i, 0, sizeof(i));
	i.id = i.member = n->member;
	i.mesh = n->mesh;
	bytes = db_bytes(res, 0, 0);
	if (bytes.n == sizeof(i.member_key))
		memcpy(i.member_key, bytes.p, bytes.n);
	i.name = i.member_name = db_text(res, 0, 1);
	i.role = db_text(res, 0, 2);
	i.control = true;
	deputy_begin(r->client, &i, NULL, n->scopes, principal_begun, n);
}

void
principal_enter(
    struct request *r, const struct principal *p, bool platform, token_fn *fn)
{
	struct client *c = r->client;
	const struct token *t = deputy_token(c);
	struct principal_entering *n = pool_zalloc(&r->pool, sizeof(*n));
	struct db_params *q;
	size_t wrong;

	if (!platform &&
	    (t == NULL || !(c->scopes & SCOPE_BIT(SCOPE_SERVICE)))) {
		op_refuse(r, ERR_FORBIDDEN,
		    "x-principal is believed of a caller with the platform's "
		    "key, or with a token that has the scope service: linnet "
		    "token create --scopes service");
		return;
	}
	if (!platform && !id_same(&t->mesh, &p->mesh)) {
		op_refuse(r, ERR_FORBIDDEN, "actor is not in org");
		return;
	}
	n->vouched = !platform;
	if (n->vouched) {
		n->token = *t;
		n->token.name = n->token.slug = n->token.member_name =
		    n->token.role = (struct slice){ NULL, 0 };
	}
	if (c->deputy != NULL)
		deputy_end(c);
	n->request = r;
	n->mesh = p->mesh;
	n->member = p->member;
	n->scopes =
	    PRINCIPAL_READS | token_scopes(p->scopes, p->nscopes, &wrong);
	n->fn = fn;
	/* It is not given up when its client goes. */
	r->state = REQUEST_RUNS;
	q = db_params(STMT_principal_find);
	db_put_id(q, &n->mesh);
	db_put_id(q, &n->member);
	db_query(r->core->reads, q, principal_found, n);
}
