/* SPDX-License-Identifier: ISC */
/*
 * net: sockets, TLS, HTTP/1.1 and WebSocket for one process with one libevent
 * loop.  Knows nothing of agents: what arrives goes to the handler.
 *
 * A connection begins as HTTP and may become a WebSocket.  Output is queued
 * during a turn of the loop and written by net_flush() at its end, one write
 * per connection.  An idle connection holds neither input nor output memory.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <sys/socket.h>

#include "base/base.h"

struct event_base;
struct net;
struct conn;

/*
 * net_listen.c: addresses.
 */
struct net_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};
/* "127.0.0.1:7900", "[::1]:0", "*:7900", "host:port" or "unix:/path".  NULL,
 * or what is wrong. */
const char *net_addr_parse(const char *s, struct net_addr *a) MUST_CHECK;
/* An address to listen on: one of these, or after "tls:" one of these whose
 * clients must speak TLS. */
const char *net_listen_parse(
    const char *s, struct net_addr *a, bool *tls) MUST_CHECK;
/* Prints what net_addr_parse reads; out has NET_ADDR_LEN bytes.  An IPv4
 * address mapped into IPv6 is printed as IPv4. */
#define NET_ADDR_LEN 128
void net_addr_print(const struct net_addr *a, char out[NET_ADDR_LEN]);
/* Is it this machine: 127.0.0.0/8, ::1 (mapped too) or a unix socket? */
bool net_addr_is_loopback(const struct net_addr *a);
/* The bytes by which an address is counted (all of an IPv4 one, the /64 of an
 * IPv6 one), at most 16; their number, or 0 for one that is not counted. */
uint32_t net_addr_key(const struct net_addr *a, uint8_t key[16]);
/* A listening, non-blocking, close-on-exec socket; -1 and errno.  a becomes
 * the bound address (port 0 resolved). */
int net_listen(struct net_addr *a, int backlog) MUST_CHECK;

/*
 * net_frame.c: what is sent: immutable bytes, shared by reference.  A frame
 * is made once however many connections it goes to.
 */
struct frame {
	uint32_t refs;
	uint32_t len;
	char data[];
};
enum ws_op {
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10
};
/* A WebSocket frame from server to client (RFC 6455 5.2), with one
 * reference. */
struct frame *frame_ws(enum ws_op op, const void *payload, size_t n);
/* Bytes as they are. */
struct frame *frame_raw(const void *p, size_t n);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);
/* The bytes of all frames of this process that have more than so many. */
#define FRAME_LARGE (UINT32_C(1) << 20)
size_t frame_large(void);

/*
 * net_http.c: the strict reader of request heads (RFC 9112), without state.
 * Everything doubtful is refused; the table in t/unit/net_http.c is its
 * specification.
 */
#define HTTP_HEADERS_MAX 64
struct http_header {
	struct slice name; /* as received; compare without case */
	struct slice value;
};
struct http_request {
	struct slice method;
	struct slice path;  /* without the query */
	struct slice query; /* without the '?' */
	int minor;	    /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;
	bool upgrade; /* Connection: upgrade with Upgrade: websocket */
	bool expect;  /* Expect: 100-continue */
	bool chunked; /* the body comes in chunks; content_length is 0 */
	size_t content_length;
	struct slice body; /* complete when the handler sees it */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t nheaders;
};
/* Length of the head in p, 0 when it is incomplete, or -1 with *status (400,
 * 411, 413, 417, 431, 501, 505) and *reason, a sentence. */
ptrdiff_t http_parse(struct http_request *r, const char *p, size_t n,
    int *status, const char **reason) MUST_CHECK;
/* The value of a header, or {NULL, 0}. */
struct slice http_header(const struct http_request *r, const char *name);
/* The decoded value of a key of the query, in out; -1 when absent, malformed
 * or longer than max - 1. */
ptrdiff_t http_query(const struct http_request *r, const char *key, char *out,
    size_t max) MUST_CHECK;
/* How often the key is there, with whatever value. */
size_t http_query_count(const struct http_request *r, const char *key);
/* Is this, as it stands in a query, the name of a key? */
bool http_query_is(struct slice name, const char *key);
/* The bytes that part of a path stands for, in out, which has room for as many
 * as it has; returns how many. */
size_t http_path_text(struct slice part, char *out);
const char *http_status_text(int status);

/*
 * net_range.c: parts of a representation (RFC 9110 14).
 */
enum http_range {
	HTTP_RANGE_NONE, /* all of it: 200 */
	HTTP_RANGE_PART, /* 206 */
	HTTP_RANGE_BAD,	 /* 416 */
};
/* What a request wants of size bytes that have this entity tag, quotes
 * included.  *from and *n are set unless it is BAD. */
enum http_range http_range(const struct http_request *r, uint64_t size,
    const char *etag, uint64_t *from, uint64_t *n);

