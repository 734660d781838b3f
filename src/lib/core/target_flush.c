/* SPDX-License-Identifier: MIT */
/* target_flush: what was written reaches the disk, or we hear of it. */
#include "core/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "i18n.h"
#include "idle.h"
#include "log.h"
#include "proc.h"
#include "util.h"
#include "core/target_driver.h"

struct flush_watch {
	const struct target *t;
	int (*on_tick)(void *arg);
	void *arg;
	struct idle idle; /* it takes nothing */
	bool gone;
	bool hangs;
};

static int flush_tick(void *arg)
{
	struct flush_watch *w = arg;

	if (disk_check(&w->t->disk) == DISK_GONE) {
		w->gone = true;
		return -ENODEV;
	}
	if (idle_too_long(&w->idle, disk_bytes_written(w->t->disk.devno))) {
		w->hangs = true;
		return -ETIMEDOUT;
	}
	return w->on_tick ? w->on_tick(w->arg) : 0;
}

static int flush_task(void *arg, void *reply, struct err *err)
{
	const struct target *t = arg;
	int r;

	(void)reply;
	/* The error is reported once per open file description, and a second
	 * syncfs would return 0: there is no second. */
	if (syncfs(t->root_fd) < 0)
		r = -errno;
	else
		r = target_driver_flush(t);
	if (r == 0)
		return 0;
	err_sys(err, r, "%s",
	        _("the disk did not take everything that was written to it"));
	err_meaning(err, "%s",
	        _("Some files on the disk are damaged. This copy is NOT "
	          "good, although everything seemed to be copied."));
	err_action(err, "%s",
	        _("Use another disk and look at this one (\"smartctl -a\", "
	          "\"dmesg\"). The next run to this disk reads back what this "
	          "one wrote and copies it anew where needed."));
	return -EIO;
}

/* Between two rounds, so that a copy that writes little is not a disk that is
 * told to empty its cache without end. */
#define ROUND_PAUSE_MS 200

/* Another round is worth while as long as files are being written. */
static bool is_last_round(const struct target *t, int wait_ms)
{
	struct pollfd p = {.fd = t->early_last_fd, .events = POLLIN};

	return poll(&p, 1, wait_ms) != 0;
}

static int early_task(void *arg, void *reply, struct err *err)
{
	const struct target *t = arg;
	int fd = openat(t->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool last = is_last_round(t, 0);

	(void)reply;
	(void)err;
	if (fd < 0)
		return -errno;
	/* Its result is this descriptor's alone; root_fd gets its own. */
	while (syncfs(fd) == 0 && !last)
		last = is_last_round(t, ROUND_PAUSE_MS);
	close(fd);
	return 0;
}

/* While somebody waits for it, by the rules of target_flush(); otherwise, and
 * of a disk that is known to hang, nobody wants it any more. */
static int early_tick(void *arg)
{
	const struct target *t = arg;

	return t->watch && !t->hangs ? flush_tick(t->watch) : -ECANCELED;
}

void target_flush_begin(struct target *t)
{
	struct proc_task task = {
	        .name = "early flush",
	        .fn = early_task,
	        .arg = t,
	        .tick_ms = 500,
	        .on_tick = early_tick,
	        .tick_arg = t,
	        .ignore_signals = true,
	};

	if (t->early || t->root_fd < 0)
		return;
	if (t->early_last_fd < 0)
		t->early_last_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->early_last_fd < 0)
		return;
	if (proc_task_start(&task, &t->early, NULL) < 0)
		t->early = NULL;
}

void target_flush_last(struct target *t)
{
	target_flush_begin(t);
	if (t->early)
		(void)eventfd_write(t->early_last_fd, 1);
}

void target_flush_stop(struct target *t)
{
	if (!t->early)
		return;
	(void)eventfd_write(t->early_last_fd, 1);
	if (proc_task_wait(TAKE_PTR(t->early), NULL) < 0)
		log_debug("the early flush did not end well");
	util_closep(&t->early_last_fd);
}

static struct flush_watch watch_of(const struct target *t,
        int64_t idle_timeout_s, int (*on_tick)(void *arg), void *arg)
{
	struct flush_watch w = {.t = t, .on_tick = on_tick, .arg = arg};

	idle_start(&w.idle, idle_timeout_s);
	return w;
}

void target_flush_settle(struct target *t, int64_t idle_timeout_s,
        int (*on_tick)(void *arg), void *arg)
{
	struct flush_watch w = watch_of(t, idle_timeout_s, on_tick, arg);

	t->watch = &w;
	target_flush_stop(t);
	t->watch = NULL;
	t->hangs |= w.hangs;
}

static int explain_hang(const struct target *t, struct err *err)
{
	err_set(err, -ETIMEDOUT, _("the disk %s takes no more data"),
	        t->disk.device);
	err_meaning(err, "%s",
	        _("What was copied is not safely on the disk. This copy is NOT "
	          "good."));
	err_action(err, "%s",
	        _("Unplug the disk, try another cable or port, then another "
	          "disk."));
	return -ETIMEDOUT;
}

int target_flush(struct target *t, int64_t idle_timeout_s,
        int (*on_tick)(void *arg), void *arg, struct err *err)
{
	struct flush_watch w;
	struct proc_task task = {
	        .name = "flush",
	        .fn = flush_task,
	        .arg = t,
	        .tick_ms = 500,
	        .on_tick = flush_tick,
	        .tick_arg = &w,
	        .ignore_signals = true,
	};
	int r = 0;

	target_flush_settle(t, idle_timeout_s, on_tick, arg);
	w = watch_of(t, idle_timeout_s, on_tick, arg);
	w.gone = disk_check(&t->disk) == DISK_GONE;
	if (!w.gone && !t->hangs)
		r = proc_task(&task, err);
	if (r < 0 && disk_check_after(&t->disk, r) == DISK_GONE)
		w.gone = true;
	t->driver_failed |= r < 0;
	t->hangs |= w.hangs;
	if (w.gone)
		return target_explain_gone(t, err);
	if (t->hangs)
		return explain_hang(t, err);
	return r < 0 ? r : target_check(t, err);
}
