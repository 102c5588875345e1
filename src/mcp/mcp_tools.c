/* SPDX-License-Identifier: ISC */
/*
 * The table of tools: what agents can do.  A row that is an operation and its
 * answer needs no code.  Names of arguments are those of claudemesh's tools,
 * where it had them; lists stay in this order, so that what a host has cached
 * of them stays good.
 */
#include "mcp/mcp_request.h"

#include <string.h>

const char *const mcp_tools_names[] = { "full", "core", "none", NULL };
const char *const mcp_priorities[] = { "now", "next", "low", NULL };
static const char *const statuses[] = { "idle", "working", "dnd", NULL };
static const char *const peer_statuses[] = { "idle", "working", "dnd",
	"offline", NULL };
static const char *const deliveries[] = { "queued", "pushed", "acked",
	"expired", NULL };
static const char *const reminders[] = { "reminder", NULL };
static const char *const subtypes[] = { "reminder", "permission_request",
	"permission_resolved", "command_invoked", "mention", NULL };

/* clang-format off: a row is a field. */
#define END                                                  \
	{                                                    \
		NULL, NULL, M_END, 0, 0, 0, NULL, NULL, NULL \
	}
#define LIMIT(default)                                                   \
	{                                                                \
		"limit", "limit", M_INT, 0, 1, MCP_PAGE_MAX, NULL, NULL, \
		    "At most so many; " default " when absent."          \
	}
#define OWN_LIMIT                                                     \
	{                                                             \
		"limit", NULL, M_INT, 0, 1, MCP_PAGE_MAX, NULL, NULL, \
		    "At most so many; 20 when absent."                \
	}
#define AFTER(as, max)                                          \
	{                                                       \
		"after", as, M_TEXT, 0, 1, max, NULL, NULL,     \
		    "The next page: `next` of the page before." \
	}
#define NEXT(as)                                                      \
	{                                                             \
		"next", as, M_TEXT, 0, 0, 0, NULL, NULL,              \
		    "There are more: give it as `after` to see them." \
	}
#define TO(as)                                                                          \
	{                                                                               \
		"to", as, M_TARGET, M_REQUIRED, 1, 1000, NULL, NULL,                    \
		    "Who gets it: a name or public key that list_peers shows, @group, " \
		    "@all or * for everybody; or an array of these."                    \
	}

