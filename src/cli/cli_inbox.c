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

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define INBOX_TURN_MS 1000
#define INBOX_WORKING_MS 20000

struct inbox {
	struct cli *c;
	struct cli_session s;
	struct cli_follow follow;
	size_t printed;
	size_t arrived;		 /* since it was looked at */
	bool lost;		 /* the connection, and that was said */
	struct timespec changed; /* the configuration, when it was read */
	int64_t said_ms;	 /* that it is working, by clock_mono() */
};

/* What goes with a message, as the broker said it. */
static void
inbox_write_files(struct json_writer *w, const struct linnet_message *m)
{
	size_t i;

	if (m->nfiles == 0)
		return;
	json_key(w, "files");
	json_array(w);
	for (i = 0; i < m->nfiles; i++) {
		json_object(w);
		json_key(w, "id");
		json_str(w, m->files[i].id);
		json_key(w, "name");
		json_str(w, m->files[i].name);
		json_key(w, "size");
		json_num(w, m->files[i].size);
		json_object_end(w);
	}
	json_array_end(w);
}

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
	if (m->reply_to[0] != '\0') {
		json_key(&w, "replyToId");
		json_str(&w, m->reply_to);
	}
	if (m->subtype[0] != '\0') {
		json_key(&w, "subtype");
		json_str(&w, m->subtype);
	}
	inbox_write_files(&w, m);
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

/* What goes with a message: how to get it. */
static void
inbox_print_files(struct cli *c, const struct linnet_message *m)
{
	size_t i;

	for (i = 0; i < m->nfiles; i++)
		fprintf(c->out,
		    "    %s, %" PRId64 " bytes: linnet file get %s\n",
		    cli_print_safe(c, m->files[i].name), m->files[i].size,
		    cli_print_safe(c, m->files[i].id));
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
	if (c->tty)
		inbox_print_files(c, m);
	buf_free(&b);
	pool_free(&c->pool);
	c->pool = keep;
}

static void
inbox_message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	struct inbox *in = arg;

	if (in->follow.status != 0)
		return;
	cli_follow_heard(&in->follow);
	in->arrived++;
	in->printed++;
	if (in->c->json)
		inbox_print_json(in, m);
	else
		inbox_print(in, m);
	if ((in->follow.status = cli_print_end(in->c)) != 0) {
		linnet_close(l);
		return;
	}
	linnet_ack(l, m->id);
}

/* Something that is told and not kept: in the columns of a message its kind
 * stands for the priority. */
static void
inbox_notice(void *arg, struct linnet *l, const struct linnet_notice *n)
{
	struct inbox *in = arg;
	struct cli *c = in->c;
	struct pool keep = c->pool;
	const char *text, *name;

	if (in->follow.status != 0)
		return;
	cli_follow_heard(&in->follow);
	pool_init(&c->pool);
	text = cli_notice_text(c, n);
	name = cli_print_safe(c, n->name);
	if (c->json)
		cli_print_json(c, n->json, n->json_length);
	else if (c->tty)
		fprintf(c->out, "%s%s%s, %s, %s\n    %s\n",
		    c->colour ? "\033[1m" : "", name,
		    c->colour ? "\033[0m" : "", cli_print_safe(c, n->at),
		    n->kind, text);
	else
		fprintf(c->out, "%s\t%s\tyou\t%s\tclear\t%s\t%s\n",
		    cli_print_safe(c, n->at), name, n->kind,
		    cli_print_safe(c, cli_notice_id(n)), text);
	pool_free(&c->pool);
	c->pool = keep;
	if ((in->follow.status = cli_print_end(c)) != 0)
		linnet_close(l);
}

static void
inbox_said(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct inbox *in = arg;

	(void)l;
	if (reply->error != NULL)
		cli_print_note(in->c, "%s", reply->error->message);
}

static const struct cli_group *
inbox_group(const struct cli_mesh *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->ngroups; i++)
		if (strcmp(m->groups[i].name, name) == 0)
			return &m->groups[i];
	return NULL;
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
			if (inbox_group(in->s.mesh, name) == NULL)
				(void)linnet_leave_group(
				    l, name, inbox_said, in);
		}
	}
	json_free(&j);
}

static void
inbox_join(struct inbox *in, const struct cli_mesh *m)
{
	size_t i;

	for (i = 0; i < m->ngroups; i++)
		(void)linnet_join_group(in->s.linnet, m->groups[i].name,
		    m->groups[i].role, inbox_said, in);
}

