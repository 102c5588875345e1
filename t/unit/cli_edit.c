/* SPDX-License-Identifier: ISC */
/* cli_edit.c and cli_toml.c: texts of others, and what is made of them. */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "cli/cli_edit.h"
#include "cli/cli_host.h"

#include "tap.h"

/* What a text becomes, and that taking it out again gives the text. */
static void
test_add(void)
{
	static const struct {
		const char *before, *path, *value, *after;
	} rows[] = {
		{ "{}", "a", "1", "{\n  \"a\": 1\n}" },
		{ "{}\n", "a/b", "1", "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n" },
		{ "{\"x\":1}", "a", "[1,2]", "{\"x\":1,\"a\":[1,2]}" },
		{ "{ \"x\": 1 }", "a", "[1,2]", "{ \"x\": 1, \"a\": [1, 2] }" },
		{ "{\n\t\"x\": 1e9\n}", "a", "{\"b\":[1]}",
		    "{\n\t\"x\": 1e9,\n\t\"a\": {\n\t\t\"b\": [\n\t\t\t1\n"
		    "\t\t]\n\t}\n}" },
		{ "{\n  \"a\": {}\n}", "a/b", "{}",
		    "{\n  \"a\": {\n    \"b\": {}\n  }\n}" },
		{ "{\r\n \"x\": 1\r\n}\r\n", "a", "1",
		    "{\r\n \"x\": 1,\r\n \"a\": 1\r\n}\r\n" },
		{ "{\n  \"x\": 1, // one\n}", "a", "2",
		    "{\n  \"x\": 1, // one\n  \"a\": 2,\n}" },
		{ "{\n  \"x\": 1 // one\n}", "a", "2",
		    "{\n  \"x\": 1, // one\n  \"a\": 2\n}" },
		{ "{\n  \"x\": 1 /* a\n b */\n}", "a", "2",
		    "{\n  \"x\": 1, /* a\n b */\n  \"a\": 2\n}" },
		{ "{\n  \"x\": \"// no, /* no */\"\n}", "a", "2",
		    "{\n  \"x\": \"// no, /* no */\",\n  \"a\": 2\n}" },
		{ "{\"x\":\"\\\",}\\\\\"}", "a", "2",
		    "{\"x\":\"\\\",}\\\\\",\"a\":2}" },
		{ "\xef\xbb\xbf{\"x\":1}", "a", "2",
		    "\xef\xbb\xbf{\"x\":1,\"a\":2}" },
	};
	struct cli_edit e;
	size_t i, at;

	for (i = 0; i < NELEM(rows); i++) {
		ok(cli_edit_init(
		       &e, rows[i].before, strlen(rows[i].before), true) == 0 &&
			cli_edit_add(&e, rows[i].path, rows[i].value) == 0,
		    "row %zu: a member", i);
		is_str(e.text.data, rows[i].after, "is where it belongs");
		ok(cli_edit_find(&e, rows[i].path, &at) == 0 && at != 0,
		    "and is found");
		ok(cli_edit_add(&e, rows[i].path, "0") != 0,
		    "it is not added twice");
		while (strchr(rows[i].path, '/') != NULL && at != 0 &&
		       strstr(rows[i].before, "\"a\"") == NULL &&
		       cli_edit_parent(&e, at) != 0)
			at = cli_edit_parent(&e, at);
		ok(cli_edit_remove(&e, at) == 0, "it goes");
		is_str(e.text.data, rows[i].before, "without a trace");
		cli_edit_free(&e);
	}
}

