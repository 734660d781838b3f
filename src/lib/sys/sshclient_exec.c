/* SPDX-License-Identifier: MIT */
/* A program on the host: one channel. */
#include <errno.h>
#include <libssh/callbacks.h>
#include <stdlib.h>
#include <string.h>

#include "i18n.h"
#include "sys/sshclient_internal.h"

#define READ_SIZE 65536

enum step { OPENING, REQUESTING, RUNNING };

struct sshclient_exec {
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	enum step step;
	char *command;
	struct sshclient_handlers handlers;
	struct sshclient_end end;
	bool closed; /* by the host: nothing more will come */
	bool full;   /* the handler wants a pause */
};

static void on_exit_status(
        ssh_session session, ssh_channel channel, int status, void *arg)
{
	struct sshclient_exec *x = arg;

	(void)session;
	(void)channel;
	x->end.status = status & 0xff;
}

static void on_exit_signal(ssh_session session, ssh_channel channel,
        const char *name, int core, const char *message, const char *lang,
        void *arg)
{
	struct sshclient_exec *x = arg;

	(void)session;
	(void)channel;
	(void)core;
	(void)message;
	(void)lang;
	(void)str_copy(x->end.signal, sizeof x->end.signal, name ? name : "?");
}

static void on_close(ssh_session session, ssh_channel channel, void *arg)
{
	struct sshclient_exec *x = arg;

	(void)session;
	(void)channel;
	x->closed = true;
}

void sshclient_exec_free(struct sshclient *s)
{
	struct sshclient_exec *x = s->exec;

	if (!x)
		return;
	s->exec = NULL;
	if (x->channel) {
		ssh_remove_channel_callbacks(x->channel, &x->callbacks);
		ssh_channel_free(x->channel);
	}
	free(x->command);
	free(x);
}

int sshclient_exec(struct sshclient *s, const char *command,
        const struct sshclient_handlers *handlers, struct err *err)
{
	struct sshclient_exec *x;

	if (s->exec)
		return err_set(err, -EBUSY, "%s",
		        _("another program runs on this connection"));
	x = s->exec = calloc(1, sizeof *x);
	if (!x)
		return err_nomem(err);
	x->end.status = -1;
	x->handlers = *handlers;
	x->command = strdup(command);
	x->channel = ssh_channel_new(s->session);
	if (!x->command || !x->channel) {
		sshclient_exec_free(s);
		return err_nomem(err);
	}
	ssh_callbacks_init(&x->callbacks);
	x->callbacks.userdata = x;
	x->callbacks.channel_exit_status_function = on_exit_status;
	x->callbacks.channel_exit_signal_function = on_exit_signal;
	x->callbacks.channel_close_function = on_close;
	ssh_set_channel_callbacks(x->channel, &x->callbacks);
	return 0;
}

static int refused(struct sshclient *s, struct err *err)
{
	sshclient_exec_free(s);
	if (!ssh_is_connected(s->session))
		return err_set(err, -ENOTCONN,
		        _("%s has closed the connection: %s"), s->host,
		        sshclient_reason(s));
	err_set(err, -EAGAIN, _("%s lets nobody run a program now: %s"),
	        s->host, sshclient_reason(s));
	err_action(err, "%s",
	        _("See MaxSessions in its sshd_config, and its log."));
	return -EAGAIN;
}

/* 1 = it runs, 0 = not yet. */
static int start(struct sshclient *s, struct err *err)
{
	struct sshclient_exec *x = s->exec;
	int r;

	if (x->step == OPENING) {
		r = ssh_channel_open_session(x->channel);
		if (r == SSH_AGAIN)
			return 0;
		if (r != SSH_OK)
			return refused(s, err);
		x->step = REQUESTING;
	}
	if (x->step == REQUESTING) {
		r = ssh_channel_request_exec(x->channel, x->command);
		if (r == SSH_AGAIN)
			return 0;
		if (r != SSH_OK)
			return refused(s, err);
		x->step = RUNNING;
	}
	return 1;
}

/* Hands over what is there of one stream; false = the handler is full, or has
 * closed the connection. */
static bool deliver(struct sshclient *s, bool is_stderr)
{
	static char data[READ_SIZE];
	struct sshclient_exec *x = s->exec;

	for (;;) {
		int n = ssh_channel_read_nonblocking(
		        x->channel, data, sizeof data, is_stderr);

		if (n <= 0)
			return true;
		if (!x->handlers.on_data(
		            is_stderr, data, (size_t)n, x->handlers.arg)) {
			x->full = true;
			return false;
		}
		if (s->doomed)
			return false;
	}
}

static void finish(struct sshclient *s)
{
	struct sshclient_handlers h = s->exec->handlers;
	struct sshclient_end end = s->exec->end;

	sshclient_exec_free(s);
	h.on_end(&end, h.arg);
}

int sshclient_exec_pump(struct sshclient *s, struct err *err)
{
	struct sshclient_exec *x = s->exec;
	bool closed;
	int r;

	if (!x)
		return 0;
	r = start(s, err);
	if (r <= 0)
		return r;
	/* Reading looks at the line too: the close that it brings says nothing
	 * of what came with it, so read until nothing came after the close. */
	do {
		closed = x->closed;
		if (x->full || !deliver(s, false) || !deliver(s, true))
			return 0;
	} while (closed != x->closed);
	if (closed)
		finish(s);
	return 0;
}

ssize_t sshclient_write(struct sshclient *s, const void *data, size_t len)
{
	int n;

	if (!s->exec || s->exec->step != RUNNING)
		return 0;
	if (len > READ_SIZE)
		len = READ_SIZE;
	if (len > ssh_channel_window_size(s->exec->channel))
		len = ssh_channel_window_size(s->exec->channel);
	if (len == 0)
		return 0;
	n = ssh_channel_write(s->exec->channel, data, (uint32_t)len);
	return n == SSH_AGAIN ? 0 : n < 0 ? -ENOTCONN : n;
}

int sshclient_write_end(struct sshclient *s)
{
	if (!s->exec || s->exec->step != RUNNING ||
	        ssh_channel_send_eof(s->exec->channel) != SSH_OK)
		return -ENOTCONN;
	return 0;
}

void sshclient_resume(struct sshclient *s)
{
	if (s->exec)
		s->exec->full = false;
}
