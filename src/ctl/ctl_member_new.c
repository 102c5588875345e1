/* SPDX-License-Identifier: ISC */
/*
 * New members without a key, and passwords.  A password comes from a terminal
 * that does not show it, or from standard input; never from the command line,
 * which others can see.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define NEW_NAME_MAX 256
#define PASSWORD_MIN 8
#define PASSWORD_MAX 1024

/* One of the words of an option's table. */
static const char *
new_word(const struct ctl *c, const char *option, const char *otherwise)
{
	const char *given = ctl_given(c, option);

	return given != NULL ? given : otherwise;
}

void
ctl_member_create(struct ctl *c)
{
	const char *name = c->args[1];
	const char *kind = new_word(c, "kind", table_kinds[0]);
	const char *role = new_word(c, "role", table_roles[ROLE_MEMBER].name);
	char folded[2 * NEW_NAME_MAX + 1], hex[ID_HEX_LEN + 1];
	const char *const pairs[] = { "memberId", hex, "name", name, "kind",
		kind, "role", role, NULL };
	size_t n = strlen(name);
	struct db_params *p;
	struct ctl_mesh m;
	struct id id;

	if (n > (size_t)c->conf->limit_name || n > NEW_NAME_MAX ||
	    !str_is_name(name, n))
		ctl_fail(EX_DATAERR,
		    "\"%s\" is no name: at most %lld bytes, without blanks "
		    "around and characters that cannot be seen",
		    name, (long long)c->conf->limit_name);
	ctl_mesh_find(c, &m, c->args[0], 0);
	id_new(&id);
	id_hex(&id, hex);
	p = db_params(STMT_member_add);
	db_put_id(p, &id);
	db_put_id(p, &m.id);
	db_put_str(p, name);
	db_put_text(p, folded, str_fold(folded, name, n));
	db_put_str(p, kind);
	db_put_str(p, role);
	db_put_id(p, NULL);
	/* Without a token. */
	db_put_id(p, NULL);
	db_put_bytes(p, NULL, 0);
	db_put_bytes(p, NULL, 0);
	db_put_texts(p, NULL, 0);
	db_put_null(p);
	db_put_id(p, NULL);
	ctl_query(c, p, NULL, NULL);
	ctl_print_done(c, pairs,
	    "%s is a member of mesh %s, id %s; next: linnetctl token create "
	    "%s %s, or linnetctl member password %s %s",
	    name, m.slug, hex, m.slug, hex, m.slug, hex);
}

/* A line, of which a terminal shows nothing.  Returns its length. */
static size_t
password_line(const char *prompt, char out[PASSWORD_MAX + 2])
{
	bool terminal = isatty(STDIN_FILENO) == 1;
	struct termios before, quiet;
	sigset_t all, mask;

	if (terminal) {
		fputs(prompt, stderr);
		sigfillset(&all);
		/* A terminal that stays without echo is worse than waiting. */
		sigprocmask(SIG_BLOCK, &all, &mask);
		if (tcgetattr(STDIN_FILENO, &before) != 0)
			ctl_fail(EX_OSERR, "the terminal does not answer");
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	if (fgets(out, PASSWORD_MAX + 2, stdin) == NULL)
		out[0] = '\0';
	if (terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
		sigprocmask(SIG_SETMASK, &mask, NULL);
	}
	out[strcspn(out, "\n")] = '\0';
	return strlen(out);
}

static void
password_read(char out[PASSWORD_MAX + 2])
{
	char again[PASSWORD_MAX + 2];
	size_t n = password_line("Password: ", out);

	if (n < PASSWORD_MIN || n > PASSWORD_MAX)
		ctl_fail(EX_DATAERR,
		    "a password has %d bytes at least, and %d at most",
		    PASSWORD_MIN, PASSWORD_MAX);
	if (!str_utf8(out, n))
		ctl_fail(EX_DATAERR, "a password is UTF-8");
	if (isatty(STDIN_FILENO) != 1)
		return;
	(void)password_line("The same again: ", again);
	if (strcmp(out, again) != 0)
		ctl_fail(EX_DATAERR, "these are two passwords; nothing was "
				     "done");
	crypto_wipe(again, sizeof(again));
}

void
ctl_member_password(struct ctl *c)
{
	char password[PASSWORD_MAX + 2], stored[CRYPTO_PASSWORD_LEN];
	char id[ID_HEX_LEN + 1];
	const char *const pairs[] = { "memberId", id, NULL };
	struct ctl_member member;
	struct db_params *p;
	struct ctl_mesh m;

	ctl_mesh_find(c, &m, c->args[0], CTL_MESH_ARCHIVED);
	ctl_member_find(c, &m, &member, c->args[1]);
	id_hex(&member.id, id);
	password_read(password);
	if (crypto_password(stored, password, strlen(password)) != 0)
		ctl_fail(EX_TEMPFAIL, "there is no memory for a password, "
				      "which takes 64 MiB");
	crypto_wipe(password, sizeof(password));
	p = db_params(STMT_password_put);
	db_put_id(p, &member.id);
	db_put_id(p, &m.id);
	db_put_str(p, stored);
	db_put_id(p, NULL);
	ctl_query(c, p, NULL, NULL);
	ctl_tell(c, &m.id, &member.id);
	ctl_print_done(c, pairs,
	    "%s logs in with this password now, by the workspace %s and the "
	    "name %s",
	    member.name, m.slug, member.name);
}
