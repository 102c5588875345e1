/* SPDX-License-Identifier: ISC */
/*
 * Processes and the sandbox.  This program starts itself again as a role and
 * asks it what it is; what it shall do is the text of its configuration.
 */
#include "config.h"

#include "ipc/ipc.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

#define WAIT_MS 20000
#define NOBODY 65534

static const char *self;

/*
 * The role: answers with the bits of what it finds in LOAD, then waits for
 * the end of the master.
 */
static unsigned
open_fds(void)
{
	unsigned n = 0, i;

	for (i = 0; i < 1024; i++)
		n += fcntl((int)i, F_GETFD) != -1;
	return n;
}

/* The value of a line of /proc/self/status, or "". */
static const char *
status_line(const char *name)
{
	static char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	size_t n = strlen(name);

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, n) == 0 && line[n] == ':') {
			fclose(f);
			line[strcspn(line, "\n")] = '\0';
			return line + n + 1 + strspn(line + n + 1, "\t ");
		}
	}
	if (f != NULL)
		fclose(f);
	return "";
}

static uint32_t
check_enter(const struct ipc_start *s, char **argv)
{
	char title[64] = "", path[64];
	struct stat st;
	uint32_t bits = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)getpid());
	f = fopen(path, "r");
	if (f != NULL && fgets(title, sizeof(title), f) == NULL)
		title[0] = '\0';
	if (f != NULL)
		fclose(f);
	bits |= (s->config.number == 3 && s->config.procs == 8) << 0;
	bits |= (s->bus.ring == 65536 && s->bus_fd > IPC_PROC_FD) << 1;
	bits |= (s->wake[2] != -1 && s->wake[1] == -1) << 2;
	bits |= (s->nlive == 0) << 3;
	bits |= (strcmp(status_line("Name"), "worker 3") == 0) << 4;
	bits |= str_starts(title, "linnetd: worker 3") << 5;
	bits |= str_starts(argv[0], "linnetd: ") << 6;
	/* 0 to 3, the bus, one eventfd. */
	bits |= (open_fds() == 6) << 7;
	bits |= (fstat(0, &st) == 0 && S_ISCHR(st.st_mode)) << 8;
	bits |= (fcntl(IPC_PROC_FD, F_GETFD) == FD_CLOEXEC) << 9;
	return bits;
}
#define ENTER_ALL 0x3ffu

static uint32_t
check_drop(void)
{
	const char *caps = "0000000000000000";
	uint32_t bits = 0;
	int sig = 0;

	bits |= (strcmp(status_line("NoNewPrivs"), "1") == 0) << 0;
	bits |= (strcmp(status_line("CapEff"), caps) == 0 &&
		    strcmp(status_line("CapPrm"), caps) == 0 &&
		    strcmp(status_line("CapInh"), caps) == 0 &&
		    strcmp(status_line("CapAmb"), caps) == 0)
		<< 1;
	bits |= (umask(0) == 077) << 2;
	prctl(PR_GET_PDEATHSIG, &sig);
	bits |= (sig == SIGKILL) << 3;
#ifdef LINNET_SANITIZERS
	bits |= 1 << 4;
#else
	bits |= (prctl(PR_GET_DUMPABLE) == 0) << 4;
#endif
	return bits;
}
#define DROP_ALL 0x1fu
#define DROP_USER 0x20u
#define DROP_ROOT 0x40u

static void
answer(uint32_t bits)
{
	struct ipc_load load = { bits, 1 };

	if (ipc_frame_send(IPC_PROC_FD, IPC_WORKER, IPC_MASTER, IPC_LOAD, &load,
		NULL, 0, NULL, 0) == -1)
		_exit(9);
}

/* Until the master closes its end. */
static void
wait_for_end(void)
{
	struct pollfd pfd = { .fd = IPC_PROC_FD, .events = POLLIN };

	poll(&pfd, 1, WAIT_MS);
}

