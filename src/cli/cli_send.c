/* SPDX-License-Identifier: ISC */
/*
 * send, and message status.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static void
send_print(struct cli *c, const struct linnet_reply *reply)
{
	struct json j;

	if (c->json) {
		cli_print_json(c, reply->text, reply->n);
		return;
	}
	if (cli_json_read(&j, reply) == 0) {
		fprintf(c->out, "%s\n", cli_json_safe(c, &j, 0, "messageId"));
		if (cli_json_bool(&j, 0, "duplicate"))
			cli_print_note(
			    c, "it was sent before; nothing was sent now");
		else if (json_get(&j, 0, "recipients") != 0 &&
			 cli_json_int(&j, 0, "recipients") == 0)
			cli_print_note(c, "there was nobody to get it");
	}
	json_free(&j);
}

int
cli_send(struct cli *c)
{
	struct linnet_outgoing m = { .to = c->argv[0],
		.priority = cli_given(c, "priority") };
	struct linnet_reply reply;
	struct cli_session s;
	int status;

	if ((m.text = cli_args_text(c, 1, &m.length, &status)) == NULL)
		return status;
	status = cli_session_open(c, &s);
	if (status == 0 && linnet_send_wait(s.linnet, &m, &reply) != 0)
		status = cli_print_failure(linnet_last_error(s.linnet));
	if (status == 0)
		send_print(c, &reply);
	cli_session_close(&s);
	return status;
}

static void
status_print(struct cli *c, const struct json *j)
{
	static const char *const head[] = { "NAME", "STATE", "STATUS", "PUSHED",
		"ACKED", "PUSHES", "KEY", NULL };
	size_t list = cli_json_list(j, 0, "recipients"), at;
	struct cli_table t;

	if (c->tty)
		fprintf(c->out, "to %s, sent %s, %s\n\n",
		    cli_json_safe(c, j, 0, "targetSpec"),
		    cli_json_safe(c, j, 0, "createdAt"),
		    cli_json_bool(j, 0, "delivered") ? "delivered"
						     : "not delivered yet");
	cli_table_init(&t, head);
	if (list == 0)
		return;
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		cli_table_add(c, &t, cli_json_safe(c, j, at, "name"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "state"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "status"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "pushedAt"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "ackedAt"));
		cli_table_add(c, &t,
		    pool_printf(&c->pool, "%lld",
			(long long)cli_json_int(j, at, "pushes")));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "pubkey"));
	}
	cli_table_print(c, &t);
}

int
cli_message_status(struct cli *c)
{
	struct linnet_reply reply;
	struct json_writer w;
	struct cli_session s;
	struct json j;
	struct buf b;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "messageId");
	json_str(&w, c->argv[0]);
	(void)buf_str(&b);
	status = cli_session_ask(
	    c, &s, "message_status", &b, LINNET_REPEAT, &j, &reply);
	if (status == 0 && c->json)
		cli_print_json(c, reply.text, reply.n);
	else if (status == 0)
		status_print(c, &j);
	json_free(&j);
	buf_free(&b);
	cli_session_close(&s);
	return status;
}
