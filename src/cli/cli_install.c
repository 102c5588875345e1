/* SPDX-License-Identifier: ISC */
/*
 * install and uninstall: linnet in the files of the hosts of agents.
 *
 * What a file has to become is worked out first, for all files of a host, and
 * shown; nothing is written before that succeeded.  What was there before the
 * first install is kept beside the configuration.  When the file is still what
 * install made of it, uninstall puts that back; when somebody changed it, only
 * what is linnet's is taken out of it.
 */
#include "cli/cli_edit.h"
#include "cli/cli_host.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define INSTALL_DIR "backup"
#define INSTALL_ABSENT ".absent"
#define INSTALL_FILES 4 /* of a host, at most */
#define INSTALL_OWN "// Written by linnet install;"

/* A file, as it is and as it is to be. */
struct change {
	const struct host_file *file;
	struct cli_foreign now;
	struct buf next;
	bool remove;
	const char *keep;   /* where what was there before is kept */
	const char *absent; /* that it was not there */
};

static int
install_bad(const struct change *ch, const char *why)
{
	cli_print_error("%s: %s", ch->now.name, why);
	return EX_DATAERR;
}

static bool
change_is_one(const struct change *ch)
{
	if (ch->remove)
		return ch->now.there;
	return !ch->now.there || ch->next.len != ch->now.text.len ||
	       memcmp(ch->next.data, ch->now.text.data, ch->next.len) != 0;
}

/*
 * Installing into a text.
 */
/* The node of the command of an entry, or of the program in it; 0: none. */
static size_t
install_command(const struct json *j, size_t value)
{
	size_t at = json_get(j, value, "command");

	if (at != 0 && j->nodes[at].type == JSON_ARRAY)
		at = JSON_FIRST(at) < j->nodes[at].end ? JSON_FIRST(at) : 0;
	return at != 0 && j->nodes[at].type == JSON_STRING ? at : 0;
}

static bool
install_is_ours(struct cli *c, const struct json *j, size_t node, bool hook)
{
	const struct json_node *n = &j->nodes[node];
	char *text = pool_alloc(&c->pool, (size_t)n->n + 1);

	text[json_unescape(n, text)] = '\0';
	return cli_host_is_ours(text, hook);
}

/* The first command of ours in what says what is run; 0: none. */
static size_t
install_hook(struct cli *c, const struct json *j, size_t list)
{
	size_t i;

	for (i = JSON_FIRST(list); i < j->nodes[list].end; i++)
		if (j->nodes[i].type == JSON_STRING &&
		    json_is(&j->nodes[i], "command") &&
		    j->nodes[i + 1].type == JSON_STRING &&
		    install_is_ours(c, j, i + 1, true))
			return i + 1;
	return 0;
}

/* Has the same command as the value that we would write, or gets it. */
static int
install_renew(struct cli *c, struct cli_edit *e, size_t node, const char *value,
    bool hook)
{
	struct slice is = cli_json_raw(&e->j, node), wanted;
	struct json j;
	size_t at;
	int r = 0;

	json_init(&j, 1024, 16);
	if (json_read(&j, value, strlen(value)) != 0)
		fatalx("an entry of a host is no JSON: %s", j.error);
	at = hook ? install_hook(c, &j, 0) : install_command(&j, 0);
	wanted = cli_json_raw(&j, at);
	if (is.n != wanted.n || memcmp(is.p, wanted.p, is.n) != 0)
		r = cli_edit_replace(
		    e, node, pool_strndup(&c->pool, wanted.p, wanted.n));
	json_free(&j);
	return r;
}

static int
install_entry(struct cli *c, struct cli_edit *e, const struct host_entry *entry)
{
	const char *value = cli_host_value(c, entry->value);
	size_t at, node;

	if (cli_edit_find(e, entry->path, &at) != 0)
		return -1;
	if (entry->kind == HOST_HOOK) {
		if (at != 0 && (node = install_hook(c, &e->j, at)) != 0)
			return install_renew(c, e, node, value, true);
		return cli_edit_append(e, entry->path, value);
	}
	if (at == 0)
		return cli_edit_add(e, entry->path, value);
	if (entry->kind == HOST_NEEDED)
		return 0;
	if ((node = install_command(&e->j, at)) == 0 ||
	    !install_is_ours(c, &e->j, node, false)) {
		str_copy(e->error,
		    "it has another server that is called linnet; rename or "
		    "remove that one first",
		    sizeof(e->error));
		return -1;
	}
	return install_renew(c, e, node, value, false);
}

