/* SPDX-License-Identifier: ISC */
/* The key under which tokens are stored: who may read it, and that all who
 * need it first get the same. */
#include "conf/conf.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define FIRST 8

static char dir[] = "/tmp/linnet-secret-XXXXXX";
static char path[sizeof(dir) + sizeof("/token.key")];

/* Many make it at once; each tells the key that it got. */
static void
test_first(const struct conf *c)
{
	uint8_t key[CRYPTO_KEY_LEN], got[CRYPTO_KEY_LEN];
	int fd[2], status, i;
	unsigned same = 0;
	char *error;
	pid_t pid;

	if (pipe(fd) == -1)
		exit(1);
	for (i = 0; i < FIRST; i++) {
		pid = fork();
		if (pid == -1)
			exit(1);
		if (pid > 0)
			continue;
		if (conf_token_key(c, key, &error) != 0 ||
		    write(fd[1], key, sizeof(key)) != sizeof(key))
			_exit(1);
		_exit(0);
	}
	for (i = 0; i < FIRST; i++)
		ok(wait(&status) > 0 && status == 0, "one of many has a key");
	close(fd[1]);
	ok(conf_token_key(c, key, &error) == 0, "it is there");
	while (read(fd[0], got, sizeof(got)) == sizeof(got))
		same += memcmp(key, got, sizeof(key)) == 0;
	is_int(same, FIRST, "all have the same");
	close(fd[0]);
}

static void
test_mode(void)
{
	struct stat st;

	ok(stat(path, &st) == 0 && S_ISREG(st.st_mode), "a file");
	is_int(st.st_mode & 0777, 0600, "for nobody else, whatever the umask");
}

static void
test_wrong(const struct conf *c)
{
	uint8_t key[CRYPTO_KEY_LEN];
	char *error = NULL;

	ok(chmod(path, 0604) == 0, "everybody may read it");
	ok(conf_token_key(c, key, &error) == -1 &&
		strstr(error, "everybody can use it") != NULL,
	    "says: %s", error);
	free(error);
	error = NULL;
	ok(chmod(path, 0600) == 0 && truncate(path, 62) == 0, "cut off");
	ok(conf_token_key(c, key, &error) == -1 &&
		strstr(error, "no key of 64 hex digits") != NULL,
	    "says: %s", error);
	free(error);
}

/* Nothing else is left there. */
static void
test_end(void)
{
	ok(unlink(path) == 0, "the file goes");
	ok(rmdir(dir) == 0, "and nothing else was there");
}

int
main(void)
{
	struct conf *c = conf_new();
	char *error = NULL;
	char *text;

	crypto_start();
	umask(0);
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/token.key", dir);
	text = xasprintf("state_dir %s\n", dir);
	ok(conf_read(c, "f", text, strlen(text), &error) == 0, "configured");
	free(text);
	test_first(c);
	test_mode();
	test_wrong(c);
	test_end();
	conf_free(c);
	return tap_done();
}