static int
role_main(const char *name, char **argv)
{
	struct ipc_start s;
	struct ipc_privs privs = { 0 };
	uint32_t bits;

	ipc_proc_enter(ipc_role_parse(name), argv, &s);
	if (strcmp(s.text, "enter") == 0) {
		answer(check_enter(&s, argv));
		wait_for_end();
	} else if (strcmp(s.text, "drop") == 0) {
		privs.uid = s.config.uid;
		privs.gid = s.config.gid;
		ipc_drop(&privs);
		bits = check_drop();
		bits |= s.config.uid != 0 && getuid() == s.config.uid &&
				getegid() == s.config.gid
			    ? DROP_USER
			    : 0;
		answer(bits);
		wait_for_end();
	} else if (strcmp(s.text, "chroot") == 0) {
		privs.root = "/proc/self/fdinfo";
		privs.uid = s.config.uid;
		privs.gid = s.config.gid;
		ipc_drop(&privs);
		answer(access("/3", F_OK) == 0 && access("/etc", F_OK) == -1
			   ? DROP_ROOT
			   : 0);
		wait_for_end();
		_exit(0); /* no leak checker works without /proc */
	} else if (strcmp(s.text, "linger") == 0) {
		answer(1);
		for (;;)
			pause(); /* ignores its master */
	}
	free(s.text);
	return 0;
}

/*
 * The master.
 */
static int
send_to(int fd, enum ipc_role role, enum ipc_type type, const void *payload,
    const char *text, int with)
{
	return ipc_frame_send(fd, IPC_MASTER, role, type, payload, text,
	    text != NULL ? strlen(text) : 0, &with, with != -1 ? 1 : 0);
}

/* Starts a worker that does what the text says. */
static pid_t
start(const char *text, int bus, uint32_t uid, int *fd)
{
	struct ipc_config config = {
		.version = IPC_VERSION,
		.role = IPC_WORKER,
		.number = 3,
		.procs = 8,
		.proc = 2,
		.uid = uid,
		.gid = uid,
	};
	struct ipc_bus map = { .procs = 8, .self = 2, .ring = 65536 };
	struct ipc_proc_id id = { 2 };
	int wake = eventfd(0, EFD_CLOEXEC);
	pid_t pid;

	fflush(stdout);
	pid = ipc_proc_start(self, IPC_WORKER, fd);
	if (pid == -1 ||
	    send_to(*fd, IPC_WORKER, IPC_CONFIG, &config, text, -1) == -1 ||
	    send_to(*fd, IPC_WORKER, IPC_BUS_MAP, &map, NULL, bus) == -1 ||
	    send_to(*fd, IPC_WORKER, IPC_BUS_WAKE, &id, NULL, wake) == -1 ||
	    send_to(*fd, IPC_WORKER, IPC_START, NULL, NULL, -1) == -1)
		perror("start");
	close(wake);
	return pid;
}

/* What a worker answers; -1 when it ends instead. */
static int64_t
answer_of(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	const struct ipc_load *load;
	char *buf = xmalloc(IPC_BUF_SIZE);
	const char *why;
	struct ipc_msg m;
	int64_t v = -1;

	if (poll(&pfd, 1, WAIT_MS) == 1 &&
	    ipc_frame_recv(fd, IPC_WORKER, IPC_MASTER, buf, &m, &why) ==
		IPC_GOT_MSG &&
	    m.type == IPC_LOAD) {
		load = m.payload;
		v = load->conns;
	}
	free(buf);
	return v;
}

static int
end_of(pid_t pid, int fd)
{
	int status = -1;

	close(fd);
	waitpid(pid, &status, 0);
	return status;
}

static void
test_enter(int null)
{
	int fd, spare = open("/dev/null", O_RDONLY); /* not close-on-exec */
	pid_t pid = start("enter", null, 0, &fd);

	is_int(answer_of(fd), ENTER_ALL, "a role begins as it should");
	is_int(end_of(pid, fd), 0, "and ends with its master");
	close(spare);
}

