/* SPDX-License-Identifier: ISC */
/*
 * Parameters in PostgreSQL's binary form.  A value is kept as an element of a
 * binary array is sent: its length in four bytes, then its bytes; so a batch
 * copies elements without looking at them.  A value of another type than the
 * statement says, too many or too few values are our own bugs.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_conn.h"

/* What goes in was limited before; this is against a bug. */
#define VALUES_MAX ((size_t)256 << 20)

struct db_params *
db_params_new(enum db_stmt stmt)
{
	struct db_params *p;

	if ((unsigned)stmt >= STMT_MAX)
		fatalx("db: no statement %d", (int)stmt);
	p = xcalloc(1, sizeof(*p));
	p->stmt = stmt;
	buf_init(&p->values, VALUES_MAX);
	/* The ordinal is not the caller's to put. */
	p->at = db_stmts[stmt].ngroup > 0 ? 1 : 0;
	return p;
}

void
db_params_free(struct db_params *p)
{
	PQclear(p->res);
	buf_free(&p->values);
	free(p);
}

struct db_params *
db_params(enum db_stmt stmt)
{
	struct db_params *p = db_params_new(stmt);

	if (db_stmts[stmt].ngroup > 0)
		fatalx("db: %s is a batch statement", db_stmts[stmt].name);
	return p;
}

/* Where the group under way ends. */
static unsigned
param_end(const struct db_params *p)
{
	const struct db_stmt_desc *s = &db_stmts[p->stmt];

	return s->ngroup > 0 && p->more == 0 ? s->ngroup : s->nparams;
}

void
db_params_check(const struct db_params *p)
{
	if (p->at != param_end(p))
		fatalx("db: %s lacks parameter %u", db_stmts[p->stmt].name,
		    p->at + 1);
	if (p->values.failed)
		fatalx("db: no room for the parameters of %s",
		    db_stmts[p->stmt].name);
}

void
db_more(struct db_params *p)
{
	const struct db_stmt_desc *s = &db_stmts[p->stmt];

	db_params_check(p);
	if (s->ngroup == 0 || s->ngroup == s->nparams)
		fatalx("db: %s has no second group", s->name);
	p->more++;
	p->at = s->ngroup + 1;
}

/* The type of the next parameter, which must be among the letters. */
static enum db_type
param_next(struct db_params *p, const char *letters)
{
	const struct db_stmt_desc *s = &db_stmts[p->stmt];
	char type;

	if (p->at == param_end(p))
		fatalx("db: too many parameters for %s", s->name);
	type = s->types[p->at++];
	if (letters != NULL && strchr(letters, type) == NULL)
		fatalx("db: parameter %u of %s is of type %c, not of %s", p->at,
		    s->name, type, letters);
	return type;
}

static void
param_bytes(struct db_params *p, const void *v, size_t n)
{
	if (n > VALUES_MAX)
		fatalx("db: a value of %zu bytes", n);
	buf_add32(&p->values, (uint32_t)n);
	buf_add(&p->values, v, n);
}

static void
param_null(struct db_params *p)
{
	buf_add32(&p->values, UINT32_MAX);
}

static void
param_int8(struct db_params *p, int64_t v)
{
	buf_add32(&p->values, 8);
	buf_add64(&p->values, (uint64_t)v);
}

void
db_put_null(struct db_params *p)
{
	param_next(p, NULL);
	param_null(p);
}

void
db_put_bool(struct db_params *p, bool v)
{
	char c = v;

	param_next(p, "b");
	param_bytes(p, &c, 1);
}

void
db_put_int(struct db_params *p, int64_t v)
{
	enum db_type type = param_next(p, "lisd");
	double d = (double)v;

	if (type == DB_FLOAT8) {
		memcpy(&v, &d, sizeof(v));
		param_int8(p, v);
	} else if (type == DB_INT4 && v == (int32_t)v) {
		buf_add32(&p->values, 4);
		buf_add32(&p->values, (uint32_t)v);
	} else if (type == DB_INT2 && v == (int16_t)v) {
		buf_add32(&p->values, 2);
		buf_add16(&p->values, (uint16_t)v);
	} else {
		/* Eight bytes where fewer belong are an error to the server:
		 * the request fails alone, like any other bad value. */
		param_int8(p, v);
	}
}

