/* SPDX-License-Identifier: ISC */
/* linnet_message.c, linnet_target.c: what one seals the other opens, what is
 * in clear says so, and names lead to keys. */
#include "lib/lib.h"

#include <stdlib.h>

#include "tap.h"

struct person {
	char pub[LINNET_KEY_SIZE];
	char secret_hex[LINNET_SECRET_SIZE];
	struct linnet *l;
};

/* session_id NULL: without a session key. */
static void
person_new(struct person *p, const char *session_id)
{
	struct linnet_config config = {
		.url = "unix:/nowhere",
		.mesh_id = "01a1fc26f850701ab1b21869bbb78ffb",
		.member_id = "01a1fc26f87b7586a0112c12746b27eb",
		.public_key = p->pub,
		.secret_key = p->secret_hex,
		.session_id = session_id,
		.no_session_key = session_id == NULL,
	};
	struct linnet_error e;

	linnet_new_key(p->pub, p->secret_hex);
	p->l = linnet_new(&config, &e);
}

/* Seals for a target, as the broker hands it on, and reads it with a key. */
static void
carry(struct linnet_message *m, struct pool *pool, const struct person *from,
    const char *to, const char *text, size_t n, const struct person *reader,
    const char *sender_key)
{
	struct linnet_outgoing out = { .to = to, .text = text, .length = n };
	struct linnet_error e;
	struct json j;
	struct buf b, push;

	buf_init(&b, SIZE_MAX / 2);
	buf_init(&push, SIZE_MAX / 2);
	memset(m, 0, sizeof(*m));
	if (to[0] == '*' || to[0] == '@')
		linnet_message_clear(&b, from->l,
		    &(const struct slice){ "\"*\"", 3 }, &out, "id");
	else
		ok(linnet_message_seal(&b, from->l, to, &out, "id", &e) == 0,
		    "sealed");
	buf_addf(&push,
	    "{\"type\":\"push\",\"messageId\":\"m1\",\"senderPubkey\":\"%s\","
	    "%s}",
	    sender_key, buf_str(&b));
	json_init(&j, 1000, 10);
	ok(json_read(&j, push.data, push.len) == 0, "as JSON");
	ok(linnet_message_read(m, pool, &j, &reader->l->id) == 0, "read");
	json_free(&j);
	buf_free(&b);
	buf_free(&push);
}

/* What is sent again under its id is the same bytes, anything else others. */
static void
test_same_bytes(const struct person *from, const struct person *to)
{
	static const struct {
		const char *text;
		const char *id;
		bool same;
	} rows[] = {
		{ "hi", "1", true },
		{ "ho", "1", false },
		{ "hi", "2", false },
	};
	struct linnet_outgoing out = { .text = "hi", .length = 2 };
	struct linnet_error e;
	struct buf first, b;
	size_t i;

	buf_init(&first, SIZE_MAX / 2);
	buf_init(&b, SIZE_MAX / 2);
	ok(linnet_message_seal(&first, from->l, to->pub, &out, "1", &e) == 0,
	    "sealed");
	for (i = 0; i < NELEM(rows); i++) {
		buf_clear(&b);
		out.text = rows[i].text;
		if (linnet_message_seal(
			&b, from->l, to->pub, &out, rows[i].id, &e) != 0)
			abort();
		ok((b.len == first.len &&
		       memcmp(b.data, first.data, b.len) == 0) == rows[i].same,
		    "\"%s\" as %s is %s bytes", rows[i].text, rows[i].id,
		    rows[i].same ? "the same" : "other");
	}
	buf_free(&first);
	buf_free(&b);
}

/* What goes with a message, as far as it can be asked for. */
static void
test_files(void)
{
	static const struct {
		const char *files;
		size_t n;
		const char *name; /* of the first */
		int64_t size;
	} rows[] = {
		{ "[]", 0, NULL, 0 },
		{ "null", 0, NULL, 0 },
		{ "{\"id\":\"a\"}", 0, NULL, 0 },
		{ "[7,\"x\",{},{\"id\":7}]", 0, NULL, 0 },
		{ "[{\"id\":\"a\",\"name\":\"../\\u00e4\",\"size\":5,"
		  "\"x\":[1]},{\"id\":\"b\"}]",
		    2, "../\xc3\xa4", 5 },
		{ "[{},{\"id\":\"a\",\"size\":\"5\"}]", 1, "", 0 },
	};
	struct linnet_identity id = { .session = false };
	struct linnet_message m;
	struct pool pool;
	struct json j;
	char *text;
	size_t i;

	json_init(&j, 1000, 10);
	for (i = 0; i < NELEM(rows); i++) {
		pool_init(&pool);
		text = xasprintf(
		    "{\"messageId\":\"m\",\"files\":%s}", rows[i].files);
		if (json_read(&j, text, strlen(text)) != 0 ||
		    linnet_message_read(&m, &pool, &j, &id) != 0)
			fatalx("%s", text);
		is_int((int64_t)m.nfiles, (int64_t)rows[i].n, "files %s",
		    rows[i].files);
		if (m.nfiles > 0) {
			is_str(m.files[0].name, rows[i].name, "its name");
			is_int(m.files[0].size, rows[i].size, "its size");
		}
		free(text);
		pool_free(&pool);
	}
	json_free(&j);
}

