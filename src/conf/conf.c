/* SPDX-License-Identifier: ISC */
/*
 * The values of the configuration: the table of options, reading a word into
 * a field, ranges, the checks of options against each other, and what differs
 * between two configurations.
 *
 * A field is reached only through its row, by type, so that a new option is a
 * row in options.def and nothing else.  Texts of errors never hold the value
 * of a STR or LIST: it may be a secret (database).
 */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct conf_option conf_options[] = {
#define OPT(name, field, type, min, max, value, reload, text) \
	{                                                     \
		name,                                         \
		CONF_##type,                                  \
		min,                                          \
		max,                                          \
		value,                                        \
		reload,                                       \
		text,                                         \
		offsetof(struct conf, field),                 \
	},
#include "conf/options.def"
#undef OPT
};

void *
conf_field(struct conf *c, const struct conf_option *o)
{
	return (char *)c + o->offset;
}

const void *
conf_value(const struct conf *c, const struct conf_option *o)
{
	return (const char *)c + o->offset;
}

const struct conf_option *
conf_find(const char *name)
{
	size_t i;

	for (i = 0; i < CONF_COUNT; i++) {
		if (strcmp(name, conf_options[i].name) == 0)
			return &conf_options[i];
	}
	return NULL;
}

static void
conf_list_clear(struct conf_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i]);
	l->n = 0;
	l->v = xreallocarray(l->v, 1, sizeof(*l->v));
	l->v[0] = NULL;
}

static void
conf_list_add(struct conf_list *l, const char *word)
{
	l->v = xreallocarray(l->v, l->n + 2, sizeof(*l->v));
	l->v[l->n++] = xstrdup(word);
	l->v[l->n] = NULL;
}

static int
conf_put_str(
    const struct conf_option *o, char **field, const char *word, char **error)
{
	size_t n = strlen(word);

	if (n < (size_t)o->min || n > (size_t)o->max) {
		*error = xasprintf("%s has %zu bytes; give %lld to %lld",
		    o->name, n, (long long)o->min, (long long)o->max);
		return -1;
	}
	free(*field);
	*field = xstrdup(word);
	return 0;
}

static int
conf_put_bool(
    const struct conf_option *o, bool *field, const char *word, char **error)
{
	if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0) {
		*error = xasprintf(
		    "%s \"%.64s\" is neither yes nor no", o->name, word);
		return -1;
	}
	*field = strcmp(word, "yes") == 0;
	return 0;
}

/* INT, TIME and SIZE. */
static int
conf_put_num(
    const struct conf_option *o, int64_t *field, const char *word, char **error)
{
	char min[32], max[32];
	const char *wrong;
	int64_t v = 0;

	switch (o->type) {
	case CONF_TIME:
		wrong = str_duration(word, &v);
		str_print_duration(min, o->min);
		str_print_duration(max, o->max);
		break;
	case CONF_SIZE:
		wrong = str_size(word, &v);
		str_print_size(min, o->min);
		str_print_size(max, o->max);
		break;
	default:
		wrong = str_num(word, INT64_MIN, INT64_MAX, &v);
		snprintf(min, sizeof(min), "%lld", (long long)o->min);
		snprintf(max, sizeof(max), "%lld", (long long)o->max);
		break;
	}
	if (wrong == NULL && v < o->min)
		wrong = "is too small";
	if (wrong == NULL && v > o->max)
		wrong = "is too large";
	if (wrong != NULL) {
		*error = xasprintf("%s \"%.64s\" %s; give %s to %s", o->name,
		    word, wrong, min, max);
		return -1;
	}
	*field = v;
	return 0;
}

static int
conf_put_list(const struct conf_option *o, struct conf_list *field,
    const char *word, bool first, char **error)
{
	if (first || *word == '\0')
		conf_list_clear(field);
	if (*word == '\0')
		return 0;
	if (field->n >= (size_t)o->max) {
		*error = xasprintf("%s has too many entries; give at most %lld",
		    o->name, (long long)o->max);
		return -1;
	}
	conf_list_add(field, word);
	return 0;
}

int
conf_put(struct conf *c, const struct conf_option *o, const char *word,
    enum conf_origin origin, char **error)
{
	uint8_t *was = &c->origin[o - conf_options];
	void *field = conf_field(c, o);
	int r = -1;

