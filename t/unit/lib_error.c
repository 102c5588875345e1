/* SPDX-License-Identifier: ISC */
/* linnet_error.c: the broker's codes have the exit statuses of its table. */
#include "lib/lib.h"

#include "tap.h"

static const struct {
	const char *code;
	int status;
} errors[] = {
#define ERR(id, code, http, rpc, status, close, text) { code, status },
#include "core/errors.def"
#undef ERR
};

static const struct {
	const char *code;
	bool passes;
} passing[] = {
	{ "unreachable", true },
	{ "closed", true },
	{ "timeout", true },
	{ "no_host", true },
	{ "capacity", true },
	{ "unavailable", true },
	{ "overloaded", true },
	{ "replayed", true },
	{ "unauthorized", false },
	{ "revoked", false },
	{ "kicked", false },
	{ "banned", false },
	{ "expired", false },
	{ "disconnected", true },
	{ "rate_limited", true },
	{ "bad_certificate", false },
	{ "session_replaced", false },
	{ "timestamp_skew", false },
	{ "bad_url", false },
	{ "unsupported", false },
	{ "too_big", false },
	{ "protocol", false },
};

int
main(void)
{
	size_t i;

	for (i = 0; i < NELEM(errors); i++)
		is_int(linnet_exit_status(errors[i].code), errors[i].status,
		    "exit status of %s", errors[i].code);
	is_int(linnet_exit_status("no_such_code"), 70, "and of none of these");
	for (i = 0; i < NELEM(passing); i++)
		ok(linnet_error_passes(passing[i].code) == passing[i].passes,
		    "%s %s", passing[i].code,
		    passing[i].passes ? "may pass" : "will not pass");
	return tap_done();
}
