/* SPDX-License-Identifier: ISC */
/*
 * trace: what passes, as the workers tell of it (worker_trace.c): each message
 * of the socket is a record in JSON, which is printed as it came or as a line
 * for people.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define TRACE_LINE_MAX 16384
#define TRACE_NODES 64

static volatile sig_atomic_t trace_interrupted;

/* Meshes are told of by their ids; people know their short names. */
struct trace_slug {
	char id[ID_HEX_LEN + 1];
	char *slug;
};

struct trace_reader {
	struct ctl *c;
	struct json json;
	bool terminal;
	struct trace_slug *slugs;
	size_t nslugs;
	int64_t left; /* records to print; -1: no end */
	uint64_t dropped;
};

static void
trace_interrupt(int sig)
{
	(void)sig;
	trace_interrupted = 1;
}

static void
trace_meshes(void *arg, const struct db_result *r)
{
	struct trace_reader *t = arg;
	struct slice slug;
	struct id id;
	size_t i;

	t->nslugs = db_rows(r);
	t->slugs = xcalloc(t->nslugs + 1, sizeof(*t->slugs));
	for (i = 0; i < t->nslugs; i++) {
		db_id(r, i, 0, &id);
		id_hex(&id, t->slugs[i].id);
		slug = db_text(r, i, 1);
		t->slugs[i].slug = xstrndup(slug.p, slug.n);
	}
}

/* The text of a member; "-" where there is none. */
static char *
trace_text(const struct trace_reader *t, const char *key)
{
	size_t i = json_get(&t->json, 0, key), n, k;
	const struct json_node *node = &t->json.nodes[i];
	char *text, *safe;

	if (i == 0 || node->type == JSON_NULL || node->n == 0)
		return xstrdup("-");
	text = xmalloc(node->n + 1);
	n = node->type == JSON_STRING ? json_unescape(node, text) : node->n;
	if (node->type != JSON_STRING)
		memcpy(text, node->p, n);
	text[n] = '\0';
	for (k = 0; k < t->nslugs && strcmp(key, "meshId") == 0; k++)
		if (strcmp(t->slugs[k].id, text) == 0) {
			free(text);
			return xstrdup(t->slugs[k].slug);
		}
	safe = ctl_safe(text, n);
	free(text);
	return safe;
}

/* For each column: its key, and its width on a terminal. */
static const struct {
	const char *key;
	int width;
} trace_columns[] = {
	{ "at", 24 },
	{ "worker", 2 },
	{ "meshId", 12 },
	{ "session", 12 },
	{ "what", 7 },
	{ "type", 14 },
	{ "sender", 12 },
	{ "target", 12 },
	{ "targets", 3 },
	{ "bytes", 7 },
	{ "result", 6 },
	{ "ms", 4 },
	{ "messageId", 0 },
};

static void
trace_line(const struct trace_reader *t)
{
	char *text;
	size_t i;

	for (i = 0; i < NELEM(trace_columns); i++) {
		text = trace_text(t, trace_columns[i].key);
		printf("%s%s", i > 0 ? (t->terminal ? " " : "\t") : "", text);
		if (t->terminal)
			printf("%*s",
			    trace_columns[i].width -
					(int)str_chars(text, strlen(text)) >
				    0
				? trace_columns[i].width -
				      (int)str_chars(text, strlen(text))
				: 0,
			    "");
		free(text);
	}
	putchar('\n');
}

/* One record; false: it was the last one that was asked for. */
static bool
trace_record(struct trace_reader *t, const char *p, size_t n)
{
	int64_t dropped;
	size_t i;

	if (json_read(&t->json, p, n) != 0)
		ctl_fail(EX_PROTOCOL, "linnetd sent no JSON");
	i = json_get(&t->json, 0, "dropped");
	if (i != 0 && json_int(&t->json.nodes[i], &dropped) == 0) {
		t->dropped += (uint64_t)dropped;
		fprintf(stderr,
		    "linnetctl: dropped %lld records; trace less, "
		    "with --mesh, --session or --type\n",
		    (long long)dropped);
	}
	if (t->c->json)
		printf("%.*s\n", (int)n, p);
	else if (i == 0)
		trace_line(t);
	if (i == 0 && t->left > 0)
		t->left--;
	return t->left != 0;
}

/* Until it is interrupted, whoever reads is gone, or the daemon ends. */
static void
trace_follow(struct trace_reader *t, int fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 } };
	char line[TRACE_LINE_MAX];
	ssize_t n;

	while (!trace_interrupted) {
		n = recv(fd, line, sizeof(line), MSG_DONTWAIT);
		if (n > 0) {
			if (!trace_record(t, line, (size_t)n))
				return;
			continue;
		}
		if (n == 0)
			ctl_fail(EX_UNAVAILABLE, "linnetd has ended");
		if (errno != EAGAIN && errno != EINTR)
			ctl_fail(EX_IOERR, "trace: %s", strerror(errno));
		if (fflush(stdout) != 0)
			ctl_fail(EX_IOERR, "the output could not be written");
		if (poll(fds, NELEM(fds), -1) == -1 && errno != EINTR)
			ctl_fail(EX_OSERR, "poll: %s", strerror(errno));
		if (fds[1].revents & (POLLERR | POLLHUP))
			return;
	}
}

static void
trace_signals(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = trace_interrupt;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

void
ctl_trace(struct ctl *c)
{
	const char *slug = ctl_given(c, "mesh"), *type = ctl_given(c, "type"),
		   *session = ctl_given(c, "session");
	char hex[ID_HEX_LEN + 1] = "";
	const char *const words[] = { "trace", hex, type != NULL ? type : "",
		session != NULL ? session : "", NULL };
	struct trace_reader t = {
		.c = c,
		.terminal = isatty(STDOUT_FILENO) == 1,
		.left = ctl_given_num(c, "count", 1, INT64_MAX, -1),
	};
	struct ctl_mesh m;
	struct buf reply;
	size_t i;
	int fd;

	if (slug != NULL) {
		ctl_database(c);
		ctl_mesh_find(c, &m, slug, CTL_MESH_ARCHIVED);
		id_hex(&m.id, hex);
	}
	if (!c->json && (c->db != NULL || ctl_database_try(c)))
		ctl_query(c, db_params(STMT_mesh_list), trace_meshes, &t);
	json_init(&t.json, TRACE_NODES, 2);
	trace_signals();
	ctl_daemon_ask(c, words, &reply, &fd);
	buf_free(&reply);
	if (fd == -1)
		ctl_fail(EX_PROTOCOL, "linnetd does not trace");
	trace_follow(&t, fd);
	close(fd);
	json_free(&t.json);
	for (i = 0; i < t.nslugs; i++)
		free(t.slugs[i].slug);
	free(t.slugs);
}
