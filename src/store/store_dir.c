/* SPDX-License-Identifier: ISC */
/*
 * A directory as a store.  An object is written to tmp, synced, and renamed to
 * its place, and then the directories above it are synced: when put returns 0
 * no crash undoes it, and before that nobody sees it.
 *
 * The names are made of ids alone.  A file in tmp is locked by who writes it;
 * one that nobody holds was left by a process that died.  Directories that
 * became empty are removed, so that whoever puts something makes them again
 * when the rename does not find them.
 */
#include "config.h" /* O_DIRECTORY */

#include "store/store.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIR_TMP "tmp"
#define DIR_NOTE "note."
/* "tmp/", an id, a dot and as much chance again. */
#define DIR_TEMP_LEN (sizeof(DIR_TMP) + ID_HEX_LEN + 1 + 16)
#define DIR_TRIES 16

struct store_dir {
	struct store store; /* first */
	int root;
};

/* Where an object is. */
struct dir_path {
	char mesh[ID_HEX_LEN + 1];
	char half[ID_HEX_LEN + 1 + 2 + 1];
	char file[ID_HEX_LEN + 1 + 2 + 1 + ID_HEX_LEN + 1];
};

static void
dir_path(const struct store_key *key, struct dir_path *p)
{
	char file[ID_HEX_LEN + 1];

	id_hex(&key->mesh, p->mesh);
	id_hex(&key->file, file);
	/* An id begins with the time; its end is chance. */
	snprintf(
	    p->half, sizeof(p->half), "%s/%s", p->mesh, file + ID_HEX_LEN - 2);
	snprintf(p->file, sizeof(p->file), "%s/%s", p->half, file);
}

/* 0 or an errno. */
static int
dir_sync(const struct store_dir *d, const char *path)
{
	int fd = openat(d->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd == -1)
		return errno;
	if (fsync(fd) == -1)
		error = errno;
	close(fd);
	return error;
}

/* A new file in tmp, locked.  -1 and errno. */
static int
dir_temp(
    const struct store_dir *d, const struct id *id, char name[DIR_TEMP_LEN + 1])
{
	char hex[ID_HEX_LEN + 1], chance[17];
	uint8_t bytes[8];
	struct stat st;
	int fd, i;

	for (i = 0; i < DIR_TRIES; i++) {
		crypto_random_bytes(bytes, sizeof(bytes));
		crypto_hex(chance, bytes, sizeof(bytes));
		snprintf(name, DIR_TEMP_LEN + 1, DIR_TMP "/%s.%s",
		    id_hex(id, hex), chance);
		fd = openat(d->root, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1)
			return -1;
		/* A sweep may have come between the two. */
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
		    st.st_nlink == 1)
			return fd;
		close(fd);
	}
	errno = EAGAIN;
	return -1;
}

