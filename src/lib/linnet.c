/* SPDX-License-Identifier: ISC */
/*
 * One connection to a broker, from connecting to its end, and the loop.
 *
 *	IDLE -> CONNECTING -> UPGRADING -> GREETING -> OPEN -> CLOSING -> IDLE
 *
 * Every phase but IDLE and OPEN has a deadline, and any of them may end in
 * IDLE.  The end happens in one place, linnet_end(), and only from the bottom
 * of linnet_run(): callbacks run inside of the WebSocket reader and may not
 * take it away from under itself, so what ends a connection in there leaves
 * its reason in `ending` first.
 */
#include "lib/lib.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define RETRY_BASE_MS 500
#define RETRY_CAP_MS 30000
#define RETRY_STABLE_MS                                                  \
	5000		 /* open for so long: tries count from the start \
			  */
#define RETRY_REPLAYED 5 /* hellos signed in the same millisecond */
#define HTTP_MAX (32 * 1024)

static const char linnet_closed_text[] =
    "The connection to the broker broke off.";

static bool
linnet_is_hex(const char *s, size_t n)
{
	return s != NULL && strlen(s) == n &&
	       strspn(s, "0123456789abcdefABCDEF") == n;
}

/* NULL, or what is wrong with the configuration. */
static const char *
linnet_config_problem(const struct linnet_config *c)
{
	size_t i;

	if (!linnet_is_hex(c->mesh_id, ID_HEX_LEN))
		return "The mesh id is not 32 hex digits.";
	if (!linnet_is_hex(c->member_id, ID_HEX_LEN))
		return "The member id is not 32 hex digits.";
	if (!linnet_is_hex(c->public_key, LINNET_KEY_SIZE - 1))
		return "The public key is not 64 hex digits.";
	if (!linnet_is_hex(c->secret_key, LINNET_SECRET_SIZE - 1))
		return "The secret key is not 128 hex digits.";
	if (strncasecmp(c->secret_key + LINNET_KEY_SIZE - 1, c->public_key,
		LINNET_KEY_SIZE - 1) != 0)
		return "The secret key does not belong to the public key.";
	if (c->name != NULL && !str_is_name(c->name, strlen(c->name)))
		return "The display name holds characters that cannot be "
		       "seen, or is empty.";
	if (c->session_id != NULL &&
	    !str_utf8(c->session_id, strlen(c->session_id)))
		return "The session id is not UTF-8.";
	for (i = 0; i < c->ngroups; i++)
		if (c->groups[i].name == NULL ||
		    !str_is_name(c->groups[i].name, strlen(c->groups[i].name)))
			return "The name of a group holds characters that "
			       "cannot be seen, or is empty.";
	return NULL;
}

static const char *
linnet_copy(struct pool *p, const char *s)
{
	return s != NULL ? pool_strndup(p, s, strlen(s)) : NULL;
}

static void
linnet_copy_config(struct linnet *l, const struct linnet_config *c)
{
	struct linnet_config *to = &l->config;
	struct linnet_group *groups;
	uint8_t random[16];
	size_t i;

	*to = *c;
	to->url = NULL;
	to->secret_key = NULL;
	to->mesh_id = linnet_copy(&l->pool, c->mesh_id);
	to->member_id = linnet_copy(&l->pool, c->member_id);
	to->public_key = linnet_copy(&l->pool, c->public_key);
	to->name = linnet_copy(&l->pool, c->name);
	to->cwd = linnet_copy(&l->pool, c->cwd);
	to->session_id = linnet_copy(&l->pool, c->session_id);
	if (to->session_id == NULL) {
		crypto_random_bytes(random, sizeof(random));
		crypto_hex(l->session_id, random, sizeof(random));
		to->session_id = l->session_id;
	}
	groups = pool_alloc(&l->pool, (c->ngroups + 1) * sizeof(*groups));
	for (i = 0; i < c->ngroups; i++) {
		groups[i].name = linnet_copy(&l->pool, c->groups[i].name);
		groups[i].role = linnet_copy(&l->pool, c->groups[i].role);
	}
	to->groups = groups;
	if (to->connect_ms <= 0)
		to->connect_ms = LINNET_CONNECT_MS;
	if (to->request_ms <= 0)
		to->request_ms = LINNET_REQUEST_MS;
	if (to->max_message == 0)
		to->max_message = LINNET_MAX_MESSAGE;
}