static int
install_json(struct cli *c, const struct change *ch, const struct buf *old,
    struct buf *new)
{
	const struct host_entry *entry;
	struct cli_edit e;
	int status = 0;

	if (cli_edit_init(
		&e, old->data, old->len, ch->file->format == HOST_JSONC) != 0)
		status = install_bad(ch, e.error);
	for (entry = ch->file->entries; status == 0 && entry->kind != 0;
	     entry++)
		if (install_entry(c, &e, entry) != 0)
			status = install_bad(ch, e.error);
	if (status == 0)
		buf_add(new, e.text.data, e.text.len);
	cli_edit_free(&e);
	return status;
}

static int
install_toml(struct cli *c, const struct change *ch, const struct buf *old,
    struct buf *new)
{
	const struct host_entry *entry = ch->file->entries;
	const char *lines = cli_host_value(c, entry->value), *error;

	buf_add(new, old->data, old->len);
	if (buf_str(new) == NULL)
		return install_bad(ch, "it is too large");
	error = cli_toml_add(new, entry->path, lines);
	return error != NULL ? install_bad(ch, error) : 0;
}

/* What becomes of a text. */
static int
install_text(struct cli *c, const struct change *ch, const struct buf *old,
    struct buf *new)
{
	const char *own;

	switch (ch->file->format) {
	case HOST_TOML:
		return install_toml(c, ch, old, new);
	case HOST_OWN:
		if (old->len > 0 && !str_starts(old->data, INSTALL_OWN))
			return install_bad(ch,
			    "it was not written by linnet; remove it, or give "
			    "it another name");
		own = cli_host_value(c, ch->file->entries->value);
		buf_adds(new, own);
		return 0;
	default:
		return install_json(c, ch, old, new);
	}
}

/*
 * Taking out of a text.
 */
/* The innermost of what a hook's command is in that has nothing else in it. */
static size_t
uninstall_whole(const struct cli_edit *e, size_t node, size_t list)
{
	size_t in, at = cli_edit_parent(e, node);

	while ((in = cli_edit_parent(e, at)) != list) {
		if (e->j.nodes[in].type == JSON_ARRAY &&
		    (JSON_FIRST(in) != at ||
			e->j.nodes[at].end != e->j.nodes[in].end))
			break;
		at = in;
	}
	return at;
}

static int
uninstall_entry(struct cli *c, struct cli_edit *e, struct cli_edit *before,
    const struct host_entry *entry)
{
	size_t at, node, was = 0;
	struct slice raw;

	if (cli_edit_find(e, entry->path, &at) != 0 ||
	    (before != NULL && cli_edit_find(before, entry->path, &was) != 0))
		return -1;
	if (at == 0 || entry->kind == HOST_NEEDED)
		return 0;
	if (entry->kind == HOST_SERVER) {
		if ((node = install_command(&e->j, at)) == 0 ||
		    !install_is_ours(c, &e->j, node, false))
			return 0;
		if (was == 0)
			return cli_edit_remove(e, at);
		raw = cli_json_raw(&before->j, was);
		return cli_edit_replace(
		    e, at, pool_strndup(&c->pool, raw.p, raw.n));
	}
	if (was != 0 && install_hook(c, &before->j, was) != 0)
		return 0;
	while ((node = install_hook(c, &e->j, at)) != 0)
		if (cli_edit_remove(e, uninstall_whole(e, node, at)) != 0 ||
		    cli_edit_find(e, entry->path, &at) != 0)
			return -1;
	return 0;
}

