/* SPDX-License-Identifier: ISC */
/*
 * Asks for every operation of linnet.h, one after the other, and prints what
 * came of each: its name, and "good" or the error.  For t/71-lib.t.
 */
#include <linnet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct linnet *l;
static struct linnet_result r;

/* The broker's answer to what was asked, a member of it copied to out. */
static void
answer(const char *name, int asked, const char *path, char out[65])
{
	struct linnet_json *j;
	const char *value;

	if (asked != 0 || linnet_finish(l, &r) != 0)
		printf("%s %s: %s\n", name, linnet_last_error(l)->code,
		    linnet_last_error(l)->message);
	else
		printf("%s good\n", name);
	if (out != NULL && r.text != NULL &&
	    (j = linnet_json_read(r.text, r.n)) != NULL) {
		value = linnet_json_get(j, path);
		snprintf(out, 65, "%s", value != NULL ? value : "");
		linnet_json_free(j);
	}
	linnet_result_free(&r);
}

#define ASK(op, ...) answer(#op, op(l, __VA_ARGS__ linnet_keep, &r), NULL, NULL)
#define ASK_FOR(path, out, op, ...) \
	answer(#op, op(l, __VA_ARGS__ linnet_keep, &r), path, out)

/* A file there and back. */
static void
transfers(char id[65])
{
	const struct linnet_file file = { .name = "x", .size = 5 };
	struct linnet_transfer t = { .size = 5 };
	char sha256[LINNET_SHA256_SIZE] = "";
	struct linnet_json *j = NULL;
	struct linnet_error e;
	FILE *f = tmpfile(), *g = tmpfile();

	if (f == NULL || g == NULL || fputs("hello", f) == EOF ||
	    fflush(f) != 0)
		exit(2);
	rewind(f);
	t.fd = fileno(f);
	if (linnet_share_file(l, &file, linnet_keep, &r) == 0 &&
	    linnet_finish(l, &r) == 0 &&
	    (j = linnet_json_read(r.text, r.n)) != NULL) {
		printf("linnet_share_file good\n");
		snprintf(id, 65, "%s", linnet_json_get(j, "fileId"));
		t.url = linnet_json_get(j, "url");
		printf("linnet_upload %s\n",
		    linnet_upload(l, &t, sha256, &e) == 0 ? "good" : e.code);
		linnet_json_free(j);
	}
	linnet_result_free(&r);
	t.fd = fileno(g);
	t.sha256 = sha256;
	if (linnet_get_file(l, id, linnet_keep, &r) == 0 &&
	    linnet_finish(l, &r) == 0 &&
	    (j = linnet_json_read(r.text, r.n)) != NULL) {
		printf("linnet_get_file good\n");
		t.url = linnet_json_get(j, "url");
		printf("linnet_download %s\n",
		    linnet_download(l, &t, &e) == 0 ? "good" : e.code);
		linnet_json_free(j);
	}
	linnet_result_free(&r);
	fclose(f);
	fclose(g);
}

static void
ask_channels(void)
{
	static const char part[] =
	    "[{\"type\":\"text\",\"payload\":{\"text\":\"two\"}}]";
	const struct linnet_channel channel = { "all", "it", false };
	const struct linnet_channel_query q = { .limit = 5 };
	const struct linnet_outgoing m = {
		.to = "#all", .text = "by send", .length = 7
	};
	struct linnet_post p = { .channel = "all", .text = "one" };
	const char *other = getenv("OTHER");
	char id[65];

	ASK(linnet_create_channel, &channel, );
	ASK_FOR("messageId", id, linnet_post, &p, );
	p = (struct linnet_post){
		.channel = "#all", .parts = part, .reply_to = id, .id = "own"
	};
	ASK(linnet_post, &p, );
	ASK(linnet_send, &m, );
	ASK(linnet_edit_post, id, "more", NULL, );
	ASK(linnet_edit_post, id, NULL, part, );
	ASK(linnet_react, id, "ok", false, );
	ASK(linnet_react, id, "ok", true, );
	ASK(linnet_create_thread, "all", id, false, );
	ASK(linnet_list_threads, "all", &q, );
	ASK(linnet_redact_post, id, NULL, );
	ASK(linnet_list_channels, &q, );
	ASK(linnet_join_channel, "all", );
	ASK(linnet_add_channel_member, "all", other, "admin", );
	ASK(linnet_list_channel_members, "all", &q, );
	ASK(linnet_remove_channel_member, "all", other, );
	ASK(linnet_read_channel, "all", LINNET_NEWEST, 0, );
	ASK(linnet_read_channel, "all", 1, 1, );
	ASK(linnet_mark_read, "all", LINNET_NEWEST, false, );
	ASK(linnet_mark_read, "all", 1, true, );
	ASK(linnet_follow_channel, "all", 0, );
	ASK(linnet_follow_channel, "all", LINNET_NEWEST, );
	ASK(linnet_unfollow_channel, "all", );
	ASK(linnet_leave_channel, "all", );
	ASK(linnet_delete_channel, "all", );
}

static void
ask_permissions(void)
{
	static const char *const types[] = { "message", "member", NULL };
	const char *other = getenv("OTHER");
	const struct linnet_grant grant = { .member = other,
		.capability = "tool:x",
		.resource_type = "tool",
		.max_uses = 1,
		.constraints = "{}" };
	const struct linnet_grant check = { .capability = "tool:x",
		.resource_type = "tool",
		.resource_id = "y" };
	const struct linnet_permission p = { .action = "tool:x",
		.resource_type = "tool",
		.context = "{\"why\":1}",
		.id = "own" };
	const struct linnet_permission_query q = { .limit = 5 };
	const struct linnet_command command = { .name = "ship",
		.description = "ships",
		.args_schema = "{\"to\":{}}" };
	const struct linnet_command_query commands = { .limit = 5 };
	const struct linnet_search s = { .query = "sky", .types = types };
	struct linnet_resolution d = {
		.approve = true, .notes = "yes", .expires_at = 4102444800000
	};
	char id[65];

	ASK(linnet_create_grant, &grant, );
	ASK(linnet_list_grants, &q, );
	ASK(linnet_check_grant, &check, );
	ASK_FOR("requestId", id, linnet_request_permission, &p, );
	ASK(linnet_revoke_grant, id, "test", );
	ASK(linnet_revoke_grants, other, NULL, );
	ASK(linnet_list_permission_requests, &q, );
	ASK(linnet_get_permission_request, id, );
	d.request_id = id;
	ASK(linnet_resolve_permission, &d, );
	ASK_FOR("commandId", id, linnet_register_command, &command, );
	ASK(linnet_list_commands, &commands, );
	ASK(linnet_delete_command, id, );
	ASK(linnet_search, &s, );
}

/* Less than nothing is not without end. */
static void
ask_negative(void)
{
	const struct linnet_grant grant = { .member = getenv("OTHER"),
		.capability = "tool:x",
		.resource_type = "tool",
		.max_uses = -1 };
	const struct linnet_token token = { .name = "x", .expires_at = -1 };

	answer("negative_uses", linnet_create_grant(l, &grant, linnet_keep, &r),
	    NULL, NULL);
	answer("negative_token",
	    linnet_create_token(l, &token, linnet_keep, &r), NULL, NULL);
}

static void
ask_all(void)
{
	static const char *const words[] = { "one", "two", NULL };
	static const char *const scopes[] = { "state:read", NULL };
	static const char *const kinds[] = { "dm", NULL };
	const struct linnet_profile profile = { .title = "x",
		.capabilities = words };
	const struct linnet_stats stats = { 1, 2, 3, 4, -1 };
	const struct linnet_outgoing m = { .to = "*",
		.text = "hi",
		.length = 2,
		.ttl_ms = 60000,
		.reply_to = "none" };
	const struct linnet_later once = { .to = "*", .message = "later" };
	const struct linnet_later often = { .to = "*",
		.message = "again",
		.cron = "0 0 1 1 *",
		.reminder = true };
	const struct linnet_token token = { .name = "x", .scopes = scopes };
	const struct linnet_token_query tokens = { .all = true, .limit = 1 };
	struct linnet_memory_query q = { .query = "sky", .tags = words };
	struct linnet_file_query files = { .query = "x" };
	char id[65];

	ASK_FOR("messageId", id, linnet_send, &m, );
	ASK(linnet_message_status, id, );
	ASK(linnet_mesh_info, );
	ASK(linnet_list_peers, true, NULL, );
	ASK(linnet_set_status, "working", );
	ASK(linnet_set_summary, "asks", );
	ASK(linnet_set_visible, true, );
	ASK(linnet_set_profile, &profile, );
	ASK(linnet_set_stats, &stats, );
	ASK(linnet_join_group, "dev", "lead", );
	ASK(linnet_leave_group, "dev", );
	ASK(linnet_watch_state, "k/", );
	ASK(linnet_set_state, "k/1", "{\"a\":1}", LINNET_ANY_VERSION, );
	ASK(linnet_get_state, "k/1", );
	ASK(linnet_list_state, "k/", );
	ASK_FOR("type", id, linnet_set_state, "k/1", "2", 7, );
	ASK(linnet_delete_state, "k/1", 1, );
	ASK(linnet_unwatch_state, "k/", );
	ASK_FOR("memoryId", id, linnet_remember, "The sky is blue", words,
	    "english", );
	ASK(linnet_recall, &q, );
	ASK(linnet_list_memories, &q, );
	ASK(linnet_forget, id, );
	ASK(linnet_restore, id, );
	transfers(id);
	ASK(linnet_list_files, &files, );
	ASK(linnet_file_status, id, );
	ASK(linnet_delete_file, id, );
	ASK(linnet_schedule, &once, );
	ASK_FOR("scheduledId", id, linnet_schedule, &often, );
	ASK(linnet_list_scheduled, false, );
	ASK(linnet_cancel_scheduled, id, );
	ASK_FOR("tokenId", id, linnet_create_token, &token, );
	ASK(linnet_list_tokens, &tokens, );
	ASK(linnet_revoke_token, id, );
	ASK(linnet_block, getenv("OTHER"), kinds, );
	ASK(linnet_list_blocks, );
	ASK(linnet_unblock, getenv("OTHER"), NULL, );
	ASK(linnet_list_bans, );
	ASK(linnet_kick, getenv("OTHER"), "test", );
	ASK(linnet_disconnect, getenv("OTHER"), NULL, );
	ASK(linnet_ban, getenv("OTHER"), "test", );
	ASK(linnet_unban, getenv("OTHER"), );
}

int
main(void)
{
	struct linnet_config config = {
		.url = getenv("LINNET_URL"),
		.mesh_id = getenv("LINNET_MESH_ID"),
		.member_id = getenv("LINNET_MEMBER_ID"),
		.public_key = getenv("LINNET_PUBLIC_KEY"),
		.secret_key = getenv("LINNET_SECRET_KEY"),
	};
	struct linnet_error e;

	if ((l = linnet_new(&config, &e)) == NULL || linnet_open(l) != 0)
		return 1;
	ask_all();
	ask_channels();
	ask_permissions();
	ask_negative();
	linnet_close(l);
	(void)linnet_run(l);
	linnet_free(l);
	return 0;
}
