/* SPDX-License-Identifier: ISC */
/*
 * Text: UTF-8, names, near names, and numbers with units.  No result depends
 * on the locale of the process; lower case comes from C.UTF-8, which is loaded
 * once by str_start() because a chroot does not have it.
 */
#include "base/base.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wctype.h>

/* Longer strings are never near each other. */
#define DISTANCE_MAX 128

struct str_range {
	uint32_t from;
	uint32_t to;
};

struct str_unit {
	const char *name;
	int64_t factor;
};

static locale_t str_locale;

/* Code points that no name holds: unseen ones, and such as change how their
 * neighbours are shown.  Sorted. */
static const struct str_range str_hidden[] = {
	{ 0x0000, 0x001f },   /* C0 */
	{ 0x007f, 0x009f },   /* DEL, C1 */
	{ 0x00ad, 0x00ad },   /* soft hyphen */
	{ 0x034f, 0x034f },   /* combining grapheme joiner */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200b },   /* zero width space; joiners: str_joined */
	{ 0x200e, 0x200f },   /* direction marks */
	{ 0x2028, 0x202e },   /* line, paragraph; embeddings, overrides */
	{ 0x2060, 0x206f },   /* word joiner, isolates, deprecated formats */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xfdd0, 0xfdef },   /* no characters */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* half-width Hangul filler */
	{ 0xfff0, 0xfffb },   /* specials, interlinear annotation */
	{ 0xfffe, 0xffff },   /* no characters */
	{ 0xe0000, 0xe007f }, /* tags */
};

/* Code points that show nothing but room: not at either end.  Sorted. */
static const struct str_range str_blank[] = {
	{ 0x0020, 0x0020 },
	{ 0x00a0, 0x00a0 },
	{ 0x1680, 0x1680 },
	{ 0x2000, 0x200a },
	{ 0x202f, 0x202f },
	{ 0x205f, 0x205f },
	{ 0x2800, 0x2800 },
	{ 0x3000, 0x3000 },
};

/* What a joiner may stand between: writings whose letters it shapes, by blocks
 * (RFC 5892, appendices A.1 and A.2, are finer), and emoji.  Sorted. */
static const struct str_range str_joined[] = {
	{ 0x0600, 0x109f },   /* Arabic to Myanmar */
	{ 0x1700, 0x18af },   /* Tagalog to Mongolian */
	{ 0x1a20, 0x1bff },   /* Tai Tham to Batak */
	{ 0x2190, 0x2bff },   /* arrows and symbols, as in emoji */
	{ 0xa800, 0xabff },   /* Syloti Nagri to Meetei Mayek */
	{ 0xfe0f, 0xfe0f },   /* as an emoji */
	{ 0x11000, 0x11fff }, /* Brahmi and after it */
	{ 0x1f000, 0x1faff }, /* emoji */
};

static const struct str_unit str_times[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

static const struct str_unit str_sizes[] = {
	{ "g", 1 << 30 },
	{ "m", 1 << 20 },
	{ "k", 1 << 10 },
	{ "", 1 },
};

void
str_start(void)
{
	if (str_locale != (locale_t)0)
		return;
	str_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (str_locale == (locale_t)0)
		fatal("the locale C.UTF-8");
}

size_t
str_copy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size != 0) {
		size_t take = n < size ? n : size - 1;

		memcpy(dst, src, take);
		dst[take] = '\0';
	}
	return n;
}

/* Unicode 3.9, table 3-7: the second byte has narrower bounds after some
 * first ones, which keeps out long forms and surrogates. */
size_t
str_char(const char *s, size_t n, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf;
	size_t len, i;
	uint32_t v;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	v = p[0] & (0x7fU >> len);
	v = v << 6 | (p[1] & 0x3f);
	for (i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	*cp = v;
	return len;
}

bool
str_utf8(const char *s, size_t n)
{
	const char *end = s + n;
	uint32_t cp;
	uint64_t w;
	size_t len;

	while (s < end) {
		if (end - s >= 8) {
			memcpy(&w, s, sizeof(w));
			if ((w & UINT64_C(0x8080808080808080)) == 0) {
				s += 8;
				continue;
			}
		}
		len = str_char(s, (size_t)(end - s), &cp);
		if (len == 0)
			return false;
		s += len;
	}
	return true;
}

size_t
str_chars(const char *s, size_t n)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}

static bool
in_ranges(const struct str_range *ranges, size_t count, uint32_t cp)
{
	size_t i;

	for (i = 0; i < count && ranges[i].from <= cp; i++)
		if (cp <= ranges[i].to)
			return true;
	return false;
}

static bool
is_joiner(uint32_t cp)
{
	return cp == 0x200c || cp == 0x200d;
}

bool
str_is_name(const char *s, size_t n)
{
	bool first = true, blank = true, joined = false, joins = false;
	uint32_t cp;
	size_t len;

	for (; n > 0; s += len, n -= len) {
		len = str_char(s, n, &cp);
		if (len == 0 || in_ranges(str_hidden, NELEM(str_hidden), cp))
			return false;
		if (is_joiner(cp)) {
			if (!joined)
				return false;
			joined = false;
			joins = true;
			continue;
		}
		joined = in_ranges(str_joined, NELEM(str_joined), cp);
		blank = in_ranges(str_blank, NELEM(str_blank), cp);
		if ((joins && !joined) || (first && blank))
			return false;
		joins = first = false;
	}
	return !blank && !joins;
}

