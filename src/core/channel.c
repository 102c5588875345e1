/* SPDX-License-Identifier: ISC */
/*
 * New channels and threads, and which one is meant by a name.
 *
 * Channels of one name may be there: clients of message-layer make them.  Who
 * asks here does not make a second one, and who names one of several is told
 * their ids.
 */
#include <string.h>

#include "core/grant.h"

#define CHANNEL_CANDIDATES 8

const char *const channel_visibilities[] = { "private", "public", NULL };
const char *const channel_streams[] = { "channel", "thread", NULL };

struct channel_query {
	struct request *request;
	struct slice which;
	channel_fn *fn;
};

bool
channel_is_thread(const struct channel *c)
{
	return !id_is_null(&c->root);
}

void
channel_unknown(struct request *r, struct slice which)
{
	op_fail(r, ERR_NOT_FOUND,
	    "There is no channel \"" SLICE_FMT "\" for you; list_channels has "
	    "those that there are.",
	    SLICE_ARG(which));
}

static void
channel_ambiguous(struct channel_query *q, const struct db_result *res)
{
	struct request *r = q->request;
	size_t i, n = db_rows(res);
	struct slice *v = pool_alloc(&r->pool, n * sizeof(*v));
	struct id id;
	char *hex;

	for (i = 0; i < n; i++) {
		hex = pool_alloc(&r->pool, ID_HEX_LEN + 1);
		db_id(res, i, 0, &id);
		v[i] = (struct slice){ id_hex(&id, hex), ID_HEX_LEN };
	}
	r->error_names = (struct list){ v, n };
	op_fail(r, ERR_AMBIGUOUS_TARGET,
	    "Several channels are called \"" SLICE_FMT "\"; say the id.",
	    SLICE_ARG(q->which));
}

static struct slice
channel_keep(struct request *r, struct slice s)
{
	return (struct slice){ pool_dup(&r->pool, s.p, s.n), s.n };
}

static void
channel_found(void *arg, const struct db_result *res)
{
	struct channel_query *q = arg;
	struct request *r = q->request;
	struct channel *c;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (db_rows(res) == 0) {
		channel_unknown(r, q->which);
		return;
	}
	if (db_rows(res) > 1) {
		channel_ambiguous(q, res);
		return;
	}
	c = pool_zalloc(&r->pool, sizeof(*c));
	db_id(res, 0, 0, &c->id);
	if (!db_null(res, 0, 1))
		db_id(res, 0, 1, &c->root);
	if (!db_null(res, 0, 2))
		db_id(res, 0, 2, &c->parent);
	c->name = channel_keep(r, db_text(res, 0, 3));
	c->private = db_bool(res, 0, 4);
	c->seq = db_int(res, 0, 5);
	if (!db_null(res, 0, 6))
		c->role = channel_keep(r, db_text(res, 0, 6));
	c->last_n = db_int(res, 0, 7);
	c->may_admin =
	    db_bool(res, 0, 8) || grant_has(r->client, SCOPE_CHANNEL_ADMIN);
	q->fn(r, c);
}

void
channel_find(struct request *r, struct slice which, channel_fn *fn)
{
	const struct session *s = r->client->session;
	struct channel_query *q = pool_alloc(&r->pool, sizeof(*q));
	struct db_params *p = db_params(STMT_channel_find);
	struct slice name = which;
	struct id id;
	char *folded;

	if (name.n > 0 && name.p[0] == '#')
		name = (struct slice){ name.p + 1, name.n - 1 };
	folded = pool_alloc(&r->pool, 2 * name.n + 1);
	*q = (struct channel_query){ r, which, fn };
	db_put_id(p, &s->mesh->id);
	db_put_id(p, id_parse(&id, name.p, name.n) == 0 ? &id : NULL);
	db_put_text(p, folded, str_fold(folded, name.p, name.n));
	db_put_id(p, &s->info.member);
	db_put_int(p, CHANNEL_CANDIDATES);
	db_query(r->core->reads, p, channel_found, q);
}

/*
 * create_channel, create_thread
 */
struct make_in {
	struct slice name;
	struct slice topic;
	bool private;
	int visibility;
	struct slice channel; /* of a thread */
	struct id message;
};

