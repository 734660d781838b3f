/* SPDX-License-Identifier: MIT */
#include "core/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "str.h"
#include "text.h"

/* In a good report; the rest stands in the attached log. */
#define WARNINGS_SHOWN 2

static void host_name(char *dst, size_t size)
{
	if (gethostname(dst, size) < 0)
		dst[0] = '\0';
	dst[size - 1] = '\0';
}

static void add_text(struct buf *b, const char *text)
{
	text_visible(b, text, strlen(text));
}

static const char *subject_result(
        const struct status *st, enum report_kind kind)
{
	if (kind == REPORT_START)
		return _("copy begins");
	if (kind == REPORT_WAIT)
		return _("copy still waits for Veeam");
	if (st->skipped)
		return _("copy skipped");
	if (st->state != STATUS_SUCCEEDED)
		return st->may_be_unplugged || !st->disk.uuid[0]
		               ? _("COPY FAILED")
		               : _("COPY FAILED - do NOT unplug the disk");
	return st->warnings.len > 0 ? _("copy good, with warnings")
	                            : _("copy good");
}

char *report_subject(const struct status *st, enum report_kind kind)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char host[65];

	host_name(host, sizeof host);
	buf_printf(&b, "asbackup %s: %s", host, subject_result(st, kind));
	if (st->disk.title[0]) {
		buf_adds(&b, " - ");
		add_text(&b, st->disk.title);
	}
	return buf_take(&b);
}

static void add_disk(struct buf *b, const struct status *st)
{
	_cleanup_buf_ struct buf title = BUF_INIT, uuid = BUF_INIT;
	_cleanup_buf_ struct buf serial = BUF_INIT;

	add_text(&title, st->disk.title);
	add_text(&uuid, st->disk.uuid);
	buf_printf(b, _("Disk: %s (%s)\n"), title.data, uuid.data);
	if (!st->adopted)
		return;
	add_text(&serial, st->disk.serial);
	buf_printf(b, _("First copy to this disk; serial number: %s\n"),
	        serial.len > 0 ? serial.data : _("none"));
}

static void add_amount(struct buf *b, const struct status *st)
{
	char n[32], bytes[32], del[32];

	buf_printf(b,
	        P_("Copied: %s file, %s; deleted: %s\n",
	                "Copied: %s files, %s; deleted: %s\n",
	                st->files_copied),
	        text_count(n, st->files_copied),
	        text_bytes(bytes, st->bytes_copied),
	        text_count(del, st->files_deleted));
}

static void add_duration(struct buf *b, const struct status *st)
{
	char took[32], end[32];

	buf_printf(b, _("Duration: %s (until %s)\n"),
	        text_duration(took, st->took.total_ms),
	        clock_local(end, st->ended));
}

static void add_free(struct buf *b, const struct status *st)
{
	char free_bytes[32], size[32];

	/* Not known before the disk was mounted. */
	if (st->disk.size_bytes == 0 || st->disk.free_bytes == 0)
		return;
	buf_printf(b, _("Free: %s of %s (%d %%)\n"),
	        text_bytes(free_bytes, st->disk.free_bytes),
	        text_bytes(size, st->disk.size_bytes),
	        (int)(st->disk.free_bytes * 100 / st->disk.size_bytes));
}

static void add_warnings(struct buf *b, const struct status *st, size_t max)
{
	for (size_t i = 0; i < st->warnings.len && i < max; i++) {
		buf_adds(b, _("Warning: "));
		add_text(b, st->warnings.items[i]);
		buf_addc(b, '\n');
	}
	if (st->warnings.len > max)
		buf_printf(b, _("... and %zu more warnings, see the log\n"),
		        st->warnings.len - max);
}

static void add_unplug(struct buf *b, const struct status *st)
{
	if (!st->disk.uuid[0])
		return;
	buf_adds(b, st->may_be_unplugged ? _("The disk may be unplugged.\n")
	                                 : _("Do NOT unplug the disk.\n"));
}

