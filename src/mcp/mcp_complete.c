/* SPDX-License-Identifier: ISC */
/*
 * completion/complete: what could stand in an argument of a prompt, or in the
 * part of a URI that a template leaves open.
 *
 * A page of the mesh is asked, the one in which what begins with the typed
 * text has to be if the broker can tell (keys of state), else the newest; so a
 * completion costs what a list does, however much there is.  Values that begin
 * with what was typed come first, then those that have it anywhere.
 */
#include "mcp/mcp_request.h"

#include <stdlib.h>
#include <string.h>

#define COMPLETE_MAX 100 /* values that are told, as the specification says */
#define COMPLETE_FOUND 4096 /* that are looked at */
#define COMPLETE_TYPED_MAX 256u
#define COMPLETE_KEYS_PAGE 20 /* whose values come along */
#define COMPLETE_NEWEST_PAGE 50

struct value {
	const char *text;
	const char *folded;
	bool begins; /* with what was typed */
};

struct found {
	struct pool *pool;
	const char *typed; /* folded */
	struct value values[COMPLETE_FOUND];
	size_t n;
	bool more;
};

static const char *
complete_fold(struct pool *p, const char *s)
{
	size_t n = strlen(s);
	char *out = pool_alloc(p, 2 * n + 1);

	out[str_fold(out, s, n)] = '\0';
	return out;
}

static void
complete_see(struct found *f, const char *text)
{
	struct value *v = &f->values[f->n];

	if (text == NULL || text[0] == '\0')
		return;
	if (f->n == COMPLETE_FOUND) {
		f->more = true;
		return;
	}
	v->text = text;
	v->folded = complete_fold(f->pool, text);
	v->begins = str_starts(v->folded, f->typed);
	if (v->begins || strstr(v->folded, f->typed) != NULL)
		f->n++;
}

static int
complete_compare(const void *a, const void *b)
{
	const struct value *v = a, *w = b;
	int diff;

	if (v->begins != w->begins)
		return v->begins ? -1 : 1;
	diff = strcmp(v->folded, w->folded);
	return diff != 0 ? diff : strcmp(v->text, w->text);
}

/* The best of them; how many there are, or 101. */
static size_t
complete_tell(struct found *f, struct json_writer *w)
{
	size_t i, told = 0;

	json_array(w);
	qsort(f->values, f->n, sizeof(f->values[0]), complete_compare);
	for (i = 0; i < f->n && told <= COMPLETE_MAX; i++)
		if ((i == 0 || strcmp(f->values[i].text,
				   f->values[i - 1].text) != 0) &&
		    told++ < COMPLETE_MAX)
			json_str(w, f->values[i].text);
	json_array_end(w);
	return f->more ? COMPLETE_MAX + 1 : told;
}

/*
 * Sources: each row of a list has a text, a list of texts, or a list of
 * objects with names.
 */
static void
complete_row(
    struct mcp_request *r, struct found *f, const struct json *j, size_t at)
{
	const char *prefix = "", *name;
	size_t list, i;

	switch (r->source) {
	case COMPLETE_TARGETS:
		complete_see(f, mcp_json_str(&r->pool, j, at, "displayName"));
		prefix = "@";
		/* FALLTHROUGH */
	case COMPLETE_GROUPS:
		list = mcp_json_in(j, at, "groups", JSON_ARRAY);
		for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
		     i = j->nodes[i].end)
			if ((name = mcp_json_str(&r->pool, j, i, "name")) !=
			    NULL)
				complete_see(f, pool_printf(&r->pool, "%s%s",
						    prefix, name));
		break;
	case COMPLETE_TAGS:
		list = mcp_json_in(j, at, "tags", JSON_ARRAY);
		for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
		     i = j->nodes[i].end)
			complete_see(f, mcp_json_text(&r->pool, &j->nodes[i]));
		break;
	case COMPLETE_KEYS:
		complete_see(f, mcp_json_str(&r->pool, j, at, "key"));
		break;
	default:
		complete_see(f, mcp_json_str(&r->pool, j, at, "id"));
	}
}

static const struct source {
	const char *op;
	const char *list;
	int limit; /* 0: it has none */
} sources[] = {
	[COMPLETE_TARGETS] = { "list_peers", "peers", 0 },
	[COMPLETE_GROUPS] = { "list_peers", "peers", 0 },
	[COMPLETE_KEYS] = { "list_state", "entries", COMPLETE_KEYS_PAGE },
	[COMPLETE_TAGS] = { "list_memories", "memories", COMPLETE_NEWEST_PAGE },
	[COMPLETE_MEMORIES] = { "list_memories", "memories",
	    COMPLETE_NEWEST_PAGE },
	[COMPLETE_FILES] = { "list_files", "files", COMPLETE_NEWEST_PAGE },
};

size_t
mcp_complete_values(
    struct mcp_request *r, const struct json *j, struct json_writer *w)
{
	struct found *f = xcalloc(1, sizeof(*f));
	size_t list, i, n;

