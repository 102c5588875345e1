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
#include "cli/cli_mcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_MAX 64
#define SLOT_DIR "sessions"

/* The lock goes with the process. */
static bool
slot_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd == -1)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	close(fd);
	return false;
}

const char *
cli_mcp_slot(struct cli *c, const struct cli_session *s, const char *name)
{
	char host[256] = "", cwd[4096], hex[2 * CRYPTO_DIGEST_LEN + 1];
	const char *text, *dir, *slash = strrchr(s->config.file, '/');
	uint8_t digest[CRYPTO_DIGEST_LEN];
	unsigned i;

	(void)gethostname(host, sizeof(host) - 1);
	if (slash == NULL || getcwd(cwd, sizeof(cwd)) == NULL)
		return NULL;
	text = pool_printf(&c->pool, "%s|%u|%s|%s|%s|%s", host,
	    (unsigned)geteuid(), s->config.file, s->mesh->mesh_id,
	    name != NULL ? name : "", cwd);
	crypto_digest(digest, text, strlen(text), NULL);
	crypto_hex(hex, digest, sizeof(digest));
	dir = pool_printf(&c->pool, "%.*s/" SLOT_DIR,
	    (int)(slash - s->config.file), s->config.file);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return NULL;
	for (i = 0; i < SLOT_MAX; i++)
		if (slot_lock(
			pool_printf(&c->pool, "%s/%.16s.%u", dir, hex, i)))
			return pool_printf(&c->pool, "mcp-%.32s-%u", hex, i);
	return NULL;
}
