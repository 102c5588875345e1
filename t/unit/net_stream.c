/* SPDX-License-Identifier: ISC */
/*
 * Bodies in pieces: chunks and lengths as they come, whole or byte by byte;
 * nothing behind a broken body is a request; neither side is given more than
 * it takes; ranges.
 */
#include "netrig.h"
#include "tap.h"

#define LARGE (8 * 1024 * 1024)
#define A "Host: a\r\n\r\n"
#define PUT "PUT /f HTTP/1.1\r\n"
#define CHUNKED PUT "Transfer-Encoding: chunked\r\n" A

static char got[65536];
static size_t got_n, total, take_max, answer_n, answered;
static unsigned ends, rooms;
static bool wants, replies;

static void
on_request(void *arg, struct conn *c, struct http_request *r)
{
	struct rig *g = arg;

	g->requests++;
	g->conn = c;
	if (answer_n > 0) {
		(void)conn_answer_begin(c, 200, "text/plain", NULL, answer_n);
		return;
	}
	if (r->chunked || r->content_length > 0)
		conn_body(c, wants);
	if (replies)
		conn_reply(c, 200, NULL, NULL, NULL, 0);
}

static bool
on_streams(void *arg, const struct http_request *r)
{
	(void)arg;
	return r->path.n == 2;
}

static size_t
on_body(void *arg, struct conn *c, const char *p, size_t n)
{
	(void)arg;
	if (n == 0) {
		ends++;
		conn_reply(c, 201, NULL, NULL, NULL, 0);
		return 0;
	}
	if (n > take_max)
		n = take_max;
	if (got_n + n < sizeof(got)) {
		memcpy(got + got_n, p, n);
		got_n += n;
		got[got_n] = '\0';
	}
	total += n;
	return n;
}

static void
fill(struct conn *c)
{
	static char piece[16384];
	size_t n;

	do {
		n = answer_n - answered < sizeof(piece) ? answer_n - answered
							: sizeof(piece);
		answered += n;
	} while (n > 0 && conn_answer(c, piece, n));
}

static void
on_room(void *arg, struct conn *c)
{
	(void)arg;
	rooms++;
	fill(c);
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
	.closed = on_closed,
	.streams = on_streams,
	.body = on_body,
	.room = on_room };

static void
start(void)
{
	struct net_limits l = rig_limits();

	got_n = total = answer_n = answered = 0;
	got[0] = '\0';
	ends = rooms = 0;
	wants = true;
	replies = false;
	take_max = SIZE_MAX;
	rig_start(&l, &handler);
}

/* What is sent, the body that arrives, its ends, the status of the first
 * reply, and the requests that were seen. */
static const struct row {
	const char *name;
	const char *in;
	const char *body;
	unsigned ends;
	const char *status;
	unsigned requests;
} rows[] = {
#define ROW(name, in, body, ends, status, requests) \
	{ name, in, body, ends, status, requests },
	ROW("a length", PUT "Content-Length: 5\r\n" A "hello", "hello", 1,
	    "201", 1) ROW("a length, and the next request",
	    PUT "Content-Length: 5\r\n" A "hello" PUT "Content-Length: 2\r\n" A
		"ab",
	    "helloab", 2, "201", 2) ROW("one chunk",
	    CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", 1, "201",
	    1) ROW("two chunks, digits of both cases",
	    CHUNKED "0a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
	    "01234567890123456789a", 1, "201",
	    1) ROW("no chunk", CHUNKED "0\r\n\r\n", "", 1, "201",
	    1) ROW("an extension and trailers",
	    CHUNKED "2;a=\"b\"\r\nhi\r\n0\r\nA: b\r\nC: d\r\n\r\n", "hi", 1,
	    "201", 1) ROW("chunks, and the next request",
	    CHUNKED "2\r\nhi\r\n0\r\n\r\n" CHUNKED "1\r\n!\r\n0\r\n\r\n", "hi!",
	    2, "201", 2) ROW("no size", CHUNKED "\r\nhi\r\n0\r\n\r\n" CHUNKED,
	    "", 0, "400", 1) ROW("a size that is no number",
	    CHUNKED "0x2\r\nhi\r\n0\r\n\r\n" CHUNKED, "", 0, "400",
	    1) ROW("a negative size", CHUNKED "-2\r\nhi\r\n0\r\n\r\n", "", 0,
	    "400", 1) ROW("a size past 60 bits",
	    CHUNKED "1000000000000000\r\nhi", "", 0, "400", 1)
	    ROW("a size of zeros without end",
		CHUNKED "0000000000000000000002\r\nhi\r\n", "", 0, "400", 1)
		ROW("a line that ends with LF", CHUNKED "2\nhi\r\n0\r\n\r\n",
		    "", 0, "400", 1) ROW("a CR inside of an extension",
		    CHUNKED "2;a\rb\r\nhi\r\n0\r\n\r\n", "", 0, "400", 1)
		    ROW("a chunk that is longer than its size",
			CHUNKED "2\r\nhi!\r\n0\r\n\r\n", "hi", 0, "400", 1)
			ROW("a LF after a chunk", CHUNKED "2\r\nhi\n0\r\n\r\n",
			    "hi", 0, "400", 1) ROW("a LF in a trailer",
			    CHUNKED "0\r\nA: b\n\r\n", "", 0, "400", 1)
#undef ROW
};

