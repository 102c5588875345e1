/* SPDX-License-Identifier: ISC */
/*
 * watch: peers, state and messages as they change, on the whole terminal, or a
 * line each where there is none.
 *
 * Changes of status and summary are not pushed, so the peers are asked for
 * again now and then, and soon after one came or went.
 */
#include "cli/cli.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define WATCH_LINES 500 /* kept of messages */
#define WATCH_PEERS_MS 3000
#define WATCH_SOON_MS 100

enum part {
	PART_PEERS,
	PART_STATE,
	PART_MESSAGES,
	PARTS,
};

/* Lines that are safe to print; those of state have a key, and are sorted. */
struct watch_line {
	char *key;
	char *text;
};

struct watch_part {
	const char *title;
	struct watch_line *lines;
	size_t n;
	size_t up; /* lines scrolled away at the bottom, or the top of a list */
};

struct watch {
	struct cli *c;
	struct cli_session s;
	struct watch_part parts[PARTS];
	enum part focus;
	const char *phase;
	struct buf *frame; /* that is being drawn */
	bool screen;
	bool dirty;
	bool asked;	  /* for the peers, and not answered yet */
	int64_t peers_ms; /* when to ask for them */
	int status;
};

static void
part_clear(struct watch_part *p)
{
	while (p->n > 0) {
		p->n--;
		free(p->lines[p->n].key);
		free(p->lines[p->n].text);
	}
}

static void
part_insert(struct watch_part *p, size_t at, const char *key, const char *text)
{
	p->lines = xreallocarray(p->lines, p->n + 1, sizeof(*p->lines));
	memmove(
	    p->lines + at + 1, p->lines + at, (p->n - at) * sizeof(*p->lines));
	p->lines[at] = (struct watch_line){ xstrdup(key), xstrdup(text) };
	p->n++;
}

static void
part_remove(struct watch_part *p, size_t at)
{
	free(p->lines[at].key);
	free(p->lines[at].text);
	p->n--;
	memmove(
	    p->lines + at, p->lines + at + 1, (p->n - at) * sizeof(*p->lines));
}

/* The line of a key takes the place of its last one; NULL: it is gone. */
static void
part_put(struct watch_part *p, const char *key, const char *text)
{
	size_t at = 0;

	while (at < p->n && strcmp(p->lines[at].key, key) < 0)
		at++;
	if (at < p->n && strcmp(p->lines[at].key, key) == 0)
		part_remove(p, at);
	if (text != NULL)
		part_insert(p, at, key, text);
}

/* Tells of something where there is no screen. */
static void
watch_tell(struct watch *w, const char *what, const char *text)
{
	if (w->screen || w->status != 0)
		return;
	fprintf(w->c->out, "%s\t%s\n", what, text);
	w->status = cli_print_end(w->c);
}

static void
watch_tell_json(struct watch *w, const char *what, const char *json, size_t n)
{
	struct json_writer jw;
	struct buf b;

	if (w->screen || w->status != 0)
		return;
	buf_init(&b, SIZE_MAX / 2);
	json_start(&jw, &b);
	json_object(&jw);
	json_key(&jw, what);
	json_raw(&jw, json, n);
	json_object_end(&jw);
	cli_print_json(w->c, b.data, b.len);
	buf_free(&b);
	w->status = cli_print_end(w->c);
}

static void
watch_peers(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct watch *w = arg;
	struct watch_part *p = &w->parts[PART_PEERS];
	struct cli *c = w->c;
	size_t list, at;
	struct json j;

	(void)l;
	w->asked = false;
	if (reply->error != NULL)
		return;
	if (cli_json_read(&j, reply) == 0 &&
	    (list = cli_json_list(&j, 0, "peers")) != 0) {
		part_clear(p);
		for (at = JSON_FIRST(list); at < j.nodes[list].end;
		     at = j.nodes[at].end)
			part_insert(p, p->n, "",
			    pool_printf(&c->pool, "%-20s %-8s %-24s %s",
				cli_json_safe(c, &j, at, "displayName"),
				cli_json_safe(c, &j, at, "status"),
				cli_json_groups(c, &j, at),
				cli_json_safe(c, &j, at, "summary")));
		w->dirty = true;
	}
	json_free(&j);
}

