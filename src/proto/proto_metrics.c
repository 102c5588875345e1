/* SPDX-License-Identifier: ISC */
/*
 * /metrics: the numbers of all processes, summed, as Prometheus reads them.
 * The names that claudemesh's broker used are there too, for dashboards that
 * exist.
 */
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "proto/proto.h"

/* claudemesh's name, our metric, its label. */
static const struct metrics_alias {
	const char *name;
	enum metric metric;
	const char *label;
	const char *text;
} metrics_aliases[] = {
	{ "broker_connections_total", METRIC_CONNECTIONS_OPENED, "",
	    "Connections accepted." },
	{ "broker_connections_rejected_total", METRIC_HELLO_REFUSED, "",
	    "Hellos refused." },
	{ "broker_connections_active", METRIC_SESSIONS, "",
	    "Authenticated sessions." },
	{ "broker_messages_routed_total", METRIC_PUSHED_NOW, "priority=\"now\"",
	    "Messages pushed." },
	{ "broker_messages_routed_total", METRIC_PUSHED_NEXT,
	    "priority=\"next\"", "Messages pushed." },
	{ "broker_messages_routed_total", METRIC_PUSHED_LOW, "priority=\"low\"",
	    "Messages pushed." },
	{ "broker_messages_rejected_total", METRIC_REQUEST_ERRORS, "",
	    "Requests that ended in an error." },
	{ "broker_ttl_sweeps_total", METRIC_STATUS_EXPIRED, "",
	    "Sessions that counted as idle again after a time without news." },
	{ "broker_queue_depth", METRIC_QUEUE_DEPTH, "",
	    "Deliveries that are not acked yet." },
	{ "broker_hook_requests_total", METRIC_HOOKS, "",
	    "Calls of /hook/set-status." },
	{ "broker_hook_requests_rate_limited_total", METRIC_HOOKS_LIMITED, "",
	    "Calls refused by their rate." },
};

/* A row after one of the same name goes under the same heading. */
static void
metrics_row(struct buf *b, const char *name, const char *before,
    enum metric_type type, const char *label, const char *text, uint64_t v)
{
	if (before == NULL || strcmp(name, before) != 0)
		buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, text, name,
		    type == METRIC_TYPE_COUNT ? "counter" : "gauge");
	if (*label != '\0')
		buf_addf(b, "%s{%s} %" PRIu64 "\n", name, label, v);
	else
		buf_addf(b, "%s %" PRIu64 "\n", name, v);
}

void
metrics_write(struct core *c, struct buf *b)
{
	const struct metric_desc *m;
	const struct metrics_alias *a;
	const char *before = NULL;
	size_t i;

	for (i = 0; i < METRIC_MAX; i++) {
		m = &table_metrics[i];
		metrics_row(b, m->name, before, m->type, m->label, m->text,
		    core_metric(c, (enum metric)i));
		before = m->name;
	}
	for (i = 0; i < NELEM(metrics_aliases); i++) {
		a = &metrics_aliases[i];
		metrics_row(b, a->name, before, table_metrics[a->metric].type,
		    a->label, a->text, core_metric(c, a->metric));
		before = a->name;
	}
	buf_addf(b,
	    "# HELP broker_db_healthy Does the database answer?\n"
	    "# TYPE broker_db_healthy gauge\nbroker_db_healthy %d\n"
	    "# HELP linnet_build_info The version that runs.\n"
	    "# TYPE linnet_build_info gauge\n"
	    "linnet_build_info{version=\"" PACKAGE_VERSION "\"} 1\n",
	    c->up);
}
