/* SPDX-License-Identifier: ISC */
/*
 * Threads, and the orders that wait for one.  A thread does one order at a
 * time and may wait in it; the loop never does.  Everything of a pool is under
 * its lock; a transfer under way is known by its descriptor, so that it can be
 * shut down.
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
	int fd; /* -1: a sweep */
};

struct pool_thread {
	struct files_pool *pool;
	pthread_t id;
	int fd; /* of its transfer; -1: it has none */
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
pool_do(struct files_pool *p, const struct pool_job *job)
{
	int error;

	if (job->fd != -1) {
		files_transfer(p->store, &p->limits, &job->order, job->fd);
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
		t->fd = job->fd;
		pthread_mutex_unlock(&p->lock);
		pool_do(p, job);
		free(job);
		pthread_mutex_lock(&p->lock);
		t->fd = -1;
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
		t->fd = -1;
		error = pthread_create(&t->id, &attr, pool_run, t);
		if (error != 0)
			fatalx("a thread: %s", strerror(error));
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return p;
}

void
files_pool_add(struct files_pool *p, const struct files_order *o, int fd)
{
	struct pool_job *job = NULL;

	pthread_mutex_lock(&p->lock);
	if (!p->stop && p->waiting < POOL_WAITING) {
		job = xcalloc(1, sizeof(*job));
		if (o != NULL)
			job->order = *o;
		job->fd = fd;
		STAILQ_INSERT_TAIL(&p->jobs, job, entry);
		p->waiting++;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	if (job == NULL && fd != -1)
		files_transfer_refuse(fd, EAGAIN);
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
		if (p->threads[i].fd != -1)
			shutdown(p->threads[i].fd, SHUT_RDWR);
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->nthreads; i++)
		pthread_join(p->threads[i].id, NULL);
	while ((job = STAILQ_FIRST(&p->jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->jobs, entry);
		if (job->fd != -1)
			files_transfer_refuse(job->fd, EAGAIN);
		free(job);
	}
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}
