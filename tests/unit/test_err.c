/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "text.h"

static void set_fills_in_and_forgets(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(err_set(&e, -ENOENT, "no %s, %d", "disk", 2), -ENOENT);
	assert_int_equal(e.code, -ENOENT);
	assert_string_equal(e.message, "no disk, 2");
	err_meaning(&e, "nothing was %s", "copied");
	err_action(&e, "plug %d in", 1);
	assert_string_equal(e.meaning, "nothing was copied");
	assert_string_equal(e.action, "plug 1 in");

	assert_int_equal(err_set(&e, -EIO, "other"), -EIO);
	assert_string_equal(e.meaning, "");
	assert_string_equal(e.action, "");
}

static void without_an_err_only_the_code_counts(void **s)
{
	(void)s;
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_sys(NULL, -EPERM, "x"), -EPERM);
	assert_int_equal(err_nomem(NULL), -ENOMEM);
	err_prefix(NULL, "x");
	err_meaning(NULL, "x");
	err_action(NULL, "x");
	err_meaning_default(NULL, "x");
	err_action_default(NULL, "x");
}

static void sys_appends_the_reason(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(err_sys(&e, -ENOSPC, "cannot write %s", "f"), -ENOSPC);
	assert_string_equal(
	        e.message, "cannot write f: No space left on device");
	assert_int_equal(err_nomem(&e), -ENOMEM);
	assert_string_equal(e.message, "out of memory");
	assert_int_equal(e.code, -ENOMEM);
}

static void sys_keeps_the_reason_of_a_long_message(void **s)
{
	struct err e = ERR_INIT;
	char name[3000];

	(void)s;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	(void)err_sys(&e, -EIO, "%s", name);
	assert_int_equal(strlen(e.message), sizeof(e.message) - 1);
	assert_non_null(strstr(e.message, "nnn...: Input/output error"));
}

static void long_texts_are_cut_at_a_character(void **s)
{
	/* Whatever the offset, no two-byte character is torn. */
	for (size_t offset = 0; offset < 4; offset++) {
		struct err e = ERR_INIT;
		char text[2100];
		size_t len;

		(void)s;
		memset(text, 'a', offset);
		for (size_t i = offset; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa4\0", 3);
		(void)err_set(&e, -EIO, "%s", text);
		err_meaning(&e, "%s", text);
		err_action(&e, "%s", text);

		len = strlen(e.message);
		assert_true(len >= sizeof(e.message) - 3);
		assert_true(text_utf8_is_valid(e.message, len));
		assert_string_equal(e.message + len - 3, "...");
		len = strlen(e.meaning);
		assert_true(text_utf8_is_valid(e.meaning, len));
		assert_string_equal(e.meaning + len - 3, "...");
		len = strlen(e.action);
		assert_true(text_utf8_is_valid(e.action, len));
		assert_string_equal(e.action + len - 3, "...");
	}
}

static void a_text_that_just_fits_is_whole(void **s)
{
	struct err e = ERR_INIT;
	char text[sizeof(e.message)];

	(void)s;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&e, -EIO, "%s", text);
	assert_string_equal(e.message, text);
	(void)err_set(&e, -EIO, "%sy", text);
	assert_string_equal(e.message + strlen(e.message) - 4, "x...");
}

static void arguments_may_be_the_texts_themselves(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	(void)err_set(&e, -EIO, "inner");
	(void)err_set(&e, -EPERM, "outer(%s)", e.message);
	assert_string_equal(e.message, "outer(inner)");
	(void)err_sys(&e, -EIO, "sys(%s)", e.message);
	assert_string_equal(e.message, "sys(outer(inner)): Input/output error");
	err_meaning(&e, "m");
	err_meaning(&e, "%s!", e.meaning);
	assert_string_equal(e.meaning, "m!");
}

static void prefix_keeps_the_rest(void **s)
{
	struct err e = ERR_INIT;
	char text[2000];

	(void)s;
	(void)err_set(&e, -EIO, "inner");
	err_meaning(&e, "meaning");
	err_action(&e, "action");
	err_prefix(&e, "mount %s", "sdb");
	assert_string_equal(e.message, "mount sdb: inner");
	assert_string_equal(e.meaning, "meaning");
	assert_string_equal(e.action, "action");
	assert_int_equal(e.code, -EIO);

	memset(text, 'p', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_prefix(&e, "%s", text);
	assert_int_equal(strlen(e.message), sizeof(e.message) - 1);
	assert_string_equal(e.message + sizeof(e.message) - 5, "p...");
}

static void defaults_do_not_overwrite(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	(void)err_set(&e, -EIO, "x");
	err_meaning_default(&e, "first %d", 1);
	err_meaning_default(&e, "second");
	err_action_default(&e, "do %d", 1);
	err_action_default(&e, "do 2");
	assert_string_equal(e.meaning, "first 1");
	assert_string_equal(e.action, "do 1");
	err_meaning(&e, "third");
	assert_string_equal(e.meaning, "third");
}

static void text_of_any_number(void **s)
{
	(void)s;
	assert_string_equal(err_text(-ENOENT), "No such file or directory");
	assert_string_equal(err_text(ENOENT), "No such file or directory");
	assert_non_null(err_text(0));
	assert_true(strlen(err_text(99999)) > 0);
	assert_true(strlen(err_text(INT_MIN)) > 0);
	assert_true(strlen(err_text(INT_MAX)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(set_fills_in_and_forgets),
	        cmocka_unit_test(without_an_err_only_the_code_counts),
	        cmocka_unit_test(sys_appends_the_reason),
	        cmocka_unit_test(sys_keeps_the_reason_of_a_long_message),
	        cmocka_unit_test(long_texts_are_cut_at_a_character),
	        cmocka_unit_test(a_text_that_just_fits_is_whole),
	        cmocka_unit_test(arguments_may_be_the_texts_themselves),
	        cmocka_unit_test(prefix_keeps_the_rest),
	        cmocka_unit_test(defaults_do_not_overwrite),
	        cmocka_unit_test(text_of_any_number),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
