/* SPDX-License-Identifier: ISC */
/*
 * Who and what a message calls: members that it mentions, and commands, each
 * of which is some member's to do.
 *
 * What is meant is looked up before the message is stored, and stands in lines
 * behind the message's own; then those who are meant are told.  Who may not see
 * the channel is not told, and cannot be mentioned.
 */
#include <string.h>

#include "core/grant.h"

#define REFS_NODES ((size_t)1 << 20)
#define REFS_DEPTH 64
#define REFS_TEXT_MAX 256 /* bytes */
#define REFS_LABEL_MAX 1024
#define REFS_KEYS 100	   /* of arguments, in a line */
#define REFS_ARGS_MAX 2048 /* bytes of arguments that a notice takes along */

static struct slice
refs_trim(struct slice s)
{
	while (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL)
		s = (struct slice){ s.p + 1, s.n - 1 };
	while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}

static bool
refs_fail(struct request *r, size_t part, const char *key, const char *what)
{
	op_fail(r, ERR_MALFORMED, "parts[%zu].payload.%s: must be %s.", part,
	    key, what);
	return false;
}

/* A text of a payload, trimmed; absent and null are {NULL, 0}. */
static bool
refs_text(struct request *r, const struct json *j, size_t part, const char *key,
    size_t max, struct slice *out)
{
	size_t i = json_get(j, 0, key);
	const struct json_node *n = &j->nodes[i];
	char *text;

	*out = (struct slice){ NULL, 0 };
	if (i == 0 || n->type == JSON_NULL)
		return true;
	if (n->type != JSON_STRING || n->n > 6 * max)
		return refs_fail(r, part, key, "a short text");
	text = pool_alloc(&r->pool, n->n + 1);
	*out = refs_trim((struct slice){ text, json_unescape(n, text) });
	if (out->n > max || memchr(out->p, '\0', out->n) != NULL)
		return refs_fail(r, part, key, "a short text");
	return true;
}

/* -1: it is not there. */
static bool
refs_place(struct request *r, const struct json *j, size_t part,
    const char *key, int64_t *out)
{
	size_t i = json_get(j, 0, key);
	const struct json_node *n = &j->nodes[i];

	*out = -1;
	if (i == 0 || n->type == JSON_NULL)
		return true;
	if (n->type == JSON_NUMBER && json_int(n, out) == 0 && *out >= 0)
		return true;
	return refs_fail(r, part, key, "a whole number from 0");
}

static bool
refs_mention(struct request *r, const struct json *j, struct post_mention *m)
{
	struct slice id;

	if (!refs_text(r, j, m->part, "actorId", REFS_TEXT_MAX, &id) ||
	    !refs_text(r, j, m->part, "label", REFS_LABEL_MAX, &m->label) ||
	    !refs_place(r, j, m->part, "start", &m->start) ||
	    !refs_place(r, j, m->part, "end", &m->end))
		return false;
	if (id_parse(&m->member, id.n > 0 ? id.p : "", id.n) != 0)
		return refs_fail(r, m->part, "actorId", "the id of a member");
	if (m->end >= 0 && m->end < m->start)
		return refs_fail(r, m->part, "end", "start or more");
	return true;
}

/* "owner:name" or "name", perhaps behind a stroke. */
static bool
refs_name(struct request *r, struct post_command *c)
{
	struct slice s = c->text;
	const char *colon;

	if (s.n > 0 && s.p[0] == '/')
		s = refs_trim((struct slice){ s.p + 1, s.n - 1 });
	if (s.n == 0)
		return refs_fail(
		    r, c->part, "command", "the name of a command");
	c->owner_name = (struct slice){ "", 0 };
	c->name = s;
	colon = memchr(s.p, ':', s.n);
	if (colon == NULL || colon == s.p)
		return true;
	c->owner_name = refs_trim((struct slice){ s.p, (size_t)(colon - s.p) });
	c->name = refs_trim(
	    (struct slice){ colon + 1, (size_t)(s.p + s.n - colon) - 1 });
	if (c->owner_name.n > 0 && c->name.n > 0)
		return true;
	return refs_fail(
	    r, c->part, "command", "OWNER:NAME, or a name without a colon");
}

