/* SPDX-License-Identifier: ISC */
/*
 * swarm: how a linnetd bears a crowd.
 *
 *	swarm HOST PORT SEED idle N
 *	swarm HOST PORT SEED direct PAIRS WINDOW SECONDS
 *	swarm HOST PORT SEED fanout N WINDOW SECONDS
 *
 * SEED is a file with the output of `linnetctl seed`.  idle says hello N
 * times, prints one line, and holds the connections until its standard input
 * ends.  direct: each sender keeps WINDOW messages to its own receiver under
 * way.  fanout: one sender keeps WINDOW messages to a group of N under way.
 * Every answer is one line of key=value.  Receivers never ack: a message
 * counts as had when it was written to them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"

#define SWARM_SAMPLES 2000000
#define SWARM_GROUP "@g0"
#define SWARM_END_US 10000000

/* What a sender has under way: the times of sending, as a ring. */
struct swarm_sender {
	const char *target;
	int64_t *sent_us;
	unsigned head, tail;
};

static struct {
	unsigned window;
	bool sending;
	uint64_t acks, pushes, sends;
	int64_t *samples;
	size_t nsamples;
} swarm;

static void
swarm_fill(struct crowd_conn *c)
{
	static char text[101];
	struct swarm_sender *s = c->data;
	char message[512];
	int n;

	if (text[0] == '\0')
		memset(text, 'x', sizeof(text) - 1);
	while (swarm.sending && s->head - s->tail < swarm.window) {
		n = snprintf(message, sizeof(message),
		    "{\"type\":\"send\",\"targetSpec\":\"%s\",\"priority\":"
		    "\"now\",\"nonce\":\"n\",\"ciphertext\":\"%s\"}",
		    s->target, text);
		crowd_send(c, message, (size_t)n);
		s->sent_us[s->head++ % swarm.window] = clock_usec();
		swarm.sends++;
	}
	crowd_flush();
}

static void
swarm_open_cb(struct crowd_conn *c)
{
	(void)c;
}

static void
swarm_gone_cb(struct crowd_conn *c)
{
	log_warn("session %u is gone", c->number);
}

static void
swarm_message_cb(struct crowd_conn *c, const char *p, size_t n)
{
	struct swarm_sender *s = c->data;

	if (crowd_is(p, n, "{\"type\":\"push\"")) {
		swarm.pushes++;
		return;
	}
	if (s == NULL || !crowd_is(p, n, "{\"type\":\"ack\""))
		fatalx("%.*s", (int)n, p);
	swarm.acks++;
	if (swarm.nsamples < SWARM_SAMPLES)
		swarm.samples[swarm.nsamples++] =
		    clock_usec() - s->sent_us[s->tail % swarm.window];
	s->tail++;
	swarm_fill(c);
}

static const struct crowd_calls swarm_calls = {
	.open = swarm_open_cb,
	.message = swarm_message_cb,
	.gone = swarm_gone_cb,
};

static void
swarm_open(void)
{
	int64_t start = clock_usec();

	while (crowd.ready + crowd.gone < crowd.n)
		crowd_turn(1000);
	printf("sessions=%u gone=%u seconds=%.3f\n", crowd.ready, crowd.gone,
	    (double)(clock_usec() - start) / 1e6);
	fflush(stdout);
}

static void
swarm_send_from(unsigned i, const char *target)
{
	struct swarm_sender *s = xcalloc(1, sizeof(*s));

	s->target = target;
	s->sent_us = xcalloc(swarm.window, sizeof(*s->sent_us));
	crowd.conns[i].data = s;
	swarm_fill(&crowd.conns[i]);
}

static int
swarm_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Runs for the time, then waits for what is under way. */
static void
swarm_measure(double seconds, uint64_t per_send)
{
	int64_t start = clock_usec(), end = start + (int64_t)(seconds * 1e6);
	uint64_t acks, pushes;
	size_t n;
	double took;

	while (clock_usec() < end && crowd.gone == 0)
		crowd_turn(10);
	took = (double)(clock_usec() - start) / 1e6;
	acks = swarm.acks;
	pushes = swarm.pushes;
	swarm.sending = false;
	end = clock_usec() + SWARM_END_US;
	while (
	    clock_usec() < end && crowd.gone == 0 &&
	    (swarm.acks < swarm.sends || swarm.pushes < swarm.sends * per_send))
		crowd_turn(10);
	n = swarm.nsamples;
	qsort(swarm.samples, n, sizeof(*swarm.samples), swarm_compare);
	printf("window=%u seconds=%.3f acks_per_second=%.0f "
	       "pushes_per_second=%.0f ack_p50_us=%" PRId64
	       " ack_p99_us=%" PRId64 " sends=%" PRIu64 " acks=%" PRIu64
	       " pushes=%" PRIu64 " gone=%u\n",
	    swarm.window, took, (double)acks / took, (double)pushes / took,
	    n > 0 ? swarm.samples[n / 2] : 0,
	    n > 0 ? swarm.samples[n - 1 - n / 100] : 0, swarm.sends, swarm.acks,
	    swarm.pushes, crowd.gone);
}

static void
swarm_idle(void)
{
	char byte;

	swarm_open();
	if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0)
		fatal("fcntl");
	while (read(STDIN_FILENO, &byte, 1) != 0)
		crowd_turn(100);
	printf("held=%u gone=%u\n", crowd.ready, crowd.gone);
}

int
main(int argc, char **argv)
{
	unsigned n, i;
	bool fanout, direct;

	log_start("swarm", LOG_INFO);
	if (argc < 6)
		fatalx("usage: swarm host port seed mode n [window seconds]");
	direct = strcmp(argv[4], "direct") == 0 && argc > 7;
	fanout = strcmp(argv[4], "fanout") == 0 && argc > 7;
	n = (unsigned)strtoul(argv[5], NULL, 10);
	swarm.window = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 1;
	swarm.samples = xcalloc(SWARM_SAMPLES, sizeof(*swarm.samples));
	swarm.sending = true;
	crowd.group = fanout;
	crowd_start(argv[1], argv[2], argv[3],
	    direct   ? 2 * n
	    : fanout ? n + 1
		     : n,
	    &swarm_calls);
	if (direct) {
		swarm_open();
		for (i = 0; i < n; i++)
			swarm_send_from(i, crowd.conns[i + n].key);
		swarm_measure(strtod(argv[7], NULL), 1);
	} else if (fanout) {
		swarm_open();
		swarm_send_from(0, SWARM_GROUP);
		swarm_measure(strtod(argv[7], NULL), n);
	} else if (strcmp(argv[4], "idle") == 0)
		swarm_idle();
	else
		fatalx("no such mode: %s", argv[4]);
	return crowd.gone > 0;
}
