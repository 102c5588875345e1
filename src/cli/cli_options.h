/* SPDX-License-Identifier: ISC */
/*
 * What commands can be given: the options of each, for the table in
 * cli_commands.c alone.
 */
#ifndef CLI_CLI_OPTIONS_H
#define CLI_CLI_OPTIONS_H

#include "cli/cli.h"

#define NO_MORE_OPTIONS             \
	{                           \
		NULL, 0, NULL, NULL \
	}

static const struct usage_option global_options[] = {
	{ "mesh", 'm', "slug",
	    "The mesh to work in, by its short name or id; needed when "
	    "several were joined and none was chosen with use." },
	{ "config", 'c', "file",
	    "Configuration instead of ~/.linnet/config.json." },
	{ "json", 'j', NULL,
	    "JSON for programs: one value, or one a line where messages "
	    "follow each other." },
	{ "quiet", 'q', NULL, "No remarks on stderr, only errors." },
	{ "help", 'h', NULL, "Help, of a command after one." },
	{ "version", 'V', NULL, "The version." },
	NO_MORE_OPTIONS,
};

static const struct usage_option no_options[] = {
	NO_MORE_OPTIONS,
};

static const struct usage_option join_options[] = {
	{ "name", 'n', "name", "Name under which others see you." },
	{ "ca-file", 0, "file",
	    "Authorities that vouch for the broker's TLS, instead of the "
	    "system's; kept for all that is done in this mesh." },
	NO_MORE_OPTIONS,
};

#define YES_OPTION                                              \
	{                                                       \
		"yes", 'y', NULL, "Ask nothing: yes to it all." \
	}

static const struct usage_option install_options[] = {
	{ "dry-run", 'n', NULL, "Only show what would be changed." },
	YES_OPTION,
	NO_MORE_OPTIONS,
};

static const struct usage_option hook_options[] = {
	{ "messages", 0, NULL,
	    "Print the messages that wait, and acknowledge them." },
	NO_MORE_OPTIONS,
};

static const struct usage_option launch_options[] = {
	{ "name", 'n', "name", "Name of the agent." },
	{ "role", 'r', "role", "What it is, in free words." },
	{ "groups", 'g', "name:role,...",
	    "The groups that it is in, with its roles there; \"\" for none; "
	    "without it those of the configuration." },
	{ "join", 0, "link", "Join a mesh with this invite first." },
	YES_OPTION,
	NO_MORE_OPTIONS,
};

#define PRIORITY_OPTION                                                  \
	{                                                                \
		"priority", 'p', "now|next|low",                         \
		    "now: pushed at once; next: when the recipient is "  \
		    "idle, the default; low: the same, and less urgent." \
	}

#define PARTS_OPTION                                                       \
	{                                                                  \
		"parts", 0, "json",                                        \
		    "To a channel, instead of a text: an array of objects" \
		    " with type and payload; - for standard input."        \
	}

static const struct usage_option send_options[] = {
	PRIORITY_OPTION,
	{ "also", 'a', "target",
	    "One more target, but no channel; may be given more than once. "
	    "Nobody gets it twice by being in several groups." },
	{ "ttl", 't', "time",
	    "Not delivered any more after this time, as 10m." },
	{ "reply-to", 'r', "id", "The message that it answers." },
	{ "clear", 0, NULL, "Do not encrypt, so that the broker can read it." },
	{ "file", 'f', "path",
	    "A file for its recipients alone, for 24 hours or until all have "
	    "read it; may be given more than once. It is not encrypted." },
	{ "id", 0, "id",
	    "Your own id for it: what was sent under it before is not sent "
	    "again." },
	PARTS_OPTION,
	NO_MORE_OPTIONS,
};

static const struct usage_option edit_options[] = {
	PARTS_OPTION,
	NO_MORE_OPTIONS,
};

static const struct usage_option react_options[] = {
	{ "remove", 0, NULL, "Take it back." },
	NO_MORE_OPTIONS,
};

