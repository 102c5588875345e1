/* SPDX-License-Identifier: ISC */
/*
 * URLs that webhooks are sent to, and the addresses that they may reach: what
 * is on the Internet for everybody, and what webhook.allow adds.  Whoever can
 * make a webhook makes this server send requests; they must not reach what
 * only this server reaches.
 *
 * The request is made from what is read here, not from the text, so that
 * nobody else reads another host in it.
 */
#include <string.h>

#include "core/webhook.h"

const char *
webhook_refuses(const struct webhook_limits *l, const struct ip *ip)
{
	const char *why = ip_special(ip);
	size_t i;

	for (i = 0; why != NULL && i < l->nallow; i++)
		if (ip_net_has(&l->allow[i], ip))
			return NULL;
	return why;
}

static bool
url_takes(struct slice *s, const char *word)
{
	size_t n = strlen(word), i;

	if (s->n < n)
		return false;
	for (i = 0; i < n; i++)
		if ((s->p[i] | (s->p[i] >= 'A' && s->p[i] <= 'Z' ? 0x20 : 0)) !=
		    word[i])
			return false;
	s->p += n;
	s->n -= n;
	return true;
}

/* Letters, digits and dashes between dots (RFC 1123 2.1), and the underscores
 * that names of services have. */
static bool
url_is_name(const char *s)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";

	return s[0] != '\0' && s[0] != '.' && strstr(s, "..") == NULL &&
	       strspn(s, ok) == strlen(s);
}

/* A name whose last part is a number is an address in some older form. */
static bool
url_is_number(const char *s)
{
	const char *dot = strrchr(s, '.');

	return strspn(dot != NULL ? dot + 1 : s, "0123456789") > 0;
}

static bool
url_is_local(const char *s)
{
	static const char *const names[] = { "localhost", "ip6-localhost",
		"ip6-loopback" };
	static const char tail[] = ".localhost";
	size_t n = strlen(s), t = sizeof(tail) - 1, i;

	for (i = 0; i < NELEM(names); i++)
		if (strcmp(s, names[i]) == 0)
			return true;
	return n > t && strcmp(s + n - t, tail) == 0;
}

static bool
url_port(struct slice s, unsigned *port)
{
	unsigned v = 0;
	size_t i;

	if (s.n == 0 || s.n > 5)
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	*port = v;
	return v > 0 && v < 65536;
}

/* host, [address], each perhaps with a port. */
static bool
url_authority(struct webhook_url *out, struct slice s)
{
	const char *end;
	size_t n, i;

	if (s.n > 0 && s.p[0] == '[') {
		if ((end = memchr(s.p, ']', s.n)) == NULL)
			return false;
		n = (size_t)(end - s.p) + 1;
		if (ip_parse(&out->ip, s.p + 1, n - 2) == -1 ||
		    memchr(s.p, ':', n) == NULL)
			return false;
		out->is_ip = true;
		(void)ip_text(&out->ip, out->host);
	} else {
		end = memchr(s.p, ':', s.n);
		n = end != NULL ? (size_t)(end - s.p) : s.n;
		if (n > 0 && n - 1 < WEBHOOK_HOST_MAX && s.p[n - 1] == '.')
			return false;
		if (n > WEBHOOK_HOST_MAX)
			return false;
		for (i = 0; i < n; i++)
			out->host[i] = s.p[i] >= 'A' && s.p[i] <= 'Z'
					   ? (char)(s.p[i] | 0x20)
					   : s.p[i];
		out->host[n] = '\0';
		out->is_ip = ip_parse(&out->ip, s.p, n) == 0;
		if (!out->is_ip &&
		    (!url_is_name(out->host) || url_is_number(out->host)))
			return false;
	}
	if (n == s.n)
		return true;
	return s.p[n] == ':' &&
	       url_port((struct slice){ s.p + n + 1, s.n - n - 1 }, &out->port);
}

const char *
webhook_url(
    struct webhook_url *out, struct slice text, const struct webhook_limits *l)
{
	struct slice s = text, host;
	size_t i;

	memset(out, 0, sizeof(*out));
	/* Neither white space nor what is beyond ASCII stands in a URL. */
	for (i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] <= ' ' || (uint8_t)s.p[i] >= 0x7f ||
		    s.p[i] == '\\' || s.p[i] == '#')
			return "invalid-url";
	if (url_takes(&s, "https://"))
		out->tls = true;
	else if (!url_takes(&s, "http://"))
		return memchr(s.p, ':', s.n) != NULL ? "protocol"
						     : "invalid-url";
	else if (!l->http)
		return "protocol";
	out->port = out->tls ? 443 : 80;
	for (i = 0; i < s.n && s.p[i] != '/' && s.p[i] != '?'; i++)
		continue;
	host = (struct slice){ s.p, i };
	out->path = (struct slice){ s.p + i, s.n - i };
	if (memchr(host.p, '@', host.n) != NULL || !url_authority(out, host))
		return "invalid-url";
	if (out->is_ip)
		return webhook_refuses(l, &out->ip);
	return url_is_local(out->host) ? "blocked-hostname" : NULL;
}
