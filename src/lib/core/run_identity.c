/* SPDX-License-Identifier: MIT */
/* Is it the disk we know?  As ssh asks of a host: adopt once, then insist. */
#include "core/run_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "i18n.h"
#include "idle.h"
#include "log.h"
#include "proc.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "core/exitcode.h"

static const char *serial_text(const char *serial, char *dst, size_t size)
{
	if (str_is_empty(serial))
		return _("none");
	return text_visible_str(dst, size, serial);
}

/* 1 known, 0 not, also when the ledger cannot be read. */
static bool is_known(struct run *r, struct ledger_disk *row)
{
	struct err err = ERR_INIT;
	int e;

	memset(row, 0, sizeof *row);
	if (!r->ledger)
		return false;
	e = ledger_disk_get(r->ledger, r->target.disk.uuid, row, &err);
	if (e < 0)
		status_warn(r->st,
		        _("it cannot be looked up whether this disk is known: "
		          "%s"),
		        err.message);
	return e == 1 && !row->forgotten;
}

static int refuse(struct run *r)
{
	err_meaning(&r->err, "%s",
	        _("Anyone can bring a disk with a known UUID. Nothing was "
	          "copied to it."));
	err_action(&r->err,
	        _("If it is meant to be used from now on, run \"asbackup disks "
	          "--adopt %s\"; for this one time \"asbackup --new-disk "
	          "--uuid %s\"."),
	        r->target.disk.uuid, r->target.disk.uuid);
	return EXITCODE_MATCH;
}

static int refuse_unknown(struct run *r, const struct ledger_disk *row,
        enum marker_verdict verdict)
{
	char mine[160], theirs[160];

	if (verdict == MARKER_MOVED)
		err_set(&r->err, -EPERM,
		        _("the disk %s has a known UUID and our marker, but it "
		          "is other hardware (serial number %s, expected %s): "
		          "a clone"),
		        r->target.disk.device,
		        serial_text(r->target.disk.serial, mine, sizeof mine),
		        serial_text(r->marker.serial, theirs, sizeof theirs));
	else
		err_set(&r->err, -EPERM,
		        _("the disk %s has a known UUID, but not our marker: "
		          "it is a clone, or was formatted or swapped (serial "
		          "number %s, known was %s)"),
		        r->target.disk.device,
		        serial_text(r->target.disk.serial, mine, sizeof mine),
		        serial_text(row->serial, theirs, sizeof theirs));
	return refuse(r);
}

static int refuse_older(struct run *r, const struct ledger_disk *row)
{
	err_set(&r->err, -EPERM,
	        _("the disk %s carries the marker of run no. %lld, but run "
	          "no. %lld was written to this disk already: it is a clone "
	          "made in between"),
	        r->target.disk.device, (long long)r->marker.run,
	        (long long)row->marker_run);
	return refuse(r);
}

/* What is remembered is another disk's content. */
static void forget_content(struct run *r)
{
	struct err err = ERR_INIT;

	if (r->opt->dry_run || !r->manifest ||
	        manifest_clear(r->manifest, &err) == 0)
		return;
	run_lose_list(r, &err);
}

/* A run that could not keep the list wrote to the disk all the same. */
static void check_list(struct run *r)
{
	struct err err = ERR_INIT;
	int64_t last = 0;

	if (!r->manifest || r->marker.run <= 0 ||
	        manifest_last_run(r->manifest, &last, &err) < 0 ||
	        last >= r->marker.run)
		return;
	log_info("%s",
	        _("the list of hashes is older than the disk; a new one is "
	          "begun"));
	forget_content(r);
}

static void tell_adopted(struct run *r, enum marker_verdict verdict)
{
	char serial[160];

	if (verdict == MARKER_OURS)
		return;
	forget_content(r);
	r->st->adopted = true;
	log_notice(_("first copy to this disk here: adopted, serial number %s"),
	        serial_text(r->target.disk.serial, serial, sizeof serial));
	if (verdict != MARKER_NONE)
		status_warn(r->st,
		        _("the disk carries the marker of another server "
		          "(\"%s\"); it belongs to this one from now on"),
		        r->marker.server);
}

