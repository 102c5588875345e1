/* SPDX-License-Identifier: ISC */
/* linnet_invite.c: forms of links, and what is not believed. */
#include "lib/lib.h"

#include <stdlib.h>

#include "tap.h"

static const char signed_text[] =
    "1|01a1fc26f850701ab1b21869bbb78ffb|a\"mesh|ws://127.0.0.1:7900/ws|"
    "1795318174|root|member|";

/* A token as the owner's tool makes it, in an owner's name. */
static char *
make_token(const char *slug, const char *owner_of_name, bool sign)
{
	uint8_t pub[CRYPTO_KEY_LEN], secret[CRYPTO_SECRET_LEN];
	uint8_t sig[CRYPTO_SIG_LEN];
	char hex[2 * CRYPTO_KEY_LEN + 1], sighex[2 * CRYPTO_SIG_LEN + 1];
	char *text, *json, *token;

	crypto_new_pair(pub, secret);
	crypto_hex(hex, pub, sizeof(pub));
	text = xasprintf("%s%s", signed_text, hex);
	crypto_make_sig(sig, text, strlen(text), secret);
	if (!sign)
		sig[0] ^= 1;
	crypto_hex(sighex, sig, sizeof(sig));
	json = xasprintf(
	    "{\"v\":1,\"mesh_id\":\"01a1fc26f850701ab1b21869bbb78ffb\","
	    "\"mesh_slug\":\"%s\",\"broker_url\":\"ws://127.0.0.1:7900/ws\","
	    "\"expires_at\":1795318174,\"mesh_root_key\":\"root\","
	    "\"role\":\"member\",\"owner_pubkey\":\"%s\","
	    "\"signature\":\"%s\"}",
	    slug, owner_of_name != NULL ? owner_of_name : hex, sighex);
	token = malloc(CRYPTO_B64_LEN(strlen(json)));
	crypto_base64(token, json, strlen(json), CRYPTO_B64_URL);
	free(text);
	free(json);
	return token;
}

static void
refused(const char *link, const char *code, const char *what)
{
	struct linnet_error e = { .code = "accepted" };
	struct linnet_invite *v = linnet_invite_read(link, &e);

	is_str(e.code, code, "%s", what);
	linnet_invite_free(v);
}

static void
test_forms(const char *token)
{
	static const char *const forms[] = { "linnet://join/%s", "ic://join/%s",
		"https://example.org/join/%s", "http://h:1/join/x/join/%s",
		"%s", "  %s\n", "https://h/en/join/%s?utm=1",
		"LINNET://JOIN/%s", "linnet://join/%s/" };
	struct linnet_invite *v;
	struct linnet_error e;
	char link[4096];
	size_t i;

	for (i = 0; i < NELEM(forms); i++) {
		const char *mark = strstr(forms[i], "%s");

		snprintf(link, sizeof(link), "%.*s%s%s", (int)(mark - forms[i]),
		    forms[i], token, mark + 2);
		v = linnet_invite_read(link, &e);
		ok(v != NULL && strcmp(v->token, token) == 0, "link %s",
		    forms[i]);
		linnet_invite_free(v);
	}
}

static void
test_content(const char *token)
{
	struct linnet_error e;
	struct linnet_invite *v = linnet_invite_read(token, &e);

	is_str(v->mesh_id, "01a1fc26f850701ab1b21869bbb78ffb", "the mesh");
	is_str(v->mesh_slug, "a\"mesh", "its slug, without escapes");
	is_str(v->broker_url, "ws://127.0.0.1:7900/ws", "its broker");
	is_str(v->role, "member", "the role");
	is_int(v->expires_at, 1795318174, "the end of its time");
	ok(v->payload[0] == '{', "what it says, as JSON");
	linnet_invite_free(v);
}

int
main(void)
{
	char *token, *forged, *other, *renamed, *cut;

	crypto_start();
	token = make_token("a\\\"mesh", NULL, true);
	test_forms(token);
	test_content(token);
	forged = make_token("a\\\"mesh", NULL, false);
	refused(forged, "invite_bad_signature", "a signature with one bit off");
	renamed = make_token("elsewhere", NULL, true);
	refused(renamed, "invite_bad_signature", "a slug that was not signed");
	other = make_token("a\\\"mesh",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
	    true);
	refused(other, "invite_bad_signature", "another owner's name");
	cut = strdup(token);
	cut[strlen(cut) / 2] = '\0';
	refused(cut, "bad_invite", "half of a token");
	refused("", "bad_invite", "nothing");
	refused("linnet://join/", "bad_invite", "a link without a token");
	refused("https://example.org/nothing/in/here/to/join", "bad_invite",
	    "some page");
	refused("!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", "bad_invite", "no base64");
	refused("e30e30e30e30e30e30e30", "bad_invite", "no JSON");
	refused("WzEsMiwzLDQsNSw2LDcsOCw5LDEwXQ", "bad_invite", "an array");
	free(token);
	free(forged);
	free(renamed);
	free(other);
	free(cut);
	return tap_done();
}
