/* SPDX-License-Identifier: ISC */
/*
 * json_read.c and json_write.c.  A text that is accepted is written again from
 * its nodes, so that each row proves both directions.
 */
#include "base/base.h"

#include <stdlib.h>

#include "tap.h"

#define TEXT(s) (s), sizeof(s) - 1

/* `again` is what the writer makes of the nodes; NULL: the same text. */
static const struct {
	const char *text;
	size_t n;
	const char *again;
} good[] = {
	{ TEXT("null"), NULL },
	{ TEXT("true"), NULL },
	{ TEXT("false"), NULL },
	{ TEXT("0"), NULL },
	{ TEXT("-0"), NULL },
	{ TEXT("7"), NULL },
	{ TEXT("-12"), NULL },
	{ TEXT("1234567890123456789012345678901234567890"), NULL },
	{ TEXT("0.5"), NULL },
	{ TEXT("-0.25"), NULL },
	{ TEXT("10.0"), NULL },
	{ TEXT("1e5"), NULL },
	{ TEXT("1E5"), NULL },
	{ TEXT("1e+5"), NULL },
	{ TEXT("1e-5"), NULL },
	{ TEXT("0e0"), NULL },
	{ TEXT("1.5e007"), NULL },
	{ TEXT("\"\""), NULL },
	{ TEXT("\"a\""), NULL },
	{ TEXT("\"1234567\""), NULL },
	{ TEXT("\"12345678\""), NULL },
	{ TEXT("\"123456789\""), NULL },
	{ TEXT("\"\x7f\""), NULL },
	{ TEXT("\"\xc3\xa4\""), NULL },
	{ TEXT("\"12345678\xc3\xa4\""), NULL },
	{ TEXT("\"\xe2\x82\xac\""), NULL },
	{ TEXT("\"\xe2\x80\xa8\xe2\x80\xa9\""), NULL },
	{ TEXT("\"\xef\xbb\xbf\""), NULL },
	{ TEXT("\"\xef\xbf\xbf\""), NULL },
	{ TEXT("\"\xf0\x9f\x90\xa6\""), NULL },
	{ TEXT("\"\xf4\x8f\xbf\xbf\""), NULL },
	{ TEXT("\"\\\"\\\\\\b\\f\\n\\r\\t\""), NULL },
	{ TEXT("\"\\/\""), "\"/\"" },
	{ TEXT("\"\\u0000\""), NULL },
	{ TEXT("\"\\u001f\""), NULL },
	{ TEXT("\"\\u001F\""), "\"\\u001f\"" },
	{ TEXT("\"\\u0008\\u000a\""), "\"\\b\\n\"" },
	{ TEXT("\"\\u0041\""), "\"A\"" },
	{ TEXT("\"\\u007f\""), "\"\x7f\"" },
	{ TEXT("\"\\u0080\""), "\"\xc2\x80\"" },
	{ TEXT("\"\\u07ff\\u0800\""), "\"\xdf\xbf\xe0\xa0\x80\"" },
	{ TEXT("\"\\ud7ff\\ue000\""), "\"\xed\x9f\xbf\xee\x80\x80\"" },
	{ TEXT("\"\\uFFFF\""), "\"\xef\xbf\xbf\"" },
	{ TEXT("\"\\ud800\\udc00\""), "\"\xf0\x90\x80\x80\"" },
	{ TEXT("\"\\uD83D\\uDC26!\""), "\"\xf0\x9f\x90\xa6!\"" },
	{ TEXT("\"\\udbff\\udfff\""), "\"\xf4\x8f\xbf\xbf\"" },
	{ TEXT("\"a\\u0062c\\n\""), "\"abc\\n\"" },
	{ TEXT("[]"), NULL },
	{ TEXT("{}"), NULL },
	{ TEXT("[[]]"), NULL },
	{ TEXT("[{}]"), NULL },
	{ TEXT("{\"\":{}}"), NULL },
	{ TEXT("[1]"), NULL },
	{ TEXT("[1,2,3]"), NULL },
	{ TEXT("[[1],[2,[3]],4]"), NULL },
	{ TEXT("[null,true,false,\"x\",-1.5,{},[]]"), NULL },
	{ TEXT("{\"a\":1}"), NULL },
	{ TEXT("{\"a\":1,\"b\":[1,{\"c\":null}],\"d\":{\"e\":{}}}"), NULL },
	{ TEXT("{\"a\":1,\"a\":2}"), NULL },
	{ TEXT("{\"\\u0061\":1}"), "{\"a\":1}" },
	{ TEXT(" 1"), "1" },
	{ TEXT("1\n"), "1" },
	{ TEXT(" \t\r\n[ \t1\r\n,\n2 ] \n"), "[1,2]" },
	{ TEXT("{ \"a\" : 1 , \"b\" : [ ] }"), "{\"a\":1,\"b\":[]}" },
	{ TEXT("[ ]"), "[]" },
	{ TEXT("{\n}"), "{}" },
	{ TEXT("[[[[[[[[]]]]]]]]"), NULL }, /* as deep as it goes */
	{ TEXT("[[],{},[],{},[],{},[],{},[],{}]"), NULL },
	{ TEXT("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]"), NULL },
};