static void
check_row(const struct row *row, bool bytewise)
{
	char status[4] = "";
	size_t i, n = strlen(row->in);
	int fd;

	start();
	fd = rig_connect();
	if (!bytewise)
		rig_puts(fd, row->in);
	for (i = 0; bytewise && i < n; i++)
		if (rig_write(fd, row->in + i, 1) == 0)
			break;
	rig_read(fd);
	if (rig.n > 12)
		memcpy(status, rig.out + 9, 3);
	ok(strcmp(got, row->body) == 0 && ends == row->ends &&
		strcmp(status, row->status) == 0 &&
		rig.requests == row->requests,
	    "%s%s", row->name, bytewise ? ", byte by byte" : "");
	if (strcmp(got, row->body) != 0 || ends != row->ends ||
	    strcmp(status, row->status) != 0)
		printf("# \"%s\" %u %s %u\n", got, ends, status, rig.requests);
	close(fd);
	rig_stop();
}

static void
test_wants(void)
{
	static char zeros[1024 * 1024];
	size_t sent;
	int fd;

	start();
	wants = false;
	fd = rig_connect();
	rig_puts(
	    fd, PUT "Content-Length: 8388608\r\nExpect: 100-continue\r\n" A);
	rig_read(fd);
	is_int((int64_t)rig.n, 0, "100 is not said before it is wanted");
	conn_body(rig.conn, true);
	rig_read(fd);
	is_str(rig.out, "HTTP/1.1 100 Continue\r\n\r\n", "and then it is");
	conn_body(rig.conn, false);
	sent = rig_write(fd, zeros, sizeof(zeros));
	ok(sent < sizeof(zeros), "what is not wanted stays with the sender");
	is_int((int64_t)total, 0, "and does not come");
	take_max = 1000;
	conn_body(rig.conn, true);
	rig_turns();
	is_int((int64_t)total, 1000, "who takes less has no more for now");
	take_max = SIZE_MAX;
	conn_body(rig.conn, true);
	sent += rig_write(fd, zeros, sizeof(zeros) - sent);
	is_int((int64_t)total, (int64_t)sent, "until it wants more");
	close(fd);
	rig_turns();
	is_int(rig.closed, 1, "the end of the stream inside of a body ends it");
	is_int(ends, 0, "and is not the end of the body");
	rig_stop();
}

static void
test_early_reply(void)
{
	int fd;

	start();
	replies = true;
	wants = false;
	fd = rig_connect();
	rig_puts(fd, PUT "Content-Length: 5\r\n" A "he");
	ok(rig_read(fd) || strstr(rig.out, "Connection: close") != NULL,
	    "a reply before the body ends the connection");
	rig_puts(fd, "llo" PUT A);
	is_int(rig.requests, 1, "what follows is no request");
	is_int((int64_t)total, 0, "and nobody's body");
	close(fd);
	rig_stop();
}

