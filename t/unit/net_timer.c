/* SPDX-License-Identifier: ISC */
/*
 * Deadlines, with a clock that the test moves second by second (linked with
 * --wrap=clock_mono).
 */
#include "netrig.h"
#include "tap.h"

static int64_t now_ms = 1000000;
static bool answer = true; /* requests, or let them wait */

int64_t __wrap_clock_mono(void);

int64_t
__wrap_clock_mono(void)
{
	return now_ms;
}

static void
on_request(void *arg, struct conn *c, struct http_request *r)
{
	struct rig *g = arg;

	g->requests++;
	g->conn = c;
	if (r->upgrade)
		(void)!conn_upgrade(c, r);
	else if (answer)
		conn_reply(c, 200, NULL, NULL, NULL, 0);
}

static void
on_message(void *arg, struct conn *c, enum ws_op op, const char *p, size_t n)
{
	struct rig *g = arg;

	(void)c;
	(void)op;
	(void)p;
	(void)n;
	g->messages++;
}

static void
on_written(void *arg, struct conn *c, uint64_t pos)
{
	(void)arg;
	(void)c;
	(void)pos;
}

static void
on_closed(void *arg, struct conn *c, enum net_end why, uint16_t code)
{
	struct rig *g = arg;

	(void)c;
	g->conn = NULL;
	g->closed++;
	g->why = why;
	g->code = code;
}

static const struct net_handler handler = { .request = on_request,
	.message = on_message,
	.written = on_written,
	.closed = on_closed };

static void
pass(unsigned seconds)
{
	for (; seconds > 0; seconds--) {
		now_ms += 1000;
		net_tick(rig.net);
		rig_turns();
	}
}

/* Passes time until the connection ends; the seconds, or -1 after 300. */
static int
pass_until_closed(void)
{
	unsigned before = rig.closed;
	int s;

	for (s = 0; s < 300; s++) {
		if (rig.closed > before)
			return s;
		pass(1);
	}
	return -1;
}

static void
begin_trusted(int fd)
{
	(void)fd;
	conn_trust(rig.conn);
}

static void
begin_fill(int fd)
{
	struct frame *f = frame_ws(WS_BINARY, rig.out, 300000);

	begin_trusted(fd);
	conn_send(rig.conn, f);
	frame_unref(f);
	rig_turns();
}

static void
begin_close(int fd)
{
	begin_trusted(fd);
	conn_close(rig.conn, NET_END_SHUTDOWN, 1001, "bye");
	rig_turns();
}

static void
begin_pause(int fd)
{
	begin_trusted(fd);
	conn_pause(rig.conn, true);
}

