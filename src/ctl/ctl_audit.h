/* SPDX-License-Identifier: ISC */
/*
 * What the commands of linnetctl audit share.
 */
#ifndef CTL_CTL_AUDIT_H
#define CTL_CTL_AUDIT_H

#include "ctl/ctl.h"

#define AUDIT_FORMAT "linnet-audit"
#define AUDIT_FORMAT_VERSION 1

/* Whose checkpoints count here. */
struct ctl_audit_keys {
	struct audit_keys keys;
	uint8_t (*v)[CRYPTO_KEY_LEN];
};

/*
 * ctl_audit.c
 */
/* Those of --key, or none: false. */
bool ctl_audit_given(const struct ctl *c, struct ctl_audit_keys *k);
/* What was found of one mesh, or of one in a file.  at: the line of the file,
 * 0: of none. */
struct ctl_verdict {
	const struct audit *audit;
	const char *slug;
	size_t at;
	bool anybody; /* nobody said whose checkpoints count */
};
/* Begins what tells of verdicts, adds one, ends; the last returns the status
 * of the program: 0, or EX_DATAERR. */
struct ctl_verdicts {
	struct ctl *c;
	struct json_writer w;
	struct buf b;
	bool bad;
};
void ctl_verdicts_begin(struct ctl_verdicts *v, struct ctl *c);
void ctl_verdicts_add(struct ctl_verdicts *v, const struct ctl_verdict *one);
int ctl_verdicts_end(struct ctl_verdicts *v);
/* All meshes, or the one that is named. */
typedef void ctl_audit_fn(struct ctl *c, const struct ctl_mesh *m, void *arg);
void ctl_audit_each(
    struct ctl *c, const char *slug, ctl_audit_fn *fn, void *arg);

/*
 * ctl_audit_export.c
 */
/* The last line of a mesh in an export, of which there is just one that fits:
 * so that a changed byte shows.  Who means to change one can make this too. */
void ctl_audit_end(struct json_writer *w, const struct id *mesh,
    int64_t checkpoints, struct crypto_sha256 *sum);

/*
 * ctl_audit_file.c: verifies an export, without a database.
 */
void ctl_audit_file(struct ctl *c, const char *path);

#endif
