/* SPDX-License-Identifier: ISC */
/*
 * Where a file that was got goes.  Its name is its uploader's word: here it
 * becomes the name of a file in a directory that was chosen, and nothing else;
 * and it has that name when all of it is there.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAMES_MAX 100 /* of one name, in one directory */

const char *
cli_file_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;

	return base[0] != '\0' && strcmp(base, ".") != 0 &&
		       strcmp(base, "..") != 0
		   ? base
		   : NULL;
}

char *
cli_file_safe_name(struct pool *pool, const char *name)
{
	char *out = pool_strndup(pool, name, strlen(name));
	char *p;

	for (p = out; *p != '\0'; p++)
		if (*p == '/' || *p == '\\' || (uint8_t)*p < ' ' || *p == 0x7f)
			*p = '_';
	if (out[0] == '.')
		out[0] = '_';
	return out;
}

bool
cli_file_finish(int fd, const char *part, const char *name, bool replace)
{
	mode_t mask = umask(0);

	umask(mask);
	if (fchmod(fd, 0666 & ~mask) == -1)
		return false;
	if (replace)
		return rename(part, name) == 0;
	return link(part, name) == 0 && unlink(part) == 0;
}

/* name, name-2, ... before what stands behind its last dot. */
static char *
file_name(struct pool *pool, const char *dir, const char *name, unsigned n)
{
	const char *dot = strrchr(name, '.');

	if (n == 1)
		return pool_printf(pool, "%s/%s", dir, name);
	if (dot == NULL || dot == name)
		dot = name + strlen(name);
	return pool_printf(
	    pool, "%s/%.*s-%u%s", dir, (int)(dot - name), name, n, dot);
}

char *
cli_file_settle(struct pool *pool, int fd, const char *part, const char *dir,
    const char *name)
{
	const char *safe = cli_file_safe_name(pool, name);
	unsigned n;
	char *path;

	for (n = 1; n <= FILE_NAMES_MAX; n++) {
		path = file_name(pool, dir, safe, n);
		if (cli_file_finish(fd, part, path, false))
			return path;
		if (errno != EEXIST)
			break;
	}
	return NULL;
}
