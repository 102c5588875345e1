/* SPDX-License-Identifier: ISC */
/*
 * Records: one ring per process, which that process writes and all others
 * read.  Nobody waits for anybody: the writer looks at no reader, it goes
 * round and overwrites; a reader that is too slow is told so.
 *
 * POSITIONS count bytes since the bus was made.  They are 64 bits, only rise,
 * and never wrap; position p lies at offset p % ring_size.  Of a ring:
 *
 *	              next of a reader        head        reserve
 *	                     v                 v             v
 *	 ..| record | record | record | record | (being written)
 *	 ^                                                   ^
 *	 reserve - ring_size: what is before was or may be overwritten
 *
 * A RECORD begins and ends on 8 bytes, and goes on at the ring's start when it
 * meets the ring's end (a word never does, a payload may, once):
 *
 *	 0        8        16       24
 *	 +--------+--------+----+-+-+----------------+---+
 *	 |  pos   |   to   |len |t|f|  len bytes     |pad|
 *	 +--------+--------+----+-+-+----------------+---+
 *	 pos   its own position: a reader that looks for a record at p finds p
 *	       here, or there is no record here
 *	 to    mask of the processes that it is for
 *	 len   bytes of payload (32 bits), t type, f writer (16 bits each)
 *
 * MEMORY ORDER.  The writer
 *
 *	W1  raises reserve past the new record's end; release fence
 *	W2  writes the record
 *	W3  need[r] = end for each reader r that it is for
 *	W4  head = end, release
 *
 * and the reader
 *
 *	R1  loads head, acquire; then need[self]
 *	R2  copies the record at next < head to private memory
 *	R3  acquire fence; loads reserve; reserve - next > ring_size: drops it
 *	R4  hands out the copy
 *
 * W4 and R1 make a record whole: who sees the head sees all before it.  W1
 * and R3 keep it whole.  Suppose that the copy holds a single byte that the
 * writer put there when it came round.  That byte was stored after the fence
 * of W1 and loaded before the fence of R3, so the fences synchronise, and R3
 * sees a reserve at least as high as W1 left it before storing the byte: more
 * than ring_size past next.  The copy is dropped.  A torn record can be read
 * and never be handed out.  (A release *store* of reserve would not do: it
 * keeps earlier stores from sinking below it, not later ones from rising
 * above it.  The fence does that, and costs nothing on x86.)
 *
 * Reserve is raised by a part of the ring at a time.  Readers load it for each
 * record; were it stored for each record too, its cache line would travel
 * between the processors each time (measured, 100 bytes, one reader: 12 ns a
 * record, against 160 and more).
 *
 * The copy of a payload races with the writer by design, and memcpy() of
 * racing bytes is outside the letter of C11.  It is sound here: the bytes are
 * not looked at before R3, and the fence makes the compiler finish the copy
 * before it.  The three words before the payload are looked at earlier, for
 * the length; they are loaded once each as relaxed atomics, so what was
 * checked is what is used.  ThreadSanitizer needs no suppression, as each
 * bus_open() maps the memory anew and it tells accesses apart by address.
 *
 * A LAPPED READER (R3, or a position that makes no sense) takes head as its
 * new position and says that records were lost.  It cannot do better: where
 * records begin is known only by walking.  It does not say so when nothing was
 * lost: need[self] <= next means that no record between next and head was for
 * it.  W3 comes before W4, so need is never too low for the head that R1 saw;
 * it may be too high by a record in the making, and then a lapped reader may
 * complain once for nothing.  By the same comparison a reader steps over any
 * number of records for others without walking them.
 *
 * A WRITER THAT DIES, at any instruction, leaves head at the end of its last
 * whole record, and reserve past all that it may have touched.  Its successor
 * goes on from there: see bus_continue().
 *
 * A WRITER GONE MAD may put any bytes anywhere.  Every offset is masked, every
 * length checked against head and against the private buffer, and what makes
 * no sense is treated as a lap.  So nobody leaves its memory or loops; but
 * bytes forged inside a record are handed out: there is no checksum, and
 * callers parse payloads as strictly as those from a socket.  The writer
 * itself keeps its positions in private memory: it mends its head with the next
 * record, and its reserve when it next raises it.
 */