static void
test_answer(void)
{
	size_t n = 0, peak = 0;
	struct conn *c;
	int fd;

	start();
	answer_n = LARGE;
	fd = rig_connect();
	rig_puts(fd, "GET /f HTTP/1.1\r\n" A "GET /f HTTP/1.1\r\n" A);
	c = rig.conn;
	fill(c);
	while (rig.requests == 1 && n <= LARGE + 1000) {
		rig_turn();
		if (c->out != NULL && c->out->bytes > peak)
			peak = c->out->bytes;
		rig.n = 0;
		rig_read(fd);
		n += rig.n;
	}
	rig.n = 0;
	rig_read(fd);
	n += rig.n;
	ok(n > LARGE, "all of it comes: %zu", n);
	ok(peak <= CONN_ANSWER_MAX + 16384, "little of it at once: %zu", peak);
	ok(rooms > 10, "room was told %u times", rooms);
	is_int(rig.requests, 2, "then the next request begins");
	shutdown(fd, SHUT_WR);
	rig_turns();
	is_int(rig.closed, 0, "who is answered may have closed its side");
	close(fd);
	answered = 0;
	if (rig.conn != NULL)
		fill(rig.conn);
	rig_turns();
	is_int(rig.closed, 1, "until it does not take the answer");
	rig_stop();

	start();
	answer_n = LARGE;
	fd = rig_connect();
	rig_puts(fd, "HEAD /f HTTP/1.1\r\n" A);
	rig_read(fd);
	ok(strstr(rig.out, "Content-Length: 8388608\r\n\r\n") != NULL,
	    "HEAD tells the length and nothing follows");
	ok(!rig.conn->is_busy, "and it is done");
	close(fd);
	rig_stop();
}

static void
test_ranges(void)
{
	static const struct {
		const char *headers;
		enum http_range want;
		uint64_t from, n;
	} r[] = {
		{ "", HTTP_RANGE_NONE, 0, 100 },
		{ "Range: bytes=0-0\r\n", HTTP_RANGE_PART, 0, 1 },
		{ "Range: bytes=10-\r\n", HTTP_RANGE_PART, 10, 90 },
		{ "Range: BYTES=10-19\r\n", HTTP_RANGE_PART, 10, 10 },
		{ "Range: bytes=90-200\r\n", HTTP_RANGE_PART, 90, 10 },
		{ "Range: bytes=-10\r\n", HTTP_RANGE_PART, 90, 10 },
		{ "Range: bytes=-200\r\n", HTTP_RANGE_PART, 0, 100 },
		{ "Range: bytes=-0\r\n", HTTP_RANGE_BAD, 0, 0 },
		{ "Range: bytes=100-\r\n", HTTP_RANGE_BAD, 0, 0 },
		{ "Range: bytes=5-4\r\n", HTTP_RANGE_NONE, 0, 100 },
		{ "Range: bytes=0-1,5-6\r\n", HTTP_RANGE_NONE, 0, 100 },
		{ "Range: bytes=a-b\r\n", HTTP_RANGE_NONE, 0, 100 },
		{ "Range: bytes=\r\n", HTTP_RANGE_NONE, 0, 100 },
		{ "Range: lines=1-2\r\n", HTTP_RANGE_NONE, 0, 100 },
		{ "Range: bytes=9999999999999999999-\r\n", HTTP_RANGE_BAD, 0,
		    0 },
		{ "Range: bytes=1-99999999999999999999999\r\n", HTTP_RANGE_PART,
		    1, 99 },
		{ "Range: bytes=-99999999999999999999999\r\n", HTTP_RANGE_PART,
		    0, 100 },
		{ "Range: bytes=10-\r\nIf-Range: \"tag\"\r\n", HTTP_RANGE_PART,
		    10, 90 },
		{ "Range: bytes=10-\r\nIf-Range: \"other\"\r\n",
		    HTTP_RANGE_NONE, 0, 100 },
	};
	struct http_request q;
	uint64_t from, n;
	const char *why;
	char text[512];
	int status;
	size_t i;

	for (i = 0; i < NELEM(r); i++) {
		snprintf(text, sizeof(text), "GET /f HTTP/1.1\r\n%s" A,
		    r[i].headers);
		if (http_parse(&q, text, strlen(text), &status, &why) <= 0)
			fatalx("%s: %s", text, why);
		from = n = 0;
		ok(http_range(&q, 100, "\"tag\"", &from, &n) == r[i].want &&
			(r[i].want == HTTP_RANGE_BAD ||
			    (from == r[i].from && n == r[i].n)),
		    "range %zu", i);
	}
}

int
main(void)
{
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		check_row(&rows[i], false);
		check_row(&rows[i], true);
	}
	test_wants();
	test_early_reply();
	test_answer();
	test_ranges();
	return tap_done();
}
