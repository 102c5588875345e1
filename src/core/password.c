/* SPDX-License-Identifier: ISC */
/*
 * Passwords: argon2id takes its time on purpose, so it is done beside the loop.
 * Whether there is somebody with the name or not, an answer takes as long.
 */
#include <stdlib.h>
#include <string.h>

#include "core/people.h"

#define PASSWORD_BUSY \
	"Too many passwords are being looked at; try again in a second."

struct password_job {
	struct core_job job;
	struct request *request;
	struct slice password;
	char stored[CRYPTO_PASSWORD_LEN];
	bool there; /* something is stored */
	bool checks;
	int result; /* -1: there was no memory */
	password_fn *fn;
};

/* In a thread of its own: nothing but the job is touched. */
static void
password_work(struct core_job *job)
{
	struct password_job *p = CONTAINER(job, struct password_job, job);

	if (p->checks && p->there)
		p->result =
		    crypto_password_is(p->stored, p->password.p, p->password.n);
	else
		p->result =
		    crypto_password(p->stored, p->password.p, p->password.n);
}

static void
password_done(struct core_job *job)
{
	struct password_job *p = CONTAINER(job, struct password_job, job);

	if (p->result == -1)
		op_fail(p->request, ERR_OVERLOADED, PASSWORD_BUSY);
	else
		p->fn(p->request, p->result == 1, p->stored);
	crypto_wipe(p, sizeof(*p));
	free(p);
}

static void
password_begin(struct password_job *p)
{
	struct core *c = p->request->core;

	p->job.work = password_work;
	p->job.done = password_done;
	if (c->beside == NULL) {
		password_work(&p->job);
		password_done(&p->job);
	} else if (!c->beside(c->beside_arg, &p->job)) {
		p->request->error_retry_ms = 1000;
		op_fail(p->request, ERR_OVERLOADED, PASSWORD_BUSY);
		crypto_wipe(p, sizeof(*p));
		free(p);
	}
}

static struct password_job *
password_new(struct request *r, struct slice password, password_fn *fn)
{
	struct password_job *p = xcalloc(1, sizeof(*p));

	p->request = r;
	p->password = password;
	p->fn = fn;
	return p;
}

void
password_check(struct request *r, const char *stored, struct slice password,
    password_fn *fn)
{
	struct password_job *p = password_new(r, password, fn);

	p->checks = true;
	p->there = stored != NULL;
	if (p->there)
		str_copy(p->stored, stored, sizeof(p->stored));
	password_begin(p);
}

void
password_make(struct request *r, struct slice password, password_fn *fn)
{
	password_begin(password_new(r, password, fn));
}
