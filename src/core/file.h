/* SPDX-License-Identifier: ISC */
/*
 * Files: rows here, bytes in a storage that another process has.
 *
 *	WAITING <-> UPLOADING -> STORED
 *
 * A row is made before its bytes come.  Whoever deletes it leaves one in
 * file_gone, which stays until the storage has deleted them.  So what a crash
 * leaves is either a row that never becomes STORED, which its age ends, or
 * bytes without a row, which jobs finds.
 */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include "core/core.h"

#define FILE_NAME_MAX 255 /* bytes */
#define FILE_MIME_MAX 127
#define FILE_TAGS_MAX 32
#define FILE_TAG_MAX 128     /* bytes */
#define FILE_ATTACHED_MAX 16 /* of one message */
#define FILE_ANY_SIZE (-1)   /* it is not known yet */
#define FILE_SHA256_LEN 32

enum file_state {
	FILE_WAITING,
	FILE_UPLOADING,
	FILE_STORED
};

/*
 * What the process that a core is in can do about the storage: none of it
 * waits.
 */
enum storage_what {
	STORAGE_PUT,
	STORAGE_GET,
	STORAGE_DELETE,
	STORAGE_LIST,
	STORAGE_LINK
};
struct storage_order {
	enum storage_what what;
	struct id mesh;
	struct id file;
	struct id member;      /* GET, PUT: for whom */
	uint64_t offset;       /* GET */
	uint64_t length;       /* PUT, GET; UINT64_MAX: whatever there is; LINK:
				* seconds */
	const uint8_t *sha256; /* PUT: what it has to be; or NULL */
};
struct storage_answer {
	int error;     /* 0 or an errno */
	uint64_t size; /* EUSERS: transfers that a member may have */
	uint8_t sha256[FILE_SHA256_LEN]; /* PUT */
};
struct storage_entry {
	struct id mesh;
	struct id file;
	int64_t stored_ms;
};
struct transfer;
/* Called from the loop, never from within the calls below.  After ended() the
 * transfer is gone; transfer_close() ends it without a word. */
struct transfer_calls {
	void (*answer)(void *arg, const struct storage_answer *a);
	/* GET, LINK: bytes, as far as storage.want said. */
	void (*data)(void *arg, const char *p, size_t n);
	/* LIST */
	void (*entry)(void *arg, const struct storage_entry *e);
	/* PUT: there is room again for what storage.write did not take. */
	void (*room)(void *arg);
	/* whole: nothing is missing of what was ordered. */
	void (*ended)(void *arg, bool whole);
};
struct storage {
	/* NULL: the storage does not answer now. */
	struct transfer *(*begin)(void *storage, const struct storage_order *o,
	    const struct transfer_calls *calls, void *arg);
	/* PUT, LINK: how many bytes were taken. */
	size_t (*write)(struct transfer *t, const char *p, size_t n);
	/* PUT, LINK: that was all. */
	void (*finish)(struct transfer *t);
	/* GET: data() may be called, for so many bytes at once, or for none
	 * until this is called again. */
	void (*want)(struct transfer *t, bool on);
	void (*close)(struct transfer *t);
	/* Shall downloads go by LINK? */
	bool (*links)(void *storage);
	/* As artifacts say: "local-fs" or "s3". */
	const char *(*kind)(void *storage);
};

/*
 * file_link.c: links, which let who has them do one thing with one file for a
 * short time, as the member that they were made for.
 */
struct file_link {
	struct id mesh;
	struct id file;
	struct id member;
	struct id token; /* that it was made with, and ends with; or null */
	struct id claim; /* not of the link: of the upload that uses it */
	bool upload;
	int64_t until_s; /* since 1970 */
};
#define FILE_UPLOAD_S 3600
#define FILE_DOWNLOAD_S 300
/* From the key of tokens, which the hosts of a database share. */
void file_link_open(struct core *c, const uint8_t key[CRYPTO_KEY_LEN]);
/* Path and query: of the pool. */
struct slice file_link_make(struct pool *pool, const struct core *c,
    const struct file_link *l, struct slice name);
/* The path is FILE_PATH, an id, and perhaps a name; a query has the other
 * members.  ERR_NONE, ERR_NOT_FOUND, ERR_UNAUTHORIZED or ERR_EXPIRED. */
#define FILE_PATH "/v1/files/"
#define FILE_SIG_HEX (2 * CRYPTO_DIGEST_LEN)
int file_link_path(struct slice path, struct id *file) MUST_CHECK;
enum err file_link_check(const struct core *c, const struct file_link *l,
    const char *sig, size_t n) MUST_CHECK;

