/* SPDX-License-Identifier: ISC */
/*
 * WebSocket from the client's side, as little of it as a load generator
 * needs: servers under test send whole messages in frames of their own, and a
 * frame that goes on in another one counts as a message.
 */
#include "config.h"

#include "bench/bench.h"

#include <string.h>

void
bench_ws_upgrade(struct buf *out, const struct bench_where *w)
{
	buf_addf(out,
	    "GET %s HTTP/1.1\r\nHost: localhost:%u\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	    w->path, (unsigned)ntohs(w->address.sin_port));
}

ptrdiff_t
bench_ws_upgraded(const char *p, size_t n)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);

	if (end == NULL)
		return 0;
	if (memcmp(p, "HTTP/1.1 101", 12) != 0)
		return -1;
	return end - p + 4;
}

void
bench_ws_frame(struct buf *out, int opcode, const char *p, size_t n)
{
	buf_addc(out, (char)(0x80 | opcode));
	if (n < 126)
		buf_addc(out, (char)(0x80 | n));
	else if (n < 65536) {
		buf_addc(out, (char)(0x80 | 126));
		buf_add16(out, (uint16_t)n);
	} else {
		buf_addc(out, (char)(0x80 | 127));
		buf_add64(out, n);
	}
	buf_add32(out, 0);
	buf_add(out, p, n);
}

size_t
bench_ws_take(const char *p, size_t n, int *opcode, struct slice *payload)
{
	const uint8_t *b = (const uint8_t *)p;
	size_t head = 2, len, i;

	if (n < 2)
		return 0;
	len = b[1] & 0x7f;
	if (len == 126)
		head = 4;
	else if (len == 127)
		head = 10;
	if (n < head)
		return 0;
	if (head > 2)
		for (len = 0, i = 2; i < head; i++)
			len = len << 8 | b[i];
	if (n - head < len)
		return 0;
	*opcode = b[0] & 15;
	*payload = (struct slice){ p + head, len };
	return head + len;
}
