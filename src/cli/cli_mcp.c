/* SPDX-License-Identifier: ISC */
/*
 * linnet mcp: a mesh for the host of an agent, over standard input and output.
 *
 * A message of the protocol is a line.  Nothing else is written to standard
 * output.  It ends when its input ends, after what was asked is answered: a
 * server that outlived its host would take messages that nobody reads.
 *
 * Whether it is connected or not, it answers: a host asks for the list of
 * tools when it starts, and drops a server that lets it wait.
 */
#include "config.h"

#include "cli/cli_mcp.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define MCP_LINE_MAX ((size_t)4 << 20)
#define MCP_OUT_MAX ((size_t)1 << 20) /* then nothing more is read */
#define MCP_PENDING_MAX 100	      /* the same */
#define MCP_READ 65536
#define MCP_WRITE 4096 /* which a pipe that is ready takes at once */
#define MCP_GRACE_MS 3000
#define MCP_PARENT_MS 10000
#define MCP_MDOC_MAX (1u << 20)

struct stdio {
	struct mcp *mcp;
	struct mcp_mesh mesh;
	struct buf in;
	size_t seen;	  /* bytes of it that have no end of a line */
	bool skipping;	  /* the rest of a line that is too long */
	bool ended;	  /* of its input */
	bool broken;	  /* nobody reads its output */
	int64_t until_ms; /* when ended: not longer than that */
	struct buf out;
	size_t written;
	pid_t parent;
	uint8_t key[CRYPTO_KEY_LEN]; /* of what the host brings back */
};

static void
stdio_out(void *arg, const struct mcp_out *o)
{
	struct stdio *io = arg;

	if (io->broken)
		return;
	buf_add(&io->out, o->text, o->n);
	buf_addc(&io->out, '\n');
	if (io->out.failed)
		fatalx("out of memory");
}

static void
stdio_line(struct stdio *io, const char *line, size_t n)
{
	while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' '))
		n--;
	if (n > 0)
		(void)mcp_input(io->mcp, line, n, NULL);
}

/* Lines that are complete. */
static void
stdio_lines(struct stdio *io)
{
	char *begin = io->in.data, *end = io->in.data + io->in.len, *nl;

	while ((nl = memchr(begin + io->seen, '\n',
		    (size_t)(end - begin) - io->seen)) != NULL) {
		if (!io->skipping)
			stdio_line(io, begin, (size_t)(nl - begin));
		io->skipping = false;
		io->seen = 0;
		begin = nl + 1;
	}
	buf_drain(&io->in, (size_t)(begin - io->in.data));
	io->seen = io->in.len;
	if (io->in.len <= MCP_LINE_MAX && !io->skipping)
		return;
	if (!io->skipping)
		mcp_refuse(io->mcp, MCP_LINE_MAX, NULL);
	io->skipping = true;
	buf_clear(&io->in);
	io->seen = 0;
}

static void
stdio_end(struct stdio *io)
{
	if (io->ended)
		return;
	io->ended = true;
	clock_update();
	io->until_ms = clock_mono() + MCP_GRACE_MS;
	mcp_stop(io->mcp);
}

static void
stdio_read(struct stdio *io)
{
	char *room = buf_reserve(&io->in, MCP_READ);
	ssize_t n;

	if (room == NULL)
		fatalx("out of memory");
	n = read(STDIN_FILENO, room, MCP_READ);
	if (n > 0) {
		io->in.len += (size_t)n;
		stdio_lines(io);
		return;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* A last line may have no end. */
	if (!io->skipping && io->in.len > 0)
		stdio_line(io, io->in.data, io->in.len);
	buf_clear(&io->in);
	stdio_end(io);
}

static void
stdio_write(struct stdio *io)
{
	struct pollfd p = { STDOUT_FILENO, POLLOUT, 0 };
	ssize_t n;
	size_t left;

	while (io->written < io->out.len && poll(&p, 1, 0) > 0) {
		left = io->out.len - io->written;
		n = write(STDOUT_FILENO, io->out.data + io->written,
		    left < MCP_WRITE ? left : MCP_WRITE);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n < 0) {
			io->broken = true;
			stdio_end(io);
			return;
		}
		io->written += (size_t)n;
	}
	if (io->written < io->out.len)
		return;
	buf_clear(&io->out);
	io->written = 0;
	mcp_written(io->mcp);
}

/* The time until something has to be done though nothing came. */
static int
stdio_timeout(struct stdio *io)
{
	int64_t due = mcp_due(io->mcp), left = MCP_PARENT_MS;
	int timeout = cli_mcp_mesh_timeout(&io->mesh);

	clock_update();
	if (timeout >= 0 && timeout < left)
		left = timeout;
	if (due - clock_mono() < left)
		left = due - clock_mono();
	if (io->ended && io->until_ms - clock_mono() < left)
		left = io->until_ms - clock_mono();
	return left > 0 ? (int)left : 0;
}

