/* SPDX-License-Identifier: MIT */
/* proc_wait: waiting for a child, and its end by TERM, KILL, giving up. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "notify.h"
#include "proc_internal.h"
#include "sig.h"

/* How often to look without a pidfd. */
#define LOOK_MS 50
/* Who waits for a child is alive: the watchdog hears of it this often. */
#define ALIVE_MS 5000

void proc_wait_limit(struct proc_wait *w, int64_t timeout_ms)
{
	int64_t now = clock_mono_ms();

	w->deadline_ms = INT64_MAX;
	if (timeout_ms > 0 && timeout_ms < INT64_MAX - now)
		w->deadline_ms = now + timeout_ms;
}

void proc_wait_init(
        struct proc_wait *w, pid_t pid, int64_t timeout_ms, int tick_ms)
{
	int64_t now = clock_mono_ms();

	*w = (struct proc_wait){
	        .pid = pid,
	        .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
	        .stage = PROC_STAGE_RUNS,
	        .deadline_ms = INT64_MAX,
	        .stage_end_ms = INT64_MAX,
	        .tick_at_ms = INT64_MAX,
	        .tick_ms = tick_ms,
	        .grace_ms = PROC_GRACE_MS,
	        .give_up_ms = PROC_GIVE_UP_MS,
	};
	proc_wait_limit(w, timeout_ms);
	if (tick_ms > 0)
		w->tick_at_ms = now + tick_ms;
	/* Both sides do it, so that it is true for both when they go on. */
	(void)setpgid(pid, pid);
}

/* The child is not reaped yet, so neither its pid nor the group can have been
 * given to somebody else. */
static void send_signal(const struct proc_wait *w, int sig)
{
	/* kill(0) is everybody in our own group, kill(-1) the whole machine. */
	if (w->pid <= 1)
		return;
	(void)kill(-w->pid, sig);
	/* Not twice to the same process: a second SIGTERM is for many programs
	 * the order to leave without cleaning up. */
	if (getpgid(w->pid) != w->pid)
		(void)kill(w->pid, sig);
}

void proc_wait_kill(const struct proc_wait *w)
{
	send_signal(w, SIGKILL);
}

static void start_kill(struct proc_wait *w, int64_t now)
{
	w->stage = PROC_STAGE_KILL;
	w->stage_end_ms = now + w->give_up_ms;
	send_signal(w, SIGKILL);
}

static void start_end(struct proc_wait *w, int64_t now)
{
	if (w->grace_ms < 0) {
		start_kill(w, now);
		return;
	}
	w->stage = PROC_STAGE_TERM;
	w->stage_end_ms = now + w->grace_ms;
	send_signal(w, SIGTERM);
}

void proc_wait_cancel(struct proc_wait *w)
{
	/* Of its last words too: the caller wanted no more of it. */
	if (w->stage == PROC_STAGE_ENDED)
		w->cancelled = true;
	if (w->stage != PROC_STAGE_RUNS)
		return;
	w->cancelled = true;
	start_end(w, clock_mono_ms());
}

static void take_due_step(struct proc_wait *w, int64_t now)
{
	switch (w->stage) {
	case PROC_STAGE_RUNS:
		if (now >= w->deadline_ms) {
			w->timed_out = true;
			start_end(w, now);
		}
		break;
	case PROC_STAGE_TERM:
		if (now >= w->stage_end_ms)
			start_kill(w, now);
		break;
	case PROC_STAGE_KILL:
		if (now >= w->stage_end_ms)
			w->stage = PROC_STAGE_GIVEN_UP;
		break;
	case PROC_STAGE_GIVEN_UP:
	case PROC_STAGE_ENDED:
		break;
	}
}

