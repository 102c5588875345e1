/* SPDX-License-Identifier: ISC */
/*
 * Webhooks: forms of the options webhook.*.
 */
#include <string.h>

#include "conf/conf.h"

const char *
conf_webhook_check(const struct conf *c)
{
	const struct conf_list *l = &c->webhook_allow;
	struct ip_net net;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (ip_net_parse(&net, l->v[i], strlen(l->v[i])) == -1)
			return "webhook.allow is no network, such as "
			       "10.1.0.0/16 or fd00::/8";
	if (c->webhook_ca_file[0] != '\0' && c->webhook_ca_file[0] != '/')
		return "webhook.ca_file does not begin with a slash";
	if (strspn(c->webhook_resolver, "0123456789abcdefABCDEF.:[]") !=
	    strlen(c->webhook_resolver))
		return "webhook.resolver is no address";
	return NULL;
}
