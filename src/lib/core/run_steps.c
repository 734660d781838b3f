/* SPDX-License-Identifier: MIT */
/* The steps before anything is written: config to lock. */
#include "core/run_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "lockfile.h"
#include "log.h"
#include "path.h"
#include "proc.h"
#include "sig.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "core/exitcode.h"
#include "core/guard.h"
#include "core/hook.h"
#include "core/precheck.h"

static int take_run_lock(struct run *r)
{
	int fd = r->opt->queue ? precheck_run_lock_queued(r->s, &r->err)
	                       : precheck_run_lock(r->s, &r->err);

	if (fd == -EWOULDBLOCK)
		return EXITCODE_BUSY;
	if (fd == -EINTR)
		return run_code(r, fd, EXITCODE_FAILED);
	if (fd < 0)
		return EXITCODE_CONFIG;
	r->run_lock_fd = fd;
	proc_task_hide_fd(fd);
	return 0;
}

/* Whoever is called "running" in the ledger while we hold the lock is dead. */
static int tell_dead(const struct ledger_run *dead, void *arg)
{
	struct run *r = arg;
	struct err err = ERR_INIT;
	char when[32];

	status_warn(r->st,
	        _("run no. %lld of %s ended without a word (power cut, or "
	          "killed); this one picks up what it left"),
	        (long long)dead->id, clock_local(when, dead->started));
	if (ledger_run_died(r->ledger, dead->id, clock_real_s(), &err) < 0)
		log_warn("%s", err.message);
	return 0;
}

/* The lock proves more than any process number. */
static bool nobody_is_alive(const struct ledger_process *p)
{
	(void)p;
	return false;
}

static void open_ledger(struct run *r)
{
	struct err err = ERR_INIT;
	int e;

	e = ledger_open(r->s->state_directory, false, &r->ledger, &err);
	if (e == 0 && !r->opt->dry_run)
		e = ledger_find_dead(
		        r->ledger, nobody_is_alive, tell_dead, r, &err);
	/* The copy is worth more than its history. */
	if (e < 0)
		status_warn(r->st, _("the history cannot be written: %s"),
		        err.message);
}

int run_config(struct run *r)
{
	int code;

	if (precheck_directories(r->s, &r->err) < 0)
		return EXITCODE_CONFIG;
	code = take_run_lock(r);
	if (code)
		return code;
	run_publish(r, true);
	if (precheck_logs(r->s, &r->rsync_log, &r->err) < 0)
		return EXITCODE_CONFIG;
	if (rsync_cmd_find(&r->rsync, &r->err) < 0)
		return EXITCODE_CONFIG;
	if (r->rsync.note[0])
		status_warn(r->st, "%s", r->rsync.note);
	if (precheck_files(r->s, &r->err) < 0)
		return EXITCODE_CONFIG;
	open_ledger(r);
	return 0;
}

static void show_disk(struct run *r)
{
	const struct disk *d = &r->target.disk;
	struct status *st = r->st;

	(void)str_copy(st->disk.uuid, sizeof st->disk.uuid, d->uuid);
	(void)str_copy(st->disk.title, sizeof st->disk.title,
	        settings_disk_title(r->target.conf));
	(void)str_copy(st->disk.device, sizeof st->disk.device, d->device);
	(void)str_copy(st->disk.serial, sizeof st->disk.serial, d->serial);
	(void)str_copy(st->disk.fstype, sizeof st->disk.fstype, d->fstype);
	st->disk.size_bytes = d->size_bytes;
}

static void open_manifest(struct run *r)
{
	struct err err = ERR_INIT;
	bool damaged = false;

	if (manifest_open(r->s->state_directory, r->target.disk.uuid, false,
	            &r->manifest, &damaged, &err) < 0)
		status_warn(r->st, _("the list of hashes cannot be kept: %s"),
		        err.message);
	if (damaged)
		status_warn(r->st, "%s",
		        _("the list of hashes of this disk was damaged; a new "
		          "one is begun"));
}

static void begin_in_ledger(struct run *r)
{
	struct ledger_run row = {.started = r->st->started, .exit_code = -1};
	const struct disk *d = &r->target.disk;
	struct err err = ERR_INIT;
	int64_t after = 0;

	if (!r->ledger || r->opt->dry_run)
		return;
	if (r->manifest && manifest_last_run(r->manifest, &after, &err) < 0)
		log_debug("%s", err.message);
	(void)str_copy(row.uuid, sizeof row.uuid, d->uuid);
	(void)str_copy(row.title, sizeof row.title, r->st->disk.title);
	(void)str_copy(row.device, sizeof row.device, d->device);
	(void)str_copy(row.serial, sizeof row.serial, d->serial);
	ledger_process_self(&row.process);
	if (ledger_run_begin(r->ledger, &row, after, &r->number, &err) < 0)
		status_warn(r->st, _("the history cannot be written: %s"),
		        err.message);
	r->st->run = r->number;
}

