/* SPDX-License-Identifier: ISC */
/*
 * The relay: what the bus carries inside this host goes to the other hosts of
 * the database by NOTIFY, and theirs comes onto this bus.
 *
 * The relay is interested in exactly those meshes that other hosts serve, so
 * that a host alone on its database never notifies anybody.  A payload is
 *	host SPACE record [SPACE record ...]
 * with the sender's id in hex and each record in base64: two bytes of type,
 * then what was on the bus.  What does not fit, and whatever may have been
 * missed while the connection was away, becomes RELOAD: the database knows.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/relay.h"
#include "role/role.h"

/* PostgreSQL takes payloads of less than 8,000 bytes. */
#define RELAY_PAYLOAD_MAX 7900
#define RELAY_RECORD_MAX ((RELAY_PAYLOAD_MAX - ID_HEX_LEN - 2) / 4 * 3 - 8)
#define RELAY_CHANNEL "linnet"
/* A mesh that was served elsewhere until lately will be again. */
#define RELAY_UNSEEN_MS 60000

struct relay_mesh {
	struct hash_entry hash;
	struct id id;
	int64_t seen_ms;
};

static struct relay {
	struct role role; /* first: a role is a relay here */
	struct db *listen;
	struct hash meshes; /* served elsewhere */
	struct buf payload; /* of this turn */
	bool missed;	    /* something was not told to the others */
} relay_self;

static void
relay_told(void *arg, const struct db_result *res)
{
	struct relay *r = arg;

	if (db_status(res) != DB_OK)
		r->missed = true;
}

static void
relay_send(struct relay *r)
{
	struct db_params *p;

	if (r->payload.len == 0)
		return;
	p = db_params(STMT_relay_tell);
	db_put_text(p, r->payload.data, r->payload.len);
	db_query(r->role.core->reads, p, relay_told, r);
	buf_clear(&r->payload);
}

static void
relay_add(struct relay *r, uint16_t type, const char *data, size_t n)
{
	uint8_t record[sizeof(type) + RELAY_RECORD_MAX];
	char text[CRYPTO_B64_LEN(sizeof(record))], hex[ID_HEX_LEN + 1];

	memcpy(record, &type, sizeof(type));
	memcpy(record + sizeof(type), data, n);
	crypto_base64(text, record, sizeof(type) + n, CRYPTO_B64_STD);
	if (r->payload.len + 1 + strlen(text) > RELAY_PAYLOAD_MAX)
		relay_send(r);
	if (r->payload.len == 0)
		buf_adds(&r->payload, id_hex(&r->role.start.config.host, hex));
	buf_addc(&r->payload, ' ');
	buf_adds(&r->payload, text);
}

/* The others shall read the mesh, or every mesh, from the database. */
static void
relay_reload(struct relay *r, const struct id *mesh)
{
	relay_add(r, EVENT_RELOAD, (const char *)mesh->b, ID_LEN);
}

static void
relay_lost(struct core *c)
{
	(void)c;
	relay_self.missed = true;
}

/* From the bus of this host. */
static void
relay_receive(
    struct core *c, unsigned from, uint16_t type, const char *p, size_t n)
{
	struct relay *r = &relay_self;

	(void)c;
	(void)from;
	if (n < ID_LEN || (type == EVENT_RELOAD && r->meshes.count == 0))
		return;
	if (n <= RELAY_RECORD_MAX)
		relay_add(r, type, p, n);
	else
		relay_add(r, EVENT_RELOAD, p, ID_LEN);
}

/* Onto the bus of this host, for those who serve the mesh. */
static void
relay_publish(struct relay *r, uint16_t type, const uint8_t *data, size_t n)
{
	struct slice part = { (const char *)data, n };
	struct id mesh;
	uint64_t to;

	memcpy(mesh.b, data, ID_LEN);
	to = id_is_null(&mesh) ? BUS_ALL : bus_interest(r->role.bus, &mesh);
	to &= ~BUS_BIT(bus_self(r->role.bus));
	if (to != 0 && bus_publish(r->role.bus, type, to, &part, 1) != 0)
		log_error("a record from another host does not fit the bus");
}

static void
relay_record(struct relay *r, const char *text, size_t n)
{
	uint8_t record[RELAY_PAYLOAD_MAX];
	uint16_t type;
	ptrdiff_t len;

	len = crypto_unbase64(record, sizeof(record), text, n, CRYPTO_B64_STD);
	if (len < (ptrdiff_t)(sizeof(type) + ID_LEN)) {
		log_warn("a malformed record from another host");
		return;
	}
	memcpy(&type, record, sizeof(type));
	relay_publish(
	    r, type, record + sizeof(type), (size_t)len - sizeof(type));
}

