/* SPDX-License-Identifier: ISC */
/*
 * remember, recall, forget.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static void
memory_tags(struct cli *c, struct json_writer *w)
{
	bool any = false;
	size_t i;

	for (i = 0; i < c->ngiven; i++) {
		if (strcmp(c->given[i].option->name, "tag") != 0)
			continue;
		if (!any) {
			json_key(w, "tags");
			json_array(w);
		}
		any = true;
		json_str(w, c->given[i].value);
	}
	if (any)
		json_array_end(w);
}

int
cli_memory_remember(struct cli *c)
{
	struct linnet_reply reply;
	struct json_writer w;
	struct cli_session s;
	const char *text;
	struct json j;
	struct buf b;
	size_t n;
	int status;

	if ((text = cli_args_text(c, 0, &n, &status)) == NULL)
		return status;
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "content");
	json_strn(&w, text, n);
	memory_tags(c, &w);
	(void)buf_str(&b);
	/* Twice would be two memories. */
	status = cli_session_ask(c, &s, "remember", &b, 0, &j, &reply);
	if (status == 0 && c->json)
		cli_print_json(c, reply.text, reply.n);
	else if (status == 0)
		fprintf(c->out, "%s\n", cli_json_safe(c, &j, 0, "id"));
	json_free(&j);
	buf_free(&b);
	cli_session_close(&s);
	return status;
}

static const char *
memory_tag_list(struct cli *c, const struct json *j, size_t i)
{
	size_t list = cli_json_list(j, i, "tags"), at;
	const char *text = "";
	char *tag;

	if (list == 0)
		return text;
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		if (j->nodes[at].type != JSON_STRING)
			continue;
		tag = pool_alloc(&c->pool, (size_t)j->nodes[at].n + 1);
		tag[json_unescape(&j->nodes[at], tag)] = '\0';
		text = pool_printf(
		    &c->pool, "%s%s%s", text, text[0] != '\0' ? ", " : "", tag);
	}
	return cli_print_safe(c, text);
}

static void
memory_print(struct cli *c, const struct json *j)
{
	static const char *const head[] = { "ID", "BY", "WHEN", "TAGS", "TEXT",
		NULL };
	size_t list = cli_json_list(j, 0, "memories"), at;
	struct cli_table t;

	if (list == 0)
		return;
	cli_table_init(&t, head);
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		cli_table_add(c, &t, cli_json_safe(c, j, at, "id"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "rememberedBy"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "rememberedAt"));
		cli_table_add(c, &t, memory_tag_list(c, j, at));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "content"));
	}
	cli_table_print(c, &t);
	if (t.n == 0)
		cli_print_note(c, "nothing was remembered that has all these "
				  "words");
}

int
cli_memory_recall(struct cli *c)
{
	struct linnet_reply reply;
	struct json_writer w;
	struct cli_session s;
	struct slice raw;
	const char *words;
	struct json j;
	struct buf b;
	size_t n;
	int status;

	if ((words = cli_args_text(c, 0, &n, &status)) == NULL)
		return status;
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "query");
	json_strn(&w, words, n);
	(void)buf_str(&b);
	status =
	    cli_session_ask(c, &s, "recall", &b, LINNET_REPEAT, &j, &reply);
	if (status == 0 && c->json) {
		raw = cli_json_raw(&j, cli_json_list(&j, 0, "memories"));
		cli_print_json(c, raw.p, raw.n);
	} else if (status == 0)
		memory_print(c, &j);
	json_free(&j);
	buf_free(&b);
	cli_session_close(&s);
	return status;
}

int
cli_memory_forget(struct cli *c)
{
	struct linnet_reply reply;
	struct json_writer w;
	struct cli_session s;
	struct json j;
	struct buf b;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "memoryId");
	json_str(&w, c->argv[0]);
	(void)buf_str(&b);
	status =
	    cli_session_ask(c, &s, "forget", &b, LINNET_REPEAT, &j, &reply);
	if (status == 0 && c->json)
		cli_print_json(c, reply.text, reply.n);
	else if (status == 0 && json_get(&j, 0, "forgotten") != 0 &&
		 !cli_json_bool(&j, 0, "forgotten")) {
		cli_print_error("there is no memory %s", c->argv[0]);
		status = EX_NOINPUT;
	}
	json_free(&j);
	buf_free(&b);
	cli_session_close(&s);
	return status;
}
