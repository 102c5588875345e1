/* SPDX-License-Identifier: ISC */
/*
 * Files of an agent's tools.
 *
 * Each is asked for at the broker, whose answer has a link; then a process
 * moves the bytes (cli_mcp_child.c), a few at a time.  What breaks is tried
 * again: a download goes on where it was, an upload begins anew as another
 * file.  What does not come to its end leaves nothing, here or there.
 *
 *	asked the broker -> waits for a process -> bytes move -> answered
 */
#include "config.h" /* memfd_create(2), mkostemp(3) */

#include "cli/cli_mcp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_TRIES 5
#define FILE_DIR "linnet-files"
#define FILE_SHOWN 150 /* bytes of a path */

struct mesh_file {
	bool share;
	bool asking; /* the broker */
	bool moving; /* or waits for a process */
	struct pool pool;
	struct mcp_share s;
	struct mcp_fetch f;
	const char *problem; /* why it cannot be done */
	int fd;		     /* its bytes here */
	unsigned tries;
	/* What the broker said. */
	const char *id;
	const char *name;
	const char *mime;
	const char *url;
	const char *sha256;
	int64_t size;
	/* Of one that is got: where it shall be. */
	bool kept;	  /* in memory, to look at it */
	const char *dir;  /* a directory, under a name that is free there */
	const char *path; /* or exactly here */
	char *part;	  /* where it is until it is whole */
	struct mesh_child child;
};

static const char *
file_copy(struct mesh_file *f, const char *s)
{
	return s != NULL ? pool_strndup(&f->pool, s, strlen(s)) : NULL;
}

static struct mesh_file *
file_new(void)
{
	struct mesh_file *f = xcalloc(1, sizeof(*f));

	pool_init(&f->pool);
	f->fd = f->child.fd = -1;
	return f;
}

static bool
file_write(int fd, const char *p, size_t n)
{
	ssize_t r;

	for (; n > 0; p += r, n -= (size_t)r)
		if ((r = write(fd, p, n)) <= 0)
			return false;
	return true;
}

/* A path in a sentence, which has to fit an error. */
static const char *
file_shown(struct mesh_file *f, const char *path)
{
	uint32_t cp;
	size_t i = 0, n = strlen(path), len;

	while (i < FILE_SHOWN && (len = str_char(path + i, n - i, &cp)) > 0)
		i += len;
	return pool_printf(
	    &f->pool, "%.*s%s", (int)i, path, i < n ? "..." : "");
}

/* A file without a name, for what is small. */
static int
file_memory(struct mesh_file *f, const char *p, size_t n)
{
	f->fd = memfd_create("linnet", MFD_CLOEXEC);
	if (f->fd != -1 && file_write(f->fd, p, n))
		return 0;
	f->problem = "There is no memory for the file; try again later.";
	return -1;
}

/* Bytes of a path of the agent: only what is a file, and never waiting. */
static void
share_open(struct mesh_file *f)
{
	const char *path = f->s.path;
	struct stat st;
	char cwd[4096];

	f->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (f->fd == -1 || fstat(f->fd, &st) == -1) {
		f->problem = pool_printf(&f->pool,
		    "%s cannot be read: %s. Paths are absolute, or below "
		    "%s.",
		    file_shown(f, path), strerror(errno),
		    getcwd(cwd, sizeof(cwd)) != NULL ? file_shown(f, cwd)
						     : ".");
		return;
	}
	if (S_ISDIR(st.st_mode))
		f->problem = pool_printf(&f->pool,
		    "%s is a directory: name one file, or pack it with "
		    "tar and share that.",
		    file_shown(f, path));
	else if (!S_ISREG(st.st_mode))
		f->problem = pool_printf(&f->pool,
		    "%s is a device, a pipe or a socket: only files can "
		    "be shared; write what it gives to one.",
		    file_shown(f, path));
	f->s.size = st.st_size;
	if (f->s.name == NULL)
		f->s.name = cli_file_base(path);
	if (f->s.name == NULL && f->problem == NULL)
		f->problem = "name is missing: the path has none.";
}

struct mesh_file *
cli_mcp_file_share(const struct mcp_share *s)
{
	struct mesh_file *f = file_new();

	f->share = true;
	f->s = *s;
	f->s.path = file_copy(f, s->path);
	f->s.name = file_copy(f, s->name);
	f->s.mime = file_copy(f, s->mime);
	f->s.tags = file_copy(f, s->tags);
	f->s.size = (int64_t)s->n;
	if (s->path != NULL)
		share_open(f);
	else
		(void)file_memory(f, s->bytes, s->n);
	return f;
}

