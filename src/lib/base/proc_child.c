/* SPDX-License-Identifier: MIT */
/*
 * Between fork and exec.  The parent may have threads and the child may come
 * from a bare clone(2), so there is nothing here but system calls: no malloc,
 * no stdio, no gettext.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc_internal.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#define IOPRIO_WHO_PROCESS 1
/* The loop of old kernels ends here, whatever RLIMIT_NOFILE says. */
#define LOOP_LIMIT (1 << 20)

/* With SIGCHLD ignored, which a careless parent of ours may have left behind,
 * the kernel reaps and the exit status is lost. */
static void want_zombies(void)
{
	struct sigaction sa;

	if (sigaction(SIGCHLD, NULL, &sa) < 0)
		return;
	if (sa.sa_handler != SIG_IGN && !(sa.sa_flags & SA_NOCLDWAIT))
		return;
	sa = (struct sigaction){.sa_handler = SIG_DFL};
	(void)sigaction(SIGCHLD, &sa, NULL);
}

static pid_t fork_maybe_namespace(bool pid_namespace)
{
	if (pid_namespace) {
		/* Not unshare(2) and fork: that would send all later children
		 * of ours into the same namespace, which is dead by then. */
		long pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL,
		        NULL, NULL, NULL);

		if (pid >= 0 || errno == EAGAIN || errno == ENOMEM)
			return (pid_t)pid;
	}
	return fork();
}

pid_t proc_child_fork(bool pid_namespace)
{
	sigset_t all;
	sigset_t old;

	want_zombies();
	/* A signal that reached the child while it still has our handlers
	 * would be written into the pipe that it shares with us. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);

	pid_t pid = fork_maybe_namespace(pid_namespace);
	int saved = errno;

	if (pid != 0)
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return pid;
}

void proc_child_attach(struct proc_pipe *status)
{
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);

	/* The parent may have died before that call.  getppid() does not tell:
	 * it is 0 for the first process of a PID namespace.  But then nobody
	 * reads our pipe any more, and that is POLLERR. */
	(void)close(status->read_fd);
	status->read_fd = -1;

	struct pollfd p = {.fd = status->write_fd, .events = 0};

	if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR))
		_exit(127);
}

void proc_child_signals(bool exec)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < _NSIG; i++)
		(void)sigaction(i, &sa, NULL); /* fails for KILL and STOP */

	if (!exec) {
		sa.sa_handler = SIG_IGN;
		(void)sigaction(SIGPIPE, &sa, NULL);
		(void)sigaction(SIGXFSZ, &sa, NULL);
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int close_range_by_loop(unsigned first, unsigned last)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;

	rlim_t end = limit.rlim_cur < LOOP_LIMIT ? limit.rlim_cur : LOOP_LIMIT;

	for (unsigned fd = first; fd <= last && fd < end; fd++) {
		/* EBADF is the normal case. */
		(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	}
	return 0;
}

/*
 * Marked, not closed: the hook may still use a descriptor of its own, and the
 * status pipe must live until exec.
 */
static int mark_range(unsigned first, unsigned last, bool by_loop)
{
	if (first > last)
		return 0;
	if (!by_loop && close_range(first, last, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	return close_range_by_loop(first, last);
}

int proc_child_close_others(const int *keep, size_t len, bool by_loop)
{
	unsigned first = 3;

	for (size_t i = 0; i < len; i++) {
		unsigned fd = (unsigned)keep[i];
		int code = mark_range(first, fd - 1, by_loop);

		if (code < 0)
			return code;
		if (fcntl(keep[i], F_SETFD, 0) < 0)
			return -errno;
		first = fd + 1;
	}
	return mark_range(first, ~0U, by_loop);
}

static int set_stdio(const struct proc_exec *x)
{
	int source[3] = {
	        x->stdin_fd,
	        x->borrowed_fd[0] >= 0 ? x->borrowed_fd[0] : x->out[0].write_fd,
	        x->borrowed_fd[1] >= 0 ? x->borrowed_fd[1] : x->out[1].write_fd,
	};

	/* All sources are >= 3, so none is overwritten; dup2() clears
	 * close-on-exec. */
	for (int i = 0; i < 3; i++) {
		if (dup2(source[i], i) < 0)
			return -errno;
	}
	return 0;
}

static int set_directory(const struct proc_exec *x)
{
	int fd = x->spec->cwd_fd;

	if ((fd >= 0 ? fchdir(fd) : chdir("/")) < 0)
		return -errno;
	return 0;
}

int proc_child_ioprio(int ioprio)
{
	if (ioprio == 0)
		return 0;
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, ioprio) < 0
	               ? -errno
	               : 0;
}

/* A wish, not a condition: a service manager or an odd kernel that forbids
 * it must not keep the copy from running. */
static bool is_wish_refused(int code)
{
	return code == -EPERM || code == -EACCES || code == -ENOSYS;
}

static int set_priority(const struct proc_exec *x)
{
	int code = 0;

	if (x->spec->nice != 0) {
		errno = 0;
		if (nice(x->spec->nice) == -1 && errno != 0)
			code = -errno;
	}
	if (code == 0 || is_wish_refused(code))
		code = proc_child_ioprio(x->spec->ioprio);
	return is_wish_refused(code) ? 0 : code;
}

/* Returns the step that failed with *ret_code, or PROC_STEP_EXEC: so far all
 * is well. */
static enum proc_step set_up(const struct proc_exec *x, int *ret_code)
{
	const struct proc_spec *spec = x->spec;

	if ((*ret_code = set_stdio(x)) < 0)
		return PROC_STEP_STDIO;
	if ((*ret_code = proc_child_close_others(
	             x->keep_fds, x->keep_fds_len, false)) < 0)
		return PROC_STEP_KEEP;
	if ((*ret_code = set_directory(x)) < 0)
		return PROC_STEP_DIRECTORY;
	if ((*ret_code = set_priority(x)) < 0)
		return PROC_STEP_PRIORITY;
	if (spec->pre_exec &&
	        (*ret_code = spec->pre_exec(spec->pre_exec_arg)) < 0)
		return PROC_STEP_HOOK;
	return PROC_STEP_EXEC;
}

_Noreturn void proc_child_exec(struct proc_exec *x)
{
	struct proc_failure failure = {.error = 0};
	ssize_t n;

	proc_child_attach(&x->status);
	(void)umask(022);
	failure.step = (int)set_up(x, &failure.error);
	proc_child_signals(true);
	if (failure.error == 0) {
		(void)execve(x->spec->argv[0], x->spec->argv, x->envp);
		failure.error = -errno;
	}

	/* Less than PIPE_BUF: all or nothing. */
	do {
		n = write(x->status.write_fd, &failure, sizeof(failure));
	} while (n < 0 && errno == EINTR);
	_exit(127);
}
