/* SPDX-License-Identifier: ISC */
/*
 * Records by NOTIFY.  Each host listens on a channel of its own and on one for
 * all; what a turn has for a host goes in as few payloads as hold it, and what
 * it has for all hosts in one statement, which is one transaction.
 *
 * A payload is
 *	host SPACE life SPACE line number [SPACE record ...]
 * the sender's id, its incarnation, the line (`=` to one host, `*` to all) and
 * the number of the payload on that line, from 1; each record in base64.  What
 * the sender could not get rid of has had its number: the next payload, which
 * has no record if there is nothing to say, shows the gap.  A number that was
 * there already is a statement that was repeated after a lost connection.
 *
 * Who can write to the database can notify: the payload has no other proof of
 * its sender than that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "core/core.h"
#include "relay/relay_transport.h"

/* PostgreSQL takes less than 8,000 bytes, and texts without NUL. */
#define PAYLOAD_MAX 7900
#define PAYLOAD_HEAD (2 * (ID_HEX_LEN + 1) + 1 + 20)
#define CHANNEL "linnet"
#define LINES "=*"
/* Before what linnetctl tells all hosts: see member_tell and session_tell_kick
 * in stmts.sql. */
#define CHANGED "changed "
#define KICK "kick "

/* Where payloads go: a host, or all. */
struct postgres_to {
	struct hash_entry hash;
	struct relay_transport *transport;
	struct id host; /* null: all */
	char channel[sizeof(CHANNEL) + 1 + ID_HEX_LEN];
	uint64_t number;
	bool lost; /* something that had a number */
	struct postgres_payload *open;
};

/* A sender. */
struct postgres_from {
	struct hash_entry hash;
	struct id host;
	struct id life;
	uint64_t number[sizeof(LINES) - 1];
};

struct postgres_payload {
	TAILQ_ENTRY(postgres_payload) entry;
	struct postgres_to *to;
	struct buf text;
};
TAILQ_HEAD(postgres_payloads, postgres_payload);

struct relay_transport {
	struct relay_transport_config c;
	struct db *listen;
	char own[sizeof(CHANNEL) + 1 + ID_HEX_LEN];
	const char *channels[3];
	struct hash to;
	struct hash from;
	struct postgres_payloads payloads; /* of this turn */
	size_t npayloads;
	LIST_HEAD(, postgres_told) told;
};

/* To whom a statement went, until its end is known. */
struct postgres_told {
	LIST_ENTRY(postgres_told) entry;
	struct relay_transport *transport; /* NULL: it was closed */
	size_t n;
	struct id to[];
};

static void
postgres_channel(char *out, size_t size, const struct id *host)
{
	char hex[ID_HEX_LEN + 1];

	if (id_is_null(host))
		snprintf(out, size, "%s", CHANNEL);
	else
		snprintf(out, size, "%s_%s", CHANNEL, id_hex(host, hex));
}

/*
 * Sending.
 */

static struct postgres_to *
postgres_to(struct relay_transport *t, const struct id *host)
{
	struct hash_entry *e = hash_find(&t->to, host->b, ID_LEN);
	struct postgres_to *to;

	if (e != NULL)
		return CONTAINER(e, struct postgres_to, hash);
	to = xcalloc(1, sizeof(*to));
	to->transport = t;
	to->host = *host;
	postgres_channel(to->channel, sizeof(to->channel), host);
	hash_insert(&t->to, &to->hash, to->host.b, ID_LEN);
	return to;
}

static struct postgres_payload *
postgres_begin(struct relay_transport *t, struct postgres_to *to)
{
	char host[ID_HEX_LEN + 1], life[ID_HEX_LEN + 1];
	struct postgres_payload *p = xcalloc(1, sizeof(*p));

	p->to = to;
	buf_init(&p->text, PAYLOAD_MAX + 1);
	buf_addf(&p->text, "%s %s %c%llu", id_hex(&t->c.host, host),
	    id_hex(&t->c.incarnation, life), LINES[id_is_null(&to->host)],
	    (unsigned long long)++to->number);
	TAILQ_INSERT_TAIL(&t->payloads, p, entry);
	t->npayloads++;
	to->open = p;
	to->lost = false;
	return p;
}

