/* SPDX-License-Identifier: ISC */
/* The configuration: every rule of its syntax, values, includes, printing. */
#include "conf/conf.h"

#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

#define LIT(s) s, sizeof(s) - 1

static char dir[] = "/tmp/linnet-conf-XXXXXX";

/* Reads a text over the defaults; NULL and *error, which the caller frees. */
static struct conf *
read_text(const char *text, size_t n, char **error)
{
	struct conf *c = conf_new();

	*error = NULL;
	if (conf_read(c, "f", text, n, error) == 0)
		return c;
	conf_free(c);
	return NULL;
}

static void
write_file(const char *name, const char *text, size_t n)
{
	FILE *f = fopen(name, "w");

	if (f == NULL || fwrite(text, 1, n, f) != n || fclose(f) != 0) {
		perror(name);
		exit(1);
	}
}

static char *
print(const struct conf *c)
{
	struct buf b;

	buf_init(&b, CONF_TEXT_MAX);
	conf_print(c, &b);
	if (buf_str(&b) == NULL)
		return NULL;
	return b.data;
}

static void
test_table(void)
{
	struct conf *c = conf_new();
	char *error = NULL;
	size_t i, good = 0;

	for (i = 0; i < CONF_COUNT; i++)
		good += conf_find(conf_options[i].name) == &conf_options[i] &&
			conf_options[i].min <= conf_options[i].max &&
			conf_options[i].text[0] != '\0';
	is_int(good, CONF_COUNT, "every row is found by its name");
	ok(conf_find("limit") == NULL, "a block is no option");
	ok(conf_check(c, &error) == 0, "the defaults pass the checks");
	is_int(c->listen.n, 1, "one default address");
	is_str(c->listen.v[0], "127.0.0.1:7900", "which is loopback");
	ok(c->listen.v[1] == NULL, "a list is NULL-ended");
	ok(c->http_origin.n == 0 && c->http_origin.v[0] == NULL,
	    "an empty list too");
	is_int(c->mesh_hold, 7 * 86400000LL, "a time is milliseconds");
	is_int(c->bus_ring, 4 << 20, "a size is bytes");
	ok(!c->hook_loopback && c->http_metrics, "booleans");
	is_str(c->postgres_bin, "", "an empty text is no NULL");
	conf_free(c);
	conf_free(NULL);
}

/* Texts that are read, and what one option then is. */
static const struct {
	const char *text;
	const char *option;
	const char *value; /* as conf_print_value() says it */
} reads[] = {
	{ "", "workers", "0" },
	{ "\n\n# nothing\n \t\n", "workers", "0" },
	{ "workers 3", "workers", "3" },
	{ "workers 3 # three\n", "workers", "3" },
	{ "workers 3\r\n", "workers", "3" },
	{ "  workers\t3  \n", "workers", "3" },
	{ "workers 3; user x", "user", "x" },
	{ "limit.head 2k", "limit.head", "2k" },
	{ "limit { head 2k }", "limit.head", "2k" },
	{ "limit {\n\thead 2k\n\tbody 3m\n}\n", "limit.body", "3m" },
	{ "limit{head 2k;body 3m}workers 2", "workers", "2" },
	{ "limit { }\nlimit { ; ; head 2k; }", "limit.head", "2k" },
	{ "limit { head 2048 } # comment }", "limit.head", "2k" },
	{ "mesh.hold 90s", "mesh.hold", "90s" },
	{ "mesh.hold 60", "mesh.hold", "1m" },
	{ "mesh.hold 1500ms", "mesh.hold", "1500ms" },
	{ "mesh.status_time 0", "mesh.status_time", "0" },
	{ "hook.loopback yes", "hook.loopback", "yes" },
	{ "state_dir \"/a b\"", "state_dir", "\"/a b\"" },
	{ "state_dir \"/a\\\"b\\\\c\\nd\"", "state_dir",
	    "\"/a\\\"b\\\\c\\nd\"" },
	{ "state_dir /a\\b", "state_dir", "/a\\b" },
	{ "state_dir /a#b", "state_dir", "\"/a#b\"" },
	{ "state_dir \"/a;{}\"", "state_dir", "\"/a;{}\"" },
	{ "state_dir /\xc3\xa4", "state_dir", "/\xc3\xa4" },
	{ "postgres_bin \"\"", "postgres_bin", "\"\"" },
	{ "listen a:1", "listen", "a:1" },
	{ "listen a:1 b:2", "listen", "a:1 b:2" },
	{ "listen a:1\nlisten b:2", "listen", "a:1 b:2" },
	{ "listen \"\"", "listen", "\"\"" },
	{ "http { origin https://a https://b }", "http.origin",
	    "https://a https://b" },
};

