/* SPDX-License-Identifier: ISC */
/*
 * Certificates, private keys and the keys of session tickets.
 *
 * The master reads the files, as root when it was started so, checks them as
 * a whole, and hands their text to the workers, which cannot read them.  It
 * keeps the text for workers that start later: what they get is what was
 * checked, whatever has become of the files.
 *
 * Ticket keys exist in memory only.  One makes tickets for tls.ticket_time
 * and opens them for as long again; all workers have the same, so that any of
 * them resumes a session, also one that has just been started.
 */
#include "master/master.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "net/net.h"

/* Chain and key must fit into one message. */
#define TLS_FILE_MAX (IPC_TAIL_MAX / 2)
#define TLS_SOON_MS (INT64_C(14) * 86400 * 1000)

struct tls_files {
	char *text; /* the chain, then the key */
	size_t chain;
	size_t len;
	struct net_tls_cert about;
};

struct master_tls {
	size_t n;
	struct tls_files files[];
};

static int
tls_read_pair(
    struct tls_files *f, const char *chain, const char *key, char **error)
{
	struct buf b;
	int r;

	/* Grown once, so that no copy of a key stays behind. */
	buf_init(&b, 2 * TLS_FILE_MAX + 2);
	if (buf_reserve(&b, 2 * TLS_FILE_MAX + 2) == NULL)
		fatalx("no memory for certificates");
	r = conf_secret_read(chain, false, TLS_FILE_MAX, &b, error);
	if (r == 0) {
		f->chain = b.len;
		r = conf_secret_read(key, true, TLS_FILE_MAX, &b, error);
	}
	if (r == 0) {
		f->text = xmemdup(b.data, b.len);
		f->len = b.len;
	}
	crypto_wipe(b.data, b.cap);
	buf_free(&b);
	return r;
}

static void
tls_warn(const struct net_tls_cert *a, const char *path)
{
	char at[CLOCK_RFC3339_LEN + 1];
	int64_t now = clock_wall();

	if (a->ends_ms <= now) {
		clock_format(a->ends_ms, at);
		log_warn("the certificate %s has expired (%s): clients will "
			 "refuse it",
		    path, at);
	} else if (a->begins_ms > now) {
		clock_format(a->begins_ms, at);
		log_warn("the certificate %s is not valid before %s: clients "
			 "will refuse it",
		    path, at);
	} else if (a->ends_ms - now < TLS_SOON_MS) {
		clock_format(a->ends_ms, at);
		log_warn("the certificate %s expires soon: %s", path, at);
	}
}

/* Reads and checks the i-th pair; false and *error. */
static bool
tls_load(struct tls_files *f, struct net_tls *set, const struct conf *c,
    size_t i, char **error)
{
	char *chain = conf_secret_path(c->tls_certificate.v[i], error);
	char *key =
	    chain != NULL ? conf_secret_path(c->tls_key.v[i], error) : NULL;
	const char *wrong;
	bool good = false;

	if (key != NULL && tls_read_pair(f, chain, key, error) == 0) {
		wrong = net_tls_add(set, (struct slice){ f->text, f->chain },
		    (struct slice){ f->text + f->chain, f->len - f->chain });
		if (wrong != NULL) {
			*error =
			    xasprintf("tls.certificate %s with tls.key %s: %s",
				chain, key, wrong);
		} else {
			f->about = *net_tls_cert(set, i);
			tls_warn(&f->about, chain);
			good = true;
		}
	}
	free(chain);
	free(key);
	return good;
}

struct master_tls *
master_tls_read(const struct conf *c, char **error)
{
	struct master_tls *t =
	    xcalloc(1, sizeof(*t) + c->tls_key.n * sizeof(t->files[0]));
	struct net_tls_options o = { .ciphers = c->tls_ciphers };
	struct net_tls *set = net_tls_new(&o);
	bool good = true;

	for (; good && t->n < c->tls_key.n; t->n++)
		good = tls_load(&t->files[t->n], set, c, t->n, error);
	net_tls_free(set);
	if (good)
		return t;
	master_tls_free(t);
	return NULL;
}

void
master_tls_free(struct master_tls *t)
{
	size_t i;

	for (i = 0; t != NULL && i < t->n; i++) {
		if (t->files[i].text != NULL)
			crypto_wipe(t->files[i].text, t->files[i].len);
		free(t->files[i].text);
	}
	free(t);
}

/*
 * Session tickets.
 */

static void
tls_new_ticket(struct master *m)
{
	struct ipc_tls_tickets *t = &m->tickets;

	memcpy(t->keys[1], t->keys[0], sizeof(t->keys[1]));
	crypto_random_bytes(t->keys[0], sizeof(t->keys[0]));
	if (t->n < NELEM(t->keys))
		t->n++;
	master_timer(m->ticket_timer, m->conf->tls_ticket_time);
}

static void
tls_ticket_cb(int fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	tls_new_ticket(m);
	master_spawn_tls(m, false);
	log_debug("a new key for TLS session tickets");
}

void
master_tls_open(struct master *m)
{
	m->ticket_timer = event_new(m->base, -1, 0, tls_ticket_cb, m);
	if (m->ticket_timer == NULL)
		fatalx("no event for tickets");
	tls_new_ticket(m);
}

void
master_tls_close(struct master *m)
{
	event_free(m->ticket_timer);
	crypto_wipe(&m->tickets, sizeof(m->tickets));
	master_tls_free(m->tls);
}

int
master_tls_send(const struct master *m, struct ipc_peer *p, bool certificates)
{
	const struct master_tls *t = m->tls;
	struct ipc_tls_cert c = { .count = (uint32_t)t->n };
	const struct tls_files *f;

	if (ipc_send(p, IPC_TLS_TICKETS, &m->tickets, NULL, 0, NULL, 0) == -1)
		return -1;
	if (certificates && t->n == 0)
		return ipc_send(p, IPC_TLS_CERT, &c, NULL, 0, NULL, 0);
	for (; certificates && c.number < t->n; c.number++) {
		f = &t->files[c.number];
		c.chain_len = (uint32_t)f->chain;
		if (ipc_send(p, IPC_TLS_CERT, &c, f->text, f->len, NULL, 0) ==
		    -1)
			return -1;
	}
	return 0;
}

const struct net_tls_cert *
master_tls_cert(const struct master *m, size_t i)
{
	return i < m->tls->n ? &m->tls->files[i].about : NULL;
}
