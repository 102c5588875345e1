/* SPDX-License-Identifier: ISC */
/*
 * The operations of permissions, commands and search; and notices, which tell
 * of them.  A request for a permission has an id of its own, so that it may be
 * repeated; what is made, decided or deleted once, and would be found done the
 * second time, may not.
 */
#include "lib/lib.h"

#include <stdio.h>

/* A time that is left out when it is 0. */
static const char *
permission_time(char text[CLOCK_RFC3339_LEN + 1], int64_t ms)
{
	if (ms == 0)
		return NULL;
	clock_format(ms, text);
	return text;
}

/*
 * Grants.
 */
int
linnet_create_grant(struct linnet *l, const struct linnet_grant *g,
    linnet_reply_fn *fn, void *arg)
{
	char at[CLOCK_RFC3339_LEN + 1], uses[24];

	return linnet_ops_ask(OPS_ONCE("create_grant"),
	    "member:s capability:s resourceType:s resourceId:s expiresAt:s "
	    "maxUses:j constraints:j",
	    g->member, g->capability, g->resource_type, g->resource_id,
	    permission_time(at, g->expires_at),
	    linnet_ops_number(uses, g->max_uses), g->constraints);
}

int
linnet_revoke_grant(struct linnet *l, const char *grant_id, const char *reason,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("revoke_grant"), "grantId:s reason:s", grant_id, reason);
}

int
linnet_revoke_grants(struct linnet *l, const char *member, const char *reason,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("revoke_grants"), "member:s reason:s", member, reason);
}

int
linnet_list_grants(struct linnet *l, const struct linnet_permission_query *q,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_grants"),
	    "member:s limit:j after:s", q->member,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_check_grant(struct linnet *l, const struct linnet_grant *g,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_REPEAT("check_grant"),
	    "capability:s member:s resourceType:s resourceId:s", g->capability,
	    g->member, g->resource_type, g->resource_id);
}

/*
 * Requests.
 */
int
linnet_request_permission(struct linnet *l, const struct linnet_permission *p,
    linnet_reply_fn *fn, void *arg)
{
	uint8_t random[ID_LEN];
	char id[2 * ID_LEN + 1];

	crypto_random_bytes(random, sizeof(random));
	crypto_hex(id, random, sizeof(random));
	return linnet_ops_ask(OPS_REPEAT("request_permission"),
	    "action:s resourceType:s resourceId:s context:j idempotencyKey:s",
	    p->action, p->resource_type, p->resource_id, p->context,
	    p->id != NULL ? p->id : id);
}

int
linnet_list_permission_requests(struct linnet *l,
    const struct linnet_permission_query *q, linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_permission_requests"),
	    "member:s limit:j after:s", q->member,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_get_permission_request(
    struct linnet *l, const char *request_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_REPEAT("get_permission_request"), "requestId:s", request_id);
}

int
linnet_resolve_permission(struct linnet *l, const struct linnet_resolution *s,
    linnet_reply_fn *fn, void *arg)
{
	char at[CLOCK_RFC3339_LEN + 1], uses[24];

	return linnet_ops_ask(OPS_ONCE("resolve_permission"),
	    "requestId:s approve:j notes:s expiresAt:s maxUses:j",
	    s->request_id, s->approve ? "true" : "false", s->notes,
	    permission_time(at, s->expires_at),
	    linnet_ops_number(uses, s->max_uses));
}

/*
 * Commands.
 */
int
linnet_register_command(struct linnet *l, const struct linnet_command *c,
    linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(OPS_ONCE("register_command"),
	    "name:s description:s argsSchema:j channel:s", c->name,
	    c->description, c->args_schema, c->channel);
}

int
linnet_list_commands(struct linnet *l, const struct linnet_command_query *q,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("list_commands"),
	    "channel:s limit:j after:s", q->channel,
	    linnet_ops_number(limit, q->limit), q->after);
}

int
linnet_delete_command(
    struct linnet *l, const char *command_id, linnet_reply_fn *fn, void *arg)
{
	return linnet_ops_ask(
	    OPS_ONCE("delete_command"), "commandId:s", command_id);
}

int
linnet_search(struct linnet *l, const struct linnet_search *s,
    linnet_reply_fn *fn, void *arg)
{
	char limit[24];

	return linnet_ops_ask(OPS_REPEAT("search"),
	    "query:s entityTypes:a channel:s limit:j after:s", s->query,
	    s->types, s->channel, linnet_ops_number(limit, s->limit), s->after);
}

/*
 * Notices.
 */
static const char *const notice_kinds[] = { "permission_request",
	"permission_resolved", "command_invoked", "mention" };

static void
notice_tell(struct linnet *l, const char *kind, const char *text, size_t n)
{
	const struct json *j = &l->json;
	size_t at = json_get(j, 0, "payload"), args;
	struct linnet_notice t = {
		.kind = kind, .args = "null", .json = text, .json_length = n
	};
	struct pool p;

	if (at == 0 || j->nodes[at].type != JSON_OBJECT)
		return;
	pool_init(&p);
	t.at = linnet_json_str(&p, j, 0, "at");
	t.member_id = linnet_json_str(&p, j, at, "memberId");
	t.name = linnet_json_str(&p, j, at, "name");
	t.request_id = linnet_json_str(&p, j, at, "requestId");
	t.action = linnet_json_str(&p, j, at, "action");
	t.resource_type = linnet_json_str(&p, j, at, "resourceType");
	t.resource_id = linnet_json_str(&p, j, at, "resourceId");
	t.status = linnet_json_str(&p, j, at, "status");
	t.grant_id = linnet_json_str(&p, j, at, "grantId");
	t.command_id = linnet_json_str(&p, j, at, "commandId");
	t.command = linnet_json_str(&p, j, at, "command");
	t.invocation_id = linnet_json_str(&p, j, at, "invocationId");
	t.channel_id = linnet_json_str(&p, j, at, "channelId");
	t.message_id = linnet_json_str(&p, j, at, "messageId");
	t.seq = linnet_json_int(j, at, "seq");
	t.label = linnet_json_str(&p, j, at, "label");
	if ((args = json_get(j, at, "args")) != 0 &&
	    j->nodes[args].type == JSON_OBJECT)
		t.args = pool_strndup(&p, j->nodes[args].p, j->nodes[args].n);
	l->config.callbacks.notice(l->config.arg, l, &t);
	pool_free(&p);
}

bool
linnet_permission_receive(
    struct linnet *l, const struct json_node *type, const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < NELEM(notice_kinds); i++)
		if (json_is(type, notice_kinds[i])) {
			if (l->config.callbacks.notice != NULL)
				notice_tell(l, notice_kinds[i], text, n);
			return true;
		}
	return false;
}
