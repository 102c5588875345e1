/* SPDX-License-Identifier: ISC */
/*
 * linnet mcp from the inside: an agent's session (cli_mcp_mesh.c), between a
 * host on standard input and output (cli_mcp.c) and a broker.
 */
#ifndef CLI_CLI_MCP_H
#define CLI_CLI_MCP_H

#include <poll.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "mcp/mcp.h"

/* What linnet launch says of the session. */
#define MCP_ENV_NAME "LINNET_NAME"
#define MCP_ENV_ROLE "LINNET_ROLE"
#define MCP_ENV_GROUPS "LINNET_GROUPS" /* name[:role],... */
#define MCP_ENV_SESSION "LINNET_SESSION"

struct mesh_group {
	TAILQ_ENTRY(mesh_group) entry;
	char *name;
	char *role;
	bool first; /* each hello says it */
	bool left;  /* though the agent is not in it any more */
};

/* The backend of a struct mcp. */
struct mcp_mesh {
	struct cli *c;
	struct mcp *mcp;
	struct cli_session s;
	struct cli_slot slot;
	struct mcp_inbox *inbox;
	size_t noted; /* unread messages, at the slot */
	TAILQ_HEAD(, mesh_ask) asks;
	int64_t lost_ms; /* since when there is no connection; 0: there is */
	bool again;	 /* there was one before */
	bool ending;
	unsigned pulls; /* that are under way */
	char *summary;	/* what the agent said of itself, or NULL */
	char *status;
	TAILQ_HEAD(, mesh_group) groups;
	struct mesh_channels *channels;
	TAILQ_HEAD(, mesh_notice) notices; /* that the agent has not read */
	size_t nnotices;
};

struct mesh_channels; /* cli_mcp_channel.c */

enum mesh_what {
	MESH_CALL,
	MESH_SEND,
	MESH_MESSAGES,
	MESH_UNREAD,
	MESH_FILE,
};

struct mesh_file; /* cli_mcp_file.c */

/* A question of a tool. */
struct mesh_ask {
	TAILQ_ENTRY(mesh_ask) entry;
	struct mcp_mesh *h;
	struct mcp_ask *ask; /* NULL: nobody wants the answer */
	enum mesh_what what;
	bool asked; /* the broker */
	char *op;
	char *fields;
	size_t limit;
	struct mesh_file *file; /* NULL: it is not about one */
};

extern const struct mcp_backend cli_mcp_backend; /* its arg: struct mcp_mesh */
void cli_mcp_mesh_init(struct mcp_mesh *h, struct cli *c);
/* Begins to connect, as far as the configuration allows. */
void cli_mcp_mesh_start(struct mcp_mesh *h);
/* Milliseconds until cli_mcp_mesh_turn() has to be called; -1: no hurry. */
int cli_mcp_mesh_timeout(const struct mcp_mesh *h);
void cli_mcp_mesh_turn(struct mcp_mesh *h);
/* Says goodbye and forgets everything. */
void cli_mcp_mesh_end(struct mcp_mesh *h);

/* The two ways in which a question ends; it is gone then. */
void cli_mcp_fail(struct mesh_ask *a, const struct linnet_error *e);
void cli_mcp_answer(struct mesh_ask *a, const struct buf *b);

/*
 * cli_mcp_channel.c: what is said in channels that the agent follows.
 */
struct mesh_channels *cli_mcp_channels_new(struct mcp_mesh *h);
void cli_mcp_channels_free(struct mesh_channels *v);
/* Asks, if it is about following, or notes what is said; false: it is to be
 * asked as anything else. */
bool cli_mcp_channel_call(struct mesh_ask *a);
/* The callback of liblinnet. */
void cli_mcp_channel_entry(
    void *arg, struct linnet *l, const struct linnet_entry *e);
/* The agent has a message; false: it is not of a channel. */
bool cli_mcp_channel_ack(struct mesh_channels *v, const char *id);
/* Does the agent follow it? */
bool cli_mcp_channel_follows(const struct mesh_channels *v, const char *id);
/* Tells the broker how far the agent has read. */
void cli_mcp_channel_turn(struct mesh_channels *v);

/*
 * cli_mcp_notice.c
 */
/* The callback of liblinnet. */
void cli_mcp_notice(void *arg, struct linnet *l, const struct linnet_notice *n);
/* The agent has it; false: the id is of none. */
bool cli_mcp_notice_ack(struct mcp_mesh *h, const char *id);
void cli_mcp_notice_free(struct mcp_mesh *h);

/* cli_mcp_send.c */
void cli_mcp_send(struct mesh_ask *a);

/*
 * cli_mcp_file.c: what is asked about a file, copied.
 */
#define CLI_MCP_CHILDREN 4 /* processes that move bytes */
struct mesh_file *cli_mcp_file_share(const struct mcp_share *s);
struct mesh_file *cli_mcp_file_fetch(const struct mcp_fetch *f);
/* Ends its process, and removes what is not whole.  f may be NULL. */
void cli_mcp_file_free(struct mesh_file *f);
void cli_mcp_file(struct mesh_ask *a);
/* Nobody wants it any more; false: the broker has still to answer. */
bool cli_mcp_file_leave(struct mesh_ask *a);
/* What has to be polled. */
size_t cli_mcp_file_poll(
    const struct mcp_mesh *h, struct pollfd p[CLI_MCP_CHILDREN]);
void cli_mcp_file_turn(struct mcp_mesh *h);

/*
 * cli_mcp_child.c
 */
struct mesh_child {
	pid_t pid; /* 0: there is none */
	int fd;	   /* what it says; or -1 */
};
struct mesh_word {
	int64_t done; /* bytes */
	bool ended;
	bool failed;			 /* with an error */
	char sha256[LINNET_SHA256_SIZE]; /* of an upload */
	struct linnet_error error;
};
/* Moves the bytes of t by the broker of l; -1 and errno. */
int cli_mcp_child_start(struct mesh_child *ch, struct linnet *l,
    const struct linnet_transfer *t, bool upload);
/* false: it has said nothing; after a word that ended it is gone. */
bool cli_mcp_child_read(struct mesh_child *ch, struct mesh_word *w);
/* Kills it, if it is there. */
void cli_mcp_child_end(struct mesh_child *ch);

/*
 * cli_mcp_self.c
 */
/* The fields of a question as JSON; the caller frees j and the text. */
char *cli_mcp_fields(struct json *j, const char *fields);
/* Something was done that a later connection has to hear of. */
void cli_mcp_said(struct mcp_mesh *h, const struct mesh_ask *a);
/* Over a connection that is not the first. */
void cli_mcp_say_again(struct mcp_mesh *h);
/* The groups to begin with, of the pool. */
const struct linnet_group *cli_mcp_groups(struct mcp_mesh *h, size_t *n);
void cli_mcp_forget(struct mcp_mesh *h);

#endif