static void
watch_peer(void *arg, struct linnet *l, const struct linnet_peer *peer)
{
	struct watch *w = arg;

	(void)l;
	if (w->c->json)
		watch_tell_json(w, "peer", peer->json, peer->json_length);
	else
		watch_tell(w, "peer",
		    pool_printf(&w->c->pool, "%s\t%s\t%s",
			cli_print_safe(w->c, peer->event),
			cli_print_safe(w->c, peer->name),
			cli_print_safe(w->c, peer->key)));
	w->peers_ms = clock_mono() + WATCH_SOON_MS;
}

static void
watch_state(void *arg, struct linnet *l, const struct linnet_state_change *s)
{
	struct watch *w = arg;
	struct cli *c = w->c;
	const char *value = s->value != NULL ? s->value : "(deleted)";
	const char *text;

	(void)l;
	value = cli_print_safe(c, value);
	text = pool_printf(&c->pool, w->screen ? "%s = %s  (%s)" : "%s\t%s\t%s",
	    cli_print_safe(c, s->key), value, cli_print_safe(c, s->updated_by));
	part_put(&w->parts[PART_STATE], s->key, s->value != NULL ? text : NULL);
	if (c->json && w->status == 0) {
		cli_state_print_json(c, s);
		w->status = cli_print_end(c);
	} else
		watch_tell(w, "state", text);
	w->dirty = true;
}

/* State as it is when the watch begins. */
static void
watch_listed(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct linnet_state_change s = { .updated_at = "" };
	struct watch *w = arg;
	struct slice value;
	size_t list, at;
	struct json j;

	if (reply->error != NULL)
		return;
	if (cli_json_read(&j, reply) == 0 &&
	    (list = cli_json_list(&j, 0, "entries")) != 0)
		for (at = JSON_FIRST(list); at < j.nodes[list].end;
		     at = j.nodes[at].end) {
			value = cli_json_raw(&j, json_get(&j, at, "value"));
			s.key = cli_json_str(w->c, &j, at, "key");
			s.value = pool_strndup(&w->c->pool, value.p, value.n);
			s.updated_by = cli_json_str(w->c, &j, at, "updatedBy");
			s.updated_at = cli_json_str(w->c, &j, at, "updatedAt");
			s.version = cli_json_int(&j, at, "version");
			watch_state(w, l, &s);
		}
	json_free(&j);
}

static void
watch_message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	struct watch *w = arg;
	struct watch_part *p = &w->parts[PART_MESSAGES];
	struct cli *c = w->c;
	const char *from = m->sender_name, *to = m->target, *said;
	struct buf b;

	if (strcmp(to, w->s.mesh->public_key) == 0)
		to = "you";
	if (from[0] == '\0')
		from = m->sender_key;
	buf_init(&b, SIZE_MAX / 2);
	if (m->text != NULL)
		cli_print_escape(&b, m->text, m->length, CLI_ONE_LINE);
	else
		buf_adds(&b, "(it is encrypted to another key)");
	said = buf_str(&b);
	if (w->screen) {
		/* Of the time, hours to seconds. */
		said = pool_printf(&c->pool, "%.8s %s to %s: %s",
		    strlen(m->created_at) > 19 ? m->created_at + 11 : "",
		    cli_print_safe(c, from), cli_print_safe(c, to), said);
		part_insert(p, p->n, "", said);
		if (p->n > WATCH_LINES)
			part_remove(p, 0);
		w->dirty = true;
	} else if (c->json)
		watch_tell_json(w, "message", m->json, m->json_length);
	else
		watch_tell(w, "message",
		    pool_printf(&c->pool, "%s\t%s\t%s\t%s\t%s",
			cli_print_safe(c, m->created_at),
			cli_print_safe(c, from), cli_print_safe(c, to),
			cli_print_safe(c, m->id), said));
	buf_free(&b);
	if (w->status == 0)
		linnet_ack(l, m->id);
}

