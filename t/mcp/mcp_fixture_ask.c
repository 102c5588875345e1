/* SPDX-License-Identifier: ISC */
/*
 * Tools and a prompt of the conformance suite that ask the client something,
 * through mcp_input.c as ours do.  A row says what is asked in each
 * round; the state that goes along is the number of the round.
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/mcp_request.h"

#define ASK_FORM(text, field, type)                                         \
	"{\"mode\":\"form\",\"message\":\"" text "\",\"requestedSchema\":{" \
	"\"type\":\"object\",\"properties\":{\"" field "\":{\"type\":"      \
	"\"" type "\"}},\"required\":[\"" field "\"]}}"
#define ASK_ELICIT "elicitation/create"
#define ASK_SAMPLE "sampling/createMessage"
#define ASK_WORDS(text)                                            \
	"{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":" \
	"\"text\",\"text\":\"" text "\"}}],\"maxTokens\":100}"

#define ASK_NAME                                                     \
	{                                                            \
		"user_name", ASK_ELICIT,                             \
		    ASK_FORM("What is your name?", "name", "string") \
	}
#define ASK_CONFIRM                                             \
	{                                                       \
		"confirm", ASK_ELICIT,                          \
		    ASK_FORM("Please confirm", "ok", "boolean") \
	}
#define ASK_ROOTS                                  \
	{                                          \
		"client_roots", "roots/list", "{}" \
	}
#define ASK_NOTHING              \
	{                        \
		NULL, NULL, NULL \
	}

/* Each kind of value with a default (SEP-1034), each kind of choice
 * (SEP-1330). */
#define ASK_DEFAULTS                                                            \
	"{\"mode\":\"form\",\"message\":\"Please check\",\"requestedSchema"     \
	"\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"" \
	",\"default\":\"John Doe\"},\"age\":{\"type\":\"integer\",\"default\""  \
	":30},\"score\":{\"type\":\"number\",\"default\":95.5},\"status\":{"    \
	"\"type\":\"string\",\"enum\":[\"active\",\"inactive\",\"pending\"],\"" \
	"default\":\"active\"},\"verified\":{\"type\":\"boolean\",\"default"    \
	"\":true}},\"required\":[]}}"
#define ASK_ENUMS                                                                \
	"{\"mode\":\"form\",\"message\":\"Please choose\",\"requestedSchem"      \
	"a\":{\"type\":\"object\",\"properties\":{\"untitledSingle\":{\"typ"     \
	"e\":\"string\",\"enum\":[\"option1\",\"option2\",\"option3\"]},\"tit"   \
	"ledSingle\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"value1\",\""   \
	"title\":\"First\"},{\"const\":\"value2\",\"title\":\"Second\"},{\"co"   \
	"nst\":\"value3\",\"title\":\"Third\"}]},\"legacyEnum\":{\"type\":\"s"   \
	"tring\",\"enum\":[\"opt1\",\"opt2\",\"opt3\"],\"enumNames\":[\"One\","  \
	"\"Two\",\"Three\"]},\"untitledMulti\":{\"type\":\"array\",\"items\":"   \
	"{\"type\":\"string\",\"enum\":[\"option1\",\"option2\",\"option3\"]}"   \
	"},\"titledMulti\":{\"type\":\"array\",\"items\":{\"anyOf\":[{\"cons"    \
	"t\":\"value1\",\"title\":\"First\"},{\"const\":\"value2\",\"title\":\"" \
	"Second\"},{\"const\":\"value3\",\"title\":\"Third\"}]}}},\"require"     \
	"d\":[]}}"

#define ROUNDS 2
#define QUESTIONS 4

