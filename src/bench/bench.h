/* SPDX-License-Identifier: ISC */
/*
 * bench: linnet-bench, a load generator for linnetd and for servers that
 * somebody might take instead.
 *
 *	bench.c			the table of commands; what is measured
 *	bench_option.c		what was asked for
 *	bench_scenario.c	the table of scenarios, and where connections go
 *	bench_lead.c		a run as the first process leads it
 *	bench_hand.c		a run in the processes that make the load
 *	bench_flow.c		sending in closed and open loop
 *	bench_conn.c		connections: bench_ws.c: frames, bench_tls.c
 *	bench_mesh.c		dialects: the mesh protocol, bench_nats.c,
 *				bench_bare.c
 *	bench_peer.c		the table of servers; bench_server.c: starting
 *				and ending them; bench_linnetd.c: ours
 *	bench_channel.c		the scenario of channels
 *	bench_proc.c		what a server's processes use
 *	bench_hist.c		histograms
 *	bench_goal.c		what is meant to be reached
 *	bench_result.c		figures of rounds; bench_report.c: as a table,
 *				bench_json.c, bench_plot.c
 *
 * The first process starts servers, forks the processes that make the load
 * ("hands") anew for each run, gives them orders, and reads the processor
 * time of the servers.  What they count stands in shared memory.  Times are
 * nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/base.h"

#define BENCH_HANDS_MAX 64
#define BENCH_FLOWS_MAX 3
#define BENCH_PAYLOAD_MIN 20 /* flow, time, and a little */
#define BENCH_PAYLOAD_MAX 60000

struct bench_conn;
struct bench_loop;
struct bench_run;
struct bench_server;

/*
 * bench_hist.c: histograms of nanoseconds with a relative error below 1 per
 * cent, in the manner of HdrHistogram.  No pointers: they may live in shared
 * memory, and are merged by adding.
 */
#define BENCH_HIST_BITS 7   /* slots of an octave, as a power of two */
#define BENCH_HIST_RANGE 41 /* values past 2 to this are counted as it */
#define BENCH_HIST_SLOTS \
	((size_t)(BENCH_HIST_RANGE - BENCH_HIST_BITS + 1) << BENCH_HIST_BITS)
struct bench_hist {
	uint64_t count;
	int64_t min;
	int64_t max;
	uint64_t slots[BENCH_HIST_SLOTS];
};

void bench_hist_clear(struct bench_hist *h);
/* A negative value counts as 0. */
void bench_hist_add(struct bench_hist *h, int64_t value);
void bench_hist_merge(struct bench_hist *into, const struct bench_hist *from);
/* The least value that is not exceeded by this part (0 to 1) of the values,
 * rounded up to the end of its slot, but never past the greatest; 0 of an
 * empty one. */
int64_t bench_hist_at(const struct bench_hist *h, double part);

/*
 * bench_tls.c
 */
struct ssl_ctx_st;
struct ssl_st;
/* Writes a key and a certificate that it signed itself; -1: errno. */
int bench_tls_make(const char *cert_file, const char *key_file) MUST_CHECK;
/* For clients that trust anybody; the end of it takes NULL. */
struct ssl_ctx_st *bench_tls_client(void);
void bench_tls_client_free(struct ssl_ctx_st *ctx);
struct ssl_st *bench_tls_new(struct ssl_ctx_st *ctx, int fd);
/* 1: done; 0: not yet, and *out says whether it waits to write; -1. */
int bench_tls_shake(struct ssl_st *ssl, bool *out);
/* As recv(2) and send(2): -1 with EAGAIN, or another errno. */
ssize_t bench_tls_read(struct ssl_st *ssl, void *p, size_t n);
ssize_t bench_tls_write(struct ssl_st *ssl, const void *p, size_t n);
void bench_tls_free(struct ssl_st *ssl);

/*
 * Dialects: what clients and a kind of server say to each other.
 */
enum bench_kind {
	BENCH_DIRECT, /* to one connection */
	BENCH_GROUP,  /* to a group */
	BENCH_STATE,  /* a shared key gets a value */
};

