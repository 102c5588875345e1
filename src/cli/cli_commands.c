/* SPDX-License-Identifier: ISC */
/*
 * The table of commands.  What people see of it is in cli_help.c.
 */
#include "cli/cli_host.h"
#include "cli/cli_options.h"

#include <string.h>
#include <sysexits.h>

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
	{ { "search", NULL, "word ...", search_options,
	      "Find members, channels, threads, messages and memory by words.",
	      "Among all that you may see, the best first." },
	    cli_search },
	{ { "grant create", NULL, "member capability type [id]", grant_options,
	      "Give a member a permission, and print the id of the grant.",
	      "As message:append channel and the id of one; without an id on all of "
	      "the type (org, channel, thread, or a word of applications)." },
	    cli_grant_create },
	{ { "grant list", NULL, "[member]", page_options,
	      "List grants that can be used: your own, or a member's.", NULL },
	    cli_grant_list },
	{ { "grant revoke", NULL, "id", revoke_options, "Take a grant away.",
	      NULL },
	    cli_grant_revoke },
	{ { "grant check", NULL, "capability [type] [id]", check_options,
	      "Say whether you have a permission.",
	      "By your role in the mesh, or by a grant. What you may as owner or admin "
	      "of a channel is not asked, nor whether it is there. Prints yes, or no "
	      "with the exit status 1." },
	    cli_grant_check },
	{ { "request create", NULL, "capability type [id]", request_options,
	      "Ask for a permission that you lack, and print the id of the request.",
	      "The error that refused you says which, and on what. Those who may give "
	      "it are told." },
	    cli_request_create },
	{ { "request list", NULL, "", request_list_options,
	      "List open requests, the oldest first.",
	      "Your own, and those that you may decide." },
	    cli_request_list },
	{ { "request show", NULL, "id", wait_options,
	      "Print how a request stands.", NULL },
	    cli_request_show },
	{ { "request approve", NULL, "id", approve_options,
	      "Give what a request asks for, and print the id of the grant.",
	      "Of one for a command: the command is there, and its id is printed." },
	    cli_request_approve },
	{ { "request deny", NULL, "id", deny_options,
	      "Refuse what a request asks for.", "Your own: take it back." },
	    cli_request_deny },
	{ { "command register", NULL, "name", command_options,
	      "Offer a command to who posts in channels, and print its id.",
	      "It is there when somebody who may grant has approved it. A call of it "
	      "is shown by inbox --follow and watch." },
	    cli_command_register },
	{ { "command list", NULL, "", command_list_options,
	      "List the commands that can be called.",
	      "As a part of type command in what is posted, by name, or OWNER:NAME." },
	    cli_command_list },
	{ { "command delete", NULL, "id", no_options,
	      "Offer a command no more.", NULL },
	    cli_command_delete },
	{ { "schedule add", "remind", "target [text ...]", schedule_options,
	      "Have a message sent later, and print its id.",
	      "The broker keeps the text and can read it. The target, which is no "
	      "channel, is looked up when the message is due." },
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
