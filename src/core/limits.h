/* SPDX-License-Identifier: ISC */
/*
 * How much may be asked for, and how much there may be.
 */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

#include "base/base.h"
#include "core/table.h"

struct client;
struct core;
struct mesh;
struct request;

/*
 * rate.c: how much may be asked for in a time.  Buckets are per process; a
 * member that has sessions in n of them pays n for each message, so that it
 * gets no more for it.
 */
enum rate {
	RATE_MEMBER,
	RATE_NOW,
	RATE_PAIR,
	RATE_REQUESTS,
	RATE_REFUSED,
	RATE_HELLO,
	RATE_LOGIN,
	RATE_MAX
};
struct core_rate {
	int64_t per_minute; /* 0: no limit */
	int64_t burst;
};
/* Each is ERR_NONE, or the error, of which the request knows all.  A request
 * of any kind, before it is looked at. */
enum err rate_request(struct request *r) MUST_CHECK;
/* What its client has left of requests like it; false: there is no limit, or
 * none that is worth a word. */
struct rate_left {
	int64_t burst;	  /* so many may come at once */
	int64_t window_s; /* and again after so long */
	int64_t left;
	int64_t full_s; /* until there are all again */
};
bool rate_left(const struct request *r, struct rate_left *out);
/* A message of the request's session. */
enum err rate_message(struct request *r, enum priority priority) MUST_CHECK;
/* The same to one member. */
enum err rate_pair(struct request *r, const struct id *member) MUST_CHECK;
/* A hello that the member with this key signed. */
enum err rate_hello(struct request *r, const struct mesh *m,
    const uint8_t key[CRYPTO_KEY_LEN]) MUST_CHECK;
/* An attempt to be who this stands for, by a password. */
enum err rate_login(
    struct request *r, const uint8_t who[CRYPTO_DIGEST_LEN]) MUST_CHECK;
/* A request of somebody who has no session yet: were too many of its address
 * refused?  And: this one was. */
enum err rate_stranger(struct request *r) MUST_CHECK;
void rate_refused(const struct client *c);
/* Forgets buckets that are full again. */
void rate_tick(struct core *c);
void rate_close(struct core *c);

/* How much a mesh may hold: quota.c. */
enum quota {
	QUOTA_SESSIONS,
	QUOTA_QUEUE,
	QUOTA_RECIPIENT_QUEUE,
	QUOTA_STATE_KEYS,
	QUOTA_STATE_BYTES,
	QUOTA_MEMORIES,
	QUOTA_FILES,
	QUOTA_STORAGE,
	QUOTA_FILE_BYTES, /* of one file: nothing is counted */
	QUOTA_MAX
};

/* Of fields: an option may lower what the table says. */
enum field_limit {
	LIMIT_NONE,
	LIMIT_NAME,
	LIMIT_GROUP_NAME,
	LIMIT_STATE_KEY,
	LIMIT_STATE_VALUE,
	LIMIT_MEMORY,
	LIMIT_MAX
};

#define WEBHOOK_NETS_MAX 64
struct webhook_limits {
	bool on;
	bool http; /* without TLS, too */
	struct ip_net allow[WEBHOOK_NETS_MAX];
	size_t nallow;
	int64_t most; /* of a member */
	int64_t parallel;
	int64_t timeout_ms;
	int64_t tries;
	int64_t retry_min_ms;
	int64_t retry_max_ms;
	int64_t give_up_ms;
	int64_t keep_ms;
};
struct durable_limits {
	bool on;
	int64_t most; /* of a member */
	int64_t bytes;
	int64_t ttl_ms;
	int64_t ttl_max_ms;
};

/* As configured; 0 is explained in linnetd.conf(5). */
struct core_limits {
	int64_t hold_ms;
	int64_t keep_ms;
	int64_t ack_ms;
	int64_t lease_ms;
	int64_t visit_ms;
	int64_t host_ms;
	int64_t status_ms;
	int64_t clock_ms;
	int64_t request_ms;
	int64_t quotas[QUOTA_MAX];
	int64_t blocks;
	struct core_rate rates[RATE_MAX];
	int64_t output; /* bytes */
	int64_t unacked;
	int64_t pending;
	int64_t targets;
	int64_t groups;
	int64_t watches;
	int64_t member_sessions;
	int64_t fields[LIMIT_MAX]; /* bytes */
	int64_t peer_events;	   /* sessions of a mesh that are told */
	int64_t schedules;
	int64_t tokens;
	int64_t token_ms;
	int64_t login_ms;
	int64_t audit_ms;    /* between checkpoints; 0: none by the clock */
	int64_t transfer_ms; /* that a file takes at most */
	int64_t hook_rate;   /* per minute */
	bool hook_loopback;
	struct webhook_limits webhook;
	struct durable_limits durable;
	bool memory; /* units are made of messages */
};

#endif
