/* SPDX-License-Identifier: ISC */
/*
 * send and message_status.
 *
 * A message with a direct target is stored first and pushed then: its sender's
 * ack says that it is safe.  A multicast is pushed to those who are connected
 * at once, and at the end of the turn it is stored together with what became
 * of it; its ack comes after that.  Where the order needs it a multicast waits
 * like a direct message: behind a direct one of the same client that is not
 * stored yet, and where it may repeat one that was sent before.
 */
#include <stdlib.h>
#include <string.h>

#include "core/domain.h"
#include "core/file.h"
#include "core/channel.h"
#include "core/message.h"
#include "core/schedule.h"

/* A client that has just come may be repeating what it sent before. */
#define MESSAGE_NEW_MS 10000
#define MESSAGE_RECENT 32
/* Multicasts that follow each other as soon as that come in a row. */
#define MESSAGE_ROW_MS 2
/* Larger ones may not fit the bus, and nobody is in a hurry for them. */
#define MESSAGE_HURRY_MAX 4096
#define MESSAGE_TTL_MAX 31536000000

struct send_in {
	struct list targets;
	int priority;
	struct slice nonce;
	struct slice ciphertext;
	struct slice client_id;
	struct slice id;
	struct slice fingerprint;
	struct slice reply_to;
	struct list files;
	const struct attached *attached;
	int64_t ttl_ms;
	int64_t expires_ms;
	const struct message_due *due; /* it was scheduled */
};

#define IN(field) offsetof(struct send_in, field)
static const struct field send_in_fields[] = {
	{ "targetSpec", F_TARGET, IN(targets), 1, 1000, FIELD_REQUIRED, NULL,
	    NULL, 0,
	    "Public key, name, @group, @all or *; or an array of these. Or a "
	    "#channel." },
	{ "priority", F_ENUM, IN(priority), 0, 0, FIELD_REQUIRED,
	    table_priorities, NULL, 0,
	    "now: pushed at once; next: when the recipient is idle; low: the "
	    "same, and less urgent." },
	{ "nonce", F_STR, IN(nonce), 0, 1024, FIELD_REQUIRED, NULL, NULL, 0,
	    "Handed on as it is." },
	{ "ciphertext", F_STR, IN(ciphertext), 0, INT32_MAX, FIELD_REQUIRED,
	    NULL, NULL, 0, "Handed on as it is." },
	{ "client_message_id", F_STR, IN(client_id), 0, 128, 0, NULL, NULL, 0,
	    "The sender's own id; a send repeated with it is the same "
	    "message." },
	{ "id", F_STR, IN(id), 0, 128, 0, NULL, NULL, 0,
	    "The same for older clients; comes back in the ack." },
	{ "request_fingerprint", F_STR, IN(fingerprint), 0, 128, 0, NULL, NULL,
	    0, "Handed on as it is." },
	{ "replyToId", F_STR, IN(reply_to), 0, 128, 0, NULL, NULL, 0,
	    "The message that it answers; handed on as it is." },
	{ "files", F_STRS, IN(files), 0, FILE_ATTACHED_MAX, 0, NULL, NULL, 0,
	    "Ids of files that go with it, from share_file; those with "
	    "attachment are for its recipients alone." },
	{ "ttl", F_INT, IN(ttl_ms), 1, MESSAGE_TTL_MAX, 0, NULL, NULL, 0,
	    "After so many milliseconds it is not delivered any more; at most "
	    "mesh.hold counts." },
	{ "expiresAt", F_TIME, IN(expires_ms), 0, 0, 0, NULL, NULL, 0,
	    "The same as a time. Of both the earlier one counts." },
	{ .type = F_END },
};
#undef IN

struct send_out {
	struct id message;
	bool queued;
	int64_t recipients;
	bool duplicate;
	int64_t expires_ms;
	struct slice client_id;
	struct slice fingerprint;
	struct list blocked;
	struct id channel;
	int64_t seq;
};