#include "bus/bus_shm.h"

#include <errno.h>
#include <string.h>

#define RECORD_WORDS 3
#define RECORD_HEADER (RECORD_WORDS * sizeof(uint64_t))
/* Bytes of a record with so much payload. */
#define RECORD_SIZE(len) \
	(RECORD_HEADER + (((uint64_t)(len) + 7) & ~UINT64_C(7)))
/* Reserve is raised by this part of a ring at a time. */
#define RESERVE_PART 16

static_assert(BUS_RING_MIN / 4 + RECORD_HEADER + BUS_RING_MIN / RESERVE_PART <
		  BUS_RING_MIN,
    "the largest record and the reserve fit into a ring");

struct record {
	uint64_t pos;
	uint64_t to;
	uint32_t len;
	uint16_t type;
	uint16_t from;
};

/* The word of a ring that holds a position. */
static inline bus_word *
ring_word(const struct bus *b, unsigned proc, uint64_t pos)
{
	return (bus_word *)(void *)bus_ring(b, proc) +
	       (pos & (b->ring_size - 1)) / sizeof(bus_word);
}

/* Copies into the own ring; n is at most a ring. */
static void
ring_put(const struct bus *b, uint64_t pos, const char *p, size_t n)
{
	char *ring = bus_ring(b, b->self);
	size_t off = pos & (b->ring_size - 1);
	size_t room = b->ring_size - off;

	if (n <= room) {
		memcpy(ring + off, p, n);
	} else {
		memcpy(ring + off, p, room);
		memcpy(ring, p + room, n - room);
	}
}

/* Copies out of a ring; n is at most a ring. */
static void
ring_get(const struct bus *b, unsigned proc, uint64_t pos, char *p, size_t n)
{
	const char *ring = bus_ring(b, proc);
	size_t off = pos & (b->ring_size - 1);
	size_t room = b->ring_size - off;

	if (n <= room) {
		memcpy(p, ring + off, n);
	} else {
		memcpy(p, ring + off, room);
		memcpy(p + room, ring, n - room);
	}
}

size_t
bus_record_max(const struct bus *b)
{
	return b->record_max;
}

