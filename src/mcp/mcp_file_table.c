/* SPDX-License-Identifier: ISC */
/*
 * The tools of files: what they take and give.  An agent on whose machine we
 * run names its files by their paths; one that asks over HTTP has none here,
 * and gets links.
 */
#include "mcp/mcp_request.h"

/* clang-format off: a row is a field. */
#define END                                                  \
	{                                                    \
		NULL, NULL, M_END, 0, 0, 0, NULL, NULL, NULL \
	}
#define FILE_NAME_MAX 255
#define FILE_SIZE_MAX INT64_C(1125899906842624)

static const char *const encodings[] = { "text", "base64", NULL };

#define CONTENT(as, text)                                                  \
	{                                                                  \
		"content", as, M_TEXT, 0, 0, MCP_FILE_CONTENT, NULL, NULL, \
		    text                                                   \
	}
#define ENCODING                                                        \
	{                                                               \
		"encoding", NULL, M_ENUM, 0, 0, 0, encodings, NULL,     \
		    "What content is: text, when absent, or base64 of " \
		    "bytes."                                            \
	}
#define MIME                                                      \
	{                                                         \
		"mime_type", NULL, M_TEXT, 0, 3, 127, NULL, NULL, \
		    "What it is, as application/pdf."             \
	}
#define TAGS                                                 \
	{                                                    \
		"tags", NULL, M_TEXTS, 0, 0, 32, NULL, NULL, \
		    "Labels, by which list_files finds it."  \
	}
#define ATTACHMENT                                                       \
	{                                                                \
		"attachment", NULL, M_BOOL, 0, 0, 0, NULL, NULL,         \
		    "It is not for the mesh, but for the recipients of " \
		    "messages whose files name it, until all have read " \
		    "it, at most 24 hours."                              \
	}

