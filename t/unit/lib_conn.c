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
	char phases[32]; /* C, O, W, S, or - for closing */
	int delay;
	int close_code;
	char close_error[64];
	char answers[256];
	bool ack;
} seen;

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
	    s->value != NULL ? s->value : "deleted", s->updated_by,
	    (long long)s->version);
}

static void
on_phase(void *arg, struct linnet *l, const struct linnet_change *c)
{
	static const char letters[] = "SCOW-";
	size_t n = strlen(seen.phases);

	(void)arg;
	ok(c->phase == linnet_phase(l), "the phase is what was told");
	if (n + 1 < sizeof(seen.phases))
		seen.phases[n] = letters[c->phase];
	if (c->phase == LINNET_OPEN)
		snprintf(seen.opened, sizeof(seen.opened), "%.*s", (int)c->n,
		    c->text);
	if (c->phase == LINNET_WAITING || c->phase == LINNET_STOPPED) {
		seen.delay = c->phase == LINNET_STOPPED ? -1 : c->delay_ms;
		seen.close_code = c->close_code;
		snprintf(seen.close_error, sizeof(seen.close_error), "%s",
		    c->error->code);
	}
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
		.once = true,
		.callbacks = { .phase = on_phase,
		    .message = on_message,
		    .state = on_state },
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
	IS("sessionPubkey", ""); /* a control session has none */
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
	is_str(seen.phases, "CO-S", "the phases of its life");
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
	static const char other[] = "{\"type\":\"push\",\"messageId\":"
				    "\"m3\",\"ciphertext\":\"aGk=\"}";
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
	peer_send_frame(p, PEER_FIN | PEER_BINARY, other, sizeof(other) - 1);
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
	is_str(seen.texts[1], "m3:hi", "one in a binary frame");
	ok(strncmp(seen.texts[2], "m2:", 3) == 0, "one that is large");
	is_int(seen.close_code, 4001, "the close code");
	is_str(seen.close_error, "kicked", "and what it means");
	is_int(seen.delay, -1, "there is no way back");
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
		bool again;
	} rows[] = {
		{ PEER_FIN | PEER_TEXT, "no json", 7, "protocol", "", false },
		{ PEER_FIN | PEER_TEXT, "[1]", 3, "protocol", "", false },
		{ PEER_FIN | PEER_TEXT, "\xff\xfe", 2, "protocol", "1007",
		    false },
		{ PEER_FIN | 0x40 | PEER_TEXT, "{}", 2, "protocol", "1002",
		    false },
		{ PEER_FIN | 5, "x", 1, "protocol", "1002", false },
		/* masked, which only clients do */
		{ -1, "\x81\x82\x01\x02\x03\x04zz", 8, "protocol", "1002",
		    false },
		/* 1 MB announced, past the limit of 200,000 */
		{ -1, "\x81\x7f\0\0\0\0\0\x10\0\0z", 11, "too_big", "1009",
		    false },
		{ PEER_FIN | PEER_CLOSE, "\x03\xf5", 2, "too_big", NULL, true },
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
		l->config.once = false;
		/* It may be over by the time it is looked at. */
		(void)linnet_open(l);
		ok(seen.opened[0] != '\0', "open");
		while (seen.close_error[0] == '\0')
			(void)linnet_wait(l, -1);
		is_str(seen.close_error, rows[i].error, "frame %zu: %s", i,
		    linnet_last_error(l)->message);
		is_int(seen.delay < 0, rows[i].again == 0,
		    "connecting again is %s", rows[i].again ? "good" : "vain");
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
		l->config.once = false;
		ok(linnet_open(l) == -1, "hello is refused");
		is_str(linnet_last_error(l)->code, rows[i].code, "%s",
		    linnet_last_error(l)->message);
		is_int(seen.delay, -1, "linnet_open() is one try");
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

	l->config.once = false;
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

	l->config.once = false;
	ok(linnet_open(l) == 0, "open");
	ok(linnet_send_wait(l, &m, &reply) == 0, "sent: %s",
	    linnet_last_error(l)->message);
	ok(reply.text != NULL && strstr(reply.text, "\"m9\"") != NULL,
	    "with the answer of the second time");
	is_str(seen.phases, "COWCO", "it connected again by itself");
	/* As if it had been open for a while. */
	l->opened_ms -= 10000;
	ok(linnet_call(l, "remember", "\"content\":\"x\"", 0, &reply) == -1,
	    "what may not be repeated fails");
	is_str(linnet_last_error(l)->code, "closed", "%s",
	    linnet_last_error(l)->message);
	ok(strstr(linnet_last_error(l)->message, "not known") != NULL,
	    "and says that nobody knows");
	is_int(seen.close_code, 1012, "the broker restarted");
	ok(seen.delay >= 0 && seen.delay < 250, "it goes back at once");
	linnet_free(l);
	peer_join(p);
	is_str(p->failed, "", "the script came to its end");
	free(p);
}

