/* SPDX-License-Identifier: ISC */
/*
 * Values of options: which member of struct bench_options each one sets.  Their
 * texts stand in bench.c; scenarios and sets give other defaults by the same
 * names.
 */
#include "config.h"

#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_type {
	OPTION_NUMBER,
	OPTION_TIME,
	OPTION_TEXT,
	OPTION_FLAG
};

#define AT(member) offsetof(struct bench_options, member)
static const struct option {
	const char *name;
	enum option_type type;
	size_t at;
	int64_t min, max;
	const char *start; /* NULL: nothing */
} option_all[] = {
	{ "servers", OPTION_TEXT, AT(servers), 0, 0, "linnet" },
	{ "rounds", OPTION_NUMBER, AT(rounds), 1, 1000, "3" },
	{ "warm", OPTION_TIME, AT(warm_ms), 0, 3600000, "1s" },
	{ "duration", OPTION_TIME, AT(duration_ms), 10, 86400000, "5s" },
	{ "hands", OPTION_NUMBER, AT(hands), 0, BENCH_HANDS_MAX, "0" },
	{ "threads", OPTION_NUMBER, AT(threads), 0, 1024, "0" },
	{ "size", OPTION_NUMBER, AT(size), BENCH_PAYLOAD_MIN, BENCH_PAYLOAD_MAX,
	    "100" },
	{ "connections", OPTION_NUMBER, AT(connections), 0, 10000000, "1000" },
	{ "senders", OPTION_NUMBER, AT(senders), 1, 1000000, "1" },
	{ "group", OPTION_NUMBER, AT(group), 1, 10000000, "1000" },
	{ "window", OPTION_NUMBER, AT(window), 0, 100000, "1" },
	{ "rate", OPTION_NUMBER, AT(rate), 0, 100000000, "0" },
	{ "rate-group", OPTION_NUMBER, AT(rate_group), 1, 100000000, "10" },
	{ "rate-state", OPTION_NUMBER, AT(rate_state), 1, 100000000, "10" },
	{ "stored", OPTION_NUMBER, AT(stored), 0, 1000000000, "0" },
	{ "tls", OPTION_FLAG, AT(tls), 0, 0, NULL },
	{ "client-acks", OPTION_FLAG, AT(client_acks), 0, 0, NULL },
	{ "spin", OPTION_FLAG, AT(spin), 0, 0, NULL },
	{ "server-cpus", OPTION_TEXT, AT(server_cpus), 0, 0, NULL },
	{ "client-cpus", OPTION_TEXT, AT(client_cpus), 0, 0, NULL },
	{ "scripts", OPTION_TEXT, AT(scripts), 0, 0, BENCH_SCRIPTS },
	{ "linnetd", OPTION_TEXT, AT(linnetd), 0, 0, NULL },
	{ "address", OPTION_TEXT, AT(address), 0, 0, NULL },
	{ "seed", OPTION_TEXT, AT(seed), 0, 0, NULL },
	{ "pid", OPTION_NUMBER, AT(pid), 1, 1 << 30, NULL },
};
#undef AT

static const char *
option_put(struct bench_options *o, const struct option *p, const char *value)
{
	char *at = (char *)o + p->at;
	const char *error = NULL;
	int64_t n = 0;

	switch (p->type) {
	case OPTION_NUMBER:
	case OPTION_TIME:
		if (p->type == OPTION_NUMBER)
			error = str_num(value, p->min, p->max, &n);
		else if ((error = str_duration(value, &n)) == NULL &&
			 (n < p->min || n > p->max))
			error = "is out of range";
		if (error == NULL)
			memcpy(at, &n, sizeof(n));
		break;
	case OPTION_TEXT:
		memcpy(at, &value, sizeof(value));
		break;
	case OPTION_FLAG:
		*(bool *)at = true;
		break;
	}
	return error;
}

const char *
bench_option_set(struct bench_options *o, const char *name, const char *value)
{
	size_t i;

	if (strcmp(name, "set") == 0) {
		if (o->nsettings == BENCH_SETTINGS_MAX)
			return "comes too often";
		o->settings[o->nsettings++] = value;
		return NULL;
	}
	for (i = 0; i < NELEM(option_all); i++)
		if (strcmp(option_all[i].name, name) == 0)
			return option_put(o, &option_all[i], value);
	return NULL; /* it sets something else */
}

void
bench_option_print(
    struct buf *b, const struct bench_options *o, const char *name)
{
	char text[32];
	int64_t n;
	size_t i;

	for (i = 0; i < NELEM(option_all); i++) {
		const struct option *p = &option_all[i];

		if (strcmp(p->name, name) != 0 || p->type > OPTION_TIME)
			continue;
		memcpy(&n, (const char *)o + p->at, sizeof(n));
		snprintf(text, sizeof(text), "%lld", (long long)n);
		if (p->type == OPTION_TIME)
			str_print_duration(text, n);
		buf_adds(b, text);
	}
}

void
bench_option_set_all(struct bench_options *o, const char *settings)
{
	static struct pool texts; /* values stay as long as the process */
	char *rest = pool_strndup(&texts, settings, strlen(settings));
	char *word, *value;
	const char *error;

	while ((word = strsep(&rest, " ")) != NULL) {
		if (*word == '\0')
			continue;
		if ((value = strchr(word, '=')) != NULL)
			*value++ = '\0';
		error = bench_option_set(o, word, value != NULL ? value : "");
		if (error != NULL)
			fatalx("%s: %s %s", settings, word, error);
	}
}

void
bench_option_defaults(struct bench_options *o)
{
	const char *error;
	size_t i;

	memset(o, 0, sizeof(*o));
	for (i = 0; i < NELEM(option_all); i++) {
		if (option_all[i].start == NULL)
			continue;
		error = option_put(o, &option_all[i], option_all[i].start);
		if (error != NULL)
			fatalx("%s %s", option_all[i].name, error);
	}
}