#define IN(field) offsetof(struct make_in, field)
static const struct field channel_fields[] = {
	{ "name", F_NAME, IN(name), 1, CHANNEL_NAME_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0,
	    "Name, without #; another one than those that there are." },
	{ "topic", F_STR, IN(topic), 0, CHANNEL_TOPIC_MAX, 0, NULL, NULL, 0,
	    "What it is about." },
	{ "private", F_BOOL, IN(private), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Only its members know of it." },
	{ "visibility", F_ENUM, IN(visibility), 0, 0, FIELD_REST,
	    channel_visibilities, NULL, 0,
	    "private, when absent: only its members know of it." },
	{ .type = F_END },
};

static const struct field thread_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel: its id, or its name." },
	{ "messageId", F_ID, IN(message), 0, 0, FIELD_REQUIRED | FIELD_MESH,
	    NULL, NULL, 0, "The message in it that the thread is about." },
	{ "private", F_BOOL, IN(private), 0, 0, FIELD_MESH, NULL, NULL, 0,
	    "Only members of the channel may read it." },
	{ "channelId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel: its id, or its name." },
	{ "parentMessageId", F_ID, IN(message), 0, 0,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "The message in it that the thread is about." },
	{ "visibility", F_ENUM, IN(visibility), 0, 0, FIELD_REST,
	    channel_visibilities, NULL, 0,
	    "private, when absent: only members of the channel may read "
	    "it." },
	{ .type = F_END },
};
#undef IN

struct make_out {
	struct id id;
	struct slice name;
};

static const struct field make_out_fields[] = {
	{ "channelId", F_ID, offsetof(struct make_out, id), 0, 0, 0, NULL, NULL,
	    0, "The id of the channel." },
	{ "name", F_STR, offsetof(struct make_out, name), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "Its name." },
	{ .type = F_END },
};

static const struct field thread_out_fields[] = {
	{ "channelId", F_ID, offsetof(struct make_out, id), 0, 0, FIELD_MESH,
	    NULL, NULL, 0, "The id of the thread." },
	{ "threadId", F_ID, offsetof(struct make_out, id), 0, 0, FIELD_REST,
	    NULL, NULL, 0, "The id of the thread." },
	{ .type = F_END },
};

struct making {
	struct request *request;
	struct id mesh;
	struct id of; /* the channel of a thread, or zero */
	struct make_out out;
};

static void
made(void *arg, const struct db_result *res)
{
	struct making *m = arg;
	struct request *r = m->request;

	if (op_db_failed(r, res))
		return;
	switch (db_int(res, 0, 0)) {
	case 0:
		op_reply(r, &m->out);
		break;
	case 1:
		op_fail(r, ERR_ID_CONFLICT,
		    "There is a channel \"" SLICE_FMT "\" already; join it, "
		    "or take another name.",
		    SLICE_ARG(m->out.name));
		break;
	case 2:
		op_fail(r, ERR_NOT_FOUND,
		    "There is no such message in that channel.");
		break;
	default:
		op_deny(r, r->op->scope, id_is_null(&m->of) ? "org" : "channel",
		    id_is_null(&m->of) ? &m->mesh : &m->of);
		break;
	}
}

static bool
make_is_private(const struct request *r)
{
	const struct make_in *in = r->in;

	return op_is_rest(r) ? in->visibility == VISIBILITY_PRIVATE
			     : in->private;
}

static void
make_line(struct db_params *p, const struct session *s, const struct making *m,
    const struct channel *of, const struct make_in *in)
{
	struct journal_line l;

	journal_begin(&l, p);
	json_key(&l.w, "channelId");
	json_id(&l.w, of != NULL ? &of->id : &m->out.id);
	json_key(&l.w, "createdByActorId");
	json_id(&l.w, &s->info.member);
	if (of == NULL) {
		json_key(&l.w, "name");
		json_strn(&l.w, in->name.p, in->name.n);
	}
	json_key(&l.w, "orgId");
	json_id(&l.w, &s->mesh->id);
	if (of != NULL) {
		json_key(&l.w, "parentMessageId");
		json_id(&l.w, &in->message);
		json_key(&l.w, "threadId");
		json_id(&l.w, &m->out.id);
	}
	json_key(&l.w, "visibility");
	json_str(&l.w, channel_visibilities[make_is_private(m->request)
						? VISIBILITY_PRIVATE
						: VISIBILITY_PUBLIC]);
	journal_end(&l, 0, of != NULL ? "thread.created" : "channel.created");
}

