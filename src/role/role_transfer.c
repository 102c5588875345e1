/* SPDX-License-Identifier: ISC */
/*
 * Transfers between this process and the files process, as core/file.h wants
 * them: what ipc/files.h says, on a socket that never waits.
 *
 * A callback may close its own transfer: that is freed when the callback has
 * returned.
 *
 * The files process ends what is silent.  Only where a disk does not answer at
 * all, or that process does not, nobody would: after three times as long
 * nothing is waited for any more.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "role/role.h"

#define TRANSFER_READ 65536

struct transfer {
	struct event *readable;
	struct event *writable;
	struct event *silent; /* while something is to come */
	struct role *role;
	const struct transfer_calls *calls;
	void *arg;
	enum storage_what what;
	int fd;
	bool busy;   /* a callback runs */
	bool closed; /* and ended it */
	bool answered;
	bool good;
	uint64_t left; /* bytes of a GET or LINK that are to come */
	bool last;     /* of a LIST: the entry that ends it came */
	size_t have;   /* bytes of what is read as a whole */
	union {
		struct files_answer answer;
		struct files_entry entry;
		char bytes[1];
	} in;
};

static void
transfer_free(struct transfer *t)
{
	event_free(t->readable);
	event_free(t->writable);
	event_free(t->silent);
	close(t->fd);
	free(t);
}

static void
transfer_close(struct transfer *t)
{
	if (t->busy)
		t->closed = true;
	else
		transfer_free(t);
}

static bool
transfer_is_whole(const struct transfer *t)
{
	switch (t->what) {
	case STORAGE_PUT:
	case STORAGE_DELETE:
		return t->answered;
	case STORAGE_GET:
	case STORAGE_LINK:
		return t->good && t->left == 0;
	case STORAGE_LIST:
		return t->good && t->last;
	}
	return false;
}

static void
transfer_answered(struct transfer *t)
{
	const struct files_answer *a = &t->in.answer;
	struct storage_answer out = { .error = a->status, .size = a->size };

	_Static_assert(FILES_SHA256_LEN == FILE_SHA256_LEN, "one digest");
	memcpy(out.sha256, a->sha256, sizeof(out.sha256));
	t->answered = true;
	t->good = a->status == 0;
	t->have = 0;
	/* What follows is read when it is wanted. */
	if (t->what == STORAGE_GET && t->good) {
		event_del(t->readable);
		event_del(t->silent);
	}
	if (t->what == STORAGE_LINK)
		t->left = a->size;
	t->calls->answer(t->arg, &out);
}

static void
transfer_entry(struct transfer *t)
{
	static const struct files_entry zero;
	struct storage_entry e = { .mesh = t->in.entry.mesh,
		.file = t->in.entry.file,
		.stored_ms = t->in.entry.stored_ms };

	t->have = 0;
	if (memcmp(&t->in.entry, &zero, sizeof(zero)) == 0)
		t->last = true;
	else
		t->calls->entry(t->arg, &e);
}

/* Reads one whole struct, or a part of it.  As transfer_read(). */
static ssize_t
transfer_whole(struct transfer *t)
{
	size_t size = t->answered ? sizeof(t->in.entry) : sizeof(t->in.answer);
	ssize_t n = read(t->fd, t->in.bytes + t->have, size - t->have);

	if (n <= 0)
		return n;
	t->have += (size_t)n;
	if (t->have < size)
		return n;
	if (t->answered)
		transfer_entry(t);
	else
		transfer_answered(t);
	return n;
}

static ssize_t
transfer_data(struct transfer *t)
{
	static char piece[TRANSFER_READ];
	size_t max = t->left < sizeof(piece) ? (size_t)t->left : sizeof(piece);
	/* At the end there is one more reading, for the end of the stream. */
	ssize_t n = read(t->fd, piece, max > 0 ? max : 1);

	if (n <= 0)
		return n;
	if ((size_t)n > t->left) {
		errno = EPROTO;
		return -1;
	}
	t->left -= (uint64_t)n;
	t->calls->data(t->arg, piece, (size_t)n);
	return n;
}

/* Something moved. */
static void
transfer_heard(struct transfer *t)
{
	int64_t ms = 3 * t->role->conf->files_idle_time;
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	if (event_add(t->silent, &tv) != 0)
		fatal("event_add");
}

