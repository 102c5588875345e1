/* SPDX-License-Identifier: ISC */
/*
 * Who is told of a request for a permission: of a new one those who may decide
 * it, of its end who opened it.
 *
 * Who may decide one that is about a channel is inside, if that is private, and
 * its owners and admins are among them.  The database knows that, and is asked
 * after the request was stored; nobody is told of one about what is not there.
 */
#include <stdlib.h>
#include <string.h>

#include "core/grant.h"

/* A new one about a channel, until the database has said who is told. */
struct permission_news {
	struct core *core;
	struct notice notice;
	struct buf payload;
};

static void
tell_payload(struct buf *b, const struct permission *q, bool open)
{
	struct json_writer w;

	json_start(&w, b);
	json_object(&w);
	json_id_at(&w, "requestId", &q->id);
	json_id_at(&w, "memberId", &q->member);
	json_text_at(&w, "name", q->name);
	json_text_at(&w, "action", q->action);
	json_text_at(&w, "resourceType", q->type);
	json_text_at(&w, "resourceId", q->resource);
	if (!open) {
		json_text_at(&w, "status", q->status);
		json_id_at(&w, "grantId", &q->grant);
		json_id_at(&w, "commandId", &q->command);
	}
	json_object_end(&w);
}

static void
tell_audience(void *arg, const struct db_result *res)
{
	struct permission_news *news = arg;
	struct notice_insider v[NOTICE_INSIDERS_MAX];
	struct notice *n = &news->notice;
	size_t i;

	if (db_status(res) == DB_OK && db_rows(res) > 0) {
		n->walled = db_bool(res, 0, 0);
		n->insiders = v;
		for (i = 0; i < db_rows(res) && i < NELEM(v); i++) {
			if (db_null(res, i, 1))
				break;
			db_id(res, i, 1, &v[i].member);
			v[i].bits = (db_bool(res, i, 2) ? NOTICE_MANAGES : 0) |
				    (db_bool(res, i, 3) ? NOTICE_DECIDES : 0) |
				    (db_bool(res, i, 4) ? NOTICE_GRANTED : 0);
			n->ninsiders++;
		}
		notice(news->core, n);
	}
	buf_free(&news->payload);
	free(news);
}

static void
tell_put_roles(struct db_params *p)
{
	struct slice v[ROLE_MAX];
	size_t n = 0, i;

	for (i = 0; i < ROLE_MAX; i++)
		if (table_roles[i].scopes & SCOPE_BIT(SCOPE_GRANT_CREATE))
			v[n++] = (struct slice){ table_roles[i].name,
				strlen(table_roles[i].name) };
	db_put_texts(p, v, n);
}

/* Takes the payload. */
static void
tell_channel(struct core *c, const struct notice *n, const struct permission *q,
    struct buf *payload)
{
	struct permission_news *news = xcalloc(1, sizeof(*news));
	struct db_params *p = db_params(STMT_permission_audience);
	struct id channel = grant_id(q->resource);

	news->core = c;
	news->notice = *n;
	news->payload = *payload;
	db_put_id(p, &n->mesh);
	db_put_id(p, &channel);
	tell_put_roles(p);
	db_put_id(p, &q->member);
	db_put_int(p, NOTICE_INSIDERS_MAX);
	db_query(c->reads, p, tell_audience, news);
}

void
permission_tell(
    struct core *c, const struct id *mesh, const struct permission *q)
{
	bool open = q->resolved_ms == 0;
	struct notice n = { .kind = open ? NOTICE_PERMISSION_REQUEST
					 : NOTICE_PERMISSION_RESOLVED,
		.mesh = *mesh,
		.about = q->id,
		.at_ms = open ? q->created_ms : q->resolved_ms };
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	tell_payload(&b, q, open);
	n.payload = (struct slice){ b.data, b.len };
	if (!open)
		n.to = q->member;
	else if (grant_is_stream(q->type) && q->resource.p != NULL) {
		tell_channel(c, &n, q, &b);
		return;
	}
	notice(c, &n);
	buf_free(&b);
}
