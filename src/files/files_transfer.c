/* SPDX-License-Identifier: ISC */
/*
 * One order.  The other end of the socket is trusted to be one of us, and not
 * to live: when it dies in the middle of a put, the end that is read looks
 * like the end of the bytes, and only the state of the socket tells the one
 * from the other.
 */
#include "config.h" /* POLLRDHUP */

#include "files/files.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

#define TRANSFER_URL_MAX 8192
#define TRANSFER_NAME_MAX 2048
#define TRANSFER_LINK_MAX_S (7 * 86400) /* S3 has no longer ones */

struct transfer {
	struct store *store;
	const struct files_order *order;
	struct store_key key;
	int fd;
	int64_t until_ms; /* by files_transfer_now() */
	bool answered;
	uint64_t left; /* bytes of a GET that are to go */
	void (*over)(void *arg);
	void *arg;
	/* LIST: entries that are not sent yet. */
	struct files_entry entries[64];
	size_t nentries;
};

/* clock_mono() is the loop's, and stands still between its turns. */
int64_t
files_transfer_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A timeout of the socket is EAGAIN. */
static int
transfer_error(void)
{
	return errno == EAGAIN ? ETIMEDOUT : errno;
}

static int
transfer_send(struct transfer *t, const void *p, size_t n)
{
	const char *s = p;
	ssize_t put;

	while (n > 0) {
		if (files_transfer_now() > t->until_ms)
			return ETIMEDOUT;
		put = send(t->fd, s, n, MSG_NOSIGNAL);
		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return transfer_error();
		s += put;
		n -= (size_t)put;
	}
	return 0;
}

static int
transfer_answer(
    struct transfer *t, int status, uint64_t size, const uint8_t *sha256)
{
	struct files_answer a = { .status = status, .size = size };

	_Static_assert(FILES_SHA256_LEN == STORE_SHA256_LEN, "SHA-256");
	if (sha256 != NULL)
		memcpy(a.sha256, sha256, sizeof(a.sha256));
	t->answered = true;
	return transfer_send(t, &a, sizeof(a));
}

/* Has the other end gone, and not only ended its bytes? */
static bool
transfer_is_gone(const struct transfer *t)
{
	struct pollfd pfd = { .fd = t->fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLHUP) != 0;
}

static ssize_t
transfer_read(void *arg, void *buf, size_t n)
{
	struct transfer *t = arg;
	ssize_t got;

	if (files_transfer_now() > t->until_ms) {
		errno = ETIMEDOUT;
		return -1;
	}
	do
		got = recv(t->fd, buf, n, 0);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		errno = transfer_error();
	if (got == 0 && transfer_is_gone(t)) {
		errno = ECONNRESET;
		return -1;
	}
	return got;
}

static int
transfer_begin(void *arg, uint64_t size)
{
	struct transfer *t = arg;
	const struct files_order *o = t->order;

	t->left = size - o->offset < o->length ? size - o->offset : o->length;
	if (t->left == 0)
		t->over(t->arg);
	return transfer_answer(t, 0, size, NULL);
}

static int
transfer_write(void *arg, const void *p, size_t n)
{
	struct transfer *t = arg;

	if (n >= t->left)
		t->over(t->arg);
	t->left -= n < t->left ? n : t->left;
	return transfer_send(t, p, n);
}

static int
transfer_put(struct transfer *t)
{
	struct store_source src = {
		.read = transfer_read,
		.arg = t,
		.length = t->order->length,
		.want = t->order->has_sha256 ? t->order->sha256 : NULL,
	};
	int error = store_put(t->store, &t->key, &src);

	t->over(t->arg);
	if (error == 0)
		error = transfer_answer(t, 0, src.size, src.sha256);
	return error;
}

static int
transfer_get(struct transfer *t)
{
	struct store_sink sink = {
		.begin = transfer_begin,
		.write = transfer_write,
		.arg = t,
	};

	return store_get(
	    t->store, &t->key, t->order->offset, t->order->length, &sink);
}

static int
transfer_delete(struct transfer *t)
{
	int error = store_delete(t->store, &t->key);

	return error == 0 ? transfer_answer(t, 0, 0, NULL) : error;
}

static int
transfer_flush(struct transfer *t)
{
	size_t n = t->nentries * sizeof(t->entries[0]);

	t->nentries = 0;
	return transfer_send(t, t->entries, n);
}

static bool
transfer_list_one(void *arg, const struct store_object *o)
{
	struct transfer *t = arg;

	t->entries[t->nentries++] = (struct files_entry){
		.mesh = o->key.mesh,
		.file = o->key.file,
		.size = o->size,
		.stored_ms = o->stored_ms,
	};
	return t->nentries < NELEM(t->entries) || transfer_flush(t) == 0;
}

