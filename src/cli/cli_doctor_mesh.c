/* SPDX-License-Identifier: ISC */
/*
 * doctor: the links between here and a mesh, each proved by using it.
 *
 * Two connections are made: a session with a key of its own, which nobody else
 * sees or sends to, and one that only does things.  The one sends the other a
 * message; it has to be taken, pushed, read, acknowledged, and seen as such by
 * its sender.  What needs a link that failed is not tried.
 */
#include "cli/cli_doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LINK_TEXT "linnet doctor"
#define LINK_MS 5000
#define LINK_TURN_MS 50
#define LINK_SKEW_MS 5000 /* from here on it is worth a word */

struct links {
	struct doctor *d;
	const struct cli_mesh *m;
	struct cli_session in;	/* gets the message */
	struct cli_session out; /* sends it */
	const char *session_id;
	char id[2 * ID_HEX_LEN];
	bool came;
	bool readable;
	int64_t came_usec;
	int64_t skew_ms;
};

static void
links_ok(struct links *l, const char *what, const char *text)
{
	cli_doctor_say(l->d, l->m->slug, what, DOCTOR_OK, 0, text);
}

static void
links_fail(struct links *l, const char *what, int status, const char *text)
{
	cli_doctor_say(l->d, l->m->slug, what, DOCTOR_FAIL, status, text);
}

static bool
links_encrypted(const struct cli_mesh *m)
{
	return str_starts(m->broker_url, "wss://") ||
	       str_starts(m->broker_url, "https://");
}

/* Which link an error of connecting is of, and what mends it. */
static const struct {
	const char *code;
	const char *what;
	const char *mend;
} link_errors[] = {
	{ "no_host", "network",
	    "is the address right, and does this machine resolve names?" },
	{ "unreachable", "network",
	    "is linnetd running there, and does a firewall let you through?" },
	{ "timeout", "network",
	    "does a firewall or proxy on the way swallow it?" },
	{ "bad_certificate", "tls",
	    "if the broker has an authority of its own, join again with "
	    "--ca-file" },
	{ "tls", "tls",
	    "does the broker speak TLS at this address? ws:// is without" },
	{ "timestamp_skew", "clock",
	    "set this machine's clock, as with timedatectl set-ntp true" },
	{ "unauthorized", "hello",
	    "the member may have been removed; join again with a new invite" },
	{ "revoked", "hello",
	    "the member was removed; ask who runs the mesh for an invite" },
	{ "banned", "hello", "ask who keeps order in the mesh" },
	{ "bad_signature", "hello",
	    "the keys are not those of the member; restore the configuration" },
	{ "capacity", "hello", "the mesh is full; try later" },
};

static void
links_refused(struct links *l, const struct linnet_error *e)
{
	const char *what = "hello", *mend = NULL, *text;
	size_t i;

	for (i = 0; i < NELEM(link_errors); i++)
		if (strcmp(link_errors[i].code, e->code) == 0) {
			what = link_errors[i].what;
			mend = link_errors[i].mend;
		}
	if (strcmp(what, "network") != 0)
		links_ok(l, "network", l->m->broker_url);
	if (strcmp(what, "network") != 0 && strcmp(what, "tls") != 0 &&
	    links_encrypted(l->m))
		links_ok(l, "tls", "the certificate is trusted");
	text = pool_printf(&l->d->c->pool, "%s (%s)%s%s", e->message, e->code,
	    mend != NULL ? "; " : "", mend != NULL ? mend : "");
	links_fail(l, what, linnet_exit_status(e->code), text);
}

static void
links_message(void *arg, struct linnet *in, const struct linnet_message *m)
{
	struct links *l = arg;
	int64_t created;

	(void)in;
	if (strcmp(m->id, l->id) != 0 && l->id[0] != '\0')
		return;
	l->came = true;
	l->came_usec = clock_usec();
	str_copy(l->id, m->id, sizeof(l->id));
	l->readable = m->text != NULL && m->length == strlen(LINK_TEXT) &&
		      memcmp(m->text, LINK_TEXT, m->length) == 0;
	clock_update();
	if (clock_parse(m->created_at, strlen(m->created_at), &created) == 0)
		l->skew_ms = clock_wall() - created;
}

/* Both connections.  -1: it was said why not. */
static int
links_open(struct links *l)
{
	static const struct linnet_group none;
	uint8_t random[16];
	char hex[2 * sizeof(random) + 1], cwd[4096];
	struct linnet_config in = {
		.groups = &none,
		.once = true,
		.cwd = getcwd(cwd, sizeof(cwd)),
		.callbacks = { .message = links_message },
		.arg = l,
	};
	struct linnet_config out = { .control = true, .once = true };
	int64_t start = clock_usec();
	int status;

	crypto_random_bytes(random, sizeof(random));
	crypto_hex(hex, random, sizeof(random));
	in.session_id = l->session_id =
	    pool_printf(&l->d->c->pool, "doctor-%s", hex);
	if ((status = cli_session_new(l->d->c, &l->in, &in)) != 0 ||
	    (status = cli_session_new(l->d->c, &l->out, &out)) != 0) {
		links_fail(l, "network", status,
		    "what the configuration says of the broker cannot be "
		    "used");
		return -1;
	}
	if (linnet_open(l->in.linnet) != 0) {
		links_refused(l, linnet_last_error(l->in.linnet));
		return -1;
	}
	links_ok(l, "network", l->m->broker_url);
	if (links_encrypted(l->m))
		links_ok(l, "tls", "the certificate is trusted");
	links_ok(l, "hello",
	    pool_printf(&l->d->c->pool, "answered after %.1f ms",
		(double)(clock_usec() - start) / 1000));
	(void)linnet_set_visible(l->in.linnet, false, NULL, NULL);
	if (linnet_open(l->out.linnet) == 0)
		return 0;
	links_refused(l, linnet_last_error(l->out.linnet));
	return -1;
}

