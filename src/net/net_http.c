/* SPDX-License-Identifier: ISC */
/*
 * The reader of request heads.  It keeps no state: it is called again with
 * more bytes until the head is complete, and works line by line, so that the
 * first offending line decides, however the bytes were split.
 *
 * Two readers that disagree about where a request ends are how requests are
 * smuggled past a proxy.  So nothing is repaired and nothing is guessed: what
 * RFC 9112 lets a recipient tolerate is refused unless real clients send it.
 */
#include <string.h>
#include <strings.h>

#include "net/net.h"

#define CL_DIGITS_MAX 18 /* fits 63 bits */
#define METHOD_MAX 32

/* What a byte may be part of. */
enum {
	TOKEN = 1, /* RFC 9110 5.6.2 */
	VALUE = 2, /* RFC 9110 5.5, without white space at the ends */
	PATH = 4,  /* RFC 3986 3.3, and '/' */
	QUERY = 8, /* what browsers and curl leave unescaped */
	HOST = 16, /* names, addresses and ports, no user and no list */
};

#define ANY (TOKEN | VALUE | PATH | QUERY | HOST)
#define SUB (TOKEN | VALUE | PATH | QUERY)

static const uint8_t http_class[256] = {
	['\t'] = VALUE,
	[' '] = VALUE,
	['!'] = SUB,
	['"'] = VALUE | QUERY,
	['#'] = TOKEN | VALUE,
	['$' ... '\''] = SUB,
	['(' ... ')'] = VALUE | PATH | QUERY,
	['*' ... '+'] = SUB,
	[','] = VALUE | PATH | QUERY,
	['-' ... '.'] = ANY,
	['/'] = VALUE | PATH | QUERY,
	['0' ... '9'] = ANY,
	[':'] = VALUE | PATH | QUERY | HOST,
	[';'] = VALUE | PATH | QUERY,
	['<'] = VALUE | QUERY,
	['='] = VALUE | PATH | QUERY,
	['>' ... '?'] = VALUE | QUERY,
	['@'] = VALUE | PATH | QUERY,
	['A' ... 'Z'] = ANY,
	['['] = VALUE | QUERY | HOST,
	['\\'] = VALUE | QUERY,
	[']'] = VALUE | QUERY | HOST,
	['^'] = TOKEN | VALUE | QUERY,
	['_'] = ANY,
	['`'] = TOKEN | VALUE | QUERY,
	['a' ... 'z'] = ANY,
	['{'] = VALUE | QUERY,
	['|'] = TOKEN | VALUE | QUERY,
	['}'] = VALUE | QUERY,
	['~'] = SUB,
	[0x80 ... 0xff] = VALUE,
};

static const struct {
	int status;
	const char *text;
} http_statuses[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

/* The reading of one head. */
struct http_head {
	struct http_request *r;
	struct slice authority; /* of an absolute target */
	struct slice host;
	unsigned hosts;
	unsigned authorizations;
	unsigned lengths;
	unsigned codings;
	bool chunked;
	bool close;
	bool keep;
	bool connection_upgrade;
	bool websocket;
	int status;
	const char *reason;
};

const char *
http_status_text(int status)
{
	size_t i;

	for (i = 0; i < NELEM(http_statuses); i++)
		if (http_statuses[i].status == status)
			return http_statuses[i].text;
	return "Unknown";
}

static int
http_fail(struct http_head *h, int status, const char *reason)
{
	h->status = status;
	h->reason = reason;
	return -1;
}

static bool
http_all(struct slice s, uint8_t class)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!(http_class[(uint8_t)s.p[i]] & class))
			return false;
	return true;
}