#define ENDS "text ends before"
#define VALUE "value is missing"
#define WORD "neither true, false nor null"
#define DIGIT "lacks a digit"
#define FOLLOWS "follows the value"
#define CONTROL "control character"
#define ESCAPE "unknown escape"
#define HALF "half of a surrogate"
#define UTF8 "not valid UTF-8"
#define KEY "key in double quotes"
#define COLON "colon"
#define COMMA_OBJECT "comma or the end of an object"
#define COMMA_ARRAY "comma or the end of an array"

static const struct {
	const char *text;
	size_t n;
	const char *error; /* a part of the sentence */
	size_t at;
} bad[] = {
	{ TEXT(""), "holds no value", 0 },
	{ TEXT(" \n"), "holds no value", 2 },
	{ TEXT("\xef\xbb\xbf{}"), "byte order mark", 0 },
	{ TEXT("\xef\xbb"), VALUE, 0 },
	{ TEXT("nul"), ENDS, 3 },
	{ TEXT("nulL"), WORD, 0 },
	{ TEXT("Null"), VALUE, 0 },
	{ TEXT("nullx"), FOLLOWS, 4 },
	{ TEXT("[true1]"), COMMA_ARRAY, 5 },
	{ TEXT("t"), ENDS, 1 },
	{ TEXT("tru"), ENDS, 3 },
	{ TEXT("trud"), WORD, 0 },
	{ TEXT("[tr]"), WORD, 1 },
	{ TEXT("True"), VALUE, 0 },
	{ TEXT("falsy"), WORD, 0 },
	{ TEXT("undefined"), VALUE, 0 },
	{ TEXT("NaN"), VALUE, 0 },
	{ TEXT("nan"), WORD, 0 },
	{ TEXT("Infinity"), VALUE, 0 },
	{ TEXT("-Infinity"), DIGIT, 1 },
	{ TEXT("-"), ENDS, 1 },
	{ TEXT("--1"), DIGIT, 1 },
	{ TEXT("- 1"), DIGIT, 1 },
	{ TEXT("+1"), VALUE, 0 },
	{ TEXT(".5"), VALUE, 0 },
	{ TEXT("1."), ENDS, 2 },
	{ TEXT("[1.]"), DIGIT, 3 },
	{ TEXT("1.e5"), DIGIT, 2 },
	{ TEXT("-.5"), DIGIT, 1 },
	{ TEXT("1e"), ENDS, 2 },
	{ TEXT("1e+"), ENDS, 3 },
	{ TEXT("[1e]"), DIGIT, 3 },
	{ TEXT("1e1.5"), FOLLOWS, 3 },
	{ TEXT("1.2.3"), FOLLOWS, 3 },
	{ TEXT("00"), "begins with a zero", 0 },
	{ TEXT("01"), "begins with a zero", 0 },
	{ TEXT("-01"), "begins with a zero", 1 },
	{ TEXT("-00.5"), "begins with a zero", 1 },
	{ TEXT("0x10"), FOLLOWS, 1 },
	{ TEXT("1_000"), FOLLOWS, 1 },
	{ TEXT("1 2"), FOLLOWS, 2 },
	{ TEXT("1,"), FOLLOWS, 1 },
	{ TEXT("\"a\" \"b\""), FOLLOWS, 4 },
	{ TEXT("{}}"), FOLLOWS, 2 },
	{ TEXT("[]]"), FOLLOWS, 2 },
	{ TEXT("{}x"), FOLLOWS, 2 },
	{ TEXT("1\0"), FOLLOWS, 1 },
	{ TEXT("\0"), VALUE, 0 },
	{ TEXT("1\v"), FOLLOWS, 1 },
	{ TEXT("1\f"), FOLLOWS, 1 },
	{ TEXT("\xc2\xa0\x31"), VALUE, 0 },
	{ TEXT("1 // no"), FOLLOWS, 2 },
	{ TEXT("/* no */ 1"), VALUE, 0 },
	{ TEXT("\""), ENDS, 1 },
	{ TEXT("\"abc"), ENDS, 4 },
	{ TEXT("\"12345678"), ENDS, 9 },
	{ TEXT("'a'"), VALUE, 0 },
	{ TEXT("\"a\nb\""), CONTROL, 2 },
	{ TEXT("\"a\tb\""), CONTROL, 2 },
	{ TEXT("\"\0\""), CONTROL, 1 },
	{ TEXT("\"12345678\x1f\""), CONTROL, 9 },
	{ TEXT("\"\x1f"
	       "2345678\""),
	    CONTROL, 1 },
	{ TEXT("\"\\"), ENDS, 2 },
	{ TEXT("\"\\\""), ENDS, 3 },
	{ TEXT("\"\\x41\""), ESCAPE, 1 },
	{ TEXT("\"\\'\""), ESCAPE, 1 },
	{ TEXT("\"\\a\""), ESCAPE, 1 },
	{ TEXT("\"\\0\""), ESCAPE, 1 },
	{ TEXT("\"\\\0\""), ESCAPE, 1 },
	{ TEXT("\"\\\n\""), ESCAPE, 1 },
	{ TEXT("\"\\U0041\""), ESCAPE, 1 },
	{ TEXT("\"\\u\""), ESCAPE, 1 },
	{ TEXT("\"\\u004\""), ESCAPE, 1 },
	{ TEXT("\"\\u00g0\""), ESCAPE, 1 },
	{ TEXT("\"\\u 041\""), ESCAPE, 1 },
	{ TEXT("\"\\u+041\""), ESCAPE, 1 },
	{ TEXT("\"\\ud800\""), HALF, 1 },
	{ TEXT("\"\\udbff\""), HALF, 1 },
	{ TEXT("\"\\udc00\""), HALF, 1 },
	{ TEXT("\"\\udfff\""), HALF, 1 },
	{ TEXT("\"\\ud800\\ud800\""), HALF, 1 },
	{ TEXT("\"\\ud800\\u0041\""), HALF, 1 },
	{ TEXT("\"\\ud800\\n12345\""), HALF, 1 },
	{ TEXT("\"\\ud800x\\udc00\""), HALF, 1 },
	{ TEXT("\"\\udc00\\ud800\""), HALF, 1 },
	{ TEXT("\"\\ud800\\udc0\""), HALF, 1 },
	{ TEXT("\"\x80\""), UTF8, 1 },
	{ TEXT("\"\xff\""), UTF8, 1 },
	{ TEXT("\"\xc0\x80\""), UTF8, 1 },
	{ TEXT("\"\xc1\xbf\""), UTF8, 1 },
	{ TEXT("\"\xc3\""), UTF8, 1 },
	{ TEXT("\"\xc3"), UTF8, 1 },
	{ TEXT("\"\xe0\x80\x80\""), UTF8, 1 },
	{ TEXT("\"\xe2\x82\""), UTF8, 1 },
	{ TEXT("\"\xed\xa0\x80\""), UTF8, 1 },
	{ TEXT("\"\xed\xb0\x80\""), UTF8, 1 },
	{ TEXT("\"\xf0\x80\x80\x80\""), UTF8, 1 },
	{ TEXT("\"\xf4\x90\x80\x80\""), UTF8, 1 },
	{ TEXT("\"\xf8\x88\x80\x80\x80\""), UTF8, 1 },
	{ TEXT("\"12345678\xc3\""), UTF8, 9 },
	{ TEXT("["), ENDS, 1 },
	{ TEXT("[1"), ENDS, 2 },
	{ TEXT("[1,"), ENDS, 3 },
	{ TEXT("[,"), VALUE, 1 },
	{ TEXT("[,1]"), VALUE, 1 },
	{ TEXT("[1,]"), VALUE, 3 },
	{ TEXT("[1,,2]"), VALUE, 3 },
	{ TEXT("[1 2]"), COMMA_ARRAY, 3 },
	{ TEXT("[1;2]"), COMMA_ARRAY, 2 },
	{ TEXT("[1}"), COMMA_ARRAY, 2 },
	{ TEXT("[\"a\":1]"), COMMA_ARRAY, 4 },
	{ TEXT("]"), VALUE, 0 },
	{ TEXT("{"), ENDS, 1 },
	{ TEXT("{]"), KEY, 1 },
	{ TEXT("{1:2}"), KEY, 1 },
	{ TEXT("{a:1}"), KEY, 1 },
	{ TEXT("{'a':1}"), KEY, 1 },
	{ TEXT("{null:1}"), KEY, 1 },
	{ TEXT("{\"a\"}"), COLON, 4 },
	{ TEXT("{\"a\" 1}"), COLON, 5 },
	{ TEXT("{\"a\",1}"), COLON, 4 },
	{ TEXT("{\"a\"=1}"), COLON, 4 },
	{ TEXT("{\"a\""), ENDS, 4 },
	{ TEXT("{\"a\":"), ENDS, 5 },
	{ TEXT("{\"a\":}"), VALUE, 5 },
	{ TEXT("{\"a\"::1}"), VALUE, 5 },
	{ TEXT("{\"a\":1"), ENDS, 6 },
	{ TEXT("{\"a\":1,"), ENDS, 7 },
	{ TEXT("{\"a\":1,}"), KEY, 7 },
	{ TEXT("{,}"), KEY, 1 },
	{ TEXT("{\"a\":1 \"b\":2}"), COMMA_OBJECT, 7 },
	{ TEXT("{\"a\":1]"), COMMA_OBJECT, 6 },
	{ TEXT("{\"a\":1:2}"), COMMA_OBJECT, 6 },
	{ TEXT("{\"a\n\":1}"), CONTROL, 3 },
	{ TEXT("[[[[[[[[[]]]]]]]]]"), "nested too deeply", 8 },
	{ TEXT("[[[[[[[[{}]]]]]]]]"), "nested too deeply", 8 },
	{ TEXT("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"), "too many parts",
	    37 },
	{ TEXT("{\"1\":1,\"2\":2,\"3\":3,\"4\":4,\"5\":5,\"6\":6,\"7\":7,"
	       "\"8\":8}"),
	    "too many parts", 47 },
};

