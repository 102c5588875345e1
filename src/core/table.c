/* SPDX-License-Identifier: ISC */
/*
 * The tables of core, expanded from their .def files.
 */
#include "core/domain.h"

const struct err_desc table_errors[ERR_MAX] = {
	[ERR_NONE] = { "ok", 200, 0, 0, 0, "" },
#define ERR(id, name, http, rpc, status, close, text) \
	[ERR_##id] = { name, http, rpc, status, close, text },
#include "core/errors.def"
#undef ERR
};

const char *const table_scopes[SCOPE_MAX] = {
	[SCOPE_UNSET] = "unset",
#define SCOPE(id, name, includes, text) [SCOPE_##id] = name,
#include "core/scopes.def"
#undef SCOPE
};

#define S(id) SCOPE_BIT(SCOPE_##id)
/* What keeping order includes. */
#define ORDER                                                         \
	(S(CHANNEL_ADMIN) | S(MESSAGE_REDACT) | S(ARTIFACT_ADMIN) |   \
	    S(GRANT_CREATE) | S(MEMORY_PROMOTE) | S(AUDIT_READ) |     \
	    S(WEBHOOK_SUBSCRIBE) | S(WEBHOOK_READ) | S(STREAM_READ) | \
	    S(STREAM_WRITE) | S(MEMBERS_WRITE))
const uint64_t table_scope_includes[SCOPE_MAX] = {
#define SCOPE(id, name, includes, text) [SCOPE_##id] = (includes),
#include "core/scopes.def"
#undef SCOPE
};

/* What members may have. */
#define ALL \
	((SCOPE_BIT(SCOPE_MAX) - 1) & ~(SCOPE_BIT(SCOPE_UNSET) | S(PLATFORM)))
_Static_assert(SCOPE_MAX < 64, "scopes are bits of a uint64_t");

const struct role_scopes table_roles[ROLE_MAX] = {
#define ROLE(id, name, scopes, text) [ROLE_##id] = { name, scopes, text },
#include "core/roles.def"
#undef ROLE
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
const char *const table_subtypes[] = { "message", "reminder", NULL };
const char *const table_statuses[] = { "idle", "working", "dnd", NULL };
const char *const table_peer_changes[] = { "peer_joined", "peer_returned",
	"peer_left", "peer_visible", "peer_hidden", NULL };
const char *const table_notices[] = { "permission_request",
	"permission_resolved", "command_invoked", "mention", NULL };
const char *const table_deliveries[] = { "queued", "pushed", "acked", "expired",
	NULL };
const char *const table_kinds[] = { "agent", "human", "app", "bridge", NULL };
