/* SPDX-License-Identifier: ISC */
/*
 * The life of a struct linnet and of its connections.
 *
 *	NONE -> WAIT -> TCP -> TLS -> UPGRADE -> HELLO -> OPEN -> CLOSE -> NONE
 *
 * Every step but NONE and OPEN has a deadline, and any of them may end in WAIT
 * or NONE.  The end happens in one place, linnet_end(), and only from the
 * bottom of linnet_process(): callbacks run inside of the WebSocket reader and
 * may not take it away from under itself, so what ends a connection in there
 * leaves its reason in `ending` first.
 */
#include "lib/lib.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define STABLE_MS 5000 /* open for so long: tries count from the start */
#define HTTP_MAX (32 * 1024)

struct linnet *
linnet_new(const struct linnet_config *config, struct linnet_error *error)
{
	struct linnet_identity id;
	const char *problem;
	struct linnet_url url;
	struct linnet *l;

	linnet_start();
	if ((problem = linnet_config_problem(config)) != NULL) {
		linnet_error_set(error, "bad_argument", "%s", problem);
		return NULL;
	}
	if (linnet_url_read(
		&url, config->url != NULL ? config->url : "", error) != 0 ||
	    linnet_identity_read(&id, config, error) != 0)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->url = url;
	l->id = id;
	linnet_identity_wipe(&id);
	pool_init(&l->pool);
	linnet_config_copy(l, config);
	linnet_socket_init(&l->socket);
	buf_init(&l->out, HTTP_MAX);
	buf_init(&l->in, HTTP_MAX);
	json_init(&l->json, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	TAILQ_INIT(&l->requests);
	TAILQ_INIT(&l->sendings);
	TAILQ_INIT(&l->partses);
	TAILQ_INIT(&l->watches);
	TAILQ_INIT(&l->follows);
	linnet_names_init(&l->names);
	linnet_seen_init(&l->seen, l->config.max_seen);
	l->pending_until = l->deadline = INT64_MAX;
	if (url.tls && (l->tls = linnet_tls_new(&config->tls, error)) == NULL) {
		linnet_free(l);
		return NULL;
	}
	return l;
}

void
linnet_free(struct linnet *l)
{
	if (l == NULL)
		return;
	linnet_request_forget(l);
	linnet_send_forget(l);
	linnet_watch_forget(l);
	linnet_follow_forget(l);
	linnet_ws_free(&l->ws);
	linnet_socket_close(&l->socket);
	linnet_tls_free(l->tls);
	linnet_names_forget(&l->names);
	linnet_seen_free(&l->seen);
	linnet_result_free(&l->result);
	buf_free(&l->out);
	buf_free(&l->in);
	json_free(&l->json);
	pool_free(&l->pool);
	linnet_identity_wipe(&l->id);
	free(l);
}

enum linnet_phase
linnet_phase(const struct linnet *l)
{
	switch (l->step) {
	case LINNET_STEP_NONE:
		return LINNET_STOPPED;
	case LINNET_STEP_WAIT:
		/* Nothing was lost: linnet_connect() is due. */
		return l->lost.code[0] != '\0' ? LINNET_WAITING
					       : LINNET_CONNECTING;
	case LINNET_STEP_OPEN:
		return LINNET_OPEN;
	case LINNET_STEP_CLOSE:
		return LINNET_CLOSING;
	default:
		return LINNET_CONNECTING;
	}
}

bool
linnet_is_open(const struct linnet *l)
{
	return l->step == LINNET_STEP_OPEN;
}

const struct linnet_error *
linnet_last_error(const struct linnet *l)
{
	return &l->error;
}

const char *
linnet_key(const struct linnet *l)
{
	return linnet_identity_key(&l->id);
}

int
linnet_set_attestation(struct linnet *l, const char *attestation)
{
	if (l->id.session)
		return linnet_identity_attest(&l->id, attestation, &l->error);
	linnet_error_set(&l->error, "bad_argument",
	    "The session has no key that an attestation could be for.");
	return -1;
}

void
linnet_refuse(struct linnet *l, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (l->ending.code[0] != '\0')
		return;
	va_start(ap, fmt);
	linnet_error_setv(&l->ending, code, fmt, ap);
	va_end(ap);
}

static void
linnet_tell(struct linnet *l, const struct linnet_change *c)
{
	if (l->config.callbacks.phase != NULL)
		l->config.callbacks.phase(l->config.arg, l, c);
}

/* Takes down what a connection had, and notes what is to know of it. */
static void
linnet_take_down(struct linnet *l)
{
	char reason[124];
	int code = linnet_ws_closed(&l->ws, reason);

	if (l->ws.ctx != NULL && l->ws.too_big)
		linnet_refuse(l, "too_big",
		    "The broker sent a message of more than %zu bytes.",
		    l->config.max_message);
	linnet_retry_explain(l, code, reason);
	if (code == 0 && l->socket.fd != -1)
		code = 1006;
	/* What is too big for us comes again. */
	l->close_code = l->ws.ctx != NULL && l->ws.too_big ? 1006 : code;
	l->lost = l->ending;
	l->ending.code[0] = '\0';
	l->was_open = l->opened_ms != 0;
	l->stable = l->was_open && linnet_now() - l->opened_ms >= STABLE_MS;
	l->opened_ms = 0;
	linnet_ws_free(&l->ws);
	linnet_socket_close(&l->socket);
	linnet_names_forget(&l->names);
	buf_free(&l->in);
	buf_free(&l->out);
}

/* Was this the one try of linnet_open()?  A replay is not its fault: two
 * sessions of a member signed at the same moment. */
static bool
linnet_was_only_try(const struct linnet *l)
{
	return l->opening && strcmp(l->lost.code, "replayed") != 0;
}

void
linnet_end(struct linnet *l)
{
	struct linnet_error why;
	struct linnet_change c = { .error = &why };
	int delay = -1;

	l->goodbye = l->step == LINNET_STEP_CLOSE;
	linnet_take_down(l);
	why = l->lost;
	if (!l->goodbye && !l->config.once && !linnet_was_only_try(l))
		delay = linnet_retry_delay(l);
	l->step = delay < 0 ? LINNET_STEP_NONE : LINNET_STEP_WAIT;
	l->deadline = delay < 0 ? INT64_MAX : linnet_now() + delay;
	c.phase = delay < 0 ? LINNET_STOPPED : LINNET_WAITING;
	c.delay_ms = delay < 0 ? 0 : delay;
	c.close_code = l->close_code;
	if (c.close_code == 1009)
		linnet_request_too_big(l, &why);
	linnet_request_lost(l, &why, delay < 0);
	linnet_tell(l, &c);
	l->error = why;
}

int
linnet_connect(struct linnet *l)
{
	if (l->step != LINNET_STEP_NONE) {
		linnet_error_set(
		    &l->error, "busy", "There is a connection already.");
		return -1;
	}
	l->step = LINNET_STEP_WAIT;
	l->deadline = 0;
	l->tries = 0;
	l->goodbye = false;
	l->ending.code[0] = l->lost.code[0] = '\0';
	return 0;
}

static void
linnet_prepare(struct linnet *l)
{
	l->step = LINNET_STEP_TCP;
	l->heard_ms = linnet_now();
	l->deadline = l->heard_ms + l->config.connect_ms;
	l->pinged = false;
	l->retry_after_ms = 0;
	l->ending.code[0] = '\0';
	buf_clear(&l->in);
	buf_clear(&l->out);
}

int
linnet_begin(struct linnet *l)
{
	linnet_prepare(l);
	linnet_tell(
	    l, &(const struct linnet_change){ .phase = LINNET_CONNECTING });
	/* It may have been closed in there. */
	if (l->step != LINNET_STEP_TCP ||
	    linnet_socket_start(&l->socket, &l->url, &l->ending) != 0)
		return -1;
	/* Looking up the name does not count. */
	l->deadline = linnet_now() + l->config.connect_ms;
	return 0;
}

static void
linnet_begin_upgrade(struct linnet *l)
{
	l->step = LINNET_STEP_UPGRADE;
	linnet_http_upgrade(&l->out, &l->url, l->ws_key);
}

void
linnet_attach(struct linnet *l, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		fatal("fcntl");
	linnet_prepare(l);
	l->socket.fd = fd;
	linnet_begin_upgrade(l);
}

static void
linnet_greet(struct linnet *l)
{
	int64_t now = linnet_wall();
	struct buf b;

	/* A hello is good once, and may be the second in a millisecond. */
	l->stamp = now > l->stamp ? now : l->stamp + 1;
	buf_init(&b, SIZE_MAX / 2);
	linnet_hello_write(&b, l, l->stamp, l->attested);
	linnet_ws_send(&l->ws, b.data, b.len);
	buf_free(&b);
}

void
linnet_greet_plainly(struct linnet *l)
{
	l->attested = false;
	linnet_greet(l);
}

void
linnet_opened(struct linnet *l, const char *text, size_t n)
{
	l->step = LINNET_STEP_OPEN;
	l->deadline = INT64_MAX;
	l->opened_ms = linnet_now();
	l->opening = false;
	/* Before the rest, so that unwatching them later counts. */
	linnet_watch_again(l);
	linnet_follow_again(l);
	linnet_request_flush(l);
	linnet_tell(l, &(const struct linnet_change){
			   .phase = LINNET_OPEN, .text = text, .n = n });
}

void
linnet_close(struct linnet *l)
{
	if (l->step == LINNET_STEP_NONE || l->step == LINNET_STEP_CLOSE)
		return;
	linnet_refuse(l, "closed", "The connection was closed by its owner.");
	l->step = LINNET_STEP_CLOSE;
	l->deadline = 0;
	if (l->ws.ctx != NULL) {
		linnet_ws_close(&l->ws, 1000);
		l->deadline = linnet_now() + LINNET_CLOSE_MS;
	}
	linnet_tell(
	    l, &(const struct linnet_change){ .phase = LINNET_CLOSING });
}

/* The answer to the upgrade: 1: go on; 0: not yet; -1: it is none. */
static int
linnet_upgraded(struct linnet *l, bool eof)
{
	struct linnet_http h = { 0 };
	const char *problem;
	int64_t body;
	int r = linnet_http_read(&h, l->in.data, l->in.len);

	if (r == 0 && !eof && !l->in.failed)
		return 0;
	if (r != 1) {
		linnet_refuse(l,
		    r == 0 && l->in.len == 0 ? "closed" : "protocol",
		    "What answers at %s is no Linnet broker, or it stops.",
		    l->url.authority);
		return -1;
	}
	if (h.status != 101) {
		body = linnet_http_length(&h);
		if (!eof && !l->in.failed && body != -2 &&
		    (body == -1 || l->in.len - h.head < (size_t)body))
			return 0;
		linnet_http_error(
		    &l->ending, &h, l->in.data + h.head, l->in.len - h.head);
		return -1;
	}
	if ((problem = linnet_http_upgraded(&h, l->ws_key)) != NULL) {
		linnet_refuse(l, "protocol",
		    "The answer of %s to the upgrade is wrong: %s.",
		    l->url.authority, problem);
		return -1;
	}
	buf_drain(&l->in, h.head);
	return 1;
}

static int
linnet_run_upgrade(struct linnet *l)
{
	char chunk[4096];
	ptrdiff_t n;
	int r;

	while (l->out.len > 0) {
		n = linnet_socket_write(&l->socket, l->out.data, l->out.len);
		if (n <= 0)
			break;
		buf_drain(&l->out, (size_t)n);
	}
	do {
		n = linnet_socket_read(&l->socket, chunk, sizeof(chunk));
		if (n > 0)
			buf_add(&l->in, chunk, (size_t)n);
		r = linnet_upgraded(l, n < 0);
	} while (r == 0 && n > 0);
	if (r <= 0)
		return r;
	linnet_ws_open(&l->ws, l, &l->in);
	l->attested = l->id.session;
	l->step = LINNET_STEP_HELLO;
	linnet_greet(l);
	return linnet_ws_run(&l->ws);
}

static int
linnet_turn_tls(struct linnet *l)
{
	int r = linnet_tls_shake(&l->socket, &l->url, &l->ending);

	if (r <= 0)
		return r;
	linnet_begin_upgrade(l);
	return linnet_run_upgrade(l);
}

static int
linnet_turn_step(struct linnet *l)
{
	int r;

	switch (l->step) {
	case LINNET_STEP_TCP:
		r = linnet_socket_check(&l->socket, &l->url, &l->ending);
		if (r <= 0)
			return r;
		if (l->url.tls) {
			linnet_tls_begin(&l->socket, l->tls, &l->url);
			l->step = LINNET_STEP_TLS;
			return linnet_turn_tls(l);
		}
		linnet_begin_upgrade(l);
		return linnet_run_upgrade(l);
	case LINNET_STEP_TLS:
		return linnet_turn_tls(l);
	case LINNET_STEP_UPGRADE:
		return linnet_run_upgrade(l);
	default:
		return l->ws.ctx != NULL ? linnet_ws_run(&l->ws) : -1;
	}
}

/* Whatever was due by now; -1: the connection is over. */
static int
linnet_turn_clock(struct linnet *l)
{
	int64_t now = linnet_now();

	if (now >= l->deadline) {
		linnet_refuse(l, "timeout",
		    "The broker at %s does not answer in time.",
		    l->url.local ? l->url.host : l->url.authority);
		return -1;
	}
	if (l->step != LINNET_STEP_OPEN)
		return 0;
	if (now >= l->heard_ms + LINNET_DEAD_MS) {
		linnet_refuse(l, "timeout", "The broker fell silent.");
		return -1;
	}
	if (now >= l->heard_ms + LINNET_PING_MS && !l->pinged) {
		l->pinged = true;
		linnet_ws_ping(&l->ws);
	}
	return 0;
}

int
linnet_turn(struct linnet *l)
{
	int r = linnet_turn_step(l);

	if (r == 0)
		r = linnet_turn_clock(l);
	/* A refused hello is not waited upon. */
	if (r == 0 && l->ending.code[0] != '\0' && l->step != LINNET_STEP_CLOSE)
		r = -1;
	return r;
}
