/* SPDX-License-Identifier: ISC */
/*
 * Deadlines.  A wheel of one-second slots, moved by net_tick(): a connection
 * stands in the slot of the earliest moment at which something may be due,
 * and only then its clocks are looked at.  So traffic touches no timer; a
 * deadline that was put off is found not to be due, and the connection moves
 * on.  Whoever makes a deadline nearer must call conn_timer().
 */
#include "net/net_conn.h"

#define NEVER INT64_MAX

/* What is to be done about a connection at `at`. */
struct due {
	int64_t at;
	void (*act)(struct conn *c);
};

static void
due_sooner(
    struct due *d, int64_t since, int64_t span, void (*act)(struct conn *c))
{
	if (since < 0 || span <= 0 || since > NEVER - span)
		return;
	if (since + span < d->at) {
		d->at = since + span;
		d->act = act;
	}
}

static void
timer_slow(struct conn *c)
{
	conn_die(c, NET_END_SLOW);
}

static void
timer_tls(struct conn *c)
{
	conn_tls_timeout(c);
}

static void
timer_request(struct conn *c)
{
	conn_refuse(
	    c, NET_END_TIMEOUT, 408, "The request was not complete in time.");
}

static void
timer_body(struct conn *c)
{
	conn_refuse(c, NET_END_TIMEOUT, 408, "The body stopped to come.");
}

static void
timer_silent_http(struct conn *c)
{
	conn_die(c, c->served ? NET_END_DONE : NET_END_TIMEOUT);
}

static void
timer_hello(struct conn *c)
{
	conn_close(c, NET_END_TIMEOUT, 1008, "no hello in time");
}

static void
timer_message(struct conn *c)
{
	conn_close(c, NET_END_TIMEOUT, 1008, "message not complete in time");
}

static void
timer_ping(struct conn *c)
{
	c->pinged = 1;
	conn_push(c, c->net->ping);
}

static void
timer_silent(struct conn *c)
{
	conn_die(c, NET_END_SILENT);
}

static void
timer_close(struct conn *c)
{
	conn_die(c, c->why);
}

static void
timer_http(const struct conn *c, struct due *d)
{
	const struct net_limits *l = &c->net->limits;

	if (c->out != NULL)
		due_sooner(d, c->out->since_ms, l->write_ms, timer_slow);
	else if (conn_stream_reads(c))
		due_sooner(d, c->heard_ms, l->write_ms, timer_body);
	else if (c->is_busy || c->is_paused)
		return;
	else if (c->partial)
		due_sooner(d, c->since_ms, l->head_ms, timer_request);
	else
		due_sooner(d, c->since_ms, c->served ? l->keep_ms : l->head_ms,
		    timer_silent_http);
}

static void
timer_ws(const struct conn *c, struct due *d)
{
	const struct net_limits *l = &c->net->limits;

	if (!c->is_trusted)
		due_sooner(d, c->since_ms, l->hello_ms, timer_hello);
	if (c->out != NULL && c->blocked)
		due_sooner(d, c->out->since_ms, l->write_ms, timer_slow);
	/* Who is not read is neither silent nor late. */
	if (!conn_may_consume(c))
		return;
	due_sooner(d, conn_ws_since(c), l->message_ms, timer_message);
	if (!c->pinged)
		due_sooner(d, c->heard_ms, l->ping_ms, timer_ping);
	due_sooner(d, c->heard_ms, l->dead_ms, timer_silent);
}

static struct due
timer_due(const struct conn *c)
{
	struct due d = { NEVER, NULL };

	switch ((enum conn_state)c->state) {
	case CONN_TLS:
		due_sooner(&d, c->since_ms, c->net->limits.tls_ms, timer_tls);
		break;
	case CONN_HTTP:
		timer_http(c, &d);
		break;
	case CONN_WS:
		timer_ws(c, &d);
		break;
	case CONN_CLOSING:
		/* A last word to who does not read may not take long. */
		if (c->out != NULL)
			due_sooner(&d, c->out->since_ms,
			    c->cut || c->net->limits.write_ms <= 0
				? NET_CLOSE_MS
				: c->net->limits.write_ms,
			    timer_close);
		break;
	case CONN_LINGER:
		due_sooner(&d, c->since_ms, NET_CLOSE_MS, timer_close);
		break;
	case CONN_DEAD:
		break;
	}
	return d;
}

void
conn_timer_del(struct conn *c)
{
	if (c->due_s == 0)
		return;
	LIST_REMOVE(c, timer);
	c->due_s = 0;
}

/* Puts it where `at` is, at the latest where the wheel comes round. */
static void
timer_put(struct conn *c, int64_t at)
{
	struct net *n = c->net;
	uint32_t s = n->wheel_s + NET_WHEEL - 1;

	if (at / 1000 < (int64_t)s)
		s = (uint32_t)((at + 999) / 1000);
	if (s <= n->wheel_s)
		s = n->wheel_s + 1;
	if (c->due_s != 0 && c->due_s <= s)
		return;
	conn_timer_del(c);
	c->due_s = s;
	LIST_INSERT_HEAD(&n->wheel[s % NET_WHEEL], c, timer);
}

void
conn_timer(struct conn *c)
{
	if (c->state != CONN_DEAD)
		timer_put(c, timer_due(c).at);
}

static void
timer_fire(struct conn *c, int64_t now)
{
	struct due d;

	/* Each act changes what is due next; a ping is followed by the wait
	 * for its answer. */
	while (c->state != CONN_DEAD && (d = timer_due(c)).at <= now)
		d.act(c);
	conn_timer(c);
}

void
net_tick(struct net *n)
{
	int64_t now = clock_mono();
	uint32_t now_s = (uint32_t)(now / 1000);
	struct conn *c;

	/* After a long stop every slot is due, once. */
	if (now_s - n->wheel_s > NET_WHEEL)
		n->wheel_s = now_s - NET_WHEEL;
	while (n->wheel_s < now_s) {
		n->wheel_s++;
		while ((c = LIST_FIRST(&n->wheel[n->wheel_s % NET_WHEEL])) !=
		       NULL) {
			conn_timer_del(c);
			timer_fire(c, now);
		}
	}
}
