/* SPDX-License-Identifier: ISC */
/*
 * Questions to the client.
 *
 * In revision 2026-07-28 they are the result of its request, which it sends
 * again with the answers (SEP-2322).  Nothing is kept here between the two:
 * what has to be known again goes to the client and comes back, signed.
 * Whoever sends a state that is not of the very request, of the same principal
 * and of the last hour gets an error, and nothing of it is used.
 *
 * Before, they are requests of ours, and the client's waits for their answers.
 * Then it is carried out again, as if it had come a second time: whoever asks
 * does not see the difference.
 *
 * Answers are the client's words: they are checked as arguments are.
 */
#include "mcp/mcp_request.h"

#include <stdio.h>
#include <string.h>

#define INPUT_MS 3600000 /* in which a person can answer */
#define INPUT_ID "linnet-%llx-%llu"
/* Requests that wait for answers: fewer than a transport stops to read at. */
#define INPUT_OPEN_MAX 16
#define INPUT_SIG_HEX ((size_t)2 * CRYPTO_DIGEST_LEN)

/* Of a request before 2026-07-28. */
struct mcp_asked {
	char id[48];
	const char *key;
	struct slice answer; /* JSON; {NULL, 0}: none yet */
};

unsigned
mcp_input_can(const struct json *j, size_t capabilities)
{
	unsigned can = 0;
	size_t form;

	if (capabilities == 0)
		return 0;
	form = mcp_json_in(j, capabilities, "elicitation", JSON_OBJECT);
	/* It is that of forms, unless it only says others. */
	if (form != 0 && (json_get(j, form, "form") != 0 ||
			     j->nodes[form].end == JSON_FIRST(form)))
		can |= CAN_ELICIT;
	if (mcp_json_in(j, capabilities, "sampling", JSON_OBJECT) != 0)
		can |= CAN_SAMPLE;
	if (mcp_json_in(j, capabilities, "roots", JSON_OBJECT) != 0)
		can |= CAN_ROOTS;
	return can;
}

unsigned
mcp_can(const struct json *j, size_t params)
{
	const size_t version = json_get(j, params, "protocolVersion");

	/* Others had no questions. */
	if (version == 0 || j->nodes[version].type != JSON_STRING ||
	    mcp_revision(j->nodes[version].p, j->nodes[version].n) ==
		MCP_2024_11_05 ||
	    mcp_revision(j->nodes[version].p, j->nodes[version].n) ==
		MCP_2025_03_26)
		return 0;
	return mcp_input_can(
	    j, mcp_json_in(j, params, "capabilities", JSON_OBJECT));
}

/* What a request is, but for its answers. */
static void
input_digest(struct mcp_request *r, size_t params)
{
	const struct json *j = &r->m->json;
	size_t args = params != 0 ? json_get(j, params, "arguments") : 0;
	const char *name = mcp_param(r, params, "name");
	struct slice raw = { "", 0 };
	struct buf b;

	if (args != 0)
		raw = mcp_json_raw(j, args);
	buf_init(&b, SIZE_MAX / 2);
	buf_add(&b, r->method, strlen(r->method) + 1);
	buf_add(
	    &b, name != NULL ? name : "", name != NULL ? strlen(name) + 1 : 1);
	buf_add(&b, raw.p, raw.n);
	if (b.failed)
		fatalx("out of memory");
	crypto_digest(r->input_digest, b.data, b.len, NULL);
	buf_free(&b);
}

/* Of a state that is good until then. */
static void
input_sign(struct mcp_request *r, const char *state, int64_t until_ms,
    char sig[INPUT_SIG_HEX + 1])
{
	const struct mcp_config *c = &r->m->config;
	uint8_t digest[CRYPTO_DIGEST_LEN];
	char until[32];
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	snprintf(until, sizeof(until), "%lld", (long long)until_ms);
	buf_add(&b, r->input_digest, sizeof(r->input_digest));
	buf_add(&b, until, strlen(until) + 1);
	buf_add(&b, c->principal, strlen(c->principal) + 1);
	buf_adds(&b, state);
	if (b.failed)
		fatalx("out of memory");
	crypto_digest(digest, b.data, b.len, c->key);
	crypto_hex(sig, digest, sizeof(digest));
	buf_free(&b);
}

