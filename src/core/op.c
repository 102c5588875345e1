/* SPDX-License-Identifier: ISC */
/*
 * The gate: every operation, from every protocol, passes here, and every
 * request is answered from here, once, in the order in which its client asked.
 *
 * A client's requests form a queue.  A request begins when all before it are
 * done, so that whoever sets a key and then reads it reads what was set; a
 * PIPELINED operation (send) may also begin while only others of its kind are
 * before it, which is what lets one client fill a commit.  A request that is
 * done keeps its answer until all before it are answered.  One whose turn in
 * the order is not settled yet (it asks who is meant) holds back the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"
#include "core/grant.h"

#define OP(name) extern const struct op op_##name;
#include "core/ops.def"
#undef OP

const struct op *const op_table[] = {
#define OP(name) &op_##name,
#include "core/ops.def"
#undef OP
	NULL,
};

const struct op *
op_find(const char *name, size_t n)
{
	const struct op *const *o;

	/* What a client names may have a NUL in it. */
	for (o = op_table; *o != NULL; o++)
		if (strlen((*o)->name) == n && memcmp((*o)->name, name, n) == 0)
			return *o;
	return NULL;
}

static const char *
op_check_fields(const struct field *f, size_t size)
{
	for (; f != NULL && f->type != F_END; f++) {
		if (f->name == NULL || f->text == NULL)
			return "a field without a name or text";
		if (size > 0 && f->offset >= size)
			return "a field outside its struct";
		if (f->type == F_ENUM && f->names == NULL)
			return "an enum without names";
		if ((f->type == F_ROWS || f->type == F_ROW) &&
		    (f->rows == NULL ||
			op_check_fields(f->rows, f->row_size) != NULL))
			return "rows without a description";
	}
	return NULL;
}

const char *
op_check(void)
{
	const struct op *const *o, *const *p;
	const char *error;

	for (o = op_table; *o != NULL; o++) {
		if ((*o)->name == NULL || (*o)->text == NULL ||
		    (*o)->exec == NULL)
			return "an operation without name, text or handler";
		if ((*o)->scope == SCOPE_UNSET || (*o)->scope >= SCOPE_MAX)
			return "an operation without a scope";
		if (((*o)->flags & OP_REST_ONLY) && (*o)->rest[0] == NULL)
			return "an operation that cannot be reached";
		if ((error = op_check_fields((*o)->in, (*o)->in_size)) != NULL)
			return error;
		if ((error = op_check_fields((*o)->out, 0)) != NULL)
			return error;
		for (p = op_table; p != o; p++)
			if (strcmp((*p)->name, (*o)->name) == 0)
				return "two operations of one name";
	}
	return NULL;
}

static bool
op_may_begin(const struct client *c, const struct request *r)
{
	const struct request *before;

	TAILQ_FOREACH (before, &c->requests, entry) {
		if (before == r)
			return true;
		if (before->state != REQUEST_DONE &&
		    (before->holds ||
			!(before->op == r->op && r->op->flags & OP_PIPELINED)))
			return false;
	}
	return true;
}

/* Answers what is done at the head, begins what may begin behind it. */
static void
op_advance(struct client *c)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&c->requests)) != NULL &&
	       r->state == REQUEST_DONE) {
		TAILQ_REMOVE(&c->requests, r, entry);
		c->pending--;
		c->calls->answer(r);
		client_request_free(r);
	}
	if (c->paused && c->pending <= (unsigned)c->core->limits.pending / 2) {
		c->paused = false;
		c->calls->pause(c, false);
	}
	TAILQ_FOREACH (r, &c->requests, entry) {
		if (r->state != REQUEST_WAITS)
			continue;
		if (!op_may_begin(c, r))
			break;
		r->state = REQUEST_RUNS;
		r->op->exec(r, r->in);
		/* The handler may have answered and changed the queue. */
		op_advance(c);
		return;
	}
}

