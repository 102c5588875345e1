/* SPDX-License-Identifier: ISC */
/*
 * A worker: the role that has clients.
 */
#include <string.h>

#include "net/net.h"
#include "proto/proto.h"
#include "role/role.h"
#include "worker/worker.h"

static struct worker {
	struct role role; /* first: a role is a worker here */
	struct net *net;
	struct proto *proto;
	struct role_beside *beside;
	struct net_tls *tls_next; /* a set that is not complete yet */
	bool draining;
} worker_self;

static void
worker_net_limits(const struct conf *c, struct net_limits *l)
{
	*l = (struct net_limits){
		.head = (size_t)c->limit_head,
		.body = (size_t)c->limit_body,
		.message_early = (size_t)c->limit_hello,
		.message = (size_t)c->limit_message,
		.output = (size_t)c->limit_output,
		.tls_ms = c->limit_handshake_time,
		.handshakes = (unsigned)c->limit_handshakes,
		.head_ms = c->limit_head_time,
		.hello_ms = c->limit_hello_time,
		.message_ms = c->limit_message_time,
		.ping_ms = c->limit_ping_time,
		.dead_ms = c->limit_dead_time,
		.write_ms = c->limit_write_time,
		.keep_ms = c->limit_keep_time,
		.uring = c->io_uring,
		.conns = (unsigned)c->limit_connections,
		.per_addr = (unsigned)c->limit_per_address,
		.origins = (const char *const *)c->http_origin.v,
	};
}

static void
worker_load(struct worker *w)
{
	struct ipc_load load = { (uint32_t)net_count(w->net),
		w->role.core->up };

	role_send(&w->role, IPC_LOAD, &load);
}

static void
worker_conn_new(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct worker *w = arg;
	const struct ipc_conns *conns = m->payload;
	struct net_addr addr;
	unsigned i;

	(void)p;
	clock_update();
	for (i = 0; i < conns->n; i++) {
		memcpy(&addr.ss, &conns->addr[i].ss, sizeof(addr.ss));
		addr.len = conns->addr[i].len;
		net_adopt(w->net, m->fds[i], &addr, conns->addr[i].tls != 0);
		m->fds[i] = -1;
	}
}

/* When the first certificate expires, in seconds; 0: there is none. */
static void
worker_expiry(struct worker *w, const struct net_tls *t)
{
	int64_t first = 0, ends;
	size_t i;

	for (i = 0; t != NULL && i < net_tls_count(t); i++) {
		ends = net_tls_cert(t, i)->ends_ms / 1000;
		if (i == 0 || ends < first)
			first = ends;
	}
	w->role.core->counters[METRIC_TLS_CERT_EXPIRY] =
	    first > 0 ? (uint64_t)first : 0;
}

static void
worker_tls_cert(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct worker *w = arg;
	const struct conf *c = w->role.conf;
	struct ipc_tls_cert cert;
	struct net_tls_options o = {
		.only_13 = strcmp(c->tls_min_version, "1.3") == 0,
		.ciphers = c->tls_ciphers,
		.session_ms = 2 * c->tls_ticket_time,
	};
	const char *wrong = NULL;
	size_t n;

	(void)p;
	memcpy(&cert, m->payload, sizeof(cert));
	n = cert.chain_len;
	if (cert.number == 0) {
		net_tls_free(w->tls_next);
		w->tls_next = cert.count > 0 ? net_tls_new(&o) : NULL;
	}
	if (cert.count > 0 && n <= m->tail_len)
		wrong = net_tls_add(w->tls_next, (struct slice){ m->tail, n },
		    (struct slice){ m->tail + n, m->tail_len - n });
	ipc_frame_wipe(m);
	/* The master has checked it: this is our own bug. */
	if (wrong != NULL)
		fatalx("a certificate from the master: %s", wrong);
	if (w->tls_next != NULL && net_tls_count(w->tls_next) < cert.count)
		return;
	worker_expiry(w, w->tls_next);
	net_set_tls(w->net, w->tls_next);
	w->tls_next = NULL;
}

static void
worker_tls_tickets(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	const struct ipc_tls_tickets *t = m->payload;
	struct net_tls_ticket keys[NELEM(t->keys)];
	struct worker *w = arg;

	_Static_assert(
	    sizeof(keys) == sizeof(t->keys), "tickets of ipc and net");
	(void)p;
	memcpy(keys, t->keys, sizeof(keys));
	net_set_tickets(w->net, keys, t->n);
	crypto_wipe(keys, sizeof(keys));
	ipc_frame_wipe(m);
}