struct linnet *
linnet_new(const struct linnet_config *config, struct linnet_error *error)
{
	const char *problem;
	struct linnet_url url;
	struct linnet *l;

	linnet_start();
	if ((problem = linnet_config_problem(config)) != NULL) {
		linnet_error_set(error, "bad_argument", "%s", problem);
		return NULL;
	}
	if (linnet_url_read(
		&url, config->url != NULL ? config->url : "", error) != 0)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->url = url;
	pool_init(&l->pool);
	linnet_copy_config(l, config);
	if (crypto_unhex(l->secret, sizeof(l->secret), config->secret_key,
		LINNET_SECRET_SIZE - 1) != 0)
		fatalx("hex digits that are none");
	linnet_socket_init(&l->socket);
	buf_init(&l->out, HTTP_MAX);
	buf_init(&l->in, HTTP_MAX);
	buf_init(&l->reply, SIZE_MAX / 2);
	json_init(&l->json, LINNET_JSON_NODES, LINNET_JSON_DEPTH);
	TAILQ_INIT(&l->requests);
	l->deadline = INT64_MAX;
	return l;
}

void
linnet_free(struct linnet *l)
{
	if (l == NULL)
		return;
	linnet_request_forget(l);
	linnet_ws_free(&l->ws);
	linnet_socket_close(&l->socket);
	buf_free(&l->out);
	buf_free(&l->in);
	buf_free(&l->reply);
	json_free(&l->json);
	pool_free(&l->pool);
	crypto_wipe(l->secret, sizeof(l->secret));
	free(l);
}

bool
linnet_is_open(const struct linnet *l)
{
	return l->phase == LINNET_OPEN;
}