static void
test_reads(void)
{
	struct conf *c;
	char *error;
	struct buf b;
	size_t i;

	for (i = 0; i < NELEM(reads); i++) {
		c = read_text(reads[i].text, strlen(reads[i].text), &error);
		if (!ok(c != NULL, "read %zu", i)) {
			printf("# %s\n", error);
			free(error);
			continue;
		}
		buf_init(&b, 4096);
		conf_print_value(c, conf_find(reads[i].option), &b);
		is_str(buf_str(&b), reads[i].value, "and it says %s",
		    reads[i].option);
		buf_free(&b);
		conf_free(c);
	}
}

/* Texts that are refused, and the whole error. */
static const struct {
	const char *text;
	size_t n;
	const char *error;
} refusals[] = {
	{ LIT("workers"), "f:1:1: workers has no value" },
	{ LIT("\n  limits 3"), "f:2:3: there is no option \"limits\"" },
	{ LIT("workres 3"),
	    "f:1:1: there is no option \"workres\"; did you mean "
	    "\"workers\"?" },
	{ LIT("limit.hed 3k"),
	    "f:1:1: there is no option \"limit.hed\"; did you mean "
	    "\"limit.head\"?" },
	{ LIT("limit {\n  hed 3k\n}"),
	    "f:2:3: there is no option \"limit.hed\"; did you mean "
	    "\"limit.head\"?" },
	{ LIT("head 3k"), "f:1:1: there is no option \"head\"; did you mean "
			  "\"limit.head\"?" },
	{ LIT("limit 3k"),
	    "f:1:1: \"limit\" is the name of a block: write \"limit {\"" },
	{ LIT("limits { head 3k }"), "f:1:1: there is no block \"limits\"" },
	{ LIT("limit head { 3k }"),
	    "f:1:7: a block has one name before its \"{\"" },
	{ LIT("{ workers 3 }"), "f:1:1: there is no name before this \"{\"" },
	{ LIT("workers 3 }"), "f:1:11: this \"}\" closes no block" },
	{ LIT("workers 1\nlimit { head 3k\n"),
	    "f:2:1: the block that opens here is not closed" },
	{ LIT("limit { limit { head 3k } }"),
	    "f:1:9: there is no block \"limit\"" },
	{ LIT("user a\nuser b"), "f:2:1: user was given before in this file" },
	{ LIT("limit.head 2k; limit { head 2k }"),
	    "f:1:24: limit.head was given before in this file" },
	{ LIT("user a b"),
	    "f:1:6: user takes one value; quote one that has spaces" },
	{ LIT("listen a \"\""), "f:1:8: listen has an empty entry" },
	{ LIT("listen 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"),
	    "f:1:8: listen has too many entries; give at most 16" },
	{ LIT("workers 61"),
	    "f:1:9: workers \"61\" is too large; give 0 to 60" },
	{ LIT("workers -1"),
	    "f:1:9: workers \"-1\" is too small; give 0 to 60" },
	{ LIT("workers 99999999999999999999"),
	    "f:1:9: workers \"99999999999999999999\" is too large; give 0 "
	    "to 60" },
	{ LIT("workers two"),
	    "f:1:9: workers \"two\" is not a number; give 0 to 60" },
	{ LIT("limit.head 1"),
	    "f:1:12: limit.head \"1\" is too small; give 1k to 64k" },
	{ LIT("limit.head 1x"),
	    "f:1:12: limit.head \"1x\" has an unknown unit; give 1k to "
	    "64k" },
	{ LIT("limit.ping_time 2h"),
	    "f:1:17: limit.ping_time \"2h\" is too large; give 100ms to "
	    "1h" },
	{ LIT("hook.loopback true"),
	    "f:1:15: hook.loopback \"true\" is neither yes nor no" },
	{ LIT("user \"\""), "f:1:6: user has 0 bytes; give 1 to 64" },
	{ LIT("user \"a\n\""),
	    "f:1:6: the quote that opens here is not closed in this line" },
	{ LIT("user \"a"),
	    "f:1:6: the quote that opens here is not closed in this line" },
	{ LIT("user \"a\\"),
	    "f:1:8: a backslash in quotes goes before \", \\ or n" },
	{ LIT("user \"a\\t\""),
	    "f:1:8: a backslash in quotes goes before \", \\ or n" },
	{ LIT("user \"a\"b"), "f:1:9: there is no space after the quotes" },
	{ LIT("user \"a\"\"b\""), "f:1:9: there is no space after the quotes" },
	{ LIT("user a\"b\""), "f:1:7: there is a quote inside a word" },
	{ LIT("user a\0b"), "f:1:7: there is a NUL byte here" },
	{ LIT("user a\x01"
	      "b"),
	    "f:1:7: there is a control character (0x01) here" },
	{ LIT("user a\rb"), "f:1:7: there is a control character (0x0d) here" },
	{ LIT("user \xff"), "f:1:6: this is not UTF-8 text" },
	{ LIT("user \xc3"), "f:1:6: this is not UTF-8 text" },
	{ LIT("include x"), "f:1:1: include has no place here" },
};

