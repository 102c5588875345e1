/* SPDX-License-Identifier: ISC */
/*
 * file share, get, list, status, delete.
 *
 * A download is there under its name when all of it is there and right; until
 * then it is a hidden file beside, from which the next try goes on.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define FILE_TRIES 5
#define FILE_BAR 24

static const struct cli_column file_columns[] = {
	{ "ID", "id", CELL_TEXT },
	{ "SIZE", "size", CELL_NUMBER },
	{ "BY", "uploadedBy", CELL_TEXT },
	{ "WHEN", "uploadedAt", CELL_TEXT },
	{ "TAGS", "tags", CELL_TEXTS },
	{ "NAME", "name", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static const struct cli_column access_columns[] = {
	{ "WHO", "peerName", CELL_TEXT },
	{ "READ", "accessedAt", CELL_TEXT },
	{ "FIRST", "firstAt", CELL_TEXT },
	{ "TIMES", "times", CELL_NUMBER },
	{ NULL, NULL, CELL_TEXT },
};

/* A bar on the terminal, over itself. */
struct file_bar {
	const char *name;
	bool shown;
	int64_t since_ms;
	int64_t from; /* bytes that were there before */
	bool began;
};

static void
file_number(char out[16], int64_t n)
{
	static const char units[] = " KMGTP";
	double v = (double)n;
	size_t u = 0;

	while (v >= 1000 && units[u + 1] != '\0') {
		v /= 1024;
		u++;
	}
	snprintf(out, 16, u > 0 ? "%.1f %ciB" : "%.0f B", v, units[u]);
}

static void
file_progress(void *arg, int64_t done, int64_t size)
{
	struct file_bar *b = arg;
	char bar[FILE_BAR + 1], have[16], rate[16];
	int64_t ms, part = size > 0 ? done * FILE_BAR / size : FILE_BAR;

	clock_update();
	if (!b->began) {
		b->began = true;
		b->since_ms = clock_mono();
		b->from = done;
	}
	ms = clock_mono() - b->since_ms;
	memset(bar, '.', FILE_BAR);
	memset(bar, '#', (size_t)part);
	bar[FILE_BAR] = '\0';
	file_number(have, done);
	file_number(rate, ms > 0 ? (done - b->from) * 1000 / ms : 0);
	fprintf(stderr, "\r%.40s  [%s] %3d%%  %s  %s/s\033[K", b->name, bar,
	    (int)(size > 0 ? done * 100 / size : 100), have, rate);
	b->shown = true;
}

static void
file_bar_begin(
    struct cli *c, struct file_bar *b, struct linnet_transfer *t, const char *s)
{
	*b = (struct file_bar){ .name = cli_print_safe(c, s) };
	if (c->quiet || !isatty(STDERR_FILENO))
		return;
	t->progress = file_progress;
	t->arg = b;
}

static void
file_bar_end(const struct file_bar *b)
{
	if (b->shown)
		fputc('\n', stderr);
}

/*
 * Sharing.
 */
struct file_sharing {
	struct linnet_file file;
	const char *path;
	int fd;
	char sha256[LINNET_SHA256_SIZE];
	const char *id; /* of the pool */
};

static int
share_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct file_sharing *s = arg;

	(void)c;
	return linnet_share_file(l, &s->file, linnet_keep, r);
}

static int
share_open(struct file_sharing *s)
{
	struct stat st;

	s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->fd == -1 || fstat(s->fd, &st) == -1) {
		cli_print_error("%s: %s", s->path, strerror(errno));
		return EX_NOINPUT;
	}
	if (!S_ISREG(st.st_mode)) {
		cli_print_error("%s is not a file", s->path);
		return EX_NOINPUT;
	}
	s->file.size = st.st_size;
	if (s->file.name == NULL)
		s->file.name = cli_file_base(s->path);
	if (s->file.name != NULL &&
	    str_utf8(s->file.name, strlen(s->file.name)))
		return 0;
	cli_print_error(
	    "%s: its name is not UTF-8; give one with --name", s->path);
	return EX_DATAERR;
}