static void
test_remove(void)
{
	static const struct {
		const char *before, *path, *after;
	} rows[] = {
		{ "{\"a\":1,\"b\":2,\"c\":3}", "a", "{\"b\":2,\"c\":3}" },
		{ "{\"a\":1,\"b\":2,\"c\":3}", "b", "{\"a\":1,\"c\":3}" },
		{ "{\"a\":1,\"b\":2,\"c\":3}", "c", "{\"a\":1,\"b\":2}" },
		{ "{\n  \"a\": 1,\n  \"b\": 2\n}", "a", "{\n  \"b\": 2\n}" },
		{ "{\n  \"a\": 1,\n  \"b\": 2\n}", "b", "{\n  \"a\": 1\n}" },
		{ "{\n  \"a\": 1, // a\n  \"b\": 2 // b\n}", "b",
		    "{\n  \"a\": 1 // a // b\n}" },
		{ "{\n  // of a, b\n  \"a\": 1\n}", "a", "{\n  // of a, b\n}" },
		{ "{ \"a\": 1 /* x */ }", "a", "{ /* x */ }" },
	};
	struct cli_edit e;
	size_t i, at;

	for (i = 0; i < NELEM(rows); i++) {
		ok(cli_edit_init(
		       &e, rows[i].before, strlen(rows[i].before), true) == 0 &&
			cli_edit_find(&e, rows[i].path, &at) == 0 &&
			cli_edit_remove(&e, at) == 0,
		    "row %zu: a member goes", i);
		is_str(e.text.data, rows[i].after, "and nothing else");
		cli_edit_free(&e);
	}
}

/* Any text of these bytes is refused, or stays whole. */
static void
test_random(void)
{
	static const char bytes[] = "{}[]\",:/*\n \\a1";
	char text[24];
	struct cli_edit e;
	unsigned seed = 1, i, k, n, taken = 0, whole = 0;
	size_t at;

	for (i = 0; i < 200000; i++) {
		n = (seed = seed * 1103515245 + 12345) / 65536 % 20;
		text[0] = '{';
		for (k = 1; k <= n; k++)
			text[k] = bytes[(seed = seed * 1103515245 + 12345) /
					65536 % (sizeof(bytes) - 1)];
		text[k] = '}';
		text[k + 1] = '\0';
		if (cli_edit_init(&e, text, k + 1, true) == 0 &&
		    cli_edit_add(&e, "new", "{}") == 0) {
			taken++;
			whole += cli_edit_find(&e, "new", &at) == 0 &&
				 at != 0 && cli_edit_remove(&e, at) == 0;
		}
		cli_edit_free(&e);
	}
	ok(taken > 1000, "random texts: %u are JSON", taken);
	is_int(whole, taken, "and stay so");
}

static void
test_toml(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "", true },
		{ "a = 1", true },
		{ "a = \"\\\"[t]\"\n[b]\n", true },
		{ "a = '''\n[m.linnet]\n'''\n", true },
		{ "a = [ # ]\n 1,\n]\n", true },
		{ "[[a]]\nb.c = {d = 1}\n", true },
		{ "a = \"", false },
		{ "a = \"\"\"\n\"\"", false },
		{ "a = {", false },
		{ "a = ]\n", false },
		{ "words\n", false },
	};
	const char *lines = "command = \"/x/linnet\"\nargs = []\n";
	struct buf b;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		buf_init(&b, 1u << 16);
		buf_adds(&b, rows[i].text);
		(void)buf_str(&b);
		is_int(cli_toml_add(&b, "m.linnet", lines) == NULL,
		    rows[i].good, "row %zu: %s", i,
		    rows[i].good ? "takes a table" : "is refused");
		if (rows[i].good) {
			ok(cli_toml_has(&b, "m.linnet"), "has it");
			ok(cli_toml_drop(&b, "m.linnet") == NULL &&
				!cli_toml_has(&b, "m.linnet"),
			    "and loses it");
			ok(strncmp(buf_str(&b), rows[i].text,
			       strlen(rows[i].text)) == 0,
			    "and is what it was");
		}
		buf_free(&b);
	}
}

static void
test_ours(void)
{
	ok(cli_host_is_ours("linnet", false), "by its name");
	ok(cli_host_is_ours("/usr/bin/linnet", false), "with a directory");
	ok(!cli_host_is_ours("/usr/bin/blinnet", false), "not another");
	ok(!cli_host_is_ours("", false), "nor none");
	ok(cli_host_is_ours("/usr/bin/linnet hook stop", true), "a hook");
	ok(cli_host_is_ours("'/a b/linnet' --config '/c d' hook stop", true),
	    "with a configuration");
	ok(!cli_host_is_ours("/usr/bin/linnet inbox", true), "not that");
	ok(!cli_host_is_ours("notify hook stop", true), "nor another's");
}

int
main(void)
{
	crypto_start();
	test_add();
	test_remove();
	test_random();
	test_toml();
	test_ours();
	return tap_done();
}
