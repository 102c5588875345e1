/* SPDX-License-Identifier: ISC */
/*
 * Who the master is, and the state directory.
 *
 * Started as root, it needs root for the listeners (ports below 1024), for
 * making the state directory, and then only to start children, which chroot
 * and become the service user by themselves.  So after the start its
 * effective user is the service user: every file that it makes, follows or
 * removes is that user's, and nothing that this user may put into the state
 * directory can make root write elsewhere.  Only the real and saved user id
 * stay root, so that master_state_root() can return for the moment of a fork
 * or of reading the configuration.  Of root's capabilities it keeps
 *	CAP_SETUID, CAP_SETGID	for that return and for a child's new user,
 *	CAP_NET_BIND_SERVICE	for a listener that a reload adds,
 *	CAP_DAC_READ_SEARCH	to read a configuration that is not root's, and
 *				for a child on its way to its new root,
 *	CAP_SYS_CHROOT		in the bounding set only: for children.
 * It needs no CAP_KILL: a child is of our effective user, or still of our
 * real one.
 */
#include "config.h" /* setresgid(2), prctl(2) */

#include "master/master.h"

#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

#define KEEP_PERMITTED                                                     \
	(1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_DAC_READ_SEARCH | \
	    1U << CAP_NET_BIND_SERVICE)
#define KEEP_BOUNDING (KEEP_PERMITTED | 1U << CAP_SYS_CHROOT)

static struct passwd *
state_find_user(const struct conf *c)
{
	static const char postgres[] = "postgres";
	struct passwd *pw = getpwnam(c->user);

	if (pw == NULL && (pw = getpwnam(postgres)) == NULL)
		fatalx("there is no user \"%.64s\" (option user) and no user "
		       "\"%s\": make one, or name another",
		    c->user, postgres);
	if (pw->pw_uid == 0)
		fatalx("the option user names root: linnetd does not run as "
		       "root, it only starts as root");
	return pw;
}

void
master_state_user(struct master *m)
{
	struct passwd *pw;

	m->uid = geteuid();
	m->gid = getegid();
	m->root = m->uid == 0;
	if (m->root) {
		pw = state_find_user(m->conf);
		m->uid = pw->pw_uid;
		m->gid = pw->pw_gid;
	} else {
		pw = getpwuid(m->uid);
	}
	m->user = pw != NULL ? xstrdup(pw->pw_name)
			     : xasprintf("%u", (unsigned)m->uid);
}

char *
master_state_path(const struct master *m, const char *name)
{
	return xasprintf("%s/%s", m->conf->state_dir, name);
}

/* The directories above it, as far as they are missing. */
static void
state_make_parents(const char *dir)
{
	char *path = xstrdup(dir), *p;
	mode_t mask = umask(022); /* the service user goes through them */

	for (p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		if (p[strspn(p, "/")] == '\0')
			break;
		*p = '\0';
		if (mkdir(path, 0755) == -1 && errno != EEXIST)
			fatal("state_dir: %s", path);
		*p = '/';
	}
	(void)umask(mask);
	free(path);
}

static bool
state_is_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool empty = d != NULL;

	while (d != NULL && (e = readdir(d)) != NULL)
		empty = empty && (strcmp(e->d_name, ".") == 0 ||
				     strcmp(e->d_name, "..") == 0);
	if (d != NULL)
		closedir(d);
	return empty;
}

/* An empty directory of root's is given to the service user; one with
 * something in it may be anything, such as /etc. */
static void
state_own(const struct master *m, const char *dir)
{
	struct stat st;

	if (stat(dir, &st) == -1)
		fatal("state_dir: %s", dir);
	if (!S_ISDIR(st.st_mode))
		fatalx("state_dir: %s is not a directory", dir);
	if (m->root && st.st_uid == 0 && state_is_empty(dir)) {
		if (chown(dir, m->uid, m->gid) == -1 || chmod(dir, 0700) == -1)
			fatal("state_dir: giving %s to %s", dir, m->user);
		return;
	}
	if (st.st_uid != m->uid)
		fatalx("state_dir: %s belongs to user %u, not to %s: change "
		       "its owner, or name another directory",
		    dir, (unsigned)st.st_uid, m->user);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		fatalx("state_dir: others than %s may write into %s: chmod it "
		       "to 0700",
		    m->user, dir);
}

/* As the service user.  The way to it may be closed for that user. */
static void
state_reach(const struct master *m, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 && errno == EACCES)
		fatalx("state_dir: user %s cannot reach %s: every directory "
		       "above it must be searchable (chmod +x) for that user",
		    m->user, dir);
	if (fd == -1)
		fatal("state_dir: %s", dir);
	close(fd);
}

static void
state_lock(struct master *m)
{
	char *path = master_state_path(m, "lock"), pid[32];
	ssize_t n;
	int len;

	m->lock_fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m->lock_fd == -1)
		fatal("state_dir: %s", path);
	if (flock(m->lock_fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			fatal("state_dir: locking %s", path);
		n = read(m->lock_fd, pid, sizeof(pid) - 1);
		pid[n > 0 ? n : 0] = '\0';
		fatalx("another linnetd (process %.*s) uses state_dir %s",
		    (int)strspn(pid, "0123456789"), pid, m->conf->state_dir);
	}
	/* Only for people to read: the lock is what counts. */
	len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(m->lock_fd, 0) == -1 ||
	    write(m->lock_fd, pid, (size_t)len) != len)
		fatal("state_dir: writing %s", path);
	free(path);
}

