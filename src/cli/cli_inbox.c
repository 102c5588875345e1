/* SPDX-License-Identifier: ISC */
/*
 * inbox: an ordinary session, to which the broker pushes what waits.
 *
 * A message is acked after it was printed and the output took it; what was
 * not acked comes again, to this inbox or another.  Nothing says "that was
 * all"; but the broker answers in order, so after a question that it asks its
 * database, what waited before it has arrived.  When that brought something,
 * the acks may have made room for more: the question is asked again.
 *
 * An inbox that is run again is the same session, so that within its lease
 * nothing that was sent to a group or everybody is missed between two runs.
 * One that follows is a session of its own.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define INBOX_GOODBYE_MS 1000

struct inbox {
	struct cli *c;
	struct cli_session s;
	size_t printed;
	size_t arrived;	  /* since it was looked at */
	bool lost;	  /* the connection, and that was said */
	int64_t heard_ms; /* when the last one came */
	int status;	  /* output failed */
};

static void
inbox_print_json(struct inbox *in, const struct linnet_message *m)
{
	bool text = m->text != NULL && str_utf8(m->text, m->length);
	struct json_writer w;
	struct buf b;
	char *data;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "messageId");
	json_str(&w, m->id);
	json_key(&w, "mesh");
	json_str(&w, in->s.mesh->slug);
	json_key(&w, "senderName");
	json_str(&w, m->sender_name);
	json_key(&w, "senderPubkey");
	json_str(&w, m->sender_key);
	json_key(&w, "senderMemberPubkey");
	json_str(&w, m->sender_member_key);
	json_key(&w, "target");
	json_str(&w, m->target);
	json_key(&w, "priority");
	json_str(&w, m->priority);
	json_key(&w, "createdAt");
	json_str(&w, m->created_at);
	json_key(&w, "encrypted");
	json_bool(&w, m->secrecy != LINNET_CLEAR);
	json_key(&w, "text");
	if (text)
		json_strn(&w, m->text, m->length);
	else
		json_null(&w);
	if (m->text != NULL && !text) {
		data = xmalloc(CRYPTO_B64_LEN(m->length));
		crypto_base64(data, m->text, m->length, CRYPTO_B64_STD);
		json_key(&w, "data");
		json_str(&w, data);
		free(data);
	}
	json_object_end(&w);
	cli_print_json(in->c, b.data, b.len);
	buf_free(&b);
}

/* For people: who, to whom, when; then the text, indented. */
static void
inbox_print(struct inbox *in, const struct linnet_message *m)
{
	static const char *const secrecies[] = {
		[LINNET_UNREADABLE] = "unreadable",
		[LINNET_CLEAR] = "clear",
		[LINNET_SEALED] = "encrypted",
	};
	struct cli *c = in->c;
	const char *to = m->target, *from = m->sender_name;
	struct pool keep = c->pool;
	struct buf b;

	/* A long-lived inbox does not keep what it printed. */
	pool_init(&c->pool);
	if (strcmp(to, in->s.mesh->public_key) == 0)
		to = "you";
	if (from[0] == '\0')
		from = m->sender_key;
	buf_init(&b, SIZE_MAX / 2);
	if (m->text != NULL)
		cli_print_escape(
		    &b, m->text, m->length, c->tty ? 4 : CLI_ONE_LINE);
	else
		buf_adds(&b, "(it is encrypted to another key)");
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	if (c->tty)
		fprintf(c->out, "%s%s to %s%s, %s, %s, %s\n    %s\n",
		    c->colour ? "\033[1m" : "", cli_print_safe(c, from),
		    cli_print_safe(c, to), c->colour ? "\033[0m" : "",
		    cli_print_safe(c, m->created_at),
		    cli_print_safe(c, m->priority), secrecies[m->secrecy],
		    b.data);
	else
		fprintf(c->out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
		    cli_print_safe(c, m->created_at), cli_print_safe(c, from),
		    cli_print_safe(c, to), cli_print_safe(c, m->priority),
		    secrecies[m->secrecy], cli_print_safe(c, m->id), b.data);
	buf_free(&b);
	pool_free(&c->pool);
	c->pool = keep;
}

static void
inbox_message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	struct inbox *in = arg;

	if (in->status != 0)
		return;
	in->arrived++;
	clock_update();
	in->heard_ms = clock_mono();
	in->printed++;
	if (in->c->json)
		inbox_print_json(in, m);
	else
		inbox_print(in, m);
	if ((in->status = cli_print_end(in->c)) != 0) {
		linnet_close(l);
		return;
	}
	linnet_ack(l, m->id);
}

static void
inbox_left(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct inbox *in = arg;

	(void)l;
	if (reply->error != NULL)
		cli_print_note(in->c, "%s", reply->error->message);
}

static bool
inbox_has_group(const struct inbox *in, const char *name)
{
	const struct cli_mesh *m = in->s.mesh;
	size_t i;

	for (i = 0; i < m->ngroups; i++)
		if (strcmp(m->groups[i].name, name) == 0)
			return true;
	return false;
}

/* A session that comes back has the groups that it had: those left since. */
static void
inbox_leave(struct inbox *in, struct linnet *l, const char *text, size_t n)
{
	struct linnet_reply reply = { .text = text, .n = n };
	const char *name;
	size_t list, at;
	struct json j;

	if (cli_json_read(&j, &reply) == 0 &&
	    (list = cli_json_list(&j, 0, "restoredGroups")) != 0) {
		for (at = JSON_FIRST(list); at < j.nodes[list].end;
		     at = j.nodes[at].end) {
			name = cli_json_str(in->c, &j, at, "name");
			if (!inbox_has_group(in, name))
				(void)linnet_leave_group(
				    l, name, inbox_left, in);
		}
	}
	json_free(&j);
}

