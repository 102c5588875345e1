/* SPDX-License-Identifier: ISC */
/* linnet.c, linnet_request.c, linnet_ws.c: a connection against a peer that
 * follows a script. */
#include "lib/lib.h"

#include <poll.h>

#include "tap.h"
#include "wspeer.h"

#define MESH "01a1fc26f850701ab1b21869bbb78ffb"
#define MEMBER "01a1fc26f87b7586a0112c12746b27eb"

static char my_key[LINNET_KEY_SIZE], my_secret[LINNET_SECRET_SIZE];

/* What the callbacks saw. */
static struct seen {
	char texts[8][64];
	size_t messages;
	size_t longest;
	char state[256];
	char opened[256];
	int close_code;
	char close_error[64];
	char answers[256];
	bool ack;
} seen;

static void
on_open(void *arg, struct linnet *l, const char *text, size_t n)
{
	(void)arg;
	(void)l;
	snprintf(seen.opened, sizeof(seen.opened), "%.*s", (int)n, text);
}

static void
on_message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	struct linnet_reply reply;

	(void)arg;
	if (seen.messages < NELEM(seen.texts))
		snprintf(seen.texts[seen.messages], 64, "%s:%.32s", m->id,
		    m->text != NULL ? m->text : "-");
	seen.messages++;
	if (m->length > seen.longest)
		seen.longest = m->length;
	if (!seen.ack)
		return;
	linnet_ack(l, m->id);
	ok(linnet_call(l, "list_state", NULL, 0, &reply) == -1 &&
		strcmp(linnet_last_error(l)->code, "busy") == 0,
	    "a callback cannot wait");
}

static void
on_state(void *arg, struct linnet *l, const struct linnet_state_change *s)
{
	(void)arg;
	(void)l;
	snprintf(seen.state, sizeof(seen.state), "%s=%s by %s v%lld", s->key,
	    s->value, s->updated_by, (long long)s->version);
}

static void
on_closed(void *arg, struct linnet *l, int code, const struct linnet_error *e)
{
	(void)arg;
	(void)l;
	seen.close_code = code;
	snprintf(seen.close_error, sizeof(seen.close_error), "%s", e->code);
}

static struct linnet *
connection(const struct peer *p)
{
	static const struct linnet_group groups[] = {
		{ "dev", "lead" },
		{ "ops/night", NULL },
	};
	struct linnet_config c = {
		.url = p->url,
		.mesh_id = MESH,
		.member_id = MEMBER,
		.public_key = my_key,
		.secret_key = my_secret,
		.session_id = "session-1",
		.cwd = "/somewhere",
		.control = true,
		.groups = groups,
		.ngroups = NELEM(groups),
		.connect_ms = 5000,
		.request_ms = 5000,
		.max_message = 200000,
		.callbacks = { on_open, on_message, on_state, on_closed },
	};
	struct linnet_error e;

	memset(&seen, 0, sizeof(seen));
	return linnet_new(&c, &e);
}

static void
finish(struct linnet *l, struct peer *p)
{
	linnet_free(l);
	peer_join(p);
	is_str(p->failed, "", "the script came to its end");
	free(p);
}

/* hello: who we are, signed. */
static void
script_hello(struct peer *p)
{
	uint8_t mask[4];

	p->slow = true;
	if (!peer_meet(p))
		return;
	(void)str_copy(p->note, p->frame, sizeof(p->note));
	memcpy(mask, p->mask, sizeof(mask));
	peer_say(p, "{\"type\":\"hello_ack\",\"presenceId\":\"x\"}");
	if (!peer_hear(p))
		return;
	if (memcmp(mask, p->mask, sizeof(mask)) == 0)
		peer_fail(p, "two frames with the same mask");
	snprintf(p->frame, 256, "{\"type\":\"groups\",\"_reqId\":%lld}",
	    (long long)peer_reqid(p));
	peer_say(p, p->frame);
	if (peer_frame(p) != (PEER_FIN | PEER_CLOSE) || p->n < 2 ||
	    (uint8_t)p->frame[0] != 3 || (uint8_t)p->frame[1] != 0xe8)
		peer_fail(p, "no close 1000");
	else
		peer_say_close(p, 1000, "");
}

