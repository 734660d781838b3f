/* SPDX-License-Identifier: MIT */
#include "core/rsync_run.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "i18n.h"
#include "idle.h"
#include "proc.h"
#include "str.h"
#include "util.h"
#include "core/settings.h"
#include "core/target.h"
#include "core/target_driver.h"
#include "sys/sandbox.h"

/* ioprio_set(2): class << 13 | level. */
#define IOPRIO_IDLE (3 << 13)
#define IOPRIO_LOW (2 << 13 | 7)

#define TICK_MS 500
/* rsync cleans up after SIGTERM; a temporary file of a terabyte is unlinked in
 * seconds. */
#define GRACE_MS 10000

/* A running rsync as the watchdog sees it. */
struct watch {
	const struct rsync_run *run;
	struct rsync_run_result *res;
	struct rsync_out *out;
	struct idle idle; /* rsync says nothing and the disk does nothing */
};

static int on_output(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	struct watch *w = arg;

	idle_moved(&w->idle);
	if (stream == PROC_STDOUT)
		return rsync_out_feed(w->out, data, len);
	rsync_errors_feed(&w->res->errors, data, len);
	return 0;
}

static int on_tick(pid_t pid, void *arg)
{
	struct watch *w = arg;

	(void)pid;
	if (target_check(w->run->target, NULL) == -ENODEV) {
		w->res->disk_lost = true;
		return -ENODEV;
	}
	if (idle_too_long(
	            &w->idle, disk_activity(w->run->target->disk.devno))) {
		w->res->disk_hangs = true;
		/* What hangs in it ends with it. */
		target_driver_kill(w->run->target);
		return -ETIMEDOUT;
	}
	return w->run->on_tick ? w->run->on_tick(w->run->tick_arg) : 0;
}

/* The source may be a directory that rsync must search on its way there:
 * Landlock does not limit searching, so the source itself is enough. */
static int confine(
        const struct rsync_run *run, struct sandbox *sb, struct err *err)
{
	const struct settings *s = run->settings;
	struct sandbox_rule rules[] = {
	        {.path = s->source, .access = SANDBOX_READ},
	        {.fd = run->target->dest_fd,
	                .access = run->dry_run ? SANDBOX_READ : SANDBOX_WRITE},
	        {.path = str_is_empty(s->rsync_excludes) ? "/dev/null"
	                                                 : s->rsync_excludes,
	                .access = SANDBOX_READ},
	};
	struct sandbox_spec spec = {
	        .rules = rules,
	        .rules_len = ARRAY_SIZE(rules),
	        .programs = true,
	        .keep_caps = SANDBOX_CAPS_COPY,
	};

	return sandbox_prepare(sb, &spec, err);
}

static void note_confinement(struct rsync_run_result *res)
{
	unsigned has = sandbox_probe();

	if (!(has & SANDBOX_HAS_FILES))
		(void)str_copy(
		        res->confinement, sizeof res->confinement, "Landlock");
	else if (!(has & SANDBOX_HAS_RENAME))
		(void)str_copy(res->confinement, sizeof res->confinement,
		        "Landlock 2 (rename)");
}

int rsync_run_ioprio(const struct settings *s)
{
	switch (s->io_priority) {
	case SETTINGS_IO_IDLE:
		return IOPRIO_IDLE;
	case SETTINGS_IO_LOW:
		return IOPRIO_LOW;
	case SETTINGS_IO_NORMAL:
		break;
	}
	return 0;
}

static int start(const struct rsync_run *run, struct watch *w,
        struct proc_result *proc, struct err *err)
{
	struct sandbox sb = SANDBOX_INIT;
	struct proc_spec spec = {
	        PROC_SPEC_INIT,
	        .name = "rsync",
	        .argv = run->argv->items,
	        .keep_fds = &run->copy_lock_fd,
	        .keep_fds_len = run->copy_lock_fd >= 0,
	        .pid_namespace = true,
	        .ioprio = rsync_run_ioprio(run->settings),
	        .pre_exec = sandbox_hook,
	        .pre_exec_arg = &sb,
	        .on_output = on_output,
	        .on_tick = on_tick,
	        .cb_arg = w,
	        .tick_ms = TICK_MS,
	        .grace_ms = GRACE_MS,
	};
	int r;

	spec.cwd_fd = run->target->dest_fd;
	r = confine(run, &sb, err);
	if (r == 0)
		r = proc_run(&spec, proc, err);
	sandbox_done(&sb);
	return r;
}

static void hangs(const struct rsync_run *run, struct err *err)
{
	err_set(err, -ETIMEDOUT,
	        _("nothing has moved for %lld seconds: the disk %s or the "
	          "source hangs"),
	        (long long)run->settings->disk_idle_timeout_seconds,
	        run->target->disk.device);
	err_meaning(err, "%s", _("The copy on the disk is NOT complete."));
	err_action(err, "%s",
	        _("Try another cable or port, then another disk. If the source "
	          "is on a network, look at that. disk-idle-timeout-seconds is "
	          "the limit."));
}

static void judge(const struct rsync_run *run, const struct proc_result *proc,
        struct rsync_run_result *res, struct err *err)
{
	res->exit_code = proc->exit_code;
	res->cancelled = proc->cancelled;
	res->left_running = proc->hung;
	res->verdict = rsync_exit_judge(
	        proc->exit_code, proc->signal, &res->errors, err);
	/* What we know better than rsync. */
	if (res->disk_hangs) {
		hangs(run, err);
		res->verdict = RSYNC_DISK;
	} else if (res->disk_lost ||
	           target_check(run->target, NULL) == -ENODEV) {
		/* Also if it is back: rsync was stopped because of it. */
		if (target_check(run->target, err) != -ENODEV)
			(void)target_explain_gone(run->target, err);
		res->disk_lost = true;
		res->verdict = RSYNC_DISK;
	} else if (target_driver_check(run->target, err) < 0) {
		res->verdict = RSYNC_DISK;
	} else if (res->cancelled && res->verdict == RSYNC_OK) {
		res->verdict = RSYNC_STOPPED;
	}
	if (res->verdict == RSYNC_OK && !res->stats.complete) {
		err_set(err, -EPROTO, "%s",
		        _("rsync ended well but said nothing about what it "
		          "did"));
		err_action(err, "%s",
		        _("Is another program called rsync? Look at the rsync "
		          "log."));
		res->verdict = RSYNC_BROKEN;
	}
}

int rsync_run(const struct rsync_run *run, struct rsync_run_result *ret,
        struct err *err)
{
	_cleanup_free_ struct rsync_out *out = malloc(sizeof *out);
	struct watch w = {.run = run, .res = ret, .out = out};
	struct proc_result proc;
	int r;

	memset(ret, 0, sizeof *ret);
	if (!out)
		return err_nomem(err);
	rsync_out_init(out, &run->events);
	rsync_errors_init(&ret->errors);
	note_confinement(ret);
	idle_start(&w.idle, run->settings->disk_idle_timeout_seconds);
	r = start(run, &w, &proc, err);
	if (r < 0)
		return r;
	(void)rsync_out_end(out);
	rsync_errors_end(&ret->errors);
	ret->stats = out->stats;
	judge(run, &proc, ret, err);
	return 0;
}
