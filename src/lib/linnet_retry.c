/* SPDX-License-Identifier: ISC */
/*
 * What the end of a connection means, and whether and when to try again.
 *
 * Full jitter: each delay is random below a limit that doubles, so that the
 * clients of a broker that was gone do not come back all at once.
 */
#include "lib/lib.h"

#include <string.h>

#define RETRY_BASE_MS 500
#define RETRY_CAP_MS 30000
#define RETRY_DOUBLINGS 6    /* from base to cap */
#define RETRY_RESTART_MS 250 /* after 1012: at once, but not all at once */
#define RETRY_LATER 3	     /* tries that are skipped when it is overloaded */
#define RETRY_LATER_MS 1000
#define RETRY_REPLAYED_MS 20 /* until a hello signed anew is another one */
#define RETRY_REPLAYED 5

static const char retry_broke_off[] = "The connection to the broker broke off.";

void
linnet_retry_explain(struct linnet *l, int code, const char *reason)
{
	const char *text = reason[0] != '\0' ? reason : "no reason given";

	switch (code) {
	case 0:
	case 1005:
		linnet_refuse(l, "closed", "%s", retry_broke_off);
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
		linnet_refuse(l, "kicked",
		    "Somebody who keeps order ended the session: %s.", text);
		break;
	case 4002:
		linnet_refuse(l,
		    strcmp(text, "revoked") == 0 ? "revoked" : "banned",
		    "The member may not connect any more: %s.", text);
		break;
	default:
		/* Its reason is the code of an error, where it has one. */
		linnet_refuse(l, linnet_error_known(text) ? text : "closed",
		    "The broker closed the connection (%d): %s.", code, text);
	}
}

/* Is the broker there, but cannot serve us now? */
static bool
retry_is_later(const char *code)
{
	static const char *const codes[] = { "overloaded", "unavailable",
		"capacity", "rate_limited" };
	size_t i;

	for (i = 0; i < NELEM(codes); i++)
		if (strcmp(codes[i], code) == 0)
			return true;
	return false;
}

static int
retry_backoff(struct linnet *l, unsigned tries, int least)
{
	int below = RETRY_CAP_MS;

	if (tries < RETRY_DOUBLINGS)
		below = RETRY_BASE_MS << tries;
	l->tries++;
	return least + linnet_random(below - least);
}

int
linnet_retry_delay(struct linnet *l)
{
	const char *code = l->lost.code;
	int delay;

	if (l->stable)
		l->tries = 0;
	/* 1009 was about one message, which is given up. */
	if (!linnet_error_passes(code) &&
	    !(l->was_open && l->close_code == 1009))
		return -1;
	l->stable = false;
	if (strcmp(code, "replayed") == 0 && l->tries < RETRY_REPLAYED) {
		l->tries++;
		return linnet_random(RETRY_REPLAYED_MS);
	}
	if (l->close_code == 1012 && l->tries == 0) {
		l->tries++;
		return linnet_random(RETRY_RESTART_MS);
	}
	if (retry_is_later(code))
		delay =
		    retry_backoff(l, l->tries + RETRY_LATER, RETRY_LATER_MS);
	else
		delay = retry_backoff(l, l->tries, 0);
	return delay > l->retry_after_ms ? delay : l->retry_after_ms;
}