/* What an end means for coming back: code, and the limits of the first and
 * the last of many delays. */
static void
test_delays(void)
{
	static const struct {
		const char *code;
		int close_code;
		bool was_open;
		int least, most; /* of the first; most < 0: never */
	} rows[] = {
		{ "closed", 1006, true, 0, 500 },
		{ "closed", 1001, true, 0, 500 },
		{ "closed", 1012, true, 0, 250 },
		{ "unreachable", 0, false, 0, 500 },
		{ "no_host", 0, false, 0, 500 },
		{ "timeout", 1006, false, 0, 500 },
		{ "overloaded", 1013, true, 1000, 4000 },
		{ "capacity", 1008, false, 1000, 4000 },
		{ "unavailable", 1013, false, 1000, 4000 },
		{ "replayed", 1008, false, 0, 20 },
		{ "disconnected", 1000, true, 0, 500 },
		{ "too_big", 1009, true, 0, 500 },
		{ "too_big", 1009, false, 0, -1 },
		{ "session_replaced", 1000, true, 0, -1 },
		{ "kicked", 4001, true, 0, -1 },
		{ "banned", 4002, true, 0, -1 },
		{ "revoked", 4002, true, 0, -1 },
		{ "unauthorized", 1008, false, 0, -1 },
		{ "timestamp_skew", 1008, false, 0, -1 },
		{ "expired", 1008, false, 0, -1 },
		{ "bad_certificate", 1006, false, 0, -1 },
		{ "protocol", 1006, false, 0, -1 },
	};
	struct peer nobody = { .url = "unix:/nowhere" };
	struct linnet *l;
	size_t i;
	int k, delay, most;

	for (i = 0; i < NELEM(rows); i++) {
		l = connection(&nobody);
		linnet_error_set(&l->lost, rows[i].code, "x");
		l->close_code = rows[i].close_code;
		l->was_open = rows[i].was_open;
		for (k = 0, most = -1; k < 60; k++) {
			delay = linnet_retry_delay(l);
			if (k == 0 && rows[i].most >= 0)
				ok(delay >= rows[i].least &&
					delay < rows[i].most,
				    "%s %d: first after %d ms", rows[i].code,
				    rows[i].close_code, delay);
			most = delay > most ? delay : most;
		}
		if (rows[i].most < 0)
			is_int(most, -1, "%s %d: never", rows[i].code,
			    rows[i].close_code);
		else
			ok(most > 15000 && most < 30000, "%s: later up to 30 s",
			    rows[i].code);
		linnet_free(l);
	}
	l = connection(&nobody);
	linnet_error_set(&l->lost, "rate_limited", "x");
	l->retry_after_ms = 100000;
	is_int(linnet_retry_delay(l), 100000, "the broker's own time counts");
	linnet_free(l);
}

