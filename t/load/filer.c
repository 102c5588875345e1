/* SPDX-License-Identifier: ISC */
/*
 * filer LINNETD: plays master and worker for one files process, at the word of
 * a test.  Lines come in, one line goes out for each:
 *
 *	start CONF	starts the process with that file; "pid N"
 *	put F N LENGTH	puts N bytes under the file F (hex), of which LENGTH
 *			(or "-") are promised; "put STATUS SIZE SHA256"
 *	cut F N		puts N bytes and goes, without their end; "cut"
 *	hold F N	puts N bytes, and lets the end wait; "hold"
 *	end		ends what is held; as put
 *	get F OFF LEN	"get STATUS SIZE BYTES SHA256 same|differs"
 *	stall F		begins to get, and reads nothing; "stall"
 *	order V W	an order of version V for W; "order STATUS"
 *	link F S	"link STATUS URL", good for S seconds
 *	del F		"del STATUS"
 *	list		"list STATUS COUNT SIZE whole|broken"
 *	stop		"stop STATUS", of the process
 *
 * The bytes of a file are chance that its name and the place decide, so that
 * none has to be kept.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ipc.h"

#define PIECE (128 * 1024)
#define WAIT_MS 120000

static struct {
	const char *exe;
	pid_t pid;
	int master;  /* our end of its socket */
	int channel; /* our end of the channel */
	int held;
	EVP_MD_CTX *sha;
	char buf[PIECE], want[PIECE];
} self = { .master = -1, .channel = -1, .held = -1 };

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void
say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

/* Eight bytes at a time; at is a multiple of PIECE. */
static void
fill(char *p, const struct id *file, uint64_t at)
{
	uint64_t seed, x;
	size_t i;

	memcpy(&seed, file->b + 8, sizeof(seed));
	for (i = 0; i < PIECE; i += 8) {
		x = seed ^ ((at + i) * UINT64_C(0x9e3779b97f4a7c15));
		x ^= x >> 31;
		x *= UINT64_C(0xd6e8feb86659fd93);
		x ^= x >> 32;
		memcpy(p + i, &x, 8);
	}
}