/* The keys of an object, as JSON. */
static struct slice
refs_keys(struct request *r, const struct json *j, size_t i)
{
	const struct json_node *nodes = j->nodes;
	struct json_writer w;
	struct slice out;
	struct buf b;
	char key[REFS_TEXT_MAX];
	size_t k, n = 0;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_array(&w);
	for (k = JSON_FIRST(i); i > 0 && k != nodes[i].end && n < REFS_KEYS;
	     k = nodes[k + 1].end) {
		if (nodes[k].n > sizeof(key))
			continue;
		json_strn(&w, key, json_unescape(&nodes[k], key));
		n++;
	}
	json_array_end(&w);
	out = (struct slice){ pool_strndup(&r->pool, b.data, b.len), b.len };
	buf_free(&b);
	return out;
}

static bool
refs_command(struct request *r, const struct json *j, struct post_command *c)
{
	size_t i = json_get(j, 0, "args");
	const struct json_node *n = &j->nodes[i];

	if (!refs_text(r, j, c->part, "command", REFS_TEXT_MAX, &c->text) ||
	    !refs_text(
		r, j, c->part, "invocationId", REFS_TEXT_MAX, &c->invocation))
		return false;
	if (!refs_name(r, c))
		return false;
	if (i > 0 && n->type != JSON_OBJECT)
		return refs_fail(r, c->part, "args", "an object");
	if (i > 0)
		c->args = grant_keep(r, (struct slice){ n->p, n->n });
	c->keys = refs_keys(r, j, i);
	return true;
}

bool
post_refs_read(
    struct request *r, const struct list *parts, struct post_refs *out)
{
	const struct post_part *v = parts->v;
	struct json j;
	bool good = true;
	size_t i;

	memset(out, 0, sizeof(*out));
	json_init(&j, REFS_NODES, REFS_DEPTH);
	/* A failed request is gone, with its parts. */
	for (i = 0; good && i < parts->n; i++) {
		if (v[i].type != POST_MENTION && v[i].type != POST_COMMAND)
			continue;
		if (out->mentions == NULL) {
			out->mentions = pool_zalloc(
			    &r->pool, parts->n * sizeof(*out->mentions));
			out->commands = pool_zalloc(
			    &r->pool, parts->n * sizeof(*out->commands));
		}
		if (json_read(&j, v[i].payload.p, v[i].payload.n) != 0)
			good = refs_fail(r, i, "", "JSON");
		else if (v[i].type == POST_MENTION) {
			out->mentions[out->nmentions].part = i;
			good = refs_mention(
			    r, &j, &out->mentions[out->nmentions++]);
		} else {
			out->commands[out->ncommands].part = i;
			good = refs_command(
			    r, &j, &out->commands[out->ncommands++]);
		}
	}
	json_free(&j);
	return good;
}

/*
 * Who is meant.
 */
struct refs_search {
	struct request *request;
	struct post_refs *refs;
	struct id channel; /* the stream */
	struct id root;
	post_refs_fn *fn;
};

/* The client may have left meanwhile. */
static bool
refs_failed(struct request *r, const struct db_result *res)
{
	if (op_db_failed(r, res))
		return true;
	if (r->client != NULL && r->client->session != NULL)
		return false;
	op_fail(r, ERR_UNAVAILABLE, NULL);
	return true;
}

static void
refs_ambiguous(struct request *r, const struct db_result *res, size_t first,
    size_t n, const struct post_command *c)
{
	struct slice *v = pool_alloc(&r->pool, n * sizeof(*v)), owner;
	size_t i;

	for (i = 0; i < n; i++) {
		owner = db_text(res, first + i, 3);
		v[i].p = pool_printf(&r->pool, SLICE_FMT ":" SLICE_FMT,
		    SLICE_ARG(owner), SLICE_ARG(c->name));
		v[i].n = strlen(v[i].p);
	}
	r->error_names = (struct list){ v, n };
	op_fail(r, ERR_MALFORMED,
	    "Several members have a command '" SLICE_FMT "'; use the long "
	    "form: " SLICE_FMT ", or " SLICE_FMT ".",
	    SLICE_ARG(c->name), SLICE_ARG(v[0]), SLICE_ARG(v[1]));
}

/* The rows that are about command k, from row *at on; false: several are as
 * good. */