static void
write_node(struct json_writer *w, const struct json *j, size_t i)
{
	const struct json_node *node = &j->nodes[i];
	size_t c;
	char *text;

	switch (node->type) {
	case JSON_STRING:
		text = malloc(node->n + 1);
		json_strn(w, text, json_unescape(node, text));
		free(text);
		break;
	case JSON_ARRAY:
		json_array(w);
		for (c = JSON_FIRST(i); c < node->end; c = j->nodes[c].end)
			write_node(w, j, c);
		json_array_end(w);
		break;
	case JSON_OBJECT:
		json_object(w);
		for (c = JSON_FIRST(i); c < node->end;
		     c = j->nodes[c + 1].end) {
			text = malloc(j->nodes[c].n + 1);
			text[json_unescape(&j->nodes[c], text)] = '\0';
			json_key(w, text);
			free(text);
			write_node(w, j, c + 1);
		}
		json_object_end(w);
		break;
	case JSON_NULL:
		json_null(w);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		json_bool(w, node->type == JSON_TRUE);
		break;
	default:
		json_raw(w, node->p, node->n);
	}
}

static void
test_good(struct json *j)
{
	struct json_writer w;
	struct buf b;
	size_t i, n;
	char *text;

	buf_init(&b, 4096);
	for (i = 0; i < NELEM(good); i++) {
		/* Memory of exactly its size: a byte too far is found. */
		n = good[i].n;
		text = xmemdup(good[i].text, n);
		if (!is_int(json_read(j, text, n), 0, "accepts row %zu", i)) {
			printf("# %s\n", j->error);
			free(text);
			continue;
		}
		buf_clear(&b);
		json_start(&w, &b);
		write_node(&w, j, 0);
		is_str(buf_str(&b),
		    good[i].again != NULL ? good[i].again : good[i].text,
		    "and writes it again");
		free(text);
	}
	buf_free(&b);
}