static void
transfer_silent_cb(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;

	(void)fd;
	(void)what;
	clock_update();
	log_warn("the storage was silent for too long");
	t->busy = true;
	t->calls->ended(t->arg, false);
	t->busy = false;
	transfer_free(t);
}

static void
transfer_read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;
	bool data =
	    t->answered && (t->what == STORAGE_GET || t->what == STORAGE_LINK);
	ssize_t n;

	(void)fd;
	(void)what;
	clock_update();
	t->busy = true;
	transfer_heard(t);
	n = data ? transfer_data(t) : transfer_whole(t);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK &&
			  errno != EINTR)) {
		if (!t->closed)
			t->calls->ended(t->arg, n == 0 && transfer_is_whole(t));
		t->closed = true;
	}
	t->busy = false;
	if (t->closed)
		transfer_free(t);
}

static void
transfer_write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *t = arg;

	(void)fd;
	(void)what;
	clock_update();
	t->busy = true;
	transfer_heard(t);
	t->calls->room(t->arg);
	t->busy = false;
	if (t->closed)
		transfer_free(t);
}

static struct transfer *
transfer_begin(void *storage, const struct storage_order *o,
    const struct transfer_calls *calls, void *arg)
{
	static const uint32_t whats[] = { [STORAGE_PUT] = FILES_PUT,
		[STORAGE_GET] = FILES_GET,
		[STORAGE_DELETE] = FILES_DELETE,
		[STORAGE_LIST] = FILES_LIST,
		[STORAGE_LINK] = FILES_LINK };
	struct files_order order = { .what = whats[o->what],
		.file = o->file,
		.mesh = o->mesh,
		.member = o->member,
		.offset = o->offset,
		.length = o->length };
	struct role *r = storage;
	struct transfer *t;
	int fd;

	_Static_assert(FILES_ALL == UINT64_MAX, "whatever there is");
	order.has_sha256 = o->sha256 != NULL;
	if (o->sha256 != NULL)
		memcpy(order.sha256, o->sha256, sizeof(order.sha256));
	if ((fd = role_files(r, &order)) == -1)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->role = r;
	t->fd = fd;
	t->what = o->what;
	t->left = o->length;
	t->calls = calls;
	t->arg = arg;
	t->readable =
	    event_new(r->base, fd, EV_READ | EV_PERSIST, transfer_read_cb, t);
	t->writable = event_new(r->base, fd, EV_WRITE, transfer_write_cb, t);
	t->silent = event_new(r->base, -1, 0, transfer_silent_cb, t);
	if (t->readable == NULL || t->writable == NULL || t->silent == NULL ||
	    event_add(t->readable, NULL) != 0)
		fatal("event_add");
	transfer_heard(t);
	return t;
}

static size_t
transfer_write(struct transfer *t, const char *p, size_t n)
{
	size_t done = 0;
	ssize_t r;

	while (done < n) {
		r = send(t->fd, p + done, n - done, MSG_NOSIGNAL);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
			/* Its answer, or its end, says more. */
			return n;
		if (r == -1)
			break;
		done += (size_t)r;
		transfer_heard(t);
	}
	if (done < n && event_add(t->writable, NULL) != 0)
		fatal("event_add");
	return done;
}

static void
transfer_finish(struct transfer *t)
{
	(void)shutdown(t->fd, SHUT_WR);
	transfer_heard(t);
}

static void
transfer_want(struct transfer *t, bool on)
{
	if (!on) {
		event_del(t->readable);
		event_del(t->silent);
		return;
	}
	transfer_heard(t);
	if (event_add(t->readable, NULL) != 0)
		fatal("event_add");
}

static bool
transfer_links(void *storage)
{
	const struct conf *c = ((struct role *)storage)->conf;

	return c->files_s3_redirect && strcmp(c->files_store, "s3") == 0;
}

static const char *
transfer_kind(void *storage)
{
	const struct conf *c = ((struct role *)storage)->conf;

	return strcmp(c->files_store, "s3") == 0 ? "s3" : "local-fs";
}

static const struct storage role_storage = {
	.begin = transfer_begin,
	.write = transfer_write,
	.finish = transfer_finish,
	.want = transfer_want,
	.close = transfer_close,
	.links = transfer_links,
	.kind = transfer_kind,
};

void
role_transfers(struct role *r)
{
	r->core->storage = &role_storage;
	r->core->storage_arg = r;
}