static void
watch_notice(void *arg, struct linnet *l, const struct linnet_notice *n)
{
	struct watch *w = arg;
	struct watch_part *p = &w->parts[PART_MESSAGES];
	struct cli *c = w->c;
	const char *name = cli_print_safe(c, n->name);
	const char *text = cli_notice_text(c, n);

	(void)l;
	if (w->screen) {
		part_insert(p, p->n, "",
		    pool_printf(&c->pool, "%.8s %s %s",
			strlen(n->at) > 19 ? n->at + 11 : "", name, text));
		if (p->n > WATCH_LINES)
			part_remove(p, 0);
		w->dirty = true;
	} else if (c->json)
		watch_tell_json(w, "notice", n->json, n->json_length);
	else
		watch_tell(w, "notice",
		    pool_printf(&c->pool, "%s\t%s\t%s\t%s\t%s",
			cli_print_safe(c, n->at), name, n->kind,
			cli_print_safe(c, cli_notice_id(n)), text));
}

static void
watch_phase(void *arg, struct linnet *l, const struct linnet_change *change)
{
	static const char *const phases[] = {
		[LINNET_STOPPED] = "stopped",
		[LINNET_CONNECTING] = "connecting",
		[LINNET_OPEN] = "connected",
		[LINNET_WAITING] = "connecting again",
		[LINNET_CLOSING] = "leaving",
	};
	struct watch *w = arg;

	(void)l;
	w->phase = phases[change->phase];
	if (change->phase == LINNET_WAITING && !w->screen)
		cli_print_note(
		    w->c, "%s Connecting again.", change->error->message);
	if (change->phase == LINNET_OPEN)
		w->peers_ms = 0;
	w->dirty = true;
}

/* A part of the screen: a heading, and as many lines as there is room. */
static void
watch_draw_part(struct watch *w, enum part i, int rows, int columns)
{
	struct watch_part *p = &w->parts[i];
	size_t room = (size_t)(rows - 1), first, k;
	bool bottom = i == PART_MESSAGES;
	struct buf *b = w->frame;
	char title[128];

	if (p->up + room > p->n)
		p->up = p->n > room ? p->n - room : 0;
	first = bottom ? p->n - (p->n < room ? p->n : room) - p->up : p->up;
	snprintf(title, sizeof(title), "%s%s (%zu)%s",
	    i == w->focus ? "> " : "  ", p->title, p->n,
	    p->up > 0 ? ", scrolled" : "");
	buf_adds(b, w->c->colour ? "\033[1m" : "");
	cli_screen_line(b, title, columns);
	buf_adds(b, w->c->colour ? "\033[0m\n" : "\n");
	for (k = 0; k < room; k++) {
		if (first + k < p->n)
			cli_screen_line(b, p->lines[first + k].text, columns);
		buf_addc(b, '\n');
	}
}

static void
watch_draw(struct watch *w)
{
	int rows, columns, peers, state;
	char line[256];
	struct buf b;

	cli_screen_size(&rows, &columns);
	if (rows < 8)
		rows = 8;
	/* Lists get what they need, up to a third; messages the rest. */
	peers = (int)w->parts[PART_PEERS].n + 1;
	state = (int)w->parts[PART_STATE].n + 1;
	if (peers > rows / 3)
		peers = rows / 3;
	if (state > rows / 3)
		state = rows / 3;
	buf_init(&b, SIZE_MAX / 2);
	w->frame = &b;
	watch_draw_part(w, PART_PEERS, peers, columns);
	watch_draw_part(w, PART_STATE, state, columns);
	watch_draw_part(w, PART_MESSAGES, rows - 1 - peers - state, columns);
	snprintf(line, sizeof(line),
	    "%s: %s.  Tab: next part, arrows: scroll, q: end",
	    cli_print_safe(w->c, w->s.mesh->slug), w->phase);
	cli_screen_line(&b, line, columns);
	buf_addc(&b, '\n');
	cli_screen_show(&b);
	buf_free(&b);
	w->frame = NULL;
	w->dirty = false;
}

