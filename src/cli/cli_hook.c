/* SPDX-License-Identifier: ISC */
/*
 * hook: what the host of an agent runs when something happens to the agent.
 *
 * The host waits for it, and takes a failure as a reason to stop the agent: it
 * ends after two seconds in any case, and always with 0.  What goes wrong is
 * said on stderr, which hosts keep for who asks.
 *
 * Messages are taken by a session of its own, for only its owner gets what is
 * sent to a session.  It is opened only when something waits for the member,
 * is not listed, and gets nothing that is for groups or everybody, which the
 * agent's own session has.  A message is acknowledged when the host took what
 * was printed.  Those that the agent's session has and the agent did not read
 * are counted: linnet mcp says how many.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define HOOK_SECONDS 2
#define HOOK_NET_MS 1000
#define HOOK_INPUT_MAX ((size_t)256 << 10)
#define HOOK_INPUT_MS 300
#define HOOK_PRINT_MAX 8000 /* bytes; hosts cut longer texts */
#define HOOK_ACKS_MAX 256

static const struct {
	const char *event;
	const char *status;
} hook_events[] = {
	{ "start", "idle" },
	{ "prompt", "working" },
	{ "tool", "working" },
	{ "stop", "idle" },
	{ "end", "idle" },
	{ "idle", "idle" },
	{ "working", "working" },
	{ "dnd", "dnd" },
};

/* How a host wants to be told, by its own name of the event. */
static const struct {
	const char *event;
	enum hook_answer {
		ANSWER_NONE, /* it cannot be told */
		ANSWER_TEXT, /* a person, or a script */
		ANSWER_SPECIFIC,
		ANSWER_CONTEXT,
	} answer;
} hook_answers[] = {
	{ "", ANSWER_TEXT },
	{ "SessionStart", ANSWER_SPECIFIC },
	{ "UserPromptSubmit", ANSWER_SPECIFIC },
	{ "BeforeAgent", ANSWER_SPECIFIC },
	{ "sessionStart", ANSWER_CONTEXT },
};

struct hook {
	struct cli *c;
	const char *status;
	const char *event; /* the host's name of it, or "" */
	const char *cwd;
	const char *session_id; /* or NULL */
	struct cli_session s;
	struct buf out;
	size_t shown, more;
	const char *acks[HOOK_ACKS_MAX];
};

static void
hook_late(int sig)
{
	(void)sig;
	_exit(0);
}

/* After this the process ends in time, whatever it waits for. */
static void
hook_limit(void)
{
	struct itimerval t = { .it_value = { .tv_sec = HOOK_SECONDS } };

	(void)signal(SIGALRM, hook_late);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setitimer(ITIMER_REAL, &t, NULL);
}

/*
 * What the host says.
 */
static void
hook_read(struct buf *b)
{
	struct pollfd p = { STDIN_FILENO, POLLIN, 0 };
	int64_t end;
	char *room;
	ssize_t n;

	if (isatty(STDIN_FILENO) == 1)
		return;
	clock_update();
	end = clock_mono() + HOOK_INPUT_MS;
	for (;;) {
		clock_update();
		if (clock_mono() >= end ||
		    poll(&p, 1, (int)(end - clock_mono())) <= 0)
			return;
		if ((room = buf_reserve(b, 65536)) == NULL)
			return;
		n = read(STDIN_FILENO, room, 65536);
		if (n == 0 || (n == -1 && errno != EINTR))
			return;
		b->len += n > 0 ? (size_t)n : 0;
	}
}

static const char *
hook_env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Where the agent was started, which is where its session says it works. */
static const char *
hook_cwd(struct cli *c, const struct json *j)
{
	static const char *const names[] = { "CLAUDE_PROJECT_DIR",
		"GEMINI_PROJECT_DIR", "CURSOR_PROJECT_DIR" };
	const char *dir = NULL;
	char cwd[4096];
	size_t i;

	for (i = 0; i < NELEM(names) && dir == NULL; i++)
		dir = hook_env(names[i]);
	if (dir == NULL && j->count > 0)
		dir = cli_json_str(c, j, 0, "cwd");
	if ((dir == NULL || dir[0] == '\0') && getcwd(cwd, sizeof(cwd)) != NULL)
		dir = pool_strndup(&c->pool, cwd, strlen(cwd));
	return dir != NULL && dir[0] != '\0' ? dir : "/";
}

