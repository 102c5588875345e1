/* SPDX-License-Identifier: ISC */
/*
 * peers: who is connected, and who could be.
 */
#include "cli/cli.h"

#include <string.h>

static void
peers_print(struct cli *c, const struct json *j)
{
	static const char *const head[] = { "NAME", "STATUS", "GROUPS", "HOST",
		"KEY", "SUMMARY", NULL };
	size_t list = cli_json_list(j, 0, "peers"), at;
	struct cli_table t;

	if (list == 0)
		return;
	cli_table_init(&t, head);
	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		cli_table_add(c, &t, cli_json_safe(c, j, at, "displayName"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "status"));
		cli_table_add(c, &t, cli_json_groups(c, j, at));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "hostname"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "pubkey"));
		cli_table_add(c, &t, cli_json_safe(c, j, at, "summary"));
	}
	cli_table_print(c, &t);
	if (t.n == 0)
		cli_print_note(c, "nobody is connected");
}

int
cli_peers(struct cli *c)
{
	const char *group = cli_given(c, "group");
	struct linnet_reply reply;
	struct json_writer w;
	struct cli_session s;
	struct slice raw;
	struct json j;
	struct buf b;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_key(&w, "all");
	json_bool(&w, cli_given(c, "all") != NULL);
	if (group != NULL) {
		json_key(&w, "group");
		json_str(&w, group[0] == '@' ? group + 1 : group);
	}
	(void)buf_str(&b);
	status =
	    cli_session_ask(c, &s, "list_peers", &b, LINNET_REPEAT, &j, &reply);
	if (status == 0 && c->json) {
		raw = cli_json_raw(&j, cli_json_list(&j, 0, "peers"));
		cli_print_json(c, raw.p, raw.n);
	} else if (status == 0)
		peers_print(c, &j);
	json_free(&j);
	buf_free(&b);
	cli_session_close(&s);
	return status;
}
