/* SPDX-License-Identifier: ISC */
/*
 * What the caller wants, checked and copied.  Keys are linnet_identity.c's.
 */
#include "lib/lib.h"

#include <string.h>

static bool
config_is_id(const char *s)
{
	struct id id;

	return s != NULL && id_parse(&id, s, strlen(s)) == 0;
}

static bool
config_is_text(const char *s)
{
	return s == NULL || str_utf8(s, strlen(s));
}

static bool
config_is_name(const char *s)
{
	return s != NULL && str_is_name(s, strlen(s));
}

const char *
linnet_config_problem(const struct linnet_config *c)
{
	size_t i;

	if (!config_is_id(c->mesh_id))
		return "The mesh id is not 32 hex digits.";
	if (!config_is_id(c->member_id))
		return "The member id is not 32 hex digits.";
	if (c->name != NULL && !config_is_name(c->name))
		return "The display name holds characters that cannot be "
		       "seen, or is empty.";
	if (!config_is_text(c->session_id))
		return "The session id is not UTF-8.";
	for (i = 0; i < c->ngroups; i++)
		if (!config_is_name(c->groups[i].name))
			return "The name of a group holds characters that "
			       "cannot be seen, or is empty.";
	if (c->send_ms < 0)
		return "The time of a send is negative.";
	return NULL;
}

static const char *
config_text(struct pool *p, const char *s)
{
	return s != NULL ? pool_strndup(p, s, strlen(s)) : NULL;
}

static void
config_groups(
    struct linnet_config *to, struct pool *p, const struct linnet_config *c)
{
	struct linnet_group *groups =
	    pool_alloc(p, (c->ngroups + 1) * sizeof(*groups));
	size_t i;

	for (i = 0; i < c->ngroups; i++) {
		groups[i].name = config_text(p, c->groups[i].name);
		groups[i].role = config_text(p, c->groups[i].role);
	}
	to->groups = groups;
}

static void
config_defaults(struct linnet_config *c)
{
	if (c->connect_ms <= 0)
		c->connect_ms = LINNET_CONNECT_MS;
	if (c->request_ms <= 0)
		c->request_ms = LINNET_REQUEST_MS;
	if (c->max_message == 0)
		c->max_message = LINNET_MAX_MESSAGE;
	if (c->max_queue == 0)
		c->max_queue = LINNET_MAX_QUEUE;
	if (c->max_queue_bytes == 0)
		c->max_queue_bytes = LINNET_MAX_QUEUE_BYTES;
	if (c->max_seen == 0)
		c->max_seen = LINNET_MAX_SEEN;
}

void
linnet_config_copy(struct linnet *l, const struct linnet_config *c)
{
	struct linnet_config *to = &l->config;
	uint8_t random[16];

	*to = *c;
	to->url = to->public_key = to->secret_key = NULL;
	to->session_key = to->attestation = NULL;
	memset(&to->tls, 0, sizeof(to->tls));
	to->mesh_id = config_text(&l->pool, c->mesh_id);
	to->member_id = config_text(&l->pool, c->member_id);
	to->name = config_text(&l->pool, c->name);
	to->cwd = config_text(&l->pool, c->cwd);
	to->peer_type = config_text(&l->pool, c->peer_type);
	to->channel = config_text(&l->pool, c->channel);
	to->model = config_text(&l->pool, c->model);
	to->role = config_text(&l->pool, c->role);
	to->session_id = config_text(&l->pool, c->session_id);
	if (to->session_id == NULL) {
		crypto_random_bytes(random, sizeof(random));
		crypto_hex(l->session_id, random, sizeof(random));
		to->session_id = l->session_id;
	}
	config_groups(to, &l->pool, c);
	config_defaults(to);
}
