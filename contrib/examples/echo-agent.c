/* SPDX-License-Identifier: ISC */
/*
 * echo-agent: a small agent that answers every message with its text.
 *
 *	cc -o echo-agent echo-agent.c $(pkg-config --cflags --libs linnet)
 *	LINNET_URL=ws://127.0.0.1:7900/ws LINNET_MESH_ID=... \
 *	LINNET_MEMBER_ID=... LINNET_PUBLIC_KEY=... LINNET_SECRET_KEY=... \
 *	./echo-agent [-l] [name]
 *
 * It is the same session each time it is started under the same name, so what
 * was sent to it meanwhile is answered then.  A message is acked only when its
 * answer is stored: whoever dies in between, it or the broker, the message
 * comes again, and its answer, whose id is made from the message's, is stored
 * once.
 *
 * With -l the library turns its own loop; without, the one here does, beside
 * standard input: a line "quit", or its end, ends the agent.
 */
#include <linnet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is to be acked when its answer is stored. */
struct work {
	char id[65];
};

static void
stored(void *arg, struct linnet *l, const struct linnet_reply *reply)
{
	struct work *w = arg;

	if (reply->error == NULL) {
		linnet_ack(l, w->id);
		printf("answered %s\n", w->id);
	} else
		/* Not acked: it comes again, to the next run. */
		fprintf(stderr, "%s: %s\n", w->id, reply->error->message);
	free(w);
}

static void
message(void *arg, struct linnet *l, const struct linnet_message *m)
{
	struct linnet_outgoing answer = {
		.to = m->sender_key,
		.text = m->text,
		.length = m->length,
		.priority = m->priority,
		.reply_to = m->id,
	};
	char id[80];
	struct work *w;

	(void)arg;
	if (m->secrecy == LINNET_UNREADABLE) {
		fprintf(stderr, "%s is not for our key\n", m->id);
		linnet_ack(l, m->id);
		return;
	}
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return;
	snprintf(w->id, sizeof(w->id), "%s", m->id);
	snprintf(id, sizeof(id), "echo-%s", m->id);
	answer.id = id;
	if (linnet_send(l, &answer, stored, w) != 0) {
		fprintf(stderr, "%s\n", linnet_last_error(l)->message);
		free(w);
	}
}

static void
phase(void *arg, struct linnet *l, const struct linnet_change *c)
{
	(void)arg;
	switch (c->phase) {
	case LINNET_OPEN:
		printf("open as %s\n", linnet_key(l));
		(void)linnet_set_summary(
		    l, "answers with what it is told", NULL, NULL);
		break;
	case LINNET_WAITING:
		printf("again in %d ms: %s\n", c->delay_ms, c->error->message);
		break;
	case LINNET_STOPPED:
		printf("stopped: %s (%s)\n", c->error->message, c->error->code);
		break;
	default:
		break;
	}
}

/* A loop of one's own: the library is one descriptor of it and one timeout. */
static int
loop(struct linnet *l)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	char line[256];

	do {
		fds[1].fd = linnet_fd(l);
		fds[1].events = linnet_events(l);
		(void)poll(fds, 2, linnet_timeout(l));
		if (fds[0].revents != 0 &&
		    (fgets(line, sizeof(line), stdin) == NULL ||
			strcmp(line, "quit\n") == 0)) {
			fds[0].fd = -1;
			linnet_close(l);
		}
	} while (linnet_process(l) == 0);
	return strcmp(linnet_last_error(l)->code, "closed") == 0 ? 0 : -1;
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
		.session_key = getenv("LINNET_SESSION_KEY"),
		.attestation = getenv("LINNET_ATTESTATION"),
		.tls = { .ca_file = getenv("LINNET_CA_FILE") },
		.peer_type = "ai",
		.callbacks = { .phase = phase, .message = message },
	};
	struct linnet_error error;
	struct linnet *l;
	int own = 1, r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && strcmp(argv[1], "-l") == 0) {
		own = 0;
		argv++;
	}
	config.name = config.session_id = argv[1] != NULL ? argv[1] : "echo";
	if ((l = linnet_new(&config, &error)) == NULL) {
		fprintf(stderr, "%s\n", error.message);
		return linnet_exit_status(error.code);
	}
	r = linnet_connect(l);
	if (r == 0)
		r = own ? loop(l) : linnet_run(l);
	if (r != 0)
		r = linnet_exit_status(linnet_last_error(l)->code);
	linnet_free(l);
	return r;
}
