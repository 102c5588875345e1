/* SPDX-License-Identifier: ISC */
/*
 * The life of connections: output and its positions, readers that are slow,
 * pausing, ends from within every callback, limits, resets, and system calls
 * that fail or do little (linked with --wrap=recv and --wrap=sendmsg).
 */
#include <dirent.h>
#include <fcntl.h>

#include "netrig.h"
#include "tap.h"

#define M0 "\0\0\0\0"
#define TEXT_A "\x81\x81" M0 "a"

enum callback {
	REQUEST,
	UPGRADE,
	MESSAGE,
	WRITTEN,
	CLOSED,
	EVENTS
};

struct action {
	const char *name;
	void (*act)(struct conn *c);
};

/* The system calls: all is well, one byte at a time, or every third fails. */
static const struct fault {
	const char *name;
	size_t most;
	int error;
} faults[] = {
	{ "no faults", SIZE_MAX, 0 },
	{ "a byte at a time", 1, 0 },
	{ "seven bytes at a time", 7, 0 },
	{ "EINTR", SIZE_MAX, EINTR },
	{ "EAGAIN", SIZE_MAX, EAGAIN },
	{ "EAGAIN, a byte at a time", 1, EAGAIN },
};
static const struct fault *fault = &faults[0];
static unsigned calls;

static const struct action *planned; /* what a callback does ... */
static enum callback planned_at;     /* ... and which */
static bool echo = true;
static char seen[64 * 1024]; /* messages, in order */
static size_t seen_n;

ssize_t __real_recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

static bool
fails(void)
{
	if (fault->error == 0 || ++calls % 3 != 0)
		return false;
	errno = fault->error;
	return true;
}

ssize_t
__wrap_recv(int fd, void *p, size_t n, int flags)
{
	if (fails())
		return -1;
	return __real_recv(fd, p, n < fault->most ? n : fault->most, flags);
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct msghdr little = *m;
	struct iovec iov = m->msg_iov[0];

	if (fails())
		return -1;
	if (fault->most == SIZE_MAX)
		return __real_sendmsg(fd, m, flags);
	if (iov.iov_len > fault->most)
		iov.iov_len = fault->most;
	little.msg_iov = &iov;
	little.msg_iovlen = 1;
	return __real_sendmsg(fd, &little, flags);
}

static void
act(enum callback e, struct conn *c)
{
	if (planned != NULL && planned_at == e)
		planned->act(c);
}

static void
send_text(struct conn *c, const char *s)
{
	struct frame *f = frame_ws(WS_TEXT, s, strlen(s));

	conn_send(c, f);
	frame_unref(f);
}

static void
on_request(void *arg, struct conn *c, struct http_request *r)
{
	struct rig *g = arg;

	g->requests++;
	g->conn = c;
	act(REQUEST, c);
	if (r->upgrade) {
		if (conn_upgrade(c, r) == 0)
			act(UPGRADE, c);
	} else {
		conn_reply(c, 200, "text/plain", NULL, "hello", 5);
	}
}

static void
on_message(void *arg, struct conn *c, enum ws_op op, const char *p, size_t n)
{
	struct rig *g = arg;
	struct frame *f;

	g->messages++;
	if (seen_n + n < sizeof(seen)) {
		memcpy(seen + seen_n, p, n);
		seen_n += n;
	}
	act(MESSAGE, c);
	if (echo) {
		f = frame_ws(op, p, n);
		conn_send(c, f);
		frame_unref(f);
	}
}

static void
on_written(void *arg, struct conn *c, uint64_t pos)
{
	struct rig *g = arg;

	g->writtens++;
	g->written = pos;
	act(WRITTEN, c);
}

static void
on_closed(void *arg, struct conn *c, enum net_end why, uint16_t code)
{
	struct rig *g = arg;

	act(CLOSED, c);
	if (g->conn == c)
		g->conn = NULL;
	g->closed++;
	g->why = why;
	g->code = code;
}

static const struct net_handler handler = { .request = on_request,
	.message = on_message,
	.written = on_written,
	.closed = on_closed };

static size_t
bytes_of(const struct conn *c)
{
	return c->out != NULL ? c->out->bytes : 0;
}

