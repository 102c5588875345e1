/* SPDX-License-Identifier: ISC */
/*
 * An agent's session, as the backend of its tools.
 *
 * Questions that come before the connection is made wait for it, a few seconds
 * after it was begun or lost; after that they are answered at once with why
 * there is none, while liblinnet goes on trying.  What the agent said of
 * itself (status, summary, groups) is said again over a later connection: the
 * broker may have forgotten it.
 *
 * A message that arrives goes to the inbox and stays there until the agent has
 * it.  Only then it is acked: till then the broker may give it to another
 * session of the member, if it is the member that it is for.
 */
#include "cli/cli_mcp.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define MESH_PATIENCE_MS 5000
#define MESH_NOTE_MAX 128 /* bytes */

static int64_t
mesh_now(void)
{
	clock_update();
	return clock_mono();
}

/*
 * Answers.
 */
static void
ask_free(struct mesh_ask *a)
{
	TAILQ_REMOVE(&a->h->asks, a, entry);
	cli_mcp_file_free(a->file);
	free(a->op);
	free(a->fields);
	free(a);
}

/* Takes what was asked for; the ask is gone. */
static struct mcp_ask *
ask_end(struct mesh_ask *a)
{
	struct mcp_ask *ask = a->ask;

	ask_free(a);
	return ask;
}

static void
ask_fail(struct mesh_ask *a, const char *code, const char *text)
{
	const struct mcp_error e = { code, text };
	struct mcp_ask *ask = ask_end(a);

	if (ask != NULL)
		mcp_answer(ask, &e, NULL, 0);
}

void
cli_mcp_fail(struct mesh_ask *a, const struct linnet_error *e)
{
	const struct linnet_error copy = *e;

	ask_fail(a, copy.code, copy.message);
}

void
cli_mcp_answer(struct mesh_ask *a, const struct buf *b)
{
	struct mcp_ask *ask;

	if (b->failed)
		fatalx("out of memory");
	ask = ask_end(a);
	if (ask != NULL)
		mcp_answer(ask, NULL, b->data, b->len);
}

/*
 * Asking the broker.
 */
static void
mesh_called(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_ask *a = arg;
	struct buf b;

	(void)l;
	if (reply->error != NULL) {
		cli_mcp_fail(a, reply->error);
		return;
	}
	cli_mcp_said(a->h, a);
	buf_init(&b, SIZE_MAX / 2);
	buf_add(&b, reply->text, reply->n);
	cli_mcp_answer(a, &b);
	buf_free(&b);
}

/* May be carried out twice without harm? */
static unsigned
mesh_repeats(const struct mesh_ask *a)
{
	static const char *const once[] = { "remember", "schedule", "set_state",
		"create_channel", "create_thread", "leave_channel",
		"resolve_permission", "register_command", NULL };
	size_t i;

	for (i = 0; once[i] != NULL; i++)
		if (strcmp(once[i], a->op) == 0)
			return 0;
	return LINNET_REPEAT;
}

static void
mesh_call(struct mesh_ask *a)
{
	if (cli_mcp_channel_call(a))
		return;
	if (linnet_request(a->h->s.linnet, a->op, a->fields, mesh_repeats(a),
		mesh_called, a) != 0)
		cli_mcp_fail(a, linnet_last_error(a->h->s.linnet));
}

static void
mesh_give(struct mesh_ask *a)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	mcp_inbox_list(a->h->inbox, &b, a->limit, false);
	cli_mcp_answer(a, &b);
	buf_free(&b);
}

/* What was held is here now; or the broker cannot do that. */
static void
mesh_pulled(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_ask *a = arg;
	struct mcp_mesh *h = a->h;

	(void)l;
	h->pulls--;
	if (reply->error != NULL && mcp_inbox_count(h->inbox) == 0 &&
	    strcmp(reply->error->code, "unknown_message_type") != 0)
		cli_mcp_fail(a, reply->error);
	else
		mesh_give(a);
	mcp_hold(h->mcp, h->pulls > 0);
}

static void
mesh_messages(struct mesh_ask *a)
{
	struct mcp_mesh *h = a->h;
	size_t here = mcp_inbox_count(h->inbox);
	char fields[32];

	if (here >= a->limit || h->lost_ms != 0) {
		mesh_give(a);
		return;
	}
	snprintf(fields, sizeof(fields), "\"limit\":%zu", a->limit - here);
	if (linnet_request(h->s.linnet, "pull", fields, LINNET_REPEAT,
		mesh_pulled, a) != 0) {
		mesh_give(a);
		return;
	}
	h->pulls++;
	mcp_hold(h->mcp, true);
}

static void
mesh_count(struct mesh_ask *a, int64_t more, const char *highest)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	mcp_inbox_unread(a->h->inbox, &b, more, highest);
	cli_mcp_answer(a, &b);
	buf_free(&b);
}

