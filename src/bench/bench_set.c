/* SPDX-License-Identifier: ISC */
/*
 * Sets of matches, and how a match comes from a row, the defaults of its
 * scenario and the command line: the later ones win.
 *
 * In the rows that compare processor time or latency a server has a processor
 * of its own and a thread for it, and the load comes from another one.
 */
#include "config.h"

#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT "rounds=5 warm=500ms duration=1500ms "
#define APART "threads=1 server-cpus=0 client-cpus=1 "

#define FIGURES(...) ((const enum bench_figure[]){ __VA_ARGS__, BENCH_FIGURES })

#define GOALS(...)                    \
	((const struct bench_goal[]){ \
	    __VA_ARGS__, { .figure = BENCH_FIGURES } })

static const struct bench_row set_compare[] = {
	{
	    .title = "fan-out of 100 bytes to 1,000 connections, one at a time",
	    .scenario = "fanout",
	    .settings = SHORT APART "group=1000 window=1",
	    .servers = "linnet,uws,nats-ws,ws",
	    .figures =
		FIGURES(BENCH_PER_CPU, BENCH_PER_CPU_ALL, BENCH_DELIVERIES),
	    .goals = GOALS({ BENCH_PER_CPU, "uws", 1, false },
		{ BENCH_PER_CPU, "nats-ws", 2.4, false }),
	},
	{
	    .title = "the same, 32 under way",
	    .scenario = "fanout",
	    .settings = SHORT APART "group=1000 window=32",
	    .servers = "linnet,uws,nats-ws,ws",
	    .figures =
		FIGURES(BENCH_PER_CPU, BENCH_PER_CPU_ALL, BENCH_DELIVERIES),
	    .goals = GOALS({ BENCH_PER_CPU, "uws", 1, false },
		{ BENCH_PER_CPU, "nats-ws", 1.6, false }),
	},
	{
	    .title = "direct, stored before it is answered, 256 senders",
	    .scenario = "direct",
	    .settings = SHORT "senders=256 window=1",
	    .servers = "linnet,jetstream-sync,jetstream",
	    .figures = FIGURES(BENCH_MESSAGES, BENCH_PER_CPU_ALL),
	    .goals = GOALS({ BENCH_MESSAGES, NULL, 50000, false }),
	},
	{
	    .title = "the same, one sender with one message under way",
	    .scenario = "direct",
	    .settings = SHORT "senders=1 window=1",
	    .servers = "linnet,jetstream-sync,jetstream",
	    .figures = FIGURES(BENCH_MESSAGES, BENCH_ACK_P50),
	    .goals = GOALS({ BENCH_MESSAGES, NULL, 5000, false }),
	},
	{
	    .title = "the same, 5,000 a second from 256 senders",
	    .scenario = "direct",
	    .settings = SHORT "senders=256 window=0 rate=5000",
	    .servers = "linnet,jetstream-sync,jetstream",
	    .figures = FIGURES(BENCH_ACK_P50, BENCH_ACK_P99, BENCH_LATE),
	    .goals = GOALS({ BENCH_ACK_P50, NULL, 1500, false },
		{ BENCH_ACK_P99, NULL, 5000, false }),
	},
	{
	    .title = "one to one without waiting for the store, 2,000 a second",
	    .scenario = "multicast",
	    .settings = SHORT "threads=1 senders=1 window=0 rate=2000",
	    .servers = "linnet,nats-ws,nats,uws,ws",
	    .figures =
		FIGURES(BENCH_DELIVER_P50, BENCH_DELIVER_P99, BENCH_LATE),
	    .goals = GOALS({ BENCH_DELIVER_P50, "nats-ws", 1, false },
		{ BENCH_DELIVER_P99, "nats-ws", 1, false }),
	},
	{
	    .title = "the same across two workers",
	    .scenario = "multicast",
	    .settings = SHORT "threads=2 senders=1 window=0 rate=2000",
	    .servers = "linnet,nats-ws,nats",
	    .figures =
		FIGURES(BENCH_DELIVER_P50, BENCH_DELIVER_P99, BENCH_LATE),
	    .goals = GOALS({ BENCH_DELIVER_P50, "nats-ws", 0.5, false },
		{ BENCH_DELIVER_P99, "nats-ws", 0.5, false }),
	},
	{
	    .title = "1,000 idle connections",
	    .scenario = "idle",
	    .settings = SHORT "connections=1000",
	    .servers = "linnet,uws,nats-ws,ws",
	    .figures = FIGURES(BENCH_UPGRADES, BENCH_UPGRADE_CPU, BENCH_LOGINS,
		BENCH_LOGIN_CPU, BENCH_LOGIN_CPU_ALL, BENCH_USER_BYTES,
		BENCH_KERNEL_BYTES),
	    .goals = GOALS({ BENCH_USER_BYTES, NULL, 1024, false },
		{ BENCH_UPGRADES, NULL, 20000, false },
		{ BENCH_LOGIN_CPU, NULL, 200, false }),
	},
	{
	    .title = "1,000 idle connections with TLS",
	    .scenario = "idle",
	    .settings = SHORT "connections=1000 tls",
	    .servers = "linnet",
	    .figures = FIGURES(BENCH_UPGRADES, BENCH_LOGINS, BENCH_USER_BYTES),
	    .goals = GOALS({ BENCH_USER_BYTES, NULL, 16384, false }),
	},
	{
	    .title = "a state change told to 1,000 connections, one at a time",
	    .scenario = "state",
	    .settings = SHORT APART "group=1000 window=1",
	    .servers = "linnet",
	    .figures =
		FIGURES(BENCH_PER_CPU, BENCH_PER_CPU_ALL, BENCH_DELIVERIES),
	},
	{
	    .title = "5,000 lose their connections and come back",
	    .scenario = "storm",
	    .settings = SHORT "connections=5000",
	    .servers = "linnet,uws,nats-ws",
	},
	{
	    .title = "everything at once: 1,000 direct, 10 multicasts to 100, "
		     "10 state changes a second",
	    .scenario = "mixed",
	    .settings = SHORT "senders=100 window=0 rate=1000 group=100 "
			      "connections=300 rate-group=10 rate-state=10",
	    .servers = "linnet",
	    .figures = FIGURES(BENCH_ACK_P50, BENCH_ACK_P99, BENCH_FANOUT_P50,
		BENCH_FANOUT_P99, BENCH_STATE_P50, BENCH_STATE_P99, BENCH_LATE),
	},
	{ .scenario = NULL },
};

