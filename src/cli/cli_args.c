/* SPDX-License-Identifier: ISC */
/*
 * What was given to a command: options as numbers and times, and text, from
 * arguments or standard input.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ARGS_TEXT_MAX ((size_t)16 << 20)
#define ARGS_OBJECT_NODES ((size_t)1 << 16)
#define ARGS_OBJECT_DEPTH 64

const char *
cli_given(const struct cli *c, const char *name)
{
	return usage_given(&c->line, name);
}

const char *const *
cli_given_all(struct cli *c, const char *name)
{
	const char **all =
	    pool_alloc(&c->pool, (c->line.ngiven + 1) * sizeof(*all));
	size_t i, n = 0;

	for (i = 0; i < c->line.ngiven; i++)
		if (strcmp(c->line.given[i].option->name, name) == 0)
			all[n++] = c->line.given[i].value;
	all[n] = NULL;
	return n > 0 ? all : NULL;
}

const char *const *
cli_given_words(struct cli *c, const char *name)
{
	const char *s = cli_given(c, name), **v;
	size_t n = 0, len;

	if (s == NULL)
		return NULL;
	v = pool_alloc(&c->pool, (strlen(s) + 1) * sizeof(const char *));
	for (s += strspn(s, ", "); *s != '\0';
	     s += len + strspn(s + len, ", ")) {
		len = strcspn(s, ", ");
		v[n++] = pool_strndup(&c->pool, s, len);
	}
	v[n] = NULL;
	return v;
}

bool
cli_given_object(const struct cli *c, const char *name, const char **object)
{
	const char *wrong = NULL;
	struct json j;

	if ((*object = cli_given(c, name)) == NULL)
		return true;
	json_init(&j, ARGS_OBJECT_NODES, ARGS_OBJECT_DEPTH);
	if (json_read(&j, *object, strlen(*object)) != 0)
		cli_print_error("--%s is no JSON: %s", name, wrong = j.error);
	else if (j.nodes[0].type != JSON_OBJECT)
		cli_print_error(
		    "--%s %s", name, wrong = "must be an object, as {\"a\":1}");
	json_free(&j);
	return wrong == NULL;
}

int64_t
cli_given_num(const struct cli *c, const char *name, int64_t otherwise)
{
	const char *text = cli_given(c, name), *wrong;
	int64_t v = otherwise;

	if (text == NULL || (wrong = str_num(text, 1, INT64_MAX, &v)) == NULL)
		return v;
	cli_print_error("--%s %s %s", name, text, wrong);
	return -2;
}

int64_t
cli_given_time(const struct cli *c, const char *name, int64_t otherwise)
{
	const char *text = cli_given(c, name), *wrong;
	int64_t ms = otherwise;

	if (text == NULL || (wrong = str_duration(text, &ms)) == NULL)
		return ms;
	cli_print_error(
	    "--%s %s %s; it looks like 30s or 5m", name, text, wrong);
	return -2;
}

bool
cli_given_expiry(const struct cli *c, const char *name, int64_t *at)
{
	int64_t ms = cli_given_time(c, name, -1);

	*at = 0;
	if (ms >= 0) {
		clock_update();
		*at = clock_wall() + ms;
	}
	return ms != -2;
}

static const char *
args_bad_text(int *status, int why, const char *text)
{
	*status = why;
	cli_print_error("%s", text);
	return NULL;
}

static const char *
args_stdin(struct cli *c, size_t *len, int *status)
{
	struct buf b;
	const char *s;
	char *room;
	ssize_t n;

	buf_init(&b, ARGS_TEXT_MAX);
	do {
		if ((room = buf_reserve(&b, 4096)) == NULL) {
			buf_free(&b);
			return args_bad_text(status, EX_DATAERR,
			    "what comes from standard input is too long");
		}
		n = read(STDIN_FILENO, room, 4096);
		if (n > 0)
			b.len += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == -1) {
		cli_print_error("standard input: %s", strerror(errno));
		buf_free(&b);
		*status = EX_NOINPUT;
		return NULL;
	}
	if (b.len > 0 && b.data[b.len - 1] == '\n')
		b.len--;
	*len = b.len;
	s = pool_strndup(&c->pool, b.len > 0 ? b.data : "", b.len);
	buf_free(&b);
	return s;
}

const char *
cli_args_text(struct cli *c, int n, size_t *len, int *status)
{
	bool dash = c->argc == n + 1 && strcmp(c->argv[n], "-") == 0;
	const char *s;
	struct buf b;

	if (dash || c->argc <= n) {
		if (!dash && isatty(STDIN_FILENO) == 1)
			return args_bad_text(status, EX_USAGE,
			    "there is no text; give it as an argument, or - "
			    "and type it");
		if ((s = args_stdin(c, len, status)) == NULL)
			return NULL;
	} else {
		buf_init(&b, ARGS_TEXT_MAX);
		for (; n < c->argc; n++) {
			buf_adds(&b, c->argv[n]);
			if (n + 1 < c->argc)
				buf_addc(&b, ' ');
		}
		*len = b.len;
		s = b.failed ? NULL
			     : pool_strndup(
				   &c->pool, b.len > 0 ? b.data : "", b.len);
		buf_free(&b);
		if (s == NULL)
			return args_bad_text(
			    status, EX_DATAERR, "the text is too long");
	}
	if (*len == 0)
		return args_bad_text(
		    status, EX_NOINPUT, "the text is empty; nothing was done");
	if (!str_utf8(s, *len) || memchr(s, '\0', *len) != NULL)
		return args_bad_text(
		    status, EX_DATAERR, "the text is not UTF-8");
	return s;
}
