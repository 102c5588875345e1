/* SPDX-License-Identifier: ISC */
/*
 * How much may be asked for in a time: token buckets by member, by pair of
 * members and by address; the one of a connection is in its client.
 *
 * A bucket is of one process.  A member with sessions in n processes pays n
 * tokens for a message in each: together it gets what one bucket gives, never
 * n times as much, and less where its sessions are not all busy.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"

/* Who comes when there are so many buckets shares one. */
#define RATE_BUCKETS_MAX 262144
#define RATE_TICK_MS 10000
#define RATE_SHARE_MS 1000
#define RATE_SHARE_MAX 64
#define RATE_MINUTE 60000

struct rate_entry {
	struct hash_entry hash;
	uint8_t key[1 + 2 * ID_LEN]; /* enum rate, then whose */
	struct bucket bucket;
	int64_t minute_ms; /* since then so many were taken */
	int64_t taken;
	int64_t share_ms; /* when it was counted */
	unsigned share;
};

static struct rate_entry *
rate_get(struct core *c, enum rate rate, const uint8_t *who, size_t n)
{
	uint8_t key[1 + 2 * ID_LEN] = { (uint8_t)rate };
	struct hash_entry *h;
	struct rate_entry *e;

	memcpy(key + 1, who, n);
	if ((h = hash_find(&c->rates, key, sizeof(key))) != NULL)
		return CONTAINER(h, struct rate_entry, hash);
	if (c->rates.count >= RATE_BUCKETS_MAX) {
		memset(key + 1, 0, sizeof(key) - 1);
		h = hash_find(&c->rates, key, sizeof(key));
		if (h != NULL)
			return CONTAINER(h, struct rate_entry, hash);
	}
	e = xcalloc(1, sizeof(*e));
	memcpy(e->key, key, sizeof(key));
	hash_insert(&c->rates, &e->hash, e->key, sizeof(e->key));
	return e;
}

/* How many processes of this host serve the mesh, and one for the others. */
static unsigned
rate_serving(const struct mesh *m)
{
	uint64_t procs = bus_interest(m->core->bus, &m->id);

	return (unsigned)__builtin_popcountll(procs);
}

/* In how many processes a member has sessions, up to RATE_SHARE_MAX.  A visitor
 * may be in any that serves the mesh. */
static unsigned
rate_processes(const struct roster_set *set)
{
	const struct session_info *seen[RATE_SHARE_MAX];
	const struct roster_link *l;
	unsigned n = 0, i, visited = 0;

	if (set == NULL)
		return 1;
	LIST_FOREACH (l, &set->links, entry) {
		const struct session_info *info = &l->session->info;

		if (!info->live)
			continue;
		if (visitor_is(info)) {
			if (visited == 0)
				visited = rate_serving(l->session->mesh);
			continue;
		}
		for (i = 0; i < n; i++)
			if (SESSION_REF_PROC(seen[i]->ref) ==
				SESSION_REF_PROC(info->ref) &&
			    id_same(&seen[i]->host, &info->host))
				break;
		if (i == n && n < RATE_SHARE_MAX)
			seen[n++] = info;
	}
	return visited > n ? visited : n;
}

static unsigned
rate_share(struct rate_entry *e, const struct roster_set *member)
{
	int64_t now = clock_mono();

	if (e->share == 0 || now - e->share_ms >= RATE_SHARE_MS) {
		e->share = rate_processes(member);
		e->share_ms = now;
	}
	return e->share > 0 ? e->share : 1;
}

/* 0, or the time to wait. */
static int64_t
rate_take(struct rate_entry *e, const struct core_rate *rate, unsigned share)
{
	int64_t now = clock_mono(), wait;
	double n = share;

	/* What it holds is enough for one message at least. */
	if (n > (double)rate->burst)
		n = (double)rate->burst;
	wait = bucket_take(
	    &e->bucket, n, (double)rate->burst, (double)rate->per_minute / 60);
	if (now - e->minute_ms >= RATE_MINUTE) {
		e->minute_ms = now;
		e->taken = 0;
	}
	if (wait == 0)
		e->taken++;
	return wait;
}