static void
test_enter_wrong(int null)
{
	struct ipc_config config = {
		.version = IPC_VERSION,
		.role = IPC_JOBS,
		.procs = 8,
	};
	struct ipc_bus map = { .procs = 8 };
	struct ipc_incarnation live = { .proc = 1 };
	int fd, err = dup(STDERR_FILENO);
	pid_t pid;

	/* What it says on stderr is expected. */
	dup2(null, STDERR_FILENO);
	pid = ipc_proc_start(self, IPC_WORKER, &fd);
	is_int(WEXITSTATUS(end_of(pid, fd)), 1, "a master that dies at once");
	pid = ipc_proc_start(self, IPC_WORKER, &fd);
	ok(send_to(fd, IPC_WORKER, IPC_START, NULL, NULL, -1) == 0 &&
		WEXITSTATUS(end_of(pid, fd)) == 1,
	    "START before anything else");
	pid = ipc_proc_start(self, IPC_WORKER, &fd);
	ok(send_to(fd, IPC_WORKER, IPC_CONFIG, &config, "", -1) == 0 &&
		send_to(fd, IPC_WORKER, IPC_BUS_MAP, &map, NULL, null) == 0 &&
		send_to(fd, IPC_WORKER, IPC_START, NULL, NULL, -1) == 0 &&
		WEXITSTATUS(end_of(pid, fd)) == 1,
	    "a configuration for another role");
	config.role = IPC_WORKER;
	config.version++;
	pid = ipc_proc_start(self, IPC_WORKER, &fd);
	ok(send_to(fd, IPC_WORKER, IPC_CONFIG, &config, "", -1) == 0 &&
		WEXITSTATUS(end_of(pid, fd)) == 1,
	    "a configuration of another version");
	pid = ipc_proc_start(self, IPC_WORKER, &fd);
	ok(send_to(fd, IPC_WORKER, IPC_DRAIN, NULL, NULL, -1) == 0 &&
		WEXITSTATUS(end_of(pid, fd)) == 1,
	    "a message that belongs after START");
	pid = ipc_proc_start(self, IPC_JOBS, &fd);
	ok(send_to(fd, IPC_JOBS, IPC_PROC_LIVE, &live, NULL, -1) == 0 &&
		WEXITSTATUS(end_of(pid, fd)) == 1,
	    "a list of processes is no start");
	pid = ipc_proc_start("/nonexistent", IPC_WORKER, &fd);
	is_int(WEXITSTATUS(end_of(pid, fd)), 127, "a program that is not");
	pid = fork();
	if (pid == 0) {
		close(IPC_PROC_FD);
		execl(self, self, "-x", "worker", NULL);
		_exit(0);
	}
	is_int(WEXITSTATUS(end_of(pid, dup(null))), 1, "-x by hand");
	dup2(err, STDERR_FILENO);
	close(err);
}

static void
test_drop(int null)
{
	bool root = geteuid() == 0;
	int fd;
	pid_t pid;

	pid = start("drop", null, root ? NOBODY : 0, &fd);
	is_int(answer_of(fd), root ? DROP_ALL | DROP_USER : DROP_ALL,
	    "privileges are given up");
	is_int(end_of(pid, fd), 0, "for good");
	pid = start("drop", null, 0, &fd);
	is_int(answer_of(fd), DROP_ALL, "without another user too");
	end_of(pid, fd);
	if (!root) {
		ok(true, "chroot # SKIP needs root");
		return;
	}
	pid = start("chroot", null, NOBODY, &fd);
	is_int(answer_of(fd), DROP_ROOT, "another root directory");
	end_of(pid, fd);
}

/* A master that is killed takes a child with it that does not listen. */
static void
test_orphan(void)
{
	int alive[2], fd, status;
	struct pollfd pfd;
	pid_t pid;
	char c;

	if (pipe2(alive, O_CLOEXEC) == -1)
		exit(1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* The child holds the writing end as its bus. */
		close(alive[0]);
		start("linger", alive[1], 0, &fd);
		_exit(answer_of(fd) == 1 ? 0 : 1);
	}
	close(alive[1]);
	waitpid(pid, &status, 0);
	is_int(status, 0, "a master ends with a child that lingers");
	pfd = (struct pollfd){ .fd = alive[0], .events = POLLIN };
	ok(poll(&pfd, 1, WAIT_MS) == 1 && read(alive[0], &c, 1) == 0,
	    "the child does not outlive it");
	close(alive[0]);
}

/*
 * The sandbox: each function makes one call, and returns whether it worked.
 */
static bool
try_memory(void)
{
	size_t n = 8 << 20;
	char *p = malloc(n), *q;

	if (p == NULL)
		return false;
	memset(p, 1, n);
	q = realloc(p, 2 * n);
	if (q == NULL)
		return false;
	free(q);
	return true;
}

static bool
try_memfd(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);
	void *p;

	if (fd == -1 || ftruncate(fd, 4096) == -1)
		return false;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p != MAP_FAILED && munmap(p, 4096) == 0 && close(fd) == 0;
}