static void
check_hello(const char *hello)
{
	uint8_t sig[CRYPTO_SIG_LEN], pub[CRYPTO_KEY_LEN];
	struct pool pool;
	struct json j;
	char *text;

	json_init(&j, 1000, 10);
	pool_init(&pool);
	if (json_read(&j, hello, strlen(hello)) != 0) {
		ok(false, "hello is JSON: %s", hello);
		return;
	}
#define IS(key, value) is_str(linnet_json_str(&pool, &j, 0, key), value, key)
	IS("type", "hello");
	IS("meshId", MESH);
	IS("memberId", MEMBER);
	IS("pubkey", my_key);
	IS("sessionId", "session-1");
	IS("cwd", "/somewhere");
	IS("peerRole", "control-plane");
	IS("sessionPubkey", "");
	is_int(linnet_json_int(&j, 0, "pid"), getpid(), "pid");
	ok(strstr(hello, "\"capabilities\":[\"client_ack\"]") != NULL,
	    "it can ack");
	ok(strstr(hello, "\"groups\":[{\"name\":\"dev\",\"role\":\"lead\"},"
			 "{\"name\":\"ops/night\"}]") != NULL,
	    "it is in its groups");
	text = xasprintf("%s|%s|%s|%lld", MESH, MEMBER, my_key,
	    (long long)linnet_json_int(&j, 0, "timestamp"));
	ok(crypto_unhex(sig, sizeof(sig),
	       linnet_json_str(&pool, &j, 0, "signature"),
	       2 * sizeof(sig)) == 0 &&
		crypto_unhex(pub, sizeof(pub), my_key, strlen(my_key)) == 0 &&
		crypto_check_sig(sig, text, strlen(text), pub),
	    "its signature is good");
	free(text);
	pool_free(&pool);
	json_free(&j);
}

static void
test_hello(void)
{
	struct peer *p = peer_start(script_hello);
	struct linnet *l = connection(p);
	struct linnet_reply reply;

	ok(linnet_open(l) == 0, "open: %s", linnet_last_error(l)->message);
	ok(linnet_is_open(l), "it is open");
	ok(strstr(seen.opened, "presenceId") != NULL, "and the owner was told");
	ok(linnet_connect(l) == -1 &&
		strcmp(linnet_last_error(l)->code, "busy") == 0,
	    "there is one connection at a time");
	ok(linnet_call(l, "join_group", "\"name\":\"x\"", 0, &reply) == 0,
	    "a request is answered");
	linnet_close(l);
	while (linnet_wait(l, -1) >= 0)
		;
	is_int(seen.close_code, 1000, "both said goodbye");
	check_hello(p->note);
	finish(l, p);
}

/* Requests: answers in any order, errors, what is pushed between. */
static void
answer_n(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	size_t n = strlen(seen.answers);

	(void)l;
	snprintf(seen.answers + n, sizeof(seen.answers) - n, "%s:%s ",
	    (const char *)arg,
	    reply->error != NULL ? reply->error->code : "good");
}

static void
script_requests(struct peer *p)
{
	long long first, second;

	if (!peer_greet(p) || !peer_hear(p))
		return;
	first = peer_reqid(p);
	if (!peer_hear(p))
		return;
	second = peer_reqid(p);
	peer_say(p, "{\"type\":\"later_versions_say_more\"}");
	peer_say(p, "{\"type\":\"ack\",\"_reqId\":999}");
	snprintf(p->frame, 256,
	    "{\"type\":\"error\",\"code\":\"unknown_target\",\"message\":"
	    "\"Nobody.\",\"_reqId\":%lld}",
	    second);
	peer_say(p, p->frame);
	peer_say(p, "{\"type\":\"push\",\"messageId\":\"m1\",\"ciphertext\":"
		    "\"aGk=\"}");
	peer_say(p, "{\"type\":\"state_change\",\"key\":\"k\",\"value\":\"v\","
		    "\"updatedBy\":\"bob\",\"version\":7}");
	snprintf(p->frame, 256, "{\"type\":\"ack\",\"_reqId\":%lld}", first);
	peer_say(p, p->frame);
	if (peer_hear(p) &&
	    strcmp(p->frame,
		"{\"type\":\"client_ack\",\"brokerMessageId\":\"m1\"}") != 0)
		peer_fail(p, p->frame);
}

