/* SPDX-License-Identifier: ISC */
/*
 * request create, list, show, approve, deny: asking for a permission, and
 * deciding.
 *
 * Who waits is told at once when it was decided; but nothing is kept of that,
 * and it may have been told to a connection that was just lost.  So it is also
 * asked for now and then.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#define REQUEST_DENIED 1 /* the status of a wait */
#define REQUEST_ASK_MS 5000

struct request_wait {
	struct cli_session s;
	const char *id; /* of the request; NULL: it is not known yet */
	bool told;
	int64_t until_ms; /* of clock_mono(); -1: no end */
};

/*
 * How it stands.
 */
static int
show_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_get_permission_request(l, arg, linnet_keep, r);
}

static void
show_line(struct cli *c, const char *label, const char *value)
{
	if (value[0] == '\0')
		return;
	if (c->tty)
		fprintf(c->out, "%-11s %s\n", label, value);
	else
		fprintf(c->out, "%s\t%s\n", label, value);
}

static void
show_print(struct cli *c, const struct json *j, size_t at)
{
	static const char *const lines[][2] = {
		{ "request", "requestId" },
		{ "status", "status" },
		{ "from", "name" },
		{ "capability", "action" },
		{ "on", "resourceType" },
		{ "which", "resourceId" },
		{ "opened", "createdAt" },
		{ "decided", "resolvedAt" },
		{ "notes", "notes" },
		{ "grant", "grantId" },
		{ "command", "commandId" },
	};
	size_t context = cli_json_list(j, at, "context"), i;

	for (i = 0; i < NELEM(lines); i++)
		show_line(c, lines[i][0], cli_json_safe(c, j, at, lines[i][1]));
	if (context != 0)
		show_line(c, "for", cli_json_text(c, j, context, CLI_ONE_LINE));
}

/* Asks how it stands, and prints it unless it is open and waited for. */
static int
request_look(struct cli *c, struct request_wait *w, bool waits, bool *open)
{
	static const struct cli_question q = { .ask = show_ask };
	struct linnet_result r;
	const char *outcome;
	struct slice raw;
	struct json j;
	size_t at;
	int status = cli_ask_over(c, w->s.linnet, &q, w->id, &r, &j);

	if (status != 0)
		goto fail;
	at = cli_json_list(&j, 0, "request");
	outcome = cli_json_str(c, &j, at, "status");
	*open = strcmp(outcome, "open") == 0;
	if (waits && *open)
		goto fail;
	raw = cli_json_raw(&j, at);
	if (c->json)
		cli_print_json(c, raw.p, raw.n);
	else
		show_print(c, &j, at);
	if (waits && strcmp(outcome, "approved") != 0)
		status = REQUEST_DENIED;
fail:
	json_free(&j);
	linnet_result_free(&r);
	return status;
}

/*
 * Waiting.
 */
static void
request_notice(void *arg, struct linnet *l, const struct linnet_notice *n)
{
	struct request_wait *w = arg;

	(void)l;
	if (w->id != NULL && strcmp(n->kind, "permission_resolved") == 0 &&
	    strcmp(n->request_id, w->id) == 0)
		w->told = true;
}

static int64_t
request_now(void)
{
	clock_update();
	return clock_mono();
}

/* Until it is told, or time to ask again; false: the time is over. */
static bool
request_pause(struct request_wait *w)
{
	int64_t next = request_now() + REQUEST_ASK_MS, left;

	if (w->until_ms >= 0 && w->until_ms < next)
		next = w->until_ms;
	while (!w->told && (left = next - request_now()) > 0)
		/* When it fails, the next question says why. */
		if (linnet_wait(w->s.linnet, (int)left) < 0)
			break;
	if (!w->told && w->until_ms >= 0 && request_now() >= w->until_ms)
		return false;
	w->told = false;
	return true;
}

static int
request_wait(struct cli *c, struct request_wait *w)
{
	struct pool keep = c->pool;
	bool open = false, first = true;
	int status;

	for (;;) {
		pool_init(&c->pool);
		status = request_look(c, w, true, &open);
		pool_free(&c->pool);
		c->pool = keep;
		if (status != 0 || !open)
			return status;
		if (first)
			cli_print_note(c, "the request %s waits", w->id);
		first = false;
		if (!request_pause(w))
			break;
	}
	cli_print_error("the request %s is still open; linnet request show %s "
			"--wait goes on waiting",
	    w->id, w->id);
	return EX_TEMPFAIL;
}

/* Connects, for who is going to wait perhaps; 0, or an exit status. */
static int
request_open(struct cli *c, struct request_wait *w)
{
	const struct linnet_config with = {
		.control = true,
		.callbacks = { .notice = request_notice },
		.arg = w,
	};
	int64_t timeout = cli_given_time(c, "timeout", -1);
	int status;

	if (timeout < -1)
		return EX_USAGE;
	if (timeout >= 0 && cli_given(c, "wait") == NULL) {
		cli_print_error("--timeout is for --wait");
		return EX_USAGE;
	}
	w->until_ms = timeout >= 0 ? request_now() + timeout : -1;
	if ((status = cli_session_new(c, &w->s, &with)) == 0 &&
	    linnet_open(w->s.linnet) != 0)
		status = cli_print_failure(linnet_last_error(w->s.linnet));
	return status;
}

