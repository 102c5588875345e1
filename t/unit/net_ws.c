/* SPDX-License-Identifier: ISC */
/*
 * WebSocket as bytes: what an echo server of ours answers, rule by rule, each
 * row named by its section of RFC 6455 and also fed in pieces; then limits,
 * and memory under peers that mean harm.
 *
 * Rows use a mask of zeroes, so that a payload reads as itself.
 */
#include <malloc.h>

#include "netrig.h"
#include "tap.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_MALLINFO 0 /* the sanitizer's malloc does not count */
#else
#define HAVE_MALLINFO 1
#endif

static void
on_request(void *arg, struct conn *c, struct http_request *r)
{
	struct rig *g = arg;

	g->requests++;
	g->conn = c;
	(void)!conn_upgrade(c, r);
}

static void
on_message(void *arg, struct conn *c, enum ws_op op, const char *p, size_t n)
{
	struct rig *g = arg;
	struct frame *f;

	g->messages++;
	if (n == 5 && memcmp(p, "trust", 5) == 0)
		conn_trust(c);
	f = frame_ws(op, p, n);
	conn_send(c, f);
	frame_unref(f);
}

static void
on_written(void *arg, struct conn *c, uint64_t pos)
{
	(void)arg;
	(void)c;
	(void)pos;
}

static void
on_closed(void *arg, struct conn *c, enum net_end why, uint16_t code)
{
	struct rig *g = arg;

	if (g->conn == c)
		g->conn = NULL;
	g->closed++;
	g->why = why;
	g->code = code;
}

static const struct net_handler handler = { .request = on_request,
	.message = on_message,
	.written = on_written,
	.closed = on_closed };

#define M0 "\0\0\0\0"
#define A124                                                             \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TEXT_A "\x81\x81" M0 "a"
#define ECHO_A     \
	"\x81\x01" \
	"a"
#define CLOSED "\x88\x02"
#define CLOSE(hi, lo) "\x88\x82" M0 hi lo

/* in, and what comes back: out, then a close frame with code unless that is 0;
 * 1005 is a close frame without a code. */
