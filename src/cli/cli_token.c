/* SPDX-License-Identifier: ISC */
/*
 * token create, list, revoke: credentials for programs that have not the key.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static int
create_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_create_token(l, arg, linnet_keep, r);
}

/* The token alone is the output, so that it can go into a file. */
static int
create_print(struct cli *c, const struct json *j)
{
	if (!c->json)
		fprintf(c->out, "%s\n", cli_json_safe(c, j, 0, "token"));
	cli_print_note(c,
	    "token %s, good until %s, for: %s; it is not shown again",
	    cli_json_safe(c, j, 0, "tokenId"),
	    cli_json_safe(c, j, 0, "expiresAt"),
	    cli_print_safe(c, cli_json_texts(c, j, 0, "scopes")));
	return 0;
}

int
cli_token_create(struct cli *c)
{
	static const struct cli_question q = {
		.ask = create_ask,
		.print = create_print,
	};
	struct linnet_token t = { .name = cli_given(c, "name") };

	if (!cli_given_expiry(c, "expires", &t.expires_at))
		return EX_USAGE;
	t.scopes = cli_given_words(c, "scopes");
	if (t.scopes != NULL && t.scopes[0] == NULL) {
		cli_print_error("--scopes wants names with commas between, as "
				"messages:read,messages:write");
		return EX_USAGE;
	}
	return cli_ask(c, &q, &t);
}

static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_list_tokens(l, arg, linnet_keep, r);
}

int
cli_token_list(struct cli *c)
{
	static const struct cli_column columns[] = {
		{ "ID", "tokenId", CELL_TEXT },
		{ "STATE", "state", CELL_TEXT },
		{ "MEMBER", "memberName", CELL_TEXT },
		{ "NAME", "name", CELL_TEXT },
		{ "EXPIRES", "expiresAt", CELL_TEXT },
		{ "USED", "lastUsedAt", CELL_TEXT },
		{ "SCOPES", "scopes", CELL_TEXTS },
		{ NULL, NULL, CELL_TEXT },
	};
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "tokens",
		.columns = columns,
		.none = "there are no tokens",
	};
	struct linnet_token_query query = {
		.target = cli_given(c, "member"),
		.all = cli_given(c, "all") != NULL,
		.limit = cli_given_num(c, "limit", 0),
		.after = cli_given(c, "after"),
	};

	if (query.limit < 0)
		return EX_USAGE;
	return cli_ask(c, &q, &query);
}

static int
revoke_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_revoke_token(l, c->argv[0], linnet_keep, r);
}

static int
revoke_print(struct cli *c, const struct json *j)
{
	cli_print_note(c,
	    cli_json_bool(j, 0, "wasGood") ? "token %s is worthless now"
					   : "token %s was worthless before",
	    cli_json_safe(c, j, 0, "tokenId"));
	return 0;
}

int
cli_token_revoke(struct cli *c)
{
	static const struct cli_question q = {
		.ask = revoke_ask,
		.print = revoke_print,
	};

	/* Somebody may give the token in place of its id: it must not be in
	 * the error, which would say it once more. */
	if (str_starts(c->argv[0], "wat_")) {
		cli_print_error("a token is revoked by its id, as linnet token "
				"list shows it, never by itself");
		return EX_USAGE;
	}
	return cli_ask(c, &q, NULL);
}
