/* SPDX-License-Identifier: ISC */
/*
 * Jobs beside the loop: one thread, which is made when the first one comes,
 * does one after the other.  What is done comes back to the loop by an eventfd.
 * The list is the thread's and the loop's, under the lock; a job is the
 * thread's between both.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "role/role.h"

/* Whoever comes when so many wait had better try again. */
#define BESIDE_WAITING 64
#define BESIDE_STACK (512 * 1024)

STAILQ_HEAD(beside_jobs, core_job);

struct role_beside {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct beside_jobs waiting;
	struct beside_jobs done;
	unsigned nwaiting;
	bool stop;
	bool runs;
	pthread_t thread;
	int fd;
	struct event *event;
};

static void
beside_wake(const struct role_beside *b)
{
	const uint64_t one = 1;

	if (write(b->fd, &one, sizeof(one)) != sizeof(one))
		fatal("eventfd");
}

static void *
beside_run(void *arg)
{
	struct role_beside *b = arg;
	struct core_job *job;

	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		if ((job = STAILQ_FIRST(&b->waiting)) == NULL) {
			pthread_cond_wait(&b->more, &b->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&b->waiting, entry);
		b->nwaiting--;
		pthread_mutex_unlock(&b->lock);
		job->work(job);
		pthread_mutex_lock(&b->lock);
		STAILQ_INSERT_TAIL(&b->done, job, entry);
		beside_wake(b);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void
beside_finish(struct role_beside *b)
{
	struct beside_jobs done = STAILQ_HEAD_INITIALIZER(done);
	struct core_job *job;

	pthread_mutex_lock(&b->lock);
	STAILQ_CONCAT(&done, &b->done);
	pthread_mutex_unlock(&b->lock);
	while ((job = STAILQ_FIRST(&done)) != NULL) {
		STAILQ_REMOVE_HEAD(&done, entry);
		job->done(job);
	}
}

static void
beside_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	clock_update();
	if (read((int)fd, &n, sizeof(n)) == sizeof(n))
		beside_finish(arg);
}

static void
beside_start(struct role_beside *b)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, BESIDE_STACK);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	error = pthread_create(&b->thread, &attr, beside_run, b);
	if (error != 0)
		fatalx("a thread: %s", strerror(error));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	b->runs = true;
}

static bool
beside_take(void *arg, struct core_job *job)
{
	struct role_beside *b = arg;
	bool room;

	if (!b->runs)
		beside_start(b);
	pthread_mutex_lock(&b->lock);
	room = b->nwaiting < BESIDE_WAITING;
	if (room) {
		STAILQ_INSERT_TAIL(&b->waiting, job, entry);
		b->nwaiting++;
		pthread_cond_signal(&b->more);
	}
	pthread_mutex_unlock(&b->lock);
	return room;
}

struct role_beside *
role_beside_open(struct role *r)
{
	struct role_beside *b = xcalloc(1, sizeof(*b));

	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->more, NULL);
	STAILQ_INIT(&b->waiting);
	STAILQ_INIT(&b->done);
	b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->fd == -1)
		fatal("eventfd");
	b->event =
	    event_new(r->base, b->fd, EV_READ | EV_PERSIST, beside_cb, b);
	if (b->event == NULL || event_add(b->event, NULL) != 0)
		fatal("event_add");
	r->core->beside = beside_take;
	r->core->beside_arg = b;
	return b;
}

void
role_beside_close(struct role_beside *b)
{
	struct core_job *job;

	if (b->runs) {
		pthread_mutex_lock(&b->lock);
		b->stop = true;
		pthread_cond_signal(&b->more);
		pthread_mutex_unlock(&b->lock);
		pthread_join(b->thread, NULL);
	}
	/* Nobody waits for them any more; what they hold is freed. */
	while ((job = STAILQ_FIRST(&b->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->waiting, entry);
		STAILQ_INSERT_TAIL(&b->done, job, entry);
	}
	beside_finish(b);
	event_free(b->event);
	(void)close(b->fd);
	pthread_cond_destroy(&b->more);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
