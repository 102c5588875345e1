/* SPDX-License-Identifier: ISC */
/*
 * Writes JSON into a buf.  A comma is due before a value or key when something
 * stands before it on its level; one flag is enough, because an opening
 * bracket and a key clear it and every finished value sets it.  Strings must
 * be valid UTF-8: they were checked where they came in.
 */
#include "base/base.h"

#include <string.h>

static void
json_sep(struct json_writer *w)
{
	if (w->comma)
		buf_addc(w->b, ',');
	w->comma = true;
}

static void
json_open(struct json_writer *w, char bracket)
{
	json_sep(w);
	buf_addc(w->b, bracket);
	w->comma = false;
}

static void
json_close(struct json_writer *w, char bracket)
{
	buf_addc(w->b, bracket);
	w->comma = true;
}

/* What must not stand in a string as it is (RFC 8259 7). */
static void
json_escape(struct buf *b, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char out[6] = { '\\', 'u', '0', '0' };

	switch (c) {
	case '"':
	case '\\':
		out[1] = (char)c;
		break;
	case '\b':
		out[1] = 'b';
		break;
	case '\f':
		out[1] = 'f';
		break;
	case '\n':
		out[1] = 'n';
		break;
	case '\r':
		out[1] = 'r';
		break;
	case '\t':
		out[1] = 't';
		break;
	default:
		out[4] = digits[c >> 4];
		out[5] = digits[c & 15];
		buf_add(b, out, 6);
		return;
	}
	buf_add(b, out, 2);
}

static void
json_quote(struct buf *b, const char *s, size_t n)
{
	size_t i, from = 0;

	buf_addc(b, '"');
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s + from, i - from);
		json_escape(b, c);
		from = i + 1;
	}
	buf_add(b, s + from, n - from);
	buf_addc(b, '"');
}

void
json_start(struct json_writer *w, struct buf *b)
{
	w->b = b;
	w->comma = false;
}

void
json_object(struct json_writer *w)
{
	json_open(w, '{');
}

void
json_object_end(struct json_writer *w)
{
	json_close(w, '}');
}

void
json_array(struct json_writer *w)
{
	json_open(w, '[');
}

void
json_array_end(struct json_writer *w)
{
	json_close(w, ']');
}

void
json_key(struct json_writer *w, const char *key)
{
	json_str(w, key);
	buf_addc(w->b, ':');
	w->comma = false;
}

void
json_str(struct json_writer *w, const char *s)
{
	json_strn(w, s, strlen(s));
}

void
json_strn(struct json_writer *w, const char *s, size_t n)
{
	json_sep(w);
	json_quote(w->b, s, n);
}

void
json_num(struct json_writer *w, int64_t v)
{
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	char out[20];
	size_t at = sizeof(out);

	do {
		out[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u != 0);
	if (v < 0)
		out[--at] = '-';
	json_raw(w, out + at, sizeof(out) - at);
}

void
json_bool(struct json_writer *w, bool v)
{
	json_sep(w);
	buf_adds(w->b, v ? "true" : "false");
}

void
json_null(struct json_writer *w)
{
	json_raw(w, "null", 4);
}

void
json_raw(struct json_writer *w, const char *text, size_t n)
{
	json_sep(w);
	buf_add(w->b, text, n);
}

void
json_hex(struct json_writer *w, const void *p, size_t n)
{
	char *out;

	json_sep(w);
	buf_addc(w->b, '"');
	/* One byte more, which the closing quote takes from the NUL. */
	out = buf_reserve(w->b, 2 * n + 1);
	if (out == NULL)
		return;
	crypto_hex(out, p, n);
	out[2 * n] = '"';
	w->b->len += 2 * n + 1;
}

void
json_id(struct json_writer *w, const struct id *id)
{
	json_hex(w, id->b, ID_LEN);
}

void
json_text_at(struct json_writer *w, const char *key, struct slice s)
{
	json_key(w, key);
	if (s.p != NULL)
		json_strn(w, s.p, s.n);
	else
		json_null(w);
}

void
json_id_at(struct json_writer *w, const char *key, const struct id *id)
{
	json_key(w, key);
	if (id_is_null(id))
		json_null(w);
	else
		json_id(w, id);
}

void
json_time(struct json_writer *w, int64_t wall_ms)
{
	char out[CLOCK_RFC3339_LEN + 1];

	if (wall_ms == 0) {
		json_null(w);
		return;
	}
	clock_format(wall_ms, out);
	json_strn(w, out, CLOCK_RFC3339_LEN);
}
