/* SPDX-License-Identifier: ISC */
/*
 * The sandbox: a seccomp filter made from the table of system calls below.
 * The rows are tried from top to bottom, the first that fits decides, and a
 * call that fits none kills the process.  So a call that may be made with
 * some arguments has its tests first and its failure below them.  The kernel
 * remembers the answer for a call whose row has no test (seccomp(2)); those
 * that a busy process makes have none.
 *
 * Whoever changes the instructions: a jump counts those after itself, and the
 * number of the call must be in the accumulator wherever a row begins.
 */
#include "config.h" /* CLONE_THREAD */

#include "ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#if defined(__x86_64__)
#define IPC_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define IPC_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define IPC_ARCH AUDIT_ARCH_RISCV64
#endif

#if defined(LINNET_SANITIZERS) || !defined(IPC_ARCH)

void
ipc_sandbox(unsigned may)
{
	(void)may;
#ifndef LINNET_SANITIZERS
	log_warn("there is no sandbox for this processor");
#endif
}

#else

#define IPC_WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

enum ipc_test {
	IPC_TEST_ALWAYS,
	IPC_TEST_IS,	  /* its low 32 bits are the value */
	IPC_TEST_WITHOUT, /* it has no bit of the value */
	IPC_TEST_HAS,	  /* it has a bit of the value */
	IPC_TEST_ZERO,
	IPC_TEST_SELF, /* it is our own pid */
};

struct ipc_rule {
	int call;
	uint32_t verdict;
	enum ipc_test test;
	unsigned arg; /* its index */
	uint32_t value;
	enum ipc_may may; /* the row is for roles that may; 0: for all */
};

/* May be made; may when the argument passes the test; fails with EPERM. */
#define RULE(name, verdict, test, arg, value, may)                        \
	{                                                                 \
		__NR_##name, SECCOMP_RET_##verdict, IPC_TEST_##test, arg, \
		    value, may                                            \
	}