static void
once_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

static bool
try_loop(void)
{
	struct event_base *base = event_base_new();
	const struct timeval soon = { 0, 1000 };
	bool done = false;
	struct event *ev;

	if (base == NULL)
		return false;
	ev = evtimer_new(base, once_cb, &done);
	event_add(ev, &soon);
	event_base_dispatch(base);
	event_free(ev);
	ev = evsignal_new(base, SIGUSR1, once_cb, &done);
	event_add(ev, NULL);
	event_free(ev);
	event_base_free(base);
	return done;
}

static bool
try_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t one = 1;

	return fd != -1 && write(fd, &one, sizeof(one)) == sizeof(one) &&
	       read(fd, &one, sizeof(one)) == sizeof(one);
}

static bool
try_crypto(void)
{
	uint8_t pub[CRYPTO_KEY_LEN], secret[CRYPTO_SECRET_LEN];
	uint8_t sig[CRYPTO_SIG_LEN];

	crypto_start();
	crypto_new_pair(pub, secret);
	crypto_make_sig(sig, "x", 1, secret);
	return crypto_check_sig(sig, "x", 1, pub);
}

static bool
try_log(void)
{
	log_start("x", LOG_INFO);
	log_info("the sandbox lets the log through");
	clock_update();
	return clock_wall() != 0;
}

static bool
try_read_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) != -1;
}

static bool
try_unix_socket(void)
{
	int fds[2];

	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) != -1 &&
	       ipc_pair(fds) == 0;
}

static bool
try_inet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) != -1 &&
	       socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) != -1;
}

static bool
try_bind(void)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* EPERM is the sandbox's, EINVAL and the like are bind(2)'s. */
	return bind(fd, &sa, sizeof(sa)) == 0 || errno != EPERM;
}

/* Whether a name is found is the host's affair. */
static bool
try_resolve(void)
{
	struct addrinfo *ai;

	if (getaddrinfo("localhost", "5432", NULL, &ai) == 0)
		freeaddrinfo(ai);
	if (getaddrinfo("name.invalid", "5432", NULL, &ai) == 0)
		freeaddrinfo(ai);
	return true;
}

static bool
try_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) != -1;
}

static bool
try_abort(void)
{
	raise(SIGURG); /* ignored, but sent */
	return sysconf(_SC_OPEN_MAX) > 0 && sysconf(_SC_NPROCESSORS_ONLN) > 0;
}

static bool
try_write_file(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC) != -1;
}

static bool
try_read_write_file(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC) != -1;
}

static bool
try_create_file(void)
{
	return open("/tmp/linnet-sandbox", O_RDONLY | O_CREAT, 0600) != -1 &&
	       unlinkat(AT_FDCWD, "/tmp/linnet-sandbox", 0) == 0;
}

static bool
try_tmpfile(void)
{
	return open("/tmp", O_RDWR | O_TMPFILE, 0600) != -1;
}

static bool
try_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
try_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool
try_kill(void)
{
	return kill(getppid(), 0) == 0;
}

static bool
try_tgkill(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;
}

static bool
try_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1) == 0;
}

static bool
try_rlimit(void)
{
	struct rlimit rl = { 100, 100 };

	return getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	       setrlimit(RLIMIT_NOFILE, &rl) == 0;
}

static void *
thread(void *arg)
{
	return arg;
}

static bool
try_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, thread, NULL) == 0 &&
	       pthread_join(t, NULL) == 0;
}

static bool
try_unlinkat(void)
{
	return unlinkat(AT_FDCWD, "/nonexistent/x", 0) == 0;
}

static bool
try_mkdirat(void)
{
	return mkdirat(AT_FDCWD, "/nonexistent/x", 0700) == 0;
}

static bool
try_renameat(void)
{
	return renameat(
		   AT_FDCWD, "/nonexistent/x", AT_FDCWD, "/nonexistent/y") == 0;
}

static bool
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid != -1;
}

static bool
try_exec(void)
{
	execl("/bin/true", "true", NULL);
	return false;
}

static bool
try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool
try_unlink(void)
{
	return unlink("/nonexistent/x") == 0;
}

static bool
try_mkdir(void)
{
	return mkdir("/nonexistent/x", 0700) == 0;
}