/* Sends while there is no connection: kept, in their order, each once. */
static void
script_offline(struct peer *p)
{
	char id[64];
	int i;

	for (i = 0; i < 3; i++) {
		if (!peer_hear(p))
			return;
		snprintf(id, sizeof(id), "\"client_message_id\":\"m-%d\"", i);
		if (strstr(p->frame, id) == NULL)
			peer_fail(p, "not the next message");
		/* The last answer is lost. */
		if (i == 2)
			break;
		snprintf(p->frame, 256, "{\"type\":\"ack\",\"_reqId\":%lld}",
		    (long long)peer_reqid(p));
		peer_say(p, p->frame);
	}
	peer_say_close(p, 1012, "");
	if (!peer_greet(p) || !peer_hear(p))
		return;
	if (strstr(p->frame, "m-2") == NULL)
		peer_fail(p, "not the next message");
	snprintf(p->frame, 256, "{\"type\":\"ack\",\"_reqId\":%lld}",
	    (long long)peer_reqid(p));
	peer_say(p, p->frame);
	/* A message too large: the broker says so by closing. */
	if (!peer_hear(p))
		return;
	peer_say_close(p, 1009, "too big");
	if (peer_greet(p))
		(void)peer_read(p, p->frame, 1);
	p->failed[0] = '\0';
}

static void
script_offline_start(struct peer *p)
{
	if (peer_greet(p))
		script_offline(p);
}

static void
test_offline(void)
{
	static char names[3][8] = { "one", "two", "three" };
	static char big[] = "big", full[] = "full";
	struct peer *p = peer_start(script_offline_start);
	struct linnet *l = connection(p);
	char id[8];
	struct linnet_outgoing m = { .to = "*", .text = "hi", .length = 2 };
	int i;

	l->config.once = false;
	l->config.max_queue = 3;
	for (i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "m-%d", i);
		m.id = id;
		ok(linnet_send(l, &m, answer_n, names[i]) == 0, "queued");
	}
	is_int(linnet_pending(l), 3, "three wait");
	ok(linnet_send(l, &m, answer_n, full) == -1, "a fourth is too much");
	is_str(linnet_last_error(l)->code, "queue_full", "and says so");
	ok(linnet_connect(l) == 0, "connect");
	while (linnet_pending(l) > 0 && linnet_wait(l, -1) >= 0)
		;
	is_str(seen.answers, "one:good two:good three:good ",
	    "each is answered, also the one whose answer was lost");
	is_str(seen.phases, "COWCO", "over two connections");
	m.id = "big";
	ok(linnet_send(l, &m, answer_n, big) == 0, "one that is too big");
	while (linnet_pending(l) > 0 && linnet_wait(l, -1) >= 0)
		;
	ok(strstr(seen.answers, "big:too_big") != NULL, "is told so");
	while (!linnet_is_open(l) && linnet_wait(l, -1) >= 0)
		;
	is_str(seen.phases, "COWCOWCO", "and the connection comes back");
	finish(l, p);
}

/* The same message again: after it was acked, and before. */
static void
script_again(struct peer *p)
{
	static const char push[] =
	    "{\"type\":\"push\",\"messageId\":\"m%d\",\"ciphertext\":"
	    "\"aGk=\"}";
	char text[128];
	int i, ids[] = { 1, 1, 2, 1, 2 };

	if (!peer_greet(p))
		return;
	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), push, ids[i]);
		peer_say(p, text);
	}
	for (i = 0; i < 3; i++)
		if (!peer_hear(p) || strstr(p->frame, "\"m1\"") == NULL)
			peer_fail(p, "not the acks of m1");
	peer_say_close(p, 4001, "kicked");
	(void)peer_frame(p);
}

static void
on_message_ack(void *arg, struct linnet *l, const struct linnet_message *m)
{
	(void)arg;
	seen.messages++;
	if (strcmp(m->id, "m1") == 0)
		linnet_ack(l, m->id);
}

static void
test_again(void)
{
	struct peer *p = peer_start(script_again);
	struct linnet *l = connection(p);

	l->config.callbacks.message = on_message_ack;
	ok(linnet_open(l) == 0, "open");
	while (linnet_wait(l, -1) >= 0)
		;
	is_int(seen.messages, 2, "each message is shown once");
	finish(l, p);
}

/* An ack and a goodbye in one breath: both come, in this order. */
static void
script_goodbye(struct peer *p)
{
	if (!peer_greet(p))
		return;
	peer_say(p, "{\"type\":\"push\",\"messageId\":\"m1\",\"ciphertext\":"
		    "\"aGk=\"}");
	if (!peer_hear(p) || strstr(p->frame, "\"client_ack\"") == NULL)
		peer_fail(p, "the ack was lost");
	else if (peer_frame(p) != (PEER_FIN | PEER_CLOSE))
		peer_fail(p, "no goodbye");
	else
		peer_say_close(p, 1000, "");
}