static const struct row {
	const char *name;
	const char *in;
	size_t in_n;
	const char *out;
	size_t out_n;
	uint16_t code;
} rows[] = {
#define ROW(name, in, out, code) \
	{ name, in, sizeof(in) - 1, out, sizeof(out) - 1, code },
	/* 5.2 framing */
	ROW("5.2 empty text", "\x81\x80" M0, "\x81\x00", 0) ROW(
	    "5.2 empty binary", "\x82\x80" M0, "\x82\x00", 0) ROW("5.2 text",
	    TEXT_A, ECHO_A, 0) ROW("5.2 binary with any byte",
	    "\x82\x84" M0 "\xff\0\xfe\x80", "\x82\x04\xff\0\xfe\x80",
	    0) ROW("5.7 the masked example",
	    "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "\x81\x05Hello",
	    0) ROW("5.2 two messages at once", TEXT_A TEXT_A, ECHO_A ECHO_A,
	    0) ROW("5.2 length of 125", "\x81\xfd" M0 "b" A124,
	    "\x81\x7d"
	    "b" A124,
	    0) ROW("5.2 length of 126", "\x81\xfe\0\x7e" M0 "bb" A124,
	    "\x81\x7e\0\x7e"
	    "bb" A124,
	    0) ROW("5.2 16-bit length that fits 7 bits",
	    "\x81\xfe\0\x05" M0 "hello", "",
	    1002) ROW("5.2 64-bit length that fits 7 bits",
	    "\x81\xff\0\0\0\0\0\0\0\x05" M0 "hello", "",
	    1002) ROW("5.2 64-bit length that fits 16 bits",
	    "\x82\xff\0\0\0\0\0\0\xff\xff" M0 "a", "",
	    1002) ROW("5.2 64-bit length with the top bit",
	    "\x82\xff\x80\0\0\0\0\0\0\0" M0 "a", "",
	    1002) ROW("5.2 length 2^63 - 1",
	    "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" M0 "a", "",
	    1009) ROW("5.2 length 2^32", "\x82\xff\0\0\0\x01\0\0\0\0" M0 "a",
	    "", 1009) ROW("5.2 length 2^31",
	    "\x82\xff\0\0\0\0\x80\0\0\0" M0 "a", "",
	    1009) ROW("5.2 RSV1", "\xc1\x81" M0 "a", "", 1002) ROW("5.2 RSV2",
	    "\xa1\x81" M0 "a", "", 1002) ROW("5.2 RSV3", "\x91\x81" M0 "a", "",
	    1002) ROW("5.2 all RSV", "\xf1\x81" M0 "a", "",
	    1002) ROW("5.2 RSV on a ping", "\xb9\x80" M0, "", 1002)
	    ROW("5.2 RSV on a close", "\xc8\x82" M0 "\x03\xe8", "", 1002) ROW(
		"5.2 RSV on a continuation",
		"\x01\x81" M0 "a"
		"\xc0\x81" M0 "b",
		"", 1002) ROW("5.2 what came before a violation is answered",
		TEXT_A "\xc1\x81" M0 "a", ECHO_A,
		1002) ROW("5.2 nothing after a violation is read",
		"\xc1\x81" M0 "a" TEXT_A, "", 1002) ROW("5.1 unmasked text",
		"\x81\x01"
		"a",
		"", 1002) ROW("5.1 unmasked empty text", "\x81\x00", "", 1002)
		ROW("5.1 unmasked ping", "\x89\x00", "", 1002)
		    ROW("5.1 unmasked close", "\x88\x02\x03\xe8", "", 1002)
	/* 5.2 opcodes */
	ROW("5.2 opcode 3", "\x83\x80" M0, "", 1002) ROW("5.2 opcode 4",
	    "\x84\x81" M0 "a", "", 1002) ROW("5.2 opcode 5", "\x85\x80" M0, "",
	    1002) ROW("5.2 opcode 6", "\x86\x80" M0, "", 1002)
	    ROW("5.2 opcode 7", "\x87\x80" M0, "", 1002)
		ROW("5.2 opcode 11", "\x8b\x80" M0, "", 1002)
		    ROW("5.2 opcode 12", "\x8c\x81" M0 "a", "", 1002)
			ROW("5.2 opcode 13", "\x8d\x80" M0, "", 1002)
			    ROW("5.2 opcode 14", "\x8e\x80" M0, "", 1002)
				ROW("5.2 opcode 15", "\x8f\x80" M0, "", 1002)
	/* 5.4 fragmentation */
	ROW("5.4 two fragments",
	    "\x01\x81" M0 "a"
	    "\x80\x81" M0 "b",
	    "\x81\x02"
	    "ab",
	    0) ROW("5.4 binary fragments",
	    "\x02\x81" M0 "\xff"
	    "\x80\x81" M0 "\xfe",
	    "\x82\x02\xff\xfe", 0) ROW("5.4 three, one empty",
	    "\x01\x81" M0 "a\x00\x80" M0 "\x80\x81" M0 "b",
	    "\x81\x02"
	    "ab",
	    0) ROW("5.4 all empty", "\x01\x80" M0 "\x00\x80" M0 "\x80\x80" M0,
	    "\x81\x00", 0) ROW("5.4 a ping between",
	    "\x01\x81" M0 "a\x89\x81" M0 "p\x80\x81" M0 "b",
	    "\x8a\x01p\x81\x02"
	    "ab",
	    0) ROW("5.4 a pong between",
	    "\x01\x81" M0 "a\x8a\x81" M0 "p\x80\x81" M0 "b",
	    "\x81\x02"
	    "ab",
	    0) ROW("5.4 a close between",
	    "\x01\x81" M0 "a" CLOSE("\x03", "\xe8"), "", 1000)
	    ROW("5.4 continuation of nothing", "\x80\x81" M0 "a", "", 1002) ROW(
		"5.4 open continuation of nothing", "\x00\x81" M0 "a", "",
		1002) ROW("5.4 continuation after a whole message",
		TEXT_A "\x80\x81" M0 "b", ECHO_A, 1002)
		ROW("5.4 a new message in the middle", "\x01\x81" M0 "a" TEXT_A,
		    "", 1002) ROW("5.4 a new fragment in the middle",
		    "\x01\x81" M0 "a\x01\x81" M0 "b", "", 1002)
		    ROW("5.4 an unmasked fragment",
			"\x01\x81" M0 "a\x80\x01"
			"b",
			"", 1002)
	/* 5.5 control frames */
	ROW("5.5.2 empty ping", "\x89\x80" M0, "\x8a\x00", 0) ROW(
	    "5.5.2 ping of 125", "\x89\xfd" M0 "b" A124,
	    "\x8a\x7d"
	    "b" A124,
	    0) ROW("5.5.2 ping with any byte", "\x89\x82" M0 "\xff\0",
	    "\x8a\x02\xff\0", 0) ROW("5.5.2 pings in order",
	    "\x89\x81" M0 "1\x89\x81" M0 "2\x89\x81" M0 "3",
	    "\x8a\x01"
	    "1\x8a\x01"
	    "2\x8a\x01"
	    "3",
	    0) ROW("5.5 ping of 126", "\x89\xfe\0\x7e" M0 "bb" A124, "", 1002)
	    ROW("5.5 fragmented ping", "\x09\x81" M0 "a", "", 1002)
		ROW("5.5 fragmented pong", "\x0a\x81" M0 "a", "", 1002)
		    ROW("5.5 fragmented close", "\x08\x80" M0, "", 1002)
			ROW("5.5.3 unasked pong", "\x8a\x80" M0, "", 0)
			    ROW("5.5.3 unasked pong, then text",
				"\x8a\x81" M0 "p" TEXT_A, ECHO_A, 0)
	/* 5.5.1 and 7.4 close */
	ROW("5.5.1 close without a code", "\x88\x80" M0, "", 1005)
	    ROW("5.5.1 close of one byte", "\x88\x81" M0 "\x03", "", 1002) ROW(
		"5.5.1 close of 126", "\x88\xfe\0\x7e" M0 "\x03\xe8" A124, "",
		1002) ROW("5.5.1 nothing after a close is read",
		CLOSE("\x03", "\xe8") TEXT_A, "",
		1000) ROW("5.5.1 what came before a close is answered",
		TEXT_A CLOSE("\x03", "\xe8"), ECHO_A,
		1000) ROW("7.4.1 1000 with a reason",
		"\x88\x85" M0 "\x03\xe8"
		"bye",
		"", 1000) ROW("7.4.1 1001", CLOSE("\x03", "\xe9"), "",
		1001) ROW("7.4.1 1002", CLOSE("\x03", "\xea"), "",
		1002) ROW("7.4.1 1003", CLOSE("\x03", "\xeb"), "",
		1003) ROW("7.4.1 1007", CLOSE("\x03", "\xef"), "",
		1007) ROW("7.4.1 1011", CLOSE("\x03", "\xf3"), "",
		1011) ROW("7.4.2 3000", CLOSE("\x0b", "\xb8"), "",
		3000) ROW("7.4.2 4999", CLOSE("\x13", "\x87"), "",
		4999) ROW("7.4 code 0", CLOSE("\0", "\0"), "",
		1002) ROW("7.4 code 999", CLOSE("\x03", "\xe7"), "",
		1002) ROW("7.4.1 code 1004", CLOSE("\x03", "\xec"), "",
		1002) ROW("7.4.1 code 1005", CLOSE("\x03", "\xed"), "",
		1002) ROW("7.4.1 code 1006", CLOSE("\x03", "\xee"), "", 1002)
		ROW("7.4.1 code 1015", CLOSE("\x03", "\xf7"), "", 1002) ROW(
		    "7.4.2 code 1016", CLOSE("\x03", "\xf8"), "", 1002)
		    ROW("7.4.2 code 2999", CLOSE("\x0b", "\xb7"), "", 1002) ROW(
			"7.4.2 code 5000", CLOSE("\x13", "\x88"), "", 1002)
			ROW("7.4.2 code 65535", CLOSE("\xff", "\xff"), "", 1002)
			    ROW("5.5.1 reason of more than ASCII",
				"\x88\x87" M0 "\x03\xe8\xe2\x82\xac\xc3\xa4",
				"", 1000) ROW("5.5.1 reason that is not UTF-8",
				"\x88\x83" M0 "\x03\xe8\xff", "", 1007)
				ROW("5.5.1 reason that ends in a character",
				    "\x88\x83" M0 "\x03\xe8\xc3", "", 1007)
	/* 8.1 UTF-8 */
	ROW("8.1 two, three and four bytes",
	    "\x81\x89" M0 "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6",
	    "\x81\x09\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6",
	    0) ROW("8.1 U+10FFFF", "\x81\x84" M0 "\xf4\x8f\xbf\xbf",
	    "\x81\x04\xf4\x8f\xbf\xbf", 0) ROW("8.1 NUL", "\x81\x81" M0 "\0",
	    "\x81\x01\0", 0) ROW("8.1 a character over two fragments",
	    "\x01\x81" M0 "\xc3\x80\x81" M0 "\xa4", "\x81\x02\xc3\xa4",
	    0) ROW("8.1 and a ping in it",
	    "\x01\x81" M0 "\xc3\x89\x81" M0 "\xff\x80\x81" M0 "\xa4",
	    "\x8a\x01\xff\x81\x02\xc3\xa4",
	    0) ROW("8.1 lone continuation byte", "\x81\x81" M0 "\x80", "",
	    1007) ROW("8.1 character cut short", "\x81\x81" M0 "\xc3", "",
	    1007) ROW("8.1 character cut short over fragments",
	    "\x01\x81" M0 "\xc3\x80\x80" M0, "", 1007) ROW("8.1 overlong slash",
	    "\x81\x82" M0 "\xc0\xaf", "", 1007) ROW("8.1 overlong, three bytes",
	    "\x81\x83" M0 "\xe0\x80\xaf", "", 1007)
	    ROW("8.1 surrogate", "\x81\x83" M0 "\xed\xa0\x80", "", 1007)
		ROW("8.1 U+110000", "\x81\x84" M0 "\xf4\x90\x80\x80", "", 1007)
		    ROW("8.1 0xfe", "\x81\x81" M0 "\xfe", "", 1007)
			ROW("8.1 bad byte in a fragment",
			    "\x01\x81" M0 "a\x00\x81" M0 "\xff", "", 1007)
			    ROW("8.1 what came before is answered",
				TEXT_A "\x81\x81" M0 "\xff", ECHO_A, 1007)
#undef ROW
};

