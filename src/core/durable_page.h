/* SPDX-License-Identifier: ISC */
/*
 * What read_durable_stream answers, for protocols.
 */
#ifndef CORE_DURABLE_PAGE_H
#define CORE_DURABLE_PAGE_H

#include "core/core.h"

enum durable_state {
	DURABLE_OPEN,
	DURABLE_CLOSED,
	DURABLE_COMMITTED
};

struct durable_chunk {
	int64_t n;
	struct slice text;
	int64_t created_ms;
};

struct durable_page {
	struct id durable;
	int state;
	int64_t after;
	int64_t next;
	bool up_to_date;
	struct list chunks; /* of struct durable_chunk */
};
extern const struct field durable_chunk_fields[];

#endif