static void
test_round_trip(void)
{
	static const char text[] =
	    "Gr\xc3\xbc\xc3\x9f\x65 \"\n\t\xf0\x9f\x90\xa6";
	struct person alice, bob, eve;
	struct linnet_message m;
	struct pool pool;

	pool_init(&pool);
	person_new(&alice, NULL);
	person_new(&bob, NULL);
	person_new(&eve, NULL);
	carry(&m, &pool, &alice, bob.pub, text, strlen(text), &bob, alice.pub);
	is_int(m.secrecy, LINNET_SEALED, "bob gets it sealed");
	is_str(m.text, text, "and whole");
	is_int(m.length, strlen(text), "with its length");
	carry(&m, &pool, &alice, bob.pub, text, strlen(text), &eve, alice.pub);
	is_int(m.secrecy, LINNET_UNREADABLE, "eve cannot read it");
	ok(m.text == NULL, "and has no text");
	carry(&m, &pool, &alice, bob.pub, text, strlen(text), &bob, eve.pub);
	is_int(m.secrecy, LINNET_UNREADABLE,
	    "in another sender's name it does not open");
	carry(&m, &pool, &alice, bob.pub, "", 0, &bob, alice.pub);
	is_int(m.secrecy, LINNET_SEALED, "an empty text is one too");
	is_int(m.length, 0, "of no bytes");
	carry(&m, &pool, &alice, "*", text, strlen(text), &bob, alice.pub);
	is_int(m.secrecy, LINNET_CLEAR, "to everybody it is in clear");
	is_str(m.text, text, "and whole as well");
	carry(&m, &pool, &alice, "@dev", text, strlen(text), &eve, eve.pub);
	is_int(m.secrecy, LINNET_CLEAR, "to a group too");
	test_same_bytes(&alice, &bob);
	carry(&m, &pool, &alice, "*", "\033[2J", 4, &bob, alice.pub);
	is_int(m.secrecy, LINNET_UNREADABLE,
	    "control characters are no text in clear");
	carry(&m, &pool, &alice, bob.pub, "\033[2J", 4, &bob, alice.pub);
	is_str(m.text, "\033[2J", "what was sealed comes as it was");
	linnet_free(alice.l);
	linnet_free(bob.l);
	linnet_free(eve.l);
	pool_free(&pool);
}

/* A session's own key, and the member's. */
static void
test_session_keys(void)
{
	char session[LINNET_KEY_SIZE];
	struct person alice, bob;
	struct linnet_config again = { .url = "unix:/nowhere",
		.mesh_id = "01a1fc26f850701ab1b21869bbb78ffb",
		.member_id = "01a1fc26f87b7586a0112c12746b27eb" };
	struct linnet_error e;
	struct linnet_message m;
	struct linnet *l;
	struct pool pool;

	pool_init(&pool);
	person_new(&alice, "a");
	person_new(&bob, "b");
	(void)str_copy(session, linnet_key(bob.l), sizeof(session));
	ok(strcmp(session, bob.pub) != 0, "a session has a key of its own");
	carry(&m, &pool, &alice, session, "hi", 2, &bob, linnet_key(alice.l));
	is_int(m.secrecy, LINNET_SEALED, "the session opens what is to it");
	carry(&m, &pool, &alice, bob.pub, "hi", 2, &bob, linnet_key(alice.l));
	is_int(m.secrecy, LINNET_SEALED, "and what is to its member");
	carry(&m, &pool, &alice, bob.pub, "hi", 2, &bob, alice.pub);
	is_int(m.secrecy, LINNET_UNREADABLE,
	    "what a session sends is in its own name");
	again.public_key = bob.pub;
	again.secret_key = bob.secret_hex;
	again.session_id = "b";
	l = linnet_new(&again, &e);
	is_str(linnet_key(l), session, "the same session has the same key");
	linnet_free(l);
	again.session_id = "c";
	l = linnet_new(&again, &e);
	ok(strcmp(linnet_key(l), session) != 0, "another one has another");
	linnet_free(l);
	linnet_free(alice.l);
	linnet_free(bob.l);
	pool_free(&pool);
}