static const struct bench_variant set_sizes[] = {
	{ "group", "1000", true },
	{ "group", "19000", false },
	{ NULL, NULL, false },
};

static const struct bench_variant set_stored[] = {
	{ "stored", "0", true },
	{ "stored", "3000000", false },
	{ NULL, NULL, false },
};

/* Goals are of the first. */
static const struct bench_variant set_posted[] = {
	{ "stored", "1000000", false },
	{ "stored", "0", true },
	{ NULL, NULL, false },
};

static const struct bench_row set_growth[] = {
	{
	    .title = "fan-out to a small group and to a large one",
	    .scenario = "fanout",
	    .settings = "rounds=5 warm=1s duration=5s window=1",
	    .servers = "linnet",
	    .variants = set_sizes,
	    .figures =
		FIGURES(BENCH_PER_CPU, BENCH_PER_CPU_ALL, BENCH_DELIVERIES),
	    .goals = GOALS({ BENCH_PER_CPU, "group", 1.25, true }),
	},
	{
	    .title = "the same at uWebSockets.js, which has but the kernel's "
		     "growth",
	    .scenario = "fanout",
	    .settings = "rounds=5 warm=1s duration=5s window=1",
	    .servers = "uws",
	    .variants = set_sizes,
	    .figures = FIGURES(BENCH_PER_CPU, BENCH_DELIVERIES),
	},
	{
	    .title = "direct from 256 senders, with few messages stored and "
		     "with many",
	    .scenario = "direct",
	    .settings = "rounds=5 warm=1s duration=5s senders=256 window=1",
	    .servers = "linnet",
	    .variants = set_stored,
	    .figures =
		FIGURES(BENCH_MESSAGES, BENCH_PER_CPU, BENCH_PER_CPU_ALL),
	    .goals = GOALS({ BENCH_MESSAGES, "stored", 1.15, true }),
	},
	{
	    .title = "reading channels, with much posted, and with nothing",
	    .scenario = "channels",
	    .settings = "rounds=3 duration=6s",
	    .servers = "linnet",
	    .variants = set_posted,
	    .goals = GOALS({ BENCH_PAGE_P50, NULL, 10000, false },
		{ BENCH_PAGE_P99, NULL, 10000, false },
		{ BENCH_SEARCH_P50, NULL, 10000, false },
		{ BENCH_SEARCH_P99, NULL, 10000, false },
		{ BENCH_LIST_P50, NULL, 10000, false },
		{ BENCH_LIST_P99, NULL, 10000, false }),
	},
	{ .scenario = NULL },
};

const struct bench_set bench_sets[] = {
	{ "compare", set_compare },
	{ "growth", set_growth },
	{ NULL, NULL },
};

