/* SPDX-License-Identifier: MIT */
#include "core/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "i18n.h"
#include "loop.h"
#include "core/proxy.h"
#include "core/reach.h"
#include "sys/sshclient.h"

struct remote {
	struct loop *loop;
	struct remote_options options;
	struct remote_handlers handlers;
	struct reach *reach;
	struct proxy *proxy;
	struct sshclient *ssh;
	struct loop_source line;  /* the connection; due: without an event */
	struct loop_source timer; /* the login's end, or the next attempt */
	unsigned lines; /* that were closed: tells one from the next */
	bool up;
	bool was_up;  /* since remote_new() */
	int attempts; /* that failed */
	bool pumping; /* handlers are being called: nothing may be freed */
	bool freed;
};

/* --- life -------------------------------------------------------------------
 */

static void close_line(struct remote *r)
{
	r->up = false;
	r->lines++;
	r->line.fd = -1;
	r->line.due_ms = r->timer.due_ms = 0;
	reach_free(r->reach);
	r->reach = NULL;
	proxy_free(r->proxy);
	r->proxy = NULL;
	sshclient_close(r->ssh);
	r->ssh = NULL;
}

void remote_drop(struct remote *r)
{
	close_line(r);
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	close_line(r);
	loop_remove(r->loop, &r->line);
	loop_remove(r->loop, &r->timer);
	r->freed = true;
	if (!r->pumping)
		free(r);
}

/* What the handlers have asked for is done now. */
static void end_pumping(struct remote *r)
{
	r->pumping = false;
	if (r->freed)
		free(r);
}

/* --- attempts ---------------------------------------------------------------
 */

/* What has no other way to be told. */
static void give_up(struct remote *r, const struct err *err)
{
	close_line(r);
	r->handlers.on_failed(err, r->handlers.arg);
}

static void set_timer(struct remote *r, int64_t ms)
{
	r->timer.due_ms = clock_mono_ms() + ms;
}

/* The host said no for good; after it was up once, it may still be booting. */
static bool is_final(const struct remote *r, int error)
{
	return error == -EKEYREJECTED || error == -ENOMEM ||
	       (error == -EACCES && !r->was_up);
}

static void attempt_failed(struct remote *r, const struct err *err)
{
	struct err copy = *err;

	/* Then the host itself has not said anything. */
	if (r->proxy && (err->code == -ENOTCONN || err->code == -EPROTO))
		(void)proxy_has_ended(r->proxy, &copy);
	if (is_final(r, err->code) || r->attempts >= r->options.retries) {
		give_up(r, &copy);
		return;
	}
	close_line(r);
	r->attempts++;
	set_timer(r, r->options.delay_ms);
	if (r->handlers.on_retry)
		r->handlers.on_retry(
		        &copy, r->options.delay_ms, r->handlers.arg);
}

static void broke(struct remote *r, const struct err *err)
{
	if (!r->up) {
		attempt_failed(r, err);
		return;
	}
	close_line(r);
	r->handlers.on_lost(err, r->handlers.arg);
}

static void came_up(struct remote *r)
{
	r->timer.due_ms = 0;
	r->up = r->was_up = true;
	r->attempts = 0;
	r->handlers.on_up(r->handlers.arg);
}

static void wait_for_line(struct remote *r)
{
	r->line.fd = sshclient_fd(r->ssh);
	r->line.events = sshclient_events(r->ssh);
}

static void pump(struct remote *r)
{
	unsigned line = r->lines;
	int64_t began_ms = clock_mono_ms();
	struct err err = ERR_INIT;
	int s;

	r->line.due_ms = 0;
	r->pumping = true;
	s = sshclient_pump(r->ssh, &err);
	/* The time in which a person looks for the password is not the host's.
	 */
	if (r->timer.due_ms > 0)
		r->timer.due_ms += clock_mono_ms() - began_ms;
	/* Any handler may have dropped it, and have another one by now. */
	if (r->lines == line && s < 0)
		broke(r, &err);
	else if (r->lines == line && s == SSHCLIENT_READY && !r->up)
		came_up(r);
	if (r->lines == line && r->up && r->handlers.on_room)
		r->handlers.on_room(r->handlers.arg);
	if (r->lines == line)
		wait_for_line(r);
	end_pumping(r);
}