/* Is what came back what the row says? */
static bool
row_matches(const struct row *row)
{
	const uint8_t *p = (const uint8_t *)rig.out + row->out_n;
	size_t n = rig.n - row->out_n;

	if (rig.n < row->out_n || memcmp(rig.out, row->out, row->out_n) != 0)
		return false;
	if (row->code == 0)
		return n == 0;
	if (n < 2 || p[0] != 0x88 || p[1] != n - 2)
		return false;
	if (row->code == 1005)
		return n == 2;
	return n >= 4 && (p[2] << 8 | p[3]) == row->code;
}

/* Feeds a row in pieces: [0, a), [a, b) and the rest. */
static bool
row_run(const struct row *row, size_t a, size_t b)
{
	unsigned closed = rig.closed;
	bool good, end;
	int fd = rig_upgrade();

	rig_write(fd, row->in, a);
	rig_write(fd, row->in + a, b - a);
	rig_write(fd, row->in + b, row->in_n - b);
	end = rig_read(fd);
	good = row_matches(row);
	if (row->code == 0) {
		/* Between messages it has no reader. */
		good = good && !end && rig.conn != NULL &&
		       rig.conn->ws == NULL && rig.conn->in == NULL &&
		       rig.conn->out == NULL;
	} else {
		good = good && end;
	}
	close(fd);
	rig_turns();
	return good && rig.closed == closed + 1 && rig.net->ws_lent == 0 &&
	       net_count(rig.net) == 0;
}

