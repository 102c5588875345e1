/* SPDX-License-Identifier: ISC */
/*
 * The table of servers.  Another one is another row, and, when it speaks none
 * of the dialects, a file that does.  What is not installed is skipped.
 */
#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int
peer_stream(struct bench_server *s)
{
	return bench_nats_make_stream(&s->where.address);
}

#define NATS_CONFIG                                                     \
	"host: 127.0.0.1\nport: {port}\nmax_connections: 1000000\n"     \
	"max_payload: 1MB\nmax_pending: 256MB\nping_interval: \"1h\"\n" \
	"write_deadline: \"60s\"\n"

#define NATS_STREAM                                             \
	" store_dir: \"{dir}/store\"\n max_memory_store: 1GB\n" \
	" max_file_store: 20GB\n"

const struct bench_peer bench_peers[] = {
	{
	    .name = "linnet",
	    .text = "linnetd, over WebSocket",
	    .does = "Signed hellos, JSON; direct messages stored before they "
		    "are answered, every delivery recorded.",
	    .dialect = &bench_mesh_dialect,
	    .websocket = true,
	    .path = "/ws",
	    .ours = true,
	    .stores = true,
	    .tls = true,
	    .probe = WORDS("{linnetd}", "-V"),
	},
	{
	    .name = "nats-ws",
	    .text = "nats-server, over WebSocket",
	    .does = "No authentication, no JSON, nothing stored, no answers.",
	    .dialect = &bench_nats_dialect,
	    .websocket = true,
	    .path = "/",
	    .probe = WORDS("nats-server", "--version"),
	    .start = WORDS("nats-server", "-c", "{dir}/config"),
	    .config = "host: 127.0.0.1\nport: {port2}\n"
		      "max_connections: 1000000\nmax_pending: 256MB\n"
		      "ping_interval: \"1h\"\nwrite_deadline: \"60s\"\n"
		      "websocket {\n host: 127.0.0.1\n port: {port}\n"
		      " no_tls: true\n compression: false\n}\n",
	},
	{
	    .name = "nats",
	    .text = "nats-server, its own protocol over TCP",
	    .does = "No WebSocket, no authentication, no JSON, nothing "
		    "stored, no answers.",
	    .dialect = &bench_nats_dialect,
	    .probe = WORDS("nats-server", "--version"),
	    .start = WORDS("nats-server", "-c", "{dir}/config"),
	    .config = NATS_CONFIG,
	},
	{
	    .name = "jetstream",
	    .text = "nats-server with a stream in files",
	    .does = "No WebSocket, no authentication, no JSON. It stores and "
		    "answers, but does not write through to the disk, "
		    "delivers before that, and records no deliveries.",
	    .dialect = &bench_jetstream_dialect,
	    .stores = true,
	    .probe = WORDS("nats-server", "--version"),
	    .start = WORDS("nats-server", "-c", "{dir}/config"),
	    .config = NATS_CONFIG "jetstream {\n" NATS_STREAM "}\n",
	    .started = peer_stream,
	},
	{
	    .name = "jetstream-sync",
	    .text = "the same, written through (nats-server 2.10 and later)",
	    .does = "No WebSocket, no authentication, no JSON. It stores, "
		    "writes through and answers, but delivers before that, "
		    "and records no deliveries.",
	    .dialect = &bench_jetstream_dialect,
	    .stores = true,
	    .probe = WORDS("sh", "-c",
		"nats-server -t -c '{scripts}/jetstream.conf' "
		">/dev/null 2>&1 && exec nats-server --version"),
	    .start = WORDS("nats-server", "-c", "{dir}/config"),
	    .config = NATS_CONFIG "jetstream {\n" NATS_STREAM
				  " sync_interval: always\n}\n",
	    .started = peer_stream,
	},
	{
	    .name = "uws",
	    .text = "uWebSockets.js, 40 lines of broadcast",
	    .does = "No authentication, no JSON, nothing stored, no answers; "
		    "one thread.",
	    .dialect = &bench_bare_dialect,
	    .websocket = true,
	    .path = "/",
	    .probe = WORDS("node", "{scripts}/uws.js", "--version"),
	    .start = WORDS("node", "{scripts}/uws.js", "{port}"),
	},
	{
	    .name = "ws",
	    .text = "Node.js with ws, 40 lines of broadcast",
	    .does = "No authentication, no JSON, nothing stored, no answers; "
		    "one thread.",
	    .dialect = &bench_bare_dialect,
	    .websocket = true,
	    .path = "/",
	    .probe = WORDS("node", "{scripts}/ws.js", "--version"),
	    .start = WORDS("node", "{scripts}/ws.js", "{port}"),
	},
	{
	    .name = "socketify",
	    .text = "Python with socketify (uWebSockets), 40 lines",
	    .does = "No authentication, no JSON, nothing stored, no answers; "
		    "one thread.",
	    .dialect = &bench_bare_dialect,
	    .websocket = true,
	    .path = "/",
	    .probe = WORDS("python3", "{scripts}/socketify.py", "--version"),
	    .start = WORDS("python3", "{scripts}/socketify.py", "{port}"),
	},
	{ .name = NULL },
};

