/* SPDX-License-Identifier: ISC */
/*
 * The tools of permissions, commands and search: what they take and give.
 * Grants have none: an agent gets one by asking, and gives one by deciding.
 */
#include "mcp/mcp_request.h"

#define WORD_MAX 128
#define REASON_MAX 1000
#define NOTES_MAX 500
#define CHANNEL_MAX 128

static const char *const statuses[] = { "open", "approved", "denied", NULL };
static const char *const outcomes[] = { "approved", "denied", NULL };
const char *const mcp_permission_need[] = { "capability", "request_id", NULL };

/* clang-format off: a row is a field. */
#define END                                                  \
	{                                                    \
		NULL, NULL, M_END, 0, 0, 0, NULL, NULL, NULL \
	}
#define LIMIT                                                            \
	{                                                                \
		"limit", "limit", M_INT, 0, 1, MCP_PAGE_MAX, NULL, NULL, \
		    "At most so many; 20 when absent."                   \
	}
#define AFTER                                                     \
	{                                                         \
		"after", "after", M_TEXT, 0, 1, 1024, NULL, NULL, \
		    "The next page: `next` of the page before."   \
	}
#define NEXT                                                          \
	{                                                             \
		"next", "next", M_TEXT, 0, 0, 0, NULL, NULL,          \
		    "There are more: give it as `after` to see them." \
	}

const struct mcp_field mcp_permission_in[] = {
	{ "capability", "action", M_TEXT, 0, 1, WORD_MAX, NULL, NULL,
	    "What the error says, as message:append." },
	{ "resource_type", "resourceType", M_TEXT, 0, 1, WORD_MAX, NULL, NULL,
	    "On what, as it says: org, channel, thread." },
	{ "resource_id", "resourceId", M_TEXT, 0, 1, WORD_MAX, NULL, NULL,
	    "On which, its id." },
	{ "reason", NULL, M_TEXT, 0, 1, REASON_MAX, NULL, NULL,
	    "What you need it for: who decides reads it." },
	{ "request_id", NULL, M_ID, 0, 0, 0, NULL, NULL,
	    "Instead of all these: wait again for a request that is open." },
	{ "seconds", NULL, M_INT, 0, 0, 55, NULL, NULL,
	    "How long to wait at most; 30 when absent." },
	END,
};
const struct mcp_field mcp_permission_out[] = {
	{ "request_id", "requestId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The request." },
	{ "status", "status", M_ENUM, M_REQUIRED, 0, 0, statuses, NULL,
	    "How it stands." },
	{ "notes", "notes", M_TEXT, 0, 0, 0, NULL, NULL,
	    "What who decided says." },
	{ "advice", NULL, M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "What to do now." },
	END,
};