static void
postgres_send(
    struct relay_transport *t, const struct id *host, const char *p, size_t n)
{
	static const struct id all;
	struct postgres_to *to = postgres_to(t, host != NULL ? host : &all);
	char text[CRYPTO_B64_LEN(PAYLOAD_MAX)];

	crypto_base64(text, p, n, CRYPTO_B64_STD);
	if (to->open == NULL ||
	    to->open->text.len + 1 + strlen(text) > PAYLOAD_MAX)
		postgres_begin(t, to);
	buf_addc(&to->open->text, ' ');
	buf_adds(&to->open->text, text);
}

static void
postgres_payloads_free(struct postgres_payloads *list)
{
	struct postgres_payload *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, p, entry);
		buf_free(&p->text);
		free(p);
	}
}

static void
postgres_told(void *arg, const struct db_result *r)
{
	struct postgres_told *told = arg;
	size_t i;

	if (told->transport == NULL) {
		free(told);
		return;
	}
	if (db_status(r) != DB_OK)
		for (i = 0; i < told->n; i++)
			postgres_to(told->transport, &told->to[i])->lost = true;
	LIST_REMOVE(told, entry);
	free(told);
}

/* Those to whom something was lost hear of it, if of nothing else. */
static void
postgres_own_up(struct relay_transport *t)
{
	struct hash_entry *e, *next;
	struct postgres_to *to;
	size_t i;

	HASH_FOREACH (e, next, i, &t->to) {
		to = CONTAINER(e, struct postgres_to, hash);
		if (to->lost && to->open == NULL)
			postgres_begin(t, to);
	}
}

static void
postgres_flush(struct relay_transport *t)
{
	struct slice *channels, *payloads;
	struct postgres_payload *p;
	struct postgres_told *told;
	struct db_params *params;
	size_t n = 0;
	bool up = db_up(t->c.core->reads);

	if (up)
		postgres_own_up(t);
	if (t->npayloads == 0)
		return;
	channels = xcalloc(t->npayloads, 2 * sizeof(*channels));
	payloads = channels + t->npayloads;
	told = xcalloc(1, sizeof(*told) + t->npayloads * sizeof(told->to[0]));
	told->transport = t;
	TAILQ_FOREACH (p, &t->payloads, entry) {
		p->to->open = NULL;
		/* Nothing waits for a database that is away. */
		p->to->lost = p->to->lost || !up;
		told->to[n] = p->to->host;
		channels[n] =
		    (struct slice){ p->to->channel, strlen(p->to->channel) };
		payloads[n++] = (struct slice){ p->text.data, p->text.len };
	}
	told->n = n;
	if (up) {
		LIST_INSERT_HEAD(&t->told, told, entry);
		params = db_params(STMT_relay_tell);
		db_put_texts(params, channels, n);
		db_put_texts(params, payloads, n);
		db_query(t->c.core->reads, params, postgres_told, told);
	} else {
		free(told);
	}
	free(channels);
	postgres_payloads_free(&t->payloads);
	t->npayloads = 0;
}

/*
 * Receiving.
 */

static struct postgres_from *
postgres_from(
    struct relay_transport *t, const struct id *host, const struct id *life)
{
	struct hash_entry *e = hash_find(&t->from, host->b, ID_LEN);
	struct postgres_from *from;

	if (e == NULL) {
		from = xcalloc(1, sizeof(*from));
		from->host = *host;
		hash_insert(&t->from, &from->hash, from->host.b, ID_LEN);
	} else {
		from = CONTAINER(e, struct postgres_from, hash);
	}
	if (!id_same(&from->life, life)) {
		from->life = *life;
		memset(from->number, 0, sizeof(from->number));
	}
	return from;
}

static void
postgres_records(
    struct relay_transport *t, const struct id *host, const char *p)
{
	char record[PAYLOAD_MAX];
	const char *end;
	ptrdiff_t n;