/* Removes what install made around its entries, when nothing is in it. */
static int
uninstall_prune(struct cli *c, struct cli_edit *e, struct cli_edit *before,
    const char *entry)
{
	char *path = pool_strndup(&c->pool, entry, strlen(entry)), *slash;
	size_t at, was;

	for (;;) {
		if (cli_edit_find(e, path, &at) != 0 ||
		    cli_edit_find(before, path, &was) != 0)
			return -1;
		if (at != 0 && was == 0 && e->j.nodes[at].type >= JSON_ARRAY &&
		    JSON_FIRST(at) == e->j.nodes[at].end &&
		    cli_edit_remove(e, at) != 0)
			return -1;
		if ((slash = strrchr(path, '/')) == NULL)
			return 0;
		*slash = '\0';
	}
}

/* Has a file that we made only what it needs? */
static bool
uninstall_is_bare(const struct change *ch, const struct cli_edit *e)
{
	const struct host_entry *entry;
	const struct json *j = &e->j;
	size_t i;

	for (i = JSON_FIRST(0); i < j->nodes[0].end; i = j->nodes[i + 1].end) {
		for (entry = ch->file->entries; entry->kind != 0; entry++)
			if (entry->kind == HOST_NEEDED &&
			    json_is(&j->nodes[i], entry->path))
				break;
		if (entry->kind == 0)
			return false;
	}
	return true;
}

/* before: what was there before, or NULL when that is not known. */
static int
uninstall_json(struct cli *c, struct change *ch, const struct buf *before)
{
	const bool comments = ch->file->format == HOST_JSONC;
	const struct host_entry *entry;
	struct cli_edit e, old;
	int status = 0, bad;

	bad = cli_edit_init(&e, ch->now.text.data, ch->now.text.len, comments);
	if (bad == 0 && before != NULL &&
	    cli_edit_init(&old, before->data, before->len, comments) != 0) {
		cli_edit_free(&old);
		before = NULL;
	}
	for (entry = ch->file->entries; bad == 0 && entry->kind != 0; entry++)
		bad =
		    uninstall_entry(c, &e, before != NULL ? &old : NULL, entry);
	for (entry = ch->file->entries;
	     bad == 0 && before != NULL && entry->kind != 0; entry++)
		bad = uninstall_prune(c, &e, &old, entry->path);
	if (bad != 0)
		status = install_bad(ch, e.error);
	else {
		ch->remove =
		    access(ch->absent, F_OK) == 0 && uninstall_is_bare(ch, &e);
		buf_add(&ch->next, e.text.data, e.text.len);
	}
	cli_edit_free(&e);
	if (before != NULL)
		cli_edit_free(&old);
	return status;
}

static int
uninstall_text(struct cli *c, struct change *ch, const struct buf *before)
{
	const char *table = ch->file->entries->path, *error;

	if (ch->file->format == HOST_OWN) {
		ch->remove = str_starts(ch->now.text.data, INSTALL_OWN);
		buf_add(&ch->next, ch->now.text.data, ch->now.text.len);
		return 0;
	}
	if (ch->file->format != HOST_TOML)
		return uninstall_json(c, ch, before);
	buf_add(&ch->next, ch->now.text.data, ch->now.text.len);
	if (buf_str(&ch->next) == NULL)
		return install_bad(ch, "it is too large");
	if (before != NULL && cli_toml_has(before, table))
		return 0;
	if ((error = cli_toml_drop(&ch->next, table)) != NULL)
		return install_bad(ch, error);
	ch->remove = ch->next.len == 0 && access(ch->absent, F_OK) == 0;
	return 0;
}

/* The file as it was, when nobody changed it since.  1: so it is. */
static int
uninstall_back(struct cli *c, struct change *ch, const struct buf *before)
{
	struct buf made;
	int r = 0;

	buf_init(&made, SIZE_MAX / 2);
	if (install_text(c, ch, before, &made) == 0 &&
	    made.len == ch->now.text.len && made.len > 0 &&
	    memcmp(made.data, ch->now.text.data, made.len) == 0) {
		ch->remove = access(ch->absent, F_OK) == 0;
		buf_add(&ch->next, before->data, before->len);
		r = 1;
	}
	if (made.data != NULL)
		crypto_wipe(made.data, made.cap);
	buf_free(&made);
	return r;
}

