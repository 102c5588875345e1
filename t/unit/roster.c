/* SPDX-License-Identifier: ISC */
/*
 * The roster: every way to find a session, and that it is found no more.
 */
#include <stdlib.h>

#include "core/domain.h"
#include "tap.h"

#define TEXT(s)                    \
	{                          \
		(s), sizeof(s) - 1 \
	}

static struct session_info
info(unsigned n, unsigned member, const char *name)
{
	struct session_info i;

	memset(&i, 0, sizeof(i));
	i.id.b[0] = (uint8_t)(n + 1);
	i.id.b[1] = (uint8_t)(n >> 8);
	i.member.b[0] = (uint8_t)(member + 1);
	i.member_key[0] = (uint8_t)(member + 1);
	i.key[0] = (uint8_t)(n + 1);
	i.key[1] = (uint8_t)(n >> 8);
	i.ref = n;
	i.live = true;
	i.name = (struct slice){ name, strlen(name) };
	i.name_folded = i.name;
	i.connected_ms = n;
	return i;
}

static size_t
members(const struct roster_set *set)
{
	const struct roster_link *l;
	size_t n = 0;

	if (set == NULL)
		return 0;
	LIST_FOREACH (l, &set->links, entry)
		n++;
	return n == set->count ? n : SIZE_MAX;
}

static size_t
named(const struct roster *r, const char *name)
{
	const struct session *s = roster_name(r, name, strlen(name));
	size_t n;

	for (n = 0; s != NULL; n++)
		s = roster_name_next(s);
	return n;
}

static void
forget(struct roster *r, int64_t before_ms)
{
	struct session *s;

	while ((s = roster_ended(r, before_ms)) != NULL)
		roster_remove(r, s);
}

static size_t
in_group(const struct roster *r, const char *name)
{
	return members(roster_group(r, name, strlen(name)));
}

static void
test_find(void)
{
	struct roster r;
	struct session_info a = info(0, 0, "alice"), b = info(1, 0, "alice"),
			    c = info(2, 1, "bob");
	struct session *s;

	roster_init(&r);
	s = roster_put(&r, &a);
	(void)roster_put(&r, &b);
	(void)roster_put(&r, &c);
	ok(roster_by_id(&r, &a.id) == s, "by id");
	ok(roster_by_key(&r, a.key) == s, "by key");
	is_int(members(roster_member(&r, &a.member)), 2, "by member");
	is_int(members(roster_member_key(&r, a.member_key)), 2,
	    "by the member's key");
	is_int(named(&r, "alice"), 2, "by name");
	is_int(named(&r, "bob"), 1, "by another name");
	is_int(named(&r, "alic"), 0, "not by part of a name");
	is_int(r.live, 3, "three are live");

	a.name = (struct slice)TEXT("ann");
	a.name_folded = a.name;
	ok(roster_put(&r, &a) == s, "a change keeps the entry");
	is_int(named(&r, "alice"), 1, "the old name is gone");
	is_int(named(&r, "ann"), 1, "the new one is there");
	is_int(r.live, 3, "still three");

	roster_remove(&r, s);
	ok(roster_by_id(&r, &a.id) == NULL, "removed: not by id");
	ok(roster_by_key(&r, a.key) == NULL, "removed: not by key");
	is_int(members(roster_member(&r, &b.member)), 1, "its sibling stays");
	roster_remove(&r, roster_by_id(&r, &b.id));
	ok(roster_member_key(&r, b.member_key) == NULL,
	    "a member without sessions is not found");
	roster_fini(&r);
}

