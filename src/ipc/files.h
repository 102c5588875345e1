/* SPDX-License-Identifier: ISC */
/*
 * files.h: what a process asks of the files process, and what it answers.
 *
 * An order goes over the channel between the two (FILES_ORDER in msgs.def),
 * with one end of a socketpair(AF_UNIX, SOCK_STREAM); everything else goes
 * over that socket, and it is closed when the transfer is over:
 *
 *	FILES_PUT	in: the bytes, then shutdown(SHUT_WR)
 *			out: files_answer, with size and SHA-256 of what is kept
 *	FILES_GET	out: files_answer, with the size of the whole, then the
 *			bytes from `offset`, `length` of them or to the end
 *	FILES_DELETE	out: files_answer; what is not there is deleted, too
 *	FILES_LIST	out: files_answer, then a files_entry for each object
 *			of all meshes, in no order
 *	FILES_LINK	in: what the storage shall say as Content-Disposition,
 *			then shutdown(SHUT_WR)
 *			out: files_answer, then a URL that gets the object
 *			without credentials for `length` seconds; ENOTSUP where
 *			the storage has none
 *
 * What was put is kept when the answer says so, and then it is on the disk.
 * When it is not, because of an error, a process that died, an early close or
 * fewer bytes than `length`, nothing is kept.  A GET that fails after its
 * answer ends early: count the bytes.  A LIST that fails after its answer ends
 * without the last entry, which is all zero.
 */
#ifndef IPC_FILES_H
#define IPC_FILES_H

#include "base/base.h"

#define FILES_VERSION 1
#define FILES_SHA256_LEN 32
#define FILES_ALL UINT64_MAX /* length: all there is, unknown */

enum files_what {
	FILES_PUT = 1,
	FILES_GET,
	FILES_DELETE,
	FILES_LIST,
	FILES_LINK,
};

struct files_order {
	uint32_t version; /* FILES_VERSION */
	uint32_t what;	  /* enum files_what */
	struct id file;
	struct id mesh;
	struct id member; /* PUT, GET: for whom; counted, unless it is null */
	uint64_t offset;  /* GET */
	uint64_t length;  /* PUT, GET; or FILES_ALL; LINK: seconds */
	/* PUT: what the bytes have to be, if that was said. */
	uint8_t has_sha256;
	uint8_t sha256[FILES_SHA256_LEN];
};

/*
 * status: 0, or an errno:
 *	ENOENT		there is no such object (GET)
 *	ERANGE		offset is behind the end of the object (GET)
 *	EMSGSIZE	fewer or more bytes than `length` came (PUT)
 *	EILSEQ		the bytes have another SHA-256 (PUT)
 *	ENOSPC, EFBIG	no room for it (PUT)
 *	EAGAIN		too many transfers wait, or this one did for too long:
 *			try again later
 *	EUSERS		the member has `size` transfers under way already
 *	EBUSY		the same file is being put
 *	ETIMEDOUT	the other end, or the storage, was silent for too long
 *	EIO and others	the storage does not work; the log says more
 */
struct files_answer {
	int32_t status;
	uint32_t pad;
	uint64_t size;			  /* of the object */
	uint8_t sha256[FILES_SHA256_LEN]; /* PUT */
};

/* An object that is stored. */
struct files_entry {
	struct id mesh;
	struct id file;
	uint64_t size;
	int64_t stored_ms; /* wall clock, as the storage says */
};

#endif