static int poll_timeout(const struct proc_wait *w)
{
	int64_t due =
	        w->stage == PROC_STAGE_RUNS ? w->deadline_ms : w->stage_end_ms;
	int64_t now = clock_mono_ms();

	if (w->tick_at_ms < due)
		due = w->tick_at_ms;
	if (w->pidfd < 0 && due > now + LOOK_MS)
		due = now + LOOK_MS;
	if (due <= now)
		return 0;
	return due - now > ALIVE_MS ? ALIVE_MS : (int)(due - now);
}

bool proc_wait_has_ended(const struct proc_wait *w)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return errno != EINTR; /* ECHILD: somebody else reaped it */
	return info.si_pid != 0;
}

bool proc_wait_await_end(const struct proc_wait *w, int64_t limit_ms)
{
	int64_t until_ms = clock_mono_ms() + limit_ms;
	struct pollfd p = {.fd = w->pidfd, .events = POLLIN};

	while (!proc_wait_has_ended(w)) {
		int64_t left_ms = until_ms - clock_mono_ms();
		int64_t most_ms = w->pidfd < 0 ? LOOK_MS : ALIVE_MS;

		if (left_ms <= 0)
			return false;
		notify_watchdog();
		(void)poll(&p, 1, (int)(left_ms < most_ms ? left_ms : most_ms));
	}
	return true;
}

static void poll_or_sleep(struct pollfd *fds, nfds_t len, int timeout_ms)
{
	if (poll(fds, len, timeout_ms) >= 0)
		return;

	int code = errno;

	for (nfds_t i = 0; i < len; i++)
		fds[i].revents = 0;
	/* ENOMEM, or a descriptor limit below our handful: not to be cured
	 * here, and not a reason to burn the processor. */
	if (code != EINTR)
		(void)nanosleep(
		        &(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
}

bool proc_wait_poll(struct proc_wait *w, struct pollfd *fds, nfds_t len)
{
	/* Once a signal came its descriptor stays readable: do not spin. */
	bool signals = w->signals && w->stage == PROC_STAGE_RUNS;

	if (signals && sig_caught() != 0) {
		proc_wait_cancel(w);
		signals = false;
	}
	fds[0] = (struct pollfd){.fd = w->pidfd, .events = POLLIN};
	fds[1] = (struct pollfd){
	        .fd = signals ? sig_fd() : -1, .events = POLLIN};
	notify_watchdog();
	poll_or_sleep(fds, len, poll_timeout(w));

	if ((w->pidfd < 0 || fds[0].revents != 0) && proc_wait_has_ended(w)) {
		w->stage = PROC_STAGE_ENDED;
		return false;
	}
	if (fds[1].revents != 0)
		proc_wait_cancel(w);
	take_due_step(w, clock_mono_ms());
	return w->stage != PROC_STAGE_GIVEN_UP;
}

bool proc_wait_tick(struct proc_wait *w)
{
	int64_t now = clock_mono_ms();

	if (now < w->tick_at_ms)
		return false;
	w->tick_at_ms = now + w->tick_ms;
	return true;
}

static void reap(const struct proc_wait *w, struct proc_result *ret)
{
	int status;
	pid_t pid;

	do {
		pid = waitpid(w->pid, &status, 0);
	} while (pid < 0 && errno == EINTR);

	if (pid < 0)
		return;
	if (WIFEXITED(status))
		ret->exit_code = WEXITSTATUS(status);
	else if (WIFSIGNALED(status))
		ret->signal = WTERMSIG(status);
}

void proc_wait_finish(struct proc_wait *w, struct proc_result *ret)
{
	*ret = (struct proc_result){
	        .exit_code = -1,
	        .timed_out = w->timed_out,
	        .cancelled = w->cancelled,
	        .hung = w->stage == PROC_STAGE_GIVEN_UP,
	        .pid = w->pid,
	};
	if (!ret->hung) {
		/* Before reaping: as long as the zombie is in the group, its
		 * number cannot belong to a stranger. */
		if (w->pid > 1)
			(void)kill(-w->pid, SIGKILL);
		reap(w, ret);
	}
	util_closep(&w->pidfd);
}
