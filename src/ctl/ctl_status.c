/* SPDX-License-Identifier: ISC */
/*
 * status: what the daemon says of itself, and what the database says of all.
 * The latter only where it can be reached: that it cannot is worth knowing too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"

#define STATUS_JSON_NODES 20000
#define STATUS_JSON_DEPTH 8

static const char *
status_text(const struct json *j, size_t object, const char *key, char *out,
    size_t size)
{
	size_t i = json_get(j, object, key);
	const struct json_node *n = &j->nodes[i];

	if (i == 0 || n->type == JSON_NULL)
		return "-";
	snprintf(out, size, "%.*s", (int)n->n, n->p);
	return out;
}

static void
status_processes(const struct json *j)
{
	static const char *const keys[] = { "role", "number", "pid", "state",
		"connections", "restarts", "uptime", "database", NULL };
	char room[NELEM(keys)][64];
	const char *cells[NELEM(keys)];
	size_t list = json_get(j, 0, "processes"), i, k;
	struct ctl_table *t;

	if (list == 0)
		return;
	t = ctl_table_new(keys);
	for (i = JSON_FIRST(list); i != j->nodes[list].end;
	     i = j->nodes[i].end) {
		for (k = 0; keys[k] != NULL; k++)
			cells[k] = status_text(
			    j, i, keys[k], room[k], sizeof(room[k]));
		ctl_table_row(t, cells);
	}
	ctl_table_print(t);
}

/* Where it listens, and with what certificates. */
static void
status_listeners(const struct json *j)
{
	char name[256], ends[32];
	size_t list = json_get(j, 0, "listeners"), i;

	for (i = JSON_FIRST(list); list != 0 && i != j->nodes[list].end;
	     i = j->nodes[i].end)
		printf(
		    "listening on %.*s\n", (int)j->nodes[i].n, j->nodes[i].p);
	list = json_get(j, 0, "certificates");
	for (i = JSON_FIRST(list); list != 0 && i != j->nodes[list].end;
	     i = j->nodes[i].end)
		printf("certificate for %s expires %s\n",
		    status_text(j, i, "name", name, sizeof(name)),
		    status_text(j, i, "ends", ends, sizeof(ends)));
}

static void
status_daemon(const struct buf *reply)
{
	char version[64], pid[32], state[32], uptime[32], database[64];
	struct json j;

	json_init(&j, STATUS_JSON_NODES, STATUS_JSON_DEPTH);
	if (json_read(&j, reply->data, reply->len) != 0)
		ctl_fail(EX_PROTOCOL, "linnetd answered no JSON");
	printf("linnetd %s, %s, pid %s, up %s s, database %s\n",
	    status_text(&j, 0, "version", version, sizeof(version)),
	    status_text(&j, 0, "state", state, sizeof(state)),
	    status_text(&j, 0, "pid", pid, sizeof(pid)),
	    status_text(&j, 0, "uptime", uptime, sizeof(uptime)),
	    status_text(&j, 0, "database", database, sizeof(database)));
	status_listeners(&j);
	status_processes(&j);
	json_free(&j);
}

static const struct ctl_column status_hosts[] = {
	{ "HOST", "name", CTL_TEXT, 1 },
	{ "VERSION", "version", CTL_TEXT, 2 },
	{ "ALIVE", "alive", CTL_BOOL, 5 },
	{ "SESSIONS", "sessions", CTL_INT, 6 },
	{ "MESHES", "meshes", CTL_INT, 7 },
	{ "ID", "hostId", CTL_ID, 0 },
};

static void
status_number(void *arg, const struct db_result *r)
{
	*(int64_t *)arg = db_rows(r) > 0 ? db_int(r, 0, 0) : 0;
}

static void
status_hosts_json(void *arg, const struct db_result *r)
{
	struct json_writer *w = arg;
	size_t i;

	for (i = 0; i < db_rows(r); i++) {
		json_object(w);
		ctl_write_row(w, r, i, status_hosts, NELEM(status_hosts));
		json_object_end(w);
	}
}

/* The answer of the daemon, and behind it what the database says. */
static void
status_json(struct ctl *c, struct buf *reply)
{
	struct json_writer w;
	struct buf b;
	int64_t queued;

	if (!ctl_database_try(c)) {
		ctl_print_json(reply);
		return;
	}
	ctl_query(c, db_params(STMT_queue_depth), status_number, &queued);
	buf_init(&b, CTL_JSON_MAX);
	buf_add(&b, reply->data, reply->len - 1);
	json_start(&w, &b);
	w.comma = true;
	json_key(&w, "queued");
	json_num(&w, queued);
	json_key(&w, "hosts");
	json_array(&w);
	ctl_query(c, db_params(STMT_host_list), status_hosts_json, &w);
	json_array_end(&w);
	json_object_end(&w);
	ctl_print_json(&b);
	buf_free(reply);
}

void
ctl_status(struct ctl *c)
{
	static const char *const words[] = { "status", NULL };
	struct buf reply;
	int64_t queued;

	ctl_daemon_ask(c, words, &reply, NULL);
	if (reply.len == 0 || reply.data[reply.len - 1] != '}')
		ctl_fail(EX_PROTOCOL, "linnetd answered no JSON");
	if (c->json) {
		status_json(c, &reply);
		return;
	}
	status_daemon(&reply);
	buf_free(&reply);
	if (!ctl_database_try(c)) {
		printf("the database cannot be reached from here\n");
		return;
	}
	ctl_query(c, db_params(STMT_queue_depth), status_number, &queued);
	printf("messages that wait: %" PRId64 "\n", queued);
	ctl_print_rows(
	    c, db_params(STMT_host_list), status_hosts, NELEM(status_hosts));
}