static bool
try_chmod(void)
{
	return chmod("/nonexistent/x", 0700) == 0;
}

static bool
try_rename(void)
{
	return rename("/nonexistent/x", "/nonexistent/y") == 0;
}

static bool
try_setuid(void)
{
	return setuid(getuid()) == 0;
}

static bool
try_listen(void)
{
	return listen(0, 1) == 0;
}

static bool
try_accept(void)
{
	return accept(0, NULL, NULL) != -1;
}

static bool
try_read_process(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) ==
	       0;
}

static bool
try_io_uring(void)
{
	return syscall(425 /* io_uring_setup */, 1, NULL) >= 0;
}

static bool
try_unknown(void)
{
	return syscall(9999) == 0;
}

#ifdef __x86_64__
static bool
try_x32(void)
{
	return syscall(0x40000000 | SYS_getpid) > 0;
}

/* The numbers of the 32-bit calls are others: 20 is getpid there, writev
 * here. */
static bool
try_i386(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
	return r > 0;
}
#endif

enum fate {
	WORKS,
	FAILS,
	KILLED,
};

static const struct {
	const char *name;
	bool (*fn)(void);
	enum fate unix_only;
	enum fate inet;
	enum fate files;
} tries[] = {
	{ "memory", try_memory, WORKS, WORKS, WORKS },
	{ "a memfd", try_memfd, WORKS, WORKS, WORKS },
	{ "an event loop", try_loop, WORKS, WORKS, WORKS },
	{ "an eventfd", try_eventfd, WORKS, WORKS, WORKS },
	{ "signatures", try_crypto, WORKS, WORKS, WORKS },
	{ "the log", try_log, WORKS, WORKS, WORKS },
	{ "reading a file", try_read_file, WORKS, WORKS, WORKS },
	{ "a unix socket", try_unix_socket, WORKS, WORKS, WORKS },
	{ "resolving a name", try_resolve, WORKS, WORKS, WORKS },
	{ "signalling itself", try_abort, WORKS, WORKS, WORKS },
	{ "a network socket", try_inet_socket, FAILS, WORKS, FAILS },
	{ "bind", try_bind, FAILS, WORKS, FAILS },
	{ "a packet socket", try_packet_socket, FAILS, FAILS, FAILS },
	{ "writing a file", try_write_file, FAILS, FAILS, WORKS },
	{ "updating a file", try_read_write_file, FAILS, FAILS, WORKS },
	{ "creating a file", try_create_file, FAILS, FAILS, WORKS },
	{ "a nameless file", try_tmpfile, FAILS, FAILS, WORKS },
	{ "executable memory", try_exec_memory, FAILS, FAILS, FAILS },
	{ "making it executable", try_make_executable, FAILS, FAILS, FAILS },
	{ "kill", try_kill, FAILS, FAILS, FAILS },
	{ "tgkill", try_tgkill, FAILS, FAILS, FAILS },
	{ "prctl", try_prctl, FAILS, FAILS, FAILS },
	{ "setrlimit", try_rlimit, FAILS, FAILS, FAILS },
	{ "a thread", try_thread, KILLED, KILLED, WORKS },
	{ "unlinkat", try_unlinkat, KILLED, KILLED, FAILS },
	{ "mkdirat", try_mkdirat, KILLED, KILLED, FAILS },
	{ "renameat", try_renameat, KILLED, KILLED, FAILS },
	{ "fork", try_fork, KILLED, KILLED, KILLED },
	{ "exec", try_exec, KILLED, KILLED, KILLED },
	{ "ptrace", try_ptrace, KILLED, KILLED, KILLED },
	{ "unlink", try_unlink, KILLED, KILLED, KILLED },
	{ "mkdir", try_mkdir, KILLED, KILLED, KILLED },
	{ "chmod", try_chmod, KILLED, KILLED, KILLED },
	{ "rename", try_rename, KILLED, KILLED, KILLED },
	{ "setuid", try_setuid, KILLED, KILLED, KILLED },
	{ "listen", try_listen, KILLED, KILLED, KILLED },
	{ "accept", try_accept, KILLED, KILLED, KILLED },
	{ "another's memory", try_read_process, KILLED, KILLED, KILLED },
	{ "io_uring", try_io_uring, KILLED, KILLED, KILLED },
	{ "an unknown call", try_unknown, KILLED, KILLED, KILLED },
#ifdef __x86_64__
	{ "an x32 call", try_x32, KILLED, KILLED, KILLED },
	{ "a 32-bit call", try_i386, KILLED, KILLED, KILLED },
#endif
};

