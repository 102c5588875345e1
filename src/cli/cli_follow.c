/* SPDX-License-Identifier: ISC */
/*
 * Sessions that go on until they are told to stop.  Whoever is told says
 * goodbye, so that nothing is held for it.
 */
#include "cli/cli.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

#define FOLLOW_GOODBYE_MS 1000
#define FOLLOW_TICK_MS 1000

static volatile sig_atomic_t follow_signal;

static void
follow_stop(int sig)
{
	follow_signal = sig;
}

void
cli_follow_catch(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = follow_stop };
	size_t i;

	for (i = 0; i < NELEM(signals); i++)
		if (sigaction(signals[i], &sa, NULL) != 0)
			fatal("sigaction");
}

bool
cli_follow_stopped(void)
{
	return follow_signal != 0;
}

void
cli_follow_heard(struct cli_follow *f)
{
	clock_update();
	f->heard_ms = clock_mono();
}

/* Milliseconds that are left of the time that was given; -1: no end. */
static int
follow_left_ms(const struct cli_follow *f)
{
	int64_t left;

	if (f->timeout_ms < 0)
		return -1;
	clock_update();
	left = f->heard_ms + f->timeout_ms - clock_mono();
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int
cli_follow(struct linnet *l, struct cli_follow *f)
{
	int left;

	cli_follow_heard(f);
	while (f->status == 0 && !cli_follow_stopped() &&
	       (left = follow_left_ms(f)) != 0) {
		if (f->tick != NULL && (left < 0 || left > FOLLOW_TICK_MS))
			left = FOLLOW_TICK_MS;
		if (linnet_wait(l, left) < 0) {
			if (f->status != 0)
				break;
			return cli_print_failure(linnet_last_error(l));
		}
		if (f->tick != NULL)
			f->tick(f->arg);
	}
	linnet_close(l);
	while (linnet_wait(l, FOLLOW_GOODBYE_MS) > 0)
		;
	return f->status;
}
