/* SPDX-License-Identifier: ISC */
/*
 * TLS connections: the handshake, and what takes the place of recv(2) and
 * sendmsg(2) after it.
 *
 * Until the first byte came a connection has no TLS memory at all, and that
 * byte says whether the peer speaks TLS.  OpenSSL may want to write in order
 * to read and the other way round: tls_read_w and tls_write_r say so, and
 * conn_rearm() looks at them.  It also may hold input that no descriptor
 * announces any more: tls_more.
 *
 * A record that OpenSSL could not write at once is encrypted already, and is
 * sent whatever becomes of the frames it was made from.  So the same bytes
 * must stand at the head of the output until it is out: tls_pend of them.
 *
 * There are records without data (new keys, tickets), and OpenSSL reads on
 * behind them.  A peer that sends nothing else as fast as it can would hold the
 * process as long as it likes: so OpenSSL may read so often only, and more when
 * data came of it.
 */
#include <sys/socket.h>
#include <sys/uio.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "net/net_tls.h"

#define TLS_HANDSHAKE 0x16 /* RFC 8446 5.1: the first byte of a client */
#define TLS_READS 2	   /* without data, each of a record at most */

static const char *const tls_results[] = {
#define NET_TLS(id, text) #id,
#include "net/tls.def"
#undef NET_TLS
};

/* What OpenSSL says, as a result of ours. */
static const struct {
	int reason;
	enum net_tls_result result;
} tls_reasons[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, NET_TLS_VERSION },
	{ SSL_R_VERSION_TOO_LOW, NET_TLS_VERSION },
	{ SSL_R_WRONG_VERSION_NUMBER, NET_TLS_VERSION },
	{ SSL_R_UNKNOWN_PROTOCOL, NET_TLS_VERSION },
	{ SSL_R_INAPPROPRIATE_FALLBACK, NET_TLS_VERSION },
	{ SSL_R_NO_SHARED_CIPHER, NET_TLS_CIPHER },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, NET_TLS_CIPHER },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, NET_TLS_CIPHER },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, NET_TLS_CIPHER },
	{ SSL_R_NO_APPLICATION_PROTOCOL, NET_TLS_ALPN },
};

const char *
net_tls_result_name(enum net_tls_result r)
{
	return (unsigned)r < NELEM(tls_results) ? tls_results[r] : "?";
}

static void
tls_count(struct conn *c, enum net_tls_result r)
{
	c->net->stats.tls[r]++;
}

/* Makes of a failed call what a failed system call would be. */
static ssize_t
tls_failed(struct conn *c, int error)
{
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		errno = EAGAIN;
		return -1;
	}
	/* OpenSSL may not be asked for anything on this connection again. */
	c->tls_over = 1;
	errno = EPIPE;
	return -1;
}

static void
tls_leave(struct conn *c)
{
	if (c->state == CONN_TLS)
		c->net->handshakes--;
}

/* The handshake is over, one way or the other. */
static void
tls_become_http(struct conn *c)
{
	tls_leave(c);
	c->state = CONN_HTTP;
	c->since_ms = clock_mono();
}

void
conn_tls_timeout(struct conn *c)
{
	tls_count(c, NET_TLS_TIMEOUT);
	conn_die(c, NET_END_TIMEOUT);
}

static enum net_tls_result
tls_result(int error)
{
	unsigned long e = ERR_peek_error();
	size_t i;

	if (error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
	    e == 0)
		return NET_TLS_PEER;
	/* OpenSSL's numbers for alerts that were received. */
	if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    ERR_GET_REASON(e) >= SSL_AD_REASON_OFFSET)
		return NET_TLS_ALERT;
	for (i = 0; i < NELEM(tls_reasons); i++) {
		if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
		    ERR_GET_REASON(e) == tls_reasons[i].reason)
			return tls_reasons[i].result;
	}
	return NET_TLS_PROTOCOL;
}

static void
tls_refused(struct conn *c, int error)
{
	enum net_tls_result r = tls_result(error);

	log_debug("tls: handshake: %s: %s", net_tls_result_name(r),
	    ERR_reason_error_string(ERR_peek_error()) != NULL
		? ERR_reason_error_string(ERR_peek_error())
		: "the connection ended");
	ERR_clear_error();
	tls_count(c, r);
	c->tls_over = 1;
	if (r == NET_TLS_PEER || r == NET_TLS_ALERT) {
		conn_die(c, NET_END_PEER);
		return;
	}
	/* OpenSSL has sent an alert, which the peer shall be able to read:
	 * what it still sends is read and forgotten meanwhile. */
	tls_become_http(c);
	c->deaf = 1;
	conn_closing(c, NET_END_PROTOCOL, 0);
}

/* The peer speaks, but not TLS: it is told so in its own words. */
static void
tls_plain(struct conn *c)
{
	tls_count(c, NET_TLS_PLAIN);
	tls_become_http(c);
	c->is_tls = 0;
	conn_refuse(c, NET_END_PROTOCOL, 400,
	    "This port speaks TLS: use https:// or wss://.");
}

/* Before it reads, OpenSSL hears that there is nothing when it read enough. */
static long
tls_read_cb(BIO *bio, int what, const char *p, size_t n, int argi, long argl,
    int r, size_t *done)
{
	struct net *net = (struct net *)(void *)BIO_get_callback_arg(bio);

	(void)p;
	(void)n;
	(void)argi;
	(void)argl;
	(void)done;
	if (what != BIO_CB_READ)
		return r;
	if (net->tls_reads > 0) {
		net->tls_reads--;
		return r;
	}
	BIO_clear_retry_flags(bio);
	BIO_set_retry_read(bio);
	return -1;
}

