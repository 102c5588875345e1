/* SPDX-License-Identifier: ISC */
/*
 * What an agent is told at once: that somebody wants a permission, that its own
 * request was decided, that a command of its is called, that it is mentioned.
 * It comes as a message does, and says what to do; the broker keeps nothing of
 * it and is not told that it was read.
 *
 * What is about a message in a channel has that message's id, so that an answer
 * to it acknowledges it; unless the channel is followed, which brings the
 * message itself.
 */
#include "cli/cli_mcp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NOTICES_MAX 200 /* that wait for an agent */

struct mesh_notice {
	TAILQ_ENTRY(mesh_notice) entry;
	char id[ID_HEX_LEN + 1];
};

static void
notice_free(struct mcp_mesh *h, struct mesh_notice *n)
{
	TAILQ_REMOVE(&h->notices, n, entry);
	h->nnotices--;
	free(n);
}

void
cli_mcp_notice_free(struct mcp_mesh *h)
{
	while (!TAILQ_EMPTY(&h->notices))
		notice_free(h, TAILQ_FIRST(&h->notices));
}

bool
cli_mcp_notice_ack(struct mcp_mesh *h, const char *id)
{
	struct mesh_notice *n;

	TAILQ_FOREACH (n, &h->notices, entry)
		if (strcmp(n->id, id) == 0) {
			notice_free(h, n);
			return true;
		}
	return false;
}

static bool
notice_is(const struct linnet_notice *n, const char *kind)
{
	return strcmp(n->kind, kind) == 0;
}

static const char *
notice_text(struct pool *p, const struct linnet_notice *n)
{
	const char *which = n->resource_id[0] != '\0' ? " " : "";

	if (notice_is(n, "permission_request"))
		return pool_printf(p,
		    "%s asks for the permission %s on %s%s%s. "
		    "list_permission_requests shows what for; ask your user, "
		    "and decide with resolve_permission and request_id %s.",
		    n->name, n->action, n->resource_type, which, n->resource_id,
		    n->request_id);
	if (notice_is(n, "permission_resolved") &&
	    strcmp(n->status, "approved") == 0)
		return pool_printf(p,
		    "Your request for the permission %s on %s%s%s was "
		    "approved.",
		    n->action, n->resource_type, which, n->resource_id);
	if (notice_is(n, "permission_resolved"))
		return pool_printf(p,
		    "Your request for the permission %s on %s%s%s was %s. Do "
		    "not look for a way around it; request_permission with "
		    "request_id %s says why.",
		    n->action, n->resource_type, which, n->resource_id,
		    n->status, n->request_id);
	if (notice_is(n, "command_invoked"))
		return pool_printf(p,
		    "%s calls your command %s with %s, in message %s of "
		    "#%s. Answer there, with reply_to.",
		    n->name, n->command, n->args, n->message_id, n->channel_id);
	return pool_printf(p,
	    "%s mentions you in #%s: read_channel with after %" PRId64
	    " shows it.",
	    n->name, n->channel_id, n->seq > 0 ? n->seq - 1 : 0);
}

/* Puts it into the inbox under an id that nothing there has. */
static void
notice_add(struct mcp_mesh *h, struct mcp_message *out, bool is_own)
{
	struct mesh_notice *n = xcalloc(1, sizeof(*n));
	uint8_t random[ID_LEN];

	(void)str_copy(n->id, out->id, sizeof(n->id));
	out->id = n->id;
	while (is_own || !mcp_inbox_add(h->inbox, out)) {
		crypto_random_bytes(random, sizeof(random));
		crypto_hex(n->id, random, sizeof(random));
		is_own = false;
	}
	TAILQ_INSERT_TAIL(&h->notices, n, entry);
	/* What is forgotten can be asked for, or read in its channel. */
	if (++h->nnotices > NOTICES_MAX) {
		mcp_inbox_drop(h->inbox, TAILQ_FIRST(&h->notices)->id);
		notice_free(h, TAILQ_FIRST(&h->notices));
	}
	mcp_arrived(h->mcp, out);
}

void
cli_mcp_notice(void *arg, struct linnet *l, const struct linnet_notice *n)
{
	struct mcp_mesh *h = arg;
	bool posted = n->message_id[0] != '\0';
	bool followed =
	    posted && cli_mcp_channel_follows(h->channels, n->channel_id);
	struct mcp_message out = {
		.id = posted ? n->message_id : n->request_id,
		.from = n->name,
		.from_key = "",
		.from_member = "",
		.to = "you",
		.priority = "next",
		.sent_at = n->at,
		.reply_to = "",
		.subtype = n->kind,
		.mesh = h->s.mesh->slug,
		.seq = n->seq,
	};
	struct pool p;

	(void)l;
	if ((followed && notice_is(n, "mention")) ||
	    (notice_is(n, "permission_resolved") &&
		mcp_decided(h->mcp, n->request_id)))
		return;
	pool_init(&p);
	if (posted)
		out.to = pool_printf(&p, "#%s", n->channel_id);
	out.text = notice_text(&p, n);
	out.length = strlen(out.text);
	notice_add(h, &out, followed);
	pool_free(&p);
}
