/* SPDX-License-Identifier: ISC */
/*
 * An event loop for unit tests that wait for a condition, never for a time:
 * until(cond) runs the loop until it holds, or gives up and says false.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <event2/event.h>

#include "base/base.h"

#define LOOP_PATIENCE_US (INT64_C(20) * 1000000)

static struct event_base *loop;
static struct event *loop_tick;

static inline void
loop_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	clock_update();
}

static inline void
loop_start(void)
{
	static const struct timeval tv = { 0, 10000 };

	loop = event_base_new();
	loop_tick = event_new(loop, -1, EV_PERSIST, loop_tick_cb, NULL);
	event_add(loop_tick, &tv);
	clock_update();
}

static inline void
loop_stop(void)
{
	event_free(loop_tick);
	event_base_free(loop);
}

static inline void
loop_turn(void)
{
	event_base_loop(loop, EVLOOP_ONCE);
	clock_update();
}

#define until(cond)                                             \
	({                                                      \
		int64_t end_ = clock_usec() + LOOP_PATIENCE_US; \
		bool met_;                                      \
		while (!(met_ = (cond)) && clock_usec() < end_) \
			loop_turn();                            \
		met_;                                           \
	})

#endif
