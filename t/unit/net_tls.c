/* SPDX-License-Identifier: ISC */
/*
 * TLS connections, with a client in the same process whose bytes arrive as
 * the test wants: all sizes, byte by byte, not at all.
 */
#include <sys/ioctl.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "netrig.h"
#include "tap.h"

#define TLS_GOAL (16 * 1024) /* bytes of an idle connection, design.md */

struct tls_client {
	int fd;
	SSL *ssl;
	size_t step; /* bytes that go through at a time */
	char in[4 * 1024 * 1024];
	size_t n;
	bool eof; /* of the socket */
};

static struct pem {
	char chain[4096];
	char key[4096];
} pem;

static SSL_CTX *client_ctx;
static unsigned pause_after; /* messages */

/*
 * The server.
 */

static void
on_request(void *arg, struct conn *c, struct http_request *r)
{
	(void)arg;
	rig.conn = c;
	rig.requests++;
	if (r->upgrade && conn_upgrade(c, r) == 0)
		conn_trust(c);
	else
		conn_reply(c, 200, "text/plain", NULL, "hello", 5);
}

static void
on_message(void *arg, struct conn *c, enum ws_op op, const char *p, size_t n)
{
	struct frame *f = frame_ws(op, p, n);

	(void)arg;
	rig.messages++;
	(void)conn_send(c, f);
	frame_unref(f);
	if (pause_after > 0 && --pause_after == 0)
		conn_pause(c, true);
}

static void
on_written(void *arg, struct conn *c, uint64_t pos)
{
	(void)arg;
	(void)c;
	rig.written = pos;
}

static void
on_closed(void *arg, struct conn *c, enum net_end why, uint16_t code)
{
	(void)arg;
	if (c == rig.conn)
		rig.conn = NULL;
	rig.closed++;
	rig.why = why;
	rig.code = code;
}

static const struct net_handler handler = { .request = on_request,
	.message = on_message,
	.written = on_written,
	.closed = on_closed };

static void
make_pem(struct pem *p, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *chain = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	if (X509_sign(x, key, EVP_sha256()) == 0 ||
	    PEM_write_bio_X509(chain, x) != 1 ||
	    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) !=
		1)
		fatalx("no certificate");
	memset(p, 0, sizeof(*p));
	BIO_read(chain, p->chain, sizeof(p->chain) - 1);
	BIO_read(secret, p->key, sizeof(p->key) - 1);
	BIO_free(chain);
	BIO_free(secret);
	X509_free(x);
	EVP_PKEY_free(key);
}

static struct net_tls *
make_tls(const struct pem *p)
{
	struct net_tls_options o = { false, "ECDHE+AESGCM", 7200000 };
	struct net_tls *t = net_tls_new(&o);
	const char *wrong;

	wrong = net_tls_add(t, (struct slice){ p->chain, strlen(p->chain) },
	    (struct slice){ p->key, strlen(p->key) });
	if (wrong != NULL)
		fatalx("%s", wrong);
	return t;
}

static void
set_ticket(uint8_t byte, uint8_t older)
{
	struct net_tls_ticket k[2];

	memset(&k[0], byte, sizeof(k[0]));
	memset(&k[1], older, sizeof(k[1]));
	net_set_tickets(rig.net, k, 2);
}

static void
start(void)
{
	struct net_limits l = rig_limits();

	l.tls_ms = 5000;
	rig_start(&l, &handler);
	net_set_tls(rig.net, make_tls(&pem));
	set_ticket(1, 2);
}

/*
 * The client.
 */

static struct tls_client *
tls_connect(int version, size_t step)
{
	struct tls_client *c = xcalloc(1, sizeof(*c));
	struct net_addr a = rig_addr("192.0.2.1");
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		fds) == -1)
		fatal("socketpair");
	c->fd = fds[1];
	c->step = step;
	c->ssl = SSL_new(client_ctx);
	SSL_set_max_proto_version(c->ssl, version);
	SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(c->ssl);
	net_adopt(rig.net, fds[0], &a, true);
	return c;
}

