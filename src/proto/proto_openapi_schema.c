/* SPDX-License-Identifier: ISC */
/*
 * JSON Schemas (2020-12) of the fields of operations, as they are over HTTP.
 *
 * Limits of text are of bytes in the table and of characters here, so that what
 * the table lets through is right for the schema too.  A member of a request
 * that is not required may be null, which is the same as absent.
 */
#include <stdio.h>
#include <string.h>

#include "proto/proto_openapi.h"

struct schema {
	struct json_writer *w;
	enum openapi_place place;
	const int64_t *limits;
};

void
openapi_schema_word(struct json_writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_str(w, value);
}

void
openapi_schema_ref(struct json_writer *w, const char *kind, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "#/components/%s/%s", kind, name);
	openapi_schema_word(w, "$ref", text);
}

bool
openapi_schema_in_path(const char *route, const struct field *f)
{
	const size_t n = strlen(f->name);
	const char *at = strchr(route, '{');

	for (; at != NULL; at = strchr(at + 1, '{'))
		if (strncmp(at + 1, f->name, n) == 0 && at[n + 1] == '}')
			return true;
	return false;
}

static bool
schema_nullable(const struct schema *s, const struct field *f)
{
	switch (s->place) {
	case OPENAPI_BODY:
		return !(f->flags & FIELD_REQUIRED);
	case OPENAPI_ANSWER:
		return (f->flags & (FIELD_NULLABLE | FIELD_OMIT)) ==
		       FIELD_NULLABLE;
	case OPENAPI_PARAMETER:
		break;
	}
	return false;
}

static void
schema_type(const struct schema *s, const struct field *f, const char *type)
{
	if (!schema_nullable(s, f)) {
		openapi_schema_word(s->w, "type", type);
		return;
	}
	json_key(s->w, "type");
	json_array(s->w);
	json_str(s->w, type);
	json_str(s->w, "null");
	json_array_end(s->w);
}

static int64_t
schema_max(const struct schema *s, const struct field *f)
{
	unsigned limit = FIELD_LIMIT_OF(f->flags);

	return limit != LIMIT_NONE && s->limits != NULL &&
		       s->limits[limit] < f->max
		   ? s->limits[limit]
		   : f->max;
}

static void
schema_number(const struct schema *s, const char *key, int64_t v)
{
	json_key(s->w, key);
	json_num(s->w, v);
}

static void
schema_text(const struct schema *s, const struct field *f)
{
	int64_t max = schema_max(s, f);

	schema_type(s, f, "string");
	if (s->place == OPENAPI_ANSWER)
		return;
	/* Four bytes may be one character. */
	if (f->min > 0)
		schema_number(s, "minLength", (f->min + 3) / 4);
	if (max > 0 && max < INT32_MAX)
		schema_number(s, "maxLength", max);
}

static void
schema_enum(const struct schema *s, const struct field *f)
{
	size_t i;

	schema_type(s, f, "string");
	json_key(s->w, "enum");
	json_array(s->w);
	for (i = 0; f->names[i] != NULL; i++)
		json_str(s->w, f->names[i]);
	if (schema_nullable(s, f))
		json_null(s->w);
	json_array_end(s->w);
}

static void
schema_hex(const struct schema *s, const struct field *f, int digits)
{
	char pattern[32];

	schema_type(s, f, "string");
	snprintf(pattern, sizeof(pattern), "^[0-9a-%s]{%d}$",
	    s->place == OPENAPI_ANSWER ? "f" : "fA-F", digits);
	openapi_schema_word(s->w, "pattern", pattern);
}

static void
schema_int(const struct schema *s, const struct field *f)
{
	schema_type(s, f, "integer");
	openapi_schema_word(s->w, "format", "int64");
	if (s->place == OPENAPI_ANSWER || f->flags & FIELD_CLAMP)
		return;
	if (f->min > INT64_MIN)
		schema_number(s, "minimum", f->min);
	if (f->max < INT64_MAX)
		schema_number(s, "maximum", f->max);
}

