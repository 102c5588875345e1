/* SPDX-License-Identifier: ISC */
/*
 * Calls that wait: they look whether there is what they wait for, again when
 * something came that may be it, and now and then, as not everything says that
 * it is there; and until their time is over tell the client, if it wants to
 * know, that they still wait.
 */
#include "mcp/mcp_request.h"

#define WAIT_LOOK_MS 2000
#define WAIT_PROGRESS_MS 10000

void
mcp_wait_begin(
    struct mcp_request *r, int64_t seconds, mcp_wait_fn *look, const char *text)
{
	clock_update();
	r->look = look;
	r->waits = text;
	r->began_ms = clock_mono();
	r->until_ms = r->began_ms + seconds * 1000;
	if (r->m->stopping)
		r->until_ms = r->began_ms;
	r->progress_ms =
	    r->progress.n > 0 ? r->began_ms + WAIT_PROGRESS_MS : INT64_MAX;
	mcp_wait_look(r);
}

void
mcp_wait_look(struct mcp_request *r)
{
	if (r->looking) {
		r->again = true;
		return;
	}
	r->looking = true;
	r->again = false;
	r->look_ms = INT64_MAX;
	r->look(r);
}

bool
mcp_wait_over(struct mcp_request *r, bool found)
{
	r->looking = false;
	clock_update();
	if (found || clock_mono() >= r->until_ms) {
		r->until_ms = 0;
		return true;
	}
	r->look_ms = clock_mono() + WAIT_LOOK_MS;
	if (r->again)
		mcp_wait_look(r);
	return false;
}

void
mcp_wait_end(struct mcp_request *r)
{
	r->until_ms = 1;
	mcp_wait_look(r);
}

static void
wait_progress(struct mcp_request *r)
{
	struct json_writer w;
	struct buf b;

	r->progress_ms = clock_mono() + WAIT_PROGRESS_MS;
	mcp_note(&w, &b, "notifications/progress");
	json_key(&w, "progressToken");
	json_raw(&w, r->progress.p, r->progress.n);
	json_key(&w, "progress");
	json_num(&w, (clock_mono() - r->began_ms) / 1000);
	json_key(&w, "total");
	json_num(&w, (r->until_ms - r->began_ms) / 1000);
	if (r->revision >= MCP_2025_03_26) {
		json_key(&w, "message");
		json_str(&w, r->waits);
	}
	mcp_note_end(r->m, &w, &b, r->tag);
}

int64_t
mcp_wait_due(const struct mcp_request *r)
{
	int64_t due = r->look_ms;

	if (r->until_ms == 0 || r->looking)
		return INT64_MAX;
	if (r->until_ms < due)
		due = r->until_ms;
	return r->progress_ms < due ? r->progress_ms : due;
}

void
mcp_wait_tick(struct mcp_request *r)
{
	if (r->progress_ms <= clock_mono())
		wait_progress(r);
	if (r->look_ms <= clock_mono() || r->until_ms <= clock_mono())
		mcp_wait_look(r);
}