static int
links_send(struct links *l)
{
	const struct linnet_outgoing m = {
		.to = linnet_key(l->in.linnet),
		.text = LINK_TEXT,
		.length = strlen(LINK_TEXT),
		.priority = "now",
		.ttl_ms = 60000,
	};
	const struct linnet_error *e;
	struct linnet_reply reply;
	int64_t start = clock_usec();
	const char *id;
	struct json j;

	if (linnet_send_wait(l->out.linnet, &m, &reply) != 0) {
		e = linnet_last_error(l->out.linnet);
		links_fail(l, "send", linnet_exit_status(e->code),
		    pool_printf(
			&l->d->c->pool, "%s (%s)", e->message, e->code));
		return -1;
	}
	if (cli_json_read(&j, &reply) == 0) {
		id = cli_json_str(l->d->c, &j, 0, "messageId");
		str_copy(l->id, id, sizeof(l->id));
	}
	json_free(&j);
	links_ok(l, "send",
	    pool_printf(&l->d->c->pool, "stored after %.1f ms",
		(double)(clock_usec() - start) / 1000));
	return 0;
}

static int
links_push(struct links *l)
{
	int64_t start = clock_usec();
	bool off;

	while (!l->came && clock_usec() - start < LINK_MS * 1000 &&
	       linnet_wait(l->in.linnet, LINK_TURN_MS) >= 0)
		;
	if (!l->came || !l->readable) {
		links_fail(l, "push", EX_UNAVAILABLE,
		    l->came ? "a message came that cannot be read: keys of "
			      "this session are not what others see"
			    : "a message was stored, and not pushed within 5 "
			      "s; tell who runs the broker");
		return -1;
	}
	links_ok(l, "push",
	    pool_printf(&l->d->c->pool, "a message came, and can be read"));
	off = l->skew_ms > LINK_SKEW_MS || l->skew_ms < -LINK_SKEW_MS;
	cli_doctor_say(l->d, l->m->slug, "clock", off ? DOCTOR_WARN : DOCTOR_OK,
	    0,
	    pool_printf(&l->d->c->pool, "%lld ms %s that of the broker%s",
		(long long)(l->skew_ms < 0 ? -l->skew_ms : l->skew_ms),
		l->skew_ms < 0 ? "behind" : "ahead of",
		off ? "; past a minute it lets you in no more: set it, as "
		      "with timedatectl set-ntp true"
		    : ""));
	return 0;
}

/* Does its sender see it as read? */
static bool
links_acked(struct links *l)
{
	struct linnet_result r = { .done = false };
	struct linnet_reply reply;
	bool acked = false;
	size_t list;
	struct json j;

	if (linnet_message_status(l->out.linnet, l->id, linnet_keep, &r) == 0 &&
	    linnet_finish(l->out.linnet, &r) == 0) {
		reply = (struct linnet_reply){ .text = r.text, .n = r.n };
		if (cli_json_read(&j, &reply) == 0 &&
		    (list = cli_json_list(&j, 0, "recipients")) != 0 &&
		    JSON_FIRST(list) < j.nodes[list].end)
			acked = strcmp(cli_json_str(l->d->c, &j,
					   JSON_FIRST(list), "state"),
				    "acked") == 0;
		json_free(&j);
	}
	linnet_result_free(&r);
	return acked;
}

static int
links_ack(struct links *l)
{
	int64_t start = clock_usec();
	bool acked = false;

	linnet_ack(l->in.linnet, l->id);
	while (!acked && clock_usec() - start < LINK_MS * 1000 &&
	       linnet_wait(l->in.linnet, LINK_TURN_MS) >= 0)
		acked = links_acked(l);
	if (acked)
		links_ok(l, "ack", "its sender sees that it was read");
	else
		links_fail(l, "ack", EX_UNAVAILABLE,
		    "it was acknowledged, and its sender does not see that "
		    "within 5 s; tell who runs the broker");
	return acked ? 0 : -1;
}

static void
links_hook(struct links *l)
{
	struct linnet_hook hook = {
		.url = l->m->broker_url,
		.token = l->m->hook_token,
		.status = "idle",
		.cwd = "/",
		.session_id = l->session_id,
	};
	struct linnet_error e;
	bool found = false;

	if (l->m->hook_token[0] == '\0') {
		cli_doctor_say(l->d, l->m->slug, "hook", DOCTOR_WARN, 0,
		    "there is no hook token, so hosts cannot say when an "
		    "agent works; leave the mesh and join it again");
		return;
	}
	if (l->m->ca_file[0] != '\0')
		hook.tls.ca_file = l->m->ca_file;
	if (linnet_hook_status(&hook, &found, 0, &e) != 0)
		links_fail(l, "hook", linnet_exit_status(e.code),
		    pool_printf(&l->d->c->pool,
			"%s (%s); is it the token that joining gave?",
			e.message, e.code));
	else if (!found)
		links_fail(l, "hook", EX_UNAVAILABLE,
		    "it was taken, and for no session; tell who runs the "
		    "broker");
	else
		links_ok(l, "hook", "it sets the session's status");
}

void
cli_doctor_mesh(struct doctor *d, const struct cli_mesh *m)
{
	struct links l = { .d = d, .m = m };

	d->c->mesh = m->mesh_id;
	l.in.config.lock = l.out.config.lock = -1;
	if (links_open(&l) == 0 && links_send(&l) == 0 && links_push(&l) == 0 &&
	    links_ack(&l) == 0)
		links_hook(&l);
	cli_session_close(&l.out);
	cli_session_close(&l.in);
}