static void
worker_drain(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct worker *w = arg;

	(void)p;
	(void)m;
	w->draining = true;
	proto_drain(w->proto);
}

static const struct ipc_handler worker_from_master[] = {
	{ IPC_CONN_NEW, worker_conn_new },
	{ IPC_TLS_CERT, worker_tls_cert },
	{ IPC_TLS_TICKETS, worker_tls_tickets },
	{ IPC_RELOAD, role_reload },
	{ IPC_LOG, role_log },
	{ IPC_TRACE, worker_trace },
	{ IPC_FILES_CHANNEL, role_files_channel },
	{ IPC_DRAIN, worker_drain },
};

static void
worker_open(struct role *r)
{
	struct worker *w = (struct worker *)r;
	struct net_limits limits;

	worker_net_limits(r->conf, &limits);
	w->proto = proto_new(r->core, limits.origins, r->conf->http_metrics);
	w->proto->json.max_depth = (unsigned)r->conf->limit_json_depth;
	w->net = net_new(r->base, &limits, &proto_handler, w->proto);
	w->proto->net = w->net;
	role_transfers(r);
	w->beside = role_beside_open(r);
}

static void
worker_database_up(struct role *r, bool up)
{
	(void)up;
	worker_load((struct worker *)r);
}

static void
worker_reload(struct role *r)
{
	struct worker *w = (struct worker *)r;
	struct net_limits limits;

	worker_net_limits(r->conf, &limits);
	net_set_limits(w->net, &limits);
	w->proto->origins = limits.origins;
	w->proto->metrics = r->conf->http_metrics;
	w->proto->json.max_depth = (unsigned)r->conf->limit_json_depth;
}

static void
worker_flush(struct role *r)
{
	net_flush(((struct worker *)r)->net);
}

static void
worker_turn(struct role *r)
{
	struct worker *w = (struct worker *)r;

	proto_turn(w->proto);
	if (w->draining && net_count(w->net) == 0) {
		w->draining = false;
		role_send(r, IPC_DRAINED, NULL);
	}
}

static void
worker_tick(struct role *r)
{
	struct worker *w = (struct worker *)r;
	const struct net_stats *s = net_stats(w->net);
	uint64_t *counters = r->core->counters;
	unsigned i;

	_Static_assert(
	    METRIC_ENDED_PEER + NET_END_SHUTDOWN == METRIC_ENDED_SHUTDOWN,
	    "metrics.def and ends.def have the same ends");
	_Static_assert(METRIC_TLS_OK + NET_TLS_LIMIT == METRIC_TLS_LIMIT,
	    "metrics.def and tls.def have the same results");
	net_tick(w->net);
	proto_tick(w->proto);
	worker_trace_tick(r);
	for (i = 0; i < NET_TLS_MAX; i++)
		counters[METRIC_TLS_OK + i] = s->tls[i];
	counters[METRIC_TLS_RESUMED] = s->tls_resumed;
	for (i = 0; i < NET_END_MAX; i++)
		counters[METRIC_ENDED_PEER + i] = s->ended[i];
	counters[METRIC_CONNECTIONS] = net_count(w->net);
	counters[METRIC_CONNECTIONS_OPENED] = s->opened;
	counters[METRIC_BYTES_IN] = s->bytes_in;
	counters[METRIC_BYTES_OUT] = s->bytes_out;
	counters[METRIC_WRITES] = s->writes;
	counters[METRIC_FRAMES_OUT] = s->frames_out;
	worker_load(w);
}

static void
worker_close(struct role *r)
{
	struct worker *w = (struct worker *)r;

	net_tls_free(w->tls_next);
	net_free(w->net);
	proto_free(w->proto);
	role_beside_close(w->beside);
}

static const struct role_desc worker_desc = {
	.role = IPC_WORKER,
	.database = "linnetd worker",
	.may = IPC_MAY_THREADS,
	.handlers = worker_from_master,
	.nhandlers = NELEM(worker_from_master),
	.open = worker_open,
	.database_up = worker_database_up,
	.flush = worker_flush,
	.turn = worker_turn,
	.tick_second = worker_tick,
	.reload = worker_reload,
	.close = worker_close,
};

int
worker(char **argv)
{
	net_tls_start();
	return role_run(&worker_self.role, &worker_desc, argv);
}