static void
test_rows(void)
{
	const struct row *row;
	size_t i, k;
	bool good;

	for (i = 0; i < NELEM(rows); i++) {
		row = &rows[i];
		good = row_run(row, row->in_n, row->in_n);
		if (!ok(good, "%s", row->name)) {
			printf("# %zu bytes came back:", rig.n);
			for (k = 0; k < rig.n && k < 40; k++)
				printf(" %02x", (uint8_t)rig.out[k]);
			printf("\n");
		}
		good = true;
		for (k = 1; k < row->in_n; k++)
			good = good && row_run(row, k, k + (row->in_n > k));
		ok(good, "%s, split at every byte", row->name);
	}
}

static void
test_one_byte_at_a_time(void)
{
	const struct row *row;
	bool good = true;
	size_t i, k;
	int fd;

	for (i = 0; i < NELEM(rows); i++) {
		row = &rows[i];
		fd = rig_upgrade();
		for (k = 0; k < row->in_n; k++) {
			(void)!send(fd, row->in + k, 1, MSG_NOSIGNAL);
			rig_turn();
		}
		rig_read(fd);
		if (!row_matches(row)) {
			printf("# %s\n", row->name);
			good = false;
		}
		close(fd);
		rig_turns();
	}
	ok(good, "all rows, a byte at a time");
	is_int(rig.net->ws_lent, 0, "every reader is back");
}

