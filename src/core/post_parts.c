/* SPDX-License-Identifier: ISC */
/*
 * What a message in a channel says: parts of several kinds.  What is in one is
 * between those who write and read it; it is handed on as it came.
 */
#include <string.h>

#include "core/channel.h"

static const char *const post_types[] = { "text", "mention", "command",
	"tool_call", "tool_result", "artifact", "approval_request",
	"approval_response", "ui", NULL };

#define PART(field) offsetof(struct post_part, field)
const struct field post_part_fields[] = {
	{ "type", F_ENUM, PART(type), 0, 0, FIELD_REQUIRED, post_types, NULL, 0,
	    "Kind of the part." },
	{ "payload", F_JSON, PART(payload), 2, INT32_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "Its content, an object; of a text: text." },
	{ .type = F_END },
};
#undef PART

const char *
post_type_name(int type)
{
	return post_types[type];
}

bool
post_is_type(const struct json_node *n)
{
	const char *const *type;

	for (type = post_types; *type != NULL; type++)
		if (json_is(n, *type))
			return true;
	return false;
}

bool
post_parts_check(struct request *r, const struct list *parts, struct slice text)
{
	const struct post_part *v = parts->v;
	size_t i;

	if ((text.p == NULL) == (v == NULL)) {
		op_fail(r, ERR_MALFORMED, "Give either text or parts.");
		return false;
	}
	for (i = 0; i < parts->n; i++)
		if (v[i].payload.p[0] != '{') {
			op_fail(r, ERR_MALFORMED,
			    "parts[%zu].payload: must be an object.", i);
			return false;
		}
	return true;
}

static void
part_write(struct json_writer *w, const struct post_part *part, size_t i)
{
	json_object(w);
	json_key(w, "index");
	json_num(w, (int64_t)i);
	json_key(w, "type");
	json_str(w, post_types[part->type]);
	json_key(w, "payload");
	json_raw(w, part->payload.p, part->payload.n);
	json_object_end(w);
}

static void
part_write_text(struct json_writer *w, struct slice text)
{
	json_object(w);
	json_key(w, "index");
	json_num(w, 0);
	json_key(w, "type");
	json_str(w, post_types[0]);
	json_key(w, "payload");
	json_object(w);
	json_key(w, "text");
	json_strn(w, text.p, text.n);
	json_object_end(w);
	json_object_end(w);
}

struct slice
post_parts(struct request *r, const struct list *parts, struct slice text)
{
	const struct post_part *v = parts->v;
	struct json_writer w;
	struct slice out;
	struct buf b;
	size_t i;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_array(&w);
	if (v == NULL)
		part_write_text(&w, text);
	for (i = 0; i < parts->n; i++)
		part_write(&w, &v[i], i);
	json_array_end(&w);
	if (b.failed)
		fatalx("out of memory");
	out = (struct slice){ pool_dup(&r->pool, b.data, b.len), b.len };
	buf_free(&b);
	return out;
}
