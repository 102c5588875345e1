/* SPDX-License-Identifier: ISC */
/*
 * Requests of webhooks, by libcurl in the loop of this process.  Each goes to
 * the address that was looked at, under the name that its URL says: for the
 * Host header, and for the certificate.  Nothing else is asked or followed: no
 * proxy, no redirect, no name.
 */
#include "config.h"
#include "jobs/jobs_courier.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More of an answer ends it; what it began with counts. */
#define HTTP_ANSWER_MAX (64 * 1024)
#define HTTP_IDLE_MAX 32L

/* Waits for a socket of libcurl's. */
struct http_socket {
	struct office *office;
	struct event *ev;
};

static void
http_finish(struct errand *p, CURLcode code)
{
	struct courier_answer a = { .body = { p->kept, p->nkept } };
	curl_off_t wait = 0;
	long status = 0;

	curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(p->curl, CURLINFO_RETRY_AFTER, &wait);
	if (code == CURLE_OK ||
	    (code == CURLE_WRITE_ERROR && p->got > HTTP_ANSWER_MAX)) {
		a.status = status;
		if (wait > 0 && wait < INT32_MAX)
			a.retry_ms = (int64_t)wait * 1000;
	} else
		a.error =
		    p->error[0] != '\0' ? p->error : curl_easy_strerror(code);
	jobs_courier_done(p, &a);
}

/* Who is called may begin another one: each is taken anew. */
static void
http_look(struct office *o)
{
	CURLMsg *m;
	void *p;
	int left;

	while ((m = curl_multi_info_read(o->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE) {
			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
			http_finish(p, m->data.result);
		}
}

static void
http_socket_cb(int fd, short what, void *arg)
{
	struct office *o = ((struct http_socket *)arg)->office;
	int mask = (what & EV_READ ? CURL_CSELECT_IN : 0) |
		   (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	clock_update();
	curl_multi_socket_action(o->multi, fd, mask, &running);
	http_look(o);
}

static void
http_timer_cb(int fd, short what, void *arg)
{
	struct office *o = arg;
	int running;

	(void)fd;
	(void)what;
	clock_update();
	curl_multi_socket_action(o->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_look(o);
}

/* libcurl says what to wait for. */
static int
http_watch(CURL *curl, curl_socket_t fd, int what, void *arg, void *have)
{
	struct http_socket *s = have;
	struct office *o = arg;

	(void)curl;
	if (s != NULL)
		event_free(s->ev);
	if (what == CURL_POLL_REMOVE) {
		free(s);
		curl_multi_assign(o->multi, fd, NULL);
		return 0;
	}
	if (s == NULL)
		s = xcalloc(1, sizeof(*s));
	s->office = o;
	s->ev = event_new(o->role->base, fd,
	    (short)((what & CURL_POLL_IN ? EV_READ : 0) |
		    (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST),
	    http_socket_cb, s);
	if (s->ev == NULL || event_add(s->ev, NULL) != 0)
		fatal("event_add");
	curl_multi_assign(o->multi, fd, s);
	return 0;
}

static int
http_watch_timer(CURLM *multi, long ms, void *arg)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct office *o = arg;

	(void)multi;
	if (ms < 0)
		event_del(o->timer);
	else if (event_add(o->timer, &tv) != 0)
		fatal("event_add");
	return 0;
}

static size_t
http_header(char *s, size_t size, size_t n, void *arg)
{
	struct errand *p = arg;

	(void)s;
	p->got += size * n;
	return p->got > HTTP_ANSWER_MAX ? 0 : size * n;
}

static size_t
http_body(char *s, size_t size, size_t n, void *arg)
{
	struct errand *p = arg;
	size_t room = sizeof(p->kept) - p->nkept;

	n *= size;
	if (room > n)
		room = n;
	memcpy(p->kept + p->nkept, s, room);
	p->nkept += room;
	p->got += n;
	return p->got > HTTP_ANSWER_MAX ? 0 : n;
}

/* The certificates that were read at the start. */
static CURLcode
http_roots(CURL *curl, void *ctx, void *arg)
{
	struct office *o = arg;

	(void)curl;
	SSL_CTX_set1_cert_store(ctx, o->roots);
	return CURLE_OK;
}

/* The last look: whatever libcurl made of it, it goes where it may. */
static curl_socket_t
http_socket(void *arg, curlsocktype why, struct curl_sockaddr *a)
{
	const struct errand *p = arg;
	const struct sockaddr_in6 *six = (const void *)&a->addr;
	const struct sockaddr_in *four = (const void *)&a->addr;
	bool same;

	(void)why;
	if (a->family == AF_INET6)
		same = memcmp(&six->sin6_addr, p->ip.b, 16) == 0;
	else
		same = a->family == AF_INET && ip_is_v4(&p->ip) &&
		       memcmp(&four->sin_addr, p->ip.b + 12, 4) == 0;
	if (!same)
		return CURL_SOCKET_BAD;
	return socket(
	    a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
}

static void
http_set_route(struct errand *p)
{
	char text[IP_TEXT_LEN + 1];
	bool four = ip_is_v4(&p->ip);
	char *to = xasprintf("::%s%s%s:%u", four ? "" : "[",
	    ip_text(&p->ip, text), four ? "" : "]", p->to.port);
	CURL *c = p->curl;

	p->connect = curl_slist_append(NULL, to);
	free(to);
	curl_easy_setopt(c, CURLOPT_URL, p->url);
	curl_easy_setopt(c, CURLOPT_CONNECT_TO, p->connect);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, http_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, p);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS,
	    (long)p->office->role->core->limits.webhook.timeout_ms);
	/* The files that libcurl knows are not there any more. */
	curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, http_roots);
	curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, p->office);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

void
jobs_http_begin(struct errand *p)
{
	CURL *c = curl_easy_init();

	if (c == NULL) {
		jobs_courier_fail(p, "There is no memory for the request.");
		return;
	}
	p->curl = c;
	http_set_route(p);
	/* It would wait for a word that few say. */
	p->headers = curl_slist_append(p->headers, "Expect:");
	curl_easy_setopt(c, CURLOPT_PRIVATE, p);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, p->error);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "linnetd/" PACKAGE_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->len);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, p->body);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, http_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, p);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, http_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, p);
	if (curl_multi_add_handle(p->office->multi, c) != CURLM_OK)
		fatalx("curl_multi_add_handle");
}

void
jobs_http_end(struct errand *p)
{
	if (p->curl != NULL) {
		curl_multi_remove_handle(p->office->multi, p->curl);
		curl_easy_cleanup(p->curl);
	}
	curl_slist_free_all(p->headers);
	curl_slist_free_all(p->connect);
}

void
jobs_http_open(struct office *o)
{
	o->multi = curl_multi_init();
	o->timer = event_new(o->role->base, -1, 0, http_timer_cb, o);
	if (o->multi == NULL || o->timer == NULL)
		fatal("libcurl");
	curl_multi_setopt(o->multi, CURLMOPT_SOCKETFUNCTION, http_watch);
	curl_multi_setopt(o->multi, CURLMOPT_SOCKETDATA, o);
	curl_multi_setopt(o->multi, CURLMOPT_TIMERFUNCTION, http_watch_timer);
	curl_multi_setopt(o->multi, CURLMOPT_TIMERDATA, o);
	curl_multi_setopt(o->multi, CURLMOPT_MAXCONNECTS, HTTP_IDLE_MAX);
}

void
jobs_http_close(struct office *o)
{
	curl_multi_cleanup(o->multi);
	event_free(o->timer);
}