struct bench_dialect {
	const char *name;
	bool stream; /* bytes whose borders mean nothing, not messages */
	bool binary; /* frames of WebSocket are binary */
	bool acks;   /* requests are answered, in order */
	bool states; /* has BENCH_STATE */
	/* Makes what will be said first, before the clock runs; or NULL. */
	void (*prepare)(struct bench_conn *c);
	/* The way is open: say who it is and what it wants to hear; later
	 * bench_conn_opened(). */
	void (*login)(struct bench_conn *c);
	/* Takes a message, or of a stream as much as is whole; returns the
	 * bytes taken. */
	size_t (*take)(struct bench_conn *c, const char *p, size_t n);
	/* To: the number of a connection or of a group. */
	void (*publish)(struct bench_conn *c, enum bench_kind kind, unsigned to,
	    const char *payload, size_t n);
};
extern const struct bench_dialect bench_mesh_dialect;
extern const struct bench_dialect bench_nats_dialect;
extern const struct bench_dialect bench_jetstream_dialect;
extern const struct bench_dialect bench_bare_dialect;

/*
 * bench_mesh.c: members that speak the mesh protocol.
 */
struct bench_member {
	char id[ID_HEX_LEN + 1];
	char pub[2 * CRYPTO_KEY_LEN + 1];
	uint8_t secret[CRYPTO_SECRET_LEN];
};
struct bench_seed {
	char mesh[ID_HEX_LEN + 1];
	struct bench_member members[2];
	uint8_t nonce[CRYPTO_KEY_LEN]; /* session keys are made of it */
	/* Of each member's latest hello: a signature is good once.  Shared
	 * between processes where there are several. */
	_Atomic int64_t *stamps;
};
/* Reads the output of `linnetctl seed`; fatal. */
void bench_mesh_read_seed(struct bench_seed *s, const char *file);
/* The session key of connection number i, and a NUL. */
#define BENCH_KEY_SIZE (2 * CRYPTO_KEY_LEN + 1)
void bench_mesh_key(
    const struct bench_seed *s, unsigned i, char key[BENCH_KEY_SIZE]);
/* Writes a signed hello of connection number i.  extra: more members of the
 * object, with a comma before each; or "". */
void bench_mesh_hello(
    struct buf *out, const struct bench_seed *s, unsigned i, const char *extra);
/* The string at a key of an answer; NULL p when there is none. */
struct slice bench_mesh_field(const char *p, size_t n, const char *key);

/*
 * bench_nats.c
 */
/* Makes the stream that bench_jetstream_dialect stores into; -1: it cannot. */
int bench_nats_make_stream(const struct sockaddr_in *address) MUST_CHECK;

/*
 * bench_conn.c: many connections by epoll(7).
 */
enum bench_state {
	BENCH_NEW,
	BENCH_CONNECT,
	BENCH_SHAKE,   /* TLS */
	BENCH_UPGRADE, /* HTTP */
	BENCH_UPGRADED,
	BENCH_LOGIN,
	BENCH_OPEN,
	BENCH_CLOSING, /* told the server, waits for its end */
	BENCH_GONE,
};

struct bench_conn {
	int fd;
	uint8_t state;
	uint8_t last;	 /* when it is gone: the state before that */
	bool wants_out;	 /* of epoll */
	bool queued;	 /* in the list of those to flush */
	unsigned number; /* among all of the run */
	int group;	 /* the group that it is in, or -1 */
	unsigned left;	 /* the dialect's: answers until it is open */
	int64_t since;	 /* when it was started */
	struct buf in;
	struct buf out;
	struct buf rest;  /* of a stream within messages */
	struct buf login; /* the dialect's: prepared */
	struct ssl_st *ssl;
	struct bench_loop *loop;
	const struct bench_where *where;
	void *data; /* the caller's */
};

/* Where the server is. */
struct bench_where {
	struct sockaddr_in address;
	bool websocket;
	const char *path; /* of the upgrade */
	struct ssl_ctx_st *tls;
	const struct bench_seed *seed;
	const struct bench_dialect *dialect;
	bool client_acks; /* receivers say that they have a message */
	/* Source addresses are 127.N.x.1 where the server is in 127/8. */
	unsigned source;
};

struct bench_calls {
	void (*open)(struct bench_conn *c);
	/* A message came; payload: from its first byte on. */
	void (*got)(struct bench_conn *c, const char *payload, size_t n);
	/* The oldest request without an answer has it. */
	void (*acked)(struct bench_conn *c);
	/* The server refused something: what it said. */
	void (*refused)(struct bench_conn *c, const char *p, size_t n);
	/* Closed; bench_conn_start() may try again. */
	void (*gone)(struct bench_conn *c);
	/* Instead of all the above: messages as they are (t/load). */
	void (*message)(struct bench_conn *c, const char *p, size_t n);
};

