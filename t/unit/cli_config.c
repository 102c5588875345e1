/* SPDX-License-Identifier: ISC */
/* cli_config.c: the file of keys is private, replaced whole, and survives many
 * writers and versions. */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "tap.h"

#define WRITERS 8

static char dir[64], file[128];

static void
put(const char *text, mode_t mode)
{
	int fd;

	/* One that may only be read cannot be written again. */
	(void)unlink(file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1 || write(fd, text, strlen(text)) < 0 ||
	    fchmod(fd, mode) != 0)
		abort();
	close(fd);
}

static char *
get(void)
{
	static char text[65536];
	int fd = open(file, O_RDONLY);
	ssize_t n = fd != -1 ? read(fd, text, sizeof(text) - 1) : -1;

	text[n > 0 ? n : 0] = '\0';
	if (fd != -1)
		close(fd);
	return text;
}

static int
load_status(void)
{
	struct cli_config f;
	int status = cli_config_load(&f, file, false);

	cli_config_free(&f);
	return status;
}

static void
test_refused(void)
{
	static const struct {
		const char *text;
		mode_t mode;
		int status;
	} rows[] = {
		{ "{\"version\":1,\"meshes\":[]}", 0600, 0 },
		{ "{\"version\":1}", 0400, 0 },
		{ "{\"version\":1,\"meshes\":[]}", 0640, EX_CONFIG },
		{ "{\"version\":1,\"meshes\":[]}", 0604, EX_CONFIG },
		{ "{\"version\":1,\"meshes\":[]}", 0620, EX_CONFIG },
		{ "", 0600, EX_CONFIG },
		{ "{", 0600, EX_CONFIG },
		{ "[]", 0600, EX_CONFIG },
		{ "{\"meshes\":[]}", 0600, EX_CONFIG },
		{ "{\"version\":2}", 0600, EX_CONFIG },
		{ "{\"version\":\"1\"}", 0600, EX_CONFIG },
		{ "{\"version\":1,\"meshes\":{}}", 0600, EX_CONFIG },
		{ "{\"version\":1,\"meshes\":[1]}", 0600, EX_CONFIG },
	};
	size_t i;

	is_int(load_status(), 0, "a file that is not there is empty");
	for (i = 0; i < NELEM(rows); i++) {
		put(rows[i].text, rows[i].mode);
		is_int(load_status(), rows[i].status, "mode %o: %s",
		    (unsigned)rows[i].mode, rows[i].text);
	}
	unlink(file);
}

static void
test_round_trip(void)
{
	static const char text[] =
	    "{\"version\":1,\"displayName\":\"me \\\"too\\\"\",\"meshes\":[{"
	    "\"meshId\":\"m1\",\"memberId\":\"p1\",\"slug\":\"s1\","
	    "\"name\":\"Mesh\",\"pubkey\":\"aa\",\"secretKey\":\"bb\","
	    "\"brokerUrl\":\"ws://h/ws\",\"hookToken\":\"lnh_1\","
	    "\"joinedAt\":\"2026-11-20T12:00:00.000Z\","
	    "\"groups\":[{\"name\":\"dev\",\"role\":\"lead\"},"
	    "{\"name\":\"ops\"}],"
	    "\"rootKey\":{\"later\":[1,2]}}],\"accountId\":\"x\"}\n";
	struct cli_config f;
	struct cli_mesh *m;
	struct stat st;
	int status;

	put(text, 0600);
	is_int(cli_config_load(&f, file, true), 0, "read");
	is_str(f.display_name, "me \"too\"", "without escapes");
	is_int(f.n, 1, "a mesh");
	m = cli_config_mesh(&f, NULL, &status);
	is_str(m->secret_key, "bb", "its key");
	is_int(m->ngroups, 2, "its groups");
	is_str(m->groups[0].role, "lead", "a role");
	is_str(m->groups[1].role, "", "and none");
	is_int(cli_config_save(&f), 0, "written");
	cli_config_free(&f);
	is_str(get(), text, "as it was, with what we do not know");
	stat(file, &st);
	is_int(st.st_mode & 07777, 0600, "nobody else may read it");
	unlink(file);
}

static void
test_meshes(void)
{
	static const char text[] =
	    "{\"version\":1,\"meshes\":[{\"meshId\":\"m1\",\"slug\":\"a\"},"
	    "{\"meshId\":\"m2\",\"slug\":\"b\"},"
	    "{\"meshId\":\"m3\",\"slug\":\"b\"}]}";
	static const struct {
		const char *wanted;
		const char *found;
	} rows[] = {
		{ "a", "m1" }, { "m3", "m3" }, { "b", NULL }, /* two of them */
		{ "c", NULL }, { NULL, NULL },		      /* which? */
	};
	struct cli_config f;
	struct cli_mesh *m;
	size_t i;
	int status;

	put(text, 0600);
	is_int(cli_config_load(&f, file, false), 0, "read");
	for (i = 0; i < NELEM(rows); i++) {
		status = 0;
		m = cli_config_mesh(&f, rows[i].wanted, &status);
		is_str(m != NULL ? m->mesh_id : NULL, rows[i].found,
		    "the mesh %s",
		    rows[i].wanted != NULL ? rows[i].wanted : "that is meant");
		is_int(
		    status, rows[i].found != NULL ? 0 : EX_USAGE, "its status");
	}
	cli_config_free(&f);
	unlink(file);
	is_int(cli_config_load(&f, file, false), 0, "nothing");
	ok(cli_config_mesh(&f, NULL, &status) == NULL && status == EX_CONFIG,
	    "no mesh was joined");
	cli_config_free(&f);
}

/* Each adds a mesh at the same time; all are there at the end. */
static void
test_writers(void)
{
	pid_t pids[WRITERS];
	struct cli_config f;
	struct cli_mesh *m;
	char slug[16];
	int i, status, bad = 0;

	for (i = 0; i < WRITERS; i++) {
		if ((pids[i] = fork()) != 0)
			continue;
		alarm(30);
		snprintf(slug, sizeof(slug), "w%d", i);
		if (cli_config_load(&f, file, true) != 0)
			_exit(1);
		m = cli_config_add(&f);
		cli_config_set(&m->slug, slug);
		_exit(cli_config_save(&f));
	}
	for (i = 0; i < WRITERS; i++) {
		(void)waitpid(pids[i], &status, 0);
		bad += status != 0;
	}
	is_int(bad, 0, "all could write");
	is_int(cli_config_load(&f, file, false), 0, "read");
	is_int(f.n, WRITERS, "and no change was lost");
	cli_config_free(&f);
}

static void
test_no_room(void)
{
	struct cli_config f;

	put("{\"version\":1,\"meshes\":[{\"slug\":\"old\"}]}", 0600);
	is_int(cli_config_load(&f, file, false), 0, "read");
	free(f.file);
	f.file = xasprintf("%s/nowhere/config.json", dir);
	is_int(cli_config_save(&f), EX_CANTCREAT, "it cannot be written");
	cli_config_free(&f);
	ok(strstr(get(), "old") != NULL, "what was there is there");
	unlink(file);
}

int
main(void)
{
	char lock[160];

	snprintf(dir, sizeof(dir), "/tmp/linnet-config-XXXXXX");
	if (mkdtemp(dir) == NULL || freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	snprintf(file, sizeof(file), "%s/config.json", dir);
	test_refused();
	test_round_trip();
	test_meshes();
	test_writers();
	test_no_room();
	snprintf(lock, sizeof(lock), "%s.lock", file);
	unlink(lock);
	ok(rmdir(dir) == 0, "nothing else was left behind");
	return tap_done();
}
