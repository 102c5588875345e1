/* SPDX-License-Identifier: ISC */
/*
 * Threads, and the orders that wait for one.  A thread does one order at a
 * time and may wait in it; the loop never does.  Everything of a pool is under
 * its lock; a transfer under way is known to the pool, so that it can be shut
 * down, and so that those of a member, and of a file, can be counted: two that
 * put the same file could each have the last word.
 */
#include "files/files.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

#define POOL_WAITING 1024
#define POOL_STACK (512 * 1024)

struct pool_job {
	STAILQ_ENTRY(pool_job) entry;
	struct files_order order;
	int fd;	   /* -1: a sweep */
	bool over; /* as far as the next one is concerned */
	int64_t since_ms;
};

struct pool_thread {
	struct files_pool *pool;
	pthread_t id;
	struct pool_job *job; /* NULL: it has none */
};

struct files_pool {
	struct store *store;
	struct files_limits limits;
	pthread_mutex_t lock;
	pthread_cond_t more;
	STAILQ_HEAD(, pool_job) jobs;
	unsigned waiting;
	bool stop;
	struct pool_thread *threads;
	unsigned nthreads;
};

static void
pool_over(void *arg)
{
	struct pool_thread *t = arg;

	pthread_mutex_lock(&t->pool->lock);
	t->job->over = true;
	pthread_mutex_unlock(&t->pool->lock);
}

static void
pool_do(struct pool_thread *t, const struct pool_job *job)
{
	struct files_pool *p = t->pool;
	int error;

	if (job->fd != -1) {
		files_transfer(
		    p->store, &p->limits, &job->order, job->fd, pool_over, t);
		return;
	}
	error = store_sweep(p->store);
	if (error != 0 && error != ECANCELED)
		log_warn(
		    "looking for what is left of uploads: %s", strerror(error));
}

static void *
pool_run(void *arg)
{
	struct pool_thread *t = arg;
	struct files_pool *p = t->pool;
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if ((job = STAILQ_FIRST(&p->jobs)) == NULL) {
			pthread_cond_wait(&p->more, &p->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&p->jobs, entry);
		p->waiting--;
		t->job = job;
		pthread_mutex_unlock(&p->lock);
		pool_do(t, job);
		pthread_mutex_lock(&p->lock);
		t->job = NULL;
		free(job);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct files_pool *
files_pool_new(
    struct store *st, const struct files_limits *limits, unsigned threads)
{
	struct files_pool *p = xcalloc(1, sizeof(*p));
	pthread_attr_t attr;
	sigset_t all, old;
	int error;

	p->store = st;
	p->limits = *limits;
	p->threads = xcalloc(threads, sizeof(*p->threads));
	STAILQ_INIT(&p->jobs);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, POOL_STACK);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (; p->nthreads < threads; p->nthreads++) {
		struct pool_thread *t = &p->threads[p->nthreads];

		t->pool = p;
		error = pthread_create(&t->id, &attr, pool_run, t);
		if (error != 0)
			fatalx("a thread: %s", strerror(error));
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return p;
}

/* What speaks against another order, under the lock: an errno, or 0. */
static int
pool_refuse(const struct files_pool *p, const struct files_order *o)
{
	const struct pool_job *job = STAILQ_FIRST(&p->jobs);
	unsigned i, same = 0;

	if (p->stop || p->waiting == POOL_WAITING)
		return EAGAIN;
	if (o == NULL || (o->what != FILES_PUT && o->what != FILES_GET))
		return 0;
	/* Those under way, and then those that wait. */
	for (i = 0; i < p->nthreads || job != NULL;) {
		const struct pool_job *j = job;

		if (i < p->nthreads)
			j = p->threads[i++].job;
		else
			job = STAILQ_NEXT(job, entry);
		if (j == NULL || j->fd == -1 || j->over)
			continue;
		if (o->what == FILES_PUT && j->order.what == FILES_PUT &&
		    id_same(&j->order.file, &o->file))
			return EBUSY;
		same += id_same(&j->order.member, &o->member);
	}
	return !id_is_null(&o->member) && p->limits.member > 0 &&
		       same >= p->limits.member
		   ? EUSERS
		   : 0;
}

bool
files_pool_add(struct files_pool *p, const struct files_order *o, int fd)
{
	struct pool_job *job;
	uint64_t limit;
	bool waits;
	int error;

	pthread_mutex_lock(&p->lock);
	limit = p->limits.member;
	if ((error = pool_refuse(p, o)) == 0) {
		job = xcalloc(1, sizeof(*job));
		if (o != NULL)
			job->order = *o;
		job->fd = fd;
		job->since_ms = files_transfer_now();
		STAILQ_INSERT_TAIL(&p->jobs, job, entry);
		p->waiting++;
		pthread_cond_signal(&p->more);
	}
	waits = p->waiting > 0;
	pthread_mutex_unlock(&p->lock);
	if (error != 0 && fd != -1)
		files_transfer_refuse(fd, error, error == EUSERS ? limit : 0);
	return waits;
}

bool
files_pool_expire(struct files_pool *p)
{
	int64_t before = files_transfer_now() - 2 * p->limits.idle_ms;
	struct pool_job *job;
	bool waits;

	pthread_mutex_lock(&p->lock);
	while (
	    (job = STAILQ_FIRST(&p->jobs)) != NULL && job->since_ms < before) {
		STAILQ_REMOVE_HEAD(&p->jobs, entry);
		p->waiting--;
		if (job->fd != -1)
			files_transfer_refuse(job->fd, EAGAIN, 0);
		free(job);
	}
	waits = p->waiting > 0;
	pthread_mutex_unlock(&p->lock);
	return waits;
}

void
files_pool_set_member(struct files_pool *p, unsigned member)
{
	pthread_mutex_lock(&p->lock);
	p->limits.member = member;
	pthread_mutex_unlock(&p->lock);
}

void
files_pool_free(struct files_pool *p)
{
	struct pool_job *job;
	unsigned i;

	pthread_mutex_lock(&p->lock);
	p->stop = true;
	/* A descriptor that is closed just now may be another transfer's by
	 * then, which ends as well. */
	for (i = 0; i < p->nthreads; i++)
		if (p->threads[i].job != NULL && p->threads[i].job->fd != -1)
			shutdown(p->threads[i].job->fd, SHUT_RDWR);
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->nthreads; i++)
		pthread_join(p->threads[i].id, NULL);
	while ((job = STAILQ_FIRST(&p->jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->jobs, entry);
		if (job->fd != -1)
			files_transfer_refuse(job->fd, EAGAIN, 0);
		free(job);
	}
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}
