/* SPDX-License-Identifier: ISC */
/*
 * Members of JSON objects as C values.  What is missing, or of another type,
 * reads as nothing: brokers of other versions leave things out.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

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

/* For programs: a text that was read, and what was taken out of it. */
struct linnet_json {
	struct json json;
	struct pool pool;
	char *text;
};

struct linnet_json *
linnet_json_read(const char *text, size_t n)
{
	struct linnet_json *j = xcalloc(1, sizeof(*j));

	linnet_start();
	pool_init(&j->pool);
	json_init(&j->json, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	j->text = xstrndup(text != NULL ? text : "", n);
	if (json_read(&j->json, j->text, n) == 0)
		return j;
	linnet_json_free(j);
	return NULL;
}

void
linnet_json_free(struct linnet_json *j)
{
	if (j == NULL)
		return;
	json_free(&j->json);
	pool_free(&j->pool);
	free(j->text);
	free(j);
}

/* The element of an array; 0: none. */
static size_t
json_element(const struct json *j, size_t i, const char *index)
{
	int64_t n;
	size_t at;

	if (str_num(index, 0, INT32_MAX, &n) != NULL)
		return 0;
	for (at = JSON_FIRST(i); at < j->nodes[i].end; at = j->nodes[at].end)
		if (n-- == 0)
			return at;
	return 0;
}

/* The node at a path; false: there is none. */
static bool
json_walk(struct linnet_json *j, const char *path, size_t *i)
{
	const char *name;
	size_t n, at = 0;

	while (*path != '\0') {
		n = strcspn(path, ".");
		name = pool_strndup(&j->pool, path, n);
		if (j->json.nodes[at].type == JSON_ARRAY)
			at = json_element(&j->json, at, name);
		else
			at = json_get(&j->json, at, name);
		if (at == 0)
			return false;
		path += path[n] == '.' ? n + 1 : n;
	}
	*i = at;
	return true;
}

const char *
linnet_json_get(struct linnet_json *j, const char *path)
{
	const struct json_node *node;
	char *s;
	size_t i;

	if (!json_walk(j, path, &i))
		return NULL;
	node = &j->json.nodes[i];
	if (node->type == JSON_NULL)
		return NULL;
	if (node->type != JSON_STRING)
		return pool_strndup(&j->pool, node->p, node->n);
	s = pool_alloc(&j->pool, (size_t)node->n + 1);
	s[json_unescape(node, s)] = '\0';
	return s;
}

size_t
linnet_json_count(struct linnet_json *j, const char *path)
{
	const struct json *json = &j->json;
	size_t i, at, n = 0;
	bool object;

	if (!json_walk(j, path, &i))
		return 0;
	object = json->nodes[i].type == JSON_OBJECT;
	if (!object && json->nodes[i].type != JSON_ARRAY)
		return 0;
	for (at = JSON_FIRST(i); at < json->nodes[i].end;
	     at = json->nodes[at].end)
		n++;
	return object ? n / 2 : n;
}