/*
 * request create
 */
static int
create_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_request_permission(l, arg, linnet_keep, r);
}

/* What it is for, as JSON; false: it was said what is wrong. */
static int
create_context(struct cli *c, struct buf *b, const char **context)
{
	const char *reason = cli_given(c, "reason");
	struct json_writer w;

	if (!cli_given_object(c, "context", context))
		return EX_DATAERR;
	if (reason == NULL)
		return 0;
	if (*context != NULL) {
		cli_print_error("give either --reason or --context");
		return EX_USAGE;
	}
	if (!str_utf8(reason, strlen(reason))) {
		cli_print_error("--reason is not UTF-8");
		return EX_DATAERR;
	}
	json_start(&w, b);
	json_object(&w);
	json_key(&w, "reason");
	json_str(&w, reason);
	json_object_end(&w);
	*context = buf_str(b);
	return 0;
}

/* Asks for it; with --wait what is printed is how it ended. */
static int
create_run(
    struct cli *c, struct request_wait *w, const struct linnet_permission *p)
{
	static const struct cli_question q = { .ask = create_ask };
	bool waits = cli_given(c, "wait") != NULL;
	struct linnet_result r;
	struct json j;
	int status = cli_ask_over(c, w->s.linnet, &q, p, &r, &j);

	if (status == 0) {
		w->id = cli_json_safe(c, &j, 0, "requestId");
		if (!waits && c->json)
			cli_print_json(c, r.text, r.n);
		else if (!waits)
			fprintf(c->out, "%s\n", w->id);
	}
	json_free(&j);
	linnet_result_free(&r);
	return status != 0 || !waits ? status : request_wait(c, w);
}

int
cli_request_create(struct cli *c)
{
	struct request_wait w = { .id = NULL };
	struct linnet_permission p = {
		.action = c->argv[0],
		.resource_type = c->argv[1],
		.resource_id = c->argc > 2 ? c->argv[2] : NULL,
		.id = cli_given(c, "id"),
	};
	struct buf b;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	if ((status = create_context(c, &b, &p.context)) == 0 &&
	    (status = request_open(c, &w)) == 0)
		status = create_run(c, &w, &p);
	cli_session_close(&w.s);
	buf_free(&b);
	return status;
}

int
cli_request_show(struct cli *c)
{
	struct request_wait w = { .id = c->argv[0] };
	bool open;
	int status = request_open(c, &w);

	if (status == 0)
		status = cli_given(c, "wait") != NULL
			     ? request_wait(c, &w)
			     : request_look(c, &w, false, &open);
	cli_session_close(&w.s);
	return status;
}

/*
 * request list
 */
static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_list_permission_requests(l, arg, linnet_keep, r);
}

int
cli_request_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "ID", "requestId", CELL_TEXT },
		{ "FROM", "name", CELL_TEXT },
		{ "CAPABILITY", "action", CELL_TEXT },
		{ "ON", "resourceType", CELL_TEXT },
		{ "WHICH", "resourceId", CELL_TEXT },
		{ "SINCE", "createdAt", CELL_TEXT },
		{ "FOR", "context", CELL_VALUE },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "requests",
		.columns = columns,
		.none = "there are no open requests",
	};
	const struct linnet_permission_query query = {
		.member = cli_given(c, "member"),
		.limit = cli_given_num(c, "limit", 0),
		.after = cli_given(c, "after"),
	};

	return query.limit >= 0 ? cli_ask(c, &q, &query) : EX_USAGE;
}

/*
 * request approve, deny
 */
static int
decide_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_resolve_permission(l, arg, linnet_keep, r);
}

static int
approve_print(struct cli *c, const struct json *j)
{
	const char *id = cli_json_safe(c, j, 0, "grantId");

	if (!c->json)
		fprintf(c->out, "%s\n",
		    id[0] != '\0' ? id : cli_json_safe(c, j, 0, "commandId"));
	return 0;
}

int
cli_request_approve(struct cli *c)
{
	static const struct cli_question q = {
		.ask = decide_ask,
		.print = approve_print,
	};
	struct linnet_resolution s = {
		.request_id = c->argv[0],
		.approve = true,
		.notes = cli_given(c, "notes"),
		.max_uses = cli_given_num(c, "uses", 0),
	};

	if (s.max_uses < 0 || !cli_given_expiry(c, "expires", &s.expires_at))
		return EX_USAGE;
	return cli_ask(c, &q, &s);
}

int
cli_request_deny(struct cli *c)
{
	static const struct cli_question q = { .ask = decide_ask };
	const struct linnet_resolution s = {
		.request_id = c->argv[0],
		.notes = cli_given(c, "notes"),
	};

	return cli_ask(c, &q, &s);
}
