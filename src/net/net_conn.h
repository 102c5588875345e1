/* SPDX-License-Identifier: ISC */
/*
 * net's own view of a connection and of the set of them; only files of this
 * directory and their unit tests include it.
 *
 *	TLS                             its handshake; to HTTP, or DEAD
 *	  |
 *	  v
 *	HTTP ------> WS                 requests, or messages
 *	  |           |   conn_close(), a peer's close, a violation
 *	  v           v
 *	CLOSING  (output still to be written)
 *	  |
 *	  v
 *	LINGER   (the peer's turn: its close frame, or the end of its stream)
 *	  |
 *	  v
 *	DEAD     (descriptor closed; net_flush() calls closed() and frees)
 *
 * Every state may go to DEAD at once; none goes back.  Memory is freed in
 * net_flush() only, so a callback may end any connection, also its own.
 */
#ifndef NET_NET_CONN_H
#define NET_NET_CONN_H

#include <sys/queue.h>
#include <sys/uio.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>

#include "net/net.h"

#define NET_READ_SIZE (64 * 1024)    /* the read buffer of the process */
#define NET_READ_BUDGET (256 * 1024) /* bytes of a connection per wake-up */
#define NET_CLOSE_MS 2000	     /* how long the peer may take to close */
#define NET_WHEEL 64		     /* slots of a second; a power of two */

#define NET_TLS_RECORD 16384 /* bytes of one, at most; RFC 8446 5.1 */

enum conn_state {
	CONN_TLS,
	CONN_HTTP,
	CONN_WS,
	CONN_CLOSING,
	CONN_LINGER,
	CONN_DEAD,
};

/* The address of a peer in 24 bytes instead of 132; IPv4 takes the first 4 of
 * ip. */
struct conn_addr {
	uint8_t ip[16];
	uint32_t scope;
	in_port_t port;
	sa_family_t family;
};

/* Output that waits; exists only while there is some. */
struct conn_out {
	struct frame **frames; /* a ring of cap, a power of two */
	uint32_t cap;
	uint32_t head;
	uint32_t count;
	uint32_t sent;	    /* bytes of the first frame that are written */
	size_t bytes;	    /* not yet written */
	int64_t since_ms;   /* the last progress */
	struct frame *pong; /* the newest answer to a flood of pings */
	unsigned pongs;	    /* pongs in the ring since it was empty */
};

/* A borrowed WebSocket reader; exists only while a frame or message is
 * incomplete. */
struct net_ws;
/* A body that is larger than memory; exists while there is one. */
struct net_stream;
/* Connections of one address; exists while it has some. */
struct net_peer;

struct ssl_st;

