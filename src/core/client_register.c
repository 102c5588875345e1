/* SPDX-License-Identifier: ISC */
/*
 * register_client: a program of a member says where it can be reached.  It is
 * kept, and told to those who read the journal; nothing is sent there.
 */
#include <string.h>

#include "core/domain.h"

#define CLIENT_METADATA_MAX 65536

struct register_in {
	struct slice endpoint;
	struct slice metadata;
};

#define IN(field) offsetof(struct register_in, field)
static const struct field register_fields[] = {
	{ "endpoint", F_STR, IN(endpoint), 1, 2048, FIELD_REQUIRED, NULL, NULL,
	    0, "Where it can be reached." },
	{ "metadata", F_JSON, IN(metadata), 2, CLIENT_METADATA_MAX, 0, NULL,
	    NULL, 0, "What it says of itself, an object." },
	{ .type = F_END },
};
#undef IN

struct register_out {
	struct id client;
};

static const struct field register_out_fields[] = {
	{ "clientId", F_ID, offsetof(struct register_out, client), 0, 0, 0,
	    NULL, NULL, 0, "Its id." },
	{ .type = F_END },
};

static void
registered(void *arg, const struct db_result *res)
{
	struct request *r = arg;

	if (!op_db_failed(r, res))
		op_reply(r, r->context);
}

static void
register_client_exec(struct request *r, void *arg)
{
	const struct register_in *in = arg;
	const struct session *s = r->client->session;
	struct register_out *out = pool_zalloc(&r->pool, sizeof(*out));
	struct db_params *p;

	if (in->metadata.n > 0 && in->metadata.p[0] != '{') {
		op_fail(r, ERR_MALFORMED, "metadata must be an object.");
		return;
	}
	id_new(&out->client);
	r->context = out;
	p = db_params(STMT_client_put);
	db_put_id(p, &out->client);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_text(p, in->endpoint.p, in->endpoint.n);
	if (in->metadata.n > 0)
		db_put_text(p, in->metadata.p, in->metadata.n);
	else
		db_put_str(p, "{}");
	db_query(r->core->reads, p, registered, r);
}

const struct op op_register_client = {
	.name = "register_client",
	.scope = SCOPE_PRESENCE_READ,
	.rest = { "POST /v1/clients" },
	.reply = "client_registered",
	.flags = OP_REST_ONLY,
	.in = register_fields,
	.in_size = sizeof(struct register_in),
	.out = register_out_fields,
	.exec = register_client_exec,
	.text = "Say where a program of yours can be reached.",
};