static bool
refs_take(
    struct refs_search *f, const struct db_result *res, size_t k, size_t *at)
{
	struct post_command *c = &f->refs->commands[k];
	size_t first = *at, level = 0;

	while (*at < db_rows(res) && db_int(res, *at, 0) == (int64_t)k + 1) {
		if (db_bool(res, *at, 4) == db_bool(res, first, 4))
			level++;
		(*at)++;
	}
	if (*at == first)
		return true;
	if (level > 1 && c->owner_name.n == 0) {
		refs_ambiguous(f->request, res, first, level, c);
		return false;
	}
	db_id(res, first, 1, &c->command);
	db_id(res, first, 2, &c->owner);
	c->sees = db_bool(res, first, 5);
	return true;
}

static void
refs_commands_found(void *arg, const struct db_result *res)
{
	struct refs_search *f = arg;
	size_t k, at = 0;

	if (refs_failed(f->request, res))
		return;
	for (k = 0; k < f->refs->ncommands; k++)
		if (!refs_take(f, res, k, &at))
			return;
	f->fn(f->request);
}

static void
refs_commands(struct refs_search *f)
{
	struct request *r = f->request;
	const struct post_refs *refs = f->refs;
	struct slice *owners, *names;
	struct db_params *p;
	size_t i;

	if (refs->ncommands == 0) {
		f->fn(r);
		return;
	}
	owners = pool_alloc(&r->pool, refs->ncommands * sizeof(*owners));
	names = pool_alloc(&r->pool, refs->ncommands * sizeof(*names));
	for (i = 0; i < refs->ncommands; i++) {
		owners[i] = refs->commands[i].owner_name;
		names[i] = refs->commands[i].name;
	}
	p = db_params(STMT_command_find);
	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, &f->root);
	db_put_texts(p, owners, refs->ncommands);
	db_put_texts(p, names, refs->ncommands);
	db_put_id(p, &f->channel);
	db_query(r->core->reads, p, refs_commands_found, f);
}

static void
refs_mentions_found(void *arg, const struct db_result *res)
{
	struct refs_search *f = arg;
	struct request *r = f->request;
	char hex[ID_HEX_LEN + 1];
	const struct post_mention *m;
	size_t i;

	if (refs_failed(r, res))
		return;
	for (i = 0; i < db_rows(res) && i < f->refs->nmentions; i++) {
		m = &f->refs->mentions[i];
		if (db_bool(res, i, 1) && db_bool(res, i, 2))
			continue;
		op_fail(r, ERR_MALFORMED,
		    db_bool(res, i, 1)
			? "parts[%zu]: %s may not see this channel; only who "
			  "may can be mentioned here."
			: "parts[%zu]: no member here has the id %s.",
		    m->part, id_hex(&m->member, hex));
		return;
	}
	refs_commands(f);
}

void
post_refs_find(struct request *r, const struct channel *c,
    struct post_refs *refs, post_refs_fn *fn)
{
	struct refs_search *f = pool_alloc(&r->pool, sizeof(*f));
	struct slice *ids;
	struct db_params *p;
	size_t i;
	char *hex;

	*f = (struct refs_search){ r, refs, c->id,
		channel_is_thread(c) ? c->root : c->id, fn };
	if (refs->nmentions == 0) {
		refs_commands(f);
		return;
	}
	ids = pool_alloc(&r->pool, refs->nmentions * sizeof(*ids));
	for (i = 0; i < refs->nmentions; i++) {
		hex = pool_alloc(&r->pool, ID_HEX_LEN + 1);
		ids[i] = (struct slice){ id_hex(&refs->mentions[i].member, hex),
			ID_HEX_LEN };
	}
	p = db_params(STMT_mention_check);
	db_put_id(p, &r->client->session->mesh->id);
	db_put_id(p, &c->id);
	db_put_texts(p, ids, refs->nmentions);
	db_query(r->core->reads, p, refs_mentions_found, f);
}

/*
 * Lines and notices.
 */
static void
refs_put_num(struct json_writer *w, const char *key, int64_t v)
{
	json_key(w, key);
	if (v >= 0)
		json_num(w, v);
	else
		json_null(w);
}