	switch (o->type) {
	case CONF_STR:
		r = conf_put_str(o, field, word, error);
		break;
	case CONF_BOOL:
		r = conf_put_bool(o, field, word, error);
		break;
	case CONF_INT:
	case CONF_TIME:
	case CONF_SIZE:
		r = conf_put_num(o, field, word, error);
		break;
	case CONF_LIST:
		r = conf_put_list(o, field, word, *was != origin, error);
		break;
	}
	if (r == 0)
		*was = (uint8_t)origin;
	return r;
}

struct conf *
conf_new(void)
{
	struct conf *c = xcalloc(1, sizeof(*c));
	const struct conf_option *o;
	char *error;

	for (o = conf_options; o < conf_options + CONF_COUNT; o++) {
		if (o->type == CONF_LIST)
			conf_list_clear(conf_field(c, o));
		if (conf_put(c, o, o->value, CONF_DEFAULT, &error) == -1)
			fatalx("default: %s", error);
	}
	return c;
}

void
conf_free(struct conf *c)
{
	const struct conf_option *o;

	if (c == NULL)
		return;
	for (o = conf_options; o < conf_options + CONF_COUNT; o++) {
		if (o->type == CONF_STR) {
			free(*(char **)conf_field(c, o));
		} else if (o->type == CONF_LIST) {
			struct conf_list *l = conf_field(c, o);

			conf_list_clear(l);
			free(l->v);
		}
	}
	free(c);
}

/* The checks: each returns NULL or a sentence of its own. */

static const char *
conf_check_words(const struct conf *c)
{
	enum log_level level;
	bool private = strcmp(c->database, "private") == 0;

	if (log_parse_level(c->log_level, &level) == -1)
		return "log.level is not error, warn, info or debug";
	if (c->state_dir[0] != '/')
		return "state_dir does not begin with a slash";
	if (c->postgres_bin[0] != '\0' && c->postgres_bin[0] != '/')
		return "postgres_bin does not begin with a slash";
	if (!private && !str_starts(c->database, "postgresql://") &&
	    !str_starts(c->database, "postgres://") &&
	    strchr(c->database, '=') == NULL)
		return "database is neither private, nor a postgresql:// URI, "
		       "nor a connection string of key=value";
	if (c->host_name[0] != '\0' &&
	    !str_is_name(c->host_name, strlen(c->host_name)))
		return "host_name has characters that a name may not have";
	if (c->mesh_join_url[0] != '\0' &&
	    !str_starts(c->mesh_join_url, "ws://") &&
	    !str_starts(c->mesh_join_url, "wss://"))
		return "mesh.join_url does not begin with ws:// or wss://";
	return NULL;
}

bool
conf_is_file(const char *s)
{
	static const char credential[] = "credential:";

	if (!str_starts(s, credential))
		return s[0] == '/';
	s += sizeof(credential) - 1;
	return s[0] != '\0' && s[0] != '.' && strchr(s, '/') == NULL;
}

static const char *
conf_check_tls(const struct conf *c)
{
	size_t i;

	if (strcmp(c->tls_min_version, "1.2") != 0 &&
	    strcmp(c->tls_min_version, "1.3") != 0)
		return "tls.min_version is neither 1.2 nor 1.3";
	if (c->tls_certificate.n != c->tls_key.n)
		return "tls.certificate and tls.key have not as many entries; "
		       "each certificate needs its key";
	for (i = 0; i < c->tls_key.n; i++) {
		if (!conf_is_file(c->tls_certificate.v[i]) ||
		    !conf_is_file(c->tls_key.v[i]))
			return "tls.certificate or tls.key has an entry that "
			       "neither begins with a slash nor is "
			       "credential:NAME";
	}
	for (i = 0; i < c->listen.n && c->tls_key.n == 0; i++) {
		if (str_starts(c->listen.v[i], "tls:"))
			return "listen has an address for TLS, but there is no "
			       "tls.certificate";
	}
	return NULL;
}

/* An Origin header is scheme, host and port (RFC 6454 6.2): an entry with a
 * path would never match. */
