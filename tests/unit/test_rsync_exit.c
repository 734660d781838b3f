/* SPDX-License-Identifier: MIT */
/* Every exit code and what real error lines (recordings) make of it. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rsync_exit.h"
#include "path.h"
#include "str.h"
#include "util.h"

static struct rsync_errors e;
static struct err err;

static void feed(const char *text, size_t portion)
{
	size_t len = strlen(text);

	rsync_errors_init(&e);
	for (size_t i = 0; i < len; i += portion)
		rsync_errors_feed(
		        &e, text + i, len - i < portion ? len - i : portion);
	rsync_errors_end(&e);
}

static enum rsync_verdict judge(int code, int sig, const char *text)
{
	enum rsync_verdict v;

	err = ERR_INIT;
	feed(text, 4096);
	v = rsync_exit_judge(code, sig, &e, &err);
	if (v == RSYNC_OK) {
		assert_int_equal(err.code, 0);
		return v;
	}
	assert_true(err.code < 0);
	assert_true(err.message[0] && err.meaning[0] && err.action[0]);
	return v;
}

static void says(const char *part)
{
	if (!strstr(err.message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err.message);
}

static const struct {
	int code;
	enum rsync_verdict verdict;
} quiet[] = {
        {0, RSYNC_OK},
        {1, RSYNC_BROKEN},
        {2, RSYNC_BROKEN},
        {3, RSYNC_BROKEN},
        {4, RSYNC_BROKEN},
        {5, RSYNC_BROKEN},
        {6, RSYNC_BROKEN},
        {10, RSYNC_BROKEN},
        {11, RSYNC_DISK},
        {12, RSYNC_BROKEN},
        {13, RSYNC_BROKEN},
        {14, RSYNC_BROKEN},
        {15, RSYNC_BROKEN},
        {16, RSYNC_BROKEN},
        {19, RSYNC_BROKEN},
        {20, RSYNC_STOPPED},
        {21, RSYNC_BROKEN},
        {22, RSYNC_BROKEN},
        {23, RSYNC_PARTIAL},
        {24, RSYNC_CHECK},
        {25, RSYNC_PARTIAL},
        {30, RSYNC_BROKEN},
        {35, RSYNC_BROKEN},
        {124, RSYNC_BROKEN},
        {125, RSYNC_BROKEN},
        {126, RSYNC_BROKEN},
        {127, RSYNC_BROKEN},
};

static void every_documented_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++) {
		assert_int_equal(rsync_exit_code_at(i), quiet[i].code);
		assert_int_equal(judge(quiet[i].code, 0, ""), quiet[i].verdict);
		assert_null(strstr(
		        rsync_exit_text(quiet[i].code), "does not document"));
	}
	assert_int_equal(rsync_exit_code_at(ARRAY_SIZE(quiet)), -1);
}

static void unknown_codes_fail(void **state)
{
	(void)state;
	for (int code = 0; code < 256; code++) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(quiet); i++)
			known = known || quiet[i].code == code;
		if (known)
			continue;
		assert_int_equal(judge(code, 0, ""), RSYNC_BROKEN);
		says("does not document");
	}
	assert_non_null(strstr(rsync_exit_text(-5), "does not document"));
}

static void signals(void **state)
{
	static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGKILL, SIGQUIT};
	static const int crashes[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, 64};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		assert_int_equal(judge(-1, ours[i], ""), RSYNC_STOPPED);
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		assert_int_equal(judge(-1, crashes[i], ""), RSYNC_BROKEN);
	assert_int_equal(judge(-1, 0, ""), RSYNC_BROKEN);
}

/* The exit code is the recording's last line. */
static char *recording(const char *name, int *ret_code)
{
	const char *top = getenv("ASBACKUP_SRC");
	char *path = str_printf(
	        "%s/tests/recordings/rsync/%s.err", top ? top : ".", name);
	char *text = NULL, *last;
	size_t len;

	assert_non_null(path);
	if (path_read_file(path, 20480, &text, &len) < 0)
		fail_msg("%s cannot be read (run it in the top directory)",
		        path);
	free(path);
	last = strstr(text, "exit ");
	assert_non_null(last);
	*ret_code = (int)strtol(last + 5, NULL, 10);
	*last = '\0';
	return text;
}

