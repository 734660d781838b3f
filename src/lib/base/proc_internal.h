/* SPDX-License-Identifier: MIT */
/*
 * proc_internal: what proc.c, proc_task.c and their helpers share.  Nobody
 * else includes it (the unit test does).
 *
 *	proc_prepare.c  everything that can be made before fork is made there
 *	proc_child.c    fork, and what runs in the child until exec
 *	proc_wait.c     waiting for one child: limits, signals, reaping
 */
#ifndef BASE_PROC_INTERNAL_H
#define BASE_PROC_INTERNAL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "err.h"
#include "proc.h"
#include "util.h"

#define PROC_GRACE_MS 10000
#define PROC_GIVE_UP_MS 5000

/* --- prepare -------------------------------------------------------------- */

/* A pipe whose ends are never 0, 1 or 2, so that dup2() in the child cannot
 * overwrite them. Close-on-exec; reading never blocks. */
struct proc_pipe {
	int read_fd;
	int write_fd;
};
#define PROC_PIPE_INIT ((struct proc_pipe){.read_fd = -1, .write_fd = -1})
int proc_prepare_pipe(struct proc_pipe *p, struct err *err) _must_check_;
void proc_prepare_pipe_done(struct proc_pipe *p);

/* Everything the child needs, so that it only makes plain system calls. */
struct proc_exec {
	const struct proc_spec *spec;
	char **envp;             /* the vector is owned, the strings are not */
	int *keep_fds;           /* sorted, >= 3; owned */
	size_t keep_fds_len;     /* */
	int stdin_fd;            /* >= 3; owned */
	int borrowed_fd[2];      /* dups >= 3 of stdout_fd, stderr_fd, or -1 */
	struct proc_pipe out[2]; /* pipes of stdout, stderr when not borrowed */
	struct proc_pipe status; /* closed by exec, or a struct proc_failure */
};
int proc_prepare(struct proc_exec *x, const struct proc_spec *spec,
        struct err *err) _must_check_;
void proc_prepare_done(struct proc_exec *x);

/* --- child ---------------------------------------------------------------- */

enum proc_step {
	PROC_STEP_STDIO = 1,
	PROC_STEP_KEEP,
	PROC_STEP_DIRECTORY,
	PROC_STEP_PRIORITY,
	PROC_STEP_HOOK,
	PROC_STEP_EXEC,
};

/* What the child says through its status pipe when it could not exec. */
struct proc_failure {
	int step;  /* enum proc_step */
	int error; /* negative errno */
};

/* fork(2), with all signals blocked in the child and as before in the parent;
 * as first process of a new PID namespace if asked for and possible. */
pid_t proc_child_fork(bool pid_namespace);
/* Own group, dies with its parent.  @status: the child's copy of the pipe
 * that leads to the parent; its read end is closed. */
void proc_child_attach(struct proc_pipe *status);
/* All signals to their default and unblocked; SIGPIPE and SIGXFSZ stay an
 * errno for code of ours (@exec false). */
void proc_child_signals(bool exec);
/* ioprio_set(2), unless it is 0. 0 or negative errno. */
int proc_child_ioprio(int ioprio);
/* Descriptors from 3 on will be closed by exec, but for the sorted @keep.
 * @by_loop: as on a kernel without close_range(2).  0 or negative errno. */
int proc_child_close_others(const int *keep, size_t len, bool by_loop);
_Noreturn void proc_child_exec(struct proc_exec *x);

/* --- wait ----------------------------------------------------------------- */

enum proc_stage {
	PROC_STAGE_RUNS,     /* nobody wants its end */
	PROC_STAGE_TERM,     /* SIGTERM was sent */
	PROC_STAGE_KILL,     /* SIGKILL was sent */
	PROC_STAGE_GIVEN_UP, /* it does not end */
	PROC_STAGE_ENDED,    /* it ended; not yet reaped */
};

struct proc_wait {
	pid_t pid;
	int pidfd; /* -1: the kernel has none, look now and then */
	enum proc_stage stage;
	int64_t deadline_ms;  /* of the whole run; INT64_MAX = none */
	int64_t stage_end_ms; /* when the next, harder step is due */
	int64_t tick_at_ms;   /* INT64_MAX = never */
	int tick_ms;
	int grace_ms; /* -1: SIGKILL at once */
	int give_up_ms;
	bool signals; /* a caught signal cancels */
	bool timed_out;
	bool cancelled;
};

/* The first members of the vector given to proc_wait_poll() are its own. */
#define PROC_WAIT_FDS 2

/* Starts the clock. @timeout_ms and @tick_ms: 0 = none. */
void proc_wait_init(
        struct proc_wait *w, pid_t pid, int64_t timeout_ms, int tick_ms);
/* Starts it anew, for a child that ran unwatched so far. */
void proc_wait_limit(struct proc_wait *w, int64_t timeout_ms);
/* Has it ended?  It stays a zombie, so that its pid is ours. */
bool proc_wait_has_ended(const struct proc_wait *w);
/* Waits for that, at most @limit_ms, and takes no steps. */
bool proc_wait_await_end(const struct proc_wait *w, int64_t limit_ms);
/* SIGKILL to the group and nothing else. */
void proc_wait_kill(const struct proc_wait *w);
/* Asks for the end as a cancellation; harmless when that is going on. */
void proc_wait_cancel(struct proc_wait *w);
/*
 * Waits until one of @fds is ready, a tick or a limit is due, the child ended
 * or a signal came, and takes the steps that are due.  Returns true while
 * there is something to wait for, false when the child ended or was given up.
 */
bool proc_wait_poll(struct proc_wait *w, struct pollfd *fds, nfds_t len);
/* True (and the next one is arranged) when it is time for a tick. */
bool proc_wait_tick(struct proc_wait *w);
/* After proc_wait_poll() returned false: kills what is left of the group,
 * reaps, fills @ret and closes the pidfd. */
void proc_wait_finish(struct proc_wait *w, struct proc_result *ret);

#endif
