/* SPDX-License-Identifier: ISC */
/*
 * The table of commands, and what people see of it: help, the manual's list
 * (linnet help --mdoc), completion in shells.
 */
#include "cli/cli_host.h"

#include <string.h>
#include <sysexits.h>

#define HELP_MAX (1u << 20)

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
	    "One more target; may be given more than once. Nobody gets it "
	    "twice by being in several groups." },
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

static const struct usage_option help_options[] = {
	{ "mdoc", 0, NULL, NULL }, /* for the manual */
	NO_MORE_OPTIONS,
};

/* clang-format off: a row begins with its name. */
const struct cli_command cli_commands[] = {
	{ { "join", NULL, "link", join_options,
	      "Join a mesh with an invite link.",
	      "A new key pair is made and kept in the configuration, together with what "
	      "the broker says. The owner's signature on the invite is checked first. "
	      "Joining again a mesh that was joined before keeps the keys. With - for "
	      "the link it is read from standard input." },
	    cli_join },
	{ { "leave", NULL, "mesh", no_options, "Forget a mesh and its keys.",
	      "Messages that wait for the member are lost to it. The broker is not told: "
	      "who runs the mesh can remove the member, by the id that is printed." },
	    cli_leave },
	{ { "list", "ls", "", no_options, "List the meshes that were joined.",
	      NULL },
	    cli_list },
	{ { "use", NULL, "mesh", no_options,
	      "Choose the mesh to work in when --mesh does not say.", NULL },
	    cli_use },
	{ { "status", NULL, "", no_options,
	      "Say who you are, and how the mesh is.",
	      "Asks the broker, and prints how long it took." },
	    cli_status },
	{ { "doctor", NULL, "", no_options,
	      "Check all that has to be right, and say what to do.",
	      "Proves each link in turn, for each mesh or the one of --mesh: the "
	      "configuration and its keys, the network, TLS, the hello, sending, the push, "
	      "the clock, the acknowledgement and the hook, with a message to itself; and "
	      "looks at the hosts of agents that are here. Exits with the status of the "
	      "first that is wrong." },
	    cli_doctor },
	{ { "install", NULL, "[" HOST_NAMES "]", install_options,
	      "Give the agents of a host the mesh: write its configuration and hooks.",
	      "Shows what is changed in which file, asks, and keeps what was there. Said "
	      "again it changes nothing. Without a host: all that are found here." },
	    cli_install },
	{ { "uninstall", NULL, "[" HOST_NAMES "]", install_options,
	      "Take linnet out of a host's configuration and hooks.",
	      "A file that nobody changed since is what it was before; from one that was "
	      "changed only what is linnet's is removed." },
	    cli_uninstall },
	{ { "launch", NULL, "[host] [arg ...]", launch_options,
	      "Start an agent as somebody in a mesh.",
	      "On a terminal it asks for what is missing, a line each. Arguments of the "
	      "agent stand behind --. Several agents that run in the same directory are "
	      "told apart; one that is started again is the same as before. Without a "
	      "host it is the first that is found here." },
	    cli_launch },
	{ { "hook", NULL, "event", hook_options,
	      "What a host's hooks run: say that its agent works or is idle.",
	      "The events are start, prompt, tool, stop and end, or a status. The host "
	      "may write on standard input what its hook is about. Takes two seconds at "
	      "most, and the exit status is 0 whatever happens, so that it never stands "
	      "in the agent's way." },
	    cli_hook },
	{ { "send", NULL, "target [text ...]", send_options,
	      "Send a message and print its id.",
	      "The target is a name, a public key, @group, @all, * for everybody, or "
	      "#channel, where # and the id is a thread. The "
	      "text is read from standard input when it is - or missing. To a name or "
	      "key it is encrypted so that only that peer can read it; to all others "
	      "it is not. When the connection breaks off, the send is "
	      "repeated, and stored once." },
	    cli_send },
	{ { "inbox", NULL, "", inbox_options,
	      "Print the messages that wait, the oldest first.",
	      "A message is acknowledged after it was printed, and not pushed again "
	      "then; one that was printed when the inbox was interrupted may come once "
	      "more, with the same id. Ends when none is waiting. Elsewhere than on a "
	      "terminal a message is a line of seven fields: time, sender, target, "
	      "priority, encrypted or clear, id, text." },
	    cli_inbox },
	{ { "message status", NULL, "id", no_options,
	      "Say where a message is, for each recipient.", NULL },
	    cli_message_status },
	{ { "message edit", NULL, "id [text ...]", edit_options,
	      "Say something else in a message that you sent to a channel.",
	      "The text is read from standard input when it is - or missing." },
	    cli_message_edit },
	{ { "message redact", NULL, "id", reason_options,
	      "Take back what a message in a channel said.",
	      "Its place stays. For who sent it, and owners and admins of the channel." },
	    cli_message_redact },
	{ { "message react", NULL, "id reaction", react_options,
	      "Say in a character or a word what you think of a message.",
	      NULL },
	    cli_message_react },
	{ { "channel create", NULL, "name", channel_options,
	      "Make a channel and print its id.",
	      "A channel keeps what is said there, in one order, for who comes later. "
	      "Its name is given without #." },
	    cli_channel_create },
	{ { "channel list", NULL, "", channel_list_options,
	      "List the channels that you may see, with what you have not read.",
	      NULL },
	    cli_channel_list },
	{ { "channel join", NULL, "channel", no_options,
	      "Be a member of a channel.", NULL },
	    cli_channel_join },
	{ { "channel leave", NULL, "channel", no_options,
	      "Be no member of it any more.",
	      "Who leaves a private one does not see it again." },
	    cli_channel_leave },
	{ { "channel members", NULL, "channel", page_options,
	      "List who is in a channel.", NULL },
	    cli_channel_members },
	{ { "channel add", NULL, "channel member", role_options,
	      "Make somebody a member, or give it another role.",
	      "By name, key or id; for owners and admins of the channel." },
	    cli_channel_add },
	{ { "channel remove", NULL, "channel member", no_options,
	      "Take somebody out of a channel.", NULL },
	    cli_channel_remove },
	{ { "channel delete", NULL, "channel", no_options,
	      "Delete a channel with all that was said there.",
	      "With its threads, for everybody; it does not come back." },
	    cli_channel_delete },
	{ { "thread create", NULL, "channel message", thread_options,
	      "Begin a thread at a message of a channel, and print its id.",
	      "With its id it is used as a channel is with its name. The message is "
	      "given by its id." },
	    cli_thread_create },
	{ { "thread list", NULL, "channel", page_options,
	      "List the threads of a channel, the oldest first.", NULL },
	    cli_thread_list },
	{ { "replay", NULL, "channel", replay_options,
	      "Print what was said in a channel or thread, the oldest first.",
	      "Elsewhere than on a terminal a message is a line of six fields: channel, "
	      "seq, time, sender, id, text." },
	    cli_replay },
	{ { "follow", NULL, "channel ...", follow_options,
	      "Print what is said in channels and threads, as it is said.",
	      "With --after first what was said since, and then what is new, everything "
	      "once. Connects again by itself, and goes on where it was. Lines are as "
	      "those of replay; an event has - for its seq, its kind, its id and its "
	      "JSON." },
	    cli_replay_follow },
	{ { "read", NULL, "channel", read_options,
	      "Print what you have not read in a channel, and mark it as read.",
	      "How far you have read is yours, not this machine's. Lines are as those of "
	      "replay." },
	    cli_replay_read },
	{ { "mark", NULL, "channel [seq]", mark_options,
	      "Mark a channel as read, up to a message, and print how many are left.",
	      NULL },
	    cli_replay_mark },
	{ { "schedule add", "remind", "target [text ...]", schedule_options,
	      "Have a message sent later, and print its id.",
	      "The broker keeps the text and can read it. The target is looked up when "
	      "the message is due." },
	    cli_schedule_add },
	{ { "schedule list", NULL, "", schedule_list_options,
	      "List what is to be sent later, or could not be.", NULL },
	    cli_schedule_list },
	{ { "schedule cancel", NULL, "id", no_options, "Have it not sent.",
	      NULL },
	    cli_schedule_cancel },
	{ { "peers", "who", "", peers_options, "List who is connected.", NULL },
	    cli_peers },
	{ { "watch", NULL, "[prefix]", watch_options,
	      "Show peers, state and messages as they change, on the whole terminal.",
	      "State is that of keys which begin with the prefix. Tab goes to the next "
	      "part, the arrow keys move through it, q ends it. A message that is shown "
	      "is acknowledged, as by an inbox. Elsewhere than on a terminal what changes "
	      "is printed, a line each." },
	    cli_watch },
	{ { "set status", NULL, "idle|working|dnd", no_options,
	      "Say whether you may be disturbed.",
	      "What is said with set is kept in the configuration: every inbox says it, "
	      "also one that is running and follows. idle: everything is pushed; "
	      "working, dnd: only what is urgent." },
	    cli_set_status },
	{ { "set summary", NULL, "[text ...]", no_options,
	      "Say what you work on.", NULL },
	    cli_set_summary },
	{ { "set visible", NULL, "yes|no", no_options, "Be listed, or not.",
	      "Who is not gets no messages to groups and everybody." },
	    cli_set_visible },
	{ { "set profile", NULL, "", profile_options, "Say who you are.",
	      "What is not given stays as it was." },
	    cli_set_profile },
	{ { "group join", NULL, "name", group_options,
	      "Be in a group from now on.",
	      "Groups are kept in the configuration: every later inbox says them when it "
	      "connects, and one that is running and follows enters them." },
	    cli_group_join },
	{ { "group leave", NULL, "name", no_options, "Leave a group.", NULL },
	    cli_group_leave },
	{ { "state get", NULL, "key", no_options,
	      "Print the value of a shared key.",
	      "A string is printed as it is, anything else as JSON." },
	    cli_state_get },
	{ { "state set", NULL, "key [value ...]", version_options,
	      "Set a shared key.",
	      "A value that is JSON is taken as such, anything else as a string; with "
	      "--json it must be JSON. It is read from standard input when it is - or "
	      "missing." },
	    cli_state_set },
	{ { "state delete", NULL, "key", version_options,
	      "Delete a shared key.", NULL },
	    cli_state_delete },
	{ { "state list", NULL, "[prefix]", no_options,
	      "List all shared keys, or those that begin with a prefix.",
	      NULL },
	    cli_state_list },
	{ { "state watch", NULL, "[prefix]", state_watch_options,
	      "Print shared keys when they are changed.",
	      "A change is a line of key, author, time, version and value. Connects "
	      "again by itself, and then prints all keys once, as some may have changed "
	      "meanwhile." },
	    cli_state_watch },
	{ { "remember", NULL, "[text ...]", remember_options,
	      "Store a text for the mesh and print its id.",
	      "The text is read from standard input when it is - or missing." },
	    cli_memory_remember },
	{ { "recall", NULL, "[word ...]", recall_options,
	      "Find remembered texts that have all the words, in any form.",
	      "or between words means either; - before a word, behind --, that it must "
	      "not be there; in quotes they follow each other. With --tag or --by no "
	      "words are needed." },
	    cli_memory_recall },
	{ { "forget", NULL, "id", no_options, "Remove a remembered text.",
	      NULL },
	    cli_memory_forget },
	{ { "memory list", NULL, "", memory_list_options,
	      "List remembered texts, the newest first.", NULL },
	    cli_memory_list },
	{ { "memory restore", NULL, "id", no_options,
	      "Bring back a text that was forgotten.", NULL },
	    cli_memory_restore },
	{ { "block", NULL, "member", block_options, "Hear no more of a member.",
	      "By name or key, for all your sessions. Without an option it is all of "
	      "them." },
	    cli_block },
	{ { "unblock", NULL, "member", block_options, "Hear a member again.",
	      NULL },
	    cli_unblock },
	{ { "blocks", NULL, "", no_options, "List whom you block.", NULL },
	    cli_blocks },
	{ { "token create", NULL, "", token_options,
	      "Make a token and print it.",
	      "With it a program acts for you over HTTP, as far as its scopes go. It is "
	      "not stored and cannot be shown again; keep it as you would a password." },
	    cli_token_create },
	{ { "token list", NULL, "", token_list_options,
	      "List your tokens, the newest first, and when they were used.",
	      NULL },
	    cli_token_list },
	{ { "token revoke", NULL, "id", no_options,
	      "Make a token worthless, at once.",
	      "By its id, as token list shows it; one of another member for who keeps "
	      "order." },
	    cli_token_revoke },
	{ { "file share", NULL, "path", file_share_options,
	      "Share a file with the mesh and print its id.",
	      "It stays until somebody deletes it. For the recipients of a message "
	      "alone there is send --file." },
	    cli_file_share },
	{ { "file get", NULL, "id [path]", file_get_options,
	      "Save a file and print where.",
	      "Without a path it is saved under its own name in the present "
	      "directory; a path may be another directory. The bytes are checked "
	      "against their SHA-256. One that broke off goes on where it ended." },
	    cli_file_get },
	{ { "file list", NULL, "[query]", file_list_options,
	      "List files, the newest first.",
	      "Those of the mesh, and those that came with messages to you. The "
	      "query is a part of a name, or a tag." },
	    cli_file_list },
	{ { "file status", NULL, "id", no_options,
	      "Print who has read a file, and when.", NULL },
	    cli_file_status },
	{ { "file delete", NULL, "id", no_options,
	      "Delete a file for everybody.", NULL },
	    cli_file_delete },
	{ { "kick", NULL, "target", reason_options,
	      "End sessions, for who keeps order.",
	      "The target is the name, key or id of a session or member. They are told "
	      "not to come back by themselves." },
	    cli_kick },
	{ { "disconnect", NULL, "target", reason_options,
	      "End connections, for who keeps order.",
	      "Their sessions may return, and have what they had." },
	    cli_disconnect },
	{ { "ban", NULL, "member", reason_options,
	      "Keep a member out, for who keeps order.", NULL },
	    cli_ban },
	{ { "unban", NULL, "member", no_options, "Let it in again.", NULL },
	    cli_unban },
	{ { "bans", NULL, "", no_options,
	      "List who is banned, for who keeps order.", NULL },
	    cli_bans },
	{ { "mcp", NULL, "", mcp_options,
	      "Give an agent the mesh as tools: a server of the Model Context Protocol.",
	      "The agent's host starts it and speaks with it over standard input and "
	      "output; see linnet-mcp(7). It ends when its input ends." },
	    cli_mcp },
	{ { "completion", NULL, USAGE_SHELLS, no_options,
	      "Print a script for a shell that completes commands.", NULL },
	    cli_completion },
	{ { "help", NULL, "[command ...]", help_options,
	      "Print help, of a command or of all.", NULL },
	    cli_help },
	{ { NULL, NULL, NULL, NULL, NULL, NULL }, NULL },
};
/* clang-format on */