#define OUT(field) offsetof(struct send_out, field)
static const struct field send_out_fields[] = {
	{ "messageId", F_ID, OUT(message), 0, 0, 0, NULL, NULL, 0,
	    "The message's id." },
	{ "queued", F_BOOL, OUT(queued), 0, 0, 0, NULL, NULL, 0,
	    "It is stored." },
	{ "recipients", F_INT, OUT(recipients), 0, 0, 0, NULL, NULL, 0,
	    "How many it is addressed to." },
	{ "duplicate", F_BOOL, OUT(duplicate), 0, 0, 0, NULL, NULL, 0,
	    "It was sent before under the same id; nothing was sent now." },
	{ "expiresAt", F_TIME, OUT(expires_ms), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "When it expires, if that was asked for." },
	{ "client_message_id", F_STR, OUT(client_id), 0, 0, FIELD_OMIT, NULL,
	    NULL, 0, "As it came." },
	{ "request_fingerprint", F_STR, OUT(fingerprint), 0, 0, FIELD_OMIT,
	    NULL, NULL, 0, "As it came." },
	{ "blocked", F_STRS, OUT(blocked), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Targets that take no direct messages from the sender: it is not "
	    "for them." },
	{ "channelId", F_ID, OUT(channel), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "The channel that it was sent to." },
	{ "seq", F_INT, OUT(seq), 0, 0, FIELD_OMIT, NULL, NULL, 0,
	    "Its place there." },
	{ .type = F_END },
};
#undef OUT

/* Hashes of the ids of the latest multicasts of a session. */
struct recent {
	uint32_t hash[MESSAGE_RECENT];
	unsigned next;
};

static bool
message_is_recent(struct session *s, struct slice id)
{
	uint8_t digest[CRYPTO_DIGEST_LEN];
	uint32_t hash;
	unsigned i;

	if (id.n == 0)
		return false;
	crypto_digest(digest, id.p, id.n, NULL);
	memcpy(&hash, digest, sizeof(hash));
	if (s->recent == NULL)
		s->recent = xcalloc(1, sizeof(*s->recent));
	for (i = 0; i < MESSAGE_RECENT; i++)
		if (s->recent->hash[i] == hash)
			return true;
	s->recent->hash[s->recent->next++ % MESSAGE_RECENT] = hash;
	return false;
}

/* Would it overtake what the client asked for before? */
static bool
message_is_next(const struct request *r)
{
	const struct request *q;

	TAILQ_FOREACH (q, &r->client->requests, entry) {
		if (q == r)
			return true;
		if (q->state != REQUEST_DONE && !q->told)
			return false;
	}
	return true;
}

/* May it be pushed before it is stored? */
static bool
message_may_hurry(struct session *s, const struct multicast *m)
{
	bool recent;

	/* The mark of one that is pushed first knows of no other end. */
	if (m->due != NULL || m->ends)
		return false;
	/* Another process may have had it before. */
	if (m->request->client->deputy != NULL)
		return false;
	recent = message_is_recent(s, m->client_id);
	/* What cannot be recorded is not pushed either. */
	if (!m->to->multicast || recent || !s->mesh->core->up ||
	    !message_is_next(m->request) ||
	    m->message.ciphertext.n > MESSAGE_HURRY_MAX)
		return false;
	return m->client_id.n == 0 ||
	       clock_wall() - s->info.connected_ms > MESSAGE_NEW_MS;
}

static void
message_ack(struct multicast *m, const struct id *id, bool duplicate)
{
	const struct send_in *in = m->request->in;
	struct send_out out = { .message = *id,
		.queued = true,
		.recipients = (int64_t)m->to->n,
		.duplicate = duplicate,
		.expires_ms = m->ends && !duplicate ? m->message.expires_ms : 0,
		.client_id = in->client_id,
		.fingerprint = in->fingerprint,
		.blocked = m->to->blocked };

	if (duplicate)
		core_count(m->request->core, MESSAGES_REPEATED);
	op_reply(m->request, &out);
}

static bool
message_is_elsewhere(const struct core *c, const struct recipient *r)
{
	return r->ref != 0 && r->proc != c->proc;
}

/* Everybody on one host who shall have it now, in one record. */
static void
message_deliver_host(struct core *c, struct multicast *m, const struct id *host,
    struct delivery_to *to)
{
	uint64_t procs = 0;
	size_t i, n = 0;

