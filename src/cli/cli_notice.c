/* SPDX-License-Identifier: ISC */
/*
 * Notices, as people see them in an inbox and a watch: who wants what, and the
 * command that goes on from there.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>

/* "channel 0192f0c1...", or only the type. */
static const char *
notice_thing(struct cli *c, const struct linnet_notice *n)
{
	const char *type = cli_print_safe(c, n->resource_type);

	return n->resource_id[0] == '\0'
		   ? type
		   : pool_printf(&c->pool, "%s %s", type,
			 cli_print_safe(c, n->resource_id));
}

static const char *
notice_where(struct cli *c, const struct linnet_notice *n)
{
	return pool_printf(&c->pool,
	    "linnet replay %s --after %" PRId64 " --limit 1",
	    cli_print_safe(c, n->channel_id), n->seq > 0 ? n->seq - 1 : 0);
}

const char *
cli_notice_id(const struct linnet_notice *n)
{
	return n->request_id[0] != '\0' ? n->request_id : n->message_id;
}

const char *
cli_notice_text(struct cli *c, const struct linnet_notice *n)
{
	const char *action = cli_print_safe(c, n->action);

	if (strcmp(n->kind, "permission_request") == 0)
		return pool_printf(&c->pool,
		    "asks for %s on %s: linnet request show %s", action,
		    notice_thing(c, n), cli_print_safe(c, n->request_id));
	if (strcmp(n->kind, "permission_resolved") == 0)
		return pool_printf(&c->pool, "your request for %s on %s was %s",
		    action, notice_thing(c, n), cli_print_safe(c, n->status));
	if (strcmp(n->kind, "command_invoked") == 0)
		return pool_printf(&c->pool, "calls %s %s: %s",
		    cli_print_safe(c, n->command), cli_print_safe(c, n->args),
		    notice_where(c, n));
	return pool_printf(&c->pool, "mentions you: %s", notice_where(c, n));
}