size_t
str_put_char(char out[4], uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

size_t
str_fold(char *out, const char *s, size_t n)
{
	const char *end = s + n;
	char *o = out;
	uint32_t cp;
	size_t len;

	for (; s < end; s += len) {
		len = str_char(s, (size_t)(end - s), &cp);
		if (len == 0)
			fatalx("str_fold: not UTF-8");
		if (cp < 0x80) {
			*o++ = (char)(cp >= 'A' && cp <= 'Z' ? cp + 32 : cp);
			continue;
		}
		str_start();
		o += str_put_char(
		    o, (uint32_t)towlower_l((wint_t)cp, str_locale));
	}
	*o = '\0';
	return (size_t)(o - out);
}

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment in three rows: the one being made, the one above
 * it, and the one above that for transpositions. */
unsigned
str_distance(const char *a, size_t an, const char *b, size_t bn, unsigned max)
{
	unsigned rows[3][DISTANCE_MAX + 1], *row, *up, *up2, best;
	size_t i, k;

	if ((an > bn ? an - bn : bn - an) > max)
		return max + 1;
	if (an > DISTANCE_MAX || bn > DISTANCE_MAX)
		return an == bn && memcmp(a, b, an) == 0 ? 0 : max + 1;
	for (k = 0; k <= bn; k++)
		rows[0][k] = (unsigned)k;
	for (i = 1; i <= an; i++) {
		row = rows[i % 3];
		up = rows[(i + 2) % 3];
		up2 = rows[(i + 1) % 3];
		best = row[0] = (unsigned)i;
		for (k = 1; k <= bn; k++) {
			row[k] = min3(up[k] + 1, row[k - 1] + 1,
			    up[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
			    a[i - 2] == b[k - 1] && up2[k - 2] + 1 < row[k])
				row[k] = up2[k - 2] + 1;
			if (row[k] < best)
				best = row[k];
		}
		/* The least of a row never falls below that of the row above.
		 */
		if (best > max)
			return max + 1;
	}
	best = rows[an % 3][bn];
	return best > max ? max + 1 : best;
}

const char *
str_nearest(const char *s, const char *const *list)
{
	size_t n = strlen(s);
	/* A typing error, or one in every four bytes. */
	unsigned max = n < 4 ? 1 : (unsigned)(n / 4 < 3 ? n / 4 : 3), d;
	const char *found = NULL;

	/* Of two letters one wrong is no likeness. */
	if (n < 3)
		return NULL;
	for (; *list != NULL; list++) {
		d = str_distance(s, n, *list, strlen(*list), max);
		if (d <= max) {
			found = *list;
			if (d == 0)
				break;
			max = d - 1;
		}
	}
	return found;
}

/* Digits at *s, which is moved past them; max has several itself.  NULL, or
 * what is wrong. */
static const char *
take_digits(const char **s, uint64_t max, uint64_t *v)
{
	const char *p = *s;
	bool over = false;
	uint64_t u = 0;

	if (*p < '0' || *p > '9')
		return "is not a number";
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (u > (max - digit) / 10)
			over = true;
		else
			u = u * 10 + digit;
	}
	*s = p;
	*v = u;
	return over ? "is too large" : NULL;
}

const char *
str_num(const char *s, int64_t min, int64_t max, int64_t *v)
{
	bool minus = *s == '-';
	uint64_t u = 0;
	const char *wrong;
	int64_t got;

	s += minus;
	wrong = take_digits(&s, (uint64_t)INT64_MAX + minus, &u);
	if (*s != '\0')
		return "is not a number";
	if (wrong != NULL && u == 0)
		return wrong;
	if (wrong != NULL)
		return minus ? "is too small" : "is too large";
	got = (int64_t)(minus ? -u : u);
	if (got < min)
		return "is too small";
	if (got > max)
		return "is too large";
	*v = got;
	return NULL;
}

/* A number with one of the units; `none` is meant when there is no unit. */
static const char *
num_with_unit(const char *s, const struct str_unit *units, size_t count,
    const char *none, int64_t *v)
{
	uint64_t u = 0;
	const char *wrong = take_digits(&s, INT64_MAX, &u);
	size_t i;

	if (wrong != NULL)
		return wrong;
	if (*s == '\0')
		s = none;
	for (i = 0; i < count; i++) {
		if (strcmp(s, units[i].name) != 0)
			continue;
		if (u > (uint64_t)(INT64_MAX / units[i].factor))
			return "is too large";
		*v = (int64_t)u * units[i].factor;
		return NULL;
	}
	return "has an unknown unit";
}

static void
print_with_unit(
    char out[32], const struct str_unit *units, size_t count, int64_t v)
{
	size_t i = 0;

	while (i < count - 1 && (v == 0 || v % units[i].factor != 0))
		i++;
	snprintf(out, 32, "%lld%s", (long long)(v / units[i].factor),
	    v != 0 ? units[i].name : "");
}

const char *
str_duration(const char *s, int64_t *ms)
{
	return num_with_unit(s, str_times, NELEM(str_times), "s", ms);
}

const char *
str_size(const char *s, int64_t *bytes)
{
	return num_with_unit(s, str_sizes, NELEM(str_sizes), "", bytes);
}

void
str_print_duration(char out[32], int64_t ms)
{
	print_with_unit(out, str_times, NELEM(str_times), ms);
}

void
str_print_size(char out[32], int64_t bytes)
{
	print_with_unit(out, str_sizes, NELEM(str_sizes), bytes);
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}
