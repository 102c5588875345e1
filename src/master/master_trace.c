/* SPDX-License-Identifier: ISC */
/*
 * Traces of what passes: linnetctl reads from one end of a socket, the workers
 * write to the other one, and the master does not stand between.  It keeps
 * that end too, for workers that start later, and to see when linnetctl is
 * gone.  Workers that find nobody reading forget it by themselves.
 */
#include "config.h"

#include "master/master.h"

#include <sys/queue.h>

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACES_MAX 4

struct master_trace {
	LIST_ENTRY(master_trace) entry;
	struct master *m;
	struct ipc_trace what;
	int fd;
	struct event *gone;
};

static void
trace_free(struct master_trace *t)
{
	LIST_REMOVE(t, entry);
	t->m->ntraces--;
	event_free(t->gone);
	close(t->fd);
	free(t);
}

/* Nobody writes to our end: it is readable when the other one was closed. */
static void
trace_gone_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	trace_free(arg);
}

static void
trace_send(const struct master_trace *t, struct ipc_peer *p)
{
	if (ipc_send(p, IPC_TRACE, &t->what, NULL, 0, &t->fd, 1) == -1)
		log_warn("a worker does not trace: %s", strerror(errno));
}

const char *
master_trace_begin(struct master *m, const struct ipc_trace *what, int *reader)
{
	struct master_trace *t;
	unsigned i;
	int fds[2];

	if (m->ntraces == TRACES_MAX)
		return "several traces run already; end one of them";
	if (ipc_pair(fds) == -1)
		return strerror(errno);
	t = xcalloc(1, sizeof(*t));
	t->m = m;
	t->what = *what;
	t->fd = fds[1];
	t->gone = event_new(m->base, t->fd, EV_READ, trace_gone_cb, t);
	if (t->gone == NULL || event_add(t->gone, NULL) == -1)
		fatalx("no event for a trace");
	LIST_INSERT_HEAD(&m->traces, t, entry);
	m->ntraces++;
	for (i = 0; i < m->nchildren; i++)
		if ((m->children[i].role->may & MASTER_NET) != 0 &&
		    m->children[i].peer != NULL)
			trace_send(t, m->children[i].peer);
	*reader = fds[0];
	return NULL;
}

void
master_trace_send(const struct master *m, struct ipc_peer *p)
{
	const struct master_trace *t;

	LIST_FOREACH (t, &m->traces, entry)
		trace_send(t, p);
}

void
master_trace_close(struct master *m)
{
	struct master_trace *t;

	while ((t = LIST_FIRST(&m->traces)) != NULL)
		trace_free(t);
}