struct bench_loop {
	int epoll;
	const struct bench_calls *calls;
	struct bench_conn *conns;
	unsigned n;
	unsigned want; /* how many of them, from the first, are to be open */
	unsigned opening_max;  /* under way at a time */
	enum bench_state goal; /* BENCH_UPGRADED or BENCH_OPEN */
	unsigned opened;       /* looked at so far by bench_conn_open_more() */
	unsigned opening;      /* under way */
	unsigned ready;	       /* at the goal */
	unsigned gone;	       /* lost, so far */
	struct bench_conn **flush;
	unsigned nflush;
	char *input; /* what is being read */
	void *data;  /* the caller's */
};

/* n connections that do not exist yet. */
void bench_conn_loop(struct bench_loop *l, const struct bench_where *where,
    const struct bench_calls *calls, unsigned n);
void bench_conn_loop_free(struct bench_loop *l);
/* Adds a descriptor whose readiness only ends the wait. */
void bench_conn_watch(struct bench_loop *l, int fd);
void bench_conn_start(struct bench_conn *c);
/* Starts those that are new or gone, as far as opening_max allows. */
void bench_conn_open_more(struct bench_loop *l);
/* Waits so many ns at most for events, and handles them. */
void bench_conn_turn(struct bench_loop *l, int64_t timeout_ns);
/* The dialect's: it is logged in. */
void bench_conn_opened(struct bench_conn *c);
/* Queues a message (of a stream: bytes); it goes at the end of the turn, or
 * with bench_conn_flush(). */
void bench_conn_send(struct bench_conn *c, const char *p, size_t n);
void bench_conn_flush(struct bench_loop *l);
/* Tells the server, and waits for its end; or ends it by a reset. */
void bench_conn_close(struct bench_conn *c);
void bench_conn_drop(struct bench_conn *c);

/*
 * bench_ws.c: RFC 6455 from the client's side.
 */
/* Appends the request. */
void bench_ws_upgrade(struct buf *out, const struct bench_where *w);
/* Bytes of the answer's head; 0: more must come; -1: it is a refusal. */
ptrdiff_t bench_ws_upgraded(const char *p, size_t n) MUST_CHECK;
/* Appends a frame.  The mask is zero, which leaves the bytes as they are and
 * costs the server the same. */
void bench_ws_frame(struct buf *out, int opcode, const char *p, size_t n);
/* Takes the frame at the start: its bytes, 0 when more must come. */
size_t bench_ws_take(
    const char *p, size_t n, int *opcode, struct slice *payload) MUST_CHECK;
#define BENCH_WS_TEXT 1
#define BENCH_WS_BINARY 2
#define BENCH_WS_CLOSE 8
#define BENCH_WS_PING 9

/*
 * bench_proc.c: processes from outside.
 */
struct bench_usage {
	double server;	 /* seconds of processor time */
	double database; /* the same of its PostgreSQL */
	int64_t dirty;	 /* bytes of private memory that was written to */
	int64_t database_dirty;
	unsigned processes;
};
/* Of a process and all below it; memory is slow to read. */
void bench_proc_usage(struct bench_usage *u, pid_t root, bool memory);
/* The pids of the same, the root first; returns how many. */
size_t bench_proc_tree(pid_t root, pid_t *pids, size_t max);
/* Bytes that the kernel holds for sockets, of all processes. */
int64_t bench_proc_kernel(void);
/* fork(2); the child ends by this signal when the parent ends. */
pid_t bench_proc_fork(int sig);
int64_t bench_proc_now(void);
/* Until then, or until bench_proc_interrupted(). */
void bench_proc_sleep_until(int64_t ns);
/* From now on INT and TERM do not end this process, but are noted. */
void bench_proc_catch(void);
bool bench_proc_interrupted(void);

/*
 * bench_option.c: what was asked for.
 */
