/* SPDX-License-Identifier: ISC */
/*
 * Questions to a person: a line each, on stderr and from standard input, and
 * only when there is a person.
 */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

#define PROMPT_MAX 4096

bool
cli_prompt_can(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

const char *
cli_prompt_line(struct cli *c, const char *question, const char *otherwise)
{
	char line[PROMPT_MAX];
	size_t n;

	if (otherwise != NULL && otherwise[0] != '\0')
		fprintf(stderr, "%s [%s]: ", question,
		    cli_print_safe(c, otherwise));
	else
		fprintf(stderr, "%s: ", question);
	fflush(stderr);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		fputc('\n', stderr);
		return NULL;
	}
	n = strcspn(line, "\n");
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	if (n == 0)
		return otherwise != NULL ? otherwise : "";
	return pool_strndup(&c->pool, line, n);
}

bool
cli_prompt_yes(struct cli *c, const char *question)
{
	const char *answer = cli_prompt_line(
	    c, pool_printf(&c->pool, "%s [Y/n]", question), NULL);

	return answer != NULL &&
	       (answer[0] == '\0' || answer[0] == 'y' || answer[0] == 'Y');
}
