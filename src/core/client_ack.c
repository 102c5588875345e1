/* SPDX-License-Identifier: ISC */
/*
 * client_ack: a recipient has a message, and answers for it from now on.
 */
#include "core/domain.h"

struct ack_in {
	struct id broker_id;
	struct id message;
	struct slice client_id;
};

#define IN(field) offsetof(struct ack_in, field)
static const struct field ack_in_fields[] = {
	{ "brokerMessageId", F_ID, IN(broker_id), 0, 0, 0, NULL, NULL, 0,
	    "The messageId of the push." },
	{ "messageId", F_ID, IN(message), 0, 0, 0, NULL, NULL, 0,
	    "The same by its other name." },
	{ "clientMessageId", F_STR, IN(client_id), 0, 128, 0, NULL, NULL, 0,
	    "Not needed." },
	{ .type = F_END },
};
#undef IN

struct ack_out {
	struct id message;
};

static const struct field ack_out_fields[] = {
	{ "messageId", F_ID, offsetof(struct ack_out, message), 0, 0, 0, NULL,
	    NULL, 0, "The message." },
	{ .type = F_END },
};

static void
ack_exec(struct request *r, void *arg)
{
	const struct ack_in *in = arg;
	struct session *s = r->client->session;
	struct ack_out out;

	out.message = id_is_null(&in->broker_id) ? in->message : in->broker_id;
	if (id_is_null(&out.message)) {
		op_fail(r, ERR_MALFORMED,
		    "brokerMessageId is missing: the messageId of the push.");
		return;
	}
	if (!delivery_ack(s, &out.message)) {
		/* The database is asked: that is a request like others. */
		if (rate_request(r) != ERR_NONE) {
			op_fail(r, r->error, NULL);
			return;
		}
		delivery_ack_earlier(s, &out.message);
	}
	op_reply(r, &out);
}

const struct op op_client_ack = {
	.name = "client_ack",
	.scope = SCOPE_MESSAGES_READ,
	.reply = "client_acked",
	.flags = OP_QUIET | OP_UNCOUNTED,
	.in = ack_in_fields,
	.in_size = sizeof(struct ack_in),
	.out = ack_out_fields,
	.exec = ack_exec,
	.text = "Say that a pushed message has arrived. One that is not under "
		"way to this connection counts as a request.",
};