static const struct asking {
	const char *name;
	bool state;
	bool able; /* asks only what the client can be asked */
	struct mcp_input rounds[ROUNDS][QUESTIONS];
} askings[] = {
	{ "test_input_required_result_elicitation", false, false,
	    { { ASK_NAME } } },
	{ "test_input_required_result_sampling", false, false,
	    { { { "capital_question", ASK_SAMPLE,
		ASK_WORDS("What is the capital of France?") } } } },
	{ "test_input_required_result_list_roots", false, false,
	    { { ASK_ROOTS } } },
	{ "test_input_required_result_request_state", true, false,
	    { { ASK_CONFIRM } } },
	{ "test_input_required_result_multiple_inputs", true, false,
	    { { ASK_NAME,
		{ "greeting", ASK_SAMPLE, ASK_WORDS("Generate a greeting") },
		ASK_ROOTS } } },
	{ "test_input_required_result_multi_round", true, false,
	    { { { "step1", ASK_ELICIT,
		  ASK_FORM("What is your name?", "name", "string") } },
		{ { "step2", ASK_ELICIT,
		    ASK_FORM("Which colour?", "color", "string") } } } },
	{ "test_input_required_result_tampered_state", true, false,
	    { { ASK_CONFIRM } } },
	{ "test_input_required_result_capabilities", false, true,
	    { { ASK_NAME,
		{ "greeting", ASK_SAMPLE, ASK_WORDS("Generate a greeting") },
		ASK_ROOTS } } },
	{ "test_sampling", false, false,
	    { { { "sampled", ASK_SAMPLE, ASK_WORDS("Test prompt") } } } },
	{ "test_elicitation", false, false, { { ASK_NAME } } },
	{ "test_elicitation_sep1034_defaults", false, false,
	    { { { "defaults", ASK_ELICIT, ASK_DEFAULTS } } } },
	{ "test_elicitation_sep1330_enums", false, false,
	    { { { "enums", ASK_ELICIT, ASK_ENUMS } } } },
	{ "test_input_required_result_prompt", false, false,
	    { { { "user_context", ASK_ELICIT,
		ASK_FORM("Which context?", "context", "string") } } } },
};

static unsigned
ask_needs(const struct mcp_input *in)
{
	return strcmp(in->method, ASK_ELICIT) == 0   ? CAN_ELICIT
	       : strcmp(in->method, ASK_SAMPLE) == 0 ? CAN_SAMPLE
						     : CAN_ROOTS;
}

static const char *
ask_capability(unsigned can)
{
	return can == CAN_ELICIT ? "{\"requiredCapabilities\":"
				   "{\"elicitation\":{}}}"
	       : can == CAN_SAMPLE
		   ? "{\"requiredCapabilities\":"
		     "{\"sampling\":{}}}"
		   : "{\"requiredCapabilities\":{\"roots\":{}}}";
}

/* false: everything that is asked in the last round was answered. */
static bool
ask_round(struct mcp_request *r, const struct asking *a)
{
	size_t round = r->input_state != NULL
			   ? (size_t)strtoul(r->input_state, NULL, 10)
			   : 0,
	       i, n = 0, answered = 0;
	struct mcp_input in[QUESTIONS];

	for (i = 0; a->rounds[round][i].key != NULL; i++) {
		if (!(r->can & ask_needs(&a->rounds[round][i]))) {
			if (a->able)
				continue;
			mcp_fail_data(r, RPC_CAPABILITY, 400,
			    ask_capability(ask_needs(&a->rounds[round][i])),
			    "The client cannot be asked for this.");
			return true;
		}
		in[n] = a->rounds[round][i];
		if (mcp_input_answer(r, in[n++].key) != 0)
			answered++;
	}
	if (n > 0 && answered == n) {
		if (round + 1 == ROUNDS || a->rounds[round + 1][0].key == NULL)
			return false;
		round++;
		for (n = 0; a->rounds[round][n].key != NULL; n++)
			in[n] = a->rounds[round][n];
	}
	mcp_input_require(
	    r, in, n, a->state ? pool_printf(&r->pool, "%zu", round) : NULL);
	return true;
}

bool
mcp_fixture_ask(struct mcp_request *r, const char *name, size_t params)
{
	size_t i;

	for (i = 0; i < NELEM(askings); i++) {
		if (strcmp(askings[i].name, name) != 0)
			continue;
		return (r->input_state == NULL && r->input_answers == 0 &&
			   !mcp_input_read(r, params)) ||
		       ask_round(r, &askings[i]);
	}
	return false;
}

bool
mcp_fixture_asks(const char *name)
{
	size_t i;

	for (i = 0; i < NELEM(askings); i++)
		if (strcmp(askings[i].name, name) == 0)
			return true;
	return false;
}

const char *
mcp_fixture_ask_name(size_t i)
{
	return i < NELEM(askings) ? askings[i].name : NULL;
}
