/* SPDX-License-Identifier: ISC */
/*
 * The log: one write(2) for a line, so that lines of several processes do not
 * mix.  A reader of stderr that stands still must not stop the daemon: a line
 * for which there is no room now is dropped and counted, and the count is
 * told as soon as there is room again.  Lines are shorter than PIPE_BUF,
 * because that much room is what poll(2) promises for a pipe.  O_NONBLOCK
 * belongs to the open file, which is not ours alone; without it two processes
 * may race for the last room, and the loser waits until somebody reads.
 */
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN (PIPE_BUF < 4096 ? PIPE_BUF : 4096)
/* Room for more than a line takes, so that only log_put_text() cuts. */
#define TEXT_MAX_LEN LINE_MAX_LEN
#define CUT "..."

static struct {
	const char *tag;
	enum log_level level;
	bool journal; /* stderr goes to journald */
	unsigned long lost;
} log_state = { .tag = "linnet", .level = LOG_INFO };

static const struct {
	const char *name;
	char prefix[4]; /* priority for journald, sd-daemon(3) */
} log_levels[] = {
	[LOG_ERROR] = { "error", "<3>" },
	[LOG_WARN] = { "warn", "<4>" },
	[LOG_INFO] = { "info", "<6>" },
	[LOG_DEBUG] = { "debug", "<7>" },
};

/*
 * systemd names the device and inode of the stream it made; only when stderr
 * still is that one does journald read it (systemd.exec(5)).
 */
static bool
log_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return env != NULL && sscanf(env, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

void
log_start(const char *tag, enum log_level level)
{
	log_state.tag = tag;
	log_state.level = level;
	log_state.journal = log_is_journal();
}

void
log_set_level(enum log_level level)
{
	log_state.level = level;
}

enum log_level
log_level(void)
{
	return log_state.level;
}

int
log_parse_level(const char *s, enum log_level *level)
{
	size_t i;

	for (i = 0; i < NELEM(log_levels); i++) {
		if (strcmp(s, log_levels[i].name) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

/*
 * Appends the text, with what could disturb a terminal or feign a line as
 * \xNN; what does not fit is cut between characters.
 */
static void
log_put_text(struct buf *line, const char *s, size_t n)
{
	size_t len, i;
	uint32_t cp;

	while (n > 0) {
		len = str_char(s, n, &cp);
		if (line->len + 4 * 4 + sizeof(CUT) > line->max) {
			buf_adds(line, CUT);
			return;
		}
		if (len == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
			len = len == 0 ? 1 : len;
			for (i = 0; i < len; i++)
				buf_addf(line, "\\x%02x", (unsigned char)s[i]);
		} else {
			buf_add(line, s, len);
		}
		s += len;
		n -= len;
	}
}

/* -1: there is no room, or nobody reads. */
static int
log_write(const char *p, size_t n)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&pfd, 1, 0) != 1 || pfd.revents != POLLOUT)
		return -1;
	return write(STDERR_FILENO, p, n) == (ssize_t)n ? 0 : -1;
}

static int
log_line(enum log_level level, const char *text, size_t n)
{
	char data[LINE_MAX_LEN], now[CLOCK_RFC3339_LEN + 1];
	/* The buf never grows: its ceiling is what it has. */
	struct buf line = {
		.data = data, .cap = sizeof(data), .max = sizeof(data) - 1
	};
	struct timespec ts = { 0 };

	if (log_state.journal) {
		buf_addf(&line, "%s%.64s: ", log_levels[level].prefix,
		    log_state.tag);
	} else {
		clock_gettime(CLOCK_REALTIME, &ts);
		clock_format(
		    (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000, now);
		buf_addf(&line, "%s %.64s %s: ", now, log_state.tag,
		    log_levels[level].name);
	}
	log_put_text(&line, text, n);
	buf_addc(&line, '\n');
	return log_write(line.data, line.len);
}

static void
log_tell_lost(void)
{
	char text[64];
	int n;

	n = snprintf(text, sizeof(text), "lines lost from this log: %lu",
	    log_state.lost);
	if (log_line(LOG_WARN, text, (size_t)n) == 0)
		log_state.lost = 0;
}

static void PRINTF_LIKE(2, 0)
    log_put(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;
	char text[TEXT_MAX_LEN];
	int n;

	if (level > log_state.level)
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	if (log_state.lost != 0)
		log_tell_lost();
	if (log_state.lost != 0 || log_line(level, text, (size_t)n) != 0)
		log_state.lost++;
	errno = saved;
}

#define LOG_ARGS(level, fmt)             \
	do {                             \
		va_list ap;              \
		va_start(ap, fmt);       \
		log_put(level, fmt, ap); \
		va_end(ap);              \
	} while (0)

void
log_debug(const char *fmt, ...)
{
	LOG_ARGS(LOG_DEBUG, fmt);
}

void
log_info(const char *fmt, ...)
{
	LOG_ARGS(LOG_INFO, fmt);
}

void
log_warn(const char *fmt, ...)
{
	LOG_ARGS(LOG_WARN, fmt);
}

void
log_error(const char *fmt, ...)
{
	LOG_ARGS(LOG_ERROR, fmt);
}

void
fatal(const char *fmt, ...)
{
	int saved = errno;
	char text[TEXT_MAX_LEN / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s: %s", text, strerror(saved));
	exit(EXIT_FAILURE);
}

void
fatalx(const char *fmt, ...)
{
	LOG_ARGS(LOG_ERROR, fmt);
	exit(EXIT_FAILURE);
}