static void
mesh_counted(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_ask *a = arg;
	struct cli c = { .out = NULL };
	struct json j;

	(void)l;
	pool_init(&c.pool);
	if (reply->error != NULL || cli_json_read(&j, reply) != 0)
		mesh_count(a, 0, "");
	else {
		mesh_count(a, cli_json_int(&j, 0, "waiting"),
		    cli_json_str(&c, &j, 0, "highest"));
		json_free(&j);
	}
	pool_free(&c.pool);
}

static void
mesh_unread(struct mesh_ask *a)
{
	struct mcp_mesh *h = a->h;

	if (h->lost_ms != 0 || h->s.linnet == NULL ||
	    linnet_request(
		h->s.linnet, "pull", NULL, LINNET_REPEAT, mesh_counted, a) != 0)
		mesh_count(a, 0, "");
}

static void
mesh_do(struct mesh_ask *a)
{
	static void (*const doing[])(struct mesh_ask *) = {
		[MESH_CALL] = mesh_call,
		[MESH_SEND] = cli_mcp_send,
		[MESH_MESSAGES] = mesh_messages,
		[MESH_UNREAD] = mesh_unread,
		[MESH_FILE] = cli_mcp_file,
	};

	a->asked = true;
	doing[a->what](a);
}

/*
 * Without a connection.
 */
static void
mesh_absent(struct mesh_ask *a)
{
	struct mcp_mesh *h = a->h;
	struct linnet_error e;
	char text[1024];

	if (h->s.linnet == NULL) {
		ask_fail(a, "not_set_up",
		    "linnet knows no mesh here. Ask your user to run: linnet "
		    "doctor.");
		return;
	}
	e = *linnet_last_error(h->s.linnet);
	if (linnet_phase(h->s.linnet) == LINNET_STOPPED)
		snprintf(text, sizeof(text),
		    "The session ended: %s Tell your user.",
		    e.message[0] != '\0' ? e.message : "it was closed.");
	else
		snprintf(text, sizeof(text),
		    "The broker %s cannot be reached now: %s It is tried "
		    "again and again; repeat this later.",
		    h->s.mesh->broker_url,
		    e.message[0] != '\0' ? e.message : "no answer yet.");
	ask_fail(a, e.code[0] != '\0' ? e.code : "unreachable", text);
}

static bool
mesh_is_patient(const struct mcp_mesh *h)
{
	return h->s.linnet != NULL &&
	       linnet_phase(h->s.linnet) != LINNET_STOPPED &&
	       mesh_now() - h->lost_ms < MESH_PATIENCE_MS;
}

/* Answers, or asks again, what waits for a connection. */
static void
mesh_retry(struct mcp_mesh *h)
{
	struct mesh_ask *a, *next;

	for (a = TAILQ_FIRST(&h->asks); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (a->asked)
			continue;
		if (h->lost_ms == 0)
			mesh_do(a);
		else if (!mesh_is_patient(h))
			mesh_absent(a);
	}
}

static void
mesh_ask(struct mcp_mesh *h, struct mcp_ask *ask, enum mesh_what what,
    const char *op, const char *fields, size_t limit, struct mesh_file *file)
{
	struct mesh_ask *a = xcalloc(1, sizeof(*a));

	a->h = h;
	a->ask = ask;
	a->what = what;
	a->op = xstrdup(op);
	a->fields = xstrdup(fields);
	a->limit = limit;
	a->file = file;
	TAILQ_INSERT_TAIL(&h->asks, a, entry);
	if (h->s.linnet == NULL && what != MESH_UNREAD)
		cli_mcp_mesh_start(h);
	if (h->lost_ms == 0 || what == MESH_UNREAD ||
	    (what == MESH_MESSAGES && mcp_inbox_count(h->inbox) > 0))
		mesh_do(a);
	else if (!mesh_is_patient(h))
		mesh_absent(a);
}

/*
 * The backend.
 */
static void
backend_call(void *arg, struct mcp_ask *ask, const char *op, const char *fields)
{
	mesh_ask(arg, ask, strcmp(op, "send") == 0 ? MESH_SEND : MESH_CALL, op,
	    fields, 0, NULL);
}

static void
backend_messages(void *arg, struct mcp_ask *ask, size_t limit, bool take)
{
	(void)take;
	mesh_ask(arg, ask, MESH_MESSAGES, "", "", limit, NULL);
}

static void
backend_unread(void *arg, struct mcp_ask *ask)
{
	mesh_ask(arg, ask, MESH_UNREAD, "", "", 0, NULL);
}

static void
backend_share(void *arg, struct mcp_ask *ask, const struct mcp_share *s)
{
	mesh_ask(arg, ask, MESH_FILE, "", "", 0, cli_mcp_file_share(s));
}

