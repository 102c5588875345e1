/* SPDX-License-Identifier: ISC */
/*
 * Answers of the broker, read as far as a command shows them.  What is missing
 * reads as nothing.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

#define JSON_NODES ((size_t)1 << 22)
#define JSON_DEPTH 256

int
cli_json_read(struct json *j, const struct linnet_reply *reply)
{
	json_init(j, JSON_NODES, JSON_DEPTH);
	if (json_read(j, reply->text, reply->n) == 0)
		return 0;
	cli_print_error("the broker's answer is no JSON: %s", j->error);
	return EX_PROTOCOL;
}

const char *
cli_json_str(struct cli *c, const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);
	const struct json_node *node = &j->nodes[at];
	char *s;

	if (at == 0 || node->type != JSON_STRING)
		return "";
	s = pool_alloc(&c->pool, (size_t)node->n + 1);
	s[json_unescape(node, s)] = '\0';
	return s;
}

const char *
cli_json_safe(struct cli *c, const struct json *j, size_t i, const char *key)
{
	return cli_print_safe(c, cli_json_str(c, j, i, key));
}

int64_t
cli_json_int(const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);
	int64_t v;

	if (at == 0 || j->nodes[at].type != JSON_NUMBER ||
	    json_int(&j->nodes[at], &v) != 0)
		return 0;
	return v;
}

bool
cli_json_bool(const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);

	return at != 0 && j->nodes[at].type == JSON_TRUE;
}

struct slice
cli_json_raw(const struct json *j, size_t at)
{
	const struct json_node *node = &j->nodes[at];
	size_t quotes = node->type == JSON_STRING;

	return (struct slice){ node->p - quotes, node->n + 2 * quotes };
}

size_t
cli_json_list(const struct json *j, size_t i, const char *key)
{
	size_t at = json_get(j, i, key);

	return at != 0 && j->nodes[at].type >= JSON_ARRAY ? at : 0;
}

const char *
cli_json_text(struct cli *c, const struct json *j, size_t at, int lines)
{
	const struct json_node *node = &j->nodes[at];
	struct slice raw = cli_json_raw(j, at);
	const char *text;
	struct buf b;
	char *s;

	if (node->type == JSON_STRING) {
		s = pool_alloc(&c->pool, (size_t)node->n + 1);
		raw = (struct slice){ s, json_unescape(node, s) };
	}
	buf_init(&b, SIZE_MAX / 2);
	cli_print_escape(&b, raw.p, raw.n, lines);
	text = pool_strndup(&c->pool, b.len > 0 ? b.data : "", b.len);
	buf_free(&b);
	return text;
}

const char *
cli_json_texts(struct cli *c, const struct json *j, size_t i, const char *key)
{
	size_t list = cli_json_list(j, i, key), at;
	const char *text = "";

	if (list == 0)
		return text;
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end)
		text = pool_printf(&c->pool, "%s%s%s", text,
		    text[0] != '\0' ? ", " : "",
		    cli_json_text(c, j, at, CLI_ONE_LINE));
	return text;
}

const char *
cli_json_groups(struct cli *c, const struct json *j, size_t i)
{
	size_t list = cli_json_list(j, i, "groups"), at;
	const char *text = "", *role;

	if (list == 0)
		return text;
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		role = cli_json_safe(c, j, at, "role");
		text = pool_printf(&c->pool, "%s%s%s%s%s", text,
		    text[0] != '\0' ? ", " : "",
		    cli_json_safe(c, j, at, "name"), role[0] != '\0' ? ":" : "",
		    role);
	}
	return text;
}
