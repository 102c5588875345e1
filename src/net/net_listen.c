/* SPDX-License-Identifier: ISC */
/*
 * Addresses and listening sockets.  Names are resolved while parsing, which
 * may block: only at start and reload.  "*" is every address of both
 * families through one IPv6 socket, or of IPv4 where there is no IPv6.
 */
#include <sys/stat.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/net.h"

static const char *
addr_parse_unix(const char *path, struct net_addr *a)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&a->ss;
	size_t n = strlen(path);

	if (n == 0)
		return "has no path after unix:";
	if (n >= sizeof(sun->sun_path))
		return "is too long for a unix socket";
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, n + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	return NULL;
}

static void
addr_any(struct net_addr *a, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&a->ss;
	int fd;

	if ((fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) != -1) {
		close(fd);
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = in6addr_any;
		in6->sin6_port = htons(port);
		a->len = sizeof(*in6);
	} else {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_ANY);
		in->sin_port = htons(port);
		a->len = sizeof(*in);
	}
}

static const char *
addr_resolve(const char *host, uint16_t port, bool literal, struct net_addr *a)
{
	struct addrinfo hints, *res;
	char service[8];

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICSERV | (literal ? AI_NUMERICHOST : 0);
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &res) != 0)
		return literal ? "has no IPv6 address between the brackets"
			       : "names no host that can be found";
	memcpy(&a->ss, res->ai_addr, res->ai_addrlen);
	a->len = res->ai_addrlen;
	freeaddrinfo(res);
	return NULL;
}

const char *
net_addr_parse(const char *s, struct net_addr *a)
{
	char host[256];
	const char *colon;
	int64_t port;
	size_t n;

	memset(a, 0, sizeof(*a));
	if (strncmp(s, "unix:", 5) == 0)
		return addr_parse_unix(s + 5, a);
	if ((colon = strrchr(s, ':')) == NULL)
		return "has no port";
	if (colon[1] < '0' || colon[1] > '9' ||
	    str_num(colon + 1, 0, UINT16_MAX, &port) != NULL)
		return "has no port from 0 to 65535";
	n = (size_t)(colon - s);
	if (n == 1 && s[0] == '*') {
		addr_any(a, (uint16_t)port);
		return NULL;
	}
	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		if (n - 2 >= sizeof(host))
			return "is too long";
		memcpy(host, s + 1, n - 2);
		host[n - 2] = '\0';
		if (strchr(host, ':') == NULL)
			return "has no IPv6 address between the brackets";
		return addr_resolve(host, (uint16_t)port, true, a);
	}
	if (n == 0)
		return "has no host before the port";
	if (n >= sizeof(host))
		return "is too long";
	memcpy(host, s, n);
	host[n] = '\0';
	if (strpbrk(host, "[]:") != NULL)
		return "needs brackets around an IPv6 address";
	return addr_resolve(host, (uint16_t)port, false, a);
}

const char *
net_listen_parse(const char *s, struct net_addr *a, bool *tls)
{
	static const char prefix[] = "tls:";

	*tls = str_starts(s, prefix);
	return net_addr_parse(*tls ? s + sizeof(prefix) - 1 : s, a);
}

static void
addr_print_in6(const struct sockaddr_in6 *in6, char out[NET_ADDR_LEN])
{
	char ip[INET6_ADDRSTRLEN];
	unsigned port = ntohs(in6->sin6_port);
	const uint8_t *b = in6->sin6_addr.s6_addr;

	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		snprintf(out, NET_ADDR_LEN, "%u.%u.%u.%u:%u", b[12], b[13],
		    b[14], b[15], port);
	} else if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
		snprintf(out, NET_ADDR_LEN, "*:%u", port);
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		if (in6->sin6_scope_id != 0)
			snprintf(out, NET_ADDR_LEN, "[%s%%%u]:%u", ip,
			    in6->sin6_scope_id, port);
		else
			snprintf(out, NET_ADDR_LEN, "[%s]:%u", ip, port);
	}
}

void
net_addr_print(const struct net_addr *a, char out[NET_ADDR_LEN])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
	const struct sockaddr_un *sun = (const struct sockaddr_un *)&a->ss;
	size_t head = offsetof(struct sockaddr_un, sun_path);
	char ip[INET_ADDRSTRLEN];
	size_t n;

	switch (a->ss.ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(out, NET_ADDR_LEN, "%s:%u", ip, ntohs(in->sin_port));
		break;
	case AF_INET6:
		addr_print_in6((const struct sockaddr_in6 *)&a->ss, out);
		break;
	case AF_UNIX:
		/* A client's end has no path, and may have no NUL. */
		n = a->len > head ? strnlen(sun->sun_path, a->len - head) : 0;
		snprintf(out, NET_ADDR_LEN, "unix:%.*s", (int)n, sun->sun_path);
		break;
	default:
		str_copy(out, "unknown", NET_ADDR_LEN);
		break;
	}
}

bool
net_addr_is_loopback(const struct net_addr *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;

	switch (a->ss.ss_family) {
	case AF_INET:
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			return in6->sin6_addr.s6_addr[12] == 127;
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	case AF_UNIX:
		return true;
	default:
		return false;
	}
}

/* Removes a socket that nobody listens on any more.  Anything else at that
 * path is not ours to touch. */
static bool
listen_remove_stale(const struct net_addr *a)
{
	const struct sockaddr_un *sun = (const struct sockaddr_un *)&a->ss;
	struct stat st;
	bool stale;
	int fd;

	if (lstat(sun->sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	if ((fd = socket(
		 AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return false;
	stale = connect(fd, (const struct sockaddr *)&a->ss, a->len) == -1 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale && unlink(sun->sun_path) == 0;
}

static int
listen_bind(int fd, const struct net_addr *a)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->ss;

	if (bind(fd, sa, a->len) == 0)
		return 0;
	if (errno != EADDRINUSE || a->ss.ss_family != AF_UNIX)
		return -1;
	if (!listen_remove_stale(a)) {
		errno = EADDRINUSE;
		return -1;
	}
	return bind(fd, sa, a->len);
}

int
net_listen(struct net_addr *a, int backlog)
{
	int fd, on = 1, off = 0, saved;

	fd = socket(
	    a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (a->ss.ss_family != AF_UNIX &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		goto fail;
	if (a->ss.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == -1)
		goto fail;
	if (listen_bind(fd, a) == -1 || listen(fd, backlog) == -1)
		goto fail;
	if (a->ss.ss_family != AF_UNIX) {
		a->len = sizeof(a->ss);
		if (getsockname(fd, (struct sockaddr *)&a->ss, &a->len) == -1)
			goto fail;
	}
	return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}
