/* SPDX-License-Identifier: ISC */
/*
 * grant create, list, revoke, check: permissions that members have beside what
 * their roles give them.
 */
#include "cli/cli.h"

#include <sysexits.h>

#define GRANT_NOT 1 /* the status of a check that says no */

static int
create_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_create_grant(l, arg, linnet_keep, r);
}

static int
create_print(struct cli *c, const struct json *j)
{
	if (!c->json)
		fprintf(c->out, "%s\n", cli_json_safe(c, j, 0, "grantId"));
	return 0;
}

int
cli_grant_create(struct cli *c)
{
	static const struct cli_question q = {
		.ask = create_ask,
		.print = create_print,
	};
	struct linnet_grant g = {
		.member = c->argv[0],
		.capability = c->argv[1],
		.resource_type = c->argv[2],
		.resource_id = c->argc > 3 ? c->argv[3] : NULL,
		.max_uses = cli_given_num(c, "uses", 0),
	};

	if (g.max_uses < 0 || !cli_given_expiry(c, "expires", &g.expires_at))
		return EX_USAGE;
	if (!cli_given_object(c, "constraints", &g.constraints))
		return EX_DATAERR;
	return cli_ask(c, &q, &g);
}

static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_list_grants(l, arg, linnet_keep, r);
}

int
cli_grant_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "ID", "grantId", CELL_TEXT },
		{ "CAPABILITY", "capability", CELL_TEXT },
		{ "ON", "resourceType", CELL_TEXT },
		{ "WHICH", "resourceId", CELL_TEXT },
		{ "EXPIRES", "expiresAt", CELL_TEXT },
		{ "USED", "usesCount", CELL_NUMBER },
		{ "LEFT", "remainingUses", CELL_VALUE },
		{ "CONSTRAINTS", "constraints", CELL_VALUE },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "grants",
		.columns = columns,
		.none = "there are no grants",
	};
	const struct linnet_permission_query query = {
		.member = c->argc > 0 ? c->argv[0] : NULL,
		.limit = cli_given_num(c, "limit", 0),
		.after = cli_given(c, "after"),
	};

	return query.limit >= 0 ? cli_ask(c, &q, &query) : EX_USAGE;
}

static int
revoke_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const char *reason = cli_given(c, "reason");

	(void)arg;
	return cli_given(c, "all") != NULL
		   ? linnet_revoke_grants(l, c->argv[0], reason, linnet_keep, r)
		   : linnet_revoke_grant(l, c->argv[0], reason, linnet_keep, r);
}

static int
revoke_print(struct cli *c, const struct json *j)
{
	size_t list = cli_json_list(j, 0, "revokedGrantIds"), at, n = 0;

	if (list == 0) {
		if (!cli_json_bool(j, 0, "existed"))
			cli_print_note(c, "it was revoked before");
		return 0;
	}
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end)
		n++;
	cli_print_note(c, "%zu grant%s taken away", n, n == 1 ? "" : "s");
	return 0;
}

int
cli_grant_revoke(struct cli *c)
{
	static const struct cli_question q = {
		.ask = revoke_ask,
		.print = revoke_print,
	};

	return cli_ask(c, &q, NULL);
}

static int
check_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_check_grant(l, arg, linnet_keep, r);
}

static int
check_print(struct cli *c, const struct json *j)
{
	bool has = cli_json_bool(j, 0, "hasGrant");

	if (!c->json)
		fprintf(c->out, "%s\n", has ? "yes" : "no");
	return has ? 0 : GRANT_NOT;
}

int
cli_grant_check(struct cli *c)
{
	static const struct cli_question q = {
		.ask = check_ask,
		.print = check_print,
	};
	const struct linnet_grant g = {
		.member = cli_given(c, "member"),
		.capability = c->argv[0],
		.resource_type = c->argc > 1 ? c->argv[1] : NULL,
		.resource_id = c->argc > 2 ? c->argv[2] : NULL,
	};

	return cli_ask(c, &q, &g);
}