static void
on_message_last(void *arg, struct linnet *l, const struct linnet_message *m)
{
	(void)arg;
	seen.messages++;
	linnet_ack(l, m->id);
	linnet_close(l);
}

static void
test_goodbye(void)
{
	struct peer *p = peer_start(script_goodbye);
	struct linnet *l = connection(p);

	l->config.callbacks.message = on_message_last;
	ok(linnet_open(l) == 0, "open");
	while (linnet_wait(l, -1) > 0)
		;
	is_int(seen.messages, 1, "acked before the goodbye");
	finish(l, p);
}

/* Names are looked up once, several targets are several messages, and what is
 * sent later waits behind them. */
#define BOB "2152f8d19b791d24453242e15f2eab6cb7cffa7b6a5ed30097960e069881db12"
static void
script_targets(struct peer *p)
{
	static const char *const want[] = {
		"\"targetSpec\":[\"@dev\",\"*\"]",
		"\"targetSpec\":\"" BOB "\"",
		"\"targetSpec\":\"@later\"",
		"\"targetSpec\":\"" BOB "\"",
	};
	static const char *const ids[] = { "\"t\"", "\"t:1\"", "", "" };
	size_t i;

	if (!peer_greet(p) || !peer_hear(p))
		return;
	if (strstr(p->frame, "\"list_peers\"") == NULL)
		peer_fail(p, "names are not looked up first");
	snprintf(p->frame, 512,
	    "{\"type\":\"peers_list\",\"_reqId\":%lld,\"peers\":["
	    "{\"displayName\":\"Bob\",\"pubkey\":\"" BOB "\"}]}",
	    (long long)peer_reqid(p));
	peer_say(p, p->frame);
	for (i = 0; i < NELEM(want); i++) {
		if (!peer_hear(p))
			return;
		if (strstr(p->frame, want[i]) == NULL ||
		    strstr(p->frame, ids[i]) == NULL)
			peer_fail(p, want[i]);
		snprintf(p->frame, 256,
		    "{\"type\":\"ack\",\"messageId\":\"i%zu\",\"_reqId\":%lld}",
		    i, (long long)peer_reqid(p));
		peer_say(p, p->frame);
	}
	(void)peer_read(p, p->frame, 1);
	p->failed[0] = '\0';
}

static void
answer_text(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	(void)arg;
	(void)l;
	snprintf(seen.opened, sizeof(seen.opened), "%s",
	    reply->text != NULL ? reply->text : reply->error->code);
}

static void
test_targets(void)
{
	static const char *const also[] = { "bob", "*", NULL };
	static char later[] = "later", again[] = "again", nobody[] = "nobody";
	struct peer *p = peer_start(script_targets);
	struct linnet *l = connection(p);
	struct linnet_outgoing m = {
		.to = "@dev", .also = also, .text = "hi", .length = 2, .id = "t"
	};
	struct linnet_json *j;

	ok(linnet_open(l) == 0, "open");
	ok(linnet_send(l, &m, answer_text, NULL) == 0, "to several");
	m = (struct linnet_outgoing){ .to = "@later" };
	ok(linnet_send(l, &m, answer_n, later) == 0, "and one later");
	m.to = "BOB";
	ok(linnet_send(l, &m, answer_n, again) == 0, "and to bob again");
	is_int(linnet_pending(l), 4, "these wait, and the list");
	while (linnet_pending(l) > 0 && linnet_wait(l, -1) >= 0)
		;
	is_str(seen.answers, "later:good again:good ", "they are answered");
	if ((j = linnet_json_read(seen.opened, strlen(seen.opened))) == NULL)
		abort();
	is_int(linnet_json_count(j, "answers"), 2, "two messages of the first");
	is_str(linnet_json_get(j, "answers.0.to"), "[\"@dev\",\"*\"]", "one");
	is_str(
	    linnet_json_get(j, "answers.0.answer.messageId"), "i0", "its id");
	is_str(linnet_json_get(j, "answers.1.to"), "bob", "the other");
	is_str(
	    linnet_json_get(j, "answers.1.answer.messageId"), "i1", "its id");
	linnet_json_free(j);
	m.to = "nobody";
	ok(linnet_send(l, &m, answer_n, nobody) == 0, "to nobody");
	/* What is forgotten with the connection is freed. */
	m.to = "bob";
	m.also = also;
	ok(linnet_send(l, &m, answer_n, again) == 0, "and one more");
	finish(l, p);
}

