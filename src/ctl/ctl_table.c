/* SPDX-License-Identifier: ISC */
/*
 * The table of commands, and what people see of it: help, the manual's list
 * (linnetctl help --mdoc), completion in shells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"

#define HELP_MAX (1u << 20)

const struct usage_option table_globals[] = {
	{ "config", 'c', "file",
	    "The daemon's configuration, in place of "
	    "/etc/linnet/linnetd.conf." },
	{ "option", 'o', "setting",
	    "Sets one option over the file, as -o 'state_dir /tmp/linnet'; may "
	    "be given more than once." },
	{ "database", 0, "conninfo",
	    "The database, in place of the option database: a connection "
	    "string of libpq. Others can see command lines: leave the password "
	    "to a file, as ~/.pgpass." },
	{ "json", 'j', NULL, "JSON for programs." },
	{ "help", 'h', NULL, "Help, of a command after one." },
	{ "version", 'V', NULL, "The version." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option no_options[] = {
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option yes_options[] = {
	{ "yes", 0, NULL, "Do not ask." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option drain_options[] = {
	{ "timeout", 0, "time",
	    "Wait so long for clients to leave, in place of "
	    "limit.drain_time." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option trace_options[] = {
	{ "mesh", 0, "mesh", "Only what happens in this mesh." },
	{ "session", 0, "session",
	    "Only what one session does and gets: its id, or its name." },
	{ "type", 0, "type", "Only this type of message, as send or push." },
	{ "count", 0, "number", "End after so many records." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option mesh_create_options[] = {
	{ "name", 0, "name", "What people call it; else the short name." },
	{ "show-key", 0, NULL,
	    "Print the owner's secret key, once, and do not store it." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option mesh_set_options[] = {
	{ "sessions", 0, "number", "Sessions at the same time." },
	{ "queue", 0, "number", "Messages that wait." },
	{ "recipient-queue", 0, "number",
	    "Messages that wait for one recipient." },
	{ "state-keys", 0, "number", "Keys of shared state." },
	{ "state-bytes", 0, "size", "Bytes of their values together." },
	{ "memories", 0, "number", "Remembered texts." },
	{ "files", 0, "number", "Files." },
	{ "storage", 0, "size", "Bytes of all files together." },
	{ "file-bytes", 0, "size", "Bytes of one file." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option reason_options[] = {
	{ "reason", 0, "text", "Told to whom it concerns." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option session_options[] = {
	{ "all", 0, NULL, "Also those that are connected to do one thing." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option invite_options[] = {
	{ "role", 0, "member|admin", "What who joins will be; else member." },
	{ "uses", 0, "number", "How many may join with it; else 1." },
	{ "expires", 0, "time", "How long it is good; else 7d." },
	{ "url", 0, "url",
	    "Where those who are invited connect; else mesh.join_url, or made "
	    "from the first address that the daemon serves." },
	{ "owner-key", 0, "file",
	    "File with the owner's secret key, 128 hex digits, of a mesh whose "
	    "key is not stored; - is standard input." },
	{ "qr", 0, NULL, "Draw the link as a QR code too." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option token_options[] = {
	{ "name", 0, "name", "What it is for." },
	{ "scopes", 0, "scopes",
	    "What it may do, with commas between, as "
	    "messages:read,messages:write; else all that the member may." },
	{ "expires", 0, "time",
	    "How long it is good; else, and at most, token.max_time." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option member_options[] = {
	{ "kind", 0, "agent|human|app|bridge", "What it is; else agent." },
	{ "role", 0, "owner|admin|member", "Its role; else member." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option audit_verify_options[] = {
	{ "file", 0, "file",
	    "Verify what linnetctl audit export wrote, without a server and "
	    "without a database; - is standard input." },
	{ "key", 0, "key",
	    "A public key whose checkpoints count, 64 hex digits, in place of "
	    "the server's own and audit.trust; may be given more than once." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option help_options[] = {
	{ "mdoc", 0, NULL, NULL }, /* for the manual */
	{ NULL, 0, NULL, NULL },
};