static void
test_output(void)
{
	struct frame *f = frame_ws(WS_TEXT, "12345678", 8);
	uint64_t writes, start, pos = 0;
	int fd = rig_upgrade(), i;

	conn_want_written(rig.conn, true);
	start = conn_written(rig.conn);
	writes = net_stats(rig.net)->writes;
	rig.writtens = 0;
	for (i = 0; i < 60; i++)
		pos = conn_send(rig.conn, f);
	is_int(pos, start + 600, "conn_send() gives the position of the end");
	is_int(conn_written(rig.conn), start, "nothing is written yet");
	rig_turn();
	is_int(net_stats(rig.net)->writes, writes + 1,
	    "60 frames of a turn are one write");
	is_int(rig.written, pos, "written() has the same position");
	is_int(rig.writtens, 1, "once");
	ok(rig.conn->out == NULL, "and the queue is gone");
	rig_turns();
	is_int(rig.writtens, 1, "no news, no call");
	conn_want_written(rig.conn, false);
	for (i = 0; i < 1000; i++)
		pos = conn_send(rig.conn, f);
	rig_read(fd);
	is_int(rig.n, 10600, "1000 frames in one turn arrive");
	ok(memcmp(rig.out + 10590,
	       "\x81\x08"
	       "12345678",
	       10) == 0,
	    "as they were sent");
	is_int(conn_written(rig.conn), pos, "and are counted");
	is_int(rig.writtens, 1, "to nobody who does not want it");
	is_int(f->refs, 1, "and no connection holds them");
	frame_unref(f);
	close(fd);
	rig_turns();
}

/* Written means: in the hands of the kernel, no byte more. */
static void
test_positions(void)
{
	struct frame *f = frame_ws(WS_BINARY, rig.out, 100000);
	uint64_t last, sum = 0, start;
	bool rising = true;
	int fd = rig_upgrade(), i;

	conn_want_written(rig.conn, true);
	start = last = rig.conn->written;
	rig.written = 0;
	for (i = 0; i < 8; i++)
		conn_send(rig.conn, f);
	rig_turns();
	ok(rig.written > start && rig.written < start + 8 * (uint64_t)f->len,
	    "a full socket takes a part");
	while (sum < 8 * (uint64_t)f->len) {
		rig.n = 0;
		rig_read(fd);
		if (rig.n == 0)
			break;
		sum += rig.n;
		if (rig.written < last || rig.written - start < sum)
			rising = false;
		last = rig.written;
	}
	ok(rising, "positions rise, and are never behind the reader");
	is_int(rig.written, start + 8 * (uint64_t)f->len, "to the end");
	is_int(sum, 8 * (uint64_t)f->len, "all bytes arrive");
	frame_unref(f);
	close(fd);
	rig_turns();
}

static void
test_slow(void)
{
	struct frame *big = frame_ws(WS_BINARY, rig.out, 100000);
	struct net_limits l = rig_limits();
	uint64_t stands;
	int fd, i;

	l.output = 500000;
	net_set_limits(rig.net, &l);
	fd = rig_upgrade();
	rig.closed = 0;
	rig.written = 0;
	conn_want_written(rig.conn, true);
	for (i = 0; i < 100 && rig.conn->state == CONN_WS; i++) {
		conn_send(rig.conn, big);
		ok(bytes_of(rig.conn) <= l.output, "within the limit after %d",
		    i);
		rig_turn();
	}
	stands = rig.written;
	ok(bytes_of(rig.conn) < big->len + 100,
	    "past the limit only a frame begun and a close frame are kept");
	is_int(
	    big->refs, rig.conn->out->sent > 0 ? 2 : 1, "the rest is let go");
	rig.n = 0;
	rig_read(fd);
	is_int(rig.written, stands, "what was dropped never counts as written");
	ok(rig.n > 12 && memcmp(rig.out + rig.n - 12,
			     "\x88\x0a\x03\xf5too slow", 12) == 0,
	    "who reads at last is told 1013");
	close(fd);
	rig_turns();
	is_str(net_end_name(rig.why), "SLOW", "it ends as SLOW");
	is_int(rig.code, 1013, "with 1013");

	l.output = 150000;
	net_set_limits(rig.net, &l);
	fd = rig_upgrade();
	/* As much as anybody may ask for; only root may have more. */
	setsockopt(event_get_fd(&rig.conn->ev), SOL_SOCKET, SO_SNDBUF,
	    &(int){ 4 * 1024 * 1024 }, sizeof(int));
	for (i = 0; i < 3; i++)
		conn_send(rig.conn, big);
	is_int(rig.conn->state, CONN_WS,
	    "what the kernel takes counts for nobody");
	rig_turn();
	close(fd);
	rig_turns();

	l.output = 1000;
	net_set_limits(rig.net, &l);
	fd = rig_upgrade();
	conn_send(rig.conn, big);
	rig_turn();
	is_int(rig.conn != NULL && rig.conn->state == CONN_WS, 1,
	    "one frame over the limit always has room");
	close(fd);
	rig_turns();
	frame_unref(big);
	net_set_limits(rig.net, &rig.limits);
}

