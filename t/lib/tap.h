/* SPDX-License-Identifier: ISC */
/*
 * The Test Anything Protocol for C: every check prints a line, tap_done()
 * prints the plan.  A failed check says where it stands.
 */
#ifndef LIB_TAP_H
#define LIB_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

#define TAP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

static inline bool tap_check(bool good, const char *file, int line,
    const char *fmt, ...) TAP_PRINTF(4, 5);
static inline bool tap_int(int64_t got, int64_t want, const char *file,
    int line, const char *fmt, ...) TAP_PRINTF(5, 6);
static inline bool tap_str(const char *got, const char *want, const char *file,
    int line, const char *fmt, ...) TAP_PRINTF(5, 6);

#define ok(cond, ...) tap_check((cond), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
	tap_int((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) \
	tap_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

static inline bool
tap_check(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!good) {
		tap_failed++;
		printf("# at %s line %d\n", file, line);
	}
	fflush(stdout);
	return good;
}

static inline bool
tap_int(
    int64_t got, int64_t want, const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!tap_check(got == want, file, line, "%s", text)) {
		printf("# got %" PRId64 ", want %" PRId64 "\n", got, want);
		return false;
	}
	return true;
}

static inline bool
tap_str(const char *got, const char *want, const char *file, int line,
    const char *fmt, ...)
{
	char text[512];
	va_list ap;
	bool same;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	same = got == want ||
	       (got != NULL && want != NULL && strcmp(got, want) == 0);
	if (!tap_check(same, file, line, "%s", text)) {
		printf("# got  %s\n# want %s\n", got != NULL ? got : "(null)",
		    want != NULL ? want : "(null)");
		return false;
	}
	return true;
}

/* Ends main(): the plan, and the exit status. */
static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
