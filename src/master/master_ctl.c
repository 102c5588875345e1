/* SPDX-License-Identifier: ISC */
/*
 * Requests on the control socket.  A request is a row of the table below; the
 * answer is one text (JSON, or a sentence when it failed), and is given at
 * once: what takes time (draining) is begun, and `status` tells how it goes.
 */
#include "config.h"

#include "master/master.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/conf.h"

static uint32_t ctl_status(struct master *m, struct buf *out);
static uint32_t ctl_ping(struct master *m, struct buf *out);
static uint32_t ctl_reload(struct master *m, struct buf *out);
static uint32_t ctl_drain(struct master *m, struct buf *out);
static uint32_t ctl_stop(struct master *m, struct buf *out);

/* Each appends its answer and returns the status, 0 for success. */
static const struct {
	const char *word;
	uint32_t (*fn)(struct master *m, struct buf *out);
} requests[] = {
	{ "status", ctl_status },
	{ "ping", ctl_ping },
	{ "reload", ctl_reload },
	{ "drain", ctl_drain },
	{ "stop", ctl_stop },
};

static const struct {
	unsigned bit;
	const char *name;
} mays[] = {
	{ MASTER_NET, "net" },
	{ MASTER_DB, "db" },
	{ MASTER_BUS, "bus" },
	{ MASTER_OUT, "out" },
};

static int64_t
seconds_since(int64_t ms)
{
	return (master_now() - ms) / 1000;
}

static void
ctl_key_str(struct json_writer *w, const char *key, const char *v)
{
	json_key(w, key);
	json_str(w, v);
}

static void
ctl_key_num(struct json_writer *w, const char *key, int64_t v)
{
	json_key(w, key);
	json_num(w, v);
}

static void
ctl_key_pid(struct json_writer *w, pid_t pid)
{
	json_key(w, "pid");
	if (pid != 0)
		json_num(w, pid);
	else
		json_null(w);
}

static void
ctl_process(
    struct json_writer *w, const struct master *m, const struct master_child *c)
{
	const char *state =
	    c->pid == 0 ? "waiting"
	    : !c->ready ? "starting"
	    : m->phase != MASTER_DRAIN || (c->role->may & MASTER_NET) == 0
		? "ready"
	    : c->drained ? "drained"
			 : "draining";
	size_t i;

	json_object(w);
	ctl_key_str(w, "role", c->role->name);
	ctl_key_num(w, "number", c->number);
	ctl_key_pid(w, c->pid);
	ctl_key_str(w, "state", state);
	ctl_key_num(w, "restarts", c->restarts);
	ctl_key_num(
	    w, "uptime", c->pid != 0 ? seconds_since(c->started_ms) : 0);
	/* Only these tell. */
	if ((c->role->may & MASTER_NET) != 0) {
		ctl_key_num(w, "connections", c->conns + c->handed);
		ctl_key_str(w, "database", c->db_up ? "up" : "down");
	}
	json_key(w, "may");
	json_array(w);
	for (i = 0; i < NELEM(mays); i++) {
		if ((c->role->may & mays[i].bit) != 0)
			json_str(w, mays[i].name);
	}
	json_array_end(w);
	json_object_end(w);
}

static void
ctl_postgres(struct json_writer *w, const struct master *m)
{
	json_key(w, "postgres");
	if (m->postgres == NULL) {
		json_null(w);
		return;
	}
	json_object(w);
	ctl_key_pid(w, master_postgres_pid(m));
	ctl_key_str(w, "state", master_postgres_state(m));
	ctl_key_num(w, "restarts", master_postgres_restarts(m));
	json_object_end(w);
}

static uint32_t
ctl_status(struct master *m, struct buf *out)
{
	struct json_writer w;
	size_t i;

	json_start(&w, out);
	json_object(&w);
	ctl_key_str(&w, "version", PACKAGE_VERSION);
	ctl_key_pid(&w, getpid());
	ctl_key_str(&w, "state", master_phase_name(m));
	ctl_key_num(&w, "uptime", seconds_since(m->started_ms));
	json_key(&w, "host");
	json_id(&w, &m->host);
	ctl_key_str(
	    &w, "database", m->postgres != NULL ? "private" : "external");
	ctl_postgres(&w, m);
	json_key(&w, "listeners");
	json_array(&w);
	for (i = 0; i < m->nlisteners; i++)
		json_str(&w, master_accept_name(m, i));
	json_array_end(&w);
	json_key(&w, "processes");
	json_array(&w);
	for (i = 0; i < m->nchildren; i++)
		ctl_process(&w, m, &m->children[i]);
	json_array_end(&w);
	json_object_end(&w);
	return 0;
}

/* The answer of requests that have nothing else to say. */
static uint32_t
ctl_ping(struct master *m, struct buf *out)
{
	struct json_writer w;

	json_start(&w, out);
	json_object(&w);
	ctl_key_str(&w, "state", master_phase_name(m));
	json_object_end(&w);
	return 0;
}

static uint32_t
ctl_reload(struct master *m, struct buf *out)
{
	char *error = master_reload(m);

	if (error == NULL)
		return ctl_ping(m, out);
	buf_adds(out, error);
	log_error("reload refused, all stays as it was: %s", error);
	free(error);
	return EX_CONFIG;
}

static uint32_t
ctl_drain(struct master *m, struct buf *out)
{
	if (m->phase < MASTER_DRAIN)
		master_end(m, MASTER_GENTLY);
	return ctl_ping(m, out);
}

static uint32_t
ctl_stop(struct master *m, struct buf *out)
{
	if (m->phase < MASTER_STOP)
		master_end(m, MASTER_FAST);
	return ctl_ping(m, out);
}

static uint32_t
ctl_run(struct master *m, char **words, size_t nwords, struct buf *out)
{
	size_t i;

	for (i = 0; i < NELEM(requests); i++) {
		if (strcmp(words[0], requests[i].word) != 0)
			continue;
		if (nwords == 1)
			return requests[i].fn(m, out);
		buf_addf(out, "%s takes no argument", words[0]);
		return EX_USAGE;
	}
	buf_addf(out, "there is no request \"%.64s\"", words[0]);
	return EX_USAGE;
}

static void
ctl_request(struct ipc_ctl_call *call, char **words, size_t nwords, void *arg)
{
	struct buf out;
	uint32_t status;

	buf_init(&out, IPC_CTL_REPLY_MAX);
	status = ctl_run(arg, words, nwords, &out);
	ipc_ctl_reply(call, status, out.data, out.len);
	buf_free(&out);
}

void
master_ctl_open(struct master *m)
{
	char *path = master_state_path(m, "control.sock");

	m->ctl = ipc_ctl_listen(m->base, path, ctl_request, m);
	if (m->ctl == NULL)
		fatal("control socket %s", path);
	free(path);
}
