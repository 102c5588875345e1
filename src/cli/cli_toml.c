/* SPDX-License-Identifier: ISC */
/*
 * A TOML file that belongs to others: one table is added at its end, under a
 * line that says whose it is, and removed again.  Nothing else is touched.
 * Codex drops that line when it writes the file, so whose the table is tells
 * the command in it.
 *
 * It is not read as TOML as a whole, only as far as it takes to tell where a
 * table begins and ends, and that no string or array is open at the end, in
 * which what is added would be lost.
 */
#include "cli/cli_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOML_MARK "# Written by linnet install; linnet uninstall removes it."

struct toml_scan {
	const char *p;
	const char *end;
	int line;
	const char *error;
};

static size_t
toml_left(const struct toml_scan *t)
{
	return (size_t)(t->end - t->p);
}

/* A string of either kind and length, which begins here. */
static void
toml_string(struct toml_scan *t)
{
	const char quote = *t->p;
	const bool three =
	    toml_left(t) >= 3 && t->p[1] == quote && t->p[2] == quote;
	const size_t n = three ? 3 : 1;

	for (t->p += n; t->p < t->end; t->p++) {
		if (*t->p == '\\' && quote == '"' && t->p + 1 < t->end)
			t->p++;
		else if (*t->p == quote &&
			 (!three || (toml_left(t) >= 3 && t->p[1] == quote &&
					t->p[2] == quote))) {
			t->p += n;
			return;
		} else if (*t->p == '\n' && !three)
			break;
		t->line += *t->p == '\n';
	}
	t->error = "a string in it has no end";
}

/* Behind the statement that begins here, in the next line. */
static void
toml_statement(struct toml_scan *t)
{
	int open = 0;
	bool equals = false, header = *t->p == '[', word = false;

	while (t->p < t->end && t->error == NULL) {
		switch (*t->p) {
		case '"':
		case '\'':
			word = true;
			toml_string(t);
			continue;
		case '#':
			while (t->p < t->end && *t->p != '\n')
				t->p++;
			continue;
		case '[':
		case '{':
			open++;
			break;
		case ']':
		case '}':
			if (--open < 0)
				t->error = "a bracket in it closes nothing";
			break;
		case '=':
			equals = true;
			break;
		case '\n':
			t->line++;
			if (open == 0 || header) {
				t->p++;
				goto done;
			}
			break;
		case ' ':
		case '\t':
		case '\r':
			break;
		default:
			word = true;
			break;
		}
		t->p++;
	}
done:
	if (t->error != NULL)
		return;
	if (open != 0)
		t->error = "a bracket in it is not closed";
	else if (word && !header && !equals)
		t->error = "a line in it is neither a key nor a table";
}

/* The names of a table's line, without blanks and quotes; "" of another. */
static void
toml_header(const char *p, const char *end, char *out, size_t size)
{
	size_t n = 0;

	if (p < end && *p == '[')
		for (p++; p < end && *p != ']' && *p != '\n'; p++)
			if (strchr(" \t\"'", *p) == NULL && n + 1 < size)
				out[n++] = *p;
	out[n] = '\0';
}

struct toml_table {
	bool there;
	bool whole;  /* as a table, not in other words */
	bool ours;   /* its command is */
	size_t mark; /* where its mark begins, or it without one */
	size_t end;  /* behind its last line with something in it */
	size_t command, command_end; /* the line of it */
};

static bool
toml_is_in(const char *name, const char *table)
{
	const size_t n = strlen(table);

	return strncmp(name, table, n) == 0 &&
	       (name[n] == '\0' || name[n] == '.');
}

/* Does a key, in this table, say what the table says in other words? */
static bool
toml_is_other(const char *in, const char *p, const char *table)
{
	char key[256];
	size_t n = 0;

	n = (size_t)snprintf(
	    key, sizeof(key), "%s%s", in, in[0] != '\0' ? "." : "");
	for (; *p != '\0' && *p != '=' && *p != '\n' && n + 1 < sizeof(key);
	     p++)
		if (strchr(" \t\"'", *p) == NULL)
			key[n++] = *p;
	key[n] = '\0';
	return toml_is_in(key, table);
}

/* The line of a key in the table itself: is it the command? */
static void
toml_command(const struct buf *text, const char *p, const char *end,
    struct toml_table *found)
{
	char value[4096];
	const char *q;
	size_t n;

