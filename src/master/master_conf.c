/* SPDX-License-Identifier: ISC */
/*
 * The configuration: defaults, the file over them, -o over both, and then the
 * checks that need to know more than conf does (addresses, PostgreSQL, the
 * length of a path).  Start, -t and reload all come through master_conf(), so
 * that they cannot disagree.
 */
#include "master/master.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "net/net.h"

/* The longest names of sockets in the state directory. */
#define SOCKET_CTL "/control.sock"
#define SOCKET_DATABASE "/run/.s.PGSQL.5432"

/* Each check returns NULL, or a sentence that is the caller's to free. */

static char *
conf_check_state_dir(const struct conf *c)
{
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	most -= strlen(conf_is_private(c) ? SOCKET_DATABASE : SOCKET_CTL);
	if (strlen(c->state_dir) > most)
		return xasprintf("state_dir is longer than %zu bytes, and the "
				 "name of a unix socket below it would be too "
				 "long",
		    most);
	/* Both the server and libpq take a comma for the end of one of several
	 * directories, and the server has quotes. */
	if (conf_is_private(c) && strpbrk(c->state_dir, ",\"\n") != NULL)
		return xstrdup("state_dir has a comma, a quote or a newline, "
			       "which PostgreSQL does not take in the name of "
			       "its socket's directory");
	return NULL;
}

static char *
conf_check_listen(const struct conf *c)
{
	struct net_addr addr;
	const char *wrong, *word;
	bool tls;
	size_t i;

	if (c->listen.n == 0)
		return xstrdup("listen has no address");
	for (i = 0; i < c->listen.n; i++) {
		word = c->listen.v[i];
		wrong = net_listen_parse(word, &addr, &tls);
		if (wrong == NULL && addr.ss.ss_family == AF_UNIX &&
		    strstr(word, "unix:/") == NULL)
			wrong = "does not begin with unix:/";
		if (wrong != NULL)
			return xasprintf("listen \"%.256s\" %s", word, wrong);
	}
	return NULL;
}

static int
conf_read_all(struct conf *c, const struct master_args *args, char **error)
{
	static char *(*const checks[])(const struct conf *) = {
		conf_check_state_dir,
		conf_check_listen,
	};
	struct stat st;
	size_t i;

	if ((args->path_given || stat(args->path, &st) == 0 ||
		errno != ENOENT) &&
	    conf_load(c, args->path, error) == -1)
		return -1;
	for (i = 0; i < args->noptions; i++) {
		if (conf_set(c, args->options[i], error) == -1)
			return -1;
	}
	if (conf_check(c, error) == -1)
		return -1;
	for (i = 0; i < NELEM(checks); i++) {
		if ((*error = checks[i](c)) != NULL)
			return -1;
	}
	return 0;
}

struct conf *
master_conf(const struct master_args *args, char **error)
{
	struct conf *c = conf_new();

	if (conf_read_all(c, args, error) == 0)
		return c;
	conf_free(c);
	return NULL;
}

/* A copy to be changed, by the printer and the parser. */
static struct conf *
conf_copy(const struct conf *c)
{
	struct conf *copy = conf_new();
	struct buf b;
	char *error;

	buf_init(&b, CONF_TEXT_MAX);
	conf_print(c, &b);
	if (conf_read(copy, "copy", b.data, b.len, &error) == -1)
		fatalx("a configuration that does not read back: %s", error);
	crypto_wipe(b.data, b.len);
	buf_free(&b);
	return copy;
}

static void
conf_change(struct conf *c, enum conf_at at, const char *word)
{
	char *error;

	if (conf_put(c, &conf_options[at], word, CONF_LINE, &error) == -1)
		fatalx("%s", error);
}

void
master_conf_print(const struct conf *c, struct buf *out)
{
	struct conf *copy = conf_copy(c);
	struct buf b;

	buf_init(&b, CONF_TEXT_MAX);
	conf_mask_database(c, &b);
	free(copy->database);
	copy->database = xstrdup(buf_str(&b));
	buf_free(&b);
	conf_print(copy, out);
	conf_free(copy);
}

void
master_conf_text(const struct master *m, struct buf *out)
{
	struct conf *copy = conf_copy(m->conf);
	const char *word;
	char *bound;
	size_t i;

	for (i = 0; i < m->nlisteners; i++) {
		word = m->conf->listen.v[i];
		if (master_accept_port(m, i) == 0)
			bound = xstrdup(word);
		else
			bound = xasprintf("%.*s:%u",
			    (int)(strrchr(word, ':') - word), word,
			    master_accept_port(m, i));
		conf_change(copy, CONF_AT_listen, bound);
		free(bound);
	}
	/* -d holds for all. */
	if (m->args->debug)
		conf_change(copy, CONF_AT_log_level, "debug");
	conf_print(copy, out);
	conf_free(copy);
}
