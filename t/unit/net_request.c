/* SPDX-License-Identifier: ISC */
/*
 * HTTP exchanges as a peer sees them: replies, connections that stay or do
 * not, bodies, limits, and that nothing behind an error is ever a request.
 */
#include "netrig.h"
#include "tap.h"

static bool later; /* the handler answers only when told */
static char got[1024 * 1024];
static size_t got_n;

static void
answer(struct conn *c)
{
	conn_reply(c, 200, "text/plain", "X-Ours: 1\r\n", "hello", 5);
}

static void
on_request(void *arg, struct conn *c, struct http_request *r)
{
	struct rig *g = arg;

	g->requests++;
	g->conn = c;
	if (r->body.n > 0) {
		memcpy(got, r->body.p, r->body.n);
		got_n = r->body.n;
	}
	if (later)
		return;
	if (r->path.n == 4 && memcmp(r->path.p, "/204", 4) == 0)
		conn_reply(c, 204, NULL, NULL, "never", 5);
	else if (r->path.n == 4 && memcmp(r->path.p, "/304", 4) == 0)
		conn_reply(c, 304, NULL, "ETag: \"a\"\r\n", NULL, 0);
	else
		answer(c);
}

static void
on_message(void *arg, struct conn *c, enum ws_op op, const char *p, size_t n)
{
	(void)arg;
	(void)c;
	(void)op;
	(void)p;
	(void)n;
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

#define A "Host: a\r\n\r\n"
#define OK_HEAD                                           \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" \
	"Content-Length: 5\r\nX-Ours: 1\r\n"
#define OK_STAYS OK_HEAD "\r\nhello"
#define OK_CLOSES OK_HEAD "Connection: close\r\n\r\nhello"
#define ERR(status, text, sentence, slug, len)                               \
	"HTTP/1.1 " status " " text "\r\nContent-Type: application/json\r\n" \
	"Content-Length: " len "\r\nConnection: close\r\n\r\n"               \
	"{\"error\":\"" sentence "\",\"code\":\"" slug "\"}\n"
#define ERR_LINE                                                     \
	ERR("400", "Bad Request", "A line does not end with CR LF.", \
	    "bad_request", "65")

/* What is sent, what comes back, whether the stream ends, and how many
 * requests were seen. */
static const struct row {
	const char *name;
	const char *in;
	size_t n;
	const char *out;
	bool end;
	unsigned requests;
} rows[] = {
#define ROW(name, in, out, end, requests) \
	{ name, in, sizeof(in) - 1, out, end, requests },
	ROW("a request", "GET / HTTP/1.1\r\n" A, OK_STAYS, false, 1) ROW(
	    "two in a row", "GET / HTTP/1.1\r\n" A "GET / HTTP/1.1\r\n" A,
	    OK_STAYS OK_STAYS, false, 2) ROW("four in a row",
	    "GET / HTTP/1.1\r\n" A "GET / HTTP/1.1\r\n" A "GET / HTTP/1.1\r\n" A
	    "GET / HTTP/1.1\r\n" A,
	    OK_STAYS OK_STAYS OK_STAYS OK_STAYS, false,
	    4) ROW("HEAD has the length and no body", "HEAD / HTTP/1.1\r\n" A,
	    OK_HEAD "\r\n", false, 1) ROW("204 has neither",
	    "GET /204 HTTP/1.1\r\n" A, "HTTP/1.1 204 No Content\r\n\r\n", false,
	    1) ROW("304 has neither", "GET /304 HTTP/1.1\r\n" A,
	    "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", false,
	    1) ROW("HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n", OK_CLOSES, true,
	    1) ROW("HTTP/1.0 stays when asked to",
	    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	    OK_HEAD "Connection: keep-alive\r\n\r\nhello", false,
	    1) ROW("Connection: close closes",
	    "GET / HTTP/1.1\r\nConnection: close\r\n" A, OK_CLOSES, true,
	    1) ROW("nothing after it is read",
	    "GET / HTTP/1.1\r\nConnection: close\r\n" A "GET / HTTP/1.1\r\n" A,
	    OK_CLOSES, true, 1) ROW("a body, then a request",
	    "POST / HTTP/1.1\r\nContent-Length: 3\r\n" A
	    "abcGET / HTTP/1.1\r\n" A,
	    OK_STAYS OK_STAYS, false, 2) ROW("a body that looks like a request",
	    "POST / HTTP/1.1\r\nContent-Length: 27\r\n" A
	    "GET / HTTP/1.1\r\n" A,
	    OK_STAYS, false, 1) ROW("an error closes", "GET / HTTP/1.1\n" A,
	    ERR_LINE, true, 0) ROW("nothing after an error is read",
	    "GET / HTTP/1.1\n" A "GET / HTTP/1.1\r\n" A, ERR_LINE, true,
	    0) ROW("what came before an error is answered",
	    "GET / HTTP/1.1\r\n" A "GET / HTTP/1.1\n" A, OK_STAYS ERR_LINE,
	    true, 1) ROW("chunked is refused, and its body is no request",
	    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" A
	    "0\r\n\r\nGET / HTTP/1.1\r\n" A,
	    ERR("411", "Length Required",
		"A body must come with a Content-Length.", "length_required",
		"77"),
	    true, 0) ROW("length and chunked: the body is no request",
	    "POST / HTTP/1.1\r\nContent-Length: 6\r\n"
	    "Transfer-Encoding: chunked\r\n" A "0\r\n\r\nGGET / HTTP/1.1\r\n" A,
	    ERR("400", "Bad Request", "The length of the body is ambiguous.",
		"bad_request", "70"),
	    true, 0) ROW("two lengths: the body is no request",
	    "POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 27\r\n" A
	    "GET / HTTP/1.1\r\n" A,
	    ERR("400", "Bad Request", "Content-Length is there twice.",
		"bad_request", "64"),
	    true, 0) ROW("a body over the limit",
	    "POST / HTTP/1.1\r\nContent-Length: 65537\r\n" A,
	    ERR("413", "Content Too Large", "The body is too large.",
		"content_too_large", "62"),
	    true, 0) ROW("100-continue without waiting",
	    "POST / HTTP/1.1\r\nExpect: 100-continue\r\n"
	    "Content-Length: 1\r\n" A "x",
	    OK_STAYS, false, 1)
#undef ROW
};

static bool
row_run(const struct row *row, size_t at, size_t step)
{
	unsigned before = rig.requests;
	bool end, good;
	size_t k;
	int fd = rig_connect();

	rig.n = 0;
	rig_write(fd, row->in, at);
	for (k = at; k < row->n; k += step)
		rig_write(
		    fd, row->in + k, row->n - k < step ? row->n - k : step);
	end = rig_read(fd);
	good = strcmp(rig.out, row->out) == 0 && end == row->end &&
	       rig.requests == before + row->requests;
	if (!good)
		printf("# split at %zu: end %d, %u requests, %s\n", at, end,
		    rig.requests - before, rig.out);
	if (!end &&
	    (rig.conn == NULL || rig.conn->in != NULL || rig.conn->out != NULL))
		good = false;
	close(fd);
	rig_turns();
	return good && net_count(rig.net) == 0;
}

static void
test_rows(void)
{
	const struct row *row;
	bool good;
	size_t i, k;

	for (i = 0; i < NELEM(rows); i++) {
		row = &rows[i];
		ok(row_run(row, row->n, 1), "%s", row->name);
		good = true;
		/* In two pieces an expectation would be answered. */
		for (k = 1; k < row->n && strstr(row->in, "Expect") == NULL;
		     k++)
			good = good && row_run(row, k, row->n);
		ok(good, "%s, split at every byte", row->name);
		ok(strstr(row->in, "Expect") != NULL || row_run(row, 0, 1),
		    "%s, byte by byte", row->name);
	}
}

static void
test_one_at_a_time(void)
{
	int fd = rig_connect();

	later = true;
	rig.requests = 0;
	rig.n = 0;
	rig_puts(fd, "GET / HTTP/1.1\r\n" A "GET / HTTP/1.1\r\n" A
		     "HEAD / HTTP/1.1\r\n" A);
	is_int(rig.requests, 1, "one request at a time");
	answer(rig.conn);
	answer(rig.conn);
	rig_read(fd);
	is_int(rig.requests, 2, "the next after the reply");
	is_str(rig.out, OK_STAYS, "and a second reply to one is none");
	answer(rig.conn);
	rig_turns();
	is_int(rig.requests, 3, "and the third");
	answer(rig.conn);
	rig_read(fd);
	is_str(rig.out, OK_STAYS OK_STAYS OK_HEAD "\r\n", "each has its own");
	later = false;
	close(fd);
	rig_turns();
}

/* Requests are not read ahead without bound, nor while replies wait. */
static void
test_pipeline_flood(void)
{
	static char block[26 * 1000];
	size_t i, sent = 0, k = 0;
	int fd = rig_connect();

	for (i = 0; i < 1000; i++)
		memcpy(block + 26 * i, "GET / HTTP/1.1\r\nHost:a\r\n\r\n", 26);
	later = true;
	for (i = 0; i < 100; i++) {
		sent += k = rig_write(fd, block, sizeof(block));
		if (k < sizeof(block))
			break;
	}
	ok(k < sizeof(block), "after %zu bytes no more is read", sent);
	ok(rig.conn->in->cap <= 8192 + 2 * 65536, "and %zu are kept",
	    rig.conn->in->cap);
	later = false;
	answer(rig.conn);
	rig.requests = 1;
	rig.n = 0;
	for (i = 0; i < 5 * sent / 26 && rig.requests < sent / 26; i++)
		rig_turn();
	ok(rig.requests < sent / 26, "who reads no replies gets no more: %u",
	    rig.requests);
	is_int(rig.closed, 0, "and is not ended for it");
	while (rig.requests < sent / 26) {
		k = rig.requests;
		rig.n = 0;
		rig_read(fd);
		if (rig.requests == k)
			break;
	}
	is_int(rig.requests, sent / 26, "who reads gets them all");
	close(fd);
	rig_turns();
}

static void
test_head_limit(void)
{
	static const struct {
		size_t size;
		bool complete;
		int status;
	} cases[] = {
		{ 8192, true, 200 },
		{ 8193, true, 431 },
		{ 8191, false, 0 },
		{ 8192, false, 431 },
		{ 60000, false, 431 },
		{ 60000, true, 431 },
	};
	static char text[65536];
	size_t i;
	int fd;

	for (i = 0; i < NELEM(cases); i++) {
		memset(text, 'a', sizeof(text));
		memcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
		if (cases[i].complete)
			memcpy(text + cases[i].size - 4, "\r\n\r\n", 4);
		fd = rig_connect();
		rig.n = 0;
		rig_write(fd, text, cases[i].size);
		rig_read(fd);
		is_int(rig.n > 12 ? atoll(rig.out + 9) : 0, cases[i].status,
		    "a head of %zu bytes%s", cases[i].size,
		    cases[i].complete ? "" : " so far");
		close(fd);
		rig_turns();
		if (cases[i].status == 431)
			is_int(rig.why, NET_END_TOO_BIG, "ends as TOO_BIG");
	}
}

static void
test_body(void)
{
	static char body[65536];
	char head[128];
	size_t i;
	int fd = rig_connect();

	for (i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 31 >> 3);
	snprintf(head, sizeof(head),
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
	    sizeof(body));
	rig.n = got_n = 0;
	rig_puts(fd, head);
	for (i = 0; i < sizeof(body); i += 4096)
		rig_write(fd, body + i, 4096);
	rig_read(fd);
	ok(got_n == sizeof(body) && memcmp(got, body, got_n) == 0,
	    "a body at the limit arrives as it was sent");
	is_str(rig.out, OK_STAYS, "and is answered");
	ok(rig.conn->in == NULL, "and forgotten");
	close(fd);
	rig_turns();
}

static void
test_continue(void)
{
	int fd = rig_connect();

	rig.n = 0;
	rig_puts(fd, "POST / HTTP/1.1\r\nExpect: 100-continue\r\n"
		     "Content-Length: 3\r\nHost: a\r\n\r\n");
	rig_read(fd);
	is_str(rig.out, "HTTP/1.1 100 Continue\r\n\r\n",
	    "who waits is told to go on");
	rig_puts(fd, "a");
	rig_puts(fd, "b");
	rig_puts(fd, "c");
	rig_read(fd);
	is_str(rig.out, "HTTP/1.1 100 Continue\r\n\r\n" OK_STAYS,
	    "once, and then answered");
	close(fd);
	rig_turns();
}

static void
test_eof(void)
{
	static const struct {
		const char *name;
		const char *send;
		const char *out;
		enum net_end why;
	} cases[] = {
		{ "nothing sent", "", "", NET_END_PEER },
		{ "half a request", "GET / HT", "", NET_END_PEER },
		{ "half closed after a request", "GET / HTTP/1.1\r\n" A,
		    OK_STAYS, NET_END_DONE },
		{ "half closed after three",
		    "GET / HTTP/1.1\r\n" A "GET / HTTP/1.1\r\n" A
		    "GET / HTTP/1.1\r\n" A,
		    OK_STAYS OK_STAYS OK_STAYS, NET_END_DONE },
		{ "half closed in a second request",
		    "GET / HTTP/1.1\r\n" A "GET", OK_STAYS, NET_END_PEER },
	};
	size_t i;
	int fd;

	for (i = 0; i < NELEM(cases); i++) {
		fd = rig_connect();
		rig.n = 0;
		(void)!send(fd, cases[i].send, strlen(cases[i].send), 0);
		shutdown(fd, SHUT_WR);
		ok(rig_read(fd), "%s: the stream ends", cases[i].name);
		is_str(rig.out, cases[i].out, "%s: reply", cases[i].name);
		is_int(rig.why, cases[i].why, "%s: reason", cases[i].name);
		close(fd);
		rig_turns();
	}
	later = true;
	fd = rig_connect();
	rig.n = 0;
	rig_puts(fd, "GET / HTTP/1.1\r\n" A);
	shutdown(fd, SHUT_WR);
	rig_turns();
	answer(rig.conn);
	ok(rig_read(fd), "half closed while the answer is made");
	is_str(rig.out, OK_STAYS, "it is still sent");
	is_int(rig.why, NET_END_DONE, "and that was all");
	later = false;
	close(fd);
	rig_turns();
}

/* conn_close() on HTTP: what is queued, then the end. */
static void
test_close(void)
{
	int fd = rig_connect();

	later = true;
	rig.n = 0;
	rig_puts(fd, "GET / HTTP/1.1\r\n" A);
	answer(rig.conn);
	conn_close(rig.conn, NET_END_SHUTDOWN, 1001, "bye");
	conn_close(rig.conn, NET_END_REFUSED, 1001, "bye");
	answer(rig.conn);
	ok(rig_read(fd), "closed after the reply");
	is_str(rig.out, OK_STAYS, "which came whole");
	close(fd);
	rig_turns();
	is_int(rig.why, NET_END_SHUTDOWN, "for the first reason");
	is_int(rig.code, 0, "HTTP has no close code");
	later = false;
}

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n"

/* A reply in parts, and what comes of it when the peer leaves. */
static void
test_stream(void)
{
	int fd = rig_connect();

	later = true;
	rig.n = 0;
	rig_puts(fd, "GET / HTTP/1.1\r\n" A);
	rig_turns();
	conn_chunked(rig.conn, 200, "text/x", NULL);
	conn_chunked(rig.conn, 404, "text/y", NULL);
	conn_reply(rig.conn, 500, NULL, NULL, NULL, 0);
	conn_chunk(rig.conn, "hello, ", 7);
	conn_chunk(rig.conn, "", 0);
	rig_turns();
	conn_chunk(rig.conn, "this is a longer one", 20);
	conn_chunked_end(rig.conn);
	conn_chunked_end(rig.conn);
	conn_chunk(rig.conn, "late", 4);
	later = false;
	rig_puts(fd, "GET / HTTP/1.1\r\n" A);
	shutdown(fd, SHUT_WR);
	ok(rig_read(fd), "a reply in parts, and another one");
	is_str(rig.out,
	    STREAM_HEAD "Transfer-Encoding: chunked\r\n\r\n"
			"7\r\nhello, \r\n14\r\nthis is a longer one\r\n"
			"0\r\n\r\n" OK_STAYS,
	    "as chunks");
	close(fd);
	rig_turns();

	later = true;
	fd = rig_connect();
	rig.n = 0;
	rig_puts(fd, "GET / HTTP/1.0\r\n" A);
	rig_turns();
	conn_chunked(rig.conn, 200, "text/x", NULL);
	conn_chunk(rig.conn, "hello", 5);
	conn_chunked_end(rig.conn);
	ok(rig_read(fd), "HTTP/1.0: the end is that of the stream");
	is_str(
	    rig.out, STREAM_HEAD "Connection: close\r\n\r\nhello", "as it is");
	close(fd);
	rig_turns();

	fd = rig_connect();
	rig.closed = 0;
	rig_puts(fd, "GET / HTTP/1.1\r\n" A);
	rig_turns();
	conn_chunked(rig.conn, 200, "text/x", NULL);
	rig_turns();
	is_int((int64_t)rig.closed, 0, "a stream stays");
	shutdown(fd, SHUT_WR);
	rig_turns();
	is_int((int64_t)rig.closed, 1, "until its peer leaves");
	is_int(rig.why, NET_END_PEER, "for that reason");
	close(fd);

	fd = rig_connect();
	rig.closed = 0;
	rig_puts(fd, "GET / HTTP/1.1\r\n" A);
	rig_turns();
	conn_wait(rig.conn);
	shutdown(fd, SHUT_WR);
	rig_turns();
	is_int((int64_t)rig.closed, 1, "who is waited with is gone, too");
	close(fd);
	later = false;
	rig_turns();
}

int
main(void)
{
	struct net_limits l = rig_limits();

	rig_start(&l, &handler);
	test_rows();
	test_one_at_a_time();
	rig.closed = 0;
	test_pipeline_flood();
	test_head_limit();
	test_body();
	test_continue();
	test_eof();
	test_close();
	test_stream();
	rig_stop();
	return tap_done();
}