/* W1: announces that all up to end may be overwritten. */
static void
ring_reserve(struct bus *b, uint64_t end)
{
	if (end <= b->reserved)
		return;
	b->reserved = end + b->ring_size / RESERVE_PART;
	atomic_store_explicit(
	    &bus_proc(b, b->self)->reserve, b->reserved, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

/* W2: the words before the payload. */
static void
record_put(const struct bus *b, const struct record *r)
{
	const uint64_t w[RECORD_WORDS] = {
		r->pos,
		r->to,
		r->len | (uint64_t)r->type << 32 | (uint64_t)r->from << 48,
	};
	unsigned i;

	for (i = 0; i < RECORD_WORDS; i++) {
		atomic_store_explicit(
		    ring_word(b, b->self, r->pos + i * sizeof(w[i])), w[i],
		    memory_order_relaxed);
	}
}

int
bus_publish(struct bus *b, uint16_t type, uint64_t to,
    const struct slice *parts, size_t nparts)
{
	struct bus_proc *own = bus_proc(b, b->self);
	struct record r = { .pos = b->pos, .type = type };
	uint64_t at, left;
	size_t i, len = 0;

	for (i = 0; i < nparts; i++) {
		if (parts[i].n > b->record_max - len) {
			errno = EMSGSIZE;
			return -1;
		}
		len += parts[i].n;
	}
	to &= b->all & ~BUS_BIT(b->self);
	if (to == 0)
		return 0;
	r.to = to;
	r.len = (uint32_t)len;
	r.from = (uint16_t)b->self;

	ring_reserve(b, b->pos + RECORD_SIZE(len));
	record_put(b, &r);
	at = b->pos + RECORD_HEADER;
	for (i = 0; i < nparts; i++) {
		if (parts[i].n > 0)
			ring_put(b, at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	b->pos += RECORD_SIZE(len);
	for (left = to; left != 0; left &= left - 1) {
		atomic_store_explicit(&own->need[__builtin_ctzll(left)], b->pos,
		    memory_order_relaxed);
	}
	atomic_store_explicit(&own->head, b->pos, memory_order_release);
	b->unflushed |= to;
	return 0;
}

/* R2: the words before the payload; whatever they say was not checked. */
static void
record_get(const struct bus *b, unsigned from, uint64_t pos, struct record *r)
{
	uint64_t w[RECORD_WORDS];
	unsigned i;

	for (i = 0; i < RECORD_WORDS; i++) {
		w[i] = atomic_load_explicit(
		    ring_word(b, from, pos + i * sizeof(w[i])),
		    memory_order_relaxed);
	}
	r->pos = w[0];
	r->to = w[1];
	r->len = (uint32_t)w[2];
	r->type = (uint16_t)(w[2] >> 32);
	r->from = (uint16_t)(w[2] >> 48);
}

/* Can this be a record at pos?  Then it is safe to copy, if perhaps torn. */
static bool
record_is_sane(const struct bus *b, const struct record *r, unsigned from,
    uint64_t pos, uint64_t head)
{
	return r->pos == pos && r->from == from && r->len <= b->record_max &&
	       RECORD_SIZE(r->len) <= head - pos;
}

/* R3: may what was copied from pos on have been overwritten meanwhile?  Also
 * true of a reserve before pos, which cannot be. */
static bool
ring_is_lapped(const struct bus *b, unsigned from, uint64_t pos)
{
	uint64_t reserve;

	atomic_thread_fence(memory_order_acquire);
	reserve = atomic_load_explicit(
	    &bus_proc(b, from)->reserve, memory_order_relaxed);
	return reserve - pos > b->ring_size;
}

/* Reads one ring.  After a lap the rest waits for the next call, so that the
 * caller hears of the gap before it sees what comes after. */
static unsigned
ring_read(struct bus *b, unsigned from, unsigned max, bus_fn *fn, void *arg,
    bool *lost)
{
	struct bus_proc *p = bus_proc(b, from);
	struct record r;
	uint64_t head, need, pos = b->next[from];
	unsigned n = 0;
	bool mine;

	head = atomic_load_explicit(&p->head, memory_order_acquire);
	if (head == pos)
		return 0;
	if (head < pos)
		goto lapped;
	need = atomic_load_explicit(&p->need[b->self], memory_order_relaxed);
	while (n < max && pos < head && pos < need) {
		record_get(b, from, pos, &r);
		if (!record_is_sane(b, &r, from, pos, head))
			goto lapped;
		mine = (r.to & BUS_BIT(b->self)) != 0;
		if (mine)
			ring_get(b, from, pos + RECORD_HEADER, b->copy, r.len);
		if (ring_is_lapped(b, from, pos))
			goto lapped;
		pos += RECORD_SIZE(r.len);
		b->next[from] = pos;
		if (mine) {
			fn(arg, from, r.type, b->copy, r.len);
			n++;
		}
	}
	/* What is left, up to the head that was seen, is for others. */
	if (pos >= need)
		b->next[from] = head;
	return n;

lapped:
	b->next[from] = atomic_load_explicit(&p->head, memory_order_acquire);
	*lost = true;
	return n;
}

unsigned
bus_read(struct bus *b, unsigned max, bus_fn *fn, void *arg, bool *lost)
{
	unsigned from = b->first, i, n = 0;

	*lost = false;
	for (i = 0; i < b->procs && n < max; i++) {
		if (from != b->self)
			n += ring_read(b, from, max - n, fn, arg, lost);
		from = from + 1 < b->procs ? from + 1 : 0;
	}
	/* A ring that is always full must not starve those after it. */
	b->first = from;
	return n;
}
