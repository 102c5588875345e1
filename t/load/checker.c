/* SPDX-License-Identifier: ISC */
/*
 * checker: is anything lost while the server is being killed?
 *
 *	checker HOST PORT[,PORT...] SEED PAIRS RATE SECONDS
 *
 * With several ports the sender and the receiver of a pair connect to
 * different ones, as long as somebody answers there.
 *
 * Senders send numbered messages to receivers, RATE a second over all PAIRS.
 * Whoever loses its connection connects again as the same session; a sender
 * then repeats what was not acked, under the same ids.  Receivers ack each
 * message.  After SECONDS the checker waits until everything that was sent is
 * acked and everything that was acked has arrived, at most CHECKER_END_MS.
 *
 * It prints one line of key=value: sent, acked, received, repeats (received
 * again), disorder (first receipts out of order), unacked, lost (acked and
 * never received), gone (connections lost).  The status is 0 when nothing was
 * lost and nothing stayed unacked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"

#define CHECKER_END_MS 60000
#define CHECKER_RETRY_MS 50
#define CHECKER_WINDOW 64
#define CHECKER_RESEND_MS 5000

struct check {
	bool acked;
	bool received;
	int64_t sent_ms;
};

/* A sender and its receiver. */
struct pair {
	struct crowd_conn *from;
	struct crowd_conn *to;
	struct check *v;
	size_t sent; /* numbers given out */
	size_t cap;
	size_t acked;  /* all below are acked */
	size_t newest; /* received, plus one */
	unsigned index;
};

static struct {
	struct pair *pairs;
	unsigned n;
	size_t sent, acked, received, repeats, disorder;
	int64_t *retry_ms; /* by connection: when to connect again */
} checker;

static struct pair *
checker_pair(const struct crowd_conn *c)
{
	return &checker.pairs[c->number % checker.n];
}

static bool
checker_is_sender(const struct crowd_conn *c)
{
	return c->number < checker.n;
}

static void
checker_send(struct pair *p, size_t i)
{
	char message[512];
	int n;

	n = snprintf(message, sizeof(message),
	    "{\"type\":\"send\",\"targetSpec\":\"%s\",\"priority\":\"now\","
	    "\"nonce\":\"n\",\"ciphertext\":\"%u-%zu\",\"id\":\"%zu\"}",
	    p->to->key, p->index, i, i);
	crowd_send(p->from, message, (size_t)n);
	p->v[i].sent_ms = clock_mono();
}

/* What was sent over the old connection and not acked goes again. */
static void
checker_open_cb(struct crowd_conn *c)
{
	struct pair *p = checker_pair(c);
	size_t i;

	if (!checker_is_sender(c))
		return;
	for (i = p->acked; i < p->sent; i++)
		if (!p->v[i].acked)
			checker_send(p, i);
	crowd_flush();
}

static void
checker_gone_cb(struct crowd_conn *c)
{
	checker.retry_ms[c->number] = clock_mono() + CHECKER_RETRY_MS;
}

static const char *
checker_field(const char *p, size_t n, const char *key)
{
	const char *at = NULL;
	size_t k, i;

	for (k = strlen(key), i = 0; i + k < n; i++)
		if (memcmp(p + i, key, k) == 0) {
			at = p + i + k;
			break;
		}
	return at;
}

static void
checker_acked(struct crowd_conn *c, const char *p, size_t n)
{
	struct pair *pair = checker_pair(c);
	const char *id = checker_field(p, n, "\"id\":\"");
	size_t i;

	if (id == NULL)
		fatalx("an ack without id: %.*s", (int)n, p);
	i = strtoul(id, NULL, 10);
	if (i >= pair->sent)
		fatalx("an ack for nothing: %.*s", (int)n, p);
	if (!pair->v[i].acked) {
		pair->v[i].acked = true;
		checker.acked++;
	}
	while (pair->acked < pair->sent && pair->v[pair->acked].acked)
		pair->acked++;
}

static void
checker_pushed(struct crowd_conn *c, const char *p, size_t n)
{
	struct pair *pair = checker_pair(c);
	const char *text = checker_field(p, n, "\"ciphertext\":\"");
	const char *id = checker_field(p, n, "\"messageId\":\"");
	char ack[128], *end;
	unsigned long index, i;
	int len;

	if (text == NULL || id == NULL)
		fatalx("a push without its fields: %.*s", (int)n, p);
	index = strtoul(text, &end, 10);
	i = strtoul(end + 1, NULL, 10);
	if (index != pair->index || i >= pair->sent)
		fatalx("a push for somebody else: %.*s", (int)n, p);
	if (pair->v[i].received)
		checker.repeats++;
	else {
		pair->v[i].received = true;
		checker.received++;
		if (i + 1 < pair->newest)
			checker.disorder++;
		else
			pair->newest = i + 1;
	}
	len = snprintf(ack, sizeof(ack),
	    "{\"type\":\"client_ack\",\"brokerMessageId\":\"%.32s\"}", id);
	crowd_send(c, ack, (size_t)len);
}