static void
test_refusals(void)
{
	struct conf *c;
	char *error;
	size_t i;

	for (i = 0; i < NELEM(refusals); i++) {
		c = read_text(refusals[i].text, refusals[i].n, &error);
		ok(c == NULL, "refusal %zu", i);
		is_str(error, refusals[i].error, "and it says why");
		free(error);
		conf_free(c);
	}
}

/* Every prefix of a text that uses all of the syntax: an answer, no crash. */
static void
test_prefixes(void)
{
	static const char text[] =
	    "# c\nlisten a:1 \"b \\\"\\\\\\n\"\nlimit { head 2k; body 2m }\n"
	    "user x; workers 2\r\nhttp { origin \"*\" }\n";
	size_t n, answers = 0;
	struct conf *c;
	char *error;
	char *copy;

	for (n = 0; n < sizeof(text); n++) {
		copy = xmemdup(text, n + 1); /* for the address sanitizer */
		copy = xreallocarray(copy, n + (n == 0), 1);
		c = read_text(copy, n, &error);
		answers += (c != NULL) != (error != NULL);
		free(copy);
		free(error);
		conf_free(c);
	}
	is_int(answers, sizeof(text), "every prefix has an answer");
}

/* One value for each option that is not its default. */
static char *
other_value(const struct conf_option *o)
{
	switch (o->type) {
	case CONF_BOOL:
		return xstrdup(strcmp(o->value, "yes") == 0 ? "no" : "yes");
	case CONF_STR:
		return xstrdup("\"a \\\\\\\"\\n;#{}\"");
	case CONF_LIST:
		return xstrdup("\"x y\" z# \"\\\\\" \"#\"");
	case CONF_TIME:
		return xasprintf("%lldms", (long long)o->max - 1);
	default:
		return xasprintf("%lld", (long long)o->max - 1);
	}
}

static void
test_print(void)
{
	const struct conf_option *changed[CONF_COUNT];
	struct conf *a = conf_new(), *b = conf_new();
	char *first, *second, *value, *line, *error = NULL;
	size_t i;

	first = print(a);
	ok(conf_read(b, "f", first, strlen(first), &error) == 0,
	    "the printed defaults are read");
	is_int(conf_changes(a, b, changed), 0, "and are the defaults");
	free(first);

	for (i = 0; i < CONF_COUNT; i++) {
		value = other_value(&conf_options[i]);
		line = xasprintf("%s %s", conf_options[i].name, value);
		if (conf_set(a, line, &error) == -1)
			ok(false, "%s: %s", line, error);
		free(line);
		free(value);
	}
	is_int(conf_changes(a, b, changed), CONF_COUNT, "all changed");
	first = print(a);
	conf_free(b);
	b = conf_new();
	ok(conf_read(b, "f", first, strlen(first), &error) == 0,
	    "the other values are read back");
	is_int(conf_changes(a, b, changed), 0, "and are the same");
	second = print(b);
	is_str(second, first, "and print the same");
	is_str(b->http_origin.v[0], "x y", "a word with a space");
	is_str(b->state_dir, "a \\\"\n;#{}", "a word with everything");
	free(first);
	free(second);
	conf_free(a);
	conf_free(b);
}