const struct linnet_error *
linnet_last_error(const struct linnet *l)
{
	return &l->error;
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

/* What the close frame of the broker means. */
static void
linnet_explain(struct linnet *l, int code, const char *reason)
{
	const char *text = reason[0] != '\0' ? reason : "no reason given";

	switch (code) {
	case 0:
	case 1005:
		linnet_refuse(l, "closed", "%s", linnet_closed_text);
		break;
	case 1001:
	case 1012:
		linnet_refuse(l, "closed", "The broker stops or restarts.");
		break;
	case 1009:
		linnet_refuse(l, "too_big",
		    "The message is larger than the broker takes: %s.", text);
		break;
	case 1013:
		linnet_refuse(l, "overloaded",
		    "The broker cannot serve now: %s. Try again later.", text);
		break;
	case 1002:
	case 1007:
		linnet_refuse(l, "protocol",
		    "The broker could not read what was sent: %s.", text);
		break;
	case 4001:
	case 4002:
		linnet_refuse(l, "kicked",
		    "The session was ended by the broker: %s.", text);
		break;
	default:
		/* Its reason is the code of an error, where it has one. */
		linnet_refuse(l,
		    linnet_exit_status(text) != linnet_exit_status("")
			? text
			: "closed",
		    "The broker closed the connection (%d): %s.", code, text);
	}
}

/* The one end of every connection. */
static void
linnet_end(struct linnet *l)
{
	char reason[124];
	int code = linnet_ws_closed(&l->ws, reason);
	struct linnet_error why;
	bool own;

	if (l->ws.ctx != NULL && l->ws.too_big)
		linnet_refuse(l, "too_big",
		    "The broker sent a message of more than %zu bytes.",
		    l->config.max_message);
	linnet_explain(l, code, reason);
	if (code == 0)
		code = 1006;
	why = l->lost = l->ending;
	l->ending.code[0] = '\0';
	l->restarted = code == 1012;
	l->stable =
	    l->opened_ms != 0 && linnet_now() - l->opened_ms >= RETRY_STABLE_MS;
	l->opened_ms = 0;
	linnet_ws_free(&l->ws);
	linnet_socket_close(&l->socket);
	buf_free(&l->in);
	buf_free(&l->out);
	/* After our own goodbye nothing is to be repeated. */
	own = l->phase == LINNET_CLOSING;
	l->phase = LINNET_IDLE;
	l->deadline = INT64_MAX;
	linnet_request_lost(l, &why, own);
	if (l->config.callbacks.closed != NULL)
		l->config.callbacks.closed(l->config.arg, l, code, &why);
	l->error = why;
}

static void
linnet_begin(struct linnet *l, enum linnet_phase phase)
{
	l->phase = phase;
	l->deadline = linnet_now() + l->config.connect_ms;
	l->heard_ms = linnet_now();
	l->pinged = false;
	l->ending.code[0] = '\0';
	buf_clear(&l->in);
	buf_clear(&l->out);
}

static void
linnet_begin_upgrade(struct linnet *l)
{
	l->phase = LINNET_UPGRADING;
	linnet_http_upgrade(&l->out, &l->url, l->ws_key);
}

int
linnet_connect(struct linnet *l)
{
	if (l->phase != LINNET_IDLE) {
		linnet_error_set(
		    &l->error, "busy", "There is a connection already.");
		return -1;
	}
	linnet_begin(l, LINNET_IDLE);
	if (linnet_socket_start(&l->socket, &l->url, &l->error) != 0) {
		linnet_socket_close(&l->socket);
		l->restarted = l->stable = false;
		l->lost = l->error;
		return -1;
	}
	l->phase = LINNET_CONNECTING;
	return 0;
}

void
linnet_attach(struct linnet *l, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		fatal("fcntl");
	linnet_begin(l, LINNET_UPGRADING);
	l->socket.fd = fd;
	linnet_begin_upgrade(l);
}

static void
linnet_greet(struct linnet *l)
{
	struct timespec ts;
	struct buf b;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	buf_init(&b, SIZE_MAX / 2);
	linnet_hello_write(
	    &b, l, (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
	linnet_ws_send(&l->ws, b.data, b.len);
	buf_free(&b);
	l->phase = LINNET_GREETING;
}

void
linnet_opened(struct linnet *l, const char *text, size_t n)
{
	l->phase = LINNET_OPEN;
	l->deadline = INT64_MAX;
	l->opened_ms = linnet_now();
	linnet_request_flush(l);
	if (l->config.callbacks.open != NULL)
		l->config.callbacks.open(l->config.arg, l, text, n);
}

void
linnet_close(struct linnet *l)
{
	if (l->phase == LINNET_IDLE || l->phase == LINNET_CLOSING)
		return;
	linnet_refuse(l, "closed", "The connection was closed by its owner.");
	l->phase = LINNET_CLOSING;
	l->deadline = 0;
	if (l->ws.ctx == NULL)
		return;
	linnet_ws_close(&l->ws, 1000);
	l->deadline = linnet_now() + LINNET_CLOSE_MS;
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
	linnet_greet(l);
	return linnet_ws_run(&l->ws);
}

static int
linnet_step(struct linnet *l)
{
	int r;

	switch (l->phase) {
	case LINNET_CONNECTING:
		r = linnet_socket_check(&l->socket, &l->url, &l->ending);
		if (r <= 0)
			return r;
		linnet_begin_upgrade(l);
		return linnet_run_upgrade(l);
	case LINNET_UPGRADING:
		return linnet_run_upgrade(l);
	case LINNET_IDLE:
		return -1;
	default:
		return l->ws.ctx != NULL ? linnet_ws_run(&l->ws) : -1;
	}
}

/* Whatever was due by now; -1: the connection is over. */
static int
linnet_run_clock(struct linnet *l)
{
	int64_t now = linnet_now();

	linnet_request_expire(l);
	if (now >= l->deadline) {
		linnet_refuse(l, "timeout",
		    "The broker at %s does not answer in time.",
		    l->url.local ? l->url.host : l->url.authority);
		return -1;
	}
	if (l->phase != LINNET_OPEN)
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
linnet_run(struct linnet *l)
{
	int r;

	if (l->running) {
		linnet_error_set(&l->error, "busy",
		    "This cannot be done from within a callback.");
		return -1;
	}
	if (l->phase == LINNET_IDLE) {
		linnet_request_expire(l);
		return -1;
	}
	l->running = true;
	r = linnet_step(l);
	if (r == 0)
		r = linnet_run_clock(l);
	/* A refused hello is not waited upon. */
	if (r == 0 && l->ending.code[0] != '\0' && l->phase != LINNET_CLOSING)
		r = -1;
	l->running = false;
	if (r == 0)
		return 0;
	linnet_end(l);
	return -1;
}

int
linnet_fd(const struct linnet *l)
{
	return l->socket.fd;
}

short
linnet_events(const struct linnet *l)
{
	switch (l->phase) {
	case LINNET_IDLE:
		return 0;
	case LINNET_CONNECTING:
		return POLLOUT;
	case LINNET_UPGRADING:
		return (short)(POLLIN | (l->out.len > 0 ? POLLOUT : 0));
	default:
		return l->ws.ctx != NULL ? linnet_ws_events(&l->ws) : 0;
	}
}

int
linnet_timeout(const struct linnet *l)
{
	int64_t at = linnet_request_deadline(l), now = linnet_now(), due;

	if (l->deadline < at)
		at = l->deadline;
	if (l->phase == LINNET_OPEN) {
		due =
		    l->heard_ms + (l->pinged ? LINNET_DEAD_MS : LINNET_PING_MS);
		at = due < at ? due : at;
	}
	if (at == INT64_MAX)
		return -1;
	if (at <= now)
		return 0;
	return at - now > INT_MAX ? INT_MAX : (int)(at - now);
}

int
linnet_wait(struct linnet *l, int timeout_ms)
{
	struct pollfd p = { .fd = l->socket.fd };
	int own, n;

	if (l->running || l->phase == LINNET_IDLE)
		return linnet_run(l);
	p.events = linnet_events(l);
	own = linnet_timeout(l);
	if (timeout_ms < 0 || (own >= 0 && own < timeout_ms))
		timeout_ms = own;
	n = poll(&p, 1, timeout_ms);
	if (n == -1 && errno == EINTR)
		return 0;
	if (linnet_run(l) != 0)
		return -1;
	return n > 0;
}

int
linnet_open(struct linnet *l)
{
	int try;

	for (try = 0;; try++) {
		if (linnet_connect(l) != 0)
			return -1;
		while (l->phase != LINNET_OPEN && linnet_wait(l, -1) >= 0)
			;
		if (l->phase == LINNET_OPEN)
			return 0;
		/* Two sessions of a member that signed at the same moment. */
		if (strcmp(l->lost.code, "replayed") != 0 ||
		    try == RETRY_REPLAYED)
			return -1;
	}
}

int
linnet_retry_delay(struct linnet *l)
{
	uint32_t random, below;

	if (l->lost.code[0] == '\0')
		return 0;
	if (!linnet_error_passes(l->lost.code))
		return -1;
	if (l->stable)
		l->tries = 0;
	l->stable = false;
	if (l->restarted && l->tries == 0) {
		l->tries++;
		l->restarted = false;
		return 0;
	}
	below = RETRY_CAP_MS;
	if (l->tries < 6)
		below = RETRY_BASE_MS << l->tries;
	l->tries++;
	crypto_random_bytes(&random, sizeof(random));
	return (int)(random % below);
}