static void on_line(short revents, void *arg)
{
	struct remote *r = arg;

	(void)revents;
	/* What poll(2) says may be of a line that is no more. */
	if (r->ssh)
		pump(r);
}

static int open_line(struct remote *r, int fd, struct err *err)
{
	int e = sshclient_open(&r->ssh, r->options.ssh, fd, err);

	if (e < 0)
		return e;
	r->line.due_ms = 1; /* we begin to speak */
	wait_for_line(r);
	return 0;
}

static void on_reached(const struct reach_result *result, void *arg)
{
	struct remote *r = arg;
	struct err err = result->err;

	reach_free(r->reach);
	r->reach = NULL;
	if (result->fd < 0 || open_line(r, result->fd, &err) < 0)
		attempt_failed(r, &err);
}

static void attempt_by_proxy(struct remote *r)
{
	struct err err = ERR_INIT;
	int fd;

	if (proxy_start(&r->proxy, r->options.proxy, r->options.address,
	            r->options.port, r->options.ssh->user, &fd, &err) < 0 ||
	        open_line(r, fd, &err) < 0)
		attempt_failed(r, &err);
}

static void attempt(struct remote *r)
{
	struct err err = ERR_INIT;

	set_timer(r, r->options.connect_timeout_ms + 100);
	if (r->options.proxy) {
		attempt_by_proxy(r);
		return;
	}
	if (reach_start(&r->reach, r->loop, r->options.address, r->options.port,
	            r->options.connect_timeout_ms, on_reached, r, &err) < 0)
		attempt_failed(r, &err);
}

/* Either the pause is over, or the login takes too long. */
static void on_timer(short revents, void *arg)
{
	struct remote *r = arg;
	struct err err = ERR_INIT;

	(void)revents;
	r->timer.due_ms = 0;
	if (!r->ssh && !r->reach) {
		attempt(r);
		return;
	}
	err_set(&err, -ETIMEDOUT,
	        _("%s takes the connection, but does not let anybody log in "
	          "within %d s"),
	        r->options.address, r->options.connect_timeout_ms / 1000);
	attempt_failed(r, &err);
}

void remote_connect(struct remote *r)
{
	close_line(r);
	r->attempts = 0;
	/* Not from here: it may fail, and its handler may free the remote. */
	r->timer.due_ms = 1;
}

void remote_connect_later(struct remote *r)
{
	remote_connect(r);
	set_timer(r, r->options.delay_ms);
}

int remote_new(struct remote **ret, struct loop *loop,
        const struct remote_options *options,
        const struct remote_handlers *handlers, struct err *err)
{
	struct remote *r = calloc(1, sizeof *r);

	if (!r)
		return err_nomem(err);
	r->loop = loop;
	r->options = *options;
	r->handlers = *handlers;
	r->line = (struct loop_source){.fd = -1, .on_ready = on_line, .arg = r};
	r->timer =
	        (struct loop_source){.fd = -1, .on_ready = on_timer, .arg = r};
	if (loop_add(loop, &r->line) < 0 || loop_add(loop, &r->timer) < 0) {
		remote_free(r);
		return err_nomem(err);
	}
	*ret = r;
	return 0;
}

/* --- the program ------------------------------------------------------------
 */

/* What was buffered wants to be sent, and answers may be there already. */
static void kick(struct remote *r)
{
	if (!r->pumping)
		r->line.due_ms = 1;
}

int remote_exec(struct remote *r, const char *command,
        const struct sshclient_handlers *handlers, struct err *err)
{
	int e;

	if (!r->up)
		return err_set(err, -ENOTCONN, _("%s is not connected"),
		        r->options.address);
	e = sshclient_exec(r->ssh, command, handlers, err);
	/* Even when called while pumping: its request goes out only then. */
	r->line.due_ms = 1;
	return e;
}

ssize_t remote_write(struct remote *r, const void *data, size_t len)
{
	ssize_t n = r->up ? sshclient_write(r->ssh, data, len) : -ENOTCONN;

	kick(r);
	return n;
}

int remote_write_end(struct remote *r)
{
	int e = r->up ? sshclient_write_end(r->ssh) : -ENOTCONN;

	kick(r);
	return e;
}

void remote_resume(struct remote *r)
{
	if (!r->ssh)
		return;
	sshclient_resume(r->ssh);
	/* What has waited may be in our memory already: no event comes. */
	r->line.due_ms = 1;
}