static void
test_groups(void)
{
	struct slice groups[] = { TEXT("a/b"), TEXT("lead"), TEXT("a/c/d"),
		TEXT(""), TEXT("x"), TEXT("") };
	struct session_info i = info(0, 0, "alice");
	struct roster r;
	struct session *s;

	roster_init(&r);
	i.groups = groups;
	i.ngroups = 3;
	s = roster_put(&r, &i);
	is_int(in_group(&r, "a/b"), 1, "in its group");
	is_int(in_group(&r, "a/c/d"), 1, "in a deep one");
	is_int(in_group(&r, "a/c"), 1, "in the one above");
	is_int(in_group(&r, "a"), 1, "in the top one, once");
	is_int(in_group(&r, "x"), 1, "in a plain one");
	is_int(in_group(&r, "a/"), 0, "not in part of a name");
	is_int(in_group(&r, "b"), 0, "not in the last part alone");
	ok(s->info.groups != groups && s->info.groups[1].n == 4 &&
		memcmp(s->info.groups[1].p, "lead", 4) == 0,
	    "groups and roles are copies");
	i.ngroups = 1;
	roster_put(&r, &i);
	is_int(in_group(&r, "a"), 1, "still in a by a/b");
	is_int(in_group(&r, "a/c"), 0, "no longer in a/c");
	is_int(in_group(&r, "x"), 0, "no longer in x");
	/* The info may point into the entry itself. */
	i = s->info;
	roster_put(&r, &i);
	is_int(in_group(&r, "a/b"), 1, "put from its own texts");
	roster_fini(&r);
}

static void
test_end(void)
{
	struct session_info a = info(0, 0, "alice"), b = info(1, 0, "bob");
	struct roster r;
	struct session *s;

	roster_init(&r);
	s = roster_put(&r, &a);
	(void)roster_put(&r, &b);
	roster_end(&r, s, 1000);
	roster_end(&r, s, 2000);
	is_int(r.live, 1, "ended twice counts once");
	ok(roster_by_id(&r, &a.id) == s, "it is kept");
	forget(&r, 1000);
	ok(roster_by_id(&r, &a.id) == s, "it is kept through its lease");
	roster_put(&r, &a);
	is_int(r.live, 2, "it returned");
	forget(&r, 5000);
	ok(roster_by_id(&r, &a.id) == s, "who returned is not forgotten");
	roster_end(&r, s, 1000);
	forget(&r, 1001);
	ok(roster_by_id(&r, &a.id) == NULL, "forgotten after its lease");
	ok(roster_by_id(&r, &b.id) != NULL, "the other stays");
	roster_fini(&r);
}

/* What the database says of ends comes in any order. */
static void
test_end_order(void)
{
	struct session_info a = info(0, 0, "a"), b = info(1, 0, "b"),
			    c = info(2, 0, "c");
	struct roster r;

	roster_init(&r);
	roster_end(&r, roster_put(&r, &a), 3000);
	roster_end(&r, roster_put(&r, &b), 1000);
	roster_end(&r, roster_put(&r, &c), 2000);
	forget(&r, 2500);
	ok(roster_by_id(&r, &a.id) != NULL, "who ended last is kept");
	ok(roster_by_id(&r, &b.id) == NULL, "who ended first is forgotten");
	ok(roster_by_id(&r, &c.id) == NULL, "and the one between");
	roster_fini(&r);
}

/* What few sessions have is copied with the rest, and can be taken away. */
static void
test_more(void)
{
	struct session_more more = { TEXT("lead"), TEXT(""), TEXT("{}"),
		{ NULL, 0 } };
	struct session_more none = { TEXT(""), { NULL, 0 }, { NULL, 0 },
		TEXT("") };
	struct slice groups[] = { TEXT("a"), TEXT("r") };
	struct session_info a = info(0, 0, "alice");
	struct session *s;
	struct roster r;

	ok(roster_more(&none) == NULL, "nothing is nothing");
	ok(roster_more(&more) == &more, "something is");
	roster_init(&r);
	a.groups = groups;
	a.ngroups = 1;
	a.more = &more;
	s = roster_put(&r, &a);
	memset(&more, 'x', sizeof(more));
	ok(s->info.more != NULL && s->info.more->role.n == 4 &&
		memcmp(s->info.more->role.p, "lead", 4) == 0,
	    "a text");
	ok(s->info.more->stats.p == NULL, "none stays none");
	is_int(in_group(&r, "a"), 1, "with groups");
	a = s->info;
	s = roster_put(&r, &a);
	ok(memcmp(s->info.more->profile.p, "{}", 2) == 0,
	    "put from its own texts");
	a = s->info;
	a.more = NULL;
	s = roster_put(&r, &a);
	ok(s->info.more == NULL, "taken away");
	roster_fini(&r);
}