static void recorded_errors(void **state)
{
	static const struct {
		const char *name;
		enum rsync_verdict verdict;
		int code;
		const char *part;
	} t[] = {
	        {"first", RSYNC_OK, 0, ""},
	        {"denied", RSYNC_PARTIAL, -EIO, "/w/src/secret.vbk"},
	        {"missing", RSYNC_PARTIAL, -EIO, "/w/src"},
	        {"vanished", RSYNC_CHECK, -ESTALE, "/w/src/b-small.vib"},
	        {"full", RSYNC_FULL, -ENOSPC, "/w/dst/large.vbk"},
	        {"too-large", RSYNC_FULL, -EFBIG, "/w/dst/large.vbk"},
	        {"read-only", RSYNC_DISK, -EROFS, "Read-only"},
	        {"killed-term", RSYNC_STOPPED, -ECANCELED, "SIGTERM"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		int code;
		char *text = recording(t[i].name, &code);

		print_message("%s\n", t[i].name);
		assert_int_equal(judge(code, 0, text), t[i].verdict);
		assert_int_equal(err.code, t[i].code);
		says(t[i].part);
		free(text);
	}
}

#define DST "rsync: [receiver] write failed on \"/d/a\": "
#define ENDING "rsync error: error in file IO (code 11) at receiver.c(657)\n"

static void the_disk_decides_whatever_the_code(void **state)
{
	static const int codes[] = {0, 10, 11, 12, 23, 24, 99};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		int c = codes[i];

		assert_int_equal(
		        judge(c, 0, DST "No space left on device (28)\n"),
		        RSYNC_FULL);
		assert_int_equal(judge(c, 0, DST "Disk quota exceeded (122)\n"),
		        RSYNC_FULL);
		assert_int_equal(judge(c, 0, DST "Input/output error (5)\n"),
		        RSYNC_DISK);
		assert_int_equal(err.code, -EIO);
		assert_int_equal(
		        judge(c, 0, DST "Read-only file system (30)\n"),
		        RSYNC_DISK);
		assert_int_equal(err.code, -EROFS);
		/* dying: full and broken */
		assert_int_equal(judge(c, 0,
		                         DST "No space left (28)\n" DST
		                             "Input/output error (5)\n"),
		        RSYNC_DISK);
		says("Input/output");
	}
	/* we ended it: what came on the way is not the reason */
	assert_int_equal(judge(20, 0, DST "No space left on device (28)\n"),
	        RSYNC_STOPPED);
}

static void errors_of_the_source_are_not_the_disk(void **state)
{
	static const char *const lines[] = {
	        "rsync: [sender] read errors mapping \"/s/a\": "
	        "Input/output error (5)\n",
	        "rsync: read errors mapping \"/s/a\": Input/output error "
	        "(5)\n",
	        "rsync: send_files failed to open \"/s/a\": Input/output "
	        "error (5)\n",
	        "rsync: [sender] opendir \"/s/a\" failed: Input/output error "
	        "(5)\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(judge(23, 0, lines[i]), RSYNC_PARTIAL);
		says("/s/a");
		assert_int_equal(e.read_errors, 1);
		assert_int_equal(e.write_errors, 0);
		assert_non_null(strstr(err.action, "source"));
		/* exit 0 does not make it good */
		assert_int_equal(judge(0, 0, lines[i]), RSYNC_PARTIAL);
	}
}

static void names_do_not_decide(void **state)
{
	(void)state;
	/* words of ours and numbers within a name */
	assert_int_equal(judge(23, 0,
	                         "rsync: [receiver] rename \"/d/[sender] x "
	                         "(28)\" -> \"b\": Permission denied (13)\n"),
	        RSYNC_PARTIAL);
	assert_int_equal(e.write_errors, 1);
	assert_int_equal(e.no_space, 0);
	assert_int_equal(judge(23, 0,
	                         "rsync: recv_generator: mkdir \"/d/send_files "
	                         "(28)\" failed: Input/output error (5)\n"),
	        RSYNC_DISK);
	/* no number of rsync's */
	assert_int_equal(judge(0, 0,
	                         "note (28)\nrsync: x(28)\n(28)\n"
	                         "rsync: [receiver] a (28) \n"
	                         "rsync: [receiver] a (99999999)\n"
	                         "rsync: [receiver] a ()\n"),
	        RSYNC_OK);
	assert_int_equal(e.lines, 6);
}

