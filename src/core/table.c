/* SPDX-License-Identifier: ISC */
/*
 * The tables of core, expanded from their .def files.
 */
#include "core/core.h"

const struct err_desc table_errors[ERR_MAX] = {
	[ERR_NONE] = { "ok", 200, 0, 0, 0, "" },
#define ERR(id, name, http, rpc, status, close, text) \
	[ERR_##id] = { name, http, rpc, status, close, text },
#include "core/errors.def"
#undef ERR
};

const char *const table_scopes[SCOPE_MAX] = {
	[SCOPE_UNSET] = "unset",
#define SCOPE(id, name, text) [SCOPE_##id] = name,
#include "core/scopes.def"
#undef SCOPE
};

const struct metric_desc table_metrics[METRIC_MAX] = {
#define METRIC(id, name, type, label, text) \
	[METRIC_##id] = { name, METRIC_TYPE_##type, label, text },
#include "core/metrics.def"
#undef METRIC
};

const char *const table_events[EVENT_MAX] = {
	[EVENT_UNSET] = "unset",
#define EVENT(id, noun, to, text) [EVENT_##id] = #id,
#include "core/events.def"
#undef EVENT
};

const char *const table_priorities[] = { "low", "next", "now", NULL };
const char *const table_statuses[] = { "idle", "working", "dnd", NULL };
const char *const table_deliveries[] = { "queued", "pushed", "acked", "expired",
	NULL };
