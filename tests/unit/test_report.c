/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/report.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"

#define HOSTILE "x\nBcc: all@example.org\r\n\033[31m\377"

static struct status st;
static char *text;

#define SET(f, v) ((void)str_copy(st.f, sizeof(st.f), v))

static int setup(void **state)
{
	(void)state;
	status_init(&st);
	st.state = STATUS_SUCCEEDED;
	st.step = STEP_REPORT;
	st.exit_code = 0;
	st.may_be_unplugged = true;
	st.started = 1700000000;
	st.ended = st.started + 7384;
	st.took.total_ms = 7384000;
	SET(disk.uuid, "0123-4567");
	SET(disk.title, "Office A");
	SET(disk.serial, "WD-1");
	SET(source, "/srv/repo");
	st.disk.size_bytes = 4000000000000;
	st.disk.free_bytes = 1000000000000;
	st.files_copied = 1234;
	st.bytes_copied = 5600000000;
	st.files_deleted = 7;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	status_done(&st);
	free(text);
	text = NULL;
	return 0;
}

static int lines(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static const char *body(const char *tail)
{
	free(text);
	text = report_body(&st, REPORT_END, tail);
	assert_non_null(text);
	return text;
}

static const char *subject(enum report_kind kind)
{
	free(text);
	text = report_subject(&st, kind);
	assert_non_null(text);
	assert_true(text_is_header_safe(text));
	return text;
}

static void assert_has(const char *s, const char *what)
{
	if (!strstr(s, what))
		fail_msg("no \"%s\" in:\n%s", what, s);
}

static void assert_lacks(const char *s, const char *what)
{
	if (strstr(s, what))
		fail_msg("\"%s\" in:\n%s", what, s);
}

static void good(void **state)
{
	const char *s;

	(void)state;
	s = body("log line\n");
	assert_true(lines(s) <= 10);
	assert_has(s, "The copy is good.\n");
	assert_has(s, "The disk may be unplugged.\n");
	assert_has(s, "Disk: Office A (0123-4567)\n");
	assert_has(s, "Copied: 1,234 files, 5.6 GB; deleted: 7\n");
	assert_has(s, "Duration: 2 h 03 min");
	assert_has(s, "Free: 1.0 TB of 4.0 TB (25 %)\n");
	assert_lacks(s, "Warning");
	assert_lacks(s, "WD-1");
	assert_lacks(s, "log line");
	assert_has(subject(REPORT_END), ": copy good - Office A");
}

/* Whatever happens, and however hostile: ten lines. */
static void never_more_than_ten_lines(void **state)
{
	const char *s;

	(void)state;
	st.adopted = true;
	SET(disk.title, HOSTILE);
	SET(disk.serial, HOSTILE);
	SET(disk.uuid, HOSTILE);
	for (int i = 0; i < 30; i++)
		status_warn(&st, "warning %d\nwith %s", i, HOSTILE);
	s = body("log\nlog\n");
	assert_int_equal(lines(s), 10);
	assert_true(text_utf8_is_valid(s, strlen(s)));
	assert_lacks(s, "\033");
	assert_lacks(s, "\nBcc");
	assert_has(s, "... and 28 more warnings");
	assert_has(subject(REPORT_END), "copy good, with warnings - x\\nBcc");
}

static void one_warning_more(void **state)
{
	const char *s;

	(void)state;
	status_warn(&st, "first");
	status_warn(&st, "second");
	s = body(NULL);
	assert_has(s, "Warning: first\nWarning: second\n");
	assert_lacks(s, "more");
	assert_true(lines(s) <= 10);
}

static void first_copy(void **state)
{
	(void)state;
	st.adopted = true;
	assert_has(body(NULL), "serial number: WD-1\n");
	SET(disk.serial, "");
	assert_has(body(NULL), "serial number: none\n");
}

static void skipped(void **state)
{
	const char *s;

	(void)state;
	st.skipped = true;
	s = body(NULL);
	assert_has(s, "skipped");
	assert_lacks(s, "good");
	assert_lacks(s, "Copied");
	assert_has(subject(REPORT_END), "copy skipped");
}

static void broke_off(void)
{
	st.state = STATUS_FAILED;
	st.step = STEP_COPY;
	st.exit_code = 15;
	(void)err_set(&st.error, -EIO, "rsync %s", HOSTILE);
	err_meaning(&st.error, "it means %s", HOSTILE);
	err_action(&st.error, "do this %s", HOSTILE);
}

static void failed(void **state)
{
	const char *s;

	(void)state;
	broke_off();
	for (int i = 0; i < 5; i++)
		status_warn(&st, "warning %d", i);
	s = body("one\ntwo\nthree");
	assert_has(s, "FAILED in step \"copy\" (Copying), exit code 15.\n");
	assert_has(s, "What happened:\n  rsync x\\nBcc");
	assert_has(s, "What it means for the backup:\n  it means x\\n");
	assert_has(s, "What to do now:\n  do this x\\n");
	assert_has(s, "The end of the log:\none\ntwo\nthree\n");
	assert_has(s, "Warning: warning 4\n");
	assert_has(s, "Disk: Office A");
	assert_lacks(s, "\nBcc");
	assert_lacks(s, "\033");
	assert_lacks(s, "good");
	assert_has(s, "The disk may be unplugged.\n");
	assert_has(subject(REPORT_END), ": COPY FAILED - Office A");
}

static void failed_and_still_mounted(void **state)
{
	(void)state;
	broke_off();
	st.may_be_unplugged = false;
	assert_has(body(NULL), "Do NOT unplug the disk.\n");
	assert_lacks(body(NULL), "may be unplugged");
	assert_has(subject(REPORT_END), "COPY FAILED - do NOT unplug");
}

/* Nothing is said of a disk that was never found. */
static void failed_without_disk(void **state)
{
	const char *s;

	(void)state;
	broke_off();
	st.may_be_unplugged = false;
	SET(disk.uuid, "");
	SET(disk.title, "");
	st.error.meaning[0] = '\0';
	s = body("");
	assert_lacks(s, "unplug");
	assert_lacks(s, "Disk:");
	assert_lacks(s, "What it means");
	assert_lacks(s, "The end of the log");
	assert_has(s, "What to do now");
	assert_lacks(subject(REPORT_END), "unplug");
}

/* The clock may be set during a run; the duration does not come from it. */
static void clock_set_back(void **state)
{
	(void)state;
	st.ended = st.started - 3600;
	assert_has(body(NULL), "Duration: 2 h 03 min");
}

static void start(void **state)
{
	(void)state;
	SET(disk.title, HOSTILE);
	SET(source, "/srv/" HOSTILE);
	free(text);
	text = report_body(&st, REPORT_START, NULL);
	assert_has(text, "The copy begins.");
	assert_has(text, "Do NOT unplug");
	assert_has(text, "Source: /srv/x\\nBcc");
	assert_lacks(text, "\nBcc");
	assert_true(lines(text) <= 10);
	assert_has(subject(REPORT_START), "copy begins - x\\nBcc");
}

static void terminal(void **state)
{
	(void)state;
	free(text);
	text = report_terminal(&st);
	assert_has(text, "The copy is good.");

	st.dry_run = true;
	st.plan.files_to_copy = 3;
	st.plan.bytes_to_copy = 2000;
	st.plan.files_to_delete = 1;
	free(text);
	text = report_terminal(&st);
	assert_has(text, "nothing was changed");
	assert_has(text, "3 files (2.0 kB) and delete 1");
	assert_lacks(text, "The copy is good");

	st.dry_run = false;
	broke_off();
	st.may_be_unplugged = false;
	free(text);
	text = report_terminal(&st);
	assert_string_equal(text, "Do NOT unplug the disk.\n");
}

/* --- a wait that takes long ---------------------------------------------- */

static void waiting_names_the_jobs(void **state)
{
	(void)state;
	assert_int_equal(strv_add(&st.waiting_for, "daily"), 0);
	assert_int_equal(strv_add(&st.waiting_for, HOSTILE), 0);
	text = report_body_wait(&st, 3 * 3600000, 5 * 3600000);
	assert_non_null(strstr(text, "waiting for 3 h"));
	assert_non_null(strstr(text, "another 5 h"));
	assert_non_null(strstr(text, "\n  daily\n"));
	assert_null(strstr(text, "\nBcc:"));
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "veeam-unlock"));
	assert_non_null(strstr(text, "Office A"));
	assert_non_null(strstr(subject(REPORT_WAIT), "still waits for Veeam"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(good),
	        T(never_more_than_ten_lines),
	        T(one_warning_more),
	        T(first_copy),
	        T(skipped),
	        T(failed),
	        T(failed_and_still_mounted),
	        T(failed_without_disk),
	        T(clock_set_back),
	        T(start),
	        T(terminal),
	        T(waiting_names_the_jobs),
	};

	log_init(LOG_LEVEL_ERR);
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