/* 0 or an errno. */
static int
dir_write(int fd, const char *p, size_t n)
{
	ssize_t put;

	while (n > 0) {
		put = write(fd, p, n);
		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return errno;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static int
dir_fill(struct store_source *src, int fd)
{
	char *buf = alloc_try(STORE_PIECE);
	ssize_t n = 0;
	int error = 0;

	if (buf == NULL)
		return ENOMEM;
	while (error == 0 && (n = store_read(src, buf, STORE_PIECE)) > 0)
		error = dir_write(fd, buf, (size_t)n);
	free(buf);
	if (n == -1)
		return src->error;
	if (error == 0 && fsync(fd) == -1)
		error = errno;
	return error;
}

/* Gives the file in tmp its place. */
static int
dir_place(
    const struct store_dir *d, const char *temp, const struct dir_path *path)
{
	int error = ENOENT, i;

	for (i = 0; error == ENOENT && i < DIR_TRIES; i++) {
		if ((mkdirat(d->root, path->mesh, 0700) == -1 &&
			errno != EEXIST) ||
		    (mkdirat(d->root, path->half, 0700) == -1 &&
			errno != EEXIST && errno != ENOENT))
			return errno;
		error = renameat(d->root, temp, d->root, path->file) == -1
			    ? errno
			    : 0;
	}
	if (error != 0)
		return error;
	error = dir_sync(d, path->half);
	if (error == 0)
		error = dir_sync(d, path->mesh);
	if (error == 0)
		error = dir_sync(d, ".");
	if (error != 0)
		unlinkat(d->root, path->file, 0);
	return error;
}

static int
dir_put(struct store *st, const struct store_key *key, struct store_source *src)
{
	struct store_dir *d = (struct store_dir *)st;
	char temp[DIR_TEMP_LEN + 1];
	struct dir_path path;
	int fd, error;

	if ((fd = dir_temp(d, &key->file, temp)) == -1)
		return errno;
	dir_path(key, &path);
	error = dir_fill(src, fd);
	if (error == 0)
		error = dir_place(d, temp, &path);
	if (error != 0)
		unlinkat(d->root, temp, 0);
	close(fd);
	return error;
}

/* As many bytes as were asked for, from where the descriptor stands. */
static int
dir_send(int fd, uint64_t left, struct store_sink *sink)
{
	char *buf = alloc_try(STORE_PIECE);
	int error = 0;
	ssize_t n;

	if (buf == NULL)
		return ENOMEM;
	while (left > 0 && error == 0) {
		n = read(fd, buf, left < STORE_PIECE ? left : STORE_PIECE);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			error = n == 0 ? EIO : errno;
			break;
		}
		left -= (uint64_t)n;
		error = sink->write(sink->arg, buf, (size_t)n);
	}
	free(buf);
	return error;
}

static int
dir_get(struct store *st, const struct store_key *key, uint64_t offset,
    uint64_t length, struct store_sink *sink)
{
	struct store_dir *d = (struct store_dir *)st;
	struct dir_path path;
	uint64_t size, left;
	struct stat info;
	int fd, error;

	dir_path(key, &path);
	fd = openat(d->root, path.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return errno;
	error = fstat(fd, &info) == -1 ? errno : 0;
	size = error == 0 ? (uint64_t)info.st_size : 0;
	if (error == 0 && offset > size)
		error = ERANGE;
	if (error == 0 && lseek(fd, (off_t)offset, SEEK_SET) == -1)
		error = errno;
	if (error == 0)
		error = sink->begin(sink->arg, size);
	left = size - offset;
	if (error == 0)
		error = dir_send(fd, length < left ? length : left, sink);
	close(fd);
	return error;
}

static int
dir_remove(struct store *st, const struct store_key *key)
{
	struct store_dir *d = (struct store_dir *)st;
	struct dir_path path;

	dir_path(key, &path);
	if (unlinkat(d->root, path.file, 0) == -1)
		return errno == ENOENT ? 0 : errno;
	/* They stay while there is something in them. */
	if (unlinkat(d->root, path.half, AT_REMOVEDIR) == 0)
		unlinkat(d->root, path.mesh, AT_REMOVEDIR);
	return 0;
}

/* NULL and errno. */
static DIR *
dir_open(const struct store_dir *d, const char *path)
{
	int fd = openat(
	    d->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir;

	if (fd == -1)
		return NULL;
	if ((dir = fdopendir(fd)) == NULL)
		close(fd);
	return dir;
}

struct dir_list {
	store_list_fn *fn;
	void *arg;
	struct store_object o;
};

/* Those of one half directory; one that went meanwhile has none. */
static int
dir_list_half(
    const struct store_dir *d, const char *path, struct dir_list *list)
{
	DIR *dir = dir_open(d, path);
	struct dirent *e;
	struct stat info;
	int error = 0;

	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
	while (error == 0 && (errno = 0, e = readdir(dir)) != NULL) {
		if (id_parse(&list->o.key.file, e->d_name, strlen(e->d_name)) ==
			-1 ||
		    fstatat(dirfd(dir), e->d_name, &info,
			AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(info.st_mode))
			continue;
		list->o.size = (uint64_t)info.st_size;
		list->o.stored_ms = (int64_t)info.st_mtim.tv_sec * 1000 +
				    info.st_mtim.tv_nsec / 1000000;
		if (!list->fn(list->arg, &list->o))
			error = ECANCELED;
	}
	if (error == 0)
		error = errno;
	closedir(dir);
	return error;
}

static int
dir_list_mesh(
    const struct store_dir *d, const char *mesh, struct dir_list *list)
{
	DIR *dir = dir_open(d, mesh);
	char path[ID_HEX_LEN + 1 + 2 + 1];
	struct dirent *e;
	int error = 0;

	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
	while (error == 0 && (errno = 0, e = readdir(dir)) != NULL) {
		if (strlen(e->d_name) != 2 || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%.2s", mesh, e->d_name);
		error = dir_list_half(d, path, list);
		errno = 0;
	}
	if (error == 0)
		error = errno;
	closedir(dir);
	return error;
}

static int
dir_list(struct store *st, store_list_fn *fn, void *arg)
{
	struct store_dir *d = (struct store_dir *)st;
	struct dir_list list = { .fn = fn, .arg = arg };
	DIR *dir = dir_open(d, ".");
	struct dirent *e;
	int error = 0;

	if (dir == NULL)
		return errno;
	while (error == 0 && (errno = 0, e = readdir(dir)) != NULL) {
		if (id_parse(&list.o.key.mesh, e->d_name, strlen(e->d_name)) ==
		    -1)
			continue;
		error = dir_list_mesh(d, e->d_name, &list);
		errno = 0;
	}
	if (error == 0)
		error = errno;
	closedir(dir);
	return error;
}

static int
dir_sweep(struct store *st)
{
	struct store_dir *d = (struct store_dir *)st;
	DIR *dir = dir_open(d, DIR_TMP);
	struct dirent *e;
	int fd;

	if (dir == NULL)
		return errno;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || str_starts(e->d_name, DIR_NOTE))
			continue;
		fd = openat(
		    dirfd(dir), e->d_name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd == -1)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(dir), e->d_name, 0);
		close(fd);
	}
	closedir(dir);
	return 0;
}

int
store_dir_spool(struct store *st)
{
	struct store_dir *d = (struct store_dir *)st;
	char name[DIR_TEMP_LEN + 1];
	struct id id;
	int fd, again;

	crypto_random_bytes(&id, sizeof(id));
	if ((fd = dir_temp(d, &id, name)) == -1)
		return -1;
	again = openat(d->root, name, O_RDWR | O_CLOEXEC);
	unlinkat(d->root, name, 0);
	close(fd);
	return again;
}

int
store_dir_note(
    struct store *st, const char *text, char name[STORE_NOTE_LEN + 1])
{
	struct store_dir *d = (struct store_dir *)st;
	char chance[17];
	uint8_t bytes[8];
	int fd;

	crypto_random_bytes(bytes, sizeof(bytes));
	crypto_hex(chance, bytes, sizeof(bytes));
	snprintf(name, STORE_NOTE_LEN + 1, DIR_TMP "/" DIR_NOTE "%s", chance);
	fd = openat(
	    d->root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	/* Whoever reads it before it is locked finds half of it, and lets it
	 * be. */
	if (flock(fd, LOCK_EX) == 0 && dir_write(fd, text, strlen(text)) == 0)
		return fd;
	unlinkat(d->root, name, 0);
	close(fd);
	return -1;
}

void
store_dir_forget(struct store *st, int fd, const char *name)
{
	unlinkat(((struct store_dir *)st)->root, name, 0);
	close(fd);
}

void
store_dir_notes(struct store *st, store_note_fn *fn, void *arg)
{
	struct store_dir *d = (struct store_dir *)st;
	DIR *dir = dir_open(d, DIR_TMP);
	char text[STORE_NOTE_MAX + 1];
	struct dirent *e;
	ssize_t n;
	int fd;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (!str_starts(e->d_name, DIR_NOTE))
			continue;
		fd = openat(
		    dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd == -1)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    (n = read(fd, text, STORE_NOTE_MAX)) > 0) {
			text[n] = '\0';
			if (fn(arg, text))
				unlinkat(dirfd(dir), e->d_name, 0);
		}
		close(fd);
	}
	if (dir != NULL)
		closedir(dir);
}

static void
dir_free(struct store *st)
{
	close(((struct store_dir *)st)->root);
	free(st);
}

struct store *
store_dir_open(const char *path)
{
	struct store_dir *d;
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root == -1)
		return NULL;
	/* A directory that cannot be written can still be read. */
	if (mkdirat(root, DIR_TMP, 0700) == -1 && errno != EEXIST &&
	    errno != EROFS && errno != EACCES) {
		close(root);
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	d->root = root;
	d->store = (struct store){
		.put = dir_put,
		.get = dir_get,
		.remove = dir_remove,
		.list = dir_list,
		.sweep = dir_sweep,
		.free = dir_free,
	};
	return &d->store;
}
