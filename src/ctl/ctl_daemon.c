/* SPDX-License-Identifier: ISC */
/*
 * Commands for the running daemon, through its control socket.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"
#include "ipc/ipc.h"

#define DAEMON_WAIT_MS 10000
#define DAEMON_JSON_NODES 20000

/* Asks; -1 and errno when nobody answers. */
static int
daemon_ask(struct ctl *c, const char *word, struct buf *reply)
{
	const char *const words[] = { word, NULL };
	char *path = xasprintf("%s/control.sock", c->conf->state_dir);
	uint32_t status;
	int rc, saved;

	buf_init(reply, IPC_CTL_REPLY_MAX);
	rc = ipc_ctl_call(path, words, DAEMON_WAIT_MS, &status, reply);
	saved = errno;
	free(path);
	if (rc == 0 && status != 0)
		ctl_fail((int)status, "%s", buf_str(reply));
	errno = saved;
	return rc;
}

static void
daemon_must_ask(struct ctl *c, const char *word, struct buf *reply)
{
	if (daemon_ask(c, word, reply) == 0)
		return;
	if (errno == ENOENT || errno == ECONNREFUSED)
		ctl_fail(EX_UNAVAILABLE,
		    "no linnetd runs with state_dir %s; start it, or say "
		    "where it is: -o 'state_dir DIR'",
		    c->conf->state_dir);
	if (errno == EACCES)
		ctl_fail(EX_NOPERM,
		    "only root and the user of linnetd may use %s",
		    c->conf->state_dir);
	ctl_fail(EX_TEMPFAIL, "linnetd does not answer: %s", strerror(errno));
}

static const char *
daemon_text(const struct json *j, size_t object, const char *key, char *out,
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
daemon_processes(const struct json *j, size_t list)
{
	static const char *const keys[] = { "role", "number", "pid", "state",
		"connections", "restarts", "uptime", "database", NULL };
	char room[NELEM(keys)][64];
	const char *cells[NELEM(keys)];
	struct ctl_table *t = ctl_table_new(keys);
	size_t i, k;

	for (i = JSON_FIRST(list); i != j->nodes[list].end;
	     i = j->nodes[i].end) {
		for (k = 0; keys[k] != NULL; k++)
			cells[k] = daemon_text(
			    j, i, keys[k], room[k], sizeof(room[k]));
		ctl_table_row(t, cells);
	}
	ctl_table_print(t);
}

void
ctl_daemon_status(struct ctl *c)
{
	char version[64], pid[32], uptime[32], database[64];
	struct buf reply;
	struct json j;
	size_t list;

	daemon_must_ask(c, "status", &reply);
	if (c->json) {
		ctl_print_json(&reply);
		return;
	}
	json_init(&j, DAEMON_JSON_NODES, 8);
	if (json_read(&j, reply.data, reply.len) != 0)
		ctl_fail(EX_PROTOCOL, "linnetd answered no JSON");
	printf("linnetd %s, pid %s, up %s s, database %s\n",
	    daemon_text(&j, 0, "version", version, sizeof(version)),
	    daemon_text(&j, 0, "pid", pid, sizeof(pid)),
	    daemon_text(&j, 0, "uptime", uptime, sizeof(uptime)),
	    daemon_text(&j, 0, "database", database, sizeof(database)));
	if ((list = json_get(&j, 0, "processes")) != 0)
		daemon_processes(&j, list);
	json_free(&j);
	buf_free(&reply);
}

void
ctl_daemon_word(struct ctl *c)
{
	struct buf reply;

	daemon_must_ask(c, c->word, &reply);
	if (c->json)
		ctl_print_json(&reply);
	else {
		printf("%s: ok\n", c->word);
		buf_free(&reply);
	}
}

/* The first address that the daemon serves; NULL when it does not run. */
static char *
daemon_address(struct ctl *c)
{
	struct buf reply;
	struct json j;
	char *out = NULL;
	size_t list;

	if (daemon_ask(c, "status", &reply) != 0)
		return NULL;
	json_init(&j, DAEMON_JSON_NODES, 8);
	if (json_read(&j, reply.data, reply.len) == 0 &&
	    (list = json_get(&j, 0, "listeners")) != 0 &&
	    j.nodes[list].end > JSON_FIRST(list))
		out = xstrndup(
		    j.nodes[JSON_FIRST(list)].p, j.nodes[JSON_FIRST(list)].n);
	json_free(&j);
	buf_free(&reply);
	return out;
}

char *
ctl_daemon_url(struct ctl *c)
{
	char *address, *url;

	if (c->url != NULL)
		return xstrdup(c->url);
	if (*c->conf->mesh_join_url != '\0')
		return xstrdup(c->conf->mesh_join_url);
	if ((address = daemon_address(c)) == NULL)
		address =
		    xstrdup(c->conf->listen.n > 0 ? c->conf->listen.v[0] : "");
	if (str_starts(address, "unix:"))
		url = xstrdup(address);
	else
		url = xasprintf("ws://%s/ws", address);
	free(address);
	return url;
}
