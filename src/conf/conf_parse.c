/* SPDX-License-Identifier: ISC */
/*
 * Reads the text of a configuration:
 *
 *	file      = *(statement end) ; end is a newline or a semicolon
 *	statement = key word ... | prefix "{" file "}" | include "pattern"
 *
 * A text is checked as a whole first (lines, bytes, UTF-8), so that the rest
 * need not think of NULs and control characters.  A place in an error is made
 * from a pointer into the text; nothing counts lines on the way.  Whatever
 * the text is, the answer is a sentence, never a crash: the reader of an
 * included file may be wrong about what it is.
 */
#include "conf/conf.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF_LINE_MAX 4096
#define CONF_FILE_MAX (1024 * 1024)
#define CONF_DEPTH_MAX 8
#define CONF_FILES_MAX 1000
#define CONF_PREFIX_MAX 64

enum conf_token {
	CONF_WORD,
	CONF_OPEN,
	CONF_CLOSE,
	CONF_END, /* of a statement */
	CONF_EOF,
	CONF_WRONG, /* the error is set */
};

struct conf_parser {
	struct conf *conf;
	const char *name; /* of the file, for errors */
	const char *text;
	const char *p;
	const char *end;
	enum conf_origin origin;
	struct conf_parser *parent; /* the file that includes this one */
	unsigned depth;
	unsigned *nfiles; /* of the whole reading; NULL: no includes */
	dev_t dev;
	ino_t ino;
	char prefix[CONF_PREFIX_MAX]; /* of the open blocks: "limit." */
	const char *block; /* where the innermost open block began, or NULL */
	bool seen[CONF_COUNT]; /* in this text */
	char *word;	       /* content of the last CONF_WORD */
	char **error;
};

struct conf_statement {
	const char *at; /* its key */
	char *key;
	const char *value_at;
	char **words; /* after the key; lists hold at most 64 */
	size_t nwords;
	enum conf_token last; /* what ended it */
};

static const char *const conf_names[] = {
#define OPT(name, field, type, min, max, value, reload, text) name,
#include "conf/options.def"
#undef OPT
	NULL,
};

static int conf_parse_block(struct conf_parser *ps, bool inner);
static int conf_parse_file(struct conf_parser *parent, struct conf *c,
    unsigned *nfiles, const char *path, char **error);

/* Always -1.  at NULL: no place in the text. */
static int PRINTF_LIKE(3, 4)
    conf_fail(struct conf_parser *ps, const char *at, const char *fmt, ...)
{
	size_t line = 1;
	const char *p, *start = ps->text;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ps->origin == CONF_LINE || at == NULL) {
		*ps->error = xasprintf("%s: %s", ps->name, text);
		return -1;
	}
	for (p = ps->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			start = p + 1;
		}
	}
	*ps->error = xasprintf(
	    "%s:%zu:%zu: %s", ps->name, line, (size_t)(at - start) + 1, text);
	return -1;
}

/* Refuses a text that is not made of fair lines; nl: may it have several? */
static int
conf_parse_vet(struct conf_parser *ps, size_t line_max, bool nl)
{
	const char *start = ps->text, *p = ps->text;
	uint32_t cp = 0;
	size_t n;

	for (; p < ps->end; p += n) {
		n = str_char(p, (size_t)(ps->end - p), &cp);
		if (n == 0)
			return conf_fail(ps, p, "this is not UTF-8 text");
		if (cp == '\n' && nl) {
			start = p + 1;
			continue;
		}
		if (cp == '\r' && p + 1 < ps->end && p[1] == '\n' && nl)
			continue;
		if (cp == 0)
			return conf_fail(ps, p, "there is a NUL byte here");
		if ((cp < 0x20 && cp != '\t') || cp == 0x7f)
			return conf_fail(ps, p,
			    "there is a control character (0x%02x) here", cp);
		if ((size_t)(p - start) >= line_max)
			return conf_fail(ps, start,
			    "the line is longer than %zu bytes", line_max);
	}
	return 0;
}

