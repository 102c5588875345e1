/* SPDX-License-Identifier: ISC */
/*
 * register_artifact: bytes that come with the request, and are kept with a
 * channel.  Larger ones come as those of files do.
 *
 *	row of file -> claimed -> bytes in the storage -> row of artifact, entry
 *
 * Until the last step nobody sees it; what a crash leaves is what it leaves of
 * any upload (file.h).
 */
#include <string.h>

#include "core/artifact.h"
#include "core/grant.h"

struct put_in {
	struct slice channel;
	struct slice stream_type;
	struct slice name;
	struct slice mime;
	struct slice content;
	struct slice sha256;
};

#define IN(field) offsetof(struct put_in, field)
static const struct field put_fields[] = {
	{ "channel", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_MESH, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamId", F_STR, IN(channel), 1, CHANNEL_WHICH_MAX,
	    FIELD_REQUIRED | FIELD_REST, NULL, NULL, 0,
	    "Channel or thread: its id; or a channel's name." },
	{ "streamType", F_STR, IN(stream_type), 1, 16, FIELD_REST, NULL, NULL,
	    0, "channel or thread; the id says it as well." },
	{ "filename", F_STR, IN(name), 1, FILE_NAME_MAX, FIELD_REQUIRED, NULL,
	    NULL, 0, "What it is called, in any script; no path." },
	{ "contentType", F_STR, IN(mime), 1, FILE_MIME_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "What it is: text/plain ..." },
	{ "contentBase64", F_STR, IN(content), 1, INT32_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0,
	    "Its bytes in base64, of either alphabet, padded or not." },
	{ "sha256", F_STR, IN(sha256), 64, 64, 0, NULL, NULL, 0,
	    "Of the bytes, 64 hex digits: others are refused." },
	{ .type = F_END },
};
#undef IN

/* One on its way, of the request's pool. */
struct putting {
	struct request *request;
	struct share_in share;
	struct artifact_out artifact;
	struct file_link link;
	bool needs; /* a grant */
	const char *bytes;
	size_t n;
	size_t done;
	struct transfer *transfer;
	char at[CLOCK_RFC3339_LEN + 1];
	uint8_t sha256[FILE_SHA256_LEN];
};

/* The bytes did not come to stay. */
static void
put_fail(struct putting *g, enum err e, const char *text)
{
	struct request *r = g->request;

	if (g->transfer != NULL)
		r->core->storage->close(g->transfer);
	g->transfer = NULL;
	file_unclaim(r->core, &g->link);
	op_fail(r, e, "%s", text != NULL ? text : table_errors[e].text);
}

static void
put_done(void *arg, const struct db_result *res)
{
	struct putting *g = arg;
	struct request *r = g->request;
	struct artifact_answer out = { g->artifact };

	if (op_db_failed(r, res))
		return;
	if (db_int(res, 0, 0) == 2) {
		file_unclaim(r->core, &g->link);
		op_deny(r, SCOPE_ARTIFACT_REGISTER,
		    g->artifact.stream_type.p[0] == 't' ? "thread" : "channel",
		    &g->artifact.channel);
		return;
	}
	if (db_int(res, 0, 0) != 0) {
		op_fail(r, ERR_NOT_FOUND,
		    "The channel was deleted while the artifact came.");
		return;
	}
	if (!db_null(res, 0, 1))
		artifact_tell(r->core, &g->artifact, db_int(res, 0, 1),
		    db_int(res, 0, 2));
	core_count(r->core, FILES_STORED);
	op_reply(r, &out);
}

static void
put_line(struct db_params *row, const struct artifact_out *a)
{
	struct journal_line l;

	journal_begin(&l, row);
	json_key(&l.w, "artifactId");
	json_id(&l.w, &a->id);
	json_key(&l.w, "contentType");
	json_strn(&l.w, a->mime.p, a->mime.n);
	json_key(&l.w, "createdByActorId");
	json_id(&l.w, &a->member);
	json_key(&l.w, "filename");
	json_strn(&l.w, a->name.p, a->name.n);
	json_key(&l.w, "orgId");
	json_id(&l.w, &a->mesh);
	json_key(&l.w, "sha256");
	json_strn(&l.w, a->sha256.p, a->sha256.n);
	json_key(&l.w, "size");
	json_num(&l.w, a->size);
	json_key(&l.w, "streamId");
	json_id(&l.w, &a->channel);
	json_key(&l.w, "streamType");
	json_strn(&l.w, a->stream_type.p, a->stream_type.n);
	journal_end(&l, 0, "artifact.registered");
}

/* The storage has it, or does not. */
static void
put_answer(void *arg, const struct storage_answer *s)
{
	struct putting *g = arg;
	struct artifact_out *a = &g->artifact;
	struct request *r = g->request;
	char *hex = pool_alloc(&r->pool, 2 * FILE_SHA256_LEN + 1);
	struct db_params *p;
	const char *text;
	enum err e;

	if (s->error != 0) {
		e = file_storage_error(s->error, &text);
		put_fail(g, e, text);
		return;
	}
	crypto_hex(hex, s->sha256, FILE_SHA256_LEN);
	a->sha256 = (struct slice){ hex, 2 * FILE_SHA256_LEN };
	a->size = (int64_t)s->size;
	a->created_ms = clock_wall();
	clock_format(a->created_ms, g->at);
	p = journal_row(r->core, STMT_artifact_put, &a->mesh, put_done, g);
	db_put_id(p, &a->mesh);
	db_put_id(p, &a->id);
	db_put_id(p, &g->link.claim);
	db_put_int(p, a->size);
	db_put_bytes(p, s->sha256, FILE_SHA256_LEN);
	db_put_str(p, g->at);
	db_put_bool(p, g->needs);
	put_line(p, a);
	/* What ended() says now is nothing new. */
	r->core->storage->close(g->transfer);
	g->transfer = NULL;
}

