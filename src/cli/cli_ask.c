/* SPDX-License-Identifier: ISC */
/*
 * One question to the broker: connect, ask, check, print.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static void
ask_print_json(struct cli *c, const struct cli_question *q,
    const struct linnet_result *r, const struct json *j)
{
	size_t list = q->list != NULL ? cli_json_list(j, 0, q->list) : 0;
	struct slice raw =
	    list != 0 ? cli_json_raw(j, list) : (struct slice){ r->text, r->n };

	cli_print_json(c, raw.p, raw.n);
}

static void
ask_print_list(
    struct cli *c, const struct cli_question *q, const struct json *j)
{
	if (!cli_table_list(c, j, cli_json_list(j, 0, q->list), q->columns))
		cli_print_note(c, "%s", q->none);
}

/* What is said where a list has more pages, as a shell takes it. */
static void
ask_print_next(struct cli *c, const struct json *j)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *next = cli_json_str(c, j, 0, "next"), *s;
	struct buf b;

	if (next[0] == '\0' ||
	    (json_get(j, 0, "more") != 0 && !cli_json_bool(j, 0, "more")))
		return;
	buf_init(&b, SIZE_MAX / 2);
	if (next[strspn(next, plain)] == '\0')
		buf_adds(&b, next);
	else {
		buf_addc(&b, '\'');
		for (s = next; *s != '\0'; s++)
			if (*s == '\'')
				buf_adds(&b, "'\\''");
			else
				buf_addc(&b, *s);
		buf_addc(&b, '\'');
	}
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	cli_print_note(c, "there are more; go on with --after %s", b.data);
	buf_free(&b);
}

int
cli_ask_over(struct cli *c, struct linnet *l, const struct cli_question *q,
    const void *arg, struct linnet_result *r, struct json *j)
{
	struct linnet_reply reply;

	(void)c;
	memset(r, 0, sizeof(*r));
	json_init(j, 1, 0);
	if (q->ask(c, l, arg, r) != 0 || linnet_finish(l, r) != 0)
		return cli_print_failure(linnet_last_error(l));
	reply = (struct linnet_reply){ .text = r->text, .n = r->n };
	return cli_json_read(j, &reply);
}

int
cli_ask(struct cli *c, const struct cli_question *q, const void *arg)
{
	struct linnet_result r = { .done = false };
	struct cli_session s;
	struct json j;
	int status;

	json_init(&j, 1, 0);
	if ((status = cli_session_open(c, &s)) != 0)
		goto fail;
	if ((status = cli_ask_over(c, s.linnet, q, arg, &r, &j)) != 0)
		goto fail;
	if (c->json)
		ask_print_json(c, q, &r, &j);
	else if (q->list != NULL)
		ask_print_list(c, q, &j);
	if (q->print != NULL)
		status = q->print(c, &j);
	if (q->list != NULL)
		ask_print_next(c, &j);
fail:
	json_free(&j);
	linnet_result_free(&r);
	cli_session_close(&s);
	return status;
}
