/* SPDX-License-Identifier: ISC */
/*
 * The loop: the caller's, who asks what to wait for, or the library's own.
 */
#include "lib/lib.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

static int
loop_busy(struct linnet *l)
{
	linnet_error_set(
	    &l->error, "busy", "This cannot be done from within a callback.");
	return -1;
}

int
linnet_process(struct linnet *l)
{
	int r = 0;

	if (l->running)
		return loop_busy(l);
	l->running = true;
	if (l->step == LINNET_STEP_WAIT && linnet_now() >= l->deadline)
		r = linnet_begin(l);
	else if (l->step == LINNET_STEP_CLOSE && l->ws.ctx == NULL)
		r = -1;
	else if (l->step != LINNET_STEP_NONE && l->step != LINNET_STEP_WAIT)
		r = linnet_turn(l);
	linnet_request_expire(l);
	if (r != 0)
		linnet_end(l);
	l->running = false;
	return l->step != LINNET_STEP_NONE ? 0 : -1;
}

int
linnet_fd(const struct linnet *l)
{
	return l->socket.fd;
}

short
linnet_events(const struct linnet *l)
{
	switch (l->step) {
	case LINNET_STEP_NONE:
	case LINNET_STEP_WAIT:
		return 0;
	case LINNET_STEP_TCP:
		return POLLOUT;
	case LINNET_STEP_TLS:
		return l->socket.wants;
	case LINNET_STEP_UPGRADE:
		return (short)(POLLIN | (l->out.len > 0 ? POLLOUT : 0) |
			       l->socket.wants);
	default:
		return l->ws.ctx != NULL ? linnet_ws_events(&l->ws) : 0;
	}
}

int
linnet_timeout(const struct linnet *l)
{
	int64_t at = linnet_request_deadline(l), now = linnet_now(), due;

	if (linnet_ws_more(&l->ws))
		return 0;
	if (l->deadline < at)
		at = l->deadline;
	if (l->step == LINNET_STEP_OPEN) {
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
	bool ours;
	int own, n;

	if (l->running)
		return loop_busy(l);
	if (l->step == LINNET_STEP_NONE)
		return linnet_process(l);
	p.events = linnet_events(l);
	own = linnet_timeout(l);
	ours = own >= 0 && (timeout_ms < 0 || own <= timeout_ms);
	n = poll(&p, 1, ours ? own : timeout_ms);
	if (n == -1 && errno == EINTR)
		return 0;
	if (linnet_process(l) != 0)
		return -1;
	return n > 0 || ours;
}

int
linnet_run(struct linnet *l)
{
	if (l->running)
		return loop_busy(l);
	while (linnet_wait(l, -1) >= 0)
		;
	return l->goodbye ? 0 : -1;
}

int
linnet_open(struct linnet *l)
{
	if (l->running)
		return loop_busy(l);
	if (linnet_connect(l) != 0)
		return -1;
	l->opening = true;
	while (l->opening && linnet_wait(l, -1) >= 0)
		;
	if (!l->opening)
		return 0;
	l->opening = false;
	return -1;
}