const struct bench_set *
bench_set_find(const char *name)
{
	const struct bench_set *s;

	for (s = bench_sets; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* What the command line says. */
static void
set_line(struct bench_options *o, const struct usage_line *l)
{
	const char *error;
	size_t i;

	for (i = 0; i < l->ngiven; i++) {
		error = bench_option_set(
		    o, l->given[i].option->name, l->given[i].value);
		if (error != NULL)
			fatalx("--%s \"%s\" %s", l->given[i].option->name,
			    l->given[i].value, error);
	}
}

static void
set_options(struct bench_options *o, const struct bench_row *row,
    const struct bench_variant *v, const struct usage_line *l)
{
	const struct bench_scenario *s = bench_scenario_find(row->scenario);
	const char *error = NULL;

	bench_option_defaults(o);
	bench_option_set_all(o, s->settings);
	if (row->settings != NULL)
		bench_option_set_all(o, row->settings);
	if (row->servers != NULL)
		o->servers = row->servers;
	if (v != NULL && !v->fixed)
		error = bench_option_set(o, v->option, v->value);
	set_line(o, l);
	if (v != NULL && v->fixed)
		error = bench_option_set(o, v->option, v->value);
	if (error != NULL)
		fatalx("%s %s", v->option, error);
}

/* "fanout: group 1000, window 1, size 100": what the scenario has defaults for,
 * but for what is 0. */
static void
set_title(struct bench_match *m, const struct bench_row *row,
    const struct bench_options *o)
{
	char *copy = xstrdup(m->scenario->settings), *rest = copy, *word;
	size_t before;
	struct buf b;

	buf_init(&b, sizeof(m->title) - 1);
	buf_addf(&b, "%s:", row->scenario);
	while ((word = strsep(&rest, " ")) != NULL) {
		before = b.len;
		word[strcspn(word, "=")] = '\0';
		buf_addf(&b, " %s ", word);
		bench_option_print(&b, o, word);
		if (b.data[b.len - 1] == '0' && b.data[b.len - 2] == ' ')
			b.len = before;
		else
			buf_addc(&b, ',');
	}
	buf_adds(&b, " size ");
	bench_option_print(&b, o, "size");
	if (o->tls)
		buf_adds(&b, ", TLS");
	str_copy(
	    m->title, b.failed ? row->scenario : buf_str(&b), sizeof(m->title));
	if (row->title != NULL)
		str_copy(m->title, row->title, sizeof(m->title));
	buf_free(&b);
	free(copy);
}

static bool
set_can(const struct bench_peer *p, const struct bench_scenario *s,
    const char **why)
{
	*why = "it has no state";
	return !s->states || p->dialect->states;
}

static void
set_entry(struct bench_match *m, const struct bench_row *row,
    const struct bench_peer *p, const struct bench_variant *v,
    const struct usage_line *l, const char *version)
{
	struct bench_entry *e;
	struct buf b;

	m->entries = xreallocarray(m->entries, m->n + 1, sizeof(*m->entries));
	e = &m->entries[m->n++];
	memset(e, 0, sizeof(*e));
	e->peer = p;
	set_options(&e->options, row, v, l);
	str_copy(e->version, version, sizeof(e->version));
	str_copy(e->label, p->name, sizeof(e->label));
	if (v == NULL)
		return;
	buf_init(&b, sizeof(e->label) - 1);
	buf_addf(&b, "%s ", v->option);
	bench_option_print(&b, &e->options, v->option);
	if (!b.failed)
		str_copy(e->label, buf_str(&b), sizeof(e->label));
	buf_free(&b);
}

static void
set_add(struct bench_match *m, const struct bench_row *row,
    const struct bench_peer *p, const struct usage_line *l)
{
	const struct bench_variant *v = row->variants;
	struct bench_options o;
	char version[80];
	const char *why;

	set_options(&o, row, v, l);
	if (!set_can(p, m->scenario, &why)) {
		log_warn("%s is left out: %s", p->name, why);
		return;
	}
	str_copy(version, "as it runs", sizeof(version));
	if (o.address == NULL &&
	    !bench_peer_probe(p, &o, version, sizeof(version))) {
		log_warn("%s is left out: %s", p->name, version);
		return;
	}
	do
		set_entry(m, row, p, v, l, version);
	while (v != NULL && (++v)->option != NULL);
}

bool
bench_set_match(struct bench_match *m, const struct bench_row *row,
    const struct usage_line *l)
{
	const struct bench_peer *p;
	struct bench_options o;
	const char *name;
	size_t n;

	memset(m, 0, sizeof(*m));
	m->scenario = bench_scenario_find(row->scenario);
	set_options(&o, row, NULL, l);
	set_title(m, row, &o);
	m->rounds = (unsigned)o.rounds;
	m->goals = row->goals;
	m->figures = m->scenario->figures;
	if (row->figures != NULL && usage_given(l, "all") == NULL)
		m->figures = row->figures;
	if (strcmp(o.servers, "all") == 0) {
		for (p = bench_peers; p->name != NULL; p++)
			set_add(m, row, p, l);
		return m->n > 0;
	}
	for (name = o.servers; *name != '\0'; name += n) {
		name += strspn(name, ",");
		n = strcspn(name, ",");
		p = bench_peer_find(name, n);
		if (p == NULL)
			fatalx("--servers: there is no \"%.*s\"; linnet-bench "
			       "servers lists them",
			    (int)n, name);
		set_add(m, row, p, l);
	}
	return m->n > 0;
}

void
bench_set_free(struct bench_match *m)
{
	unsigned i;

	for (i = 0; i < m->n; i++)
		free(m->entries[i].values);
	free(m->entries);
}
