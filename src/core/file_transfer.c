/* SPDX-License-Identifier: ISC */
/*
 * Around the bytes of a file: may they come, are they stored, who may read
 * them, who has.  A protocol moves the bytes themselves.
 *
 * Whoever has claimed a file is the only one whose bytes are stored under its
 * id.  What is said here when it does not answer is told to the client; the
 * row is right in any case, as every step can be repeated.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"
#include "core/file.h"

/* So long a file stays after a message was read by all, who may want it once
 * more. */
#define FILE_READ_MS (10 * INT64_C(60000))
#define FILE_ATTACHED_MS (24 * INT64_C(3600000))

struct file_asking {
	file_fn *fn;
	void *arg;
	uint64_t size;
	uint8_t sha256[FILE_SHA256_LEN];
};

static struct file_asking *
file_ask(file_fn *fn, void *arg)
{
	struct file_asking *a = xcalloc(1, sizeof(*a));

	a->fn = fn;
	a->arg = arg;
	return a;
}

static void
file_answer(
    struct file_asking *a, enum err e, const char *text, struct file_info *f)
{
	if (e != ERR_NONE && text == NULL)
		text = table_errors[e].text;
	a->fn(a->arg, e, text, f);
	free(a);
}

/* An answer of the database that says nothing about the file. */
static bool
file_lost(struct file_asking *a, const struct db_result *r)
{
	if (db_status(r) == DB_OK)
		return false;
	if (db_status(r) == DB_ERROR)
		log_error("a file: the database refused it: SQLSTATE %s",
		    db_sqlstate(r));
	file_answer(a,
	    db_status(r) == DB_ERROR ? ERR_INTERNAL : ERR_UNAVAILABLE, NULL,
	    NULL);
	return true;
}

static void
file_sha256(struct file_info *f, const struct db_result *r, unsigned column)
{
	struct slice s = db_bytes(r, 0, column);

	f->has_sha256 = !db_null(r, 0, column) && s.n == sizeof(f->sha256);
	if (f->has_sha256)
		memcpy(f->sha256, s.p, s.n);
}

/* Signed or not, a link is worth what its member may do now. */
static bool
file_barred(struct file_asking *a, bool member, bool token)
{
	if (member)
		file_answer(a, ERR_FORBIDDEN,
		    "The member of this link is not in the mesh any more, or "
		    "the mesh is archived.",
		    NULL);
	else if (token)
		file_answer(a, ERR_FORBIDDEN,
		    "The token that this link was made with was revoked or has "
		    "expired; another one makes another link.",
		    NULL);
	return member || token;
}

static void
file_put_token(struct db_params *p, const struct file_link *l)
{
	if (id_is_null(&l->token))
		db_put_null(p);
	else
		db_put_id(p, &l->token);
}

static void
file_claimed(void *arg, const struct db_result *r)
{
	struct file_info f = { .size = 0 };
	struct file_asking *a = arg;
	enum file_state state;

	if (file_lost(a, r))
		return;
	if (db_rows(r) == 0) {
		file_answer(a, ERR_NOT_FOUND,
		    "There is no such file; share_file makes one.", NULL);
		return;
	}
	state = (enum file_state)db_int(r, 0, 0);
	f.size = db_int(r, 0, 2);
	file_sha256(&f, r, 3);
	if (file_barred(a, db_bool(r, 0, 1), db_bool(r, 0, 4)))
		return;
	if (state == FILE_UPLOADING)
		file_answer(a, ERR_ID_CONFLICT,
		    "This file is being uploaded already.", NULL);
	else if (state != FILE_WAITING)
		file_answer(a, ERR_ID_CONFLICT,
		    "This file has been uploaded already; files do not change, "
		    "share_file makes a new one.",
		    NULL);
	else
		file_answer(a, ERR_NONE, NULL, &f);
}

void
file_claim(struct core *c, struct file_link *l, file_fn *fn, void *arg)
{
	struct db_params *p = db_params(STMT_file_claim);

	id_new(&l->claim);
	db_put_id(p, &l->mesh);
	db_put_id(p, &l->file);
	db_put_id(p, &l->member);
	db_put_id(p, &c->host);
	db_put_id(p, &c->incarnation);
	db_put_id(p, &l->claim);
	file_put_token(p, l);
	db_query(c->reads, p, file_claimed, file_ask(fn, arg));
}

