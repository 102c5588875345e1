/* SPDX-License-Identifier: ISC */
/*
 * linnet-dump: prints a table as a list in mdoc(7), for the manual pages.  A
 * build tool, not installed.  It reads the rows from the very files that the
 * programs are compiled from, so a page cannot say another name, default or
 * limit than the program has.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump/dump.h"

enum dump_type {
	STR,
	INT,
	BOOL,
	TIME,
	SIZE,
	LIST
};

static const char *const dump_type_names[] = {
	[STR] = "text",
	[INT] = "number",
	[BOOL] = "yes | no",
	[TIME] = "time",
	[SIZE] = "size",
	[LIST] = "word ...",
};

static const struct dump_option {
	const char *name;
	enum dump_type type;
	int64_t min;
	int64_t max;
	const char *value;
	bool reload;
	const char *text;
} dump_options[] = {
#define OPT(name, field, type, min, max, value, reload, text) \
	{ name, type, min, max, value, reload, text },
#include "conf/options.def"
#undef OPT
};

static const struct dump_msg {
	const char *name;
	const char *from;
	const char *to;
	const char *payload;
	int fds;
	bool tail;
	const char *text;
} dump_msgs[] = {
#define MSG(name, from, to, payload, fds, tail, text) \
	{ #name, #from, #to, #payload, fds, tail, text },
#include "ipc/msgs.def"
#undef MSG
};

static const struct dump_end {
	const char *name;
	const char *text;
} dump_ends[] = {
#define NET_END(name, text) { #name, text },
#include "net/ends.def"
#undef NET_END
};

static const struct dump_error {
	const char *code;
	int http;
	int rpc;
	int status;
	int close;
	const char *text;
} dump_errors[] = {
#define ERR(id, code, http, rpc, status, close, text) \
	{ code, http, rpc, status, close, text },
#include "core/errors.def"
#undef ERR
};

static const struct dump_scope {
	const char *name;
	const char *text;
} dump_scopes[] = {
#define SCOPE(id, name, includes, text) { name, text },
#include "core/scopes.def"
#undef SCOPE
};

static const struct dump_event {
	const char *name;
	const char *to;
	const char *text;
} dump_events[] = {
#define EVENT(id, noun, to, text) { #id, to, text },
#include "core/events.def"
#undef EVENT
};

static const struct dump_metric {
	const char *name;
	const char *kind;
	const char *label;
	const char *text;
} dump_metrics[] = {
#define METRIC(id, name, kind, label, text) { name, #kind, label, text },
#include "core/metrics.def"
#undef METRIC
};

static const struct dump_figure {
	const char *name;
	const char *text;
} dump_figures[] = {
#define FIGURE(id, name, decimals, better, text) { name, text },
#include "bench/figures.def"
#undef FIGURE
};

void
dump_begin(void)
{
	printf(".Bl -tag -width Ds\n");
}

void
dump_end(void)
{
	printf(".El\n");
}

void
dump_text(const char *s)
{
	bool start = true;

	for (; *s != '\0'; s++) {
		if (start && (*s == '.' || *s == '\''))
			printf("\\&");
		start = false;
		if (*s == '\\')
			printf("\\e");
		else if (s[0] == '.' && s[1] == ' ' &&
			 isupper((unsigned char)s[2])) {
			printf(".\n");
			s++;
			start = true;
		} else
			putchar(*s);
	}
	putchar('\n');
}

static void
dump_lower(const char *s)
{
	for (; *s != '\0'; s++)
		putchar(tolower((unsigned char)*s));
}

static void
dump_number(char out[32], enum dump_type type, int64_t v)
{
	if (type == TIME)
		str_print_duration(out, v);
	else if (type == SIZE)
		str_print_size(out, v);
	else
		snprintf(out, 32, "%lld", (long long)v);
}

static void
dump_print_options(void)
{
	const struct dump_option *o;
	char min[32], max[32];

	dump_begin();
	for (o = dump_options; o < dump_options + NELEM(dump_options); o++) {
		printf(".It Ic %s Ar %s\n", o->name, dump_type_names[o->type]);
		dump_text(o->text);
		if (o->value[0] != '\0')
			printf("Default:\n.Ql %s .\n", o->value);
		dump_number(min, o->type, o->min);
		dump_number(max, o->type, o->max);
		if (o->type == INT || o->type == TIME || o->type == SIZE)
			printf("From %s to %s.\n", min, max);
		if (!o->reload)
			printf("A change needs a restart.\n");
	}
	dump_end();
}

static void
dump_print_msgs(void)
{
	const struct dump_msg *m;

	dump_begin();
	for (m = dump_msgs; m < dump_msgs + NELEM(dump_msgs); m++) {
		printf(".It Dv %s : ", m->name);
		dump_lower(m->from);
		printf(" to ");
		dump_lower(m->to);
		printf("\n.Vt %s", m->payload);
		if (m->fds > 0)
			printf(" ,\nat most %d descriptor%s", m->fds,
			    m->fds == 1 ? "" : "s");
		printf("%s.\n", m->fds > 0 ? "" : " ");
		dump_text(m->text);
		if (m->tail)
			printf("Bytes may follow the payload.\n");
	}
	dump_end();
}

static void
dump_print_ends(void)
{
	const struct dump_end *e;

	dump_begin();
	for (e = dump_ends; e < dump_ends + NELEM(dump_ends); e++) {
		printf(".It Ic ");
		dump_lower(e->name);
		putchar('\n');
		dump_text(e->text);
	}
	dump_end();
}

static void
dump_print_errors(void)
{
	const struct dump_error *e;

	dump_begin();
	for (e = dump_errors; e < dump_errors + NELEM(dump_errors); e++) {
		printf(".It Ic %s\n", e->code);
		dump_text(e->text);
		printf("HTTP %d, JSON-RPC %d, exit status %d", e->http, e->rpc,
		    e->status);
		if (e->close != 0)
			printf(", WebSocket close %d", e->close);
		printf(".\n");
	}
	dump_end();
}

static void
dump_print_scopes(void)
{
	const struct dump_scope *s;

	dump_begin();
	for (s = dump_scopes; s < dump_scopes + NELEM(dump_scopes); s++) {
		printf(".It Ic %s\n", s->name);
		dump_text(s->text);
	}
	dump_end();
}

static void
dump_print_roles(void)
{
	const char *space;
	unsigned i, s;

	dump_begin();
	for (i = 0; i < ROLE_MAX; i++) {
		printf(".It Ic %s\n", table_roles[i].name);
		dump_text(table_roles[i].text);
		printf("Scopes:\n");
		space = "";
		for (s = SCOPE_UNSET + 1; s < SCOPE_MAX; s++)
			if (table_roles[i].scopes & SCOPE_BIT(s)) {
				printf("%s%s", space, table_scopes[s]);
				space = ",\n";
			}
		printf(".\n");
	}
	dump_end();
}

static void
dump_print_metrics(void)
{
	const struct dump_metric *m;

	dump_begin();
	for (m = dump_metrics; m < dump_metrics + NELEM(dump_metrics); m++) {
		printf(".It Ic %s", m->name);
		if (m->label[0] != '\0')
			printf("{%s}", m->label);
		printf(" (%s)\n",
		    strcmp(m->kind, "COUNT") == 0 ? "counter" : "gauge");
		dump_text(m->text);
	}
	dump_end();
}

static void
dump_print_events(void)
{
	const struct dump_event *e;

	dump_begin();
	for (e = dump_events; e < dump_events + NELEM(dump_events); e++) {
		printf(".It Dv %s : to %s\n", e->name, e->to);
		dump_text(e->text);
	}
	dump_end();
}

/*
 * Operations.  What a field takes is said in words; the limits of an answer
 * are none of its reader's business.
 */
