/* SPDX-License-Identifier: ISC */
/*
 * JSON files that belong to others, changed as text: what is not touched keeps
 * its order, numbers, blanks and comments byte for byte.
 *
 * A copy of the text in which comments and trailing commas are blank is read
 * as strict JSON.  It has the same length, so that what is found in it tells
 * where to cut the text itself.  After each change all is read again: a change
 * that breaks the file is seen before anybody writes it.
 */
#include "cli/cli_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDIT_MAX ((size_t)64 << 20)
#define EDIT_NODES ((size_t)1 << 22)
#define EDIT_DEPTH 200
#define EDIT_COMMENT '\001'

static int edit_fail(struct cli_edit *e, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

static int
edit_fail(struct cli_edit *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->error, sizeof(e->error), fmt, ap);
	va_end(ap);
	return -1;
}

static void
edit_copy(struct buf *to, const struct buf *from)
{
	buf_clear(to);
	buf_add(to, from->data, from->len);
	if (buf_str(to) == NULL)
		fatalx("out of memory");
}

/* The offset behind a string that begins here. */
static size_t
edit_skip_string(const struct buf *b, size_t i)
{
	for (i++; i < b->len && b->data[i] != '"' && b->data[i] != '\n'; i++)
		if (b->data[i] == '\\')
			i++;
	return i < b->len ? i + 1 : b->len;
}

/* The offset behind a comment; 0: it has no end. */
static size_t
edit_skip_comment(const struct buf *b, size_t i)
{
	const char *end;

	if (b->data[i + 1] == '/') {
		while (i < b->len && b->data[i] != '\n' && b->data[i] != '\r')
			i++;
		return i;
	}
	end = strstr(b->data + i + 2, "*/");
	return end != NULL ? (size_t)(end - b->data) + 2 : 0;
}

static int
edit_blank_comments(struct cli_edit *e)
{
	struct buf *b = &e->plain;
	size_t i = 0, end;

	while (i < b->len) {
		if (b->data[i] == '"') {
			i = edit_skip_string(b, i);
			continue;
		}
		if (b->data[i] != '/' ||
		    (b->data[i + 1] != '/' && b->data[i + 1] != '*')) {
			i++;
			continue;
		}
		if ((end = edit_skip_comment(b, i)) == 0)
			return edit_fail(e, "a comment in it has no end");
		memset(b->data + i, EDIT_COMMENT, end - i);
		i = end;
	}
	return 0;
}

/* The first byte from here on that is neither blank nor comment. */
static size_t
edit_next(const struct cli_edit *e, size_t i)
{
	while (i < e->plain.len && e->plain.data[i] != '\0' &&
	       strchr(" \t\r\n\001", e->plain.data[i]) != NULL)
		i++;
	return i;
}

static void
edit_blank_commas(struct cli_edit *e)
{
	struct buf *b = &e->strict;
	size_t i = 0, next;

	while (i < b->len) {
		if (b->data[i] == '"') {
			i = edit_skip_string(b, i);
			continue;
		}
		if (b->data[i] == ',') {
			next = edit_next(e, i + 1);
			if (next < b->len &&
			    (b->data[next] == '}' || b->data[next] == ']'))
				b->data[i] = ' ';
		}
		if (b->data[i] == EDIT_COMMENT)
			b->data[i] = ' ';
		i++;
	}
}

static int
edit_line_of(const struct cli_edit *e, size_t at)
{
	int line = 1;
	size_t i;

	for (i = 0; i < at && i < e->text.len; i++)
		line += e->text.data[i] == '\n';
	return line;
}

static int
edit_read(struct cli_edit *e)
{
	edit_copy(&e->plain, &e->text);
	if (str_starts(e->plain.data, "\xef\xbb\xbf"))
		memset(e->plain.data, ' ', 3);
	if (memchr(e->text.data, '\0', e->text.len) != NULL ||
	    memchr(e->text.data, EDIT_COMMENT, e->text.len) != NULL)
		return edit_fail(e, "it is no JSON: it has control characters");
	if (e->comments && edit_blank_comments(e) != 0)
		return -1;
	edit_copy(&e->strict, &e->plain);
	if (e->comments)
		edit_blank_commas(e);
	if (json_read(&e->j, e->strict.data, e->strict.len) != 0)
		return edit_fail(e, "it is no JSON: line %d: %s",
		    edit_line_of(e, e->j.error_at), e->j.error);
	if (e->j.nodes[0].type != JSON_OBJECT)
		return edit_fail(e, "it is no JSON object");
	return 0;
}