struct mesh_file *
cli_mcp_file_fetch(const struct mcp_fetch *fetch)
{
	struct mesh_file *f = file_new();
	struct stat st;

	f->f = *fetch;
	f->id = f->f.id = file_copy(f, fetch->id);
	f->f.path = file_copy(f, fetch->path);
	if (f->f.path == NULL)
		f->dir = FILE_DIR;
	else if (stat(f->f.path, &st) == 0 && S_ISDIR(st.st_mode))
		f->dir = f->f.path;
	else if (lstat(f->f.path, &st) == 0)
		f->problem = pool_printf(&f->pool,
		    "%s is there already, and nothing is replaced: give "
		    "another path.",
		    file_shown(f, f->f.path));
	else
		f->path = f->f.path;
	return f;
}

void
cli_mcp_file_free(struct mesh_file *f)
{
	if (f == NULL)
		return;
	cli_mcp_child_end(&f->child);
	if (f->part != NULL)
		(void)unlink(f->part);
	if (f->fd != -1)
		close(f->fd);
	pool_free(&f->pool);
	free(f);
}

/*
 * How it ends.
 */
/* The broker has a file whose bytes never came. */
static void
share_undo(struct mesh_ask *a)
{
	struct mesh_file *f = a->file;

	if (f->share && f->id != NULL)
		(void)linnet_delete_file(a->h->s.linnet, f->id, NULL, NULL);
	f->id = f->share ? NULL : f->id;
}

bool
cli_mcp_file_leave(struct mesh_ask *a)
{
	struct mesh_file *f = a->file;

	if (f == NULL || f->asking)
		return false;
	cli_mcp_child_end(&f->child);
	share_undo(a);
	return true;
}

static void
file_fail(struct mesh_ask *a, const char *code, const char *text)
{
	struct linnet_error e;

	(void)str_copy(e.code, code, sizeof(e.code));
	(void)str_copy(e.message, text, sizeof(e.message));
	cli_mcp_fail(a, &e);
}

static void
file_text(struct json_writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_str(w, value);
}

static void
file_answer_begin(
    const struct mesh_file *f, struct json_writer *w, struct buf *b)
{
	buf_init(b, SIZE_MAX / 2);
	json_start(w, b);
	json_object(w);
	file_text(w, "fileId", f->id);
	file_text(w, "name", f->name);
	json_key(w, "size");
	json_num(w, f->size);
	file_text(w, "sha256", f->sha256);
}

static void
file_answer_end(struct mesh_ask *a, struct json_writer *w, struct buf *b)
{
	json_object_end(w);
	/* It is the agent's, or the mesh's, now. */
	cli_mcp_answer(a, b);
	buf_free(b);
}

static void
share_answer(struct mesh_ask *a)
{
	struct json_writer w;
	struct buf b;

	file_answer_begin(a->file, &w, &b);
	json_key(&w, "uploaded");
	json_bool(&w, true);
	file_answer_end(a, &w, &b);
}

/*
 * Where a file goes that was got.
 */
/* The path of its directory, up to and with the slash. */
static const char *
place_dir(struct mesh_file *f)
{
	const char *slash;

	if (f->dir != NULL)
		return pool_printf(&f->pool, "%s/", f->dir);
	slash = strrchr(f->path, '/');
	return slash != NULL ? pool_strndup(&f->pool, f->path,
				   (size_t)(slash + 1 - f->path))
			     : "";
}

static int
place_open(struct mesh_file *f)
{
	const char *dir = place_dir(f);

	if (f->f.path == NULL && mkdir(FILE_DIR, 0777) == -1 &&
	    errno != EEXIST) {
		f->problem = pool_printf(&f->pool,
		    "The directory " FILE_DIR " cannot be made (%s): give a "
		    "path.",
		    strerror(errno));
		return -1;
	}
	f->part = pool_printf(&f->pool, "%s.%s.XXXXXX", dir, f->id);
	f->fd = mkostemp(f->part, O_CLOEXEC);
	if (f->fd != -1)
		return 0;
	f->part = NULL;
	f->problem = pool_printf(&f->pool,
	    "Nothing can be written to the directory %s (%s): give "
	    "another path.",
	    dir[0] != '\0' ? file_shown(f, dir) : ".", strerror(errno));
	return -1;
}