int run_identity(struct run *r)
{
	struct ledger_disk row;
	enum marker_verdict verdict;
	bool known;
	int e;

	e = marker_read(&r->target, r->s->state_directory, &r->marker, &verdict,
	        &r->err);
	if (e < 0)
		return run_code(
		        r, e, e == -ELOOP ? EXITCODE_MATCH : EXITCODE_MOUNT);
	known = is_known(r, &row);
	if (verdict == MARKER_OURS)
		check_list(r);
	if (r->opt->new_disk) {
		tell_adopted(r, verdict);
		return 0;
	}
	if (known && verdict != MARKER_OURS)
		return refuse_unknown(r, &row, verdict);
	if (known && r->marker.run < row.marker_run)
		return refuse_older(r, &row);
	if (verdict == MARKER_MOVED)
		return refuse_unknown(r, &row, verdict);
	if (!known && verdict != MARKER_OURS &&
	        r->s->disk_adoption == SETTINGS_ADOPT_MANUAL) {
		err_set(&r->err, -EPERM, _("the disk %s was never used here"),
		        r->target.disk.device);
		return refuse(r);
	}
	if (!known)
		tell_adopted(r, verdict);
	return 0;
}

/* After the marker is on the disk: a ledger that is ahead of the disk would
 * call it a clone. */
static void note_in_ledger(struct run *r)
{
	const struct disk *d = &r->target.disk;
	struct err err = ERR_INIT;
	struct ledger_disk row;

	if (!r->ledger)
		return;
	if (ledger_disk_get(r->ledger, d->uuid, &row, &err) != 1)
		row = (struct ledger_disk){.first_seen = clock_real_s()};
	(void)str_copy(row.uuid, sizeof row.uuid, d->uuid);
	(void)str_copy(row.serial, sizeof row.serial, d->serial);
	(void)str_copy(row.model, sizeof row.model, d->model);
	(void)str_copy(row.label, sizeof row.label, d->label);
	row.size_bytes = d->size_bytes;
	row.last_seen = clock_real_s();
	row.last_run = r->number;
	row.marker_run = r->marker.run;
	row.forgotten = false;
	if (ledger_disk_put(r->ledger, &row, &err) < 0)
		status_warn(r->st, _("the list of disks cannot be written: %s"),
		        err.message);
}

/* The marker is flushed at once, which hangs when the disk does. */
struct writing {
	struct run *r;
	struct idle idle;
	bool hangs;
};

static int write_task(void *arg, void *reply, struct err *err)
{
	const struct writing *w = arg;
	struct marker *m = reply;

	*m = w->r->marker;
	return marker_write(&w->r->target, w->r->s->state_directory, m, err);
}

static int write_tick(void *arg)
{
	struct writing *w = arg;
	const struct disk *disk = &w->r->target.disk;

	w->hangs = idle_too_long(&w->idle, disk_activity(disk->devno));
	return w->hangs || disk_check(disk) == DISK_GONE ? -ENODEV : 0;
}

static int write_marker(struct run *r)
{
	struct writing w = {.r = r};
	struct marker m = r->marker;
	struct proc_task task = {
	        .name = "marker",
	        .fn = write_task,
	        .arg = &w,
	        .reply = &m,
	        .reply_size = sizeof m,
	        .tick_ms = 500,
	        .on_tick = write_tick,
	        .tick_arg = &w,
	        .ignore_signals = true,
	};
	int e;

	idle_start(&w.idle, r->s->disk_idle_timeout_seconds);
	e = proc_task(&task, &r->err);
	if (w.hangs) {
		r->target.hangs = true;
		err_set(&r->err, -ETIMEDOUT, _("the disk %s does not answer"),
		        r->target.disk.device);
		err_action(&r->err, "%s",
		        _("Unplug the disk, try another cable or port, then "
		          "another disk."));
		return -ETIMEDOUT;
	}
	if (e == 0)
		r->marker = m;
	return e;
}

int run_mark(struct run *r, enum marker_state state)
{
	int e;

	(void)str_copy(
	        r->marker.title, sizeof r->marker.title, r->st->disk.title);
	/* Also a run that the history could not number is later than the one
	 * before: with 0 the next run would take the disk for a clone. */
	if (r->number > 0)
		r->marker.run = r->number;
	else if (!r->marker_written)
		r->marker.run++;
	r->marker.state = state;
	r->marker.started = r->st->started;
	r->marker.ended = state == MARKER_COPYING ? 0 : clock_real_s();
	e = write_marker(r);
	if (e < 0)
		return e;
	if (state == MARKER_COPYING)
		note_in_ledger(r);
	r->marker_written = true;
	return 0;
}