static int
uninstall_file(struct cli *c, struct change *ch)
{
	struct cli_foreign kept;
	bool known = access(ch->absent, F_OK) == 0;
	int status = 0;

	if (!ch->now.there) {
		ch->remove = true;
		return 0;
	}
	/* One that is not there is empty, as the file was. */
	if ((status = cli_foreign_read(&kept, ch->keep)) == 0) {
		known |= kept.there;
		if (!known || !uninstall_back(c, ch, &kept.text))
			status =
			    uninstall_text(c, ch, known ? &kept.text : NULL);
	}
	cli_foreign_free(&kept);
	return status;
}

/*
 * The files of a host.
 */
struct install {
	struct cli *c;
	const struct host *host;
	bool out; /* uninstall */
	bool yes;
	struct change changes[INSTALL_FILES];
	size_t n, changed;
};

/* Where what was in a file before is kept. */
static int
install_keep(struct cli *c, struct change *ch)
{
	struct cli_config f;
	int status = cli_config_load(&f, c->config_file, false);
	char *name, *p;

	if (status == 0) {
		name =
		    pool_strndup(&c->pool, ch->now.name, strlen(ch->now.name));
		for (p = name; *p != '\0'; p++)
			if (*p == '/')
				*p = '%';
		p = pool_strndup(&c->pool, f.file, strlen(f.file));
		ch->keep = pool_printf(
		    &c->pool, "%s/" INSTALL_DIR "/%s", dirname(p), name);
		ch->absent =
		    pool_printf(&c->pool, "%s" INSTALL_ABSENT, ch->keep);
	}
	cli_config_free(&f);
	return status;
}

static int
install_plan(struct install *in)
{
	const struct host_file *file;
	struct change *ch;
	const char *path;
	int status = 0;

	for (file = in->host->files; status == 0 && file->format != HOST_END;
	     file++) {
		ch = &in->changes[in->n];
		ch->file = file;
		if ((path = cli_host_path(in->c, file)) == NULL) {
			cli_print_error("there is no home directory");
			return EX_CONFIG;
		}
		in->n++;
		buf_init(&ch->next, SIZE_MAX / 2);
		if ((status = cli_foreign_read(&ch->now, path)) != 0 ||
		    (status = install_keep(in->c, ch)) != 0)
			break;
		status =
		    in->out ? uninstall_file(in->c, ch)
			    : install_text(in->c, ch, &ch->now.text, &ch->next);
		if (status == 0 && change_is_one(ch)) {
			in->changed++;
			status = cli_foreign_check(&ch->now);
		}
	}
	return status;
}

static void
install_show(struct install *in)
{
	static const struct buf none;
	struct change *ch;
	size_t i;

	for (i = 0; i < in->n; i++) {
		ch = &in->changes[i];
		if (!change_is_one(ch) || in->c->json || in->c->quiet)
			continue;
		fprintf(in->c->out, "%s: %s%s\n", in->host->name,
		    cli_print_safe(in->c, ch->now.name),
		    ch->remove	    ? " (is removed)"
		    : ch->now.there ? ""
				    : " (is made)");
		cli_diff_print(
		    in->c, &ch->now.text, ch->remove ? &none : &ch->next);
	}
	fflush(in->c->out);
}

/* Keeps what is there now, unless something is kept from before. */
static int
install_back_up(const struct change *ch)
{
	if (access(ch->keep, F_OK) == 0 || access(ch->absent, F_OK) == 0)
		return 0;
	if (cli_foreign_put(ch->now.there ? ch->keep : ch->absent,
		ch->now.there ? ch->now.text.data : "",
		ch->now.there ? ch->now.text.len : 0, 0600, NULL) == 0)
		return 0;
	cli_print_error("cannot keep what was in %s as %s: %s; nothing was "
			"changed",
	    ch->now.name, ch->keep, strerror(errno));
	return EX_CANTCREAT;
}

static int
install_write(struct install *in)
{
	struct change *ch;
	int status = 0;
	size_t i;

	for (i = 0; i < in->n && status == 0; i++) {
		ch = &in->changes[i];
		if (change_is_one(ch)) {
			if (!in->out && (status = install_back_up(ch)) != 0)
				return status;
			status = cli_foreign_replace(&ch->now,
			    ch->remove
				? NULL
				: (ch->next.len > 0 ? ch->next.data : ""),
			    ch->next.len);
		}
		if (status == 0 && in->out) {
			(void)unlink(ch->keep);
			(void)unlink(ch->absent);
		}
	}
	return status;
}

