/* SPDX-License-Identifier: ISC */
/*
 * The files process: its start, and its loop, which takes orders from the
 * channels and hands them to threads.  It has neither the bus nor a database
 * connection.
 *
 * What takes a moment (deletions, lists, sweeps) has threads of its own: it
 * shall not wait behind downloads of slow clients.
 */
#include "files/files.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "store/store.h"

#define FILES_CHORES 2 /* threads */
#define FILES_SWEEP_S 3600
/* Of the allocator: each holds what a thread once needed. */
#define FILES_ARENAS 4
#define FILES_KEY_MAX 4096

struct files_channel {
	struct ipc_peer *peer; /* NULL: there is none */
	uint32_t proc;	       /* of the other end */
};

static struct files {
	struct ipc_start start;
	struct conf *conf;
	struct event_base *base;
	struct ipc_peer *master;
	struct event *sweep;
	struct event *late; /* while orders wait for threads */
	struct store *store;
	struct files_pool *transfers;
	struct files_pool *chores;
	struct files_channel channels[IPC_PROCS_MAX];
	struct buf key; /* of S3: two words */
	bool stop;
} files_self;

static void
files_look_later(struct files *f)
{
	const struct timeval second = { 1, 0 };

	if (!event_pending(f->late, EV_TIMEOUT, NULL) &&
	    event_add(f->late, &second) != 0)
		fatal("event_add");
}

static void
files_late_cb(int fd, short what, void *arg)
{
	struct files *f = arg;
	bool transfers = files_pool_expire(f->transfers);

	(void)fd;
	(void)what;
	clock_update();
	if (files_pool_expire(f->chores) || transfers)
		files_look_later(f);
}

static void
files_take_order(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	const struct files_order *o = m->payload;
	struct files *f = &files_self;
	bool chore = o->what != FILES_PUT && o->what != FILES_GET;

	(void)p;
	(void)arg;
	if (files_pool_add(chore ? f->chores : f->transfers, o, m->fds[0]))
		files_look_later(f);
	m->fds[0] = -1;
}

static const struct ipc_handler files_from_users[] = {
	{ IPC_FILES_ORDER, files_take_order },
};

/* Its process died; the transfers that it had notice that by themselves. */
static void
files_channel_closed(struct ipc_peer *p, void *arg)
{
	struct files_channel *c = arg;

	ipc_close(p);
	c->peer = NULL;
}

static void
files_channel(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	const struct ipc_channel *to = m->payload;
	struct files *f = arg;
	struct files_channel *c;

	(void)p;
	if (to->proc >= NELEM(f->channels))
		fatalx("the master named process %u", to->proc);
	c = &f->channels[to->proc];
	ipc_close(c->peer);
	c->peer = ipc_open(f->base, m->fds[0], ipc_role_name(to->role),
	    IPC_FILES, to->role, files_from_users, NELEM(files_from_users),
	    files_channel_closed, c);
	m->fds[0] = -1;
}

static void
files_reload(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	struct conf *c = conf_new();
	struct files *f = &files_self;
	enum log_level level;
	char *error;

	(void)p;
	(void)arg;
	/* Of what concerns this process only these two can change. */
	if (conf_read(c, "reload", m->tail, m->tail_len, &error) != 0) {
		log_error("%s", error);
		free(error);
	} else {
		if (log_parse_level(c->log_level, &level) == 0)
			log_set_level(level);
		files_pool_set_member(
		    f->transfers, (unsigned)c->files_member_transfers);
	}
	ipc_frame_wipe(m);
	conf_free(c);
}

static void
files_log(struct ipc_peer *p, struct ipc_msg *m, void *arg)
{
	(void)p;
	(void)arg;
	if (dup2(m->fds[0], STDERR_FILENO) == -1)
		log_warn("the log stays the old file: %s", strerror(errno));
}

static const struct ipc_handler files_from_master[] = {
	{ IPC_FILES_CHANNEL, files_channel },
	{ IPC_RELOAD, files_reload },
	{ IPC_LOG, files_log },
};

static void
files_master_gone(struct ipc_peer *p, void *arg)
{
	struct files *f = arg;

	(void)p;
	f->stop = true;
}

static void
files_sweep_cb(int fd, short what, void *arg)
{
	struct files *f = arg;

	(void)fd;
	(void)what;
	clock_update();
	(void)files_pool_add(f->chores, NULL, -1);
}

static bool
files_is_s3(const struct files *f)
{
	return strcmp(f->conf->files_store, "s3") == 0;
}

/* Before privileges are given up: only root may be able to read it. */
static void
files_read_key(struct files *f)
{
	char *error = NULL, *path;
	int r = -1;

	buf_init(&f->key, FILES_KEY_MAX + 1);
	path = conf_secret_path(f->conf->files_s3_key_file, &error);
	/* The room at once: no copy of a secret stays behind. */
	if (path != NULL && buf_reserve(&f->key, FILES_KEY_MAX + 1) != NULL)
		r = conf_secret_read(
		    path, true, FILES_KEY_MAX, &f->key, &error);
	if (r != 0)
		fatalx("files.s3_key_file: %s", error);
	free(path);
}

