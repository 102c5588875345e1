/* SPDX-License-Identifier: ISC */
/*
 * lib: liblinnet from the inside.  Programs see include/linnet.h only.
 *
 *	linnet.c	life of a connection, the loop
 *	linnet_request.c	requests, and what the broker sends
 *	linnet_ws.c	frames
 *	linnet_http.c	the upgrade, and a request without it
 *	linnet_socket.c	addresses, connecting, bytes
 */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"
#include "linnet.h"

#define LINNET_CONNECT_MS 10000
#define LINNET_REQUEST_MS 30000
#define LINNET_CLOSE_MS 1000
#define LINNET_PING_MS 30000 /* nothing heard for so long: ask */
#define LINNET_DEAD_MS 75000 /* and for so long: gone */
#define LINNET_MAX_MESSAGE ((size_t)16 << 20)
#define LINNET_JSON_NODES ((size_t)1 << 22)
#define LINNET_JSON_DEPTH 256
#define LINNET_ID_MAX 128 /* a sender's own message id */

/*
 * linnet_error.c: codes and sentences.
 */
/* Once per process, whoever comes first; every entry point calls it. */
void linnet_start(void);
void linnet_error_set(struct linnet_error *e, const char *code, const char *fmt,
    ...) PRINTF_LIKE(3, 4);
