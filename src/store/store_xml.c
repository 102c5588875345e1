/* SPDX-License-Identifier: ISC */
/*
 * As much of XML as the answers of S3 need: elements are found by name, one
 * after the other.  There are no comments, no CDATA and no elements within
 * others of the same name in these answers; what is not understood is not
 * found.
 */
#include "store/store.h"

#include <string.h>

/* Is this the begin of a tag with that name?  Behind it may be attributes. */
static bool
xml_is_tag(struct slice s, const char *name)
{
	size_t n = strlen(name);

	return s.n > n + 1 && s.p[0] == '<' && memcmp(s.p + 1, name, n) == 0 &&
	       (s.p[n + 1] == '>' || s.p[n + 1] == ' ' || s.p[n + 1] == '/');
}

static void
xml_skip(struct slice *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

/* Goes to the next such byte; false: there is none. */
static bool
xml_find(struct slice *s, char c)
{
	const char *p = s->n > 0 ? memchr(s->p, c, s->n) : NULL;

	if (p == NULL)
		return false;
	xml_skip(s, (size_t)(p - s->p));
	return true;
}

bool
store_xml_next(struct slice *at, const char *name, struct slice *text)
{
	struct slice s = *at;
	size_t n = strlen(name);

	for (; xml_find(&s, '<'); xml_skip(&s, 1))
		if (xml_is_tag(s, name))
			break;
	if (!xml_find(&s, '>'))
		return false;
	if (s.p[-1] == '/') {
		*text = (struct slice){ s.p, 0 };
		xml_skip(&s, 1);
		*at = s;
		return true;
	}
	xml_skip(&s, 1);
	text->p = s.p;
	for (; xml_find(&s, '<'); xml_skip(&s, 1)) {
		if (s.n < n + 3 || s.p[1] != '/' ||
		    memcmp(s.p + 2, name, n) != 0 || s.p[n + 2] != '>')
			continue;
		text->n = (size_t)(s.p - text->p);
		xml_skip(&s, n + 3);
		*at = s;
		return true;
	}
	return false;
}

static const struct {
	const char *name;
	char c;
} xml_entities[] = {
	{ "&amp;", '&' },
	{ "&lt;", '<' },
	{ "&gt;", '>' },
	{ "&quot;", '"' },
	{ "&apos;", '\'' },
	{ "&#34;", '"' },
	{ "&#39;", '\'' },
	{ "&#x22;", '"' },
	{ "&#x27;", '\'' },
};

void
store_xml_text(struct buf *out, struct slice text)
{
	size_t i, n;

	while (text.n > 0) {
		for (i = 0; i < NELEM(xml_entities); i++) {
			n = strlen(xml_entities[i].name);
			if (text.n >= n &&
			    memcmp(text.p, xml_entities[i].name, n) == 0)
				break;
		}
		if (i == NELEM(xml_entities)) {
			n = 1;
			buf_addc(out, text.p[0]);
		} else {
			buf_addc(out, xml_entities[i].c);
		}
		xml_skip(&text, n);
	}
}