static void
test_bad(struct json *j)
{
	size_t i;
	char *text;

	for (i = 0; i < NELEM(bad); i++) {
		text = xmemdup(bad[i].text, bad[i].n);
		is_int(json_read(j, text, bad[i].n), -1, "refuses row %zu", i);
		ok(j->error != NULL && strstr(j->error, bad[i].error) != NULL,
		    "because: %s", j->error != NULL ? j->error : "(null)");
		is_int(j->error_at, bad[i].at, "there");
		free(text);
	}
}

/* Whatever is cut off a text, the rest is no text. */
static void
test_cut(struct json *j)
{
	static const char text[] = "{\"a\\u00e4\\ud83d\\udc26\":[1.5e3,true,"
				   "\"\xf0\x9f\x90\xa6\"],\"b\":null}";
	size_t n, taken = 0;

	for (n = 0; n < sizeof(text) - 1; n++) {
		char *part = xmemdup(text, n);

		taken += json_read(j, part, n) == 0;
		free(part);
	}
	is_int(taken, 0, "no beginning of a text is accepted");
	is_int(json_read(j, text, n), 0, "the whole is");
}

static void
test_limits(void)
{
	struct json j;
	size_t i, n = 10000;
	char *text = malloc(2 * n);

	memset(text, '[', n);
	memset(text + n, ']', n);
	json_init(&j, 100000, 10000);
	is_int(json_read(&j, text, 2 * n), 0, "very deep");
	is_int(j.nodes[n - 1].depth, n - 1, "the innermost knows its depth");
	for (i = 0; i < n && j.nodes[i].end == n; i++)
		;
	is_int(i, n, "all end with the text");
	j.max_depth = 9999;
	is_int(json_read(&j, text, 2 * n), -1, "one too deep");
	is_int(j.error_at, 9999, "there");
	json_free(&j);
	json_init(&j, 1, 0);
	is_int(json_read(&j, "1", 1), 0, "depth 0 takes a number");
	is_int(json_read(&j, "[]", 2), -1, "and no array");
	json_free(&j);
	json_init(&j, 0, 4);
	is_int(json_read(&j, "1", 1), -1, "no nodes, no value");
	json_free(&j);
	json_init(&j, SIZE_MAX, 4);
	for (i = 0; i < n; i++)
		memcpy(text + 2 * i, "1,", 2);
	text[0] = '[';
	text[1] = ' ';
	text[2 * n - 1] = ']';
	is_int(json_read(&j, text, 2 * n), 0, "very long");
	is_int(j.count, n, "all of it");
	json_free(&j);
	free(text);
}