static void
test_pause(void)
{
	char burst[10 * 7];
	int fd = rig_upgrade(), i;

	for (i = 0; i < 10; i++) {
		memcpy(burst + 7 * i, "\x81\x81" M0, 6);
		burst[7 * i + 6] = (char)('0' + i);
	}
	seen_n = rig.messages = 0;
	conn_pause(rig.conn, true);
	rig_write(fd, burst, sizeof(burst));
	is_int(rig.messages, 0, "paused: nothing is read");
	conn_pause(rig.conn, false);
	rig_turns();
	is_int(rig.messages, 10, "resumed: all is");
	is_int(rig.net->ws_lent, 0, "and no reader kept");
	close(fd);
	rig_turns();
}

static void
act_pause(struct conn *c)
{
	conn_pause(c, true);
}

static const struct action pausing = { "pause", act_pause };

/* Paused by each message: exactly one per resumption, in order. */
static void
test_pause_in_message(size_t cut)
{
	char burst[10 * 7];
	bool single = true;
	int fd = rig_upgrade(), i;

	for (i = 0; i < 10; i++) {
		memcpy(burst + 7 * i, "\x81\x81" M0, 6);
		burst[7 * i + 6] = (char)('0' + i);
	}
	planned = &pausing;
	planned_at = MESSAGE;
	seen_n = rig.messages = 0;
	rig_write(fd, burst, cut);
	rig_write(fd, burst + cut, sizeof(burst) - cut);
	for (i = 1; i <= 10; i++) {
		single = single && rig.messages == (unsigned)i;
		conn_pause(rig.conn, false);
		rig_turns();
	}
	ok(single, "one message per resumption, cut at %zu", cut);
	ok(seen_n == 10 && memcmp(seen, "0123456789", 10) == 0,
	    "none lost, in order");
	planned = NULL;
	is_int(rig.net->ws_lent, 0, "no reader kept");
	ok(rig.conn->in == NULL, "no input kept");
	close(fd);
	rig_turns();
}

static void
act_close(struct conn *c)
{
	conn_close(c, NET_END_REFUSED, 4000, "no");
}

static void
act_close_twice(struct conn *c)
{
	conn_close(c, NET_END_REFUSED, 4000, "no");
	conn_close(c, NET_END_REFUSED, 4001, "no");
	conn_drop(c, NET_END_REFUSED);
	conn_close(c, NET_END_REFUSED, 4002, "no");
}

static void
act_drop(struct conn *c)
{
	conn_drop(c, NET_END_REFUSED);
}

static void
act_send_drop(struct conn *c)
{
	send_text(c, "x");
	conn_drop(c, NET_END_REFUSED);
	send_text(c, "y");
	conn_reply(c, 200, NULL, NULL, NULL, 0);
	conn_pause(c, true);
	conn_pause(c, false);
	conn_trust(c);
	conn_want_written(c, true);
}

static void
act_send_close(struct conn *c)
{
	send_text(c, "x");
	conn_close(c, NET_END_REFUSED, 4000, "no");
	send_text(c, "y");
}

static void
act_reply_drop(struct conn *c)
{
	conn_reply(c, 200, NULL, NULL, NULL, 0);
	conn_drop(c, NET_END_REFUSED);
}

static void
drop_each(void *arg, struct conn *c)
{
	(void)arg;
	conn_drop(c, NET_END_SHUTDOWN);
}

static void
act_drop_all(struct conn *c)
{
	net_each(c->net, drop_each, NULL);
}

static void
close_each(void *arg, struct conn *c)
{
	(void)arg;
	conn_close(c, NET_END_SHUTDOWN, 1001, NULL);
}

