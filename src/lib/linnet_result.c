/* SPDX-License-Identifier: ISC */
/*
 * Waiting for answers.  A result is filled by the callback of its request, so
 * that it and the loop need not know of each other.
 */
#include "lib/lib.h"

#include <stdlib.h>
#include <string.h>

void
linnet_keep(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct linnet_result *r = arg;

	(void)l;
	free(r->text);
	r->text = NULL;
	r->n = 0;
	if (reply->text != NULL) {
		r->text = xstrndup(reply->text, reply->n);
		r->n = reply->n;
	}
	if (reply->error != NULL)
		r->error = *reply->error;
	else
		r->error.code[0] = r->error.message[0] = '\0';
	r->done = true;
}

void
linnet_result_free(struct linnet_result *r)
{
	free(r->text);
	memset(r, 0, sizeof(*r));
}

int
linnet_finish(struct linnet *l, struct linnet_result *r)
{
	if (l->running) {
		linnet_error_set(
		    &l->error, "busy", "A callback cannot wait for an answer.");
		return -1;
	}
	while (!r->done) {
		if (linnet_wait(l, -1) >= 0 || r->done)
			continue;
		/* Stopped, and everything that waited was told. */
		if (l->npending == 0) {
			linnet_error_set(&l->error, "bad_argument",
			    "Nothing that was asked keeps its answer there.");
			return -1;
		}
		if (linnet_connect(l) != 0)
			return -1;
	}
	if (r->error.code[0] == '\0')
		return 0;
	l->error = r->error;
	return -1;
}

/* Waits for what started with l->result; start: how that went. */
static int
result_wait(struct linnet *l, int start, struct linnet_reply *reply)
{
	*reply = (struct linnet_reply){ .error = &l->error };
	if (start != 0)
		return -1;
	if (linnet_finish(l, &l->result) == 0)
		reply->error = NULL;
	reply->text = l->result.text;
	reply->n = l->result.n;
	return reply->error == NULL ? 0 : -1;
}

/* May something be waited for? */
static int
result_begin(struct linnet *l)
{
	if (l->running) {
		linnet_error_set(
		    &l->error, "busy", "A callback cannot wait for an answer.");
		return -1;
	}
	linnet_result_free(&l->result);
	return 0;
}

int
linnet_call(struct linnet *l, const char *type, const char *fields,
    unsigned flags, struct linnet_reply *reply)
{
	int start = result_begin(l);

	if (start == 0)
		start = linnet_request(
		    l, type, fields, flags, linnet_keep, &l->result);
	return result_wait(l, start, reply);
}

int
linnet_send_wait(struct linnet *l, const struct linnet_outgoing *m,
    struct linnet_reply *reply)
{
	int start = result_begin(l);

	if (start == 0)
		start = linnet_send_within(
		    l, m, l->config.request_ms, linnet_keep, &l->result);
	return result_wait(l, start, reply);
}