int
cli_edit_init(struct cli_edit *e, const char *text, size_t n, bool comments)
{
	size_t i;

	memset(e, 0, sizeof(*e));
	e->comments = comments;
	buf_init(&e->text, EDIT_MAX);
	buf_init(&e->plain, EDIT_MAX);
	buf_init(&e->strict, EDIT_MAX);
	json_init(&e->j, EDIT_NODES, EDIT_DEPTH);
	for (i = 0; i < n && strchr(" \t\r\n", text[i]) != NULL; i++)
		;
	if (i < n)
		buf_add(&e->text, text, n);
	else
		buf_adds(&e->text, "{}\n");
	if (buf_str(&e->text) == NULL)
		return edit_fail(e, "it is too large");
	return edit_read(e);
}

void
cli_edit_free(struct cli_edit *e)
{
	/* Others keep secrets in these files. */
	if (e->text.data != NULL)
		crypto_wipe(e->text.data, e->text.cap);
	if (e->plain.data != NULL)
		crypto_wipe(e->plain.data, e->plain.cap);
	if (e->strict.data != NULL)
		crypto_wipe(e->strict.data, e->strict.cap);
	buf_free(&e->text);
	buf_free(&e->plain);
	buf_free(&e->strict);
	json_free(&e->j);
}

/*
 * Finding.
 */
static size_t
edit_begin(const struct cli_edit *e, size_t at)
{
	return (size_t)(cli_json_raw(&e->j, at).p - e->strict.data);
}

static size_t
edit_end(const struct cli_edit *e, size_t at)
{
	return edit_begin(e, at) + cli_json_raw(&e->j, at).n;
}

/* A member of this name, of an object; -1: there are two. */
static int
edit_member(
    struct cli_edit *e, size_t object, const char *name, size_t n, size_t *at)
{
	const struct json *j = &e->j;
	char key[128];
	size_t i;

	*at = 0;
	snprintf(key, sizeof(key), "%.*s", (int)n, name);
	for (i = JSON_FIRST(object); i < j->nodes[object].end;
	     i = j->nodes[i + 1].end) {
		if (!json_is(&j->nodes[i], key))
			continue;
		if (*at != 0)
			return edit_fail(e,
			    "it has \"%s\" twice (line %d); keep one of them",
			    key, edit_line_of(e, edit_begin(e, i)));
		*at = i + 1;
	}
	return 0;
}

/* As far as the path is there: *at is the last node, *rest what is missing. */
static int
edit_walk(struct cli_edit *e, const char *path, size_t *at, const char **rest)
{
	size_t n, next;

	*at = 0;
	for (*rest = path; **rest != '\0'; *rest += n + ((*rest)[n] == '/')) {
		n = strcspn(*rest, "/");
		if (e->j.nodes[*at].type != JSON_OBJECT)
			return edit_fail(e, "\"%.*s\" in it is no object",
			    (int)(*rest - path - 1), path);
		if (edit_member(e, *at, *rest, n, &next) != 0)
			return -1;
		if (next == 0)
			return 0;
		*at = next;
	}
	return 0;
}

int
cli_edit_find(struct cli_edit *e, const char *path, size_t *at)
{
	const char *rest;

	if (edit_walk(e, path, at, &rest) != 0)
		return -1;
	if (*rest != '\0')
		*at = 0;
	return 0;
}

size_t
cli_edit_parent(const struct cli_edit *e, size_t at)
{
	size_t i = at;

	while (i-- > 0)
		if (e->j.nodes[i].end > at &&
		    (e->j.nodes[i].type == JSON_OBJECT ||
			e->j.nodes[i].type == JSON_ARRAY))
			return i;
	return 0;
}

/*
 * How the file is written.
 */
struct edit_style {
	bool lines;  /* a line each */
	bool spaced; /* "a": 1 */
	const char *newline;
	char unit[32];	 /* one step of indentation */
	char indent[64]; /* of what is added */
	char outer[64];	 /* of the line that the container begins in */
};

/* The blanks at the beginning of the line of an offset. */
static void
edit_indent(const struct cli_edit *e, size_t at, char *out, size_t size)
{
	size_t n = 0;

	while (at > 0 && e->text.data[at - 1] != '\n')
		at--;
	while (n + 1 < size &&
	       (e->text.data[at + n] == ' ' || e->text.data[at + n] == '\t'))
		n++;
	memcpy(out, e->text.data + at, n);
	out[n] = '\0';
}

/* Is there a line's end between the bracket and what is first in it? */
static bool
edit_in_lines(const struct cli_edit *e, size_t at)
{
	size_t begin = edit_begin(e, at);

	if (JSON_FIRST(at) == e->j.nodes[at].end)
		return false;
	return memchr(e->text.data + begin, '\n',
		   edit_begin(e, JSON_FIRST(at)) - begin) != NULL;
}

