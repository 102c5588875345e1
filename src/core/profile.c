/* SPDX-License-Identifier: ISC */
/*
 * What a session shows of itself beside its status: whether it is shown at
 * all, a profile, and counts of what it did.
 *
 * A profile and counts are kept as the JSON that others get, made here from
 * fields that are known and bounded; nobody reads it again.
 */
#include <string.h>

#include "core/domain.h"

#define PROFILE_MAX 4096
#define PROFILE_COUNT_MAX (INT64_C(1) << 53) /* exact in any JSON reader */

struct visible_io {
	bool visible;
};

static const struct field set_visible_fields[] = {
	{ "visible", F_BOOL, offsetof(struct visible_io, visible), 0, 0,
	    FIELD_REQUIRED, NULL, NULL, 0,
	    "false: not in others' list_peers, and no multicasts; what is sent "
	    "to the session itself still comes." },
	{ .type = F_END },
};

static const struct field set_visible_out_fields[] = {
	{ "visible", F_BOOL, offsetof(struct visible_io, visible), 0, 0, 0,
	    NULL, NULL, 0, "Is it shown now?" },
	{ .type = F_END },
};

struct profile_in {
	struct slice avatar;
	struct slice title;
	struct slice bio;
	struct list capabilities;
};

#define IN(field) offsetof(struct profile_in, field)
static const struct field set_profile_fields[] = {
	{ "avatar", F_STR, IN(avatar), 0, 512, 0, NULL, NULL, 0,
	    "A character, or where a picture is." },
	{ "title", F_STR, IN(title), 0, 128, 0, NULL, NULL, 0,
	    "What it is, in a few words." },
	{ "bio", F_STR, IN(bio), 0, 1024, 0, NULL, NULL, 0,
	    "The same in a few sentences." },
	{ "capabilities", F_STRS, IN(capabilities), 0, 32, 0, NULL, NULL, 0,
	    "What it can be asked for." },
	{ .type = F_END },
};
#undef IN

struct profile_out {
	struct slice profile;
};

static const struct field set_profile_out_fields[] = {
	{ "profile", F_JSON, offsetof(struct profile_out, profile), 0, 0, 0,
	    NULL, NULL, 0, "The profile now." },
	{ .type = F_END },
};

struct counts {
	int64_t messages_in;
	int64_t messages_out;
	int64_t tool_calls;
	int64_t uptime;
	int64_t errors;
};

#define COUNT(field) offsetof(struct counts, field)
static const struct field count_fields[] = {
	{ "messagesIn", F_INT, COUNT(messages_in), 0, PROFILE_COUNT_MAX, 0,
	    NULL, NULL, 0, "Messages that it got." },
	{ "messagesOut", F_INT, COUNT(messages_out), 0, PROFILE_COUNT_MAX, 0,
	    NULL, NULL, 0, "Messages that it sent." },
	{ "toolCalls", F_INT, COUNT(tool_calls), 0, PROFILE_COUNT_MAX, 0, NULL,
	    NULL, 0, "Calls of tools." },
	{ "uptime", F_INT, COUNT(uptime), 0, PROFILE_COUNT_MAX, 0, NULL, NULL,
	    0, "Seconds since it began." },
	{ "errors", F_INT, COUNT(errors), 0, PROFILE_COUNT_MAX, 0, NULL, NULL,
	    0, "What failed." },
	{ .type = F_END },
};
#undef COUNT

struct stats_in {
	struct counts stats;
};

static const struct field set_stats_fields[] = {
	{ "stats", F_ROW, offsetof(struct stats_in, stats), 0, 0,
	    FIELD_REQUIRED, NULL, count_fields, sizeof(struct counts),
	    "Counts; the server does not look into them." },
	{ .type = F_END },
};

struct stats_out {
	struct slice stats;
};

static const struct field set_stats_out_fields[] = {
	{ "stats", F_JSON, offsetof(struct stats_out, stats), 0, 0, 0, NULL,
	    NULL, 0, "The counts now." },
	{ .type = F_END },
};

/* What the session has, to be changed. */
static struct session_more
profile_more(const struct session *s)
{
	static const struct session_more none = { { "", 0 }, { "", 0 },
		{ NULL, 0 }, { NULL, 0 } };

	return s->info.more != NULL ? *s->info.more : none;
}

static void
profile_set(struct session *s, const struct session_more *more,
    struct request *r, void *out)
{
	struct session_info info = s->info;

