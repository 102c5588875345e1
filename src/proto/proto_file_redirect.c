/* SPDX-License-Identifier: ISC */
/*
 * Downloads that go around the daemon: the storage signs a link to the file,
 * and the answer leads there.  Who has it counts as a reader of the file: more
 * is not heard of it.
 */
#include <stdio.h>
#include <string.h>

#include "proto/proto_file.h"

static void
redirect_answer(void *arg, const struct storage_answer *a)
{
	if (a->error != 0)
		file_work_refused(arg, a);
}

static void
redirect_data(void *arg, const char *p, size_t n)
{
	buf_add(&((struct file_work *)arg)->url, p, n);
}

/* What a header cannot hold would be no link of ours. */
static bool
redirect_is_good(const struct file_work *w)
{
	size_t i;

	for (i = 0; i < w->url.len; i++)
		if (w->url.data[i] <= ' ' || w->url.data[i] > '~')
			return false;
	return i > 0 && !w->url.failed;
}

static void
redirect_ended(void *arg, bool whole)
{
	struct file_work *w = arg;
	struct buf b;

	w->transfer = NULL;
	if (w->peer == NULL || !whole || !redirect_is_good(w)) {
		file_work_fail(w, ERR_UNAVAILABLE,
		    "The storage does not answer; try again later.");
		return;
	}
	core_count(w->core, FILES_LINKED);
	file_accessed(w->core, &w->link, w->member_name);
	buf_init(&b, w->url.len + HTTP_CORS_MAX + 128);
	buf_addf(&b,
	    "%sLocation: %s\r\nCache-Control: no-store\r\n"
	    "Referrer-Policy: no-referrer\r\n",
	    w->cors, buf_str(&w->url));
	conn_reply(w->peer->conn, 307, NULL, buf_str(&b), NULL, 0);
	buf_free(&b);
	file_work_leave(w);
	file_work_free(w);
}

static const struct transfer_calls redirect_calls = {
	.answer = redirect_answer,
	.data = redirect_data,
	.ended = redirect_ended,
};

void
file_redirect(struct file_work *w)
{
	struct storage_order o = { .what = STORAGE_LINK,
		.mesh = w->link.mesh,
		.file = w->link.file,
		.member = w->link.member,
		.length = FILE_DOWNLOAD_S };
	const struct core *c = w->core;
	struct buf name;

	if (!file_work_begin(w, &o, &redirect_calls))
		return;
	buf_init(&name, 4096);
	file_get_disposition(&name, w->name);
	/* A socket takes that much at once. */
	(void)c->storage->write(w->transfer, name.data, name.len);
	c->storage->finish(w->transfer);
	buf_free(&name);
}
