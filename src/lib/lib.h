/* SPDX-License-Identifier: ISC */
/*
 * lib: liblinnet from the inside.  Programs see include/linnet.h only.
 *
 *	linnet.c		a connection's life
 *	linnet_loop.c		turning it
 *	linnet_retry.c		what its end means, and when to try again
 *	linnet_config.c		what the caller wants; linnet_identity.c: who
 *				it is; linnet_hello.c: saying so
 *	linnet_request.c	requests; linnet_ops.c, linnet_channel.c: those
 *				of the broker;
 *				linnet_result.c: waiting for the answers;
 *				linnet_watch.c: watches of state,
 *				linnet_follow.c: channels
 *	linnet_receive.c	what the broker sends; linnet_seen.c: ids
 *	linnet_send.c		messages: linnet_target.c: to whom,
 *				linnet_message.c: sealed
 *	linnet_file.c		bytes of files
 *	linnet_ws.c		frames, over linnet_http.c: the upgrade, over
 *				linnet_socket.c: bytes, over linnet_tls.c
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
#define LINNET_MAX_QUEUE 1000
#define LINNET_MAX_QUEUE_BYTES ((size_t)64 << 20)
#define LINNET_MAX_SEEN 4096
#define LINNET_JSON_NODES ((size_t)1 << 22)
#define LINNET_JSON_DEPTH 256
#define LINNET_ID_MAX 100     /* a sender's own message id */
#define LINNET_SEEN_ID_MAX 64 /* a message's id that is remembered */
#define LINNET_NAMES_MS 10000 /* what a name means is believed so long */

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
/* Is it one of the codes that are known here? */
bool linnet_error_known(const char *code);
/* Milliseconds of a clock that never goes back, read now. */
int64_t linnet_now(void);
/* Milliseconds since 1970, read now. */
int64_t linnet_wall(void);
/* Random, below n. */
int linnet_random(int n);

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
	bool tls;
	char host[256];
	char port[8];
	char authority[300]; /* of the Host header */
	char path[1024];
};
int linnet_url_read(
    struct linnet_url *u, const char *url, struct linnet_error *e) MUST_CHECK;

/*
 * linnet_tls.c: TLS over the descriptor of a struct linnet_socket.
 */
struct ssl_ctx_st;
struct ssl_st;
struct linnet_socket;
/* NULL: bad_certificate.  Freed with linnet_tls_free(), which takes NULL. */
struct ssl_ctx_st *linnet_tls_new(
    const struct linnet_tls *t, struct linnet_error *e) MUST_CHECK;
void linnet_tls_free(struct ssl_ctx_st *ctx);
/* Begins over a connected socket. */
void linnet_tls_begin(struct linnet_socket *s, struct ssl_ctx_st *ctx,
    const struct linnet_url *u);
/* 1: the other side is who it should be; 0: not yet; -1: it is not. */
int linnet_tls_shake(struct linnet_socket *s, const struct linnet_url *u,
    struct linnet_error *e) MUST_CHECK;
/* As linnet_socket_read() and linnet_socket_write(). */
ptrdiff_t linnet_tls_read(struct linnet_socket *s, void *p, size_t n);
ptrdiff_t linnet_tls_write(struct linnet_socket *s, const void *p, size_t n);
/* Is there input that no descriptor announces any more? */
bool linnet_tls_pending(const struct linnet_socket *s);
void linnet_tls_end(struct linnet_socket *s);

/*
 * linnet_socket.c: a stream to the first address of a host that answers.
 */