static void
schema_when(const struct schema *s, const struct field *f)
{
	/* Of an answer that always has it: "" is no time. */
	if (s->place == OPENAPI_ANSWER &&
	    !(f->flags & (FIELD_OMIT | FIELD_NULLABLE))) {
		openapi_schema_word(s->w, "type", "string");
		openapi_schema_word(s->w, "pattern",
		    "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z)?$");
		return;
	}
	schema_type(s, f, "string");
	openapi_schema_word(s->w, "format", "date-time");
}

static void
schema_items(const struct schema *s, const struct field *f)
{
	if (s->place != OPENAPI_ANSWER) {
		if (f->min > 0)
			schema_number(s, "minItems", f->min);
		if (f->max > 0 && f->max < INT32_MAX)
			schema_number(s, "maxItems", f->max);
	}
	json_key(s->w, "items");
	json_object(s->w);
	if (f->type == F_ROWS)
		openapi_schema_object(s->w, f->rows, s->place, NULL, s->limits);
	else {
		openapi_schema_word(s->w, "type", "string");
		if (s->place != OPENAPI_ANSWER)
			schema_number(s, "maxLength", FIELD_ELEMENT);
	}
	json_object_end(s->w);
}

/* One text, or several. */
static void
schema_target(const struct schema *s, const struct field *f)
{
	json_key(s->w, "anyOf");
	json_array(s->w);
	json_object(s->w);
	schema_type(s, f, "string");
	schema_number(s, "maxLength", FIELD_ELEMENT);
	json_object_end(s->w);
	json_object(s->w);
	openapi_schema_word(s->w, "type", "array");
	schema_items(s, f);
	json_object_end(s->w);
	json_array_end(s->w);
}

static void
schema_row(const struct schema *s, const struct field *f)
{
	if (schema_nullable(s, f)) {
		json_key(s->w, "anyOf");
		json_array(s->w);
		json_object(s->w);
		openapi_schema_object(s->w, f->rows, s->place, NULL, s->limits);
		json_object_end(s->w);
		json_object(s->w);
		openapi_schema_word(s->w, "type", "null");
		json_object_end(s->w);
		json_array_end(s->w);
	} else
		openapi_schema_object(s->w, f->rows, s->place, NULL, s->limits);
}

static void
schema_value(const struct schema *s, const struct field *f)
{
	switch (f->type) {
	case F_STR:
	case F_NAME:
		schema_text(s, f);
		break;
	case F_ENUM:
		schema_enum(s, f);
		break;
	case F_KEY:
		schema_hex(s, f, 2 * CRYPTO_KEY_LEN);
		break;
	case F_SIG:
		schema_hex(s, f, 2 * CRYPTO_SIG_LEN);
		break;
	case F_ID:
		schema_hex(s, f, 2 * ID_LEN);
		break;
	case F_INT:
		schema_int(s, f);
		break;
	case F_BOOL:
		schema_type(s, f, "boolean");
		break;
	case F_TIME:
		schema_when(s, f);
		break;
	case F_STRS:
	case F_ROWS:
		schema_type(s, f, "array");
		schema_items(s, f);
		break;
	case F_TARGET:
		schema_target(s, f);
		break;
	case F_ROW:
		schema_row(s, f);
		break;
	case F_JSON: /* anything */
	case F_END:
		break;
	}
}

static void
schema_describe(const struct schema *s, const struct field *f)
{
	char text[1024];
	int64_t max = schema_max(s, f);
	const char *more = "";

	if (s->place == OPENAPI_ANSWER) {
		openapi_schema_word(s->w, "description", f->text);
		return;
	}
	if (f->flags & FIELD_CLAMP)
		more = " What is beyond becomes the limit.";
	if (f->type == F_NAME)
		more = " A name has no control or invisible characters, and no "
		       "space at its ends.";
	if (f->type == F_INT && f->flags & FIELD_CLAMP)
		snprintf(text, sizeof(text), "%s %lld to %lld.%s", f->text,
		    (long long)f->min, (long long)f->max, more);
	else if ((f->type == F_STR || f->type == F_NAME || f->type == F_JSON) &&
		 max > 0 && max < INT32_MAX)
		snprintf(text, sizeof(text), "%s At most %lld bytes.%s",
		    f->text, (long long)max, more);
	else
		snprintf(text, sizeof(text), "%s%s", f->text, more);
	openapi_schema_word(s->w, "description", text);
}