	info.more = roster_more(more);
	roster_put(&s->mesh->roster, &info);
	session_changed(s, r, out);
}

static void
set_visible_exec(struct request *r, void *arg)
{
	struct visible_io *io = arg;
	struct session *s = r->client->session;

	if (s->info.hidden == !io->visible) {
		op_reply(r, io);
		return;
	}
	/* All who are there are told. */
	if (rate_message(r, PRIORITY_LOW) != ERR_NONE) {
		op_fail(r, r->error, NULL);
		return;
	}
	s->info.hidden = !io->visible;
	announce(s);
	session_changed(s, r, io);
}

static void
profile_str(struct json_writer *w, const char *key, struct slice s)
{
	if (s.n == 0)
		return;
	json_key(w, key);
	json_strn(w, s.p, s.n);
}

static void
profile_write(struct buf *b, const struct profile_in *in)
{
	const struct slice *can = in->capabilities.v;
	struct json_writer w;
	size_t i;

	json_start(&w, b);
	json_object(&w);
	profile_str(&w, "avatar", in->avatar);
	profile_str(&w, "title", in->title);
	profile_str(&w, "bio", in->bio);
	if (in->capabilities.n > 0) {
		json_key(&w, "capabilities");
		json_array(&w);
		for (i = 0; i < in->capabilities.n; i++)
			json_strn(&w, can[i].p, can[i].n);
		json_array_end(&w);
	}
	json_object_end(&w);
}

static void
set_profile_exec(struct request *r, void *arg)
{
	struct session *s = r->client->session;
	struct session_more more = profile_more(s);
	struct profile_out *out = pool_zalloc(&r->pool, sizeof(*out));
	struct buf b;

	buf_init(&b, PROFILE_MAX);
	profile_write(&b, arg);
	if (b.failed) {
		buf_free(&b);
		op_fail(r, ERR_TOO_BIG, "The profile is longer than %d bytes.",
		    PROFILE_MAX);
		return;
	}
	out->profile.p = pool_dup(&r->pool, b.data, b.len);
	out->profile.n = b.len;
	buf_free(&b);
	more.profile = out->profile;
	profile_set(s, &more, r, out);
}

static void
set_stats_exec(struct request *r, void *arg)
{
	const struct stats_in *in = arg;
	struct session *s = r->client->session;
	struct session_more more = profile_more(s);
	struct stats_out *out = pool_zalloc(&r->pool, sizeof(*out));
	const struct field *f;
	struct json_writer w;
	struct buf b;

	buf_init(&b, PROFILE_MAX);
	json_start(&w, &b);
	json_object(&w);
	for (f = count_fields; f->type != F_END; f++) {
		json_key(&w, f->name);
		json_num(&w,
		    *(const int64_t *)(const void *)((const char *)&in->stats +
						     f->offset));
	}
	json_object_end(&w);
	out->stats.p = pool_dup(&r->pool, b.data, b.len);
	out->stats.n = b.len;
	buf_free(&b);
	more.stats = out->stats;
	profile_set(s, &more, r, out);
}

const struct op op_set_visible = {
	.name = "set_visible",
	.scope = SCOPE_PRESENCE_WRITE,
	.reply = "visible",
	.flags = OP_QUIET | OP_PRESENCE,
	.in = set_visible_fields,
	.in_size = sizeof(struct visible_io),
	.out = set_visible_out_fields,
	.exec = set_visible_exec,
	.text = "Hide the session from others, or show it again.",
};

const struct op op_set_profile = {
	.name = "set_profile",
	.scope = SCOPE_PRESENCE_WRITE,
	.reply = "profile",
	.flags = OP_QUIET | OP_PRESENCE,
	.in = set_profile_fields,
	.in_size = sizeof(struct profile_in),
	.out = set_profile_out_fields,
	.exec = set_profile_exec,
	.text = "Say who the session is; takes the place of what was said "
		"before.",
};

const struct op op_set_stats = {
	.name = "set_stats",
	.scope = SCOPE_PRESENCE_WRITE,
	.reply = "stats",
	.flags = OP_QUIET | OP_PRESENCE,
	.in = set_stats_fields,
	.in_size = sizeof(struct stats_in),
	.out = set_stats_out_fields,
	.exec = set_stats_exec,
	.text = "Say how much the session did; takes the place of what was "
		"said before.",
};
