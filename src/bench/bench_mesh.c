/* SPDX-License-Identifier: ISC */
/*
 * The mesh protocol.  A session's key is made from its number, so that every
 * process knows the key of every connection.  Answers are known by how they
 * begin: reading them as JSON would cost the load generator what the server
 * should have.
 */
#include "config.h"

#include "bench/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESH_PAST_MS 30000 /* half of the server's clock window */

static void
mesh_text(const struct json *j, size_t object, const char *key, char *out,
    size_t size)
{
	size_t i = json_get(j, object, key);

	if (i == 0 || j->nodes[i].n >= size)
		fatalx("the seed has no %s", key);
	memcpy(out, j->nodes[i].p, j->nodes[i].n);
	out[j->nodes[i].n] = '\0';
}

void
bench_mesh_read_seed(struct bench_seed *s, const char *file)
{
	static const char *const names[] = { "peerA", "peerB" };
	char text[32768], secret[2 * CRYPTO_SECRET_LEN + 1];
	struct json j;
	size_t n, i, k;
	FILE *f = fopen(file, "re");

	if (f == NULL)
		fatal("%s", file);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	json_init(&j, 1000, 8);
	if (json_read(&j, text, n) != 0)
		fatalx("%s: %s", file, j.error);
	mesh_text(&j, 0, "meshId", s->mesh, sizeof(s->mesh));
	for (i = 0; i < NELEM(names); i++) {
		struct bench_member *m = &s->members[i];

		k = json_get(&j, 0, names[i]);
		mesh_text(&j, k, "memberId", m->id, sizeof(m->id));
		mesh_text(&j, k, "pubkey", m->pub, sizeof(m->pub));
		mesh_text(&j, k, "secretKey", secret, sizeof(secret));
		if (crypto_unhex(m->secret, sizeof(m->secret), secret,
			strlen(secret)) != 0)
			fatalx("%s: a bad key", file);
	}
	json_free(&j);
}

void
bench_mesh_key(const struct bench_seed *s, unsigned i, char key[BENCH_KEY_SIZE])
{
	uint8_t raw[CRYPTO_KEY_LEN];

	crypto_digest(raw, &i, sizeof(i), s->nonce);
	crypto_hex(key, raw, sizeof(raw));
}

/* No two hellos of a member may have one time; those of the past leave the
 * present to other clients. */
static int64_t
mesh_stamp(const struct bench_seed *s, unsigned member)
{
	_Atomic int64_t *stamp = &s->stamps[member];
	int64_t old = *stamp, now;

	clock_update();
	do
		now = clock_wall() - MESH_PAST_MS > old
			  ? clock_wall() - MESH_PAST_MS
			  : old + 1;
	while (!atomic_compare_exchange_weak(stamp, &old, now));
	return now;
}

void
bench_mesh_hello(
    struct buf *out, const struct bench_seed *s, unsigned i, const char *extra)
{
	const struct bench_member *m = &s->members[i % 2];
	char text[512], sig[2 * CRYPTO_SIG_LEN + 1], key[BENCH_KEY_SIZE];
	int64_t stamp = mesh_stamp(s, i % 2);
	uint8_t raw[CRYPTO_SIG_LEN];

	snprintf(text, sizeof(text), "%s|%s|%s|%" PRId64, s->mesh, m->id,
	    m->pub, stamp);
	crypto_make_sig(raw, text, strlen(text), m->secret);
	crypto_hex(sig, raw, sizeof(raw));
	bench_mesh_key(s, i, key);
	buf_addf(out,
	    "{\"type\":\"hello\",\"meshId\":\"%s\",\"memberId\":\"%s\","
	    "\"pubkey\":\"%s\",\"sessionPubkey\":\"%s\",\"displayName\":"
	    "\"bench-%u\",\"sessionId\":\"%.8s-%u\",\"pid\":%d,\"cwd\":\"/\","
	    "\"timestamp\":%" PRId64 ",\"signature\":\"%s\"%s}",
	    s->mesh, m->id, m->pub, key, i, key, i, (int)getpid(), stamp, sig,
	    extra);
}

struct slice
bench_mesh_field(const char *p, size_t n, const char *key)
{
	size_t len = strlen(key);
	const char *end = p + n, *at = p, *close;

	for (; (at = memmem(at, (size_t)(end - at), key, len)) != NULL;
	     at += len)
		if (at > p && at[-1] == '"' && end - at > (ptrdiff_t)len + 3 &&
		    memcmp(at + len, "\":\"", 3) == 0) {
			at += len + 3;
			close = memchr(at, '"', (size_t)(end - at));
			return (struct slice){ at,
				(size_t)((close != NULL ? close : end) - at) };
		}
	return (struct slice){ NULL, 0 };
}