/* From the other hosts, and from this one. */
static void
relay_notified(void *arg, const char *payload)
{
	struct relay *r = arg;
	const char *end = strchr(payload, ' ');
	struct id host;

	if (end == NULL ||
	    id_parse(&host, payload, (size_t)(end - payload)) != 0) {
		log_warn("a notification that is none of linnetd's");
		return;
	}
	if (id_same(&host, &r->role.start.config.host))
		return;
	while (*end == ' ') {
		payload = end + 1;
		end = payload + strcspn(payload, " ");
		relay_record(r, payload, (size_t)(end - payload));
	}
}

/* While the connection was away others may have told of anything. */
static void
relay_listening(void *arg, bool up)
{
	static const uint8_t every[ID_LEN];
	struct relay *r = arg;

	if (up)
		relay_publish(r, EVENT_RELOAD, every, sizeof(every));
}

/*
 * Of a mesh that is new here nothing was told to the others until now: they
 * read it again.  They do the same for us.
 */
static void
relay_learn(struct relay *r, const struct id *id)
{
	struct hash_entry *e = hash_find(&r->meshes, id->b, ID_LEN);
	struct relay_mesh *m;

	if (e != NULL)
		m = CONTAINER(e, struct relay_mesh, hash);
	else {
		m = xcalloc(1, sizeof(*m));
		m->id = *id;
		hash_insert(&r->meshes, &m->hash, m->id.b, ID_LEN);
		bus_interest_add(r->role.bus, &m->id);
		relay_reload(r, &m->id);
	}
	m->seen_ms = clock_mono();
}

static void
relay_learned(void *arg, const struct db_result *res)
{
	struct relay *r = arg;
	struct hash_entry *e, *next;
	struct relay_mesh *m;
	struct id id;
	size_t i;

	if (db_status(res) != DB_OK)
		return;
	for (i = 0; i < db_rows(res); i++) {
		db_id(res, i, 0, &id);
		relay_learn(r, &id);
	}
	HASH_FOREACH (e, next, i, &r->meshes) {
		m = CONTAINER(e, struct relay_mesh, hash);
		if (clock_mono() - m->seen_ms < RELAY_UNSEEN_MS)
			continue;
		bus_interest_drop(r->role.bus, &m->id);
		hash_remove(&r->meshes, e);
		free(m);
	}
}

static void
relay_tick(struct role *role)
{
	static const struct id every;
	struct relay *r = (struct relay *)role;
	struct db_params *p;

	if (!role->core->up)
		return;
	if (r->missed) {
		r->missed = false;
		if (r->meshes.count > 0)
			relay_reload(r, &every);
	}
	p = db_params(STMT_relay_meshes);
	db_put_id(p, &role->start.config.host);
	db_query(role->core->reads, p, relay_learned, role);
}

static void
relay_flush(struct role *role)
{
	relay_send((struct relay *)role);
}

static void
relay_open(struct role *role)
{
	struct relay *r = (struct relay *)role;
	struct db_config config;

	hash_init(&r->meshes);
	buf_init(&r->payload, RELAY_PAYLOAD_MAX + 1);
	role->core->receive = relay_receive;
	role->core->lost = relay_lost;
	memset(&config, 0, sizeof(config));
	config.conninfo = role->conninfo;
	config.name = "linnetd relay listens";
	config.deadline_ms = role->core->limits.request_ms;
	config.batch_max = 1;
	config.queue_max = 1;
	config.listen = RELAY_CHANNEL;
	config.notify = relay_notified;
	config.state = relay_listening;
	config.arg = r;
	r->listen = db_open(role->base, &config);
}

static void
relay_close(struct role *role)
{
	struct relay *r = (struct relay *)role;
	struct hash_entry *e, *next;
	size_t i;

	db_close(r->listen);
	HASH_FOREACH (e, next, i, &r->meshes)
		free(CONTAINER(e, struct relay_mesh, hash));
	hash_free(&r->meshes);
	buf_free(&r->payload);
}

static const struct ipc_handler relay_from_master[] = {
	{ IPC_RELOAD, role_reload },
};

static const struct role_desc relay_desc = {
	.role = IPC_RELAY,
	.database = "linnetd relay",
	.handlers = relay_from_master,
	.nhandlers = NELEM(relay_from_master),
	.open = relay_open,
	.flush = relay_flush,
	.tick_second = relay_tick,
	.close = relay_close,
};

int
relay(char **argv)
{
	return role_run(&relay_self.role, &relay_desc, argv);
}