/* false: it is to end. */
static bool
watch_key(struct watch *w)
{
	struct watch_part *p = &w->parts[w->focus];
	bool bottom = w->focus == PART_MESSAGES;
	enum cli_key key;
	size_t step;

	while ((key = cli_screen_key()) != KEY_NONE) {
		step = key == KEY_PAGE_UP || key == KEY_PAGE_DOWN ? 10 : 1;
		if (key == KEY_QUIT)
			return false;
		if (key == KEY_NEXT)
			w->focus = (w->focus + 1) % PARTS;
		else if (key == KEY_OTHER)
			continue;
		else if ((key == KEY_UP || key == KEY_PAGE_UP) == bottom)
			p->up += step;
		else
			p->up -= p->up < step ? p->up : step;
		p = &w->parts[w->focus];
		bottom = w->focus == PART_MESSAGES;
		w->dirty = true;
	}
	return true;
}

/* Peers, when it is time. */
static void
watch_ask(struct watch *w)
{
	if (!w->screen || w->asked || clock_mono() < w->peers_ms ||
	    !linnet_is_open(w->s.linnet))
		return;
	w->peers_ms = clock_mono() + WATCH_PEERS_MS;
	w->asked =
	    linnet_list_peers(w->s.linnet, false, NULL, watch_peers, w) == 0;
}

static int
watch_turn(struct watch *w)
{
	struct linnet *l = w->s.linnet;
	struct pollfd fds[2] = {
		{ .fd = linnet_fd(l), .events = linnet_events(l) },
		{ .fd = w->screen ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int timeout = linnet_timeout(l);

	if (timeout < 0 || timeout > 500)
		timeout = 500;
	(void)poll(fds, NELEM(fds), timeout);
	clock_update();
	if (linnet_process(l) != 0)
		return w->status != 0 ? w->status
				      : cli_print_failure(linnet_last_error(l));
	return w->status;
}

static int
watch_run(struct watch *w)
{
	struct pool keep = w->c->pool;
	int status = 0;

	while (status == 0 && !cli_follow_stopped()) {
		pool_init(&w->c->pool);
		clock_update();
		watch_ask(w);
		if (cli_screen_resized())
			w->dirty = true;
		if (w->screen && w->dirty)
			watch_draw(w);
		status = watch_turn(w);
		if (w->screen && !watch_key(w))
			break;
		pool_free(&w->c->pool);
		pool_init(&w->c->pool);
	}
	pool_free(&w->c->pool);
	w->c->pool = keep;
	return status;
}

int
cli_watch(struct cli *c)
{
	struct watch w = { .c = c, .phase = "connecting", .dirty = true };
	const char *prefix = c->argc > 0 ? c->argv[0] : "";
	const struct linnet_config with = {
		.control = cli_given(c, "look") != NULL,
		.no_session_key = true,
		.callbacks = { .phase = watch_phase,
		    .message = watch_message,
		    .state = watch_state,
		    .peer = watch_peer,
		    .notice = watch_notice },
		.arg = &w,
	};
	int status, i;

	w.parts[PART_PEERS].title = "Peers";
	w.parts[PART_STATE].title = "State";
	w.parts[PART_MESSAGES].title = "Messages";
	cli_follow_catch();
	if ((status = cli_session_new(c, &w.s, &with)) != 0)
		goto fail;
	if (linnet_open(w.s.linnet) != 0 ||
	    linnet_watch_state(w.s.linnet, prefix, NULL, NULL) != 0 ||
	    linnet_list_state(w.s.linnet, prefix, watch_listed, &w) != 0) {
		status = cli_print_failure(linnet_last_error(w.s.linnet));
		goto fail;
	}
	w.screen = c->tty && !c->json && isatty(STDIN_FILENO) == 1 &&
		   cli_screen_start();
	status = watch_run(&w);
	cli_screen_end();
fail:
	for (i = 0; i < PARTS; i++) {
		part_clear(&w.parts[i]);
		free(w.parts[i].lines);
	}
	cli_session_close(&w.s);
	return status;
}