/* One try: a new row, and its bytes. */
static int
share_once(struct cli *c, struct linnet *l, struct file_sharing *s, bool *again)
{
	static const struct cli_question q = { .ask = share_ask };
	struct linnet_transfer t = { .fd = s->fd, .size = s->file.size };
	struct linnet_result r = { .done = false };
	struct linnet_error e;
	struct file_bar bar;
	struct json j;
	int status;

	*again = false;
	if (lseek(s->fd, 0, SEEK_SET) == -1) {
		cli_print_error("%s: %s", s->path, strerror(errno));
		return EX_NOINPUT;
	}
	status = cli_ask_over(c, l, &q, s, &r, &j);
	if (status == 0) {
		s->id = cli_json_str(c, &j, 0, "fileId");
		t.url = cli_json_str(c, &j, 0, "url");
		file_bar_begin(c, &bar, &t, s->file.name);
		if (linnet_upload(l, &t, s->sha256, &e) != 0) {
			*again = strcmp(e.code, "unavailable") == 0 ||
				 strcmp(e.code, "timeout") == 0;
			status = EX_UNAVAILABLE;
		}
		file_bar_end(&bar);
		if (status != 0)
			status = cli_print_failure(&e);
	}
	json_free(&j);
	linnet_result_free(&r);
	return status;
}

static int
share_all(struct cli *c, struct linnet *l, struct file_sharing *s)
{
	bool again = true;
	int status = 0, i;

	if ((status = share_open(s)) == 0)
		for (i = 0; again && i < FILE_TRIES; i++)
			status = share_once(c, l, s, &again);
	if (s->fd != -1)
		close(s->fd);
	return status;
}

static void
share_print(struct cli *c, const struct file_sharing *s)
{
	struct json_writer w;
	struct buf b;

	if (!c->json) {
		fprintf(c->out, "%s\n", s->id);
		return;
	}
	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "fileId");
	json_str(&w, s->id);
	json_key(&w, "name");
	json_str(&w, s->file.name);
	json_key(&w, "size");
	json_num(&w, s->file.size);
	json_key(&w, "sha256");
	json_str(&w, s->sha256);
	json_object_end(&w);
	cli_print_json(c, b.data, b.len);
	buf_free(&b);
}

int
cli_file_share(struct cli *c)
{
	struct file_sharing f = { .path = c->argv[0], .fd = -1 };
	struct cli_session s;
	int status;

	f.file.name = cli_given(c, "name");
	f.file.tags = cli_given_all(c, "tag");
	f.file.mime_type = cli_given(c, "type");
	if ((status = cli_session_open(c, &s)) == 0 &&
	    (status = share_all(c, s.linnet, &f)) == 0)
		share_print(c, &f);
	cli_session_close(&s);
	return status;
}

int
cli_file_attach(struct cli *c, struct linnet *l, const char *const *paths,
    const char *const **ids)
{
	struct file_sharing f;
	const char **v;
	size_t i, n = 0;
	int status = 0;

	while (paths[n] != NULL)
		n++;
	v = pool_zalloc(&c->pool, (n + 1) * sizeof(*v));
	for (i = 0; status == 0 && i < n; i++) {
		f = (struct file_sharing){ .path = paths[i], .fd = -1 };
		f.file.attachment = true;
		status = share_all(c, l, &f);
		v[i] = f.id;
	}
	*ids = v;
	return status;
}

/*
 * Getting.
 */
struct file_getting {
	const char *id;
	struct linnet_transfer t;
	char *name; /* where it goes */
	char *part; /* and is until it is whole */
	bool force;
};

static int
get_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	const struct file_getting *g = arg;

	(void)c;
	return linnet_get_file(l, g->id, linnet_keep, r);
}