const struct ctl_command table_commands[] = {
	{ "status", "", no_options, CTL_DAEMON, ctl_status,
	    "Show the daemon, its processes and the hosts beside it.",
	    "Of each process: role, number, process id, state, connections, "
	    "how often it was restarted, for how long it has run, and whether "
	    "its database connection works. Then, where the database can be "
	    "reached, how many messages wait and which hosts share it." },
	{ "ping", "", no_options, CTL_DAEMON, ctl_ping,
	    "Succeed when the daemon answers.", NULL },
	{ "reload", "", no_options, CTL_DAEMON, ctl_reload,
	    "Read the configuration and certificates again, as SIGHUP does.",
	    "Says which options changed, and which need a restart and stay as "
	    "they are until then. A configuration with an error changes "
	    "nothing." },
	{ "drain", "", drain_options, CTL_DAEMON, ctl_drain,
	    "Tell every client to connect again, and end the daemon when they "
	    "have gone, as SIGTERM does.",
	    "Returns at once; status tells how it goes." },
	{ "stop", "", no_options, CTL_DAEMON, ctl_stop,
	    "End the daemon at once, as SIGINT does.", NULL },
	{ "log-level", "error|warn|info|debug", no_options, CTL_DAEMON,
	    ctl_log_level, "Change what is logged, until the next reload.",
	    NULL },
	{ "trace", "", trace_options, CTL_DAEMON, ctl_trace,
	    "Follow what passes through the daemon, until interrupted.",
	    "A line for each request that was answered, each message that was "
	    "pushed and each session that ended: time, worker, mesh, session, "
	    "what, type, sender, target, how many targets, bytes, result, "
	    "milliseconds, message id. "
	    "Never what a message says. What is too fast to be shown is "
	    "dropped, and how much that was is said. Without a trace, the "
	    "daemon spends nothing on it." },
	{ "host list", "", no_options, CTL_DATABASE, ctl_host_list,
	    "List the hosts that share the database.",
	    "A host whose lease is over is gone, and so are its sessions." },
	{ "session list", "[mesh]", session_options, CTL_DATABASE,
	    ctl_session_list, "List who is connected.",
	    "Unacked is how many messages were pushed to the session and not "
	    "acknowledged yet." },
	{ "kick", "mesh session", reason_options, CTL_DATABASE, ctl_kick,
	    "End sessions; their clients may connect again.",
	    "The session is its id, key or name; or the member's, for all "
	    "sessions of it. Waits until they have ended." },
	{ "ban", "mesh member", reason_options, CTL_DATABASE, ctl_ban,
	    "Keep a member out of the mesh, and end its sessions.",
	    "The member is its id, public key or name. What is sent to it "
	    "waits." },
	{ "unban", "mesh member", no_options, CTL_DATABASE, ctl_unban,
	    "Let a member in again.", NULL },
	{ "bans", "mesh", no_options, CTL_DATABASE, ctl_bans,
	    "List the members that are banned.", NULL },
	{ "mesh create", "mesh", mesh_create_options, CTL_DATABASE,
	    ctl_mesh_create, "Make a mesh.",
	    "Its short name has the characters a-z, 0-9 and -, and at most 64 "
	    "of them. The owner's key pair is made too: the secret key signs "
	    "invites. It is stored sealed with seal.key, or, with --show-key, "
	    "printed once and not stored: who runs the server cannot make "
	    "invites then, only who has the key." },
	{ "mesh list", "", no_options, CTL_DATABASE, ctl_mesh_list,
	    "List all meshes.", NULL },
	{ "mesh show", "mesh", no_options, CTL_DATABASE, ctl_mesh_show,
	    "Show a mesh: what it has, and what it may have.", NULL },
	{ "mesh set", "mesh", mesh_set_options, CTL_DATABASE, ctl_mesh_set,
	    "Set what a mesh may have.",
	    "default stands for what the configuration says. What is there "
	    "already stays, also when it is more." },
	{ "mesh rename", "mesh name", no_options, CTL_DATABASE, ctl_mesh_rename,
	    "Change what people call a mesh.",
	    "The short name, which is in invites and in the configurations of "
	    "members, does not change." },
	{ "mesh archive", "mesh", no_options, CTL_DATABASE, ctl_mesh_archive,
	    "Close a mesh; nothing in it is lost.",
	    "Its sessions end, and nobody can connect or join until mesh "
	    "unarchive." },
	{ "mesh unarchive", "mesh", no_options, CTL_DATABASE,
	    ctl_mesh_unarchive, "Open an archived mesh again.", NULL },
	{ "mesh delete", "mesh", yes_options, CTL_DATABASE, ctl_mesh_delete,
	    "Delete a mesh with all that is in it.",
	    "Says what goes, and asks for the short name. Its audit trail goes "
	    "too: linnetctl audit export it before." },
	{ "member create", "mesh name", member_options, CTL_DATABASE,
	    ctl_member_create, "Make a member that has no key.",
	    "It acts by tokens, or logs in with a password; who has a key of "
	    "its own joins with an invite instead." },
	{ "member password", "mesh member", no_options, CTL_DATABASE,
	    ctl_member_password, "Set the password of a member.",
	    "Asked for on a terminal, else the first line of standard input. "
	    "Whoever had logged in with another one is logged out." },
	{ "member list", "mesh", no_options, CTL_DATABASE, ctl_member_list,
	    "List the members of a mesh.", NULL },
	{ "member show", "mesh member", no_options, CTL_DATABASE,
	    ctl_member_show, "Show a member, by its id, public key or name.",
	    NULL },
	{ "member role", "mesh member owner|admin|member", no_options,
	    CTL_DATABASE, ctl_member_role, "Give a member another role.",
	    "It is in force at once, for its sessions too." },
	{ "member rename", "mesh member name", no_options, CTL_DATABASE,
	    ctl_member_rename, "Change the name of a member.",
	    "Sessions that are connected keep theirs." },
	{ "member revoke", "mesh member", yes_options, CTL_DATABASE,
	    ctl_member_revoke, "End a membership, for good.",
	    "Its sessions end, and its key cannot join again; use ban for a "
	    "while. Asks for the name." },
	{ "invite create", "mesh", invite_options, CTL_DATABASE,
	    ctl_invite_create, "Make an invite and print its join link.",
	    "The link is for linnet join. Whoever has it can join: send it as "
	    "you would a password." },
	{ "invite list", "mesh", no_options, CTL_DATABASE, ctl_invite_list,
	    "List the invites of a mesh.",
	    "The links are not stored and cannot be shown again." },
	{ "invite revoke", "id", no_options, CTL_DATABASE, ctl_invite_revoke,
	    "Make an invite worthless.", "Who joined with it stays a member." },
	{ "token create", "mesh member", token_options, CTL_DATABASE,
	    ctl_token_create, "Make a token of a member and print it.",
	    "It is not stored and cannot be shown again. Whoever has it can "
	    "act for the member over HTTP, as far as its scopes go: keep it as "
	    "you would a password. Needs the key of the daemon (token.key)." },
	{ "token list", "mesh [member]", no_options, CTL_DATABASE,
	    ctl_token_list, "List the tokens of a mesh, or of one member.",
	    "foreign are those of another token.key than the one here. What "
	    "has been over for 30 days is gone, and so are those of a member "
	    "that are over, but for the newest limit.tokens." },
	{ "token revoke", "id", no_options, CTL_DATABASE, ctl_token_revoke,
	    "Make a token worthless.", "At once, on every host." },
	{ "audit verify", "[mesh]", audit_verify_options, CTL_DAEMON,
	    ctl_audit_verify, "Verify the audit trail of a mesh, or of all.",
	    "Every hash is computed again, and every checkpoint compared with "
	    "the line that it is of. Says the first line that is wrong; exits "
	    "with 65 then. linnet-security(7) says what this proves." },
	{ "audit export", "[mesh] [file]", no_options, CTL_DATABASE,
	    ctl_audit_export,
	    "Write the audit trail of a mesh, or of all, as JSON lines.",
	    "To standard output, or to a file, which only its owner can read. "
	    "audit verify --file verifies it, wherever it is kept." },
	{ "audit checkpoint", "[mesh]", no_options, CTL_DATABASE,
	    ctl_audit_checkpoint,
	    "Sign what the audit trail of a mesh, or of each, is now.",
	    "linnetd does so by the clock (audit.checkpoint_time). What is "
	    "printed can be kept elsewhere: line and hash say what the trail "
	    "was. Needs the key of the daemon (audit.key)." },
	{ "audit key", "", no_options, CTL_DAEMON, ctl_audit_key,
	    "Show the public key of the checkpoints that this server signs.",
	    "For audit verify --key elsewhere, and for audit.trust of other "
	    "hosts on the database." },
	{ "seed", "", no_options, CTL_DATABASE, ctl_seed,
	    "Make a mesh for tests, with two members and an invite.",
	    "Prints one JSON object with meshId, slug, brokerUrl, ownerPubkey, "
	    "ownerSecretKey, inviteToken, inviteLink, and peerA and peerB, each "
	    "with memberId, pubkey, secretKey and displayName. The invite is "
	    "good for 1000 uses." },
	{ "completion", USAGE_SHELLS, no_options, CTL_NOTHING, ctl_completion,
	    "Print a script for a shell that completes "
	    "commands.",
	    NULL },
	{ "help", "[command ...]", help_options, CTL_NOTHING, ctl_help,
	    "Print help, of a command or of all.", NULL },
	{ NULL, NULL, NULL, 0, NULL, NULL, NULL },
};