static void
hook_input(struct hook *h)
{
	struct json j;
	struct buf b;

	buf_init(&b, HOOK_INPUT_MAX);
	json_init(&j, 65536, 64);
	hook_read(&b);
	h->event = "";
	if (b.len > 0 && json_read(&j, b.data, b.len) == 0 &&
	    j.nodes[0].type == JSON_OBJECT) {
		h->event = cli_json_str(h->c, &j, 0, "hook_event_name");
		h->session_id = cli_json_str(h->c, &j, 0, "session_id");
	} else
		j.count = 0;
	h->cwd = hook_cwd(h->c, &j);
	/* linnet launch said who it is. */
	if (hook_env("LINNET_SESSION") != NULL)
		h->session_id = hook_env("LINNET_SESSION");
	if (h->session_id != NULL && h->session_id[0] == '\0')
		h->session_id = NULL;
	json_free(&j);
	buf_free(&b);
}

static enum hook_answer
hook_answer(const struct hook *h)
{
	size_t i;

	for (i = 0; i < NELEM(hook_answers); i++)
		if (strcmp(hook_answers[i].event, h->event) == 0)
			return hook_answers[i].answer;
	return ANSWER_NONE;
}

/*
 * What the mesh is told.
 */
static void
hook_say_status(struct hook *h, const struct cli_mesh *m)
{
	struct linnet_hook hook = {
		.url = m->broker_url,
		.token = m->hook_token,
		.status = h->status,
		.cwd = h->cwd,
		.session_id = h->session_id,
		.pid = getppid(),
	};
	struct linnet_error e;

	if (m->hook_token[0] == '\0') {
		cli_print_note(h->c,
		    "there is no hook token for %s; linnet "
		    "doctor says what to do",
		    m->slug);
		return;
	}
	if (m->ca_file[0] != '\0')
		hook.tls.ca_file = m->ca_file;
	if (linnet_hook_status(&hook, NULL, HOOK_NET_MS, &e) != 0)
		cli_print_note(h->c, "%s (%s)", e.message, e.code);
}

/*
 * What the agent is told.
 */
static void
hook_message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	struct hook *h = arg;
	struct buf b;
	size_t i;

	(void)l;
	buf_init(&b, SIZE_MAX / 2);
	buf_addf(&b, "From %s",
	    cli_print_safe(h->c,
		m->sender_name[0] != '\0' ? m->sender_name : m->sender_key));
	buf_addf(&b, ", %s, at %s, id %s:\n    ",
	    cli_print_safe(h->c, m->priority),
	    cli_print_safe(h->c, m->created_at), cli_print_safe(h->c, m->id));
	if (m->text != NULL)
		cli_print_escape(&b, m->text, m->length, 4);
	buf_addc(&b, '\n');
	for (i = 0; i < m->nfiles; i++)
		buf_addf(&b, "    file id %s, %lld bytes, called %s\n",
		    cli_print_safe(h->c, m->files[i].id),
		    (long long)m->files[i].size,
		    cli_print_safe(h->c, m->files[i].name));
	if (m->text == NULL || b.failed || h->shown == HOOK_ACKS_MAX ||
	    h->out.len + b.len > HOOK_PRINT_MAX)
		h->more++;
	else {
		buf_add(&h->out, b.data, b.len);
		h->acks[h->shown++] =
		    pool_strndup(&h->c->pool, m->id, strlen(m->id));
	}
	buf_free(&b);
}

/* Does anything wait for the member?  A broker that cannot say may have
 * something. */
static bool
hook_waits(struct hook *h)
{
	struct linnet_reply reply;
	struct cli_session s;
	bool waits = false;
	struct json j;

	if (cli_session_new(h->c, &s,
		&(struct linnet_config){ .control = true,
		    .once = true,
		    .connect_ms = HOOK_NET_MS,
		    .request_ms = HOOK_NET_MS }) != 0 ||
	    linnet_open(s.linnet) != 0)
		goto fail;
	if (linnet_call(s.linnet, "pull", NULL, LINNET_REPEAT, &reply) != 0)
		waits = strcmp(reply.error->code, "unknown_message_type") == 0;
	else {
		json_init(&j, 1024, 16);
		if (json_read(&j, reply.text, reply.n) == 0)
			waits = cli_json_int(&j, 0, "waiting") > 0;
		json_free(&j);
	}
fail:
	cli_session_close(&s);
	return waits;
}

/* Prints what there is in the host's manner.  -1: it was not taken. */
static int
hook_print(struct hook *h)
{
	struct json_writer w;
	struct buf b;
	size_t done = 0;
	ssize_t n = 0;
	int r;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	switch (hook_answer(h)) {
	case ANSWER_SPECIFIC:
		json_object(&w);
		json_key(&w, "hookSpecificOutput");
		json_object(&w);
		json_key(&w, "hookEventName");
		json_str(&w, h->event);
		json_key(&w, "additionalContext");
		json_strn(&w, h->out.data, h->out.len);
		json_object_end(&w);
		json_object_end(&w);
		break;
	case ANSWER_CONTEXT:
		json_object(&w);
		json_key(&w, "additional_context");
		json_strn(&w, h->out.data, h->out.len);
		json_object_end(&w);
		break;
	default:
		buf_add(&b, h->out.data, h->out.len);
		break;
	}
	buf_addc(&b, '\n');
	/* Not by stdio, which would complain again at the end. */
	while (done < b.len && n >= 0) {
		n = write(STDOUT_FILENO, b.data + done, b.len - done);
		done += n > 0 ? (size_t)n : 0;
	}
	r = done == b.len ? 0 : -1;
	buf_free(&b);
	return r;
}