static void
edit_style(const struct cli_edit *e, size_t at, struct edit_style *s)
{
	const struct json *j = &e->j;
	bool empty = JSON_FIRST(at) == j->nodes[at].end;
	size_t key = JSON_FIRST(0);

	memset(s, 0, sizeof(*s));
	s->newline = strstr(e->text.data, "\r\n") != NULL ? "\r\n" : "\n";
	str_copy(s->unit, "  ", sizeof(s->unit));
	if (edit_in_lines(e, 0))
		edit_indent(e, edit_begin(e, key), s->unit, sizeof(s->unit));
	s->spaced = key == j->nodes[0].end ||
		    e->text.data[edit_begin(e, key + 1) - 1] == ' ';
	s->lines = empty ? key == j->nodes[0].end || edit_in_lines(e, 0)
			 : edit_in_lines(e, at);
	edit_indent(e, edit_begin(e, at), s->outer, sizeof(s->outer));
	if (empty)
		snprintf(s->indent, sizeof(s->indent), "%.31s%.31s", s->outer,
		    s->unit);
	else
		edit_indent(e, edit_begin(e, JSON_FIRST(at)), s->indent,
		    sizeof(s->indent));
}

/* Writes a value in the file's manner. */
static void
edit_print(struct buf *b, const struct json *j, size_t at,
    const struct edit_style *s, unsigned depth)
{
	const struct json_node *n = &j->nodes[at];
	struct slice raw = cli_json_raw(j, at);
	size_t i, next;
	unsigned k;

	if ((n->type != JSON_OBJECT && n->type != JSON_ARRAY) ||
	    JSON_FIRST(at) == n->end) {
		buf_add(b, raw.p, raw.n);
		return;
	}
	buf_addc(b, n->type == JSON_OBJECT ? '{' : '[');
	for (i = JSON_FIRST(at); i < n->end; i = next) {
		if (i > JSON_FIRST(at))
			buf_adds(b, s->lines || !s->spaced ? "," : ", ");
		if (s->lines)
			buf_addf(b, "%s%s", s->newline, s->indent);
		for (k = 0; s->lines && k <= depth; k++)
			buf_adds(b, s->unit);
		next = i;
		if (n->type == JSON_OBJECT) {
			raw = cli_json_raw(j, i);
			buf_add(b, raw.p, raw.n);
			buf_adds(b, s->spaced ? ": " : ":");
			next = i + 1;
		}
		edit_print(b, j, next, s, depth + 1);
		next = j->nodes[next].end;
	}
	if (s->lines)
		buf_addf(b, "%s%s", s->newline, s->indent);
	for (k = 0; s->lines && k < depth; k++)
		buf_adds(b, s->unit);
	buf_addc(b, n->type == JSON_OBJECT ? '}' : ']');
}

static void
edit_value(struct buf *b, const char *json, const struct edit_style *s)
{
	struct json j;

	json_init(&j, 1024, 16);
	if (json_read(&j, json, strlen(json)) != 0)
		fatalx("a value of ours is no JSON: %s", j.error);
	edit_print(b, &j, 0, s, 0);
	json_free(&j);
}

/*
 * Changing.
 */
static void
edit_splice(
    struct cli_edit *e, size_t at, size_t drop, const char *put, size_t n)
{
	struct buf b;

	buf_init(&b, EDIT_MAX);
	buf_add(&b, e->text.data, at);
	buf_add(&b, put, n);
	buf_add(&b, e->text.data + at + drop, e->text.len - at - drop);
	if (buf_str(&b) == NULL)
		fatalx("out of memory");
	crypto_wipe(e->text.data, e->text.cap);
	buf_free(&e->text);
	e->text = b;
}

/* Where a line goes that is to follow this offset: behind a comment that
 * follows in the same line. */
static size_t
edit_line_end(const struct cli_edit *e, size_t at)
{
	size_t i = at;
	bool comment = false;

	for (; i < e->plain.len && strchr(" \t\001", e->plain.data[i]) != NULL;
	     i++)
		comment |= e->plain.data[i] == EDIT_COMMENT;
	return comment && (e->plain.data[i] == '\n' || e->plain.data[i] == '\r')
		   ? i
		   : at;
}

static void
edit_put_first(
    struct cli_edit *e, size_t at, struct buf *item, const struct edit_style *s)
{
	size_t begin = edit_begin(e, at) + 1, end = edit_end(e, at) - 1;
	struct buf b;

	buf_init(&b, EDIT_MAX);
	if (s->lines)
		buf_addf(&b, "%s%s", s->newline, s->indent);
	buf_add(&b, item->data, item->len);
	if (memchr(e->plain.data + begin, EDIT_COMMENT, end - begin) != NULL)
		end = begin;
	else if (s->lines)
		buf_addf(&b, "%s%s", s->newline, s->outer);
	edit_splice(e, begin, end - begin, b.data, b.len);
	buf_free(&b);
}