static void
conf_skip_blanks(struct conf_parser *ps)
{
	while (ps->p < ps->end &&
	       (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\r'))
		ps->p++;
	if (ps->p < ps->end && *ps->p == '#') {
		while (ps->p < ps->end && *ps->p != '\n')
			ps->p++;
	}
}

/* Is this the end of a word without quotes? */
static bool
conf_is_delimiter(char c)
{
	return strchr(" \t\r\n;{}\"", c) != NULL;
}

static enum conf_token
conf_next_quoted(struct conf_parser *ps)
{
	const char *at = ps->p++;
	char *out;

	/* No escape makes the content longer than what stands there. */
	out = ps->word = xmalloc((size_t)(ps->end - at));
	for (; ps->p < ps->end && *ps->p != '\n' && *ps->p != '"'; ps->p++) {
		if (*ps->p != '\\') {
			*out++ = *ps->p;
			continue;
		}
		if (++ps->p == ps->end || strchr("\"\\n", *ps->p) == NULL) {
			conf_fail(ps, ps->p - 1,
			    "a backslash in quotes goes before \", \\ or n");
			goto fail;
		}
		*out++ = *ps->p == 'n' ? '\n' : *ps->p;
	}
	if (ps->p == ps->end || *ps->p == '\n') {
		conf_fail(ps, at,
		    "the quote that opens here is not closed "
		    "in this line");
		goto fail;
	}
	*out = '\0';
	if (++ps->p < ps->end &&
	    (!conf_is_delimiter(*ps->p) || *ps->p == '"')) {
		conf_fail(ps, ps->p, "there is no space after the quotes");
		goto fail;
	}
	return CONF_WORD;

fail:
	free(ps->word);
	ps->word = NULL;
	return CONF_WRONG;
}

/* The next token, and in *at where it begins.  A word is in ps->word, and the
 * caller's to free. */
static enum conf_token
conf_next(struct conf_parser *ps, const char **at)
{
	conf_skip_blanks(ps);
	*at = ps->p;
	if (ps->p == ps->end)
		return CONF_EOF;
	switch (*ps->p) {
	case '\n':
	case ';':
		ps->p++;
		return CONF_END;
	case '{':
		ps->p++;
		return CONF_OPEN;
	case '}':
		ps->p++;
		return CONF_CLOSE;
	case '"':
		return conf_next_quoted(ps);
	}
	while (ps->p < ps->end && !conf_is_delimiter(*ps->p))
		ps->p++;
	if (ps->p < ps->end && *ps->p == '"') {
		conf_fail(ps, ps->p, "there is a quote inside a word");
		return CONF_WRONG;
	}
	ps->word = xstrndup(*at, (size_t)(ps->p - *at));
	return CONF_WORD;
}

/* Says that there is no such option, and which one may be meant. */
static int
conf_unknown(struct conf_parser *ps, const char *at, const char *name)
{
	const char *const *n, *near = NULL, *dot;
	size_t len = strlen(name);

	for (n = conf_names; *n != NULL; n++) {
		if (strncmp(*n, name, len) == 0 && (*n)[len] == '.')
			return conf_fail(ps, at,
			    "\"%s\" is the name of a block: write \"%s {\"",
			    name, name);
		/* Its block was forgotten? */
		dot = strchr(*n, '.');
		if (dot != NULL && strcmp(dot + 1, name) == 0 && near == NULL)
			near = *n;
	}
	if (near == NULL)
		near = str_nearest(name, conf_names);
	if (near == NULL)
		return conf_fail(ps, at, "there is no option \"%.64s\"", name);
	return conf_fail(ps, at,
	    "there is no option \"%.64s\"; did you mean \"%s\"?", name, near);
}

/* Gives the option its words. */
static int
conf_assign(struct conf_parser *ps, const struct conf_statement *st)
{
	const struct conf_option *o;
	char name[CONF_PREFIX_MAX + CONF_PREFIX_MAX], *why = NULL;
	size_t i;

	if (strlen(st->key) >= CONF_PREFIX_MAX)
		return conf_fail(ps, st->at, "no option has so long a name");
	snprintf(name, sizeof(name), "%s%s", ps->prefix, st->key);
	o = conf_find(name);
	if (o == NULL)
		return conf_unknown(ps, st->at, name);
	if (st->nwords == 0)
		return conf_fail(ps, st->at, "%s has no value", name);
	if (o->type != CONF_LIST && st->nwords > 1)
		return conf_fail(ps, st->value_at,
		    "%s takes one value; quote one that has spaces", name);
	if (o->type != CONF_LIST && ps->seen[o - conf_options])
		return conf_fail(
		    ps, st->at, "%s was given before in this file", name);
	ps->seen[o - conf_options] = true;
	for (i = 0; i < st->nwords; i++) {
		if (o->type == CONF_LIST && st->nwords > 1 &&
		    *st->words[i] == '\0')
			return conf_fail(
			    ps, st->value_at, "%s has an empty entry", name);
		if (conf_put(ps->conf, o, st->words[i], ps->origin, &why) ==
		    -1) {
			conf_fail(ps, st->value_at, "%s", why);
			free(why);
			return -1;
		}
	}
	return 0;
}

/* Joins the directory of the including file, in which no byte is special, and
 * the pattern.  The caller's to free. */
static char *
conf_include_pattern(const char *file, const char *pattern)
{
	const char *slash = strrchr(file, '/'), *p;
	struct buf b;

	if (*pattern == '/' || slash == NULL)
		return xstrdup(pattern);
	buf_init(&b, SIZE_MAX);
	for (p = file; p <= slash; p++) {
		if (strchr("*?[]\\", *p) != NULL)
			buf_addc(&b, '\\');
		buf_addc(&b, *p);
	}
	buf_adds(&b, pattern);
	/* A buf without a ceiling fails only for want of memory. */
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	return b.data;
}

/* A pattern that matches nothing is fine, a plain name must be there. */
static int
conf_include(struct conf_parser *ps, const struct conf_statement *st)
{
	char *pattern;
	glob_t g = { 0 };
	size_t i;
	int r;

	if (ps->nfiles == NULL)
		return conf_fail(ps, st->at, "include has no place here");
	if (ps->prefix[0] != '\0')
		return conf_fail(ps, st->at, "include has no place in a block");
	if (st->nwords != 1 || *st->words[0] == '\0')
		return conf_fail(
		    ps, st->at, "include takes the name of a file");
	pattern = conf_include_pattern(ps->name, st->words[0]);
	/* glob(3) sorts by the locale, and a daemon's is "C". */
	r = glob(pattern, GLOB_ERR, NULL, &g);
	if (r == GLOB_NOMATCH && strpbrk(st->words[0], "*?[") != NULL) {
		r = 0;
	} else if (r == GLOB_NOMATCH) {
		r = conf_fail(
		    ps, st->value_at, "there is no file \"%s\"", pattern);
	} else if (r != 0) {
		r = conf_fail(ps, st->value_at, "%s: %s", pattern,
		    r == GLOB_NOSPACE ? "out of memory" : strerror(errno));
	} else {
		for (i = 0; i < g.gl_pathc && r == 0; i++)
			r = conf_parse_file(
			    ps, ps->conf, ps->nfiles, g.gl_pathv[i], ps->error);
	}
	globfree(&g);
	free(pattern);
	return r;
}

/* Reads what is between the braces of `key {`. */
static int
conf_block(struct conf_parser *ps, const struct conf_statement *st)
{
	size_t len = strlen(ps->prefix), i;
	const char *outer = ps->block;
	bool known = false;
	int r;

	if (st->nwords != 0)
		return conf_fail(
		    ps, st->value_at, "a block has one name before its \"{\"");
	if (len + strlen(st->key) + 2 > sizeof(ps->prefix))
		return conf_fail(ps, st->at, "no block has so long a name");
	snprintf(ps->prefix + len, sizeof(ps->prefix) - len, "%s.", st->key);
	for (i = 0; i < CONF_COUNT && !known; i++)
		known = str_starts(conf_options[i].name, ps->prefix);
	if (!known)
		return conf_fail(
		    ps, st->at, "there is no block \"%s\"", st->key);
	ps->block = st->at;
	r = conf_parse_block(ps, true);
	ps->block = outer;
	ps->prefix[len] = '\0';
	return r;
}

static void
conf_statement_free(struct conf_statement *st)
{
	size_t i;

	for (i = 0; i < st->nwords; i++)
		free(st->words[i]);
	free(st->words);
	free(st->key);
}

/* Reads a key and its words; -1 and the error when they are not well formed.
 * An empty statement has no key. */
static int
conf_statement(struct conf_parser *ps, struct conf_statement *st)
{
	enum conf_token t;
	const char *at;

	while ((t = conf_next(ps, &at)) == CONF_WORD) {
		if (st->key == NULL) {
			st->key = ps->word;
			st->at = st->value_at = at;
		} else {
			if (st->nwords == 0)
				st->value_at = at;
			st->words = xreallocarray(
			    st->words, st->nwords + 1, sizeof(*st->words));
			st->words[st->nwords++] = ps->word;
		}
		ps->word = NULL;
	}
	st->last = t;
	if (t == CONF_OPEN && st->key == NULL)
		return conf_fail(ps, at, "there is no name before this \"{\"");
	if (t == CONF_CLOSE && ps->block == NULL)
		return conf_fail(ps, at, "this \"}\" closes no block");
	if (t == CONF_EOF && ps->block != NULL)
		return conf_fail(
		    ps, ps->block, "the block that opens here is not closed");
	return t == CONF_WRONG ? -1 : 0;
}

/* Reads statements up to the end of the text, or of an inner block. */
static int
conf_parse_block(struct conf_parser *ps, bool inner)
{
	struct conf_statement st;
	enum conf_token last;
	int r;

	do {
		memset(&st, 0, sizeof(st));
		r = conf_statement(ps, &st);
		if (r == 0 && st.last == CONF_OPEN)
			r = conf_block(ps, &st);
		else if (r == 0 && st.key != NULL &&
			 strcmp(st.key, "include") == 0)
			r = conf_include(ps, &st);
		else if (r == 0 && st.key != NULL)
			r = conf_assign(ps, &st);
		last = st.last;
		conf_statement_free(&st);
	} while (r == 0 && last != CONF_EOF && !(inner && last == CONF_CLOSE));
	return r;
}

/* The file as a whole, with a NUL behind; NULL and the error.  Never blocks:
 * a pipe in place of a file is refused before it is read. */
static char *
conf_slurp(struct conf_parser *ps, const char *path, size_t *n)
{
	char *text = NULL;
	struct stat st;
	ssize_t got;
	int fd;

	*n = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 || fstat(fd, &st) == -1) {
		conf_fail(ps, NULL, "%s", strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		conf_fail(ps, NULL, "%s",
		    S_ISDIR(st.st_mode) ? "this is a directory, not a file"
					: "this is not a regular file");
		goto fail;
	}
	ps->dev = st.st_dev;
	ps->ino = st.st_ino;
	text = xmalloc(CONF_FILE_MAX + 1);
	while ((got = read(fd, text + *n, CONF_FILE_MAX + 1 - *n)) > 0)
		*n += (size_t)got;
	if (got == -1) {
		conf_fail(ps, NULL, "%s", strerror(errno));
		goto fail;
	}
	if (*n > CONF_FILE_MAX) {
		conf_fail(ps, NULL, "the file is larger than %d bytes",
		    CONF_FILE_MAX);
		goto fail;
	}
	close(fd);
	text[*n] = '\0';
	return text;

fail:
	free(text);
	if (fd != -1)
		close(fd);
	return NULL;
}

/* Is the file that was just opened among those that include it? */
static bool
conf_is_cycle(const struct conf_parser *ps)
{
	const struct conf_parser *up;

	for (up = ps->parent; up != NULL; up = up->parent) {
		if (up->dev == ps->dev && up->ino == ps->ino)
			return true;
	}
	return false;
}

static int
conf_parse_file(struct conf_parser *parent, struct conf *c, unsigned *nfiles,
    const char *path, char **error)
{
	struct conf_parser ps = {
		.conf = c,
		.name = path,
		.origin = CONF_FILE,
		.parent = parent,
		.depth = parent != NULL ? parent->depth + 1 : 0,
		.nfiles = nfiles,
		.error = error,
	};
	char *text;
	size_t n;
	int r;

	if (ps.depth > CONF_DEPTH_MAX)
		return conf_fail(&ps, NULL,
		    "includes are nested deeper than %d", CONF_DEPTH_MAX);
	if (++*nfiles > CONF_FILES_MAX)
		return conf_fail(&ps, NULL, "more than %d files are included",
		    CONF_FILES_MAX);
	text = conf_slurp(&ps, path, &n);
	if (text == NULL)
		return -1;
	ps.text = ps.p = text;
	ps.end = text + n;
	if (conf_is_cycle(&ps))
		r = conf_fail(&ps, NULL, "the file includes itself");
	else if ((r = conf_parse_vet(&ps, CONF_LINE_MAX, true)) == 0)
		r = conf_parse_block(&ps, false);
	crypto_wipe(text, n);
	free(text);
	return r;
}

int
conf_load(struct conf *c, const char *path, char **error)
{
	unsigned nfiles = 0;

	return conf_parse_file(NULL, c, &nfiles, path, error);
}

int
conf_read(
    struct conf *c, const char *name, const char *text, size_t n, char **error)
{
	struct conf_parser ps = {
		.conf = c,
		.name = name,
		.text = text,
		.p = text,
		.end = text + n,
		.origin = CONF_FILE,
		.error = error,
	};

	if (conf_parse_vet(&ps, SIZE_MAX, true) == -1)
		return -1;
	return conf_parse_block(&ps, false);
}

int
conf_set(struct conf *c, const char *line, char **error)
{
	struct conf_parser ps = {
		.conf = c,
		.name = "-o",
		.text = line,
		.p = line,
		.end = line + strlen(line),
		.origin = CONF_LINE,
		.error = error,
	};
	struct conf_statement st = { 0 };
	int r = -1;

	if (conf_parse_vet(&ps, SIZE_MAX, false) == 0 &&
	    conf_statement(&ps, &st) == 0) {
		if (st.key == NULL || st.last != CONF_EOF)
			conf_fail(&ps, NULL, "give one \"option value\"");
		else
			r = conf_assign(&ps, &st);
	}
	conf_statement_free(&st);
	return r;
}
