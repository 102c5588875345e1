/* SPDX-License-Identifier: ISC */
/*
 * Processes: how the master starts one, how each begins, and how it gives up
 * what it does not need.  fork and exec: a child has an address space of its
 * own, and nothing of what other children or the master know.
 *
 * Between fork and exec only async-signal-safe calls are made, and no handler
 * of the parent can run in the child: it would write into the parent's event
 * loop.  That is why signals are blocked around fork.
 */
#include "config.h" /* close_range(2), setresuid(2) */

#include "ipc/ipc.h"

#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef LINNET_SANITIZERS
#define IPC_DUMPABLE 1 /* the leak checker traces its own process */
#else
#define IPC_DUMPABLE 0
#endif

static char ipc_title[32]; /* "worker 1" */
static char ipc_tag[64];   /* of the log, which keeps the pointer */

/* Signals as a program expects them after exec(3). */
static void
ipc_child_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		sigaction(i, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* -1 and errno. */
static int
ipc_child_fds(int sock)
{
	int null, high;

	/* Out of the way of the numbers that they shall replace. */
	high = fcntl(sock, F_DUPFD, IPC_PROC_FD + 1);
	null = open("/dev/null", O_RDWR);
	if (high == -1 || null == -1)
		return -1;
	if (dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		return -1;
	if (fcntl(STDERR_FILENO, F_GETFD) == -1 &&
	    dup2(null, STDERR_FILENO) == -1)
		return -1;
	if (dup2(high, IPC_PROC_FD) == -1)
		return -1;
	/* All of ours is close-on-exec; this is for what was inherited.  Where
	 * the kernel is too old for it, that stays. */
	close_range(IPC_PROC_FD + 1, ~0U, 0);
	return 0;
}

static void __attribute__((noreturn))
ipc_child(const char *exe, enum ipc_role role, int sock, pid_t master)
{
	static const char failed[] = "linnetd: cannot start a process\n";
	const char *argv[] = { exe, "-x", ipc_role_name(role), NULL };

	ipc_child_signals();
	if (ipc_child_fds(sock) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    getppid() == master)
		execv(exe, (char **)(uintptr_t)argv);
	if (write(STDERR_FILENO, failed, sizeof(failed) - 1) == -1)
		_exit(126);
	_exit(127);
}

pid_t
ipc_proc_start(const char *exe, enum ipc_role role, int *fd)
{
	pid_t pid, master = getpid();
	sigset_t all, old;
	int pair[2], saved;

	if (ipc_pair(pair) == -1)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (pid == 0)
		ipc_child(exe, role, pair[1], master);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(pair[1]);
	if (pid == -1) {
		close(pair[0]);
		errno = saved;
		return -1;
	}
	*fd = pair[0];
	return pid;
}

/* A hang-up or an interrupt from the terminal is the master's to act on. */
static void
ipc_enter_signals(void)
{
	static const int ignored[] = {
		SIGHUP,
		SIGINT,
		SIGPIPE,
		SIGUSR1,
		SIGUSR2,
	};
	struct sigaction sa = { .sa_handler = SIG_IGN };
	size_t i;

	for (i = 0; i < NELEM(ignored); i++)
		sigaction(ignored[i], &sa, NULL);
}

/* Is there what ipc_proc_start() leaves?  A person may try -x by hand. */
static void
ipc_enter_socket(void)
{
	int type = 0, domain = 0;
	socklen_t type_len = sizeof(type), domain_len = sizeof(domain);

	if (getsockopt(IPC_PROC_FD, SOL_SOCKET, SO_TYPE, &type, &type_len) ==
		-1 ||
	    getsockopt(IPC_PROC_FD, SOL_SOCKET, SO_DOMAIN, &domain,
		&domain_len) == -1 ||
	    type != SOCK_SEQPACKET || domain != AF_UNIX)
		fatalx("-x is for linnetd itself to use");
	if (fcntl(IPC_PROC_FD, F_SETFD, FD_CLOEXEC) == -1)
		fatal("descriptor %d", IPC_PROC_FD);
}

/* What ps(1) shows: the bytes of argv hold the title, as far as it fits. */
static void
ipc_enter_title(enum ipc_role role, unsigned number, char **argv)
{
	char *end = argv[0] + strlen(argv[0]), title[64];
	size_t room;
	int i;

	if (role == IPC_WORKER)
		snprintf(ipc_title, sizeof(ipc_title), "%s %u",
		    ipc_role_name(role), number);
	else
		str_copy(ipc_title, ipc_role_name(role), sizeof(ipc_title));
	prctl(PR_SET_NAME, ipc_title);
	snprintf(ipc_tag, sizeof(ipc_tag), "linnetd[%s]", ipc_title);
	log_start(ipc_tag, log_level());

	for (i = 1; argv[i] != NULL && argv[i] == end + 1; i++)
		end = argv[i] + strlen(argv[i]);
	room = (size_t)(end - argv[0]);
	snprintf(title, sizeof(title), "linnetd: %s", ipc_title);
	memset(argv[0], 0, room);
	str_copy(argv[0], title, room + 1);
}

static void
ipc_enter_config(struct ipc_start *s, struct ipc_msg *m)
{
	memcpy(&s->config, m->payload, sizeof(s->config));
	if (s->config.version != IPC_VERSION ||
	    s->config.procs > IPC_PROCS_MAX ||
	    s->config.proc >= s->config.procs)
		fatalx("the master's configuration is not for this program");
	free(s->text);
	s->text = xstrndup(m->tail, m->tail_len);
	s->text_len = m->tail_len;
	ipc_frame_wipe(m);
}

static void
ipc_enter_bus(struct ipc_start *s, struct ipc_msg *m)
{
	memcpy(&s->bus, m->payload, sizeof(s->bus));
	if (s->bus_fd != -1)
		close(s->bus_fd);
	s->bus_fd = m->fds[0];
	m->fds[0] = -1;
}

static void
ipc_enter_wake(struct ipc_start *s, struct ipc_msg *m)
{
	const struct ipc_proc_id *id = m->payload;

	if (id->proc >= IPC_PROCS_MAX)
		fatalx("the master named process %u", id->proc);
	if (s->wake[id->proc] != -1)
		close(s->wake[id->proc]);
	s->wake[id->proc] = m->fds[0];
	m->fds[0] = -1;
}

static void
ipc_enter_live(struct ipc_start *s, struct ipc_msg *m)
{
	if (s->nlive == IPC_PROCS_MAX)
		fatalx("the master named too many processes");
	memcpy(&s->live[s->nlive++], m->payload, sizeof(s->live[0]));
}

static const struct {
	enum ipc_type type;
	void (*fn)(struct ipc_start *s, struct ipc_msg *m);
} ipc_enter_steps[] = {
	{ IPC_CONFIG, ipc_enter_config },
	{ IPC_BUS_MAP, ipc_enter_bus },
	{ IPC_BUS_WAKE, ipc_enter_wake },
	{ IPC_PROC_LIVE, ipc_enter_live },
};

/* Waits for one message and takes it in; false: it was START. */
static bool
ipc_enter_step(enum ipc_role role, struct ipc_start *s, void *buf)
{
	struct pollfd pfd = { .fd = IPC_PROC_FD, .events = POLLIN };
	const char *why = NULL;
	struct ipc_msg m;
	size_t i;

	switch (ipc_frame_recv(IPC_PROC_FD, IPC_MASTER, role, buf, &m, &why)) {
	case IPC_GOT_MSG:
		break;
	case IPC_GOT_NONE:
		if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
			fatal("poll");
		return true;
	case IPC_GOT_EOF:
		fatalx("the master is gone");
	case IPC_GOT_ERROR:
		fatal("the master");
	case IPC_GOT_REFUSED:
		fatalx("a message from the master %s", why);
	}
	if (m.type == IPC_START)
		return false;
	for (i = 0; i < NELEM(ipc_enter_steps); i++) {
		if (ipc_enter_steps[i].type != m.type)
			continue;
		ipc_enter_steps[i].fn(s, &m);
		ipc_frame_done(&m);
		return true;
	}
	fatalx("%s came before START", ipc_name(m.type));
}

void
ipc_proc_enter(enum ipc_role role, char **argv, struct ipc_start *s)
{
	char *buf;
	size_t i;

	ipc_enter_signals();
	ipc_enter_socket();
	if (chdir("/") == -1)
		fatal("/");
	memset(s, 0, sizeof(*s));
	s->bus_fd = -1;
	for (i = 0; i < NELEM(s->wake); i++)
		s->wake[i] = -1;
	buf = xmalloc(IPC_BUF_SIZE);
	while (ipc_enter_step(role, s, buf))
		continue;
	/* It had the configuration, and with it perhaps a password. */
	crypto_wipe(buf, IPC_BUF_SIZE);
	free(buf);
	/* Files has no place on the bus. */
	if (s->text == NULL || (s->bus_fd == -1 && role != IPC_FILES) ||
	    s->config.role != (uint32_t)role)
		fatalx("START came too early, or for another role");
	ipc_enter_title(role, s->config.number, argv);
}

static void
ipc_drop_user(uid_t uid, gid_t gid)
{
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		fatal("becoming user %u", (unsigned)uid);
	if (setuid(0) == 0)
		fatalx("user %u can become root again", (unsigned)uid);
}

/* No capability in any set, the ambient one included, which never has more
 * than the permitted: for a root that has no other user to be, and for what a
 * service manager passed on. */
static void
ipc_drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capset, &head, none) == -1)
		fatal("giving up capabilities");
}

/*
 * The directory is the user's own, closed to others, and the master has given
 * up reading what is not its own: it is entered with the user's eyes.
 */
static void
ipc_drop_root(const struct ipc_privs *privs)
{
	if (privs->uid != 0) {
		setfsgid(privs->gid);
		setfsuid(privs->uid);
	}
	if (chroot(privs->root) == -1 || chdir("/") == -1)
		fatal("changing the root to %s", privs->root);
}

void
ipc_drop(const struct ipc_privs *privs)
{
	bool root = geteuid() == 0;

	if (root && privs->root != NULL)
		ipc_drop_root(privs);
	if (root && privs->uid != 0)
		ipc_drop_user(privs->uid, privs->gid);
	ipc_drop_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("no new privileges");
	if (prctl(PR_SET_DUMPABLE, IPC_DUMPABLE, 0, 0, 0) == -1)
		fatal("no core dumps");
	/* A change of user has cleared it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		fatal("following the master");
	umask(077);
}
