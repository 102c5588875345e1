/* SPDX-License-Identifier: ISC */
/*
 * The relay: what the bus carries inside this host goes to the other hosts of
 * the database whom it concerns, and theirs comes onto this bus.
 *
 * A record for a mesh goes to the hosts that serve it (relay_mesh.c), one for
 * holders of sessions to the host where these are.  The relay is interested in
 * exactly those meshes that other hosts serve, so that a host alone on its
 * database tells nobody.  On its way between hosts a record is a byte of
 * format, two of type, then what was on the bus.
 *
 * The transport may lose records, and says so; then the database is read.  The
 * database knows everything: no record may be the only place of a truth.
 */
#include <stdlib.h>
#include <string.h>

#include "relay/relay.h"
#include "relay/relay_process.h"

#define RECORD_HEAD (1 + sizeof(uint16_t))
#define RECORD_MAX 65536
/* Every so many seconds it is read who serves what, whatever was told. */
#define RELAY_READ_SECONDS 5

static struct relay relay_self;

struct relay_part {
	struct relay *relay;
	const struct id *to;
};

/* One that fits. */
static void
relay_send(void *arg, uint16_t type, const char *p, size_t n)
{
	const struct relay_part *part = arg;
	struct relay *r = part->relay;
	char record[RECORD_MAX];

	record[0] = (char)event_format();
	memcpy(record + 1, &type, sizeof(type));
	memcpy(record + RECORD_HEAD, p, n);
	core_count(r->role.core, RELAY_OUT);
	r->type->send(r->transport, part->to, record, RECORD_HEAD + n);
}

void
relay_tell(struct relay *r, const struct id *to, uint16_t type, const char *p,
    size_t n)
{
	size_t max = r->type->record_max - RECORD_HEAD;
	struct relay_part part = { r, to };

	if (n <= max)
		relay_send(&part, type, p, n);
	else
		event_refer(type, p, n, max, relay_send, &part);
}

/* The others shall read every mesh from the database. */
static void
relay_tell_reload(struct relay *r)
{
	static const struct id every;

	if (r->pairs > 0)
		relay_tell(
		    r, NULL, EVENT_RELOAD, (const char *)every.b, ID_LEN);
}

static void
relay_lost(struct core *c)
{
	(void)c;
	relay_self.missed = true;
	relay_self.behind = true;
}

/* From the bus of this host. */
static void
relay_receive(
    struct core *c, unsigned from, uint16_t type, const char *p, size_t n)
{
	struct relay *r = &relay_self;
	struct relay_pair *pair;
	struct relay_mesh *m;
	struct id mesh, host;

	(void)c;
	(void)from;
	if (n < ID_LEN)
		return;
	memcpy(mesh.b, p, ID_LEN);
	if (type == EVENT_SERVES) {
		relay_mesh_serve(r, &mesh);
	} else if (event_host(type, p, n, &host)) {
		relay_tell(r, &host, type, p, n);
	} else if (id_is_null(&mesh)) {
		/* Perhaps nobody has heard of this host for a while. */
		relay_mesh_repeat(r);
		relay_tell_reload(r);
	} else if ((m = relay_mesh_find(r, &mesh)) != NULL) {
		LIST_FOREACH (pair, &m->hosts, entry)
			relay_tell(r, &pair->host, type, p, n);
	}
}

/* Onto the bus of this host, for those who serve the mesh. */
static void
relay_publish(struct relay *r, uint16_t type, const char *p, size_t n)
{
	struct slice part = { p, n };
	struct id mesh;
	uint64_t to;

	memcpy(mesh.b, p, ID_LEN);
	to = id_is_null(&mesh) ? BUS_ALL : bus_interest(r->role.bus, &mesh);
	to &= ~BUS_BIT(bus_self(r->role.bus));
	if (to != 0 && bus_publish(r->role.bus, type, to, &part, 1) != 0)
		log_error("a record from another host does not fit the bus");
}

/* This host shall read everything. */
static void
relay_reload(struct relay *r)
{
	static const struct id every;

	relay_publish(r, EVENT_RELOAD, (const char *)every.b, ID_LEN);
}

/* From another host. */
static void
relay_arrived(void *arg, const struct id *from, const char *p, size_t n)
{
	struct relay *r = arg;
	uint16_t type;
	struct id mesh;

	core_count(r->role.core, RELAY_IN);
	if (n < RECORD_HEAD + ID_LEN) {
		log_warn("a malformed record from another host");
		return;
	}
	/* One of another version: it says nothing, but that there was
	 * something to say. */
	if ((uint8_t)p[0] != event_format()) {
		r->behind = true;
		return;
	}
	memcpy(&type, p + 1, sizeof(type));
	p += RECORD_HEAD;
	n -= RECORD_HEAD;
	memcpy(mesh.b, p, ID_LEN);
	if (type == EVENT_SERVES)
		relay_mesh_served(r, from, &mesh);
	else
		relay_publish(r, type, p, n);
}

static void
relay_missed(void *arg, const struct id *from)
{
	struct relay *r = arg;
	char hex[ID_HEX_LEN + 1];

	core_count(r->role.core, RELAY_LOST);
	log_debug("records of host %s were lost; reading the database",
	    id_hex(from, hex));
	relay_reload(r);
}

/* Others may have told of anything, and not have heard of this host. */
static void
relay_up(void *arg)
{
	struct relay *r = arg;

	relay_mesh_read_own(r);
	relay_mesh_repeat(r);
	relay_mesh_read(r);
	r->behind = false;
	relay_reload(r);
}

static void
relay_tick(struct role *role)
{
	struct relay *r = (struct relay *)role;

	if (!role->core->up)
		return;
	if (r->missed) {
		r->missed = false;
		relay_tell_reload(r);
	}
	/* Once a second at most, whatever happens. */
	if (r->behind) {
		r->behind = false;
		relay_reload(r);
	}
	if (r->again) {
		r->again = false;
		relay_mesh_read_own(r);
		relay_mesh_repeat(r);
	}
	relay_mesh_tick(r);
	if (++r->seconds % RELAY_READ_SECONDS == 0)
		relay_mesh_read(r);
}

static void
relay_flush(struct role *role)
{
	struct relay *r = (struct relay *)role;

	relay_mesh_flush(r);
	r->type->flush(r->transport);
}

static void
relay_open(struct role *role)
{
	struct relay *r = (struct relay *)role;
	const struct relay_transport_config config = {
		.base = role->base,
		.conninfo = role->conninfo,
		.core = role->core,
		.deadline_ms = role->core->limits.request_ms,
		.host = role->start.config.host,
		.incarnation = role->start.config.incarnation,
		.receive = relay_arrived,
		.lost = relay_missed,
		.up = relay_up,
		.arg = r,
	};

	hash_init(&r->meshes);
	TAILQ_INIT(&r->unsaid);
	role->core->receive = relay_receive;
	role->core->lost = relay_lost;
	r->type = &relay_postgres;
	if (r->type->record_max > RECORD_MAX)
		fatalx(
		    "%s carries larger records than there are", r->type->name);
	r->transport = r->type->open(&config);
}

static void
relay_close(struct role *role)
{
	struct relay *r = (struct relay *)role;

	r->type->close(r->transport);
	relay_mesh_close(r);
}

static const struct ipc_handler relay_from_master[] = {
	{ IPC_RELOAD, role_reload },
	{ IPC_LOG, role_log },
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
