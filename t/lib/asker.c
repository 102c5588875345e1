/* SPDX-License-Identifier: ISC */
/*
 * Asks echo-agents, and counts: asker COUNT TARGET...  Every target gets
 * COUNT messages, each of which is to come back once.  Says "open", "half"
 * and at the end what was acked, echoed, and echoed twice.  Built against the
 * installed library by t/71-lib.t, which kills the broker after "half".
 */
#include <linnet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACE_MS 2
#define MOST 10000

static struct {
	long count, asked, acked, refused, echoed, doubled, clear;
	int seen[MOST];
} all;

static void
acked(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	(void)arg;
	(void)l;
	all.acked++;
	if (reply->error == NULL)
		return;
	all.refused++;
	fprintf(stderr, "%s: %s\n", reply->error->code, reply->error->message);
}

static void
message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	long i = m->text != NULL ? strtol(m->text, NULL, 10) : -1;

	(void)arg;
	(void)l;
	if (i < 0 || i >= all.count)
		return;
	all.clear += m->secrecy != LINNET_SEALED;
	if (all.seen[i]++ == 0)
		all.echoed++;
	else
		all.doubled++;
}

static void
phase(void *arg, struct linnet *l, const struct linnet_change *c)
{
	(void)arg;
	(void)l;
	if (c->phase == LINNET_OPEN)
		printf("open\n");
}

static void
ask(struct linnet *l, const char *to)
{
	struct linnet_outgoing m = { .to = to, .priority = "now" };
	char text[24], id[24];

	m.length = (size_t)snprintf(text, sizeof(text), "%ld", all.asked);
	snprintf(id, sizeof(id), "ask-%ld", all.asked);
	m.text = text;
	m.id = id;
	if (linnet_send(l, &m, acked, NULL) == 0)
		all.asked++;
	else if (strcmp(linnet_last_error(l)->code, "queue_full") != 0)
		exit(1);
	if (all.asked == all.count / 2)
		printf("half\n");
}

int
main(int argc, char **argv)
{
	struct linnet_config config = {
		.url = getenv("LINNET_URL"),
		.mesh_id = getenv("LINNET_MESH_ID"),
		.member_id = getenv("LINNET_MEMBER_ID"),
		.public_key = getenv("LINNET_PUBLIC_KEY"),
		.secret_key = getenv("LINNET_SECRET_KEY"),
		.session_id = "asker",
		.name = "asker",
		.auto_ack = true,
		.callbacks = { .phase = phase, .message = message },
	};
	int targets = argc - 2;
	struct linnet_error e;
	struct linnet *l;

	setvbuf(stdout, NULL, _IOLBF, 0);
	all.count = strtol(argv[1], NULL, 10) * targets;
	if (targets < 1 || all.count < 1 || all.count > MOST)
		return 2;
	if ((l = linnet_new(&config, &e)) == NULL || linnet_connect(l) != 0) {
		fprintf(stderr, "%s\n", e.message);
		return 1;
	}
	while (linnet_wait(l, PACE_MS) >= 0 &&
	       (all.acked < all.count || all.echoed < all.count))
		if (all.asked < all.count)
			ask(l, argv[2 + all.asked % targets]);
	printf("acked %ld refused %ld echoed %ld doubled %ld clear %ld\n",
	    all.acked, all.refused, all.echoed, all.doubled, all.clear);
	linnet_close(l);
	(void)linnet_run(l);
	linnet_free(l);
	return 0;
}