	for (i = 0; i < m->to->n; i++) {
		struct recipient *r = &m->to->v[i];

		if (!message_is_elsewhere(c, r) || !id_same(&r->host, host))
			continue;
		r->told = true;
		to[n++] = (struct delivery_to){ r->ref, r->holder, r->member,
			r->place };
		procs |= BUS_BIT(r->proc);
	}
	event_deliver(c, &m->message, host, to, n, procs, !m->pushed);
}

static void
message_deliver_elsewhere(struct core *c, struct multicast *m)
{
	struct delivery_to *to =
	    pool_alloc(&m->request->pool, (m->to->n + 1) * sizeof(*to));
	size_t i;

	for (i = 0; i < m->to->n; i++) {
		struct recipient *r = &m->to->v[i];

		if (message_is_elsewhere(c, r) && !r->told)
			message_deliver_host(c, m, &r->host, to);
	}
}

/* The crowd of this process, or NULL. */
static struct crowd *
message_crowd_here(struct core *c, struct multicast *m)
{
	size_t i;

	for (i = 0; i < m->ncrowds; i++) {
		struct crowding *g = &m->crowds[i];

		if (g->n >= CROWD_MIN && g->proc == c->proc &&
		    id_same(&g->host, &c->host)) {
			g->crowd = crowd_new(c, &m->message, g->n, !m->pushed);
			return g->crowd;
		}
	}
	return NULL;
}

static void
message_deliver_here(struct core *c, struct multicast *m)
{
	enum stored stored = m->pushed ? STORED_HERE : STORED;
	struct crowd *crowd = message_crowd_here(c, m);
	struct session *s;
	struct event e;
	size_t i;

	event_init(&e, EVENT_DELIVER, &m->message);
	for (i = 0; i < m->to->n; i++) {
		const struct recipient *r = &m->to->v[i];

		if (r->ref != 0 && r->proc == c->proc &&
		    (s = session_by_ref(c, r->ref)) != NULL)
			delivery_offer(s, &r->id, &m->message, &e, stored,
			    r->place != 0 ? crowd : NULL, r->place);
	}
	event_fini(&e);
	if (crowd != NULL && !m->pushed)
		(void)crowd_rest(crowd);
}

static void
message_nudge_one(struct core *c, const struct id *mesh, const struct id *id)
{
	struct mesh *m = mesh_find(c, mesh);

	event_nudge(c, mesh, id);
	if (m != NULL)
		delivery_nudge(m, id);
}

/* Those whom nobody told: absent when it was sent, perhaps back by now; or
 * with older messages before this one. */
static void
message_nudge(struct core *c, struct multicast *m)
{
	struct session *s;
	size_t i;

	for (i = 0; i < m->to->n; i++) {
		const struct recipient *r = &m->to->v[i];

		if (r->ref == 0)
			message_nudge_one(c, &m->message.mesh, &r->id);
		else if (r->behind && (s = session_by_ref(c, r->ref)) != NULL &&
			 roster_admits(s->info.status, m->message.priority))
			delivery_drain(s);
	}
}

static void
message_deliver(struct multicast *m)
{
	struct core *c = m->request->core;

	m->pushed = false; /* or not for certain */
	core_count(c, MESSAGES_DIRECT);
	message_deliver_here(c, m);
	message_deliver_elsewhere(c, m);
	message_nudge(c, m);
	message_ack(m, &m->message.id, false);
}

/*
 * The first time the sender got no answer: perhaps its process died before it
 * told the recipients.  What waits for them is pushed in the order of sending,
 * before what the sender sends next.
 */
static void
message_repeated(struct multicast *m, const struct id *stored)
{
	size_t i;

	for (i = 0; i < m->to->n; i++)
		message_nudge_one(
		    m->request->core, &m->message.mesh, &m->to->v[i].id);
	message_ack(m, stored, true);
}

/* The sender has used the id before: is it the same message? */
static void
message_found(void *arg, const struct db_result *r)
{
	struct multicast *m = arg;
	struct slice fingerprint;
	struct id id;

	if (op_db_failed(m->request, r))
		return;
	if (db_rows(r) == 0) {
		/* Only its own id was there: this very send, repeated because
		 * the answer to its commit was lost. */
		message_deliver(m);
		return;
	}
	db_id(r, 0, 0, &id);
	fingerprint = db_bytes(r, 0, 1);
	if (id_same(&id, &m->message.id))
		message_deliver(m);
	else if (fingerprint.n == sizeof(m->fingerprint) &&
		 memcmp(fingerprint.p, m->fingerprint, fingerprint.n) == 0)
		message_repeated(m, &id);
	else
		op_fail(m->request, ERR_ID_CONFLICT, NULL);
}