static void
put_ended(void *arg, bool whole)
{
	struct putting *g = arg;

	(void)whole;
	g->transfer = NULL;
	put_fail(g, ERR_UNAVAILABLE, "The storage broke off; try again.");
}

static void
put_write(struct putting *g)
{
	const struct core *c = g->request->core;

	g->done +=
	    c->storage->write(g->transfer, g->bytes + g->done, g->n - g->done);
	if (g->done == g->n)
		c->storage->finish(g->transfer);
}

static void
put_room(void *arg)
{
	struct putting *g = arg;

	if (g->done < g->n)
		put_write(g);
}

static const struct transfer_calls put_calls = {
	.answer = put_answer,
	.room = put_room,
	.ended = put_ended,
};

static void
put_claimed(void *arg, enum err e, const char *text, const struct file_info *f)
{
	struct putting *g = arg;
	struct request *r = g->request;
	const struct core *c = r->core;
	struct storage_order o = { .what = STORAGE_PUT,
		.mesh = g->link.mesh,
		.file = g->link.file,
		.member = g->link.member,
		.length = g->n };

	(void)f;
	if (e != ERR_NONE) {
		op_fail(r, e, "%s", text);
		return;
	}
	g->transfer = c->storage->begin(c->storage_arg, &o, &put_calls, g);
	if (g->transfer == NULL)
		put_fail(g, ERR_UNAVAILABLE,
		    "The storage does not answer; try again later.");
	else
		put_write(g);
}

static void
put_made(struct request *r, const struct file_link *l, int64_t size)
{
	struct putting *g = r->context;

	(void)size;
	g->link = *l;
	g->artifact.id = l->file;
	g->artifact.mesh = l->mesh;
	g->artifact.member = l->member;
	file_claim(r->core, &g->link, put_claimed, g);
}

static void
put_found(struct request *r, struct channel *c)
{
	struct putting *g = r->context;
	const char *type = channel_is_thread(c) ? "thread" : "channel";
	const char *kind = r->core->storage->kind(r->core->storage_arg);

	g->artifact.channel = c->id;
	g->artifact.stream_type = (struct slice){ type, strlen(type) };
	g->artifact.storage = (struct slice){ kind, strlen(kind) };
	g->artifact.name = g->share.name;
	g->artifact.mime = g->share.mime;
	file_make(r, &g->share, &g->artifact.channel, put_made);
}

/* NULL, or what is wrong with what came. */
static const char *
put_decode(struct putting *g, const struct put_in *in)
{
	char *out = pool_alloc(&g->request->pool, in->content.n + 1);
	uint8_t want[FILE_SHA256_LEN];
	struct slice s = in->content;
	ptrdiff_t n;

	/* Both alphabets, and padding or none, for the one that is read. */
	while (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	n = crypto_unbase64(out, s.n, s.p, s.n, CRYPTO_B64_URL);
	if (n < 0) {
		char *std = pool_strndup(&g->request->pool, s.p, s.n);
		size_t i;

		for (i = 0; i < s.n; i++)
			std[i] = std[i] == '+'	 ? '-'
				 : std[i] == '/' ? '_'
						 : std[i];
		n = crypto_unbase64(out, s.n, std, s.n, CRYPTO_B64_URL);
	}
	if (n < 0)
		return "contentBase64 is no base64.";
	if (n == 0)
		return "contentBase64 decoded to zero bytes";
	g->bytes = out;
	g->n = (size_t)n;
	crypto_sha256(g->sha256, out, g->n);
	if (in->sha256.n > 0 && (crypto_unhex(want, sizeof(want), in->sha256.p,
				     in->sha256.n) != 0 ||
				    memcmp(want, g->sha256, sizeof(want)) != 0))
		return "sha256 mismatch with provided content";
	return NULL;
}

static void
register_exec(struct request *r, void *arg)
{
	const struct put_in *in = arg;
	struct putting *g = pool_zalloc(&r->pool, sizeof(*g));
	const char *wrong;

	g->request = r;
	/* Who may post may do that, too. */
	g->needs = !grant_has(r->client, SCOPE_ARTIFACT_REGISTER) &&
		   !grant_has(r->client, SCOPE_MESSAGE_APPEND);
	if (r->core->storage == NULL) {
		op_fail(r, ERR_UNAVAILABLE,
		    "This server stores no files (files.store).");
		return;
	}
	if ((wrong = put_decode(g, in)) != NULL) {
		op_fail(r, ERR_MALFORMED, "%s", wrong);
		return;
	}
	g->share = (struct share_in){
		.name = in->name, .mime = in->mime, .size = (int64_t)g->n
	};
	r->context = g;
	channel_find(r, in->channel, put_found);
}

const struct op op_register_artifact = {
	.name = "register_artifact",
	.scope = SCOPE_ARTIFACT_REGISTER,
	.rest = { "POST /v1/artifacts" },
	.reply = "artifact_registered",
	.flags = OP_GRANTABLE,
	.in = put_fields,
	.in_size = sizeof(struct put_in),
	.out = artifact_answer_fields,
	.exec = register_exec,
	.text = "Keep a file with a channel or a thread, for who may see that.",
};