static void
file_stored(void *arg, const struct db_result *r)
{
	struct file_asking *a = arg;
	struct file_info f = { .has_sha256 = true };

	if (file_lost(a, r))
		return;
	if (db_rows(r) == 0) {
		file_answer(a, ERR_NOT_FOUND,
		    "The file was deleted while it was uploaded.", NULL);
		return;
	}
	f.name = db_text(r, 0, 0);
	f.mime = db_text(r, 0, 1);
	f.size = (int64_t)a->size;
	memcpy(f.sha256, a->sha256, sizeof(f.sha256));
	file_answer(a, ERR_NONE, NULL, &f);
}

void
file_store(struct core *c, const struct file_link *l, uint64_t size,
    const uint8_t sha256[FILE_SHA256_LEN], file_fn *fn, void *arg)
{
	struct file_asking *a = file_ask(fn, arg);
	struct db_params *p = db_params(STMT_file_store);

	a->size = size;
	memcpy(a->sha256, sha256, sizeof(a->sha256));
	db_put_id(p, &l->file);
	db_put_int(p, (int64_t)size);
	db_put_bytes(p, sha256, FILE_SHA256_LEN);
	db_put_int(p, FILE_ATTACHED_MS);
	db_put_id(p, &l->claim);
	db_query(c->reads, p, file_stored, a);
}

static void
file_found(void *arg, const struct db_result *r)
{
	struct file_asking *a = arg;
	struct file_info f = { .size = 0 };

	if (file_lost(a, r))
		return;
	/* Whom a file is not for does not learn that it is there. */
	if (db_rows(r) == 0 || !db_bool(r, 0, 5)) {
		file_answer(a, ERR_NOT_FOUND,
		    "There is no such file for you; list_files tells of those "
		    "that there are.",
		    NULL);
		return;
	}
	if (file_barred(a, db_bool(r, 0, 6), db_bool(r, 0, 9)))
		return;
	f.name = db_text(r, 0, 0);
	f.mime = db_text(r, 0, 1);
	f.size = db_int(r, 0, 2);
	file_sha256(&f, r, 3);
	f.member_name = db_text(r, 0, 8);
	file_answer(a, ERR_NONE, NULL, &f);
}

void
file_find(struct core *c, const struct file_link *l, file_fn *fn, void *arg)
{
	struct db_params *p = db_params(STMT_file_find);

	db_put_id(p, &l->mesh);
	db_put_id(p, &l->file);
	db_put_id(p, &l->member);
	file_put_token(p, l);
	db_query(c->reads, p, file_found, file_ask(fn, arg));
}

void
file_accessed(
    struct core *c, const struct file_link *l, struct slice member_name)
{
	struct db_params *p = db_params(STMT_file_accessed);

	db_put_id(p, &l->file);
	db_put_id(p, &l->member);
	db_put_text(p, member_name.p, member_name.n);
	db_put_int(p, FILE_READ_MS);
	db_query(c->reads, p, NULL, NULL);
}

enum err
file_storage_error(int error, const char **text)
{
	switch (error) {
	case ENOENT:
		*text = "The storage has lost this file.";
		return ERR_NOT_FOUND;
	case EMSGSIZE:
		*text = "Other than the bytes that were announced came.";
		return ERR_MALFORMED;
	case EILSEQ:
		*text = "The bytes that came have another SHA-256 than the one "
			"announced; send them again.";
		return ERR_MALFORMED;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		*text = "The storage is full; ask the operator for more.";
		return ERR_QUOTA;
	case EBUSY:
		*text = "An earlier upload of this file is still being given "
			"up; try again in a moment.";
		return ERR_UNAVAILABLE;
	case EUSERS:
		*text = "This member has as many files on their way as it may; "
			"wait for one of them to end.";
		return ERR_QUOTA;
	case EAGAIN:
		*text = "Too many files are on their way; try again later.";
		return ERR_OVERLOADED;
	default:
		*text = "The storage does not answer; try again later.";
		return ERR_UNAVAILABLE;
	}
}
