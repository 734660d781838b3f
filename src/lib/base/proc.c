/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "i18n.h"
#include "proc.h"
#include "proc_internal.h"

#define CHUNK 65536

/* How long a started program may take from fork to exec: only a hook or a
 * directory that hangs takes longer. */
#define EXEC_MS 10000

struct run {
	const struct proc_spec *spec;
	struct proc_wait wait;
	struct proc_exec exec;
	struct proc_failure failure; /* of the start */
	size_t failure_len;          /* bytes of it that came */
	char *chunk;                 /* CHUNK bytes */
};

/* --- starting ------------------------------------------------------------- */

static int check_spec(const struct proc_spec *spec, struct err *err)
{
	if (!spec->argv || !spec->argv[0] || spec->argv[0][0] != '/')
		return err_set(err, -EINVAL,
		        _("cannot start %s: its path is not absolute"),
		        spec->name ? spec->name : "?");
	return 0;
}

static const char *run_name(const struct proc_spec *spec)
{
	return spec->name ? spec->name : spec->argv[0];
}

static void close_child_ends(struct proc_exec *x)
{
	util_closep(&x->stdin_fd);
	for (int i = 0; i < 2; i++) {
		util_closep(&x->borrowed_fd[i]);
		util_closep(&x->out[i].write_fd);
	}
	util_closep(&x->status.write_fd);
}

static int fork_child(struct run *r, struct err *err)
{
	const struct proc_spec *spec = r->spec;
	pid_t pid = proc_child_fork(spec->pid_namespace);

	if (pid < 0)
		return err_sys(
		        err, -errno, _("cannot start %s"), run_name(spec));
	if (pid == 0)
		proc_child_exec(&r->exec);

	close_child_ends(&r->exec);
	proc_wait_init(&r->wait, pid, spec->timeout_ms, spec->tick_ms);
	r->wait.signals = !spec->ignore_signals;
	if (spec->grace_ms > 0)
		r->wait.grace_ms = spec->grace_ms;
	if (spec->give_up_ms > 0)
		r->wait.give_up_ms = spec->give_up_ms;
	return 0;
}

static void run_done(struct run *r)
{
	proc_prepare_done(&r->exec);
	free(r->chunk);
}

/* From here to run_done() when it succeeds. */
static int start(struct run *r, const struct proc_spec *spec, struct err *err)
{
	int code = check_spec(spec, err);

	if (code < 0)
		return code;
	*r = (struct run){.spec = spec, .chunk = malloc(CHUNK)};
	if (!r->chunk)
		return err_nomem(err);
	code = proc_prepare(&r->exec, spec, err);
	if (code < 0) {
		err_prefix(err, _("cannot start %s"), run_name(spec));
		free(r->chunk);
		return code;
	}
	code = fork_child(r, err);
	if (code < 0)
		run_done(r);
	return code;
}

static int start_error(const struct run *r, struct err *err)
{
	const char *name = run_name(r->spec);
	int code = r->failure.error;

	switch ((enum proc_step)r->failure.step) {
	case PROC_STEP_STDIO:
	case PROC_STEP_KEEP:
		return err_sys(err, code,
		        _("cannot start %s: its descriptors cannot be set up"),
		        name);
	case PROC_STEP_DIRECTORY:
		return err_sys(err, code,
		        _("cannot start %s: its directory cannot be entered"),
		        name);
	case PROC_STEP_PRIORITY:
		return err_sys(err, code,
		        _("cannot start %s: its priority cannot be set"), name);
	case PROC_STEP_HOOK:
		return err_sys(err, code,
		        _("cannot start %s: the steps before its start failed"),
		        name);
	case PROC_STEP_EXEC:
		break;
	}
	(void)err_sys(err, code, _("cannot start %s: cannot execute %s"), name,
	        r->spec->argv[0]);
	err_action(err, _("check that %s is installed and may be executed"),
	        r->spec->argv[0]);
	return code;
}

/* --- running -------------------------------------------------------------- */