static void a_broken_pipe_is_nobodys_error(void **state)
{
	(void)state;
	assert_int_equal(
	        judge(12, 0,
	                "rsync: [sender] write error: Broken pipe (32)\n"
	                "rsync: [generator] read: Connection reset by "
	                "peer (104)\n"),
	        RSYNC_BROKEN);
	assert_int_equal(e.read_errors + e.write_errors, 0);
}

static void file_io_by_its_words(void **state)
{
	(void)state;
	assert_int_equal(
	        judge(11, 0,
	                "rsync: [client] failed to open exclude file /x: No "
	                "such file or directory (2)\n" ENDING),
	        RSYNC_BROKEN);
	says("exclude file");
	assert_int_equal(judge(11, 0, ENDING), RSYNC_BROKEN);
	assert_int_equal(judge(22, 0, ""), RSYNC_BROKEN);
	assert_int_equal(err.code, -ENOMEM);
}

static void vanished_lines(void **state)
{
	(void)state;
	assert_int_equal(judge(24, 0,
	                         "file has vanished: \"/s/a\"\n"
	                         "directory has vanished: \"/s/d\"\n"),
	        RSYNC_CHECK);
	assert_int_equal(e.vanished, 2);
	says("/s/a");
	/* 23 hides 24 */
	assert_int_equal(
	        judge(23, 0,
	                "file has vanished: \"/s/a\"\nrsync: [sender] "
	                "send_files failed to open \"/s/b\": Permission "
	                "denied (13)\n"),
	        RSYNC_PARTIAL);
	says("/s/b");
	assert_int_equal(
	        judge(0, 0, "file has vanished: \"/s/a\"\n"), RSYNC_CHECK);
}

static void portions_do_not_matter(void **state)
{
	static const char text[] =
	        DST "No space left on device (28)\r\n\n" ENDING
	            "file has vanished: \"x\"\nlast line without an end (5)";
	static struct rsync_errors whole;

	(void)state;
	feed(text, sizeof text);
	whole = e;
	assert_int_equal(whole.lines, 4);
	assert_string_equal(whole.kept[0], DST "No space left on device (28)");
	for (size_t portion = 1; portion < 9; portion++) {
		feed(text, portion);
		assert_int_equal(e.lines, whole.lines);
		assert_int_equal(e.no_space, 1);
		assert_int_equal(e.vanished, 1);
		assert_memory_equal(e.kept, whole.kept, sizeof e.kept);
	}
}

static void many_and_long_lines(void **state)
{
	static char line[20000];
	size_t head = strlen(DST) - 2, len = sizeof line - 100;

	(void)state;
	rsync_errors_init(&e);
	for (int i = 0; i < 1000; i++)
		rsync_errors_feed(
		        &e, DST "Permission denied (13)\n", strlen(DST) + 23);
	rsync_errors_end(&e);
	assert_int_equal(e.lines, 1000);
	assert_int_equal(e.write_errors, 1000);
	assert_int_equal(e.kept_len, RSYNC_ERRORS_KEPT);

	memset(line, 'x', len);
	memcpy(line, DST, head);
	memcpy(line + len, ": No space left on device (28)\n", 32);
	assert_int_equal(judge(11, 0, line), RSYNC_FULL);
	assert_int_equal(e.lines, 1);
	assert_int_equal(strlen(e.kept[0]), 300);
	assert_true(str_ends(e.kept[0], "left on device (28)"));
	says("No space left");
	/* NUL bytes do not hide what follows */
	rsync_errors_init(&e);
	rsync_errors_feed(&e, "a\0b\n", 4);
	rsync_errors_end(&e);
	assert_string_equal(e.kept[0], "a?b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_documented_code),
	        cmocka_unit_test(unknown_codes_fail),
	        cmocka_unit_test(signals),
	        cmocka_unit_test(recorded_errors),
	        cmocka_unit_test(the_disk_decides_whatever_the_code),
	        cmocka_unit_test(errors_of_the_source_are_not_the_disk),
	        cmocka_unit_test(names_do_not_decide),
	        cmocka_unit_test(a_broken_pipe_is_nobodys_error),
	        cmocka_unit_test(file_io_by_its_words),
	        cmocka_unit_test(vanished_lines),
	        cmocka_unit_test(portions_do_not_matter),
	        cmocka_unit_test(many_and_long_lines),
	};

	return cmocka_run_group_tests_name("rsync_exit", tests, NULL, NULL);
}