struct dump_field_type {
	const char *name;
	const char *unit; /* of min and max; NULL: has none */
};

static const struct dump_field_type dump_field_types[] = {
	[F_STR] = { "text", "bytes" },
	[F_NAME] = { "name", "bytes" },
	[F_ENUM] = { "one of", NULL },
	[F_KEY] = { "64 hex digits", NULL },
	[F_SIG] = { "128 hex digits", NULL },
	[F_ID] = { "id", NULL },
	[F_INT] = { "number", "" },
	[F_BOOL] = { "true or false", NULL },
	[F_TIME] = { "time", NULL },
	[F_JSON] = { "any JSON value", "bytes" },
	[F_STRS] = { "array of texts", "texts" },
	[F_TARGET] = { "text or array of texts", "texts" },
	[F_ROWS] = { "array of objects", "objects" },
	[F_ROW] = { "object", NULL },
};

static void
dump_field_range(const struct field *f)
{
	const struct dump_field_type *t = &dump_field_types[f->type];
	const char *space = t->unit != NULL && *t->unit != '\0' ? " " : "";
	bool open = f->max >= INT32_MAX;

	if (t->unit == NULL || (open && f->min == 0 && f->type != F_INT))
		return;
	if (open)
		printf(
		    ", at least %lld%s%s", (long long)f->min, space, t->unit);
	else if (f->min == f->max)
		printf(", %lld%s%s", (long long)f->max, space, t->unit);
	else if (f->min == 0)
		printf(", at most %lld%s%s", (long long)f->max, space, t->unit);
	else
		printf(", %lld to %lld%s%s", (long long)f->min,
		    (long long)f->max, space, t->unit);
}

