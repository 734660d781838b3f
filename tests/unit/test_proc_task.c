/* SPDX-License-Identifier: MIT */
/* proc_task(): answers, errors and all ways not to answer. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "proc.h"
#include "sig.h"

#define LONG_MS 60000 /* for what must not happen */

static int run_task(const struct proc_task *task, struct err *err)
{
	int code = proc_task(task, err);

	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return code;
}

static void wait_for_ever(void)
{
	for (;;)
		(void)pause();
}

/* --- answers -------------------------------------------------------------- */

struct sum {
	int a;
	int b;
};

static int add(void *arg, void *reply, struct err *err)
{
	const struct sum *s = arg;
	int *ret = reply;

	(void)err;
	*ret = s->a + s->b;
	return 1;
}

static void test_reply(void **state)
{
	struct sum s = {20, 22};
	int reply = 0;
	bool hung = true;
	struct err err;
	struct proc_task task = {.name = "sum",
	        .fn = add,
	        .arg = &s,
	        .reply = &reply,
	        .reply_size = sizeof(reply),
	        .timeout_ms = LONG_MS,
	        .ret_hung = &hung};

	(void)state;
	err_set(&err, -EIO, "as it was");
	assert_int_equal(run_task(&task, &err), 1);
	assert_int_equal(reply, 42);
	assert_false(hung);
	assert_string_equal(err.message, "as it was");
}

static int fill(void *arg, void *reply, struct err *err)
{
	(void)err;
	memset(reply, 'x', *(size_t *)arg);
	return 0;
}

/* More than a pipe holds. */
static void test_large_reply(void **state)
{
	size_t size = 3000001;
	char *reply = malloc(size);
	struct proc_task task = {.name = "fill",
	        .fn = fill,
	        .arg = &size,
	        .reply = reply,
	        .reply_size = size,
	        .timeout_ms = LONG_MS};

	(void)state;
	assert_non_null(reply);
	memset(reply, 'y', size);
	assert_int_equal(run_task(&task, NULL), 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(reply[i], 'x');
	free(reply);
}

static int full_error(void *arg, void *reply, struct err *err)
{
	(void)arg;
	(void)reply;
	(void)err_set(err, -ENOSPC, "%03000d", 7);
	err_meaning(err, "%s", "no copy");
	err_action(err, "%02000d", 9);
	return -ENOSPC;
}

static void test_error(void **state)
{
	struct err err = ERR_INIT;
	struct err expect = ERR_INIT;
	struct proc_task task = {.name = "full", .fn = full_error};

	(void)state;
	(void)full_error(NULL, NULL, &expect);
	assert_int_equal(run_task(&task, &err), -ENOSPC);
	assert_memory_equal(&err, &expect, sizeof(err));
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_int_equal(run_task(&task, NULL), -ENOSPC);
}

/* --- what the child is ---------------------------------------------------- */

struct place {
	pid_t pid;
	pid_t group;
	bool ignores_pipe;
	bool ignores_term;
	bool has_fd;
	bool term_blocked;
};

static int look_around(void *arg, void *reply, struct err *err)
{
	struct place *p = reply;
	struct sigaction sa;
	sigset_t mask;

	(void)err;
	p->pid = getpid();
	p->group = getpgid(0);
	(void)sigaction(SIGPIPE, NULL, &sa);
	p->ignores_pipe = sa.sa_handler == SIG_IGN;
	(void)sigaction(SIGTERM, NULL, &sa);
	p->ignores_term = sa.sa_handler == SIG_IGN;
	p->has_fd = fcntl(*(int *)arg, F_GETFD) >= 0;
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	p->term_blocked = sigismember(&mask, SIGTERM) == 1;
	/* Must come out neither twice nor here. */
	fputs("not flushed by the child", stdout);
	return 0;
}

static void test_child(void **state)
{
	struct place p = {.pid = 0};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct proc_task task = {.name = "look",
	        .fn = look_around,
	        .arg = &fd,
	        .reply = &p,
	        .reply_size = sizeof(p)};
	sigset_t set;

	(void)state;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGTERM, SIG_IGN);
	assert_int_equal(run_task(&task, NULL), 0);
	(void)signal(SIGTERM, SIG_DFL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);

	assert_true(p.pid > 0 && p.pid != getpid());
	assert_int_equal(p.group, p.pid);
	assert_true(p.ignores_pipe);
	assert_false(p.ignores_term);
	assert_false(p.term_blocked);
	assert_true(p.has_fd);
	(void)close(fd);
}

static int exit_fd = -1;

static void at_exit(void)
{
	(void)!write(exit_fd, "exit", 4);
}

static int nothing(void *arg, void *reply, struct err *err)
{
	(void)arg;
	(void)reply;
	(void)err;
	return 0;
}

