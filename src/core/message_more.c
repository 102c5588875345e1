/* SPDX-License-Identifier: ISC */
/*
 * What few messages have beside the rest: as a struct here, as an array of
 * texts on the bus and in the database, in which new ones come last.
 */
#include <string.h>

#include "core/domain.h"

size_t
message_more_texts(
    const struct message_more *more, struct slice v[MESSAGE_MORE])
{
	const char *subtype;

	if (more == NULL)
		return 0;
	subtype = table_subtypes[more->subtype];
	v[0] = more->client_id;
	v[1] = more->fingerprint;
	v[2] = more->reply_to;
	v[3] = (struct slice){ subtype, strlen(subtype) };
	v[4] = more->files;
	return more->files.n > 0 ? MESSAGE_MORE : MESSAGE_MORE_OLD;
}

/* What a later version of Linnet calls it is a message here. */
static enum subtype
subtype_find(struct slice name)
{
	unsigned i;

	for (i = 0; table_subtypes[i] != NULL; i++)
		if (strlen(table_subtypes[i]) == name.n &&
		    memcmp(table_subtypes[i], name.p, name.n) == 0)
			return (enum subtype)i;
	return SUBTYPE_MESSAGE;
}

const struct message_more *
message_more(struct message_more *more, const struct slice *v, size_t n)
{
	if (n < MESSAGE_MORE_OLD)
		return NULL;
	more->client_id = v[0];
	more->fingerprint = v[1];
	more->reply_to = v[2];
	more->subtype = subtype_find(v[3]);
	more->files = n > MESSAGE_MORE_OLD ? v[4] : (struct slice){ NULL, 0 };
	return more;
}
