/* SPDX-License-Identifier: ISC */
/*
 * Attestations of session keys: what is good, and each thing that may be wrong
 * with one.  The signatures were made by another implementation of Ed25519,
 * with the seeds 11..11 (member) and 22..22 (session).
 */
#include "core/domain.h"
#include "tap.h"

#define MEMBER \
	"d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
#define SESSION \
	"a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0"
#define MESH "0198c0de00007000800000000000000a"
/* By the member over claudemesh-session-attest|MEMBER|SESSION|EXPIRES. */
#define ATTESTED                                                              \
	"c8f2ff59af2d1bad33e76b7fde026670b664dd7a141ab0749e6e0dd24fdbbb8da65" \
	"25d1758956e4fd12dee37b1f1909fa44f61ebad20e7d88cf927e8e02b7f07"
/* By the session over the same text. */
#define ATTESTED_ITSELF                                                       \
	"10082f050283a0f1f45de7c1b3bd3b58a585a5cac9c22c208e9c34b2770cda065d4" \
	"5f10a05a12ff60925cb7717c10b2c0bdb90ba2c95a3ae01627251c6a0340d"
/* By the session over claudemesh-session-hello|MESH|MEMBER|SESSION|SAID. */
#define HELLO                                                                 \
	"8a1f013a1177fcc7a9cce841444f69ecf2c9f680256c0d9fb46aa6d87579eec9a32" \
	"c90a38b89faecfea1dc89dab4f6e909b30dc3370ae9e237fe3cd8ae22b101"
#define EXPIRES INT64_C(1795348800000)
#define SAID INT64_C(1795305600000)
#define HOUR INT64_C(3600000)

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static void
unhex(void *out, size_t n, const char *hex)
{
	if (crypto_unhex(out, n, hex, strlen(hex)) != 0)
		ok(false, "hex of this test");
}

static void
test_keys(void)
{
	static const struct {
		const char *hex;
		int want;
		const char *what;
	} rows[] = {
		{ MEMBER, 0, "64 digits in lower case" },
		{ "", -1, "nothing" },
		{ "d04ab232", -1, "too few" },
		{ MEMBER "00", -1, "too many" },
		{ "D04AB232742BB4AB3A1368BD4615E4E6D0224AB71A016BAF8520A332C97"
		  "78737",
		    -1, "capitals" },
		{ "g04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c97"
		  "78737",
		    -1, "no hex" },
	};
	uint8_t key[CRYPTO_KEY_LEN];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(attestation_key(key, text(rows[i].hex)), rows[i].want,
		    "key: %s", rows[i].what);
}

static void
test_attestations(void)
{
	static const struct {
		const char *what;
		const char *member;
		const char *session;
		const char *signature;
		int64_t expires;
		int64_t now;
		enum err want;
	} rows[] = {
		{ "a good one", MEMBER, SESSION, ATTESTED, EXPIRES,
		    EXPIRES - 12 * HOUR, ERR_NONE },
		{ "its last moment", MEMBER, SESSION, ATTESTED, EXPIRES,
		    EXPIRES - 1, ERR_NONE },
		{ "that is over", MEMBER, SESSION, ATTESTED, EXPIRES, EXPIRES,
		    ERR_EXPIRED },
		{ "from long ago", MEMBER, SESSION, ATTESTED, EXPIRES,
		    EXPIRES + 1000 * HOUR, ERR_EXPIRED },
		{ "24 hours ahead", MEMBER, SESSION, ATTESTED, EXPIRES,
		    EXPIRES - 24 * HOUR, ERR_NONE },
		{ "more than that", MEMBER, SESSION, ATTESTED, EXPIRES,
		    EXPIRES - 24 * HOUR - 1, ERR_TTL_TOO_LONG },
		{ "as far as numbers go", MEMBER, SESSION, ATTESTED, INT64_MAX,
		    EXPIRES, ERR_TTL_TOO_LONG },
		{ "another time", MEMBER, SESSION, ATTESTED, EXPIRES + 1,
		    EXPIRES - HOUR, ERR_BAD_SIGNATURE },
		{ "another session key", MEMBER, MEMBER, ATTESTED, EXPIRES,
		    EXPIRES - HOUR, ERR_BAD_SIGNATURE },
		{ "another member", SESSION, SESSION, ATTESTED, EXPIRES,
		    EXPIRES - HOUR, ERR_BAD_SIGNATURE },
		{ "signed by the session", MEMBER, SESSION, ATTESTED_ITSELF,
		    EXPIRES, EXPIRES - HOUR, ERR_BAD_SIGNATURE },
	};
	uint8_t key[CRYPTO_KEY_LEN];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attestation a = {
			.member_key = text(rows[i].member),
			.session_key = text(rows[i].session),
			.expires_ms = rows[i].expires,
		};

		unhex(a.signature, sizeof(a.signature), rows[i].signature);
		unhex(key, sizeof(key), rows[i].member);
		is_int(attestation_check(&a, key, rows[i].now), rows[i].want,
		    "attestation: %s", rows[i].what);
	}
}

static void
test_hellos(void)
{
	static const struct {
		const char *what;
		const char *mesh;
		const char *session;
		const char *signature;
		int64_t said;
		bool want;
	} rows[] = {
		{ "a good one", MESH, SESSION, HELLO, SAID, true },
		{ "another mesh", "0198c0de00007000800000000000000b", SESSION,
		    HELLO, SAID, false },
		{ "another time", MESH, SESSION, HELLO, SAID + 1, false },
		{ "another key", MESH, MEMBER, HELLO, SAID, false },
		{ "signed for something else", MESH, SESSION, ATTESTED_ITSELF,
		    SAID, false },
	};
	uint8_t key[CRYPTO_KEY_LEN], sig[CRYPTO_SIG_LEN];
	struct id mesh;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attestation a = {
			.member_key = text(MEMBER),
			.session_key = text(SESSION),
		};

		unhex(mesh.b, sizeof(mesh.b), rows[i].mesh);
		unhex(key, sizeof(key), rows[i].session);
		unhex(sig, sizeof(sig), rows[i].signature);
		ok(attestation_check_hello(&a, &mesh, rows[i].said, sig, key) ==
			rows[i].want,
		    "hello: %s", rows[i].what);
	}
}

int
main(void)
{
	crypto_start();
	test_keys();
	test_attestations();
	test_hellos();
	return tap_done();
}