#define BENCH_SETTINGS_MAX 32
struct bench_options {
	const char *servers; /* names with commas between */
	int64_t rounds;
	int64_t warm_ms;
	int64_t duration_ms;
	int64_t hands;	 /* 0: as many as needed */
	int64_t threads; /* of a server; 0: one per processor */
	int64_t size;	 /* bytes of a payload */
	int64_t connections;
	int64_t senders;
	int64_t group;
	int64_t window; /* requests of a sender under way; 0: no limit */
	int64_t rate;	/* messages a second, of all senders; 0: closed loop */
	int64_t rate_group; /* of mixed */
	int64_t rate_state;
	int64_t stored; /* messages that are there before */
	bool tls;
	bool client_acks;
	bool spin;
	const char *server_cpus;
	const char *client_cpus;
	const char *scripts; /* directory of the other servers' programs */
	const char *linnetd;
	const char *address; /* of a server that runs already */
	const char *seed;
	int64_t pid;
	const char *settings[BENCH_SETTINGS_MAX]; /* of linnetd.conf */
	size_t nsettings;
};
struct bench_scenario;
void bench_option_defaults(struct bench_options *o);
/* Sets the one of this name ("" for a flag).  NULL, or what is wrong. */
const char *bench_option_set(
    struct bench_options *o, const char *name, const char *value) MUST_CHECK;
/* Appends the value of a number or time. */
void bench_option_print(
    struct buf *b, const struct bench_options *o, const char *name);
/* "name=value name=value", of our own tables. */
void bench_option_set_all(struct bench_options *o, const char *settings);

/*
 * bench_result.c: figures of rounds.
 */
enum bench_figure {
#define FIGURE(id, name, decimals, better, text) BENCH_##id,
#include "bench/figures.def"
#undef FIGURE
	BENCH_FIGURES
};
struct bench_figure_info {
	const char *name;
	int decimals;
	int better;
	const char *text;
};
extern const struct bench_figure_info bench_figures[BENCH_FIGURES];

#define BENCH_HISTS 4
extern const char *const bench_result_hists[BENCH_HISTS];
enum {
	BENCH_HIST_ACK,
	BENCH_HIST_DELIVER,
	BENCH_HIST_FANOUT,
	BENCH_HIST_STATE
};

/* One who takes part: a server with its settings, and what it reached. */
struct bench_entry {
	const struct bench_peer *peer;
	struct bench_options options;
	char label[64];
	char version[80];
	struct bench_server *server;
	double (*values)[BENCH_FIGURES]; /* of each round; NAN: has none */
	unsigned rounds;
	bool failed;
	struct bench_hist hists[BENCH_HISTS]; /* of all rounds */
};
/* All in the same scenario. */
struct bench_match {
	const struct bench_scenario *scenario;
	/* Those that are shown, of the scenario's; ended by BENCH_FIGURES. */
	const enum bench_figure *figures;
	const struct bench_goal *goals; /* or NULL */
	char title[160];
	struct bench_entry *entries;
	unsigned n;
	unsigned rounds;
};
struct bench_spread {
	double min;
	double median;
	double max;
};
void bench_result_clear(double values[BENCH_FIGURES]);
/* Over the rounds; false: the entry has no such figure. */
bool bench_result_spread(struct bench_spread *s, const struct bench_entry *e,
    enum bench_figure f) MUST_CHECK;
/* Of the first to this one, round by round, so that more than 1 is in favour
 * of the first; false: not to be had. */
bool bench_result_ratio(struct bench_spread *s, const struct bench_match *m,
    unsigned entry, enum bench_figure f) MUST_CHECK;

/*
 * bench_scenario.c
 */
struct bench_flow { /* messages of one kind */
	enum bench_kind kind;
	unsigned senders;
	unsigned first;	   /* the connection of the first sender */
	unsigned to_first; /* its target; the next one's is the next */
	unsigned fan;	   /* deliveries of a message */
	unsigned window;
	double rate;
	enum bench_hists_of {
		BENCH_OF_DIRECT,
		BENCH_OF_FANOUT,
		BENCH_OF_STATE
	} of;
};
struct bench_scenario {
	const char *name;
	const char *settings; /* its defaults */
	bool states;	      /* needs BENCH_STATE */
	bool fresh; /* each round wants a server that was just started */
	/* Writes down who connects and what is sent. */
	void (*plan)(struct bench_run *r);
	int (*group)(const struct bench_run *r, unsigned number);
	/* The round: -1 when it failed. */
	int (*lead)(struct bench_run *r);
	const enum bench_figure *figures; /* ended by BENCH_FIGURES */
};
extern const struct bench_scenario bench_scenarios[]; /* ended by a NULL name */
const struct bench_scenario *bench_scenario_find(const char *name);

