/* SPDX-License-Identifier: MIT */
/*
 * What follows every run, however it ended: each thing that was done is undone
 * in reverse order, and the last word is only spoken when the disk is
 * unmounted.
 */
#include "core/run_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "atomicfile.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "path.h"
#include "sig.h"
#include "text.h"
#include "util.h"
#include "core/exitcode.h"

#define MANIFEST_NAME "manifest.xxh128"

/* What was left out because of a "no" is missing for good: such a run is not
 * good, even if the disk comes back. */
static bool disk_is_there(struct run *r)
{
	if (disk_check(&r->target.disk) == DISK_PRESENT)
		return true;
	r->missed = true;
	return false;
}

/* The first error is the run's; what comes after it is a warning. */
static int add_error(
        struct run *r, int code, int new_code, const struct err *err)
{
	if (code != 0) {
		status_warn(r->st, "%s", err->message);
		return code;
	}
	r->err = *err;
	return new_code;
}

/* "xxhsum -c .asbackup/manifest.xxh128" verifies the disk on any machine. */
static int export_manifest(struct run *r, struct err *err)
{
	_cleanup_close_ int dir = -1;
	struct manifest_exported out;
	struct atomicfile f;
	int e;

	dir = path_open_beneath(
	        r->target.root_fd, MARKER_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_sys(
		        err, dir, _("cannot open %s on the disk"), MARKER_DIR);
	if (r->st->passes == 0 && !r->st->adopted &&
	        faccessat(dir, MANIFEST_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	e = atomicfile_open(&f, dir, MANIFEST_NAME, 0600, err);
	if (e < 0)
		return e;
	e = manifest_export(r->manifest, f.fd, &out, err);
	/* Not on its own: the flush makes everything durable at once. */
	if (e == 0)
		e = atomicfile_commit_volatile(&f, err);
	atomicfile_abort(&f);
	return e;
}

static void close_books(struct run *r, int code)
{
	struct err first = r->err;
	struct err err = ERR_INIT;

	if (!r->marker_written || !disk_is_there(r))
		return;
	if (code == 0 && r->manifest && export_manifest(r, &err) < 0)
		status_warn(r->st,
		        _("the list of hashes cannot be written to the disk: "
		          "%s"),
		        err.message);
	if (run_mark(r, code == 0 ? MARKER_COMPLETE : MARKER_INCOMPLETE) < 0)
		status_warn(r->st, "%s", r->err.message);
	r->err = first;
}

/* The lock file goes first, then its lock: nobody may see it unlocked and
 * take it for the mark of a copy that did not finish. */
static int unlock(struct run *r, int code)
{
	struct err err = ERR_INIT;
	int e = 0;

	if (r->disk_lock_fd >= 0 && disk_is_there(r) &&
	        unlinkat(r->disk_dir_fd, r->disk_lock_name, 0) < 0 &&
	        errno != ENOENT)
		e = -errno;
	util_closep(&r->disk_lock_fd);
	util_closep(&r->disk_dir_fd);
	run_release_claim(r);
	if (e == 0)
		return code;
	err_sys(&err, e, _("the lock file %s on the disk cannot be removed"),
	        r->s->lockfile);
	err_meaning(&err, "%s",
	        _("The disk no longer accepts changes; it may be damaged."));
	err_action(&err, "%s", _("Check the file system of the disk (fsck)."));
	return add_error(r, code, EXITCODE_UNLOCK, &err);
}

static void look_at_space(struct run *r)
{
	uint64_t free_bytes, total, inodes, threshold;
	char f[32], t[32];

	if (!disk_is_there(r) ||
	        target_space(&r->target, &free_bytes, &total, &inodes) < 0)
		return;
	r->st->disk.free_bytes = free_bytes;
	r->st->disk.size_bytes = total;
	threshold = (uint64_t)r->s->free_space_threshold_gb * 1000000000;
	if (free_bytes < threshold)
		status_warn(r->st,
		        _("only %s are free on the disk (the limit is %s)"),
		        text_bytes(f, free_bytes), text_bytes(t, threshold));
}

static int flush_tick(void *arg)
{
	(void)run_tick(arg);
	return 0;
}

static int flush(struct run *r, int code)
{
	int64_t began = clock_mono_ms();
	struct err err = ERR_INIT;
	int e;

	if (r->target.root_fd < 0 || r->target.mounted_read_only)
		return code;
	e = target_flush(&r->target, r->s->disk_idle_timeout_seconds,
	        flush_tick, r, &err);
	r->st->took.flush_ms = clock_mono_ms() - began;
	if (e == 0) {
		r->flushed = true;
		return code;
	}
	/* Data that is lost matters more than a lock file that stays, and is
	 * often the reason for it. */
	if (code == EXITCODE_UNLOCK) {
		status_warn(r->st, "%s", r->err.message);
		code = 0;
	}
	return add_error(r, code,
	        e == -ENODEV ? EXITCODE_DISK_LOST : EXITCODE_UNMOUNT, &err);
}

static void do_not_unplug(struct err *err)
{
	err_meaning(err, "%s",
	        _("The disk is still mounted; unplugging it now would damage "
	          "it. Do NOT unplug it."));
	err_action_default(err, "%s",
	        _("End the programs that use the disk; then run \"sync\" and "
	          "restart the server before you unplug it."));
}

/* The step that found it says "unplug it", and here it is still mounted. */
static void do_not_unplug_yet(struct err *err)
{
	err_action(err, "%s",
	        _("Wait some minutes: it may answer again, and the next copy "
	          "goes on. If it does not, shut the server down before you "
	          "unplug the disk; then try another cable or port, then "
	          "another disk."));
}

static int unmount(struct run *r, int code)
{
	struct err err = ERR_INIT;
	int e;

	if (!r->target.mounted)
		return code;
	e = target_unmount(&r->target, &err);
	if (e == 0)
		return code;
	if (e == -ENODEV)
		return add_error(r, code, EXITCODE_DISK_LOST, &err);
	if (!r->target.mounted) {
		r->flushed = false;
		return add_error(r, code, EXITCODE_UNMOUNT, &err);
	}
	do_not_unplug(&err);
	if (r->target.hangs)
		do_not_unplug_yet(code != 0 ? &r->err : &err);
	if (code != 0)
		err_prefix(&err, "%s", err.meaning);
	return add_error(r, code, EXITCODE_UNMOUNT, &err);
}

/* What rsync wrote is on the disk, also when the run was stopped; not when
 * rsync met errors. */
static void settle_manifest(struct run *r)
{
	struct err err = ERR_INIT;

	if (!r->manifest || r->number == 0 || !r->flushed || r->doubtful)
		return;
	if (manifest_run_flushed(r->manifest, r->number, &err) < 0)
		log_debug("manifest: %s", err.message);
}

static void power_off(struct run *r)
{
	struct err err = ERR_INIT;

	if (r->s->eject != SETTINGS_EJECT_POWEROFF || r->target.mounted)
		return;
	if (disk_power_off(&r->target.disk, &err) < 0)
		status_warn(r->st, _("the disk cannot be powered off: %s"),
		        err.message);
}

/* Every error says what it means and what to do; where nothing better is
 * known, the step tells. */
static void complete_error(struct run *r, enum status_step where)
{
	if (where < STEP_COPY)
		err_meaning_default(&r->err, "%s", _("Nothing was copied."));
	else
		err_meaning_default(&r->err, "%s",
		        _("The copy on the disk is NOT complete."));
	err_action_default(&r->err, "%s",
	        _("Start the copy again; if it ends in the same way, look at "
	          "the end of the log."));
}

static void conclude(struct run *r, int code, enum status_step where)
{
	struct status *st = r->st;

	st->exit_code = code;
	st->ended = clock_real_s();
	st->took.total_ms = clock_mono_ms() - r->began_ms;
	st->may_be_unplugged = !r->target.mounted && !r->in_use && r->matched &&
	                       code != EXITCODE_BUSY;
	if (code == 0) {
		st->state = STATUS_SUCCEEDED;
		if (!st->skipped && !st->dry_run)
			st->progress.percent = 100;
		return;
	}
	st->state = STATUS_FAILED;
	st->step = where;
	complete_error(r, where);
	st->error = r->err;
}

static int missed(struct run *r)
{
	struct err err = ERR_INIT;

	err_set(&err, -ENODEV, _("the disk %s did not answer for a moment"),
	        r->target.disk.device);
	err_meaning(&err, "%s",
	        _("The copy cannot be relied on: not everything was written "
	          "to the disk that should be."));
	err_action(&err, "%s",
	        _("Start the copy again; try another cable or port."));
	return add_error(r, 0, EXITCODE_DISK_LOST, &err);
}

/* Steps of the tail are shown only when they have something to do. */
static int put_away(struct run *r, int code, enum status_step *where)
{
	int before = code;

	/* A disk that hangs in the middle of the early flush may still take the
	 * small change that is tried next, but not what follows it. */
	target_flush_settle(
	        &r->target, r->s->disk_idle_timeout_seconds, flush_tick, r);
	/* Each of them would wait in the kernel, for ever and unkillable. */
	if (r->target.mounted_read_only ||
	        target_answers(&r->target, r->s->disk_idle_timeout_seconds)) {
		close_books(r, code);
		run_step(r, STEP_UNLOCK);
		code = unlock(r, code);
		run_step(r, STEP_FREE_SPACE);
		look_at_space(r);
	} else {
		r->missed = true;
	}
	if (before == 0 && code != 0)
		*where = STEP_UNLOCK;

	before = code;
	run_step(r, STEP_UNMOUNT);
	code = flush(r, code);
	code = unmount(r, code);
	if (code == 0 && r->missed)
		code = missed(r);
	if (before != code)
		*where = STEP_UNMOUNT;
	settle_manifest(r);
	if (code == 0)
		power_off(r);
	return code;
}

int run_tail(struct run *r, int code)
{
	enum status_step where = r->st->step;

	/* From here on a signal does not stop anything any more: what is left
	 * is exactly the orderly end it asks for. */
	sig_reset();
	if (r->target.root_fd >= 0 || r->target.mounted)
		code = put_away(r, code, &where);
	run_release_claim(r);
	run_step(r, STEP_REPORT);
	conclude(r, code, where);
	run_report(r);
	run_publish(r, true);
	return code;
}
