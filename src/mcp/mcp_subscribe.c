/* SPDX-License-Identifier: ISC */
/*
 * Who is told that a resource changed: clients that said resources/subscribe,
 * and modern ones, whose subscriptions/listen is a request that stays open.
 *
 * What changes is the inbox and the keys of state.  Memories do not: nobody is
 * promised to hear of them.
 */
#include "mcp/mcp_request.h"

#include <stdlib.h>
#include <string.h>

#define SUBSCRIPTIONS_MAX 1000
#define SUBSCRIBE_URI_MAX 4096

/* An open subscriptions/listen. */
struct mcp_listen {
	struct mcp_request *r;
};

/* What is told of changes: the inbox and keys of state.  The URI as we write
 * it, which the caller frees; NULL: it is neither. */
static char *
subscribe_match(const char *uri)
{
	const char *key;
	struct pool p;
	struct buf b;

	if (strcmp(uri, URI_INBOX) == 0)
		return xstrdup(uri);
	pool_init(&p);
	buf_init(&b, SIZE_MAX / 2);
	if ((key = mcp_uri_rest(&p, uri, URI_STATE)) != NULL)
		mcp_uri_add(&b, URI_STATE, key, strlen(key));
	pool_free(&p);
	return b.data;
}

static struct mcp_subscription *
subscribe_find(
    const struct mcp *m, const struct mcp_listen *listen, const char *uri)
{
	struct mcp_subscription *s;

	TAILQ_FOREACH (s, &m->subscriptions, entry)
		if (s->listen == listen && strcmp(s->uri, uri) == 0)
			return s;
	return NULL;
}

/* NULL, or why it cannot be. */
static const char *
subscribe_add(struct mcp *m, struct mcp_listen *listen, const char *uri)
{
	const size_t n = strlen(uri);
	struct mcp_subscription *s;
	char *match;

	if (subscribe_find(m, listen, uri) != NULL)
		return NULL;
	if (m->nsubscriptions == SUBSCRIPTIONS_MAX || n > SUBSCRIBE_URI_MAX)
		return "There may be 1000 subscriptions; end some.";
	if ((match = subscribe_match(uri)) == NULL)
		return "Changes are told of " URI_INBOX " and " URI_STATE
		       "{key}, not of this.";
	s = xcalloc(1, sizeof(*s) + n + 1);
	s->listen = listen;
	s->match = match;
	memcpy(s->uri, uri, n + 1);
	TAILQ_INSERT_TAIL(&m->subscriptions, s, entry);
	m->nsubscriptions++;
	return NULL;
}

static void
subscribe_remove(struct mcp *m, struct mcp_subscription *s)
{
	TAILQ_REMOVE(&m->subscriptions, s, entry);
	m->nsubscriptions--;
	free(s->match);
	free(s);
}

void
mcp_subscribe_free(struct mcp *m)
{
	while (!TAILQ_EMPTY(&m->subscriptions))
		subscribe_remove(m, TAILQ_FIRST(&m->subscriptions));
}

static void
listen_meta(struct json_writer *w, const struct mcp_request *r)
{
	json_key(w, "_meta");
	json_object(w);
	json_key(w, META_SUBSCRIPTION);
	json_raw(w, r->id.p, r->id.n);
	json_object_end(w);
}

static void
subscribe_tell(struct mcp *m, const struct mcp_subscription *s)
{
	struct json_writer w;
	struct buf b;

	mcp_note(&w, &b, "notifications/resources/updated");
	if (s->listen != NULL)
		listen_meta(&w, s->listen->r);
	json_key(&w, "uri");
	json_str(&w, s->uri);
	mcp_note_end(m, &w, &b, s->listen != NULL ? s->listen->r->tag : NULL);
}

static const char *
subscribe_uri(struct mcp_request *r, size_t params)
{
	const char *uri = mcp_param(r, params, "uri");

	if (uri == NULL)
		mcp_fail(r, RPC_PARAMS, 400, "The member uri is missing.");
	return uri;
}

static void
subscribe_kept(
    struct mcp_request *r, const struct mcp_error *e, const struct json *j)
{
	(void)j;
	if (e != NULL)
		mcp_fail(r, RPC_INTERNAL, 400, "%s", e->message);
	else
		mcp_result_empty(r);
}

