/* SPDX-License-Identifier: ISC */
/*
 * Output.  Text of peers is data: before it reaches a terminal or a line of a
 * table, everything that could move the cursor, hide, or turn the direction of
 * what follows is written as \x1b or \u{202e}.  JSON goes out as it came; its
 * escapes are JSON's own.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

/* Beside the control characters: marks that change how neighbours are shown,
 * separators that end lines, tags.  Sorted. */
static const struct {
	uint32_t from;
	uint32_t to;
} print_hidden[] = {
	{ 0x0000, 0x001f },
	{ 0x007f, 0x009f },
	{ 0x061c, 0x061c },
	{ 0x200b, 0x200b },
	{ 0x200e, 0x200f },
	{ 0x2028, 0x202e },
	{ 0x2060, 0x206f },
	{ 0xfeff, 0xfeff },
	{ 0xfff9, 0xfffb },
	{ 0xe0000, 0xe007f },
};

static void
print_prefixed(const char *fmt, va_list ap)
{
	char line[1024];
	struct buf safe;

	vsnprintf(line, sizeof(line), fmt, ap);
	buf_init(&safe, 8192);
	cli_print_escape(&safe, line, strlen(line), CLI_ONE_LINE);
	buf_addc(&safe, '\n');
	if (buf_str(&safe) != NULL)
		fprintf(stderr, "linnet: %s", safe.data);
	buf_free(&safe);
}

void
cli_print_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_prefixed(fmt, ap);
	va_end(ap);
}

void
cli_print_note(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	print_prefixed(fmt, ap);
	va_end(ap);
}

int
cli_print_failure(const struct linnet_error *e)
{
	/* A person reads the sentence, a program the code. */
	cli_print_error("%s (%s)", e->message, e->code);
	return linnet_exit_status(e->code);
}

static bool
print_is_hidden(uint32_t cp)
{
	size_t i;

	for (i = 0; i < NELEM(print_hidden) && print_hidden[i].from <= cp; i++)
		if (cp <= print_hidden[i].to)
			return true;
	return false;
}

void
cli_print_escape(struct buf *b, const char *s, size_t n, int lines)
{
	uint32_t cp;
	size_t len;
	int i;

	for (; n > 0; s += len, n -= len) {
		len = str_char(s, n, &cp);
		if (len == 0) {
			buf_addf(b, "\\x%02x", (unsigned char)*s);
			len = 1;
		} else if (lines >= 0 && cp == '\n') {
			buf_addc(b, '\n');
			for (i = 0; i < lines && n > 1; i++)
				buf_addc(b, ' ');
		} else if (lines >= 0 && cp == '\t')
			buf_addc(b, '\t');
		else if (cp == '\n')
			buf_adds(b, "\\n");
		else if (cp == '\t')
			buf_adds(b, "\\t");
		else if (!print_is_hidden(cp))
			buf_add(b, s, len);
		else if (cp < 0x80)
			buf_addf(b, "\\x%02x", (unsigned)cp);
		else
			buf_addf(b, "\\u{%x}", (unsigned)cp);
	}
}

const char *
cli_print_safe(struct cli *c, const char *s)
{
	const char *safe;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	cli_print_escape(&b, s, strlen(s), CLI_ONE_LINE);
	safe = pool_strndup(&c->pool, b.len > 0 ? b.data : "", b.len);
	buf_free(&b);
	return safe;
}

void
cli_print_json(struct cli *c, const char *text, size_t n)
{
	fwrite(text, 1, n, c->out);
	fputc('\n', c->out);
}

int
cli_print_end(struct cli *c)
{
	if (fflush(c->out) == 0 && !ferror(c->out))
		return 0;
	if (!c->unwritten)
		cli_print_error("cannot write: %s", strerror(errno));
	c->unwritten = true;
	return EX_IOERR;
}