/* It is whole: from now on it has its name. */
static int
place_finish(struct mesh_file *f)
{
	if (f->dir != NULL)
		f->path =
		    cli_file_settle(&f->pool, f->fd, f->part, f->dir, f->name);
	if (f->path == NULL ||
	    (f->dir == NULL &&
		!cli_file_finish(f->fd, f->part, f->path, false))) {
		f->problem = pool_printf(&f->pool,
		    "%s cannot be written (%s): give another path.",
		    file_shown(f, f->path != NULL ? f->path : f->name),
		    strerror(errno));
		return -1;
	}
	f->part = NULL;
	return 0;
}

static const char *
place_whole(struct mesh_file *f)
{
	char cwd[4096];

	if (f->path[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
		return f->path;
	return pool_printf(&f->pool, "%s/%s", cwd, f->path);
}

/* What is kept, as text or bytes; or it is no text, and goes to a file. */
static void
fetch_give(struct mesh_file *f, struct json_writer *w)
{
	char *bytes = pool_alloc(&f->pool, (size_t)f->size + 1);

	if (pread(f->fd, bytes, (size_t)f->size, 0) != f->size) {
		f->problem = "The file cannot be read; try again.";
		return;
	}
	if (mcp_file_give(w, bytes, (size_t)f->size, f->f.look))
		return;
	close(f->fd);
	f->fd = -1;
	if (place_open(f) == 0 && !file_write(f->fd, bytes, (size_t)f->size))
		f->problem = pool_printf(&f->pool,
		    "The file cannot be written: %s.", strerror(errno));
}

static void
fetch_answer(struct mesh_ask *a)
{
	struct mesh_file *f = a->file;
	struct json_writer w;
	struct buf b;

	file_answer_begin(f, &w, &b);
	file_text(&w, "mimeType", f->mime);
	if (f->kept)
		fetch_give(f, &w);
	if (f->part != NULL && f->problem == NULL && place_finish(f) == 0)
		file_text(&w, "path", place_whole(f));
	if (f->problem == NULL) {
		file_answer_end(a, &w, &b);
		return;
	}
	file_fail(a, "bad_argument", f->problem);
	buf_free(&b);
}

/*
 * The bytes.
 */
static void file_ask(struct mesh_ask *a);

static size_t
file_children(const struct mcp_mesh *h)
{
	const struct mesh_ask *a;
	size_t n = 0;

	TAILQ_FOREACH (a, &h->asks, entry)
		n += a->file != NULL && a->file->child.pid > 0;
	return n;
}

static void
file_start(struct mesh_ask *a)
{
	struct mesh_file *f = a->file;
	const struct linnet_transfer t = {
		.url = f->url,
		.fd = f->fd,
		.size = f->size,
		.sha256 = f->share ? NULL : f->sha256,
	};

	f->tries++;
	if ((f->share && lseek(f->fd, 0, SEEK_SET) == -1) ||
	    cli_mcp_child_start(&f->child, a->h->s.linnet, &t, f->share) != 0) {
		share_undo(a);
		file_fail(a, "unavailable",
		    "This machine has no room for another process; try again "
		    "later.");
	}
}

static void
file_ended(struct mesh_ask *a, const struct mesh_word *w)
{
	struct mesh_file *f = a->file;

	if (!w->failed && f->share) {
		f->sha256 = file_copy(f, w->sha256);
		share_answer(a);
		return;
	}
	if (!w->failed) {
		fetch_answer(a);
		return;
	}
	share_undo(a);
	f->moving = false;
	if (f->tries < FILE_TRIES &&
	    (strcmp(w->error.code, "unavailable") == 0 ||
		strcmp(w->error.code, "timeout") == 0))
		file_ask(a);
	else
		cli_mcp_fail(a, &w->error);
}

/* One thing that can be done; false: there is none. */
static bool
file_step(struct mcp_mesh *h)
{
	bool room = file_children(h) < CLI_MCP_CHILDREN;
	struct mesh_word w;
	struct mesh_ask *a;

	TAILQ_FOREACH (a, &h->asks, entry) {
		struct mesh_file *f = a->file;

		if (f == NULL || !f->moving)
			continue;
		if (f->child.pid == 0 && room) {
			file_start(a);
			return true;
		}
		if (f->child.pid == 0 || !cli_mcp_child_read(&f->child, &w))
			continue;
		if (w.ended)
			file_ended(a, &w);
		else
			mcp_progress(a->ask, w.done, f->size);
		return true;
	}
	return false;
}

void
cli_mcp_file_turn(struct mcp_mesh *h)
{
	while (file_step(h))
		;
}

size_t
cli_mcp_file_poll(const struct mcp_mesh *h, struct pollfd p[CLI_MCP_CHILDREN])
{
	const struct mesh_ask *a;
	size_t n = 0;

	TAILQ_FOREACH (a, &h->asks, entry)
		if (a->file != NULL && a->file->child.pid > 0)
			p[n++] = (struct pollfd){ .fd = a->file->child.fd,
				.events = POLLIN };
	return n;
}

/*
 * Asking the broker.
 */
/* Reads an answer; false: the ask is over. */
static bool
file_answered(struct mesh_ask *a, const struct linnet_reply *reply)
{
	struct mesh_file *f = a->file;
	struct cli c = { .out = NULL };
	struct json j;

	f->asking = false;
	if (reply->error != NULL) {
		cli_mcp_fail(a, reply->error);
		return false;
	}
	pool_init(&c.pool);
	if (cli_json_read(&j, reply) != 0) {
		file_fail(a, "protocol", "The broker's answer is no JSON.");
		pool_free(&c.pool);
		return false;
	}
	f->id = file_copy(f, cli_json_str(&c, &j, 0, "fileId"));
	f->url = file_copy(f, cli_json_str(&c, &j, 0, "url"));
	if (f->share) {
		f->name = f->s.name;
		f->size = f->s.size;
	} else {
		f->name = file_copy(f, cli_json_str(&c, &j, 0, "name"));
		f->mime = file_copy(f, cli_json_str(&c, &j, 0, "mimeType"));
		f->sha256 = file_copy(f, cli_json_str(&c, &j, 0, "sha256"));
		f->size = cli_json_int(&j, 0, "size");
	}
	json_free(&j);
	pool_free(&c.pool);
	/* Nobody wants it any more. */
	if (a->ask == NULL) {
		share_undo(a);
		file_fail(a, "closed", "");
		return false;
	}
	return true;
}

static void
file_shared(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_ask *a = arg;

	(void)l;
	if (file_answered(a, reply))
		a->file->moving = true;
}

static void
file_found(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct mesh_ask *a = arg;
	struct mesh_file *f = a->file;

	(void)l;
	if (!file_answered(a, reply))
		return;
	if (f->f.look && f->size > (int64_t)f->f.most) {
		fetch_answer(a);
		return;
	}
	f->kept =
	    f->f.look || (f->f.path == NULL && f->size <= (int64_t)f->f.most);
	if (f->fd == -1 &&
	    (f->kept ? file_memory(f, "", 0) : place_open(f)) != 0)
		file_fail(a, "bad_argument", f->problem);
	else
		f->moving = true;
}

/* The tags of a share, ended by NULL. */
static const char *const *
share_tags(struct mesh_file *f)
{
	const char **tags;
	struct json j;
	size_t i, n = 0;
	char *s;

	if (f->s.tags == NULL)
		return NULL;
	json_init(&j, 1024, 4);
	if (json_read(&j, f->s.tags, strlen(f->s.tags)) != 0)
		fatalx("tags of a file: %s", j.error);
	tags = pool_zalloc(&f->pool, (j.nodes[0].end + 1) * sizeof(*tags));
	for (i = JSON_FIRST(0); i < j.nodes[0].end; i = j.nodes[i].end) {
		s = pool_alloc(&f->pool, j.nodes[i].n + 1);
		s[json_unescape(&j.nodes[i], s)] = '\0';
		tags[n++] = s;
	}
	json_free(&j);
	return tags;
}

static void
file_ask(struct mesh_ask *a)
{
	struct linnet *l = a->h->s.linnet;
	struct mesh_file *f = a->file;
	const struct linnet_file file = {
		.name = f->s.name,
		.size = f->s.size,
		.mime_type = f->s.mime,
		.tags = f->share ? share_tags(f) : NULL,
		.attachment = f->s.attached,
	};
	int r;

	f->asking = true;
	r = f->share ? linnet_share_file(l, &file, file_shared, a)
		     : linnet_get_file(l, f->id, file_found, a);
	if (r == 0)
		return;
	f->asking = false;
	cli_mcp_fail(a, linnet_last_error(l));
}

void
cli_mcp_file(struct mesh_ask *a)
{
	if (a->file->problem != NULL)
		file_fail(a, "bad_argument", a->file->problem);
	else
		file_ask(a);
}