int run_match(struct run *r)
{
	int e, code;

	e = target_find(
	        &r->target, r->s, r->opt->uuid, r->opt->device, &r->err);
	if (e < 0)
		return sig_caught() ? run_code(r, e, EXITCODE_MATCH)
		                    : EXITCODE_MATCH;
	r->matched = true;
	r->in_use = target_is_in_use(&r->target);
	show_disk(r);
	log_notice(_("backup disk %s (%s, UUID %s)"), r->st->disk.title,
	        r->st->disk.device, r->st->disk.uuid);
	open_manifest(r);
	begin_in_ledger(r);

	code = hook_run(r->s->pre_run, "pre-run", r->st, &r->err);
	if (code == EXITCODE_BUSY) {
		log_notice("%s", _("pre-run asked to skip this run"));
		r->st->skipped = true;
		return 0;
	}
	return code == 0 ? 0 : run_code(r, 0, EXITCODE_FAILED);
}

int run_guard(struct run *r)
{
	int e = guard_source(r->s, &r->err);

	if (e < 0)
		return run_code(r, e, EXITCODE_GUARD);
	run_announce(r);
	return 0;
}

int run_mount(struct run *r)
{
	int e;

	e = target_mount(&r->target, r->s, r->opt->dry_run, &r->err);
	/* A mount that was given up may have come about all the same. */
	r->in_use = e < 0 && (e == -EBUSY || target_is_in_use(&r->target));
	if (e < 0) {
		err_meaning_default(&r->err, "%s", _("Nothing was copied."));
		return run_code(r, e, EXITCODE_MOUNT);
	}
	if (r->target.note[0])
		status_warn(r->st,
		        _("this kernel lacks a protection for foreign disks: "
		          "%s"),
		        r->target.note);
	return run_identity(r);
}

/* The directory of the lock file, on the disk or (absolute) elsewhere. */
static int open_lock_dir(struct run *r)
{
	_cleanup_free_ char *dir = path_dirname(r->s->lockfile);
	const char *base = strrchr(r->s->lockfile, '/');

	base = base ? base + 1 : r->s->lockfile;
	if (!dir)
		return err_nomem(&r->err);
	(void)str_copy(r->disk_lock_name, sizeof r->disk_lock_name, base);
	if (r->s->lockfile[0] == '/') {
		int e = path_mkdirs(dir, 0755, &r->err);
		if (e < 0)
			return e;
		r->disk_dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return r->disk_dir_fd < 0 ? -errno : 0;
	}
	if (str_eq(dir, MARKER_DIR))
		(void)mkdirat(r->target.dest_fd, MARKER_DIR, 0700);
	r->disk_dir_fd = path_open_beneath(
	        r->target.dest_fd, dir, O_RDONLY | O_DIRECTORY, 0);
	return r->disk_dir_fd < 0 ? r->disk_dir_fd : 0;
}

static int lock_failed(struct run *r, int error)
{
	err_action_default(&r->err,
	        _("Mount the disk by hand, look at what %s is there, and "
	          "remove it."),
	        r->s->lockfile);
	return run_code(r, error, EXITCODE_MOUNT);
}

static bool is_empty(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size == 0;
}

int run_lock(struct run *r)
{
	bool existed = false;
	int e;

	if (r->opt->dry_run)
		return 0;
	e = open_lock_dir(r);
	if (e < 0) {
		if (r->err.code == 0)
			err_sys(&r->err, e, _("cannot make the lock file %s"),
			        r->s->lockfile);
		return lock_failed(r, e);
	}
	r->disk_lock_fd = lockfile_take(
	        r->disk_dir_fd, r->disk_lock_name, &existed, &r->err);
	if (r->disk_lock_fd == -EWOULDBLOCK) {
		err_set(&r->err, -EWOULDBLOCK, "%s",
		        _("a copy to this disk is running already"));
		err_action(&r->err, "%s", _("Wait until it has ended."));
		return EXITCODE_BUSY;
	}
	if (r->disk_lock_fd < 0)
		return lock_failed(r, r->disk_lock_fd);
	/* The old script left an empty one behind when all was well. */
	if (existed && !(r->st->adopted && is_empty(r->disk_lock_fd)))
		status_warn(r->st, "%s",
		        _("the last copy to this disk did not finish; this run "
		          "completes it"));
	/* The old script's word for "a copy runs": its veeam_lock.py looks. */
	if (lockfile_note(r->disk_lock_fd, "locked") < 0)
		log_debug("the lock file cannot be written");
	return 0;
}