/* At most @max bytes of one stream. Returns false at its end. */
static bool pass_on(struct run *r, int i, size_t max, size_t *ret_len)
{
	const struct proc_spec *spec = r->spec;
	size_t size = max < CHUNK ? max : CHUNK;
	ssize_t n;

	*ret_len = 0;
	do {
		n = read(r->exec.out[i].read_fd, r->chunk, size);
	} while (n < 0 && errno == EINTR);

	if (n < 0)
		return errno == EAGAIN;
	if (n == 0)
		return false;

	*ret_len = (size_t)n;
	if (spec->on_output &&
	        spec->on_output(i == 0 ? PROC_STDOUT : PROC_STDERR, r->chunk,
	                (size_t)n, spec->cb_arg) != 0)
		proc_wait_cancel(&r->wait);
	return true;
}

/* The end of the status pipe without a word: exec has closed it. */
static void read_status(struct run *r)
{
	char *to = (char *)&r->failure + r->failure_len;
	size_t left = sizeof(r->failure) - r->failure_len;
	ssize_t n = read(r->exec.status.read_fd, to, left);

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0)
		r->failure_len += (size_t)n;
	if (n <= 0 || r->failure_len == sizeof(r->failure))
		util_closep(&r->exec.status.read_fd);
}

/* The program has ended.  Takes what is in the pipes at this moment; a
 * grandchild that keeps them open, or goes on writing, is not waited for. */
static void drain(struct run *r)
{
	for (int i = 0; i < 2; i++) {
		int left = 0;
		size_t n = 0;

		if (r->exec.out[i].read_fd < 0 ||
		        ioctl(r->exec.out[i].read_fd, FIONREAD, &left) < 0)
			continue;
		while (left > 0 && pass_on(r, i, (size_t)left, &n) && n > 0)
			left -= (int)n;
	}
	if (r->exec.status.read_fd >= 0)
		read_status(r);
}

/* Until its end, or, with @until_exec, until it executes. */
static void loop(struct run *r, bool until_exec)
{
	enum { OUT = PROC_WAIT_FDS, STATUS = OUT + 2, COUNT };
	const struct proc_spec *spec = r->spec;
	struct pollfd fds[COUNT];
	size_t n;

	while (!until_exec || r->exec.status.read_fd >= 0) {
		for (int i = 0; i < 2; i++)
			fds[OUT + i] = (struct pollfd){
			        .fd = r->exec.out[i].read_fd, .events = POLLIN};
		fds[STATUS] = (struct pollfd){
		        .fd = r->exec.status.read_fd, .events = POLLIN};

		if (!proc_wait_poll(&r->wait, fds, COUNT))
			return;

		if (fds[STATUS].revents != 0)
			read_status(r);
		for (int i = 0; i < 2; i++) {
			if (fds[OUT + i].revents != 0 &&
			        !pass_on(r, i, CHUNK, &n))
				util_closep(&r->exec.out[i].read_fd);
		}
		if (proc_wait_tick(&r->wait) && spec->on_tick &&
		        spec->on_tick(r->wait.pid, spec->cb_arg) != 0)
			proc_wait_cancel(&r->wait);
	}
}

static bool has_failed_to_start(const struct run *r)
{
	return r->failure_len == sizeof(r->failure);
}

static void finish(struct run *r, struct proc_result *ret)
{
	loop(r, false);
	if (r->wait.stage == PROC_STAGE_ENDED)
		drain(r);
	proc_wait_finish(&r->wait, ret);
	run_done(r);
}

int proc_run(
        const struct proc_spec *spec, struct proc_result *ret, struct err *err)
{
	struct run r;
	int code;

	*ret = (struct proc_result){.exit_code = 0};
	code = start(&r, spec, err);
	if (code < 0)
		return code;
	finish(&r, ret);
	if (!has_failed_to_start(&r))
		return 0;
	*ret = (struct proc_result){.exit_code = 0};
	return start_error(&r, err);
}

/* --- in two halves -------------------------------------------------------- */

struct proc_program {
	struct proc_spec spec;
	struct run run;
};

