/* SPDX-License-Identifier: MIT */
/* rsync at work: the copy itself and the wiring of every rsync call. */
#include "core/run_internal.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "core/exitcode.h"

/* What the kernel may keep back for this disk, in percent of the memory that
 * may be dirty: small, so that progress is honest and unmounting quick. */
#define CACHE_PERCENT 5
#define CACHE_FREE_BYTES (UINT64_C(1) << 30)
/* How much of the copy a crash of this machine makes doubtful. */
#define COMMIT_MS 1000
/* A disk whose cache is not limited begins to write by itself when it is too
 * late: from this share of the copy on it is asked to.  Not sooner, for rsync
 * has to wait now and then for what is being written. */
#define FLUSH_FROM_PERCENT 65
/* Below this nobody wants to see how a single file grows. */
#define SMALL_FILE (UINT64_C(16) << 20)

static int keep_names(struct run *r, struct strv *keep)
{
	int e = strv_add(keep, MARKER_DIR);

	if (e == 0 && r->s->lockfile[0] != '/' &&
	        !str_starts(r->s->lockfile, MARKER_DIR "/"))
		e = strv_add(keep, r->s->lockfile);
	return e < 0 ? err_nomem(&r->err) : 0;
}

static void log_line(struct run *r, const char *text, size_t len)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char when[32];

	if (!r->rsync_log)
		return;
	buf_printf(&b, "%s ", clock_utc(when, clock_real_s()));
	text_visible(&b, text, len);
	buf_addc(&b, '\n');
	if (!buf_failed(&b))
		fwrite(b.data, 1, b.len, r->rsync_log);
}

void run_log_rsync(struct run *r, const struct rsync_item *item)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_printf(&b, "%s ", item->changes);
	buf_add(&b, item->name, item->name_len);
	if (!buf_failed(&b))
		log_line(r, b.data, b.len);
}

/* Then the progress counts files that are done, not bytes that rsync tells. */
static bool is_small(const struct run *r)
{
	return r->plan.largest < SMALL_FILE;
}

/* What is written out in seconds anyway may wait for it. */
static bool is_cache_limited(const struct run *r)
{
	return r->plan.bytes > CACHE_FREE_BYTES;
}

int run_rsync(struct run *r, enum rsync_purpose purpose,
        const struct rsync_out_events *events, struct rsync_run_result *res)
{
	_cleanup_strv_ struct strv argv = STRV_INIT;
	struct rsync_cmd cmd = {
	        .purpose = purpose,
	        .program = &r->rsync,
	        .fstype = r->target.disk.fstype,
	        .delete_before = r->st->plan.delete_first,
	        .no_deletes = r->plan.deletes == 0,
	        .small_files = is_small(r),
	};
	struct rsync_run run = {
	        .settings = r->s,
	        .target = &r->target,
	        .argv = &argv,
	        .dry_run = purpose != RSYNC_COPY,
	        .copy_lock_fd = claim_fd(r->claim),
	        .events = *events,
	        .on_tick = run_tick,
	        .tick_arg = r,
	};
	int e;

	e = keep_names(r, &cmd.keep);
	if (e == 0)
		e = rsync_cmd_build(&cmd, r->s, &argv, &r->err);
	strv_done(&cmd.keep);
	if (e < 0)
		return e;
	for (size_t i = 0; i < argv.len; i++)
		log_debug("rsync argument %zu: %s", i, argv.items[i]);
	e = rsync_run(&run, res, &r->err);
	if (e < 0)
		return e;
	r->target.hangs |= res->disk_hangs;
	for (size_t i = 0; i < res->errors.kept_len; i++)
		log_line(r, res->errors.kept[i], strlen(res->errors.kept[i]));
	if (r->rsync_log)
		fflush(r->rsync_log);
	if (res->confinement[0])
		status_warn(r->st,
		        _("rsync is not fully confined on this kernel: %s"),
		        res->confinement);
	return 0;
}

static void commit_now_and_then(struct run *r)
{
	int64_t now = clock_mono_ms();
	struct err err = ERR_INIT;

	if (!r->manifest || now - r->committed_ms < COMMIT_MS)
		return;
	r->committed_ms = now;
	if (manifest_commit(r->manifest, &err) < 0)
		run_drop_list(r, &err);
}

static void note_copied(struct run *r, const struct rsync_item *item)
{
	struct err err = ERR_INIT;

	r->st->files_copied++;
	r->st->bytes_copied += item->size;
	r->st->progress.files_done++;
	if (is_small(r))
		r->rsync_bytes += item->size;
	(void)str_copy(
	        r->st->progress.file, sizeof r->st->progress.file, item->name);
	if (r->manifest && manifest_copied(r->manifest, item->name, item->size,
	                           0, item->hash, &err) < 0)
		run_drop_list(r, &err);
}

