/* SPDX-License-Identifier: MIT */
/* The mails, the history and the hook behind a run. */
#include "core/run_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "util.h"
#include "core/attach.h"
#include "core/copies.h"
#include "core/exitcode.h"
#include "core/hook.h"
#include "core/mailer.h"
#include "core/precheck.h"
#include "core/report.h"

/* A server that does not answer must not keep the copy waiting for long. */
#define SHORT_MAIL_TIMEOUT_MS 20000

/* Nobody has plugged anything in, or somebody else reports. */
static bool is_silent(const struct run *r)
{
	if (r->opt->no_mail || r->opt->dry_run || r->run_lock_fd < 0)
		return true;
	return r->st->exit_code == EXITCODE_BUSY ||
	       (r->st->exit_code == EXITCODE_MATCH && !r->matched &&
	               r->err.code == -ENODEV);
}

static void send_mail(struct run *r, const struct mailer_message *m)
{
	struct err err = ERR_INIT;

	if (!m->subject || !m->body)
		log_warn("%s", _("out of memory: no mail"));
	else if (mailer_send(r->s, m, &err) < 0)
		status_warn(r->st, "%s", err.message);
}

static void send_end(struct run *r)
{
	_cleanup_free_ char *subject = report_subject(r->st, REPORT_END);
	_cleanup_free_ char *tail = log_tail();
	_cleanup_free_ char *body = report_body(r->st, REPORT_END, tail);
	_cleanup_free_ char *log_path = precheck_log_path(r->s);
	_cleanup_free_ char *rsync_path = precheck_rsync_log_path(r->s);
	const struct attach_log logs[] = {
	        {.path = log_path}, {.path = rsync_path}};
	struct mailer_message m = {
	        .disk = r->target.conf,
	        .subject = subject,
	        .body = body,
	        .logs = logs,
	        .logs_len = log_path && rsync_path ? ARRAY_SIZE(logs) : 0,
	};

	send_mail(r, &m);
}

/* While the run goes on. @body is freed. */
static void send_short(struct run *r, enum report_kind kind, char *body)
{
	_cleanup_free_ char *subject = report_subject(r->st, kind);
	_cleanup_free_ char *text = body;
	struct mailer_message m = {
	        .disk = r->target.conf,
	        .timeout_ms = SHORT_MAIL_TIMEOUT_MS,
	        .subject = subject,
	        .body = text,
	};

	if (!is_silent(r))
		send_mail(r, &m);
}

void run_announce_wait(struct run *r, int64_t waited_ms, int64_t left_ms)
{
	send_short(r, REPORT_WAIT, report_body_wait(r->st, waited_ms, left_ms));
}

void run_announce(struct run *r)
{
	send_short(r, REPORT_START, report_body(r->st, REPORT_START, NULL));
}

static enum ledger_result result_of(const struct status *st)
{
	if (st->skipped)
		return LEDGER_SKIPPED;
	if (st->state != STATUS_SUCCEEDED)
		return LEDGER_FAILED;
	return st->warnings.len > 0 ? LEDGER_WARNINGS : LEDGER_GOOD;
}

static void fill_row(const struct run *r, struct ledger_run *row)
{
	const struct status *st = r->st;

	row->id = r->number;
	row->started = st->started;
	row->ended = st->ended;
	(void)str_copy(row->uuid, sizeof row->uuid, st->disk.uuid);
	(void)str_copy(row->title, sizeof row->title, st->disk.title);
	(void)str_copy(row->device, sizeof row->device, st->disk.device);
	(void)str_copy(row->serial, sizeof row->serial, st->disk.serial);
	row->result = result_of(st);
	row->exit_code = st->exit_code;
	(void)str_copy(row->step, sizeof row->step, status_step_name(st->step));
	row->passes = st->passes;
	row->files_total = r->before.files;
	row->bytes_total = r->before.bytes;
	row->files_copied = st->files_copied;
	row->files_deleted = st->files_deleted;
	row->bytes_copied = st->bytes_copied;
	row->plan_ms = st->took.plan_ms;
	row->copy_ms = st->took.copy_ms;
	row->verify_ms = st->took.verify_ms;
	row->flush_ms = st->took.flush_ms;
	row->free_bytes = st->disk.free_bytes;
	row->size_bytes = st->disk.size_bytes;
	row->flushed = r->flushed;
	row->error = st->error;
}

static int update_disk(struct run *r, struct err *err)
{
	struct ledger_disk row;
	int e;

	e = ledger_disk_get(r->ledger, r->target.disk.uuid, &row, err);
	if (e <= 0)
		return e;
	row.last_seen = r->st->ended;
	/* Not known unless the run came as far as the plan. */
	if (r->st->disk.free_bytes > 0 || r->st->took.plan_ms > 0) {
		row.free_bytes = r->st->disk.free_bytes;
		row.fs_size_bytes = r->st->disk.size_bytes;
	}
	if (r->st->state == STATUS_SUCCEEDED && !r->st->skipped) {
		row.last_good = r->st->ended;
		row.last_good_run = r->number;
	}
	return ledger_disk_put(r->ledger, &row, err);
}

static void write_history(struct run *r)
{
	_cleanup_buf_ struct buf warnings = BUF_INIT;
	struct ledger_run row = {.id = 0};
	struct err err = ERR_INIT;
	int e;

	if (!r->ledger || r->number == 0)
		return;
	for (size_t i = 0; i < r->st->warnings.len; i++)
		buf_printf(&warnings, "%s%s", i ? "\n" : "",
		        r->st->warnings.items[i]);
	fill_row(r, &row);
	row.warnings = warnings.len > 0 ? warnings.data : NULL;
	e = ledger_run_end(r->ledger, &row, &err);
	if (e == 0)
		e = update_disk(r, &err);
	if (e == 0)
		e = copies_publish(r->s->state_directory, r->ledger, &err);
	if (e < 0)
		status_warn(r->st, _("the history cannot be written: %s"),
		        err.message);
}

static void say_end(const struct run *r)
{
	const struct status *st = r->st;

	if (st->state != STATUS_SUCCEEDED)
		log_show_err(LOG_LEVEL_ERR, &st->error);
	else if (!st->skipped && !st->dry_run)
		log_info(_("the copy to %s is good"), st->disk.title);
	if (st->may_be_unplugged)
		log_info("%s", _("the disk may be unplugged"));
	else if (r->target.mounted)
		log_err("%s", _("do NOT unplug the disk"));
}

void run_report(struct run *r)
{
	struct err err = ERR_INIT;

	say_end(r);
	if (log_is_incomplete())
		status_warn(r->st, "%s",
		        _("the log file is incomplete: it could not be "
		          "written"));
	if (r->matched &&
	        hook_run(r->s->post_run, "post-run", r->st, &err) != 0)
		status_warn(r->st, "%s", err.message);
	write_history(r);
	run_publish(r, true);
	if (!is_silent(r))
		send_end(r);
}
