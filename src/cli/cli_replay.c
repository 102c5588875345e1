/* SPDX-License-Identifier: ISC */
/*
 * What is said in channels: send, read, mark, replay, follow.
 *
 * A message is a line of six fields, or on a terminal a head and its text: the
 * same whether it was read from the past or comes now.  What was printed and
 * taken by the output is what counts as read.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define REPLAY_PAGE 500
#define REPLAY_NEWEST 50
#define PARTS_NODES ((size_t)1 << 20)
#define PARTS_DEPTH 64

/*
 * Saying something.
 */
/* The parts that were given, as JSON; NULL: *status says why. */
static const char *
post_parts(struct cli *c, const char *given, int *status)
{
	const char *text = given;
	struct json j;
	size_t n;

	if (strcmp(given, "-") == 0) {
		/* As an argument that is not there. */
		c->argc = 1;
		if ((text = cli_args_text(c, 1, &n, status)) == NULL)
			return NULL;
	}
	json_init(&j, PARTS_NODES, PARTS_DEPTH);
	if (json_read(&j, text, strlen(text)) != 0) {
		cli_print_error("--parts is no JSON: %s", j.error);
		text = NULL;
	} else if (j.nodes[0].type != JSON_ARRAY) {
		cli_print_error("--parts must be an array, as "
				"[{\"type\":\"text\",\"payload\":{\"text\":"
				"\"hello\"}}]");
		text = NULL;
	}
	if (text == NULL)
		*status = EX_DATAERR;
	json_free(&j);
	return text;
}

int
cli_post_said(struct cli *c, struct linnet_post *p)
{
	const char *parts = cli_given(c, "parts");
	int status = 0;
	size_t n;

	if (parts == NULL)
		p->text = cli_args_text(c, 1, &n, &status);
	else if (c->argc > 1) {
		cli_print_error("give either a text or --parts");
		return EX_USAGE;
	} else
		p->parts = post_parts(c, parts, &status);
	return status;
}

static int
send_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_post(l, arg, linnet_keep, r);
}

static int
send_print(struct cli *c, const struct json *j)
{
	if (!c->json)
		fprintf(c->out, "%s\n", cli_json_safe(c, j, 0, "messageId"));
	if (cli_json_bool(j, 0, "duplicate"))
		cli_print_note(c, "it was sent before; nothing was sent now");
	return 0;
}

int
cli_post_send(struct cli *c)
{
	static const char *const others[] = { "also", "priority", "ttl", "file",
		"clear" };
	static const struct cli_question q = {
		.ask = send_ask,
		.print = send_print,
	};
	struct linnet_post p = {
		.channel = c->argv[0],
		.reply_to = cli_given(c, "reply-to"),
		.id = cli_given(c, "id"),
	};
	size_t i;
	int status;

	if (p.channel[0] != '#') {
		cli_print_error("--parts are for a channel, as '#dev'");
		return EX_USAGE;
	}
	for (i = 0; i < NELEM(others); i++)
		if (cli_given(c, others[i]) != NULL) {
			cli_print_error("--%s is not for channels", others[i]);
			return EX_USAGE;
		}
	status = cli_post_said(c, &p);
	return status != 0 ? status : cli_ask(c, &q, &p);
}

/*
 * Printing.
 */
/* What a message says: its texts, and the kinds of its other parts. */
static const char *
post_text(struct cli *c, const struct json *j, size_t at, int lines)
{
	size_t list = cli_json_list(j, at, "parts"), i, text;
	const char *said = "", *more;

	if (json_get(j, at, "redactedAt") != 0)
		return "(it was taken back)";
	for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
	     i = j->nodes[i].end) {
		more = pool_printf(
		    &c->pool, "[%s]", cli_json_safe(c, j, i, "type"));
		text = json_get(j, i, "payload");
		if (strcmp(more, "[text]") == 0 && text != 0 &&
		    (text = json_get(j, text, "text")) != 0)
			more = cli_json_text(c, j, text, lines);
		said = said[0] == '\0'
			   ? more
			   : pool_printf(&c->pool, "%s %s", said, more);
	}
	return said;
}