struct conn {
	struct event ev;
	struct net *net;
	void *data;
	LIST_ENTRY(conn) all;
	LIST_ENTRY(conn) timer;
	SLIST_ENTRY(conn) dirty;
	struct buf *in; /* bytes that could not be consumed yet */
	struct net_ws *ws;
	struct net_stream *stream;
	struct conn_out *out;
	struct ssl_st *ssl; /* from the first byte of a TLS connection on */
	struct net_peer *peer;
	uint64_t queued;   /* position of the end of the output */
	uint64_t written;  /* position of the kernel */
	size_t need;	   /* bytes of a request before it is read again */
	int64_t heard_ms;  /* the last byte of the peer */
	int64_t since_ms;  /* present phase: request, idle, hello, closing */
	uint32_t due_s;	   /* slot of the wheel, 0 when in none */
	uint32_t tls_pend; /* bytes of the output that are encrypted already */
	struct conn_addr addr;
	uint16_t code;	    /* close code for the handler */
	uint8_t state;	    /* enum conn_state */
	uint8_t why;	    /* enum net_end, from CLOSING on */
	short armed;	    /* EV_READ, EV_WRITE that libevent watches */
	unsigned is_ws : 1; /* was upgraded */
	unsigned is_tls : 1;
	unsigned tls_more : 1;	  /* OpenSSL holds input that we may read */
	unsigned tls_read_w : 1;  /* it must write before it can read */
	unsigned tls_write_r : 1; /* it must read before it can write */
	unsigned tls_over : 1;	  /* it failed, and is not to be used */
	unsigned is_dirty : 1;	  /* on the list of net_flush() */
	unsigned is_paused : 1;	  /* conn_pause() */
	unsigned is_trusted : 1;  /* conn_trust() */
	unsigned is_busy : 1;	  /* a request waits for conn_reply() */
	unsigned is_head : 1;	  /* ... which is HEAD */
	unsigned is_old : 1;	  /* ... of HTTP/1.0 */
	unsigned is_chunked : 1;  /* ... whose reply has begun */
	unsigned is_waiting : 1;  /* conn_wait() */
	unsigned keep : 1;	  /* ... and the connection stays after it */
	unsigned partial : 1;	  /* part of a request was received */
	unsigned served : 1;	  /* a request was answered */
	unsigned stalled : 1;	  /* `in` was not looked at: not its turn */
	unsigned blocked : 1;	  /* the kernel takes no more output ... */
	unsigned writable : 1;	  /* ... or does again, says libevent */
	unsigned cut : 1;	  /* output was thrown away: positions stand */
	unsigned deaf : 1;	  /* input means nothing any more */
	unsigned peer_closed : 1; /* a close frame was received */
	unsigned peer_eof : 1;	  /* the end of the stream was received */
	unsigned pinged : 1;	  /* silent, and asked */
	unsigned want_written : 1;
	unsigned progress : 1; /* written() is due */
};

LIST_HEAD(conn_list, conn);
SLIST_HEAD(conn_dirty, conn);

struct net_uring;

struct net {
	struct event_base *base;
	struct net_uring *uring; /* NULL: a system call for each connection */
	struct net_limits limits;
	const struct net_handler *handler;
	void *arg;
	struct net_stats stats;
	struct conn_list conns;
	size_t count; /* those with a descriptor */
	struct conn_dirty dirty;
	struct event kick; /* wakes the loop for what one turn left over */
	struct hash peers;
	struct conn_list wheel[NET_WHEEL];
	uint32_t wheel_s; /* the second whose slot was emptied last */
	struct net_ws *ws_idle;
	unsigned ws_idle_count;
	unsigned ws_lent; /* readers that connections hold */
	struct frame *ping;
	struct net_addr peer_addr; /* what conn_peer() returned last */
	struct net_tls *tls;
	struct net_tls_ticket tickets[NET_TLS_TICKETS];
	size_t ntickets;
	unsigned handshakes;	     /* connections in CONN_TLS */
	unsigned tls_reads;	     /* that OpenSSL may make still */
	char record[NET_TLS_RECORD]; /* small frames, to be encrypted */
	char read[NET_READ_SIZE];
};

/*
 * net_uring.c: many sends in one system call.
 */
#define NET_URING_OPS 256
struct net_uring_op {
	int fd;
	const void *p;
	size_t n;
	int result; /* bytes, or an errno, negative */
};
/* NULL: there is no io_uring here. */
struct net_uring *net_uring_new(void);
void net_uring_free(struct net_uring *u);
/* Sends without waiting for peers; up to NET_URING_OPS at a time. */
void net_uring_send(struct net_uring *u, struct net_uring_op *ops, size_t n);

/*
 * net_frame.c: two pieces of bytes as one frame.
 */
struct frame *frame_join(const void *p, size_t n, const void *q, size_t m);

/*
 * net.c: the set of connections.
 */
void net_peer_put(struct net *n, struct conn *c);

/*
 * net_conn.c: life and input.
 */
struct conn *conn_new(
    struct net *n, int fd, const struct net_addr *peer, bool tls);