/*
 * net.c, net_conn.c, net_request.c, net_out.c, net_timer.c: connections.
 */
/* Of times, numbers of connections and `output`, 0 is no limit. */
struct net_limits {
	size_t head;	      /* bytes of a request head */
	size_t body;	      /* bytes of a request body */
	size_t message_early; /* bytes of a WebSocket message before... */
	size_t message;	      /* ... and after conn_trust() */
	size_t output;	      /* bytes queued for a peer that does not read */
	int64_t tls_ms;	      /* time for a TLS handshake */
	int64_t head_ms;      /* time for a whole request, head and body */
	int64_t hello_ms;     /* from upgrade to conn_trust() */
	int64_t message_ms;   /* time for a fragmented message to be complete */
	int64_t ping_ms;      /* silence before a ping */
	int64_t dead_ms;      /* silence before the peer counts as gone */
	int64_t write_ms;     /* without progress while output waits */
	int64_t keep_ms;      /* idle HTTP connection kept open */
	bool uring;	      /* use io_uring; looked at by net_new() only */
	unsigned conns;	      /* connections of this process */
	unsigned handshakes;  /* ... that have not finished TLS' handshake */
	unsigned per_addr;    /* ... per IPv4 address or IPv6 /64 */
	const char *const *origins; /* allowed Origin values, NULL-ended; "*"
				     * allows any, and none means own host */
};

/* Why connections end: a row is name and text; counted in net_stats. */
enum net_end {
#define NET_END(id, text) NET_END_##id,
#include "net/ends.def"
#undef NET_END
	NET_END_MAX
};
const char *net_end_name(enum net_end e);

/* How TLS handshakes end: likewise. */
enum net_tls_result {
#define NET_TLS(id, text) NET_TLS_##id,
#include "net/tls.def"
#undef NET_TLS
	NET_TLS_MAX
};
const char *net_tls_result_name(enum net_tls_result r);

struct net_stats {
	uint64_t opened;
	uint64_t upgraded;
	uint64_t requests;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t messages_in;
	uint64_t frames_out;
	uint64_t writes;
	uint64_t ended[NET_END_MAX];
	uint64_t tls[NET_TLS_MAX];
	uint64_t tls_resumed; /* of those that were OK */
};

/* What the layer above does.  Any of these may call conn_close() or
 * conn_send(); a connection is freed only after the callback returned. */
struct net_handler {
	/* A complete request; body and headers are good during the call.
	 * Answer now or later with conn_reply(), or conn_upgrade() now. */
	void (*request)(void *arg, struct conn *c, struct http_request *r);
	/* A complete, valid message; p is good during the call. */
	void (*message)(
	    void *arg, struct conn *c, enum ws_op op, const char *p, size_t n);
	/* All that was queued up to position pos is with the kernel; called
	 * only after conn_want_written(). */
	void (*written)(void *arg, struct conn *c, uint64_t pos);
	/* The connection is gone; the last call for it.  For a WebSocket,
	 * code is what the peer gave or what we gave, 1006 when none. */
	void (*closed)(
	    void *arg, struct conn *c, enum net_end why, uint16_t code);
	/* Shall the body of this request come in pieces, whatever its size?
	 * Asked when the head is there, perhaps more than once.  NULL: none. */
	bool (*streams)(void *arg, const struct http_request *r);
	/* A piece of the body of such a request, whose request() was called
	 * with the head alone; n is 0 at the end.  Returns how many bytes were
	 * taken; when fewer, as if conn_body(c, false) had been called. */
	size_t (*body)(void *arg, struct conn *c, const char *p, size_t n);
	/* There is room again for conn_answer(). */
	void (*room)(void *arg, struct conn *c);
};

struct net *net_new(struct event_base *base, const struct net_limits *limits,
    const struct net_handler *handler, void *arg);
/* Ends every connection at once. */
void net_free(struct net *n);
void net_set_limits(struct net *n, const struct net_limits *limits);
const struct net_stats *net_stats(const struct net *n);
size_t net_count(const struct net *n);
/* Takes over an accepted socket.  Over a limit it is answered and closed. */
void net_adopt(struct net *n, int fd, const struct net_addr *peer, bool tls);
/* At the end of every turn (EVLOOP_ONCE): writes what was queued, calls
 * written() and closed(), frees what was closed.  What those two queue for
 * others than this net must be flushed after it. */
void net_flush(struct net *n);
/* Once a second: deadlines, pings. */
void net_tick(struct net *n);
/* Every connection, for drain; fn may close it. */
void net_each(struct net *n, void (*fn)(void *arg, struct conn *c), void *arg);

/* The caller's own pointer for a connection. */
void conn_set_data(struct conn *c, void *data);
void *conn_data(const struct conn *c);
/* Good until the next call. */
const struct net_addr *conn_peer(const struct conn *c);
bool conn_is_ws(const struct conn *c);
bool conn_is_tls(const struct conn *c);
/* Queues a frame (takes a reference of its own).  Returns the position of its
 * end in the output; CONN_UNSENT, which no output reaches, when the connection
 * is closing or this frame is what makes it. */
