/* SPDX-License-Identifier: MIT */
/* Proof that the source did not change and that nothing is left to do. */
#include "core/run_internal.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "core/doubt.h"
#include "core/exitcode.h"
#include "core/found.h"
#include "core/verify.h"

/* Copying the rest once more is sensible, chasing a busy source is not. */
#define PASSES_MAX 2

/* A file's times come from a clock that ticks, up to 10 ms behind; the rest is
 * for a clock that is being corrected. */
#define MARGIN_NS INT64_C(1000000000)

/* Why a pass does not count. */
struct reasons {
	char job[256]; /* a Veeam job that overlapped; "" */
	bool source_changed;
	bool excluded_changed; /* perhaps: the closing dry run tells */
	struct srclist after;
	uint64_t left; /* found by the closing dry run */
};

/* What is not known counts as an overlap. */
static void check_jobs(struct run *r, struct reasons *d)
{
	(void)run_overlap(r, d->job);
}

static int judge_source(struct run *r, struct reasons *d)
{
	int e;

	d->source_changed = !srclist_equal(&r->before, &d->after);
	if (!d->source_changed || str_is_empty(r->s->rsync_excludes))
		return 0;
	/* What is new, gone or renamed the closing dry run sees; what was
	 * overwritten in place and got its old time back it does not. */
	e = doubt_concerns_copy(
	        &r->target, r->s, r->before_ns, run_tick, r, &r->err);
	if (e < 0)
		return run_code(r, e, EXITCODE_VERIFY);
	d->source_changed = e;
	d->excluded_changed = !e;
	return 0;
}

static int closing_dry_run(struct run *r, struct reasons *d)
{
	int code = run_plan_rest(r);

	d->left = r->plan.changes;
	return code;
}

/*
 * A plan that had nothing to do was the closing dry run already, unless
 * something happened between its look at a file and that of the list beside
 * it: both lists would then show the new file, and the disk has the old one.
 * The times of the source tell, if nobody turned back the clock.
 */
static bool plan_may_be_old(const struct run *r, const struct reasons *d)
{
	int64_t real_ms = (clock_real_ns() - r->before_ns) / 1000000;
	int64_t mono_ms = clock_mono_ms() - r->before_mono_ms;

	return d->after.newest_ns >= r->before_ns - MARGIN_NS ||
	       real_ms < mono_ms - MARGIN_NS / 2 / 1000000;
}

/* The list of the source, and beside it the closing dry run.  Whatever changes
 * before one of them has looked at it is seen by that one. */
static int check_source(struct run *r, struct reasons *d, bool copied)
{
	_cleanup_(srclist_dropp) struct srclist_job *job = NULL;
	int code = 0, e;

	e = srclist_begin(
	        r->s->source, r->before_ns, run_tick, r, &job, &r->err);
	if (e < 0)
		return run_code(r, e, EXITCODE_VERIFY);
	if (copied)
		code = closing_dry_run(r, d);
	if (code)
		return code;
	e = srclist_end(TAKE_PTR(job), &d->after, &r->err);
	if (e < 0)
		return run_code(r, e, EXITCODE_VERIFY);
	code = judge_source(r, d);
	if (code || copied)
		return code;
	if (d->source_changed || d->excluded_changed || d->job[0] ||
	        plan_may_be_old(r, d))
		return closing_dry_run(r, d);
	return 0;
}

static void explain(struct run *r, const struct reasons *d)
{
	char name[300], n[32];

	if (d->job[0])
		err_set(&r->err, -EBUSY,
		        _("a Veeam job (%s) ran during the copy"),
		        text_visible_str(name, sizeof name, d->job));
	else if (d->source_changed && d->after.recent > 0)
		err_set(&r->err, -EBUSY,
		        _("the source changed during the copy, among others "
		          "%s"),
		        text_visible_str(
		                name, sizeof name, d->after.recent_names[0]));
	else if (d->source_changed)
		err_set(&r->err, -EBUSY, "%s",
		        _("the source changed during the copy (something was "
		          "deleted or renamed)"));
	else
		err_set(&r->err, -EIO,
		        P_("after the copy %s file still differs",
		                "after the copy %s files still differ",
		                d->left),
		        text_count(n, d->left));
}

static bool is_clean(const struct reasons *d)
{
	return !d->job[0] && !d->source_changed && d->left == 0;
}

/* rsync's quick check takes a file for copied that was overwritten while it
 * was being copied, if its time was put back. */
static int distrust_changed(struct run *r)
{
	int e = doubt_changed(
	        &r->target, r->s, r->before_ns, run_tick, r, &r->err);

	return e < 0 ? run_code(r, e, EXITCODE_VERIFY) : 0;
}

