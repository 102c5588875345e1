/* SPDX-License-Identifier: ISC */
/*
 * Encoding: the members of a JSON object from the struct that a descriptor's
 * fields describe.
 */
#include <string.h>

#include "proto/proto.h"

static bool
encode_is_none(const struct field *f, const void *v)
{
	static const uint8_t zero[CRYPTO_SIG_LEN];

	switch (f->type) {
	case F_STR:
	case F_NAME:
	case F_JSON:
		return f->flags & FIELD_OMIT
			   ? ((const struct slice *)v)->n == 0
			   : ((const struct slice *)v)->p == NULL;
	case F_KEY:
		return memcmp(v, zero, CRYPTO_KEY_LEN) == 0;
	case F_ID:
		return memcmp(v, zero, ID_LEN) == 0;
	case F_BOOL:
		return !*(const bool *)v;
	case F_TIME:
	case F_INT:
		return *(const int64_t *)v == 0;
	case F_STRS:
	case F_ROWS:
		return ((const struct list *)v)->n == 0;
	case F_ROW:
		return encode_is_none(
		    f->rows, (const char *)v + f->rows->offset);
	default:
		return false;
	}
}

static void
encode_list(
    struct json_writer *w, const struct field *f, const void *v, unsigned hides)
{
	const struct list *list = v;
	const struct slice *s = list->v;
	const char *row = list->v;
	size_t i;

	json_array(w);
	for (i = 0; i < list->n; i++) {
		if (f->type == F_STRS) {
			json_strn(w, s[i].p, s[i].n);
			continue;
		}
		json_object(w);
		encode_fields(w, f->rows, row + i * f->row_size, hides);
		json_object_end(w);
	}
	json_array_end(w);
}

static void
encode_value(
    struct json_writer *w, const struct field *f, const void *v, unsigned hides)
{
	const struct slice *s = v;

	switch (f->type) {
	case F_STR:
	case F_NAME:
		json_strn(w, s->p, s->n);
		break;
	case F_JSON:
		json_raw(w, s->p, s->n);
		break;
	case F_ENUM:
		json_str(w, f->names[*(const int *)v]);
		break;
	case F_KEY:
		json_hex(w, v, CRYPTO_KEY_LEN);
		break;
	case F_SIG:
		json_hex(w, v, CRYPTO_SIG_LEN);
		break;
	case F_ID:
		json_id(w, v);
		break;
	case F_INT:
		json_num(w, *(const int64_t *)v);
		break;
	case F_BOOL:
		json_bool(w, *(const bool *)v);
		break;
	case F_TIME:
		if (*(const int64_t *)v == 0)
			json_str(w, "");
		else
			json_time(w, *(const int64_t *)v);
		break;
	case F_STRS:
	case F_ROWS:
		encode_list(w, f, v, hides);
		break;
	case F_ROW:
		json_object(w);
		encode_fields(w, f->rows, v, hides);
		json_object_end(w);
		break;
	case F_TARGET:
	case F_END:
		fatalx("field %s cannot be encoded", f->name);
	}
}

void
encode_fields(struct json_writer *w, const struct field *fields, const void *in,
    unsigned hides)
{
	const struct field *f;
	const void *v;

	for (f = fields; f->type != F_END; f++) {
		if (f->flags & hides)
			continue;
		v = (const char *)in + f->offset;
		if (f->flags & (FIELD_OMIT | FIELD_NULLABLE) &&
		    encode_is_none(f, v)) {
			if (f->flags & FIELD_OMIT)
				continue;
			json_key(w, f->name);
			json_null(w);
			continue;
		}
		json_key(w, f->name);
		encode_value(w, f, v, hides);
	}
}

void
encode_details(struct json_writer *w, const struct request *r)
{
	if (r->error_limit + r->error_used > 0) {
		json_key(w, "limit");
		json_num(w, r->error_limit);
		json_key(w, "used");
		json_num(w, r->error_used);
	}
	if (r->error_retry_ms > 0) {
		json_key(w, "retryAfterMs");
		json_num(w, r->error_retry_ms);
	}
	if (r->error == ERR_VERSION_CONFLICT) {
		json_key(w, "version");
		json_num(w, r->error_version);
	}
	if (r->error_reason != NULL) {
		json_key(w, "reason");
		json_str(w, r->error_reason);
	}
	if (r->error_scope != SCOPE_UNSET) {
		json_key(w, "capability");
		json_str(w, table_scopes[r->error_scope]);
	}
	if (r->error_resource != NULL) {
		json_key(w, "resourceType");
		json_str(w, r->error_resource);
		json_key(w, "resourceId");
		json_strn(w, r->error_resource_id.p, r->error_resource_id.n);
	}
}