static const struct usage_option channel_options[] = {
	{ "private", 0, NULL, "Only its members know of it." },
	{ "topic", 't', "text", "What it is about." },
	NO_MORE_OPTIONS,
};

static const struct usage_option thread_options[] = {
	{ "private", 0, NULL, "Only members of the channel may read it." },
	NO_MORE_OPTIONS,
};

#define PAGE_OPTIONS                                                       \
	{ "limit", 'n', "number", "At most so many; else 100." },          \
	{                                                                  \
		"after", 0, "next", "The page after the one that said so." \
	}

static const struct usage_option channel_list_options[] = {
	{ "joined", 'j', NULL, "Only those that you are a member of." },
	PAGE_OPTIONS,
	NO_MORE_OPTIONS,
};

static const struct usage_option page_options[] = {
	PAGE_OPTIONS,
	NO_MORE_OPTIONS,
};

static const struct usage_option role_options[] = {
	{ "role", 'r', "member|admin|owner", "What it is there; else member." },
	NO_MORE_OPTIONS,
};

#define AFTER_OPTION                                                 \
	{                                                            \
		"after", 'a', "seq",                                 \
		    "What comes after this message; 0: everything, " \
		    "from the beginning."                            \
	}

static const struct usage_option replay_options[] = {
	AFTER_OPTION,
	{ "limit", 'n', "number",
	    "At most so many; else all, without --after the newest 50." },
	NO_MORE_OPTIONS,
};

static const struct usage_option read_options[] = {
	{ "limit", 'n', "number", "At most so many; else all." },
	NO_MORE_OPTIONS,
};

static const struct usage_option mark_options[] = {
	{ "back", 0, NULL, "Also when that is less than before." },
	NO_MORE_OPTIONS,
};

static const struct usage_option follow_options[] = {
	AFTER_OPTION,
	{ "events", 'e', NULL,
	    "Also what happens beside: edits, reactions, members." },
	{ "count", 'n', "number", "End after so many lines." },
	{ "timeout", 't', "time", "End when nothing came for so long." },
	NO_MORE_OPTIONS,
};

static const struct usage_option inbox_options[] = {
	{ "follow", 'f', NULL,
	    "Go on waiting for messages; connects again by itself." },
	{ "timeout", 't', "time",
	    "Wait so long (as 30s or 5m) for a message when none is there." },
	NO_MORE_OPTIONS,
};

static const struct usage_option schedule_options[] = {
	{ "at", 0, "time", "When, as 2026-11-24T09:00:00Z." },
	{ "in", 0, "time", "After a time, as 30m or 2h." },
	{ "cron", 0, "line",
	    "Again and again: minute, hour, day of the month, month and "
	    "weekday, in UTC, as '0 9 * * 1-5'; with --at or --in not "
	    "before." },
	{ "until", 0, "time", "With --cron: not after." },
	{ "priority", 'p', "now|next|low", "As in send; now without it." },
	{ "reminder", 0, NULL, "The message says that it is a reminder." },
	NO_MORE_OPTIONS,
};

static const struct usage_option schedule_list_options[] = {
	{ "all", 'a', NULL, "Those of all members, for who keeps order." },
	NO_MORE_OPTIONS,
};

static const struct usage_option peers_options[] = {
	{ "all", 'a', NULL,
	    "Also who is not connected: lost sessions, and members." },
	{ "group", 'g', "group", "Only those in this group." },
	NO_MORE_OPTIONS,
};

static const struct usage_option watch_options[] = {
	{ "look", 'l', NULL, "Only look: get no messages, be listed nowhere." },
	NO_MORE_OPTIONS,
};

static const struct usage_option group_options[] = {
	{ "role", 'r', "role", "Your role in the group, in free words." },
	NO_MORE_OPTIONS,
};

