/* SPDX-License-Identifier: ISC */
/*
 * Takes deliveries of webhooks to their endpoints: finds the addresses of a
 * name, looks at each, and has the request sent to one of these.  The name is
 * asked for once: what answers a second time cannot be another address.
 *
 * The resolver's files and the certificates are read before this process
 * gives up seeing them.
 */
#include "jobs/jobs_courier.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COURIER_NAMES "/etc/resolv.conf"
#define COURIER_HOSTS "/etc/hosts"
#define COURIER_ROOTS "/etc/ssl/certs/ca-certificates.crt"
#define COURIER_ADDRESSES 16
#define COURIER_ERROR_MAX 256
#define COURIER_LOOK_US 200000

static struct office courier_self;

static void courier_post(
    void *arg, const struct courier_post *what, courier_fn *fn, void *fn_arg);
static const struct courier courier_calls = { .post = courier_post };

static void
errand_free(struct errand *p)
{
	LIST_REMOVE(p, entry);
	jobs_http_end(p);
	free(p->url);
	free(p->body);
	free(p);
}

void
jobs_courier_done(struct errand *p, const struct courier_answer *a)
{
	p->fn(p->arg, a);
	errand_free(p);
}

void
jobs_courier_fail(struct errand *p, const char *fmt, ...)
{
	char text[COURIER_ERROR_MAX];
	struct courier_answer a = { .error = text };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jobs_courier_done(p, &a);
}

static bool
courier_address(struct ip *ip, const struct evutil_addrinfo *a)
{
	const struct sockaddr_in6 *six = (const void *)a->ai_addr;
	const struct sockaddr_in *four = (const void *)a->ai_addr;

	memset(ip, 0, sizeof(*ip));
	if (a->ai_family == AF_INET6)
		memcpy(ip->b, &six->sin6_addr, sizeof(ip->b));
	else if (a->ai_family == AF_INET) {
		ip->b[10] = ip->b[11] = 0xff;
		memcpy(ip->b + 12, &four->sin_addr, 4);
	} else
		return false;
	return true;
}

/* One address that is not for everybody is enough to refuse them all: the next
 * time it would be another one's turn. */
static void
courier_resolved(int error, struct evutil_addrinfo *list, void *arg)
{
	struct errand *p = arg;
	const struct webhook_limits *l = &p->office->role->core->limits.webhook;
	struct ip v[COURIER_ADDRESSES];
	const struct evutil_addrinfo *a;
	const char *why = NULL;
	size_t n = 0;

	clock_update();
	for (a = list; a != NULL && n < NELEM(v) && why == NULL; a = a->ai_next)
		if (courier_address(&v[n], a)) {
			why = webhook_refuses(l, &v[n]);
			n++;
		}
	if (list != NULL)
		evutil_freeaddrinfo(list);
	if (error != 0 || n == 0) {
		jobs_courier_fail(p, "The name %s has no address: %s.",
		    p->to.host,
		    error != 0 ? evutil_gai_strerror(error) : "none");
		return;
	}
	/* Which one, is not for who may not look it up from here. */
	if (why != NULL) {
		jobs_courier_fail(p,
		    "The name %s stands for an address that is not allowed "
		    "(%s).",
		    p->to.host, why);
		return;
	}
	p->ip = v[p->n % n];
	jobs_http_begin(p);
}

static void
courier_resolve(struct errand *p)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP };

	/* It may call back at once, and p be no more. */
	(void)evdns_getaddrinfo(
	    p->office->dns, p->to.host, NULL, &hints, courier_resolved, p);
}

/* So that nobody is called from within his own call. */
static void
courier_begin_cb(int fd, short what, void *arg)
{
	struct errand *p = arg;

	(void)fd;
	(void)what;
	if (p->to.is_ip)
		jobs_http_begin(p);
	else
		courier_resolve(p);
}

