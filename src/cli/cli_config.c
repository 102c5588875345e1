/* SPDX-License-Identifier: ISC */
/*
 * ~/.linnet/config.json: the meshes that were joined, with secret keys.
 *
 * A file that others may read is refused, because the keys are lost then. It
 * is replaced as a whole: written beside, synced, renamed, so that a reader
 * and a crash see the old or the new one.  Who changes it holds the lock (a
 * file of its own, as the renaming replaces the one that could be locked) from
 * reading to writing.  Members that this version does not know are kept.
 */
#include "config.h" /* mkostemp(3) */

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define CONFIG_VERSION 1
#define CONFIG_MAX ((size_t)16 << 20)
#define CONFIG_NODES ((size_t)1 << 20)
#define CONFIG_DIR ".linnet"
#define CONFIG_FILE "config.json"
#define CONFIG_LOCK ".lock"

/* The texts of a mesh, by their names in the file. */
#define MESH(name, field)                              \
	{                                              \
		name, offsetof(struct cli_mesh, field) \
	}
static const struct {
	const char *name;
	size_t offset;
} mesh_texts[] = {
	MESH("meshId", mesh_id),
	MESH("memberId", member_id),
	MESH("slug", slug),
	MESH("name", name),
	MESH("pubkey", public_key),
	MESH("secretKey", secret_key),
	MESH("brokerUrl", broker_url),
	MESH("hookToken", hook_token),
	MESH("joinedAt", joined_at),
	MESH("caFile", ca_file),
	MESH("status", status),
	MESH("summary", summary),
	MESH("visible", visible),
	MESH("avatar", avatar),
	MESH("title", title),
	MESH("bio", bio),
	MESH("capabilities", capabilities),
};
#undef MESH

static char **
mesh_text(const struct cli_mesh *m, size_t i)
{
	return (char **)(void *)((char *)(uintptr_t)m + mesh_texts[i].offset);
}

void
cli_config_set(char **field, const char *value)
{
	if (*field != NULL)
		crypto_wipe(*field, strlen(*field));
	free(*field);
	*field = xstrdup(value);
}

/* NULL: there is no home. */
static char *
config_path(const char *file)
{
	const char *dir = getenv("LINNET_CONFIG"), *home = getenv("HOME");
	const struct passwd *pw;

	if (file != NULL)
		return xstrdup(file);
	if (dir != NULL && dir[0] != '\0')
		return xasprintf("%s/%s", dir, CONFIG_FILE);
	if ((home == NULL || home[0] == '\0') &&
	    (pw = getpwuid(geteuid())) != NULL)
		home = pw->pw_dir;
	if (home == NULL || home[0] == '\0')
		return NULL;
	return xasprintf("%s/%s/%s", home, CONFIG_DIR, CONFIG_FILE);
}

/* Makes the directory of the file, if only that one is missing. */
static int
config_make_dir(const char *file)
{
	char *copy = xstrdup(file), *dir = dirname(copy);
	int r = 0;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		cli_print_error("cannot make %s: %s", dir, strerror(errno));
		r = EX_CANTCREAT;
	}
	free(copy);
	return r;
}

static int
config_lock(struct cli_config *f)
{
	char *name = xasprintf("%s%s", f->file, CONFIG_LOCK);
	int status;

	if ((status = config_make_dir(f->file)) != 0)
		goto fail;
	f->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lock == -1 || flock(f->lock, LOCK_EX) != 0) {
		cli_print_error("cannot lock %s: %s", name, strerror(errno));
		status = EX_CANTCREAT;
	}
fail:
	free(name);
	return status;
}

static int
config_bad(const struct cli_config *f, const char *why)
{
	cli_print_error("%s: %s", f->file, why);
	return EX_CONFIG;
}

static char *
config_take(const struct json_node *node)
{
	char *s = xmalloc((size_t)node->n + 1);

	s[json_unescape(node, s)] = '\0';
	return s;
}

