/* SPDX-License-Identifier: ISC */
/*
 * What the connections of proto.c have to do with the files that pass through
 * them.
 */
#ifndef PROTO_PROTO_FILE_H
#define PROTO_PROTO_FILE_H

#include "proto/proto.h"

struct file_work {
	struct core *core;
	struct proto *proto; /* as long as there is a peer */
	struct peer *peer;   /* NULL: the connection is gone */
	struct file_link link;
	struct transfer *transfer;
	struct file_watch watch; /* while there is a transfer */
	unsigned waits;		 /* answers that are to come of the database */
	uint64_t length; /* of the body; UINT64_MAX: it comes in chunks */
	uint64_t max;	 /* bytes that may come */
	uint64_t done;	 /* that came, or went */
	uint64_t size;	 /* of the whole file */
	bool finished;	 /* all came */
	bool head;	 /* HEAD */
	bool began;	 /* the answer did */
	bool claimed;
	bool artifact; /* it is read as one */
	bool deleted;  /* its bytes were */
	bool has_sha256;
	int status; /* of the error to come, where it has another; or 0 */
	uint8_t sha256[FILE_SHA256_LEN];
	struct slice mime;
	struct slice name;
	struct slice member_name;
	struct slice if_none;
	struct slice if_match;
	struct buf url;		     /* of a redirection */
	struct http_request request; /* with what http_range() asks for */
	struct share_in share;	     /* of a POST */
	struct pool pool;
	char cors[HTTP_CORS_MAX];
};

/*
 * proto_file.c: who may, and the end.
 */
/* Does the request of a file's path; false: it is none. */
bool file_request(
    struct proto *p, struct conn *c, const struct http_request *r);
/* net_handler.streams, body and room; w may be NULL. */
bool file_streams(const struct http_request *r);
size_t file_put_body(struct file_work *w, const char *p, size_t n);
void file_get_room(struct file_work *w);
/* Its connection is gone. */
void file_gone(struct file_work *w);
/* Frees it when nobody needs it any more. */
void file_work_free(struct file_work *w);
/* The connection was answered. */
void file_work_leave(struct file_work *w);
/* Gives up what is under way. */
void file_work_close(struct file_work *w);
/* Answers with what proto.out has. */
void file_work_reply(struct file_work *w, int status, const char *headers);
/* Answers with an error, and gives up the rest; text NULL: the error's own. */
void file_work_fail(struct file_work *w, enum err e, const char *text);
/* The same, with what the storage says. */
void file_work_refused(struct file_work *w, const struct storage_answer *a);
/* Begins a transfer; false: the storage is away, and the work was given up. */
bool file_work_begin(struct file_work *w, const struct storage_order *o,
    const struct transfer_calls *calls);
struct slice file_work_keep(struct file_work *w, struct slice s);

/*
 * proto_file_put.c
 */
void file_put_claim(struct file_work *w);

/*
 * proto_file_post.c: what share_file is asked for, by a request instead of a
 * message.  NULL, or what is wrong: a sentence.
 */
const char *file_post_read(struct file_work *w, const struct http_request *h);
/* The same of what any upload says of its body. */
const char *file_post_body(struct file_work *w, const struct http_request *h);

/*
 * proto_file_redirect.c: a download that the storage serves itself.
 */
void file_redirect(struct file_work *w);

/*
 * proto_file_get.c: a file_fn.
 */
/* Appends the value of Content-Disposition. */
void file_get_disposition(struct buf *b, struct slice name);
/* The member has all that it wanted of the file. */
void file_get_read(struct file_work *w);
void file_get_found(
    void *arg, enum err e, const char *text, const struct file_info *f);

#endif
