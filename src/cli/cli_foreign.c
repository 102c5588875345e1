/* SPDX-License-Identifier: ISC */
/*
 * Files of others: read whole, and replaced whole or not at all, with the
 * owner and mode that they had.  A symbolic link stays one: what it points to
 * is replaced.  A file that was changed between reading and writing is left.
 */
#include "config.h" /* mkostemp(3) */

#include "cli/cli_host.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)

static int
file_bad(const struct cli_foreign *f, int status, const char *why)
{
	cli_print_error("%s: %s", f->name, why);
	return status;
}

static int
file_read_all(struct cli_foreign *f, int fd)
{
	char *room;
	ssize_t n;

	do {
		if ((room = buf_reserve(&f->text, 65536)) == NULL)
			return file_bad(f, EX_DATAERR, "it is too large");
		n = read(fd, room, 65536);
		if (n == -1 && errno != EINTR)
			return file_bad(f, EX_NOINPUT, strerror(errno));
		f->text.len += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	return buf_str(&f->text) != NULL
		   ? 0
		   : file_bad(f, EX_DATAERR, "it is too large");
}

int
cli_foreign_read(struct cli_foreign *f, const char *name)
{
	char path[PATH_MAX];
	struct stat link;
	int fd, status = 0;

	memset(f, 0, sizeof(*f));
	buf_init(&f->text, FILE_MAX);
	f->name = xstrdup(name);
	if (realpath(name, path) == NULL) {
		f->path = xstrdup(name);
		if (errno != ENOENT && errno != ENOTDIR)
			return file_bad(f, EX_NOINPUT, strerror(errno));
		if (lstat(name, &link) == 0)
			return file_bad(f, EX_NOINPUT,
			    "it is a link to something that is not there");
		return buf_str(&f->text) != NULL ? 0 : EX_SOFTWARE;
	}
	f->path = xstrdup(path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1 ||
	    fstat(fd, &f->stat) != 0)
		status = file_bad(f, EX_NOINPUT, strerror(errno));
	else if (!S_ISREG(f->stat.st_mode))
		status = file_bad(f, EX_NOINPUT, "it is no file");
	else
		status = file_read_all(f, fd);
	f->there = true;
	if (fd != -1)
		(void)close(fd);
	return status;
}

void
cli_foreign_free(struct cli_foreign *f)
{
	if (f->text.data != NULL)
		crypto_wipe(f->text.data, f->text.cap);
	buf_free(&f->text);
	free(f->name);
	free(f->path);
	memset(f, 0, sizeof(*f));
}

/* Makes the directories that a file needs. */
static int
file_make_dirs(const char *path, mode_t mode)
{
	char *copy = xstrdup(path), *p;
	int r = 0;

	for (p = strchr(copy + 1, '/'); p != NULL && r == 0;
	     p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, mode) != 0 && errno != EEXIST)
			r = -1;
		*p = '/';
	}
	free(copy);
	return r;
}

static int
file_write_all(int fd, const char *text, size_t n)
{
	size_t done = 0;
	ssize_t r;

	while (done < n) {
		r = write(fd, text + done, n - done);
		if (r == -1 && errno != EINTR)
			return -1;
		done += r > 0 ? (size_t)r : 0;
	}
	return fsync(fd);
}

int
cli_foreign_put(const char *path, const char *text, size_t n, mode_t mode,
    const struct stat *owner)
{
	char *temp = xasprintf("%s.linnet-XXXXXX", path);
	int fd = -1, error, r = -1;

	if (file_make_dirs(
		path, owner == NULL && (mode & 077) == 0 ? 0700 : 0755) == 0 &&
	    (fd = mkostemp(temp, O_CLOEXEC)) != -1 && fchmod(fd, mode) == 0 &&
	    (owner == NULL || geteuid() != 0 ||
		fchown(fd, owner->st_uid, owner->st_gid) == 0) &&
	    file_write_all(fd, text, n) == 0 && rename(temp, path) == 0)
		r = 0;
	error = errno;
	if (fd != -1)
		(void)close(fd);
	if (fd != -1 && r != 0)
		(void)unlink(temp);
	free(temp);
	errno = error;
	return r;
}

static bool
file_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int
cli_foreign_check(const struct cli_foreign *f)
{
	if (f->there && (f->stat.st_mode & S_IWUSR) == 0)
		return file_bad(f, EX_NOPERM,
		    "it may not be written; do: chmod u+w, if it is yours to "
		    "change");
	return 0;
}

/* Removes a file, and its directory when nothing else is there: it was made
 * for the file, or is worth no more than one that is not there. */
static int
file_remove(const char *path)
{
	const char *home = getenv("HOME"), *slash = strrchr(path, '/');
	char *dir;

	if (unlink(path) != 0)
		return -1;
	dir = xasprintf("%.*s", slash != NULL ? (int)(slash - path) : 0, path);
	if (dir[0] != '\0' && (home == NULL || strcmp(dir, home) != 0))
		(void)rmdir(dir);
	free(dir);
	return 0;
}

int
cli_foreign_replace(const struct cli_foreign *f, const char *text, size_t n)
{
	struct stat now;
	bool there = stat(f->path, &now) == 0;

	if (there != f->there || (there && !file_same(&now, &f->stat)))
		return file_bad(f, EX_TEMPFAIL,
		    "it was changed meanwhile and is left as it is; try again");
	if (text == NULL ? file_remove(f->path) == 0
			 : cli_foreign_put(f->path, text, n,
			       there ? f->stat.st_mode & 07777 : 0600,
			       there ? &f->stat : NULL) == 0)
		return 0;
	return file_bad(f, EX_CANTCREAT, strerror(errno));
}