/* The entry that is all zero says that it was the whole list. */
static int
transfer_list(struct transfer *t)
{
	static const struct files_entry end;
	int error = transfer_answer(t, 0, 0, NULL);

	if (error == 0)
		error = store_list(t->store, transfer_list_one, t);
	if (error == 0)
		error = transfer_flush(t);
	if (error == 0)
		error = transfer_send(t, &end, sizeof(end));
	return error;
}

/* A short text up to its end. */
static int
transfer_text(struct transfer *t, char out[TRANSFER_NAME_MAX + 1])
{
	size_t have = 0;
	ssize_t n;

	while ((n = transfer_read(
		    t, out + have, TRANSFER_NAME_MAX + 1 - have)) > 0) {
		have += (size_t)n;
		if (have > TRANSFER_NAME_MAX)
			return E2BIG;
	}
	if (n == -1)
		return errno;
	out[have] = '\0';
	return memchr(out, '\0', have) != NULL ? EINVAL : 0;
}

static int
transfer_link(struct transfer *t)
{
	uint64_t seconds = t->order->length;
	char disposition[TRANSFER_NAME_MAX + 1];
	struct buf url;
	int error;

	buf_init(&url, TRANSFER_URL_MAX);
	if ((error = transfer_text(t, disposition)) == 0 &&
	    (seconds == 0 || seconds > TRANSFER_LINK_MAX_S))
		error = EINVAL;
	if (error == 0)
		error = store_presign(
		    t->store, &t->key, (unsigned)seconds, disposition, &url);
	if (error == 0 && url.failed)
		error = E2BIG;
	if (error == 0)
		error = transfer_answer(t, 0, url.len, NULL);
	if (error == 0)
		error = transfer_send(t, url.data, url.len);
	buf_free(&url);
	return error;
}

static const struct {
	const char *name;
	int (*fn)(struct transfer *t);
} transfer_kinds[] = {
	[FILES_PUT] = { "storing", transfer_put },
	[FILES_GET] = { "reading", transfer_get },
	[FILES_DELETE] = { "deleting", transfer_delete },
	[FILES_LIST] = { "listing", transfer_list },
	[FILES_LINK] = { "linking", transfer_link },
};

/* Those that do not come from the storage are no news. */
static bool
transfer_is_usual(int error)
{
	static const int usual[] = {
		ENOENT,
		ERANGE,
		EMSGSIZE,
		EILSEQ,
		ENOTSUP,
		EINVAL,
		EPIPE,
		ECONNRESET,
		ECANCELED,
		ETIMEDOUT,
	};
	size_t i;

	for (i = 0; i < NELEM(usual); i++)
		if (usual[i] == error)
			return true;
	return false;
}

/*
 * What the other end still sends is not wanted.  It is read all the same: a
 * socket that is closed with bytes unread takes the answer with it.
 */
static void
transfer_close(int fd)
{
	char buf[4096];

	shutdown(fd, SHUT_RDWR);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		continue;
	close(fd);
}

static void
transfer_open(struct transfer *t, const struct files_limits *limits)
{
	struct timeval tv = {
		.tv_sec = (time_t)(limits->idle_ms / 1000),
		.tv_usec = (suseconds_t)(limits->idle_ms % 1000 * 1000),
	};
	int flags = fcntl(t->fd, F_GETFL);

	t->until_ms = files_transfer_now() + limits->transfer_ms;
	if (flags != -1)
		fcntl(t->fd, F_SETFL, flags & ~O_NONBLOCK);
	setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

void
files_transfer(struct store *st, const struct files_limits *limits,
    const struct files_order *o, int fd, void (*over)(void *arg), void *arg)
{
	struct transfer t = {
		.store = st,
		.order = o,
		.key = { o->mesh, o->file },
		.fd = fd,
		.over = over,
		.arg = arg,
	};
	char hex[ID_HEX_LEN + 1];
	int error;

	if (o->version != FILES_VERSION || o->what >= NELEM(transfer_kinds) ||
	    transfer_kinds[o->what].fn == NULL) {
		files_transfer_refuse(fd, EINVAL, 0);
		return;
	}
	transfer_open(&t, limits);
	error = transfer_kinds[o->what].fn(&t);
	over(arg);
	if (error != 0 && !transfer_is_usual(error))
		log_error("%s file %s: %s", transfer_kinds[o->what].name,
		    id_hex(&o->file, hex), strerror(error));
	if (error != 0 && !t.answered)
		(void)transfer_answer(&t, error, 0, NULL);
	transfer_close(fd);
}

void
files_transfer_refuse(int fd, int error, uint64_t size)
{
	struct files_answer a = { .status = error, .size = size };

	if (send(fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		log_debug("an answer was lost: %s", strerror(errno));
	transfer_close(fd);
}