/* Of two of one name the second one hears of the first only if that is made,
 * and it may see it. */
static void
make_alone(
    struct db_params *p, const struct id *mesh, const char *folded, size_t n)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];
	struct id about;
	size_t i;

	crypto_digest(digest, folded, n, NULL);
	for (i = 0; i < ID_LEN; i++)
		about.b[i] = mesh->b[i] ^ digest[i];
	db_alone(p, &about);
}

/* of: the channel of a thread, or NULL. */
static void
make(struct request *r, const struct channel *of)
{
	const struct session *s = r->client->session;
	const struct make_in *in = r->in;
	struct making *m = pool_zalloc(&r->pool, sizeof(*m));
	char *folded = pool_alloc(&r->pool, 2 * in->name.n + 1);
	size_t n = str_fold(folded, in->name.p, in->name.n);
	char at[CLOCK_RFC3339_LEN + 1];
	struct db_params *p;

	m->request = r;
	m->mesh = s->mesh->id;
	m->out.name = in->name;
	if (of != NULL)
		m->of = of->id;
	id_new(&m->out.id);
	clock_format(clock_wall(), at);
	p = journal_row(r->core, STMT_channel_make, &s->mesh->id, made, m);
	if (of == NULL)
		make_alone(p, &s->mesh->id, folded, n);
	db_put_id(p, &m->out.id);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, of != NULL ? &of->id : NULL);
	db_put_id(p, of != NULL ? &in->message : NULL);
	db_put_text(p, in->name.p, in->name.n);
	db_put_text(p, folded, n);
	db_put_text(p, in->topic.p, in->topic.n);
	db_put_bool(p, make_is_private(r));
	db_put_id(p, &s->info.member);
	db_put_text(p, s->info.member_name.p, s->info.member_name.n);
	db_put_str(p, at);
	/* Over REST channels have ids, and names that others may have. */
	db_put_bool(p, !op_is_rest(r));
	db_put_str(p, grant_needs(r, SCOPE_BIT(r->op->scope)));
	make_line(p, s, m, of, in);
}

static void
create_channel_exec(struct request *r, void *arg)
{
	const struct make_in *in = arg;

	if (in->name.p[0] == '#' || in->name.p[0] == '@') {
		op_fail(r, ERR_MALFORMED,
		    "The name of a channel does not begin with # or @; # is "
		    "put before it where it is a target.");
		return;
	}
	make(r, NULL);
}

static void
create_thread_found(struct request *r, struct channel *c)
{
	if (channel_is_thread(c)) {
		op_fail(r, ERR_MALFORMED,
		    "That is a thread; threads begin at messages of "
		    "channels.");
		return;
	}
	make(r, c);
}

static void
create_thread_exec(struct request *r, void *arg)
{
	const struct make_in *in = arg;

	channel_find(r, in->channel, create_thread_found);
}

const struct op op_create_channel = {
	.name = "create_channel",
	.scope = SCOPE_CHANNEL_CREATE,
	.rest = { "POST /v1/channels" },
	.reply = "channel_created",
	.flags = OP_GRANTABLE,
	.in = channel_fields,
	.in_size = sizeof(struct make_in),
	.out = make_out_fields,
	.exec = create_channel_exec,
	.text = "Make a channel, and be its owner.",
};

const struct op op_create_thread = {
	.name = "create_thread",
	.scope = SCOPE_THREAD_CREATE,
	.rest = { "POST /v1/threads" },
	.reply = "thread_created",
	.flags = OP_GRANTABLE,
	.in = thread_fields,
	.in_size = sizeof(struct make_in),
	.out = thread_out_fields,
	.exec = create_thread_exec,
	.text = "Begin a thread at a message of a channel. It is as a channel, "
		"by its id.",
};