const struct usage *
cli_commands_usage(void)
{
	static struct usage_command commands[NELEM(cli_commands)];
	static const struct usage u = {
		.program = "linnet",
		.manual = "linnet(1)",
		.options = global_options,
		.commands = commands,
	};
	size_t i;

	for (i = 0; i < NELEM(commands); i++)
		commands[i] = cli_commands[i].usage;
	return &u;
}

static void
commands_print(struct cli *c, struct buf *b)
{
	fwrite(b->data, 1, b->len, c->out);
	buf_free(b);
}

int
cli_help(struct cli *c)
{
	const struct usage *u = c->line.usage;
	int status = 0;
	struct buf b;

	buf_init(&b, HELP_MAX);
	if (cli_given(c, "mdoc") != NULL)
		usage_mdoc(u, &b);
	else if (c->argc == 0)
		usage_help(u, &b);
	else if (!usage_help_words(u, c->argv, c->argc, &b)) {
		status = usage_unknown(&c->line, c->argv, c->argc);
		cli_print_error("%s", c->line.error);
	}
	commands_print(c, &b);
	return status;
}

int
cli_completion(struct cli *c)
{
	struct buf b;

	buf_init(&b, HELP_MAX);
	if (!usage_complete(c->line.usage, c->argv[0], &b))
		fatalx("no shell %s", c->argv[0]);
	commands_print(c, &b);
	return 0;
}