static void test_no_atexit(void **state)
{
	struct proc_task task = {.name = "nothing", .fn = nothing};
	int p[2];
	char c;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	exit_fd = p[1];
	assert_int_equal(atexit(at_exit), 0);
	assert_int_equal(run_task(&task, NULL), 0);
	assert_int_equal(read(p[0], &c, 1), -1);
	exit_fd = -1;
	(void)close(p[0]);
	(void)close(p[1]);
}

/* --- no answer ------------------------------------------------------------ */

static int hang(void *arg, void *reply, struct err *err)
{
	(void)arg;
	(void)reply;
	(void)err;
	(void)signal(SIGTERM, SIG_IGN);
	wait_for_ever();
	return 0;
}

static void test_timeout(void **state)
{
	struct err err = ERR_INIT;
	int reply = 5;
	struct proc_task task = {.name = "mount",
	        .fn = hang,
	        .timeout_ms = 100,
	        .reply = &reply,
	        .reply_size = sizeof(reply)};

	(void)state;
	assert_int_equal(run_task(&task, &err), -ETIMEDOUT);
	assert_string_equal(err.message, "mount did not end within 1 s");
	assert_string_equal(err.meaning, "");
	assert_int_equal(reply, 5);
}

static int tick(void *arg)
{
	return ++*(int *)arg == 3;
}

static void test_cancel_by_tick(void **state)
{
	struct err err = ERR_INIT;
	int ticks = 0;
	struct proc_task task = {.name = "probe",
	        .fn = hang,
	        .timeout_ms = LONG_MS,
	        .tick_ms = 10,
	        .on_tick = tick,
	        .tick_arg = &ticks};

	(void)state;
	assert_int_equal(run_task(&task, &err), -ECANCELED);
	assert_string_equal(err.message, "probe was stopped");
	assert_true(ticks >= 3);
}

static int signal_parent(void *arg, void *reply, struct err *err)
{
	(void)reply;
	(void)err;
	(void)kill(getppid(), SIGTERM);
	if (*(bool *)arg)
		wait_for_ever();
	return 0;
}

static int in_own_process(bool ignore)
{
	struct err err = ERR_INIT;
	bool wait = !ignore;
	struct proc_task task = {.name = "x",
	        .fn = signal_parent,
	        .arg = &wait,
	        .ignore_signals = ignore,
	        .timeout_ms = LONG_MS};

	if (sig_init(&err) < 0)
		return 1;
	if (proc_task(&task, &err) != (ignore ? 0 : -ECANCELED))
		return 2;
	return sig_caught() == SIGTERM ? 0 : 3;
}

static void test_cancel_by_signal(void **state)
{
	int status;

	(void)state;
	for (int ignore = 0; ignore < 2; ignore++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(in_own_process(ignore));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static int crash(void *arg, void *reply, struct err *err)
{
	(void)reply;
	(void)err;
	(void)raise(*(int *)arg);
	return 0;
}

static int leave(void *arg, void *reply, struct err *err)
{
	(void)arg;
	(void)reply;
	(void)err;
	_exit(5);
}

static void test_crash(void **state)
{
	struct err err = ERR_INIT;
	int sig = SIGKILL;
	struct proc_task task = {.name = "probe",
	        .fn = crash,
	        .arg = &sig,
	        .timeout_ms = LONG_MS};

	(void)state;
	assert_int_equal(run_task(&task, &err), -EIO);
	assert_string_equal(err.message,
	        "the process of probe was killed by signal 9 (Killed)");
	task.fn = leave;
	assert_int_equal(run_task(&task, &err), -EIO);
	assert_string_equal(
	        err.message, "the process of probe ended with exit code 5");
}

/* --- the parent dies ------------------------------------------------------ */

static int hold(void *arg, void *reply, struct err *err)
{
	(void)reply;
	(void)err;
	(void)!write(*(int *)arg, "t", 1);
	wait_for_ever();
	return 0;
}

static void test_dies_with_parent(void **state)
{
	int p[2];
	int status;
	char c;
	struct pollfd f;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct proc_task task = {
		        .name = "hold", .fn = hold, .arg = &p[1]};

		(void)close(p[0]);
		_exit(proc_task(&task, NULL) < 0);
	}
	(void)close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);

	f = (struct pollfd){.fd = p[0], .events = POLLIN};
	assert_int_equal(poll(&f, 1, LONG_MS), 1);
	assert_int_equal(read(p[0], &c, 1), 0);
	(void)close(p[0]);
}

/* --- a descriptor that tasks do not get ------------------------------------
 */

static int look_at_fd(void *arg, void *reply, struct err *err)
{
	(void)reply;
	(void)err;
	return fcntl(*(int *)arg, F_GETFD) < 0 ? 1 : 0;
}

