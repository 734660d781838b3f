/* SPDX-License-Identifier: MIT */
/* What will be done, does it fit, and is it sane? */
#include "core/run_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "core/doubt.h"
#include "core/exitcode.h"

#define LETTERS_AND_DIGITS \
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool is_root_item(const struct rsync_item *item)
{
	return item->is_dir && str_eq(item->name, ".");
}

static int plan_copy(struct run *r, const struct rsync_item *item)
{
	struct stat st;
	int64_t old_size = -1;
	uint64_t occupied = 0;
	struct err err = ERR_INIT;

	if (!item->is_new && fstatat(r->target.dest_fd, item->name, &st,
	                             AT_SYMLINK_NOFOLLOW) == 0) {
		old_size = st.st_size;
		occupied = (uint64_t)st.st_blocks * 512;
	}
	plan_add_file(&r->plan, item->size, occupied);
	prefetch_add(r->prefetch, item->name, item->size);
	if (r->opt->dry_run || !r->manifest)
		return 0;
	if (manifest_pending(
	            r->manifest, item->name, item->size, old_size, &err) < 0) {
		run_lose_list(r, &err);
	}
	return 0;
}

/* ".NAME.XXXXXX": rsync's temporary file, left by a run that was killed. Losing
 * it loses nothing. */
static bool is_leftover(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return name[0] == '.' && dot > name && strlen(dot) == 7 &&
	       strspn(dot + 1, LETTERS_AND_DIGITS) == 6;
}

static void plan_delete(struct run *r, const struct rsync_item *item)
{
	struct stat st;
	struct err err = ERR_INIT;

	if (fstatat(r->target.dest_fd, item->name, &st, AT_SYMLINK_NOFOLLOW) <
	        0)
		memset(&st, 0, sizeof st);
	plan_add_delete(&r->plan, (uint64_t)st.st_blocks * 512,
	        (S_ISREG(st.st_mode) || (st.st_mode == 0 && !item->is_dir)) &&
	                !is_leftover(item->name));
	/* Before it happens: a run that dies in the middle would leave it in
	 * the list, and the next one would miss it on the disk. */
	if (!r->opt->dry_run && r->manifest &&
	        manifest_deleted(r->manifest, item->name, &err) < 0)
		run_lose_list(r, &err);
}

static int on_item(const struct rsync_item *item, void *arg)
{
	struct run *r = arg;

	switch (item->kind) {
	case RSYNC_ITEM_COPY:
		return plan_copy(r, item);
	case RSYNC_ITEM_CREATE:
		plan_add_entry(&r->plan);
		return 0;
	case RSYNC_ITEM_DELETE:
		plan_delete(r, item);
		return 0;
	case RSYNC_ITEM_ATTR:
	case RSYNC_ITEM_OTHER:
		/* The root's times change with our own files there. */
		if (!is_root_item(item))
			r->plan.changes++;
		return 0;
	}
	return 0;
}

static void show_plan(struct run *r, const struct rsync_stats *stats)
{
	struct status *st = r->st;
	char n[32], bytes[32], del[32];

	st->plan.files_total = stats->files_regular;
	st->plan.files_to_copy = r->plan.files;
	st->plan.bytes_to_copy = r->plan.bytes;
	st->plan.files_to_delete = r->plan.deletes;
	st->progress.bytes_total = r->plan.bytes;
	log_notice(
	        P_("to do: copy %s file (%s), delete %s",
	                "to do: copy %s files (%s), delete %s", r->plan.files),
	        text_count(n, r->plan.files), text_bytes(bytes, r->plan.bytes),
	        text_count(del, r->plan.deletes));
}

static int too_big(struct run *r, uint64_t missing, uint64_t free_bytes)
{
	char m[32], f[32], n[32];

	err_set(&r->err, -ENOSPC,
	        _("the disk is too small: %s are missing (%s are free, %s are "
	          "to be copied)"),
	        text_bytes(m, missing), text_bytes(f, free_bytes),
	        text_bytes(n, r->plan.bytes));
	err_meaning(&r->err, "%s",
	        _("Nothing was copied; the older copy on the disk is still "
	          "whole."));
	err_action(&r->err, "%s",
	        _("Use a larger disk, or keep fewer restore points in Veeam."));
	return EXITCODE_SPACE;
}

static int no_inodes(struct run *r)
{
	err_set(&r->err, -ENOSPC, "%s",
	        _("the file system of the disk can hold no more files"));
	err_meaning(&r->err, "%s", _("Nothing was copied."));
	err_action(&r->err, "%s",
	        _("Format the disk with more inodes, or with XFS."));
	return EXITCODE_SPACE;
}

static int check_space(struct run *r)
{
	uint64_t free_bytes, total, inodes, missing;

	if (target_space(&r->target, &free_bytes, &total, &inodes) < 0) {
		err_set(&r->err, -EIO, "%s",
		        _("the free space of the disk cannot be read"));
		return run_code(r, -EIO, EXITCODE_MOUNT);
	}
	r->st->disk.size_bytes = total;
	r->st->disk.free_bytes = free_bytes;
	switch (plan_fit(&r->plan, free_bytes, inodes, &missing)) {
	case PLAN_FITS:
		return 0;
	case PLAN_FITS_DELETING_FIRST:
		r->st->plan.delete_first = true;
		status_warn(r->st, "%s",
		        _("the disk is nearly full: what Veeam has deleted is "
		          "deleted on the disk before the new files are "
		          "copied"));
		return 0;
	case PLAN_NO_INODES:
		return no_inodes(r);
	case PLAN_TOO_BIG:
		break;
	}
	return too_big(r, missing, free_bytes);
}