static void
inbox_phase(void *arg, struct linnet *l, const struct linnet_change *change)
{
	struct inbox *in = arg;
	struct pool keep = in->c->pool;

	if (change->phase == LINNET_WAITING && !in->lost) {
		cli_print_note(
		    in->c, "%s Connecting again.", change->error->message);
		in->lost = true;
	}
	if (change->phase != LINNET_OPEN)
		return;
	pool_init(&in->c->pool);
	inbox_leave(in, l, change->text, change->n);
	/* The hello had the groups of the beginning. */
	if (in->lost)
		inbox_join(in, in->s.mesh);
	cli_presence_say(in->c, l, in->s.mesh);
	in->lost = false;
	pool_free(&in->c->pool);
	in->c->pool = keep;
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
		/* What is sent to the member is for any of its inboxes. */
		.no_session_key = true,
		/* Whoever asks for the messages is not to be told that they
		 * wait because it is working. */
		.cwd = follow ? getcwd(cwd, sizeof(cwd)) : NULL,
		.callbacks = { .phase = inbox_phase,
		    .message = inbox_message,
		    .notice = follow ? inbox_notice : NULL },
		.arg = in,
	};
	struct stat st;
	int status;

	if ((status = cli_session_new(in->c, &in->s, &with)) == 0 &&
	    stat(in->s.config.file, &st) == 0)
		in->changed = st.st_mtim;
	return status;
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
			return in->follow.status != 0
				   ? in->follow.status
				   : cli_print_failure(
					 linnet_last_error(in->s.linnet));
	} while (in->arrived > 0);
	return 0;
}

static int
inbox_once(struct inbox *in)
{
	const int64_t timeout_ms = in->follow.timeout_ms;
	int64_t end, left;
	int status;

	if ((status = inbox_drain(in)) != 0 || timeout_ms < 0 ||
	    in->printed > 0)
		return status;
	clock_update();
	end = clock_mono() + timeout_ms;
	while (in->printed == 0 && (left = end - clock_mono()) > 0) {
		/* When it fails, the next question connects again. */
		if (linnet_wait(in->s.linnet,
			left < INBOX_TURN_MS ? (int)left : INBOX_TURN_MS) < 0)
			break;
		clock_update();
	}
	return inbox_drain(in);
}

/* What the configuration says now. */
static void
inbox_take(struct inbox *in, struct cli_config *f, struct cli_mesh *m)
{
	struct pool keep = in->c->pool;
	size_t i;

	pool_init(&in->c->pool);
	for (i = 0; i < in->s.mesh->ngroups; i++)
		if (inbox_group(m, in->s.mesh->groups[i].name) == NULL)
			(void)linnet_leave_group(in->s.linnet,
			    in->s.mesh->groups[i].name, inbox_said, in);
	inbox_join(in, m);
	cli_presence_say(in->c, in->s.linnet, m);
	pool_free(&in->c->pool);
	in->c->pool = keep;
	cli_config_free(&in->s.config);
	in->s.config = *f;
	in->s.mesh = m;
}

/* Looks whether the configuration was changed, and says again that it is
 * working, which the broker believes for a while only. */
static void
inbox_look(void *arg)
{
	struct inbox *in = arg;
	struct cli_config f;
	struct cli_mesh *m;
	struct stat st;

	if (strcmp(in->s.mesh->status, "working") == 0 &&
	    clock_mono() - in->said_ms >= INBOX_WORKING_MS) {
		in->said_ms = clock_mono();
		(void)linnet_set_status(
		    in->s.linnet, "working", inbox_said, in);
	}
	if (stat(in->s.config.file, &st) != 0 ||
	    (st.st_mtim.tv_sec == in->changed.tv_sec &&
		st.st_mtim.tv_nsec == in->changed.tv_nsec))
		return;
	in->changed = st.st_mtim;
	if (cli_config_load(&f, in->c->config_file, false) == 0 &&
	    (m = cli_config_find(&f, in->s.mesh->mesh_id)) != NULL)
		inbox_take(in, &f, m);
	else
		cli_config_free(&f);
}

int
cli_inbox(struct cli *c)
{
	bool follow = cli_given(c, "follow") != NULL;
	struct inbox *in = xcalloc(1, sizeof(*in));
	int status = EX_USAGE;

	in->c = c;
	in->follow = (struct cli_follow){
		.timeout_ms = cli_given_time(c, "timeout", -1),
		.tick = inbox_look,
		.arg = in,
	};
	if (in->follow.timeout_ms < -1)
		goto fail;
	if (follow)
		cli_follow_catch();
	if ((status = inbox_new(in, follow)) != 0)
		goto fail;
	if (linnet_open(in->s.linnet) != 0)
		status = cli_print_failure(linnet_last_error(in->s.linnet));
	else if (follow)
		status = cli_follow(in->s.linnet, &in->follow);
	else if ((status = inbox_once(in)) == 0) {
		/* It returns, so it does not say goodbye. */
		linnet_free(in->s.linnet);
		in->s.linnet = NULL;
	}
fail:
	cli_session_close(&in->s);
	free(in);
	return status;
}