static void
act_close_all(struct conn *c)
{
	net_each(c->net, close_each, NULL);
}

static void
act_pause_close(struct conn *c)
{
	conn_pause(c, true);
	conn_close(c, NET_END_REFUSED, 4000, "no");
}

/* Whatever a callback does to whichever connection: every connection gets
 * exactly one closed(), its memory goes, the others live. */
static void
test_ends_in_callbacks(void)
{
	static const struct action actions[] = {
		{ "close", act_close },
		{ "close twice and drop", act_close_twice },
		{ "drop", act_drop },
		{ "send, drop, and go on", act_send_drop },
		{ "send, close, send", act_send_close },
		{ "reply and drop", act_reply_drop },
		{ "drop all", act_drop_all },
		{ "close all", act_close_all },
		{ "pause and close", act_pause_close },
		{ "pause", act_pause },
	};
	static const char *const names[EVENTS] = { "request", "upgrade",
		"message", "written", "closed" };
	unsigned opened;
	size_t i;
	int e, a, b;

	for (e = 0; e < EVENTS; e++) {
		for (i = 0; i < NELEM(actions); i++) {
			planned = NULL;
			rig.closed = 0;
			opened = (unsigned)net_stats(rig.net)->opened;
			b = rig_upgrade();
			conn_want_written(rig.conn, true);
			planned = &actions[i];
			planned_at = (enum callback)e;
			a = rig_connect();
			rig_write(a, RIG_UPGRADE TEXT_A TEXT_A "\x81\x85" M0,
			    sizeof(RIG_UPGRADE) - 1 + 20);
			rig_write(b, TEXT_A "\x01\x81" M0 "x", 14);
			rig_turns();
			close(a);
			close(b);
			rig_turns();
			if (rig.closed < 2)
				net_each(rig.net, drop_each, NULL);
			rig_turns();
			opened = (unsigned)net_stats(rig.net)->opened - opened;
			ok(rig.closed == opened && net_count(rig.net) == 0 &&
				rig.net->ws_lent == 0,
			    "%s in %s()", actions[i].name, names[e]);
		}
	}
	planned = NULL;
}

static void
test_limits(void)
{
	static const struct {
		const char *name;
		const char *first;
		const char *second;
		bool same;
	} cases[] = {
		{ "an IPv4 address", "192.0.2.1", "192.0.2.1", true },
		{ "two IPv4 addresses", "192.0.2.1", "192.0.2.2", false },
		{ "IPv4 and the same mapped", "192.0.2.1", "::ffff:192.0.2.1",
		    true },
		{ "an IPv6 address", "2001:db8::1", "2001:db8::1", true },
		{ "a /64", "2001:db8::1", "2001:db8::2", true },
		{ "two /64", "2001:db8::1", "2001:db8:0:1::1", false },
	};
	struct net_limits l = rig_limits();
	size_t i;
	int one, two, three;

	l.per_addr = 1;
	l.conns = 2;
	net_set_limits(rig.net, &l);
	for (i = 0; i < NELEM(cases); i++) {
		one = rig_connect_from(cases[i].first);
		two = rig_connect_from(cases[i].second);
		is_int(net_count(rig.net), cases[i].same ? 1 : 2, "%s: counted",
		    cases[i].name);
		rig.n = 0;
		is_int(
		    rig_read(two), cases[i].same, "%s: let in", cases[i].name);
		is_int(strncmp(rig.out, "HTTP/1.1 503 ", 13) == 0,
		    cases[i].same, "%s: told", cases[i].name);
		close(one);
		close(two);
		rig_turns();
	}
	one = rig_connect_from("192.0.2.1");
	two = rig_connect_from("192.0.2.2");
	rig.closed = 0;
	three = rig_connect_from("192.0.2.3");
	rig.n = 0;
	ok(rig_read(three), "one too many in all is turned away");
	ok(strstr(rig.out, "\r\nRetry-After: ") != NULL, "with a time to wait");
	ok(strstr(rig.out, "\r\n\r\n") != NULL &&
		(size_t)atoll(strstr(rig.out, "Content-Length: ") + 16) ==
		    strlen(strstr(rig.out, "\r\n\r\n") + 4),
	    "and a body of the length it says");
	is_int(rig.closed, 0, "the layer above never hears of it");
	ok(net_stats(rig.net)->ended[NET_END_LIMIT] > 0, "it is counted");
	close(two);
	rig_turns();
	close(three);
	three = rig_connect_from("192.0.2.3");
	is_int(net_count(rig.net), 2, "who leaves makes room");
	close(one);
	close(three);
	rig_turns();
	is_int(rig.net->peers.count, 0, "addresses are forgotten");
	net_set_limits(rig.net, &rig.limits);
}