static void
begin_violation(int fd)
{
	rig_write(fd, "\xff\xff", 2);
	rig_write(fd, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
}

/* What the peer sent and did, and when it is ended for what.  Limits are
 * those of rig_limits(): head 10 s, hello 5, message 20, ping 30, dead 45,
 * write 10, keep 60, and 2 s for the last words. */
static const struct {
	const char *name;
	bool ws;
	const char *send;
	size_t n;
	void (*begin)(int fd);
	bool later;  /* the handler does not answer */
	int seconds; /* -1: never */
	enum net_end why;
	const char *says; /* what the peer reads begins with this */
} rows[] = {
#define SEND(s) s, sizeof(s) - 1
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
	{ "HTTP: nothing sent", false, SEND(""), NULL, false, 10,
	    NET_END_TIMEOUT, "" },
	{ "HTTP: half a head", false, SEND(GET), NULL, false, 12,
	    NET_END_TIMEOUT, "HTTP/1.1 408 " },
	{ "HTTP: half a body", false, SEND(GET "Content-Length: 9\r\n\r\nhalf"),
	    NULL, false, 12, NET_END_TIMEOUT, "HTTP/1.1 408 " },
	{ "HTTP: idle after a reply", false, SEND(GET "\r\n"), NULL, false, 60,
	    NET_END_DONE, "HTTP/1.1 200 " },
	{ "HTTP: half of a second request", false, SEND(GET "\r\nGET"), NULL,
	    false, 12, NET_END_TIMEOUT, "HTTP/1.1 200 " },
	{ "HTTP: an answer may take long", false, SEND(GET "\r\n"), NULL, true,
	    -1, 0, "" },
	{ "WS: no hello", true, SEND(""), NULL, false, 7, NET_END_TIMEOUT,
	    "\x88\x12\x03\xf0no hello in time" },
	{ "WS: hello wants trust, not words", true, SEND("\x81\x81\0\0\0\0a"),
	    NULL, false, 7, NET_END_TIMEOUT,
	    "\x88\x12\x03\xf0no hello in time" },
	{ "WS: silent, asked, gone", true, SEND(""), begin_trusted, false, 45,
	    NET_END_SILENT, "\x89" },
	{ "WS: half a header", true, SEND("\x81"), begin_trusted, false, 22,
	    NET_END_TIMEOUT, "\x88\x1e\x03\xf0message not complete" },
	{ "WS: half a frame", true, SEND("\x81\x82\0\0\0\0a"), begin_trusted,
	    false, 22, NET_END_TIMEOUT,
	    "\x88\x1e\x03\xf0message not complete" },
	{ "WS: half a message", true, SEND("\x01\x81\0\0\0\0a"), begin_trusted,
	    false, 22, NET_END_TIMEOUT,
	    "\x88\x1e\x03\xf0message not complete" },
	{ "WS: does not read", true, SEND(""), begin_fill, false, 10,
	    NET_END_SLOW, "\x82\x7f" },
	{ "WS: does not answer a close", true, SEND(""), begin_close, false, 2,
	    NET_END_SHUTDOWN, "\x88\x05\x03\xe9" },
	{ "WS: does not leave after a violation", true, SEND(""),
	    begin_violation, false, 2, NET_END_PROTOCOL, "\x88" },
	{ "WS: nobody listens to it", true, SEND(""), begin_pause, false, -1, 0,
	    "" },
	{ "HTTP: does not leave after an error", false, SEND("GET\r\n\r\n"),
	    NULL, false, 2, NET_END_PROTOCOL, "HTTP/1.1 400 " },
#undef GET
#undef SEND
};

static void
test_rows(void)
{
	size_t i;
	int fd, s;

	for (i = 0; i < NELEM(rows); i++) {
		rig.n = 0;
		answer = !rows[i].later;
		fd = rows[i].ws ? rig_upgrade() : rig_connect();
		rig_write(fd, rows[i].send, rows[i].n);
		if (rows[i].begin != NULL)
			rows[i].begin(fd);
		s = pass_until_closed();
		/* A tick may come up to a second late. */
		ok(s == rows[i].seconds || (s > 0 && s == rows[i].seconds + 1),
		    "%s: after %d s", rows[i].name, rows[i].seconds);
		if (s != rows[i].seconds && s != rows[i].seconds + 1)
			printf("# it took %d\n", s);
		if (s >= 0) {
			is_str(net_end_name(rig.why), net_end_name(rows[i].why),
			    "%s: reason", rows[i].name);
			rig_read(fd);
			ok(strncmp(rig.out, rows[i].says,
			       strlen(rows[i].says)) == 0,
			    "%s: last words", rows[i].name);
		}
		close(fd);
		if (s < 0 && rig.conn != NULL)
			conn_drop(rig.conn, NET_END_PEER);
		rig_turns();
		is_int(net_count(rig.net), 0, "%s: it is gone", rows[i].name);
	}
	answer = true;
}

/* One byte now and then is no excuse. */
static void
test_trickle(void)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Long: aaaa";
	size_t i;
	int fd = rig_connect();

	for (i = 0; i < sizeof(head) - 1 && rig.conn == NULL; i++) {
		rig_write(fd, head + i, 1);
		pass(1);
		rig.n = 0;
		rig_read(fd);
		if (rig.n > 0)
			break;
	}
	ok(i >= 9 && i <= 11, "a head that trickles in has %zu s", i);
	ok(strncmp(rig.out, "HTTP/1.1 408 ", 13) == 0, "and gets a 408");
	close(fd);
	rig_turns();

	fd = rig_upgrade();
	conn_trust(rig.conn);
	rig_write(fd, "\x01\x80\0\0\0\0", 6);
	for (i = 0; i < 60; i++) {
		rig_write(fd, "\x89\x80\0\0\0\0\x00\x81\0\0\0\0x", 13);
		pass(1);
		rig.n = 0;
		rig_read(fd);
		if (rig.n > 2)
			break;
	}
	ok(i >= 19 && i <= 21, "a message that trickles in has %zu s", i);
	close(fd);
	rig_turns();
}

/* Who says something now and then, or answers pings, stays. */
static void
test_alive(void)
{
	unsigned pings = 0, i, closed = rig.closed;
	int fd = rig_upgrade();

	conn_trust(rig.conn);
	for (i = 0; i < 600; i++) {
		pass(1);
		rig.n = 0;
		rig_read(fd);
		if (rig.n == 2 && memcmp(rig.out, "\x89\x00", 2) == 0) {
			pings++;
			rig_write(fd, "\x8a\x80\0\0\0\0", 6);
		}
	}
	is_int(rig.closed, closed, "ten minutes of pongs");
	ok(pings >= 18 && pings <= 20, "took %u pings", pings);
	for (i = 0; i < 20; i++) {
		pass(20);
		rig_write(fd, "\x81\x81\0\0\0\0a", 7);
	}
	rig.n = 0;
	rig_read(fd);
	is_int(rig.n, 0, "who talks is not pinged");
	conn_pause(rig.conn, true);
	pass(200);
	conn_pause(rig.conn, false);
	pass(20);
	is_int(rig.closed, closed,
	    "time in which nobody listened is not "
	    "silence");
	close(fd);
	rig_turns();
}

/* After a stop of an hour all deadlines are due at the next tick. */
static void
test_long_stop(void)
{
	unsigned closed = rig.closed;
	int idle = rig_connect(), ws = rig_upgrade();

	now_ms += 3600 * 1000;
	net_tick(rig.net);
	rig_turns();
	pass(3);
	is_int(rig.closed, closed + 2, "a stopped process catches up");
	close(idle);
	close(ws);
	rig_turns();
}

static void
test_no_limits(void)
{
	struct net_limits l = rig_limits();
	unsigned closed = rig.closed;
	int http, ws;

	l.head_ms = l.hello_ms = l.message_ms = l.ping_ms = l.dead_ms = 0;
	l.write_ms = l.keep_ms = 0;
	net_set_limits(rig.net, &l);
	http = rig_connect();
	ws = rig_upgrade();
	pass(1000);
	is_int(rig.closed, closed, "a limit of 0 is none");
	close(http);
	close(ws);
	rig_turns();
	net_set_limits(rig.net, &rig.limits);
}

int
main(void)
{
	struct net_limits l = rig_limits();

	crypto_start();
	rig_start(&l, &handler);
	test_rows();
	test_trickle();
	test_alive();
	test_long_stop();
	test_no_limits();
	rig_stop();
	return tap_done();
}