/* The directory is the root, where there was a root to give up: nothing else
 * is there to be opened.  S3 needs the resolver's files and certificates. */
static void
files_drop(struct files *f, const char *dir)
{
	bool chrooted = geteuid() == 0 && !files_is_s3(f);
	struct ipc_privs privs = { f->start.config.uid, f->start.config.gid,
		chrooted ? dir : NULL };
	const char *path = chrooted ? "/" : dir;

	ipc_drop(&privs);
	if ((f->store = store_dir_open(path)) == NULL)
		fatal("files.dir: %s", dir);
	ipc_fence(path, files_is_s3(f));
}

/* The directory is where S3 puts what has to be counted first. */
static void
files_open_s3(struct files *f)
{
	const struct conf *c = f->conf;
	char *id, *secret, *more, *error;
	struct store_s3_config s3 = {
		.endpoint = c->files_s3_endpoint,
		.region = c->files_s3_region,
		.bucket = c->files_s3_bucket,
		.ca_file = c->files_s3_ca_file,
		.path_style = c->files_s3_path_style,
		.idle_ms = c->files_idle_time,
		.abandoned_ms = c->files_transfer_time,
		.spool = f->store,
	};

	(void)buf_str(&f->key);
	id = strtok_r(f->key.data, " \t\r\n", &more);
	secret = id != NULL ? strtok_r(NULL, " \t\r\n", &more) : NULL;
	if (secret == NULL || strtok_r(NULL, " \t\r\n", &more) != NULL)
		fatalx("files.s3_key_file: %s does not have two words, the id "
		       "of the key and the secret",
		    c->files_s3_key_file);
	s3.key_id = id;
	s3.secret = secret;
	if ((f->store = store_s3_open(&s3, &error)) == NULL)
		fatalx("%s", error);
	crypto_wipe(f->key.data, f->key.len);
	buf_free(&f->key);
}

/* The configuration names the database, perhaps with a password: it is not for
 * this process. */
static void
files_forget(struct files *f)
{
	crypto_wipe(f->start.text, f->start.text_len);
	free(f->start.text);
	crypto_wipe(f->conf->database, strlen(f->conf->database));
}

static void
files_enter(struct files *f, char **argv)
{
	struct ipc_start *s = &f->start;
	enum log_level level;
	char *error, *dir;

	ipc_proc_enter(IPC_FILES, argv, s);
	clock_update();
	crypto_start();
	str_start();
	mallopt(M_ARENA_MAX, FILES_ARENAS);
	f->conf = conf_new();
	if (conf_read(f->conf, "master", s->text, s->text_len, &error) != 0)
		fatalx("%s", error);
	if (log_parse_level(f->conf->log_level, &level) == 0)
		log_set_level(level);
	files_forget(f);
	if (files_is_s3(f))
		files_read_key(f);
	dir = conf_files_dir(f->conf);
	files_drop(f, dir);
	free(dir);
	if (files_is_s3(f))
		files_open_s3(f);
}

static void
files_open(struct files *f)
{
	const struct timeval hour = { FILES_SWEEP_S, 0 };
	struct files_limits limits = {
		.idle_ms = f->conf->files_idle_time,
		.transfer_ms = f->conf->files_transfer_time,
		.member = (unsigned)f->conf->files_member_transfers,
	};

	if ((f->base = event_base_new()) == NULL)
		fatal("event_base_new");
	f->master = ipc_open(f->base, IPC_PROC_FD, "master", IPC_FILES,
	    IPC_MASTER, files_from_master, NELEM(files_from_master),
	    files_master_gone, f);
	ipc_sandbox(IPC_MAY_FILES | IPC_MAY_THREADS |
		    (files_is_s3(f) ? IPC_MAY_NETWORK : 0));
	/* Threads have the sandbox of the one that makes them. */
	f->transfers = files_pool_new(
	    f->store, &limits, (unsigned)f->conf->files_transfers);
	f->chores = files_pool_new(f->store, &limits, FILES_CHORES);
	f->late = event_new(f->base, -1, 0, files_late_cb, f);
	f->sweep = event_new(f->base, -1, EV_PERSIST, files_sweep_cb, f);
	if (f->late == NULL || f->sweep == NULL ||
	    event_add(f->sweep, &hour) != 0)
		fatal("event_add");
	(void)files_pool_add(f->chores, NULL, -1);
	if (ipc_send(f->master, IPC_READY, NULL, NULL, 0, NULL, 0) != 0)
		log_debug("the master is gone");
}

static void
files_close(struct files *f)
{
	size_t i;

	store_stop(f->store);
	files_pool_free(f->transfers);
	files_pool_free(f->chores);
	store_free(f->store);
	for (i = 0; i < NELEM(f->channels); i++)
		ipc_close(f->channels[i].peer);
	ipc_close(f->master);
	event_free(f->sweep);
	event_free(f->late);
	event_base_free(f->base);
	conf_free(f->conf);
}

int
files(char **argv)
{
	struct files *f = &files_self;

	files_enter(f, argv);
	files_open(f);
	while (!f->stop) {
		if (event_base_loop(f->base, EVLOOP_ONCE) < 0)
			fatal("event_base_loop");
		clock_update();
	}
	files_close(f);
	return 0;
}