const struct mcp_field mcp_permission_list_in[] = {
	{ "member", "member", M_TEXT, 0, 1, WORD_MAX, NULL, NULL,
	    "Only those of this one: a name or key." },
	LIMIT,
	AFTER,
	END,
};
static const struct mcp_field permission_rows[] = {
	{ "request_id", "requestId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id." },
	{ "from", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Who asks." },
	{ "capability", "action", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "What for." },
	{ "resource_type", "resourceType", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "On what." },
	{ "resource_id", "resourceId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "On which; missing: on all." },
	{ "context", "context", M_JSON, 0, 0, 0, NULL, NULL,
	    "What it is for, as who asks says; missing: you may not see it." },
	{ "command_id", "commandId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The command that it is about." },
	{ "opened_at", "createdAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL,
	    "When." },
	END,
};
const struct mcp_field mcp_permission_list_out[] = {
	{ "requests", "requests", M_ROWS, M_REQUIRED, 0, 0, NULL,
	    permission_rows, "The oldest first." },
	NEXT,
	END,
};

const struct mcp_field mcp_permission_resolve_in[] = {
	{ "request_id", "requestId", M_ID, M_REQUIRED, 0, 0, NULL, NULL,
	    "The request." },
	{ "approve", "approve", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "true: give what is asked for; false: do not." },
	{ "notes", "notes", M_TEXT, 0, 1, NOTES_MAX, NULL, NULL,
	    "Why, told to who asked." },
	{ "max_uses", "maxUses", M_INT, 0, 1, INT32_MAX, NULL, NULL,
	    "How often; without end when absent." },
	{ "expires_at", "expiresAt", M_TIME, 0, 0, 0, NULL, NULL,
	    "Until when, as 2026-11-24T09:00:00Z; for good when absent." },
	END,
};
const struct mcp_field mcp_permission_resolve_out[] = {
	{ "request_id", "requestId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The request." },
	{ "status", "status", M_ENUM, M_REQUIRED, 0, 0, outcomes, NULL,
	    "What was decided." },
	{ "grant_id", "grantId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The grant that there is now." },
	{ "command_id", "commandId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The command that it was about." },
	END,
};

const struct mcp_field mcp_command_in[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 1, 64, NULL, NULL,
	    "What it is called by: letters, digits, _ and -." },
	{ "description", "description", M_TEXT, 0, 1, 500, NULL, NULL,
	    "What it does." },
	{ "args_schema", "argsSchema", M_JSON, 0, 0, 0, NULL, NULL,
	    "Its arguments: an object with one member for each." },
	{ "channel", "channel", M_TEXT, 0, 1, CHANNEL_MAX, NULL, NULL,
	    "Only in this channel, by name or id; in all when absent." },
	END,
};
const struct mcp_field mcp_command_out[] = {
	{ "command_id", "commandId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The command." },
	{ "request_id", "requestId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The request by which it is there once somebody approves it: "
	    "request_permission waits for it. Missing: it is there." },
	END,
};
const struct mcp_field mcp_command_list_in[] = {
	{ "channel", "channel", M_TEXT, 0, 1, CHANNEL_MAX, NULL, NULL,
	    "Also those of this channel." },
	LIMIT,
	AFTER,
	END,
};
static const struct mcp_field command_rows[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "What it is called by; owner:name where several have it." },
	{ "owner", "owner", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Who does it." },
	{ "description", "description", M_TEXT, 0, 0, 0, NULL, NULL,
	    "What it does." },
	{ "args_schema", "argsSchema", M_JSON, 0, 0, 0, NULL, NULL,
	    "Its arguments." },
	{ "channel_id", "channelId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Only there; missing: in all channels." },
	END,
};
const struct mcp_field mcp_command_list_out[] = {
	{ "commands", "commands", M_ROWS, M_REQUIRED, 0, 0, NULL, command_rows,
	    "By name." },
	NEXT,
	END,
};

const struct mcp_field mcp_search_in[] = {
	{ "query", "query", M_TEXT, M_REQUIRED, 1, 256, NULL, NULL, "Words." },
	{ "types", "entityTypes", M_TEXTS, 0, 1, 5, NULL, NULL,
	    "Only these: member, channel, thread, message, memory." },
	{ "channel", "channel", M_TEXT, 0, 1, CHANNEL_MAX, NULL, NULL,
	    "Only in this channel or thread, by name or id." },
	LIMIT,
	AFTER,
	END,
};
static const struct mcp_field search_rows[] = {
	{ "kind", "kind", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "member, channel, thread, message or memory." },
	{ "id", "entityId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its id." },
	{ "title", "title", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its name, or how it begins." },
	{ "text", "snippet", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Some of what it says." },
	{ "channel_id", "channelId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Where it is: read_channel shows what is around it." },
	{ "seq", "seq", M_INT, 0, 0, 0, NULL, NULL, "Its place there." },
	{ "from", "name", M_TEXT, 0, 0, 0, NULL, NULL, "By whom." },
	{ "at", "updatedAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL, "When." },
	END,
};
const struct mcp_field mcp_search_out[] = {
	{ "hits", "hits", M_ROWS, M_REQUIRED, 0, 0, NULL, search_rows,
	    "The best first." },
	NEXT,
	END,
};
/* clang-format on */
