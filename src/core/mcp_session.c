/* SPDX-License-Identifier: ISC */
/*
 * mcp_session: what /mcp remembers of a client between its requests, in the
 * revisions of MCP that have sessions.  It is in the database, so that any
 * process of any host may have the next request.
 *
 * A session is its token's: with another token it is not there.
 */
#include <string.h>

#include "core/domain.h"

#define MCP_SESSIONS_MAX 1000 /* of a token; of more the oldest goes */
#define MCP_SUBSCRIPTIONS_MAX 1000
#define MCP_URI_MAX 4096
#define MCP_ANSWER_MAX 65536
#define MCP_ANSWERS_MAX 32

enum mcp_action {
	MCP_BEGIN,
	MCP_FIND,
	MCP_SUBSCRIBE,
	MCP_UNSUBSCRIBE,
	MCP_ANSWER,
	MCP_TAKEN,
	MCP_END,
};
static const char *const mcp_actions[] = { "begin", "find", "subscribe",
	"unsubscribe", "answer", "taken", "end", NULL };

struct mcp_in {
	int action;
	struct id session;
	struct slice revision;
	struct slice uri;
	int64_t can;
	struct slice answer;
};

#define IN(field) offsetof(struct mcp_in, field)
static const struct field mcp_in_fields[] = {
	{ "action", F_ENUM, IN(action), 0, 0, FIELD_REQUIRED, mcp_actions, NULL,
	    0, "What to do." },
	{ "sessionId", F_ID, IN(session), 0, 0, 0, NULL, NULL, 0,
	    "Which one; not to begin." },
	{ "revision", F_STR, IN(revision), 0, 32, 0, NULL, NULL, 0,
	    "To begin: which is spoken." },
	{ "uri", F_STR, IN(uri), 0, MCP_URI_MAX, 0, NULL, NULL, 0,
	    "To subscribe, or not any more: to what." },
	{ "can", F_INT, IN(can), 0, INT32_MAX, 0, NULL, NULL, 0,
	    "To begin: what the client lets itself be asked." },
	{ "answer", F_STR, IN(answer), 0, MCP_ANSWER_MAX, 0, NULL, NULL, 0,
	    "Of the client to a question, or one that was taken." },
	{ .type = F_END },
};
#undef IN

struct mcp_out {
	struct id session;
	struct slice revision;
	struct list subscriptions;
	int64_t can;
	struct list answers;
};

#define OUT(field) offsetof(struct mcp_out, field)
static const struct field mcp_out_fields[] = {
	{ "sessionId", F_ID, OUT(session), 0, 0, 0, NULL, NULL, 0, "Its id." },
	{ "revision", F_STR, OUT(revision), 0, 0, 0, NULL, NULL, 0,
	    "Which is spoken." },
	{ "subscriptions", F_STRS, OUT(subscriptions), 0, 0, 0, NULL, NULL, 0,
	    "Of what it hears." },
	{ "can", F_INT, OUT(can), 0, 0, 0, NULL, NULL, 0,
	    "What it lets itself be asked." },
	{ "answers", F_STRS, OUT(answers), 0, 0, 0, NULL, NULL, 0,
	    "What it answered, and was not taken." },
	{ .type = F_END },
};
#undef OUT

/* Each statement answers with the session as it is now, or was. */
static void
mcp_session_done(void *arg, const struct db_result *res)
{
	struct slice uris[MCP_SUBSCRIPTIONS_MAX], answers[MCP_ANSWERS_MAX];
	struct request *r = arg;
	struct mcp_out out = { .session = { { 0 } } };

	if (op_db_failed(r, res))
		return;
	if (db_rows(res) == 0) {
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such session of this token; say initialize "
		    "again.");
		return;
	}
	db_id(res, 0, 0, &out.session);
	out.revision = db_text(res, 0, 1);
	out.subscriptions.n = db_texts(res, 0, 2, uris, NELEM(uris));
	out.subscriptions.v = uris;
	out.can = db_int(res, 0, 3);
	out.answers.n = db_texts(res, 0, 4, answers, NELEM(answers));
	out.answers.v = answers;
	op_reply(r, &out);
}

static void
mcp_session_begin(
    struct request *r, const struct mcp_in *in, const struct id *token)
{
	struct db_params *p = db_params(STMT_mcp_session_put);
	struct id id;

	crypto_random_bytes(id.b, sizeof(id.b));
	db_put_id(p, &id);
	db_put_id(p, token);
	db_put_text(p, in->revision.p, in->revision.n);
	db_put_int(p, MCP_SESSIONS_MAX);
	db_put_int(p, in->can);
	db_query(r->core->reads, p, mcp_session_done, r);
}

static void
mcp_session_exec(struct request *r, void *arg)
{
	static const enum db_stmt statements[] = {
		[MCP_BEGIN] = STMT_mcp_session_put,
		[MCP_FIND] = STMT_mcp_session_find,
		[MCP_SUBSCRIBE] = STMT_mcp_session_subscribe,
		[MCP_UNSUBSCRIBE] = STMT_mcp_session_unsubscribe,
		[MCP_ANSWER] = STMT_mcp_session_answer,
		[MCP_TAKEN] = STMT_mcp_session_taken,
		[MCP_END] = STMT_mcp_session_end,
	};
	const struct token *t = deputy_token(r->client);
	const struct mcp_in *in = arg;
	struct db_params *p;

	if (t == NULL) {
		op_fail(r, ERR_FORBIDDEN,
		    "This is for programs that show a token, to /mcp.");
		return;
	}
	if (in->action == MCP_BEGIN) {
		mcp_session_begin(r, in, &t->id);
		return;
	}
	p = db_params(statements[in->action]);
	db_put_id(p, &in->session);
	db_put_id(p, &t->id);
	if (in->action == MCP_SUBSCRIBE || in->action == MCP_UNSUBSCRIBE)
		db_put_text(p, in->uri.p, in->uri.n);
	if (in->action == MCP_ANSWER || in->action == MCP_TAKEN)
		db_put_text(p, in->answer.p, in->answer.n);
	if (in->action == MCP_SUBSCRIBE)
		db_put_int(p, MCP_SUBSCRIPTIONS_MAX);
	db_query(r->core->reads, p, mcp_session_done, r);
}

const struct op op_mcp_session = {
	.name = "mcp_session",
	.scope = SCOPE_PUBLIC,
	.reply = "mcp_session",
	.in = mcp_in_fields,
	.in_size = sizeof(struct mcp_in),
	.out = mcp_out_fields,
	.exec = mcp_session_exec,
	.text = "What /mcp remembers of a client between requests; it is asked "
		"there, and by nobody else.",
};
