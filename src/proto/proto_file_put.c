/* SPDX-License-Identifier: ISC */
/*
 * Uploads: a file is claimed, its bytes go to the storage as it takes them, and
 * when it has them all the row says so.  Whoever breaks off gives the claim
 * back.
 */
#include <string.h>

#include "proto/proto_file.h"

static void
put_deleted_answer(void *arg, const struct storage_answer *a)
{
	(void)arg;
	(void)a;
}

static void
put_deleted_ended(void *arg, bool whole)
{
	(void)arg;
	(void)whole;
}

static const struct transfer_calls put_delete_calls = {
	.answer = put_deleted_answer,
	.ended = put_deleted_ended,
};

static void
put_stored(void *arg, enum err e, const char *text, const struct file_info *f)
{
	struct file_work *w = arg;
	const struct core *c = w->core;
	struct storage_order o = { .what = STORAGE_DELETE,
		.mesh = w->link.mesh,
		.file = w->link.file };
	char sha256[2 * FILE_SHA256_LEN + 1], hex[ID_HEX_LEN + 1];
	struct json_writer j;

	w->waits--;
	/* Where the database did not answer, it may have to hear that it is
	 * not claimed any more. */
	if (e == ERR_NONE || e == ERR_NOT_FOUND)
		w->claimed = false;
	if (e == ERR_NONE)
		core_count(w->core, FILES_STORED);
	if (e == ERR_NOT_FOUND)
		(void)c->storage->begin(
		    c->storage_arg, &o, &put_delete_calls, NULL);
	if (e != ERR_NONE) {
		file_work_fail(w, e, text);
		return;
	}
	if (w->peer != NULL) {
		crypto_hex(sha256, f->sha256, sizeof(f->sha256));
		buf_clear(&w->proto->out);
		json_start(&j, &w->proto->out);
		json_object(&j);
		json_key(&j, "ok");
		json_bool(&j, true);
		json_key(&j, "fileId");
		json_str(&j, id_hex(&w->link.file, hex));
		json_key(&j, "name");
		json_strn(&j, f->name.p, f->name.n);
		json_key(&j, "size");
		json_num(&j, f->size);
		json_key(&j, "sha256");
		json_str(&j, sha256);
		json_object_end(&j);
		file_work_reply(w, 201, "");
	}
	file_work_free(w);
}

static void
put_answer(void *arg, const struct storage_answer *a)
{
	struct file_work *w = arg;

	if (a->error != 0) {
		file_work_refused(w, a);
		return;
	}
	w->waits++;
	file_store(w->core, &w->link, a->size, a->sha256, put_stored, w);
}

static void
put_ended(void *arg, bool whole)
{
	struct file_work *w = arg;

	w->transfer = NULL;
	if (w->waits == 0 && !whole)
		file_work_fail(w, ERR_UNAVAILABLE,
		    "The storage broke off; send the file again.");
	else
		file_work_free(w);
}

static void
put_room(void *arg)
{
	struct file_work *w = arg;

	if (w->peer != NULL)
		conn_body(w->peer->conn, true);
}

static const struct transfer_calls put_calls = {
	.answer = put_answer,
	.room = put_room,
	.ended = put_ended,
};

static void
put_finish(struct file_work *w)
{
	w->finished = true;
	w->core->storage->finish(w->transfer);
}

static void
put_claimed(void *arg, enum err e, const char *text, const struct file_info *f)
{
	struct file_work *w = arg;
	struct storage_order o = { .what = STORAGE_PUT,
		.mesh = w->link.mesh,
		.file = w->link.file,
		.member = w->link.member,
		.length = w->length };

	w->waits--;
	/* No answer is not a no. */
	if (e != ERR_NONE && e != ERR_UNAVAILABLE && e != ERR_INTERNAL)
		w->claimed = false;
	if (w->peer == NULL) {
		file_work_close(w);
		file_work_free(w);
		return;
	}
	if (e != ERR_NONE) {
		file_work_fail(w, e, text);
		return;
	}
	w->max = (uint64_t)f->size;
	w->has_sha256 = f->has_sha256;
	memcpy(w->sha256, f->sha256, sizeof(w->sha256));
	if (w->length != UINT64_MAX && w->length > w->max) {
		file_work_fail(w, ERR_TOO_BIG,
		    "There are more bytes than share_file was told, or than a "
		    "file of this mesh may have.");
		return;
	}
	if (w->has_sha256)
		o.sha256 = w->sha256;
	if (!file_work_begin(w, &o, &put_calls))
		return;
	if (w->length == 0)
		put_finish(w);
	else
		conn_body(w->peer->conn, true);
}

void
file_put_claim(struct file_work *w)
{
	w->waits++;
	w->claimed = true;
	file_claim(w->core, &w->link, put_claimed, w);
}

size_t
file_put_body(struct file_work *w, const char *p, size_t n)
{
	/* It was refused meanwhile: nobody wants these bytes. */
	if (w == NULL || w->transfer == NULL || w->finished)
		return n;
	if (n == 0) {
		put_finish(w);
		return 0;
	}
	if (n > w->max - w->done) {
		file_work_fail(w, ERR_TOO_BIG,
		    "There are more bytes than share_file was told, or than a "
		    "file of this mesh may have.");
		return n;
	}
	n = w->core->storage->write(w->transfer, p, n);
	w->done += n;
	w->core->counters[METRIC_FILE_BYTES_UP] += n;
	return n;
}
