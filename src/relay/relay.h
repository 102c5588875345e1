/* SPDX-License-Identifier: ISC */
/*
 * relay: this host's line to the others that share the database.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

/* The life of the relay process; returns its exit status. */
int relay(char **argv);

#endif