/* Who only has a session key and an attestation; and a broker of before. */
static void
script_session(struct peer *p)
{
	if (!peer_meet(p))
		return;
	(void)str_copy(p->note, p->frame, sizeof(p->note));
	peer_say(p, "{\"type\":\"error\",\"code\":\"unknown_message_type\","
		    "\"message\":\"What?\"}");
	if (peer_hear(p) && strstr(p->frame, "\"type\":\"hello\"") != NULL)
		peer_say(p, "{\"type\":\"hello_ack\"}");
	(void)peer_read(p, p->frame, 1);
	p->failed[0] = '\0';
}

static void
test_session(void)
{
	char key[LINNET_KEY_SIZE], secret[LINNET_SECRET_SIZE];
	char word[LINNET_ATTESTATION_SIZE], other[LINNET_KEY_SIZE];
	struct linnet_config c = { .mesh_id = MESH, .member_id = MEMBER };
	struct linnet_error e;
	struct linnet *l;
	struct peer *p;

	linnet_new_key(key, secret);
	ok(linnet_attest(my_secret, key, 3600, word, &e) == 0, "attested");
	ok(linnet_attest(my_secret, key, 86401, word, &e) == -1, "a day");
	ok(linnet_attest(my_secret, "x", 0, word, &e) == -1, "no key");
	p = peer_start(script_session);
	c.url = p->url;
	c.session_key = secret;
	c.attestation = word;
	l = linnet_new(&c, &e);
	is_str(linnet_key(l), key, "it is known by its own key");
	ok(linnet_open(l) == -1, "the broker does not know this");
	is_str(linnet_last_error(l)->code, "unsupported", "and that is why");
	ok(strstr(p->note, "\"type\":\"session_hello\"") != NULL &&
		strstr(p->note, word) != NULL,
	    "the attestation was sent");
	linnet_new_key(other, secret);
	ok(linnet_attest(my_secret, other, 0, word, &e) == 0, "for another");
	ok(linnet_set_attestation(l, word) == -1, "an attestation must fit");
	ok(linnet_set_attestation(l, "{}") == -1, "and be one");
	finish(l, p);
	p = peer_start(script_session);
	c = (struct linnet_config){ .url = p->url,
		.mesh_id = MESH,
		.member_id = MEMBER,
		.public_key = my_key,
		.secret_key = my_secret };
	l = linnet_new(&c, &e);
	ok(linnet_open(l) == 0, "with the member's key it falls back");
	finish(l, p);
	c.url = "unix:/nowhere";
	c.secret_key = NULL;
	ok(linnet_new(&c, &e) == NULL, "nobody without a key");
	c.attestation = word;
	ok(linnet_new(&c, &e) == NULL, "nor with an attestation alone");
}

/* Watches are asked for again, and what was missed is told. */
static void
script_watch(struct peer *p)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (!peer_greet(p) || !peer_hear(p))
			return;
		if (strstr(p->frame, "\"watch_state\"") == NULL ||
		    strstr(p->frame, "\"prefix\":\"a/\"") == NULL)
			peer_fail(p, "no watch");
		snprintf(p->frame, 512,
		    "{\"type\":\"state_watched\",\"_reqId\":%lld,"
		    "\"prefix\":\"a/\",\"entries\":[{\"key\":\"a/%d\","
		    "\"value\":1,\"updatedBy\":\"bob\",\"version\":%d}]}",
		    (long long)peer_reqid(p), i, i + 1);
		peer_say(p, p->frame);
		if (i == 0)
			peer_say_close(p, 1012, "");
	}
	if (!peer_hear(p))
		return;
	peer_say(p, "{\"type\":\"state_change\",\"key\":\"a/2\",\"value\":"
		    "null,\"deleted\":true,\"version\":3}");
	(void)peer_read(p, p->frame, 1);
	p->failed[0] = '\0';
}

