/* SPDX-License-Identifier: ISC */
/*
 * Who wants to be told of which keys.  Without a watch a session is told of
 * all of them, and a tool of none; with watches, of keys under their prefixes.
 * They are the connection's and end with it.
 *
 * A watch holds before the keys are read that are answered: a change is in the
 * answer, or is pushed, or both.
 */
#include <stdlib.h>
#include <string.h>

#include "core/state.h"

struct state_watch {
	LIST_ENTRY(state_watch) entry;
	size_t n;
	char prefix[];
};

struct watch_in {
	struct slice prefix;
};

static const struct field watch_fields[] = {
	{ "prefix", F_STR, offsetof(struct watch_in, prefix), 0, STATE_KEY_MAX,
	    FIELD_REQUIRED, NULL, NULL, 0,
	    "What the keys begin with; empty: all keys." },
	{ .type = F_END },
};

#define PAGE(field) offsetof(struct state_page, field)
static const struct field watch_out_fields[] = {
	{ "prefix", F_STR, PAGE(prefix), 0, 0, 0, NULL, NULL, 0,
	    "The prefix." },
	{ "entries", F_ROWS, PAGE(entries), 0, 0, 0, NULL, state_out_fields,
	    sizeof(struct state_out),
	    "The keys that there are now, at most 1000 and 1 MiB of values." },
	{ "more", F_BOOL, PAGE(more), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "There are more: ask list_state for them." },
	{ "next", F_STR, PAGE(next), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "What after of that has to be." },
	{ .type = F_END },
};
#undef PAGE

struct unwatch_out {
	struct slice prefix;
	bool existed;
	int64_t watches;
};

#define OUT(field) offsetof(struct unwatch_out, field)
static const struct field unwatch_out_fields[] = {
	{ "prefix", F_STR, OUT(prefix), 0, 0, 0, NULL, NULL, 0, "The prefix." },
	{ "existed", F_BOOL, OUT(existed), 0, 0, 0, NULL, NULL, 0,
	    "It was watched." },
	{ "watches", F_INT, OUT(watches), 0, 0, 0, NULL, NULL, 0,
	    "How many are left; 0: the session is told of every key again." },
	{ .type = F_END },
};
#undef OUT

static bool
watch_covers(const struct state_watch *w, struct slice key)
{
	return w->n <= key.n && memcmp(w->prefix, key.p, w->n) == 0;
}

bool
state_wants(const struct session *s, struct slice key)
{
	const struct state_watch *w;

	if (LIST_EMPTY(&s->client->watches))
		return !s->info.control;
	LIST_FOREACH (w, &s->client->watches, entry)
		if (watch_covers(w, key))
			return true;
	return false;
}

static struct state_watch *
watch_find(const struct client *c, struct slice prefix, int64_t *count)
{
	struct state_watch *w, *found = NULL;

	*count = 0;
	LIST_FOREACH (w, &c->watches, entry) {
		if (w->n == prefix.n && watch_covers(w, prefix))
			found = w;
		(*count)++;
	}
	return found;
}

static void
watch_free(struct state_watch *w)
{
	LIST_REMOVE(w, entry);
	free(w);
}

void
state_unwatch(struct client *c)
{
	struct state_watch *w;

	while ((w = LIST_FIRST(&c->watches)) != NULL)
		watch_free(w);
}

static void
state_watched(void *arg, const struct db_result *res)
{
	struct request *r = arg;
	const struct watch_in *in = r->in;
	struct state_page page = { .prefix = in->prefix };

	if (state_page_read(r, res, STATE_PAGE_MAX, &page))
		op_reply(r, &page);
}

static void
watch_state_exec(struct request *r, void *arg)
{
	const struct slice none = { NULL, 0 };
	const struct watch_in *in = arg;
	struct client *c = r->client;
	struct state_watch *w;
	int64_t count;

	if (watch_find(c, in->prefix, &count) == NULL) {
		if (count >= r->core->limits.watches) {
			r->error_used = count;
			r->error_limit = r->core->limits.watches;
			op_fail(r, ERR_QUOTA,
			    "Prefixes that this connection watches: %lld of "
			    "%lld. Watch a shorter one, or unwatch some.",
			    (long long)r->error_used,
			    (long long)r->error_limit);
			return;
		}
		w = xcalloc(1, sizeof(*w) + in->prefix.n);
		w->n = in->prefix.n;
		memcpy(w->prefix, in->prefix.p, w->n);
		LIST_INSERT_HEAD(&c->watches, w, entry);
	}
	state_page_ask(r, in->prefix, none, STATE_PAGE_MAX, state_watched);
}

static void
unwatch_state_exec(struct request *r, void *arg)
{
	const struct watch_in *in = arg;
	struct unwatch_out out = { .prefix = in->prefix };
	struct state_watch *w;

	w = watch_find(r->client, in->prefix, &out.watches);
	if (w != NULL) {
		watch_free(w);
		out.existed = true;
		out.watches--;
	}
	op_reply(r, &out);
}

const struct op op_watch_state = {
	.name = "watch_state",
	.scope = SCOPE_STATE_READ,
	.reply = "state_watched",
	.flags = OP_SESSION,
	.in = watch_fields,
	.in_size = sizeof(struct watch_in),
	.out = watch_out_fields,
	.exec = watch_state_exec,
	.text = "Be told of keys with this prefix, and of no others than those "
		"that are watched, until the connection ends.",
};

const struct op op_unwatch_state = {
	.name = "unwatch_state",
	.scope = SCOPE_STATE_READ,
	.reply = "state_unwatched",
	.flags = OP_SESSION,
	.in = watch_fields,
	.in_size = sizeof(struct watch_in),
	.out = unwatch_out_fields,
	.exec = unwatch_state_exec,
	.text = "End a watch.",
};