static bool
http_same(struct slice s, const char *text)
{
	return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

/* Takes the part of s before the first c, and c; all of it when there is no
 * c. */
static struct slice
http_cut(struct slice *s, char c)
{
	const char *at = s->n > 0 ? memchr(s->p, c, s->n) : NULL;
	struct slice head = *s;

	if (at == NULL) {
		s->p += s->n;
		s->n = 0;
		return head;
	}
	head.n = (size_t)(at - s->p);
	s->p += head.n + 1;
	s->n -= head.n + 1;
	return head;
}

static struct slice
http_trim(struct slice s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static int
http_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that s begins with, decoded, and the bytes it takes; 0 when its
 * escape is malformed. */
static size_t
http_unescape(struct slice s, char *c)
{
	int high, low;

	*c = s.p[0];
	if (s.p[0] != '%')
		return 1;
	if (s.n < 3 || (high = http_digit(s.p[1])) == -1 ||
	    (low = http_digit(s.p[2])) == -1)
		return 0;
	*c = (char)(high << 4 | low);
	return 3;
}

size_t
http_path_text(struct slice part, char *out)
{
	size_t n = 0, used;

	for (; part.n > 0; part.p += used, part.n -= used)
		if ((used = http_unescape(part, &out[n++])) == 0)
			fatalx("a path that was not checked");
	return n;
}

/* A path has no escapes that change its meaning when they are decoded twice
 * or not at all, and no "." or ".." in any spelling. */
static int
http_check_path(struct http_head *h, struct slice path)
{
	size_t used, dots = 0, others = 0;
	char c;

	if (!http_all(path, PATH))
		return http_fail(
		    h, 400, "The path has a character that must be escaped.");
	for (; path.n > 0; path.p += used, path.n -= used) {
		if ((used = http_unescape(path, &c)) == 0)
			return http_fail(
			    h, 400, "The path has a malformed escape.");
		if (used == 3 &&
		    (c == '/' || c == '\\' || (uint8_t)c < ' ' || c == 0x7f))
			return http_fail(h, 400,
			    "The path has an escaped slash or control "
			    "character.");
		if (c == '/') {
			if (others == 0 && (dots == 1 || dots == 2))
				break;
			dots = others = 0;
		} else if (c == '.') {
			dots++;
		} else {
			others++;
		}
	}
	if (others == 0 && (dots == 1 || dots == 2))
		return http_fail(
		    h, 400, "The path has a \".\" or \"..\" segment.");
	return 0;
}

/* RFC 9112 3.2: origin form, absolute form, and asterisk form for OPTIONS. */
static int
http_read_target(struct http_head *h, struct slice target)
{
	struct http_request *r = h->r;
	struct slice rest;
	size_t scheme = 0, i;

	if (http_same(r->method, "CONNECT"))
		return http_fail(h, 501, "This server is no proxy.");
	if (target.n == 1 && target.p[0] == '*') {
		if (!http_same(r->method, "OPTIONS"))
			return http_fail(
			    h, 400, "Only OPTIONS may ask for \"*\".");
		r->path = target;
		return 0;
	}
	if (target.n >= 7 && strncasecmp(target.p, "http://", 7) == 0)
		scheme = 7;
	else if (target.n >= 8 && strncasecmp(target.p, "https://", 8) == 0)
		scheme = 8;
	if (scheme > 0) {
		target.p += scheme;
		target.n -= scheme;
		for (i = 0; i < target.n; i++)
			if (target.p[i] == '/' || target.p[i] == '?')
				break;
		h->authority = (struct slice){ target.p, i };
		target.p += i;
		target.n -= i;
		if (h->authority.n == 0)
			return http_fail(
			    h, 400, "The request target has no host.");
	}
	rest = target;
	r->path = http_cut(&rest, '?');
	r->query = rest;
	if (scheme > 0 && r->path.n == 0)
		r->path = (struct slice){ "/", 1 };
	if (r->path.n == 0 || r->path.p[0] != '/')
		return http_fail(
		    h, 400, "The request target does not begin with a slash.");
	if (!http_all(r->query, QUERY))
		return http_fail(
		    h, 400, "The query has a character that must be escaped.");
	return http_check_path(h, r->path);
}

static int
http_read_version(struct http_head *h, struct slice v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.' ||
	    v.p[5] < '0' || v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
		return http_fail(
		    h, 400, "The request line does not end with a version.");
	if (v.p[5] != '1' || v.p[7] > '1')
		return http_fail(
		    h, 505, "This server speaks HTTP/1.0 and HTTP/1.1.");
	h->r->minor = v.p[7] - '0';
	return 0;
}

static int
http_read_request_line(struct http_head *h, struct slice line)
{
	struct http_request *r = h->r;
	struct slice target;

	r->method = http_cut(&line, ' ');
	if (r->method.n == 0 || r->method.n > METHOD_MAX ||
	    !http_all(r->method, TOKEN))
		return http_fail(
		    h, 400, "The request line does not begin with a method.");
	target = http_cut(&line, ' ');
	if (http_read_version(h, line) == -1)
		return -1;
	return http_read_target(h, target);
}

/* RFC 9112 6.3: a length that two readers could read differently ends it. */
static int
http_read_length(struct http_head *h, struct slice v)
{
	size_t i, n = 0;

	if (h->lengths++ > 0)
		return http_fail(h, 400, "Content-Length is there twice.");
	if (v.n == 0 || (v.n > 1 && v.p[0] == '0'))
		return http_fail(h, 400, "Content-Length is no number.");
	for (i = 0; i < v.n; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return http_fail(
			    h, 400, "Content-Length is no number.");
	if (v.n > CL_DIGITS_MAX)
		return http_fail(h, 413, "The body is too large.");
	for (i = 0; i < v.n; i++)
		n = n * 10 + (size_t)(v.p[i] - '0');
	h->r->content_length = n;
	return 0;
}

static int
http_read_coding(struct http_head *h, struct slice v)
{
	if (h->codings++ > 0)
		return http_fail(h, 400, "Transfer-Encoding is there twice.");
	h->chunked = http_same(v, "chunked");
	return 0;
}

static int
http_read_host(struct http_head *h, struct slice v)
{
	if (h->hosts++ > 0)
		return http_fail(h, 400, "Host is there twice.");
	if (v.n == 0 || !http_all(v, HOST))
		return http_fail(h, 400, "Host is no host.");
	h->host = v;
	return 0;
}

/* Two readers could take it for two people. */
static int
http_read_authorization(struct http_head *h, struct slice v)
{
	(void)v;
	if (h->authorizations++ > 0)
		return http_fail(h, 400, "Authorization is there twice.");
	return 0;
}

static int
http_read_connection(struct http_head *h, struct slice v)
{
	struct slice token;

	while (v.n > 0) {
		token = http_trim(http_cut(&v, ','));
		if (http_same(token, "close"))
			h->close = true;
		else if (http_same(token, "keep-alive"))
			h->keep = true;
		else if (http_same(token, "upgrade"))
			h->connection_upgrade = true;
	}
	return 0;
}

static int
http_read_upgrade(struct http_head *h, struct slice v)
{
	while (v.n > 0)
		if (http_same(http_trim(http_cut(&v, ',')), "websocket"))
			h->websocket = true;
	return 0;
}

static int
http_read_expect(struct http_head *h, struct slice v)
{
	if (!http_same(v, "100-continue"))
		return http_fail(h, 417, "Only 100-continue can be expected.");
	h->r->expect = true;
	return 0;
}

static const struct {
	const char *name;
	int (*read)(struct http_head *h, struct slice value);
} http_fields[] = {
	{ "Content-Length", http_read_length },
	{ "Transfer-Encoding", http_read_coding },
	{ "Host", http_read_host },
	{ "Authorization", http_read_authorization },
	{ "Connection", http_read_connection },
	{ "Upgrade", http_read_upgrade },
	{ "Expect", http_read_expect },
};

static int
http_read_field(struct http_head *h, struct slice line)
{
	struct http_request *r = h->r;
	struct http_header *f;
	size_t i;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return http_fail(h, 400, "A header line is folded.");
	if (memchr(line.p, ':', line.n) == NULL)
		return http_fail(h, 400, "A header line has no colon.");
	if (r->nheaders == HTTP_HEADERS_MAX)
		return http_fail(h, 431, "There are too many headers.");
	f = &r->headers[r->nheaders++];
	f->name = http_cut(&line, ':');
	f->value = http_trim(line);
	if (f->name.n == 0 || !http_all(f->name, TOKEN))
		return http_fail(h, 400, "A header name is malformed.");
	if (!http_all(f->value, VALUE))
		return http_fail(
		    h, 400, "A header value has a control character.");
	for (i = 0; i < NELEM(http_fields); i++)
		if (http_same(f->name, http_fields[i].name))
			return http_fields[i].read(h, f->value);
	return 0;
}

/* What can be said only when all lines were seen. */
static int
http_finish(struct http_head *h)
{
	struct http_request *r = h->r;

	if (h->codings > 0) {
		if (h->lengths > 0 || r->minor == 0 || !h->chunked)
			return http_fail(
			    h, 400, "The length of the body is ambiguous.");
		r->chunked = true;
	}
	if (h->hosts == 0 && r->minor == 1)
		return http_fail(h, 400, "Host is missing.");
	if (h->authority.n > 0 &&
	    (h->hosts == 0 || h->authority.n != h->host.n ||
		strncasecmp(h->authority.p, h->host.p, h->host.n) != 0))
		return http_fail(
		    h, 400, "The request target and Host do not agree.");
	/* RFC 9112 9.3; HTTP/1.0 stays only when asked to. */
	r->keep_alive = !h->close && (r->minor == 1 || h->keep);
	r->upgrade = r->minor == 1 && h->connection_upgrade && h->websocket;
	/* RFC 9110 10.1.1: of an HTTP/1.0 client it means nothing. */
	if (r->minor == 0)
		r->expect = false;
	return 0;
}

/* 1: the head ends with this line. */
static int
http_read_line(struct http_head *h, struct slice line, bool first)
{
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		return http_fail(h, 400, "A line does not end with CR LF.");
	line.n--;
	if (first)
		return http_read_request_line(h, line);
	if (line.n > 0)
		return http_read_field(h, line);
	return http_finish(h) == -1 ? -1 : 1;
}

ptrdiff_t
http_parse(struct http_request *r, const char *p, size_t n, int *status,
    const char **reason)
{
	struct http_head h = { .r = r };
	const char *at = p, *end;
	bool first = true;
	int rc = 0;

	r->nheaders = 0;
	r->method = r->path = r->query = r->body = (struct slice){ NULL, 0 };
	r->minor = 0;
	r->keep_alive = r->upgrade = r->expect = r->chunked = false;
	r->content_length = 0;
	/* TLS or another protocol on this port has perhaps no line ever. */
	if (n > 0 && !(http_class[(uint8_t)p[0]] & TOKEN))
		rc = http_fail(
		    &h, 400, "The request line does not begin with a method.");
	while (rc == 0) {
		if (at == p + n ||
		    (end = memchr(at, '\n', n - (size_t)(at - p))) == NULL)
			return 0;
		rc = http_read_line(
		    &h, (struct slice){ at, (size_t)(end - at) }, first);
		first = false;
		at = end + 1;
	}
	if (rc == 1)
		return at - p;
	*status = h.status;
	*reason = h.reason;
	return -1;
}

struct slice
http_header(const struct http_request *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->nheaders; i++)
		if (http_same(r->headers[i].name, name))
			return r->headers[i].value;
	return (struct slice){ NULL, 0 };
}

/* The next byte of a query's name or value; -1 when malformed. */
static int
http_query_next(struct slice *s)
{
	size_t used;
	char c;

	if ((used = http_unescape(*s, &c)) == 0 || c == '\0')
		return -1;
	if (used == 1 && c == '+')
		c = ' ';
	s->p += used;
	s->n -= used;
	return (uint8_t)c;
}

bool
http_query_is(struct slice name, const char *key)
{
	for (; name.n > 0 && *key != '\0'; key++)
		if (http_query_next(&name) != (uint8_t)*key)
			return false;
	return name.n == 0 && *key == '\0';
}

size_t
http_query_count(const struct http_request *r, const char *key)
{
	struct slice rest = r->query, pair;
	size_t n = 0;

	while (rest.n > 0) {
		pair = http_cut(&rest, '&');
		n += http_query_is(http_cut(&pair, '='), key);
	}
	return n;
}

ptrdiff_t
http_query(const struct http_request *r, const char *key, char *out, size_t max)
{
	struct slice rest = r->query, pair, name;
	size_t len = 0;
	int c;

	while (rest.n > 0) {
		pair = http_cut(&rest, '&');
		name = http_cut(&pair, '=');
		if (!http_query_is(name, key))
			continue;
		while (pair.n > 0) {
			if ((c = http_query_next(&pair)) == -1 ||
			    len + 1 >= max)
				return -1;
			out[len++] = (char)c;
		}
		if (len >= max)
			return -1;
		out[len] = '\0';
		return (ptrdiff_t)len;
	}
	return -1;
}
