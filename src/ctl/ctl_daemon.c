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
#define DAEMON_JSON_DEPTH 8

/* Asks; -1 and errno when nobody answers. */
static int
daemon_try(struct ctl *c, const char *const *words, struct buf *reply, int *fd)
{
	char *path = xasprintf("%s/control.sock", c->conf->state_dir);
	uint32_t status;
	int rc, saved, got;

	buf_init(reply, IPC_CTL_REPLY_MAX);
	rc = ipc_ctl_call_fd(path, words, DAEMON_WAIT_MS, &status, reply,
	    fd != NULL ? fd : &got);
	saved = errno;
	free(path);
	if (rc == 0 && status != 0)
		ctl_fail((int)status, "%s", buf_str(reply));
	errno = saved;
	return rc;
}

void
ctl_daemon_ask(
    struct ctl *c, const char *const *words, struct buf *reply, int *fd)
{
	if (daemon_try(c, words, reply, fd) == 0)
		return;
	if (errno == ENOENT || errno == ECONNREFUSED)
		ctl_fail(EX_UNAVAILABLE,
		    "no linnetd runs with state_dir %s; start it, or say "
		    "where it is: -o 'state_dir DIR'",
		    c->conf->state_dir);
	if (errno == EACCES || errno == ECONNRESET || errno == EPIPE)
		ctl_fail(EX_NOPERM,
		    "only root and the user of linnetd may use %s; run this "
		    "as one of them, as with sudo",
		    c->conf->state_dir);
	if (errno == EPROTO)
		ctl_fail(EX_PROTOCOL,
		    "the linnetd that runs is of another version than this "
		    "linnetctl; restart it");
	ctl_fail(EX_TEMPFAIL, "linnetd does not answer: %s", strerror(errno));
}

/* The words of an array of the answer, each in a line of its own. */
static void
daemon_list(const struct buf *reply, const char *key, const char *format)
{
	size_t list, i;
	struct json j;
	char *word;

	json_init(&j, DAEMON_JSON_NODES, DAEMON_JSON_DEPTH);
	if (json_read(&j, reply->data, reply->len) == 0 &&
	    (list = json_get(&j, 0, key)) != 0)
		for (i = JSON_FIRST(list); i != j.nodes[list].end;
		     i = j.nodes[i].end) {
			word = xstrndup(j.nodes[i].p, j.nodes[i].n);
			printf("%s%s\n", word, format);
			free(word);
		}
	json_free(&j);
}

/* Says so; what it answers says more only to programs. */
static void
daemon_do(struct ctl *c, const char *const *words, const char *done)
{
	struct buf reply;

	ctl_daemon_ask(c, words, &reply, NULL);
	if (c->json) {
		ctl_print_json(&reply);
		return;
	}
	printf("%s\n", done);
	buf_free(&reply);
}

void
ctl_ping(struct ctl *c)
{
	static const char *const words[] = { "ping", NULL };

	daemon_do(c, words, "linnetd answers");
}

void
ctl_reload(struct ctl *c)
{
	static const char *const words[] = { "reload", NULL };
	struct buf reply;

	ctl_daemon_ask(c, words, &reply, NULL);
	if (c->json) {
		ctl_print_json(&reply);
		return;
	}
	printf("configuration reloaded\n");
	daemon_list(&reply, "changed", " changed");
	daemon_list(&reply, "restart",
	    " needs a restart, and stays as it is until then");
	buf_free(&reply);
}

void
ctl_drain(struct ctl *c)
{
	int64_t ms = ctl_given_time(c, "timeout", 0, -1);
	char text[32];
	const char *const words[] = { "drain", ms >= 0 ? text : NULL, NULL };

	snprintf(text, sizeof(text), "%" PRId64, ms);
	daemon_do(
	    c, words, "draining; linnetd ends when its clients have gone");
}

void
ctl_stop(struct ctl *c)
{
	static const char *const words[] = { "stop", NULL };

	daemon_do(c, words, "stopping");
}

void
ctl_log_level(struct ctl *c)
{
	const char *const words[] = { "log-level", c->args[0], NULL };

	daemon_do(c, words, "the log level is changed, until the next reload");
}

/* The first address that the daemon serves; NULL when it does not run. */
static char *
daemon_address(struct ctl *c)
{
	static const char *const words[] = { "status", NULL };
	struct buf reply;
	struct json j;
	char *out = NULL;
	size_t list;

	if (daemon_try(c, words, &reply, NULL) != 0)
		return NULL;
	json_init(&j, DAEMON_JSON_NODES, DAEMON_JSON_DEPTH);
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
	const char *given = ctl_given(c, "url");
	char *address, *url;

	if (given != NULL)
		return xstrdup(given);
	if (*c->conf->mesh_join_url != '\0')
		return xstrdup(c->conf->mesh_join_url);
	if ((address = daemon_address(c)) == NULL)
		address =
		    xstrdup(c->conf->listen.n > 0 ? c->conf->listen.v[0] : "");
	if (str_starts(address, "unix:"))
		url = xstrdup(address);
	else if (str_starts(address, "tls:"))
		url = xasprintf("wss://%s/ws", address + 4);
	else
		url = xasprintf("ws://%s/ws", address);
	free(address);
	return url;
}
