/* SPDX-License-Identifier: ISC */
/*
 * Members of JSON objects as C values.  What is missing, or of another type,
 * reads as nothing: brokers of other versions leave things out.
 */
#include "lib/lib.h"

const char *
linnet_json_str(struct pool *p, const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);
	const struct json_node *node = &j->nodes[at];
	char *s;

	if (at == 0 || node->type != JSON_STRING)
		return "";
	s = pool_alloc(p, (size_t)node->n + 1);
	s[json_unescape(node, s)] = '\0';
	return s;
}

int64_t
linnet_json_int(const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);
	int64_t v;

	if (at == 0 || j->nodes[at].type != JSON_NUMBER ||
	    json_int(&j->nodes[at], &v) != 0)
		return 0;
	return v;
}

bool
linnet_json_bool(const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);

	return at != 0 && j->nodes[at].type == JSON_TRUE;
}