static void
message_find(struct multicast *m)
{
	struct db_params *p = db_params(STMT_message_find);

	db_put_bytes(p, m->message.sender_key, CRYPTO_KEY_LEN);
	db_put_text(
	    p, m->client_id.n > 0 ? m->client_id.p : NULL, m->client_id.n);
	db_put_id(p, &m->message.mesh);
	db_query(m->request->core->reads, p, message_found, m);
}

static void
message_stored(void *arg, const struct db_result *r)
{
	struct multicast *m = arg;

	if (op_db_failed(m->request, r))
		return;
	message_put_done(m);
	if (db_rows(r) == 0 || !db_bool(r, 0, 0)) {
		if (m->due != NULL)
			op_fail(m->request, ERR_NOT_FOUND, NULL);
		else
			message_find(m);
		return;
	}
	if (!m->pushed) {
		message_deliver(m);
		return;
	}
	core_count(m->request->core, MESSAGES_MULTICAST);
	message_nudge(m->request->core, m);
	message_ack(m, &m->message.id, false);
}

/*
 * Who was pushed to has the message.  Where many of these come in a row they
 * wait for each other: most of what a small commit costs is the same for a
 * large one.
 */
static bool
message_has_time(struct core *c, const struct multicast *m)
{
	int64_t last = c->recorded_ms;

	if (!m->pushed)
		return false;
	c->recorded_ms = clock_mono();
	return c->recorded_ms - last < MESSAGE_ROW_MS;
}

static void
message_store(struct multicast *m)
{
	struct core *c = m->request->core;
	enum db_stmt stmt =
	    m->due != NULL ? STMT_schedule_send : STMT_message_insert;
	struct db_params *p =
	    message_has_time(c, m)
		? db_row_patient(c->writes, stmt, message_stored, m)
		: db_row(c->writes, stmt, message_stored, m);

	message_put(p, c, m);
}

void
message_record(struct core *c)
{
	struct multicast *m;

	while ((m = TAILQ_FIRST(&c->multicasts)) != NULL) {
		TAILQ_REMOVE(&c->multicasts, m, entry);
		message_store(m);
	}
}

static void
message_fingerprint(struct multicast *m, const struct attached *files)
{
	const struct message *g = &m->message;
	const struct slice parts[] = { g->target, g->nonce, g->ciphertext };
	uint8_t digests[(NELEM(parts) + 1) * CRYPTO_DIGEST_LEN + 1];
	size_t i, n = 0;

	for (i = 0; i < NELEM(parts); i++, n += CRYPTO_DIGEST_LEN)
		crypto_digest(digests + n, parts[i].p, parts[i].n, NULL);
	digests[n++] = (uint8_t)g->priority;
	/* Only then: what was sent without stays what it was. */
	if (files != NULL) {
		memcpy(digests + n, files->digest, CRYPTO_DIGEST_LEN);
		n += CRYPTO_DIGEST_LEN;
	}
	crypto_digest(m->fingerprint, digests, n, NULL);
}

/* What few messages have. */
static const struct message_more *
message_extras(struct request *r, const struct send_in *in)
{
	struct message_more *more;

	if (in->client_id.n == 0 && in->fingerprint.n == 0 &&
	    in->reply_to.n == 0 && in->attached == NULL && in->due == NULL)
		return NULL;
	more = pool_zalloc(&r->pool, sizeof(*more));
	more->client_id = in->client_id;
	more->fingerprint = in->fingerprint;
	more->reply_to = in->reply_to;
	if (in->attached != NULL)
		more->files = in->attached->json;
	if (in->due != NULL)
		more->subtype = in->due->subtype;
	return more;
}

