/* SPDX-License-Identifier: ISC */
/*
 * hello: who we are, signed by the member's key over
 *	meshId|memberId|pubkey|timestamp
 * The keys' letters are sent as they are signed.
 */
#include "lib/lib.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELLO_CONTROL "control-plane"

/* What the machine calls itself or its directories need not be UTF-8. */
static void
hello_add(struct json_writer *w, const char *key, const char *text)
{
	if (text == NULL || text[0] == '\0' || !str_utf8(text, strlen(text)))
		return;
	json_key(w, key);
	json_str(w, text);
}

static void
hello_host(struct json_writer *w)
{
	char host[256];

	if (gethostname(host, sizeof(host)) == 0) {
		host[sizeof(host) - 1] = '\0';
		hello_add(w, "hostname", host);
	}
}

static void
hello_groups(struct json_writer *w, const struct linnet_config *c)
{
	size_t i;

	if (c->ngroups == 0)
		return;
	json_key(w, "groups");
	json_array(w);
	for (i = 0; i < c->ngroups; i++) {
		json_object(w);
		json_key(w, "name");
		json_str(w, c->groups[i].name);
		hello_add(w, "role", c->groups[i].role);
		json_object_end(w);
	}
	json_array_end(w);
}

static void
hello_sign(struct json_writer *w, const struct linnet *l, int64_t wall_ms)
{
	const struct linnet_config *c = &l->config;
	uint8_t sig[CRYPTO_SIG_LEN];
	char *text = xasprintf("%s|%s|%s|%" PRId64, c->mesh_id, c->member_id,
	    c->public_key, wall_ms);

	crypto_make_sig(sig, text, strlen(text), l->secret);
	free(text);
	json_key(w, "timestamp");
	json_num(w, wall_ms);
	json_key(w, "signature");
	json_hex(w, sig, sizeof(sig));
}

void
linnet_hello_write(struct buf *out, const struct linnet *l, int64_t wall_ms)
{
	const struct linnet_config *c = &l->config;
	struct json_writer w;

	json_start(&w, out);
	json_object(&w);
	json_key(&w, "type");
	json_str(&w, "hello");
	json_key(&w, "meshId");
	json_str(&w, c->mesh_id);
	json_key(&w, "memberId");
	json_str(&w, c->member_id);
	json_key(&w, "pubkey");
	json_str(&w, c->public_key);
	hello_add(&w, "displayName", c->name);
	json_key(&w, "sessionId");
	json_str(&w, c->session_id);
	json_key(&w, "pid");
	json_num(&w, getpid());
	hello_host(&w);
	hello_add(&w, "cwd", c->cwd);
	if (c->control)
		hello_add(&w, "peerRole", HELLO_CONTROL);
	json_key(&w, "capabilities");
	json_array(&w);
	json_str(&w, "client_ack");
	json_array_end(&w);
	hello_groups(&w, c);
	hello_sign(&w, l, wall_ms);
	json_object_end(&w);
}