static bool
stdio_takes(const struct stdio *io)
{
	return !io->ended && io->out.len - io->written < MCP_OUT_MAX &&
	       mcp_pending(io->mcp) < MCP_PENDING_MAX;
}

static bool
stdio_goes_on(struct stdio *io)
{
	if (cli_follow_stopped() || getppid() != io->parent)
		return false;
	if (!io->ended)
		return true;
	clock_update();
	return !io->broken && clock_mono() < io->until_ms &&
	       (mcp_pending(io->mcp) > 0 || io->written < io->out.len);
}

static void
stdio_turn(struct stdio *io)
{
	const struct linnet *l = io->mesh.s.linnet;
	struct pollfd p[3 + CLI_MCP_CHILDREN] = {
		{ stdio_takes(io) ? STDIN_FILENO : -1, POLLIN, 0 },
		{ io->out.len > 0 && !io->broken ? STDOUT_FILENO : -1, POLLOUT,
		    0 },
		{ l != NULL ? linnet_fd(l) : -1,
		    l != NULL ? linnet_events(l) : 0, 0 },
	};

	if (poll(p, 3 + cli_mcp_file_poll(&io->mesh, p + 3),
		stdio_timeout(io)) < 0 &&
	    errno != EINTR)
		fatal("poll");
	if (p[0].fd != -1 && p[0].revents != 0)
		stdio_read(io);
	/* The host does not wait for the network. */
	stdio_write(io);
	cli_mcp_mesh_turn(&io->mesh);
	clock_update();
	mcp_tick(io->mcp);
	stdio_write(io);
}

/* The index of a word, which the table of options has checked. */
static unsigned
mcp_choice(struct cli *c, const char *option, const char *const *names)
{
	const char *word = cli_given(c, option);
	unsigned i = 0;

	while (word != NULL && names[i] != NULL && strcmp(names[i], word) != 0)
		i++;
	return names[i] != NULL ? i : 0;
}

static int
mcp_print(struct cli *c, void (*table)(struct buf *))
{
	struct buf b;

	buf_init(&b, MCP_MDOC_MAX);
	table(&b);
	fwrite(b.data, 1, b.len, c->out);
	buf_free(&b);
	return 0;
}

/* Who the agent is, as far as that is known before it is connected. */
static void
mcp_identity(struct stdio *io, struct mcp_config *config)
{
	const char *name = getenv(MCP_ENV_NAME);

	if (io->mesh.s.linnet == NULL)
		return;
	config->mesh = io->mesh.s.mesh->slug;
	if (name != NULL && name[0] != '\0')
		config->name = name;
	else if (io->mesh.s.config.display_name[0] != '\0')
		config->name = io->mesh.s.config.display_name;
}

int
cli_mcp(struct cli *c)
{
	struct mcp_config config = {
		.backend = &cli_mcp_backend,
		.tools = mcp_choice(c, "tools", mcp_tools_names),
		.push = mcp_choice(c, "push", mcp_push_names),
		.version = PACKAGE_VERSION,
	};
	struct stdio *io;

	if (cli_given(c, "mdoc") != NULL)
		return mcp_print(c, mcp_tools_mdoc);
	if (cli_given(c, "mdoc-prompts") != NULL)
		return mcp_print(c, mcp_prompts_mdoc);
	crypto_start();
	io = xcalloc(1, sizeof(*io));
	crypto_random_bytes(io->key, sizeof(io->key));
	config.key = io->key;
	config.principal = "";
	config.is_duplex = true;
	io->parent = getppid();
	buf_init(&io->in, SIZE_MAX / 2);
	buf_init(&io->out, SIZE_MAX / 2);
	cli_follow_catch();
	(void)signal(SIGPIPE, SIG_IGN);
	if (isatty(STDIN_FILENO))
		cli_print_note(c, "this speaks MCP, with a program; see "
				  "linnet-mcp(7)");
	cli_mcp_mesh_init(&io->mesh, c);
	cli_mcp_mesh_start(&io->mesh);
	mcp_identity(io, &config);
	config.backend_arg = &io->mesh;
	config.out = stdio_out;
	config.out_arg = io;
	io->mesh.mcp = io->mcp = mcp_new(&config);
	while (stdio_goes_on(io))
		stdio_turn(io);
	mcp_free(io->mcp);
	cli_mcp_mesh_end(&io->mesh);
	buf_free(&io->in);
	buf_free(&io->out);
	free(io);
	return 0;
}