/* Closes the descriptor; net_flush() does the rest. */
void conn_die(struct conn *c, enum net_end why);
/* After DEAD: tells the handler and frees. */
void conn_reap(struct conn *c);
/* Puts it on the list of net_flush(). */
void conn_mark(struct conn *c);
/* From now on only what is queued goes out. */
void conn_closing(struct conn *c, enum net_end why, uint16_t code);
/* In CLOSING all output is written. */
void conn_linger(struct conn *c);
/* May the next request or message be taken? */
bool conn_may_consume(const struct conn *c);
/* Tells libevent what to watch; after every change of state. */
void conn_rearm(struct conn *c);
/* At the end of all that a turn did with it. */
void conn_settle(struct conn *c);

/*
 * net_request.c: requests and replies.  Consumes what it can of p and returns
 * how much.
 */
size_t conn_feed_http(struct conn *c, const char *p, size_t n);
/* Answers with an error and closes. */
void conn_refuse(
    struct conn *c, enum net_end why, int status, const char *reason);
/* The error reply of this server: headers may be NULL. */
void conn_reply_error(
    struct conn *c, int status, const char *reason, const char *headers);
/* The head of a reply with a body of that length, and the reply's end. */
#define REPLY_CHUNKED UINT64_MAX
void conn_reply_head(struct buf *head, const struct conn *c, int status,
    const char *type, const char *headers, uint64_t length);
void conn_reply_done(struct conn *c);

/*
 * net_stream.c: bodies in pieces.
 */
/* The request at hand, whose head was read, has one. */
void conn_stream_open(struct conn *c, const struct http_request *r);
/* Its reply is made. */
void conn_stream_close(struct conn *c);
/* Consumes what it can of p. */
size_t conn_feed_body(struct conn *c, const char *p, size_t n);
/* Is a body under way; may it be read; must the peer bring more of it? */
bool conn_stream_reads(const struct conn *c);
bool conn_stream_lacks(const struct conn *c);
/* At each flush: is there room again? */
void conn_stream_flushed(struct conn *c);

/*
 * net_ws.c: messages.
 */
size_t conn_feed_ws(struct conn *c, const char *p, size_t n);
/* When the message at hand began, or -1. */
int64_t conn_ws_since(const struct conn *c);
/* Gives back the reader, whatever it holds. */
void conn_ws_put(struct conn *c);
void net_ws_fini(struct net *n);
/* A close frame; the reason is cut to what fits and left out when it is not
 * UTF-8, the code when it may not be sent (RFC 6455 7.4). */
struct frame *net_ws_close_frame(uint16_t code, const char *reason);

/*
 * net_out.c: output.
 */
/* Queues whatever the state. */
void conn_push(struct conn *c, struct frame *f);
/* Answers a ping. */
void conn_push_pong(struct conn *c, const void *p, size_t n);
/* Ends a connection whose peer does not read. */
void conn_cut(struct conn *c);
void conn_out_free(struct conn *c);

/*
 * net_tls_io.c: connections with TLS.
 */
/* Goes on with the handshake; the state tells how far it came. */
void conn_tls_shake(struct conn *c);
void conn_tls_timeout(struct conn *c);
/* As recv(2) and writev(2) on a non-blocking socket: -1 and errno. */
ssize_t conn_tls_read(struct conn *c, void *p, size_t n);
ssize_t conn_tls_write(struct conn *c, const struct iovec *iov, size_t n);
/* Tells the peer that nothing follows (close_notify, RFC 8446 6.1). */
void conn_tls_bye(struct conn *c);
/* Before the descriptor is closed. */
void conn_tls_free(struct conn *c);
/* Closes a socket that is too many. */
void net_tls_turn_away(struct net *n, int fd);

/*
 * net_timer.c: deadlines.
 */
/* After a change that may bring a deadline nearer. */
void conn_timer(struct conn *c);
void conn_timer_del(struct conn *c);

#endif