static void
test_set(void)
{
	static const struct {
		const char *line;
		const char *error;
	} rows[] = {
		{ "", "-o: give one \"option value\"" },
		{ "workers", "-o: workers has no value" },
		{ "workers 2; user x", "-o: give one \"option value\"" },
		{ "limit { head 2k }", "-o: give one \"option value\"" },
		{ "workers 2\n", "-o: there is a control character (0x0a) "
				 "here" },
		{ "workers 99", "-o: workers \"99\" is too large; give 0 to "
				"60" },
		{ "include /x", "-o: there is no option \"include\"" },
	};
	struct conf *c = conf_new();
	char *error = NULL;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		ok(conf_set(c, rows[i].line, &error) == -1, "-o refusal %zu",
		    i);
		is_str(error, rows[i].error, "and it says why");
		free(error);
		error = NULL;
	}
	ok(conf_read(c, "f", LIT("listen a:1 b:1\nworkers 2"), &error) == 0 &&
		conf_set(c, "workers 3", &error) == 0 &&
		conf_set(c, "workers 4", &error) == 0 &&
		conf_set(c, "listen c:1", &error) == 0 &&
		conf_set(c, "listen d:1 # comment", &error) == 0,
	    "-o goes over the file");
	is_int(c->workers, 4, "the last one counts");
	is_int(c->listen.n, 2, "a list is replaced, then added to");
	is_str(c->listen.v[0], "c:1", "by the first");
	is_str(c->listen.v[1], "d:1", "and the second");
	conf_free(c);
}

static void
test_check(void)
{
	static const struct {
		const char *line;
		const char *starts;
	} rows[] = {
		{ "log.level loud", "log.level is not" },
		{ "state_dir x", "state_dir does not begin" },
		{ "postgres_bin x", "postgres_bin does not begin" },
		{ "database mine", "database is neither" },
		{ "host_name \" x\"", "host_name has characters" },
		{ "mesh.join_url http://x", "mesh.join_url does not" },
		{ "tls.min_version 1.1", "tls.min_version is neither" },
		{ "tls.key /k", "tls.certificate and tls.key have not" },
		{ "listen tls:a:1", "listen has an address for TLS" },
		{ "http.origin https://x/", "http.origin has an entry" },
		{ "http.origin example", "http.origin has an entry" },
		{ "http.origin ://x", "http.origin has an entry" },
		{ "files.dir x", "files.dir does not begin" },
		{ "files.store nfs", "files.store is neither" },
		{ "files.store s3", "files.s3_endpoint is not" },
		{ "limit.ping_time 75s", "limit.ping_time is not less" },
		{ "limit.message 8k", "limit.hello is greater" },
		{ "limit.message 2m", "limit.message is greater" },
		{ "mesh.hold 29s", "mesh.ack_time is greater" },
	};
	static const char *const good[] = {
		"database postgres://u@h/d",
		"database \"host=/run dbname=x\"",
		"http.origin * https://a:8443",
		"mesh.join_url wss://x/y",
		"log.level debug",
		"limit.ping_time 74s",
	};
	struct conf *c;
	char *error;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		c = conf_new();
		error = NULL;
		ok(conf_set(c, rows[i].line, &error) == 0 &&
			conf_check(c, &error) == -1,
		    "the check refuses %s", rows[i].line);
		ok(error != NULL && str_starts(error, rows[i].starts),
		    "and says why: %s", error);
		free(error);
		conf_free(c);
	}
	for (i = 0; i < NELEM(good); i++) {
		c = conf_new();
		ok(conf_set(c, good[i], &error) == 0 &&
			conf_check(c, &error) == 0,
		    "the check allows %s", good[i]);
		conf_free(c);
	}
}