static int gave_up(
        const struct run *r, const struct proc_result *res, struct err *err)
{
	if (!res->timed_out)
		return err_set(err, -ECANCELED, _("%s was stopped"),
		        run_name(r->spec));
	err_set(err, -ETIMEDOUT, _("%s did not start within %d s"),
	        run_name(r->spec), EXEC_MS / 1000);
	err_action(err,
	        _("Look whether %s can be read, and whether the disk that it "
	          "is on answers."),
	        r->spec->argv[0]);
	return -ETIMEDOUT;
}

/* Until exec has closed the status pipe, or the child has said what failed. */
static int await_exec(struct run *r, struct err *err)
{
	struct proc_result res;

	proc_wait_limit(&r->wait, EXEC_MS);
	loop(r, true);
	if (r->exec.status.read_fd >= 0)
		read_status(r);
	proc_wait_limit(&r->wait, 0);
	/* Ended already is no failure to start: proc_wait() tells.  But who was
	 * ended by us has closed the pipe without executing anything. */
	if (!has_failed_to_start(r) && !r->wait.cancelled &&
	        !r->wait.timed_out &&
	        (r->wait.stage == PROC_STAGE_RUNS ||
	                r->wait.stage == PROC_STAGE_ENDED))
		return 0;
	proc_wait_cancel(&r->wait);
	finish(r, &res);
	return has_failed_to_start(r) ? start_error(r, err)
	                              : gave_up(r, &res, err);
}

int proc_start(const struct proc_spec *spec, struct proc_program **ret,
        struct err *err)
{
	struct proc_program *p = calloc(1, sizeof(*p));
	int code;

	if (!p)
		return err_nomem(err);
	p->spec = *spec;
	code = start(&p->run, &p->spec, err);
	if (code == 0)
		code = await_exec(&p->run, err);
	if (code < 0) {
		free(p);
		return code;
	}
	*ret = p;
	return 0;
}

void proc_wait(
        struct proc_program *p, int64_t timeout_ms, struct proc_result *ret)
{
	proc_wait_limit(
	        &p->run.wait, timeout_ms > 0 ? timeout_ms : p->spec.timeout_ms);
	finish(&p->run, ret);
	free(p);
}

bool proc_has_ended(const struct proc_program *p)
{
	return proc_wait_has_ended(&p->run.wait);
}

bool proc_await_end(const struct proc_program *p, int64_t limit_ms)
{
	return proc_wait_await_end(&p->run.wait, limit_ms);
}

int proc_fd(const struct proc_program *p)
{
	return p->run.wait.pidfd;
}

void proc_kill(const struct proc_program *p)
{
	proc_wait_kill(&p->run.wait);
}

pid_t proc_pid(const struct proc_program *p)
{
	return p->run.wait.pid;
}

/* --- telling -------------------------------------------------------------- */

/* "exit code 20", "signal 9 (Killed)" */
static void describe_status(
        char *dst, size_t size, const struct proc_result *res)
{
	if (res->signal != 0)
		(void)snprintf(dst, size, _("signal %d (%s)"), res->signal,
		        strsignal(res->signal));
	else
		(void)snprintf(dst, size, _("exit code %d"), res->exit_code);
}

char *proc_describe(char *dst, size_t size, const struct proc_result *res)
{
	char status[128];

	describe_status(status, sizeof(status), res);
	if (res->hung)
		(void)snprintf(dst, size,
		        _("did not end although it was killed; process %d "
		          "hangs, probably on a disk that does not answer"),
		        (int)res->pid);
	else if (res->timed_out)
		(void)snprintf(dst, size,
		        _("took too long and was stopped (%s)"), status);
	else if (res->cancelled)
		(void)snprintf(dst, size, _("was stopped (%s)"), status);
	else if (res->signal != 0)
		(void)snprintf(dst, size, _("was killed by %s"), status);
	else if (res->exit_code < 0)
		(void)snprintf(
		        dst, size, "%s", _("ended, and how is not known"));
	else
		(void)snprintf(dst, size, _("ended with %s"), status);
	return dst;
}