/* A message as the broker tells of it: an object of j. */
static void
post_print(struct cli *c, const char *channel, const struct json *j, size_t at)
{
	const char *name = cli_json_safe(c, j, at, "name");
	const char *when = cli_json_safe(c, j, at, "createdAt");
	const char *id = cli_json_safe(c, j, at, "messageId");
	int64_t seq = cli_json_int(j, at, "seq");

	channel = cli_print_safe(c, channel);
	if (c->tty)
		fprintf(c->out, "%s%s in #%s%s, %" PRId64 ", %s, %s\n    %s\n",
		    c->colour ? "\033[1m" : "", name, channel,
		    c->colour ? "\033[0m" : "", seq, when, id,
		    post_text(c, j, at, 4));
	else
		fprintf(c->out, "%s\t%" PRId64 "\t%s\t%s\t%s\t%s\n", channel,
		    seq, when, name, id, post_text(c, j, at, CLI_ONE_LINE));
}

static void
event_print(struct cli *c, const char *channel, const struct json *j, size_t at)
{
	const char *when = cli_json_safe(c, j, at, "at");
	const char *event = cli_json_safe(c, j, at, "event");
	const char *payload =
	    cli_json_text(c, j, json_get(j, at, "payload"), CLI_ONE_LINE);

	channel = cli_print_safe(c, channel);
	if (c->tty)
		fprintf(c->out, "%s in #%s, %s\n    %s\n", event, channel, when,
		    payload);
	else
		fprintf(c->out, "%s\t-\t%s\t%s\t%s\t%s\n", channel, when, event,
		    cli_json_safe(c, j, at, "eventId"), payload);
}

/* The name of a channel without its mark. */
static const char *
channel_label(const char *name)
{
	return name[0] == '#' ? name + 1 : name;
}

/*
 * What was said.
 */
struct replay {
	struct cli *c;
	struct linnet *l;
	const char *channel;
	int64_t after; /* LINNET_NEWEST: the last ones */
	int64_t left;  /* to print; -1: all */
	int64_t last;  /* the seq of the last one that was printed */
	size_t printed;
};

static int
replay_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct replay *p = arg;
	int64_t limit = REPLAY_PAGE;

	(void)c;
	if (p->left >= 0 && p->left < limit)
		limit = p->left;
	return linnet_read_channel(
	    l, p->channel, p->after, limit, linnet_keep, r);
}

static int
replay_print(struct replay *p, const struct json *j)
{
	struct pool keep = p->c->pool;
	size_t list = cli_json_list(j, 0, "messages"), at;
	struct slice raw;

	for (at = JSON_FIRST(list); list != 0 && at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		pool_init(&p->c->pool);
		raw = cli_json_raw(j, at);
		if (p->c->json)
			cli_print_json(p->c, raw.p, raw.n);
		else
			post_print(p->c, channel_label(p->channel), j, at);
		p->after = cli_json_int(j, at, "seq");
		p->printed++;
		if (p->left > 0)
			p->left--;
		pool_free(&p->c->pool);
	}
	p->c->pool = keep;
	return cli_print_end(p->c);
}

/* A page; *more: there are others, and they are wanted. */
static int
replay_page(struct replay *p, bool *more)
{
	static const struct cli_question q = { .ask = replay_ask };
	struct linnet_result r;
	struct json j;
	int status = cli_ask_over(p->c, p->l, &q, p, &r, &j);

	*more = false;
	if (status == 0 && (status = replay_print(p, &j)) == 0) {
		p->last = p->after;
		*more = cli_json_bool(&j, 0, "more") && p->left != 0;
	}
	json_free(&j);
	linnet_result_free(&r);
	return status;
}

static int
replay_all(struct replay *p)
{
	bool more = true;
	int status = 0;

	while (status == 0 && more)
		status = replay_page(p, &more);
	return status;
}

/* --after; `otherwise` without it; -2: it was no seq, and that was said. */
static int64_t
replay_after(const struct cli *c, int64_t otherwise)
{
	const char *text = cli_given(c, "after"), *wrong;
	int64_t v = otherwise;

	if (text == NULL || (wrong = str_num(text, 0, INT64_MAX, &v)) == NULL)
		return v;
	cli_print_error("--after %s %s; it is the seq of a message, 0 for the "
			"beginning",
	    text, wrong);
	return -2;
}

