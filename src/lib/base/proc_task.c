/* SPDX-License-Identifier: MIT */
/* proc_task: a C function in a child, for calls that can hang for ever. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "proc.h"
#include "proc_internal.h"

/* What comes through the pipe: this, then reply_size bytes. */
struct answer {
	int code;
	struct err err;
};

struct proc_running {
	struct proc_task task;
	struct proc_wait wait;
	struct proc_pipe pipe;
	char *data;  /* a struct answer and the reply */
	size_t size; /* of data */
	size_t len;  /* bytes that came */
};

/* Of the whole process, as descriptors are. */
static int hidden[4] = {-1, -1, -1, -1};

static bool replace_hidden(int old, int new)
{
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (hidden[i] == old) {
			hidden[i] = new;
			return true;
		}
	return false;
}

void proc_task_hide_fd(int fd)
{
	bool done = replace_hidden(-1, fd);

	/* A lock that is forgotten here would look held by a run that is dead;
	 * the callers are few and known. */
	assert(done);
	(void)done;
}

void proc_task_show_fd(int fd)
{
	(void)replace_hidden(fd, -1);
}

/* --- in the child --------------------------------------------------------- */

static bool write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* And forgets them: a task of this task may get the same numbers. */
static void close_hidden(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		util_closep(&hidden[i]);
}

/* _exit, because what the parent registered with atexit() and what waits in
 * its stdio buffers is the parent's. */
static _Noreturn void child(struct proc_running *r)
{
	const struct proc_task *task = &r->task;
	struct answer *a = (struct answer *)(void *)r->data;

	close_hidden();
	proc_child_attach(&r->pipe);
	proc_child_signals(false);
	/* systemd listens to the main process alone, and complains of others;
	 * what the task waits for is no sign of life of the run either. */
	(void)unsetenv("NOTIFY_SOCKET");
	(void)proc_child_ioprio(task->ioprio);

	a->code = task->fn(task->arg, r->data + sizeof(*a), &a->err);
	_exit(write_all(r->pipe.write_fd, r->data, r->size) ? 0 : 1);
}

/* --- in the parent -------------------------------------------------------- */

static bool is_complete(const struct proc_running *r)
{
	return r->len == r->size;
}

/* Whatever is there. Returns false at the end of the pipe. */
static bool take(struct proc_running *r)
{
	while (!is_complete(r)) {
		ssize_t n = read(
		        r->pipe.read_fd, r->data + r->len, r->size - r->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		r->len += (size_t)n;
	}
	return false;
}

/* With the answer here it has nothing more to do; but closing what it had
 * open can hang as well. */
static void limit_exit(struct proc_running *r)
{
	if (is_complete(r))
		r->wait.deadline_ms = clock_mono_ms() + r->wait.give_up_ms;
}

static void loop(struct proc_running *r)
{
	const struct proc_task *task = &r->task;
	struct pollfd fds[PROC_WAIT_FDS + 1];

	for (;;) {
		fds[PROC_WAIT_FDS] = (struct pollfd){
		        .fd = r->pipe.read_fd, .events = POLLIN};
		if (!proc_wait_poll(&r->wait, fds, PROC_WAIT_FDS + 1))
			return;
		if (fds[PROC_WAIT_FDS].revents != 0 && !take(r)) {
			util_closep(&r->pipe.read_fd);
			limit_exit(r);
		}
		if (proc_wait_tick(&r->wait) && task->on_tick &&
		        task->on_tick(task->tick_arg) != 0)
			proc_wait_cancel(&r->wait);
	}
}

static int death(const struct proc_running *r, const struct proc_result *res,
        struct err *err)
{
	char text[256];

	if (res->timed_out)
		return err_set(err, -ETIMEDOUT,
		        _("%s did not end within %lld s"), r->task.name,
		        (long long)((r->task.timeout_ms + 999) / 1000));
	if (res->cancelled)
		return err_set(
		        err, -ECANCELED, _("%s was stopped"), r->task.name);
	return err_set(err, -EIO, _("the process of %s %s"), r->task.name,
	        proc_describe(text, sizeof(text), res));
}

static int death_told(const struct proc_running *r,
        const struct proc_result *res, struct err *err)
{
	int code = death(r, res, err);

	if (res->hung)
		err_meaning(err,
		        _("process %d hangs and cannot even be killed, "
		          "probably "
		          "on a disk that does not answer"),
		        (int)res->pid);
	return code;
}

static int finish(struct proc_running *r, struct err *err)
{
	struct proc_result res;

	if (r->wait.stage == PROC_STAGE_ENDED && r->pipe.read_fd >= 0)
		(void)take(r);
	proc_wait_finish(&r->wait, &res);
	if (r->task.ret_hung)
		*r->task.ret_hung = res.hung;
	if (!is_complete(r))
		return death_told(r, &res, err);

	const struct answer *a = (const struct answer *)(const void *)r->data;

	if (err && (a->code < 0 || a->err.code != 0))
		*err = a->err;
	if (r->task.reply_size > 0)
		memcpy(r->task.reply, r->data + sizeof(*a), r->task.reply_size);
	return a->code;
}

static int start(struct proc_running *r, struct err *err)
{
	const struct proc_task *task = &r->task;
	int code = proc_prepare_pipe(&r->pipe, err);

	if (code < 0) {
		err_prefix(err, "%s", task->name);
		return code;
	}

	pid_t pid = proc_child_fork(false);

	if (pid < 0)
		return err_sys(err, -errno, _("cannot start a process for %s"),
		        task->name);
	if (pid == 0)
		child(r);

	util_closep(&r->pipe.write_fd);
	proc_wait_init(&r->wait, pid, task->timeout_ms, task->tick_ms);
	r->wait.signals = !task->ignore_signals;
	r->wait.grace_ms = -1;
	return 0;
}

static void discard(struct proc_running *r)
{
	proc_prepare_pipe_done(&r->pipe);
	free(r->data);
	free(r);
}

int proc_task_start(const struct proc_task *task, struct proc_running **ret,
        struct err *err)
{
	struct proc_running *r = calloc(1, sizeof(*r));
	int code;

	if (task->ret_hung)
		*task->ret_hung = false;
	if (!r)
		return err_nomem(err);
	r->task = *task;
	r->pipe = PROC_PIPE_INIT;
	r->size = sizeof(struct answer) + task->reply_size;
	/* Zeroed: all of it goes through the pipe. */
	r->data = calloc(1, r->size);
	code = r->data ? start(r, err) : err_nomem(err);
	if (code < 0) {
		discard(r);
		return code;
	}
	*ret = r;
	return 0;
}

int proc_task_wait(struct proc_running *r, struct err *err)
{
	int code;

	loop(r);
	code = finish(r, err);
	discard(r);
	return code;
}

int proc_task(const struct proc_task *task, struct err *err)
{
	struct proc_running *r;
	int code = proc_task_start(task, &r, err);

	return code < 0 ? code : proc_task_wait(r, err);
}