static void
courier_post(
    void *arg, const struct courier_post *what, courier_fn *fn, void *fn_arg)
{
	const struct timeval now = { 0, 0 };
	const struct webhook_url *to = what->url;
	struct office *o = arg;
	struct errand *p = xcalloc(1, sizeof(*p));
	const char *const *h;

	LIST_INSERT_HEAD(&o->errands, p, entry);
	p->office = o;
	p->fn = fn;
	p->arg = fn_arg;
	p->to = *to;
	p->to.path = (struct slice){ NULL, 0 };
	p->ip = to->ip;
	p->n = what->n;
	p->url = xasprintf("%s://%s%s%s:%u%s" SLICE_FMT,
	    to->tls ? "https" : "http", strchr(to->host, ':') ? "[" : "",
	    to->host, strchr(to->host, ':') ? "]" : "", to->port,
	    to->path.n > 0 && to->path.p[0] == '/' ? "" : "/",
	    SLICE_ARG(to->path));
	p->body = xmemdup(what->body.p, what->body.n);
	p->len = what->body.n;
	for (h = what->headers; *h != NULL; h++)
		p->headers = curl_slist_append(p->headers, *h);
	if (event_base_once(
		o->role->base, -1, EV_TIMEOUT, courier_begin_cb, p, &now) != 0)
		fatal("event_base_once");
}

static struct evdns_base *
courier_names(const struct role *r)
{
	struct evdns_base *dns = evdns_base_new(r->base, 0);
	const char *server = r->conf->webhook_resolver;
	int bad = 0;

	if (dns == NULL)
		fatal("evdns_base_new");
	if (server[0] == '\0')
		bad = evdns_base_resolv_conf_parse(
		    dns, DNS_OPTIONS_ALL, COURIER_NAMES);
	else if (evdns_base_nameserver_ip_add(dns, server) != 0)
		fatalx("webhook.resolver: %s cannot be used", server);
	else
		(void)evdns_base_load_hosts(dns, COURIER_HOSTS);
	if (bad != 0)
		log_info("%s names no name server; webhooks ask 127.0.0.1",
		    COURIER_NAMES);
	(void)evdns_base_set_option(dns, "timeout:", "2");
	(void)evdns_base_set_option(dns, "attempts:", "3");
	return dns;
}

static X509_STORE *
courier_roots(const struct role *r)
{
	const char *file = r->conf->webhook_ca_file;
	X509_STORE *roots = X509_STORE_new();

	if (roots == NULL)
		fatalx("X509_STORE_new");
	if (file[0] != '\0') {
		if (X509_STORE_load_file(roots, file) != 1)
			fatalx("webhook.ca_file: %s has no certificates that "
			       "can be read",
			    file);
		return roots;
	}
	file = X509_get_default_cert_file();
	if (access(file, R_OK) != 0)
		file = COURIER_ROOTS;
	if (X509_STORE_load_file(roots, file) != 1)
		log_info("%s: there are no certificates; no webhook can use "
			 "https",
		    file);
	return roots;
}

void
jobs_courier_enter(struct role *r)
{
	struct office *o = &courier_self;

	o->role = r;
	LIST_INIT(&o->errands);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		fatalx("libcurl does not start");
	o->dns = courier_names(r);
	o->roots = courier_roots(r);
}

static void
courier_look_cb(int fd, short what, void *arg)
{
	const struct office *o = arg;

	(void)fd;
	(void)what;
	clock_update();
	if (o->role->core->up)
		webhook_look(o->role->core);
}

void
jobs_courier_open(struct role *r)
{
	const struct timeval often = { 0, COURIER_LOOK_US };
	struct office *o = &courier_self;

	jobs_http_open(o);
	webhook_open(r->core, &courier_calls, o);
	o->look = event_new(r->base, -1, EV_PERSIST, courier_look_cb, o);
	if (o->look == NULL || event_add(o->look, &often) != 0)
		fatal("event_add");
}

void
jobs_courier_close(void)
{
	struct office *o = &courier_self;
	struct errand *p;

	while ((p = LIST_FIRST(&o->errands)) != NULL)
		errand_free(p);
	event_free(o->look);
	jobs_http_close(o);
	evdns_base_free(o->dns, 0);
	X509_STORE_free(o->roots);
	curl_global_cleanup();
}
