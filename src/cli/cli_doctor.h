/* SPDX-License-Identifier: ISC */
/*
 * cli_doctor: what has to be right, in the order in which one thing needs the
 * other.
 */
#ifndef CLI_CLI_DOCTOR_H
#define CLI_CLI_DOCTOR_H

#include "cli/cli.h"

struct doctor {
	struct cli *c;
	struct cli_table table;
	struct json_writer w; /* --json */
	int status;	      /* of the first that failed */
};

enum verdict {
	DOCTOR_OK,
	DOCTOR_WARN,
	DOCTOR_FAIL,
};

/* A row.  mesh: its slug, or "" for all; status: the exit status when it is a
 * failure. */
void cli_doctor_say(struct doctor *d, const char *mesh, const char *what,
    enum verdict verdict, int status, const char *text);

/*
 * cli_doctor_mesh.c: the links between here and a mesh, by using them.
 */
void cli_doctor_mesh(struct doctor *d, const struct cli_mesh *m);

#endif