static void
test_bad_pushes(void)
{
	static const struct {
		const char *json;
		int secrecy; /* -1: no push at all */
	} rows[] = {
		{ "{}", -1 },
		{ "[]", -1 },
		{ "{\"messageId\":5}", -1 },
		{ "{\"messageId\":\"m\"}", LINNET_CLEAR },
		{ "{\"messageId\":\"m\",\"ciphertext\":\"!\"}",
		    LINNET_UNREADABLE },
		{ "{\"messageId\":\"m\",\"ciphertext\":\"aGk=\"}",
		    LINNET_CLEAR },
		{ "{\"messageId\":\"m\",\"ciphertext\":\"aGk\"}",
		    LINNET_UNREADABLE },
		{ "{\"messageId\":\"m\",\"ciphertext\":\"/w==\"}",
		    LINNET_UNREADABLE },
		{ "{\"messageId\":\"m\",\"nonce\":\"fake-nonce-aaa\","
		  "\"senderPubkey\":\"system\",\"ciphertext\":\"aGVsbG8=\"}",
		    LINNET_CLEAR },
	};
	struct linnet_identity id = { .member = true };
	struct linnet_message m;
	struct pool pool;
	struct json j;
	size_t i;

	pool_init(&pool);
	json_init(&j, 1000, 10);
	for (i = 0; i < NELEM(rows); i++) {
		if (json_read(&j, rows[i].json, strlen(rows[i].json)) != 0)
			abort();
		is_int(linnet_message_read(&m, &pool, &j, &id) == 0
			   ? (int)m.secrecy
			   : -1,
		    rows[i].secrecy, "push %s", rows[i].json);
	}
	json_free(&j);
	pool_free(&pool);
}

#define K1 "1111111111111111111111111111111111111111111111111111111111111111"
#define K2 "2222222222222222222222222222222222222222222222222222222222222222"
#define K3 "3333333333333333333333333333333333333333333333333333333333333333"
#define PEER(name, key, member)                           \
	"{\"displayName\":\"" name "\",\"pubkey\":\"" key \
	"\",\"memberPubkey\":\"" member "\"}"
#define LOST(name, key, member)                           \
	"{\"displayName\":\"" name "\",\"pubkey\":\"" key \
	"\",\"memberPubkey\":\"" member "\",\"status\":\"offline\"}"

#define NONE(name, id, key)                                \
	"{\"displayName\":\"" name "\",\"memberId\":\"" id \
	"\",\"pubkey\":" key ",\"memberPubkey\":null}"

static void
test_names(void)
{
	static const char peers[] = "{\"type\":\"peers_list\",\"peers\":[" PEER(
	    "Bob", K1, K1) "," PEER("\\u00c4nne", K2, K3) "," PEER("twin", K1,
	    K3) "," PEER("Twin", K2, K3) "," PEER("clash", K1,
	    K1) "," PEER("clash", K2,
	    K2) ","
		"{\"displayName\":\"old\",\"pubkey\":\"" K3 "\"},"
		"{\"displayName\":\"keyless\",\"pubkey\":\"\"}," NONE("app",
		    "1", "null") "," NONE("app", "2", "null") "," NONE("phone",
		    "3", "\"" K1 "\"") "," NONE("phone", "3",
		    "\"" K2 "\"") "," LOST("lost", K1, K3) "," PEER("back", K2,
		    K3) "," LOST("back", K1, K3) "," LOST("anew", K1,
		    K3) "," PEER("anew", K2, K3) "," LOST("both", K1,
		    K3) "," LOST("both", K2, K3) "," LOST("heir", K1,
		    K1) "," PEER("heir", K2, K2) "]}";
	static const struct {
		const char *name;
		const char *key; /* or the code of the error */
		const char *says;
	} rows[] = {
		{ "bob", K1, NULL },
		{ "BOB", K1, NULL },
		{ "\xc3\xa4nne", K2, NULL }, /* its own key, not the member's */
		{ "twin", K3, NULL },	     /* two sessions of one member */
		{ "old", K3, NULL },
		{ "clash", "ambiguous_target", "key" },
		{ "lost", K1, NULL }, /* it may return */
		{ "back", K2, NULL }, /* rather who is there */
		{ "anew", K2, NULL },
		{ "both", K3, NULL },
		{ "heir", "ambiguous_target", "key" },
		{ "bo", "unknown_target", NULL },
		{ "keyless", "bad_argument", "no key to encrypt to" },
		{ "app", "ambiguous_target", NULL },   /* neither has a key */
		{ "phone", "bad_argument", "no key" }, /* one, twice */
		{ "bobb", "unknown_target", "mean \"Bob\"" },
		{ "nobody", "unknown_target", "list all peers" },
	};
	char key[LINNET_KEY_SIZE];
	struct linnet_error e;
	size_t i;

	for (i = 0; i < NELEM(rows); i++) {
		int r = linnet_target_find(
		    key, peers, strlen(peers), rows[i].name, &e);

		is_str(r == 0 ? key : e.code, rows[i].key, "%s is found",
		    rows[i].name);
		if (rows[i].says != NULL)
			ok(strstr(e.message, rows[i].says) != NULL, "%s",
			    e.message);
	}
	ok(linnet_target_find(key, "{}", 2, "bob", &e) == -1 &&
		strcmp(e.code, "protocol") == 0,
	    "no list, no name");
	ok(linnet_target_is_many("*") && linnet_target_is_many("@all") &&
		linnet_target_is_many("@dev") && !linnet_target_is_many("bob"),
	    "targets of many");
	ok(linnet_target_is_key(K1) && !linnet_target_is_key("11") &&
		!linnet_target_is_key("bob"),
	    "targets that are keys");
}

int
main(void)
{
	linnet_start();
	test_files();
	test_round_trip();
	test_session_keys();
	test_bad_pushes();
	test_names();
	return tap_done();
}