static const struct usage_option profile_options[] = {
	{ "title", 0, "text", "What you are, in a few words." },
	{ "bio", 0, "text", "The same in a few sentences." },
	{ "avatar", 0, "text", "A character, or where a picture is." },
	{ "capability", 0, "text",
	    "What you can be asked for; may be given more than once, and "
	    "takes the place of those of before." },
	NO_MORE_OPTIONS,
};

static const struct usage_option version_options[] = {
	{ "if-version", 'v', "number",
	    "Only if this is the key's version, as state list shows it; 0: "
	    "only if there is no such key." },
	NO_MORE_OPTIONS,
};

static const struct usage_option state_watch_options[] = {
	{ "count", 'n', "number", "End after so many changes." },
	{ "timeout", 't', "time", "End when nothing changed for so long." },
	NO_MORE_OPTIONS,
};

#define LANGUAGE_OPTION                                                   \
	{                                                                 \
		"language", 'l', "language",                              \
		    "Whose words these are, as german; simple: words as " \
		    "they stand; english without it."                     \
	}

static const struct usage_option remember_options[] = {
	{ "tag", 't', "tag", "A label; may be given more than once." },
	LANGUAGE_OPTION,
	NO_MORE_OPTIONS,
};

#define MEMORY_OPTIONS                                                        \
	{ "tag", 't', "tag",                                                  \
		"Only those with this label; may be given more than once." }, \
	    { "by", 0, "author", "Only those of this member." },              \
	    { "limit", 'n', "number", "At most so many; else 20." },          \
	{                                                                     \
		"after", 0, "next", "The page after the one that said so."    \
	}

static const struct usage_option recall_options[] = {
	MEMORY_OPTIONS,
	LANGUAGE_OPTION,
	NO_MORE_OPTIONS,
};

static const struct usage_option memory_list_options[] = {
	MEMORY_OPTIONS,
	{ "forgotten", 0, NULL, "Those that were forgotten." },
	NO_MORE_OPTIONS,
};

static const struct usage_option block_options[] = {
	{ "dm", 0, NULL, "Direct messages." },
	{ "broadcast", 0, NULL, "Messages to groups and to everybody." },
	{ "state", 0, NULL, "Changes of shared state." },
	NO_MORE_OPTIONS,
};

static const struct usage_option token_options[] = {
	{ "name", 'n', "name", "What it is for." },
	{ "scopes", 's', "scopes",
	    "What it may do, with commas between, as "
	    "messages:read,messages:write; else all that you may." },
	{ "expires", 'e', "time",
	    "How long it is good, as 30d; else as long as the broker allows." },
	NO_MORE_OPTIONS,
};

static const struct usage_option token_list_options[] = {
	{ "member", 0, "member", "Those of this member, for who keeps order." },
	{ "all", 'a', NULL, "Those of all members, for who keeps order." },
	{ "limit", 'n', "number", "At most so many; else 50." },
	{ "after", 0, "next", "The page after the one that said so." },
	NO_MORE_OPTIONS,
};

static const struct usage_option file_share_options[] = {
	{ "name", 'n', "name", "What others see; else the file's own name." },
	{ "tag", 't', "tag", "A label; may be given more than once." },
	{ "type", 0, "type", "What it is, as image/png." },
	NO_MORE_OPTIONS,
};

static const struct usage_option file_get_options[] = {
	{ "force", 0, NULL, "Replace a file that is there." },
	NO_MORE_OPTIONS,
};

static const struct usage_option file_list_options[] = {
	{ "tag", 't', "tag",
	    "Only those with this label; may be given more than once." },
	{ "from", 0, "member", "Only those of this uploader." },
	{ "limit", 'n', "number", "At most so many; else 50." },
	{ "after", 0, "next", "The page after the one that said so." },
	NO_MORE_OPTIONS,
};

static const struct usage_option reason_options[] = {
	{ "reason", 'r', "text", "Told to whom it concerns." },
	NO_MORE_OPTIONS,
};