static enum err
rate_refuse(struct request *r, const char *what, const struct core_rate *rate,
    int64_t used, int64_t since_ms, int64_t wait_ms)
{
	core_count(r->core, RATE_LIMITED);
	r->error_limit = rate->per_minute;
	r->error_used = used;
	r->error_retry_ms = wait_ms;
	return op_error(r, ERR_RATE_LIMITED,
	    "%s: %lld in the last %lld s, of %lld a minute (%lld at once). Try "
	    "again in %lld ms.",
	    what, (long long)used, (long long)((since_ms + 999) / 1000),
	    (long long)rate->per_minute, (long long)rate->burst,
	    (long long)wait_ms);
}

/* Of somebody's bucket, for something of a member's. */
static enum err
rate_entry_take(struct request *r, enum rate which,
    const struct roster_set *member, const uint8_t *who, size_t n,
    const char *what)
{
	const struct core_rate *rate = &r->core->limits.rates[which];
	struct rate_entry *e;
	int64_t wait;

	if (rate->per_minute == 0)
		return ERR_NONE;
	e = rate_get(r->core, which, who, n);
	wait = rate_take(e, rate, rate_share(e, member));
	if (wait == 0)
		return ERR_NONE;
	return rate_refuse(
	    r, what, rate, e->taken, clock_mono() - e->minute_ms, wait);
}

static const struct roster_set *
rate_member(const struct session *s)
{
	return roster_member(&s->mesh->roster, &s->info.member);
}

enum err
rate_message(struct request *r, enum priority priority)
{
	const struct session *s = r->client->session;
	const uint8_t *id = s->info.member.b;

	if (priority == PRIORITY_NOW &&
	    rate_entry_take(r, RATE_NOW, rate_member(s), id, ID_LEN,
		"Messages of your member with priority now") != ERR_NONE)
		return r->error;
	return rate_entry_take(r, RATE_MEMBER, rate_member(s), id, ID_LEN,
	    "Messages of your member");
}

enum err
rate_pair(struct request *r, const struct id *member)
{
	const struct session *s = r->client->session;
	uint8_t pair[2 * ID_LEN];

	memcpy(pair, s->info.member.b, ID_LEN);
	memcpy(pair + ID_LEN, member->b, ID_LEN);
	return rate_entry_take(r, RATE_PAIR, rate_member(s), pair, sizeof(pair),
	    "Messages of your member to this recipient");
}

/* Who shows a token may do so on a connection for each request. */
static enum err
rate_token(struct request *r, const struct token *t)
{
	const struct core_rate *rate = &r->core->limits.rates[RATE_REQUESTS];
	struct rate_entry *e =
	    rate_get(r->core, RATE_REQUESTS, t->id.b, ID_LEN);
	int64_t wait = rate_take(e, rate, 1);

	if (wait == 0)
		return ERR_NONE;
	return rate_refuse(r, "Requests with your token", rate, e->taken,
	    clock_mono() - e->minute_ms, wait);
}

/* Seconds, rounded up. */
static int64_t
rate_seconds(double s)
{
	return (int64_t)s + ((double)(int64_t)s < s);
}

bool
rate_left(const struct request *r, struct rate_left *out)
{
	const struct core_rate *rate = &r->core->limits.rates[RATE_REQUESTS];
	const struct token *t = deputy_token(r->client);
	const double per_s = (double)rate->per_minute / 60;
	struct rate_entry *e;

	if (rate->per_minute == 0 || t == NULL)
		return false;
	e = rate_get(r->core, RATE_REQUESTS, t->id.b, ID_LEN);
	out->burst = rate->burst;
	out->window_s = rate_seconds((double)rate->burst / per_s);
	out->left = bucket_look(&e->bucket, 1, (double)rate->burst, per_s) == 0
			? (int64_t)e->bucket.tokens
			: 0;
	out->full_s =
	    rate_seconds(((double)rate->burst - e->bucket.tokens) / per_s);
	return true;
}

