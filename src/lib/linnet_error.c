/* SPDX-License-Identifier: ISC */
/*
 * Errors: codes, their exit statuses, and what the library needs once.
 *
 * The broker's codes stand here a second time because the library does not
 * know the broker; t/unit/lib_error.c compares them with core/errors.def.
 */
#include "config.h"

#include "lib/lib.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static const struct {
	const char *code;
	int status;
} error_table[] = {
	/* The broker's. */
	{ "malformed", EX_DATAERR },
	{ "unknown_message_type", EX_PROTOCOL },
	{ "no_hello", EX_NOPERM },
	{ "already_hello", EX_PROTOCOL },
	{ "capacity", EX_UNAVAILABLE },
	{ "timestamp_skew", EX_NOPERM },
	{ "bad_signature", EX_NOPERM },
	{ "bad_session_pubkey", EX_NOPERM },
	{ "bad_parent_pubkey", EX_NOPERM },
	{ "attestation_mismatch", EX_NOPERM },
	{ "expired", EX_NOPERM },
	{ "ttl_too_long", EX_NOPERM },
	{ "parent_member_id_mismatch", EX_NOPERM },
	{ "unauthorized", EX_NOPERM },
	{ "revoked", EX_NOPERM },
	{ "banned", EX_NOPERM },
	{ "replayed", EX_NOPERM },
	{ "session_replaced", EX_TEMPFAIL },
	{ "kicked", EX_TEMPFAIL },
	{ "disconnected", EX_TEMPFAIL },
	{ "forbidden", EX_NOPERM },
	{ "not_found", EX_NOINPUT },
	{ "unknown_target", EX_NOUSER },
	{ "ambiguous_target", EX_NOUSER },
	{ "blocked", EX_NOPERM },
	{ "id_conflict", EX_DATAERR },
	{ "webhook_endpoint_blocked", EX_DATAERR },
	{ "version_conflict", EX_TEMPFAIL },
	{ "quota", EX_UNAVAILABLE },
	{ "rate_limited", EX_TEMPFAIL },
	{ "too_big", EX_DATAERR },
	{ "unavailable", EX_UNAVAILABLE },
	{ "overloaded", EX_TEMPFAIL },
	{ "internal", EX_SOFTWARE },
	{ "mesh_not_found", EX_NOINPUT },
	{ "invite_bad_signature", EX_NOPERM },
	{ "invite_owner_mismatch", EX_NOPERM },
	{ "invite_not_found", EX_NOINPUT },
	{ "invite_mesh_mismatch", EX_NOPERM },
	{ "invite_revoked", EX_NOPERM },
	{ "invite_expired", EX_NOPERM },
	{ "invite_exhausted", EX_NOPERM },
	/* Our own. */
	{ "bad_argument", EX_USAGE },
	{ "bad_url", EX_USAGE },
	{ "bad_invite", EX_DATAERR },
	{ "unsupported", EX_UNAVAILABLE },
	{ "no_host", EX_NOHOST },
	{ "unreachable", EX_UNAVAILABLE },
	{ "bad_certificate", EX_NOPERM },
	{ "tls", EX_PROTOCOL },
	{ "timeout", EX_TEMPFAIL },
	{ "closed", EX_TEMPFAIL },
	{ "protocol", EX_PROTOCOL },
	{ "queue_full", EX_TEMPFAIL },
	{ "busy", EX_SOFTWARE },
};

/* Of those whose status says "try later", these will not change by it; a
 * replayed hello is signed anew. */
static const char *const error_lasting[] = { "session_replaced", "unsupported",
	"quota", "kicked" };

static void
error_start_once(void)
{
	crypto_start();
	str_start();
}

void
linnet_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, error_start_once);
}

int
linnet_exit_status(const char *code)
{
	size_t i;

	for (i = 0; i < NELEM(error_table); i++)
		if (strcmp(error_table[i].code, code) == 0)
			return error_table[i].status;
	return EX_SOFTWARE;
}

bool
linnet_error_known(const char *code)
{
	size_t i;

	for (i = 0; i < NELEM(error_table); i++)
		if (strcmp(error_table[i].code, code) == 0)
			return true;
	return false;
}

bool
linnet_error_passes(const char *code)
{
	int status = linnet_exit_status(code);
	size_t i;

	for (i = 0; i < NELEM(error_lasting); i++)
		if (strcmp(error_lasting[i], code) == 0)
			return false;
	return status == EX_UNAVAILABLE || status == EX_TEMPFAIL ||
	       status == EX_NOHOST || status == EX_SOFTWARE ||
	       strcmp(code, "replayed") == 0;
}

void
linnet_error_setv(
    struct linnet_error *e, const char *code, const char *fmt, va_list ap)
{
	(void)str_copy(e->code, code, sizeof(e->code));
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
}

void
linnet_error_set(struct linnet_error *e, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	linnet_error_setv(e, code, fmt, ap);
	va_end(ap);
}

int64_t
linnet_now(void)
{
	return clock_usec() / 1000;
}

int64_t
linnet_wall(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
linnet_random(int n)
{
	uint32_t random;

	crypto_random_bytes(&random, sizeof(random));
	return (int)(random % (uint32_t)n);
}

const char *
linnet_version(void)
{
	return PACKAGE_VERSION;
}