/*
 * bench_peer.c: servers.
 */
struct bench_peer {
	const char *name;
	const char *text; /* what it is */
	const char *does; /* what is to know beside its figures */
	const struct bench_dialect *dialect;
	bool websocket;
	const char *path;
	bool ours;   /* bench_linnetd.c starts it */
	bool stores; /* messages are stored before they are answered */
	bool tls;
	/* Command lines, ended by NULL.  {port} and {port2} are free ports,
	 * {dir} is a directory of the server's own, {scripts} that of
	 * contrib/bench/peers. */
	const char *const *probe; /* says its version in its first line */
	const char *const *start;
	const char *config; /* written into {dir}/config, or NULL */
	int (*started)(struct bench_server *s);
};
extern const struct bench_peer bench_peers[]; /* ended by a NULL name */
const struct bench_peer *bench_peer_find(const char *name, size_t n);
/* Is it there?  Else version says why not. */
bool bench_peer_probe(const struct bench_peer *p, const struct bench_options *o,
    char *version, size_t size) MUST_CHECK;
/* A text with its {words} replaced; the caller's to free. */
char *bench_peer_expand(const char *text, const struct bench_server *s,
    const struct bench_options *o);

/*
 * bench_server.c
 */
struct bench_server {
	const struct bench_peer *peer;
	struct bench_where where;
	struct bench_seed seed;
	pid_t pid;  /* 0: none to look at */
	bool child; /* it was started here */
	int64_t stored;
	char dir[64]; /* "" */
	unsigned port, port2;
};
/* NULL: it did not start, and that was logged. */
struct bench_server *bench_server_start(
    const struct bench_peer *p, const struct bench_options *o) MUST_CHECK;
void bench_server_stop(struct bench_server *s);
/* Starts a program with its output in {dir}/out and {dir}/log. */
void bench_server_spawn(
    struct bench_server *s, char *const *argv, const struct bench_options *o);
/* Has it ended?  Then its log was shown. */
bool bench_server_ended(struct bench_server *s);
/* Sets the processors that this process may run on: "0,2-3". */
void bench_server_pin(const char *cpus);
/* 0 when linnetd listens and has a mesh. */
int bench_linnetd_start(
    struct bench_server *s, const struct bench_options *o) MUST_CHECK;
/* The path of a program of ours, which is beside this one or in the PATH. */
char *bench_linnetd_program(const char *name, const char *given);

/*
 * bench_hand.c: the processes that make the load.
 */
enum bench_order {
	BENCH_ORDER_NONE,
	BENCH_ORDER_PREPARE, /* sign hellos */
	BENCH_ORDER_WARM,    /* connect a few, with a hello */
	BENCH_ORDER_UPGRADE, /* connect, without a hello */
	BENCH_ORDER_OPEN,    /* connect, with one */
	BENCH_ORDER_CLOSE,   /* tell the server, and go */
	BENCH_ORDER_STORM,   /* lose all connections, and come back */
	BENCH_ORDER_FILL,    /* send so many messages */
	BENCH_ORDER_RUN,     /* send from start to end */
	BENCH_ORDER_QUIT,
};

struct bench_flow_tally {
	uint64_t sent, acked, got; /* all; until all is over */
	uint64_t acked_then;	   /* while it was measured */
	uint64_t got_then;
	uint64_t sent_then;
	uint64_t late;
	struct bench_hist ack;
	struct bench_hist deliver;
};
struct bench_tally {		 /* of one hand */
	_Atomic unsigned did;	 /* the last order that is done */
	_Atomic int64_t done_at; /* and when */
	_Atomic bool failed;
	char error[256];
	double cpu; /* processors, while it was measured */
	struct bench_flow_tally flows[BENCH_FLOWS_MAX];
	struct bench_hist opens; /* from the start of a connection */
};
struct bench_board {		/* in shared memory */
	_Atomic unsigned order; /* counts, times 16, plus an enum bench_order */
	_Atomic int64_t start, begin, end;
	_Atomic uint64_t fill; /* messages of each sender */
	struct {
		_Atomic uint64_t sent, acked, got;
	} totals[BENCH_FLOWS_MAX];
	_Atomic int64_t stamps[2];
	struct bench_tally hands[BENCH_HANDS_MAX];
};