static const char *const fates[] = { "works", "fails", "kills" };

/* Makes the call in a process in the sandbox. */
static const char *
fate_of(bool (*fn)(void), unsigned may, int null)
{
	struct rlimit none = { 0, 0 };
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		dup2(null, STDERR_FILENO);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		ipc_sandbox(may);
		_exit(fn() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return fates[KILLED];
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return "ends otherwise";
	return fates[WEXITSTATUS(status) == 0 ? WORKS : FAILS];
}

/* What of the file system can be reached from behind a fence. */
static unsigned
fenced(const char *dir, bool read_all)
{
	char in[64], other[64];
	unsigned bits = 0;

	snprintf(in, sizeof(in), "%s/a/x", dir);
	snprintf(other, sizeof(other), "%s/b/y", dir);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ipc_fence(dir, read_all);
	bits |= open(in, O_WRONLY | O_CREAT, 0600) != -1 ? 1 : 0;
	bits |= rename(in, other) == 0 ? 2 : 0;
	bits |= unlink(other) == 0 ? 4 : 0;
	bits |= open("/etc/passwd", O_RDONLY) != -1 ? 8 : 0;
	bits |= open("/dev/null", O_WRONLY) != -1 ? 16 : 0;
	bits |= mkdir("/tmp/linnet-fenced", 0700) == 0 ? 32 : 0;
	rmdir("/tmp/linnet-fenced");
	return bits;
}

static void
test_fence(void)
{
	static const struct {
		bool read_all;
		unsigned bits;
	} fences[] = { { false, 1 | 2 | 4 }, { true, 1 | 2 | 4 | 8 } };
	char dir[] = "/tmp/linnet-fence-XXXXXX", a[64], b[64];
	int status = -1;
	size_t i;
	pid_t pid;

#ifdef LINNET_SANITIZERS
	ok(true, "the fence # SKIP built with sanitizers");
	return;
#endif
	if (syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) < 2) {
		ok(true, "the fence # SKIP the kernel has no Landlock");
		return;
	}
	ok(mkdtemp(dir) != NULL, "a directory");
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	ok(mkdir(a, 0700) == 0 && mkdir(b, 0700) == 0, "two in it");
	for (i = 0; i < NELEM(fences); i++) {
		fflush(stdout);
		if ((pid = fork()) == 0)
			_exit((int)fenced(dir, fences[i].read_all));
		waitpid(pid, &status, 0);
		is_int(WEXITSTATUS(status), fences[i].bits,
		    "a fence that lets %s be read",
		    fences[i].read_all ? "all" : "nothing else");
	}
	ok(rmdir(a) == 0 && rmdir(b) == 0 && rmdir(dir) == 0, "removed");
}

static void
test_sandbox(int null)
{
	size_t i;

#ifdef LINNET_SANITIZERS
	ok(true, "the sandbox # SKIP built with sanitizers");
	return;
#endif
	for (i = 0; i < NELEM(tries); i++) {
		is_str(fate_of(tries[i].fn, 0, null), fates[tries[i].unix_only],
		    "%s %s without the network", tries[i].name,
		    fates[tries[i].unix_only]);
		is_str(fate_of(tries[i].fn, IPC_MAY_NETWORK, null),
		    fates[tries[i].inet], "%s %s with it", tries[i].name,
		    fates[tries[i].inet]);
		is_str(
		    fate_of(tries[i].fn, IPC_MAY_FILES | IPC_MAY_THREADS, null),
		    fates[tries[i].files], "%s %s with files", tries[i].name,
		    fates[tries[i].files]);
	}
}

int
main(int argc, char **argv)
{
	char path[4096];
	ssize_t n;
	int null;

	if (argc == 3 && strcmp(argv[1], "-x") == 0)
		return role_main(argv[2], argv);
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n == -1)
		return 1;
	path[n] = '\0';
	self = path;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	test_enter(null);
	test_enter_wrong(null);
	test_drop(null);
	test_orphan();
	test_sandbox(null);
	test_fence();
	close(null);
	return tap_done();
}
