/* SPDX-License-Identifier: ISC */
/*
 * schedule add, list, cancel: messages of later.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

/* A time as 2026-11-24T09:00:00Z, in ms; 0 without the option; -1: it was
 * none, and that was said. */
static int64_t
schedule_time(const struct cli *c, const char *name)
{
	const char *text = cli_given(c, name);
	int64_t ms = 0;

	if (text == NULL || clock_parse(text, strlen(text), &ms) == 0)
		return ms;
	cli_print_error("--%s \"%s\" is no time; it looks like "
			"2026-11-24T09:00:00Z",
	    name, text);
	return -1;
}

/* When; 0, or an exit status. */
static int
schedule_when(const struct cli *c, struct linnet_later *m)
{
	int64_t in = cli_given_time(c, "in", 0);

	m->cron = cli_given(c, "cron");
	m->deliver_at = schedule_time(c, "at");
	m->until = schedule_time(c, "until");
	if (in < 0 || m->deliver_at < 0 || m->until < 0)
		return EX_USAGE;
	if (in > 0 && m->deliver_at > 0) {
		cli_print_error("--in and --at are two times; say one");
		return EX_USAGE;
	}
	if (in > 0) {
		clock_update();
		m->deliver_at = clock_wall() + in;
	}
	if (m->deliver_at == 0 && m->cron == NULL) {
		cli_print_error("when? Say --at, --in or --cron; linnet send "
				"sends now");
		return EX_USAGE;
	}
	if (m->until > 0 && m->cron == NULL) {
		cli_print_error("--until goes with --cron");
		return EX_USAGE;
	}
	return 0;
}

static int
add_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_schedule(l, arg, linnet_keep, r);
}

static int
add_print(struct cli *c, const struct json *j)
{
	char when[CLOCK_RFC3339_LEN + 1];

	if (c->json)
		return 0;
	fprintf(c->out, "%s\n", cli_json_safe(c, j, 0, "scheduledId"));
	clock_format(cli_json_int(j, 0, "deliverAt"), when);
	cli_print_note(c, "due at %s", when);
	return 0;
}

int
cli_schedule_add(struct cli *c)
{
	static const struct cli_question q = {
		.ask = add_ask,
		.print = add_print,
	};
	struct linnet_later m = {
		.to = c->argv[0],
		.priority = cli_given(c, "priority"),
		.reminder = cli_given(c, "reminder") != NULL,
	};
	size_t n;
	int status;

	if ((status = schedule_when(c, &m)) != 0)
		return status;
	if ((m.message = cli_args_text(c, 1, &n, &status)) == NULL)
		return status;
	return cli_ask(c, &q, &m);
}

static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_list_scheduled(
	    l, cli_given(c, "all") != NULL, linnet_keep, r);
}

int
cli_schedule_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "ID", "id", CELL_TEXT },
		{ "WHEN", "deliverAt", CELL_TIME },
		{ "CRON", "cron", CELL_TEXT },
		{ "TO", "to", CELL_TEXT },
		{ "BY", "senderName", CELL_TEXT },
		{ "SENT", "firedCount", CELL_NUMBER },
		{ "PROBLEM", "lastError", CELL_TEXT },
		{ "TEXT", "message", CELL_TEXT },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "messages",
		.columns = columns,
		.none = "nothing is scheduled",
	};

	return cli_ask(c, &q, NULL);
}

static int
cancel_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_cancel_scheduled(l, c->argv[0], linnet_keep, r);
}

static int
cancel_print(struct cli *c, const struct json *j)
{
	if (cli_json_bool(j, 0, "ok"))
		return 0;
	cli_print_error("you have no scheduled message %s; perhaps it was "
			"sent",
	    c->argv[0]);
	return EX_NOINPUT;
}

int
cli_schedule_cancel(struct cli *c)
{
	static const struct cli_question q = {
		.ask = cancel_ask,
		.print = cancel_print,
	};

	return cli_ask(c, &q, NULL);
}