/* What the peer and the layer above learn when a peer closes. */
static void
test_close_codes(void)
{
	int fd = rig_upgrade();

	rig_write(fd, CLOSE("\x0f", "\xa1"), 8);
	is_int(rig.why, NET_END_PEER, "a peer's close ends as PEER");
	is_int(rig.code, 4001, "with the peer's code");
	close(fd);
	fd = rig_upgrade();
	rig_write(fd, "\x88\x80" M0, 6);
	is_int(rig.code, 1005, "or 1005 when it gave none");
	close(fd);
	fd = rig_upgrade();
	close(fd);
	rig_turns();
	is_int(rig.why, NET_END_PEER, "a lost connection ends as PEER");
	is_int(rig.code, 1006, "with 1006");
	fd = rig_upgrade();
	rig_write(fd, "\xc1\x81" M0 "a", 7);
	close(fd);
	rig_turns();
	is_int(rig.why, NET_END_PROTOCOL, "a violation ends as PROTOCOL");
	is_int(rig.code, 1002, "with our code");
}

static void
test_server_close(void)
{
	char reason[256];
	int fd = rig_upgrade();
	struct frame *f = frame_ws(WS_TEXT, "last", 4);

	conn_send(rig.conn, f);
	conn_close(rig.conn, NET_END_SHUTDOWN, 1012, "restart");
	conn_close(rig.conn, NET_END_REFUSED, 1008, "again");
	conn_send(rig.conn, f);
	frame_unref(f);
	ok(!rig_read(fd), "after our close the peer has its turn");
	ok(rig.n == 17 &&
		memcmp(rig.out, "\x81\x04last\x88\x09\x03\xf4restart", 17) == 0,
	    "what was queued, one close frame, nothing after it");
	rig_write(fd, TEXT_A, 7);
	is_int(rig.messages, 0, "messages after our close are not taken");
	rig_write(fd, CLOSE("\x03", "\xf4"), 8);
	is_int(rig.closed, 1, "the peer's close completes it");
	is_int(rig.why, NET_END_SHUTDOWN, "for the first reason");
	is_int(rig.code, 1012, "and with our code");
	ok(rig_read(fd), "and the stream ends");
	close(fd);

	memset(reason, 'a', 121);
	strcpy(reason + 121, "\xf0\x9f\x90\xa6tail");
	fd = rig_upgrade();
	conn_close(rig.conn, NET_END_REFUSED, 4000, reason);
	rig_read(fd);
	is_int(rig.n, 2 + 2 + 121, "a reason is cut between characters");
	close(fd);
	fd = rig_upgrade();
	conn_close(rig.conn, NET_END_REFUSED, 4000, "bad \xff");
	rig_read(fd);
	is_int(rig.n, 4, "one that is not UTF-8 is left out");
	close(fd);
	fd = rig_upgrade();
	conn_close(rig.conn, NET_END_REFUSED, 1006, "x");
	rig_read(fd);
	ok(rig.n == 2 && memcmp(rig.out, "\x88\x00", 2) == 0,
	    "a code that may not be sent is left out");
	close(fd);
	fd = rig_upgrade();
	conn_drop(rig.conn, NET_END_REFUSED);
	ok(rig_read(fd) && rig.n == 0, "conn_drop() says nothing");
	is_int(rig.code, 1006, "which is 1006");
	close(fd);
	rig_turns();
}

/* n bytes as one frame, or in fragments of each. */
static uint16_t
send_message(int fd, size_t n, size_t each)
{
	char *p = calloc(1, n > 0 ? n : 1);
	size_t at, k;

	for (at = 0; at < n; at += k) {
		k = n - at < each ? n - at : each;
		rig_send_frame(fd,
		    (uint8_t)((at == 0 ? WS_BINARY : 0) |
			      (at + k == n ? 0x80 : 0)),
		    p + at, k);
	}
	free(p);
	rig_read(fd);
	if (rig.n >= 4 && (uint8_t)rig.out[0] == 0x88)
		return (
		    uint16_t)((uint8_t)rig.out[2] << 8 | (uint8_t)rig.out[3]);
	return 0;
}

