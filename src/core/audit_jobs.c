/* SPDX-License-Identifier: ISC */
/*
 * Checkpoints by the clock: of each mesh where something happened since the
 * last one, one mesh after the other.  What is signed is what follows from the
 * last checkpoint; where it does not, nothing is signed, and the log says so.
 *
 * Several hosts may do this at once: a checkpoint of the same line is as good.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

#define AUDIT_JOB_SLICE 2000

struct audit_job {
	struct core *core;
	struct id mesh; /* the last that was looked at */
	struct audit audit;
	struct audit_checkpoint checkpoint;
};

static void job_due(struct audit_job *j);

static void
job_end(struct audit_job *j)
{
	j->core->audit_job = NULL;
	free(j);
}

static void
job_put(void *arg, const struct db_result *res)
{
	struct audit_job *j = arg;
	const struct audit_checkpoint *k = &j->checkpoint;
	char mesh[ID_HEX_LEN + 1], hash[2 * CRYPTO_SHA256_LEN + 1];

	if (db_status(res) != DB_OK) {
		job_end(j);
		return;
	}
	if (db_rows(res) > 0) {
		id_hex(&k->mesh, mesh);
		crypto_hex(hash, k->hash, sizeof(k->hash));
		log_info("checkpoint of the journal of mesh %s: line %" PRId64
			 ", hash %s",
		    mesh, k->n, hash);
	}
	job_due(j);
}

static void
job_sign(struct audit_job *j)
{
	struct core *c = j->core;
	struct audit_checkpoint *k = &j->checkpoint;

	*k = (struct audit_checkpoint){
		.mesh = j->mesh, .n = j->audit.n, .at_ms = clock_wall()
	};
	memcpy(k->hash, j->audit.hash, sizeof(k->hash));
	audit_sign(k, c->audit_seed);
	db_query(c->reads, audit_checkpoint_put(k), job_put, j);
}

static void job_next(struct audit_job *j);

static void
job_step(void *arg, const struct db_result *res)
{
	struct audit_job *j = arg;

	if (db_status(res) != DB_OK) {
		job_end(j);
		return;
	}
	audit_take(&j->audit, res);
	job_next(j);
}

static void
job_next(struct audit_job *j)
{
	struct db_params *p = audit_next(&j->audit);
	char mesh[ID_HEX_LEN + 1];

	if (p != NULL) {
		db_query(j->core->reads, p, job_step, j);
		return;
	}
	if (!audit_is_valid(&j->audit))
		log_error("the journal of mesh %s is not what it was: %s; no "
			  "checkpoint is made of it",
		    id_hex(&j->mesh, mesh), j->audit.problem);
	if (audit_is_valid(&j->audit) && j->audit.n > 0)
		job_sign(j);
	else
		job_due(j);
}

static void
job_found(void *arg, const struct db_result *res)
{
	struct audit_job *j = arg;

	if (db_status(res) != DB_OK || db_rows(res) == 0) {
		job_end(j);
		return;
	}
	db_id(res, 0, 0, &j->mesh);
	audit_begin(
	    &j->audit, &j->mesh, &j->core->audit_keys, AUDIT_JOB_SLICE, true);
	job_next(j);
}

/* The next mesh. */
static void
job_due(struct audit_job *j)
{
	struct db_params *p = db_params(STMT_audit_due);

	db_put_id(p, &j->mesh);
	db_put_int(p, j->core->limits.audit_ms);
	db_query(j->core->reads, p, job_found, j);
}

void
audit_jobs_look(struct core *c)
{
	struct audit_job *j;

	/* The last time is not over yet. */
	if (c->audit_job != NULL)
		return;
	j = xcalloc(1, sizeof(*j));
	j->core = c;
	c->audit_job = j;
	job_due(j);
}