	while (*p == ' ') {
		p++;
		end = p + strcspn(p, " ");
		n = crypto_unbase64(record, sizeof(record), p,
		    (size_t)(end - p), CRYPTO_B64_STD);
		if (n < 0)
			log_warn("a malformed record from another host");
		else
			t->c.receive(t->c.arg, host, record, (size_t)n);
		p = end;
	}
}

/* An id and the space after it; NULL when it is none. */
static const char *
postgres_take_id(const char *p, struct id *id)
{
	if (p == NULL || strlen(p) <= ID_HEX_LEN || p[ID_HEX_LEN] != ' ' ||
	    id_parse(id, p, ID_HEX_LEN) != 0)
		return NULL;
	return p + ID_HEX_LEN + 1;
}

/* From linnetctl; false: malformed. */
static bool
postgres_asked(struct core *c, const char *payload)
{
	if (str_starts(payload, CHANGED))
		return event_changed(c, payload + strlen(CHANGED));
	return event_kicked(c, payload + strlen(KICK));
}

static void
postgres_notified(void *arg, const char *payload)
{
	struct relay_transport *t = arg;
	struct id host, life;
	const char *p = postgres_take_id(payload, &host), *line;
	struct postgres_from *from;
	unsigned long long number;
	uint64_t *last;
	char *end;

	if (str_starts(payload, CHANGED) || str_starts(payload, KICK)) {
		if (!postgres_asked(t->c.core, payload))
			log_warn("a malformed notification of linnetctl");
		return;
	}
	p = postgres_take_id(p, &life);
	if (p == NULL || *p == '\0' || (line = strchr(LINES, *p)) == NULL) {
		log_warn("a notification that is none of linnetd's");
		return;
	}
	if (id_same(&host, &t->c.host))
		return;
	number = strtoull(p + 1, &end, 10);
	from = postgres_from(t, &host, &life);
	last = &from->number[line - LINES];
	if (number <= *last)
		return;
	if (number != *last + 1)
		t->c.lost(t->c.arg, &host);
	*last = number;
	postgres_records(t, &host, end);
}

static void
postgres_forget(struct hash *senders)
{
	struct hash_entry *e, *next;
	size_t i;

	HASH_FOREACH (e, next, i, senders)
		free(CONTAINER(e, struct postgres_from, hash));
	hash_free(senders);
}

static void
postgres_listening(void *arg, bool up)
{
	struct relay_transport *t = arg;

	if (up)
		t->c.up(t->c.arg);
}

static struct relay_transport *
postgres_open(const struct relay_transport_config *c)
{
	struct relay_transport *t = xcalloc(1, sizeof(*t));
	struct db_config config;

	t->c = *c;
	TAILQ_INIT(&t->payloads);
	LIST_INIT(&t->told);
	hash_init(&t->to);
	hash_init(&t->from);
	postgres_channel(t->own, sizeof(t->own), &c->host);
	t->channels[0] = CHANNEL;
	t->channels[1] = t->own;
	memset(&config, 0, sizeof(config));
	config.conninfo = c->conninfo;
	config.name = "linnetd relay listens";
	config.deadline_ms = c->deadline_ms;
	config.batch_max = 1;
	config.queue_max = 1;
	config.listen = t->channels;
	config.notify = postgres_notified;
	config.state = postgres_listening;
	config.arg = t;
	t->listen = db_open(c->base, &config);
	return t;
}

static void
postgres_close(struct relay_transport *t)
{
	struct postgres_told *told;
	struct hash_entry *e, *next;
	size_t i;

	db_close(t->listen);
	LIST_FOREACH (told, &t->told, entry)
		told->transport = NULL;
	postgres_payloads_free(&t->payloads);
	HASH_FOREACH (e, next, i, &t->to)
		free(CONTAINER(e, struct postgres_to, hash));
	hash_free(&t->to);
	postgres_forget(&t->from);
	free(t);
}

const struct relay_transport_type relay_postgres = {
	.name = "postgres",
	.record_max = (PAYLOAD_MAX - PAYLOAD_HEAD) / 4 * 3 - 3,
	.open = postgres_open,
	.send = postgres_send,
	.flush = postgres_flush,
	.close = postgres_close,
};