static void
test_requests(void)
{
	struct peer *p = peer_start(script_requests);
	struct linnet *l = connection(p);
	char one[] = "one", two[] = "two";

	seen.ack = true;
	ok(linnet_request(l, "a", "\"x\":", 0, answer_n, one) == -1,
	    "fields that are no JSON are refused");
	ok(linnet_request(l, "a", NULL, 0, answer_n, one) == 0,
	    "asked before there is a connection");
	ok(linnet_open(l) == 0, "open");
	ok(linnet_request(l, "b", "\"x\":1", 0, answer_n, two) == 0, "asked");
	while (strstr(seen.answers, "one:") == NULL && linnet_wait(l, -1) >= 0)
		;
	is_str(seen.answers, "two:unknown_target one:good ",
	    "each gets its own answer");
	is_str(seen.texts[0], "m1:hi", "the message between them");
	is_str(seen.state, "k=\"v\" by bob v7", "the change between them");
	while (linnet_wait(l, -1) >= 0)
		;
	finish(l, p);
}

/* Frames: fragments, pings between them, binary, large. */
static void
script_frames(struct peer *p)
{
	static const char push[] = "{\"type\":\"push\",\"messageId\":\"m1\","
				   "\"ciphertext\":\"aGk=\"}";
	char *big = malloc(140000);
	size_t n;

	if (!peer_greet(p))
		return;
	peer_send_frame(p, PEER_TEXT, push, 10);
	peer_send_frame(p, PEER_FIN | PEER_PING, "are you there", 13);
	peer_send_frame(p, 0, push + 10, 0);
	peer_send_frame(p, PEER_FIN, push + 10, sizeof(push) - 11);
	if (peer_frame(p) != (PEER_FIN | PEER_PONG) ||
	    strcmp(p->frame, "are you there") != 0)
		peer_fail(p, "no pong");
	peer_send_frame(p, PEER_FIN | PEER_BINARY, push, sizeof(push) - 1);
	n = (size_t)sprintf(big, "{\"type\":\"push\",\"messageId\":\"m2\","
				 "\"ciphertext\":\"");
	memset(big + n, 'a', 130000);
	strcpy(big + n + 130000, "\"}");
	peer_say(p, big);
	free(big);
	peer_say_close(p, 4001, "kicked");
	(void)peer_frame(p);
}

static void
test_frames(void)
{
	struct peer *p = peer_start(script_frames);
	struct linnet *l = connection(p);

	ok(linnet_open(l) == 0, "open");
	while (linnet_wait(l, -1) >= 0)
		;
	is_int(seen.messages, 3, "three messages");
	is_str(seen.texts[0], "m1:hi", "one in pieces");
	is_str(seen.texts[1], "m1:hi", "one in a binary frame");
	ok(strncmp(seen.texts[2], "m2:", 3) == 0, "one that is large");
	is_int(seen.close_code, 4001, "the close code");
	is_str(seen.close_error, "kicked", "and what it means");
	is_int(linnet_retry_delay(l), -1, "there is no way back");
	finish(l, p);
}

/* What is no good: one row, one way in which a broker fails. */
static char bad_open[512];
static int bad_first;
static const char *bad_data;
static size_t bad_n;

static void
script_bad_upgrade(struct peer *p)
{
	if (!peer_accept(p) || !peer_read_head(p))
		return;
	peer_write(p, bad_open, strlen(bad_open));
}

