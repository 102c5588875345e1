/* SPDX-License-Identifier: ISC */
/*
 * Files with secrets: where they are, whether only those can read them who
 * should, and the key under which tokens are stored.
 *
 * linnetd and linnetctl may both be the first to need that key: whoever links
 * its new file to the name has made it, the other takes what is there.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_PLATFORM_MIN 32
#define SECRET_PLATFORM_MAX 4096
#define SECRET_CREDENTIAL "credential:"
#define SECRET_KEY_HEX (2 * CRYPTO_KEY_LEN)

char *
conf_secret_path(const char *word, char **error)
{
	const char *dir;

	if (!str_starts(word, SECRET_CREDENTIAL))
		return xstrdup(word);
	dir = getenv("CREDENTIALS_DIRECTORY");
	if (dir == NULL || dir[0] != '/') {
		*error = xasprintf("%s: there is no CREDENTIALS_DIRECTORY; "
				   "LoadCredential= of the service makes one",
		    word);
		return NULL;
	}
	return xasprintf("%s/%s", dir, word + sizeof(SECRET_CREDENTIAL) - 1);
}

/* Root may let a group read, as Debian's ssl-cert does; nobody else may let
 * anybody. */
static const char *
secret_refuse_mode(const struct stat *st)
{
	if ((st->st_mode & S_IRWXO) != 0)
		return "everybody can use it; chmod o= it, and make a new key "
		       "if it was so for long";
	if ((st->st_mode & S_IRWXG) != 0 &&
	    (st->st_uid != 0 || (st->st_mode & S_IWGRP) != 0))
		return "its group can use it; chmod g= it (a group may read "
		       "only what root owns)";
	return NULL;
}

int
conf_secret_read(
    const char *path, bool secret, size_t max, struct buf *out, char **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *wrong = NULL;
	struct stat st;
	ssize_t n = 0;
	char *to;

	if (fd == -1 || fstat(fd, &st) == -1)
		wrong = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		wrong = "it is no file";
	else if (secret)
		wrong = secret_refuse_mode(&st);
	if (wrong == NULL && (to = buf_reserve(out, max + 1)) != NULL &&
	    (n = read(fd, to, max + 1)) == -1)
		wrong = strerror(errno);
	if (fd != -1)
		close(fd);
	if (wrong != NULL) {
		*error = xasprintf("%s: %s", path, wrong);
		return -1;
	}
	if ((size_t)n > max) {
		*error = max % 1024 == 0
			     ? xasprintf("%s: it is longer than %zu KiB", path,
				   max / 1024)
			     : xasprintf("%s: it is longer than %zu bytes",
				   path, max);
		return -1;
	}
	out->len += (size_t)n;
	return 0;
}

/* Who owns the directory owns what is in it, also when root made it. */
static int
secret_write_key(int fd, const char *dir)
{
	uint8_t key[CRYPTO_KEY_LEN];
	char hex[SECRET_KEY_HEX + 1];
	struct stat st;
	bool good;

	crypto_random_bytes(key, sizeof(key));
	crypto_hex(hex, key, sizeof(key));
	crypto_wipe(key, sizeof(key));
	hex[SECRET_KEY_HEX] = '\n';
	good = write(fd, hex, sizeof(hex)) == (ssize_t)sizeof(hex) &&
	       stat(dir, &st) == 0 &&
	       (geteuid() != 0 || fchown(fd, st.st_uid, st.st_gid) == 0) &&
	       fsync(fd) == 0;
	crypto_wipe(hex, sizeof(hex));
	return good ? 0 : -1;
}

