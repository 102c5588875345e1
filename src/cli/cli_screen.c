/* SPDX-License-Identifier: ISC */
/*
 * A whole terminal: raw, on its other screen, drawn anew as a whole, so that
 * nothing of what was there has to be known.  Whatever ends the program, the
 * terminal is given back as it was.
 */
#include "config.h" /* wcwidth(3) */

#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define SCREEN_REST_OF_LINE "\033[K"

static struct termios screen_before;
static bool screen_on;
static volatile sig_atomic_t screen_resized;

static void
screen_write(const char *p, size_t n)
{
	ssize_t r;

	while (n > 0) {
		if ((r = write(STDOUT_FILENO, p, n)) == -1) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return;
		}
		p += r;
		n -= (size_t)r;
	}
}

static void
screen_restore(void)
{
	if (!screen_on)
		return;
	screen_on = false;
	screen_write(SCREEN_LEAVE, strlen(SCREEN_LEAVE));
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen_before);
}

static void
screen_winch(int sig)
{
	(void)sig;
	screen_resized = 1;
}

bool
cli_screen_start(void)
{
	struct sigaction sa = { .sa_handler = screen_winch };
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &screen_before) != 0)
		return false;
	raw = screen_before;
	/* Signals stay: ^C ends it as elsewhere. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0)
		return false;
	screen_on = true;
	if (atexit(screen_restore) != 0)
		fatalx("atexit");
	if (sigaction(SIGWINCH, &sa, NULL) != 0)
		fatal("sigaction");
	/* For wcwidth(3); without it every character is one column. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	screen_write(SCREEN_ENTER, strlen(SCREEN_ENTER));
	return true;
}

void
cli_screen_end(void)
{
	screen_restore();
}

bool
cli_screen_resized(void)
{
	bool was = screen_resized != 0;

	screen_resized = 0;
	return was;
}

void
cli_screen_size(int *rows, int *columns)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_row == 0) {
		ws.ws_row = 24;
		ws.ws_col = 80;
	}
	*rows = ws.ws_row;
	*columns = ws.ws_col;
}

void
cli_screen_line(struct buf *b, const char *safe, int columns)
{
	size_t n = strlen(safe), len;
	uint32_t cp;
	int width;

	for (; n > 0; safe += len, n -= len) {
		if ((len = str_char(safe, n, &cp)) == 0)
			break;
		width = wcwidth((wchar_t)cp);
		if (width < 0)
			width = 1;
		if ((columns -= width) < 0)
			break;
		buf_add(b, safe, len);
	}
}

void
cli_screen_show(const struct buf *lines)
{
	const char *p = lines->data, *end = p + lines->len, *nl;
	struct buf b;

	/* One write, so that nothing flickers. */
	buf_init(&b, SIZE_MAX / 2);
	buf_adds(&b, SCREEN_HOME);
	for (; p < end; p = nl + 1) {
		if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL)
			nl = end;
		buf_add(&b, p, (size_t)(nl - p));
		buf_adds(&b, SCREEN_REST_OF_LINE);
		/* One behind the last line would scroll. */
		if (nl + 1 < end)
			buf_adds(&b, "\r\n");
	}
	screen_write(b.data, b.len);
	buf_free(&b);
}

enum cli_key
cli_screen_key(void)
{
	static const struct {
		const char *text;
		enum cli_key key;
	} keys[] = {
		{ "\033[A", KEY_UP },
		{ "\033OA", KEY_UP },
		{ "k", KEY_UP },
		{ "\033[B", KEY_DOWN },
		{ "\033OB", KEY_DOWN },
		{ "j", KEY_DOWN },
		{ "\033[5~", KEY_PAGE_UP },
		{ "\033[6~", KEY_PAGE_DOWN },
		{ "\t", KEY_NEXT },
		{ "q", KEY_QUIT },
		{ "\003", KEY_QUIT },
	};
	char text[8];
	ssize_t n;
	size_t i;

	/* What a key sends comes in one piece. */
	if ((n = read(STDIN_FILENO, text, sizeof(text))) <= 0)
		return KEY_NONE;
	for (i = 0; i < NELEM(keys); i++)
		if (strlen(keys[i].text) == (size_t)n &&
		    memcmp(keys[i].text, text, (size_t)n) == 0)
			return keys[i].key;
	return KEY_OTHER;
}