static void
script_bad_frame(struct peer *p)
{
	int first;

	if (!peer_greet(p))
		return;
	if (bad_first >= 0)
		peer_send_frame(p, bad_first, bad_data, bad_n);
	else
		peer_write(p, bad_data, bad_n);
	/* It says goodbye, or it is gone. */
	first = peer_frame(p);
	if (first == (PEER_FIN | PEER_CLOSE))
		snprintf(p->note, sizeof(p->note), "%d",
		    (uint8_t)p->frame[0] << 8 | (uint8_t)p->frame[1]);
	p->failed[0] = '\0';
}

static void
script_refused(struct peer *p)
{
	if (!peer_meet(p))
		return;
	peer_say(p, bad_open);
	peer_say_close(p, 1008, "unauthorized");
}

static void
test_bad_upgrades(void)
{
	static const struct {
		const char *text;
		const char *code;
	} rows[] = {
		{ "", "closed" },
		{ "SSH-2.0\r\n", "protocol" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		    "protocol" },
		{ "HTTP/1.1 503 No\r\nContent-Length: 44\r\n\r\n"
		  "{\"code\":\"draining\",\"message\":\"It restarts.\"}",
		    "unavailable" },
		{ "HTTP/1.1 404 No\r\n\r\n", "protocol" },
		{ "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: "
		  "upgrade\r\nSec-WebSocket-Accept: "
		  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		    "protocol" },
	};
	struct linnet *l;
	struct peer *p;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		snprintf(bad_open, sizeof(bad_open), "%s", rows[i].text);
		p = peer_start(script_bad_upgrade);
		l = connection(p);
		ok(linnet_open(l) == -1, "answer %zu is no upgrade", i);
		is_str(linnet_last_error(l)->code, rows[i].code, "%s",
		    linnet_last_error(l)->message);
		finish(l, p);
	}
}

static void
test_bad_frames(void)
{
	static const struct {
		int first; /* -1: raw bytes */
		const char *data;
		size_t n;
		const char *error;
		const char *says; /* close code that we send */
	} rows[] = {
		{ PEER_FIN | PEER_TEXT, "no json", 7, "protocol", "" },
		{ PEER_FIN | PEER_TEXT, "[1]", 3, "protocol", "" },
		{ PEER_FIN | PEER_TEXT, "\xff\xfe", 2, "protocol", "1007" },
		{ PEER_FIN | 0x40 | PEER_TEXT, "{}", 2, "protocol", "1002" },
		{ PEER_FIN | 5, "x", 1, "protocol", "1002" },
		/* masked, which only clients do */
		{ -1, "\x81\x82\x01\x02\x03\x04zz", 8, "protocol", "1002" },
		/* 1 MB announced, past the limit of 200,000 */
		{ -1, "\x81\x7f\0\0\0\0\0\x10\0\0z", 11, "too_big", "1009" },
		{ PEER_FIN | PEER_CLOSE, "\x03\xf5", 2, "too_big", NULL },
	};
	struct linnet *l;
	struct peer *p;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		bad_first = rows[i].first;
		bad_data = rows[i].data;
		bad_n = rows[i].n;
		if (rows[i].says == NULL)
			bad_data = "\x03\xf1"; /* 1009 */
		p = peer_start(script_bad_frame);
		l = connection(p);
		/* It may be over by the time it is looked at. */
		(void)linnet_open(l);
		ok(seen.opened[0] != '\0', "open");
		while (linnet_wait(l, -1) >= 0)
			;
		is_str(seen.close_error, rows[i].error, "frame %zu: %s", i,
		    linnet_last_error(l)->message);
		is_int(linnet_retry_delay(l), -1, "connecting again is vain");
		linnet_free(l);
		peer_join(p);
		if (rows[i].says != NULL)
			is_str(p->note, rows[i].says, "what it was told");
		free(p);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *text;
		const char *code;
		bool again;
	} rows[] = {
		{ "{\"type\":\"error\",\"code\":\"unauthorized\","
		  "\"message\":\"No.\"}",
		    "unauthorized", false },
		{ "{\"type\":\"error\",\"code\":\"capacity\",\"message\":"
		  "\"Full.\"}",
		    "capacity", true },
		{ "{\"type\":\"nothing_known\"}", "unauthorized", false },
	};
	struct linnet *l;
	struct peer *p;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		snprintf(bad_open, sizeof(bad_open), "%s", rows[i].text);
		p = peer_start(script_refused);
		l = connection(p);
		ok(linnet_open(l) == -1, "hello is refused");
		is_str(linnet_last_error(l)->code, rows[i].code, "%s",
		    linnet_last_error(l)->message);
		ok((linnet_retry_delay(l) >= 0) == rows[i].again,
		    "and %s to try again", rows[i].again ? "worth" : "vain");
		finish(l, p);
	}
}

