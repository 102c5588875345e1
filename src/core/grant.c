/* SPDX-License-Identifier: ISC */
/*
 * What a grant can give, and what a request needs one for.
 *
 * A scope that no grant can give, and a constraint that nothing looks at, are
 * refused: a grant promises nothing that is not kept.
 */
#include <string.h>

#include "core/grant.h"

#define S(id) SCOPE_BIT(SCOPE_##id)
/* Of the scopes those that a grant can give; about channels those of these. */
#define GRANT_ABOUT_CHANNELS                                              \
	(S(MESSAGE_APPEND) | S(COMMAND_INVOKE) | S(THREAD_CREATE) |       \
	    S(CHANNEL_ADMIN) | S(MESSAGE_REDACT) | S(ARTIFACT_REGISTER) | \
	    S(ARTIFACT_ADMIN))
#define GRANT_GIVES                                                      \
	(GRANT_ABOUT_CHANNELS | S(CHANNEL_CREATE) | S(GRANT_CREATE) |    \
	    S(MEMORY_PROMOTE) | S(WEBHOOK_SUBSCRIBE) | S(WEBHOOK_READ) | \
	    S(STREAM_READ) | S(STREAM_WRITE))
/* What gives nothing beyond the channel that it is given on.  Promoting shows
 * it to the mesh, and how far a word of applications goes only they know. */
#define GRANT_STAYS                                                      \
	(GRANT_ABOUT_CHANNELS | S(WEBHOOK_SUBSCRIBE) | S(WEBHOOK_READ) | \
	    S(STREAM_READ) | S(STREAM_WRITE))
#define GRANT_ABOUT_PARTS (S(MESSAGE_APPEND) | S(COMMAND_INVOKE))

#define GRANT_CONSTRAINTS_MAX 4096
#define GRANT_NODES 256

bool
grant_has(const struct client *c, enum scope scope)
{
	return (c->scopes & SCOPE_BIT(scope)) != 0;
}

bool
grant_owns(const struct client *c)
{
	/* A back end says for whom it acts: it has no token of the member. */
	return grant_has(c, SCOPE_CHANNELS_WRITE) ||
	       (c->deputy != NULL && deputy_token(c) == NULL);
}

const char *
grant_needs(struct request *r, uint64_t scopes)
{
	const char *list = NULL;
	unsigned i;

	scopes &= ~r->client->scopes;
	for (i = 0; i < SCOPE_MAX; i++)
		if (scopes & SCOPE_BIT(i))
			list = pool_printf(&r->pool, "%s%s%s",
			    list != NULL ? list : "{", list != NULL ? "," : "",
			    table_scopes[i]);
	return list != NULL ? pool_printf(&r->pool, "%s}", list) : NULL;
}

static enum scope
grant_scope(struct slice capability)
{
	unsigned i;

	for (i = SCOPE_UNSET + 1; i < SCOPE_MAX; i++)
		if (strlen(table_scopes[i]) == capability.n &&
		    memcmp(table_scopes[i], capability.p, capability.n) == 0)
			return (enum scope)i;
	return SCOPE_UNSET;
}

bool
grant_stays(struct slice capability)
{
	return (GRANT_STAYS & SCOPE_BIT(grant_scope(capability))) != 0;
}

void
grant_lacks(struct request *r, struct slice capability, bool is_thread,
    const struct id *channel)
{
	op_deny(r, grant_scope(capability), is_thread ? "thread" : "channel",
	    channel);
}

void
grant_put_needs(struct db_params *p, struct request *r)
{
	db_put_bool(p, !grant_has(r->client, SCOPE_GRANT_CREATE));
}

struct id
grant_id(struct slice text)
{
	struct id id;

	memset(&id, 0, sizeof(id));
	if (id_parse(&id, text.p, text.n) != 0)
		memset(&id, 0, sizeof(id));
	return id;
}

struct slice
grant_keep(struct request *r, struct slice s)
{
	return s.p == NULL
		   ? s
		   : (struct slice){ pool_strndup(&r->pool, s.p, s.n), s.n };
}

