/* SPDX-License-Identifier: ISC */
/*
 * The tools of channels: what they take and give.  What is done to a message,
 * or to the members, is one tool with an action: each description of a tool
 * stands in every agent's context.
 */
#include "mcp/mcp_request.h"

#define CHANNEL_MAX 128
#define REACTION_MAX 64
#define REASON_MAX 500

static const char *const message_actions[] = { "edit", "redact", "react",
	"unreact", NULL };
static const char *const member_actions[] = { "join", "leave", "add", "remove",
	NULL };
static const char *const roles[] = { "member", "admin", "owner", NULL };

/* clang-format off: a row is a field. */
#define END                                                  \
	{                                                    \
		NULL, NULL, M_END, 0, 0, 0, NULL, NULL, NULL \
	}
#define CHANNEL_IN                                                        \
	{                                                                 \
		"channel", "channel", M_TEXT, M_REQUIRED, 1, CHANNEL_MAX, \
		    NULL, NULL, "Its name, or id; of a thread its id."    \
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
#define CHANNEL_ID                                                         \
	{                                                                  \
		"channel_id", "channelId", M_TEXT, M_REQUIRED, 0, 0, NULL, \
		    NULL, "Its id."                                        \
	}
#define LAST_SEQ                                                            \
	{                                                                   \
		"last_seq", "lastSeq", M_INT, M_REQUIRED, 0, 0, NULL, NULL, \
		    "Place of the newest message; 0: there is none."        \
	}

const struct mcp_field mcp_channel_part_rows[] = {
	{ "type", "type", M_TEXT, M_REQUIRED, 1, 32, NULL, NULL,
	    "text, mention, command, tool_call, tool_result, artifact, "
	    "approval_request, approval_response or ui." },
	{ "payload", "payload", M_JSON, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its content, an object; of a text: {\"text\": ...}." },
	END,
};

const struct mcp_field mcp_channel_create_in[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 1, 80, NULL, NULL,
	    "Name, without #." },
	{ "topic", "topic", M_TEXT, 0, 0, 500, NULL, NULL,
	    "What it is about." },
	{ "private", "private", M_BOOL, 0, 0, 0, NULL, NULL,
	    "Only its members know of it." },
	END,
};
const struct mcp_field mcp_channel_thread_in[] = {
	CHANNEL_IN,
	{ "message_id", "messageId", M_ID, M_REQUIRED, 0, 0, NULL, NULL,
	    "The message in it that the thread is about." },
	{ "private", "private", M_BOOL, 0, 0, 0, NULL, NULL,
	    "Only members of the channel may read it." },
	END,
};
const struct mcp_field mcp_channel_made_out[] = {
	CHANNEL_ID,
	END,
};

const struct mcp_field mcp_channel_list_in[] = {
	{ "joined", "joined", M_BOOL, 0, 0, 0, NULL, NULL,
	    "Only those that you are a member of." },
	{ "threads_of", "channel", M_TEXT, 0, 1, CHANNEL_MAX, NULL, NULL,
	    "Instead of channels the threads of this one." },
	LIMIT,
	AFTER,
	END,
};
static const struct mcp_field channel_rows[] = {
	CHANNEL_ID,
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its name." },
	{ "topic", "topic", M_TEXT, 0, 0, 0, NULL, NULL, "What it is about." },
	{ "private", "private", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "Only its members know of it." },
	{ "role", "role", M_TEXT, 0, 0, 0, NULL, NULL,
	    "What you are there; missing: no member." },
	LAST_SEQ,
	{ "unread", "unread", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Messages behind what you have read." },
	END,
};
static const struct mcp_field thread_rows[] = {
	CHANNEL_ID,
	{ "message_id", "messageId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The message that it is about." },
	LAST_SEQ,
	{ "unread", "unread", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Messages behind what you have read." },
	END,
};
const struct mcp_field mcp_channel_list_out[] = {
	{ "channels", "channels", M_ROWS, 0, 0, 0, NULL, channel_rows,
	    "By name." },
	{ "threads", "threads", M_ROWS, 0, 0, 0, NULL, thread_rows,
	    "The oldest first." },
	NEXT,
	END,
};

const struct mcp_field mcp_channel_read_in[] = {
	CHANNEL_IN,
	{ "after", "after", M_INT, 0, 0, INT64_MAX, NULL, NULL,
	    "Messages behind this seq, the oldest first; without it the newest "
	    "ones." },
	LIMIT,
	END,
};
static const struct mcp_field reaction_rows[] = {
	{ "reaction", "reaction", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "A character or a word." },
	{ "names", "names", M_TEXTS, M_REQUIRED, 0, 0, NULL, NULL, "Whose." },
	END,
};
static const struct mcp_field read_rows[] = {
	{ "message_id", "messageId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id, for reply_to." },
	{ "seq", "seq", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its place, from 1." },
	{ "from", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Who." },
	{ "sent_at", "createdAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL,
	    "When." },
	{ "text", "text", M_TEXT, M_CUT, 0, 0, NULL, NULL, "What it says." },
	{ "parts", "parts", M_ROWS, 0, 0, 0, NULL, mcp_channel_part_rows,
	    "The same with what is no text in it; missing: there is none." },
	{ "reply_to", "replyToId", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The message that it answers." },
	{ "reactions", "reactions", M_ROWS, 0, 0, 0, NULL, reaction_rows,
	    "What others think of it." },
	{ "edited_at", "editedAt", M_TIME, 0, 0, 0, NULL, NULL,
	    "When it was changed." },
	{ "redacted_at", "redactedAt", M_TIME, 0, 0, 0, NULL, NULL,
	    "When what it said was taken back." },
	END,
};
const struct mcp_field mcp_channel_read_out[] = {
	{ "messages", "messages", M_ROWS, M_REQUIRED, 0, 0, NULL, read_rows,
	    "In the order of their seq." },
	LAST_SEQ,
	{ "more", "more", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "There are more: give the last seq here as `after`." },
	END,
};

const struct mcp_field mcp_channel_mark_in[] = {
	CHANNEL_IN,
	{ "seq", "seq", M_INT, 0, 0, INT64_MAX, NULL, NULL,
	    "Of the last message that you have read; the newest when absent." },
	END,
};
const struct mcp_field mcp_channel_mark_out[] = {
	{ "seq", "seq", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "How far you have read now; it does not go back." },
	{ "unread_there", "unread", M_INT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Messages behind that." },
	END,
};

const struct mcp_field mcp_channel_follow_in[] = {
	CHANNEL_IN,
	{ "after", "after", M_INT, 0, 0, INT64_MAX, NULL, NULL,
	    "Also what was said behind this seq; without it only what is new." },
	{ "stop", NULL, M_BOOL, 0, 0, 0, NULL, NULL, "Follow it no more." },
	END,
};
const struct mcp_field mcp_channel_follow_out[] = {
	CHANNEL_ID,
	{ "last_seq", "lastSeq", M_INT, 0, 0, 0, NULL, NULL,
	    "Place of the newest message." },
	END,
};

const struct mcp_field mcp_channel_change_in[] = {
	{ "id", "messageId", M_ID, M_REQUIRED, 0, 0, NULL, NULL,
	    "The message_id." },
	{ "action", NULL, M_ENUM, M_REQUIRED, 0, 0, message_actions, NULL,
	    "edit: it says text now; redact: take back what it says, for good; "
	    "react, unreact: say what you think of it, or not any more." },
	{ "text", "text", M_TEXT, 0, 1, 0, NULL, NULL, "For edit." },
	{ "reaction", "reaction", M_TEXT, 0, 1, REACTION_MAX, NULL, NULL,
	    "For react and unreact: a character or a word." },
	{ "reason", "reason", M_TEXT, 0, 0, REASON_MAX, NULL, NULL,
	    "For redact: why." },
	END,
};
const struct mcp_field mcp_channel_change_out[] = {
	{ "message_id", "messageId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "The message." },
	{ "changed", "changed", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "It was not so before." },
	END,
};

const struct mcp_field mcp_channel_member_in[] = {
	CHANNEL_IN,
	{ "action", NULL, M_ENUM, M_REQUIRED, 0, 0, member_actions, NULL,
	    "join, leave: you yourself; add, remove: somebody else, for owners "
	    "and admins of the channel." },
	{ "member", "member", M_TEXT, 0, 1, 256, NULL, NULL,
	    "For add and remove: a name or key." },
	{ "role", "role", M_ENUM, 0, 0, 0, roles, NULL,
	    "For add; member when absent." },
	END,
};
const struct mcp_field mcp_channel_member_out[] = {
	CHANNEL_ID,
	{ "changed", "changed", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "It was not so before." },
	{ "role", "role", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The role there now; missing: no member." },
	END,
};

const struct mcp_field mcp_channel_members_in[] = {
	CHANNEL_IN,
	LIMIT,
	AFTER,
	END,
};
static const struct mcp_field member_rows[] = {
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Name." },
	{ "role", "role", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Role." },
	{ "status", "status", M_TEXT, 0, 0, 0, NULL, NULL,
	    "idle, working or dnd; missing: it is not here." },
	END,
};
const struct mcp_field mcp_channel_members_out[] = {
	{ "members", "members", M_ROWS, M_REQUIRED, 0, 0, NULL, member_rows,
	    "By name." },
	NEXT,
	END,
};
/* clang-format on */
