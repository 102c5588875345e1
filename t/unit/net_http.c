/* SPDX-License-Identifier: ISC */
/*
 * The specification of the reader of request heads: one row per rule, named
 * by the section of RFC 9112 (or 9110, marked) or by the trick that it stops.
 * Every row is read whole, then every beginning of it.
 */
#include <stdlib.h>

#include "net/net.h"
#include "tap.h"

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define END "\r\n"
#define H8 "a:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n"

/* Status 0 is accepted; extra bytes after the head are part of no row. */
static const struct row {
	const char *name;
	const char *text;
	size_t n;
	int status;
} rows[] = {
#define ROW(name, status, text) { name, text, sizeof(text) - 1, status },
	/* Request line. */
	ROW("3 plain request", 0, LINE HOST END) ROW("3 HTTP/1.0 without Host",
	    0,
	    "GET / HTTP/1.0\r\n" END) ROW("3.1 unknown method is the handler's",
	    0,
	    "BREW / HTTP/1.1\r\n" HOST
		END) ROW("3.1 method with token characters", 0,
	    "M-SEARCH / HTTP/1.1\r\n" HOST END) ROW("3.1 empty method", 400,
	    " / HTTP/1.1\r\n" HOST END) ROW("3.1 method with a colon", 400,
	    "G:T / HTTP/1.1\r\n" HOST END) ROW("3.1 method of 33 bytes", 400,
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST
		END) ROW("2.2 empty line first", 400,
	    "\r\n" LINE HOST END) ROW("2.2 line feed first", 400,
	    "\n" LINE HOST END) ROW("2.2 white space first", 400,
	    " " LINE HOST END) ROW("not HTTP: TLS hello", 400,
	    "\x16\x03\x01\x02\x00\x01\x00\x01")
	    ROW("not HTTP: NUL", 400, "\0GET / HTTP/1.1\r\n" HOST END) ROW(
		"2.2 bare LF after the request line", 400,
		"GET / HTTP/1.1\n" HOST END) ROW("2.2 bare LF after a header",
		400, LINE "Host: a\n" END) ROW("2.2 bare LF as the end", 400,
		LINE HOST "\n") ROW("2.2 bare CR in the request line", 400,
		"GET /\r HTTP/1.1\r\n" HOST END) ROW("2.2 bare CR in a value",
		400, LINE "Host: a\rb\r\n" END) ROW("2.2 CR CR LF", 400,
		LINE "Host: a\r\r\n" END) ROW("3 two spaces", 400,
		"GET  / HTTP/1.1\r\n" HOST END) ROW("3 tab for a space", 400,
		"GET\t/ HTTP/1.1\r\n" HOST END) ROW("3 space at the end", 400,
		"GET / HTTP/1.1 \r\n" HOST END) ROW("3 HTTP/0.9", 400,
		"GET /\r\n" END) ROW("3 no version", 400,
		"GET / \r\n" HOST END) ROW("2.3 lower case version", 400,
		"GET / http/1.1\r\n" HOST END)
		ROW("2.3 version without a minor", 400,
		    "GET / HTTP/1\r\n" HOST END) ROW("2.3 version 1.10", 400,
		    "GET / HTTP/1.10\r\n" HOST END) ROW("2.3 version 1.2", 505,
		    "GET / HTTP/1.2\r\n" HOST END) ROW("2.3 version 2.0", 505,
		    "GET / HTTP/2.0\r\n" HOST END) ROW("2.3 the HTTP/2 preface",
		    505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		    ROW("2.3 version 0.9", 505, "GET / HTTP/0.9\r\n" HOST END)
	/* Target. */
	ROW("3.2.1 path and query", 0,
	    "GET /a/b?c=d HTTP/1.1\r\n" HOST END) ROW("3.2.1 escapes", 0,
	    "GET /a%20b HTTP/1.1\r\n" HOST
		END) ROW("3.2.1 all that a path may have", 0,
	    "GET /-._~!$&'()*+,;=:@ HTTP/1.1\r\n" HOST
		END) ROW("3.2.1 a query as browsers send it", 0,
	    "GET /?a={\"b\":[1|2]} HTTP/1.1\r\n" HOST
		END) ROW("3.2.1 three dots are a name", 0,
	    "GET /.../a..b HTTP/1.1\r\n" HOST END) ROW("3.2.1 no slash", 400,
	    "GET a HTTP/1.1\r\n" HOST END) ROW("3.2.1 only a query", 400,
	    "GET ?a HTTP/1.1\r\n" HOST END) ROW("3.2.1 fragment", 400,
	    "GET /#a HTTP/1.1\r\n" HOST END) ROW("3.2.1 fragment in the query",
	    400, "GET /?a#b HTTP/1.1\r\n" HOST END) ROW("3.2.1 backslash", 400,
	    "GET /a\\b HTTP/1.1\r\n" HOST END) ROW("3.2.1 raw UTF-8", 400,
	    "GET /\xc3\xa4 HTTP/1.1\r\n" HOST
		END) ROW("3.2.1 raw UTF-8 in the query", 400,
	    "GET /?\xc3\xa4 HTTP/1.1\r\n" HOST END) ROW("3.2.1 NUL in the path",
	    400, "GET /\0 HTTP/1.1\r\n" HOST END) ROW("3.2.1 DEL in the path",
	    400, "GET /\x7f HTTP/1.1\r\n" HOST END) ROW("traversal: ..", 400,
	    "GET /a/../b HTTP/1.1\r\n" HOST END) ROW("traversal: .. at the end",
	    400, "GET /a/.. HTTP/1.1\r\n" HOST END) ROW("traversal: .", 400,
	    "GET /./a HTTP/1.1\r\n" HOST END) ROW("traversal: %2e%2e", 400,
	    "GET /%2e%2e/a HTTP/1.1\r\n" HOST END) ROW("traversal: .%2E", 400,
	    "GET /.%2E/a HTTP/1.1\r\n" HOST END) ROW("traversal: %2f", 400,
	    "GET /a%2fb HTTP/1.1\r\n" HOST END) ROW("traversal: %2F", 400,
	    "GET /a%2Fb HTTP/1.1\r\n" HOST END) ROW("traversal: %5c", 400,
	    "GET /a%5cb HTTP/1.1\r\n" HOST END) ROW("escape of NUL", 400,
	    "GET /a%00 HTTP/1.1\r\n" HOST END) ROW("escape of LF", 400,
	    "GET /a%0a HTTP/1.1\r\n" HOST END) ROW("escape of DEL", 400,
	    "GET /a%7f HTTP/1.1\r\n" HOST END) ROW("escape cut short", 400,
	    "GET /a%2 HTTP/1.1\r\n" HOST END) ROW("escape without digits", 400,
	    "GET /a%zz HTTP/1.1\r\n" HOST END)
	    ROW("escape at the end", 400, "GET /a% HTTP/1.1\r\n" HOST END) ROW(
		"3.2.2 absolute form of this host", 0,
		"GET http://a/b?c HTTP/1.1\r\n" HOST
		    END) ROW("3.2.2 absolute form, other case", 0,
		"GET HTTPS://A/b HTTP/1.1\r\n" HOST
		    END) ROW("3.2.2 absolute form without a path", 0,
		"GET http://a HTTP/1.1\r\n" HOST
		    END) ROW("3.2.2 absolute form of another host", 400,
		"GET http://b/ HTTP/1.1\r\n" HOST END)
		ROW("3.2.2 absolute form with a user", 400,
		    "GET http://u@a/ HTTP/1.1\r\n" HOST END)
		    ROW("3.2.2 absolute form without a host", 400,
			"GET http:///b HTTP/1.1\r\n" HOST END)
			ROW("3.2.2 absolute form, other scheme", 400,
			    "GET ftp://a/ HTTP/1.1\r\n" HOST END)
			    ROW("3.2.2 absolute form, HTTP/1.0 without Host",
				400, "GET http://a/ HTTP/1.0\r\n" END)
				ROW("3.2.3 authority form", 501,
				    "CONNECT a:443 HTTP/1.1\r\n" HOST END)
				    ROW("3.2.4 asterisk form", 0,
					"OPTIONS * HTTP/1.1\r\n" HOST END)
					ROW("3.2.4 asterisk form of GET", 400,
					    "GET * HTTP/1.1\r\n" HOST END)
	/* Headers. */
	ROW("5 no white space around a value", 0, LINE "Host:a\r\n" END) ROW(
	    "5 white space around a value", 0,
	    LINE "Host: \t a \t \r\n" END) ROW("5 empty value", 0,
	    LINE HOST "X-A:\r\n" END) ROW("5 obs-text in a value", 0,
	    LINE HOST "X-A: \xff\r\n" END) ROW("5 tab in a value", 0,
	    LINE HOST "X-A: a\tb\r\n" END) ROW("5 64 headers", 0,
	    LINE HOST H8 H8 H8 H8 H8 H8 H8 "a:\r\na:\r\na:\r\na:\r\na:\r\na:"
					   "\r\na:\r\n" END) ROW("5 65 headers",
	    431, LINE HOST H8 H8 H8 H8 H8 H8 H8 H8 END)
	    ROW("5.1 space before the colon", 400, LINE "Host : a\r\n" END) ROW(
		"5.1 tab before the colon", 400,
		LINE "Host\t: a\r\n" END) ROW("5.1 no colon", 400,
		LINE HOST "abc\r\n" END) ROW("5.1 empty name", 400,
		LINE HOST ": a\r\n" END) ROW("5.1 space in a name", 400,
		LINE HOST "X A: b\r\n" END) ROW("5.1 NUL in a name", 400,
		LINE HOST "X\0A: b\r\n" END) ROW("5.1 8-bit name", 400,
		LINE HOST "X\xc3\xa4: b\r\n" END) ROW("5.1 name in parentheses",
		400, LINE HOST "(a): b\r\n" END) ROW("5.2 folded line", 400,
		LINE HOST "X-A: a\r\n b\r\n" END) ROW("5.2 folded with a tab",
		400, LINE HOST "X-A: a\r\n\tb\r\n" END)
		ROW("5.2 folded first line", 400, LINE " Host: a\r\n" END)
		    ROW("5.2 line of white space", 400, LINE HOST " \r\n" END)
			ROW("9110 5.5 NUL in a value", 400,
			    LINE HOST "X-A: a\0b\r\n" END)
			    ROW("9110 5.5 control in a value", 400,
				LINE HOST "X-A: \x01\r\n" END)
				ROW("9110 5.5 DEL in a value", 400,
				    LINE HOST "X-A: \x7f\r\n" END)
	/* Host. */
	ROW("3.2 no Host", 400, LINE END) ROW("3.2 two Hosts", 400,
	    LINE HOST HOST END) ROW("3.2 two Hosts, other case", 400,
	    LINE HOST "hOST: b\r\n" END) ROW("3.2 two Hosts of HTTP/1.0", 400,
	    "GET / HTTP/1.0\r\n" HOST HOST END) ROW("3.2 empty Host", 400,
	    LINE "Host:\r\n" END)
	    ROW("3.2 Host with a port", 0, LINE "Host: a.b-c:7900\r\n" END) ROW(
		"3.2 Host of IPv6", 0, LINE "Host: [::1]:7900\r\n" END)
		ROW("3.2 Host with a path", 400, LINE "Host: a/b\r\n" END) ROW(
		    "3.2 Host with a user", 400, LINE "Host: u@a\r\n" END)
		    ROW("3.2 Host of two", 400, LINE "Host: a, b\r\n" END) ROW(
			"3.2 Host with a space", 400, LINE "Host: a b\r\n" END)
	/* Body length: where requests are smuggled. */
	ROW("6.2 Content-Length", 0, POST "Content-Length: 5\r\n" END) ROW(
	    "6.2 Content-Length 0", 0,
	    POST
	    "Content-Length: 0\r\n" END) ROW("6.2 Content-Length with white space",
	    0,
	    POST
	    "Content-Length:  5\t\r\n" END) ROW("6.2 POST without a length has no body",
	    0,
	    POST END) ROW("6.3 two lengths", 400,
	    POST
	    "Content-Length: 5\r\nContent-Length: 6\r\n" END) ROW("6.3 the same length twice",
	    400,
	    POST
	    "Content-Length: 5\r\nContent-Length: 5\r\n" END) ROW("6.3 length 5,5",
	    400, POST "Content-Length: 5,5\r\n" END) ROW("6.3 length 5, 5", 400,
	    POST "Content-Length: 5, 5\r\n" END) ROW("6.3 length +5", 400,
	    POST "Content-Length: +5\r\n" END) ROW("6.3 length -5", 400,
	    POST "Content-Length: -5\r\n" END) ROW("6.3 length 0x5", 400,
	    POST "Content-Length: 0x5\r\n" END) ROW("6.3 length 5a", 400,
	    POST "Content-Length: 5a\r\n" END) ROW("6.3 length 05", 400,
	    POST "Content-Length: 05\r\n" END) ROW("6.3 length 5 6", 400,
	    POST "Content-Length: 5 6\r\n" END) ROW("6.3 length 5.0", 400,
	    POST
	    "Content-Length: 5.0\r\n" END) ROW("6.3 no length in the header",
	    400,
	    POST "Content-Length:\r\n" END) ROW("6.3 length of 18 digits", 0,
	    POST
	    "Content-Length: 999999999999999999\r\n" END) ROW("6.3 length of 19 digits",
	    413,
	    POST
	    "Content-Length: 9223372036854775808\r\n" END) ROW("6.3 length past 64 bits",
	    413,
	    POST
	    "Content-Length: 18446744073709551621\r\n" END) ROW("6.1 chunked",
	    0,
	    POST
	    "Transfer-Encoding: chunked\r\n" END) ROW("6.1 chunked, other case",
	    0,
	    POST
	    "transfer-encoding: Chunked\r\n" END) ROW("6.1 length and chunked",
	    400,
	    POST
	    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END) ROW("6.1 chunked and length",
	    400, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END)
	    ROW("6.1 length 0 and chunked", 400,
		POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n" END)
		ROW("6.1 gzip, chunked", 400,
		    POST
		    "Transfer-Encoding: gzip, chunked\r\n" END) ROW("6.1 chunked, identity",
		    400,
		    POST
		    "Transfer-Encoding: chunked, identity\r\n" END) ROW("6.1 xchunked",
		    400,
		    POST
		    "Transfer-Encoding: xchunked\r\n" END) ROW("6.1 identity",
		    400,
		    POST "Transfer-Encoding: identity\r\n" END) ROW("6.1 empty",
		    400, POST "Transfer-Encoding:\r\n" END) ROW("6.1 quoted",
		    400, POST "Transfer-Encoding: \"chunked\"\r\n" END)
		    ROW("6.1 vertical tab before chunked", 400,
			POST "Transfer-Encoding: \x0b"
			     "chunked\r\n" END) ROW("6.1 chunked twice", 400,
			POST
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END)
			ROW("6.1 chunked of HTTP/1.0", 400,
			    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END)
			    ROW("6.1 space before the colon", 400,
				POST "Transfer-Encoding : chunked\r\n" END)
				ROW("6.1 folded chunked", 400,
				    POST
				    "Transfer-Encoding:\r\n chunked\r\n" END)
				    ROW("haproxy crash: 16 commas", 0,
					LINE HOST
					"Connection: ,,,,,,,,,,,,,,,,\r\n" END)
	/* Expect. */
	ROW("9110 10.1.1 100-continue", 0,
	    POST "Expect: 100-Continue\r\nContent-Length: 1\r\n" END)
	    ROW("9110 10.1.1 another expectation", 417,
		POST "Expect: a=b\r\n" END)
#undef ROW
};

/* In memory of its own, so that a tool sees a read past the end. */
static ptrdiff_t
parse(const char *text, size_t n, struct http_request *r, int *status)
{
	char *p = malloc(n > 0 ? n : 1);
	const char *reason = NULL;
	ptrdiff_t rc;

	memcpy(p, text, n);
	*status = 0;
	rc = http_parse(r, p, n, status, &reason);
	if (rc == -1 && (reason == NULL || reason[0] == '\0'))
		*status = -1;
	free(p);
	return rc;
}

static void
test_rows(void)
{
	struct http_request r;
	ptrdiff_t rc, early;
	const struct row *row;
	size_t i, k;
	int status, first;
	bool same;

	for (i = 0; i < NELEM(rows); i++) {
		row = &rows[i];
		rc = parse(row->text, row->n, &r, &status);
		if (row->status == 0)
			is_int(rc, (int64_t)row->n, "%s: accepted", row->name);
		else
			is_int(status, row->status, "%s: %d", row->name,
			    row->status);
		same = true;
		for (k = 0, first = 0; k < row->n; k++) {
			early = parse(row->text, k, &r, &status);
			if (early > 0 || (early == 0 && first != 0) ||
			    (early == -1 && status != row->status))
				same = false;
			first = status;
		}
		ok(same, "%s: however it is split", row->name);
	}
}

static void
is_slice(struct slice s, const char *want, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(s));
	is_str(text, want, "%s", name);
}

static void
test_fields(void)
{
	static const char text[] = "POST /a%20b/c?x=1&y=2 HTTP/1.1\r\n"
				   "Host: example.org:80\r\n"
				   "X-Empty:\r\n"
				   "Content-Length: 1234\r\n"
				   "Expect: 100-continue\r\n"
				   "x-twice: one\r\n"
				   "X-Twice: two\r\n"
				   "\r\nbody";
	struct http_request r;
	const char *reason;
	int status;

	is_int(http_parse(&r, text, sizeof(text) - 1, &status, &reason),
	    (int64_t)sizeof(text) - 1 - 4, "the length of the head");
	is_slice(r.method, "POST", "method");
	is_slice(r.path, "/a%20b/c", "path without query, as sent");
	is_slice(r.query, "x=1&y=2", "query without its mark");
	is_int(r.minor, 1, "version");
	is_int(r.content_length, 1234, "body length");
	ok(r.expect, "100-continue is expected");
	is_int(r.nheaders, 6, "number of headers");
	is_slice(http_header(&r, "HOST"), "example.org:80",
	    "a header by name in any case");
	is_slice(http_header(&r, "x-twice"), "one", "the first of two");
	ok(http_header(&r, "X-Empty").p != NULL &&
		http_header(&r, "X-Empty").n == 0,
	    "an empty header is there");
	ok(http_header(&r, "X-Other").p == NULL, "an absent one is not");
	is_str(http_status_text(431), "Request Header Fields Too Large",
	    "text of a status");
}

static void
test_connection(void)
{
	static const struct {
		int minor;
		const char *headers;
		bool keep;
		bool upgrade;
	} cases[] = {
		{ 1, "", true, false },
		{ 0, "", false, false },
		{ 1, "Connection: close\r\n", false, false },
		{ 1, "Connection: Close\r\n", false, false },
		{ 1, "Connection: x, close\r\n", false, false },
		{ 1, "Connection: closed\r\n", true, false },
		{ 1, "Connection: keep-alive\r\nConnection: close\r\n", false,
		    false },
		{ 0, "Connection: keep-alive\r\n", true, false },
		{ 0, "Connection: keep-alive, close\r\n", false, false },
		{ 1, "Connection: Upgrade\r\nUpgrade: websocket\r\n", true,
		    true },
		{ 1,
		    "Connection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n",
		    true, true },
		{ 1, "Connection: upgrade\r\nUpgrade: h2c , websocket\r\n",
		    true, true },
		{ 1, "Connection: upgrade\r\nUpgrade: h2c\r\n", true, false },
		{ 1, "Connection: upgrade\r\nUpgrade: websocket/13\r\n", true,
		    false },
		{ 1, "Upgrade: websocket\r\n", true, false },
		{ 1, "Connection: upgrade\r\n", true, false },
		{ 0, "Connection: upgrade\r\nUpgrade: websocket\r\n", false,
		    false },
	};
	struct http_request r;
	char text[256];
	int status;
	size_t i;

	for (i = 0; i < NELEM(cases); i++) {
		snprintf(text, sizeof(text),
		    "GET / HTTP/1.%d\r\nHost: a\r\n%s\r\n", cases[i].minor,
		    cases[i].headers);
		ok(parse(text, strlen(text), &r, &status) > 0,
		    "connection case %zu is read", i);
		is_int(r.keep_alive, cases[i].keep, "9.3 case %zu: stays", i);
		is_int(r.upgrade, cases[i].upgrade,
		    "9110 7.8 case %zu: upgrade", i);
	}
}

static void
test_query(void)
{
	static const struct {
		const char *query;
		const char *key;
		const char *want; /* NULL: -1 */
	} cases[] = {
		{ "a=1", "a", "1" },
		{ "a=1&b=2", "b", "2" },
		{ "a=1&a=2", "a", "1" },
		{ "a=", "a", "" },
		{ "a", "a", "" },
		{ "a=x%20y+z", "a", "x y z" },
		{ "a=%c3%A4", "a", "\xc3\xa4" },
		{ "a=b=c", "a", "b=c" },
		{ "%61=1", "a", "1" },
		{ "aa=1", "a", NULL },
		{ "a=1", "aa", NULL },
		{ "", "a", NULL },
		{ "&&=&b=1", "b", "1" },
		{ "a=%", "a", NULL },
		{ "a=%4", "a", NULL },
		{ "a=%zz", "a", NULL },
		{ "a=%00", "a", NULL },
		{ "a=1234567", "a", "1234567" },
		{ "a=12345678", "a", NULL },
	};
	struct http_request r;
	char out[8];
	ptrdiff_t n;
	size_t i;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < NELEM(cases); i++) {
		r.query =
		    (struct slice){ cases[i].query, strlen(cases[i].query) };
		n = http_query(&r, cases[i].key, out, sizeof(out));
		if (cases[i].want == NULL) {
			is_int(n, -1, "no \"%s\" in \"%s\"", cases[i].key,
			    cases[i].query);
			continue;
		}
		is_int(n, (int64_t)strlen(cases[i].want), "length of \"%s\"",
		    cases[i].query);
		is_str(n >= 0 ? out : NULL, cases[i].want, "\"%s\" in \"%s\"",
		    cases[i].key, cases[i].query);
	}
}

int
main(void)
{
	ok(NELEM(rows) >= 90, "the table has %zu rows", NELEM(rows));
	test_rows();
	test_fields();
	test_connection();
	test_query();
	return tap_done();
}