static void
test_too_long(void)
{
	struct conf *c = conf_new();
	char *error = NULL, *word = xmalloc(3001), *line;
	int i;

	memset(word, 'a', 3000);
	word[3000] = '\0';
	line = xasprintf("http.origin http://%s", word);
	for (i = 0; i < 64; i++)
		if (conf_set(c, line, &error) == -1)
			break;
	ok(i == 64 && conf_check(c, &error) == -1,
	    "a configuration that fits no message is refused");
	is_str(error, "the configuration is longer than 128 KiB", "clearly");
	free(error);
	free(line);
	free(word);
	conf_free(c);
}

static void
test_changes(void)
{
	const struct conf_option *changed[CONF_COUNT];
	struct conf *a = conf_new(), *b = conf_new();
	char *error;
	size_t n;

	ok(conf_set(b, "limit.head 4k", &error) == 0 &&
		conf_set(b, "user other", &error) == 0 &&
		conf_set(b, "http.origin https://a", &error) == 0 &&
		conf_set(b, "workers 3", &error) == 0 &&
		conf_set(b, "listen a:1 b:1", &error) == 0,
	    "five changes");
	n = conf_changes(a, b, changed);
	is_int(n, 5, "are five");
	is_str(changed[0]->name, "listen", "in the order of the table");
	ok(changed[0]->reload && !changed[1]->reload && !changed[2]->reload &&
		changed[3]->reload && changed[4]->reload,
	    "two need a restart");
	conf_keep(b, a);
	n = conf_changes(a, b, changed);
	is_int(n, 3, "keeping takes those two back");
	is_str(changed[2]->name, "limit.head", "and leaves the others");
	is_str(b->listen.v[0], "a:1", "a list too");
	is_str(b->user, "linnet", "a text is the old one again");
	conf_free(a);
	conf_free(b);
}

/* Files below dir: the first is loaded. */
static const struct {
	const char *files[6]; /* name, text ... */
	const char *listen;   /* what is then listened to, or */
	const char *error;    /* the error without the directory */
} loads[] = {
	{ { "a", "listen x:1\ninclude b", "b", "listen y:1\n" }, "x:1 y:1",
	    NULL },
	{ { "a", "user x\ninclude b\nlisten x:1", "b", "user y\n" }, "x:1",
	    NULL },
	{ { "a", "include \"b*\"", "b2", "listen two:1\n", "b1",
	      "listen one:1" },
	    "one:1 two:1", NULL },
	{ { "a", "listen x:1; include none*" }, "x:1", NULL },
	{ { "a", "workers 1\n include none" }, NULL,
	    "a:2:10: there is no file \"none\"" },
	{ { "a", "include a" }, NULL, "a: the file includes itself" },
	{ { "a", "include b", "b", "include a" }, NULL,
	    "a: the file includes itself" },
	{ { "a", "include b", "b", "user x\nworkers y" }, NULL,
	    "b:2:9: workers \"y\" is not a number; give 0 to 60" },
	{ { "a", "include" }, NULL, "a:1:1: include takes the name of a file" },
	{ { "a", "include b c" }, NULL,
	    "a:1:1: include takes the name of a file" },
	{ { "a", "limit { include b }" }, NULL,
	    "a:1:9: include has no place in a block" },
	{ { "a", "include sub" }, NULL,
	    "sub: this is a directory, not a file" },
	{ { "a", "include fifo" }, NULL, "fifo: this is not a regular file" },
};

static char *
listen_of(const struct conf *c)
{
	struct buf b;

	buf_init(&b, 4096);
	conf_print_value(c, conf_find("listen"), &b);
	return buf_str(&b) != NULL ? b.data : NULL;
}

/* The error without the directory, wherever it stands. */
static void
strip_dir(char *s)
{
	size_t n = strlen(dir) + 1;
	char *at;

	while ((at = strstr(s, dir)) != NULL)
		memmove(at, at + n, strlen(at + n) + 1);
}

static void
test_loads(void)
{
	struct conf *c;
	char *path, *error, *got;
	size_t i, k;

	for (i = 0; i < NELEM(loads); i++) {
		for (k = 0; k < 6 && loads[i].files[k] != NULL; k += 2) {
			path = xasprintf("%s/%s", dir, loads[i].files[k]);
			write_file(path, loads[i].files[k + 1],
			    strlen(loads[i].files[k + 1]));
			free(path);
		}
		c = conf_new();
		path = xasprintf("%s/a", dir);
		error = NULL;
		k = (size_t)conf_load(c, path, &error);
		if (error != NULL)
			strip_dir(error);
		is_str(error, loads[i].error, "load %zu", i);
		if (loads[i].listen != NULL) {
			got = listen_of(c);
			is_str(got, loads[i].listen, "and its addresses");
			free(got);
		}
		free(error);
		free(path);
		conf_free(c);
	}
}

