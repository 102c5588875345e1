/* SPDX-License-Identifier: ISC */
/*
 * What the files of the courier share: who takes deliveries of webhooks to
 * their endpoints.
 */
#ifndef JOBS_JOBS_COURIER_H
#define JOBS_JOBS_COURIER_H

#include <curl/curl.h>

#include "role/role.h"

struct evdns_base;
struct x509_store_st;

struct errand;
struct office {
	struct role *role;
	struct evdns_base *dns;
	struct x509_store_st *roots;
	CURLM *multi;
	struct event *timer;
	struct event *look;
	LIST_HEAD(, errand) errands;
};

/* A delivery on its way. */
struct errand {
	LIST_ENTRY(errand) entry;
	struct office *office;
	courier_fn *fn;
	void *arg;
	/* The endpoint; the path is in the URL. */
	struct webhook_url to;
	char *url;
	uint64_t n;
	struct ip ip; /* that it goes to */
	/* The request. */
	CURL *curl;
	struct curl_slist *headers;
	struct curl_slist *connect;
	char *body;
	size_t len;
	/* The answer. */
	char error[CURL_ERROR_SIZE];
	char kept[WEBHOOK_RESPONSE_MAX];
	size_t nkept;
	size_t got; /* bytes of its head and body */
};

/*
 * jobs_courier.c
 */
/* Before privileges are given up: reads what is not there later. */
void jobs_courier_enter(struct role *r);
void jobs_courier_open(struct role *r);
void jobs_courier_close(void);
/* It is over; frees it. */
void jobs_courier_done(struct errand *p, const struct courier_answer *a);
/* The same without an answer. */
void jobs_courier_fail(struct errand *p, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/*
 * jobs_http.c: the request itself, to p->ip.
 */
void jobs_http_open(struct office *o);
void jobs_http_close(struct office *o);
void jobs_http_begin(struct errand *p);
void jobs_http_end(struct errand *p);

#endif