static void
test_limits(void)
{
	static const struct {
		const char *name;
		bool trust;
		size_t n;
		size_t each;
		uint16_t code;
	} cases[] = {
		{ "early, at the limit", false, 1000, 1000, 0 },
		{ "early, one over", false, 1001, 1001, 1009 },
		{ "early, at the limit in fragments", false, 1000, 7, 0 },
		{ "early, one over in fragments", false, 1001, 7, 1009 },
		{ "early, one over in the last", false, 1001, 1000, 1009 },
		{ "trusted, over the early limit", true, 1001, 1001, 0 },
		{ "trusted, at the limit", true, 70000, 70000, 0 },
		{ "trusted, one over", true, 70001, 70001, 1009 },
		{ "trusted, at the limit in fragments", true, 70000, 999, 0 },
		{ "trusted, one over in fragments", true, 70001, 999, 1009 },
	};
	struct net_limits l = rig_limits();
	size_t i;
	int fd;

	l.message_early = 1000;
	l.message = 70000;
	net_set_limits(rig.net, &l);
	for (i = 0; i < NELEM(cases); i++) {
		fd = rig_upgrade();
		if (cases[i].trust) {
			rig_send_frame(fd, 0x81, "trust", 5);
			rig_read(fd);
			rig.n = 0;
		}
		is_int(send_message(fd, cases[i].n, cases[i].each),
		    cases[i].code, "%s", cases[i].name);
		close(fd);
		rig_turns();
		is_int(rig.why,
		    cases[i].code == 0 ? NET_END_PEER : NET_END_TOO_BIG,
		    "and it ends for that reason");
	}
	net_set_limits(rig.net, &rig.limits);
}

static void
test_empty_fragments(void)
{
	unsigned i;
	int fd = rig_upgrade();

	rig_write(fd, "\x01\x80" M0, 6);
	for (i = 0; i < 999; i++)
		rig_write(fd, "\x00\x80" M0, 6);
	rig_read(fd);
	is_int(rig.n, 0, "1000 empty fragments pass");
	rig_write(fd, "\x00\x80" M0, 6);
	rig_read(fd);
	ok(rig.n > 4 && (uint8_t)rig.out[3] == (1008 & 0xff),
	    "one more is 1008");
	close(fd);
	rig_turns();
}

static size_t
heap(void)
{
	return HAVE_MALLINFO ? mallinfo2().uordblks + mallinfo2().hblkhd : 0;
}

#define FRAGMENTS 1000000

static void
test_many_fragments(void)
{
	static char block[7 * 1000];
	size_t i, before, most = 0;
	int fd = rig_upgrade();

	rig_send_frame(fd, 0x81, "trust", 5);
	rig_read(fd);
	rig.n = 0;
	for (i = 0; i < 1000; i++)
		rig_frame(block + 7 * i, 0x00, "x", 1);
	before = heap();
	rig_send_frame(fd, 0x01, "x", 1);
	for (i = 1; i + 1 < FRAGMENTS; i += 999) {
		if (rig_write(fd, block, 7 * 999) != 7 * 999)
			break;
		if (heap() - before > most)
			most = heap() - before;
	}
	/* 1 + 1001 * 999 are there; the last makes 1,000,001. */
	rig_send_frame(fd, 0x80, "x", 1);
	rig_read(fd);
	is_int(rig.n, 1000001 + 10, "a message of 1,000,001 fragments");
	ok(most <= 3 * FRAGMENTS, "which needed %zu bytes", most);
	is_int(rig.net->ws_lent, 0, "and its reader is back");
	close(fd);
	rig_turns();
}

/* A peer that pings and never reads. */
static void
test_ping_flood(size_t n)
{
	static char block[131 * 500];
	char payload[125];
	size_t i, sent = 0, before, most = 0, k, len = 0;
	int fd = rig_upgrade();

	memset(payload, 'p', sizeof(payload));
	for (i = 0; i < 500; i++)
		len += rig_frame(block + len, 0x89, payload, n);
	rig_turns();
	before = heap();
	for (i = 0; i < 2000; i++) {
		k = rig_write(fd, block, len);
		sent += k;
		if (heap() - before > most)
			most = heap() - before;
		if (k < len)
			break;
	}
	ok(k < len || n == 0, "pings of %zu: after %zu bytes we do not read", n,
	    sent);
	ok(most < 128 * 1024, "and hold %zu bytes", most);
	is_int(rig.closed, 0, "the connection lives");
	rig.n = 0;
	rig_read(fd);
	ok(rig.n > 0 && rig.n <= sent, "what was sent are pongs");
	if (k < len)
		rig_write(fd, block + k, len - k);
	rig.n = 0;
	rig_write(fd, "\x89\x84" M0 "last", 10);
	rig_read(fd);
	ok(rig.n >= 6 && memcmp(rig.out + rig.n - 6, "\x8a\x04last", 6) == 0,
	    "who reads again is answered again");
	close(fd);
	rig_turns();
	rig.closed = 0;
}