/* How long it is held; not all that was asked for. */
static void
message_hold(struct multicast *m, const struct send_in *in)
{
	struct message *g = &m->message;

	g->expires_ms = g->created_ms + m->request->core->limits.hold_ms;
	m->ends = in->ttl_ms > 0 || in->expires_ms > 0;
	if (in->ttl_ms > 0 && g->created_ms + in->ttl_ms < g->expires_ms)
		g->expires_ms = g->created_ms + in->ttl_ms;
	if (in->expires_ms > 0 && in->expires_ms < g->expires_ms)
		g->expires_ms = in->expires_ms;
}

static void
send_admitted(struct request *r, void *arg)
{
	struct target *to = arg;
	static const uint8_t none[CRYPTO_KEY_LEN];
	const struct send_in *in = r->in;
	struct session *s = r->client->session;
	const struct session_info *i = &s->info;
	struct multicast *m = pool_zalloc(&r->pool, sizeof(*m));
	struct message *g = &m->message;

	m->request = r;
	m->to = to;
	m->sender_session = i->id;
	m->client_id = in->client_id.n > 0 ? in->client_id : in->id;
	id_new(&g->id);
	g->mesh = s->mesh->id;
	g->sender_member = i->member;
	memcpy(g->sender_member_key, i->member_key, CRYPTO_KEY_LEN);
	memcpy(g->sender_key,
	    memcmp(i->key, none, sizeof(none)) != 0 ? i->key : i->member_key,
	    CRYPTO_KEY_LEN);
	/* The session may end before the message is stored. */
	g->sender_name =
	    (struct slice){ pool_dup(&r->pool, i->name.p, i->name.n),
		    i->name.n };
	g->target = target_text(&r->pool, &in->targets);
	g->priority = (enum priority)in->priority;
	g->nonce = in->nonce;
	g->ciphertext = in->ciphertext;
	g->created_ms = clock_wall();
	message_hold(m, in);
	g->more = message_extras(r, in);
	m->due = in->due;
	message_fingerprint(m, in->attached);
	if (to->multicast && m->due == NULL)
		message_gather(m);
	if (!message_may_hurry(s, m)) {
		message_store(m);
		return;
	}
	m->pushed = r->told = true;
	message_deliver_here(r->core, m);
	message_deliver_elsewhere(r->core, m);
	TAILQ_INSERT_TAIL(&r->core->multicasts, m, entry);
}

static void
send_attached(struct request *r, const struct attached *files, void *arg)
{
	((struct send_in *)r->in)->attached = files;
	send_admitted(r, arg);
}

/* There is room for it: its recipients may have its files now. */
static void
send_attach(struct request *r, void *arg)
{
	const struct send_in *in = r->in;
	struct target *to = arg;
	struct id *who = pool_alloc(&r->pool, (to->n + 1) * sizeof(*who));
	size_t i;

	if (in->files.n == 0) {
		send_admitted(r, to);
		return;
	}
	for (i = 0; i < to->n; i++)
		who[i] = to->v[i].who;
	file_attach(r, &in->files, who, to->n, send_attached, to);
}

/* Is there room for it, with everybody whom it names? */
static void
send_resolved(struct request *r, struct target *to)
{
	const struct send_in *in = r->in;
	const struct id *mesh = &r->client->session->mesh->id;
	struct quota_need *needs =
	    pool_alloc(&r->pool, (to->n + 1) * sizeof(*needs));
	size_t i, n = 0;

	if (to->n == 0) {
		send_attach(r, to);
		return;
	}
	needs[n++] = (struct quota_need){ QUOTA_QUEUE, (int64_t)to->n, mesh };
	for (i = 0; i < to->n && !to->multicast; i++) {
		if (in->due == NULL &&
		    rate_pair(r, &to->v[i].who) != ERR_NONE) {
			op_fail(r, r->error, NULL);
			return;
		}
		needs[n++] = (struct quota_need){ QUOTA_RECIPIENT_QUEUE, 1,
			&to->v[i].id };
	}
	quota_take(r, (struct slice){ NULL, 0 }, needs, n, send_attach, to);
}

bool
message_is_post(const struct list *targets)
{
	const struct slice *v = targets->v;
	size_t i;

	for (i = 0; i < targets->n; i++)
		if (v[i].n > 1 && v[i].p[0] == '#')
			return true;
	return false;
}