struct linnet_socket {
	int fd;
	struct addrinfo *all; /* NULL when local */
	struct addrinfo *next;
	struct ssl_st *ssl; /* NULL: no TLS */
	bool shaken;	    /* the handshake went well */
	short wants;	    /* what TLS waits for besides: POLLIN, POLLOUT */
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
/* Waits for events of poll(2), or what TLS waits for; -1: the time is over. */
int linnet_http_wait(
    const struct linnet_socket *s, short events, int64_t deadline) MUST_CHECK;
/* Connects, with TLS where the URL has it; waits. */
int linnet_http_connect(struct linnet_socket *s, const struct linnet_url *u,
    struct ssl_ctx_st *ctx, int64_t deadline,
    struct linnet_error *e) MUST_CHECK;
/* One request with a body, on a connection of its own; waits.  The body of
 * the answer is added to out.  ctx is for URLs with TLS. */
int linnet_http_post(const struct linnet_url *u, struct ssl_ctx_st *ctx,
    const char *path, const struct buf *body, struct buf *out, int timeout_ms,
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
	uint16_t goodbye; /* the code of a close that waits its turn, or 0 */
	size_t nclose;	  /* bytes of a close frame that came */
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
/* Was reading stopped with input at hand that poll(2) does not tell of? */
bool linnet_ws_more(const struct linnet_ws *w);
/* The code of the close frame that came, and its reason; 1005 without a code,
 * 0 without a frame. */
int linnet_ws_closed(const struct linnet_ws *w, char reason[124]);

/*
 * linnet_identity.c: keys.
 */
struct linnet_identity {
	bool member;  /* with its secret key */
	bool session; /* with a key of its own */
	uint8_t member_secret[CRYPTO_SECRET_LEN];
	uint8_t session_secret[CRYPTO_SECRET_LEN];
	char member_key[LINNET_KEY_SIZE];
	char session_key[LINNET_KEY_SIZE];
	/* Given; "": the member makes one for each hello. */
	char attestation[LINNET_ATTESTATION_SIZE];
};
/* -1: bad_argument. */
int linnet_identity_read(struct linnet_identity *id,
    const struct linnet_config *c, struct linnet_error *e) MUST_CHECK;
void linnet_identity_wipe(struct linnet_identity *id);
/* Takes an attestation that fits the session key, and the member's key from
 * it. */
int linnet_identity_attest(struct linnet_identity *id, const char *attestation,
    struct linnet_error *e) MUST_CHECK;
/* The key under which messages are sent, and what seals them. */
const char *linnet_identity_key(const struct linnet_identity *id);
const uint8_t *linnet_identity_secret(const struct linnet_identity *id);
/* Writes an attestation; secret is the member's. */
void linnet_identity_write(char out[LINNET_ATTESTATION_SIZE],
    const uint8_t secret[CRYPTO_SECRET_LEN], const char *member_key,
    const char *session_key, int64_t expires_ms);

/*
 * linnet_config.c
 */
/* NULL, or what is wrong beside the keys. */
const char *linnet_config_problem(const struct linnet_config *c) MUST_CHECK;
/* Copies what is kept, and puts defaults; keys are not kept here. */
void linnet_config_copy(struct linnet *l, const struct linnet_config *c);

/*
 * linnet_hello.c
 */
/* The signed hello, as a whole message; session: a session_hello. */
void linnet_hello_write(
    struct buf *out, const struct linnet *l, int64_t wall_ms, bool session);

/*
 * linnet_request.c
 */
struct linnet_pending {
	TAILQ_ENTRY(linnet_pending) entry;
	int64_t id;
	int64_t deadline; /* INT64_MAX: none */
	unsigned flags;
	bool sent; /* over the present connection */
	linnet_reply_fn *fn;
	void *arg;
	size_t n;
	char text[];
};
TAILQ_HEAD(linnet_requests, linnet_pending);
#define LINNET_MADE_ROOM 0x80000000u /* it is not too much for the queue */
/* linnet_request() with another time: 0: as long as it takes. */
int linnet_request_within(struct linnet *l, const char *type,
    const char *fields, unsigned flags, int ms, linnet_reply_fn *fn,
    void *arg) MUST_CHECK;
/* Is there room for n more bytes?  -1: queue_full, or why it is stopped. */
int linnet_request_room(struct linnet *l, size_t n) MUST_CHECK;
/* The connection is open: sends what waits. */
void linnet_request_flush(struct linnet *l);
/* An answer to a request of ours came, which is in l->json. */
void linnet_request_answered(
    struct linnet *l, bool is_error, const char *text, size_t n);
/* Fails the requests whose time is over, those that cannot be repeated
 * (why), or all of them. */
void linnet_request_expire(struct linnet *l);
void linnet_request_lost(
    struct linnet *l, const struct linnet_error *why, bool all);
/* Fails the largest that was sent over this connection. */
void linnet_request_too_big(struct linnet *l, const struct linnet_error *why);
void linnet_request_forget(struct linnet *l);
/* The earliest end of the time of a request, or before it; INT64_MAX: none. */
int64_t linnet_request_deadline(const struct linnet *l);
/* As linnet_fields(), into a buf. */
void linnet_request_fields(struct buf *out, const char *names, va_list ap);

/*
 * linnet_ops.c, linnet_channel.c, linnet_permission.c: what the broker can be
 * asked.
 */
struct linnet_ops_call {
	struct linnet *l;
	const char *type;
	unsigned flags;
	linnet_reply_fn *fn;
	void *arg;
};
/* Of the arguments that each operation has. */
#define OPS_REPEAT(type) \
	(&(const struct linnet_ops_call){ l, type, LINNET_REPEAT, fn, arg })
#define OPS_ONCE(type) (&(const struct linnet_ops_call){ l, type, 0, fn, arg })
/* names and values as of linnet_fields(). */
int linnet_ops_ask(const struct linnet_ops_call *c, const char *names, ...);
/* A number that is left out when it is 0. */
const char *linnet_ops_number(char text[24], int64_t n);

/*
 * linnet_receive.c
 */
/* A message came in. */
void linnet_receive(struct linnet *l, const char *text, size_t n);
/* Tells the program of the state that object i of l->json has. */
void linnet_receive_state(struct linnet *l, size_t i);

/*
 * linnet_watch.c
 */
struct linnet_watch;
TAILQ_HEAD(linnet_watches, linnet_watch);
/* The connection is a new one. */
void linnet_watch_again(struct linnet *l);
void linnet_watch_forget(struct linnet *l);

/*
 * linnet_follow.c
 */
struct linnet_follow;
TAILQ_HEAD(linnet_follows, linnet_follow);
/* Something about a channel came, which is in l->json; false: it is not. */
bool linnet_follow_receive(
    struct linnet *l, const struct json_node *type, const char *text, size_t n);
/* The connection is a new one. */
void linnet_follow_again(struct linnet *l);
void linnet_follow_forget(struct linnet *l);

/*
 * linnet_permission.c
 */
/* A notice came, which is in l->json; false: it is none. */
bool linnet_permission_receive(
    struct linnet *l, const struct json_node *type, const char *text, size_t n);

/*
 * linnet_seen.c: ids of messages that came, the newest ones.
 */
struct linnet_seen_id {
	struct hash_entry hash;
	TAILQ_ENTRY(linnet_seen_id) entry;
	bool acked;
	char id[LINNET_SEEN_ID_MAX + 1];
};
struct linnet_seen {
	struct hash ids;
	TAILQ_HEAD(, linnet_seen_id) order;
	size_t max;
};
void linnet_seen_init(struct linnet_seen *s, size_t max);
void linnet_seen_free(struct linnet_seen *s);
struct linnet_seen_id *linnet_seen_find(struct linnet_seen *s, const char *id);
void linnet_seen_add(struct linnet_seen *s, const char *id);

/*
 * linnet_message.c
 */
/* The members of a send: to a key, sealed; or in clear to targets, which are
 * JSON (a text or an array). */
int linnet_message_seal(struct buf *out, const struct linnet *l,
    const char *key, const struct linnet_outgoing *m, const char *id,
    struct linnet_error *e) MUST_CHECK;
void linnet_message_clear(struct buf *out, const struct linnet *l,
    const struct slice *targets, const struct linnet_outgoing *m,
    const char *id);
/* What a push says, in the pool; -1: it is no push. */
int linnet_message_read(struct linnet_message *m, struct pool *p,
    const struct json *j, const struct linnet_identity *id) MUST_CHECK;

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

/* What names meant lately. */
struct linnet_names {
	struct hash names;
	int64_t since_ms; /* the oldest of them */
};
void linnet_names_init(struct linnet_names *t);
void linnet_names_forget(struct linnet_names *t);
const char *linnet_names_find(struct linnet_names *t, const char *name);
void linnet_names_add(
    struct linnet_names *t, const char *name, const char *key);

/*
 * linnet_send.c
 */
struct linnet_sending;
TAILQ_HEAD(linnet_sendings, linnet_sending);
struct linnet_parts;
TAILQ_HEAD(linnet_partses, linnet_parts);
/* linnet_send() with a time; 0: as long as it takes. */
int linnet_send_within(struct linnet *l, const struct linnet_outgoing *m,
    int ms, linnet_reply_fn *fn, void *arg) MUST_CHECK;
void linnet_send_forget(struct linnet *l);

/*
 * linnet_retry.c
 */
/* What the close frame of the broker means; 0: there was none. */
void linnet_retry_explain(struct linnet *l, int code, const char *reason);
/* Milliseconds until it makes sense to connect again after l->lost; each call
 * counts as a try.  -1: never. */
int linnet_retry_delay(struct linnet *l);

/*
 * linnet.c
 */
enum linnet_step {
	LINNET_STEP_NONE, /* STOPPED */
	LINNET_STEP_WAIT, /* to connect again */
	LINNET_STEP_TCP,
	LINNET_STEP_TLS,
	LINNET_STEP_UPGRADE, /* HTTP */
	LINNET_STEP_HELLO,
	LINNET_STEP_OPEN,
	LINNET_STEP_CLOSE, /* our close is on its way */
};

struct linnet {
	struct linnet_config config; /* its texts are in the pool */
	struct pool pool;
	struct linnet_url url;
	struct ssl_ctx_st *tls; /* NULL: no TLS */
	struct linnet_identity id;
	char session_id[64]; /* when the caller gave none */
	enum linnet_step step;
	struct linnet_socket socket;
	struct buf out; /* the upgrade */
	struct buf in;
	char ws_key[LINNET_WS_KEY_SIZE];
	struct linnet_ws ws;
	struct json json;	     /* of the message at hand */
	struct linnet_result result; /* of linnet_call() */
	struct linnet_requests requests;
	struct linnet_sendings sendings; /* whose targets are looked up */
	struct linnet_partses partses;
	size_t npending; /* both of the former */
	size_t pending_bytes;
	int64_t pending_until; /* no request ends before */
	bool looking;	       /* list_peers was asked for the former */
	struct linnet_names names;
	struct linnet_seen seen;
	struct linnet_watches watches;
	struct linnet_follows follows;
	int64_t next_id;
	int64_t stamp;	  /* of the last hello */
	int64_t deadline; /* of this step, or INT64_MAX */
	int64_t heard_ms;
	int64_t opened_ms;
	bool pinged;
	bool running;	    /* in linnet_process() */
	bool opening;	    /* in linnet_open(): one try only */
	bool attested;	    /* the hello at hand is a session_hello */
	bool was_open;	    /* the last connection was open */
	bool stable;	    /* and that for a while */
	bool goodbye;	    /* and we ended it */
	int close_code;	    /* of the last connection */
	int retry_after_ms; /* the broker asked for it */
	unsigned tries;
	struct linnet_error error;  /* of the last call */
	struct linnet_error ending; /* why this connection shall end */
	struct linnet_error lost;   /* why the last one ended, or "" */
};
/* The first connected socket is the caller's, who then runs it as usual: for
 * tests. */
void linnet_attach(struct linnet *l, int fd);
/* hello was answered. */
void linnet_opened(struct linnet *l, const char *text, size_t n);
/* The broker does not know session_hello: hello instead. */
void linnet_greet_plainly(struct linnet *l);
/* Begins a connection; -1: linnet_end() is due. */
int linnet_begin(struct linnet *l) MUST_CHECK;
/* One turn of a connection; -1: it is over. */
int linnet_turn(struct linnet *l) MUST_CHECK;
/* The one end of every connection; not from within a callback. */
void linnet_end(struct linnet *l);
/* The connection ends when linnet_process() is back from the callback at
 * hand. */
void linnet_refuse(struct linnet *l, const char *code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
