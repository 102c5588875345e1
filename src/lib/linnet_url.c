/* SPDX-License-Identifier: ISC */
/*
 * The address of a broker:
 *	ws://host[:port][/path]		http:// is the same
 *	wss://host[:port][/path]	https:// is the same
 *	unix:/path/of/socket
 * The path is /ws unless it is given.  What is read here goes into the head of
 * an HTTP request, so nothing that could end a line passes.
 */
#include "lib/lib.h"

#include <string.h>
#include <strings.h>

#define URL_PATH "/ws"
#define URL_PORT "80"
#define URL_PORT_TLS "443"

static int
url_fail(struct linnet_error *e, const char *url, const char *why)
{
	linnet_error_set(e, "bad_url",
	    "\"%.200s\" is no address of a broker: %s. It looks like "
	    "ws://host:7900/ws, wss://host/ws or unix:/path.",
	    url, why);
	return -1;
}

static bool
url_is_clean(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static int
url_read_local(struct linnet_url *u, const char *url, const char *path,
    struct linnet_error *e)
{
	const struct sockaddr_un *un = NULL;

	if (path[0] != '/')
		return url_fail(e, url, "the path does not begin with /");
	if (strlen(path) >= sizeof(un->sun_path))
		return url_fail(e, url, "the path is too long for a socket");
	u->local = true;
	(void)str_copy(u->host, path, sizeof(u->host));
	(void)str_copy(u->authority, "localhost", sizeof(u->authority));
	(void)str_copy(u->path, URL_PATH, sizeof(u->path));
	return 0;
}

/* host, host:port, [v6] or [v6]:port. */
static const char *
url_read_authority(struct linnet_url *u, const char *p, size_t n)
{
	const char *start = p, *end = p + n;
	const char *host = p, *host_end, *port = NULL;
	int64_t number;

	if (n == 0)
		return "there is no host";
	if (n >= sizeof(u->authority))
		return "the host is too long";
	if (memchr(p, '@', n) != NULL)
		return "a user cannot be named in it";
	if (*p == '[') {
		host = p + 1;
		host_end = memchr(p, ']', n);
		if (host_end == NULL)
			return "a ] is missing";
		p = host_end + 1;
	} else {
		host_end = memchr(p, ':', n);
		p = host_end = host_end != NULL ? host_end : end;
	}
	if (p < end && *p == ':')
		port = p + 1;
	else if (p < end)
		return "something follows the ]";
	if (host == host_end)
		return "there is no host";
	if ((size_t)(host_end - host) >= sizeof(u->host))
		return "the host is too long";
	memcpy(u->authority, start, n);
	u->authority[n] = '\0';
	memcpy(u->host, host, (size_t)(host_end - host));
	u->host[host_end - host] = '\0';
	if (port == NULL) {
		(void)str_copy(
		    u->port, u->tls ? URL_PORT_TLS : URL_PORT, sizeof(u->port));
		return NULL;
	}
	if ((size_t)(end - port) >= sizeof(u->port))
		return "the port is no number from 1 to 65535";
	memcpy(u->port, port, (size_t)(end - port));
	u->port[end - port] = '\0';
	if (str_num(u->port, 1, 65535, &number) != NULL)
		return "the port is no number from 1 to 65535";
	return NULL;
}

/* What follows the scheme; NULL: there is none that is known. */
static const char *
url_read_scheme(struct linnet_url *u, const char *url)
{
	static const struct {
		const char *name;
		bool tls;
	} schemes[] = {
		{ "ws://", false },
		{ "wss://", true },
		{ "http://", false },
		{ "https://", true },
	};
	size_t i, n;

	for (i = 0; i < NELEM(schemes); i++) {
		n = strlen(schemes[i].name);
		if (strncasecmp(url, schemes[i].name, n) == 0) {
			u->tls = schemes[i].tls;
			return url + n;
		}
	}
	return NULL;
}

int
linnet_url_read(struct linnet_url *u, const char *url, struct linnet_error *e)
{
	const char *p, *why;
	size_t n;

	memset(u, 0, sizeof(*u));
	if (strncasecmp(url, "unix:", 5) == 0)
		return url_read_local(u, url, url + 5, e);
	if (!url_is_clean(url))
		return url_fail(
		    e, url, "there is a space or a strange character in it");
	if ((p = url_read_scheme(u, url)) == NULL)
		return url_fail(
		    e, url, "it does not begin with ws:// or wss://");
	n = strcspn(p, "/?#");
	if ((why = url_read_authority(u, p, n)) != NULL)
		return url_fail(e, url, why);
	p += n;
	if (strchr(p, '#') != NULL)
		return url_fail(e, url, "there is a # in it");
	if (*p == '?')
		return url_fail(e, url, "a query needs a path before it");
	if (str_copy(u->path, *p == '\0' || strcmp(p, "/") == 0 ? URL_PATH : p,
		sizeof(u->path)) >= sizeof(u->path))
		return url_fail(e, url, "the path is too long");
	return 0;
}