const struct mcp_field mcp_file_share_in[] = {
	{ "path", "of", M_TEXT, 0, 1, 4096, NULL, NULL,
	    "A file on this machine, absolute or below the current directory." },
	CONTENT("of", "Instead of path: what the file has, up to 1 MiB."),
	ENCODING,
	{ "name", NULL, M_TEXT, 0, 1, FILE_NAME_MAX, NULL, NULL,
	    "What it is called; the last part of path when absent. content "
	    "needs one." },
	MIME,
	TAGS,
	ATTACHMENT,
	END,
};
const char *const mcp_file_share_need[] = { "path", "content", NULL };
const struct mcp_field mcp_file_share_out[] = {
	{ "id", "fileId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id, for get_file and for files of send_message." },
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its name." },
	{ "size", "size", M_INT, M_REQUIRED, 0, 0, NULL, NULL, "Bytes." },
	{ "sha256", "sha256", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Of its bytes." },
	END,
};

const struct mcp_field mcp_file_link_in[] = {
	{ "name", NULL, M_TEXT, M_REQUIRED, 1, FILE_NAME_MAX, NULL, NULL,
	    "What it is called; no path." },
	CONTENT("of",
	    "What the file has. Without it the answer has a command that "
	    "uploads a file."),
	ENCODING,
	{ "size", "of", M_INT, 0, 0, FILE_SIZE_MAX, NULL, NULL,
	    "Without content: how many bytes will be uploaded; when absent the "
	    "mesh keeps room for the largest file that it takes." },
	MIME,
	TAGS,
	ATTACHMENT,
	END,
};
const struct mcp_field mcp_file_link_out[] = {
	{ "id", "fileId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id, for get_file and for files of send_message." },
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its name." },
	{ "uploaded", "uploaded", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its bytes are there; else it is no file until you have uploaded "
	    "them." },
	{ "size", "size", M_INT, 0, 0, 0, NULL, NULL, "Bytes." },
	{ "sha256", "sha256", M_TEXT, 0, 0, 0, NULL, NULL, "Of its bytes." },
	{ "curl", "curl", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Run this in a shell, with the file's path for FILE." },
	{ "upload_url", "url", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Or PUT the bytes here, once; whoever has it may." },
	{ "upload_until", "expiresAt", M_TIME, 0, 0, 0, NULL, NULL,
	    "Until then that has to begin." },
	{ "max_bytes", "maxBytes", M_INT, 0, 0, 0, NULL, NULL,
	    "More are refused." },
	END,
};

#define ID(text)                                                         \
	{                                                                \
		"id", "fileId", M_ID, M_REQUIRED, 0, 0, NULL, NULL, text \
	}
#define GOT                                                                    \
	{ "id", "fileId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its id." },   \
	    { "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,            \
		    "What its uploader calls it." },                           \
	    { "size", "size", M_INT, M_REQUIRED, 0, 0, NULL, NULL, "Bytes." }, \
	    { "mime_type", "mimeType", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,   \
		    "What its uploader says it is." },                         \
	    { "sha256", "sha256", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,        \
		    "Of its bytes." },                                         \
	{                                                                      \
		"text", "text", M_TEXT, M_EMPTY, 0, 0, NULL, NULL,             \
		    "All of it, if it is a text of up to 32 KiB."              \
	}

const struct mcp_field mcp_file_get_in[] = {
	ID("The id that a message, list_files or share_file has."),
	{ "path", NULL, M_TEXT, 0, 1, 4096, NULL, NULL,
	    "Where to write it: a directory, or a file that is not there yet. "
	    "When absent a short text is only told, and anything else goes to "
	    "the directory linnet-files." },
	END,
};
const struct mcp_field mcp_file_get_out[] = {
	GOT,
	{ "path", "path", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Where it was written." },
	END,
};
const struct mcp_field mcp_file_url_in[] = {
	ID("The id that a message, list_files or share_file has."),
	END,
};
const struct mcp_field mcp_file_url_out[] = {
	GOT,
	{ "curl", "curl", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Else run this in a shell to download it." },
	{ "url", "url", M_TEXT, 0, 0, 0, NULL, NULL,
	    "Or GET it here; whoever has it may." },
	{ "url_until", "expiresAt", M_TIME, 0, 0, 0, NULL, NULL,
	    "Until then the download has to begin." },
	END,
};

const struct mcp_field mcp_file_list_in[] = {
	{ "query", "query", M_TEXT, 0, 0, FILE_NAME_MAX, NULL, NULL,
	    "Only those that have this in their name, or as a tag." },
	{ "tags", "tags", M_TEXTS, 0, 0, 32, NULL, NULL,
	    "Only those that have all of these labels." },
	{ "by", "from", M_TEXT, 0, 1, 256, NULL, NULL,
	    "Only those of this uploader: a name or a member's key." },
	{ "limit", "limit", M_INT, 0, 1, MCP_PAGE_MAX, NULL, NULL,
	    "At most so many; 20 when absent." },
	{ "after", "after", M_TEXT, 0, 1, 32, NULL, NULL,
	    "The next page: `next` of the page before." },
	END,
};
static const struct mcp_field file_rows[] = {
	{ "id", "id", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its id." },
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its name." },
	{ "size", "size", M_INT, M_REQUIRED, 0, 0, NULL, NULL, "Bytes." },
	{ "mime_type", "mimeType", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "What its uploader says it is." },
	{ "tags", "tags", M_TEXTS, 0, 0, 0, NULL, NULL, "Labels." },
	{ "by", "uploadedBy", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "By whom." },
	{ "at", "uploadedAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL, "When." },
	{ "shared", "persistent", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "It is for the whole mesh, and stays; else it came with a "
	    "message." },
	{ "expires_at", "expiresAt", M_TIME, 0, 0, 0, NULL, NULL,
	    "When it goes." },
	END,
};
const struct mcp_field mcp_file_list_out[] = {
	{ "files", "files", M_ROWS, M_REQUIRED, 0, 0, NULL, file_rows,
	    "The newest first." },
	{ "next", "next", M_TEXT, 0, 0, 0, NULL, NULL,
	    "There are more: give it as `after` to see them." },
	END,
};

const struct mcp_field mcp_file_status_in[] = {
	ID("The file's id."),
	{ "limit", NULL, M_INT, 0, 1, MCP_PAGE_MAX, NULL, NULL,
	    "At most so many; 20 when absent." },
	{ "after", NULL, M_TEXT, 0, 1, 20, NULL, NULL,
	    "The next page: `next` of the page before." },
	END,
};
static const struct mcp_field reader_rows[] = {
	{ "name", "peerName", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Who." },
	{ "key", "memberPubkey", M_TEXT, 0, 0, 0, NULL, NULL,
	    "The member's key." },
	{ "read_at", "accessedAt", M_TIME, M_REQUIRED, 0, 0, NULL, NULL,
	    "When it was last read to its end." },
	{ "first_at", "firstAt", M_TIME, 0, 0, 0, NULL, NULL, "And first." },
	{ "times", "times", M_INT, 0, 0, 0, NULL, NULL, "How often." },
	END,
};
const struct mcp_field mcp_file_status_out[] = {
	{ "id", "fileId", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "The file." },
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL, "Its name." },
	{ "readers", "accesses", M_ROWS, M_REQUIRED, 0, 0, NULL, reader_rows,
	    "Who has read it, the last first; up to 100 are known." },
	{ "not_read_by", "unread", M_TEXTS, 0, 0, 0, NULL, NULL,
	    "To whom it was sent, up to 100, who have not read it." },
	{ "next", NULL, M_TEXT, 0, 0, 0, NULL, NULL,
	    "There are more: give it as `after` to see them." },
	END,
};
const struct mcp_field mcp_file_delete_in[] = {
	ID("The file's id."),
	END,
};
const struct mcp_field mcp_file_delete_out[] = {
	{ "deleted", "deleted", M_BOOL, M_REQUIRED, 0, 0, NULL, NULL,
	    "There was such a file." },
	END,
};
const struct mcp_field mcp_file_message_rows[] = {
	{ "id", "id", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "Its id, for get_file." },
	{ "name", "name", M_TEXT, M_REQUIRED, 0, 0, NULL, NULL,
	    "What its sender calls it." },
	{ "size", "size", M_INT, M_REQUIRED, 0, 0, NULL, NULL, "Bytes." },
	END,
};
/* clang-format on */