static void
test_watch(void)
{
	static char watched[] = "watched";
	struct peer *p = peer_start(script_watch);
	struct linnet *l = connection(p);

	l->config.once = false;
	ok(linnet_open(l) == 0, "open");
	ok(linnet_watch_state(l, "a/", answer_n, watched) == 0, "watch");
	while (seen.state[0] == '\0' && linnet_wait(l, -1) >= 0)
		;
	is_str(
	    seen.answers, "watched:good ", "the first answer is the caller's");
	is_str(seen.state, "a/1=1 by bob v2", "the second is told as a change");
	seen.state[0] = '\0';
	ok(linnet_get_state(l, "a/2", NULL, NULL) == 0, "on it goes");
	while (seen.state[0] == '\0' && linnet_wait(l, -1) >= 0)
		;
	is_str(
	    seen.state, "a/2=deleted by  v3", "what is deleted has no value");
	finish(l, p);
}

static void
test_results(void)
{
	static const char text[] = "{\"a\":[{\"b\":\"x\\ny\"},2],\"n\":null}";
	const char *tags[] = { "a", "b", NULL };
	char *fields;
	struct linnet_json *j;

	fields = linnet_fields("s:s none:s n:i yes:b raw:j tags:a", "\"x", NULL,
	    (int64_t)-5, true, "[1]", tags);
	is_str(fields,
	    "\"s\":\"\\\"x\",\"n\":-5,\"yes\":true,\"raw\":[1],"
	    "\"tags\":[\"a\",\"b\"]",
	    "fields of a request");
	free(fields);
	j = linnet_json_read(text, strlen(text));
	ok(j != NULL, "read");
	is_str(linnet_json_get(j, "a.0.b"), "x\ny", "a text");
	is_str(linnet_json_get(j, "a.1"), "2", "a number");
	is_str(linnet_json_get(j, "a.0"), "{\"b\":\"x\\ny\"}", "JSON");
	ok(linnet_json_get(j, "n") == NULL, "null is nothing");
	ok(linnet_json_get(j, "a.2") == NULL, "nor what is not there");
	ok(linnet_json_get(j, "a.b") == NULL, "nor a name of an array");
	is_int(linnet_json_count(j, "a"), 2, "an array of two");
	is_int(linnet_json_count(j, ""), 2, "an object of two");
	is_int(linnet_json_count(j, "n"), 0, "null has none");
	linnet_json_free(j);
	ok(linnet_json_read("{", 1) == NULL, "no JSON");
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
	ok(linnet_process(l) == 0 && l->pinged, "with a ping");
	l->heard_ms -= LINNET_DEAD_MS;
	ok(linnet_process(l) == -1, "and has an end");
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
	is_int(linnet_process(l), -1, "and nothing to run");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sp) != 0)
		abort();
	linnet_attach(l, sp[0]);
	is_int(linnet_fd(l), sp[0], "its descriptor");
	is_int(linnet_events(l), POLLIN | POLLOUT, "wants to write");
	is_int(linnet_process(l), 0, "does not wait");
	is_int(linnet_events(l), POLLIN, "then to read");
	ok(linnet_timeout(l) > 0 && linnet_timeout(l) <= 5000,
	    "and not for ever");
	p.fd = sp[1];
	ok(peer_read_head(&p), "the upgrade was written");
	peer_consent(&p);
	is_int(linnet_process(l), 0, "hello is written");
	ok(peer_hear(&p), "and read");
	peer_say(&p, "{\"type\":\"hello_ack\"}");
	poll_fd =
	    (struct pollfd){ .fd = linnet_fd(l), .events = linnet_events(l) };
	is_int(poll(&poll_fd, 1, 5000), 1, "there is something to do");
	is_int(linnet_process(l), 0, "it is done");
	ok(linnet_is_open(l), "open");
	close(sp[1]);
	is_int(linnet_process(l), -1, "the end is noticed");
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
	test_delays();
	test_offline();
	test_again();
	test_goodbye();
	test_targets();
	test_session();
	test_watch();
	test_results();
	test_timeouts();
	test_unreachable();
	test_own_loop();
	return tap_done();
}
