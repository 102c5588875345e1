/* SPDX-License-Identifier: ISC */
/*
 * doctor: all that has to be right between here and the mesh, in the order in
 * which one needs the other.  A check says ok, warn or fail, and what to do;
 * what needs one that failed is not tried.
 */
#include "cli/cli_doctor.h"
#include "cli/cli_host.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

void
cli_doctor_say(struct doctor *d, const char *mesh, const char *what,
    enum verdict verdict, int status, const char *text)
{
	static const char *const verdicts[] = { "ok", "warn", "fail" };

	if (verdict == DOCTOR_FAIL && d->status == 0)
		d->status = status;
	if (d->c->json) {
		json_object(&d->w);
		json_key(&d->w, "check");
		json_str(&d->w, what);
		json_key(&d->w, "mesh");
		json_str(&d->w, mesh);
		json_key(&d->w, "verdict");
		json_str(&d->w, verdicts[verdict]);
		json_key(&d->w, "text");
		json_str(&d->w, text);
		json_object_end(&d->w);
		return;
	}
	cli_table_add(d->c, &d->table, verdicts[verdict]);
	cli_table_add(d->c, &d->table, cli_print_safe(d->c, mesh));
	cli_table_add(d->c, &d->table, what);
	cli_table_add(d->c, &d->table, cli_print_safe(d->c, text));
}

/* The secret key is the one of the public key, and both have their length. */
static bool
doctor_keys_fit(const struct cli_mesh *m)
{
	uint8_t pub[CRYPTO_KEY_LEN], made[CRYPTO_KEY_LEN];
	uint8_t secret[CRYPTO_SECRET_LEN], again[CRYPTO_SECRET_LEN];
	bool fit;

	fit = crypto_unhex(pub, sizeof(pub), m->public_key,
		  strlen(m->public_key)) == 0 &&
	      crypto_unhex(secret, sizeof(secret), m->secret_key,
		  strlen(m->secret_key)) == 0;
	if (fit) {
		crypto_seed_pair(made, again, secret);
		fit = crypto_same(made, pub, sizeof(pub)) &&
		      crypto_same(again, secret, sizeof(secret));
	}
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(again, sizeof(again));
	return fit;
}

static bool
doctor_check_keys(struct doctor *d, const struct cli_mesh *m)
{
	bool fit = doctor_keys_fit(m);

	cli_doctor_say(d, m->slug, "keys", fit ? DOCTOR_OK : DOCTOR_FAIL,
	    EX_CONFIG,
	    fit ? "the key pair is whole"
		: "the secret key is not that of the public key; restore the "
		  "configuration, or leave the mesh and join it again");
	return fit;
}

static void
doctor_check_secrecy(struct doctor *d, const struct cli_mesh *m)
{
	const char *url = m->broker_url;
	bool open = str_starts(url, "ws://") || str_starts(url, "http://");

	if (!open) {
		cli_doctor_say(d, m->slug, "secrecy", DOCTOR_OK, 0,
		    str_starts(url, "unix:") ? "the broker is on this host"
					     : "the connection is encrypted");
		return;
	}
	url = strstr(url, "://") + 3;
	open = !str_starts(url, "127.") && !str_starts(url, "[::1]") &&
	       !str_starts(url, "localhost");
	cli_doctor_say(d, m->slug, "secrecy", open ? DOCTOR_WARN : DOCTOR_OK, 0,
	    open ? "the connection is not encrypted: all but direct messages "
		   "can be read on the way; ask who runs the broker for a "
		   "wss:// address"
		 : "the broker is on this host");
}

/* The hosts of agents that are here. */
static void
doctor_check_hosts(struct doctor *d)
{
	const struct host *h;
	const char *text;
	bool done;

	for (h = cli_hosts; h->name != NULL; h++) {
		if (!cli_host_found(d->c, h))
			continue;
		done = cli_install_is_done(d->c, h);
		text = pool_printf(&d->c->pool, "%s %s%s", h->title,
		    done ? "has linnet"
			 : "does not have all of linnet; do: linnet install ",
		    done ? "" : h->name);
		cli_doctor_say(
		    d, "", "host", done ? DOCTOR_OK : DOCTOR_WARN, 0, text);
	}
}

static void
doctor_check_meshes(struct doctor *d, const struct cli_config *f)
{
	const char *wanted = d->c->mesh;
	const struct cli_mesh *m;
	bool any = false;
	size_t i;

	for (i = 0; i < f->n; i++) {
		m = &f->meshes[i];
		if (wanted != NULL && strcmp(wanted, m->slug) != 0 &&
		    strcmp(wanted, m->mesh_id) != 0)
			continue;
		any = true;
		if (!doctor_check_keys(d, m))
			continue;
		doctor_check_secrecy(d, m);
		cli_doctor_mesh(d, m);
	}
	if (any)
		return;
	cli_doctor_say(d, wanted != NULL ? wanted : "", "joined", DOCTOR_FAIL,
	    EX_CONFIG,
	    f->n == 0 ? "no mesh was joined yet; get an invite and do: linnet "
			"join LINK"
		      : "there is no such mesh; linnet list has them");
}

int
cli_doctor(struct cli *c)
{
	static const char *const head[] = { "VERDICT", "MESH", "CHECK", "TEXT",
		NULL };
	struct doctor d = { .c = c };
	struct cli_config f;
	struct buf b;
	int status;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&d.w, &b);
	json_array(&d.w);
	cli_table_init(&d.table, head);
	if ((status = cli_config_load(&f, c->config_file, false)) != 0)
		cli_doctor_say(&d, "", "configuration", DOCTOR_FAIL, status,
		    "it cannot be used, see above");
	else {
		cli_doctor_say(&d, "", "configuration", DOCTOR_OK, 0, f.file);
		doctor_check_meshes(&d, &f);
	}
	doctor_check_hosts(&d);
	json_array_end(&d.w);
	if (c->json)
		cli_print_json(c, b.data, b.len);
	else
		cli_table_print(c, &d.table);
	buf_free(&b);
	cli_config_free(&f);
	return d.status;
}
