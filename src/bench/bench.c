/* SPDX-License-Identifier: ISC */
/*
 * The commands of linnet-bench and their options.  The manual's lists are what
 * `linnet-bench help --mdoc` prints from here.
 */
#include "config.h"

#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct usage_option bench_globals[] = {
	{ "servers", 's', "names",
	    "Servers that take part, with commas between, or all. The first "
	    "one is compared with each of the others." },
	{ "rounds", 'n', "number", "How often each of them is measured." },
	{ "warm", 0, "time", "How long it runs before that counts." },
	{ "duration", 'd', "time", "How long it is measured." },
	{ "hands", 0, "number",
	    "Processes that make the load. 0: as many as the descriptors of "
	    "so many connections need, at least one." },
	{ "threads", 't', "number",
	    "Threads or workers of a server that can have several. 0: one per "
	    "processor." },
	{ "size", 0, "bytes", "Size of a message's text." },
	{ "window", 'w', "number",
	    "Messages of a sender that may be under way at a time. 0, with a "
	    "rate: no limit." },
	{ "rate", 'r', "number",
	    "Messages a second, of all senders together, sent when they are "
	    "due; latencies count from then. 0: each as soon as one that was "
	    "under way is complete." },
	{ "tls", 0, NULL,
	    "With TLS, and a certificate made for it. Servers that are not "
	    "started with TLS here are left out." },
	{ "client-acks", 0, NULL,
	    "Receivers say that they have a message, as agents do. Without "
	    "it a message counts as had when it was written to them." },
	{ "spin", 0, NULL,
	    "The load never sleeps: it takes its processors whole, and its "
	    "own waking up is in no figure." },
	{ "server-cpus", 0, "list",
	    "Processors for the servers, as 0,2-3, their databases included." },
	{ "client-cpus", 0, "list", "Processors for the load." },
	{ "set", 'o', "setting",
	    "A setting for linnetd, as in linnetd.conf(5). May be given more "
	    "than once." },
	{ "linnetd", 0, "file",
	    "The linnetd to measure, with linnetctl beside it. Without it "
	    "those beside linnet-bench, or of the PATH." },
	{ "address", 0, "address",
	    "IPv4 address and port of a server that runs already." },
	{ "seed", 0, "file",
	    "What linnetctl seed printed for the linnetd at --address." },
	{ "pid", 0, "number",
	    "The first process of the server at --address, whose processor "
	    "time and memory are then measured with those of all below it." },
	{ "scripts", 0, "file",
	    "Directory of the programs that make libraries into servers." },
	{ "all", 'a', NULL,
	    "Show all figures of the scenarios of a set. JSON always has "
	    "them." },
	{ "json", 'j', NULL, "JSON instead of tables." },
	{ "save", 0, "file", "Write JSON to a file as well." },
	{ "svg", 0, "file", "Draw the figures into a file." },
	{ "quiet", 'q', NULL, "Do not say on stderr what is being done." },
	{ "help", 'h', NULL, "Help, of a command after one." },
	{ "version", 'V', NULL, "The version." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_set[] = {
	{ "connections", 'c', "number", "Connections that are only there." },
	{ "senders", 'p', "number",
	    "Senders of direct messages, each with its receiver." },
	{ "group", 'g', "number", "Receivers of multicasts." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_growth[] = {
	{ "group", 'g', "number", "Receivers in the large group." },
	{ "stored", 0, "number", "Messages where there are many." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_idle[] = {
	{ "connections", 'c', "number", "Connections." },
	{ NULL, 0, NULL, NULL },
};

/* Direct has all of them, multicast all but the first. */
static const struct usage_option bench_of_pairs[] = {
	{ "stored", 0, "number",
	    "Messages that were sent and delivered before." },
	{ "senders", 'p', "number", "Senders, each with its receiver." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_fanout[] = {
	{ "group", 'g', "number", "Receivers." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_mixed[] = {
	{ "senders", 'p', "number",
	    "Senders of direct messages, each with its receiver." },
	{ "group", 'g', "number", "Receivers of multicasts." },
	{ "rate-group", 0, "number", "Multicasts a second." },
	{ "rate-state", 0, "number", "State changes a second." },
	{ "connections", 'c', "number", "Connections that are only there." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_channels[] = {
	{ "stored", 0, "number", "Messages that were posted before." },
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_help[] = {
	{ "mdoc", 0, NULL, NULL }, /* for the manual */
	{ NULL, 0, NULL, NULL },
};

static const struct usage_option bench_of_none[] = {
	{ NULL, 0, NULL, NULL },
};

static const struct usage_command bench_commands[] = {
	{ "compare", NULL, "", bench_of_set,
	    "Measure linnetd and every other server that is installed in a set "
	    "of scenarios, and print ratios.",
	    "It takes less than ten minutes. Options change all scenarios of "
	    "the set." },
	{ "growth", NULL, "", bench_of_growth,
	    "Measure linnetd small and large: with 1,000 and 19,000 "
	    "connections, with none and 3,000,000 messages stored, and with "
	    "1,000,000 and none posted to channels.",
	    NULL },
	{ "idle", NULL, "", bench_of_idle,
	    "Open connections, then sessions, and see what they cost.",
	    "First connections without a hello; they are closed, and sessions "
	    "are opened and left alone. Each round has a server that was just "
	    "started. User memory is what the processes wrote to; kernel "
	    "memory is what slab and sockets of the whole machine grew by, of "
	    "both ends." },
	{ "direct", NULL, "", bench_of_pairs,
	    "Messages from senders to their receivers.",
	    "linnetd stores each before it delivers and answers it." },
	{ "multicast", NULL, "", bench_of_pairs + 1,
	    "The same through groups of one, which are delivered at once and "
	    "recorded after that.",
	    NULL },
	{ "fanout", NULL, "", bench_of_fanout,
	    "Messages from one sender to a group.",
	    "A message is complete when all have it and it is answered, where "
	    "the server answers." },
	{ "state", NULL, "", bench_of_fanout,
	    "Changes of a shared key, which everybody is told of.", NULL },
	{ "storm", NULL, "", bench_of_idle,
	    "Everybody loses the connection at once, and comes back.", NULL },
	{ "mixed", NULL, "", bench_of_mixed,
	    "Direct messages, multicasts and state changes at the same time.",
	    NULL },
	{ "channels", NULL, "", bench_of_channels,
	    "Read a page of a channel, search channels, and list them with "
	    "what is unread, one thing at a time.",
	    "There are 64 channels, half of them private. Searches are "
	    "measured while memory is derived of what was posted, and again "
	    "when that is done, some ten minutes after a million messages." },
	{ "servers", NULL, "", bench_of_none,
	    "List the servers, and say which are installed.", NULL },
	{ "completion", NULL, USAGE_SHELLS, bench_of_none,
	    "Print a script for completion in a shell.", NULL },
	{ "help", NULL, "[command]", bench_of_help,
	    "Print help, of a command or of all.", NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

static const struct usage bench_usage = { "linnet-bench", "linnet-bench(1)",
	bench_globals, bench_commands };

static int
bench_print(struct buf *b, const char *file)
{
	FILE *f = file != NULL ? fopen(file, "we") : stdout;
	bool good = f != NULL && !b->failed;

	good = good && fwrite(b->data, 1, b->len, f) == b->len;
	if (f != NULL && (file != NULL ? fclose(f) : fflush(f)) != 0)
		good = false;
	buf_free(b);
	if (good)
		return 0;
	log_error("%s: cannot be written", file != NULL ? file : "stdout");
	return EX_CANTCREAT;
}

static int
bench_help(const struct usage_line *l)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	if (usage_given(l, "mdoc") != NULL)
		usage_mdoc(l->usage, &b);
	else if (l->nwords == 0)
		usage_help(l->usage, &b);
	else if (!usage_help_words(l->usage, l->words, l->nwords, &b)) {
		buf_free(&b);
		fprintf(stderr, "linnet-bench: there is no command \"%s\"\n",
		    l->words[0]);
		return EX_USAGE;
	}
	return bench_print(&b, NULL);
}

static int
bench_completion(const struct usage_line *l)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	(void)usage_complete(l->usage, l->words[0], &b);
	return bench_print(&b, NULL);
}

static int
bench_list(const struct usage_line *l)
{
	const struct bench_peer *p;
	struct bench_options o;
	char version[80];
	const char *error;
	struct buf b;
	size_t i;
	bool there;

	bench_option_defaults(&o);
	for (i = 0; i < l->ngiven; i++)
		if ((error = bench_option_set(&o, l->given[i].option->name,
			 l->given[i].value)) != NULL)
			fatalx("--%s %s", l->given[i].option->name, error);
	buf_init(&b, 1u << 20);
	for (p = bench_peers; p->name != NULL; p++) {
		there = bench_peer_probe(p, &o, version, sizeof(version));
		buf_addf(&b, "%-15s %-9s %s (%s)\n%-25s %s\n", p->name,
		    there ? "installed" : "missing", p->text, version, "",
		    p->does);
	}
	return bench_print(&b, NULL);
}

/* Where it was, and who took part. */
static void
bench_head(struct buf *b, const struct bench_match *m, unsigned n)
{
	char when[CLOCK_RFC3339_LEN + 1];

	clock_update();
	clock_format(clock_wall(), when);
	buf_addf(b, "linnet-bench %s, %.10s\n%s\n\n", PACKAGE_VERSION, when,
	    bench_report_machine());
	bench_report_servers(b, m, n);
}

static int
bench_put(const struct usage_line *l, const struct bench_match *m, unsigned n)
{
	bool json = usage_given(l, "json") != NULL;
	const char *file;
	int status = 0;
	struct buf b;
	unsigned i;

	buf_init(&b, 64u << 20);
	if (json)
		bench_json(&b, m, n);
	else {
		bench_head(&b, m, n);
		for (i = 0; i < n; i++)
			bench_report_match(&b, &m[i]);
		bench_goal_report(&b, m, n);
	}
	status = bench_print(&b, NULL);
	if ((file = usage_given(l, "save")) != NULL) {
		buf_init(&b, 64u << 20);
		bench_json(&b, m, n);
		status |= bench_print(&b, file);
	}
	if ((file = usage_given(l, "svg")) != NULL) {
		buf_init(&b, 64u << 20);
		bench_plot(&b, m, n);
		status |= bench_print(&b, file);
	}
	return status != 0 ? EX_CANTCREAT : 0;
}

static int
bench_run_rows(const struct usage_line *l, const struct bench_row *rows)
{
	struct bench_match *m = NULL;
	unsigned n = 0, i;
	int status = 0, put;

	bench_proc_catch();
	for (; rows->scenario != NULL && !bench_proc_interrupted(); rows++) {
		m = xreallocarray(m, n + 1, sizeof(*m));
		if (!bench_set_match(&m[n], rows, l)) {
			log_warn("nobody takes part in: %s", m[n].title);
			bench_set_free(&m[n]);
			continue;
		}
		if (bench_lead_match(&m[n++]) != 0)
			status = EX_SOFTWARE;
	}
	if (n == 0)
		status = EX_UNAVAILABLE;
	put = bench_put(l, m, n);
	for (i = 0; i < n; i++)
		bench_set_free(&m[i]);
	free(m);
	return status != 0 ? status : put;
}

static int
bench_command(const struct usage_line *l)
{
	const char *name = l->command->name;
	const struct bench_set *set = bench_set_find(name);
	const struct bench_row one[] = { { .scenario = name },
		{ .scenario = NULL } };

	if (set != NULL)
		return bench_run_rows(l, set->rows);
	if (bench_scenario_find(name) != NULL)
		return bench_run_rows(l, one);
	if (strcmp(name, "servers") == 0)
		return bench_list(l);
	if (strcmp(name, "completion") == 0)
		return bench_completion(l);
	return bench_help(l);
}

int
bench_main(int argc, char **argv)
{
	struct usage_line l;
	struct buf b;
	int status;

	log_start("linnet-bench", LOG_INFO);
	crypto_start();
	status = usage_read(&l, &bench_usage, argc, argv);
	if (status == 0 && usage_given(&l, "version") != NULL) {
		printf("linnet-bench %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (status == 0 &&
	    (l.command == NULL || usage_given(&l, "help") != NULL)) {
		buf_init(&b, 1u << 20);
		if (l.command != NULL)
			usage_help_of(l.usage, l.command, &b);
		else
			usage_help(l.usage, &b);
		return bench_print(&b, NULL);
	}
	if (status != 0 || (status = usage_check(&l)) != 0) {
		fprintf(stderr, "linnet-bench: %s\n", l.error);
		return status;
	}
	if (usage_given(&l, "quiet") != NULL)
		log_set_level(LOG_WARN);
	return bench_command(&l);
}
