/* SPDX-License-Identifier: ISC */
/*
 * Answers, read where libpq put them.  The rows of a batch statement belong
 * to many requests: each request's answer is a view of the same PGresult, its
 * rows chosen by a map.  A column of another type than is asked for is our
 * own bug and ends the process.
 */
#include <string.h>

#include "db/db_conn.h"

static const struct {
	char sqlstate[6]; /* or its beginning */
	enum db_fault fault;
} faults[] = {
	{ "40001", DB_FAULT_RACE },   /* serialization failure */
	{ "40P01", DB_FAULT_RACE },   /* deadlock */
	{ "25006", DB_FAULT_CONN },   /* a standby: find the primary */
	{ "0A000", DB_FAULT_CONN },   /* prepared before the schema changed */
	{ "26000", DB_FAULT_CONN },   /* somebody dropped what we prepared */
	{ "53", DB_FAULT_SERVER },    /* out of disk, memory */
	{ "55P03", DB_FAULT_SERVER }, /* lock timeout */
	{ "57", DB_FAULT_SERVER },    /* cancelled by an operator */
	{ "58", DB_FAULT_SERVER },    /* I/O error */
};

enum db_fault
db_result_fault(const char *sqlstate)
{
	size_t i;

	for (i = 0; i < NELEM(faults); i++)
		if (str_starts(sqlstate, faults[i].sqlstate))
			return faults[i].fault;
	return DB_FAULT_ROW;
}

void
db_result_set(struct db_result *r, const PGresult *res)
{
	const char *state;

	memset(r, 0, sizeof(*r));
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		r->status = DB_OK;
		r->res = res;
		r->rows = (size_t)PQntuples(res);
		break;
	default:
		r->status = DB_ERROR;
		state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
		str_copy(r->sqlstate, state != NULL ? state : "XX000",
		    sizeof(r->sqlstate));
		break;
	}
}

bool
db_result_fatal(const PGresult *res)
{
	const char *severity;

	if (PQresultStatus(res) != PGRES_FATAL_ERROR)
		return false;
	/* Without it the error is libpq's own: the connection's. */
	severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	return severity == NULL || strcmp(severity, "ERROR") != 0;
}

void
db_result_log(const PGresult *res, const char *name)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (state == NULL || text == NULL)
		log_warn("db: %s: %s", name, PQresultErrorMessage(res));
	else if (str_starts(state, "22") || str_starts(state, "23"))
		log_debug("db: %s: %s: %s", name, state, text);
	else
		log_warn("db: %s: %s: %s", name, state, text);
}

enum db_status
db_status(const struct db_result *r)
{
	return r->status;
}

const char *
db_sqlstate(const struct db_result *r)
{
	return r->sqlstate;
}

size_t
db_rows(const struct db_result *r)
{
	return r->rows;
}

/* The bytes of a value, NULL when it is null. */
static const char *
result_cell(const struct db_result *r, size_t row, unsigned col, size_t *n)
{
	int i, c = (int)(col + r->hidden);

	if (row >= r->rows || c >= PQnfields(r->res))
		fatalx("db: no row %zu, column %u in an answer", row, col);
	i = (int)(r->map != NULL ? r->map[row] : row);
	*n = (size_t)PQgetlength(r->res, i, c);
	return PQgetisnull(r->res, i, c) ? NULL : PQgetvalue(r->res, i, c);
}

static Oid
result_type(const struct db_result *r, unsigned col)
{
	return PQftype(r->res, (int)(col + r->hidden));
}

static void
result_want(const struct db_result *r, unsigned col, Oid oid)
{
	if (result_type(r, col) != oid)
		fatalx("db: column %u is of type %u, not %u", col,
		    result_type(r, col), oid);
}

bool
db_null(const struct db_result *r, size_t row, unsigned col)
{
	size_t n;

	return result_cell(r, row, col, &n) == NULL;
}

bool
db_bool(const struct db_result *r, size_t row, unsigned col)
{
	size_t n;
	const char *p = result_cell(r, row, col, &n);

	result_want(r, col, OID_BOOL);
	return p != NULL && *p != 0;
}

static uint64_t
result_be(const char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (uint8_t)*p++;
	return v;
}

int64_t
db_int(const struct db_result *r, size_t row, unsigned col)
{
	size_t n;
	const char *p = result_cell(r, row, col, &n);

	switch (result_type(r, col)) {
	case OID_INT8:
		return p != NULL ? (int64_t)result_be(p, 8) : 0;
	case OID_INT4:
		return p != NULL ? (int32_t)result_be(p, 4) : 0;
	case OID_INT2:
		return p != NULL ? (int16_t)result_be(p, 2) : 0;
	}
	fatalx("db: column %u is of type %u, no integer", col,
	    result_type(r, col));
}

void
db_id(const struct db_result *r, size_t row, unsigned col, struct id *id)
{
	size_t n;
	const char *p = result_cell(r, row, col, &n);

	result_want(r, col, OID_UUID);
	if (p != NULL)
		memcpy(id->b, p, ID_LEN);
	else
		memset(id->b, 0, ID_LEN);
}

struct slice
db_text(const struct db_result *r, size_t row, unsigned col)
{
	struct slice s;
	Oid type;

	s.p = result_cell(r, row, col, &s.n);
	type = result_type(r, col);
	switch (type) {
	case OID_JSONB:
		/* The version of the format. */
		if (s.p != NULL) {
			s.p++;
			s.n--;
		}
		/* FALLTHROUGH */
	case OID_TEXT:
	case OID_VARCHAR:
	case OID_BPCHAR:
	case OID_NAME:
	case OID_UNKNOWN:
	case OID_JSON:
		return s;
	}
	/* A type of the schema's own: an enum, which is sent as text. */
	if (type < OID_USER)
		fatalx("db: column %u is of type %u, no text", col, type);
	return s;
}

struct slice
db_bytes(const struct db_result *r, size_t row, unsigned col)
{
	struct slice s;

	s.p = result_cell(r, row, col, &s.n);
	result_want(r, col, OID_BYTEA);
	return s;
}

int64_t
db_time(const struct db_result *r, size_t row, unsigned col)
{
	size_t n;
	const char *p = result_cell(r, row, col, &n);
	int64_t us, ms;

	result_want(r, col, OID_TIMESTAMPTZ);
	if (p == NULL)
		return 0;
	us = (int64_t)result_be(p, 8);
	if (us == INT64_MAX || us == INT64_MIN)
		return us; /* infinity */
	ms = us / 1000 - (us % 1000 < 0);
	return ms + DB_EPOCH_MS;
}

size_t
db_texts(const struct db_result *r, size_t row, unsigned col, struct slice *v,
    size_t max)
{
	size_t n, i, count, len;
	const char *p = result_cell(r, row, col, &n), *end = p + n;

	result_want(r, col, OID_TEXTS);
	/* Dimensions, flags, type; then for each its size and lower bound. */
	if (p == NULL || n < 20 || result_be(p, 4) == 0)
		return 0;
	if (result_be(p, 4) != 1)
		fatalx("db: column %u has more than one dimension", col);
	count = result_be(p + 12, 4);
	p += 20;
	for (i = 0; i < count && end - p >= 4; i++) {
		len = result_be(p, 4);
		p += 4;
		if (len == UINT32_MAX)
			len = 0; /* null: an empty text */
		else if (len > (size_t)(end - p))
			break;
		if (i < max)
			v[i] = (struct slice){ p, len };
		p += len;
	}
	return i;
}