/* More pings than are answered in one turn: the newest is answered. */
static void
test_newest_pong(void)
{
	char pings[100 * 9], name[3];
	int fd = rig_upgrade(), i;

	for (i = 0; i < 100; i++) {
		name[0] = 'p';
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		rig_frame(pings + 9 * i, 0x89, name, sizeof(name));
	}
	(void)!send(fd, pings, sizeof(pings), MSG_NOSIGNAL);
	rig_read(fd);
	ok(rig.n >= 5 && rig.n <= 5 * 40, "100 pings at once, %zu pongs",
	    rig.n / 5);
	ok(rig.n >= 5 && memcmp(rig.out + rig.n - 5, "\x8a\x03p99", 5) == 0,
	    "the last for the last");
	rig.n = 0;
	rig_write(fd, pings, 9);
	rig_read(fd);
	is_int(rig.n, 5, "and then each again");
	close(fd);
	rig_turns();
}

static void
test_idle_memory(void)
{
	enum {
		CONNS = 400
	};
	static int fds[CONNS];
	size_t before, i;

	fds[0] = rig_upgrade();
	rig_write(fds[0], TEXT_A, 7);
	before = heap();
	for (i = 1; i < CONNS; i++) {
		fds[i] = rig_upgrade();
		rig_write(fds[i], TEXT_A, 7);
		rig_read(fds[i]);
	}
	rig_turns();
	ok((heap() - before) / (CONNS - 1) < 400,
	    "an idle connection takes %zu bytes",
	    (heap() - before) / (CONNS - 1));
	is_int(rig.net->ws_lent, 0, "and no reader");
	for (i = 0; i < CONNS; i++)
		close(fds[i]);
	rig_turns();
	is_int(net_count(rig.net), 0, "all are gone");
}