enum err
rate_hello(
    struct request *r, const struct mesh *m, const uint8_t key[CRYPTO_KEY_LEN])
{
	return rate_entry_take(r, RATE_HELLO,
	    roster_member_key(&m->roster, key), key, CRYPTO_KEY_LEN,
	    "Hellos of your member");
}

enum err
rate_login(struct request *r, const uint8_t who[CRYPTO_DIGEST_LEN])
{
	return rate_entry_take(r, RATE_LOGIN, NULL, who, CRYPTO_DIGEST_LEN,
	    "Attempts to log in by this name");
}

enum err
rate_request(struct request *r)
{
	const struct core_rate *rate = &r->core->limits.rates[RATE_REQUESTS];
	const struct token *t = deputy_token(r->client);
	int64_t wait;

	if (rate->per_minute == 0)
		return ERR_NONE;
	if (t != NULL)
		return rate_token(r, t);
	wait = bucket_take(&r->client->rate, 1, (double)rate->burst,
	    (double)rate->per_minute / 60);
	if (wait == 0)
		return ERR_NONE;
	core_count(r->core, RATE_LIMITED);
	r->error_limit = rate->per_minute;
	r->error_used = rate->burst;
	r->error_retry_ms = wait;
	return op_error(r, ERR_RATE_LIMITED,
	    "Requests of this connection: more than %lld a minute (%lld at "
	    "once). Try again in %lld ms.",
	    (long long)rate->per_minute, (long long)rate->burst,
	    (long long)wait);
}

/* The bucket of a client's address; NULL: there is no such limit. */
static struct rate_entry *
rate_address(const struct client *c)
{
	uint8_t address[CLIENT_ADDRESS];

	if (c->core->limits.rates[RATE_REFUSED].per_minute == 0 ||
	    !c->calls->address(c, address))
		return NULL;
	return rate_get(c->core, RATE_REFUSED, address, sizeof(address));
}

enum err
rate_stranger(struct request *r)
{
	const struct core_rate *rate = &r->core->limits.rates[RATE_REFUSED];
	struct rate_entry *e = rate_address(r->client);
	int64_t wait;

	if (e == NULL)
		return ERR_NONE;
	wait = bucket_look(
	    &e->bucket, 1, (double)rate->burst, (double)rate->per_minute / 60);
	if (wait == 0)
		return ERR_NONE;
	return rate_refuse(r, "Refused attempts from your address", rate,
	    e->taken, clock_mono() - e->minute_ms, wait);
}

void
rate_refused(const struct client *c)
{
	struct rate_entry *e = rate_address(c);

	if (e != NULL)
		(void)rate_take(e, &c->core->limits.rates[RATE_REFUSED], 1);
}

void
rate_tick(struct core *c)
{
	struct hash_entry *h, *next;
	const struct core_rate *rate;
	struct rate_entry *e;
	size_t i;

	if (clock_mono() - c->rates_ms < RATE_TICK_MS)
		return;
	c->rates_ms = clock_mono();
	HASH_FOREACH (h, next, i, &c->rates) {
		e = CONTAINER(h, struct rate_entry, hash);
		rate = &c->limits.rates[e->key[0]];
		if (bucket_look(&e->bucket, (double)rate->burst,
			(double)rate->burst, (double)rate->per_minute / 60) > 0)
			continue;
		hash_remove(&c->rates, h);
		free(e);
	}
}

void
rate_close(struct core *c)
{
	struct hash_entry *h, *next;
	size_t i;

	HASH_FOREACH (h, next, i, &c->rates)
		free(CONTAINER(h, struct rate_entry, hash));
	hash_free(&c->rates);
}