static const struct usage_option mcp_options[] = {
	{ "tools", 't', "full|core|none",
	    "Which tools: all of them, the few that most agents need, or none, "
	    "for agents that use this command in a shell." },
	{ "push", 'p', "auto|on|off",
	    "Push messages as notifications of Claude Code's channels: to "
	    "Claude Code, to any host, or not." },
	{ "mdoc", 0, NULL, NULL }, /* for the manual */
	{ "mdoc-prompts", 0, NULL, NULL },
	NO_MORE_OPTIONS,
};

#define EXPIRES_OPTION                                                 \
	{                                                              \
		"expires", 'e', "time",                                \
		    "For how long, as 2h or 30d; for good without it." \
	}
#define USES_OPTION                                                         \
	{                                                                   \
		"uses", 'u', "number", "How often; without end without it." \
	}
#define WAIT_OPTIONS                                                      \
	{ "wait", 'w', NULL,                                              \
		"Wait until it is decided; the exit status is 0 when it " \
		"was approved, 1 when it was denied." },                  \
	{                                                                 \
		"timeout", 't', "time",                                   \
		    "With --wait: no longer, as 10m; then the status is " \
		    "75."                                                 \
	}

static const struct usage_option grant_options[] = {
	EXPIRES_OPTION,
	USES_OPTION,
	{ "constraints", 0, "json",
	    "What else is asked of its use: an object with channelIds, "
	    "partTypes, maxParts or maxBytes." },
	NO_MORE_OPTIONS,
};

static const struct usage_option revoke_options[] = {
	{ "all", 'a', NULL,
	    "All grants that a member has, which is given in place of the "
	    "id." },
	{ "reason", 'r', "text", "Why; for the audit." },
	NO_MORE_OPTIONS,
};

static const struct usage_option check_options[] = {
	{ "member", 0, "member", "May this one? Not you." },
	NO_MORE_OPTIONS,
};

static const struct usage_option request_options[] = {
	{ "reason", 'r', "text", "What for, told to who decides." },
	{ "context", 0, "json", "The same as an object of your own." },
	{ "id", 0, "id",
	    "Your own id for it: while it is open, one with the same id is "
	    "the same." },
	WAIT_OPTIONS,
	NO_MORE_OPTIONS,
};

static const struct usage_option request_list_options[] = {
	{ "member", 0, "member", "Only those of this member." },
	PAGE_OPTIONS,
	NO_MORE_OPTIONS,
};

static const struct usage_option wait_options[] = {
	WAIT_OPTIONS,
	NO_MORE_OPTIONS,
};

#define NOTES_OPTION                                       \
	{                                                  \
		"notes", 'n', "text", "Told to who asked." \
	}

static const struct usage_option approve_options[] = {
	NOTES_OPTION,
	EXPIRES_OPTION,
	USES_OPTION,
	NO_MORE_OPTIONS,
};

static const struct usage_option deny_options[] = {
	NOTES_OPTION,
	NO_MORE_OPTIONS,
};

static const struct usage_option command_options[] = {
	{ "description", 'd', "text", "What it does." },
	{ "schema", 0, "json", "What its arguments are: an object." },
	{ "channel", 0, "channel", "Only there; else in all channels." },
	NO_MORE_OPTIONS,
};

static const struct usage_option command_list_options[] = {
	{ "channel", 0, "channel", "Also those of this channel." },
	PAGE_OPTIONS,
	NO_MORE_OPTIONS,
};

static const struct usage_option search_options[] = {
	{ "types", 't', "types",
	    "Only these, with commas between: member, channel, thread, "
	    "message, memory." },
	{ "channel", 0, "channel", "Only in this channel or thread." },
	{ "limit", 'n', "number", "At most so many; else 20." },
	{ "after", 0, "next", "The page after the one that said so." },
	NO_MORE_OPTIONS,
};

static const struct usage_option help_options[] = {
	{ "mdoc", 0, NULL, NULL }, /* for the manual */
	NO_MORE_OPTIONS,
};

#endif