static void
test_upgrade(void)
{
	static const char *const listed[] = { "https://ok.example", NULL };
	static const char *const any[] = { "*", NULL };
	static const struct {
		const char *name;
		const char *method;
		const char *version;
		const char *headers;
		const char *const *origins;
		int status;
	} cases[] = {
#define UP "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: " RIG_KEY "\r\n"
#define ALL UP V13 KEY
		{ "4.2.1 all is there", "GET", "1.1", ALL, NULL, 101 },
		{ "4.2.1 tokens in any case", "GET", "1.1",
		    "connection: keep-alive, uPGRADE\r\nupgrade: WEBSOCKET\r\n"
		    "sec-websocket-version: 13\r\nsec-websocket-key: " RIG_KEY
		    "\r\n",
		    NULL, 101 },
		{ "4.2.1 POST", "POST", "1.1", ALL, NULL, 400 },
		{ "4.2.1 HTTP/1.0", "GET", "1.0", ALL, NULL, 400 },
		{ "4.2.1 a body", "GET", "1.1", ALL "Content-Length: 1\r\n\r\n",
		    NULL, 400 },
		{ "4.2.1 no Upgrade", "GET", "1.1",
		    "Connection: Upgrade\r\n" V13 KEY, NULL, 426 },
		{ "4.2.1 no Connection", "GET", "1.1",
		    "Upgrade: websocket\r\n" V13 KEY, NULL, 426 },
		{ "4.2.1 another Upgrade", "GET", "1.1",
		    "Connection: Upgrade\r\nUpgrade: h2c\r\n" V13 KEY, NULL,
		    426 },
		{ "4.4 no version", "GET", "1.1", UP KEY, NULL, 426 },
		{ "4.4 version 8", "GET", "1.1",
		    UP "Sec-WebSocket-Version: 8\r\n" KEY, NULL, 426 },
		{ "4.4 version 13, 8", "GET", "1.1",
		    UP "Sec-WebSocket-Version: 13, 8\r\n" KEY, NULL, 426 },
		{ "4.4 version twice", "GET", "1.1", UP V13 V13 KEY, NULL,
		    426 },
		{ "4.2.1 no key", "GET", "1.1", UP V13, NULL, 400 },
		{ "4.2.1 two keys", "GET", "1.1", UP V13 KEY KEY, NULL, 400 },
		{ "4.2.1 key of 15 bytes", "GET", "1.1",
		    UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", NULL,
		    400 },
		{ "4.2.1 key of 17 bytes", "GET", "1.1",
		    UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\r\n",
		    NULL, 400 },
		{ "4.2.1 key that is not base64", "GET", "1.1",
		    UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==\r\n",
		    NULL, 400 },
		{ "4.2.1 empty key", "GET", "1.1",
		    UP V13 "Sec-WebSocket-Key:\r\n", NULL, 400 },
		{ "10.2 own origin", "GET", "1.1",
		    ALL "Origin: http://h.example:7900\r\n", NULL, 101 },
		{ "10.2 own origin behind TLS, other case", "GET", "1.1",
		    ALL "Origin: HTTPS://H.example:7900\r\n", NULL, 101 },
		{ "10.2 other port", "GET", "1.1",
		    ALL "Origin: http://h.example\r\n", NULL, 403 },
		{ "10.2 other host", "GET", "1.1",
		    ALL "Origin: http://evil.example\r\n", NULL, 403 },
		{ "10.2 host as a part", "GET", "1.1",
		    ALL "Origin: http://h.example:7900.evil\r\n", NULL, 403 },
		{ "10.2 null", "GET", "1.1", ALL "Origin: null\r\n", NULL,
		    403 },
		{ "10.2 empty", "GET", "1.1", ALL "Origin:\r\n", NULL, 403 },
		{ "10.2 host without a scheme", "GET", "1.1",
		    ALL "Origin: h.example:7900\r\n", NULL, 403 },
		{ "10.2 two origins", "GET", "1.1",
		    ALL "Origin: http://h.example:7900\r\n"
			"Origin: http://evil\r\n",
		    NULL, 403 },
		{ "10.2 listed", "GET", "1.1",
		    ALL "Origin: https://OK.example\r\n", listed, 101 },
		{ "10.2 not listed", "GET", "1.1",
		    ALL "Origin: https://no.example\r\n", listed, 403 },
		{ "10.2 own host stays allowed", "GET", "1.1",
		    ALL "Origin: http://h.example:7900\r\n", listed, 101 },
		{ "10.2 any", "GET", "1.1", ALL "Origin: http://evil\r\n", any,
		    101 },
		{ "9.1 extensions and protocols are not taken", "GET", "1.1",
		    ALL "Sec-WebSocket-Extensions: permessage-deflate\r\n"
			"Sec-WebSocket-Protocol: chat\r\n",
		    NULL, 101 },
	};
	struct net_limits l = rig_limits();
	char text[1024];
	size_t i;
	int fd;

	for (i = 0; i < NELEM(cases); i++) {
		l.origins = cases[i].origins;
		net_set_limits(rig.net, &l);
		fd = rig_connect();
		rig.n = 0;
		snprintf(text, sizeof(text),
		    "%s /ws HTTP/%s\r\nHost: h.example:7900\r\n%s\r\n",
		    cases[i].method, cases[i].version, cases[i].headers);
		rig_puts(fd, text);
		rig_read(fd);
		is_int(rig.n > 12 ? atoll(rig.out + 9) : 0, cases[i].status,
		    "%s: %d", cases[i].name, cases[i].status);
		if (cases[i].status == 101)
			ok(strcmp(rig.out,
			       "HTTP/1.1 101 Switching Protocols\r\n"
			       "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			       "Sec-WebSocket-Accept: "
			       "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") == 0,
			    "1.3 with the key of the example, and no more");
		else
			ok(strstr(rig.out, "{\"error\":\"") != NULL,
			    "says why");
		if (cases[i].status == 426)
			ok(strstr(rig.out, "Sec-WebSocket-Version: 13\r\n") !=
				NULL,
			    "4.4 and which version");
		close(fd);
		rig_turns();
	}
	net_set_limits(rig.net, &rig.limits);
}

/* Frames right behind the request belong to the WebSocket. */
static void
test_bytes_after_upgrade(void)
{
	int fd = rig_connect();

	rig.n = 0;
	rig_write(
	    fd, RIG_UPGRADE TEXT_A TEXT_A, sizeof(RIG_UPGRADE) - 1 + 2 * 7);
	rig_read(fd);
	ok(rig.n > 6 && memcmp(rig.out + rig.n - 6, ECHO_A ECHO_A, 6) == 0,
	    "frames sent with the upgrade are read");
	close(fd);
	rig_turns();
}

int
main(void)
{
	struct net_limits l = rig_limits();

	crypto_start();
	rig_start(&l, &handler);
	test_upgrade();
	test_bytes_after_upgrade();
	rig.messages = rig.closed = 0;
	test_server_close();
	test_close_codes();
	test_rows();
	test_one_byte_at_a_time();
	test_limits();
	test_empty_fragments();
	test_newest_pong();
	test_idle_memory();
	l.message = 2 * 1024 * 1024;
	l.output = 4 * 1024 * 1024;
	net_set_limits(rig.net, &l);
	test_many_fragments();
	rig.closed = 0;
	test_ping_flood(125);
	test_ping_flood(0);
	is_int(rig.net->ws_lent, 0, "no reader is lost");
	rig_stop();
	return tap_done();
}