void linnet_error_setv(struct linnet_error *e, const char *code,
    const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
/* May it work when tried again later, with nothing changed? */
bool linnet_error_passes(const char *code);
/* Milliseconds of a clock that never goes back, read now. */
int64_t linnet_now(void);

/*
 * linnet_json.c: reading answers.
 */
/* The string at a key of object i, in the pool; "" when there is none. */
const char *linnet_json_str(
    struct pool *p, const struct json *j, size_t i, const char *key);
int64_t linnet_json_int(const struct json *j, size_t i, const char *key);
bool linnet_json_bool(const struct json *j, size_t i, const char *key);

/*
 * linnet_url.c
 */
struct linnet_url {
	bool local; /* unix:/path, in host */
	char host[256];
	char port[8];
	char authority[300]; /* of the Host header */
	char path[1024];
};
int linnet_url_read(
    struct linnet_url *u, const char *url, struct linnet_error *e) MUST_CHECK;

/*
 * linnet_socket.c: a stream to the first address of a host that answers.
 */
struct linnet_socket {
	int fd;
	struct addrinfo *all; /* NULL when local */
	struct addrinfo *next;
};
void linnet_socket_init(struct linnet_socket *s);
/* 0: connecting, or connected; -1: no address works. */
int linnet_socket_start(struct linnet_socket *s, const struct linnet_url *u,
    struct linnet_error *e) MUST_CHECK;
/* 1: connected; 0: not yet; -1: no address is left. */
int linnet_socket_check(struct linnet_socket *s, const struct linnet_url *u,
    struct linnet_error *e) MUST_CHECK;
/* As recv(2) and send(2), but 0: not now, -1: over (also at the end). */
ptrdiff_t linnet_socket_read(struct linnet_socket *s, void *p, size_t n);
ptrdiff_t linnet_socket_write(struct linnet_socket *s, const void *p, size_t n);
void linnet_socket_close(struct linnet_socket *s);

/*
 * linnet_http.c
 */
struct linnet_http {
	int status;
	size_t head; /* bytes of the head, with its empty line */
	const char *text;
};
/* The head of a response: 1: read; 0: incomplete; -1: it is none. */
int linnet_http_read(
    struct linnet_http *h, const char *text, size_t n) MUST_CHECK;
/* The value of a header; {NULL, 0} without it. */
struct slice linnet_http_header(const struct linnet_http *h, const char *name);
/* Bytes of the body; -1: until the connection ends, -2: no good. */
int64_t linnet_http_length(const struct linnet_http *h);
#define LINNET_WS_KEY_SIZE 25
void linnet_http_upgrade(
    struct buf *out, const struct linnet_url *u, char key[LINNET_WS_KEY_SIZE]);
/* Is it the consent to an upgrade with this key?  NULL, or what is wrong. */
const char *linnet_http_upgraded(
    const struct linnet_http *h, const char key[LINNET_WS_KEY_SIZE]);
/* An error from the body {"code": ..., "message": ...} and the status. */
void linnet_http_error(struct linnet_error *e, const struct linnet_http *h,
    const char *body, size_t n);
/* One request with a body, on a connection of its own; waits.  The body of
 * the answer is added to out. */
int linnet_http_post(const struct linnet_url *u, const char *path,
    const struct buf *body, struct buf *out, int timeout_ms,
    struct linnet_error *e) MUST_CHECK;

/*
 * linnet_ws.c: WebSocket frames over the socket of a struct linnet.
 */
struct wslay_event_context;
struct linnet_ws {
	struct wslay_event_context *ctx; /* NULL: no WebSocket yet */
	struct linnet *l;
	struct buf *first; /* bytes that came behind the upgrade */
	struct buf message;
	size_t budget;	/* bytes to read in this turn */
	uint8_t opcode; /* of the frame at hand */
	bool too_big;
	bool eof;
	bool close_sent;
	size_t nclose; /* bytes of a close frame that came */
	uint8_t close[125];
};
void linnet_ws_open(struct linnet_ws *w, struct linnet *l, struct buf *first);
void linnet_ws_free(struct linnet_ws *w);
/* Queues; linnet_ws_run() writes. */
void linnet_ws_send(struct linnet_ws *w, const char *text, size_t n);
void linnet_ws_ping(struct linnet_ws *w);
void linnet_ws_close(struct linnet_ws *w, uint16_t code);
/* Reads and writes what goes without waiting, and hands messages to
 * linnet_receive().  -1: the connection is over. */
int linnet_ws_run(struct linnet_ws *w) MUST_CHECK;
short linnet_ws_events(const struct linnet_ws *w);
/* The code of the close frame that came, and its reason; 1005 without a code,
 * 0 without a frame. */
int linnet_ws_closed(const struct linnet_ws *w, char reason[124]);

/*
 * linnet_hello.c
 */
/* The signed hello, as a whole message. */
void linnet_hello_write(
    struct buf *out, const struct linnet *l, int64_t wall_ms);

/*
 * linnet_request.c
 */
struct linnet_pending {
	TAILQ_ENTRY(linnet_pending) entry;
	int64_t id;
	int64_t deadline;
	unsigned flags;
	bool sent; /* over the present connection */
	linnet_reply_fn *fn;
	void *arg;
	size_t n;
	char text[];
};
TAILQ_HEAD(linnet_requests, linnet_pending);
/* A message came in. */
void linnet_receive(struct linnet *l, const char *text, size_t n);
/* The connection is open: sends what waits. */
void linnet_request_flush(struct linnet *l);
/* Fails the requests whose time is over, those that cannot be repeated
 * (why), or all of them. */
void linnet_request_expire(struct linnet *l);
void linnet_request_lost(
    struct linnet *l, const struct linnet_error *why, bool all);
void linnet_request_forget(struct linnet *l);
/* The earliest end of the time of a request; INT64_MAX: none. */
int64_t linnet_request_deadline(const struct linnet *l);

/* Waits for the answer to what start() asks, whose fn is linnet_answer and arg
 * the struct linnet_answer. */
struct linnet_answer {
	bool done;
	bool failed;
	bool has_text;
	struct linnet_error error;
};
void linnet_answered(
    void *arg, struct linnet *l, const struct linnet_reply *reply);
int linnet_answer_wait(struct linnet *l, struct linnet_answer *a,
    struct linnet_reply *reply) MUST_CHECK;

/*
 * linnet_message.c
 */
/* The members of a send to a key that is public already, or to many. */
int linnet_message_seal(struct buf *out, const struct linnet *l,
    const char *target, const struct linnet_outgoing *m,
    struct linnet_error *e) MUST_CHECK;
/* What a push says, in the pool; -1: it is no push. */
int linnet_message_read(struct linnet_message *m, struct pool *p,
    const struct json *j, const uint8_t secret[CRYPTO_SECRET_LEN]) MUST_CHECK;

/*
 * linnet_target.c: who is meant by a name.
 */
/* Is it sent in clear, to many? */
bool linnet_target_is_many(const char *to);
/* Is it a public key? */
bool linnet_target_is_key(const char *to);
/* The key of a name in the answer to list_peers. */
int linnet_target_find(char key[LINNET_KEY_SIZE], const char *peers, size_t n,
    const char *name, struct linnet_error *e) MUST_CHECK;

/*
 * linnet.c
 */
enum linnet_phase {
	LINNET_IDLE,	   /* no connection */
	LINNET_CONNECTING, /* TCP */
	LINNET_UPGRADING,  /* HTTP */
	LINNET_GREETING,   /* hello */
	LINNET_OPEN,
	LINNET_CLOSING /* our close is on its way */
};

struct linnet {
	struct linnet_config config; /* its texts are in the pool */
	struct pool pool;
	struct linnet_url url;
	uint8_t secret[CRYPTO_SECRET_LEN];
	char session_id[64]; /* when the caller gave none */
	enum linnet_phase phase;
	struct linnet_socket socket;
	struct buf out; /* the upgrade */
	struct buf in;
	char ws_key[LINNET_WS_KEY_SIZE];
	struct linnet_ws ws;
	struct json json; /* of the message at hand */
	struct buf reply; /* of linnet_call() */
	struct linnet_requests requests;
	int64_t next_id;
	int64_t deadline; /* of this phase, or INT64_MAX */
	int64_t heard_ms;
	int64_t opened_ms;
	bool pinged;
	bool running;	/* in linnet_run() */
	bool restarted; /* the broker said 1012 */
	bool stable;	/* the last connection was open for a while */
	unsigned tries;
	struct linnet_error error;  /* of the last call */
	struct linnet_error ending; /* why this connection shall end */
	struct linnet_error lost;   /* why the last one ended */
};
/* The first connected socket is the caller's, who then runs it as usual: for
 * tests. */
void linnet_attach(struct linnet *l, int fd);
/* hello was answered; refused: with l->ending. */
void linnet_opened(struct linnet *l, const char *text, size_t n);
/* The connection ends when linnet_run() is back from the callback at hand. */
void linnet_refuse(struct linnet *l, const char *code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
