/* SPDX-License-Identifier: ISC */
/*
 * send, and message status.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static void
send_notes(struct cli *c, const struct json *j, size_t at)
{
	const char *blocked = cli_json_texts(c, j, at, "blocked");

	if (cli_json_bool(j, at, "duplicate"))
		cli_print_note(c, "it was sent before; nothing was sent now");
	else if (json_get(j, at, "recipients") != 0 &&
		 cli_json_int(j, at, "recipients") == 0)
		cli_print_note(c, "there was nobody to get it");
	if (blocked[0] != '\0')
		cli_print_note(c, "takes nothing from you: %s", blocked);
}

/* Several targets: each with its id, as far as it was sent. */
static void
send_print_all(struct cli *c, const struct json *j, size_t list)
{
	static const char *const head[] = { "TO", "ID", NULL };
	struct cli_table t;
	size_t at, answer;

	cli_table_init(&t, head);
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		answer = cli_json_list(j, at, "answer");
		cli_table_add(c, &t,
		    cli_json_text(c, j, json_get(j, at, "to"), CLI_ONE_LINE));
		cli_table_add(c, &t,
		    answer != 0 ? cli_json_safe(c, j, answer, "messageId")
				: "");
		if (answer != 0)
			send_notes(c, j, answer);
	}
	cli_table_print(c, &t);
}

static void
send_print(struct cli *c, const struct linnet_reply *reply)
{
	size_t list;
	struct json j;

	if (cli_json_read(&j, reply) != 0)
		goto fail;
	list = cli_json_list(&j, 0, "answers");
	if (c->json)
		cli_print_json(c, reply->text, reply->n);
	else if (list != 0)
		send_print_all(c, &j, list);
	else {
		fprintf(c->out, "%s\n", cli_json_safe(c, &j, 0, "messageId"));
		send_notes(c, &j, 0);
	}
fail:
	json_free(&j);
}

int
cli_send(struct cli *c)
{
	struct linnet_outgoing m = {
		.to = c->argv[0],
		.also = cli_given_all(c, "also"),
		.priority = cli_given(c, "priority"),
		.id = cli_given(c, "id"),
		.reply_to = cli_given(c, "reply-to"),
		.ttl_ms = cli_given_time(c, "ttl", 0),
		.clear = cli_given(c, "clear") != NULL,
	};
	const char *const *files;
	struct linnet_reply reply;
	struct cli_session s;
	size_t i;
	int status;

	if (m.ttl_ms < 0)
		return EX_USAGE;
	for (i = 0; m.also != NULL && m.also[i] != NULL; i++)
		if (m.also[i][0] == '#') {
			cli_print_error("--also is not for channels: what is "
					"said in one is sent to it alone");
			return EX_USAGE;
		}
	if (m.to[0] == '#' || cli_given(c, "parts") != NULL)
		return cli_post_send(c);
	if ((m.text = cli_args_text(c, 1, &m.length, &status)) == NULL)
		return status;
	if ((status = cli_session_open(c, &s)) != 0)
		goto fail;
	if ((files = cli_given_all(c, "file")) != NULL &&
	    (status = cli_file_attach(c, s.linnet, files, &m.files)) != 0)
		goto fail;
	if (linnet_send_wait(s.linnet, &m, &reply) != 0)
		status = cli_print_failure(linnet_last_error(s.linnet));
	/* Of several some may have been sent all the same. */
	if (status == 0 || (m.also != NULL && reply.text != NULL))
		send_print(c, &reply);
fail:
	cli_session_close(&s);
	return status;
}

static int
status_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_message_status(l, c->argv[0], linnet_keep, r);
}

static int
status_print(struct cli *c, const struct json *j)
{
	static const struct cli_column columns[] = {
		{ "NAME", "name", CELL_TEXT },
		{ "STATE", "state", CELL_TEXT },
		{ "STATUS", "status", CELL_TEXT },
		{ "PUSHED", "pushedAt", CELL_TEXT },
		{ "ACKED", "ackedAt", CELL_TEXT },
		{ "PUSHES", "pushes", CELL_NUMBER },
		{ "KEY", "pubkey", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};

	if (c->json)
		return 0;
	if (c->tty)
		fprintf(c->out, "to %s, sent %s, %s\n\n",
		    cli_json_safe(c, j, 0, "targetSpec"),
		    cli_json_safe(c, j, 0, "createdAt"),
		    cli_json_bool(j, 0, "delivered") ? "delivered"
						     : "not delivered yet");
	(void)cli_table_list(c, j, cli_json_list(j, 0, "recipients"), columns);
	return 0;
}

int
cli_message_status(struct cli *c)
{
	static const struct cli_question q = {
		.ask = status_ask,
		.print = status_print,
	};

	return cli_ask(c, &q, NULL);
}