const struct bench_peer *
bench_peer_find(const char *name, size_t n)
{
	const struct bench_peer *p;

	for (p = bench_peers; p->name != NULL; p++)
		if (strlen(p->name) == n && memcmp(p->name, name, n) == 0)
			return p;
	return NULL;
}

static void
peer_word(struct buf *b, const char *word, size_t n,
    const struct bench_server *s, const struct bench_options *o)
{
	char *program;

#define IS(text) (n == sizeof(text) - 1 && memcmp(word, text, n) == 0)
	if (IS("port"))
		buf_addf(b, "%u", s->port);
	else if (IS("port2"))
		buf_addf(b, "%u", s->port2);
	else if (IS("dir"))
		buf_adds(b, s->dir);
	else if (IS("scripts"))
		buf_adds(b, o->scripts);
	else if (IS("linnetd")) {
		program = bench_linnetd_program("linnetd", o->linnetd);
		buf_adds(b, program);
		free(program);
	} else
		fatalx("{%.*s} is unknown", (int)n, word);
#undef IS
}

char *
bench_peer_expand(const char *text, const struct bench_server *s,
    const struct bench_options *o)
{
	const char *p = text, *end;
	char *result;
	struct buf b;

	buf_init(&b, 65536);
	for (; *p != '\0'; p++) {
		/* Braces of configurations have a line's end in them. */
		end = *p == '{'
			  ? p + 1 +
				strspn(p + 1,
				    "abcdefghijklmnopqrstuvwxyz0123456789")
			  : p;
		if (*p != '{' || *end != '}') {
			buf_addc(&b, *p);
			continue;
		}
		peer_word(&b, p + 1, (size_t)(end - p) - 1, s, o);
		p = end;
	}
	result = xstrdup(buf_str(&b));
	buf_free(&b);
	return result;
}

/* The first line that a program says, or -1: it cannot be run, or fails. */
static int
peer_ask(char *const *argv, char *said, size_t size)
{
	int fds[2], null, status = 0;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		fatal("%s", argv[0]);
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	while (have + 1 < size &&
	       (n = read(fds[0], said + have, size - 1 - have)) > 0)
		have += (size_t)n;
	close(fds[0]);
	said[have] = '\0';
	said[strcspn(said, "\r\n")] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return 0;
	snprintf(said, size, "%s",
	    WIFEXITED(status) && WEXITSTATUS(status) == 127
		? "not installed"
		: "it or what it needs is not installed");
	return -1;
}

bool
bench_peer_probe(const struct bench_peer *p, const struct bench_options *o,
    char *version, size_t size)
{
	const struct bench_server none = { .peer = p };
	char *argv[8] = { NULL };
	int status;
	size_t i;

	if (o->tls && !p->tls) {
		snprintf(version, size, "not with TLS here");
		return false;
	}
	for (i = 0; p->probe[i] != NULL && i + 1 < NELEM(argv); i++)
		argv[i] = bench_peer_expand(p->probe[i], &none, o);
	status = peer_ask(argv, version, size);
	for (i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	return status == 0;
}