static void test_hidden_fd(void **state)
{
	int p[2];
	struct proc_task task = {.name = "look", .fn = look_at_fd, .arg = p};

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(run_task(&task, NULL), 0);
	proc_task_hide_fd(p[0]);
	assert_int_equal(run_task(&task, NULL), 1);
	/* The parent still has it, and the child the other one. */
	assert_true(fcntl(p[0], F_GETFD) >= 0);
	task.arg = p + 1;
	assert_int_equal(run_task(&task, NULL), 0);

	proc_task_show_fd(p[0]);
	task.arg = p;
	assert_int_equal(run_task(&task, NULL), 0);
	(void)close(p[0]);
	(void)close(p[1]);
}

static int seven(void *arg, void *reply, struct err *err)
{
	(void)arg;
	(void)err;
	*(int *)reply = 7;
	return 0;
}

static int ask_another(void *arg, void *reply, struct err *err)
{
	struct proc_task task = {.name = "seven",
	        .fn = seven,
	        .reply = reply,
	        .reply_size = sizeof(int)};

	(void)arg;
	return proc_task(&task, err);
}

/* The number that became free is given to the pipe of the next task. */
static void test_hidden_fd_nested(void **state)
{
	int fds[8], reply = 0;
	struct proc_task task = {.name = "ask",
	        .fn = ask_another,
	        .reply = &reply,
	        .reply_size = sizeof reply};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	proc_task_hide_fd(fds[0]);
	proc_task_hide_fd(fds[1]);
	assert_int_equal(run_task(&task, NULL), 0);
	assert_int_equal(reply, 7);
	proc_task_show_fd(fds[0]);
	proc_task_show_fd(fds[1]);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
}

/* One that there is no place for must not be forgotten without a word. */
static void test_too_many_hidden(void **state)
{
	const struct rlimit no_core = {0};
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGABRT, SIG_DFL);
		(void)!freopen("/dev/null", "w", stderr);
		for (int fd = 100; fd < 104; fd++)
			proc_task_hide_fd(fd);
		proc_task_show_fd(101);
		proc_task_hide_fd(105);
		proc_task_hide_fd(106);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static int has_notify_socket(void *arg, void *reply, struct err *err)
{
	(void)arg;
	(void)reply;
	(void)err;
	return getenv("NOTIFY_SOCKET") ? 1 : 0;
}

/* What a task waits for must not reach systemd in the name of the run. */
static void test_no_notify(void **state)
{
	struct proc_task task = {.name = "look", .fn = has_notify_socket};

	(void)state;
	assert_int_equal(setenv("NOTIFY_SOCKET", "/run/nobody", 1), 0);
	assert_int_equal(run_task(&task, NULL), 0);
	assert_non_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static int look_at_ioprio(void *arg, void *reply, struct err *err)
{
	(void)arg;
	(void)reply;
	(void)err;
	return (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
}

static void test_ioprio(void **state)
{
	struct proc_task task = {.name = "look", .fn = look_at_ioprio};
	int before = look_at_ioprio(NULL, NULL, NULL);

	(void)state;
	assert_int_equal(run_task(&task, NULL), before);
	task.ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);
	assert_int_not_equal(task.ioprio, before);
	assert_int_equal(run_task(&task, NULL), task.ioprio);
	assert_int_equal(look_at_ioprio(NULL, NULL, NULL), before);
}

/* Without a pipe there is no child, and nobody may be told that there is one:
 * neither a caller with an err nor one without. */
static void test_no_pipe(void **state)
{
	struct proc_running *running = NULL;
	struct proc_task task = {.name = "look", .fn = look_at_fd};
	struct err err = ERR_INIT;
	struct rlimit old;
	struct rlimit none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(proc_task_start(&task, &running, NULL), -EMFILE);
	assert_null(running);
	assert_int_equal(proc_task(&task, NULL), -EMFILE);
	assert_int_equal(proc_task(&task, &err), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_non_null(strstr(err.message, "look: cannot make a pipe"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_reply),
	        cmocka_unit_test(test_large_reply),
	        cmocka_unit_test(test_error),
	        cmocka_unit_test(test_child),
	        cmocka_unit_test(test_no_atexit),
	        cmocka_unit_test(test_timeout),
	        cmocka_unit_test(test_cancel_by_tick),
	        cmocka_unit_test(test_cancel_by_signal),
	        cmocka_unit_test(test_crash),
	        cmocka_unit_test(test_dies_with_parent),
	        cmocka_unit_test(test_hidden_fd),
	        cmocka_unit_test(test_hidden_fd_nested),
	        cmocka_unit_test(test_too_many_hidden),
	        cmocka_unit_test(test_no_pipe),
	        cmocka_unit_test(test_no_notify),
	        cmocka_unit_test(test_ioprio),
	};

	return cmocka_run_group_tests_name("proc_task", tests, NULL, NULL);
}
