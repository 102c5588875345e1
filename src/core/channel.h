/* SPDX-License-Identifier: ISC */
/*
 * Channels: messages that stay, in one order, for who is there and for who
 * comes later.  A thread is a channel that belongs to a message of another
 * one, and has that one's members.
 *
 * What may be seen of a private one, its name and that it exists included, is
 * for its members.  The database decides that, with each question
 * (channel_admits() in sql/); to anybody else it is not there.
 */
#ifndef CORE_CHANNEL_H
#define CORE_CHANNEL_H

#include "core/domain.h"

#define CHANNEL_NAME_MAX 80
#define CHANNEL_TOPIC_MAX 500
#define CHANNEL_WHICH_MAX 128 /* an id, or a name */

struct channel {
	struct id id;
	struct id root; /* of a thread; else zero */
	struct id parent;
	struct slice name;
	struct slice topic;
	bool private;
	bool may_admin; /* its owner, an admin of it, or who keeps order */
	int64_t seq;
	int64_t last_n;	   /* of the last entry of the journal about it */
	struct slice role; /* of who asks; {NULL, 0}: no member of it */
	int64_t seen;	   /* the last seq that it has read */
};

/* As clients over REST say whether it is private. */
enum visibility {
	VISIBILITY_PRIVATE,
	VISIBILITY_PUBLIC
};
extern const char *const channel_visibilities[];
/* What a client over REST says a stream is; its id is enough. */
extern const char *const channel_streams[];

/*
 * channel.c: new ones, and which one is meant.
 */
/* Finds what a request means by an id, or by a name with or without '#', and
 * calls fn with it, of the request's pool; or fails the request. */
typedef void channel_fn(struct request *r, struct channel *c);
void channel_find(struct request *r, struct slice which, channel_fn *fn);
/* Fails a request for which there is no such channel; what says that it was
 * asked for. */
void channel_unknown(struct request *r, struct slice which);
bool channel_is_thread(const struct channel *c);

/*
 * journal.c: lines of the journal, in rows of c->journal.
 */
/* Such a row changes this mesh, and what is in it, alone. */
struct db_params *journal_row(struct core *c, enum db_stmt stmt,
    const struct id *mesh, db_fn *fn, void *arg);
/* A line: its payload is written between begin and end, as one object with its
 * keys in the order of their bytes.  What only the database knows, as the seq
 * of a message, it puts where journal_hole() was. */
struct journal_line {
	struct db_params *row;
	struct buf b;
	struct json_writer w;
	size_t hole; /* where b goes on behind it; SIZE_MAX: none */
};
void journal_begin(struct journal_line *l, struct db_params *row);
void journal_hole(struct journal_line *l, const char *key);
struct id journal_end(struct journal_line *l, int64_t k, const char *type);
/* What stands before and behind its hole; before journal_end(), of a pool. */
struct journal_text {
	struct slice head;
	struct slice tail;
};
void journal_text(
    const struct journal_line *l, struct pool *pool, struct journal_text *t);

/*
 * post.c: messages of channels.
 */
/* Posts what this says (parts, reply_to, client_id; id, or null for a new one)
 * to the channel that a request means, and calls done with what became of it;
 * or fails the request.
 * parts: the same before they were put together, as far as that was done. */
typedef void post_fn(struct request *r, const struct post *p, bool repeated);
void post_begin(struct request *r, struct slice channel,
    const struct post *what, const struct list *parts, post_fn *done);
#define POST_PARTS_MAX 100
#define POST_CLIENT_ID_MAX 256

/*
 * post_parts.c: what a message says.
 */
enum post_type {
	POST_TEXT,
	POST_MENTION,
	POST_COMMAND
}; /* and those that are not looked into */
struct post_part {
	int type; /* of post_types */
	struct slice payload;
};
extern const struct field post_part_fields[];
/* Fails a request that has neither parts nor a text, or both, or such that are
 * not what they should be. */
bool post_parts_check(
    struct request *r, const struct list *parts, struct slice text) MUST_CHECK;