static const struct mcp_field send_in[] = {
	{ "to", "to", M_TARGET, M_REQUIRED, 1, 1000, NULL, NULL,
	    "Who gets it: a name or public key that list_peers shows, @group, "
	    "@all or * for everybody; or an array of these. Or #channel, by name "
	    "or id: whoever may see that." },
	{ "message", "message", M_TEXT, 0, 1, 0, NULL, NULL,
	    "The text. To a name or key it is end-to-end encrypted; to all others "
	    "it is not." },
	{ "parts", NULL, M_ROWS, 0, 1, 100, NULL, mcp_channel_part_rows,
	    "For a #channel, instead of message: what is no text." },
	{ "priority", "priority", M_ENUM, 0, 0, 0, mcp_priorities, NULL,
	    "now: at once, also to who is working; next, when absent: as soon as "
	    "the recipient is idle; low: the same, and less urgent." },
	{ "reply_to", "replyToId", M_ID, 0, 0, 0, NULL, NULL,
	    "The message_id that this answers; that message is acknowledged by "
	    "it." },
	{ "ttl_seconds", "ttl", M_SECONDS, 0, 1, 604800, NULL, NULL,
	    "Not delivered any more after so long." },
	{ "id", "id", M_TEXT, 0, 1, 100, NULL, NULL,
	    "Your own id for it. Sent again with the same id it is stored once: "
	    "so a send whose outcome is unknown can be repeated." },
	{ "file", "files", M_FILE, 0, 1, 4096, NULL, NULL,
	    "A file that goes with it, for its recipients alone: the path of "
	    "one on your machine (not over HTTP), or an id that share_file or "
	    "a message has. It is kept until all have read it, at most 24 "
	    "hours." },
	{ "files", "files", M_FILES, 0, 1, 16, NULL, NULL,
	    "The same of several." },
	END,
};
static const struct mcp_field sent_rows[] = {
	{ "to", "to", M_TARGET, M_REQUIRED, 0, 0, NULL, NULL, "The target." },
	{ "message_id", "messageId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Its id, for message_status." },
	{ "recipients", "recipients", M_INT, 0, 0, 0, NULL, NULL,
	    "How many sessions and members it is addressed to." },
	{ "seq", "seq", M_INT, 0, 0, 0, NULL, NULL, "Its place in a channel." },
	{ "duplicate", "duplicate", M_BOOL, 0, 0, 0, NULL, NULL,
	    "It was sent before under the same id; nothing was sent now." },
	{ "blocked", "blocked", M_TEXTS, 0, 0, 0, NULL, NULL,
	    "Targets that take nothing from you: it is not for them." },
	{ "error", "error", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Why it was not sent to this target." },
	END,
};
static const char *const send_what[] = { "message", "parts", NULL };
static const struct mcp_field send_out[] = {
	{ "messages", "messages", M_ROWS, M_REQUIRED, 0, 0, NULL, sent_rows,
	    "What was sent: one for each peer, and one for all groups." },
	END,
};

static const struct mcp_field check_in[] = {
	OWN_LIMIT,
	END,
};
static const struct mcp_field message_rows[] = {
	{ "message_id", "id", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id, for reply_to." },
	{ "from", "from", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The sender's name." },
	{ "from_key", "fromKey", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The sender's key, to write back to." },
	{ "to", "to", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "What the sender addressed: you, a group, everybody, or a #channel "
	    "that you follow." },
	{ "seq", "seq", M_INT, 0, 0, 0, NULL, NULL, "Its place in a channel." },
	{ "priority", "priority", M_ENUM, M_REQUIRED, 0, 0, mcp_priorities,
	    NULL, "How urgent it is." },
	{ "sent_at", "sentAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL, "When." },
	{ "reply_to", "replyTo", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The message that it answers." },
	{ "subtype", "subtype", M_ENUM, 0, 0, 0, subtypes, NULL,
	    "It was scheduled as a reminder; or is no message, but tells you of "
	    "something." },
	{ "encrypted", "encrypted", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "Only you could read it on the way." },
	{ "text", "text", M_TEXT, M_EMPTY, 0, 0, NULL, NULL,
	    "What the sender says; missing when it is encrypted to another key." },
	{ "files", "files", M_ROWS, 0, 0, 0, NULL, mcp_file_message_rows,
	    "What goes with it: get_file brings it." },
	END,
};
static const struct mcp_field check_out[] = {
	{ "messages", "messages", M_ROWS, M_REQUIRED, 0, 0, NULL, message_rows,
	    "The oldest first." },
	{ "more", "more", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "More are waiting: call check_messages again." },
	END,
};
static const struct mcp_field wait_in[] = {
	{ "seconds", NULL, M_INT, 0, 1, 55, NULL, NULL,
	    "How long to wait at most; 30 when absent." },
	OWN_LIMIT,
	END,
};
static const struct mcp_field wait_out[] = {
	{ "messages", "messages", M_ROWS, M_REQUIRED, 0, 0, NULL, message_rows,
	    "The oldest first; empty when none came in time." },
	{ "more", "more", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "More are waiting: call check_messages." },
	END,
};
static const struct mcp_field ack_in[] = {
	{ "ids", NULL, M_IDS, M_REQUIRED, 1, MCP_PAGE_MAX, NULL, NULL,
	    "The message_id of each." },
	END,
};
static const struct mcp_field ack_out[] = {
	{ "acknowledged", "acknowledged", M_TEXTS, M_REQUIRED, 0, 0, NULL, NULL,
	    "Their ids." },
	END,
};

static const struct mcp_field status_in[] = {
	{ "id", "messageId", M_ID, M_REQUIRED, 0, 0, NULL, NULL,
	    "The message_id of what you sent or got." },
	OWN_LIMIT,
	AFTER(NULL, 20),
	END,
};
static const struct mcp_field status_rows[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Name." },
	{ "key", "pubkey", M_TEXT, 0, 0, 0, NULL, NULL, "Key, if it has one." },
	{ "state", "state", M_ENUM, M_REQUIRED, 0, 0, deliveries, NULL,
	    "queued: it waits; pushed: written to the recipient, who has not "
	    "said that it has it; acked: it has; expired: held too long." },
	{ "pushed_at", "pushedAt", M_TIME, 0, 0, 0, NULL, NULL, "When." },
	{ "acked_at", "ackedAt", M_TIME, 0, 0, 0, NULL, NULL, "When." },
	{ "expired_at", "expiredAt", M_TIME, 0, 0, 0, NULL, NULL, "When." },
	END,
};
static const struct mcp_field status_out[] = {
	{ "message_id", "messageId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The message." },
	{ "to", "targetSpec", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "What it was sent to." },
	{ "sent_at", "createdAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL,
	    "When." },
	{ "delivered", "delivered", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "Every recipient has acknowledged it." },
	{ "expires_at", "expiresAt", M_TIME, 0, 0, 0, NULL, NULL,
	    "Until when it is held for those who have not." },
	{ "recipients", "recipients", M_ROWS, M_REQUIRED, 0, 0, NULL,
	    status_rows, "Each recipient." },
	NEXT(NULL),
	END,
};

static const struct mcp_field peers_in[] = {
	{ "group", "group", M_TEXT, 0, 1, 128, NULL, NULL,
	    "Only those in this group." },
	{ "all", "all", M_BOOL, 0, 0, 0, NULL, NULL,
	    "Also who is not connected: sessions that were lost and may return, "
	    "and members; messages to them are held." },
	OWN_LIMIT,
	AFTER(NULL, 20),
	END,
};
static const struct mcp_field group_rows[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Group." },
	{ "role", "role", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The role in it, in free words." },
	END,
};
static const struct mcp_field peer_rows[] = {
	{ "name", "displayName", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Name." },
	{ "key", "pubkey", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Key, where names are ambiguous; missing: it has none, and is "
	    "written to in channels." },
	{ "status", "status", M_ENUM, M_REQUIRED, 0, 0, peer_statuses, NULL,
	    "May it be disturbed?" },
	{ "summary", "summary", M_TEXT, 0, 0, 0, NULL, NULL,
	    "What it works on." },
	{ "groups", "groups", M_ROWS, 0, 0, 0, NULL, group_rows,
	    "Its groups." },
	{ "role", "sessionRole", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Its role, in free words." },
	{ "type", "peerType", M_TEXT, 0, 0, 0, NULL, NULL,
	    "ai, human or connector." },
	{ "model", "model", M_TEXT, 0, 0, 0, NULL, NULL, "Its model." },
	{ "host", "hostname", M_TEXT, 0, 0, 0, NULL, NULL, "Its machine." },
	{ "cwd", "cwd", M_TEXT, 0, 0, 0, NULL, NULL, "Its directory." },
	END,
};
static const struct mcp_field peers_out[] = {
	{ "peers", "peers", M_ROWS, M_REQUIRED, 0, 0, NULL, peer_rows,
	    "Sessions, you among them, the longest connected first." },
	NEXT(NULL),
	END,
};

static const struct mcp_field summary_in[] = {
	{ "summary", "summary", M_TEXT, M_REQUIRED, 0, 4096, NULL, NULL,
	    "A sentence or two; empty: nothing." },
	END,
};
static const struct mcp_field summary_out[] = {
	{ "summary", "summary", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The summary now." },
	END,
};
static const struct mcp_field set_status_in[] = {
	{ "status", "status", M_ENUM, M_REQUIRED, 0, 0, statuses, NULL,
	    "idle: every message comes at once. working: only those of priority "
	    "now; it ends by itself after a minute unless it is said again. dnd: "
	    "the same, and stays." },
	END,
};
static const struct mcp_field set_status_out[] = {
	{ "status", "status", M_ENUM, M_REQUIRED, 0, 0, statuses, NULL,
	    "The status now." },
	END,
};
static const struct mcp_field join_in[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 1, 128, NULL, NULL,
	    "Without @. a/b is below a: what is sent to @a also reaches a/b." },
	{ "role", "role", M_TEXT, 0, 0, 128, NULL, NULL,
	    "What you are in it, in free words, as lead or reviewer." },
	END,
};
static const struct mcp_field leave_in[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 1, 128, NULL, NULL,
	    "Without @." },
	END,
};
static const struct mcp_field groups_out[] = {
	{ "groups", "groups", M_ROWS, M_REQUIRED, 0, 0, NULL, group_rows,
	    "Your groups now." },
	END,
};

static const struct mcp_field set_state_in[] = {
	{ "key", "key", M_TEXT, M_REQUIRED, 1, 256, NULL, NULL,
	    "Such as build/status." },
	{ "value", "value", M_JSON, M_REQUIRED, 0, 0, NULL, NULL,
	    "Any JSON value." },
	{ "if_version", "ifVersion", M_INT, 0, 0, 9007199254740992, NULL, NULL,
	    "Only if the key has this version, 0: only if there is no such key. "
	    "Give it when the new value depends on the old one." },
	END,
};
static const struct mcp_field set_state_out[] = {
	{ "key", "key", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "The key." },
	{ "version", "version", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its version now." },
	END,
};
static const struct mcp_field key_in[] = {
	{ "key", "key", M_TEXT, M_REQUIRED, 1, 256, NULL, NULL, "The key." },
	END,
};
static const struct mcp_field state_fields[] = {
	{ "key", "key", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "The key." },
	{ "value", "value", M_JSON, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its value; null when there is no such key." },
	{ "version", "version", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Rises with each change; 0: there is no such key." },
	{ "updated_by", "updatedBy", M_TEXT, 0, 0, 0, NULL, NULL, "By whom." },
	{ "updated_at", "updatedAt", M_TIME, 0, 0, 0, NULL, NULL, "When." },
	END,
};
static const struct mcp_field list_state_in[] = {
	{ "prefix", "prefix", M_TEXT, 0, 0, 256, NULL, NULL,
	    "Only keys that begin with it." },
	LIMIT("20"),
	AFTER("after", 256),
	END,
};
static const struct mcp_field list_state_out[] = {
	{ "entries", "entries", M_ROWS, M_REQUIRED, 0, 0, NULL, state_fields,
	    "In the order of the keys." },
	NEXT("next"),
	END,
};

static const struct mcp_field remember_in[] = {
	{ "content", "content", M_TEXT, M_REQUIRED, 1, 65536, NULL, NULL,
	    "What to remember, so that it can be understood alone." },
	{ "tags", "tags", M_TEXTS, 0, 0, 64, NULL, NULL, "Labels." },
	{ "language", "language", M_TEXT, 0, 1, 64, NULL, NULL,
	    "Whose words these are, as german; english when absent; simple: "
	    "words as they stand." },
	END,
};
static const struct mcp_field remember_out[] = {
	{ "id", "id", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id, for forget." },
	END,
};
static const struct mcp_field recall_in[] = {
	{ "query", "query", M_TEXT, M_REQUIRED, 0, 1024, NULL, NULL,
	    "Words that must all be in it, in any form; or between words means "
	    "either, - before one that it must not be there. Empty, and with tags "
	    "or by: all of these, the newest first." },
	{ "tags", "tags", M_TEXTS, 0, 0, 64, NULL, NULL,
	    "Only those that have all of these labels." },
	{ "by", "by", M_TEXT, 0, 1, 256, NULL, NULL,
	    "Only those of this author: a name or a member's key." },
	{ "language", "language", M_TEXT, 0, 1, 64, NULL, NULL,
	    "As remember was told; english when absent." },
	LIMIT("20"),
	AFTER("after", 64),
	END,
};
static const struct mcp_field memory_rows[] = {
	{ "id", "id", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its id." },
	{ "content", "content", M_TEXT, M_REQUIRED | M_CUT, 0, 0, NULL, NULL,
	    "The text." },
	{ "tags", "tags", M_TEXTS, M_REQUIRED, 0, 0, NULL, NULL, "Labels." },
	{ "by", "rememberedBy", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "By whom." },
	{ "at", "rememberedAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL, "When." },
	END,
};
static const struct mcp_field recall_out[] = {
	{ "memories", "memories", M_ROWS, M_REQUIRED, 0, 0, NULL, memory_rows,
	    "The best first." },
	NEXT("next"),
	END,
};
static const struct mcp_field forget_in[] = {
	{ "id", "memoryId", M_ID, M_REQUIRED, 0, 0, NULL, NULL,
	    "The id that remember or recall gave." },
	END,
};
static const struct mcp_field forget_out[] = {
	{ "forgotten", "forgotten", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "There was such a memory." },
	END,
};

static const struct mcp_field schedule_in[] = {
	TO("to"),
	{ "message", "message", M_TEXT, M_REQUIRED, 1, 0, NULL, NULL,
	    "The text, which the broker keeps and can read." },
	{ "at", "deliverAt", M_MS, 0, 0, 0, NULL, NULL,
	    "When, as 2026-11-24T09:00:00Z." },
	{ "in_seconds", "deliverAt", M_DELAY, 0, 0, 31622400, NULL, NULL,
	    "Instead of at: so long from now." },
	{ "cron", "cron", M_TEXT, 0, 1, 256, NULL, NULL,
	    "Again and again: minute, hour, day of the month, month and weekday, "
	    "in UTC, as 0 9 * * 1-5." },
	{ "until", "until", M_MS, 0, 0, 0, NULL, NULL,
	    "With cron: not after." },
	{ "priority", "priority", M_ENUM, 0, 0, 0, mcp_priorities, NULL,
	    "As in send_message; now when absent." },
	{ "reminder", "subtype", M_FLAG, 0, 0, 0, reminders, NULL,
	    "The message says that it is a reminder." },
	END,
};
static const char *const schedule_when[] = { "at", "in_seconds", "cron", NULL };
static const struct mcp_field schedule_out[] = {
	{ "id", "scheduledId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id, for cancel_scheduled." },
	{ "due_at", "deliverAt", M_MS, M_REQUIRED, 0, 0, NULL, NULL,
	    "When it is sent first." },
	END,
};
static const struct mcp_field scheduled_in[] = {
	OWN_LIMIT,
	AFTER(NULL, 20),
	END,
};
static const struct mcp_field scheduled_rows[] = {
	{ "id", "id", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its id." },
	{ "to", "to", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Who gets it." },
	{ "message", "message", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its text, up to 500 characters." },
	{ "due_at", "deliverAt", M_MS, M_REQUIRED, 0, 0, NULL, NULL,
	    "When it is or was due." },
	{ "cron", "cron", M_TEXT, 0, 0, 0, NULL, NULL, "Its cron line." },
	{ "until", "until", M_MS, 0, 0, 0, NULL, NULL, "Not after." },
	{ "sent", "firedCount", M_INT, 0, 0, 0, NULL, NULL,
	    "How often it was sent." },
	{ "pending", "pending", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "It is still to be sent; else it failed." },
	{ "error", "lastError", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Why it could not be sent." },
	END,
};
static const struct mcp_field scheduled_out[] = {
	{ "messages", "messages", M_ROWS, M_REQUIRED, 0, 0, NULL,
	    scheduled_rows, "The next one first." },
	NEXT(NULL),
	END,
};
static const struct mcp_field cancel_in[] = {
	{ "id", "scheduledId", M_ID, M_REQUIRED, 0, 0, NULL, NULL,
	    "The id that schedule_message gave." },
	END,
};
static const struct mcp_field cancel_out[] = {
	{ "cancelled", "ok", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "It will not be sent; else there is no such one of yours, perhaps "
	    "because it was sent." },
	END,
};

const struct mcp_tool mcp_tools[] = {
	{ "send_message", "Send a message",
	    "Send a message to a peer, several peers, a group, everybody or a "
	    "channel. The answer means that it is stored; message_status tells who "
	    "has it, but of a channel.",
	    "send", TOOL_SEND, true, PAGE_NONE, 0, send_in, send_out,
	    send_what },
	{ "check_messages", "Read messages",
	    "Read the messages that wait for you. What is returned is "
	    "acknowledged: its sender sees that you have it.",
	    NULL, TOOL_CHECK, true, PAGE_NONE, 0, check_in, check_out, NULL },
	{ "wait_for_message", "Wait for a message",
	    "Wait until a message comes, and read it as check_messages does. Use "
	    "it when you can do nothing before an answer comes.",
	    NULL, TOOL_WAIT, true, PAGE_NONE, 0, wait_in, wait_out, NULL },
	{ "ack", "Acknowledge messages",
	    "Acknowledge messages that were pushed to you, so that their senders "
	    "see that you have them. A reply and check_messages do it too.",
	    NULL, TOOL_ACK, true, PAGE_NONE, HINT_IDEMPOTENT, ack_in, ack_out,
	    NULL },
	{ "message_status", "See who has a message",
	    "See what became of a message, for each recipient: queued, pushed, "
	    "acked or expired.",
	    "message_status", TOOL_CALL, true, PAGE_OFFSET,
	    HINT_READ | HINT_IDEMPOTENT, status_in, status_out, NULL },
	{ "list_peers", "See who is here",
	    "List the peers of the mesh with their status, groups, and what they "
	    "work on.",
	    "list_peers", TOOL_CALL, true, PAGE_OFFSET,
	    HINT_READ | HINT_IDEMPOTENT, peers_in, peers_out, NULL },
	{ "set_summary", "Say what you work on",
	    "Tell the others in a sentence what you work on; say it again when "
	    "that changes.",
	    "set_summary", TOOL_CALL, true, PAGE_NONE, HINT_IDEMPOTENT,
	    summary_in, summary_out, NULL },
	{ "set_status", "Say whether you may be disturbed",
	    "Say whether you may be disturbed. What is held back comes as soon as "
	    "you are idle.",
	    "set_status", TOOL_CALL, false, PAGE_NONE, HINT_IDEMPOTENT,
	    set_status_in, set_status_out, NULL },
	{ "join_group", "Join a group",
	    "Be in a group from now on, or change your role in it.",
	    "join_group", TOOL_CALL, false, PAGE_NONE, HINT_IDEMPOTENT, join_in,
	    groups_out, NULL },
	{ "leave_group", "Leave a group", "Leave a group.", "leave_group",
	    TOOL_CALL, false, PAGE_NONE, HINT_IDEMPOTENT, leave_in, groups_out,
	    NULL },
	{ "set_state", "Set shared state",
	    "Set a key of the mesh's shared state; everybody is told of the "
	    "change.",
	    "set_state", TOOL_CALL, true, PAGE_NONE,
	    HINT_DESTRUCTIVE | HINT_IDEMPOTENT, set_state_in, set_state_out,
	    NULL },
	{ "get_state", "Read shared state", "Read a key of the shared state.",
	    "get_state", TOOL_CALL, true, PAGE_NONE,
	    HINT_READ | HINT_IDEMPOTENT, key_in, state_fields, NULL },
	{ "list_state", "List shared state",
	    "List keys of the shared state with their values.", "list_state",
	    TOOL_CALL, false, PAGE_KEYS, HINT_READ | HINT_IDEMPOTENT,
	    list_state_in, list_state_out, NULL },
	{ "remember", "Remember something",
	    "Store a text for the whole mesh, to be found by its words.",
	    "remember", TOOL_CALL, true, PAGE_NONE, 0, remember_in,
	    remember_out, NULL },
	{ "recall", "Find what was remembered",
	    "Find texts that somebody of the mesh stored with remember.",
	    "recall", TOOL_CALL, true, PAGE_THERE, HINT_READ | HINT_IDEMPOTENT,
	    recall_in, recall_out, NULL },
	{ "forget", "Forget something", "Remove a remembered text.", "forget",
	    TOOL_CALL, false, PAGE_NONE, HINT_DESTRUCTIVE | HINT_IDEMPOTENT,
	    forget_in, forget_out, NULL },
	{ "schedule_message", "Send a message later",
	    "Have a message sent at a time, once or again and again. Address "
	    "yourself to be reminded.",
	    "schedule", TOOL_CALL, false, PAGE_NONE, 0, schedule_in,
	    schedule_out, schedule_when },
	{ "list_scheduled", "List scheduled messages",
	    "List what you scheduled and is still to be sent, or failed.",
	    "list_scheduled", TOOL_CALL, false, PAGE_OFFSET,
	    HINT_READ | HINT_IDEMPOTENT, scheduled_in, scheduled_out, NULL },
	{ "cancel_scheduled", "Cancel a scheduled message",
	    "Have a scheduled message not sent.", "cancel_scheduled", TOOL_CALL,
	    false, PAGE_NONE, HINT_DESTRUCTIVE | HINT_IDEMPOTENT, cancel_in,
	    cancel_out, NULL },
	{ "share_file", "Share a file",
	    "Share a file of this machine, or a text, with the whole mesh. For "
	    "some peers only, give it to send_message instead.",
	    "share_file", TOOL_SHARE, true, PAGE_NONE, HINT_LOCAL,
	    mcp_file_share_in, mcp_file_share_out, mcp_file_share_need },
	{ "share_file", "Share a file",
	    "Share a text or other content with the whole mesh, or with "
	    "attachment for a message; or get a command that uploads a file.",
	    "share_file", TOOL_SHARE, true, PAGE_NONE, HINT_REMOTE,
	    mcp_file_link_in, mcp_file_link_out, NULL },
	{ "get_file", "Get a file",
	    "Get a file that was shared or came with a message: a short text "
	    "as it is, others written to this machine. It never replaces a "
	    "file.",
	    "get_file", TOOL_FETCH, true, PAGE_NONE, HINT_LOCAL,
	    mcp_file_get_in, mcp_file_get_out, NULL },
	{ "get_file", "Get a file",
	    "Get a file that was shared or came with a message: a short text "
	    "as it is, of others a link to download them.",
	    "get_file", TOOL_FETCH, true, PAGE_NONE,
	    HINT_REMOTE | HINT_READ | HINT_IDEMPOTENT, mcp_file_url_in,
	    mcp_file_url_out, NULL },
	{ "list_files", "List files",
	    "List the files of the mesh, and those that came with messages to "
	    "you.",
	    "list_files", TOOL_CALL, false, PAGE_IDS,
	    HINT_READ | HINT_IDEMPOTENT, mcp_file_list_in, mcp_file_list_out,
	    NULL },
	{ "file_status", "See who has read a file",
	    "See who has read a file, and when.", "file_status", TOOL_CALL,
	    false, PAGE_OFFSET, HINT_READ | HINT_IDEMPOTENT, mcp_file_status_in,
	    mcp_file_status_out, NULL },
	{ "delete_file", "Delete a file",
	    "Delete a file that you shared, for everybody.", "delete_file",
	    TOOL_CALL, false, PAGE_NONE, HINT_DESTRUCTIVE | HINT_IDEMPOTENT,
	    mcp_file_delete_in, mcp_file_delete_out, NULL },
	{ "list_channels", "List channels",
	    "List the channels that you may see, which keep what is said there, "
	    "and what you have not read.",
	    NULL, TOOL_CHANNEL, true, PAGE_THERE, HINT_READ | HINT_IDEMPOTENT,
	    mcp_channel_list_in, mcp_channel_list_out, NULL },
	{ "read_channel", "Read a channel",
	    "Read what was said in a channel or thread. To say something there "
	    "use send_message.",
	    NULL, TOOL_CHANNEL, true, PAGE_THERE, HINT_READ | HINT_IDEMPOTENT,
	    mcp_channel_read_in, mcp_channel_read_out, NULL },
	{ "follow_channel", "Follow a channel",
	    "Get what others say in a channel or thread as messages, from now on, "
	    "until you or your host stop.",
	    NULL, TOOL_CHANNEL, true, PAGE_NONE, HINT_IDEMPOTENT | HINT_LOCAL,
	    mcp_channel_follow_in, mcp_channel_follow_out, NULL },
	{ "mark_read", "Mark a channel as read",
	    "Say how far you have read, so that unread counts are right. Messages "
	    "of channels that you follow are marked when you acknowledge them.",
	    "mark_read", TOOL_CALL, false, PAGE_NONE, HINT_IDEMPOTENT,
	    mcp_channel_mark_in, mcp_channel_mark_out, NULL },
	{ "create_channel", "Make a channel",
	    "Make a channel, of which you are the owner.", "create_channel",
	    TOOL_CALL, false, PAGE_NONE, 0, mcp_channel_create_in,
	    mcp_channel_made_out, NULL },
	{ "create_thread", "Begin a thread",
	    "Begin a thread at a message of a channel. It is used as a channel is, "
	    "by its id.",
	    "create_thread", TOOL_CALL, false, PAGE_NONE, 0,
	    mcp_channel_thread_in, mcp_channel_made_out, NULL },
	{ "change_message", "Change a message in a channel",
	    "Edit or take back a message that you sent to a channel, or react to "
	    "one.",
	    NULL, TOOL_CHANNEL, false, PAGE_NONE,
	    HINT_DESTRUCTIVE | HINT_IDEMPOTENT, mcp_channel_change_in,
	    mcp_channel_change_out, NULL },
	{ "list_channel_members", "See who is in a channel",
	    "See who is in a channel.", "list_channel_members", TOOL_CALL,
	    false, PAGE_THERE, HINT_READ | HINT_IDEMPOTENT,
	    mcp_channel_members_in, mcp_channel_members_out, NULL },
	{ "change_channel_members", "Join or leave a channel, or let others in",
	    "Join or leave a channel, add somebody or take somebody out.", NULL,
	    TOOL_CHANNEL, false, PAGE_NONE, HINT_DESTRUCTIVE | HINT_IDEMPOTENT,
	    mcp_channel_member_in, mcp_channel_member_out, NULL },
	{ "search", "Search everything",
	    "Find members, channels, threads, messages and memory by words, among "
	    "what you may see.",
	    "search", TOOL_CALL, true, PAGE_THERE, HINT_READ | HINT_IDEMPOTENT,
	    mcp_search_in, mcp_search_out, NULL },
	{ "request_permission", "Ask for a permission",
	    "When an error says that you lack a permission, ask for it and wait "
	    "for the decision.",
	    NULL, TOOL_PERMISSION, true, PAGE_NONE, HINT_IDEMPOTENT,
	    mcp_permission_in, mcp_permission_out, mcp_permission_need },
	{ "list_permission_requests", "List requests for permissions",
	    "List the open requests: yours, and those that you may decide.",
	    "list_permission_requests", TOOL_CALL, false, PAGE_THERE,
	    HINT_READ | HINT_IDEMPOTENT, mcp_permission_list_in,
	    mcp_permission_list_out, NULL },
	{ "resolve_permission", "Decide a request for a permission",
	    "Approve or deny a request, if your user wants you to decide it.",
	    "resolve_permission", TOOL_CALL, false, PAGE_NONE, HINT_DESTRUCTIVE,
	    mcp_permission_resolve_in, mcp_permission_resolve_out, NULL },
	{ "register_command", "Offer a command",
	    "Offer a command that others can call in channels; a call comes to "
	    "you as a message.",
	    "register_command", TOOL_CALL, false, PAGE_NONE, 0, mcp_command_in,
	    mcp_command_out, NULL },
	{ "list_commands", "List commands",
	    "List commands that can be called: with send_message to a #channel, "
	    "by a part of type command whose payload has command and args.",
	    "list_commands", TOOL_CALL, false, PAGE_THERE,
	    HINT_READ | HINT_IDEMPOTENT, mcp_command_list_in,
	    mcp_command_list_out, NULL },
	{ NULL, NULL, NULL, NULL, TOOL_CALL, false, PAGE_NONE, 0, NULL, NULL,
	    NULL },
};
/* clang-format on */

bool
mcp_tool_is_in(const struct mcp_tool *t, const struct mcp_config *c)
{
	if (t->hints & (c->is_remote ? HINT_LOCAL : HINT_REMOTE))
		return false;
	return c->tools == MCP_TOOLS_FULL ||
	       (c->tools == MCP_TOOLS_CORE && t->core);
}

const struct mcp_tool *
mcp_tool_find(const struct mcp_config *c, struct slice name)
{
	const struct mcp_tool *t;

	for (t = mcp_tools; t->name != NULL; t++)
		if (mcp_tool_is_in(t, c) && strlen(t->name) == name.n &&
		    memcmp(t->name, name.p, name.n) == 0)
			return t;
	return NULL;
}

/*
 * The manual.
 */
/* A sentence a line. */
static void
tools_mdoc_text(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		buf_addc(b, *s);
		if (s[0] == '.' && s[1] == ' ' && s[2] >= 'A' && s[2] <= 'Z') {
			buf_addc(b, '\n');
			s++;
		}
	}
	buf_addc(b, '\n');
}

static void
tools_mdoc_fields(struct buf *b, const struct mcp_field *f, bool in)
{
	size_t i;

	buf_adds(b, ".Bl -tag -width Ds -compact\n");
	for (; f->type != M_END; f++) {
		buf_addf(b, ".It Cm %s", f->name);
		if (f->type == M_ENUM) {
			buf_adds(b, " : one of");
			for (i = 0; f->names[i] != NULL; i++)
				buf_addf(
				    b, "%s %s", i > 0 ? "," : "", f->names[i]);
		}
		if (in && f->flags & M_REQUIRED)
			buf_adds(b, " ; required");
		else if (!in && !(f->flags & M_REQUIRED))
			buf_adds(b, " ; may be missing");
		buf_addc(b, '\n');
		tools_mdoc_text(b, f->text);
		if (f->rows != NULL)
			tools_mdoc_fields(b, f->rows, in);
	}
	buf_adds(b, ".El\n");
}

void
mcp_tools_mdoc(struct buf *b)
{
	const struct mcp_tool *t;

	buf_adds(b, ".Bl -tag -width Ds\n");
	for (t = mcp_tools; t->name != NULL; t++) {
		buf_addf(b, ".It Ic %s\n", t->name);
		tools_mdoc_text(b, t->text);
		if (t->core)
			buf_adds(b, "One of the core.\n");
		if (t->hints & HINT_LOCAL)
			buf_adds(b, "With\n.Ic linnet mcp .\n");
		if (t->hints & HINT_REMOTE)
			buf_adds(b, "Over HTTP.\n");
		buf_adds(b, ".Pp\nArguments:\n");
		tools_mdoc_fields(b, t->in, true);
		buf_adds(b, ".Pp\nResult:\n");
		tools_mdoc_fields(b, t->out, false);
	}
	buf_adds(b, ".El\n");
}
