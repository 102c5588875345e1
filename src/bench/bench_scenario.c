/* SPDX-License-Identifier: ISC */
/*
 * The table of scenarios.  Connections are numbered: senders come before those
 * whom they send to, so that number i sends to the i-th of those.
 */
#include "bench/bench.h"

#include <string.h>

static int
scenario_no_group(const struct bench_run *r, unsigned number)
{
	(void)r;
	(void)number;
	return -1;
}

static void
scenario_plan_idle(struct bench_run *r)
{
	r->connections = (unsigned)r->options->connections;
}

static void
scenario_plan_pairs(struct bench_run *r)
{
	const struct bench_options *o = r->options;

	r->pairs = (unsigned)o->senders;
	r->connections = 2 * r->pairs;
	r->flows[r->nflows++] = (struct bench_flow){
		.kind = BENCH_DIRECT,
		.senders = r->pairs,
		.to_first = r->pairs,
		.fan = 1,
		.window = (unsigned)o->window,
		.rate = (double)o->rate,
		.of = BENCH_OF_DIRECT,
	};
}

/* Each receiver is a group of its own. */
static void
scenario_plan_multicast(struct bench_run *r)
{
	scenario_plan_pairs(r);
	r->flows[0].kind = BENCH_GROUP;
	r->flows[0].to_first = 0;
}

static int
scenario_group_multicast(const struct bench_run *r, unsigned number)
{
	return number < r->pairs ? -1 : (int)(number - r->pairs);
}

static void
scenario_plan_fan(struct bench_run *r, enum bench_kind kind)
{
	const struct bench_options *o = r->options;

	r->connections = (unsigned)o->group + 1;
	r->pairs = o->group == 1; /* who is alone is beside its sender */
	r->flows[r->nflows++] = (struct bench_flow){
		.kind = kind,
		.senders = 1,
		.fan = (unsigned)o->group,
		.window = (unsigned)o->window,
		.rate = (double)o->rate,
		.of = kind == BENCH_GROUP ? BENCH_OF_FANOUT : BENCH_OF_STATE,
	};
}

static void
scenario_plan_fanout(struct bench_run *r)
{
	scenario_plan_fan(r, BENCH_GROUP);
}

static void
scenario_plan_state(struct bench_run *r)
{
	scenario_plan_fan(r, BENCH_STATE);
}

static int
scenario_group_fanout(const struct bench_run *r, unsigned number)
{
	(void)r;
	return number > 0 ? 0 : -1;
}

/* Pairs; one who sends to a group; one who changes state, of which everybody
 * else is told; the group; and who is only there. */
static void
scenario_plan_mixed(struct bench_run *r)
{
	const struct bench_options *o = r->options;
	unsigned first;

	scenario_plan_pairs(r);
	first = r->connections;
	r->connections += 2 + (unsigned)o->group + (unsigned)o->connections;
	r->flows[r->nflows++] = (struct bench_flow){
		.kind = BENCH_GROUP,
		.senders = 1,
		.first = first,
		.fan = (unsigned)o->group,
		.rate = (double)o->rate_group,
		.of = BENCH_OF_FANOUT,
	};
	if (r->where.dialect->states)
		r->flows[r->nflows++] = (struct bench_flow){
			.kind = BENCH_STATE,
			.senders = 1,
			.first = first + 1,
			.fan = r->connections - 1,
			.rate = (double)o->rate_state,
			.of = BENCH_OF_STATE,
		};
}

static int
scenario_group_mixed(const struct bench_run *r, unsigned number)
{
	unsigned first = 2 * r->pairs + 2;

	return number >= first && number < first + r->flows[1].fan ? 0 : -1;
}

static const enum bench_figure figures_idle[] = {
	BENCH_UPGRADES,
	BENCH_UPGRADE_CPU,
	BENCH_LOGINS,
	BENCH_LOGIN_CPU,
	BENCH_LOGIN_CPU_ALL,
	BENCH_USER_BYTES,
	BENCH_USER_BYTES_ALL,
	BENCH_KERNEL_BYTES,
	BENCH_FIGURES,
};

static const enum bench_figure figures_pairs[] = {
	BENCH_MESSAGES,
	BENCH_ACK_P50,
	BENCH_ACK_P99,
	BENCH_ACK_P999,
	BENCH_DELIVER_P50,
	BENCH_DELIVER_P99,
	BENCH_DELIVER_P999,
	BENCH_PER_CPU,
	BENCH_PER_CPU_ALL,
	BENCH_SERVER_CPU,
	BENCH_DATABASE_CPU,
	BENCH_CLIENT_CPU,
	BENCH_LATE,
	BENCH_FIGURES,
};