/* SIG.UNTIL.STATE, as mcp_input_require() made it; false: it is not. */
static bool
input_state(struct mcp_request *r, const char *text)
{
	char sig[INPUT_SIG_HEX + 1], *until;
	const char *state;
	int64_t until_ms;

	if (strlen(text) < INPUT_SIG_HEX + 2 || text[INPUT_SIG_HEX] != '.' ||
	    (state = strchr(text + INPUT_SIG_HEX + 1, '.')) == NULL)
		return false;
	until = pool_strndup(&r->pool, text + INPUT_SIG_HEX + 1,
	    (size_t)(state - text) - INPUT_SIG_HEX - 1);
	state++;
	if (str_num(until, 0, INT64_MAX, &until_ms) != NULL ||
	    until_ms < clock_wall())
		return false;
	input_sign(r, state, until_ms, sig);
	if (!crypto_same(sig, text, INPUT_SIG_HEX))
		return false;
	r->input_state = state;
	return true;
}

bool
mcp_input_read(struct mcp_request *r, size_t params)
{
	const struct json *j = &r->m->json;
	size_t state, answers;
	struct slice raw;
	const char *text;

	if (params == 0)
		return true;
	if (r->revision < MCP_2026_07_28) {
		if (r->can != 0 && r->input_params.p == NULL) {
			raw = mcp_json_raw(j, params);
			r->input_params.p =
			    pool_strndup(&r->pool, raw.p, raw.n);
			r->input_params.n = raw.n;
		}
		return true;
	}
	input_digest(r, params);
	state = json_get(j, params, "requestState");
	answers = json_get(j, params, "inputResponses");
	if (answers != 0 && j->nodes[answers].type != JSON_OBJECT) {
		mcp_fail(r, RPC_PARAMS, 400,
		    "inputResponses is a JSON object, of an answer to each "
		    "question.");
		return false;
	}
	r->input_answers = answers;
	if (state == 0)
		return true;
	text = mcp_json_text(&r->pool, &j->nodes[state]);
	if (text != NULL && input_state(r, text))
		return true;
	mcp_fail(r, RPC_PARAMS, 400,
	    "This requestState was not given for this request, or more than an "
	    "hour ago; send the request without it.");
	return false;
}

size_t
mcp_input_answer(const struct mcp_request *r, const char *key)
{
	return r->input_answers != 0 ? mcp_json_in(&r->m->json,
					   r->input_answers, key, JSON_OBJECT)
				     : 0;
}

size_t
mcp_input_accepted(const struct mcp_request *r, const char *key)
{
	const struct json *j = &r->m->json;
	size_t at = mcp_input_answer(r, key);
	size_t action = at != 0 ? json_get(j, at, "action") : 0;

	return action != 0 && j->nodes[action].type == JSON_STRING &&
		       json_is(&j->nodes[action], "accept")
		   ? mcp_json_in(j, at, "content", JSON_OBJECT)
		   : 0;
}

/*
 * Before 2026-07-28.
 */
static void
input_ask(struct mcp_request *r, const struct mcp_input *in, size_t n,
    const char *state)
{
	const struct mcp_request *other;
	size_t i, open = 0;

	TAILQ_FOREACH (other, &r->m->requests, entry)
		open += other->nopen > 0;
	if (open >= INPUT_OPEN_MAX) {
		mcp_fail(r, RPC_INTERNAL, 200,
		    "Too many questions wait for an answer; answer them "
		    "first.");
		return;
	}
	r->input_state = state;
	r->asked = pool_zalloc(&r->pool, n * sizeof(*r->asked));
	r->nasked = r->nopen = n;
	for (i = 0; i < n; i++) {
		snprintf(r->asked[i].id, sizeof(r->asked[i].id), INPUT_ID,
		    (unsigned long long)r->m->config.nonce,
		    (unsigned long long)++r->m->nquestions);
		r->asked[i].key =
		    pool_strndup(&r->pool, in[i].key, strlen(in[i].key));
	}
	for (i = 0; i < n; i++)
		mcp_question(r, r->asked[i].id, in[i].method, in[i].params);
}