static void
test_look(struct json *j)
{
	static const char text[] = "{\"a\":{\"b\":7,\"c\":[8,9]},\"d\":null,"
				   "\"e\\u0066\":\"x\\ty\",\"d\":1,\"\":2}";
	size_t a;

	is_int(json_read(j, text, sizeof(text) - 1), 0, "an object");
	a = json_get(j, 0, "a");
	is_int(j->nodes[a].type, JSON_OBJECT, "a key");
	ok(strncmp(j->nodes[a].p, "{\"b\":7,\"c\":[8,9]}", j->nodes[a].n) == 0,
	    "the raw text of an object");
	is_int(j->nodes[a].n, 17, "to its bracket");
	is_int(j->nodes[json_get(j, a, "c")].type, JSON_ARRAY, "a key in it");
	is_int(json_get(j, 0, "c"), 0, "which is not outside");
	is_int(json_get(j, 0, "nosuch"), 0, "no such key");
	is_int(j->nodes[json_get(j, 0, "d")].type, JSON_NULL,
	    "the first of two equal keys");
	is_int(j->nodes[json_get(j, 0, "")].type, JSON_NUMBER, "an empty key");
	a = json_get(j, 0, "ef");
	ok(json_is(&j->nodes[a], "x\ty"), "a key and a value with escapes");
	ok(!json_is(&j->nodes[a], "x\t"), "no shorter string");
	ok(!json_is(&j->nodes[a], "x\tyz"), "no longer string");
	ok(!json_is(&j->nodes[a], "x\\ty"), "nor the raw text");
	is_int(json_get(j, json_get(j, 0, "d"), "x"), 0, "null has no keys");
	ok(!json_is(&j->nodes[json_get(j, 0, "d")], "null"),
	    "null is no string");
	is_int(j->nodes[0].end, j->count, "node 0 is all");
	is_int(json_read(j, "\"a\\u0000\"", 9), 0, "a string with a NUL");
	ok(!json_is(&j->nodes[0], "a"), "is not the same without");
}