#define CALL(name) RULE(name, ALLOW, ALWAYS, 0, 0, 0)
#define CALL_IF(name, test, arg, value) RULE(name, ALLOW, test, arg, value, 0)
#define CALL_FAILS(name) RULE(name, ERRNO | EPERM, ALWAYS, 0, 0, 0)
#define CALL_MAY(may, name) RULE(name, ALLOW, ALWAYS, 0, 0, IPC_MAY_##may)
#define CALL_MAY_IF(may, name, test, arg, value) \
	RULE(name, ALLOW, test, arg, value, IPC_MAY_##may)

/*
 * Missing on purpose: fork, execve, ptrace, mount, bpf, io_uring, and for all
 * but one role threads, and everything that changes a file or its name.
 */
static const struct ipc_rule ipc_rules[] = {
	/* Clients, the database, the other processes. */
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(sendto),
	CALL(recvfrom),
	CALL(sendmsg),
#ifdef __NR_io_uring_enter
	/* Only on rings that were made before, which can only send. */
	CALL(io_uring_enter),
#endif
	CALL(recvmsg),
	CALL(sendmmsg),
	CALL(recvmmsg),
	CALL(pread64),
	CALL(pwrite64),
	CALL(shutdown),
	CALL(close),
	CALL(getsockname),
	CALL(getpeername),
	CALL(setsockopt),
	CALL(getsockopt),
	CALL(connect),
	CALL_MAY(NETWORK, bind),
	CALL_IF(socket, IS, 0, AF_UNIX),
	CALL_MAY_IF(NETWORK, socket, IS, 0, AF_INET),
	CALL_MAY_IF(NETWORK, socket, IS, 0, AF_INET6),
	/* getaddrinfo(3) asks which kinds of addresses this host has. */
	CALL_MAY_IF(NETWORK, socket, IS, 0, AF_NETLINK),
	CALL_IF(socketpair, IS, 0, AF_UNIX),

	/* The event loop. */
	CALL(epoll_pwait),
	CALL(epoll_ctl),
	CALL(epoll_create1),
#ifdef __NR_epoll_pwait2
	CALL(epoll_pwait2),
#endif
	CALL(ppoll),
	CALL(pselect6),
	CALL(eventfd2),
	CALL(pipe2),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(timerfd_gettime),

	/* Time and chance. */
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(gettimeofday),
	CALL(nanosleep),
	CALL(clock_nanosleep),
	CALL(getrandom),

	/* Memory: none of it is to be run. */
	CALL_IF(mmap, WITHOUT, 2, PROT_EXEC),
	CALL_IF(mprotect, WITHOUT, 2, PROT_EXEC),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(brk),
	CALL(mlock),
	CALL(munlock),
	CALL(memfd_create),
	CALL(ftruncate),
	CALL(futex),
	CALL(membarrier),

	/* Files, to be written; a program cannot be one of them. */
	CALL_MAY(FILES, openat),
	CALL_MAY(FILES, mkdirat),
	CALL_MAY(FILES, unlinkat),
	CALL_MAY(FILES, renameat),
	CALL_MAY(FILES, renameat2),
	CALL_MAY(FILES, fsync),
	CALL_MAY(FILES, flock),

	/* Threads.  What clone3(2) is asked for cannot be seen here; without
	 * it clone(2) is tried. */
	RULE(clone3, ERRNO | ENOSYS, ALWAYS, 0, 0, IPC_MAY_THREADS),
	CALL_MAY_IF(THREADS, clone, HAS, 0, CLONE_THREAD),

	/* Files, to be read. */
	CALL_IF(openat, WITHOUT, 2, IPC_WRITES),
	CALL(fstat),
	CALL(newfstatat),
	CALL(statx),
	CALL(lseek),
	CALL(faccessat),
	CALL(readlinkat),
	CALL(getdents64),
	CALL(getcwd),
#ifdef __NR_faccessat2
	CALL(faccessat2),
#endif
	CALL(fcntl),
	CALL(dup),
	CALL(dup3),
	CALL_IF(ioctl, IS, 1, FIONREAD),
	CALL_IF(ioctl, IS, 1, FIONBIO),
	CALL_IF(ioctl, IS, 1, TCGETS),

	/* The process itself. */
	CALL(getpid),
	CALL(gettid),
	CALL(getppid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getgroups),
	CALL(uname),
	CALL(sysinfo),
	CALL(getrusage),
	CALL(times),
	CALL(getcpu),
	CALL(umask),
	CALL_IF(prlimit64, ZERO, 2, 0),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(set_robust_list),
	CALL(set_tid_address),
#ifdef __NR_rseq
	CALL(rseq),
#endif
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sigaltstack),
	CALL(restart_syscall),
	CALL_IF(tgkill, SELF, 0, 0), /* abort(3) */
	CALL(exit),
	CALL(exit_group),

/* Old names that some processors still have. */
#ifdef __NR_open
	CALL_IF(open, WITHOUT, 1, IPC_WRITES),
	CALL(stat),
	CALL(lstat),
	CALL(access),
	CALL(readlink),
	CALL(poll),
	CALL(select),
	CALL(epoll_wait),
	CALL(epoll_create),
	CALL(eventfd),
	CALL(pipe),
	CALL(dup2),
	CALL(time),
	CALL(getrlimit),
	CALL_FAILS(open),
#endif
#ifdef __NR_arch_prctl
	CALL(arch_prctl),
#endif

	/* Harmless to try, for libraries that live with a failure. */
	CALL_FAILS(openat),
	CALL_FAILS(socket),
	CALL_FAILS(socketpair),
	CALL_FAILS(bind),
	CALL_FAILS(mmap),
	CALL_FAILS(mprotect),
	CALL_FAILS(ioctl),
	CALL_FAILS(prlimit64),
	CALL_FAILS(tgkill),
	CALL_FAILS(prctl),
	CALL_FAILS(kill),
	CALL_FAILS(sched_setaffinity),
	CALL_FAILS(statfs),
	CALL_FAILS(fstatfs),
};