/* Everything was answered: carries it out again. */
static void
input_again(struct mcp_request *r)
{
	struct json *j = &r->m->json;
	struct json_writer w;
	struct buf b;
	size_t i;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "params");
	json_raw(&w, r->input_params.p, r->input_params.n);
	json_key(&w, "answers");
	json_object(&w);
	for (i = 0; i < r->nasked; i++) {
		json_key(&w, r->asked[i].key);
		json_raw(&w, r->asked[i].answer.p, r->asked[i].answer.n);
	}
	json_object_end(&w);
	json_object_end(&w);
	if (b.failed)
		fatalx("out of memory");
	r->missing = 0;
	if (json_read(j, b.data, b.len) != 0)
		mcp_fail(r, RPC_PARAMS, 400,
		    "The request and its answers are too much: %s.", j->error);
	else {
		r->input_answers = json_get(j, 0, "answers");
		mcp_request_run(r, json_get(j, 0, "params"));
	}
	buf_free(&b);
}

/* Which question of which request it is; NULL: of none. */
static struct mcp_asked *
input_find(struct mcp *m, const struct json_node *id, struct mcp_request **r)
{
	size_t i;

	TAILQ_FOREACH (*r, &m->requests, entry)
		for (i = 0; i < (*r)->nasked && (*r)->nopen > 0; i++)
			if ((*r)->asked[i].answer.p == NULL &&
			    json_is(id, (*r)->asked[i].id))
				return &(*r)->asked[i];
	return NULL;
}

bool
mcp_asks(const struct mcp *m)
{
	const struct mcp_request *r;

	TAILQ_FOREACH (r, &m->requests, entry)
		if (r->nopen > 0)
			return true;
	return false;
}

bool
mcp_awaits(struct mcp *m, const char *text, size_t n)
{
	struct json *j = &m->json;
	struct mcp_request *r;
	size_t id;

	if (json_read(j, text, n) != 0 || j->nodes[0].type != JSON_OBJECT)
		return false;
	id = json_get(j, 0, "id");
	return id != 0 && j->nodes[id].type == JSON_STRING &&
	       input_find(m, &j->nodes[id], &r) != NULL;
}

void
mcp_input_answered(struct mcp *m, size_t at)
{
	const struct json *j = &m->json;
	size_t id = json_get(j, at, "id");
	size_t result = mcp_json_in(j, at, "result", JSON_OBJECT);
	struct slice raw = { "{}", 2 };
	struct mcp_asked *asked;
	struct mcp_request *r;

	if (id == 0 || j->nodes[id].type != JSON_STRING ||
	    (asked = input_find(m, &j->nodes[id], &r)) == NULL)
		return;
	/* An error is no answer that anybody could use. */
	if (result != 0)
		raw = mcp_json_raw(j, result);
	asked->answer.p = pool_strndup(&r->pool, raw.p, raw.n);
	asked->answer.n = raw.n;
	if (--r->nopen == 0)
		input_again(r);
}

void
mcp_input_drop(struct mcp_request *r)
{
	struct json_writer w;
	struct buf b;
	size_t i;

	for (i = 0; i < r->nasked && r->nopen > 0; i++) {
		if (r->asked[i].answer.p != NULL)
			continue;
		mcp_note(&w, &b, "notifications/cancelled");
		json_key(&w, "requestId");
		json_str(&w, r->asked[i].id);
		mcp_note_end(r->m, &w, &b, r->tag);
	}
}

void
mcp_input_end(struct mcp_request *r)
{
	mcp_fail(r, RPC_INTERNAL, 200,
	    "The server ends, and its question was not answered.");
}

void
mcp_input_require(struct mcp_request *r, const struct mcp_input *in, size_t n,
    const char *state)
{
	const int64_t until_ms = clock_wall() + INPUT_MS;
	char sig[INPUT_SIG_HEX + 1];
	struct json_writer *w;
	size_t i;

	if (r->revision < MCP_2026_07_28) {
		input_ask(r, in, n, state);
		return;
	}
	w = mcp_result_as(r, "input_required");
	json_key(w, "inputRequests");
	json_object(w);
	for (i = 0; i < n; i++) {
		json_key(w, in[i].key);
		json_object(w);
		json_key(w, "method");
		json_str(w, in[i].method);
		json_key(w, "params");
		json_raw(w, in[i].params, strlen(in[i].params));
		json_object_end(w);
	}
	json_object_end(w);
	if (state != NULL) {
		input_sign(r, state, until_ms, sig);
		json_key(w, "requestState");
		json_str(w, pool_printf(&r->pool, "%s.%lld.%s", sig,
				(long long)until_ms, state));
	}
	mcp_result_end(r);
}