static void
inbox_phase(void *arg, struct linnet *l, const struct linnet_change *change)
{
	struct inbox *in = arg;

	if (change->phase == LINNET_OPEN) {
		in->lost = false;
		inbox_leave(in, l, change->text, change->n);
	} else if (change->phase == LINNET_WAITING && !in->lost) {
		cli_print_note(
		    in->c, "%s Connecting again.", change->error->message);
		in->lost = true;
	}
}

/* The same for every run on this machine with this configuration. */
static const char *
inbox_session_id(struct cli *c)
{
	char host[256] = "", hex[2 * CRYPTO_DIGEST_LEN + 1];
	uint8_t digest[CRYPTO_DIGEST_LEN];
	const char *text, *dir = getenv("LINNET_CONFIG");

	(void)gethostname(host, sizeof(host) - 1);
	text = pool_printf(&c->pool, "%s|%u|%s", host, (unsigned)geteuid(),
	    c->config_file != NULL ? c->config_file
	    : dir != NULL	   ? dir
				   : "");
	crypto_digest(digest, text, strlen(text), NULL);
	crypto_hex(hex, digest, sizeof(digest));
	return pool_printf(&c->pool, "inbox-%.32s", hex);
}

static int
inbox_new(struct inbox *in, bool follow)
{
	char cwd[4096];
	struct linnet_config with = {
		.session_id = follow ? NULL : inbox_session_id(in->c),
		/* Whoever asks for the messages is not to be told that they
		 * wait because it is working. */
		.cwd = follow ? getcwd(cwd, sizeof(cwd)) : NULL,
		.callbacks = { .phase = inbox_phase, .message = inbox_message },
		.arg = in,
	};

	return cli_session_new(in->c, &in->s, &with);
}

/* Milliseconds that are left of the time that was given; -1: no end. */
static int
inbox_left_ms(const struct inbox *in, int64_t timeout_ms)
{
	int64_t left;

	if (timeout_ms < 0)
		return -1;
	clock_update();
	left = in->heard_ms + timeout_ms - clock_mono();
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* All that waits by now. */
static int
inbox_drain(struct inbox *in)
{
	struct linnet_reply reply;

	do {
		in->arrived = 0;
		if (linnet_call(in->s.linnet, "get_state", "\"key\":\"inbox\"",
			LINNET_REPEAT, &reply) != 0)
			return in->status != 0
				   ? in->status
				   : cli_print_failure(
					 linnet_last_error(in->s.linnet));
	} while (in->arrived > 0);
	return 0;
}

static int
inbox_once(struct inbox *in, int64_t timeout_ms)
{
	int status, left;

	if ((status = inbox_drain(in)) != 0 || timeout_ms < 0 ||
	    in->printed > 0)
		return status;
	while (in->printed == 0 && (left = inbox_left_ms(in, timeout_ms)) > 0)
		if (linnet_wait(in->s.linnet, left) < 0)
			/* The next question connects again. */
			break;
	return inbox_drain(in);
}

static volatile sig_atomic_t inbox_stopped;

static void
inbox_stop(int sig)
{
	(void)sig;
	inbox_stopped = 1;
}

/* Whoever is told to stop says goodbye, so that nothing is held for it. */
static void
inbox_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = inbox_stop };
	size_t i;

	for (i = 0; i < NELEM(signals); i++)
		if (sigaction(signals[i], &sa, NULL) != 0)
			fatal("sigaction");
}

static void
inbox_say_goodbye(struct linnet *l)
{
	linnet_close(l);
	while (linnet_wait(l, INBOX_GOODBYE_MS) > 0)
		;
}

static int
inbox_follow(struct inbox *in, int64_t timeout_ms)
{
	struct linnet *l = in->s.linnet;
	int left;

	inbox_catch_signals();
	while (in->status == 0 && !inbox_stopped &&
	       (left = inbox_left_ms(in, timeout_ms)) != 0)
		if (linnet_wait(l, left) < 0 && in->status == 0)
			return cli_print_failure(linnet_last_error(l));
	inbox_say_goodbye(l);
	return in->status;
}

int
cli_inbox(struct cli *c)
{
	const char *timeout = cli_given(c, "timeout");
	bool follow = cli_given(c, "follow") != NULL;
	struct inbox *in;
	int64_t timeout_ms = -1;
	int status;

	if (timeout != NULL &&
	    (timeout_ms = cli_args_time("timeout", timeout)) < 0)
		return EX_USAGE;
	in = xcalloc(1, sizeof(*in));
	in->c = c;
	clock_update();
	in->heard_ms = clock_mono();
	if ((status = inbox_new(in, follow)) != 0)
		goto fail;
	if (linnet_open(in->s.linnet) != 0)
		status = cli_print_failure(linnet_last_error(in->s.linnet));
	else if (follow)
		status = inbox_follow(in, timeout_ms);
	else if ((status = inbox_once(in, timeout_ms)) == 0) {
		/* It returns, so it does not say goodbye. */
		linnet_free(in->s.linnet);
		in->s.linnet = NULL;
	}
fail:
	cli_session_close(&in->s);
	free(in);
	return status;
}