/* Adds "key":value to what is kept as it is. */
static void
config_keep(char **more, const struct json *j, size_t key, size_t value)
{
	struct slice k = cli_json_raw(j, key), v = cli_json_raw(j, value);
	char *grown = xasprintf("%s%s" SLICE_FMT ":" SLICE_FMT, *more,
	    (*more)[0] != '\0' ? "," : "", SLICE_ARG(k), SLICE_ARG(v));

	free(*more);
	*more = grown;
}

static void
config_read_groups(struct cli_mesh *m, const struct json *j, size_t list)
{
	size_t at, name, role;
	struct cli_group *g;

	for (at = JSON_FIRST(list); at < j->nodes[list].end;
	     at = j->nodes[at].end) {
		name = json_get(j, at, "name");
		role = json_get(j, at, "role");
		if (name == 0 || j->nodes[name].type != JSON_STRING)
			continue;
		m->groups =
		    xreallocarray(m->groups, m->ngroups + 1, sizeof(*g));
		g = &m->groups[m->ngroups++];
		g->name = config_take(&j->nodes[name]);
		g->role = role != 0 && j->nodes[role].type == JSON_STRING
			      ? config_take(&j->nodes[role])
			      : xstrdup("");
	}
}

static void
config_read_mesh(struct cli_config *f, const struct json *j, size_t mesh)
{
	struct cli_mesh *m = cli_config_add(f);
	size_t key, value, i;

	for (key = JSON_FIRST(mesh); key < j->nodes[mesh].end;
	     key = j->nodes[value].end) {
		value = key + 1;
		for (i = 0; i < NELEM(mesh_texts); i++)
			if (json_is(&j->nodes[key], mesh_texts[i].name))
				break;
		if (i < NELEM(mesh_texts) &&
		    j->nodes[value].type == JSON_STRING) {
			free(*mesh_text(m, i));
			*mesh_text(m, i) = config_take(&j->nodes[value]);
		} else if (json_is(&j->nodes[key], "groups") &&
			   j->nodes[value].type == JSON_ARRAY)
			config_read_groups(m, j, value);
		else if (i == NELEM(mesh_texts))
			config_keep(&m->more, j, key, value);
	}
}

static int
config_parse(struct cli_config *f, const struct json *j)
{
	size_t key, value, at;
	int64_t version = 0;

	if (j->nodes[0].type != JSON_OBJECT)
		return config_bad(f, "it is no JSON object");
	value = json_get(j, 0, "version");
	if (value == 0 || json_int(&j->nodes[value], &version) != 0 ||
	    version != CONFIG_VERSION)
		return config_bad(f,
		    "it is not of version 1; a newer linnet may have "
		    "written it");
	for (key = JSON_FIRST(0); key < j->nodes[0].end;
	     key = j->nodes[value].end) {
		value = key + 1;
		if (json_is(&j->nodes[key], "version"))
			continue;
		if (json_is(&j->nodes[key], "displayName") &&
		    j->nodes[value].type == JSON_STRING) {
			free(f->display_name);
			f->display_name = config_take(&j->nodes[value]);
		} else if (json_is(&j->nodes[key], "mesh") &&
			   j->nodes[value].type == JSON_STRING) {
			free(f->chosen);
			f->chosen = config_take(&j->nodes[value]);
		} else if (json_is(&j->nodes[key], "meshes")) {
			if (j->nodes[value].type != JSON_ARRAY)
				return config_bad(f, "meshes is no array");
			for (at = JSON_FIRST(value); at < j->nodes[value].end;
			     at = j->nodes[at].end) {
				if (j->nodes[at].type != JSON_OBJECT)
					return config_bad(
					    f, "a mesh is no object");
				config_read_mesh(f, j, at);
			}
		} else
			config_keep(&f->more, j, key, value);
	}
	return 0;
}

