/* SPDX-License-Identifier: MIT */
#include "core/jobquery.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "loop.h"
#include "sig.h"
#include "core/jobframe.h"
#include "core/jobshell.h"
#include "core/jobtext.h"
#include "core/remote.h"
#include "sys/sshclient.h"

/* So many times the patience for all of an answer: the longest takes the end of
 * a stubborn job, ten seconds and some to die. */
#define ANSWER_TIMES 6
#define LINES_MAX 10000

struct query {
	const struct jobquery *q;
	struct remote *remote;
	struct jobframe frame;
	char nonce[JOBTEXT_NONCE_SIZE];
	struct buf text;
	struct buf words;
	size_t sent;
	bool all_sent;
	bool served; /* Z or F has come */
	size_t lines;
	int failures; /* of the line */
	bool up;      /* it was, once */
	bool over;
	int64_t end_ms; /* of our patience, once logged in; 0 = not yet */
	int result;
	struct err *err;
};

static void end(struct query *x, int result)
{
	if (!x->over)
		x->result = result;
	x->over = true;
}

static void fail(struct query *x, const struct err *err)
{
	if (!x->over && x->err)
		*x->err = *err;
	end(x, err->code);
}

/* The line broke; what was served is, all the same. */
static void again(struct query *x, const struct err *err)
{
	if (x->over)
		return;
	if (x->served) {
		end(x, 0);
		return;
	}
	if (!x->q->on_again || x->failures >= x->q->remote->retries) {
		fail(x, err);
		return;
	}
	x->end_ms = 0;
	x->q->on_again(err, x->q->arg);
	/* At once, but not over and over. */
	if (x->failures++ == 0)
		remote_connect(x->remote);
	else
		remote_connect_later(x->remote);
}

static bool on_bytes(bool is_stderr, const char *data, size_t len, void *arg)
{
	(void)is_stderr;
	(void)data;
	(void)len;
	(void)arg;
	return true;
}

static int on_line(const struct jobframe_line *line, void *arg, struct err *err)
{
	struct query *x = arg;

	if (++x->lines > LINES_MAX)
		return err_set(err, -EPROTO, "%s",
		        _("the host answers without an end"));
	x->served |= line->letter == 'Z' || line->letter == 'F';
	return x->q->on_line(line, x->q->arg, err);
}

static bool on_output(bool is_stderr, const char *data, size_t len, void *arg)
{
	struct query *x = arg;
	bool answered = jobframe_has_begun(&x->frame);
	struct err err = ERR_INIT;

	if (is_stderr || !answered)
		jobshell_hear(&x->words, data, len);
	if (!is_stderr && !x->over &&
	        jobframe_feed(&x->frame, data, len, NULL, &err) < 0)
		fail(x, &err);
	if (!answered && jobframe_has_begun(&x->frame))
		buf_reset(&x->words);
	return true;
}

static void on_shell_end(const struct sshclient_end *status, void *arg)
{
	struct query *x = arg;
	struct err err = ERR_INIT;

	if (x->served) {
		end(x, 0);
		return;
	}
	if (jobshell_ended(status, jobframe_has_begun(&x->frame), x->q->sudo,
	            &x->words, &err) == -ENOEXEC)
		fail(x, &err);
	else
		again(x, &err);
}

static void on_up(void *arg)
{
	struct query *x = arg;
	struct sshclient_handlers h = {
	        .on_data = on_output, .on_end = on_shell_end, .arg = x};
	_cleanup_buf_ struct buf command = BUF_INIT;
	struct err err = ERR_INIT;

	jobframe_restart(&x->frame);
	buf_reset(&x->words);
	x->sent = x->lines = 0;
	x->all_sent = false;
	x->up = true;
	x->end_ms = clock_mono_ms() + (int64_t)x->q->silence_ms * ANSWER_TIMES;
	jobtext_command(&command, x->nonce, x->text.len, x->q->sudo);
	if (buf_failed(&command)) {
		err_nomem(&err);
		fail(x, &err);
	} else if (remote_exec(x->remote, command.data, &h, &err) < 0) {
		fail(x, &err);
	}
}

static void on_room(void *arg)
{
	struct query *x = arg;

	while (x->sent < x->text.len) {
		ssize_t n = remote_write(x->remote, x->text.data + x->sent,
		        x->text.len - x->sent);

		if (n <= 0)
			return;
		x->sent += (size_t)n;
	}
	if (!x->all_sent)
		x->all_sent = remote_write_end(x->remote) == 0;
}

static void on_failed(const struct err *err, void *arg)
{
	fail(arg, err);
}

static void on_lost(const struct err *err, void *arg)
{
	again(arg, err);
}

static void took_too_long(struct query *x)
{
	struct err err = ERR_INIT;

	err_sys(&err, -ETIMEDOUT, "%s", _("waiting for the host"));
	remote_drop(x->remote);
	again(x, &err);
}

static void on_signal(short revents, void *arg)
{
	struct err err = ERR_INIT;

	(void)revents;
	err_set(&err, -EINTR, "%s", _("interrupted"));
	fail(arg, &err);
}

static int wait_for_answer(struct query *x, struct loop *loop)
{
	int r = 0;

	while (!x->over && r == 0) {
		int64_t left = x->end_ms - clock_mono_ms();

		if (x->end_ms > 0 && left <= 0)
			took_too_long(x);
		else
			r = loop_step(loop, x->end_ms > 0 ? left : -1);
		if (r == -EINTR)
			r = 0;
	}
	if (r < 0)
		err_sys(x->err, r, "%s", _("waiting for the host"));
	return r < 0 ? r : x->result;
}

int jobquery_ask(const struct jobquery *q, struct err *err)
{
	_cleanup_loop_ struct loop loop = LOOP_INIT;
	struct query x = {
	        .q = q,
	        .text = BUF_INIT,
	        .words = BUF_INIT,
	        .err = err,
	        .frame = {.nonce = x.nonce,
	                .on_data = on_bytes,
	                .on_line = on_line,
	                .arg = &x},
	};
	struct remote_handlers h = {.on_up = on_up,
	        .on_failed = on_failed,
	        .on_lost = on_lost,
	        .on_room = on_room,
	        .arg = &x};
	struct loop_source signals = {.fd = sig_fd(),
	        .events = POLLIN,
	        .on_ready = on_signal,
	        .arg = &x};
	int r = jobtext_nonce(x.nonce);

	if (r < 0)
		return err_sys(err, r, "%s", _("no random numbers"));
	/* First, for what a signal breaks off fails for other reasons too. */
	if (loop_add(&loop, &signals) < 0)
		return err_nomem(err);
	q->compose(&x.text, x.nonce, q->arg);
	r = buf_failed(&x.text)
	            ? err_nomem(err)
	            : remote_new(&x.remote, &loop, q->remote, &h, err);
	if (r == 0) {
		remote_connect(x.remote);
		r = wait_for_answer(&x, &loop);
		remote_free(x.remote);
	}
	buf_done(&x.text);
	buf_done(&x.words);
	if (q->ret_up)
		*q->ret_up = x.up;
	return r;
}