static void
test_peer(void)
{
	static const char *const ips[] = { "192.0.2.7", "2001:db8::7" };
	static const char *const prints[] = { "192.0.2.7:4000",
		"[2001:db8::7]:4000" };
	char out[NET_ADDR_LEN];
	struct net_addr a;
	int fd, fds[2];
	size_t i;

	for (i = 0; i < NELEM(ips); i++) {
		fd = rig_connect_from(ips[i]);
		rig_puts(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		net_addr_print(conn_peer(rig.conn), out);
		is_str(out, prints[i], "the peer's address");
		close(fd);
		rig_turns();
	}
	memset(&a, 0, sizeof(a));
	a.ss.ss_family = AF_UNIX;
	a.len = sizeof(sa_family_t);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		fatal("socketpair");
	net_adopt(rig.net, fds[0], &a, false);
	rig_puts(fds[1], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	ok(net_addr_is_loopback(conn_peer(rig.conn)), "a unix socket is local");
	conn_set_data(rig.conn, out);
	ok(conn_data(rig.conn) == out, "the caller's pointer is kept");
	ok(!conn_is_ws(rig.conn), "it is no WebSocket");
	close(fds[1]);
	rig_turns();
	fd = rig_upgrade();
	ok(conn_is_ws(rig.conn), "after the upgrade it is");
	close(fd);
	rig_turns();
}

static unsigned
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

/* A TCP connection that the net owns, and its client's end. */
static int
tcp_connect(int listener, const struct net_addr *a)
{
	struct net_addr peer;
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	peer.len = sizeof(peer.ss);
	if (connect(client, (const struct sockaddr *)&a->ss, a->len) == -1)
		fatal("connect");
	do {
		fd = accept(listener, (struct sockaddr *)&peer.ss, &peer.len);
	} while (fd == -1 && errno == EAGAIN);
	net_adopt(rig.net, fd, &peer, false);
	(void)fcntl(client, F_SETFL, O_NONBLOCK);
	return client;
}

/* A reset at any moment costs a connection and nothing else. */
static void
test_resets(void)
{
	static const struct {
		const char *name;
		const char *send;
		size_t n;
		bool fill;
	} cases[] = {
		{ "at once", "", 0, false },
		{ "in a head", "GET / HT", 8, false },
		{ "after a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27,
		    false },
		{ "after an upgrade", RIG_UPGRADE, sizeof(RIG_UPGRADE) - 1,
		    false },
		{ "in a frame", RIG_UPGRADE "\x81\x85", sizeof(RIG_UPGRADE) + 1,
		    false },
		{ "in a message", RIG_UPGRADE "\x01\x81" M0 "a",
		    sizeof(RIG_UPGRADE) - 1 + 7, false },
		{ "while output waits", RIG_UPGRADE, sizeof(RIG_UPGRADE) - 1,
		    true },
	};
	struct linger reset = { 1, 0 };
	struct net_addr a;
	unsigned files, i, turn, lost = 0;
	int listener, client;
	size_t k;

	if (net_addr_parse("127.0.0.1:0", &a) != NULL ||
	    (listener = net_listen(&a, 16)) == -1)
		fatal("net_listen");
	files = open_files();
	for (k = 0; k < NELEM(cases); k++) {
		for (i = 0; i < 200; i++) {
			rig.closed = 0;
			client = tcp_connect(listener, &a);
			rig_write(client, cases[k].send, cases[k].n);
			for (turn = 0;
			     cases[k].fill && turn < 100 && rig.conn != NULL &&
			     rig.conn->out == NULL;
			     turn++) {
				struct frame *f =
				    frame_ws(WS_BINARY, rig.out, 500000);

				conn_send(rig.conn, f);
				frame_unref(f);
				rig_turn();
			}
			if (i % 2 == 0)
				setsockopt(client, SOL_SOCKET, SO_LINGER,
				    &reset, sizeof(reset));
			close(client);
			for (turn = 0; turn < 100000 && rig.closed == 0; turn++)
				rig_turn();
			lost += rig.closed != 1;
		}
		is_int(lost, 0, "200 resets and closes %s", cases[k].name);
	}
	is_int(open_files(), files, "no descriptor is left");
	is_int(net_count(rig.net), 0, "no connection is left");
	close(listener);
}

/* A fast peer gets its share of a turn and no more. */
static void
test_fairness(void)
{
	static char block[4 * 1024 * 1024];
	int size = sizeof(block), fd, other;
	uint64_t before, in;
	ssize_t sent;
	size_t k;

	echo = false;
	fd = rig_upgrade();
	other = rig_upgrade();
	for (k = 0; k + 1006 + 8 < sizeof(block); k += 1008)
		memcpy(block + k, "\x82\xfe\x03\xe8" M0, 8);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	sent = send(fd, block, sizeof(block) / 1008 * 1008, MSG_NOSIGNAL);
	(void)!send(other, TEXT_A, 7, MSG_NOSIGNAL);
	before = net_stats(rig.net)->bytes_in;
	rig_turn();
	in = net_stats(rig.net)->bytes_in - before;
	ok(sent > NET_READ_BUDGET * 5 / 4, "%zd bytes are there at once", sent);
	ok(in <= NET_READ_BUDGET + 7, "a turn takes %" PRIu64 " of them", in);
	ok(seen_n > 0, "and the others are read too");
	close(fd);
	close(other);
	rig_turns();
	echo = true;
}

/* The same session under every fault has the same result. */
static void
test_faults(void)
{
	static char payload[3000], frames[4][3100], want[16384];
	size_t len[4], want_n = 0, i, k;
	struct frame *f;
	unsigned turn;
	int fd;

	for (i = 0; i < sizeof(payload); i++)
		payload[i] = (char)('a' + i % 26);
	for (i = 0; i < 4; i++) {
		len[i] = rig_frame(frames[i], 0x82, payload, 100 + 900 * i);
		f = frame_ws(WS_BINARY, payload, 100 + 900 * i);
		memcpy(want + want_n, f->data, f->len);
		want_n += f->len;
		frame_unref(f);
	}
	memcpy(want + want_n, "\x88\x02\x03\xe8", 4);
	want_n += 4;
	for (k = 0; k < NELEM(faults); k++) {
		fault = &faults[0];
		fd = rig_upgrade();
		conn_trust(rig.conn);
		rig.closed = 0;
		fault = &faults[k];
		for (i = 0; i < 4; i++)
			(void)!send(fd, frames[i], len[i], MSG_NOSIGNAL);
		(void)!send(fd, "\x88\x82" M0 "\x03\xe8", 8, MSG_NOSIGNAL);
		rig.n = 0;
		for (turn = 0; turn < 100000 && rig.closed == 0; turn++)
			rig_read(fd);
		ok(rig.n == want_n && memcmp(rig.out, want, want_n) == 0,
		    "%s: the same bytes", faults[k].name);
		is_int(rig.code, 1000, "%s: the same end", faults[k].name);
		close(fd);
		rig_turns();
	}
	fault = &faults[0];
}

static void
test_free(void)
{
	int fds[5], i;

	rig.closed = 0;
	for (i = 0; i < 3; i++)
		fds[i] = rig_upgrade();
	send_text(rig.conn, "never");
	fds[3] = rig_connect();
	rig_puts(fds[3], "GET / HT");
	fds[4] = rig_upgrade();
	rig_write(fds[4], "\x81\x85", 2);
	rig_stop();
	is_int(rig.closed, 5, "net_free() ends every connection");
	is_int(rig.why, NET_END_SHUTDOWN, "as SHUTDOWN");
	for (i = 0; i < 5; i++)
		close(fds[i]);
}

int
main(void)
{
	struct net_limits l = rig_limits();
	size_t cut;

	crypto_start();
	rig_start(&l, &handler);
	test_output();
	test_positions();
	test_slow();
	test_pause();
	for (cut = 7; cut < 28; cut += 4)
		test_pause_in_message(cut);
	test_ends_in_callbacks();
	test_limits();
	test_peer();
	test_resets();
	test_fairness();
	test_faults();
	test_free();
	return tap_done();
}