static void
test_int(struct json *j)
{
	static const struct {
		const char *text;
		int rc;
		int64_t v;
	} rows[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "42", 0, 42 },
		{ "-42", 0, -42 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "9223372036854775808", -1, 0 },
		{ "-9223372036854775809", -1, 0 },
		{ "18446744073709551616", -1, 0 },
		{ "99999999999999999999999999", -1, 0 },
		{ "1.0", -1, 0 },
		{ "1e3", -1, 0 },
		{ "\"1\"", -1, 0 },
		{ "null", -1, 0 },
		{ "[]", -1, 0 },
	};
	size_t i;
	int64_t v;

	for (i = 0; i < NELEM(rows); i++) {
		v = 0;
		is_int(json_read(j, rows[i].text, strlen(rows[i].text)), 0,
		    "%s", rows[i].text);
		is_int(json_int(&j->nodes[0], &v), rows[i].rc, "an integer?");
		is_int(v, rows[i].v, "its value");
	}
}

static void
test_write(void)
{
	struct json_writer w;
	struct id id = { { 0x01, 0x93, 0xff } };
	struct buf b;

	buf_init(&b, 4096);
	json_start(&w, &b);
	json_array(&w);
	json_num(&w, 0);
	json_num(&w, INT64_MIN);
	json_num(&w, INT64_MAX);
	json_hex(&w, "\x00\xff", 2);
	json_hex(&w, "", 0);
	json_id(&w, &id);
	json_time(&w, 0);
	json_time(&w, 1795176000000);
	json_object(&w);
	json_key(&w, "k\"");
	json_array(&w);
	json_array_end(&w);
	json_key(&w, "r");
	json_raw(&w, "{\"x\":1}", 7);
	json_key(&w, "s");
	json_strn(&w, "ab\0c", 4);
	json_object_end(&w);
	json_str(&w, "\x01\x1f\x7f/'<");
	json_array_end(&w);
	is_str(buf_str(&b),
	    "[0,-9223372036854775808,9223372036854775807,\"00ff\",\"\","
	    "\"0193ff00000000000000000000000000\",null,"
	    "\"2026-11-20T12:00:00.000Z\","
	    "{\"k\\\"\":[],\"r\":{\"x\":1},\"s\":\"ab\\u0000c\"},"
	    "\"\\u0001\\u001f\x7f/'<\"]",
	    "the writer");
	buf_free(&b);
	buf_init(&b, 10);
	json_start(&w, &b);
	json_array(&w);
	json_id(&w, &id);
	json_array_end(&w);
	ok(b.failed && b.len <= 10, "past the ceiling it fails");
	buf_free(&b);
}

int
main(void)
{
	struct json j;

	json_init(&j, 16, 8);
	test_good(&j);
	test_bad(&j);
	j.max_nodes = 64;
	test_cut(&j);
	test_look(&j);
	test_int(&j);
	json_free(&j);
	test_limits();
	test_write();
	return tap_done();
}
