/* SPDX-License-Identifier: ISC */
/*
 * What all stores have in common: bytes are counted and hashed on their way
 * in, and a put that did not get what it was promised fails before the store
 * learns that the bytes have ended.
 */
#include "store/store.h"

#include <errno.h>
#include <openssl/evp.h>

/* All bytes came: are they the right ones? */
static int
store_end(struct store_source *src)
{
	if (EVP_DigestFinal_ex(src->sha, src->sha256, NULL) != 1)
		fatalx("SHA-256");
	src->ended = true;
	if (src->want == NULL ||
	    crypto_same(src->want, src->sha256, STORE_SHA256_LEN))
		return 0;
	src->error = EILSEQ;
	return -1;
}

/* An end that must come here: nothing may follow what was promised. */
static int
store_read_end(struct store_source *src)
{
	ssize_t n;
	char more;

	n = src->read(src->arg, &more, 1);
	if (n == 0)
		return store_end(src);
	src->error = n > 0 ? EMSGSIZE : errno;
	return -1;
}

ssize_t
store_read(struct store_source *src, void *buf, size_t n)
{
	ssize_t got;

	if (src->error != 0)
		return -1;
	if (src->ended)
		return 0;
	if ((got = src->read(src->arg, buf, n)) == -1) {
		src->error = errno;
		return -1;
	}
	src->size += (uint64_t)got;
	if (src->length != STORE_ALL &&
	    (src->size > src->length ||
		(got == 0 && src->size < src->length))) {
		src->error = EMSGSIZE;
		return -1;
	}
	if (got == 0)
		return store_end(src);
	if (EVP_DigestUpdate(src->sha, buf, (size_t)got) != 1)
		fatalx("SHA-256");
	if (src->size == src->length && store_read_end(src) == -1)
		return -1;
	return got;
}

bool
store_is_stopped(const struct store *st)
{
	return __atomic_load_n(&st->stopped, __ATOMIC_RELAXED);
}

int
store_put(
    struct store *st, const struct store_key *key, struct store_source *src)
{
	int error;

	src->size = 0;
	src->ended = false;
	src->error = 0;
	if (store_is_stopped(st))
		return ECANCELED;
	if ((src->sha = EVP_MD_CTX_new()) == NULL)
		return ENOMEM;
	if (EVP_DigestInit_ex(src->sha, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256");
	error = st->put(st, key, src);
	EVP_MD_CTX_free(src->sha);
	src->sha = NULL;
	return src->error != 0 ? src->error : error;
}

int
store_get(struct store *st, const struct store_key *key, uint64_t offset,
    uint64_t length, struct store_sink *sink)
{
	return store_is_stopped(st) ? ECANCELED
				    : st->get(st, key, offset, length, sink);
}

int
store_delete(struct store *st, const struct store_key *key)
{
	return store_is_stopped(st) ? ECANCELED : st->remove(st, key);
}

int
store_list(struct store *st, store_list_fn *fn, void *arg)
{
	return store_is_stopped(st) ? ECANCELED : st->list(st, fn, arg);
}

int
store_sweep(struct store *st)
{
	return store_is_stopped(st) ? ECANCELED : st->sweep(st);
}

int
store_presign(struct store *st, const struct store_key *key, unsigned seconds,
    const char *disposition, struct buf *out)
{
	return st->presign == NULL
		   ? ENOTSUP
		   : st->presign(st, key, seconds, disposition, out);
}

void
store_stop(struct store *st)
{
	__atomic_store_n(&st->stopped, true, __ATOMIC_RELAXED);
}

void
store_free(struct store *st)
{
	if (st != NULL)
		st->free(st);
}
