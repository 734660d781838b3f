/* SPDX-License-Identifier: MIT */
/*
 * A call that waits for a driver cannot be interrupted, and not every call on
 * the disk is made in a child.  So a child asks the driver something now and
 * then, and ends it when there is no answer while neither it nor the disk does
 * anything: then all such calls fail at once.
 */
#include "core/target_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idle.h"
#include "log.h"
#include "proc.h"
#include "util.h"
#include "core/target.h"
#include "core/target_driver.h"
#include "sys/mount_fuse.h"

/* Between two questions. */
#define PAUSE_MS 2000
/* A killed process that a driver keeps waiting ends with the driver. */
#define END_MS 5000

struct guard {
	const struct target *t;
	struct idle idle;
};

static int ask_task(void *arg, void *reply, struct err *err)
{
	const struct guard *g = arg;
	struct statx x;

	(void)reply;
	(void)err;
	/* Any answer is one. */
	(void)statx(g->t->root_fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
	        STATX_BASIC_STATS, &x);
	return 0;
}

static int ask_tick(void *arg)
{
	struct guard *g = arg;
	uint64_t now = disk_activity(g->t->disk.devno) +
	               mount_fuse_activity(g->t->driver);

	return idle_too_long(&g->idle, now) ? -ETIMEDOUT : 0;
}

static int guard_task(void *arg, void *reply, struct err *err)
{
	const struct target *t = arg;
	struct guard g = {.t = t};
	struct proc_task ask = {
	        .name = "guard",
	        .fn = ask_task,
	        .arg = &g,
	        .tick_ms = 500,
	        .on_tick = ask_tick,
	        .tick_arg = &g,
	        .ignore_signals = true,
	};

	(void)reply;
	(void)err;
	idle_start(&g.idle, t->guard_idle_s);
	do {
		(void)poll(NULL, 0, PAUSE_MS);
		idle_moved(&g.idle);
	} while (proc_task(&ask, NULL) != -ECANCELED);
	target_driver_kill(t);
	return 0;
}

static int end_tick(void *arg)
{
	(void)arg;
	return -ECANCELED;
}

void target_guard_start(struct target *t, int64_t idle_timeout_s)
{
	struct proc_task task = {
	        .name = "guard",
	        .fn = guard_task,
	        .arg = t,
	        /* It has nothing to finish. */
	        .tick_ms = 1,
	        .on_tick = end_tick,
	        .ignore_signals = true,
	};
	int fds[2];

	if (!t->driver || idle_timeout_s <= 0 || pipe2(fds, O_CLOEXEC) < 0)
		return;
	t->guard_idle_s = idle_timeout_s;
	if (proc_task_start(&task, &t->guard, NULL) < 0)
		log_debug("no guard for the driver");
	close(fds[1]);
	if (t->guard)
		t->guard_end_fd = fds[0];
	else
		close(fds[0]);
}

/* Who asks the question dies with the guard, but a moment later, and keeps the
 * file system busy until then; the pipe ends with the last of both. */
void target_guard_stop(struct target *t)
{
	struct pollfd p = {.fd = t->guard_end_fd, .events = POLLIN};
	int r;

	if (!t->guard)
		return;
	if (proc_task_wait(TAKE_PTR(t->guard), NULL) < 0)
		log_debug("the guard has ended");
	/* Whoever is told to end unmounts all the same. */
	do
		r = poll(&p, 1, END_MS);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		log_debug("a question to the driver is still open");
	util_closep(&t->guard_end_fd);
}
