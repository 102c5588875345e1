/* SPDX-License-Identifier: ISC */
/*
 * What of a text is worth remembering: its passages, and the words by which
 * they are known.
 */
#include <string.h>

#include "core/unit.h"

/* Said often, and not worth it: in lower case, without marks at the end. */
static const char *const unit_fillers[] = { "+1", "cool", "got it", "haha",
	"hello", "hey", "hi", "lgtm", "lol", "no", "nope", "ok", "okay",
	"thank you", "thanks", "ty", "yeah", "yep", "yes", NULL };

/* Of three letters and more. */
static const char *const unit_stop_words[] = { "about", "after", "all", "also",
	"and", "any", "are", "because", "been", "but", "can", "could", "did",
	"does", "for", "from", "had", "has", "have", "her", "here", "him",
	"his", "how", "into", "its", "just", "let", "may", "more", "not", "now",
	"off", "one", "our", "out", "she", "should", "some", "such", "than",
	"that", "the", "their", "them", "then", "there", "these", "they",
	"this", "those", "too", "very", "was", "were", "what", "when", "where",
	"which", "who", "why", "will", "with", "would", "you", "your", NULL };

static bool
unit_is_one_of(const char *const *list, const char *s, size_t n)
{
	for (; *list != NULL; list++)
		if (strlen(*list) == n && memcmp(*list, s, n) == 0)
			return true;
	return false;
}

static bool
unit_is_space(uint32_t cp)
{
	return cp <= ' ' || cp == 0x7f || cp == 0x85 || cp == 0xa0 ||
	       cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
	       cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000 ||
	       cp == 0xfeff;
}

/* Bytes of the character at a place. */
static size_t
unit_char(struct slice s, size_t at, uint32_t *cp)
{
	size_t n = str_char(s.p + at, s.n - at, cp);

	if (n > 0)
		return n;
	*cp = 0xfffd;
	return 1;
}

/* Every run of white space becomes one space, at the ends none. */
static struct slice
unit_collapse(struct pool *pool, struct slice text)
{
	char *out = pool_alloc(pool, text.n + 1);
	size_t i, k, n = 0;
	bool space = false;
	uint32_t cp;

	for (i = 0; i < text.n; i += k) {
		k = unit_char(text, i, &cp);
		if (unit_is_space(cp)) {
			space = n > 0;
			continue;
		}
		if (space)
			out[n++] = ' ';
		space = false;
		memcpy(out + n, text.p + i, k);
		n += k;
	}
	return (struct slice){ out, n };
}

/* Bytes of the first so many characters. */
static size_t
unit_bytes(struct slice s, size_t chars)
{
	size_t at = 0;
	uint32_t cp;

	while (at < s.n && chars-- > 0)
		at += unit_char(s, at, &cp);
	return at;
}

/* Where the first passage of a text ends: a sentence, or what fits of one. */
static size_t
unit_end(struct slice s)
{
	size_t i, max = unit_bytes(s, UNIT_CHARS);

	for (i = 0; i + 1 < s.n && i < max; i++)
		if (strchr(".!?", s.p[i]) != NULL && s.p[i + 1] == ' ')
			return i + 1;
	if (max == s.n)
		return max;
	for (i = max; i > 0; i--)
		if (s.p[i] == ' ')
			return i;
	return max;
}

static bool
unit_is_filler(struct pool *pool, struct slice s)
{
	char *folded = pool_alloc(pool, 2 * s.n + 1);
	size_t n = str_fold(folded, s.p, s.n);

	while (n > 0 && strchr(".,!? ", folded[n - 1]) != NULL)
		n--;
	return str_chars(folded, n) <= 2 ||
	       unit_is_one_of(unit_fillers, folded, n);
}

size_t
unit_chunks(struct pool *pool, struct slice text, struct slice v[UNIT_CHUNKS])
{
	struct slice s = unit_collapse(pool, text), chunk;
	size_t n = 0, seen = 0, end;

	for (; s.n > 0 && seen < UNIT_CHUNKS; seen++) {
		end = seen == 0 && unit_bytes(s, UNIT_CHARS) == s.n
			  ? s.n
			  : unit_end(s);
		chunk = (struct slice){ s.p, end };
		if (!unit_is_filler(pool, chunk))
			v[n++] = chunk;
		while (end < s.n && s.p[end] == ' ')
			end++;
		s.p += end;
		s.n -= end;
	}
	return n;
}

void
unit_hash(struct pool *pool, struct slice chunk, uint8_t out[CRYPTO_SHA256_LEN])
{
	char *folded = pool_alloc(pool, 2 * chunk.n + 1);

	crypto_sha256(out, folded, str_fold(folded, chunk.p, chunk.n));
}

struct slice
unit_summary(struct pool *pool, struct slice chunk)
{
	static const char ellipsis[] = "\xe2\x80\xa6";
	size_t n;
	char *out;

	if (unit_bytes(chunk, UNIT_SUMMARY) == chunk.n)
		return chunk;
	n = unit_bytes(chunk, UNIT_SUMMARY - sizeof(ellipsis) + 1);
	out = pool_alloc(pool, n + sizeof(ellipsis));
	memcpy(out, chunk.p, n);
	memcpy(out + n, ellipsis, sizeof(ellipsis));
	return (struct slice){ out, n + sizeof(ellipsis) - 1 };
}

static bool
unit_in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-' || (c & 0x80) != 0;
}

size_t
unit_keywords(
    struct pool *pool, struct slice chunk, struct slice v[UNIT_KEYWORDS])
{
	char *s = pool_alloc(pool, 2 * chunk.n + 1);
	size_t i, k, len = str_fold(s, chunk.p, chunk.n), n = 0, from;

	for (i = 0; i < len && n < UNIT_KEYWORDS; i++) {
		for (from = i; i < len && unit_in_word(s[i]); i++)
			continue;
		if (str_chars(s + from, i - from) < 3 ||
		    unit_is_one_of(unit_stop_words, s + from, i - from))
			continue;
		for (k = 0; k < n; k++)
			if (v[k].n == i - from &&
			    memcmp(v[k].p, s + from, v[k].n) == 0)
				break;
		if (k == n)
			v[n++] = (struct slice){ s + from, i - from };
	}
	return n;
}
