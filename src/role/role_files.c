/* SPDX-License-Identifier: ISC */
/*
 * Orders to the files process.  The master makes a channel to each new files
 * process; when it dies, so do the sockets of what it was ordered to do, and
 * whoever holds the other ends sees that there.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "role/role.h"

static void
role_files_gone(struct ipc_peer *p, void *arg)
{
	struct role *r = arg;

	ipc_close(p);
	r->files = NULL;
}

void
role_files_channel(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct role *r = arg;

	(void)p;
	ipc_close(r->files);
	r->files = ipc_open(r->base, m->fds[0], "files", r->desc->role,
	    IPC_FILES, NULL, 0, role_files_gone, r);
	m->fds[0] = -1;
}

int
role_files(struct role *r, struct files_order *o)
{
	int pair[2], sent, saved;

	if (r->files == NULL) {
		errno = ENOTCONN;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		pair) == -1)
		return -1;
	o->version = FILES_VERSION;
	sent = ipc_send(r->files, IPC_FILES_ORDER, o, NULL, 0, &pair[1], 1);
	saved = errno;
	close(pair[1]);
	if (sent == 0)
		return pair[0];
	close(pair[0]);
	errno = saved == EPIPE ? ENOTCONN : saved;
	return -1;
}