void
openapi_schema_field(struct json_writer *w, const struct field *f,
    enum openapi_place place, const int64_t limits[LIMIT_MAX])
{
	const struct schema s = { w, place, limits };

	json_object(w);
	schema_value(&s, f);
	/* A parameter has it beside its schema. */
	if (place != OPENAPI_PARAMETER)
		schema_describe(&s, f);
	json_object_end(w);
}

static bool
schema_hides(const struct field *f, const char *route)
{
	return f->flags & FIELD_MESH ||
	       (route != NULL && openapi_schema_in_path(route, f));
}

/* One value may have several names, of which one is enough. */
static bool
schema_has_other_name(const struct field *fields, const struct field *of)
{
	const struct field *f;

	for (f = fields; f->type != F_END; f++)
		if (f != of && f->offset == of->offset &&
		    !(f->flags & FIELD_MESH))
			return true;
	return false;
}

static bool
schema_requires(
    const struct schema *s, const struct field *fields, const struct field *f)
{
	if (s->place == OPENAPI_ANSWER)
		return !(f->flags & FIELD_OMIT);
	return f->flags & FIELD_REQUIRED && !schema_has_other_name(fields, f);
}

static bool
schema_is_first_name(const struct field *fields, const struct field *of)
{
	const struct field *f;

	for (f = fields; f != of; f++)
		if (f->offset == of->offset && !(f->flags & FIELD_MESH))
			return false;
	return of->flags & FIELD_REQUIRED && !(of->flags & FIELD_MESH) &&
	       schema_has_other_name(fields, of);
}

static bool
schema_path_has(
    const struct field *fields, const struct field *of, const char *route)
{
	const struct field *f;

	for (f = fields; route != NULL && f->type != F_END; f++)
		if (f->offset == of->offset && openapi_schema_in_path(route, f))
			return true;
	return false;
}

/* What is required and has several names: one of them. */
static void
schema_one_name(
    struct json_writer *w, const struct field *fields, const struct field *of)
{
	const struct field *f;

	json_object(w);
	json_key(w, "anyOf");
	json_array(w);
	for (f = fields; f->type != F_END; f++) {
		if (f->offset != of->offset || f->flags & FIELD_MESH)
			continue;
		json_object(w);
		json_key(w, "required");
		json_array(w);
		json_str(w, f->name);
		json_array_end(w);
		json_object_end(w);
	}
	json_array_end(w);
	json_object_end(w);
}

static void
schema_names(struct json_writer *w, const struct field *fields,
    enum openapi_place place, const char *route)
{
	const struct field *f;
	bool some = false;

	for (f = fields; place == OPENAPI_BODY && f->type != F_END; f++) {
		if (!schema_is_first_name(fields, f) ||
		    schema_path_has(fields, f, route))
			continue;
		if (!some) {
			json_key(w, "allOf");
			json_array(w);
		}
		some = true;
		schema_one_name(w, fields, f);
	}
	if (some)
		json_array_end(w);
}

void
openapi_schema_object(struct json_writer *w, const struct field *fields,
    enum openapi_place place, const char *route,
    const int64_t limits[LIMIT_MAX])
{
	const struct schema s = { w, place, limits };
	const struct field *f;
	bool some = false;

	openapi_schema_word(w, "type", "object");
	json_key(w, "properties");
	json_object(w);
	for (f = fields; f->type != F_END; f++) {
		if (schema_hides(f, route))
			continue;
		json_key(w, f->name);
		openapi_schema_field(w, f, place, limits);
		some = some || schema_requires(&s, fields, f);
	}
	json_object_end(w);
	schema_names(w, fields, place, route);
	if (!some)
		return;
	json_key(w, "required");
	json_array(w);
	for (f = fields; f->type != F_END; f++)
		if (!schema_hides(f, route) && schema_requires(&s, fields, f))
			json_str(w, f->name);
	json_array_end(w);
}
