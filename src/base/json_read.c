/* SPDX-License-Identifier: ISC */
/*
 * Reads JSON (RFC 8259) in one pass into a flat array of nodes.  There is no
 * recursion and no stack beside the nodes: while a container is open its `end`
 * holds the index of the container around it, and becomes its real end when it
 * closes.  Nothing is copied; escapes are checked here and undone later by
 * whoever wants the string.
 */
#include "base/base.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODES_FIRST 64
#define NOWHERE UINT32_MAX /* around node 0 */

#define ERROR_ENDS "The text ends before the value does."

struct json_reader {
	struct json *j;
	const char *text;
	const char *p; /* what was not read yet */
	const char *end;
	uint32_t open; /* the innermost open container, or NOWHERE */
	uint16_t depth;
};

enum json_step {
	STEP_BAD = -1,
	STEP_DONE,  /* the value is complete */
	STEP_INSIDE /* a container is open and a value is due */
};

void
json_init(struct json *j, size_t max_nodes, unsigned max_depth)
{
	*j = (struct json){
		.max_nodes = max_nodes < NOWHERE ? max_nodes : NOWHERE - 1,
		.max_depth = max_depth < UINT16_MAX ? max_depth : UINT16_MAX,
	};
}

void
json_free(struct json *j)
{
	free(j->nodes);
	json_init(j, j->max_nodes, j->max_depth);
}

static enum json_step
json_bad(struct json_reader *r, const char *at, const char *error)
{
	r->j->error = error;
	r->j->error_at = (size_t)(at - r->text);
	return STEP_BAD;
}

static inline void
json_skip_space(struct json_reader *r)
{
	const char *p = r->p;

	while (
	    p < r->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	r->p = p;
}

static int
json_grow(struct json_reader *r)
{
	struct json *j = r->j;
	size_t cap = j->cap != 0 ? j->cap * 2 : NODES_FIRST;
	struct json_node *nodes;

	if (cap > j->max_nodes)
		cap = j->max_nodes;
	if (j->count >= cap)
		return json_bad(r, r->p, "The value has too many parts.");
	nodes = reallocarray(j->nodes, cap, sizeof(*nodes));
	if (nodes == NULL)
		return json_bad(r, r->p, "There is no memory for the value.");
	j->nodes = nodes;
	j->cap = cap;
	return 0;
}

/* Appends the node of a value that is complete; NULL: error is set. */
static inline struct json_node *
json_add(struct json_reader *r, enum json_type type, const char *p, size_t n)
{
	struct json *j = r->j;
	struct json_node *node;

	if (j->count >= j->cap && json_grow(r) != 0)
		return NULL;
	node = &j->nodes[j->count++];
	node->p = p;
	node->n = (uint32_t)n;
	node->end = (uint32_t)j->count;
	node->type = (uint8_t)type;
	node->escaped = false;
	node->depth = r->depth;
	return node;
}

/* Four hex digits, or -1. */
static int
json_hex4(const char *p, const char *end)
{
	int i, v = 0;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (c - 'A' + 10);
		else
			return -1;
	}
	return v;
}