void
mcp_subscribe(struct mcp_request *r, size_t params)
{
	const char *uri = subscribe_uri(r, params), *problem;

	if (uri == NULL)
		return;
	if ((problem = subscribe_add(r->m, NULL, uri)) != NULL)
		mcp_fail(r, RPC_PARAMS, 400, "%s", problem);
	else if (r->m->config.is_kept)
		mcp_ask_subscribe(r, uri, true, subscribe_kept);
	else
		mcp_result_empty(r);
}

void
mcp_unsubscribe(struct mcp_request *r, size_t params)
{
	const char *uri = subscribe_uri(r, params);
	struct mcp_subscription *s;

	if (uri == NULL)
		return;
	if ((s = subscribe_find(r->m, NULL, uri)) != NULL)
		subscribe_remove(r->m, s);
	if (r->m->config.is_kept)
		mcp_ask_subscribe(r, uri, false, subscribe_kept);
	else
		mcp_result_empty(r);
}

static bool
subscribe_is_in(const char *uri, const char *const *uris, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(uris[i], uri) == 0)
			return true;
	return false;
}

void
mcp_resume(struct mcp *m, const char *const *uris, size_t n)
{
	struct mcp_subscription *s, *next;
	bool again = m->initialized;
	size_t i;

	m->initialized = true;
	for (s = TAILQ_FIRST(&m->subscriptions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (!subscribe_is_in(s->uri, uris, n))
			subscribe_remove(m, s);
	}
	for (i = 0; i < n; i++) {
		if (subscribe_find(m, NULL, uris[i]) != NULL ||
		    subscribe_add(m, NULL, uris[i]) != NULL)
			continue;
		/* It may have changed since it was subscribed to. */
		if (again)
			subscribe_tell(
			    m, TAILQ_LAST(&m->subscriptions, subscriptions));
	}
}

/*
 * Listening.
 */
/* The first thing that a listener hears: what of its wishes is honoured. */
static void
listen_acknowledge(struct mcp_request *r)
{
	const struct mcp_subscription *s;
	struct json_writer w;
	struct buf b;

	mcp_note(&w, &b, "notifications/subscriptions/acknowledged");
	listen_meta(&w, r);
	json_key(&w, "notifications");
	json_object(&w);
	json_key(&w, "resourceSubscriptions");
	json_array(&w);
	TAILQ_FOREACH (s, &r->m->subscriptions, entry)
		if (s->listen == r->listen)
			json_str(&w, s->uri);
	json_array_end(&w);
	json_object_end(&w);
	mcp_note_end(r->m, &w, &b, r->tag);
}

void
mcp_subscribe_listen(struct mcp_request *r, size_t params)
{
	const struct json *j = &r->m->json;
	size_t wants = mcp_json_in(j, params, "notifications", JSON_OBJECT);
	size_t list, i;
	const char *uri;

	if (wants == 0) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "The member notifications is missing: an object that says "
		    "what to be told of.");
		return;
	}
	r->listen = xcalloc(1, sizeof(*r->listen));
	r->listen->r = r;
	list = mcp_json_in(j, wants, "resourceSubscriptions", JSON_ARRAY);
	for (i = JSON_FIRST(list); list != 0 && i < j->nodes[list].end;
	     i = j->nodes[i].end) {
		uri = mcp_json_text(&r->pool, &j->nodes[i]);
		if (uri != NULL)
			(void)subscribe_add(r->m, r->listen, uri);
	}
	listen_acknowledge(r);
	if (r->m->stopping)
		mcp_subscribe_close(r);
}

void
mcp_subscribe_end(struct mcp_request *r)
{
	struct mcp_subscription *s, *next;

	for (s = TAILQ_FIRST(&r->m->subscriptions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->listen == r->listen)
			subscribe_remove(r->m, s);
	}
	free(r->listen);
	r->listen = NULL;
}

void
mcp_subscribe_close(struct mcp_request *r)
{
	mcp_result_empty(r);
}

void
mcp_subscribe_told(struct mcp *m, const char *uri)
{
	const struct mcp_subscription *s;

	TAILQ_FOREACH (s, &m->subscriptions, entry)
		if (uri == NULL || strcmp(s->match, uri) == 0)
			subscribe_tell(m, s);
}