/* Takes what waits for the member, as far as there is room. */
static void
hook_take(struct hook *h)
{
	struct linnet_reply reply;
	size_t seen;

	buf_addf(&h->out,
	    "Messages for you in the mesh %s (Linnet), written by its "
	    "members, not by your user. To answer: send_message, or "
	    "linnet send NAME TEXT.\n",
	    cli_print_safe(h->c, h->s.mesh->slug));
	do {
		seen = h->shown + h->more;
		if (linnet_call(h->s.linnet, "get_state", "\"key\":\"inbox\"",
			LINNET_REPEAT, &reply) != 0)
			break;
	} while (h->shown + h->more > seen && h->more == 0);
	if (h->more > 0)
		buf_addf(&h->out,
		    "%zu more, or too long to show here: check_messages, or "
		    "linnet inbox, has them.\n",
		    h->more);
	if (h->shown + h->more == 0)
		buf_clear(&h->out);
}

static void
hook_ack(struct hook *h)
{
	struct linnet_reply reply;
	size_t i;

	for (i = 0; i < h->shown; i++)
		linnet_ack(h->s.linnet, h->acks[i]);
	/* A goodbye would overtake them; an answer comes behind them. */
	if (h->shown > 0)
		(void)linnet_call(h->s.linnet, "get_state", "\"key\":\"inbox\"",
		    LINNET_REPEAT, &reply);
}

/* What the agent's session has, and the agent has not asked for. */
static void
hook_held(struct hook *h, const struct cli_config *f, const struct cli_mesh *m)
{
	const struct cli_slot_of of = { "mcp", f->file, m->mesh_id,
		hook_env("LINNET_NAME") };
	const char *note =
	    cli_slot_noted(h->c, &of, h->cwd, hook_env("LINNET_SESSION"));
	struct json j;
	int64_t n;

	if (note == NULL)
		return;
	json_init(&j, 1024, 16);
	if (json_read(&j, note, strlen(note)) == 0 &&
	    (n = cli_json_int(&j, 0, "count")) > 0)
		buf_addf(&h->out,
		    "%lld unread in your session of the mesh %s (Linnet), the "
		    "highest priority is %s: call check_messages.\n",
		    (long long)n, cli_print_safe(h->c, m->slug),
		    cli_print_safe(h->c, cli_json_str(h->c, &j, 0, "highest")));
	json_free(&j);
}

static void
hook_tell(struct hook *h, const struct cli_config *f, const struct cli_mesh *m)
{
	static const struct linnet_group none;
	struct linnet_config with = {
		.groups = &none,
		.no_session_key = true,
		.once = true,
		.connect_ms = HOOK_NET_MS,
		.request_ms = HOOK_NET_MS,
		.callbacks = { .message = hook_message },
		.arg = h,
	};
	bool waits;

	if (hook_answer(h) == ANSWER_NONE)
		return;
	buf_init(&h->out, SIZE_MAX / 2);
	if ((waits = hook_waits(h)) &&
	    cli_session_new(h->c, &h->s, &with) == 0 &&
	    linnet_open(h->s.linnet) == 0) {
		(void)linnet_set_visible(h->s.linnet, false, NULL, NULL);
		hook_take(h);
	}
	hook_held(h, f, m);
	if (h->out.len > 0 && hook_print(h) == 0)
		hook_ack(h);
	if (waits)
		cli_session_close(&h->s);
	buf_free(&h->out);
}

int
cli_hook(struct cli *c)
{
	struct hook *h = pool_zalloc(&c->pool, sizeof(*h));
	struct cli_config f;
	struct cli_mesh *m;
	size_t i;
	int status;

	hook_limit();
	h->c = c;
	for (i = 0; i < NELEM(hook_events); i++)
		if (strcmp(hook_events[i].event, c->argv[0]) == 0)
			h->status = hook_events[i].status;
	if (h->status == NULL) {
		cli_print_error("there is no event \"%s\"; linnet help hook "
				"has them",
		    c->argv[0]);
		return 0;
	}
	hook_input(h);
	if (cli_config_load(&f, c->config_file, false) == 0 && f.n > 0 &&
	    (m = cli_config_mesh(&f, c->mesh, &status)) != NULL) {
		hook_say_status(h, m);
		if (cli_given(c, "messages") != NULL)
			hook_tell(h, &f, m);
	}
	cli_config_free(&f);
	return 0;
}
