/* SPDX-License-Identifier: ISC */
/*
 * What the relay has to know of records: for which host they are, and how
 * little of one is enough where there is no room for all of it.  It knows
 * nothing else of their inside.
 */
#include <string.h>

#include "core/event_record.h"

uint8_t
event_format(void)
{
	const uint16_t order = 1;
	uint8_t little;

	memcpy(&little, &order, sizeof(little));
	return (uint8_t)(EVENT_FORMAT << 1 | little);
}

bool
event_host(uint16_t type, const char *p, size_t n, struct id *host)
{
	struct event_in in = { p, n, false };

	switch (type) {
	case EVENT_DELIVER:
	case EVENT_WAITS:
	case EVENT_STATUS:
	case EVENT_KICK:
		event_take_skip(&in, ID_LEN);
		event_take_bytes(&in, host->b, ID_LEN);
		return !in.bad;
	default:
		return false;
	}
}

void
event_refer(uint16_t type, const char *p, size_t n, size_t max,
    event_part_fn *fn, void *arg)
{
	switch (type) {
	case EVENT_DELIVER:
		event_refer_deliver(p, n, max, fn, arg);
		break;
	case EVENT_ENTRY:
		/* Without the message. */
		fn(arg, EVENT_ENTRY, p, EVENT_ENTRY_HEAD);
		break;
	case EVENT_STATE:
		/* The mesh alone: a key has changed, read which. */
		fn(arg, EVENT_STATE, p, ID_LEN);
		break;
	default:
		fn(arg, EVENT_RELOAD, p, ID_LEN);
		break;
	}
}