static const char *
conf_check_origins(const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->http_origin.n; i++) {
		const char *s = c->http_origin.v[i];
		const char *host = strstr(s, "://");

		if (strcmp(s, "*") == 0)
			continue;
		if (host == NULL || host == s || host[3] == '\0' ||
		    strchr(host + 3, '/') != NULL)
			return "http.origin has an entry that is no origin; "
			       "write scheme://host or scheme://host:port, "
			       "without a slash at its end";
	}
	return NULL;
}

static const char *
conf_check_trust(const struct conf *c)
{
	uint8_t key[CRYPTO_KEY_LEN];
	size_t i;

	for (i = 0; i < c->audit_trust.n; i++)
		if (!conf_audit_trust(c, i, key))
			return "audit.trust has an entry that is no public "
			       "key of 64 hex digits";
	if (c->audit_checkpoint_time > 0 && c->audit_checkpoint_time < 1000)
		return "audit.checkpoint_time is less than a second";
	return NULL;
}

static const char *
conf_check_order(const struct conf *c)
{
	if (c->limit_ping_time >= c->limit_dead_time)
		return "limit.ping_time is not less than limit.dead_time: "
		       "no peer could answer a ping in time";
	if (c->limit_hello > c->limit_message)
		return "limit.hello is greater than limit.message";
	if (c->limit_message > c->limit_output)
		return "limit.message is greater than limit.output: the "
		       "largest message could never be delivered";
	if (c->mesh_ack_time > c->mesh_hold)
		return "mesh.ack_time is greater than mesh.hold: a message "
		       "would expire before it is pushed again";
	return NULL;
}

static const char *
conf_check_size(const struct conf *c)
{
	const char *wrong = NULL;
	struct buf b;

	buf_init(&b, CONF_TEXT_MAX);
	conf_print(c, &b);
	if (b.failed)
		wrong = "the configuration is longer than 128 KiB";
	buf_free(&b);
	return wrong;
}

int
conf_check(const struct conf *c, char **error)
{
	static const char *(*const checks[])(const struct conf *) = {
		conf_check_words,
		conf_check_tls,
		conf_check_origins,
		conf_check_trust,
		conf_check_order,
		conf_files_check,
		conf_webhook_check,
		conf_check_size,
	};
	const char *wrong;
	size_t i;

	for (i = 0; i < NELEM(checks); i++) {
		wrong = checks[i](c);
		if (wrong != NULL) {
			*error = xstrdup(wrong);
			return -1;
		}
	}
	return 0;
}

static bool
conf_list_same(const struct conf_list *a, const struct conf_list *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	}
	return true;
}

static bool
conf_same(const struct conf_option *o, const void *a, const void *b)
{
	switch (o->type) {
	case CONF_STR:
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	case CONF_LIST:
		return conf_list_same(a, b);
	case CONF_BOOL:
		return *(const bool *)a == *(const bool *)b;
	default:
		return *(const int64_t *)a == *(const int64_t *)b;
	}
}

size_t
conf_changes(
    const struct conf *a, const struct conf *b, const struct conf_option **out)
{
	const struct conf_option *o;
	size_t n = 0;

	for (o = conf_options; o < conf_options + CONF_COUNT; o++) {
		if (!conf_same(o, conf_value(a, o), conf_value(b, o)))
			out[n++] = o;
	}
	return n;
}

static void
conf_copy(const struct conf_option *o, void *to, const void *from)
{
	const struct conf_list *l = from;
	size_t i;

	switch (o->type) {
	case CONF_STR:
		free(*(char **)to);
		*(char **)to = xstrdup(*(char *const *)from);
		break;
	case CONF_LIST:
		conf_list_clear(to);
		for (i = 0; i < l->n; i++)
			conf_list_add(to, l->v[i]);
		break;
	case CONF_BOOL:
		*(bool *)to = *(const bool *)from;
		break;
	default:
		*(int64_t *)to = *(const int64_t *)from;
		break;
	}
}

void
conf_keep(struct conf *c, const struct conf *old)
{
	const struct conf_option *o;

	for (o = conf_options; o < conf_options + CONF_COUNT; o++) {
		if (!o->reload)
			conf_copy(o, conf_field(c, o), conf_value(old, o));
	}
}
