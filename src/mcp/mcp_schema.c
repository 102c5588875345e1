/* SPDX-License-Identifier: ISC */
/*
 * The JSON Schemas (2020-12) of what a tool takes and gives, from its row of
 * the table.  Limits are of bytes there and of characters here, so that what
 * is right for the tool is right for the schema.
 */
#include "mcp/mcp_request.h"

static void schema_object(
    struct json_writer *w, const struct mcp_field *fields, bool in);

static void
schema_type(struct json_writer *w, const char *type)
{
	json_key(w, "type");
	json_str(w, type);
}

static void
schema_limits(struct json_writer *w, const char *least, const char *most,
    int64_t min, int64_t max)
{
	if (min > 0) {
		json_key(w, least);
		json_num(w, min);
	}
	if (max > 0) {
		json_key(w, most);
		json_num(w, max);
	}
}

static void
schema_texts(struct json_writer *w, const struct mcp_field *f, bool in)
{
	schema_type(w, "array");
	json_key(w, "items");
	json_object(w);
	schema_type(w, "string");
	json_object_end(w);
	if (in)
		schema_limits(w, "minItems", "maxItems", f->min, f->max);
}

/* One, or several of them. */
static void
schema_either(struct json_writer *w, const struct mcp_field *f, bool in)
{
	json_key(w, "anyOf");
	json_array(w);
	json_object(w);
	schema_type(w, "string");
	json_object_end(w);
	json_object(w);
	schema_texts(w, f, in);
	json_object_end(w);
	json_array_end(w);
}

static void
schema_enum(struct json_writer *w, const struct mcp_field *f)
{
	size_t i;

	schema_type(w, "string");
	json_key(w, "enum");
	json_array(w);
	for (i = 0; f->names[i] != NULL; i++)
		json_str(w, f->names[i]);
	json_array_end(w);
}

static void
schema_number(struct json_writer *w, const struct mcp_field *f, bool in)
{
	schema_type(w, "integer");
	if (!in)
		return;
	json_key(w, "minimum");
	json_num(w, f->min);
	json_key(w, "maximum");
	json_num(w, f->max);
}

static void
schema_field(struct json_writer *w, const struct mcp_field *f, bool in)
{
	json_key(w, f->name);
	json_object(w);
	switch (f->type) {
	case M_TEXT:
	case M_FILE:
		schema_type(w, "string");
		if (in)
			schema_limits(
			    w, "minLength", "maxLength", f->min, f->max);
		break;
	case M_ID:
		schema_type(w, "string");
		json_key(w, "pattern");
		json_str(w, "^[0-9a-fA-F]{32}$");
		break;
	case M_TIME:
	case M_MS:
		schema_type(w, "string");
		json_key(w, "format");
		json_str(w, "date-time");
		break;
	case M_ENUM:
		schema_enum(w, f);
		break;
	case M_INT:
	case M_DELAY:
	case M_SECONDS:
		schema_number(w, f, in);
		break;
	case M_BOOL:
	case M_FLAG:
		schema_type(w, "boolean");
		break;
	case M_TEXTS:
	case M_FILES:
		schema_texts(w, f, in);
		break;
	case M_IDS:
	case M_TARGET:
		schema_either(w, f, in);
		break;
	case M_ROWS:
		schema_type(w, "array");
		json_key(w, "items");
		json_object(w);
		schema_object(w, f->rows, in);
		json_object_end(w);
		break;
	case M_ROW:
		schema_object(w, f->rows, in);
		break;
	case M_JSON: /* anything */
	case M_END:
		break;
	}
	json_key(w, "description");
	json_str(w, f->text);
	json_object_end(w);
}

/* What every result ends with. */
static const struct mcp_field schema_unread_rows[] = {
	{ "count", "count", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "How many wait: read them with check_messages." },
	{ "highest", "highest", M_ENUM, 0, 0, 0, mcp_priorities, NULL,
	    "The highest priority among them." },
	{ .type = M_END },
};
static const struct mcp_field schema_unread = { "unread", "unread", M_ROW,
	M_REQUIRED, 0, 0, NULL, schema_unread_rows,
	"Messages that you have not read." };

static bool
schema_has_cut(const struct mcp_field *f)
{
	for (; f->type != M_END; f++)
		if (f->flags & M_CUT)
			return true;
	return false;
}

static void
schema_members(
    struct json_writer *w, const struct mcp_field *fields, bool in, bool top)
{
	static const struct mcp_field cut = { "cut", NULL, M_BOOL, 0, 0, 0,
		NULL, NULL,
		"The text is longer: narrow the search, or set limit to 1, to "
		"see all of it." };
	const struct mcp_field *f;

	json_key(w, "properties");
	json_object(w);
	for (f = fields; f->type != M_END; f++)
		schema_field(w, f, in);
	if (schema_has_cut(fields))
		schema_field(w, &cut, in);
	if (top && !in)
		schema_field(w, &schema_unread, in);
	json_object_end(w);
	json_key(w, "required");
	json_array(w);
	for (f = fields; f->type != M_END; f++)
		if (f->flags & M_REQUIRED)
			json_str(w, f->name);
	if (top && !in)
		json_str(w, schema_unread.name);
	json_array_end(w);
	json_key(w, "additionalProperties");
	json_bool(w, false);
}

static void
schema_object(struct json_writer *w, const struct mcp_field *fields, bool in)
{
	schema_type(w, "object");
	schema_members(w, fields, in, false);
}

void
mcp_schema(struct json_writer *w, const struct mcp_tool *t, bool in)
{
	json_object(w);
	schema_type(w, "object");
	schema_members(w, in ? t->in : t->out, in, true);
	json_object_end(w);
}