static void
edit_put_last(
    struct cli_edit *e, size_t at, struct buf *item, const struct edit_style *s)
{
	const struct json *j = &e->j;
	size_t last = 0, i, end, where, comma;
	struct buf b;

	for (i = JSON_FIRST(at); i < j->nodes[at].end; i = j->nodes[last].end)
		last = j->nodes[at].type == JSON_OBJECT ? i + 1 : i;
	end = where = edit_end(e, last);
	comma = edit_next(e, end);
	if (e->plain.data[comma] == ',')
		where = comma + 1;
	if (s->lines)
		where = edit_line_end(e, where);
	buf_init(&b, EDIT_MAX);
	if (s->lines)
		buf_addf(&b, "%s%s", s->newline, s->indent);
	else if (s->spaced)
		buf_addc(&b, ' ');
	buf_add(&b, item->data, item->len);
	if (e->plain.data[comma] == ',')
		buf_addc(&b, ',');
	edit_splice(e, where, 0, b.data, b.len);
	if (e->plain.data[comma] != ',')
		edit_splice(e, end, 0, ",", 1);
	buf_free(&b);
}

/* Adds a value to a container, under a name if that is an object. */
static int
edit_put(
    struct cli_edit *e, size_t at, const char *name, size_t n, const char *json)
{
	struct edit_style s;
	struct buf item;

	edit_style(e, at, &s);
	buf_init(&item, EDIT_MAX);
	if (name != NULL)
		buf_addf(
		    &item, "\"%.*s\":%s", (int)n, name, s.spaced ? " " : "");
	edit_value(&item, json, &s);
	if (JSON_FIRST(at) == e->j.nodes[at].end)
		edit_put_first(e, at, &item, &s);
	else
		edit_put_last(e, at, &item, &s);
	buf_free(&item);
	return edit_read(e);
}

int
cli_edit_add(struct cli_edit *e, const char *path, const char *json)
{
	const char *rest;
	size_t at, n;

	for (;;) {
		if (edit_walk(e, path, &at, &rest) != 0)
			return -1;
		n = strcspn(rest, "/");
		if (rest[n] == '\0')
			break;
		if (edit_put(e, at, rest, n, "{}") != 0)
			return -1;
	}
	if (e->j.nodes[at].type != JSON_OBJECT || n == 0)
		return edit_fail(e, "\"%s\" is there already", path);
	return edit_put(e, at, rest, n, json);
}

int
cli_edit_append(struct cli_edit *e, const char *path, const char *json)
{
	size_t at;

	if (cli_edit_find(e, path, &at) != 0 ||
	    (at == 0 && (cli_edit_add(e, path, "[]") != 0 ||
			    cli_edit_find(e, path, &at) != 0)))
		return -1;
	if (e->j.nodes[at].type != JSON_ARRAY)
		return edit_fail(e, "\"%s\" in it is no array", path);
	return edit_put(e, at, NULL, 0, json);
}

int
cli_edit_replace(struct cli_edit *e, size_t at, const char *json)
{
	struct edit_style s;
	struct buf b;

	edit_style(e, cli_edit_parent(e, at), &s);
	buf_init(&b, EDIT_MAX);
	edit_value(&b, json, &s);
	edit_splice(e, edit_begin(e, at), edit_end(e, at) - edit_begin(e, at),
	    b.data, b.len);
	buf_free(&b);
	return edit_read(e);
}

int
cli_edit_remove(struct cli_edit *e, size_t at)
{
	const char *t = e->text.data;
	size_t in = cli_edit_parent(e, at), begin, end, next, from, open, close;
	bool object = e->j.nodes[in].type == JSON_OBJECT, first, last;

	first = JSON_FIRST(in) == (object ? at - 1 : at);
	last = e->j.nodes[at].end == e->j.nodes[in].end;
	begin = edit_begin(e, object ? at - 1 : at);
	end = edit_end(e, at);
	open = edit_begin(e, in);
	close = edit_end(e, in) - 1;
	next = edit_next(e, end);
	/* The line that it begins. */
	for (from = begin; t[from - 1] == ' ' || t[from - 1] == '\t';)
		from--;
	if (t[from - 1] == '\n')
		from -= from > 1 && t[from - 2] == '\r' ? 2 : 1;
	if (e->plain.data[next] == ',')
		end = next + 1;
	/* What is empty then is so without blanks, unless there are comments.
	 */
	if (first && last && edit_next(e, end) == close &&
	    memchr(e->plain.data + open, EDIT_COMMENT, close - open) == NULL)
		end = close;
	edit_splice(e, from, end - from, "", 0);
	if (!first && last && e->plain.data[next] != ',') {
		/* The comma before it. */
		for (from = begin; e->plain.data[from] != ',';)
			from--;
		edit_splice(e, from, 1, "", 0);
	}
	return edit_read(e);
}
