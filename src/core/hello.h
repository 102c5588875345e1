/* SPDX-License-Identifier: ISC */
/*
 * A hello on its way.  hello.c and hello_session.c take in the two kinds and
 * check what needs no database; hello_open.c does the rest for both.
 */
#ifndef CORE_HELLO_H
#define CORE_HELLO_H

#include "core/domain.h"

/* The attestation of a session_hello, as it came. */
struct hello_attestation {
	struct slice session_key;
	struct slice member_key;
	int64_t expires_ms;
	uint8_t signature[CRYPTO_SIG_LEN];
};

/* What a hello of either kind says. */
struct hello_in {
	struct id mesh;
	struct id member;
	struct slice member_key;
	struct slice session_key;
	struct hello_attestation attestation;
	struct slice name;
	struct slice client_session;
	int64_t pid;
	struct slice cwd;
	struct slice hostname;
	struct slice peer_type;
	struct slice peer_role;
	struct slice role;
	struct slice channel;
	struct slice model;
	struct list capabilities;
	int64_t version;
	struct list groups;
	int64_t timestamp;
	uint8_t signature[CRYPTO_SIG_LEN];
};

/* The rows that both kinds have. */
extern const struct field hello_group_fields[];
struct hello_group {
	struct slice name;
	struct slice role;
};
#define HELLO_IN(field) offsetof(struct hello_in, field)
#define HELLO_FIELDS                                                             \
	{ "displayName", F_NAME, HELLO_IN(name), 0, 128,                         \
		FIELD_LIMIT(LIMIT_NAME), NULL, NULL, 0,                          \
		"Name of the session; else the member's." },                     \
	    { "sessionId", F_STR, HELLO_IN(client_session), 0, 256, 0, NULL,     \
		    NULL, 0,                                                     \
		    "What makes it the same session when it connects again." },  \
	    { "pid", F_INT, HELLO_IN(pid), 0, INT64_MAX, 0, NULL, NULL, 0,       \
		    "Process, for hooks to find the session." },                 \
	    { "cwd", F_STR, HELLO_IN(cwd), 0, 4096, 0, NULL, NULL, 0,            \
		    "Directory, for hooks to find the session." },               \
	    { "hostname", F_STR, HELLO_IN(hostname), 0, 256, 0, NULL, NULL, 0,   \
		    "Host that the client runs on." },                           \
	    { "peerType", F_STR, HELLO_IN(peer_type), 0, 32, 0, NULL, NULL, 0,   \
		    "ai, human or connector." },                                 \
	    { "peerRole", F_STR, HELLO_IN(peer_role), 0, 32, 0, NULL, NULL, 0,   \
		    "control-plane: connected to do something; neither listed "  \
		    "nor written to." },                                         \
	    { "role", F_STR, HELLO_IN(role), 0, 128, 0, NULL, NULL, 0,           \
		    "The session's role, in free words; control-plane as in "    \
		    "peerRole." },                                               \
	    { "channel", F_STR, HELLO_IN(channel), 0, 128, 0, NULL, NULL, 0,     \
		    "How the client was started or is reached, in its words." }, \
	    { "model", F_STR, HELLO_IN(model), 0, 128, 0, NULL, NULL, 0,         \
		    "Model that the agent runs." },                              \
	    { "capabilities", F_STRS, HELLO_IN(capabilities), 0, 32, 0, NULL,    \
		    NULL, 0,                                                     \
		    "What the client can do; client_ack: it acks every "         \
		    "message." },                                                \
	    { "protocolVersion", F_INT, HELLO_IN(version), 0, INT32_MAX, 0,      \
		    NULL, NULL, 0,                                               \
		    "The client's version of the protocol; comes back." },       \
	    { "groups", F_ROWS, HELLO_IN(groups), 0, 1000, 0, NULL,              \
		    hello_group_fields, sizeof(struct hello_group),              \
		    "Groups to be in from the start." },                         \
	{                                                                        \
		"timestamp", F_INT, HELLO_IN(timestamp), 0, INT64_MAX,           \
		    FIELD_REQUIRED, NULL, NULL, 0, "Milliseconds since 1970."    \
	}

/* A hello on its way through the database. */
struct hello {
	struct request *request;
	const struct hello_in *in;
	struct session_info info;
	struct session_more more;
	uint8_t ident[CRYPTO_DIGEST_LEN];
	bool proven; /* the session key is its client's */
	struct mesh *mesh;
	uint64_t told; /* the mesh's, before it was opened */
};

/* NULL, and the request is answered, when the client said hello before. */
struct hello *hello_new(struct request *r, const struct hello_in *in);
enum err hello_check_clock(const struct request *r, const struct hello_in *in);
/* The answer, and the end of the connection. */
void hello_refuse(struct request *r, enum err e);
/* The keys and signatures in h->info are good: opens the session. */
void hello_open(struct hello *h);

extern const struct field hello_out_fields[];

#endif