static void
refs_line_end(struct journal_line *l, const struct post *p, bool is_thread,
    size_t k, const char *type)
{
	json_id_at(&l->w, "streamId", &p->channel);
	journal_hole(l, "streamSeq");
	json_key(&l->w, "streamType");
	json_str(&l->w, is_thread ? "thread" : "channel");
	journal_end(l, (int64_t)k, type);
}

void
post_refs_lines(struct db_params *row, const struct post *p, bool is_thread,
    const struct post_refs *refs)
{
	const struct post_mention *m;
	const struct post_command *c;
	struct journal_line l;
	size_t i, k = 0;

	for (i = 0; i < refs->nmentions; i++) {
		m = &refs->mentions[i];
		journal_begin(&l, row);
		json_id_at(&l.w, "actorId", &p->member);
		refs_put_num(&l.w, "end", m->end);
		json_text_at(&l.w, "label", m->label);
		json_id_at(&l.w, "mentionedActorId", &m->member);
		json_id_at(&l.w, "messageId", &p->id);
		json_id_at(&l.w, "orgId", &p->mesh);
		refs_put_num(&l.w, "partIndex", (int64_t)m->part);
		refs_put_num(&l.w, "start", m->start);
		refs_line_end(&l, p, is_thread, ++k, "mention.recorded");
	}
	for (i = 0; i < refs->ncommands; i++) {
		c = &refs->commands[i];
		journal_begin(&l, row);
		json_id_at(&l.w, "actorId", &p->member);
		json_key(&l.w, "argKeys");
		json_raw(&l.w, c->keys.p, c->keys.n);
		json_text_at(&l.w, "command", c->text);
		json_id_at(&l.w, "commandId", &c->command);
		json_text_at(&l.w, "invocationId", c->invocation);
		json_id_at(&l.w, "messageId", &p->id);
		json_id_at(&l.w, "orgId", &p->mesh);
		json_id_at(&l.w, "ownerActorId", &c->owner);
		refs_put_num(&l.w, "partIndex", (int64_t)c->part);
		refs_line_end(&l, p, is_thread, ++k, "command.invoked");
	}
}

/* Where it was said, and by whom. */
static void
refs_put_where(struct json_writer *w, const struct post *p, size_t part)
{
	json_id_at(w, "channelId", &p->channel);
	json_id_at(w, "messageId", &p->id);
	refs_put_num(w, "seq", p->seq);
	refs_put_num(w, "partIndex", (int64_t)part);
	json_id_at(w, "memberId", &p->member);
	json_text_at(w, "name", p->by_name);
}

static void
refs_notice(struct core *c, const struct post *p, enum notice_kind kind,
    const struct id *to, const struct buf *b)
{
	struct notice n = { .kind = kind,
		.mesh = p->mesh,
		.to = *to,
		.about = p->id,
		.at_ms = p->created_ms,
		.payload = { b->data, b->len } };

	notice(c, &n);
}

void
post_refs_tell(
    struct core *c, const struct post *p, const struct post_refs *refs)
{
	const struct post_mention *m;
	const struct post_command *k;
	struct json_writer w;
	struct buf b;
	size_t i;

	buf_init(&b, SIZE_MAX / 2);
	for (i = 0; i < refs->nmentions; i++) {
		m = &refs->mentions[i];
		buf_clear(&b);
		json_start(&w, &b);
		json_object(&w);
		refs_put_where(&w, p, m->part);
		json_text_at(&w, "label", m->label);
		json_object_end(&w);
		refs_notice(c, p, NOTICE_MENTION, &m->member, &b);
	}
	for (i = 0; i < refs->ncommands; i++) {
		k = &refs->commands[i];
		if (!k->sees)
			continue;
		buf_clear(&b);
		json_start(&w, &b);
		json_object(&w);
		json_id_at(&w, "commandId", &k->command);
		json_text_at(&w, "command", k->text);
		json_text_at(&w, "invocationId", k->invocation);
		/* Who wants to know more reads the message. */
		json_key(&w, "args");
		if (k->args.p != NULL && k->args.n <= REFS_ARGS_MAX)
			json_raw(&w, k->args.p, k->args.n);
		else
			json_null(&w);
		refs_put_where(&w, p, k->part);
		json_object_end(&w);
		refs_notice(c, p, NOTICE_COMMAND_INVOKED, &k->owner, &b);
	}
	buf_free(&b);
}