static inline bool
is_high(int unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static inline bool
is_low(int unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* Checks the escape at p; returns what follows, or NULL. */
static const char *
json_check_escape(struct json_reader *r, const char *p)
{
	int unit;

	if (r->end - p < 2)
		goto ends;
	if (p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL)
		return p + 2;
	if (p[1] != 'u')
		goto unknown;
	unit = json_hex4(p + 2, r->end);
	if (unit < 0)
		goto unknown;
	if (!is_high(unit) && !is_low(unit))
		return p + 6;
	if (is_high(unit) && r->end - p >= 12 && p[6] == '\\' && p[7] == 'u' &&
	    is_low(json_hex4(p + 8, r->end)))
		return p + 12;
	json_bad(r, p, "A string contains half of a surrogate pair.");
	return NULL;
unknown:
	json_bad(r, p, "A string contains an unknown escape.");
	return NULL;
ends:
	json_bad(r, r->end, ERROR_ENDS);
	return NULL;
}

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Skips the plain characters of a string: ASCII but for controls, quote and
 * backslash.  Eight at a time: a byte sets its top bit below when it is not
 * plain; the lowest such byte is exact, as a borrow only goes upwards.
 */
static inline const char *
json_skip_plain(const char *p, const char *end)
{
	uint64_t w, bad;

	for (; end - p >= 8; p += 8) {
		memcpy(&w, p, sizeof(w));
		w = le64toh(w);
		bad = w | (w - EVERY(0x20)) | ((w ^ EVERY('"')) - EVERY(1)) |
		      ((w ^ EVERY('\\')) - EVERY(1));
		bad &= EVERY(0x80);
		if (bad != 0)
			return p + __builtin_ctzll(bad) / 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 &&
	       (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* r->p stands at the opening quote. */
static int
json_read_string(struct json_reader *r)
{
	const char *from = r->p + 1, *p = from;
	struct json_node *node;
	bool escaped = false;
	uint32_t cp;
	size_t n;

	for (;;) {
		p = json_skip_plain(p, r->end);
		if (p == r->end)
			return json_bad(r, p, ERROR_ENDS);
		if (*p == '"')
			break;
		if (*p == '\\') {
			escaped = true;
			p = json_check_escape(r, p);
			if (p == NULL)
				return -1;
			continue;
		}
		if ((unsigned char)*p < 0x20)
			return json_bad(r, p,
			    "A string contains a control character that is "
			    "not escaped.");
		n = str_char(p, (size_t)(r->end - p), &cp);
		if (n == 0)
			return json_bad(r, p, "A string is not valid UTF-8.");
		p += n;
	}
	node = json_add(r, JSON_STRING, from, (size_t)(p - from));
	if (node == NULL)
		return -1;
	node->escaped = escaped;
	r->p = p + 1;
	return 0;
}

static inline const char *
json_skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* At least one digit at p: what follows them, or NULL. */
static const char *
json_need_digits(struct json_reader *r, const char *p)
{
	const char *q = json_skip_digits(p, r->end);

	if (q != p)
		return q;
	json_bad(r, p, p == r->end ? ERROR_ENDS : "A number lacks a digit.");
	return NULL;
}

static int
json_read_number(struct json_reader *r)
{
	const char *from = r->p, *p = from, *digits;

	digits = p += *p == '-';
	p = json_need_digits(r, p);
	if (p == NULL)
		return -1;
	if (*digits == '0' && p - digits > 1)
		return json_bad(r, digits, "A number begins with a zero.");
	if (p < r->end && *p == '.') {
		p = json_need_digits(r, p + 1);
		if (p == NULL)
			return -1;
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < r->end && (*p == '+' || *p == '-'))
			p++;
		p = json_need_digits(r, p);
		if (p == NULL)
			return -1;
	}
	if (json_add(r, JSON_NUMBER, from, (size_t)(p - from)) == NULL)
		return -1;
	r->p = p;
	return 0;
}

static int
json_read_word(
    struct json_reader *r, enum json_type type, const char *word, size_t n)
{
	size_t left = (size_t)(r->end - r->p);

	if (left < n && memcmp(r->p, word, left) == 0)
		return json_bad(r, r->end, ERROR_ENDS);
	if (left < n || memcmp(r->p, word, n) != 0)
		return json_bad(
		    r, r->p, "A word is neither true, false nor null.");
	if (json_add(r, type, r->p, n) == NULL)
		return -1;
	r->p += n;
	return 0;
}

/* A key and its colon; r->p stands where the key should begin. */
static int
json_read_key(struct json_reader *r)
{
	json_skip_space(r);
	if (r->p == r->end)
		return json_bad(r, r->p, ERROR_ENDS);
	if (*r->p != '"')
		return json_bad(r, r->p, "A key in double quotes is missing.");
	if (json_read_string(r) != 0)
		return -1;
	json_skip_space(r);
	if (r->p == r->end)
		return json_bad(r, r->p, ERROR_ENDS);
	if (*r->p != ':')
		return json_bad(r, r->p, "The colon after a key is missing.");
	r->p++;
	return 0;
}

/* r->p stands at the bracket that ends the innermost container. */
static void
json_close(struct json_reader *r)
{
	struct json_node *node = &r->j->nodes[r->open];

	r->open = node->end;
	r->depth--;
	r->p++;
	node->end = (uint32_t)r->j->count;
	node->n = (uint32_t)(r->p - node->p);
}

static enum json_step
json_read_open(struct json_reader *r, enum json_type type, char bracket)
{
	struct json_node *node;

	if (r->depth >= r->j->max_depth)
		return json_bad(r, r->p, "The value is nested too deeply.");
	node = json_add(r, type, r->p, 0);
	if (node == NULL)
		return STEP_BAD;
	node->end = r->open;
	r->open = (uint32_t)(r->j->count - 1);
	r->depth++;
	r->p++;
	json_skip_space(r);
	if (r->p < r->end && *r->p == bracket) {
		json_close(r);
		return STEP_DONE;
	}
	if (type == JSON_OBJECT && json_read_key(r) != 0)
		return STEP_BAD;
	return STEP_INSIDE;
}

static enum json_step
json_read_value(struct json_reader *r)
{
	json_skip_space(r);
	if (r->p == r->end)
		return json_bad(r, r->p,
		    r->j->count == 0 ? "The text holds no value." : ERROR_ENDS);
	switch (*r->p) {
	case '"':
		return json_read_string(r) == 0 ? STEP_DONE : STEP_BAD;
	case '{':
		return json_read_open(r, JSON_OBJECT, '}');
	case '[':
		return json_read_open(r, JSON_ARRAY, ']');
	case 't':
		return json_read_word(r, JSON_TRUE, "true", 4);
	case 'f':
		return json_read_word(r, JSON_FALSE, "false", 5);
	case 'n':
		return json_read_word(r, JSON_NULL, "null", 4);
	case '-':
	case '0' ... '9':
		return json_read_number(r);
	default:
		return json_bad(r, r->p, "A value is missing.");
	}
}

/* After a value: closes what ends here, up to the next comma. */
static enum json_step
json_read_after(struct json_reader *r)
{
	bool object;

	while (r->open != NOWHERE) {
		json_skip_space(r);
		if (r->p == r->end)
			return json_bad(r, r->p, ERROR_ENDS);
		object = r->j->nodes[r->open].type == JSON_OBJECT;
		if (*r->p == (object ? '}' : ']')) {
			json_close(r);
			continue;
		}
		if (*r->p != ',')
			return json_bad(r, r->p,
			    object
				? "A comma or the end of an object is missing."
				: "A comma or the end of an array is missing.");
		r->p++;
		if (object && json_read_key(r) != 0)
			return STEP_BAD;
		return STEP_INSIDE;
	}
	return STEP_DONE;
}

int
json_read(struct json *j, const char *text, size_t n)
{
	struct json_reader r = {
		.j = j,
		.text = text,
		.p = text,
		.end = text + n,
		.open = NOWHERE,
	};
	enum json_step step;

	j->count = 0;
	j->error = NULL;
	j->error_at = 0;
	if (n >= UINT32_MAX)
		return json_bad(&r, text, "The text is too long.");
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return json_bad(
		    &r, text, "The text begins with a byte order mark.");
	do {
		step = json_read_value(&r);
		if (step == STEP_DONE)
			step = json_read_after(&r);
		if (step == STEP_BAD)
			return -1;
	} while (step == STEP_INSIDE);
	json_skip_space(&r);
	if (r.p != r.end)
		return json_bad(&r, r.p, "Something follows the value.");
	return 0;
}

/* Undoes the checked escape at *p and moves past it. */
static size_t
json_undo_escape(const char **p, const char *end, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *s = *p;
	uint32_t cp;
	int unit;

	if (s[1] != 'u') {
		out[0] = to[strchr(from, s[1]) - from];
		*p = s + 2;
		return 1;
	}
	unit = json_hex4(s + 2, end);
	cp = (uint32_t)unit;
	*p = s + 6;
	if (is_high(unit)) {
		cp = 0x10000 + ((cp - 0xd800) << 10) +
		     ((uint32_t)json_hex4(s + 8, end) - 0xdc00);
		*p = s + 12;
	}
	return str_put_char(out, cp);
}

size_t
json_unescape(const struct json_node *node, char *out)
{
	const char *p = node->p, *end = p + node->n, *stop;
	char *o = out;
	char one[4];
	size_t n;

	while (p < end) {
		stop =
		    node->escaped ? memchr(p, '\\', (size_t)(end - p)) : NULL;
		if (stop == NULL)
			stop = end;
		memcpy(o, p, (size_t)(stop - p));
		o += stop - p;
		p = stop;
		if (p == end)
			break;
		n = json_undo_escape(&p, end, one);
		memcpy(o, one, n);
		o += n;
	}
	return (size_t)(o - out);
}

int
json_int(const struct json_node *node, int64_t *v)
{
	uint64_t u = 0, limit;
	const char *p = node->p, *end = p + node->n;
	bool minus;

	if (node->type != JSON_NUMBER)
		return -1;
	minus = *p == '-';
	limit = (uint64_t)INT64_MAX + minus;
	for (p += minus; p < end; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (*p < '0' || *p > '9' || u > (limit - digit) / 10)
			return -1;
		u = u * 10 + digit;
	}
	*v = (int64_t)(minus ? -u : u);
	return 0;
}

bool
json_is(const struct json_node *node, const char *s)
{
	const char *p = node->p, *end = p + node->n;
	char one[4];
	size_t left = strlen(s), n;

	if (node->type != JSON_STRING)
		return false;
	if (!node->escaped)
		return left == node->n && memcmp(p, s, left) == 0;
	while (p < end) {
		if (*p == '\\') {
			n = json_undo_escape(&p, end, one);
		} else {
			one[0] = *p++;
			n = 1;
		}
		if (n > left || memcmp(s, one, n) != 0)
			return false;
		s += n;
		left -= n;
	}
	return left == 0;
}

size_t
json_get(const struct json *j, size_t i, const char *key)
{
	size_t at, end = j->nodes[i].end;

	if (j->nodes[i].type != JSON_OBJECT)
		return 0;
	for (at = JSON_FIRST(i); at < end; at = j->nodes[at + 1].end)
		if (json_is(&j->nodes[at], key))
			return at + 1;
	return 0;
}