	if (!str_starts(p, "command") ||
	    strchr(" \t=", p[strlen("command")]) == NULL)
		return;
	found->command = (size_t)(p - text->data);
	found->command_end = (size_t)(end - text->data);
	if ((q = strpbrk(p, "\"'\n")) == NULL || *q == '\n')
		return;
	n = strcspn(q + 1, "\"'\n");
	snprintf(value, sizeof(value), "%.*s", (int)n, q + 1);
	found->ours = cli_host_is_ours(value, false);
}

static void
toml_found(const struct buf *text, const char *start, const char *mark,
    struct toml_table *found)
{
	found->there = found->whole = true;
	found->mark = (size_t)((mark != NULL ? mark : start) - text->data);
}

/* Where a table is.  NULL, or what is wrong with the file. */
static const char *
toml_find(const struct buf *text, const char *table, struct toml_table *found)
{
	struct toml_scan t = { text->data, text->data + text->len, 1, NULL };
	const char *start, *mark = NULL;
	char name[256], in[256] = "";
	bool inside = false;

	memset(found, 0, sizeof(*found));
	while (t.p < t.end) {
		start = t.p;
		while (t.p < t.end && (*t.p == ' ' || *t.p == '\t'))
			t.p++;
		if (t.p < t.end && *t.p == '#') {
			if (str_starts(t.p, TOML_MARK))
				mark = start;
			toml_statement(&t);
			continue;
		}
		toml_header(t.p, t.end, name, sizeof(name));
		if (name[0] != '\0') {
			str_copy(in, name, sizeof(in));
			inside = toml_is_in(name, table);
			if (inside && !found->whole)
				toml_found(text, start, mark, found);
			mark = NULL;
		} else if (!inside && t.p < t.end && *t.p != '\n' &&
			   toml_is_other(in, t.p, table))
			found->there = true;
		start = t.p;
		toml_statement(&t);
		if (t.error != NULL)
			return t.error;
		if (inside && strcmp(in, table) == 0)
			toml_command(text, start, t.p, found);
		if (inside && *start != '\n' && *start != '\r')
			found->end = (size_t)(t.p - text->data);
	}
	return NULL;
}

/* Puts the first of these lines in the place of the command's. */
static void
toml_renew(struct buf *text, const struct toml_table *found, const char *lines)
{
	const size_t n = strcspn(lines, "\n") + 1;
	struct buf rest;

	buf_init(&rest, SIZE_MAX / 2);
	buf_add(&rest, text->data + found->command_end,
	    text->len - found->command_end);
	text->len = found->command;
	buf_add(text, lines, n);
	buf_add(text, rest.data, rest.len);
	buf_free(&rest);
}

const char *
cli_toml_add(struct buf *text, const char *table, const char *lines)
{
	struct toml_table found;
	const char *error;

	if (!str_utf8(text->data, text->len) ||
	    memchr(text->data, '\0', text->len) != NULL)
		return "it is no text";
	if ((error = toml_find(text, table, &found)) != NULL)
		return error;
	if (found.whole && !found.ours)
		return "it has another server that is called linnet; rename or "
		       "remove that one first";
	if (found.whole)
		toml_renew(text, &found, lines);
	if (!found.there) {
		if (text->len > 0 && text->data[text->len - 1] != '\n')
			buf_addc(text, '\n');
		if (text->len > 0)
			buf_addc(text, '\n');
		buf_addf(text, TOML_MARK "\n[%s]\n%s", table, lines);
	}
	return buf_str(text) != NULL ? NULL : "it is too large";
}

const char *
cli_toml_drop(struct buf *text, const char *table)
{
	struct toml_table found;
	const char *error;
	size_t from;

	if ((error = toml_find(text, table, &found)) != NULL || !found.ours)
		return error;
	for (from = found.mark; from > 1 && text->data[from - 1] == '\n' &&
				text->data[from - 2] == '\n';)
		from--;
	/* What follows keeps its distance. */
	memmove(
	    text->data + from, text->data + found.end, text->len - found.end);
	text->len -= found.end - from;
	return buf_str(text) != NULL ? NULL : "it is too large";
}

bool
cli_toml_has(const struct buf *text, const char *table)
{
	struct toml_table found;

	return toml_find(text, table, &found) == NULL && found.there;
}