const struct usage *
table_usage(void)
{
	static struct usage_command commands[NELEM(table_commands)];
	static const struct usage u = {
		.program = "linnetctl",
		.manual = "linnetctl(8)",
		.options = table_globals,
		.commands = commands,
	};
	size_t i;

	for (i = 0; i < NELEM(commands); i++)
		commands[i] = (struct usage_command){
			.name = table_commands[i].name,
			.args = table_commands[i].args,
			.options = table_commands[i].options,
			.text = table_commands[i].text,
			.more = table_commands[i].more,
		};
	return &u;
}

static void
table_print(struct buf *b)
{
	fwrite(b->data, 1, b->len, stdout);
	buf_free(b);
}

void
ctl_help(struct ctl *c)
{
	struct buf b;

	buf_init(&b, HELP_MAX);
	if (ctl_given(c, "mdoc") != NULL)
		usage_mdoc(table_usage(), &b);
	else if (c->nargs == 0)
		usage_help(table_usage(), &b);
	else if (!usage_help_words(table_usage(), c->args, c->nargs, &b))
		ctl_fail(usage_unknown(&c->line, c->args, c->nargs), "%s",
		    c->line.error);
	table_print(&b);
}

void
ctl_completion(struct ctl *c)
{
	struct buf b;

	buf_init(&b, HELP_MAX);
	if (!usage_complete(table_usage(), c->args[0], &b))
		fatalx("no shell %s", c->args[0]);
	table_print(&b);
}