static bool
mesh_is(const char *p, size_t n, const char *start)
{
	return n > strlen(start) && memcmp(p, start, strlen(start)) == 0;
}

static void
mesh_prepare(struct bench_conn *c)
{
	char extra[128] = "";
	size_t n = 0;

	if (c->where->client_acks)
		n = (size_t)snprintf(
		    extra, sizeof(extra), ",\"capabilities\":[\"client_ack\"]");
	if (c->group >= 0)
		snprintf(extra + n, sizeof(extra) - n,
		    ",\"groups\":[{\"name\":\"g%d\"}]", c->group);
	buf_free(&c->login);
	buf_init(&c->login, 65536);
	bench_mesh_hello(&c->login, c->where->seed, c->number, extra);
}

static void
mesh_login(struct bench_conn *c)
{
	bench_conn_send(c, c->login.data, c->login.len);
	buf_free(&c->login);
}

static void
mesh_push(struct bench_conn *c, const char *p, size_t n)
{
	struct slice text, id;
	char ack[128];
	int len;

	/* Of peers that come and go nobody here wants to hear. */
	if (mesh_is(p, n, "{\"type\":\"push\",\"subtype\":\"system\""))
		return;
	text = bench_mesh_field(p, n, "ciphertext");
	if (text.p == NULL)
		return;
	if (c->where->client_acks) {
		id = bench_mesh_field(p, n, "messageId");
		len = snprintf(ack, sizeof(ack),
		    "{\"type\":\"client_ack\",\"brokerMessageId\":\"" SLICE_FMT
		    "\"}",
		    SLICE_ARG(id));
		bench_conn_send(c, ack, (size_t)len);
	}
	c->loop->calls->got(c, text.p, text.n);
}

static size_t
mesh_take(struct bench_conn *c, const char *p, size_t n)
{
	const struct bench_calls *calls = c->loop->calls;
	struct slice value;

	if (c->state == BENCH_LOGIN) {
		if (mesh_is(p, n, "{\"type\":\"hello_ack\""))
			bench_conn_opened(c);
		else
			calls->refused(c, p, n);
	} else if (mesh_is(p, n, "{\"type\":\"push\""))
		mesh_push(c, p, n);
	else if (mesh_is(p, n, "{\"type\":\"ack\"") ||
		 mesh_is(p, n, "{\"type\":\"state_result\""))
		calls->acked(c);
	else if (mesh_is(p, n, "{\"type\":\"state_change\"")) {
		value = bench_mesh_field(p, n, "value");
		if (value.p != NULL)
			calls->got(c, value.p, value.n);
	} else
		calls->refused(c, p, n);
	return n;
}

/* The key of the session that a message goes to: made once. */
static const char *
mesh_target(const struct bench_seed *s, unsigned to)
{
	static char(*keys)[BENCH_KEY_SIZE];
	static unsigned n;

	if (to >= n) {
		keys = xreallocarray(keys, 2 * (size_t)to + 64, sizeof(*keys));
		memset(keys + n, 0, (2 * (size_t)to + 64 - n) * sizeof(*keys));
		n = 2 * to + 64;
	}
	if (keys[to][0] == '\0')
		bench_mesh_key(s, to, keys[to]);
	return keys[to];
}

static void
mesh_publish(struct bench_conn *c, enum bench_kind kind, unsigned to,
    const char *payload, size_t n)
{
	struct buf b;

	buf_init(&b, BENCH_PAYLOAD_MAX + 1024);
	if (kind == BENCH_STATE)
		buf_addf(&b,
		    "{\"type\":\"set_state\",\"key\":\"bench-%u\","
		    "\"id\":\"1\",\"value\":\"",
		    to);
	else {
		buf_adds(&b, "{\"type\":\"send\",\"targetSpec\":\"");
		if (kind == BENCH_GROUP)
			buf_addf(&b, "@g%u", to);
		else
			buf_adds(&b, mesh_target(c->where->seed, to));
		buf_adds(&b, "\",\"priority\":\"now\",\"nonce\":\"n\","
			     "\"ciphertext\":\"");
	}
	buf_add(&b, payload, n);
	buf_adds(&b, "\"}");
	bench_conn_send(c, b.data, b.len);
	buf_free(&b);
}

const struct bench_dialect bench_mesh_dialect = {
	.name = "mesh",
	.acks = true,
	.states = true,
	.prepare = mesh_prepare,
	.login = mesh_login,
	.take = mesh_take,
	.publish = mesh_publish,
};
