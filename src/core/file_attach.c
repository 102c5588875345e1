/* SPDX-License-Identifier: ISC */
/*
 * Files that go with a message.  Its recipients may read them from the time
 * that the message is stored, and not later than that: this comes first.
 */
#include <string.h>

#include "core/domain.h"
#include "core/file.h"

struct attaching {
	struct request *request;
	struct slice *ids; /* hex digits */
	size_t n;
	attach_fn *fn;
	void *arg;
};

/* The row of an id, or -1. */
static ptrdiff_t
attach_row(const struct db_result *res, struct slice hex)
{
	struct id want, id;
	size_t i;

	(void)!id_parse(&want, hex.p, hex.n);
	for (i = 0; i < db_rows(res); i++) {
		db_id(res, i, 0, &id);
		if (id_same(&id, &want))
			return (ptrdiff_t)i;
	}
	return -1;
}

static void
attach_write(struct json_writer *w, const struct db_result *res, size_t i)
{
	char hex[ID_HEX_LEN + 1];
	struct slice name = db_text(res, i, 1);
	struct id id;

	db_id(res, i, 0, &id);
	json_object(w);
	json_key(w, "id");
	json_str(w, id_hex(&id, hex));
	json_key(w, "name");
	json_strn(w, name.p, name.n);
	json_key(w, "size");
	json_num(w, db_int(res, i, 2));
	json_object_end(w);
}

/* One more file goes into the digest. */
static void
attach_digest(
    uint8_t digest[CRYPTO_DIGEST_LEN], const struct db_result *res, size_t i)
{
	const struct slice name = db_text(res, i, 1),
			   sha256 = db_bytes(res, i, 3);
	uint8_t parts[3 * CRYPTO_DIGEST_LEN];

	memcpy(parts, digest, CRYPTO_DIGEST_LEN);
	crypto_digest(parts + CRYPTO_DIGEST_LEN, name.p, name.n, NULL);
	crypto_digest(parts + 2 * CRYPTO_DIGEST_LEN, sha256.p, sha256.n, NULL);
	crypto_digest(digest, parts, sizeof(parts), NULL);
}

static void
attach_done(void *arg, const struct db_result *res)
{
	struct attaching *a = arg;
	struct request *r = a->request;
	struct client *c = r->client;
	struct attached *files;
	struct json_writer w;
	struct buf b;
	ptrdiff_t row;
	size_t i;

	if (op_db_failed(r, res))
		return;
	r->holds = false;
	files = pool_zalloc(&r->pool, sizeof(*files));
	buf_init(&b, 65536);
	json_start(&w, &b);
	json_array(&w);
	for (i = 0; i < a->n; i++) {
		if ((row = attach_row(res, a->ids[i])) == -1)
			break;
		attach_write(&w, res, (size_t)row);
		attach_digest(files->digest, res, (size_t)row);
	}
	json_array_end(&w);
	files->json =
	    (struct slice){ pool_dup(&r->pool, b.data, b.len), b.len };
	buf_free(&b);
	if (c == NULL)
		op_fail(r, ERR_UNAVAILABLE, NULL);
	else if (i < a->n)
		op_fail(r, ERR_NOT_FOUND,
		    "files: you have no file " SLICE_FMT
		    ", or its bytes are not there yet.",
		    SLICE_ARG(a->ids[i]));
	else
		a->fn(r, files, a->arg);
	/* Its place in the order is settled. */
	if (c != NULL)
		op_go_on(c);
}

void
file_attach(struct request *r, const struct list *ids, const struct id *readers,
    size_t n, attach_fn *fn, void *arg)
{
	const struct session *s = r->client->session;
	struct attaching *a = pool_zalloc(&r->pool, sizeof(*a));
	struct slice *who = pool_alloc(&r->pool, (n + 1) * sizeof(*who));
	const struct slice *v = ids->v;
	struct db_params *p;
	struct id id;
	size_t i;
	char *hex;

	*a = (struct attaching){ r, pool_dup(&r->pool, v, ids->n * sizeof(*v)),
		ids->n, fn, arg };
	for (i = 0; i < ids->n; i++)
		if (id_parse(&id, v[i].p, v[i].n) != 0) {
			op_fail(r, ERR_MALFORMED,
			    "files must be ids of files, 32 hex digits each.");
			return;
		}
	for (i = 0; i < n; i++) {
		hex = pool_alloc(&r->pool, ID_HEX_LEN + 1);
		who[i] = (struct slice){ id_hex(&readers[i], hex), ID_HEX_LEN };
	}
	/* What comes next must not overtake it meanwhile. */
	r->holds = true;
	p = db_params(STMT_file_attach);
	db_put_id(p, &s->mesh->id);
	db_put_id(p, &s->info.member);
	db_put_texts(p, v, ids->n);
	db_put_texts(p, who, n);
	db_query(r->core->reads, p, attach_done, a);
}
