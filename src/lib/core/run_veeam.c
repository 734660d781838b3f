/* SPDX-License-Identifier: MIT */
/* The copy and the Veeam jobs: waiting for them, giving way, and whether one
 * came after all. */
#include "core/run_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "util.h"
#include "core/exitcode.h"
#include "core/lockjob.h"

/* A copy that always gave way would never end. */
#define YIELDS_MAX 3
/* How often a copy asks whether a job waits. */
#define ASK_MS 2000

/* --- waiting ----------------------------------------------------------------
 */

static void on_wait(const struct strv *names, void *arg)
{
	struct run *r = arg;

	r->st->state = STATUS_WAITING;
	strv_done(&r->st->waiting_for);
	for (size_t i = 0; i < names->len; i++) {
		log_notice(_("waiting for the Veeam job %s"), names->items[i]);
		if (strv_add(&r->st->waiting_for, names->items[i]) < 0)
			break;
	}
	run_publish(r, true);
}

static int64_t wait_limit_ms(const struct run *r)
{
	return r->opt->no_wait ? 0 : r->s->wait_for_veeam_minutes * 60 * 1000;
}

/* Nobody waits hours for a disk that was carried away, or unnoticed. */
static int on_look(void *arg)
{
	struct run *r = arg;
	int64_t waited = clock_mono_ms() - r->wait_began_ms;

	if (!r->wait_mailed && r->st->waiting_for.len > 0 &&
	        waited >= r->s->wait_mail_minutes * 60 * 1000) {
		r->wait_mailed = true;
		run_announce_wait(r, waited, wait_limit_ms(r) - waited);
	}
	return run_tick(r);
}

static void on_reaped(const char *job, enum lease_verdict why, void *arg)
{
	struct run *r = arg;
	char text[400];

	lockjob_reaped(text, sizeof text, job, why);
	status_warn(r->st, "%s", text);
}

static void explain_jobs(struct run *r)
{
	_cleanup_strv_ struct strv dirs = STRV_INIT;
	_cleanup_buf_ struct buf where = BUF_INIT;

	if (settings_veeam_lock_dirs(r->s, &dirs) == 0)
		for (size_t i = 0; i < dirs.len; i++)
			buf_printf(
			        &where, "%s%s", i ? ", " : "", dirs.items[i]);
	err_meaning(&r->err, "%s",
	        _("A copy made while Veeam writes is worthless, so nothing "
	          "was copied."));
	if (where.len > 0)
		err_action(&r->err,
		        _("Start the copy again when the jobs have ended. If "
		          "none is running, its lock was left behind: see "
		          "\"veeam-lock --list\", and look for lock files "
		          "in %s."),
		        where.data);
	else
		err_action(&r->err, "%s",
		        _("Start the copy again when the jobs have ended. If "
		          "none is running, its lock was left behind: see "
		          "\"veeam-lock --list\"."));
}

static void explain_busy(struct run *r)
{
	err_action(&r->err, "%s",
	        _("It ends by itself; try again in a minute. If it hangs, its "
	          "disk is broken: restart the server."));
}

int run_claim(struct run *r)
{
	struct claim_wait wait = {
	        .limit_ms = wait_limit_ms(r),
	        .on_wait = on_wait,
	        .on_look = on_look,
	        .arg = r,
	};
	int e;

	run_release_claim(r);
	r->wait_began_ms = clock_mono_ms();
	r->wait_mailed = false;
	e = claim_take(r->claim, &wait, &r->err);
	strv_done(&r->st->waiting_for);
	r->st->state = STATUS_RUNNING;
	if (e == 0) {
		/* Only rsync inherits it. */
		proc_task_hide_fd(claim_fd(r->claim));
		return 0;
	}
	if (e == -EWOULDBLOCK) {
		explain_busy(r);
		return EXITCODE_BUSY;
	}
	if (e == -ETIMEDOUT)
		explain_jobs(r);
	return run_code(r, e, EXITCODE_VEEAM);
}

void run_release_claim(struct run *r)
{
	proc_task_show_fd(claim_fd(r->claim));
	claim_release(r->claim);
}

int run_veeam_wait(struct run *r)
{
	_cleanup_strv_ struct strv dirs = STRV_INIT;
	_cleanup_free_ char *path = settings_lock_dir(r->s);
	struct lease_record self;
	struct claim_spec spec = {
	        .old_dirs = &dirs,
	        .lock_dir = path,
	        .lease_s = r->s->lease_hours * 3600,
	        .self = &self,
	        .on_reaped = on_reaped,
	        .arg = r,
	};

	if (!path || settings_veeam_lock_dirs(r->s, &dirs) < 0) {
		err_nomem(&r->err);
		return EXITCODE_VEEAM;
	}
	lockjob_record(&self, spec.lease_s);
	(void)str_copy(self.job, sizeof self.job, r->st->disk.title);
	if (claim_open(&spec, &r->claim, &r->err) < 0)
		return EXITCODE_VEEAM;
	return run_claim(r);
}

int run_overlap(struct run *r, char *ret_name)
{
	struct err err = ERR_INIT;
	int e = claim_overlap(r->claim, ret_name, &err);

	if (e < 0)
		(void)str_copy(ret_name, 256, err.message);
	return e;
}

/* --- giving way -------------------------------------------------------------
 */

bool run_must_yield(struct run *r)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	int64_t now = clock_mono_ms();

	if (r->yielding || r->yields >= YIELDS_MAX || claim_fd(r->claim) < 0 ||
	        !str_eq(r->s->when_copy_runs, "yield") ||
	        now - r->asked_ms < ASK_MS)
		return r->yielding;
	r->asked_ms = now;
	if (claim_waiting(r->claim, &names, NULL) < 0 || names.len == 0)
		return false;
	log_notice(_("the Veeam job %s waits: the copy gives way"),
	        names.items[0]);
	r->yielding = true;
	return true;
}

/* rsync has ended, and with that nobody else holds the lock. */
int run_yield(struct run *r)
{
	r->yields++;
	r->yielding = false;
	r->err = ERR_INIT;
	prefetch_free(TAKE_PTR(r->prefetch));
	target_flush_stop(&r->target);
	run_release_claim(r);
	status_warn(r->st, "%s",
	        _("the copy gave way to a Veeam job and began anew"));
	run_step(r, STEP_VEEAM_WAIT);
	return run_claim(r);
}
