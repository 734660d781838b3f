/* SPDX-License-Identifier: MIT */
/*
 * proc: the only place in the tree that forks or executes.
 *
 * proc_run() starts one program and stays until it has ended or was given up:
 *
 *   - an argument vector, never a shell; argv[0] is an absolute path;
 *   - a small environment: PATH=/usr/sbin:/usr/bin:/sbin:/bin, LC_ALL=C, and
 *     what the caller adds;
 *   - descriptors 0, 1, 2 as the caller says (default: /dev/null, and pipes to
 *     the callbacks); all others closed but those in keep_fds;
 *   - signals reset, own process group, PR_SET_PDEATHSIG = SIGKILL with the
 *     check for a parent that died in between (parent means the thread that
 *     called: it has to stay until the end); umask 022;
 *   - optionally a PID namespace of its own, so that the whole tree is gone
 *     the moment its first process dies (ignored when not permitted);
 *   - a hook that runs in the child right before exec (sandbox);
 *   - the error of exec or of the hook comes back as an errno, not as 127;
 *   - time limit and cancellation: SIGTERM to the group, grace_ms later
 *     SIGKILL, and give_up_ms after that proc_run returns even though the
 *     process has not ended (D state): result.hung is set, nobody waits;
 *   - it is over when the program has ended.  A grandchild that keeps the
 *     pipes open is not waited for; what is left of the group is killed.
 *
 * proc_task() runs a C function in a forked child the same way; use it for
 * system calls that can hang for ever on a dead disk (mount, umount, syncfs,
 * probing).  The child has its own group, dies with its parent and keeps
 * everything else: descriptors, mount namespace, directory.  SIGPIPE and
 * SIGXFSZ are ignored in it, all other signals reset.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "err.h"
#include "util.h"

enum proc_stream { PROC_STDOUT = 1, PROC_STDERR = 2 };

struct proc_spec {
	const char *name;       /* for messages: "rsync" */
	char *const *argv;      /* NULL-terminated; argv[0] absolute */
	const char *const *env; /* extra "K=V", NULL-terminated, or NULL */
	int cwd_fd;             /* directory to run in; -1 = "/" */
	int stdin_fd;           /* borrowed; -1 = /dev/null */
	int stdout_fd;          /* borrowed; -1 = pipe to on_output */
	int stderr_fd;          /* borrowed; -1 = pipe to on_output */
	const int *keep_fds;    /* stay open in the child at their numbers */
	size_t keep_fds_len;
	bool pid_namespace; /* kill the whole tree with its first process */
	int nice;           /* added to our own; 0 = as we are */
	int ioprio;         /* ioprio_set(2) value, a wish; 0 = as we are */

	/* Called in the child just before exec; returns 0 or a negative errno.
	 * Must be async-signal-safe in spirit: plain system calls. */
	int (*pre_exec)(void *arg);
	void *pre_exec_arg;

	/* Called with what arrives, at most 64 KiB at a time. A non-zero return
	 * ends the program as a cancellation does, and what it still says
	 * until then comes here too. May be NULL: thrown away. */
	int (*on_output)(enum proc_stream stream, const char *data, size_t len,
	        void *arg);
	/* Called about every tick_ms (0 = never). Non-zero: cancel. */
	int (*on_tick)(pid_t pid, void *arg);
	void *cb_arg; /* for on_output and on_tick */
	int tick_ms;

	int64_t timeout_ms;  /* whole run; 0 = none */
	int grace_ms;        /* TERM to KILL; 0 = 10,000 */
	int give_up_ms;      /* KILL to giving up; 0 = 5,000 */
	bool ignore_signals; /* do not cancel on sig_caught() */
};

/* Designated initialiser for the members whose default is not 0. To set one of
 * those to something else, assign it afterwards (-Woverride-init). */
#define PROC_SPEC_INIT \
	.cwd_fd = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1

struct proc_result {
	int exit_code;  /* 0-255 when it exited; -1 otherwise */
	int signal;     /* it was ended by this signal; 0 otherwise */
	bool timed_out; /* timeout_ms was over */
	bool cancelled; /* a callback or a caught signal asked for the end */
	bool hung;      /* still not ended when proc_run gave up */
	pid_t pid;      /* of the child, for messages */
};