/* Asks, when somebody has to be asked.  0: go on. */
static int
install_ask(struct install *in)
{
	const char *question;

	if (in->yes)
		return 0;
	if (!cli_prompt_can()) {
		cli_print_error("nothing was changed; say --yes to change %s, "
				"or --dry-run",
		    in->changed == 1 ? "it" : "them");
		return EX_USAGE;
	}
	question = pool_printf(&in->c->pool, "Change %s%s",
	    in->changed == 1 ? "this file" : "these files", "?");
	if (cli_prompt_yes(in->c, question))
		return 0;
	cli_print_error("nothing was changed");
	return EX_TEMPFAIL;
}

static void
install_say(struct install *in, struct json_writer *w, bool dry)
{
	struct change *ch;
	size_t i;

	for (i = 0; i < in->n; i++) {
		ch = &in->changes[i];
		json_object(w);
		json_key(w, "host");
		json_str(w, in->host->name);
		json_key(w, "file");
		json_str(w, ch->now.name);
		json_key(w, "changed");
		json_bool(w, change_is_one(ch));
		json_key(w, "written");
		json_bool(w, change_is_one(ch) && !dry);
		json_object_end(w);
	}
}

static void
install_free(struct install *in)
{
	size_t i;

	for (i = 0; i < in->n; i++) {
		cli_foreign_free(&in->changes[i].now);
		if (in->changes[i].next.data != NULL)
			crypto_wipe(
			    in->changes[i].next.data, in->changes[i].next.cap);
		buf_free(&in->changes[i].next);
	}
}

static void
install_note(const struct install *in)
{
	const struct host *h = in->host;

	cli_print_note(in->c, "%s has %s, from its next start", h->title,
	    in->out ? "linnet no more" : "linnet now");
	if (!in->out && h->note != NULL)
		cli_print_note(in->c, "%s: %s", h->name, h->note);
}

/* One host.  w: NULL, or where to tell of it as JSON. */
static int
install_run(struct install *in, struct json_writer *w, bool dry)
{
	int status = install_plan(in);

	if (status == 0 && in->changed == 0)
		cli_print_note(
		    in->c, "%s: there is nothing to change", in->host->name);
	if (status == 0 && in->changed > 0) {
		install_show(in);
		if (!dry)
			status = install_ask(in);
	}
	if (status == 0 && !dry)
		status = install_write(in);
	if (status == 0 && w != NULL)
		install_say(in, w, dry);
	if (status == 0 && in->changed > 0 && !dry)
		install_note(in);
	install_free(in);
	return status;
}

static int
install_all(struct cli *c, bool out)
{
	bool dry = cli_given(c, "dry-run") != NULL, any = false;
	const struct host *h;
	struct json_writer w;
	struct buf b;
	int status = 0, r;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_array(&w);
	for (h = cli_hosts; h->name != NULL; h++) {
		struct install in = { .c = c,
			.host = h,
			.out = out,
			.yes = cli_given(c, "yes") != NULL };

		if (c->argc > 0 ? strcmp(h->name, c->argv[0]) != 0
				: !cli_host_found(c, h))
			continue;
		any = true;
		if ((r = install_run(&in, c->json ? &w : NULL, dry)) != 0 &&
		    status == 0)
			status = r;
	}
	json_array_end(&w);
	if (!any) {
		cli_print_error("no host of agents was found here; say one of "
				"%s",
		    HOST_NAMES);
		status = EX_NOINPUT;
	} else if (c->json)
		cli_print_json(c, b.data, b.len);
	buf_free(&b);
	return status;
}

int
cli_install(struct cli *c)
{
	return install_all(c, false);
}

int
cli_uninstall(struct cli *c)
{
	return install_all(c, true);
}

int
cli_install_host(struct cli *c, const struct host *h, bool yes)
{
	struct install in = { .c = c, .host = h, .yes = yes };

	return install_run(&in, NULL, false);
}

bool
cli_install_is_done(struct cli *c, const struct host *h)
{
	struct install in = { .c = c, .host = h };
	bool done = install_plan(&in) == 0 && in.changed == 0;

	install_free(&in);
	return done;
}