/*
 * file.c: share_file, get_file, delete_file.
 */
struct share_in {
	struct slice name;
	struct slice mime;
	struct list tags;
	bool attached;
	int64_t size; /* or FILE_ANY_SIZE */
	struct slice sha256;
};
struct share_out {
	struct id file;
	struct slice url;
	int64_t until_ms;
	int64_t size; /* the most that it may have */
	struct id mesh;
	struct id member;
	struct id token;
};
/* A file for which there is room gets a row, and fn the link by which its bytes
 * may come; size: the most that they may be.  Or the request is refused.  in
 * and channel (that it is kept with, or NULL) are of the request's pool. */
typedef void file_made_fn(
    struct request *r, const struct file_link *l, int64_t size);
void file_make(struct request *r, const struct share_in *in,
    const struct id *channel, file_made_fn *fn);
/* For whom a client acts: a link is worth no more than the token that it is
 * made with, if any. */
void file_by(struct file_link *l, const struct client *c);

/*
 * artifact.c: what who wants the bytes of one has to ask for; see
 * proto_file.c.
 */
struct artifact_out {
	struct id id;
	struct id mesh;
	struct id channel;
	struct slice stream_type;
	struct slice name;
	struct slice mime;
	int64_t size;
	struct slice sha256;
	struct slice storage;
	struct id member;
	int64_t created_ms;
	bool deleted;
	int64_t deleted_ms;
	struct id deleted_by;
};
struct artifact_answer {
	struct artifact_out artifact;
};

/*
 * file_transfer.c: what a protocol does around the bytes.  Each calls fn once,
 * later; the texts of *f are good during the call.
 */
struct file_info {
	struct slice name;
	struct slice mime;
	int64_t size; /* UPLOADING: the most that it may have */
	uint8_t sha256[FILE_SHA256_LEN];
	bool has_sha256;
	struct slice member_name;
};
typedef void file_fn(
    void *arg, enum err e, const char *text, const struct file_info *f);
/* Its bytes are about to come: nobody else may bring them.  Makes l->claim. */
void file_claim(struct core *c, struct file_link *l, file_fn *fn, void *arg);
/* They did not, or perhaps not.  Said again until the database has it. */
void file_unclaim(struct core *c, const struct file_link *l);
/* They are stored. */
void file_store(struct core *c, const struct file_link *l, uint64_t size,
    const uint8_t sha256[FILE_SHA256_LEN], file_fn *fn, void *arg);
/* A file that the link's member may read. */
void file_find(
    struct core *c, const struct file_link *l, file_fn *fn, void *arg);
/* It has read it to its end. */
void file_accessed(
    struct core *c, const struct file_link *l, struct slice member_name);
/* What to say of a failure of the storage. */
enum err file_storage_error(int error, const char **text);

/*
 * file_watch.c: transfers under way, whose members may lose the right to them.
 */
struct file_watch {
	LIST_ENTRY(file_watch) entry;
	const struct file_link *link; /* NULL: it is not watched */
	/* It must end; it may not begin another one. */
	void (*barred)(void *arg);
	void *arg;
};
void file_watch(struct core *c, struct file_watch *w);
/* What is not watched may be given, too. */
void file_unwatch(struct core *c, struct file_watch *w);
/* Once a second. */
void file_tick(struct core *c);
void file_watch_close(struct core *c);

/*
 * file_attach.c: files that go with messages.
 */
struct attached {
	struct slice json; /* what is to be pushed with the message */
	/* Of names and bytes: files of other ids are the same if these are. */
	uint8_t digest[CRYPTO_DIGEST_LEN];
};
/* ids: slices.  Calls fn with what there is, of the request's pool; or fails
 * the request. */
typedef void attach_fn(
    struct request *r, const struct attached *files, void *arg);
void file_attach(struct request *r, const struct list *ids,
    const struct id *readers, size_t n, attach_fn *fn, void *arg);

/*
 * file_jobs.c: what is gone, and what a crash left; in the jobs process.
 */
void file_jobs_open(struct core *c);
void file_jobs_close(struct core *c);
/* Every few seconds: what is over is deleted. */
void file_jobs_sweep(struct core *c);

/*
 * file_repair.c: what the table and the storage do not agree upon; in the jobs
 * process.
 */
void file_repair_open(struct core *c);
void file_repair_close(struct core *c);
/* Every few seconds: begins one when it is time. */
void file_repair(struct core *c);

#endif
