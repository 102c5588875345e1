/* SPDX-License-Identifier: ISC */
/*
 * A stream to a broker: the addresses of a host are tried one after the other
 * until one answers.  The descriptor never blocks, is not inherited, and
 * belongs to the struct.
 */
#include "config.h" /* EAI_ADDRFAMILY */

#include "lib/lib.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
linnet_socket_init(struct linnet_socket *s)
{
	*s = (struct linnet_socket){ .fd = -1 };
}

void
linnet_socket_close(struct linnet_socket *s)
{
	if (s->ssl != NULL)
		linnet_tls_end(s);
	if (s->fd != -1)
		(void)close(s->fd);
	if (s->all != NULL)
		freeaddrinfo(s->all);
	linnet_socket_init(s);
}

static int
socket_fail(struct linnet_error *e, const struct linnet_url *u, int error)
{
	if (u->local)
		linnet_error_set(e, "unreachable",
		    "Nobody answers at unix:%s: %s. Is linnetd running?",
		    u->host, strerror(error));
	else
		linnet_error_set(e, "unreachable",
		    "Nobody answers at %s port %s: %s. Is linnetd running "
		    "there?",
		    u->host, u->port, strerror(error));
	return -1;
}

/* Begins to connect to one address; -1 and errno. */
static int
socket_try(struct linnet_socket *s, int family, const struct sockaddr *addr,
    socklen_t len)
{
	int one = 1, error;

	s->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		return -1;
	if (family != AF_UNIX)
		(void)setsockopt(
		    s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(s->fd, addr, len) == 0 || errno == EINPROGRESS ||
	    errno == EINTR)
		return 0;
	error = errno;
	(void)close(s->fd);
	s->fd = -1;
	errno = error;
	return -1;
}

static int
socket_try_next(struct linnet_socket *s, const struct linnet_url *u, int error,
    struct linnet_error *e)
{
	while (s->next != NULL) {
		const struct addrinfo *a = s->next;

		s->next = a->ai_next;
		if (socket_try(s, a->ai_family, a->ai_addr, a->ai_addrlen) == 0)
			return 0;
		error = errno;
	}
	return socket_fail(e, u, error);
}

int
linnet_socket_start(
    struct linnet_socket *s, const struct linnet_url *u, struct linnet_error *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
	int error;

	linnet_socket_close(s);
	if (u->local) {
		(void)str_copy(un.sun_path, u->host, sizeof(un.sun_path));
		if (socket_try(s, AF_UNIX, (const struct sockaddr *)&un,
			sizeof(un)) == 0)
			return 0;
		return socket_fail(e, u, errno);
	}
	error = getaddrinfo(u->host, u->port, &hints, &s->all);
	if (error == EAI_ADDRFAMILY || error == EAI_NONAME) {
		/* AI_ADDRCONFIG hides even ::1 and 127.0.0.1 from a machine
		 * without a network. */
		hints.ai_flags &= ~AI_ADDRCONFIG;
		error = getaddrinfo(u->host, u->port, &hints, &s->all);
	}
	if (error != 0) {
		s->all = NULL;
		linnet_error_set(e, "no_host",
		    "The host %s has no address: %s. Check the name and the "
		    "network.",
		    u->host, gai_strerror(error));
		return -1;
	}
	s->next = s->all;
	return socket_try_next(s, u, ECONNREFUSED, e);
}

int
linnet_socket_check(
    struct linnet_socket *s, const struct linnet_url *u, struct linnet_error *e)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, 0) <= 0)
		return 0;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0)
		return 1;
	(void)close(s->fd);
	s->fd = -1;
	return socket_try_next(s, u, error, e);
}

ptrdiff_t
linnet_socket_read(struct linnet_socket *s, void *p, size_t n)
{
	ssize_t got;

	if (s->ssl != NULL)
		return linnet_tls_read(s, p, n);
	do
		got = recv(s->fd, p, n, 0);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		return got;
	return got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}

ptrdiff_t
linnet_socket_write(struct linnet_socket *s, const void *p, size_t n)
{
	ssize_t put;

	if (s->ssl != NULL)
		return linnet_tls_write(s, p, n);
	do
		put = send(s->fd, p, n, MSG_NOSIGNAL);
	while (put == -1 && errno == EINTR);
	if (put >= 0)
		return put;
	return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
}
