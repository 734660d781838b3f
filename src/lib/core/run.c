/* SPDX-License-Identifier: MIT */
#include "core/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "notify.h"
#include "proc.h"
#include "sig.h"
#include "str.h"
#include "util.h"
#include "core/exitcode.h"
#include "core/run_internal.h"

void (*run_on_status)(const struct status *st);

void run_publish(struct run *r, bool now)
{
	int64_t ms = clock_mono_ms();
	struct err err = ERR_INIT;
	char line[512];

	r->st->updated = clock_real_s();
	if (run_on_status)
		run_on_status(r->st);
	if (!now && ms - r->published_ms < r->s->update_ratio_seconds * 1000)
		return;
	/* Only the one that holds the lock speaks for the run. */
	if (r->run_lock_fd < 0)
		return;

	r->published_ms = ms;
	status_line(r->st, line, sizeof line);
	notify_status(line);
	if (status_publish(r->st, r->s, &err) < 0)
		log_debug("status: %s", err.message);
}

void run_step(struct run *r, enum status_step step)
{
	r->st->step = step;
	log_info("%s", status_step_text(step));
	run_publish(r, true);
}

int run_tick(void *arg)
{
	struct run *r = arg;

	notify_watchdog();
	if (r->copying)
		run_progress(r);
	run_publish(r, false);
	if (r->rsync_log)
		(void)fflush(r->rsync_log);
	if (run_must_yield(r))
		return -EAGAIN;
	if (r->target.disk.devno && disk_check(&r->target.disk) == DISK_GONE)
		return -ENODEV;
	return sig_caught() ? -EINTR : 0;
}

int run_code(struct run *r, int error, int otherwise)
{
	int sig = sig_caught();

	if (r->target.disk.devno &&
	        disk_check_after(&r->target.disk, error) == DISK_GONE) {
		(void)target_explain_gone(&r->target, &r->err);
		return EXITCODE_DISK_LOST;
	}
	if (sig != 0) {
		err_set(&r->err, -EINTR, _("the run was stopped (%s)"),
		        strsignal(sig));
		err_meaning(&r->err, "%s",
		        r->marker_written
		                ? _("The copy on the disk is NOT complete.")
		                : _("Nothing was copied."));
		err_action(&r->err, "%s",
		        _("Start it again: the next run goes on where this one "
		          "ended."));
		return EXITCODE_SIGNAL + sig;
	}
	return otherwise;
}

void run_drop_list(struct run *r, const struct err *err)
{
	status_warn(r->st, _("the list of hashes cannot be kept: %s"),
	        err->message);
	manifest_close(TAKE_PTR(r->manifest));
}

void run_lose_list(struct run *r, const struct err *err)
{
	struct err second = ERR_INIT;

	if (r->manifest)
		run_drop_list(r, err);
	if (manifest_set_aside(
	            r->s->state_directory, r->target.disk.uuid, &second) < 0)
		status_warn(r->st, "%s", second.message);
}

static void run_init(struct run *r, const struct settings *s,
        const struct run_options *opt, struct status *st)
{
	*r = (struct run){
	        .s = s,
	        .opt = opt,
	        .st = st,
	        .target = TARGET_INIT,
	        .run_lock_fd = -1,
	        .disk_dir_fd = -1,
	        .disk_lock_fd = -1,
	};
	r->began_ms = clock_mono_ms();
	st->state = STATUS_RUNNING;
	st->dry_run = opt->dry_run;
	st->started = clock_real_s();
	st->pid = getpid();
	(void)str_copy(st->source, sizeof st->source, s->source);
}

static void run_done(struct run *r)
{
	if (r->rsync_log)
		fclose(r->rsync_log);
	prefetch_free(r->prefetch);
	manifest_close(r->manifest);
	ledger_close(r->ledger);
	run_release_claim(r);
	claim_close(r->claim);
	target_done(&r->target);
	util_closep(&r->disk_lock_fd);
	util_closep(&r->disk_dir_fd);
	proc_task_show_fd(r->run_lock_fd);
	util_closep(&r->run_lock_fd);
	rsync_program_done(&r->rsync);
}

/* The steps that can end a run; what follows them is the tail. */
static const struct {
	enum status_step step;
	int (*fn)(struct run *r);
} sequence[] = {
        {STEP_CONFIG, run_config},
        {STEP_MATCH, run_match},
        {STEP_GUARD, run_guard},
        {STEP_VEEAM_WAIT, run_veeam_wait},
        {STEP_MOUNT, run_mount},
        {STEP_LOCK, run_lock},
        {STEP_PLAN, run_plan},
        {STEP_COPY, run_transfer},
        {STEP_VERIFY, run_verify},
};

static size_t index_of(enum status_step step)
{
	size_t i = 0;

	while (sequence[i].step != step)
		i++;
	return i;
}

/* What ended the step was nothing but the job that waits. */
static bool can_go_on(const struct run *r)
{
	return sig_caught() == 0 &&
	       disk_check(&r->target.disk) == DISK_PRESENT && !r->target.hangs;
}

int run_copy(const struct settings *s, const struct run_options *opt,
        struct status *st)
{
	struct run r;
	int code = 0;

	run_init(&r, s, opt, st);
	for (size_t i = 0; i < ARRAY_SIZE(sequence) && code == 0; i++) {
		if (opt->dry_run && sequence[i].step > STEP_PLAN)
			break;
		run_step(&r, sequence[i].step);
		code = sequence[i].fn(&r);
		if (st->skipped)
			break;
		if (r.yielding && code != 0 && can_go_on(&r)) {
			code = run_yield(&r);
			i = index_of(STEP_PLAN) - 1;
		}
		r.yielding = false;
	}
	code = run_tail(&r, code);
	run_done(&r);
	return code;
}