/* Who this host is among several on one database, for as long as the state
 * directory lives: the sessions of its dead processes are found by it. */
static void
state_host(struct master *m)
{
	char *path = master_state_path(m, "host");
	char *fresh = master_state_path(m, "host.new");
	char hex[ID_HEX_LEN + 1];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd != -1) {
		n = read(fd, hex, ID_HEX_LEN);
		close(fd);
		if (n < 0 || id_parse(&m->host, hex, (size_t)n) == -1)
			fatalx("%s does not hold the id of this host: remove "
			       "it, and a new one is made",
			    path);
	} else if (errno != ENOENT) {
		fatal("%s", path);
	} else {
		id_new(&m->host);
		id_hex(&m->host, hex);
		fd = open(fresh,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
		if (fd == -1 || write(fd, hex, ID_HEX_LEN) != ID_HEX_LEN ||
		    fsync(fd) == -1 || close(fd) == -1 ||
		    rename(fresh, path) == -1)
			fatal("%s", path);
	}
	free(path);
	free(fresh);
}

/* In the state directory it is made, and read, as its user; elsewhere it may be
 * a file that only root can read. */
static void
state_key(struct master *m, const char *word,
    int (*read)(const struct conf *, uint8_t *, char **), uint8_t *key)
{
	bool ours = word[0] == '\0';
	char *error;

	if (!ours)
		master_state_root(m, true);
	if (read(m->conf, key, &error) != 0)
		fatalx("%s", error);
	if (!ours)
		master_state_root(m, false);
}

static void
state_keys(struct master *m)
{
	uint8_t secret[CRYPTO_SECRET_LEN];
	char *error;

	state_key(m, m->conf->token_key, conf_token_key, m->token_key);
	state_key(m, m->conf->audit_key, conf_audit_key, m->audit_seed);
	crypto_seed_pair(m->audit_key, secret, m->audit_seed);
	crypto_wipe(secret, sizeof(secret));
	master_state_root(m, true);
	if (conf_platform_digest(m->conf, m->token_key, m->platform, &error) !=
	    0)
		fatalx("platform.key_file: %s", error);
	master_state_root(m, false);
}

/* The signal that whoever started us may have asked for (setpriv --pdeathsig):
 * seteuid(2), setresgid(2) and the like clear it. */
static int
state_death_signal(void)
{
	int sig = 0;

	prctl(PR_GET_PDEATHSIG, &sig);
	return sig;
}

static void
state_seteuid(uid_t uid)
{
	int sig = state_death_signal();

	if (seteuid(uid) == -1)
		fatal("becoming user %u", (unsigned)uid);
	prctl(PR_SET_PDEATHSIG, sig);
}

void
master_state_root(const struct master *m, bool on)
{
	if (m->root)
		state_seteuid(on ? 0 : m->uid);
}

/* The real group too: with another effective one exec(3) would treat the
 * children as set-group-ID programs. */
static void
state_groups(const struct master *m)
{
	int sig = state_death_signal();

	if (m->root && (initgroups(m->user, m->gid) == -1 ||
			   setresgid(m->gid, m->gid, m->gid) == -1))
		fatal("becoming group %u", (unsigned)m->gid);
	prctl(PR_SET_PDEATHSIG, sig);
}

void
master_state_open(struct master *m)
{
	const char *dir = m->conf->state_dir;
	char *run = master_state_path(m, "run");
	char *files = conf_files_dir(m->conf);

	state_make_parents(dir);
	if (mkdir(dir, 0700) == -1 && errno != EEXIST)
		fatal("state_dir: %s", dir);
	state_own(m, dir);
	state_groups(m);
	master_state_root(m, false);
	state_reach(m, dir);
	state_lock(m);
	state_host(m);
	state_keys(m);
	if (mkdir(run, 0700) == -1 && (errno != EEXIST || chmod(run, 0700)))
		fatal("state_dir: %s", run);
	if (mkdir(files, 0700) == -1 && errno != EEXIST)
		fatal("files.dir: %s", files);
	master_state_root(m, true);
	free(files);
	free(run);
}

static void
state_drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	unsigned cap;

	/* Past the last one it fails with EINVAL.  EPERM: a container that has
	 * taken CAP_SETPCAP has taken others too. */
	for (cap = 0; cap < 64; cap++) {
		if (cap >= 32 || (KEEP_BOUNDING & 1U << cap) == 0)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	if (syscall(SYS_capget, &head, data) == -1)
		fatal("reading capabilities");
	data[0].permitted &= KEEP_PERMITTED;
	data[0].effective = data[0].permitted;
	data[1].permitted = data[1].effective = 0;
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) == -1)
		fatal("giving up capabilities");
}

void
master_state_drop(struct master *m)
{
	if (!m->root)
		return;
	state_drop_capabilities();
	state_seteuid(m->uid);
}

int
master_state_become(const struct master *m)
{
	if (m->root &&
	    (seteuid(0) == -1 || setresuid(m->uid, m->uid, m->uid) == -1))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void
master_state_close(struct master *m)
{
#ifdef LINNET_SANITIZERS
	/* The leak checker traces its own process, and may not when that has
	 * users to choose from. */
	if (master_state_become(m) == -1 ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
		fatal("becoming user %u", (unsigned)m->uid);
#endif
	crypto_wipe(m->token_key, sizeof(m->token_key));
	crypto_wipe(m->audit_seed, sizeof(m->audit_seed));
	free(m->user);
	close(m->lock_fd);
}
