/* SPDX-License-Identifier: ISC */
/*
 * Processes from outside, by proc(5).  A server is its first process and all
 * below it; those called "postgres" are its database.
 */
#include "config.h"

#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PROC_COARSE 0.05 /* seconds that both may differ by */

struct proc {
	pid_t pid;
	pid_t parent;
	double seconds;
	bool database;
	bool ours;
};

static volatile sig_atomic_t proc_signal;

pid_t
bench_proc_fork(int sig)
{
	pid_t parent = getpid(), pid = fork();

	/* The parent may have ended before that was asked for. */
	if (pid == 0 &&
	    (prctl(PR_SET_PDEATHSIG, sig) != 0 || getppid() != parent))
		_exit(127);
	return pid;
}

int64_t
bench_proc_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
bench_proc_sleep_until(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / 1000000000,
		.tv_nsec = ns % 1000000000 };

	while (!proc_signal && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
				   &ts, NULL) == EINTR)
		;
}

static void
proc_signal_cb(int sig)
{
	proc_signal = sig;
}

void
bench_proc_catch(void)
{
	struct sigaction sa = { .sa_handler = proc_signal_cb };

	if (sigaction(SIGINT, &sa, NULL) != 0 ||
	    sigaction(SIGTERM, &sa, NULL) != 0)
		fatal("sigaction");
	(void)signal(SIGPIPE, SIG_IGN);
}

bool
bench_proc_interrupted(void)
{
	return proc_signal != 0;
}

static size_t
proc_read(const char *file, char *text, size_t size)
{
	FILE *f = fopen(file, "re");
	size_t n = 0;

	if (f != NULL) {
		n = fread(text, 1, size - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return n;
}

/* pid (name) state parent ..., of which the 14th and 15th field are ticks. */
static bool
proc_stat(struct proc *p, const char *pid)
{
	char file[64], text[1024], *at;
	unsigned long user, system;

	snprintf(file, sizeof(file), "/proc/%s/stat", pid);
	if (proc_read(file, text, sizeof(text)) == 0 ||
	    (at = strrchr(text, ')')) == NULL)
		return false;
	if (sscanf(at + 1,
		" %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		&p->parent, &user, &system) != 3)
		return false;
	p->pid = (pid_t)strtol(pid, NULL, 10);
	p->seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	p->database = strstr(text, "(postgres") != NULL;
	p->ours = false;
	return true;
}

static size_t
proc_all(struct proc **all)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t n = 0, cap = 0;

	*all = NULL;
	if (dir == NULL)
		fatal("/proc");
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		if (n == cap) {
			cap = cap > 0 ? 2 * cap : 256;
			*all = xreallocarray(*all, cap, sizeof(**all));
		}
		n += proc_stat(&(*all)[n], e->d_name);
	}
	closedir(dir);
	return n;
}

/* Marks the process and all below it. */
static void
proc_mark(struct proc *all, size_t n, pid_t root)
{
	bool more = true;
	size_t i, k;

	for (i = 0; i < n; i++)
		all[i].ours = all[i].pid == root;
	while (more) {
		more = false;
		for (i = 0; i < n; i++)
			for (k = 0; !all[i].ours && k < n; k++)
				if (all[k].ours && all[k].pid == all[i].parent)
					more = all[i].ours = true;
	}
}

/* The same time in ns, where the kernel tells it of each thread; what threads
 * used that have ended is only in the coarse one. */
static double
proc_exact(const struct proc *p)
{
	char dir[64], file[512], text[128];
	struct dirent *e;
	double sum = 0;
	DIR *tasks;

	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)p->pid);
	if ((tasks = opendir(dir)) == NULL)
		return p->seconds;
	while ((e = readdir(tasks)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s/schedstat", dir, e->d_name);
		if (e->d_name[0] != '.' &&
		    proc_read(file, text, sizeof(text)) > 0)
			sum += strtod(text, NULL) / 1e9;
	}
	closedir(tasks);
	return sum > p->seconds - PROC_COARSE ? sum : p->seconds;
}

static int64_t
proc_dirty(pid_t pid)
{
	char file[64], text[4096];
	const char *at;

	snprintf(file, sizeof(file), "/proc/%d/smaps_rollup", (int)pid);
	if (proc_read(file, text, sizeof(text)) == 0 ||
	    (at = strstr(text, "Private_Dirty:")) == NULL)
		return 0;
	return strtoll(at + strlen("Private_Dirty:"), NULL, 10) * 1024;
}

void
bench_proc_usage(struct bench_usage *u, pid_t root, bool memory)
{
	struct proc *all;
	size_t n = proc_all(&all), i;

	memset(u, 0, sizeof(*u));
	proc_mark(all, n, root);
	for (i = 0; i < n; i++) {
		double seconds;
		int64_t dirty;

		if (!all[i].ours)
			continue;
		u->processes++;
		seconds = proc_exact(&all[i]);
		dirty = memory ? proc_dirty(all[i].pid) : 0;
		if (all[i].database) {
			u->database += seconds;
			u->database_dirty += dirty;
		} else {
			u->server += seconds;
			u->dirty += dirty;
		}
	}
	free(all);
}

size_t
bench_proc_tree(pid_t root, pid_t *pids, size_t max)
{
	struct proc *all;
	size_t n = proc_all(&all), i, found = 0;

	proc_mark(all, n, root);
	for (i = 0; i < n && found < max; i++)
		if (all[i].ours)
			pids[found++] = all[i].pid;
	free(all);
	return found;
}

/* Slab memory, and pages of sockets' buffers. */
int64_t
bench_proc_kernel(void)
{
	char text[8192];
	const char *at;
	int64_t sum = 0;

	if (proc_read("/proc/meminfo", text, sizeof(text)) > 0 &&
	    (at = strstr(text, "\nSlab:")) != NULL)
		sum += strtoll(at + strlen("\nSlab:"), NULL, 10) * 1024;
	if (proc_read("/proc/net/sockstat", text, sizeof(text)) > 0 &&
	    (at = strstr(text, "TCP: ")) != NULL &&
	    (at = strstr(at, " mem ")) != NULL)
		sum += strtoll(at + 5, NULL, 10) * sysconf(_SC_PAGESIZE);
	return sum;
}