/* Does it name a type of parts? */
bool post_is_type(const struct json_node *n) MUST_CHECK;
const char *post_type_name(int type);
/* As they are stored, of the request's pool. */
struct slice post_parts(
    struct request *r, const struct list *parts, struct slice text);

/*
 * post_list.c: what was said.
 */
#define POST_PAGE_MAX 500
/* Asks for messages after a seq that a member may see.  No row: it may not see
 * the channel; one whose first column is null: there are none. */
void post_ask(struct core *c, const struct id *channel, const struct id *member,
    int64_t after, int64_t limit, db_fn *fn, void *arg);
/* Reads a row of these, from a column on; texts are the answer's. */
void post_read(
    struct post *p, const struct db_result *res, size_t row, unsigned column);

/*
 * entry.c: lines of the journal, as statements answer them.
 */
#define ENTRY_N 0    /* null: there is none */
#define ENTRY_TYPE 1 /* null: the line is not for the member */
#define ENTRY_SEQ 2
#define ENTRY_END 7 /* the last line that could be here */
/* Reads a row; texts are the answer's.  p is what it points to where it is
 * about a message that was posted. */
void entry_read(
    struct entry *n, struct post *p, const struct db_result *res, size_t row);
/* May it see what is not in a channel? */
bool entry_sees_all(const struct client *c);

/*
 * entry_place.c: where somebody goes on.
 */
/* Behind which line an event is that the client names by its id; "0": before
 * the first.  known false: the client could not be told of such a one; n is a
 * line of about that time.  What is no place fails the request. */
typedef void entry_place_fn(void *arg, int64_t n, bool known);
void entry_place(
    struct request *r, struct slice at, entry_place_fn *fn, void *arg);
/* A line as a place that says nothing else, of the request's pool. */
struct slice entry_place_text(struct request *r, int64_t n);

/*
 * follow.c: who is told of what happens, from where.
 */
/* It was stored here, or a record tells of it. */
void follow_entry(struct core *c, const struct entry *e);
/* There is this line about it, to be read; 0: some. */
void follow_news(struct core *c, const struct id *channel, int64_t n);
/* The same of a mesh; event_entry() says it. */
void follow_mesh(struct core *c, const struct id *mesh, int64_t n);
/* Records were lost. */
void follow_reload(struct core *c);
/* The client's output was taken up to there. */
void follow_written(struct client *c, uint64_t pos);
void follow_end(struct client *c);
/* At the end of a turn; and once a second. */
void follow_turn(struct core *c);
void follow_tick(struct core *c);
void follow_close(struct core *c);

struct follow_start {
	unsigned flags;
	bool mesh;	/* the id is a mesh's */
	struct id root; /* of a thread, its channel; or zero */
	int64_t last;	/* after this line */
	int64_t until;	/* what was there: up to this one */
	int64_t after;	/* without the messages up to this seq */
	bool gap;	/* it is not known where it should begin */
};
enum follow_may {
	FOLLOW_MAY,
	FOLLOW_MAY_AGAIN, /* it follows it already */
	FOLLOW_MAY_NOT,	  /* it follows too many */
};
enum follow_may follow_may(const struct client *c, const struct id *id);
void follow_begin(
    struct client *c, const struct id *id, const struct follow_start *start);
/* False: it did not follow it. */
bool follow_stop(struct client *c, const struct id *id);

/* A request that waits for something new in a channel or a mesh, at most for
 * so long.  It begins before it looks what there is. */
struct follow_wait;
#define FOLLOW_WAIT_MAX 60 /* seconds that are asked for */
struct follow_wait *follow_wait_begin(
    struct request *r, const struct id *id, int64_t ms);
/* Before it looks: may it still?  What was good when it began need not be. */
enum err follow_wait_may(const struct request *r) MUST_CHECK;
/* There was nothing: fn looks again, when there is something new or the time
 * is over, each at the end of a turn.  False: its time was over before. */
typedef void follow_wait_fn(struct request *r);
bool follow_wait_more(struct follow_wait *w, follow_wait_fn *fn) MUST_CHECK;
/* Before the request ends. */
void follow_wait_end(struct follow_wait *w);

#endif