int
cli_replay(struct cli *c)
{
	struct replay p = {
		.c = c,
		.channel = c->argv[0],
		.after = replay_after(c, LINNET_NEWEST),
	};
	struct cli_session s;
	int status;

	p.left = cli_given_num(c, "limit", p.after >= 0 ? -1 : REPLAY_NEWEST);
	if (p.after == -2 || p.left == -2)
		return EX_USAGE;
	/* The newest are asked for as one page. */
	if (p.after == LINNET_NEWEST && p.left > REPLAY_PAGE) {
		cli_print_error(
		    "--limit without --after is %d at most", REPLAY_PAGE);
		return EX_USAGE;
	}
	if ((status = cli_session_open(c, &s)) == 0) {
		p.l = s.linnet;
		if ((status = replay_all(&p)) == 0 && p.printed == 0)
			cli_print_note(c, "nothing was said there");
	}
	cli_session_close(&s);
	return status;
}

/*
 * What was read.
 */
struct mark {
	const char *channel;
	int64_t seq;
	bool back;
};

static int
mark_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct mark *m = arg;

	(void)c;
	return linnet_mark_read(l, m->channel, m->seq, m->back, linnet_keep, r);
}

/* How far that was; -1: an exit status. */
static int
mark_over(struct replay *p, int64_t seq, int64_t *seen)
{
	static const struct cli_question q = { .ask = mark_ask };
	const struct mark m = { .channel = p->channel, .seq = seq };
	struct linnet_result r;
	struct json j;
	int status = cli_ask_over(p->c, p->l, &q, &m, &r, &j);

	if (status == 0)
		*seen = cli_json_int(&j, 0, "seq");
	json_free(&j);
	linnet_result_free(&r);
	return status;
}

int
cli_replay_read(struct cli *c)
{
	struct replay p = {
		.c = c,
		.channel = c->argv[0],
		.left = cli_given_num(c, "limit", -1),
	};
	struct cli_session s;
	int64_t seen;
	int status;

	if (p.left == -2)
		return EX_USAGE;
	if ((status = cli_session_open(c, &s)) != 0)
		goto fail;
	p.l = s.linnet;
	/* 0 goes nowhere, and says where that is. */
	if ((status = mark_over(&p, 0, &seen)) != 0)
		goto fail;
	p.after = p.last = seen;
	status = replay_all(&p);
	if (p.last > seen && mark_over(&p, p.last, &seen) != 0)
		status = EX_TEMPFAIL;
	if (status == 0 && p.printed == 0)
		cli_print_note(c, "nothing new");
fail:
	cli_session_close(&s);
	return status;
}

static int
mark_print(struct cli *c, const struct json *j)
{
	if (!c->json)
		fprintf(c->out, "%" PRId64 "\n", cli_json_int(j, 0, "unread"));
	return 0;
}

int
cli_replay_mark(struct cli *c)
{
	static const struct cli_question q = {
		.ask = mark_ask,
		.print = mark_print,
	};
	struct mark m = {
		.channel = c->argv[0],
		.seq = LINNET_NEWEST,
		.back = cli_given(c, "back") != NULL,
	};
	const char *wrong;

	if (c->argc > 1 &&
	    (wrong = str_num(c->argv[1], 0, INT64_MAX, &m.seq)) != NULL) {
		cli_print_error("%s %s; it is the seq of the last message that "
				"was read",
		    c->argv[1], wrong);
		return EX_USAGE;
	}
	return cli_ask(c, &q, &m);
}

/*
 * What is said.
 */
struct follow;
struct followed {
	struct follow *of;
	const char *name;
	char id[ID_HEX_LEN + 1];
};

struct follow {
	struct cli *c;
	struct cli_follow follow;
	struct followed *channels;
	size_t n;
	size_t open;
	int64_t left; /* lines to print; -1: no end */
	bool events;
	bool lost;
};

static bool
follow_ended(const struct follow *f)
{
	return f->follow.status != 0 || f->left == 0 || f->open == 0;
}

static const char *
follow_name(const struct follow *f, const char *id)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strcmp(f->channels[i].id, id) == 0)
			return channel_label(f->channels[i].name);
	return id;
}

