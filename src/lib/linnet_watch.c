/* SPDX-License-Identifier: ISC */
/*
 * Watches of state.  The broker's end with the connection, so they are kept
 * here and asked for again over the next one; what the answer has then is told
 * like changes, as some of it may have changed meanwhile.
 *
 * An entry stays until linnet_free(), since requests on their way point to it.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_PAGE 1000

struct linnet_watch {
	TAILQ_ENTRY(linnet_watch) entry;
	bool on;
	char prefix[];
};

static struct linnet_watch *
watch_find(struct linnet *l, const char *prefix)
{
	const size_t n = strlen(prefix) + 1;
	struct linnet_watch *w;

	TAILQ_FOREACH (w, &l->watches, entry)
		if (strcmp(w->prefix, prefix) == 0)
			return w;
	w = xcalloc(1, sizeof(*w) + n);
	memcpy(w->prefix, prefix, n);
	TAILQ_INSERT_TAIL(&l->watches, w, entry);
	return w;
}

void
linnet_watch_forget(struct linnet *l)
{
	struct linnet_watch *w;

	while ((w = TAILQ_FIRST(&l->watches)) != NULL) {
		TAILQ_REMOVE(&l->watches, w, entry);
		free(w);
	}
}

static int
watch_ask(struct linnet *l, const char *type, const char *prefix, bool room,
    linnet_reply_fn *fn, void *arg)
{
	char *fields = linnet_fields("prefix:s", prefix);
	int r = linnet_request_within(l, type, fields,
	    LINNET_REPEAT | (room ? LINNET_MADE_ROOM : 0), l->config.request_ms,
	    fn, arg);

	free(fields);
	return r;
}

/* A page of what is watched; the answer is l->json. */
static void
watch_page(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	const struct linnet_watch *w = arg;
	const struct json *j = &l->json;
	const char *next;
	struct pool p;
	char *fields;
	size_t list, at;
	int r = 0;

	/* Without an answer the next connection asks again. */
	if (reply->error != NULL || !w->on)
		return;
	pool_init(&p);
	next = linnet_json_str(&p, j, 0, "next");
	list = json_get(j, 0, "entries");
	if (list != 0 && j->nodes[list].type == JSON_ARRAY)
		for (at = JSON_FIRST(list); at < j->nodes[list].end;
		     at = j->nodes[at].end)
			linnet_receive_state(l, at);
	if (next[0] != '\0') {
		fields = linnet_fields("prefix:s after:s limit:i", w->prefix,
		    next, (int64_t)WATCH_PAGE);
		r = linnet_request_within(l, "list_state", fields,
		    LINNET_REPEAT | LINNET_MADE_ROOM, l->config.request_ms,
		    watch_page, arg);
		free(fields);
		if (r != 0)
			fatalx("fields that are no JSON");
	}
	pool_free(&p);
}

void
linnet_watch_again(struct linnet *l)
{
	struct linnet_watch *w;

	TAILQ_FOREACH (w, &l->watches, entry)
		if (w->on)
			(void)watch_ask(
			    l, "watch_state", w->prefix, true, watch_page, w);
}

int
linnet_watch_state(
    struct linnet *l, const char *prefix, linnet_reply_fn *fn, void *arg)
{
	if (watch_ask(l, "watch_state", prefix, false, fn, arg) != 0)
		return -1;
	/* Before the first connection the request itself is enough. */
	watch_find(l, prefix)->on = true;
	return 0;
}

int
linnet_unwatch_state(
    struct linnet *l, const char *prefix, linnet_reply_fn *fn, void *arg)
{
	if (watch_ask(l, "unwatch_state", prefix, false, fn, arg) != 0)
		return -1;
	watch_find(l, prefix)->on = false;
	return 0;
}