static void
checker_message_cb(struct crowd_conn *c, const char *p, size_t n)
{
	if (crowd_is(p, n, "{\"type\":\"push\""))
		checker_pushed(c, p, n);
	else if (crowd_is(p, n, "{\"type\":\"ack\""))
		checker_acked(c, p, n);
	else if (!crowd_is(
		     p, n, "{\"type\":\"error\",\"code\":\"unavailable\""))
		fatalx("%.*s", (int)n, p);
}

static const struct crowd_calls checker_calls = {
	.open = checker_open_cb,
	.message = checker_message_cb,
	.gone = checker_gone_cb,
};

/* A send that was answered `unavailable`, or not at all, goes again. */
static void
checker_resend(struct pair *p)
{
	size_t i;

	for (i = p->acked; i < p->sent; i++)
		if (!p->v[i].acked &&
		    clock_mono() - p->v[i].sent_ms > CHECKER_RESEND_MS)
			checker_send(p, i);
}

static void
checker_next(struct pair *p)
{
	if (p->sent == p->cap) {
		p->cap = p->cap > 0 ? 2 * p->cap : 1024;
		p->v = xreallocarray(p->v, p->cap, sizeof(*p->v));
	}
	memset(&p->v[p->sent], 0, sizeof(*p->v));
	checker_send(p, p->sent++);
	checker.sent++;
}

/* Sends what the rate owes, as far as senders are connected. */
static void
checker_pace(size_t owed)
{
	static unsigned turn;
	unsigned idle = 0;
	struct pair *p;
	unsigned i;

	while (checker.sent < owed && idle < checker.n) {
		p = &checker.pairs[turn++ % checker.n];
		if (!crowd_is_open(p->from) ||
		    p->sent - p->acked >= CHECKER_WINDOW) {
			idle++;
			continue;
		}
		idle = 0;
		checker_next(p);
	}
	for (i = 0; i < checker.n; i++)
		if (crowd_is_open(checker.pairs[i].from))
			checker_resend(&checker.pairs[i]);
	crowd_flush();
}

static void
checker_turn(void)
{
	unsigned i;

	clock_update();
	for (i = 0; i < crowd.n; i++)
		if (crowd_is_gone(&crowd.conns[i]) &&
		    clock_mono() >= checker.retry_ms[i])
			crowd_connect(&crowd.conns[i]);
	crowd_turn(2);
	clock_update();
}

static size_t
checker_lost(void)
{
	size_t lost = 0, i;
	unsigned k;

	for (k = 0; k < checker.n; k++)
		for (i = 0; i < checker.pairs[k].sent; i++)
			lost += checker.pairs[k].v[i].acked &&
				!checker.pairs[k].v[i].received;
	return lost;
}

static int
checker_report(void)
{
	size_t lost = checker_lost();

	printf("sent=%zu acked=%zu received=%zu repeats=%zu disorder=%zu "
	       "unacked=%zu lost=%zu gone=%u\n",
	    checker.sent, checker.acked, checker.received, checker.repeats,
	    checker.disorder, checker.sent - checker.acked, lost, crowd.gone);
	return lost > 0 || checker.acked < checker.sent;
}

int
main(int argc, char **argv)
{
	double rate, seconds;
	int64_t start, end;
	unsigned i;

	log_start("checker", LOG_ERROR);
	if (argc != 7)
		fatalx("usage: checker host port seed pairs rate seconds");
	checker.n = (unsigned)strtoul(argv[4], NULL, 10);
	rate = strtod(argv[5], NULL);
	seconds = strtod(argv[6], NULL);
	crowd.acks = true;
	crowd_start(argv[1], argv[2], argv[3], 2 * checker.n, &checker_calls);
	checker.retry_ms = xcalloc(crowd.n, sizeof(*checker.retry_ms));
	checker.pairs = xcalloc(checker.n, sizeof(*checker.pairs));
	for (i = 0; i < checker.n; i++)
		checker.pairs[i] = (struct pair){ .from = &crowd.conns[i],
			.to = &crowd.conns[checker.n + i],
			.index = i };
	for (i = 0; i < crowd.n; i++)
		crowd.conns[i].place = i % checker.n + i / checker.n;
	while (crowd.ready < crowd.n)
		checker_turn();
	printf("ready\n");
	fflush(stdout);
	start = clock_mono();
	end = start + (int64_t)(seconds * 1000);
	while (clock_mono() < end) {
		checker_turn();
		checker_pace(
		    (size_t)((double)(clock_mono() - start) / 1000 * rate));
	}
	end = clock_mono() + CHECKER_END_MS;
	while (clock_mono() < end && (checker.acked < checker.sent ||
					 checker.received < checker.sent)) {
		checker_turn();
		checker_pace(0);
	}
	return checker_report();
}