#define CONN_UNSENT UINT64_MAX
uint64_t conn_send(struct conn *c, struct frame *f);
/* Calls handler->written at each flush that made progress, until switched
 * off. */
void conn_want_written(struct conn *c, bool on);
/* The position up to which the kernel has taken the output. */
uint64_t conn_written(const struct conn *c);
/* Stops and resumes reading (the caller has too much of this peer's work). */
void conn_pause(struct conn *c, bool on);
/* The peer proved who it is: larger messages, no hello deadline. */
void conn_trust(struct conn *c);
/* Ends: a WebSocket after what is queued and a close frame (RFC 6455 7.1.1)
 * and the peer's answer or a deadline; HTTP after what is queued. */
void conn_close(
    struct conn *c, enum net_end why, uint16_t code, const char *reason);
/* At once, without a word. */
void conn_drop(struct conn *c, enum net_end why);
/* Answers the present request.  type may be NULL without a body; headers are
 * complete lines with CRLF, or NULL. */
void conn_reply(struct conn *c, int status, const char *type,
    const char *headers, const void *body, size_t n);

/* From now until the reply a peer that ends its side has left, and does not
 * want one: for requests that wait, or may not be answered to nobody. */
void conn_wait(struct conn *c);
/* The position of the end of the output. */
uint64_t conn_queued(const struct conn *c);

/*
 * net_chunked.c: replies that end when they end.
 */
/* Begins one, adds to it, and ends it; what is not read is bytes of the
 * output.  Who has left meanwhile, or ended its side, is gone. */
void conn_chunked(
    struct conn *c, int status, const char *type, const char *headers);
void conn_chunk(struct conn *c, const void *p, size_t n);
void conn_chunked_end(struct conn *c);

/*
 * net_stream.c: bodies that are larger than memory.
 */
/* Reads the body of a request that streams, or waits.  It waits at first; an
 * expected 100 is sent when it is wanted.  Whoever replies before its end
 * does not get the rest, and the connection ends. */
void conn_body(struct conn *c, bool on);
/* Begins an answer of so many bytes, which conn_answer() brings; conn_drop()
 * when they cannot be had.  A HEAD is answered with that.  True: bytes are to
 * follow. */
bool conn_answer_begin(struct conn *c, int status, const char *type,
    const char *headers, uint64_t length);
/* Some of them, no more than there are to come.  False: enough is queued;
 * room() is called when there is room. */
bool conn_answer(struct conn *c, const void *p, size_t n);
#define CONN_ANSWER_MAX (128 * 1024) /* bytes that are queued at once */

/*
 * net_ws.c: WebSocket.
 */
/* Answers an upgrade request with 101, or with 400, 403 or 426 and -1. */
int conn_upgrade(struct conn *c, const struct http_request *r);

/*
 * net_tls.c, net_tls_io.c: TLS 1.2 and 1.3 (RFC 5246, 8446) by OpenSSL, for
 * HTTP/1.1 only (ALPN, RFC 7301), without renegotiation and early data.
 */
struct net_tls;
struct net_tls_options {
	bool only_13;	     /* not TLS 1.2 */
	const char *ciphers; /* of TLS 1.2, as ciphers(1) writes them */
	int64_t session_ms;  /* how long a session may be resumed */
};
struct net_tls_cert {
	char name[256];	   /* the first that it is good for */
	int64_t begins_ms; /* of its validity, since 1970 */
	int64_t ends_ms;
};
/* A key for session tickets; name is public, the others are secret. */
struct net_tls_ticket {
	uint8_t name[16];
	uint8_t aes[32];
	uint8_t mac[32];
};
#define NET_TLS_TICKETS 2
/* Once per process, before a chroot(2): reads OpenSSL's own configuration, and
 * has SIGPIPE ignored.  Fatal when it fails. */
void net_tls_start(void);
struct net_tls *net_tls_new(const struct net_tls_options *o);
void net_tls_free(struct net_tls *t);
/* Adds a chain of certificates, the server's own first, and its private key,
 * both PEM.  A client that asks for a name gets the first that has it, or the
 * first of all.  NULL, or what is wrong: part of a sentence. */
const char *net_tls_add(
    struct net_tls *t, struct slice chain, struct slice key) MUST_CHECK;
size_t net_tls_count(const struct net_tls *t);
const struct net_tls_cert *net_tls_cert(const struct net_tls *t, size_t i);
/* Takes over the certificates, one at least, or NULL for none; connections
 * that exist keep theirs. */
void net_set_tls(struct net *n, struct net_tls *t);
/* Copies the keys: the first makes tickets, all open them. */
void net_set_tickets(
    struct net *n, const struct net_tls_ticket *keys, size_t count);

#endif
