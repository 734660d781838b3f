/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/jobframe.h"
#include "core/jobrefused.h"

static void told(const struct jobframe_line *line, int code, const char *part)
{
	struct err err = ERR_INIT;

	jobrefused_tell(line, "nightly", &err);
	assert_int_equal(err.code, code);
	if (!strstr(err.message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err.message);
}

static void test_codes(void **state)
{
	(void)state;
	told(&(struct jobframe_line){'F', {"gone"}, 1}, -ENOENT, "job nightly");
	told(&(struct jobframe_line){'F', {"nobase", "/a", "/b c"}, 3}, -EROFS,
	        "tried were: /a /b c");
	told(&(struct jobframe_line){'F', {"nostart"}, 1}, -ETIME, "begun it");
	told(&(struct jobframe_line){'F', {"shorter", "5", "6"}, 3}, -EIO,
	        "there: 5 6");
}

static void test_foreign(void **state)
{
	(void)state;
	told(&(struct jobframe_line){'F', {"odd\x1b[2J", "\x1b]0;x\a"}, 2},
	        -EIO, "odd\\x1B[2J \\x1B]0;x\\x07");
	told(&(struct jobframe_line){.letter = 'F'}, -EIO, "refuses");
}

static void test_is(void **state)
{
	(void)state;
	assert_true(jobrefused_is(
	        &(struct jobframe_line){'F', {"gone"}, 1}, "gone"));
	assert_false(jobrefused_is(
	        &(struct jobframe_line){'F', {"gone1"}, 1}, "gone"));
	assert_false(
	        jobrefused_is(&(struct jobframe_line){.letter = 'F'}, "gone"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_codes),
	        cmocka_unit_test(test_foreign),
	        cmocka_unit_test(test_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