static int check_deletes(struct run *r, const struct rsync_stats *stats)
{
	uint64_t existing = stats->files_regular + r->plan.deletes_regular;
	uint64_t created = stats->created_regular;
	unsigned percent;
	char n[32];

	/* What is new in the source is not on the disk yet. */
	existing -= created < existing ? created : existing;
	percent = plan_delete_percent(&r->plan, existing);
	if (percent <= r->s->max_delete_percent)
		return 0;
	if (r->opt->force) {
		status_warn(r->st,
		        _("%u %% of the files on the disk are deleted, as "
		          "--force allows"),
		        percent);
		return 0;
	}
	err_set(&r->err, -EPERM,
	        _("%s files on the disk (%u %%) would be deleted; "
	          "max-delete-percent allows %lld %%"),
	        text_count(n, r->plan.deletes_regular), percent,
	        (long long)r->s->max_delete_percent);
	if (r->st->adopted)
		err_meaning(&r->err, "%s",
		        _("Nothing was copied or deleted. This disk was not "
		          "used for backups here before; what is on it would "
		          "be deleted."));
	else
		err_meaning(&r->err, "%s",
		        _("Nothing was copied or deleted. Either the "
		          "repository was "
		          "cleaned up, or it is damaged or the wrong one, and "
		          "then the "
		          "disk holds the last good copy."));
	err_action(&r->err,
	        _("Look at the repository. If it is all right, run \"asbackup "
	          "--force --uuid %s\" once."),
	        r->target.disk.uuid);
	return EXITCODE_GUARD;
}

static int commit_plan(struct run *r)
{
	struct err err = ERR_INIT;

	if (!r->manifest || r->opt->dry_run)
		return 0;
	if (manifest_commit(r->manifest, &err) == 0)
		return 0;
	run_lose_list(r, &err);
	return 0;
}

static int begin_manifest(struct run *r)
{
	struct err err = ERR_INIT;
	int e;

	if (!r->manifest || r->opt->dry_run)
		return 0;
	/* Files of a run that was cut off may be damaged although their size
	 * and time are right: rsync would skip them. */
	e = doubt_settle(
	        r->manifest, &r->target, r->s, r->st, run_tick, r, &r->err);
	if (e == -ETIMEDOUT)
		r->target.hangs = true;
	if (e < 0)
		return run_code(r, e, EXITCODE_COPY);
	if (manifest_run_begin(r->manifest, r->number, &err) < 0) {
		run_drop_list(r, &err);
	}
	return 0;
}

static int dry_run(
        struct run *r, enum rsync_purpose purpose, struct rsync_run_result *res)
{
	struct rsync_out_events ev = {.on_item = on_item, .arg = r};
	struct statvfs v;
	int e;

	if (fstatvfs(r->target.root_fd, &v) < 0)
		v.f_frsize = 4096;
	plan_init(&r->plan, (uint32_t)v.f_frsize,
	        r->s->rsync_options == SETTINGS_RSYNC_CLASSIC);
	e = run_rsync(r, purpose, &ev, res);
	if (e < 0)
		return run_code(r, e, EXITCODE_COPY);
	if (res->verdict == RSYNC_OK)
		return 0;
	/* What vanished meanwhile is the verify step's business. */
	if (res->verdict == RSYNC_CHECK) {
		r->err = ERR_INIT;
		return 0;
	}
	err_prefix(&r->err, "%s", status_step_text(STEP_PLAN));
	return run_code(r, -EIO, EXITCODE_COPY);
}

int run_plan_rest(struct run *r)
{
	struct rsync_run_result res;
	int code = dry_run(r, RSYNC_CHECK_SAME, &res);

	return code ? code : commit_plan(r);
}

void run_before(struct run *r)
{
	r->before_ns = clock_real_ns();
	r->before_mono_ms = clock_mono_ms();
}

int run_plan(struct run *r)
{
	_cleanup_(srclist_dropp) struct srclist_job *job = NULL;
	int64_t began = clock_mono_ms();
	struct rsync_run_result res;
	int code, e;

	code = begin_manifest(r);
	if (code)
		return code;
	run_before(r);
	e = srclist_begin(r->s->source, 0, run_tick, r, &job, &r->err);
	if (e < 0)
		return run_code(r, e, EXITCODE_GUARD);
	if (!r->opt->dry_run && r->s->bandwidth_limit_kib == 0)
		r->prefetch = prefetch_new(prefetch_limit());
	code = dry_run(r, RSYNC_PLAN, &res);
	if (code)
		return code;
	e = srclist_end(TAKE_PTR(job), &r->before, &r->err);
	if (e < 0)
		return run_code(r, e, EXITCODE_GUARD);
	show_plan(r, &res.stats);
	code = check_space(r);
	if (code == 0)
		code = check_deletes(r, &res.stats);
	/* A plan that is refused changes nothing that is remembered. */
	if (code == 0)
		code = commit_plan(r);
	r->stats = res.stats;
	r->st->took.plan_ms = clock_mono_ms() - began;
	return code;
}
