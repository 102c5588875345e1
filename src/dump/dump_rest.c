/* SPDX-License-Identifier: ISC */
/*
 * What is served over HTTP: the routes of operations with the names that fields
 * have there, classes of errors, and the OpenAPI document.
 */
#include <stdio.h>
#include <string.h>

#include "dump/dump.h"
#include "proto/proto.h"

static const struct dump_path {
	const char *method;
	const char *path;
	const char *text;
} dump_paths[] = {
#define PATH(id, method, path, noun, credential, body, status, answer, text) \
	{ method, path, text },
#include "proto/paths.def"
#undef PATH
};

void
dump_print_paths(void)
{
	size_t i;

	dump_begin();
	for (i = 0; i < NELEM(dump_paths); i++) {
		printf(
		    ".It Ic %s %s\n", dump_paths[i].method, dump_paths[i].path);
		dump_text(dump_paths[i].text);
	}
	dump_end();
}

void
dump_print_classes(void)
{
	const char *space;
	size_t i;
	int http;

	dump_begin();
	for (http = 400; http < 600; http++) {
		space = "";
		for (i = 1; i < ERR_MAX; i++) {
			if (table_errors[i].http != http)
				continue;
			if (*space == '\0')
				printf(".It %d : Ic %s\n", http,
				    rest_error_class(http));
			printf("%s.Ic %s", space, table_errors[i].name);
			space = " ,\n";
		}
		if (*space != '\0')
			printf(" .\n");
	}
	dump_end();
}

static void
dump_route(const struct op *op)
{
	const char *const *route;

	for (route = op->rest; *route != NULL; route++)
		printf(".It Ic %s\n", *route);
	dump_text(op->text);
	if (op->scope != SCOPE_PUBLIC)
		printf("Scope:\n.Ql %s%s\n", table_scopes[op->scope],
		    op->flags & OP_GRANTABLE ? "" : " .");
	if (op->scope != SCOPE_PUBLIC && op->flags & OP_GRANTABLE)
		printf("or a grant of it.\n");
	if (openapi_op_status(op) != 200)
		printf("Success is %d.\n", openapi_op_status(op));
	dump_op_fields("Input", op->in, true, FIELD_MESH);
	dump_op_fields("Answer", op->out, false, FIELD_MESH);
}

void
dump_print_routes(void)
{
	const struct op *const *o;

	dump_begin();
	for (o = op_table; *o != NULL; o++)
		if ((*o)->rest[0] != NULL)
			dump_route(*o);
	dump_end();
}

void
dump_print_openapi(void)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	openapi_write(&b, NULL);
	if (b.failed)
		fatalx("out of memory");
	(void)fwrite(b.data, 1, b.len, stdout);
	putchar('\n');
	buf_free(&b);
}