static bool
send_is_postable(struct request *r, const struct send_in *in)
{
	const char *why = NULL;

	if (in->targets.n > 1)
		why = "A channel is the only target of what is sent to it.";
	else if (in->due != NULL)
		why = "Nothing is scheduled for channels.";
	else if (in->files.n > 0)
		why = "Files do not go to channels: share them, and say their "
		      "ids.";
	if (why != NULL)
		op_fail(r, ERR_MALFORMED, "%s", why);
	return why == NULL;
}

static void
send_posted(struct request *r, const struct post *p, bool repeated)
{
	const struct send_in *in = r->in;
	struct send_out out = { .message = p->id,
		.queued = true,
		.recipients = 1,
		.duplicate = repeated,
		.client_id = in->client_id,
		.fingerprint = in->fingerprint,
		.channel = p->channel,
		.seq = p->seq };

	op_reply(r, &out);
}

/* What is sent to a channel is a text in clear, as what goes to groups. */
static void
send_post(struct request *r, const struct send_in *in)
{
	static const struct list none;
	struct slice text = { pool_alloc(&r->pool, in->ciphertext.n + 1), 0 };
	ptrdiff_t n =
	    crypto_unbase64((char *)(uintptr_t)text.p, in->ciphertext.n,
		in->ciphertext.p, in->ciphertext.n, CRYPTO_B64_STD);
	struct post what = { .client_id =
				 in->client_id.n > 0 ? in->client_id : in->id };

	if (n <= 0 || !str_utf8(text.p, (size_t)n) ||
	    memchr(text.p, '\0', (size_t)n) != NULL) {
		op_fail(r, ERR_MALFORMED,
		    "ciphertext: what goes to a channel is a text in base64, "
		    "not encrypted.");
		return;
	}
	text.n = (size_t)n;
	what.parts = post_parts(r, &none, text);
	if (id_parse(&what.reply_to, in->reply_to.p, in->reply_to.n) != 0)
		memset(&what.reply_to, 0, sizeof(what.reply_to));
	post_begin(
	    r, *(const struct slice *)in->targets.v, &what, &none, send_posted);
}

static void
send_exec(struct request *r, void *arg)
{
	const struct send_in *in = arg;

	if (in->expires_ms > 0 && in->expires_ms <= clock_wall()) {
		op_fail(r, ERR_MALFORMED,
		    "expiresAt is over: it must be in the future.");
		return;
	}
	if ((int64_t)in->targets.n > r->core->limits.targets) {
		r->error_limit = r->core->limits.targets;
		r->error_used = (int64_t)in->targets.n;
		op_fail(r, ERR_QUOTA,
		    "A message may have %lld targets, this one has %zu.",
		    (long long)r->core->limits.targets, in->targets.n);
		return;
	}
	if (message_is_post(&in->targets) && !send_is_postable(r, in))
		return;
	/* One that was scheduled counted when it was. */
	if (in->due == NULL &&
	    rate_message(r, (enum priority)in->priority) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	if (message_is_post(&in->targets))
		send_post(r, in);
	else
		target_resolve(r, &in->targets, (enum priority)in->priority,
		    send_resolved);
}

static enum err
send_decode_due(struct request *r, const struct op *op, void *out, void *arg)
{
	const struct message_due *due = arg;
	struct send_in *in = out;
	char hex[ID_HEX_LEN + 1];

	(void)op;
	in->due = due;
	in->targets = due->targets;
	in->priority = (int)due->priority;
	in->nonce = due->nonce;
	in->ciphertext = due->ciphertext;
	/* Whatever happens: no second message for the same time. */
	in->id.p = pool_printf(&r->pool, "schedule %s %lld",
	    id_hex(&due->schedule, hex), (long long)due->due_ms);
	in->id.n = strlen(in->id.p);
	return ERR_NONE;
}

void
message_send_due(struct request *r, struct message_due *due)
{
	op_run(r, "send", strlen("send"), send_decode_due, due);
}

const struct op op_send = {
	.name = "send",
	.scope = SCOPE_MESSAGES_WRITE,
	.reply = "ack",
	.flags = OP_PIPELINED | OP_ECHOES,
	.in = send_in_fields,
	.in_size = sizeof(struct send_in),
	.out = send_out_fields,
	.exec = send_exec,
	.text = "Send a message to a member, a session, a group or everybody.",
};
