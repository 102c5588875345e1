/* SPDX-License-Identifier: ISC */
/*
 * The tables of core: errors.def, scopes.def, roles.def, metrics.def,
 * events.def; and words of the wire.
 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include <stdint.h>

enum err {
	ERR_NONE,
#define ERR(id, name, http, rpc, status, close, text) ERR_##id,
#include "core/errors.def"
#undef ERR
	ERR_MAX
};

struct err_desc {
	const char *name;
	int http;
	int rpc;
	int exit;
	int close;
	const char *text;
};
extern const struct err_desc table_errors[ERR_MAX];

enum scope {
	SCOPE_UNSET,
#define SCOPE(id, name, includes, text) SCOPE_##id,
#include "core/scopes.def"
#undef SCOPE
	SCOPE_MAX
};
#define SCOPE_BIT(s) (UINT64_C(1) << (s))
extern const char *const table_scopes[SCOPE_MAX];
/* Bits of the scopes that holding one holds too. */
extern const uint64_t table_scope_includes[SCOPE_MAX];

enum member_role {
#define ROLE(id, name, scopes, text) ROLE_##id,
#include "core/roles.def"
#undef ROLE
	ROLE_MAX
};
struct role_scopes {
	const char *name;
	uint64_t scopes;
	const char *text;
};
/* From the least role to the greatest. */
extern const struct role_scopes table_roles[ROLE_MAX];

enum metric {
#define METRIC(id, name, type, label, text) METRIC_##id,
#include "core/metrics.def"
#undef METRIC
	METRIC_MAX
};

enum metric_type {
	METRIC_TYPE_COUNT,
	METRIC_TYPE_GAUGE,
	METRIC_TYPE_SAME
};
struct metric_desc {
	const char *name;
	enum metric_type type;
	const char *label;
	const char *text;
};
extern const struct metric_desc table_metrics[METRIC_MAX];

enum event_type {
	EVENT_UNSET,
#define EVENT(id, noun, to, text) EVENT_##id,
#include "core/events.def"
#undef EVENT
	EVENT_MAX
};
extern const char *const table_events[EVENT_MAX];

enum priority {
	PRIORITY_LOW,
	PRIORITY_NEXT,
	PRIORITY_NOW
};
extern const char *const table_priorities[]; /* by enum, NULL-ended */
enum subtype {
	SUBTYPE_MESSAGE,
	SUBTYPE_REMINDER
};
extern const char *const table_subtypes[];
enum status {
	STATUS_IDLE,
	STATUS_WORKING,
	STATUS_DND
};
extern const char *const table_statuses[];
/* Who said so; a higher one is not overruled by a lower one while fresh. */
enum status_source {
	SOURCE_NONE,
	SOURCE_MANUAL,
	SOURCE_HOOK
};
enum delivery {
	DELIVERY_QUEUED,
	DELIVERY_PUSHED,
	DELIVERY_ACKED,
	DELIVERY_EXPIRED
};
extern const char *const table_deliveries[];
/* What a member is; the first when nobody said. */
extern const char *const table_kinds[];
/* What sessions are told at once: notice.h. */
enum notice_kind {
	NOTICE_PERMISSION_REQUEST,
	NOTICE_PERMISSION_RESOLVED,
	NOTICE_COMMAND_INVOKED,
	NOTICE_MENTION,
	NOTICE_MAX
};
extern const char *const table_notices[];

#endif
