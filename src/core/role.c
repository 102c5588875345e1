/* SPDX-License-Identifier: ISC */
/*
 * Roles of members: what each may do stands in roles.def and nowhere else.
 */
#include <string.h>

#include "core/domain.h"

enum member_role
role_find(struct slice name)
{
	unsigned i;

	for (i = 0; i < ROLE_MAX; i++)
		if (strlen(table_roles[i].name) == name.n &&
		    memcmp(table_roles[i].name, name.p, name.n) == 0)
			return (enum member_role)i;
	return ROLE_MEMBER;
}

uint64_t
role_scopes(struct slice name)
{
	return table_roles[role_find(name)].scopes;
}