/* Two hellos signed in one millisecond: the second is a replay. */
static void
script_replayed(struct peer *p)
{
	if (!peer_meet(p))
		return;
	peer_say(p, "{\"type\":\"error\",\"code\":\"replayed\",\"message\":"
		    "\"Again.\"}");
	if (peer_greet(p))
		(void)peer_read(p, p->frame, 1);
	p->failed[0] = '\0';
}

static void
test_replayed(void)
{
	struct peer *p = peer_start(script_replayed);
	struct linnet *l = connection(p);

	ok(linnet_open(l) == 0, "a replayed hello is signed anew");
	finish(l, p);
}

/* The connection ends before the answer. */
static void
script_repeat(struct peer *p)
{
	char first[4096];

	if (!peer_greet(p) || !peer_hear(p))
		return;
	(void)str_copy(first, p->frame, sizeof(first));
	if (!peer_greet(p) || !peer_hear(p))
		return;
	if (strcmp(first, p->frame) != 0)
		peer_fail(p, "it was not repeated as it was");
	snprintf(p->frame, 256,
	    "{\"type\":\"ack\",\"messageId\":\"m9\",\"_reqId\":%lld}",
	    (long long)peer_reqid(p));
	peer_say(p, p->frame);
	/* A request that may not be repeated. */
	if (peer_hear(p))
		peer_say_close(p, 1012, "restarting");
	(void)peer_frame(p);
}

static void
test_repeat(void)
{
	struct peer *p = peer_start(script_repeat);
	struct linnet *l = connection(p);
	struct linnet_outgoing m = { .to = "*", .text = "hi", .length = 2 };
	struct linnet_reply reply;
	int i, delay, most = 0;

	ok(linnet_open(l) == 0, "open");
	ok(linnet_send_wait(l, &m, &reply) == 0, "sent: %s",
	    linnet_last_error(l)->message);
	ok(reply.text != NULL && strstr(reply.text, "\"m9\"") != NULL,
	    "with the answer of the second time");
	/* As if it had been open for a while. */
	l->opened_ms -= 10000;
	ok(linnet_call(l, "remember", "\"content\":\"x\"", 0, &reply) == -1,
	    "what may not be repeated fails");
	is_str(linnet_last_error(l)->code, "closed", "%s",
	    linnet_last_error(l)->message);
	ok(strstr(linnet_last_error(l)->message, "not known") != NULL,
	    "and says that nobody knows");
	is_int(seen.close_code, 1012, "the broker restarted");
	for (i = 0; i < 40; i++) {
		delay = linnet_retry_delay(l);
		if (i == 0)
			is_int(delay, 0, "after a restart at once");
		else if (i < 4)
			ok(delay >= 0 && delay < 500 << i, "then below %d ms",
			    500 << i);
		most = delay > most ? delay : most;
	}
	ok(most > 5000 && most < 30000, "up to 30 s");
	finish(l, p);
}

/* Nobody answers. */
static void
script_silent(struct peer *p)
{
	if (peer_accept(p))
		while (peer_read(p, p->frame, 1))
			;
	p->failed[0] = '\0';
}

static void
script_mute(struct peer *p)
{
	if (peer_greet(p))
		while (peer_read(p, p->frame, 1))
			;
	p->failed[0] = '\0';
}