#define IPC_RULE_STEPS 7 /* most instructions of one rule */
#define IPC_HEAD_STEPS 6

struct ipc_program {
	struct sock_filter
	    steps[IPC_HEAD_STEPS + NELEM(ipc_rules) * IPC_RULE_STEPS + 1];
	unsigned short n;
};

static void
ipc_step(
    struct ipc_program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->steps[p->n++] = (struct sock_filter){ code, yes, no, k };
}

static void
ipc_load_word(struct ipc_program *p, size_t offset)
{
	ipc_step(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
ipc_return(struct ipc_program *p, uint32_t what)
{
	ipc_step(p, BPF_RET | BPF_K, what, 0, 0);
}

/* A call of another architecture has other numbers; x32 looks like ours but
 * for a bit in the number. */
static void
ipc_program_head(struct ipc_program *p)
{
	ipc_load_word(p, offsetof(struct seccomp_data, arch));
	ipc_step(p, BPF_JMP | BPF_JEQ | BPF_K, IPC_ARCH, 1, 0);
	ipc_return(p, SECCOMP_RET_KILL_PROCESS);
	ipc_load_word(p, offsetof(struct seccomp_data, nr));
	ipc_step(p, BPF_JMP | BPF_JSET | BPF_K, 0x40000000, 0, 1);
	ipc_return(p, SECCOMP_RET_KILL_PROCESS);
}

/* One rule.  The number of the call is in the accumulator before and after
 * it; the distances of the jumps are counted in instructions after them. */
static void
ipc_program_rule(struct ipc_program *p, const struct ipc_rule *r)
{
	uint32_t value =
	    r->test == IPC_TEST_SELF ? (uint32_t)getpid() : r->value;
	size_t low = offsetof(struct seccomp_data, args) + 8 * r->arg;
	const uint16_t jump = BPF_JMP | BPF_K;

	if (r->test == IPC_TEST_ALWAYS) {
		ipc_step(p, jump | BPF_JEQ, (uint32_t)r->call, 0, 1);
		ipc_return(p, r->verdict);
		return;
	}
	ipc_step(p, jump | BPF_JEQ, (uint32_t)r->call, 0,
	    r->test == IPC_TEST_ZERO ? 5 : 4);
	ipc_load_word(p, low);
	if (r->test == IPC_TEST_ZERO) {
		ipc_step(p, jump | BPF_JEQ, 0, 0, 3);
		ipc_load_word(p, low + 4);
		ipc_step(p, jump | BPF_JEQ, 0, 0, 1);
		ipc_return(p, r->verdict);
	} else if (r->test == IPC_TEST_WITHOUT) {
		ipc_step(p, jump | BPF_JSET, value, 1, 0);
		ipc_return(p, r->verdict);
	} else if (r->test == IPC_TEST_HAS) {
		ipc_step(p, jump | BPF_JSET, value, 0, 1);
		ipc_return(p, r->verdict);
	} else {
		ipc_step(p, jump | BPF_JEQ, value, 0, 1);
		ipc_return(p, r->verdict);
	}
	ipc_load_word(p, offsetof(struct seccomp_data, nr));
}

void
ipc_sandbox(unsigned may)
{
	struct ipc_program p = { .n = 0 };
	struct sock_fprog prog;
	const struct ipc_rule *r;

	ipc_program_head(&p);
	for (r = ipc_rules; r < ipc_rules + NELEM(ipc_rules); r++) {
		if (r->may == 0 || (may & r->may) != 0)
			ipc_program_rule(&p, r);
	}
	ipc_return(&p, SECCOMP_RET_KILL_PROCESS);
	prog = (struct sock_fprog){ p.n, p.steps };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0)
		return;
	if (errno != EINVAL && errno != ENOSYS)
		fatal("the sandbox");
	log_warn("the kernel has no seccomp filters: there is no sandbox");
}

#endif