static void
dump_fields(const struct field *f, bool in, unsigned hides)
{
	size_t i;

	printf(".Bl -tag -width Ds -compact\n");
	for (; f->type != F_END; f++) {
		if (f->flags & hides)
			continue;
		printf(
		    ".It Cm %s : %s", f->name, dump_field_types[f->type].name);
		for (i = 0; f->type == F_ENUM && f->names[i] != NULL; i++)
			printf("%s %s", i > 0 ? "," : "", f->names[i]);
		if (in)
			dump_field_range(f);
		if (in && f->flags & FIELD_REQUIRED)
			printf("; required");
		if (!in && f->flags & FIELD_OMIT)
			printf("; may be missing");
		else if (!in && f->flags & FIELD_NULLABLE)
			printf("; may be null");
		putchar('\n');
		dump_text(f->text);
		if (f->rows != NULL)
			dump_fields(f->rows, in, hides);
	}
	dump_end();
}

static bool
dump_has_fields(const struct field *f, unsigned hides)
{
	for (; f != NULL && f->type != F_END; f++)
		if (!(f->flags & hides))
			return true;
	return false;
}

void
dump_op_fields(const char *what, const struct field *f, bool in, unsigned hides)
{
	printf(".Pp\n%s:", what);
	if (!dump_has_fields(f, hides)) {
		printf(" none.\n");
		return;
	}
	putchar('\n');
	dump_fields(f, in, hides);
}

/* What a client has to know beside the fields; see OP_* in core.h. */
static void
dump_op_rules(const struct op *op)
{
	if (op->flags & OP_OPENS)
		printf("It comes first; where it fails the connection is "
		       "closed.\n");
	if (op->flags & OP_QUIET)
		printf("Success is answered only when the request has\n"
		       ".Cm id\nor\n.Cm _reqId .\n");
	if (op->flags & OP_PIPELINED)
		printf("Several may be under way at once.\n");
	if (op->flags & OP_SESSION)
		printf("It needs a session; a token is not enough.\n");
	if (op->flags & OP_PRESENCE)
		printf("It needs a session; a token has one on\n.Pa /mcp .\n");
	if (op->flags & OP_UNCOUNTED)
		printf("It is not counted by\n.Ic rate.requests .\n");
	if (op->flags & OP_ECHOES)
		printf("The answer always has\n.Cm id :\nthe request's, or "
		       "an empty text.\n");
}