static const enum bench_figure figures_fan[] = {
	BENCH_PER_CPU,
	BENCH_PER_CPU_ALL,
	BENCH_MESSAGES,
	BENCH_DELIVERIES,
	BENCH_DELIVER_P50,
	BENCH_DELIVER_P99,
	BENCH_ACK_P50,
	BENCH_ACK_P99,
	BENCH_SERVER_CPU,
	BENCH_DATABASE_CPU,
	BENCH_CLIENT_CPU,
	BENCH_LATE,
	BENCH_FIGURES,
};

static const enum bench_figure figures_storm[] = {
	BENCH_BACK_SECONDS,
	BENCH_BACK_RATE,
	BENCH_BACK_P50,
	BENCH_BACK_CPU,
	BENCH_FIGURES,
};

static const enum bench_figure figures_mixed[] = {
	BENCH_ACK_P50,
	BENCH_ACK_P99,
	BENCH_DELIVER_P50,
	BENCH_DELIVER_P99,
	BENCH_FANOUT_P50,
	BENCH_FANOUT_P99,
	BENCH_STATE_P50,
	BENCH_STATE_P99,
	BENCH_MESSAGES,
	BENCH_DELIVERIES,
	BENCH_SERVER_CPU,
	BENCH_DATABASE_CPU,
	BENCH_CLIENT_CPU,
	BENCH_LATE,
	BENCH_FIGURES,
};

static const enum bench_figure figures_channels[] = {
	BENCH_PAGE_P50,
	BENCH_PAGE_P99,
	BENCH_SEARCH_P50,
	BENCH_SEARCH_P99,
	BENCH_SEARCH_BUSY_P50,
	BENCH_SEARCH_BUSY_P99,
	BENCH_LIST_P50,
	BENCH_LIST_P99,
	BENCH_FIGURES,
};

const struct bench_scenario bench_scenarios[] = {
	{
	    .name = "idle",
	    .settings = "connections=1000",
	    .fresh = true,
	    .plan = scenario_plan_idle,
	    .group = scenario_no_group,
	    .lead = bench_lead_idle,
	    .figures = figures_idle,
	},
	{
	    .name = "direct",
	    .settings = "senders=64 window=1 rate=0 stored=0",
	    .plan = scenario_plan_pairs,
	    .group = scenario_no_group,
	    .lead = bench_lead_measure,
	    .figures = figures_pairs,
	},
	{
	    .name = "multicast",
	    .settings = "senders=1 window=0 rate=2000",
	    .plan = scenario_plan_multicast,
	    .group = scenario_group_multicast,
	    .lead = bench_lead_measure,
	    .figures = figures_pairs,
	},
	{
	    .name = "fanout",
	    .settings = "group=1000 window=1 rate=0",
	    .plan = scenario_plan_fanout,
	    .group = scenario_group_fanout,
	    .lead = bench_lead_measure,
	    .figures = figures_fan,
	},
	{
	    .name = "state",
	    .settings = "group=1000 window=1 rate=0",
	    .states = true,
	    .plan = scenario_plan_state,
	    .group = scenario_no_group,
	    .lead = bench_lead_measure,
	    .figures = figures_fan,
	},
	{
	    .name = "storm",
	    .settings = "connections=5000",
	    .plan = scenario_plan_idle,
	    .group = scenario_no_group,
	    .lead = bench_lead_storm,
	    .figures = figures_storm,
	},
	{
	    .name = "mixed",
	    .settings =
		"senders=100 window=0 rate=1000 group=100 rate-group=10 rate-state=10 connections=300",
	    .plan = scenario_plan_mixed,
	    .group = scenario_group_mixed,
	    .lead = bench_lead_measure,
	    .figures = figures_mixed,
	},
	{
	    .name = "channels",
	    .settings = "connections=1 stored=0",
	    .plan = scenario_plan_idle,
	    .group = scenario_no_group,
	    .lead = bench_channel_lead,
	    .figures = figures_channels,
	},
	{ .name = NULL },
};

const struct bench_scenario *
bench_scenario_find(const char *name)
{
	const struct bench_scenario *s;

	for (s = bench_scenarios; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}
