/* SPDX-License-Identifier: ISC */
/*
 * Traces for linnetctl: what core tells of becomes a line of JSON, one message
 * on the socket of each trace that wants it.
 *
 * Nobody waits for who reads: what does not fit the socket is dropped, counted,
 * and said before the next record that fits.  Without a trace core has nobody
 * to tell; so a trace whose reader is gone must be noticed, also when nothing
 * passes.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "role/role.h"
#include "worker/worker.h"

#define TRACES_MAX 4 /* as the master's */
#define TRACE_LINE_MAX 8192

static struct worker_trace {
	int fd;
	struct ipc_trace what;
	uint64_t dropped;
} traces[TRACES_MAX];
static size_t ntraces;

static bool
trace_wants(const struct ipc_trace *what, const struct trace *t)
{
	const struct session_info *s = t->session;
	char hex[ID_HEX_LEN + 1];

	if (what->type[0] != '\0' && strcmp(what->type, t->type) != 0)
		return false;
	if (id_is_null(&what->mesh) && what->session[0] == '\0')
		return true;
	if (s == NULL)
		return false;
	if (!id_is_null(&what->mesh) && !id_same(&what->mesh, &s->mesh))
		return false;
	return what->session[0] == '\0' ||
	       strcmp(what->session, id_hex(&s->id, hex)) == 0 ||
	       (strlen(what->session) == s->name.n &&
		   memcmp(what->session, s->name.p, s->name.n) == 0);
}

static void
trace_text(struct json_writer *w, const char *key, struct slice s)
{
	json_key(w, key);
	if (s.n > 0)
		json_strn(w, s.p, s.n);
	else
		json_null(w);
}

static void
trace_write(struct buf *b, const struct role *r, const struct trace *t)
{
	static const char *const whats[] = { "request", "push", "end" };
	const struct session_info *s = t->session;
	struct json_writer w;

	json_start(&w, b);
	json_object(&w);
	json_key(&w, "at");
	json_time(&w, clock_wall());
	json_key(&w, "worker");
	json_num(&w, r->start.config.number);
	json_key(&w, "meshId");
	s != NULL ? json_id(&w, &s->mesh) : json_null(&w);
	json_key(&w, "sessionId");
	s != NULL ? json_id(&w, &s->id) : json_null(&w);
	trace_text(
	    &w, "session", s != NULL ? s->name : (struct slice){ NULL, 0 });
	json_key(&w, "what");
	json_str(&w, whats[t->what]);
	json_key(&w, "type");
	json_str(&w, t->type);
	trace_text(&w, "sender", t->sender);
	trace_text(&w, "target", t->target);
	json_key(&w, "targets");
	json_num(&w, (int64_t)t->targets);
	json_key(&w, "bytes");
	json_num(&w, (int64_t)t->size);
	json_key(&w, "result");
	json_str(
	    &w, t->result == ERR_NONE ? "ok" : table_errors[t->result].name);
	json_key(&w, "ms");
	json_num(&w, t->took_ms);
	json_key(&w, "messageId");
	id_is_null(&t->message) ? json_null(&w) : json_id(&w, &t->message);
	json_object_end(&w);
}

/* False: nobody reads any more. */
static bool
trace_send(struct worker_trace *tr, const char *p, size_t n)
{
	if (send(tr->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EMSGSIZE &&
	    errno != ENOBUFS)
		return false;
	tr->dropped++;
	return true;
}

/* Says what was dropped; false: nobody reads any more. */
static bool
trace_own_up(struct worker_trace *tr, const struct role *r)
{
	uint64_t dropped = tr->dropped;
	struct json_writer w;
	struct buf b;
	bool there;

	if (dropped == 0)
		return true;
	buf_init(&b, TRACE_LINE_MAX);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "worker");
	json_num(&w, r->start.config.number);
	json_key(&w, "dropped");
	json_num(&w, (int64_t)dropped);
	json_object_end(&w);
	tr->dropped = 0;
	there = trace_send(tr, b.data, b.len);
	if (tr->dropped > 0)
		tr->dropped = dropped;
	buf_free(&b);
	return there;
}

static void
trace_end_of(struct core *c, size_t i)
{
	close(traces[i].fd);
	traces[i] = traces[--ntraces];
	if (ntraces == 0)
		c->trace = NULL;
}

static void
trace_told(void *arg, const struct trace *t)
{
	const struct role *r = arg;
	struct buf b;
	size_t i = ntraces;

	buf_init(&b, TRACE_LINE_MAX);
	while (i-- > 0) {
		struct worker_trace *tr = &traces[i];

		if (!trace_wants(&tr->what, t))
			continue;
		if (b.len == 0)
			trace_write(&b, r, t);
		if (b.failed)
			tr->dropped++;
		else if (!trace_own_up(tr, r) || !trace_send(tr, b.data, b.len))
			trace_end_of(r->core, i);
	}
	buf_free(&b);
}

void
worker_trace(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct role *r = arg;

	(void)p;
	if (ntraces == TRACES_MAX)
		return;
	traces[ntraces] = (struct worker_trace){ .fd = m->fds[0] };
	memcpy(&traces[ntraces].what, m->payload, sizeof(traces[ntraces].what));
	ntraces++;
	m->fds[0] = -1;
	r->core->trace = trace_told;
}

void
worker_trace_tick(struct role *r)
{
	size_t i = ntraces;
	char byte;

	while (i-- > 0)
		if (recv(traces[i].fd, &byte, 1, MSG_DONTWAIT) == 0 ||
		    !trace_own_up(&traces[i], r))
			trace_end_of(r->core, i);
}