/* False and errno; it is fine when somebody else was first. */
static bool
secret_make_key(const char *dir, const char *path)
{
	char *fresh = xasprintf("%s.%d", path, (int)getpid());
	int fd, why;
	bool good;

	/* One that a crash left: no other process has our number. */
	unlink(fresh);
	fd = open(
	    fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	good = fd != -1 && secret_write_key(fd, dir) == 0 &&
	       (link(fresh, path) == 0 || errno == EEXIST);
	why = errno;
	if (fd != -1) {
		close(fd);
		unlink(fresh);
	}
	free(fresh);
	errno = why;
	return good;
}

static int
secret_read_key(const char *path, uint8_t key[CRYPTO_KEY_LEN], char **error)
{
	struct buf b;
	size_t n;
	int r;

	/* One digit more than is right, and a line end of either kind. */
	buf_init(&b, SECRET_KEY_HEX + 4);
	if (buf_reserve(&b, SECRET_KEY_HEX + 4) == NULL)
		fatalx("no memory for a key");
	r = conf_secret_read(path, true, SECRET_KEY_HEX + 2, &b, error);
	n = b.len;
	while (n > 0 && (b.data[n - 1] == '\n' || b.data[n - 1] == '\r'))
		n--;
	if (r == 0 && crypto_unhex(key, CRYPTO_KEY_LEN, b.data, n) != 0) {
		*error = xasprintf(
		    "%s: it is no key of 64 hex digits; openssl rand -hex 32 "
		    "makes one",
		    path);
		r = -1;
	}
	crypto_wipe(b.data, b.cap);
	buf_free(&b);
	return r;
}

/* As a header can carry it. */
static bool
secret_is_word(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f)
			return false;
	return true;
}

/* What an option names, or a file of state_dir. */
static int
secret_key(const struct conf *c, const char *word, const char *file,
    uint8_t key[CRYPTO_KEY_LEN], char **error)
{
	char *path;
	int r = -1;

	if (word[0] != '\0') {
		path = conf_secret_path(word, error);
		if (path != NULL)
			r = secret_read_key(path, key, error);
		free(path);
		return r;
	}
	path = xasprintf("%s/%s", c->state_dir, file);
	if (access(path, F_OK) == -1 && errno == ENOENT &&
	    !secret_make_key(c->state_dir, path))
		*error = xasprintf("%s: %s", path, strerror(errno));
	else
		r = secret_read_key(path, key, error);
	free(path);
	return r;
}

int
conf_token_key(const struct conf *c, uint8_t key[CRYPTO_KEY_LEN], char **error)
{
	return secret_key(c, c->token_key, "token.key", key, error);
}

int
conf_audit_key(const struct conf *c, uint8_t seed[CRYPTO_KEY_LEN], char **error)
{
	return secret_key(c, c->audit_key, "audit.key", seed, error);
}

bool
conf_audit_trust(const struct conf *c, size_t i, uint8_t key[CRYPTO_KEY_LEN])
{
	const char *hex = c->audit_trust.v[i];

	return crypto_unhex(key, CRYPTO_KEY_LEN, hex, strlen(hex)) == 0;
}

static int
secret_digest(const char *path, const uint8_t key[CRYPTO_KEY_LEN],
    uint8_t digest[CRYPTO_DIGEST_LEN], char **error)
{
	struct buf b;
	size_t n;
	int r;

	/* The room at once: no copy of a secret stays behind. */
	buf_init(&b, SECRET_PLATFORM_MAX + 2);
	if (buf_reserve(&b, SECRET_PLATFORM_MAX + 2) == NULL)
		fatalx("no memory for a key");
	r = conf_secret_read(path, true, SECRET_PLATFORM_MAX, &b, error);
	n = b.len;
	while (n > 0 && (b.data[n - 1] == '\n' || b.data[n - 1] == '\r'))
		n--;
	if (r == 0 && (n < SECRET_PLATFORM_MIN || !secret_is_word(b.data, n))) {
		*error = xasprintf(
		    "%s: it is not one line of at least %d characters without "
		    "a space; openssl rand -hex 32 makes one",
		    path, SECRET_PLATFORM_MIN);
		r = -1;
	}
	if (r == 0)
		crypto_digest(digest, b.data, n, key);
	crypto_wipe(b.data, b.cap);
	buf_free(&b);
	return r;
}

int
conf_platform_digest(const struct conf *c, const uint8_t key[CRYPTO_KEY_LEN],
    uint8_t digest[CRYPTO_DIGEST_LEN], char **error)
{
	char *path;
	int r;

	memset(digest, 0, CRYPTO_DIGEST_LEN);
	if (c->platform_key_file[0] == '\0')
		return 0;
	if ((path = conf_secret_path(c->platform_key_file, error)) == NULL)
		return -1;
	r = secret_digest(path, key, digest, error);
	free(path);
	return r;
}