static void
sha_begin(void)
{
	if (self.sha == NULL)
		self.sha = EVP_MD_CTX_new();
	if (EVP_DigestInit_ex(self.sha, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256");
}

static void
sha_end(char out[65])
{
	uint8_t sum[32];

	if (EVP_DigestFinal_ex(self.sha, sum, NULL) != 1)
		fatalx("SHA-256");
	crypto_hex(out, sum, sizeof(sum));
}

static void
take_file(const char *hex, struct id *id)
{
	if (id_parse(id, hex, strlen(hex)) == -1)
		fatalx("no id: %s", hex);
}

static int
send_order(const struct files_order *o)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		fatal("socketpair");
	if (ipc_frame_send(self.channel, IPC_WORKER, IPC_FILES, IPC_FILES_ORDER,
		o, NULL, 0, &pair[1], 1) == -1)
		log_warn("order: %s", strerror(errno));
	close(pair[1]);
	return pair[0];
}

/* All files are of one mesh. */
static int
order(uint32_t what, const char *hex, uint64_t offset, uint64_t length)
{
	struct files_order o = { .version = FILES_VERSION,
		.what = what,
		.offset = offset,
		.length = length };

	take_file(hex, &o.file);
	memset(&o.mesh, 0x11, sizeof(o.mesh));
	return send_order(&o);
}

/* As many bytes as come, up to n. */
static size_t
take(int fd, void *p, size_t n)
{
	size_t got = 0;
	ssize_t k;

	while (got < n) {
		k = read(fd, (char *)p + got, n - got);
		if (k == -1 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		got += (size_t)k;
	}
	return got;
}

/* The status is -1 when no answer came. */
static void
take_answer(int fd, struct files_answer *a)
{
	memset(a, 0, sizeof(*a));
	if (take(fd, a, sizeof(*a)) != sizeof(*a)) {
		memset(a, 0, sizeof(*a));
		a->status = -1;
	}
}

static void
give(int fd, const char *hex, uint64_t n)
{
	uint64_t at = 0;
	struct id id;
	size_t want, put;
	ssize_t k;

	take_file(hex, &id);
	while (at < n) {
		fill(self.buf, &id, at);
		want = n - at < PIECE ? (size_t)(n - at) : PIECE;
		for (put = 0; put < want; put += (size_t)k) {
			k = send(fd, self.buf + put, want - put, MSG_NOSIGNAL);
			if (k == -1 && errno == EINTR)
				k = 0;
			if (k == -1)
				return;
		}
		at += want;
	}
}

static void
end_put(int fd)
{
	struct files_answer a;
	char hex[65];

	shutdown(fd, SHUT_WR);
	take_answer(fd, &a);
	close(fd);
	crypto_hex(hex, a.sha256, sizeof(a.sha256));
	say("put %d %" PRIu64 " %s", a.status, a.size, hex);
}

static uint64_t
number(const char *s)
{
	return strcmp(s, "-") == 0 ? FILES_ALL : strtoull(s, NULL, 10);
}

static void
do_put(char **w)
{
	int fd = order(FILES_PUT, w[1], 0, number(w[3]));

	give(fd, w[1], number(w[2]));
	end_put(fd);
}

static void
do_cut(char **w)
{
	int fd = order(FILES_PUT, w[1], 0, FILES_ALL);

	give(fd, w[1], number(w[2]));
	close(fd);
	say("cut");
}

static void
do_hold(char **w)
{
	self.held = order(FILES_PUT, w[1], 0, FILES_ALL);
	give(self.held, w[1], number(w[2]));
	say("hold");
}

static void
do_end(char **w)
{
	(void)w;
	end_put(self.held);
	self.held = -1;
}

static void
do_get(char **w)
{
	uint64_t at = number(w[2]), bytes = 0, base;
	int fd = order(FILES_GET, w[1], at, number(w[3]));
	struct files_answer a;
	bool same = true;
	char hex[65];
	size_t n, k;
	struct id id;

	take_file(w[1], &id);
	take_answer(fd, &a);
	sha_begin();
	while ((n = take(fd, self.buf, PIECE - at % PIECE)) > 0) {
		base = at - at % PIECE;
		fill(self.want, &id, base);
		k = (size_t)(at - base);
		same = same && memcmp(self.buf, self.want + k, n) == 0;
		if (EVP_DigestUpdate(self.sha, self.buf, n) != 1)
			fatalx("SHA-256");
		at += n;
		bytes += n;
	}
	close(fd);
	sha_end(hex);
	say("get %d %" PRIu64 " %" PRIu64 " %s %s", a.status, a.size, bytes,
	    hex, same ? "same" : "differs");
}

static void
do_stall(char **w)
{
	struct files_answer a;

	self.held = order(FILES_GET, w[1], 0, FILES_ALL);
	take_answer(self.held, &a);
	say("stall %d", a.status);
}

static void
do_order(char **w)
{
	struct files_order o = { .version = (uint32_t)number(w[1]),
		.what = (uint32_t)number(w[2]) };
	int fd = send_order(&o);
	struct files_answer a;

	take_answer(fd, &a);
	close(fd);
	say("order %d", a.status);
}

static void
do_link(char **w)
{
	static const char name[] = "attachment; filename=\"a b\"";
	int fd = order(FILES_LINK, w[1], 0, number(w[2]));
	struct files_answer a;
	size_t n;

	if (write(fd, name, sizeof(name) - 1) == -1)
		fatal("write");
	shutdown(fd, SHUT_WR);
	take_answer(fd, &a);
	n = take(fd, self.buf, PIECE);
	close(fd);
	say("link %d %.*s", a.status, (int)n, self.buf);
}

static void
do_del(char **w)
{
	int fd = order(FILES_DELETE, w[1], 0, 0);
	struct files_answer a;

	take_answer(fd, &a);
	close(fd);
	say("del %d", a.status);
}

static void
do_list(char **w)
{
	static const char none[] = "00000000000000000000000000000000";
	int fd = order(FILES_LIST, none, 0, 0);
	struct files_answer a;
	struct files_entry e;
	uint64_t size = 0;
	unsigned count = 0;
	bool whole = false;

	(void)w;
	take_answer(fd, &a);
	while (take(fd, &e, sizeof(e)) == sizeof(e)) {
		whole = id_is_null(&e.file);
		count += !whole;
		size += e.size;
	}
	close(fd);
	say("list %d %u %" PRIu64 " %s", a.status, count, size,
	    whole ? "whole" : "broken");
}

static void
send_to(
    enum ipc_type type, const void *payload, const void *tail, size_t n, int fd)
{
	if (ipc_frame_send(self.master, IPC_MASTER, IPC_FILES, type, payload,
		tail, n, &fd, fd != -1 ? 1 : 0) == -1)
		fatal("%s", ipc_name(type));
}

static bool
wait_ready(void)
{
	struct pollfd pfd = { .fd = self.master, .events = POLLIN };
	char *buf = xmalloc(IPC_BUF_SIZE);
	bool ready = false;
	const char *why;
	struct ipc_msg m;

	if (poll(&pfd, 1, WAIT_MS) == 1 &&
	    ipc_frame_recv(self.master, IPC_FILES, IPC_MASTER, buf, &m, &why) ==
		IPC_GOT_MSG)
		ready = m.type == IPC_READY;
	free(buf);
	return ready;
}

static void
do_start(char **w)
{
	struct ipc_config config = { .version = IPC_VERSION,
		.role = IPC_FILES,
		.number = 1,
		.procs = 8,
		.proc = 2 };
	struct ipc_channel to = { IPC_WORKER, 1 };
	FILE *f = fopen(w[1], "r");
	char text[8192];
	size_t n;
	int pair[2];

	if (f == NULL)
		fatal("%s", w[1]);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	close(self.master);
	close(self.channel);
	self.pid = ipc_proc_start(self.exe, IPC_FILES, &self.master);
	if (self.pid == -1 || ipc_pair(pair) == -1)
		fatal("%s", self.exe);
	self.channel = pair[0];
	send_to(IPC_CONFIG, &config, text, n, -1);
	send_to(IPC_START, NULL, NULL, 0, -1);
	send_to(IPC_FILES_CHANNEL, &to, NULL, 0, pair[1]);
	close(pair[1]);
	say("pid %d", wait_ready() ? (int)self.pid : -1);
}

/* As the master ends it: by closing its socket. */
static void
do_stop(char **w)
{
	int status = -1;

	(void)w;
	close(self.master);
	close(self.channel);
	self.master = self.channel = -1;
	waitpid(self.pid, &status, 0);
	self.pid = 0;
	say("stop %d", status);
}

static const struct {
	const char *name;
	int words;
	void (*fn)(char **w);
} commands[] = {
	{ "start", 2, do_start },
	{ "put", 4, do_put },
	{ "cut", 3, do_cut },
	{ "hold", 3, do_hold },
	{ "end", 1, do_end },
	{ "get", 4, do_get },
	{ "stall", 2, do_stall },
	{ "order", 3, do_order },
	{ "link", 3, do_link },
	{ "del", 2, do_del },
	{ "list", 1, do_list },
	{ "stop", 1, do_stop },
};

static void
run(char *line)
{
	char *w[5] = { NULL }, *more;
	int n = 0;
	size_t i;

	for (w[n] = strtok_r(line, " \n", &more); w[n] != NULL && n < 4;)
		w[++n] = strtok_r(NULL, " \n", &more);
	for (i = 0; i < NELEM(commands) && n > 0; i++) {
		if (strcmp(commands[i].name, w[0]) == 0 &&
		    commands[i].words == n) {
			commands[i].fn(w);
			return;
		}
	}
	fatalx("no command: %s", n > 0 ? w[0] : "");
}

int
main(int argc, char **argv)
{
	char line[4096];

	if (argc != 2)
		fatalx("usage: filer LINNETD");
	self.exe = argv[1];
	crypto_start();
	clock_update();
	signal(SIGPIPE, SIG_IGN);
	while (fgets(line, sizeof(line), stdin) != NULL)
		run(line);
	if (self.pid > 0)
		kill(self.pid, SIGKILL);
	return 0;
}