struct bench_run {
	const struct bench_scenario *scenario;
	const struct bench_options *options;
	struct bench_entry *entry;
	struct bench_where where;
	pid_t server; /* 0: its processes cannot be seen */
	unsigned connections;
	unsigned pairs; /* the first so many have their ends in one hand */
	struct bench_flow flows[BENCH_FLOWS_MAX];
	unsigned nflows;
	unsigned nhands;
	struct bench_board *board;
	int wakes[BENCH_HANDS_MAX]; /* eventfds */
	pid_t pids[BENCH_HANDS_MAX];
	double *values; /* of this round */
};
unsigned bench_hand_of(const struct bench_run *r, unsigned number);
/* The life of a hand. */
void bench_hand(const struct bench_run *r, unsigned index)
    __attribute__((noreturn));

/*
 * bench_flow.c: a hand's sending.
 */
struct bench_flows;
struct bench_flows *bench_flow_new(const struct bench_run *r,
    struct bench_loop *l, struct bench_tally *t, unsigned hand);
/* From start to end; or so many messages of each sender, where fill is not
 * 0. */
void bench_flow_begin(struct bench_flows *f, uint64_t fill);
/* Sends what is due; returns ns until it has to look again. */
int64_t bench_flow_turn(struct bench_flows *f);
/* Adds this turn's numbers to the board. */
void bench_flow_settle(struct bench_flows *f);
/* Is everything sent, answered and delivered? */
bool bench_flow_done(struct bench_flows *f);
void bench_flow_got(
    struct bench_flows *f, struct bench_conn *c, const char *payload, size_t n);
void bench_flow_acked(struct bench_flows *f, struct bench_conn *c);

/*
 * bench_lead.c: rounds, as the first process leads them.
 */
/* Runs a match; -1 when an entry failed, which was logged. */
int bench_lead_match(struct bench_match *m) MUST_CHECK;
/* For scenarios. */
int bench_lead_order(
    struct bench_run *r, enum bench_order order, int64_t timeout_ms) MUST_CHECK;
int bench_lead_measure(struct bench_run *r);
int bench_lead_idle(struct bench_run *r);
int bench_lead_storm(struct bench_run *r);

/*
 * bench_channel.c: reading channels.
 */
int bench_channel_lead(struct bench_run *r);

/*
 * bench_goal.c: what linnetd is meant to reach, and whether it did.
 */
void bench_goal_report(struct buf *b, const struct bench_match *m, unsigned n);

/*
 * bench_report.c, bench_json.c, bench_plot.c
 */
void bench_report_servers(
    struct buf *b, const struct bench_match *m, unsigned n);
void bench_report_match(struct buf *b, const struct bench_match *m);
void bench_json(struct buf *b, const struct bench_match *m, unsigned n);
void bench_plot(struct buf *b, const struct bench_match *m, unsigned n);
/* "AMD EPYC, 2 processors, Linux 6.1", of this machine. */
const char *bench_report_machine(void);

/*
 * bench_set.c: matches that belong together.
 */
struct bench_variant { /* of one server */
	const char *option;
	const char *value;
	bool fixed; /* whatever the command line says of the option */
};
struct bench_goal {
	enum bench_figure figure;
	const char *to; /* a server, or the option of a variant, of whom this
			 * many times is meant; NULL: so much is meant */
	double limit;	/* at least; of what is better when it is less, and
			 * with `most`, at most */
	bool most;
};
struct bench_row {
	const char *title; /* NULL: made from the settings */
	const char *scenario;
	const char *settings;
	const char *servers; /* names with commas between */
	const struct bench_variant
	    *variants;			  /* ended by a NULL option; or NULL */
	const enum bench_figure *figures; /* shown; NULL: all of the scenario */
	const struct bench_goal *goals;	  /* ended by BENCH_FIGURES; or NULL */
};
struct bench_set {
	const char *name;
	const struct bench_row *rows; /* ended by a NULL scenario */
};
extern const struct bench_set bench_sets[]; /* ended by a NULL name */
const struct bench_set *bench_set_find(const char *name);
/* Prepares a match; the line's options come last.  false: nobody is there. */
bool bench_set_match(struct bench_match *m, const struct bench_row *row,
    const struct usage_line *l) MUST_CHECK;
void bench_set_free(struct bench_match *m);

/*
 * bench.c
 */
int bench_main(int argc, char **argv);

#endif
