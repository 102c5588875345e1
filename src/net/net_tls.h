/* SPDX-License-Identifier: ISC */
/*
 * What the two halves of TLS share: net_tls.c makes the contexts,
 * net_tls_io.c the connections.  No other file sees OpenSSL.
 */
#ifndef NET_NET_TLS_H
#define NET_NET_TLS_H

#include <openssl/ssl.h>

#include "net/net_conn.h"

/* The context that a new connection begins with; the name that the client
 * asks for may choose another. */
SSL_CTX *net_tls_first(const struct net_tls *t);

#endif
