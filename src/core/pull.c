/* SPDX-License-Identifier: ISC */
/*
 * pull: a session asks for what its status holds back.
 *
 * What is held for who works is not lost to it: an agent that has a moment
 * reads it without saying that it is idle.  The pushes come before the answer;
 * from then on they are as any other, acks and all.
 */
#include <string.h>

#include "core/domain.h"

#define PULL_MAX 100
#define PULL_COUNT_MAX 1000

struct pull_in {
	int64_t limit;
};

static const struct field pull_in_fields[] = {
	{ "limit", F_INT, offsetof(struct pull_in, limit), 0, PULL_MAX, 0, NULL,
	    NULL, 0,
	    "At most so many; none when absent: the answer says what waits." },
	{ .type = F_END },
};

struct pull_out {
	int64_t pushed;
	int64_t waiting;
	struct slice highest;
};

#define OUT(field) offsetof(struct pull_out, field)
static const struct field pull_out_fields[] = {
	{ "pushed", F_INT, OUT(pushed), 0, 0, 0, NULL, NULL, 0,
	    "How many were pushed." },
	{ "waiting", F_INT, OUT(waiting), 0, 0, 0, NULL, NULL, 0,
	    "How many wait still, up to 1000." },
	{ "highest", F_STR, OUT(highest), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The highest priority of those." },
	{ .type = F_END },
};
#undef OUT

void
pull_waiting(
    const struct db_result *res, int64_t *waiting, struct slice *highest)
{
	const char *name;

	*waiting = db_int(res, 0, 0);
	if (*waiting == 0)
		return;
	name = table_priorities[db_int(res, 0, 1)];
	*highest = (struct slice){ name, strlen(name) };
}

static void
pull_counted(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct pull_out *out = r->context;

	if (op_db_failed(r, res))
		return;
	pull_waiting(res, &out->waiting, &out->highest);
	op_reply(r, out);
}

static void
pull_count(struct request *r, const struct session *s)
{
	struct db_params *p = db_params(STMT_delivery_waiting);

	db_put_id(p, &s->info.id);
	db_put_id(p, &s->info.member);
	db_put_int(p, PULL_COUNT_MAX);
	db_put_bool(p, false);
	db_query(r->core->reads, p, pull_counted, r);
}

static void
pull_claimed(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	struct pull_out *out = r->context;
	struct session *s;
	size_t i;

	if (op_db_failed(r, res))
		return;
	/* Without the session its end frees what was claimed. */
	if (r->client == NULL || r->client->session == NULL) {
		op_reply(r, out);
		return;
	}
	s = r->client->session;
	for (i = 0; i < db_rows(res); i++)
		delivery_claimed(s, res, i, true);
	out->pushed = (int64_t)db_rows(res);
	pull_count(r, s);
}

static void
pull_exec(struct request *r, void *arg)
{
	const struct pull_in *in = arg;
	const struct core_limits *l = &r->core->limits;
	struct session *s = r->client->session;
	struct db_params *p;
	size_t room, bytes;

	r->context = pool_zalloc(&r->pool, sizeof(struct pull_out));
	if (in->limit == 0 || s->info.control ||
	    (room = delivery_room(s, &bytes)) == 0) {
		pull_count(r, s);
		return;
	}
	if (room > (size_t)in->limit)
		room = (size_t)in->limit;
	p = db_params(STMT_delivery_claim);
	db_put_id(p, &s->info.id);
	db_put_id(p, &s->info.member);
	db_put_int(p, PRIORITY_LOW);
	db_put_int(p, (int64_t)room);
	db_put_int(p, l->ack_ms);
	db_put_int(p, (int64_t)bytes);
	db_query(r->core->reads, p, pull_claimed, r);
}

const struct op op_pull = {
	.name = "pull",
	.scope = SCOPE_MESSAGES_READ,
	.reply = "pulled",
	.flags = OP_SESSION,
	.in = pull_in_fields,
	.in_size = sizeof(struct pull_in),
	.out = pull_out_fields,
	.exec = pull_exec,
	.text =
	    "Have messages pushed that the session's status holds back, the "
	    "oldest first.",
};