static void
backend_fetch(void *arg, struct mcp_ask *ask, const struct mcp_fetch *f)
{
	mesh_ask(arg, ask, MESH_FILE, "", "", 0, cli_mcp_file_fetch(f));
}

static bool
backend_take(void *arg, const char *id)
{
	struct mcp_mesh *h = arg;

	return mcp_inbox_take(h->inbox, id);
}

static void
backend_untake(void *arg, const char *id)
{
	struct mcp_mesh *h = arg;

	mcp_inbox_untake(h->inbox, id);
}

static void
backend_ack(void *arg, const char *id)
{
	struct mcp_mesh *h = arg;

	mcp_inbox_drop(h->inbox, id);
	if (!cli_mcp_notice_ack(h, id) &&
	    !cli_mcp_channel_ack(h->channels, id) && h->s.linnet != NULL)
		linnet_ack(h->s.linnet, id);
}

static void
backend_forget(void *arg, struct mcp_ask *ask)
{
	struct mcp_mesh *h = arg;
	struct mesh_ask *a;

	TAILQ_FOREACH (a, &h->asks, entry)
		if (a->ask == ask) {
			/* The broker's answer is on its way. */
			a->ask = NULL;
			if (!a->asked || cli_mcp_file_leave(a))
				ask_free(a);
			return;
		}
}

const struct mcp_backend cli_mcp_backend = {
	.call = backend_call,
	.messages = backend_messages,
	.unread = backend_unread,
	.take = backend_take,
	.untake = backend_untake,
	.ack = backend_ack,
	.share = backend_share,
	.fetch = backend_fetch,
	.forget = backend_forget,
};

/*
 * What the broker pushes.
 */
static bool
mesh_is_me(const struct mcp_mesh *h, const char *target)
{
	return strcmp(target, linnet_key(h->s.linnet)) == 0 ||
	       strcmp(target, h->s.mesh->public_key) == 0;
}

/* Bytes that are no text, said as one. */
static char *
mesh_binary(const struct linnet_message *m)
{
	char *data = xmalloc(CRYPTO_B64_LEN(m->length)), *text;

	crypto_base64(data, m->text, m->length, CRYPTO_B64_STD);
	text =
	    xasprintf("(not a text; %zu bytes in base64) %s", m->length, data);
	free(data);
	return text;
}

/* What goes with a message, as JSON; NULL: nothing. */
static char *
mesh_message_files(const struct linnet_message *m)
{
	struct json_writer w;
	struct buf b;
	size_t i;

	if (m->nfiles == 0)
		return NULL;
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_array(&w);
	for (i = 0; i < m->nfiles; i++) {
		json_object(&w);
		json_key(&w, "id");
		json_str(&w, m->files[i].id);
		json_key(&w, "name");
		json_str(&w, m->files[i].name);
		json_key(&w, "size");
		json_num(&w, m->files[i].size);
		json_object_end(&w);
	}
	json_array_end(&w);
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	return b.data;
}

static void
mesh_message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	struct mcp_mesh *h = arg;
	struct mcp_message out = {
		.id = m->id,
		.from = m->sender_name,
		.from_key = m->sender_key,
		.from_member = m->sender_member_key,
		.to = mesh_is_me(h, m->target) ? "you" : m->target,
		.priority = m->priority,
		.sent_at = m->created_at,
		.reply_to = m->reply_to,
		.subtype = m->subtype,
		.mesh = h->s.mesh->slug,
		.encrypted = m->secrecy != LINNET_CLEAR,
		.text = m->text,
		.length = m->length,
	};
	char *text = NULL, *files = mesh_message_files(m);

	(void)l;
	if (m->text != NULL && !str_utf8(m->text, m->length)) {
		out.text = text = mesh_binary(m);
		out.length = strlen(text);
	}
	out.files = files;
	if (mcp_inbox_add(h->inbox, &out))
		mcp_arrived(h->mcp, &out);
	free(text);
	free(files);
}

static void
mesh_state(void *arg, struct linnet *l, const struct linnet_state_change *s)
{
	struct mcp_mesh *h = arg;
	const struct mcp_change change = {
		.key = s->key,
		.value = s->value,
		.by = s->updated_by,
		.at = s->updated_at,
		.version = s->version,
	};

	(void)l;
	mcp_changed(h->mcp, &change);
}

static void
mesh_opened(struct mcp_mesh *h)
{
	h->lost_ms = 0;
	if (h->again) {
		cli_mcp_say_again(h);
		mcp_missed(h->mcp);
		mcp_log(h->mcp, "info", "Connected to the broker again.");
	}
	h->again = true;
	mesh_retry(h);
}