static void note_deleted(struct run *r, const struct rsync_item *item)
{
	struct err err = ERR_INIT;

	r->st->files_deleted++;
	if (r->manifest && manifest_deleted(r->manifest, item->name, &err) < 0)
		run_drop_list(r, &err);
}

static int on_item(const struct rsync_item *item, void *arg)
{
	struct run *r = arg;

	run_log_rsync(r, item);
	if (item->kind == RSYNC_ITEM_COPY && item->type == 'f')
		note_copied(r, item);
	if (item->kind == RSYNC_ITEM_DELETE)
		note_deleted(r, item);
	return 0;
}

static int on_message(const char *line, void *arg)
{
	log_line(arg, line, strlen(line));
	return 0;
}

static void show_progress(struct run *r)
{
	struct status *st = r->st;

	st->progress.bytes_done = r->progress.bytes_done;
	st->progress.bytes_total = r->progress.bytes_total;
	st->progress.percent = r->progress.percent;
	st->progress.rate = r->progress.rate;
	st->progress.eta_seconds = r->progress.eta_seconds;
}

/* rsync tells its progress after every file; looking at the disk's counters
 * each time would cost more than copying a small file: run_progress() does. */
static int on_progress(const struct rsync_progress *p, void *arg)
{
	struct run *r = arg;

	r->rsync_bytes = p->bytes;
	return 0;
}

void run_progress(struct run *r)
{
	uint64_t written = disk_bytes_written(r->target.disk.devno);

	written = written == 0 ? UINT64_MAX : written - r->disk_written_before;
	progress_update(&r->progress, r->rsync_bytes, written, clock_mono_ms());
	show_progress(r);
	commit_now_and_then(r);
	if (!is_cache_limited(r) &&
	        r->rsync_bytes > r->plan.bytes / 100 * FLUSH_FROM_PERCENT)
		target_flush_begin(&r->target);
}

static void begin_pass(struct run *r)
{
	r->st->passes++;
	r->copy_started_ms = clock_mono_ms();
	r->committed_ms = r->copy_started_ms;
	r->disk_written_before = disk_bytes_written(r->target.disk.devno);
	progress_init(&r->progress, r->plan.bytes, r->copy_started_ms);
	r->rsync_bytes = 0;
	r->copying = true;
	r->st->progress.files_done = 0;
	show_progress(r);
	run_publish(r, true);
}

static void end_pass(struct run *r, bool good)
{
	struct err err = ERR_INIT;
	int64_t now = clock_mono_ms();

	r->copying = false;
	if (good)
		progress_finish(&r->progress, now);
	show_progress(r);
	r->st->progress.file[0] = '\0';
	r->st->took.copy_ms += now - r->copy_started_ms;
	if (r->manifest && manifest_commit(r->manifest, &err) < 0)
		run_drop_list(r, &err);
}

/* One whole pass of rsync over what the plan found. */
static int pass(struct run *r)
{
	struct rsync_out_events ev = {
	        .on_item = on_item,
	        .on_progress = on_progress,
	        .on_message = on_message,
	        .arg = r,
	};
	struct rsync_run_result res;
	int e;

	begin_pass(r);
	prefetch_start(r->prefetch, r->s->source, rsync_run_ioprio(r->s));
	e = run_rsync(r, RSYNC_COPY, &ev, &res);
	prefetch_free(TAKE_PTR(r->prefetch));
	end_pass(r, e == 0 && res.verdict == RSYNC_OK);
	if (e < 0)
		return run_code(r, e, EXITCODE_COPY);
	r->stats = res.stats;
	/* rsync tells a file as copied also when writing it failed. */
	if (res.verdict != RSYNC_OK && res.verdict != RSYNC_CHECK &&
	        res.verdict != RSYNC_STOPPED)
		r->doubtful = true;
	/* The disk writes on while the checks read. */
	if (res.verdict == RSYNC_OK || res.verdict == RSYNC_CHECK)
		target_flush_last(&r->target);
	if (res.verdict == RSYNC_OK)
		return 0;
	if (res.verdict == RSYNC_CHECK) {
		status_warn(r->st, "%s", r->err.message);
		r->err = ERR_INIT;
		return 0;
	}
	if (res.disk_lost)
		return EXITCODE_DISK_LOST;
	return run_code(r, -EIO, EXITCODE_COPY);
}

int run_transfer(struct run *r)
{
	int e;

	/* Also when there is nothing to copy: a disk that was just adopted
	 * gets its marker, and one that cannot be written is found out. */
	if (!r->marker_written) {
		e = run_mark(r, MARKER_COPYING);
		if (e < 0)
			return run_code(r, e, EXITCODE_COPY);
		if (is_cache_limited(r))
			(void)disk_limit_cache(
			        r->target.disk.devno, CACHE_PERCENT, NULL);
	}
	if (r->plan.changes == 0) {
		log_info("%s", _("nothing to copy: the disk is up to date"));
		r->st->progress.percent = 100;
		return 0;
	}
	return pass(r);
}
