/* SPDX-License-Identifier: ISC */
/*
 * Which session an agent is.
 *
 * What is sent to a session that is away waits for that same session; so an
 * agent that is started again has to be the same one.  It is known by its
 * mesh, name and directory on this machine.  Several that have all of these in
 * common are told apart by files that they lock while they run: each takes the
 * first that is free.
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

/* The lock goes with the process, and what that becomes: its descriptor stays
 * open over exec(3). */
static bool
slot_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

	if (fd == -1)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	(void)close(fd);
	return false;
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

static void
slot_hash(char hex[static 2 * CRYPTO_DIGEST_LEN + 1], const char *text)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];

	crypto_digest(digest, text, strlen(text), NULL);
	crypto_hex(hex, digest, sizeof(digest));
}

const char *
cli_slot(struct cli *c, const char *use, const char *config_file,
    const char *mesh_id, const char *name)
{
	const char *dir = slot_dir(c, config_file);
	char host[256] = "", cwd[4096], hex[2 * CRYPTO_DIGEST_LEN + 1];
	unsigned i;

	(void)gethostname(host, sizeof(host) - 1);
	if (dir == NULL || getcwd(cwd, sizeof(cwd)) == NULL)
		return NULL;
	slot_hash(hex, pool_printf(&c->pool, "%s|%s|%u|%s|%s|%s|%s", use, host,
			   (unsigned)geteuid(), config_file, mesh_id,
			   name != NULL ? name : "", cwd));
	for (i = 0; i < SLOT_MAX; i++)
		if (slot_lock(
			pool_printf(&c->pool, "%s/%.16s.%u", dir, hex, i)))
			return pool_printf(
			    &c->pool, "%s-%.32s-%u", use, hex, i);
	return NULL;
}

bool
cli_slot_take(struct cli *c, const char *config_file, const char *session)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	const char *dir = slot_dir(c, config_file), *path;
	char hex[2 * CRYPTO_DIGEST_LEN + 1];
	unsigned i;

	if (dir == NULL)
		return false;
	slot_hash(hex, session);
	path = pool_printf(&c->pool, "%s/%.16s.taken", dir, hex);
	for (i = 0; i < SLOT_TRIES; i++) {
		if (slot_lock(path))
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}