void
db_put_id(struct db_params *p, const struct id *id)
{
	param_next(p, "u");
	if (id == NULL)
		param_null(p);
	else
		param_bytes(p, id->b, ID_LEN);
}

void
db_put_text(struct db_params *p, const char *s, size_t n)
{
	enum db_type type = param_next(p, "tjJ");

	if (s == NULL) {
		param_null(p);
	} else if (type == DB_JSONB) {
		/* The version of the format. */
		buf_add32(&p->values, (uint32_t)n + 1);
		buf_addc(&p->values, 1);
		buf_add(&p->values, s, n);
	} else {
		param_bytes(p, s, n);
	}
}

void
db_put_str(struct db_params *p, const char *s)
{
	db_put_text(p, s, s != NULL ? strlen(s) : 0);
}

void
db_put_bytes(struct db_params *p, const void *v, size_t n)
{
	param_next(p, "y");
	if (v == NULL)
		param_null(p);
	else
		param_bytes(p, v, n);
}

void
db_put_time(struct db_params *p, int64_t wall_ms)
{
	int64_t us;

	param_next(p, "z");
	if (wall_ms == 0) {
		param_null(p);
		return;
	}
	/* The largest value that is not infinity: the server refuses it. */
	if (__builtin_sub_overflow(wall_ms, DB_EPOCH_MS, &us) ||
	    __builtin_mul_overflow(us, 1000, &us))
		us = INT64_MAX - 1;
	param_int8(p, us);
}

/* As the input function of text[] reads it. */
static void
param_array_text(struct buf *b, const struct slice *v, size_t n)
{
	size_t i, j;

	buf_addc(b, '{');
	for (i = 0; i < n; i++) {
		buf_adds(b, i > 0 ? ",\"" : "\"");
		for (j = 0; j < v[i].n; j++) {
			if (v[i].p[j] == '"' || v[i].p[j] == '\\')
				buf_addc(b, '\\');
			buf_addc(b, v[i].p[j]);
		}
		buf_addc(b, '"');
	}
	buf_addc(b, '}');
}

/* As the receive function of arrays reads it. */
static void
param_array_binary(struct buf *b, const struct slice *v, size_t n)
{
	size_t i;

	buf_add32(b, n > 0); /* dimensions */
	buf_add32(b, 0);     /* no nulls */
	buf_add32(b, OID_TEXT);
	if (n == 0)
		return;
	buf_add32(b, (uint32_t)n);
	buf_add32(b, 1); /* lower bound */
	for (i = 0; i < n; i++) {
		buf_add32(b, (uint32_t)v[i].n);
		buf_add(b, v[i].p, v[i].n);
	}
}

void
db_put_texts(struct db_params *p, const struct slice *v, size_t n)
{
	bool batch = db_stmts[p->stmt].ngroup > 0;
	struct buf b;

	param_next(p, batch ? "t" : "T");
	buf_init(&b, VALUES_MAX);
	if (batch)
		param_array_text(&b, v, n);
	else
		param_array_binary(&b, v, n);
	if (b.failed)
		fatalx("db: no room for %zu texts", n);
	param_bytes(p, b.data, b.len);
	buf_free(&b);
}

int32_t
db_params_length(const char **at)
{
	uint32_t n;

	memcpy(&n, *at, sizeof(n));
	*at += sizeof(n);
	return (int32_t)be32toh(n);
}

void
db_params_values(
    const struct db_params *p, const char **values, int *lengths, int *formats)
{
	const char *at = p->values.data;
	unsigned i;

	for (i = 0; i < db_stmts[p->stmt].nparams; i++) {
		lengths[i] = db_params_length(&at);
		formats[i] = 1;
		values[i] = lengths[i] < 0 ? NULL : at;
		at += lengths[i] < 0 ? 0 : lengths[i];
	}
}
