/* SPDX-License-Identifier: MIT */
#include "core/reach.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "loop.h"
#include "core/ping.h"
#include "sys/resolve.h"

#define ADDRESSES_MAX 8
#define STAGGER_MS 250

struct attempt {
	struct loop_source source; /* fd -1: over */
	struct reach *reach;
};

struct reach {
	struct loop *loop;
	struct resolve *resolve;
	struct loop_source answer; /* of the resolver */
	struct loop_source timer;  /* the next address, or the end */
	struct loop_source pong;
	char *host;
	unsigned port;
	int64_t end_ms;
	const struct addrinfo *next;
	struct attempt attempts[ADDRESSES_MAX];
	size_t len;
	struct reach_result result;
	void (*on_done)(const struct reach_result *result, void *arg);
	void *arg;
};

static void drop(struct reach *r, struct loop_source *s)
{
	loop_remove(r->loop, s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void reach_free(struct reach *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->len; i++)
		drop(r, &r->attempts[i].source);
	drop(r, &r->pong);
	loop_remove(r->loop, &r->timer);
	loop_remove(r->loop, &r->answer);
	resolve_free(r->resolve);
	free(r->host);
	free(r);
}

/* --- the end ----------------------------------------------------------------
 */

static void finish(struct reach *r)
{
	struct reach_result result = r->result;
	void (*on_done)(const struct reach_result *, void *) = r->on_done;

	r->on_done = NULL;
	for (size_t i = 0; i < r->len; i++)
		drop(r, &r->attempts[i].source);
	drop(r, &r->pong);
	loop_remove(r->loop, &r->timer);
	loop_remove(r->loop, &r->answer);
	on_done(&result, r->arg);
}

static const char *ping_text(enum reach_ping ping)
{
	switch (ping) {
	case REACH_PING_ANSWERED:
		return _("it answers to ping");
	case REACH_PING_SILENT:
		return _("it does not answer to ping either");
	case REACH_PING_UNKNOWN:
	default:
		return _("ping could not be tried");
	}
}

static void fail(struct reach *r, int error)
{
	struct err *e = &r->result.err;

	if (error == ECONNREFUSED) /* which it did itself */
		r->result.ping = REACH_PING_ANSWERED;

	r->result.fd = -error;
	err_set(e, -error, _("no connection to %s port %u (%s): %s; %s"),
	        r->host, r->port,
	        r->result.address[0] ? r->result.address : r->host,
	        err_text(error), ping_text(r->result.ping));
	err_action(e, "%s",
	        error == ECONNREFUSED
	                ? _("The host is up, but no SSH server listens "
	                    "there: start sshd, or check the port.")
	                : _("Is the host switched on, is the address right, "
	                    "does a firewall forbid it?"));
	finish(r);
}

/* There was nothing yet to connect to. */
static void fail_name(struct reach *r)
{
	r->result.fd = -ETIMEDOUT;
	err_set(&r->result.err, -ETIMEDOUT,
	        _("no name server told the address of %s in time"), r->host);
	err_action(&r->result.err, "%s",
	        _("Check /etc/resolv.conf and the network, or name the host "
	          "by its address."));
	finish(r);
}

/* --- TCP --------------------------------------------------------------------
 */

static void show(struct reach *r, const struct sockaddr *a, socklen_t len)
{
	(void)getnameinfo(a, len, r->result.address, sizeof r->result.address,
	        NULL, 0, NI_NUMERICHOST);
}

static void show_peer(struct reach *r, int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;

	if (getpeername(fd, (struct sockaddr *)&a, &len) == 0)
		show(r, (struct sockaddr *)&a, len);
}

static void connected(struct reach *r, struct loop_source *s)
{
	int on = 1;

	loop_remove(r->loop, s);
	show_peer(r, s->fd);
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	r->result.fd = s->fd;
	s->fd = -1;
	finish(r);
}

static void next_attempt(struct reach *r);

static bool any_open(const struct reach *r)
{
	for (size_t i = 0; i < r->len; i++)
		if (r->attempts[i].source.fd >= 0)
			return true;
	return false;
}

static void failed(struct reach *r, struct loop_source *s, int error)
{
	drop(r, s);
	if (r->next && r->len < ADDRESSES_MAX)
		next_attempt(r);
	else if (!any_open(r))
		fail(r, error);
}

static void on_socket(short revents, void *arg)
{
	struct attempt *a = arg;
	int error = 0;
	socklen_t len = sizeof error;

	(void)revents;
	if (getsockopt(a->source.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0)
		connected(a->reach, &a->source);
	else
		failed(a->reach, &a->source, error);
}

static void set_timer(struct reach *r)
{
	int64_t next = clock_mono_ms() + STAGGER_MS;

	r->timer.due_ms = r->next && r->len < ADDRESSES_MAX && next < r->end_ms
	                          ? next
	                          : r->end_ms;
}

static void next_attempt(struct reach *r)
{
	const struct addrinfo *ai = r->next;
	struct attempt *a = &r->attempts[r->len++];

	r->next = ai->ai_next;
	set_timer(r);
	*a = (struct attempt){.reach = r,
	        .source = {.events = POLLOUT, .on_ready = on_socket, .arg = a}};
	a->source.fd = socket(
	        ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->source.fd < 0 ||
	        (connect(a->source.fd, ai->ai_addr, ai->ai_addrlen) < 0 &&
	                errno != EINPROGRESS)) {
		failed(r, &a->source, errno);
		return;
	}
	if (loop_add(r->loop, &a->source) < 0)
		failed(r, &a->source, ENOMEM);
}

static void on_timer(short revents, void *arg)
{
	struct reach *r = arg;

	(void)revents;
	if (clock_mono_ms() >= r->end_ms && r->len == 0)
		fail_name(r);
	else if (clock_mono_ms() >= r->end_ms)
		fail(r, ETIMEDOUT);
	else if (r->next && r->len < ADDRESSES_MAX)
		next_attempt(r);
	else
		set_timer(r);
}

/* --- name and ping ----------------------------------------------------------
 */

static void on_pong(short revents, void *arg)
{
	struct reach *r = arg;

	(void)revents;
	if (!ping_answered(r->pong.fd))
		return;
	r->result.ping = REACH_PING_ANSWERED;
	drop(r, &r->pong);
}

static void send_ping(struct reach *r, const struct addrinfo *ai)
{
	r->pong.fd = ping_send(ai->ai_addr, ai->ai_addrlen);
	if (r->pong.fd < 0)
		return;
	r->result.ping = REACH_PING_SILENT;
	if (loop_add(r->loop, &r->pong) < 0)
		drop(r, &r->pong);
}

static void on_answer(short revents, void *arg)
{
	struct reach *r = arg;
	int e;

	(void)revents;
	e = resolve_answer(r->resolve, &r->next, &r->result.err);
	if (e == -EAGAIN)
		return;
	loop_remove(r->loop, &r->answer);
	if (e < 0) {
		r->result.fd = e;
		finish(r);
		return;
	}
	show(r, r->next->ai_addr, r->next->ai_addrlen);
	send_ping(r, r->next);
	next_attempt(r);
}

int reach_start(struct reach **ret, struct loop *loop, const char *host,
        unsigned port, int64_t timeout_ms,
        void (*on_done)(const struct reach_result *result, void *arg),
        void *arg, struct err *err)
{
	struct reach *r = calloc(1, sizeof *r);
	int e;

	if (!r)
		return err_nomem(err);
	*r = (struct reach){
	        .loop = loop,
	        .host = strdup(host),
	        .port = port,
	        .end_ms = clock_mono_ms() + timeout_ms,
	        .on_done = on_done,
	        .arg = arg,
	        .answer = {.fd = -1,
	                .events = POLLIN,
	                .on_ready = on_answer,
	                .arg = r},
	        .timer = {.fd = -1, .on_ready = on_timer, .arg = r},
	        .pong = {.fd = -1,
	                .events = POLLIN,
	                .on_ready = on_pong,
	                .arg = r},
	        .result = {.fd = -EHOSTUNREACH},
	};
	r->timer.due_ms = r->end_ms;
	e = r->host ? resolve_start(&r->resolve, host, port, err)
	            : err_nomem(err);
	if (e == 0) {
		r->answer.fd = resolve_fd(r->resolve);
		if (loop_add(loop, &r->answer) < 0 ||
		        loop_add(loop, &r->timer) < 0)
			e = err_nomem(err);
	}
	if (e < 0) {
		reach_free(r);
		return e;
	}
	*ret = r;
	return 0;
}