static void
mesh_phase(void *arg, struct linnet *l, const struct linnet_change *change)
{
	struct mcp_mesh *h = arg;
	bool was_open = h->lost_ms == 0;

	(void)l;
	if (change->phase == LINNET_OPEN) {
		mesh_opened(h);
		return;
	}
	if (h->ending)
		return;
	if (was_open)
		h->lost_ms = mesh_now();
	if (change->phase != LINNET_WAITING && change->phase != LINNET_STOPPED)
		return;
	if ((was_open || change->phase == LINNET_STOPPED) &&
	    change->error->message[0] != '\0') {
		cli_print_error(
		    "%s (%s)", change->error->message, change->error->code);
		mcp_log(h->mcp,
		    change->phase == LINNET_STOPPED ? "error" : "warning",
		    change->error->message);
	}
}

/*
 * Its life.
 */
static const char *
mesh_env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

void
cli_mcp_mesh_init(struct mcp_mesh *h, struct cli *c)
{
	memset(h, 0, sizeof(*h));
	h->c = c;
	h->inbox = mcp_inbox_new();
	h->channels = cli_mcp_channels_new(h);
	h->slot.fd = -1;
	h->lost_ms = mesh_now();
	TAILQ_INIT(&h->asks);
	TAILQ_INIT(&h->groups);
	TAILQ_INIT(&h->notices);
}

static void
mesh_slot(struct mcp_mesh *h, const char *name)
{
	const struct cli_slot_of of = { "mcp", h->s.config.file,
		h->s.mesh->mesh_id, name };
	const char *session = mesh_env(MCP_ENV_SESSION);

	if (session != NULL &&
	    cli_slot_take(h->c, &h->slot, of.config_file, session))
		return;
	if (!cli_slot(h->c, &h->slot, &of))
		h->slot = (struct cli_slot){ .fd = -1 };
}

/* Hooks say it to agents that do not ask. */
static void
mesh_note_unread(struct mcp_mesh *h)
{
	struct buf b;

	if (h->slot.fd == -1 || mcp_inbox_count(h->inbox) == h->noted)
		return;
	h->noted = mcp_inbox_count(h->inbox);
	buf_init(&b, MESH_NOTE_MAX);
	mcp_inbox_unread(h->inbox, &b, 0, "");
	cli_slot_note(&h->slot, b.data, b.len);
	buf_free(&b);
}

void
cli_mcp_mesh_start(struct mcp_mesh *h)
{
	char cwd[4096];
	struct linnet_config with = {
		.name = mesh_env(MCP_ENV_NAME),
		.role = mesh_env(MCP_ENV_ROLE),
		.cwd = getcwd(cwd, sizeof(cwd)),
		.peer_type = "ai",
		.channel = "mcp",
		.callbacks = { .phase = mesh_phase,
		    .message = mesh_message,
		    .state = mesh_state,
		    .entry = cli_mcp_channel_entry,
		    .notice = cli_mcp_notice },
		.arg = h,
	};

	if (cli_session_find(h->c, &h->s) != 0) {
		cli_config_free(&h->s.config);
		return;
	}
	with.groups = cli_mcp_groups(h, &with.ngroups);
	mesh_slot(h, with.name);
	with.session_id = h->slot.session;
	if (cli_session_make(h->c, &h->s, &with) != 0) {
		cli_config_free(&h->s.config);
		return;
	}
	h->lost_ms = mesh_now();
	(void)linnet_connect(h->s.linnet);
}

int
cli_mcp_mesh_timeout(const struct mcp_mesh *h)
{
	int timeout = h->s.linnet != NULL ? linnet_timeout(h->s.linnet) : -1;
	const struct mesh_ask *a;
	int64_t left;

	TAILQ_FOREACH (a, &h->asks, entry) {
		if (a->asked)
			continue;
		left = h->lost_ms + MESH_PATIENCE_MS - mesh_now();
		if (left < 0)
			left = 0;
		return timeout < 0 || left < timeout ? (int)left : timeout;
	}
	return timeout;
}

void
cli_mcp_mesh_turn(struct mcp_mesh *h)
{
	if (h->s.linnet != NULL && linnet_phase(h->s.linnet) != LINNET_STOPPED)
		(void)linnet_process(h->s.linnet);
	cli_mcp_file_turn(h);
	cli_mcp_channel_turn(h->channels);
	mesh_retry(h);
	mesh_note_unread(h);
}

void
cli_mcp_mesh_end(struct mcp_mesh *h)
{
	struct mesh_ask *a;

	h->ending = true;
	TAILQ_FOREACH (a, &h->asks, entry)
		(void)cli_mcp_file_leave(a);
	cli_mcp_channel_turn(h->channels);
	if (h->s.linnet != NULL)
		cli_session_close(&h->s);
	while (!TAILQ_EMPTY(&h->asks))
		ask_free(TAILQ_FIRST(&h->asks));
	cli_mcp_forget(h);
	cli_mcp_channels_free(h->channels);
	cli_mcp_notice_free(h);
	mcp_inbox_free(h->inbox);
}