static int
config_read(struct cli_config *f, int fd, struct buf *b)
{
	struct stat st;
	char *room;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return config_bad(f, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return config_bad(f, "it is no file");
	if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		cli_print_error("%s holds secret keys and others may read or "
				"write it; do: chmod 600 %s",
		    f->file, f->file);
		return EX_CONFIG;
	}
	do {
		if ((room = buf_reserve(b, 4096)) == NULL)
			return config_bad(f, "it is too large");
		n = read(fd, room, 4096);
		if (n == -1 && errno != EINTR)
			return config_bad(f, strerror(errno));
		b->len += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	return 0;
}

int
cli_config_load(struct cli_config *f, const char *file, bool lock)
{
	struct json j;
	struct buf b;
	int fd, status;

	memset(f, 0, sizeof(*f));
	f->lock = -1;
	f->display_name = xstrdup("");
	f->chosen = xstrdup("");
	f->more = xstrdup("");
	if ((f->file = config_path(file)) == NULL) {
		cli_print_error("there is no home directory; say --config");
		return EX_CONFIG;
	}
	if (lock && (status = config_lock(f)) != 0)
		return status;
	if ((fd = open(f->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1)
		return errno == ENOENT ? 0 : config_bad(f, strerror(errno));
	buf_init(&b, CONFIG_MAX);
	json_init(&j, CONFIG_NODES, 64);
	if ((status = config_read(f, fd, &b)) == 0) {
		if (json_read(&j, b.len > 0 ? b.data : "", b.len) != 0)
			status = config_bad(f, j.error);
		else
			status = config_parse(f, &j);
	}
	(void)close(fd);
	json_free(&j);
	if (b.data != NULL)
		crypto_wipe(b.data, b.cap);
	buf_free(&b);
	return status;
}

static void
config_write_more(struct json_writer *w, const char *more)
{
	if (more[0] == '\0')
		return;
	if (w->comma)
		buf_addc(w->b, ',');
	buf_adds(w->b, more);
	w->comma = true;
}

static void
config_write_mesh(struct json_writer *w, const struct cli_mesh *m)
{
	size_t i;

	json_object(w);
	for (i = 0; i < NELEM(mesh_texts); i++) {
		if ((*mesh_text(m, i))[0] == '\0')
			continue;
		json_key(w, mesh_texts[i].name);
		json_str(w, *mesh_text(m, i));
	}
	json_key(w, "groups");
	json_array(w);
	for (i = 0; i < m->ngroups; i++) {
		json_object(w);
		json_key(w, "name");
		json_str(w, m->groups[i].name);
		if (m->groups[i].role[0] != '\0') {
			json_key(w, "role");
			json_str(w, m->groups[i].role);
		}
		json_object_end(w);
	}
	json_array_end(w);
	config_write_more(w, m->more);
	json_object_end(w);
}

static void
config_write(struct buf *b, const struct cli_config *f)
{
	struct json_writer w;
	size_t i;

	json_start(&w, b);
	json_object(&w);
	json_key(&w, "version");
	json_num(&w, CONFIG_VERSION);
	if (f->display_name[0] != '\0') {
		json_key(&w, "displayName");
		json_str(&w, f->display_name);
	}
	if (f->chosen[0] != '\0') {
		json_key(&w, "mesh");
		json_str(&w, f->chosen);
	}
	json_key(&w, "meshes");
	json_array(&w);
	for (i = 0; i < f->n; i++)
		config_write_mesh(&w, &f->meshes[i]);
	json_array_end(&w);
	config_write_more(&w, f->more);
	json_object_end(&w);
	buf_addc(b, '\n');
}

static int
config_put(int fd, const struct buf *b)
{
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		n = write(fd, b->data + done, b->len - done);
		if (n == -1 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd);
}

/* The renaming itself is to survive a crash. */
static int
config_sync_dir(const char *file)
{
	char *copy = xstrdup(file);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = -1;

	if (fd != -1) {
		r = fsync(fd);
		(void)close(fd);
	}
	free(copy);
	return r;
}

int
cli_config_save(const struct cli_config *f)
{
	char *temp = xasprintf("%s.XXXXXX", f->file);
	struct buf b;
	int fd = -1, error, status = EX_CANTCREAT;

	buf_init(&b, CONFIG_MAX);
	config_write(&b, f);
	if (b.failed) {
		(void)config_bad(f, "it would become too large");
		goto fail;
	}
	if ((fd = mkostemp(temp, O_CLOEXEC)) == -1 || fchmod(fd, 0600) != 0 ||
	    config_put(fd, &b) != 0 || rename(temp, f->file) != 0 ||
	    config_sync_dir(f->file) != 0) {
		error = errno;
		cli_print_error(
		    "cannot write %s: %s", f->file, strerror(error));
		if (fd != -1)
			(void)unlink(temp);
		goto fail;
	}
	status = 0;
fail:
	if (fd != -1)
		(void)close(fd);
	if (b.data != NULL)
		crypto_wipe(b.data, b.cap);
	buf_free(&b);
	free(temp);
	return status;
}

static void
config_free_mesh(struct cli_mesh *m)
{
	size_t i;

	for (i = 0; i < NELEM(mesh_texts); i++) {
		crypto_wipe(*mesh_text(m, i), strlen(*mesh_text(m, i)));
		free(*mesh_text(m, i));
	}
	for (i = 0; i < m->ngroups; i++) {
		free(m->groups[i].name);
		free(m->groups[i].role);
	}
	free(m->groups);
	free(m->more);
}

void
cli_config_free(struct cli_config *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		config_free_mesh(&f->meshes[i]);
	free(f->meshes);
	free(f->file);
	free(f->display_name);
	free(f->chosen);
	free(f->more);
	if (f->lock != -1)
		(void)close(f->lock);
	memset(f, 0, sizeof(*f));
	f->lock = -1;
}

void
cli_config_drop(struct cli_config *f, struct cli_mesh *m)
{
	if (strcmp(f->chosen, m->mesh_id) == 0)
		cli_config_set(&f->chosen, "");
	config_free_mesh(m);
	f->n--;
	memmove(m, m + 1, (size_t)(f->meshes + f->n - m) * sizeof(*m));
}

struct cli_mesh *
cli_config_find(struct cli_config *f, const char *mesh_id)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strcmp(f->meshes[i].mesh_id, mesh_id) == 0)
			return &f->meshes[i];
	return NULL;
}

struct cli_mesh *
cli_config_add(struct cli_config *f)
{
	struct cli_mesh *m;
	size_t i;

	f->meshes = xreallocarray(f->meshes, f->n + 1, sizeof(*f->meshes));
	m = &f->meshes[f->n++];
	memset(m, 0, sizeof(*m));
	for (i = 0; i < NELEM(mesh_texts); i++)
		*mesh_text(m, i) = xstrdup("");
	m->more = xstrdup("");
	return m;
}

static struct cli_mesh *
config_several(const struct cli_config *f, const char *wanted, int *status)
{
	const char *said = wanted != NULL ? wanted : "";
	struct buf b;
	size_t i;

	buf_init(&b, 512);
	for (i = 0; i < f->n; i++)
		buf_addf(&b, "%s%s", i > 0 ? ", " : "", f->meshes[i].slug);
	*status = EX_USAGE;
	cli_print_error(
	    wanted != NULL
		? "there is no mesh \"%s\", or more than one; --mesh takes "
		  "the slug or id of one of: %s"
		: "which mesh?%s Say --mesh, or linnet use, and one of: %s",
	    said, b.len > 0 ? buf_str(&b) : "(none)");
	buf_free(&b);
	return NULL;
}

struct cli_mesh *
cli_config_mesh(struct cli_config *f, const char *wanted, int *status)
{
	struct cli_mesh *found = NULL;
	size_t i, count = 0;

	if (f->n == 0) {
		cli_print_error("no mesh was joined yet; get an invite and "
				"do: linnet join LINK");
		*status = EX_CONFIG;
		return NULL;
	}
	for (i = 0; i < f->n; i++) {
		struct cli_mesh *m = &f->meshes[i];

		if (wanted != NULL
			? strcmp(m->mesh_id, wanted) == 0
			: f->n > 1 && strcmp(m->mesh_id, f->chosen) == 0)
			return m;
		if (wanted == NULL || strcmp(m->slug, wanted) == 0) {
			found = m;
			count++;
		}
	}
	if (count == 1)
		return found;
	return config_several(f, wanted, status);
}