static void
test_timeouts(void)
{
	struct peer *p = peer_start(script_silent);
	struct linnet *l = connection(p);
	struct linnet_reply reply;

	l->config.connect_ms = 50;
	ok(linnet_open(l) == -1, "nobody greets");
	is_str(linnet_last_error(l)->code, "timeout", "%s",
	    linnet_last_error(l)->message);
	finish(l, p);
	p = peer_start(script_mute);
	l = connection(p);
	l->config.request_ms = 50;
	ok(linnet_open(l) == 0, "open");
	is_int(linnet_timeout(l) > 1000, 1, "an idle connection has time");
	ok(linnet_call(l, "list_state", NULL, LINNET_REPEAT, &reply) == -1,
	    "nobody answers");
	is_str(linnet_last_error(l)->code, "timeout", "%s",
	    linnet_last_error(l)->message);
	ok(linnet_is_open(l), "the connection goes on");
	is_int(linnet_wait(l, 1), 0, "a wait has its end");
	/* As if nothing had been heard for long. */
	l->heard_ms -= LINNET_PING_MS;
	is_int(linnet_timeout(l), 0, "silence is looked after");
	ok(linnet_run(l) == 0 && l->pinged, "with a ping");
	l->heard_ms -= LINNET_DEAD_MS;
	ok(linnet_run(l) == -1, "and has an end");
	is_str(seen.close_error, "timeout", "for that reason");
	finish(l, p);
}

static void
test_unreachable(void)
{
	static const struct {
		const char *url;
		const char *code;
	} rows[] = {
		{ "unix:/nowhere/at/all", "unreachable" },
		{ "ws://127.0.0.1:1/ws", "unreachable" },
		{ "ws://host.invalid:1/ws", "no_host" },
	};
	struct peer nobody;
	struct linnet *l;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		snprintf(nobody.url, sizeof(nobody.url), "%s", rows[i].url);
		l = connection(&nobody);
		ok(linnet_open(l) == -1, "nobody is at %s", rows[i].url);
		is_str(linnet_last_error(l)->code, rows[i].code, "%s",
		    linnet_last_error(l)->message);
		ok(linnet_retry_delay(l) >= 0, "it may be there later");
		linnet_free(l);
	}
}

/* A loop of the caller's, over a socketpair. */
static void
test_own_loop(void)
{
	struct peer p = { .url = "unix:/nowhere", .fd = -1 };
	struct linnet *l = connection(&p);
	struct pollfd poll_fd;
	int sp[2];

	is_int(linnet_fd(l), -1, "no descriptor before there is one");
	is_int(linnet_run(l), -1, "and nothing to run");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sp) != 0)
		abort();
	linnet_attach(l, sp[0]);
	is_int(linnet_fd(l), sp[0], "its descriptor");
	is_int(linnet_events(l), POLLIN | POLLOUT, "wants to write");
	is_int(linnet_run(l), 0, "does not wait");
	is_int(linnet_events(l), POLLIN, "then to read");
	ok(linnet_timeout(l) > 0 && linnet_timeout(l) <= 5000,
	    "and not for ever");
	p.fd = sp[1];
	ok(peer_read_head(&p), "the upgrade was written");
	peer_consent(&p);
	is_int(linnet_run(l), 0, "hello is written");
	ok(peer_hear(&p), "and read");
	peer_say(&p, "{\"type\":\"hello_ack\"}");
	poll_fd =
	    (struct pollfd){ .fd = linnet_fd(l), .events = linnet_events(l) };
	is_int(poll(&poll_fd, 1, 5000), 1, "there is something to do");
	is_int(linnet_run(l), 0, "it is done");
	ok(linnet_is_open(l), "open");
	close(sp[1]);
	is_int(linnet_run(l), -1, "the end is noticed");
	is_str(seen.close_error, "closed", "and told");
	linnet_free(l);
}

int
main(void)
{
	alarm(120);
	linnet_start();
	linnet_new_key(my_key, my_secret);
	test_hello();
	test_requests();
	test_frames();
	test_bad_upgrades();
	test_bad_frames();
	test_refused();
	test_replayed();
	test_repeat();
	test_timeouts();
	test_unreachable();
	test_own_loop();
	return tap_done();
}
