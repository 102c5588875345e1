/* SPDX-License-Identifier: ISC */
/*
 * Where files are: the options files.* against each other.
 */
#include <string.h>

#include "conf/conf.h"

char *
conf_files_dir(const struct conf *c)
{
	if (c->files_dir[0] != '\0')
		return xstrdup(c->files_dir);
	return xasprintf("%s/files", c->state_dir);
}

/* What stands in a URL without being encoded. */
static bool
conf_files_is_word(const char *s)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return strspn(s, ok) == strlen(s);
}

static bool
conf_files_is_endpoint(const char *s)
{
	static const char *const schemes[] = { "https://", "http://" };
	size_t i, n;

	for (i = 0; i < NELEM(schemes); i++) {
		n = strlen(schemes[i]);
		if (strncmp(s, schemes[i], n) == 0 && s[n] != '\0')
			return strpbrk(s + n, "/?#@ ") == NULL;
	}
	return false;
}

const char *
conf_files_check(const struct conf *c)
{
	if (c->files_dir[0] != '\0' && c->files_dir[0] != '/')
		return "files.dir does not begin with a slash";
	if (strcmp(c->files_store, "dir") == 0)
		return NULL;
	if (strcmp(c->files_store, "s3") != 0)
		return "files.store is neither dir nor s3";
	if (!conf_files_is_endpoint(c->files_s3_endpoint))
		return "files.s3_endpoint is not http:// or https:// and a "
		       "host, without a path";
	if (!conf_files_is_word(c->files_s3_region) ||
	    !conf_files_is_word(c->files_s3_bucket))
		return "files.s3_region or files.s3_bucket has other "
		       "characters than letters, digits, dots and dashes";
	if (!conf_is_file(c->files_s3_key_file))
		return "files.s3_key_file neither begins with a slash nor is "
		       "credential:NAME; it names the file with the key that "
		       "files.store s3 needs";
	if (c->files_s3_ca_file[0] != '\0' && c->files_s3_ca_file[0] != '/')
		return "files.s3_ca_file does not begin with a slash";
	return NULL;
}
