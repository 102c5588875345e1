/* SPDX-License-Identifier: ISC */
/*
 * A place in the journal, as who was told of an event names it: by its id; or
 * as a page says where it ended, which may be behind lines that were not for
 * the member, so that they need not be looked at again.  Lines have numbers,
 * but from two of these everybody could count what happens behind a wall; so
 * they stay inside, or are sealed.
 *
 * An id that is not known here, that of an event that the member may not see,
 * and that of one which it may not see any more are the same: the place is
 * found by the time in the id, a little before it.  What is told then says
 * that there may be things twice.
 */
#include <string.h>

#include "core/channel.h"
#include "core/follow.h"

#define PLACE_USE "journal place" /* of the key of what is sealed */
/* A line of a mesh: the key is that of all meshes. */
#define PLACE_OPEN (ID_LEN + sizeof(int64_t))
#define PLACE_LOCKED (PLACE_OPEN + CRYPTO_LOCK_EXTRA)
_Static_assert(CRYPTO_B64_LEN(PLACE_LOCKED) <= ENTRY_PLACE_MAX + 1,
    "a place fits its field");

/* Ids of lines are made before these are in order. */
#define PLACE_BACK_MS 10000

struct place {
	struct request *request;
	entry_place_fn *fn;
	void *arg;
};

struct slice
entry_place_text(struct request *r, int64_t n)
{
	uint8_t open[PLACE_OPEN], locked[PLACE_LOCKED], key[CRYPTO_KEY_LEN];
	char *s = pool_alloc(&r->pool, CRYPTO_B64_LEN(PLACE_LOCKED));

	memcpy(open, r->client->session->mesh->id.b, ID_LEN);
	memcpy(open + ID_LEN, &n, sizeof(n));
	token_key_for(r->core, PLACE_USE, key);
	crypto_lock(locked, open, sizeof(open), key);
	crypto_base64(s, locked, sizeof(locked), CRYPTO_B64_URL);
	return (struct slice){ s, strlen(s) };
}

static bool
place_read(struct request *r, struct slice at, int64_t *n)
{
	uint8_t open[PLACE_OPEN], locked[PLACE_LOCKED], key[CRYPTO_KEY_LEN];

	if (crypto_unbase64(locked, sizeof(locked), at.p, at.n,
		CRYPTO_B64_URL) != sizeof(locked))
		return false;
	token_key_for(r->core, PLACE_USE, key);
	if (crypto_unlock(open, locked, sizeof(locked), key) != 0 ||
	    memcmp(open, r->client->session->mesh->id.b, ID_LEN) != 0)
		return false;
	memcpy(n, open + ID_LEN, sizeof(*n));
	return true;
}

static void
place_found(void *arg, const struct db_result *res)
{
	struct place *p = arg;
	struct request *r = p->request;

	if (op_db_failed(r, res) || op_left(r))
		return;
	if (!db_null(res, 0, 0))
		p->fn(p->arg, db_int(res, 0, 0), true);
	else
		p->fn(p->arg, db_int(res, 0, 1), false);
}

void
entry_place(struct request *r, struct slice at, entry_place_fn *fn, void *arg)
{
	const struct session *s = r->client->session;
	struct db_params *q;
	struct id id, before;
	struct place *p;
	int64_t n;

	if (at.n == 0 || (at.n == 1 && at.p[0] == '0')) {
		fn(arg, 0, true);
		return;
	}
	if (place_read(r, at, &n)) {
		fn(arg, n, true);
		return;
	}
	if (id_parse(&id, at.p, at.n) != 0) {
		op_fail(r, ERR_MALFORMED,
		    "A place is the id of the last event that was seen, the next "
		    "of a page, or 0 for everything from the first on.");
		return;
	}
	p = pool_zalloc(&r->pool, sizeof(*p));
	*p = (struct place){ r, fn, arg };
	id_at(&before, id_time(&id) - PLACE_BACK_MS);
	q = db_params(STMT_entry_place);
	db_put_id(q, &s->mesh->id);
	db_put_id(q, &id);
	db_put_id(q, &before);
	db_put_id(q, &s->info.member);
	db_put_bool(q, entry_sees_all(r->client));
	db_query(r->core->reads, q, place_found, p);
}