static int inconsistent(struct run *r, const struct reasons *d)
{
	int code = 0;

	/* classic could only delete them, and there is no second try here. */
	if (d->source_changed && r->s->rsync_options == SETTINGS_RSYNC_SAFE)
		code = distrust_changed(r);
	if (code)
		return code;
	explain(r, d);
	err_prefix(&r->err, "%s", _("copied, but NOT consistent"));
	err_meaning(&r->err, "%s",
	        _("The files on the disk do not all belong to the same moment; "
	          "restoring from this disk may fail."));
	err_action(&r->err, "%s",
	        d->job[0] ? _("Start the copy again when no Veeam job runs, "
	                      "and let the jobs call veeam-lock before they "
	                      "begin.")
	                  : _("Find out what writes to the repository during "
	                      "the copy, then start it again."));
	return EXITCODE_VERIFY;
}

static int examine(struct run *r, struct reasons *d, bool copied)
{
	int code;

	*d = (struct reasons){.left = 0};
	check_jobs(r, d);
	code = check_source(r, d, copied);
	/* A job may have come while we looked. */
	if (code == 0 && !d->job[0])
		check_jobs(r, d);
	return code;
}

/* From the start: jobs waited for, a new list of the source, the rest. */
static int next_pass(struct run *r, const struct reasons *d)
{
	int code, e;

	explain(r, d);
	status_warn(r->st, _("%s; copying the rest once more"), r->err.message);
	r->err = ERR_INIT;
	code = run_claim(r);
	/* Other than before the first pass something lies on the disk. */
	if (code == EXITCODE_VEEAM)
		return inconsistent(r, d);
	if (code == 0 && d->source_changed)
		code = distrust_changed(r);
	if (code)
		return code;
	run_before(r);
	e = srclist_read(r->s->source, 0, run_tick, r, &r->before, &r->err);
	if (e < 0)
		return run_code(r, e, EXITCODE_VERIFY);
	/* What this pass writes it would not learn. */
	if (!r->manifest)
		run_lose_list(r, NULL);
	code = run_plan_rest(r);
	if (code)
		return code;
	r->st->step = STEP_COPY;
	code = run_transfer(r);
	r->st->step = STEP_VERIFY;
	return code;
}

static int on_read(const struct verify_result *so_far, void *arg)
{
	struct run *r = arg;

	r->st->bytes_verified = so_far->bytes;
	r->st->files_verified = so_far->files;
	return run_tick(r);
}

/* What lies on the disk longer than the list of hashes exists is read back as
 * well. */
static int complete_list(struct run *r)
{
	struct manifest_totals totals;
	struct err err = ERR_INIT;
	int e = manifest_totals(r->manifest, &totals, &err);

	if (e == 0 && totals.files >= r->before.files)
		return 0;
	if (e == 0)
		e = found_enter(
		        r->manifest, &r->target, r->s, run_tick, r, &err);
	if (e < 0 && run_tick(r) < 0)
		return run_code(r, e, EXITCODE_VERIFY);
	if (e < 0)
		run_drop_list(r, &err);
	return 0;
}

/* Every run reads a share of the disk back, the oldest first. */
static int read_share(struct run *r)
{
	struct verify v = {
	        .manifest = r->manifest,
	        .target = &r->target,
	        .settings = r->s,
	        .is_compared = true,
	        .on_tick = on_read,
	        .arg = r,
	};
	struct verify_result res;
	char n[32], b[32];
	int e;

	if (!r->manifest)
		return 0;
	e = complete_list(r);
	if (e != 0 || !r->manifest || r->s->verify_share_percent == 0)
		return e;
	target_flush_settle(
	        &r->target, r->s->disk_idle_timeout_seconds, run_tick, r);
	e = verify_share(&v, r->s->verify_share_percent, &res, &r->err);
	r->st->files_verified = res.files;
	r->st->bytes_verified = res.bytes;
	if (e == -ETIMEDOUT)
		r->target.hangs = true;
	if (e < 0)
		return run_code(r, e, EXITCODE_VERIFY);
	if (res.damaged + res.missing > 0) {
		verify_describe(&res, &r->err);
		return EXITCODE_VERIFY;
	}
	if (res.files > 0)
		log_info(P_("read back %s file (%s): as it was written",
		                 "read back %s files (%s): all as they were "
		                 "written",
		                 res.files),
		        text_count(n, res.files), text_bytes(b, res.bytes));
	return 0;
}

int run_verify(struct run *r)
{
	int64_t began = clock_mono_ms();
	bool copied = r->plan.changes > 0;
	struct reasons d;
	int code;

	for (int i = 1;; i++) {
		code = examine(r, &d, copied);
		if (code || is_clean(&d))
			break;
		if (i == PASSES_MAX)
			return inconsistent(r, &d);
		code = next_pass(r, &d);
		if (code)
			return code;
		copied = true;
	}
	if (code == 0) {
		/* The source is not looked at any more. */
		run_release_claim(r);
		code = read_share(r);
	}
	r->st->took.verify_ms = clock_mono_ms() - began;
	return code;
}