static bool
grant_is_text(struct slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

bool
grant_is_stream(struct slice type)
{
	return grant_is_text(type, "channel") || grant_is_text(type, "thread");
}

/* Is it a list of texts? */
static bool
grant_is_list(const struct json *j, size_t i, bool ids)
{
	const struct json_node *nodes = j->nodes;
	struct id id;
	size_t k;

	if (nodes[i].type != JSON_ARRAY || nodes[i].end == i + 1)
		return false;
	for (k = JSON_FIRST(i); k != nodes[i].end; k = nodes[k].end)
		if (nodes[k].type != JSON_STRING ||
		    (ids ? id_parse(&id, nodes[k].p, nodes[k].n) != 0
			 : !post_is_type(&nodes[k])))
			return false;
	return true;
}

static bool
grant_is_count(const struct json_node *n)
{
	int64_t v;

	return n->type == JSON_NUMBER && json_int(n, &v) == 0 && v > 0;
}

static const char *const grant_constraints[] = { "channelIds", "partTypes",
	"maxParts", "maxBytes" };

/* One constraint; NULL, or what is wrong with it. */
static const char *
grant_constraint(const struct json *j, size_t key, uint64_t scope, size_t which)
{
	switch (which) {
	case 0:
		if (!(scope & GRANT_ABOUT_CHANNELS))
			return "channelIds is for what is done in channels";
		return grant_is_list(j, key + 1, true)
			   ? NULL
			   : "channelIds must be a list of ids";
	case NELEM(grant_constraints):
		return "there are channelIds, partTypes, maxParts and maxBytes";
	default:
		if (scope & GRANT_ABOUT_PARTS)
			break;
		return "partTypes, maxParts and maxBytes are for "
		       "message:append and command:invoke";
	}
	if (which == 1)
		return grant_is_list(j, key + 1, false)
			   ? NULL
			   : "partTypes must be a list of types of parts";
	return grant_is_count(&j->nodes[key + 1])
		   ? NULL
		   : "maxParts and maxBytes must be whole numbers from 1";
}

static bool
grant_check_constraints(struct request *r, struct grant_what *w)
{
	uint64_t scope = SCOPE_BIT(grant_scope(w->capability));
	size_t which;
	unsigned seen = 0;
	const char *error = NULL;
	struct json j;
	size_t k;

	if (w->constraints.n == 0 || grant_is_text(w->constraints, "null")) {
		w->constraints = (struct slice){ "{}", 2 };
		return true;
	}
	json_init(&j, GRANT_NODES, 3);
	if (json_read(&j, w->constraints.p, w->constraints.n) != 0 ||
	    j.nodes[0].type != JSON_OBJECT)
		error = "it must be an object";
	for (k = JSON_FIRST(0); error == NULL && k != j.nodes[0].end;
	     k = j.nodes[k + 1].end) {
		for (which = 0; which < NELEM(grant_constraints); which++)
			if (json_is(&j.nodes[k], grant_constraints[which]))
				break;
		error = grant_constraint(&j, k, scope, which);
		if (error == NULL && seen & 1U << which)
			error = "one is there twice";
		seen |= 1U << which;
	}
	json_free(&j);
	if (error == NULL)
		return true;
	op_fail(r, ERR_MALFORMED,
	    "constraints: %s; what is not enforced cannot be asked for.",
	    error);
	return false;
}

/* Ids are compared as texts. */
static bool
grant_check_id(struct request *r, struct grant_what *w)
{
	bool stream = grant_is_stream(w->type);
	char *hex;
	struct id id;

	if (w->id.n == 0) {
		w->id = (struct slice){ NULL, 0 };
		return true;
	}
	if (!stream && !grant_is_text(w->type, "org"))
		return true;
	if (id_parse(&id, w->id.p, w->id.n) != 0 ||
	    (!stream && !id_same(&id, &r->client->session->mesh->id))) {
		op_fail(r, ERR_MALFORMED,
		    stream ? "resourceId must be the id of a channel or "
			     "thread."
			   : "resourceId must be the id of the mesh, or "
			     "absent.");
		return false;
	}
	hex = pool_alloc(&r->pool, ID_HEX_LEN + 1);
	w->id = (struct slice){ id_hex(&id, hex), ID_HEX_LEN };
	return true;
}

bool
grant_check(struct request *r, struct grant_what *w)
{
	enum scope scope = grant_scope(w->capability);

	if (scope != SCOPE_UNSET && !(GRANT_GIVES & SCOPE_BIT(scope))) {
		op_fail(r, ERR_MALFORMED,
		    "No grant can give %s: it comes with a role, or a token.",
		    table_scopes[scope]);
		return false;
	}
	if (w->expires_ms > 0 && w->expires_ms <= clock_wall()) {
		op_fail(r, ERR_MALFORMED, "expiresAt is over.");
		return false;
	}
	return grant_check_id(r, w) && grant_check_constraints(r, w);
}

void
grant_line(struct db_params *row, int64_t k, const struct id *mesh,
    const struct id *id, const struct id *member, const struct id *by,
    const struct grant_what *w)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "actorId");
	json_id(&l.w, member);
	json_text_at(&l.w, "capability", w->capability);
	json_key(&l.w, "createdByActorId");
	json_id(&l.w, by);
	json_key(&l.w, "expiresAt");
	json_time(&l.w, w->expires_ms);
	json_key(&l.w, "grantId");
	json_id(&l.w, id);
	json_key(&l.w, "maxUses");
	if (w->max_uses > 0)
		json_num(&l.w, w->max_uses);
	else
		json_null(&l.w);
	json_key(&l.w, "orgId");
	json_id(&l.w, mesh);
	json_text_at(&l.w, "resourceId", w->id);
	json_text_at(&l.w, "resourceType", w->type);
	journal_end(&l, k, "grant.created");
}