static void
dump_print_ops(void)
{
	const struct op *const *o;

	dump_begin();
	for (o = op_table; *o != NULL; o++) {
		const struct op *op = *o;

		if (op->flags & OP_REST_ONLY)
			printf(".It Ic %s\n", op->rest[0]);
		else
			printf(".It Ic %s No -> Ic %s\n", op->name, op->reply);
		dump_text(op->text);
		printf("Scope:\n.Ql %s .\n", table_scopes[op->scope]);
		dump_op_rules(op);
		dump_op_fields("Input", op->in, true, FIELD_REST);
		dump_op_fields("Answer", op->out, false, FIELD_REST);
	}
	dump_end();
}

/*
 * The same for a test: a line for each field of each request that a WebSocket
 * can bring, its parts divided by tabs: operation, field, type, least, most,
 * whether it is required, names of an enum.
 */
static const char *const dump_type_words[] = {
	[F_STR] = "str",
	[F_NAME] = "name",
	[F_ENUM] = "enum",
	[F_KEY] = "key",
	[F_SIG] = "sig",
	[F_ID] = "id",
	[F_INT] = "int",
	[F_BOOL] = "bool",
	[F_TIME] = "time",
	[F_JSON] = "json",
	[F_STRS] = "strs",
	[F_TARGET] = "target",
	[F_ROWS] = "rows",
	[F_ROW] = "row",
};

static void
dump_input(const char *op, const char *above, const struct field *f)
{
	char path[256];
	size_t i;

	for (; f != NULL && f->type != F_END; f++) {
		if (f->flags & FIELD_REST)
			continue;
		printf("%s\t%s%s\t%s\t%lld\t%lld\t%d\t", op, above, f->name,
		    dump_type_words[f->type], (long long)f->min,
		    (long long)f->max, (f->flags & FIELD_REQUIRED) != 0);
		for (i = 0; f->type == F_ENUM && f->names[i] != NULL; i++)
			printf("%s%s", i > 0 ? " " : "", f->names[i]);
		putchar('\n');
		snprintf(path, sizeof(path), "%s%s%s", above, f->name,
		    f->type == F_ROWS ? "[]." : ".");
		dump_input(op, path, f->rows);
	}
}

static void
dump_print_fields(void)
{
	const struct op *const *o;

	for (o = op_table; *o != NULL; o++) {
		if ((*o)->flags & OP_REST_ONLY)
			continue;
		printf("%s\n", (*o)->name);
		dump_input((*o)->name, "", (*o)->in);
	}
}

static void
dump_print_figures(void)
{
	const struct dump_figure *f;

	dump_begin();
	for (f = dump_figures; f < dump_figures + NELEM(dump_figures); f++) {
		printf(".It Ic %s\n", f->name);
		dump_text(f->text);
	}
	dump_end();
}

static const struct dump_table {
	const char *name;
	void (*print)(void);
} dump_tables[] = {
	{ "CLASSES", dump_print_classes },
	{ "ENDS", dump_print_ends },
	{ "ERRORS", dump_print_errors },
	{ "EVENTS", dump_print_events },
	{ "FIELDS", dump_print_fields },
	{ "FIGURES", dump_print_figures },
	{ "METRICS", dump_print_metrics },
	{ "MSGS", dump_print_msgs },
	{ "OPS", dump_print_ops },
	{ "OPENAPI", dump_print_openapi },
	{ "OPTIONS", dump_print_options },
	{ "PATHS", dump_print_paths },
	{ "ROLES", dump_print_roles },
	{ "ROUTES", dump_print_routes },
	{ "SCOPES", dump_print_scopes },
};

int
main(int argc, char **argv)
{
	const struct dump_table *t;

	for (t = dump_tables; t < dump_tables + NELEM(dump_tables); t++)
		if (argc == 2 && strcmp(t->name, argv[1]) == 0) {
			t->print();
			if (fflush(stdout) != 0 || ferror(stdout)) {
				perror("linnet-dump");
				return 1;
			}
			return 0;
		}
	fprintf(stderr, "usage: linnet-dump table\ntables:");
	for (t = dump_tables; t < dump_tables + NELEM(dump_tables); t++)
		fprintf(stderr, " %s", t->name);
	fprintf(stderr, "\n");
	return 1;
}
