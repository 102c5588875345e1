/* SPDX-License-Identifier: ISC */
/*
 * people: members of a mesh as those who manage them see them.
 */
#ifndef CORE_PEOPLE_H
#define CORE_PEOPLE_H

#include "core/domain.h"

/* By enum member_role, NULL-ended. */
extern const char *const people_roles[];

/* The roles that a member of this one manages, its own included, in v; returns
 * how many. */
size_t people_below(struct slice role, struct slice v[ROLE_MAX]);
/* The scopes of these names that both may have who asks, or the platform, and
 * who has the role; what both may when there are none.  0 after failing the
 * request. */
uint64_t people_scopes(
    struct request *r, const struct list *asked, enum member_role role);

/*
 * password.c
 */
#define PASSWORD_MIN 8
#define PASSWORD_MAX 1024
/* Beside the loop: is the password what is stored (NULL: as long as that takes,
 * and it is not), or what to store for it.  fn is called once; r->client may
 * have gone.  The slice is the request's. */
typedef void password_fn(struct request *r, bool good, const char *stored);
void password_check(struct request *r, const char *stored,
    struct slice password, password_fn *fn);
void password_make(struct request *r, struct slice password, password_fn *fn);

#endif
