/* SPDX-License-Identifier: ISC */
/*
 * QR codes on a terminal, by libqrencode where it was there when this was
 * built.  A character is two modules, one above the other; the light ones are
 * drawn, so that it is read on dark terminals, and by most readers also on
 * light ones.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#ifdef HAVE_QRENCODE
#include <qrencode.h>
#endif

#include "ctl/ctl.h"

#ifdef HAVE_QRENCODE

#define QR_QUIET 4 /* modules of margin, ISO 18004 */

static bool
qr_light(const QRcode *q, int x, int y)
{
	if (x < 0 || y < 0 || x >= q->width || y >= q->width)
		return true;
	return (q->data[y * q->width + x] & 1) == 0;
}

void
ctl_qr_check(void)
{
}

/* A line that is broken by the terminal makes the code unreadable. */
static void
qr_warn(int columns)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 &&
	    ws.ws_col < columns) {
		fflush(stdout);
		fprintf(stderr,
		    "linnetctl: the QR code has %d columns and this terminal "
		    "%d; make it wider, or the letters smaller\n",
		    columns, ws.ws_col);
	}
}

void
ctl_qr_print(const char *text)
{
	static const char *const blocks[] = { " ", "\u2584", "\u2580",
		"\u2588" };
	QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	int x, y;

	if (q == NULL)
		ctl_fail(EX_DATAERR, "the link is too long for a QR code; make "
				     "it shorter with a shorter --url");
	qr_warn(q->width + 2 * QR_QUIET);
	for (y = -QR_QUIET; y < q->width + QR_QUIET; y += 2) {
		for (x = -QR_QUIET; x < q->width + QR_QUIET; x++)
			fputs(blocks[2 * qr_light(q, x, y) +
				     (y + 1 < q->width + QR_QUIET &&
					 qr_light(q, x, y + 1))],
			    stdout);
		putchar('\n');
	}
	QRcode_free(q);
}

#else

void
ctl_qr_check(void)
{
	ctl_fail(EX_UNAVAILABLE,
	    "this linnetctl was built without libqrencode and draws no QR "
	    "codes; leave out --qr, or build it with libqrencode-dev");
}

void
ctl_qr_print(const char *text)
{
	(void)text;
	ctl_qr_check();
}

#endif