bool
op_is_rest(const struct request *r)
{
	return r->client != NULL && r->client->calls->hides & FIELD_MESH;
}

int64_t
op_page(const struct request *r, int64_t limit, int64_t page, int64_t most)
{
	if (limit > 0)
		return limit;
	return op_is_rest(r) ? most : page;
}

void
op_go_on(struct client *c)
{
	op_advance(c);
}

static void
op_done(struct request *r, const void *out)
{
	struct client *c = r->client;

	quota_release(r);
	if (r->error != ERR_NONE)
		core_count(r->core, REQUEST_ERRORS);
	if (c == NULL) {
		client_request_free(r);
		return;
	}
	if (r->core->trace != NULL)
		trace_request(r, out);
	r->state = REQUEST_DONE;
	c->calls->encode(r, out);
	if (TAILQ_FIRST(&c->requests) == r)
		op_advance(c);
}

void
op_reply(struct request *r, const void *out)
{
	op_done(r, out);
}

static void PRINTF_LIKE(3, 0)
    op_verror(struct request *r, enum err e, const char *fmt, va_list ap)
{
	char text[512];
	size_t n;

	vsnprintf(text, sizeof(text), fmt, ap);
	/* What was cut may have been cut inside a character. */
	for (n = strlen(text); !str_utf8(text, n); n--)
		text[n - 1] = '\0';
	free(r->error_text);
	r->error_text = xstrdup(text);
	r->error = e;
}

enum err
op_error(struct request *r, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	op_verror(r, e, fmt, ap);
	va_end(ap);
	return e;
}

/* Whoever fails to say hello has no business here: that ends it. */
static void
op_failed(struct request *r, enum err e)
{
	struct client *c = r->client;
	bool ends = c != NULL && c->session == NULL && r->op != NULL &&
		    r->op->flags & OP_OPENS;

	r->error = e;
	if (r->error_text == NULL)
		r->error_text = xstrdup(table_errors[e].text);
	/* Not for what is our fault, or for being refused before. */
	if (c != NULL && c->session == NULL && e != ERR_UNAVAILABLE &&
	    e != ERR_INTERNAL && e != ERR_RATE_LIMITED)
		rate_refused(c);
	op_done(r, NULL);
	if (ends)
		c->calls->close(c, e, table_errors[e].name);
}

void
op_fail(struct request *r, enum err e, const char *fmt, ...)
{
	va_list ap;

	if (fmt != NULL) {
		va_start(ap, fmt);
		op_verror(r, e, fmt, ap);
		va_end(ap);
	}
	op_failed(r, e);
}

void
op_deny(struct request *r, enum scope scope, const char *resource,
    const struct id *resource_id)
{
	char id[ID_HEX_LEN + 1];

	id_hex(resource_id, id);
	r->error_scope = scope;
	r->error_resource = resource;
	r->error_resource_id.n = strlen(id);
	r->error_resource_id.p = pool_strndup(&r->pool, id, strlen(id));
	op_fail(r, ERR_FORBIDDEN,
	    "You lack the permission %s on the %s %s; ask for it with a "
	    "permission request.",
	    table_scopes[scope], resource, id);
}

bool
op_db_failed(struct request *r, const struct db_result *res)
{
	switch (db_status(res)) {
	case DB_OK:
		return false;
	case DB_UNAVAILABLE:
		op_fail(r, ERR_UNAVAILABLE, NULL);
		return true;
	case DB_ERROR:
		break;
	}
	/* The statement failed, not the database: the log has the text. */
	log_error("%s: the database refused it: SQLSTATE %s",
	    r->op != NULL ? r->op->name : "?", db_sqlstate(res));
	op_fail(r, ERR_INTERNAL, NULL);
	return true;
}

bool
op_left(struct request *r)
{
	if (r->client != NULL && r->client->session != NULL)
		return false;
	op_fail(r, ERR_UNAVAILABLE, NULL);
	return true;
}