static void
follow_closed(struct follow *f, const struct linnet_entry *e)
{
	cli_print_error("#%s is no more, or not for you any more",
	    follow_name(f, e->channel_id));
	if (--f->open == 0 && f->follow.status == 0)
		f->follow.status = EX_NOINPUT;
}

static void
follow_print(struct follow *f, const struct linnet_entry *e)
{
	struct linnet_reply reply = { .text = e->json, .n = e->json_length };
	const char *name = follow_name(f, e->channel_id);
	struct cli *c = f->c;
	struct pool keep = c->pool;
	struct json j;

	/* It may go on for long. */
	pool_init(&c->pool);
	if (c->json)
		cli_print_json(c, e->json, e->json_length);
	else {
		if (cli_json_read(&j, &reply) == 0) {
			if (e->seq > 0)
				post_print(c, name, &j, 0);
			else
				event_print(c, name, &j, 0);
		}
		json_free(&j);
	}
	pool_free(&c->pool);
	c->pool = keep;
	f->follow.status = cli_print_end(c);
	if (f->left > 0)
		f->left--;
}

static void
follow_entry(void *arg, struct linnet *l, const struct linnet_entry *e)
{
	struct follow *f = arg;

	if (follow_ended(f))
		return;
	cli_follow_heard(&f->follow);
	if (strcmp(e->event, "closed") == 0)
		follow_closed(f, e);
	else if (e->seq > 0 || f->events)
		follow_print(f, e);
	if (follow_ended(f)) {
		/* The loop ends, as after a signal. */
		f->follow.timeout_ms = 0;
		linnet_close(l);
	}
}

static void
follow_phase(void *arg, struct linnet *l, const struct linnet_change *change)
{
	struct follow *f = arg;

	(void)l;
	if (change->phase == LINNET_WAITING && !f->lost)
		cli_print_note(
		    f->c, "%s Connecting again.", change->error->message);
	f->lost = change->phase == LINNET_WAITING ||
		  (f->lost && change->phase != LINNET_OPEN);
}

/* The answer: what comes of the channel is right behind it. */
static void
follow_answered(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct followed *w = arg, *other;
	struct follow *f = w->of;
	struct json j;

	if (follow_ended(f))
		return;
	if (reply->error != NULL) {
		f->follow.status = cli_print_failure(reply->error);
		linnet_close(l);
		return;
	}
	if (cli_json_read(&j, reply) == 0)
		(void)str_copy(w->id, cli_json_str(f->c, &j, 0, "channelId"),
		    sizeof(w->id));
	json_free(&j);
	/* One that was given twice is one. */
	for (other = f->channels; other < w; other++)
		if (strcmp(other->id, w->id) == 0) {
			f->open--;
			break;
		}
}

int
cli_replay_follow(struct cli *c)
{
	struct follow f = {
		.c = c,
		.n = (size_t)c->argc,
		.open = (size_t)c->argc,
		.left = cli_given_num(c, "count", -1),
		.events = cli_given(c, "events") != NULL,
	};
	const struct linnet_config with = {
		.control = true,
		.callbacks = { .entry = follow_entry, .phase = follow_phase },
		.arg = &f,
	};
	int64_t after = replay_after(c, LINNET_NEWEST);
	struct cli_session s;
	int status;
	size_t i;

	f.follow.timeout_ms = cli_given_time(c, "timeout", -1);
	if (after == -2 || f.left < -1 || f.follow.timeout_ms < -1)
		return EX_USAGE;
	f.channels = pool_zalloc(&c->pool, f.n * sizeof(*f.channels));
	for (i = 0; i < f.n; i++)
		f.channels[i] =
		    (struct followed){ .of = &f, .name = c->argv[i] };
	cli_follow_catch();
	if ((status = cli_session_new(c, &s, &with)) != 0)
		goto fail;
	status = linnet_open(s.linnet);
	for (i = 0; i < f.n && status == 0; i++)
		status = linnet_follow_channel(s.linnet, f.channels[i].name,
		    after, follow_answered, &f.channels[i]);
	status = status != 0 ? cli_print_failure(linnet_last_error(s.linnet))
			     : cli_follow(s.linnet, &f.follow);
fail:
	cli_session_close(&s);
	return status;
}
