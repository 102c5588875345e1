/* SPDX-License-Identifier: ISC */
/*
 * log.c: stderr becomes a pipe that this program reads.  No write may block:
 * an alarm ends the program when one does.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static int reader = -1;
static char got[1 << 18];

/* A new pipe as stderr. */
static void
new_stderr(void)
{
	int fds[2];

	if (reader != -1)
		close(reader);
	if (pipe(fds) != 0 || dup2(fds[1], STDERR_FILENO) == -1)
		fatal("pipe");
	close(fds[1]);
	reader = fds[0];
	if (fcntl(reader, F_SETFL, O_NONBLOCK) != 0)
		fatal("fcntl");
}

/* What is in the pipe now. */
static const char *
read_all(void)
{
	size_t n = 0;
	ssize_t r;

	while ((r = read(reader, got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)r;
	got[n] = '\0';
	return got;
}

/* The line after its time, which is checked here. */
static const char *
read_line(void)
{
	int64_t ms;

	read_all();
	if (strlen(got) < 26 || clock_parse(got, CLOCK_RFC3339_LEN, &ms) != 0 ||
	    got[24] != ' ')
		return got;
	return got + 25;
}

static void
test_levels(void)
{
	static const struct {
		const char *name;
		int rc;
		enum log_level level;
		const char *lines;
	} rows[] = {
		{ "error", 0, LOG_ERROR, "e" },
		{ "warn", 0, LOG_WARN, "ew" },
		{ "info", 0, LOG_INFO, "ewi" },
		{ "debug", 0, LOG_DEBUG, "ewid" },
		{ "", -1, LOG_ERROR, NULL },
		{ "Info", -1, LOG_ERROR, NULL },
		{ "warning", -1, LOG_ERROR, NULL },
	};
	size_t i, k;

	for (i = 0; i < NELEM(rows); i++) {
		enum log_level level = LOG_ERROR;
		char lines[16] = "";
		const char *p;

		is_int(log_parse_level(rows[i].name, &level), rows[i].rc,
		    "level '%s'", rows[i].name);
		is_int(level, rows[i].level, "its value");
		if (rows[i].lines == NULL)
			continue;
		log_set_level(level);
		is_int(log_level(), level, "is set");
		log_error("=e");
		log_warn("=w");
		log_info("=i");
		log_debug("=d");
		p = read_all();
		for (k = 0; (p = strchr(p, '=')) != NULL && k < 15; p++)
			lines[k++] = p[1];
		is_str(lines, rows[i].lines, "what it lets through");
	}
	log_set_level(LOG_INFO);
}

static void
test_text(void)
{
	static const struct {
		const char *text;
		const char *line;
	} rows[] = {
		{ "plain", "plain" },
		{ "\xc3\xa4\xf0\x9f\x90\xa6", "\xc3\xa4\xf0\x9f\x90\xa6" },
		{ "a\nb", "a\\x0ab" },
		{ "a\r\tb", "a\\x0d\\x09b" },
		{ "\x1b[31m", "\\x1b[31m" },
		{ "\x7f", "\\x7f" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xc3", "\\xc3" },
		{ "\xe2\x82z", "\\xe2\\x82z" },
		{ "\xc2\x9b", "\\xc2\\x9b" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "", "" },
	};
	char want[128];
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		log_warn("%s", rows[i].text);
		snprintf(want, sizeof(want), "linnetd[worker 1] warn: %s\n",
		    rows[i].line);
		is_str(read_line(), want, "row %zu", i);
	}
	errno = EPERM;
	log_info("x");
	is_int(errno, EPERM, "errno stays");
	read_all();
}

static void
test_long(void)
{
	static const char *const fills[] = { "a", "\x01", "\xc3\xa4" };
	static char text[10001];
	size_t i, k, n;

	for (i = 0; i < NELEM(fills); i++) {
		n = strlen(fills[i]);
		for (k = 0; k + n < sizeof(text); k += n)
			memcpy(text + k, fills[i], n);
		text[k] = '\0';
		log_info("%s", text);
		n = strlen(read_all());
		ok(n > 3000 && n <= 4096 && got[n - 1] == '\n',
		    "a long line is cut to one write: %zu bytes", n);
		ok(strchr(got, '\n') == got + n - 1, "and stays one line");
		ok(str_utf8(got, n), "of valid UTF-8");
		ok(strstr(got, "...\n") != NULL, "that says so");
	}
}

/* JOURNAL_STREAM names the pipe, or something else. */
static void
test_journal(void)
{
	char env[64];
	struct stat st;

	if (fstat(STDERR_FILENO, &st) != 0)
		fatal("fstat");
	snprintf(env, sizeof(env), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", env, 1);
	log_start("linnetd[master]", LOG_DEBUG);
	log_error("1");
	log_warn("2");
	log_info("3");
	log_debug("4");
	is_str(read_all(),
	    "<3>linnetd[master]: 1\n<4>linnetd[master]: 2\n"
	    "<6>linnetd[master]: 3\n<7>linnetd[master]: 4\n",
	    "priorities and no time for journald");
	new_stderr();
	log_start("t", LOG_INFO);
	log_info("x");
	is_str(read_line(), "t info: x\n", "stderr that went elsewhere");
	unsetenv("JOURNAL_STREAM");
}

static void
test_full(void)
{
	static const char junk[4096];
	size_t i, told = 0;
	const char *p;

	alarm(20);
	new_stderr();
	log_start("t", LOG_INFO);
	fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
	while (write(STDERR_FILENO, junk, sizeof(junk)) > 0)
		;
	fcntl(STDERR_FILENO, F_SETFL, 0);
	for (i = 0; i < 1000; i++)
		log_info("lost");
	ok(true, "a full pipe does not block");
	read_all();
	for (i = 0; i < 3; i++)
		log_info("kept");
	for (p = read_all(); (p = strstr(p, "kept\n")) != NULL; p++)
		told++;
	is_int(told, 3, "lines go out when there is room again");
	ok(strstr(got, "t warn: lines lost from this log: 1000\n") != NULL,
	    "after the number of the lost");
	ok(strstr(got, "lost\n") < strstr(got, "kept\n"), "in this order");
	for (i = 0; i < 5000; i++)
		log_info("line %zu", i);
	read_all();
	log_info("last");
	read_all();
	ok(strstr(got, "lines lost from this log: ") != NULL &&
		strstr(got, "last\n") != NULL,
	    "it fills and empties again");
	close(reader);
	reader = -1;
	log_info("nobody reads");
	ok(true, "a closed pipe does not kill");
	new_stderr();
	log_info("x");
	p = strstr(read_all(), "lines lost from this log: 1\n");
	ok(p != NULL && strstr(p, "t info: x\n") != NULL,
	    "and the log goes on");
	alarm(0);
}

static void
test_fatal(bool with_errno)
{
	int status = 0;
	pid_t pid;

	new_stderr();
	fflush(stdout);
	pid = fork();
	if (pid == -1)
		fatal("fork");
	if (pid == 0) {
		errno = ENOENT;
		if (with_errno)
			fatal("open %s", "x");
		fatalx("open %s", "x");
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status 1");
	is_str(read_line(),
	    with_errno ? "t error: open x: No such file or directory\n"
		       : "t error: open x\n",
	    "and the reason");
}

int
main(void)
{
	unsetenv("JOURNAL_STREAM");
	new_stderr();
	log_start("linnetd[worker 1]", LOG_INFO);
	test_levels();
	test_text();
	test_long();
	test_journal();
	test_full();
	test_fatal(true);
	test_fatal(false);
	return tap_done();
}
