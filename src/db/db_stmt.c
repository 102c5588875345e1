/* SPDX-License-Identifier: ISC */
/*
 * The statements as a table, and the types of their parameters.  The types
 * are told to the server when a statement is prepared: it would guess from
 * the first use of a parameter, and a cast elsewhere would not change that.
 */
#include "db/db_conn.h"

const struct db_stmt_desc db_stmts[STMT_MAX] = {
#define STMT(name, nparams, ngroup, types, warm, text) \
	[STMT_##name] = { #name, nparams, ngroup, types, warm, text },
#include "db/stmts.inc"
#undef STMT
};

static const struct {
	enum db_type type;
	Oid oid;
	Oid array; /* 0: not supported */
} types[] = {
	{ DB_UUID, OID_UUID, 2951 },
	{ DB_INT8, OID_INT8, 1016 },
	{ DB_INT4, OID_INT4, 1007 },
	{ DB_INT2, OID_INT2, 1005 },
	{ DB_BOOL, OID_BOOL, 1000 },
	{ DB_TEXT, OID_TEXT, OID_TEXTS },
	{ DB_BYTEA, OID_BYTEA, 1001 },
	{ DB_TIMESTAMPTZ, OID_TIMESTAMPTZ, 1185 },
	{ DB_JSON, OID_JSON, 199 },
	{ DB_JSONB, OID_JSONB, 3807 },
	{ DB_FLOAT8, OID_FLOAT8, 1022 },
	{ DB_TEXTS, OID_TEXTS, 0 },
};

static size_t
stmt_type(enum db_type type)
{
	size_t i;

	for (i = 0; i < NELEM(types); i++)
		if (types[i].type == type)
			return i;
	fatalx("db: no parameter type %c", type);
}

Oid
db_stmt_oid(enum db_type type)
{
	return types[stmt_type(type)].oid;
}

Oid
db_stmt_array_oid(enum db_type type)
{
	return types[stmt_type(type)].array;
}

void
db_stmt_oids(enum db_stmt stmt, Oid *oids)
{
	const struct db_stmt_desc *s = &db_stmts[stmt];
	unsigned i;

	for (i = 0; i < s->nparams; i++)
		oids[i] = s->ngroup > 0 ? db_stmt_array_oid(s->types[i])
					: db_stmt_oid(s->types[i]);
}
