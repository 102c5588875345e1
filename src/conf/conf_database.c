/* SPDX-License-Identifier: ISC */
/*
 * Where the database is, in the words of libpq: the connection string that
 * the option `database` stands for, and the same option as people may see it.
 *
 * The string of an operator is libpq's to understand and is passed on as it
 * is.  It is taken apart here only to find the passwords in it, and what is
 * doubtful is hidden: better a host that is not shown than a secret that is.
 */
#include "config.h" /* memrchr(3) */

#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#define CONF_HIDDEN "***"

bool
conf_is_private(const struct conf *c)
{
	return strcmp(c->database, "private") == 0;
}

/* A value as libpq reads it, PQconnectdb(3). */
static void
conf_add_value(struct buf *out, const char *v)
{
	buf_addc(out, '\'');
	for (; *v != '\0'; v++) {
		if (*v == '\'' || *v == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *v);
	}
	buf_addc(out, '\'');
}

void
conf_conninfo(const struct conf *c, bool chrooted, struct buf *out)
{
	if (!conf_is_private(c)) {
		buf_adds(out, c->database);
		return;
	}
	buf_adds(out, "host=");
	if (chrooted) {
		buf_addc(out, '/');
	} else {
		char *run = xasprintf("%s/run", c->state_dir);

		conf_add_value(out, run);
		free(run);
	}
	buf_adds(out, " port=5432 dbname=linnet user=linnet");
}

/* Is it the name of a parameter whose value is a secret? */
static bool
conf_is_secret(const char *name, size_t n)
{
	return (n == 8 && strncmp(name, "password", n) == 0) ||
	       (n == 11 && strncmp(name, "sslpassword", n) == 0);
}

/* scheme://user:password@host/name?parameter=value&... */
static void
conf_mask_uri(const char *s, struct buf *out)
{
	const char *start = strstr(s, "://") + 3;
	const char *query = strchr(start, '?');
	const char *end = query != NULL ? query : s + strlen(s);
	const char *at, *colon, *value;
	size_t n;

	colon = memchr(start, ':', (size_t)(end - start));
	/* The last one: a password may hold what should have been escaped. */
	at = memrchr(start, '@', (size_t)(end - start));
	if (colon != NULL && at != NULL && colon < at) {
		buf_add(out, s, (size_t)(colon + 1 - s));
		buf_adds(out, CONF_HIDDEN);
		s = at;
	}
	buf_add(out, s, (size_t)(end - s));
	for (s = end; *s != '\0'; s += n) {
		/* A separator, a name, and perhaps a value. */
		n = 1 + strcspn(s + 1, "&");
		value = memchr(s, '=', n);
		if (value != NULL &&
		    conf_is_secret(s + 1, (size_t)(value - s - 1))) {
			buf_add(out, s, (size_t)(value + 1 - s));
			buf_adds(out, CONF_HIDDEN);
		} else {
			buf_add(out, s, n);
		}
	}
}

/* The end of a value that begins at s, perhaps in quotes. */
static const char *
conf_value_end(const char *s)
{
	bool quoted = *s == '\'';

	for (s += quoted; *s != '\0'; s++) {
		if (*s == '\\' && s[1] != '\0')
			s++;
		else if (quoted ? *s == '\'' : strchr(" \t\n", *s) != NULL)
			return s + quoted;
	}
	return s;
}

/* name = value ..., with blanks wherever libpq allows them. */
static void
conf_mask_pairs(const char *s, struct buf *out)
{
	const char *name, *value, *end;
	size_t n;

	while (*s != '\0') {
		name = s + strspn(s, " \t\n");
		n = strcspn(name, "= \t\n");
		value = end = name + n;
		value += strspn(value, " \t\n");
		if (*value == '=') {
			value += 1 + strspn(value + 1, " \t\n");
			end = conf_value_end(value);
		}
		if (conf_is_secret(name, n) && value < end) {
			buf_add(out, s, (size_t)(value - s));
			buf_adds(out, CONF_HIDDEN);
		} else {
			buf_add(out, s, (size_t)(end - s));
		}
		s = end;
	}
}

void
conf_mask_database(const struct conf *c, struct buf *out)
{
	if (strstr(c->database, "://") != NULL)
		conf_mask_uri(c->database, out);
	else
		conf_mask_pairs(c->database, out);
}