/* Waits for the first byte; true when it is there and is TLS. */
static bool
tls_begin(struct conn *c)
{
	int fd = event_get_fd(&c->ev);
	ssize_t n;
	uint8_t b;

	do {
		n = recv(fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		tls_count(c, NET_TLS_PEER);
		conn_die(c, NET_END_PEER);
		return false;
	}
	if (b != TLS_HANDSHAKE) {
		tls_plain(c);
		return false;
	}
	/* The certificates may have been taken away meanwhile. */
	if (c->net->tls != NULL)
		c->ssl = SSL_new(net_tls_first(c->net->tls));
	if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1) {
		tls_count(c, NET_TLS_LIMIT);
		conn_die(c, NET_END_LIMIT);
		return false;
	}
	BIO_set_callback_ex(SSL_get_rbio(c->ssl), tls_read_cb);
	BIO_set_callback_arg(SSL_get_rbio(c->ssl), (char *)c->net);
	SSL_set_app_data(c->ssl, c);
	SSL_set_accept_state(c->ssl);
	return true;
}

void
conn_tls_shake(struct conn *c)
{
	int r, error;

	if (c->ssl == NULL && !tls_begin(c))
		return;
	ERR_clear_error();
	c->net->tls_reads = TLS_READS;
	r = SSL_do_handshake(c->ssl);
	if (r == 1) {
		tls_count(c, NET_TLS_OK);
		if (SSL_session_reused(c->ssl))
			c->net->stats.tls_resumed++;
		tls_become_http(c);
		c->tls_read_w = 0;
		return;
	}
	error = SSL_get_error(c->ssl, r);
	c->tls_read_w = error == SSL_ERROR_WANT_WRITE;
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		tls_refused(c, error);
}

ssize_t
conn_tls_read(struct conn *c, void *p, size_t n)
{
	size_t done = 0;
	int r = 0, error;

	c->tls_read_w = 0;
	if (c->tls_over)
		return tls_failed(c, SSL_ERROR_SSL);
	c->net->tls_reads = TLS_READS;
	while (done < n) {
		ERR_clear_error();
		r = SSL_read(c->ssl, (char *)p + done, (int)(n - done));
		if (r <= 0)
			break;
		done += (size_t)r;
		c->net->tls_reads++;
		c->tls_more = SSL_has_pending(c->ssl) != 0;
		if (!c->tls_more)
			return (ssize_t)done;
	}
	if (done == n)
		return (ssize_t)done;
	/* What is left in OpenSSL is no whole record. */
	c->tls_more = 0;
	error = SSL_get_error(c->ssl, r);
	c->tls_read_w = error == SSL_ERROR_WANT_WRITE;
	if (done > 0)
		return (ssize_t)done;
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	return tls_failed(c, error);
}

/* The next record: a large frame as it lies there, small ones together. */
static size_t
tls_gather(struct net *net, const struct iovec *iov, size_t n, size_t skip,
    const char **p)
{
	size_t len = 0, k, i;

	*p = (const char *)iov[0].iov_base + skip;
	k = iov[0].iov_len - skip;
	if (n == 1 || k >= NET_TLS_RECORD)
		return k < NET_TLS_RECORD ? k : NET_TLS_RECORD;
	for (i = 0; i < n && len < NET_TLS_RECORD; i++, skip = 0) {
		k = iov[i].iov_len - skip;
		if (k > NET_TLS_RECORD - len)
			k = NET_TLS_RECORD - len;
		memcpy(net->record + len, (char *)iov[i].iov_base + skip, k);
		len += k;
	}
	*p = net->record;
	return len;
}

ssize_t
conn_tls_write(struct conn *c, const struct iovec *iov, size_t n)
{
	size_t done = 0, skip = 0, len;
	int r = 1, error = SSL_ERROR_SSL;
	const char *p;

	c->tls_write_r = 0;
	if (c->tls_over)
		return tls_failed(c, SSL_ERROR_SSL);
	c->net->tls_reads = TLS_READS;
	while (n > 0) {
		len = tls_gather(c->net, iov, n, skip, &p);
		ERR_clear_error();
		r = SSL_write(c->ssl, p, (int)len);
		c->tls_pend = r > 0 ? 0 : (uint32_t)len;
		if (r <= 0)
			break;
		done += (size_t)r;
		skip += (size_t)r;
		while (n > 0 && skip >= iov->iov_len) {
			skip -= iov->iov_len;
			iov++;
			n--;
		}
	}
	if (r <= 0) {
		error = SSL_get_error(c->ssl, r);
		c->tls_write_r = error == SSL_ERROR_WANT_READ;
	}
	return done > 0 ? (ssize_t)done : tls_failed(c, error);
}

void
conn_tls_bye(struct conn *c)
{
	if (c->ssl == NULL || c->tls_over || !SSL_is_init_finished(c->ssl) ||
	    (SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN) != 0)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}

void
conn_tls_free(struct conn *c)
{
	conn_tls_bye(c);
	SSL_free(c->ssl);
	c->ssl = NULL;
	tls_leave(c);
}

void
net_tls_turn_away(struct net *n, int fd)
{
	n->stats.opened++;
	n->stats.ended[NET_END_LIMIT]++;
	n->stats.tls[NET_TLS_LIMIT]++;
	close(fd);
}
