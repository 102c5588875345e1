/* SPDX-License-Identifier: ISC */
/*
 * Links to files: /v1/files/ID/NAME?mesh=ID&member=ID&until=SECONDS&sig=HEX,
 * with token=ID where a token made it.  The signature is a keyed digest of all
 * but the name, which only people need.
 *
 * The key is made from that of tokens, so that a link of one host is good on
 * all that share it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"

void
file_link_open(struct core *c, const uint8_t key[CRYPTO_KEY_LEN])
{
	static const char use[] = "linnet links to files";

	_Static_assert(
	    CRYPTO_KEY_LEN == CRYPTO_DIGEST_LEN, "a digest is a key");
	crypto_digest(c->file_key, use, sizeof(use), key);
}

static void
link_sign(
    const struct core *c, const struct file_link *l, char sig[FILE_SIG_HEX + 1])
{
	char mesh[ID_HEX_LEN + 1], file[ID_HEX_LEN + 1], member[ID_HEX_LEN + 1];
	uint8_t digest[CRYPTO_DIGEST_LEN];
	char token[ID_HEX_LEN + 1], text[5 * ID_HEX_LEN + 64];
	int n;

	n = snprintf(text, sizeof(text), "%s %s %s %s %s %" PRId64,
	    l->upload ? "put" : "get", id_hex(&l->mesh, mesh),
	    id_hex(&l->file, file), id_hex(&l->member, member),
	    id_hex(&l->token, token), l->until_s);
	crypto_digest(digest, text, (size_t)n, c->file_key);
	crypto_hex(sig, digest, sizeof(digest));
}

/* A name as a part of a path (RFC 3986 3.3).  Dots alone would be another
 * path. */
static void
link_name(struct buf *b, struct slice name)
{
	bool dots = true;
	size_t i;
	char ch;

	for (i = 0; i < name.n; i++)
		dots = dots && name.p[i] == '.';
	for (i = 0; i < name.n && !dots; i++) {
		ch = name.p[i];
		if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		    (ch >= '0' && ch <= '9') || strchr("-._~", ch) != NULL)
			buf_addc(b, ch);
		else if (ch == '/' || ch == '\\' || (uint8_t)ch < ' ' ||
			 ch == 0x7f)
			buf_addc(b, '_');
		else
			buf_addf(b, "%%%02X", (uint8_t)ch);
	}
}

struct slice
file_link_make(struct pool *pool, const struct core *c,
    const struct file_link *l, struct slice name)
{
	char mesh[ID_HEX_LEN + 1], file[ID_HEX_LEN + 1], member[ID_HEX_LEN + 1];
	char sig[FILE_SIG_HEX + 1];
	struct slice out;
	struct buf b;

	link_sign(c, l, sig);
	buf_init(&b, 8192);
	buf_addf(&b, FILE_PATH "%s/", id_hex(&l->file, file));
	link_name(&b, name);
	buf_addf(&b, "?mesh=%s&member=%s", id_hex(&l->mesh, mesh),
	    id_hex(&l->member, member));
	if (!id_is_null(&l->token))
		buf_addf(&b, "&token=%s", id_hex(&l->token, file));
	buf_addf(&b, "&until=%" PRId64 "&sig=%s", l->until_s, sig);
	out = (struct slice){ pool_strndup(pool, b.data, b.len), b.len };
	buf_free(&b);
	return out;
}

int
file_link_path(struct slice path, struct id *file)
{
	const size_t n = sizeof(FILE_PATH) - 1;

	if (path.n < n + ID_HEX_LEN || memcmp(path.p, FILE_PATH, n) != 0 ||
	    id_parse(file, path.p + n, ID_HEX_LEN) != 0)
		return -1;
	path.p += n + ID_HEX_LEN;
	path.n -= n + ID_HEX_LEN;
	return path.n == 0 || path.p[0] == '/' ? 0 : -1;
}

enum err
file_link_check(
    const struct core *c, const struct file_link *l, const char *sig, size_t n)
{
	char want[FILE_SIG_HEX + 1];

	link_sign(c, l, want);
	if (n != FILE_SIG_HEX || !crypto_same(sig, want, FILE_SIG_HEX))
		return ERR_UNAUTHORIZED;
	return clock_wall() / 1000 > l->until_s ? ERR_EXPIRED : ERR_NONE;
}