/*
 * Runs it.  Returns 0 when the program was started (look at @ret then, also
 * when it failed), or a negative errno with @err when it could not be started;
 * @ret is zeroed then.
 */
int proc_run(const struct proc_spec *spec, struct proc_result *ret,
        struct err *err) _must_check_;

/*
 * The same in two halves, for a program that serves us while we do something
 * else: proc_start() returns as soon as it executes, 0 and *ret, or a negative
 * errno when it could not be started; -ETIMEDOUT when that takes 10 s, and
 * -ECANCELED when a callback or (unless ignored) a signal ends it.  @spec is
 * copied; what it points to must live until proc_start() has returned, what
 * cb_arg points to until proc_wait() has.  Nobody reads its output meanwhile:
 * give it descriptors of your own.
 *
 * proc_wait() waits for the end by the rules of proc_run(), timeout_ms counting
 * from here (@timeout_ms instead of the spec's when it is not 0), and frees
 * @program.  Every started program must be waited for.  The thread that started
 * it has to stay: it dies with that.
 */
struct proc_program;
int proc_start(const struct proc_spec *spec, struct proc_program **ret,
        struct err *err) _must_check_;
void proc_wait(struct proc_program *program, int64_t timeout_ms,
        struct proc_result *ret);
/* True when it has ended (and is not waited for yet). */
bool proc_has_ended(const struct proc_program *program);
/* The same, after @limit_ms at the latest. */
bool proc_await_end(const struct proc_program *program, int64_t limit_ms);
/* For poll(2): readable when it has ended.  It stays the program's.  -1 on a
 * kernel without pidfd_open(2): look now and then. */
int proc_fd(const struct proc_program *program);
/* SIGKILL, at once.  May be called in a child of ours too. */
void proc_kill(const struct proc_program *program);
pid_t proc_pid(const struct proc_program *program);

/* "ended with exit code 3", "was killed by signal 9 (Killed)", "did not end
 * within 10 s", ... in dst. */
char *proc_describe(char *dst, size_t size, const struct proc_result *res);

/*
 * Runs @fn(@arg, @reply, err) in a forked child, waits at most @timeout_ms
 * (0 = no limit) and, every @tick_ms, asks @on_tick (may be NULL) whether to
 * go on (non-zero: give up at once).  @reply has @reply_size bytes and is
 * copied back, as is the error.
 * Returns what @fn returned; -ETIMEDOUT when the time was over; -ECANCELED
 * when on_tick or a caught signal (unless @ignore_signals) ended it; -EIO when
 * the child died.  The child is killed in the last three cases, and left
 * behind when it cannot die (*ret_hung, may be NULL).
 */
struct proc_task {
	const char *name; /* for messages */
	int (*fn)(void *arg, void *reply, struct err *err);
	void *arg;
	void *reply; /* may be NULL with reply_size 0 */
	size_t reply_size;
	int ioprio; /* ioprio_set(2) value, a wish; 0 = as we are */
	int64_t timeout_ms;
	int tick_ms;
	int (*on_tick)(void *arg);
	void *tick_arg;
	bool ignore_signals;
	bool *ret_hung;
};
int proc_task(const struct proc_task *task, struct err *err) _must_check_;

/*
 * The same in two halves, for work that goes on beside something else: start
 * returns 0 and *ret, or a negative errno when nothing was started.  Every
 * started task must be waited for; its limits and ticks count from the start
 * but are looked at only while it is waited for.  What arg, reply, tick_arg
 * and ret_hung point to must live until then.
 */
struct proc_running;
int proc_task_start(const struct proc_task *task, struct proc_running **ret,
        struct err *err) _must_check_;
int proc_task_wait(struct proc_running *running, struct err *err) _must_check_;

/* Remembers a descriptor that the child of every later proc_task() closes
 * first: a lock that must not live on in a task that hangs.  It stays the
 * caller's, who forgets it before closing it.  Up to four; one more is a
 * mistake in the program and aborts it. */
void proc_task_hide_fd(int fd);
void proc_task_show_fd(int fd);

#endif