void
op_refuse(struct request *r, enum err e, const char *fmt, ...)
{
	va_list ap;

	if (fmt != NULL) {
		va_start(ap, fmt);
		op_verror(r, e, fmt, ap);
		va_end(ap);
	}
	core_count(r->core, REQUESTS);
	if (rate_request(r) != ERR_NONE)
		e = r->error;
	op_failed(r, e);
}

void
op_nothing(struct request *r)
{
	core_count(r->core, REQUESTS);
	if (rate_request(r) != ERR_NONE)
		op_failed(r, r->error);
	else
		op_done(r, NULL);
}

static enum err
op_admit(struct request *r, const char *name, size_t n)
{
	const struct client *c = r->client;
	const struct token *t;

	r->op = op_find(name, n);
	if ((r->op == NULL || !(r->op->flags & OP_UNCOUNTED)) &&
	    rate_request(r) != ERR_NONE)
		return r->error;
	if (r->op == NULL)
		return op_error(r, ERR_UNKNOWN_TYPE,
		    "There is no message type \"%.*s\".",
		    (int)(n > 64 ? 64 : n), name);
	/* Its session ended, and it is about to hear of that. */
	if (c->session == NULL && c->deputy != NULL)
		return ERR_UNAVAILABLE;
	if (c->session == NULL && rate_stranger(r) != ERR_NONE)
		return r->error;
	if (c->deputy != NULL && r->op->flags & OP_SESSION)
		return op_error(r, ERR_FORBIDDEN,
		    "%s is for sessions that said hello on /ws; a token is "
		    "not enough.",
		    r->op->name);
	if (!c->hears && r->op->flags & OP_HEARS)
		return op_error(r, ERR_FORBIDDEN,
		    "%s is for connections that stay; see linnet-rest(7), "
		    "STREAMS.",
		    r->op->name);
	if (c->deputy != NULL && r->op->flags & OP_PRESENCE &&
	    c->deputy->visits == NULL)
		return op_error(r, ERR_FORBIDDEN,
		    "%s is about a session: say hello on /ws, or show the "
		    "token to /mcp, which makes one.",
		    r->op->name);
	if (c->scopes & SCOPE_BIT(r->op->scope))
		return ERR_NONE;
	if (c->session == NULL)
		return op_error(r, ERR_NO_HELLO, "must send hello first");
	if (r->op->flags & OP_OWN && grant_owns(c))
		return ERR_NONE;
	if (r->op->flags & OP_GRANTABLE) {
		r->by_grant = true;
		return ERR_NONE;
	}
	r->error_scope = r->op->scope;
	t = deputy_token(c);
	if (t != NULL && !(t->granted & SCOPE_BIT(r->op->scope)))
		return op_error(r, ERR_FORBIDDEN,
		    "This token lacks the scope %s, which %s needs; make one "
		    "that has it: linnet token create --scopes %s",
		    table_scopes[r->op->scope], r->op->name,
		    table_scopes[r->op->scope]);
	return op_error(r, ERR_FORBIDDEN,
	    "This %s lacks the scope %s, for which its member's role "
	    "(" SLICE_FMT ") is not enough.",
	    t != NULL ? "token" : "session", table_scopes[r->op->scope],
	    SLICE_ARG(c->session->info.role));
}

void
op_run(struct request *r, const char *name, size_t n, request_decode *decode,
    void *arg)
{
	struct client *c = r->client;
	enum err e;

	core_count(r->core, REQUESTS);
	if ((e = op_admit(r, name, n)) != ERR_NONE) {
		op_failed(r, e);
		return;
	}
	r->in = pool_zalloc(&r->pool, r->op->in_size);
	if ((e = decode(r, r->op, r->in, arg)) != ERR_NONE) {
		op_failed(r, e);
		return;
	}
	if (c->session != NULL && c->deputy == NULL)
		c->session->info.active_ms = clock_wall();
	if (op_may_begin(c, r)) {
		r->state = REQUEST_RUNS;
		r->op->exec(r, r->in);
	}
}