	f->pool = &r->pool;
	f->typed = complete_fold(&r->pool, r->typed);
	list = mcp_json_in(j, 0, sources[r->source].list, JSON_ARRAY);
	for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
	     i = j->nodes[i].end)
		complete_row(r, f, j, i);
	if (json_get(j, 0, "next") != 0)
		f->more = true;
	n = complete_tell(f, w);
	free(f);
	return n;
}

/* j: NULL: nothing was found. */
static void
complete_end(struct mcp_request *r, const struct json *j)
{
	struct json_writer *w = mcp_result(r);
	size_t n = 0;

	json_key(w, "completion");
	json_object(w);
	json_key(w, "values");
	if (j != NULL)
		n = mcp_complete_values(r, j, w);
	else {
		json_array(w);
		json_array_end(w);
	}
	json_key(w, "hasMore");
	json_bool(w, n > COMPLETE_MAX);
	json_object_end(w);
	mcp_result_end(r);
}

static void
complete_listed(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	if (e != NULL)
		mcp_fail(r, RPC_INTERNAL, 200, "%s (%s)", e->message, e->code);
	else
		complete_end(r, j);
}

void
mcp_complete_ask(struct mcp_request *r, enum mcp_source source,
    const char *typed, mcp_ask_fn *fn)
{
	const struct source *s = &sources[source];
	struct json_writer w;
	struct buf b;

	r->source = source;
	r->typed = typed;
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	if (s->limit > 0) {
		json_key(&w, "limit");
		json_num(&w, s->limit);
	}
	if (source == COMPLETE_KEYS && typed[0] != '\0') {
		json_key(&w, "prefix");
		json_str(&w, typed);
	}
	mcp_ask_op(r, s->op, b.len > 0 ? buf_str(&b) : "", fn);
	buf_free(&b);
}

/*
 * What is completed.
 */
static const struct complete_template {
	const char *uri;
	const char *name;
	enum mcp_source source;
} templates[] = {
	{ URI_STATE "{key}", "key", COMPLETE_KEYS },
	{ URI_MEMORY "{id}", "id", COMPLETE_MEMORIES },
	{ URI_FILE "{id}", "id", COMPLETE_FILES },
};

/* false: there is no such prompt, or no such argument of it. */
static bool
complete_prompt(struct mcp_request *r, const char *name, const char *argument)
{
	const struct mcp_prompt *p = mcp_prompt_find(&r->m->config, name);
	const struct mcp_prompt_arg *a;

	for (a = p != NULL ? p->args : NULL; a != NULL && a->name != NULL; a++)
		if (strcmp(a->name, argument) == 0) {
			r->source = a->source;
			return true;
		}
	return false;
}

static bool
complete_template(struct mcp_request *r, const char *uri, const char *argument)
{
	size_t i;

	for (i = 0; i < NELEM(templates); i++)
		if (strcmp(templates[i].uri, uri) == 0 &&
		    strcmp(templates[i].name, argument) == 0) {
			r->source = templates[i].source;
			return true;
		}
	return false;
}

void
mcp_complete(struct mcp_request *r, size_t params)
{
	const struct json *j = &r->m->json;
	size_t ref = 0, arg = 0;
	const char *type, *what, *name;
	bool known, is_prompt;

	if (params != 0) {
		ref = mcp_json_in(j, params, "ref", JSON_OBJECT);
		arg = mcp_json_in(j, params, "argument", JSON_OBJECT);
	}
	type = ref != 0 ? mcp_json_str(&r->pool, j, ref, "type") : NULL;
	is_prompt = type != NULL && strcmp(type, "ref/prompt") == 0;
	if (!is_prompt && (type == NULL || strcmp(type, "ref/resource") != 0)) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "The type of ref is ref/prompt or ref/resource.");
		return;
	}
	what = mcp_json_str(&r->pool, j, ref, is_prompt ? "name" : "uri");
	name = arg != 0 ? mcp_json_str(&r->pool, j, arg, "name") : NULL;
	r->typed = arg != 0 ? mcp_json_str(&r->pool, j, arg, "value") : NULL;
	if (what == NULL || name == NULL || r->typed == NULL) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "A completion has a ref with a %s, and an argument with a "
		    "name and a value.",
		    is_prompt ? "name" : "uri");
		return;
	}
	known = is_prompt ? complete_prompt(r, what, name)
			  : complete_template(r, what, name);
	if (!known)
		mcp_fail(r, RPC_PARAMS, 400,
		    "There is no %s %.100s with an argument %.100s.",
		    is_prompt ? "prompt" : "resource template", what, name);
	else if (r->source == COMPLETE_NOTHING ||
		 strlen(r->typed) > COMPLETE_TYPED_MAX)
		complete_end(r, NULL);
	else
		mcp_complete_ask(r, r->source, r->typed, complete_listed);
}
