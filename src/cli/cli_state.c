/* SPDX-License-Identifier: ISC */
/*
 * state get, set, list.  Values are JSON; people write plain words, which are
 * taken as strings, and see them so.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

#define STATE_NODES ((size_t)1 << 20)
#define STATE_DEPTH 64

/* A value for people: a string as its text, all else as JSON. */
static const char *
state_text(struct cli *c, const struct json *j, size_t at, int lines)
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

/* Asks with "key" and perhaps "value", and prints one state_result. */
static int
state_one(struct cli *c, const char *type, const char *value, size_t n)
{
	struct linnet_reply reply;
	struct json_writer w;
	struct cli_session s;
	struct json j;
	struct buf b;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "key");
	json_str(&w, c->argv[0]);
	if (value != NULL) {
		json_key(&w, "value");
		json_raw(&w, value, n);
	}
	(void)buf_str(&b);
	status = cli_session_ask(c, &s, type, &b, LINNET_REPEAT, &j, &reply);
	if (status == 0 && cli_json_str(c, &j, 0, "updatedAt")[0] == '\0') {
		cli_print_error("there is no key \"%s\"; linnet state list "
				"has them all",
		    c->argv[0]);
		status = EX_NOINPUT;
	} else if (status == 0 && c->json)
		cli_print_json(c, reply.text, reply.n);
	else if (status == 0 && value == NULL)
		fprintf(c->out, "%s\n",
		    state_text(c, &j, json_get(&j, 0, "value"), 0));
	json_free(&j);
	buf_free(&b);
	cli_session_close(&s);
	return status;
}

int
cli_state_get(struct cli *c)
{
	return state_one(c, "get_state", NULL, 0);
}

int
cli_state_set(struct cli *c)
{
	const char *text;
	struct json_writer w;
	struct json j;
	struct buf b;
	size_t n;
	int status;

	if ((text = cli_args_text(c, 1, &n, &status)) == NULL)
		return status;
	buf_init(&b, SIZE_MAX / 2);
	json_init(&j, STATE_NODES, STATE_DEPTH);
	json_start(&w, &b);
	if (json_read(&j, text, n) == 0)
		buf_add(&b, text, n);
	else if (!c->json)
		json_strn(&w, text, n);
	else {
		cli_print_error("the value is no JSON, which --json asks for: "
				"%s",
		    j.error);
		status = EX_DATAERR;
		goto fail;
	}
	status = state_one(c, "set_state", b.data, b.len);
fail:
	json_free(&j);
	buf_free(&b);
	return status;
}

static void
state_print_list(struct cli *c, const struct json *j)
{
	static const char *const head[] = { "KEY", "BY", "WHEN", "VERSION",
		"VALUE", NULL };
	size_t list = cli_json_list(j, 0, "entries"), at;
	struct cli_table t;

	if (list == 0)
		return;
	cli_table_init(&t, head);
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		cli_table_add(c, &t, cli_json_safe(c, j, at, "key"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "updatedBy"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "updatedAt"));
		cli_table_add(c, &t,
		    pool_printf(&c->pool, "%lld",
			(long long)cli_json_int(j, at, "version")));
		cli_table_add(c, &t,
		    state_text(c, j, json_get(j, at, "value"), CLI_ONE_LINE));
	}
	cli_table_print(c, &t);
	if (t.n == 0)
		cli_print_note(c, "no key was set yet");
}

int
cli_state_list(struct cli *c)
{
	struct linnet_reply reply;
	struct cli_session s;
	struct slice raw;
	struct json j;
	int status;

	status = cli_session_ask(
	    c, &s, "list_state", NULL, LINNET_REPEAT, &j, &reply);
	if (status == 0 && c->json) {
		raw = cli_json_raw(&j, cli_json_list(&j, 0, "entries"));
		cli_print_json(c, raw.p, raw.n);
	} else if (status == 0)
		state_print_list(c, &j);
	json_free(&j);
	cli_session_close(&s);
	return status;
}
