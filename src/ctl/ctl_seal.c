/* SPDX-License-Identifier: ISC */
/*
 * The owner's secret key of a mesh, which signs invites.  It is kept in the
 * database, sealed with a key that is a file in state_dir, so that neither is
 * worth anything without the other; or only the owner has it (mesh create
 * --show-key).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/ctl.h"

/* Makes the sealing key as a new file; false when there is one already. */
static bool
seal_key_make(const char *path, uint8_t secret[CRYPTO_SECRET_LEN])
{
	uint8_t pub[CRYPTO_KEY_LEN];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		if (errno == EEXIST)
			return false;
		ctl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	}
	crypto_new_pair(pub, secret);
	if (write(fd, secret, CRYPTO_SECRET_LEN) != CRYPTO_SECRET_LEN ||
	    fsync(fd) != 0 || close(fd) != 0)
		ctl_fail(EX_IOERR, "%s: %s", path, strerror(errno));
	return true;
}

static void
seal_key(struct ctl *c, uint8_t secret[CRYPTO_SECRET_LEN])
{
	char *path = xasprintf("%s/seal.key", c->conf->state_dir);
	struct stat st;
	int fd;

	if (!seal_key_make(path, secret)) {
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			ctl_fail(EX_NOPERM, "%s: %s", path, strerror(errno));
		if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0)
			ctl_fail(EX_CONFIG,
			    "%s can be read by others; chmod 600 it", path);
		if (read(fd, secret, CRYPTO_SECRET_LEN) != CRYPTO_SECRET_LEN)
			ctl_fail(EX_DATAERR, "%s is no sealing key", path);
		close(fd);
	}
	free(path);
}

/* The public half stands behind the seed. */
static const uint8_t *
seal_public(const uint8_t secret[CRYPTO_SECRET_LEN])
{
	return secret + CRYPTO_SECRET_LEN - CRYPTO_KEY_LEN;
}

void
ctl_seal(
    struct ctl *c, const struct ctl_mesh *m, uint8_t sealed[CTL_SEALED_LEN])
{
	uint8_t key[CRYPTO_SECRET_LEN];

	seal_key(c, key);
	if (crypto_seal(sealed + CRYPTO_NONCE_LEN, sealed, m->secret,
		CRYPTO_SECRET_LEN, seal_public(key), key) != 0)
		ctl_fail(EX_SOFTWARE, "the owner's key could not be sealed");
	crypto_wipe(key, sizeof(key));
}

void
ctl_unseal(struct ctl *c, struct ctl_mesh *m, struct slice sealed)
{
	uint8_t key[CRYPTO_SECRET_LEN];

	if (sealed.n != CTL_SEALED_LEN)
		return;
	seal_key(c, key);
	if (crypto_open(m->secret, (const uint8_t *)sealed.p,
		sealed.p + CRYPTO_NONCE_LEN, sealed.n - CRYPTO_NONCE_LEN,
		seal_public(key), key) != 0)
		ctl_fail(EX_NOPERM,
		    "%s/seal.key is not the key with which this mesh's owner "
		    "key was sealed; give the owner's key with --owner-key",
		    c->conf->state_dir);
	crypto_wipe(key, sizeof(key));
	m->has_secret = true;
}
