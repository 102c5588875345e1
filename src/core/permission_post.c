/* SPDX-License-Identifier: ISC */
/*
 * A message that lacks a permission: the request for it, with enough of the
 * message that somebody can decide.  Who repeats the message while the request
 * is open finds the same one.
 */
#include <string.h>

#include "core/grant.h"

#define PREVIEW_CHARS 500
#define PREVIEW_KEYS 8
#define PREVIEW_NODES ((size_t)1 << 20)
#define PREVIEW_DEPTH 64
#define PREVIEW_KEY_MAX 256

/* The first characters of a text. */
static void
preview_text(struct json_writer *w, struct slice s)
{
	static const char more[] = "\xe2\x80\xa6";
	size_t i, chars = 0;
	struct buf b;

	for (i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80 &&
		    ++chars > PREVIEW_CHARS)
			break;
	if (i == s.n) {
		json_strn(w, s.p, s.n);
		return;
	}
	buf_init(&b, SIZE_MAX / 2);
	buf_add(&b, s.p, i);
	buf_add(&b, more, sizeof(more) - 1);
	json_strn(w, b.data, b.len);
	buf_free(&b);
}

static void
preview_keys(struct json_writer *w, const struct json *j)
{
	const struct json_node *nodes = j->nodes;
	char key[PREVIEW_KEY_MAX];
	size_t k, n = 0;

	json_key(w, "keys");
	json_array(w);
	for (k = JSON_FIRST(0); k != nodes[0].end && n < PREVIEW_KEYS;
	     k = nodes[k + 1].end) {
		if (nodes[k].n > sizeof(key))
			continue;
		json_strn(w, key, json_unescape(&nodes[k], key));
		n++;
	}
	json_array_end(w);
}

static void
preview_part(struct json_writer *w, struct json *j, size_t i,
    const struct post_part *part, struct pool *pool)
{
	const struct json_node *n;
	char *text;

	json_object(w);
	json_key(w, "index");
	json_num(w, (int64_t)i);
	json_key(w, "type");
	json_str(w, post_type_name(part->type));
	if (json_read(j, part->payload.p, part->payload.n) == 0) {
		n = &j->nodes[json_get(j, 0, "text")];
		if (part->type != POST_TEXT || n->type != JSON_STRING)
			preview_keys(w, j);
		else {
			text = pool_alloc(pool, n->n + 1);
			json_key(w, "text");
			preview_text(
			    w, (struct slice){ text, json_unescape(n, text) });
		}
	}
	json_object_end(w);
}

static void
preview_parts(
    struct json_writer *w, const struct permission_post *m, struct pool *pool)
{
	const struct post_part *parts = m->parts->v;
	struct json j;
	size_t i;

	json_key(w, "partCount");
	json_num(w, m->parts->n > 0 ? (int64_t)m->parts->n : 1);
	json_key(w, "parts");
	json_array(w);
	json_init(&j, PREVIEW_NODES, PREVIEW_DEPTH);
	for (i = 0; i < m->parts->n; i++)
		preview_part(w, &j, i, &parts[i], pool);
	json_free(&j);
	if (m->parts->n == 0) {
		json_object(w);
		json_key(w, "index");
		json_num(w, 0);
		json_key(w, "type");
		json_str(w, post_type_name(POST_TEXT));
		json_key(w, "text");
		preview_text(w, m->text);
		json_object_end(w);
	}
	json_array_end(w);
}

static void
preview_commands(struct json_writer *w, const struct post_refs *refs)
{
	const struct post_command *c;
	size_t i;

	json_key(w, "commands");
	json_array(w);
	for (i = 0; i < refs->ncommands; i++) {
		c = &refs->commands[i];
		json_object(w);
		json_text_at(w, "command", c->text);
		json_text_at(w, "invocationId", c->invocation);
		json_key(w, "partIndex");
		json_num(w, (int64_t)c->part);
		json_key(w, "argKeys");
		json_raw(w, c->keys.p, c->keys.n);
		json_object_end(w);
	}
	json_array_end(w);
}

/* As message-layer's clients show it. */
static struct slice
preview(struct request *r, const struct permission_post *m, bool append)
{
	struct json_writer w;
	struct slice out;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "kind");
	json_str(&w, append ? "message.append" : "command.invoke");
	json_key(&w, "streamType");
	json_str(&w, m->is_thread ? "thread" : "channel");
	json_key(&w, "streamId");
	json_id(&w, &m->post->channel);
	json_text_at(&w, "idempotencyKey", m->post->client_id);
	if (append)
		preview_parts(&w, m, &r->pool);
	else
		preview_commands(&w, m->refs);
	json_object_end(&w);
	out = (struct slice){ pool_strndup(&r->pool, b.data, b.len), b.len };
	buf_free(&b);
	return out;
}

/* What finds it again: the sender's id of the message, or what it says. */
static struct slice
preview_key(struct request *r, const struct permission_post *m)
{
	const struct post *p = m->post;
	uint8_t digest[CRYPTO_DIGEST_LEN];
	char stream[ID_HEX_LEN + 1], hex[2 * CRYPTO_DIGEST_LEN + 1];
	struct slice by = p->client_id;
	char *key;

	if (by.n == 0) {
		crypto_digest(digest, p->parts.p, p->parts.n, NULL);
		crypto_hex(hex, digest, sizeof(digest));
		by = (struct slice){ hex, sizeof(hex) - 1 };
	}
	key = pool_printf(&r->pool, SLICE_FMT " %s " SLICE_FMT,
	    SLICE_ARG(m->lacks), id_hex(&p->channel, stream), SLICE_ARG(by));
	return (struct slice){ key, strlen(key) };
}

void
permission_ask_post(
    struct request *r, const struct permission_post *m, permission_fn *done)
{
	const char *append = table_scopes[SCOPE_MESSAGE_APPEND];
	const char *type = m->is_thread ? "thread" : "channel";
	char *hex = pool_alloc(&r->pool, ID_HEX_LEN + 1);
	struct permission q = { .action = m->lacks,
		.type = { type, strlen(type) },
		.resource = { id_hex(&m->post->channel, hex), ID_HEX_LEN } };

	q.context = preview(r, m,
	    m->lacks.n == strlen(append) &&
		memcmp(m->lacks.p, append, m->lacks.n) == 0);
	permission_begin(r, &q, preview_key(r, m), done);
}
