/* SPDX-License-Identifier: ISC */
/*
 * Prints the configuration: an option a line, in the order of options.def,
 * with the value that is in force.  It must read back to the same values:
 * this text is what the master sends to the other processes.
 */
#include "conf/conf.h"

#include <stdio.h>
#include <string.h>

/* A word that the parser would not take whole needs quotes. */
static void
conf_print_word(struct buf *b, const char *s)
{
	if (*s != '\0' && strpbrk(s, " \t\n\"#;{}") == NULL) {
		buf_adds(b, s);
		return;
	}
	buf_addc(b, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(b, '\\');
		if (*s == '\n')
			buf_adds(b, "\\n");
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '"');
}

static void
conf_print_num(struct buf *b, enum conf_type type, int64_t v)
{
	char text[32];

	if (type == CONF_TIME)
		str_print_duration(text, v);
	else if (type == CONF_SIZE)
		str_print_size(text, v);
	else
		snprintf(text, sizeof(text), "%lld", (long long)v);
	buf_adds(b, text);
}

/* The entries with something between them; an empty word for an empty list. */
static void
conf_print_list(const struct conf_list *l, const char *between, struct buf *b)
{
	size_t i;

	if (l->n == 0)
		conf_print_word(b, "");
	for (i = 0; i < l->n; i++) {
		if (i != 0)
			buf_adds(b, between);
		conf_print_word(b, l->v[i]);
	}
}

void
conf_print_value(
    const struct conf *c, const struct conf_option *o, struct buf *b)
{
	const void *v = conf_value(c, o);

	switch (o->type) {
	case CONF_STR:
		conf_print_word(b, *(char *const *)v);
		break;
	case CONF_BOOL:
		buf_adds(b, *(const bool *)v ? "yes" : "no");
		break;
	case CONF_LIST:
		conf_print_list(v, " ", b);
		break;
	default:
		conf_print_num(b, o->type, *(const int64_t *)v);
		break;
	}
}

/* A list is given an entry a line, which keeps the lines short. */
void
conf_print(const struct conf *c, struct buf *b)
{
	const struct conf_option *o;
	char between[64];

	for (o = conf_options; o < conf_options + CONF_COUNT; o++) {
		buf_addf(b, "%s ", o->name);
		if (o->type == CONF_LIST) {
			snprintf(between, sizeof(between), "\n%s ", o->name);
			conf_print_list(conf_value(c, o), between, b);
		} else {
			conf_print_value(c, o, b);
		}
		buf_addc(b, '\n');
	}
}