/* Who of a member's two sessions gets a message. */
static const struct {
	enum status one, two;
	int64_t one_active, two_active;
	bool one_live, two_live, one_control;
	enum priority priority;
	int want; /* 1, 2, or 0 for nobody */
	const char *text;
} best[] = {
	{ STATUS_IDLE, STATUS_IDLE, 5, 9, true, true, false, PRIORITY_NEXT, 2,
	    "the one active last" },
	{ STATUS_IDLE, STATUS_WORKING, 5, 9, true, true, false, PRIORITY_NEXT,
	    1, "the idle one" },
	{ STATUS_DND, STATUS_WORKING, 9, 5, true, true, false, PRIORITY_NOW, 2,
	    "working before dnd" },
	{ STATUS_IDLE, STATUS_IDLE, 9, 5, false, true, false, PRIORITY_NOW, 2,
	    "the connected one" },
	{ STATUS_IDLE, STATUS_DND, 9, 5, true, true, true, PRIORITY_LOW, 2,
	    "never a control session" },
	{ STATUS_IDLE, STATUS_IDLE, 9, 5, false, false, false, PRIORITY_NOW, 0,
	    "nobody is connected" },
};

static void
test_best(void)
{
	struct session_info a = info(0, 0, "x"), b = info(1, 0, "x");
	struct session *one, *two, *got;
	struct roster r;
	size_t i;

	for (i = 0; i < NELEM(best); i++) {
		roster_init(&r);
		a.status = (uint8_t)best[i].one;
		a.active_ms = best[i].one_active;
		a.control = best[i].one_control;
		b.status = (uint8_t)best[i].two;
		b.active_ms = best[i].two_active;
		one = roster_put(&r, &a);
		two = roster_put(&r, &b);
		if (!best[i].one_live)
			roster_end(&r, one, 1);
		if (!best[i].two_live)
			roster_end(&r, two, 1);
		got = roster_best(
		    roster_member(&r, &a.member), best[i].priority, NULL);
		is_int(got == one   ? 1
		       : got == two ? 2
				    : 0,
		    best[i].want, "best: %s", best[i].text);
		roster_fini(&r);
	}
}

static void
test_admits(void)
{
	enum status s;
	enum priority p;

	for (s = STATUS_IDLE; s <= STATUS_DND; s++)
		for (p = PRIORITY_LOW; p <= PRIORITY_NOW; p++)
			is_int(roster_admits(s, p),
			    s == STATUS_IDLE || p == PRIORITY_NOW, "%s at %s",
			    table_priorities[p], table_statuses[s]);
}

/* Thousands in one group come and go, and nothing is left behind. */
static void
test_many(void)
{
	struct slice group[] = { TEXT("all/of/them"), TEXT("") };
	struct session_info i;
	struct roster r;
	unsigned n;

	roster_init(&r);
	for (n = 0; n < 20000; n++) {
		i = info(n % 250, n, "same");
		i.id.b[2] = (uint8_t)(n / 250);
		i.key[2] = (uint8_t)(n / 250);
		i.groups = group;
		i.ngroups = 1;
		(void)roster_put(&r, &i);
	}
	is_int(in_group(&r, "all"), 20000, "20,000 in one group");
	while (!TAILQ_EMPTY(&r.sessions))
		roster_remove(&r, TAILQ_FIRST(&r.sessions));
	is_int(r.groups.count + r.names.count + r.members.count +
		   r.member_keys.count + r.by_id.count + r.by_key.count,
	    0, "no index entry is left");
	roster_fini(&r);
}

int
main(void)
{
	crypto_start();
	test_find();
	test_groups();
	test_end();
	test_end_order();
	test_more();
	test_best();
	test_admits();
	test_many();
	return tap_done();
}