static void
tls_free(struct tls_client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

/* Moves what there is between the client and the socket, a step each way;
 * false when there was nothing. */
static bool
tls_move(struct tls_client *c)
{
	static char b[65536];
	size_t step = c->step < sizeof(b) ? c->step : sizeof(b);
	BIO *out = SSL_get_wbio(c->ssl);
	bool moved = false;
	ssize_t r;
	char *p;

	if (BIO_ctrl_pending(out) > 0) {
		BIO_get_mem_data(out, &p);
		if (step > BIO_ctrl_pending(out))
			step = BIO_ctrl_pending(out);
		r = send(c->fd, p, step, MSG_NOSIGNAL);
		if (r > 0) {
			BIO_read(out, b, (int)r);
			moved = true;
		}
	}
	rig_turn();
	step = c->step < sizeof(b) ? c->step : sizeof(b);
	r = read(c->fd, b, step);
	if (r > 0) {
		BIO_write(SSL_get_rbio(c->ssl), b, (int)r);
		moved = true;
	}
	c->eof = c->eof || r == 0;
	return moved;
}

/* Until nothing moves any more; reads into in. */
static void
tls_run(struct tls_client *c)
{
	unsigned quiet = 0;
	int r;

	while (quiet < RIG_TURNS) {
		quiet = tls_move(c) ? 0 : quiet + 1;
		ERR_clear_error();
		if (!SSL_is_init_finished(c->ssl)) {
			(void)SSL_do_handshake(c->ssl);
			continue;
		}
		while ((r = SSL_read(c->ssl, c->in + c->n,
			    (int)(sizeof(c->in) - c->n))) > 0)
			c->n += (size_t)r;
	}
}

static void
tls_put(struct tls_client *c, const void *p, size_t n)
{
	if (SSL_write(c->ssl, p, (int)n) != (int)n)
		fatalx("SSL_write");
}

static void
tls_upgrade(struct tls_client *c)
{
	tls_run(c);
	tls_put(c, RIG_UPGRADE, sizeof(RIG_UPGRADE) - 1);
	tls_run(c);
	if (strncmp(c->in, "HTTP/1.1 101 ", 13) != 0)
		fatalx("no upgrade: %s", c->in);
	c->n = 0;
}

static void
tls_put_frame(struct tls_client *c, const char *p, size_t n)
{
	char *f = xmalloc(n + 14);

	tls_put(c, f, rig_frame(f, 0x82, p, n));
	free(f);
}

/* Payload of the server's frame at *at, which is moved behind it; {NULL, 0}
 * when it is not whole. */
static struct slice
next_frame(const struct tls_client *c, size_t *at, uint8_t *op)
{
	const uint8_t *p = (const uint8_t *)c->in + *at;
	size_t have = c->n - *at, head = 2, i;
	uint64_t n = have >= 2 ? p[1] : 0;

	if (have < 2)
		return (struct slice){ NULL, 0 };
	head += n == 126 ? 2 : n == 127 ? 8 : 0;
	if (have < head)
		return (struct slice){ NULL, 0 };
	for (i = 2, n = head > 2 ? 0 : n; i < head; i++)
		n = n << 8 | p[i];
	if (have < head + n)
		return (struct slice){ NULL, 0 };
	*op = p[0] & 0x0f;
	*at += head + n;
	return (struct slice){ (const char *)p + head, n };
}

static const struct {
	const char *name;
	int version;
	size_t step;
} kinds[] = {
	{ "TLS 1.3", TLS1_3_VERSION, SIZE_MAX },
	{ "TLS 1.2", TLS1_2_VERSION, SIZE_MAX },
	{ "TLS 1.3 byte by byte", TLS1_3_VERSION, 1 },
	{ "TLS 1.2 byte by byte", TLS1_2_VERSION, 1 },
	{ "TLS 1.3 in odd pieces", TLS1_3_VERSION, 4093 },
};

static const size_t sizes[] = { 0, 1, 125, 126, 16000, 16380, 16384, 16385,
	65536, 70000 };

static void
test_messages(void)
{
	struct tls_client *c;
	struct slice got;
	size_t k, i, at;
	uint8_t op = 0;
	char *p = xmalloc(70000);
	bool same;

	for (i = 0; i < 70000; i++)
		p[i] = (char)(i * 31 >> 3);
	for (k = 0; k < NELEM(kinds); k++) {
		start();
		c = tls_connect(kinds[k].version, kinds[k].step);
		tls_upgrade(c);
		is_int(rig.net->stats.tls[NET_TLS_OK], 1, "%s: handshake",
		    kinds[k].name);
		ok(conn_is_tls(rig.conn), "%s: is TLS", kinds[k].name);
		/* All at once: they wait in OpenSSL, in us, in the kernel. */
		for (i = 0; i < NELEM(sizes); i++)
			tls_put_frame(c, p, sizes[i]);
		tls_run(c);
		same = true;
		for (i = 0, at = 0; i < NELEM(sizes); i++) {
			got = next_frame(c, &at, &op);
			same = same && got.p != NULL && got.n == sizes[i] &&
			       memcmp(got.p, p, got.n) == 0;
		}
		ok(same && at == c->n, "%s: messages of all sizes come back",
		    kinds[k].name);
		tls_free(c);
		rig_turns();
		is_int(rig.closed, 1, "%s: the end is noticed", kinds[k].name);
		is_int(
		    rig.why, NET_END_PEER, "%s: as the peer's", kinds[k].name);
		rig_stop();
	}
	free(p);
}

/* What OpenSSL holds wakes no descriptor. */
static void
test_pause(void)
{
	struct tls_client *c;
	unsigned i;

	start();
	c = tls_connect(TLS1_3_VERSION, SIZE_MAX);
	tls_upgrade(c);
	pause_after = 1;
	for (i = 0; i < 100; i++)
		tls_put_frame(c, "x", 1);
	tls_run(c);
	is_int(rig.messages, 1, "a connection that is paused takes no more");
	conn_pause(rig.conn, false);
	tls_run(c);
	is_int(rig.messages, 100, "what had come before is taken afterwards");
	tls_free(c);
	rig_stop();
}

/* A peer that does not read gets whole frames and then a close frame: what
 * was encrypted already is not taken back. */
static void
test_slow(void)
{
	struct tls_client *c;
	struct frame *f;
	struct slice got;
	char *p = xmalloc(50000);
	uint8_t op = 0;
	size_t at, k, whole;

	memset(p, 'y', 50000);
	for (k = 0; k < NELEM(kinds); k++) {
		if (kinds[k].step == 1)
			continue;
		start();
		c = tls_connect(kinds[k].version, kinds[k].step);
		tls_upgrade(c);
		f = frame_ws(WS_BINARY, p, 50000);
		while (rig.conn->state == CONN_WS) {
			(void)conn_send(rig.conn, f);
			rig_turn();
		}
		frame_unref(f);
		tls_run(c);
		whole = 0;
		at = 0;
		while ((got = next_frame(c, &at, &op)).p != NULL &&
		       op == WS_BINARY)
			whole += got.n == 50000;
		ok(whole > 0, "%s: a slow peer: %zu whole frames",
		    kinds[k].name, whole);
		ok(op == WS_CLOSE && got.n >= 2 && at == c->n &&
			memcmp(got.p, "\x03\xf5", 2) == 0,
		    "%s: and then a close frame with 1013", kinds[k].name);
		tls_free(c);
		rig_stop();
	}
	free(p);
}

/* HTTP: an answer, and an end that cannot be mistaken for a cut. */
static void
test_end(void)
{
	static const char get[] =
	    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	struct tls_client *c;
	size_t k;

	for (k = 0; k < NELEM(kinds); k++) {
		start();
		c = tls_connect(kinds[k].version, kinds[k].step);
		tls_run(c);
		tls_put(c, get, sizeof(get) - 1);
		tls_run(c);
		ok(c->n > 5 && memcmp(c->in + c->n - 5, "hello", 5) == 0,
		    "%s: an answer", kinds[k].name);
		ok(SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN,
		    "%s: close_notify", kinds[k].name);
		ok(c->eof, "%s: and the end of the stream", kinds[k].name);
		SSL_shutdown(c->ssl);
		tls_run(c);
		tls_free(c);
		rig_turns();
		is_int(rig.closed, 1, "%s: all is over", kinds[k].name);
		rig_stop();
	}
}

static void
test_renegotiation(void)
{
	struct tls_client *c;

	start();
	c = tls_connect(TLS1_2_VERSION, SIZE_MAX);
	tls_upgrade(c);
	ok(SSL_renegotiate(c->ssl) == 1, "a client wants to renegotiate");
	(void)SSL_do_handshake(c->ssl);
	while (tls_move(c))
		continue;
	ERR_clear_error();
	ok(SSL_do_handshake(c->ssl) <= 0 &&
		ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION,
	    "and may not");
	is_int(rig.net->stats.tls[NET_TLS_OK], 1, "there was one handshake");
	tls_free(c);
	rig_stop();

	start();
	c = tls_connect(TLS1_3_VERSION, SIZE_MAX);
	tls_upgrade(c);
	ok(SSL_key_update(c->ssl, SSL_KEY_UPDATE_REQUESTED) == 1,
	    "new keys in TLS 1.3");
	tls_put_frame(c, "x", 1);
	tls_run(c);
	is_int(c->n, 3, "are no matter");
	tls_free(c);
	rig_stop();
}

/* Bytes from the client that the server did not read yet. */
static int
unread(void)
{
	int n;

	if (ioctl(event_get_fd(&rig.conn->ev), FIONREAD, &n) == -1)
		fatal("ioctl");
	return n;
}

/* Records without data, as many as the socket holds: one turn is not enough for
 * all of them, so others have theirs meanwhile. */
static void
test_no_data(void)
{
	struct tls_client *c;
	unsigned i, turns = 0;
	int before;

	start();
	c = tls_connect(TLS1_3_VERSION, SIZE_MAX);
	tls_upgrade(c);
	for (i = 0; i < 4000; i++) {
		if (SSL_key_update(c->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
		    SSL_do_handshake(c->ssl) != 1)
			fatalx("SSL_key_update");
	}
	tls_put_frame(c, "x", 1);
	(void)tls_move(c);
	before = unread();
	ok(before > 0, "a turn reads some of the records: %d bytes are left",
	    before);
	while (unread() > 0 && turns++ < 100)
		(void)tls_move(c);
	ok(turns > 1 && turns < 100, "all of them take %u turns", turns);
	tls_run(c);
	is_int(c->n, 3, "and what comes after them is answered");
	tls_free(c);
	rig_stop();
}

/* Certificates and keys change while handshakes are under way. */
static void
test_change(void)
{
	struct tls_client *c;
	struct pem other;
	size_t at;

	make_pem(&other, "other");
	for (at = 1; at < 5; at++) {
		start();
		c = tls_connect(TLS1_3_VERSION, 100 * at);
		(void)SSL_do_handshake(c->ssl);
		tls_move(c);
		net_set_tls(rig.net, make_tls(&other));
		set_ticket(3, 1);
		tls_upgrade(c);
		is_int(rig.net->stats.tls[NET_TLS_OK], 1,
		    "a change after %zu bytes: the handshake ends well",
		    100 * at);
		net_set_tls(rig.net, NULL);
		tls_put_frame(c, "x", 1);
		tls_run(c);
		is_int(c->n, 3, "and without certificates what is open stays");
		tls_free(c);
		rig_stop();
	}
	start();
	net_set_tls(rig.net, NULL);
	c = tls_connect(TLS1_3_VERSION, SIZE_MAX);
	tls_run(c);
	ok(c->eof, "without certificates nobody is let in");
	tls_free(c);
	rig_stop();
}

/* Tickets: keys of the server at the first and at the second connection. */
static void
test_tickets(void)
{
	static const struct {
		uint8_t first[2];
		uint8_t then[2];
		bool resumed;
	} rows[] = {
		{ { 1, 2 }, { 1, 2 }, true },
		{ { 1, 2 }, { 3, 1 }, true },
		{ { 1, 2 }, { 4, 3 }, false },
	};
	struct tls_client *c;
	SSL_SESSION *s;
	int version;
	size_t i;

	for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		for (i = 0; i < NELEM(rows); i++) {
			start();
			set_ticket(rows[i].first[0], rows[i].first[1]);
			c = tls_connect(version, SIZE_MAX);
			tls_run(c);
			s = SSL_get1_session(c->ssl);
			/* OpenSSL does not resume what was cut off. */
			(void)SSL_shutdown(c->ssl);
			tls_free(c);
			set_ticket(rows[i].then[0], rows[i].then[1]);
			c = tls_connect(version, SIZE_MAX);
			SSL_set_session(c->ssl, s);
			tls_run(c);
			is_int(SSL_session_reused(c->ssl), rows[i].resumed,
			    "TLS 1.%d: key %d, then %d and %d",
			    version == TLS1_2_VERSION ? 2 : 3, rows[i].first[0],
			    rows[i].then[0], rows[i].then[1]);
			is_int(rig.net->stats.tls_resumed, rows[i].resumed,
			    "counted");
			SSL_SESSION_free(s);
			tls_free(c);
			rig_stop();
		}
	}
}

/* User memory of an idle WebSocket, the client's not counted. */
static void
test_memory(void)
{
	enum {
		N = 64
	};
	struct tls_client *c;
	int fds[N];
	size_t before, each;
	int i;

	start();
	c = tls_connect(TLS1_3_VERSION, SIZE_MAX);
	tls_upgrade(c);
	before = mallinfo2().uordblks;
	if (before == 0) {
		ok(true, "# SKIP this allocator does not count");
	} else {
		for (i = 0; i < N; i++) {
			struct tls_client *t =
			    tls_connect(TLS1_3_VERSION, SIZE_MAX);

			tls_upgrade(t);
			tls_put_frame(t, "x", 1);
			tls_run(t);
			fds[i] = t->fd;
			SSL_free(t->ssl);
			free(t);
		}
		each = (mallinfo2().uordblks - before) / N;
		ok(each <= TLS_GOAL, "an idle connection takes %zu bytes",
		    each);
		for (i = 0; i < N; i++)
			close(fds[i]);
	}
	tls_free(c);
	rig_stop();
}

int
main(void)
{
	crypto_start();
	net_tls_start();
	log_set_level(LOG_ERROR);
	client_ctx = SSL_CTX_new(TLS_client_method());
	make_pem(&pem, "localhost");
	test_messages();
	test_pause();
	test_slow();
	test_end();
	test_renegotiation();
	test_no_data();
	test_change();
	test_tickets();
	test_memory();
	SSL_CTX_free(client_ctx);
	return tap_done();
}
