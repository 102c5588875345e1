/* SPDX-License-Identifier: ISC */
/*
 * status: who one is, and how the mesh is.
 */
#include "cli/cli.h"

#include <string.h>

struct status_times {
	int64_t connect_us;
	int64_t answer_us;
};

static int
status_ask(
    struct cli *c, struct linnet *l, const void *arg, struct linnet_result *r)
{
	(void)c;
	(void)arg;
	return linnet_mesh_info(l, linnet_keep, r);
}

static void
status_line(struct cli *c, const char *name, const char *text)
{
	if (c->tty)
		fprintf(c->out, "%-10s%s\n", name, text);
	else
		fprintf(c->out, "%s\t%s\n", name, text);
}

static void
status_number(
    struct cli *c, const char *name, const struct json *j, const char *key)
{
	status_line(c, name,
	    pool_printf(&c->pool, "%lld", (long long)cli_json_int(j, 0, key)));
}

static void
status_print(struct cli *c, const struct cli_mesh *m,
    const struct status_times *t, const struct json *j)
{
	status_line(c, "mesh", cli_print_safe(c, m->slug));
	status_line(c, "name", cli_json_safe(c, j, 0, "yourName"));
	status_line(c, "key", m->public_key);
	status_line(c, "member", m->member_id);
	status_line(c, "broker",
	    pool_printf(&c->pool,
		"%s, connected in %.1f ms, answers in %.1f ms",
		cli_print_safe(c, m->broker_url), (double)t->connect_us / 1000,
		(double)t->answer_us / 1000));
	status_number(c, "peers", j, "peers");
	status_line(c, "groups", cli_json_texts(c, j, 0, "groups"));
	status_number(c, "state", j, "stateKeyCount");
	status_number(c, "memories", j, "memoryCount");
}

static void
status_print_json(struct cli *c, const struct cli_mesh *m,
    const struct status_times *t, const struct linnet_result *r)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	json_start(&w, &b);
	json_object(&w);
	json_key(&w, "memberId");
	json_str(&w, m->member_id);
	json_key(&w, "pubkey");
	json_str(&w, m->public_key);
	json_key(&w, "brokerUrl");
	json_str(&w, m->broker_url);
	json_key(&w, "connectMicroseconds");
	json_num(&w, t->connect_us);
	json_key(&w, "answerMicroseconds");
	json_num(&w, t->answer_us);
	json_key(&w, "mesh");
	json_raw(&w, r->text, r->n);
	json_object_end(&w);
	cli_print_json(c, b.data, b.len);
	buf_free(&b);
}

int
cli_status(struct cli *c)
{
	static const struct cli_question q = { .ask = status_ask };
	struct linnet_result r = { .done = false };
	struct status_times t;
	struct cli_session s;
	struct json j;
	int64_t start;
	int status;

	json_init(&j, 1, 0);
	start = clock_usec();
	if ((status = cli_session_open(c, &s)) != 0)
		goto fail;
	t.connect_us = clock_usec() - start;
	start = clock_usec();
	if ((status = cli_ask_over(c, s.linnet, &q, NULL, &r, &j)) != 0)
		goto fail;
	t.answer_us = clock_usec() - start;
	if (c->json)
		status_print_json(c, s.mesh, &t, &r);
	else
		status_print(c, s.mesh, &t, &j);
fail:
	json_free(&j);
	linnet_result_free(&r);
	cli_session_close(&s);
	return status;
}