/* Loads a file and compares the error, without the directory. */
static void
is_load_error(const char *path, const char *want, const char *name)
{
	struct conf *c = conf_new();
	char *error = NULL;

	ok(conf_load(c, path, &error) == -1, "%s is refused", name);
	if (error != NULL)
		strip_dir(error);
	is_str(error, want, "and says why");
	free(error);
	conf_free(c);
}

static void
test_depth(void)
{
	char *path, *text;
	struct conf *c = conf_new();
	char *error = NULL;
	int i;

	for (i = 0; i < 10; i++) {
		path = xasprintf("%s/d%d", dir, i);
		text = xasprintf("include d%d\n", i + 1);
		write_file(path, text, i == 9 ? 0 : strlen(text));
		free(path);
		free(text);
	}
	path = xasprintf("%s/d0", dir);
	is_load_error(
	    path, "d9: includes are nested deeper than 8", "a ninth include");
	path[strlen(path) - 1] = '1';
	ok(conf_load(c, path, &error) == 0, "eight are allowed");
	free(path);
	conf_free(c);
}

static void
test_files(void)
{
	static char text[1024 * 1024 + 2];
	char *path = xasprintf("%s/f", dir);
	struct conf *c = conf_new();
	char *error = NULL;

	is_load_error("/nonexistent/linnetd.conf",
	    "/nonexistent/linnetd.conf: No such file or directory",
	    "a missing file");
	is_load_error("/", "/: this is a directory, not a file", "a directory");
	memset(text, '#', 4097);
	write_file(path, text, 4097);
	is_load_error(
	    path, "f:1:1: the line is longer than 4096 bytes", "a long line");
	write_file(path, text, 4096);
	ok(conf_load(c, path, &error) == 0, "4096 bytes are no long line");
	memset(text, '\n', sizeof(text));
	write_file(path, text, sizeof(text));
	is_load_error(
	    path, "f: the file is larger than 1048576 bytes", "a large file");
	write_file(path, LIT("\x7f"
			     "ELF\0\0"));
	is_load_error(path, "f:1:1: there is a control character (0x7f) here",
	    "a program");
	ok(conf_load(c, "/dev/null", &error) == 0, "/dev/null is empty");
	is_load_error("/dev/zero",
	    "/dev/zero: the file is larger than "
	    "1048576 bytes",
	    "/dev/zero");
	free(path);
	conf_free(c);
}

/* A directory whose name has what glob(3) takes for a pattern. */
static void
test_odd_directory(void)
{
	char *sub = xasprintf("%s/[x]*", dir), *path;
	struct conf *c = conf_new();
	char *error = NULL;

	mkdir(sub, 0700);
	path = xasprintf("%s/b", sub);
	write_file(path, LIT("workers 7"));
	free(path);
	path = xasprintf("%s/a", sub);
	write_file(path, LIT("include b"));
	ok(conf_load(c, path, &error) == 0 && c->workers == 7,
	    "an include below an odd directory");
	if (error != NULL)
		printf("# %s\n", error);
	free(error);
	free(path);
	free(sub);
	conf_free(c);
}

int
main(void)
{
	char *path;

	if (mkdtemp(dir) == NULL) {
		perror(dir);
		return 1;
	}
	path = xasprintf("%s/sub", dir);
	mkdir(path, 0700);
	free(path);
	path = xasprintf("%s/fifo", dir);
	if (mkfifo(path, 0600) == -1)
		perror(path);
	free(path);

	test_table();
	test_reads();
	test_refusals();
	test_prefixes();
	test_print();
	test_set();
	test_check();
	test_too_long();
	test_changes();
	test_loads();
	test_depth();
	test_files();
	test_odd_directory();

	path = xasprintf("rm -rf %s", dir);
	if (system(path) != 0)
		perror(path);
	free(path);
	return tap_done();
}