static int
get_place(struct cli *c, struct file_getting *g, const char *name)
{
	const char *to = c->argc > 1 ? c->argv[1] : ".", *slash;
	struct stat st;
	int dir;

	if (stat(to, &st) == 0 && S_ISDIR(st.st_mode))
		g->name = pool_printf(
		    &c->pool, "%s/%s", to, cli_file_safe_name(&c->pool, name));
	else
		g->name = pool_strndup(&c->pool, to, strlen(to));
	if (!g->force && lstat(g->name, &st) == 0) {
		cli_print_error("%s is there already; --force replaces it",
		    cli_print_safe(c, g->name));
		return EX_CANTCREAT;
	}
	slash = strrchr(g->name, '/');
	dir = slash != NULL ? (int)(slash + 1 - g->name) : 0;
	g->part = pool_printf(&c->pool, "%.*s.%s.part", dir, g->name, g->id);
	g->t.fd =
	    open(g->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (g->t.fd != -1)
		return 0;
	cli_print_error("%s: %s", cli_print_safe(c, g->part), strerror(errno));
	return EX_CANTCREAT;
}

/* It is whole: from now on it has its name. */
static int
get_finish(struct cli *c, const struct file_getting *g)
{
	if (fsync(g->t.fd) == -1 ||
	    !cli_file_finish(g->t.fd, g->part, g->name, g->force)) {
		cli_print_error(
		    "%s: %s", cli_print_safe(c, g->name), strerror(errno));
		return EX_CANTCREAT;
	}
	if (c->json)
		return 0;
	fprintf(c->out, "%s\n", cli_print_safe(c, g->name));
	return 0;
}

static int
get_once(struct cli *c, struct linnet *l, struct file_getting *g, bool *again)
{
	static const struct cli_question q = { .ask = get_ask };
	struct linnet_result r = { .done = false };
	struct linnet_error e;
	struct file_bar bar;
	struct json j;
	int status;

	*again = false;
	status = cli_ask_over(c, l, &q, g, &r, &j);
	if (status == 0 && g->part == NULL)
		status = get_place(c, g, cli_json_str(c, &j, 0, "name"));
	if (status == 0) {
		g->t.url = cli_json_str(c, &j, 0, "url");
		g->t.size = cli_json_int(&j, 0, "size");
		g->t.sha256 = cli_json_str(c, &j, 0, "sha256");
		file_bar_begin(c, &bar, &g->t, g->name);
		if (linnet_download(l, &g->t, &e) != 0) {
			*again = strcmp(e.code, "unavailable") == 0 ||
				 strcmp(e.code, "timeout") == 0;
			status = EX_UNAVAILABLE;
		}
		file_bar_end(&bar);
		if (status != 0)
			status = cli_print_failure(&e);
		else if ((status = get_finish(c, g)) == 0 && c->json)
			cli_print_json(c, r.text, r.n);
	}
	json_free(&j);
	linnet_result_free(&r);
	return status;
}

int
cli_file_get(struct cli *c)
{
	struct file_getting g = { .id = c->argv[0], .t = { .fd = -1 } };
	struct cli_session s;
	bool again = true;
	struct id id;
	int status, i;

	g.force = cli_given(c, "force") != NULL;
	/* It becomes a part of a name. */
	if (id_parse(&id, g.id, strlen(g.id)) != 0) {
		cli_print_error("%s is no id of a file; linnet file list has "
				"them",
		    cli_print_safe(c, g.id));
		return EX_USAGE;
	}
	if ((status = cli_session_open(c, &s)) == 0)
		for (i = 0; again && i < FILE_TRIES; i++)
			status = get_once(c, s.linnet, &g, &again);
	if (g.t.fd != -1)
		close(g.t.fd);
	cli_session_close(&s);
	return status;
}

/*
 * The rest.
 */
static int
list_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	return linnet_list_files(l, arg, linnet_keep, r);
}

int
cli_file_list(struct cli *c)
{
	static const struct cli_question q = {
		.ask = list_ask,
		.list = "files",
		.columns = file_columns,
		.none = "there is no file that fits",
	};
	struct linnet_file_query query = {
		.query = c->argc > 0 ? c->argv[0] : NULL,
		.from = cli_given(c, "from"),
		.tags = cli_given_all(c, "tag"),
		.after = cli_given(c, "after"),
		.limit = cli_given_num(c, "limit", 0),
	};

	if (query.limit < 0)
		return EX_USAGE;
	return cli_ask(c, &q, &query);
}

static int
status_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_file_status(l, c->argv[0], linnet_keep, r);
}

static int
status_print(struct cli *c, const struct json *j)
{
	const char *unread;

	if (c->json)
		return 0;
	if (!cli_table_list(
		c, j, cli_json_list(j, 0, "accesses"), access_columns))
		cli_print_note(c, "nobody has read it");
	unread = cli_json_texts(c, j, 0, "unread");
	if (unread[0] != '\0')
		cli_print_note(c, "not read by: %s", cli_print_safe(c, unread));
	return 0;
}

int
cli_file_status(struct cli *c)
{
	static const struct cli_question q = {
		.ask = status_ask,
		.print = status_print,
	};

	return cli_ask(c, &q, NULL);
}

static int
delete_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)arg;
	return linnet_delete_file(l, c->argv[0], linnet_keep, r);
}

/* The broker is content when there is no such file; a person is not. */
static int
delete_print(struct cli *c, const struct json *j)
{
	if (cli_json_bool(j, 0, "deleted"))
		return 0;
	cli_print_error("there is no file %s", cli_print_safe(c, c->argv[0]));
	return EX_NOINPUT;
}

int
cli_file_delete(struct cli *c)
{
	static const struct cli_question q = {
		.ask = delete_ask,
		.print = delete_print,
	};

	return cli_ask(c, &q, NULL);
}
