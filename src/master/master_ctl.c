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
#include "net/net.h"

/* Its arguments are good during the call. */
struct ctl_request {
	struct ipc_ctl_call *call;
	char **args;
	size_t nargs;
};

/* Appends its answer and returns the status, 0 for success. */
typedef uint32_t ctl_fn(
    struct master *m, const struct ctl_request *r, struct buf *out);
static ctl_fn ctl_status;
static ctl_fn ctl_ping;
static ctl_fn ctl_reload;
static ctl_fn ctl_drain;
static ctl_fn ctl_stop;
static ctl_fn ctl_log_level;
static ctl_fn ctl_trace;

static const struct {
	const char *word;
	size_t min, max; /* arguments */
	ctl_fn *fn;
} requests[] = {
	{ "status", 0, 0, ctl_status }, { "ping", 0, 0, ctl_ping },
	{ "reload", 0, 0, ctl_reload },
	{ "drain", 0, 1, ctl_drain }, /* milliseconds */
	{ "stop", 0, 0, ctl_stop }, { "log-level", 1, 1, ctl_log_level },
	{ "trace", 3, 3, ctl_trace }, /* mesh, type, session; or "" */
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

static void
ctl_certificates(struct json_writer *w, const struct master *m)
{
	const struct net_tls_cert *c;
	size_t i;

	json_key(w, "certificates");
	json_array(w);
	for (i = 0; (c = master_tls_cert(m, i)) != NULL; i++) {
		json_object(w);
		ctl_key_str(w, "file", m->conf->tls_certificate.v[i]);
		ctl_key_str(w, "name", c->name);
		json_key(w, "begins");
		json_time(w, c->begins_ms);
		json_key(w, "ends");
		json_time(w, c->ends_ms);
		json_object_end(w);
	}
	json_array_end(w);
}

static uint32_t
ctl_status(struct master *m, const struct ctl_request *r, struct buf *out)
{
	struct json_writer w;
	size_t i;

	(void)r;
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
	ctl_certificates(&w, m);
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
ctl_ping(struct master *m, const struct ctl_request *r, struct buf *out)
{
	struct json_writer w;

	(void)r;
	json_start(&w, out);
	json_object(&w);
	ctl_key_str(&w, "state", master_phase_name(m));
	json_object_end(&w);
	return 0;
}

static uint32_t
ctl_reload(struct master *m, const struct ctl_request *r, struct buf *out)
{
	struct json_writer w;
	char *error;

	(void)r;
	json_start(&w, out);
	json_object(&w);
	ctl_key_str(&w, "state", master_phase_name(m));
	error = master_reload(m, &w);
	if (error == NULL) {
		json_object_end(&w);
		return 0;
	}
	buf_clear(out);
	buf_adds(out, error);
	free(error);
	return EX_CONFIG;
}

/* What the request was begun with is as it should be; else why not. */
static uint32_t
ctl_refuse(struct buf *out, uint32_t status, const char *why)
{
	buf_adds(out, why);
	return status;
}

static uint32_t
ctl_drain(struct master *m, const struct ctl_request *r, struct buf *out)
{
	const struct conf_option *o = &conf_options[CONF_AT_limit_drain_time];
	int64_t ms;

	if (r->nargs > 0 && str_num(r->args[0], o->min, o->max, &ms) != NULL)
		return ctl_refuse(out, EX_USAGE,
		    "the time to drain is longer than limit.drain_time may "
		    "be: one hour");
	if (m->phase >= MASTER_DRAIN)
		return ctl_ping(m, r, out);
	if (r->nargs > 0)
		m->conf->limit_drain_time = ms;
	master_end(m, MASTER_GENTLY);
	return ctl_ping(m, r, out);
}

static uint32_t
ctl_stop(struct master *m, const struct ctl_request *r, struct buf *out)
{
	if (m->phase < MASTER_STOP)
		master_end(m, MASTER_FAST);
	return ctl_ping(m, r, out);
}

static uint32_t
ctl_log_level(struct master *m, const struct ctl_request *r, struct buf *out)
{
	const char *wrong = master_log_level(m, r->args[0]);

	return wrong != NULL ? ctl_refuse(out, EX_USAGE, wrong)
			     : ctl_ping(m, r, out);
}

static uint32_t
ctl_trace(struct master *m, const struct ctl_request *r, struct buf *out)
{
	const char *mesh = r->args[0], *wrong;
	struct ipc_trace what;
	int reader;

	memset(&what, 0, sizeof(what));
	if ((*mesh != '\0' && id_parse(&what.mesh, mesh, strlen(mesh)) != 0) ||
	    str_copy(what.type, r->args[1], sizeof(what.type)) >=
		sizeof(what.type) ||
	    str_copy(what.session, r->args[2], sizeof(what.session)) >=
		sizeof(what.session))
		return ctl_refuse(
		    out, EX_USAGE, "nothing can be called that; trace less");
	if ((wrong = master_trace_begin(m, &what, &reader)) != NULL)
		return ctl_refuse(out, EX_TEMPFAIL, wrong);
	ipc_ctl_reply_fd(r->call, reader);
	close(reader);
	return ctl_ping(m, r, out);
}

static uint32_t
ctl_run(struct master *m, const char *word, const struct ctl_request *r,
    struct buf *out)
{
	size_t i;

	for (i = 0; i < NELEM(requests); i++) {
		if (strcmp(word, requests[i].word) != 0)
			continue;
		if (r->nargs >= requests[i].min && r->nargs <= requests[i].max)
			return requests[i].fn(m, r, out);
		buf_addf(out, "%s takes %zu to %zu arguments", word,
		    requests[i].min, requests[i].max);
		return EX_USAGE;
	}
	buf_addf(out, "there is no request \"%.64s\"", word);
	return EX_USAGE;
}

static void
ctl_request(struct ipc_ctl_call *call, char **words, size_t nwords, void *arg)
{
	const struct ctl_request r = { call, words + 1, nwords - 1 };
	struct buf out;
	uint32_t status;

	buf_init(&out, IPC_CTL_REPLY_MAX);
	status = ctl_run(arg, words[0], &r, &out);
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