static void good_body(struct buf *b, const struct status *st)
{
	if (st->skipped)
		buf_adds(b, _("The copy was skipped: pre-run asked for it.\n"));
	else
		buf_adds(b, _("The copy is good.\n"));
	add_unplug(b, st);
	add_disk(b, st);
	if (st->skipped)
		return;
	add_amount(b, st);
	add_duration(b, st);
	add_free(b, st);
	add_warnings(b, st, WARNINGS_SHOWN);
}

static void paragraph(struct buf *b, const char *head, const char *text)
{
	if (str_is_empty(text))
		return;
	buf_printf(b, "\n%s\n  ", head);
	add_text(b, text);
	buf_addc(b, '\n');
}

static void failed_body(
        struct buf *b, const struct status *st, const char *log_tail)
{
	buf_printf(b, _("The copy FAILED in step \"%s\" (%s), exit code %d.\n"),
	        status_step_name(st->step), status_step_text(st->step),
	        st->exit_code);
	add_unplug(b, st);
	paragraph(b, _("What happened:"), st->error.message);
	paragraph(b, _("What it means for the backup:"), st->error.meaning);
	paragraph(b, _("What to do now:"), st->error.action);
	buf_addc(b, '\n');
	if (st->disk.uuid[0]) {
		add_disk(b, st);
		if (st->passes > 0)
			add_amount(b, st);
		add_free(b, st);
	}
	add_duration(b, st);
	add_warnings(b, st, st->warnings.len);
	if (!str_is_empty(log_tail))
		buf_printf(b, _("\nThe end of the log:\n%s\n"), log_tail);
}

static void start_body(struct buf *b, const struct status *st)
{
	buf_adds(b, _("The copy begins. A second mail follows when it has "
	              "ended.\n"));
	buf_adds(b, _("Do NOT unplug the disk before.\n"));
	add_disk(b, st);
	buf_adds(b, _("Source: "));
	add_text(b, st->source);
	buf_addc(b, '\n');
}

char *report_body_wait(
        const struct status *st, int64_t waited_ms, int64_t left_ms)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char waited[32], left[32];

	buf_printf(&b,
	        _("The copy has been waiting for %s. These Veeam jobs have a "
	          "lock:\n"),
	        text_duration(waited, waited_ms));
	for (size_t i = 0; i < st->waiting_for.len; i++) {
		buf_adds(&b, "  ");
		add_text(&b, st->waiting_for.items[i]);
		buf_addc(&b, '\n');
	}
	buf_printf(&b,
	        _("Nothing is copied meanwhile. The copy begins when they have "
	          "ended; if that takes more than another %s, it fails.\n"),
	        text_duration(left, left_ms));
	buf_adds(&b, _("If one of them is not running, its lock was left "
	               "behind: \"veeam-lock --list\" shows it, "
	               "\"veeam-unlock --job ID\" removes it.\n"));
	buf_adds(&b, _("Leave the disk plugged in.\n"));
	add_disk(&b, st);
	return buf_take(&b);
}

char *report_body(
        const struct status *st, enum report_kind kind, const char *log_tail)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (kind == REPORT_START)
		start_body(&b, st);
	else if (st->state == STATUS_SUCCEEDED)
		good_body(&b, st);
	else
		failed_body(&b, st, log_tail);
	return buf_take(&b);
}

char *report_terminal(const struct status *st)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (st->dry_run && st->state == STATUS_SUCCEEDED) {
		char n[32], bytes[32], del[32];

		buf_printf(&b,
		        P_("A dry run: nothing was changed. A copy would "
		           "transfer %s file (%s) and delete %s.\n",
		                "A dry run: nothing was changed. A copy would "
		                "transfer %s files (%s) and delete %s.\n",
		                st->plan.files_to_copy),
		        text_count(n, st->plan.files_to_copy),
		        text_bytes(bytes, st->plan.bytes_to_copy),
		        text_count(del, st->plan.files_to_delete));
		return buf_take(&b);
	}
	if (st->state == STATUS_SUCCEEDED)
		good_body(&b, st);
	else
		add_unplug(&b, st);
	return buf_take(&b);
}
