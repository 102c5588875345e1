/* SPDX-License-Identifier: ISC */
/*
 * Which session an agent is.
 *
 * What is sent to a session that is away waits for that same session; so an
 * agent that is started again has to be the same one.  It is known by its
 * mesh, name and directory on this machine.  Several that have all of these in
 * common are told apart by files that they lock while they run: each takes the
 * first that is free.  What is in the file is for the hooks of the agent's
 * host: what the agent has not read yet.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOT_MAX 64
#define SLOT_DIR "sessions"
#define SLOT_TRIES 20 /* a second */
#define SLOT_NOTE_MAX 256

/* The lock goes with the process, and what that becomes: its descriptor stays
 * open over exec(3).  -1: somebody has it. */
static int
slot_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

	if (fd == -1)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* NULL: there cannot be one. */
static const char *
slot_dir(struct cli *c, const char *config_file)
{
	const char *slash = strrchr(config_file, '/'), *dir;

	if (slash == NULL)
		return NULL;
	dir = pool_printf(&c->pool, "%.*s/" SLOT_DIR,
	    (int)(slash - config_file), config_file);
	return mkdir(dir, 0700) == 0 || errno == EEXIST ? dir : NULL;
}

static const char *
slot_hash(struct cli *c, const char *text)
{
	char hex[2 * CRYPTO_DIGEST_LEN + 1];
	uint8_t digest[CRYPTO_DIGEST_LEN];

	crypto_digest(digest, text, strlen(text), NULL);
	crypto_hex(hex, digest, sizeof(digest));
	return pool_strndup(&c->pool, hex, sizeof(hex) - 1);
}

/* What tells agents apart that nobody has given a session. */
static const char *
slot_agent(struct cli *c, const struct cli_slot_of *of, const char *cwd)
{
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	return slot_hash(
	    c, pool_printf(&c->pool, "%s|%s|%u|%s|%s|%s|%s", of->use, host,
		   (unsigned)geteuid(), of->config_file, of->mesh_id,
		   of->name != NULL ? of->name : "", cwd));
}

static const char *
slot_path(struct cli *c, const char *dir, const char *hash, unsigned i)
{
	return pool_printf(&c->pool, "%s/%.16s.%u", dir, hash, i);
}

/* The place of a session that has a name already. */
static const char *
slot_named(struct cli *c, const char *dir, const char *session)
{
	return pool_printf(
	    &c->pool, "%s/%.16s.taken", dir, slot_hash(c, session));
}

bool
cli_slot(struct cli *c, struct cli_slot *slot, const struct cli_slot_of *of)
{
	const char *dir = slot_dir(c, of->config_file), *hash;
	char cwd[4096];
	unsigned i;

	if (dir == NULL || getcwd(cwd, sizeof(cwd)) == NULL)
		return false;
	hash = slot_agent(c, of, cwd);
	for (i = 0; i < SLOT_MAX; i++)
		if ((slot->fd = slot_lock(slot_path(c, dir, hash, i))) != -1) {
			slot->session = pool_printf(
			    &c->pool, "%s-%.32s-%u", of->use, hash, i);
			return true;
		}
	return false;
}

bool
cli_slot_take(struct cli *c, struct cli_slot *slot, const char *config_file,
    const char *session)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	const char *dir = slot_dir(c, config_file), *path;
	unsigned i;

	if (dir == NULL)
		return false;
	path = slot_named(c, dir, session);
	slot->session = session;
	for (i = 0; i < SLOT_TRIES; i++) {
		if ((slot->fd = slot_lock(path)) != -1)
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

void
cli_slot_note(const struct cli_slot *slot, const char *text, size_t n)
{
	/* One that is there half is no note; the next one is whole. */
	if (n < SLOT_NOTE_MAX && pwrite(slot->fd, text, n, 0) == (ssize_t)n)
		(void)!ftruncate(slot->fd, (off_t)n);
}

/* What its owner noted; NULL: nobody has it, or nothing is noted. */
static const char *
slot_read(struct cli *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const char *note = NULL;
	char text[SLOT_NOTE_MAX];
	ssize_t n;

	if (fd == -1)
		return NULL;
	if (flock(fd, LOCK_SH | LOCK_NB) != 0 &&
	    (n = pread(fd, text, sizeof(text), 0)) > 0)
		note = pool_strndup(&c->pool, text, (size_t)n);
	(void)close(fd);
	return note;
}

const char *
cli_slot_noted(struct cli *c, const struct cli_slot_of *of, const char *cwd,
    const char *session)
{
	const char *dir = slot_dir(c, of->config_file), *hash, *note, *found;
	unsigned i;

	if (dir == NULL)
		return NULL;
	if (session != NULL &&
	    (note = slot_read(c, slot_named(c, dir, session))) != NULL)
		return note;
	hash = slot_agent(c, of, cwd);
	for (i = 0, found = NULL; i < SLOT_MAX; i++) {
		if ((note = slot_read(c, slot_path(c, dir, hash, i))) == NULL)
			continue;
		/* Which of them is asked for is not known. */
		if (found != NULL)
			return NULL;
		found = note;
	}
	return found;
}
