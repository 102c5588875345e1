/* SPDX-License-Identifier: ISC */
/*
 * state get, set, delete, list, watch.  Values are JSON; people write plain
 * words, which are taken as strings, and see them so.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

#define STATE_NODES ((size_t)1 << 20)
#define STATE_DEPTH 64

/* --if-version, or any; -2: it was no number, and that was said. */
static int64_t
state_version(const struct cli *c)
{
	const char *text = cli_given(c, "if-version"), *wrong;
	int64_t v = LINNET_ANY_VERSION;

	if (text == NULL || (wrong = str_num(text, 0, INT64_MAX, &v)) == NULL)
		return v;
	cli_print_error(
	    "--if-version %s %s; state list has the versions", text, wrong);
	return -2;
}

static int
get_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_get_state(l, c->argv[0], linnet_keep, r);
}

static int
state_missing(const struct cli *c)
{
	cli_print_error(
	    "there is no key \"%s\"; linnet state list has them all",
	    c->argv[0]);
	return EX_NOINPUT;
}

static int
get_print(struct cli *c, const struct json *j)
{
	if (cli_json_int(j, 0, "version") == 0)
		return state_missing(c);
	if (!c->json)
		fprintf(c->out, "%s\n",
		    cli_json_text(c, j, json_get(j, 0, "value"), 0));
	return 0;
}

int
cli_state_get(struct cli *c)
{
	static const struct cli_question q = {
		.ask = get_ask,
		.print = get_print,
	};

	return cli_ask(c, &q, NULL);
}

struct state_change {
	const char *value; /* JSON */
	int64_t version;
};

static int
set_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct state_change *s = arg;

	return linnet_set_state(
	    l, c->argv[0], s->value, s->version, linnet_keep, r);
}

int
cli_state_set(struct cli *c)
{
	static const struct cli_question q = { .ask = set_ask };
	struct state_change s = { .version = state_version(c) };
	struct json_writer w;
	const char *text;
	struct json j;
	struct buf b;
	size_t n;
	int status;

	if (s.version == -2)
		return EX_USAGE;
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
	s.value = buf_str(&b);
	status = cli_ask(c, &q, &s);
fail:
	json_free(&j);
	buf_free(&b);
	return status;
}

static int
delete_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct state_change *s = arg;

	return linnet_delete_state(l, c->argv[0], s->version, linnet_keep, r);
}

static int
delete_print(struct cli *c, const struct json *j)
{
	return cli_json_bool(j, 0, "existed") ? 0 : state_missing(c);
}

int
cli_state_delete(struct cli *c)
{
	static const struct cli_question q = {
		.ask = delete_ask,
		.print = delete_print,
	};
	struct state_change s = { .version = state_version(c) };

	return s.version == -2 ? EX_USAGE : cli_ask(c, &q, &s);
}

static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_list_state(
	    l, c->argc > 0 ? c->argv[0] : NULL, linnet_keep, r);
}

int
cli_state_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "KEY", "key", CELL_TEXT },
		{ "BY", "updatedBy", CELL_TEXT },
		{ "WHEN", "updatedAt", CELL_TEXT },
		{ "VERSION", "version", CELL_NUMBER },
		{ "VALUE", "value", CELL_VALUE },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "entries",
		.columns = columns,
		.none = "no such key was set yet",
	};

	return cli_ask(c, &q, NULL);
}

struct state_watch {
	struct cli *c;
	struct cli_follow follow;
	int64_t left; /* changes still to print; -1: no end */
	bool lost;
};

void
cli_state_print_json(struct cli *c, const struct linnet_state_change *s)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "key");
	json_str(&w, s->key);
	json_key(&w, "value");
	json_raw(&w, s->value != NULL ? s->value : "null",
	    s->value != NULL ? strlen(s->value) : 4);
	json_key(&w, "deleted");
	json_bool(&w, s->value == NULL);
	json_key(&w, "updatedBy");
	json_str(&w, s->updated_by);
	json_key(&w, "updatedAt");
	json_str(&w, s->updated_at);
	json_key(&w, "version");
	json_num(&w, s->version);
	json_object_end(&w);
	cli_print_json(c, b.data, b.len);
	buf_free(&b);
}

static void
watch_print(struct cli *c, const struct linnet_state_change *s)
{
	struct pool keep = c->pool;
	const char *value = "(deleted)";
	struct json j;

	/* A watch that goes on for long does not keep what it printed. */
	pool_init(&c->pool);
	json_init(&j, STATE_NODES, STATE_DEPTH);
	if (s->value != NULL)
		value = json_read(&j, s->value, strlen(s->value)) == 0
			    ? cli_json_text(c, &j, 0, CLI_ONE_LINE)
			    : cli_print_safe(c, s->value);
	fprintf(c->out, "%s\t%s\t%s\t%lld\t%s\n", cli_print_safe(c, s->key),
	    cli_print_safe(c, s->updated_by), cli_print_safe(c, s->updated_at),
	    (long long)s->version, value);
	json_free(&j);
	pool_free(&c->pool);
	c->pool = keep;
}

static bool
watch_ended(const struct state_watch *w)
{
	return w->follow.status != 0 || w->left == 0;
}

static void
watch_state(void *arg, struct linnet *l, const struct linnet_state_change *s)
{
	struct state_watch *w = arg;

	if (watch_ended(w))
		return;
	cli_follow_heard(&w->follow);
	if (w->c->json)
		cli_state_print_json(w->c, s);
	else
		watch_print(w->c, s);
	w->follow.status = cli_print_end(w->c);
	if (w->left > 0)
		w->left--;
	if (watch_ended(w)) {
		/* The loop ends, as after a signal. */
		w->follow.timeout_ms = 0;
		linnet_close(l);
	}
}

static void
watch_phase(void *arg, struct linnet *l, const struct linnet_change *change)
{
	struct state_watch *w = arg;

	(void)l;
	if (change->phase == LINNET_WAITING && !w->lost)
		cli_print_note(
		    w->c, "%s Connecting again.", change->error->message);
	w->lost = change->phase == LINNET_WAITING ||
		  (w->lost && change->phase != LINNET_OPEN);
}

int
cli_state_watch(struct cli *c)
{
	struct state_watch w = { .c = c,
		.left = cli_given_num(c, "count", -1) };
	const struct linnet_config with = {
		.control = true,
		.callbacks = { .state = watch_state, .phase = watch_phase },
		.arg = &w,
	};
	struct linnet_result r = { .done = false };
	struct cli_session s;
	int status;

	w.follow.timeout_ms = cli_given_time(c, "timeout", -1);
	if (w.left < -1 || w.follow.timeout_ms < -1)
		return EX_USAGE;
	cli_follow_catch();
	if ((status = cli_session_new(c, &s, &with)) != 0)
		goto fail;
	/* The last change may come before the answer to the request. */
	if ((linnet_open(s.linnet) != 0 ||
		linnet_watch_state(s.linnet, c->argc > 0 ? c->argv[0] : "",
		    linnet_keep, &r) != 0 ||
		linnet_finish(s.linnet, &r) != 0) &&
	    !watch_ended(&w))
		status = cli_print_failure(linnet_last_error(s.linnet));
	else
		status = cli_follow(s.linnet, &w.follow);
fail:
	linnet_result_free(&r);
	cli_session_close(&s);
	return status;
}
