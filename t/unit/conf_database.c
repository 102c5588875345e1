/* SPDX-License-Identifier: ISC */
/*
 * The database option: what libpq gets, and what people are shown of it.
 */
#include <stdlib.h>

#include "conf/conf.h"
#include "tap.h"

static struct conf *
make(const char *state_dir, const char *database)
{
	struct conf *c = conf_new();

	free(c->state_dir);
	c->state_dir = xstrdup(state_dir);
	free(c->database);
	c->database = xstrdup(database);
	return c;
}

static void
test_conninfo(void)
{
	static const struct {
		const char *state_dir;
		const char *database;
		bool chrooted;
		const char *want;
	} rows[] = {
		{ "/s", "private", false,
		    "host='/s/run' port=5432 dbname=linnet user=linnet" },
		{ "/s", "private", true,
		    "host=/ port=5432 dbname=linnet user=linnet" },
		{ "/a b'c\\d", "private", false,
		    "host='/a b\\'c\\\\d/run' port=5432 dbname=linnet "
		    "user=linnet" },
		{ "/s", "postgresql://u:p@h/d", false, "postgresql://u:p@h/d" },
		{ "/s", "host=h password=p", true, "host=h password=p" },
	};
	struct buf b;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		struct conf *c = make(rows[i].state_dir, rows[i].database);

		buf_init(&b, 4096);
		conf_conninfo(c, rows[i].chrooted, &b);
		is_str(buf_str(&b), rows[i].want, "%s in %s%s",
		    rows[i].database, rows[i].state_dir,
		    rows[i].chrooted ? ", chrooted" : "");
		ok(conf_is_private(c) ==
			(strcmp(rows[i].database, "private") == 0),
		    "private or not");
		buf_free(&b);
		conf_free(c);
	}
}

/* Every secret here is "hush"; nothing else may change. */
static void
test_mask(void)
{
	static const struct {
		const char *database;
		const char *want;
	} rows[] = {
		{ "private", "private" },
		{ "postgresql://h/d", "postgresql://h/d" },
		{ "postgresql://u@h:5/d", "postgresql://u@h:5/d" },
		{ "postgresql://[::1]:5/d", "postgresql://[::1]:5/d" },
		{ "postgresql://u:hush@h/d", "postgresql://u:***@h/d" },
		{ "postgres://u:hush@h,i:5/d", "postgres://u:***@h,i:5/d" },
		{ "postgresql://u:@h/d", "postgresql://u:***@h/d" },
		{ "postgresql://u:hush@hush@h/d", "postgresql://u:***@h/d" },
		{ "postgresql://u:hush/hush@h/d", "postgresql://u:***@h/d" },
		{ "postgresql://u:hush:hush@h/d", "postgresql://u:***@h/d" },
		{ "postgresql://h/d?password=hush",
		    "postgresql://h/d?password=***" },
		{ "postgresql://h/d?a=b&password=hush&c=d",
		    "postgresql://h/d?a=b&password=***&c=d" },
		{ "postgresql://u:hush@h/d?sslpassword=hush&",
		    "postgresql://u:***@h/d?sslpassword=***&" },
		{ "postgresql://h/d?", "postgresql://h/d?" },
		{ "password=hush", "password=***" },
		{ "host=h password=hush dbname=d",
		    "host=h password=*** dbname=d" },
		{ "password = hush host = h", "password = *** host = h" },
		{ "password='hu sh' host=h", "password=*** host=h" },
		{ "password='hu\\'sh' host=h", "password=*** host=h" },
		{ "password=hu\\ sh host=h", "password=*** host=h" },
		{ "password='hush", "password=***" },
		{ "host='a password=b' password=hush",
		    "host='a password=b' password=***" },
		{ "odd password=hush", "odd password=***" },
		{ "sslpassword=hush sslmode=require",
		    "sslpassword=*** sslmode=require" },
		{ "=", "=" },
		{ "host= ", "host= " },
		{ "password=", "password=" },
	};
	struct buf b;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		struct conf *c = make("/s", rows[i].database);

		buf_init(&b, 4096);
		conf_mask_database(c, &b);
		is_str(
		    buf_str(&b), rows[i].want, "shown: %s", rows[i].database);
		buf_free(&b);
		conf_free(c);
	}
}

int
main(void)
{
	test_conninfo();
	test_mask();
	return tap_done();
}
