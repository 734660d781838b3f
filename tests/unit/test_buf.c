/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"

static void empty_is_a_string(void **s)
{
	struct buf b = BUF_INIT;

	(void)s;
	assert_string_equal(b.data, "");
	buf_add(&b, "", 0);
	buf_adds(&b, "");
	buf_printf(&b, "%s", "");
	buf_cut(&b, 0);
	buf_reset(&b);
	assert_string_equal(b.data, "");
	assert_int_equal(b.len, 0);
	assert_false(buf_failed(&b));
	buf_done(&b);
	buf_done(&b);
}

static void grows(void **s)
{
	struct buf b = BUF_INIT;

	(void)s;
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%04d", i);
	assert_int_equal(b.len, 4000);
	assert_int_equal(strlen(b.data), 4000);
	assert_memory_equal(b.data, "000000010002", 12);
	assert_string_equal(b.data + 3992, "09980999");
	buf_done(&b);
	assert_string_equal(b.data, "");
}

static void all_kinds_of_adding(void **s)
{
	struct buf b = BUF_INIT;

	(void)s;
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b\0", 4);
	buf_reset(&b);
	buf_adds(&b, "one");
	buf_addc(&b, ',');
	buf_printf(&b, "%d%%", 2);
	assert_string_equal(b.data, "one,2%");
	buf_cut(&b, 100);
	assert_int_equal(b.len, 6);
	buf_cut(&b, 3);
	assert_string_equal(b.data, "one");
	assert_int_equal(b.len, 3);
	buf_done(&b);
}

/* Every length around the places where memory is taken. */
static void the_end_is_always_marked(void **s)
{
	(void)s;
	for (size_t len = 0; len < 300; len++) {
		struct buf b = BUF_INIT;
		char text[300];

		memset(text, 'x', len);
		text[len] = '\0';
		buf_printf(&b, "%s", text);
		assert_int_equal(b.len, len);
		assert_string_equal(b.data, text);
		buf_done(&b);
		buf_add(&b, text, len);
		buf_addc(&b, 'y');
		assert_int_equal(b.len, len + 1);
		assert_int_equal(strlen(b.data), len + 1);
		buf_done(&b);
	}
}

static void failure_sticks(void **s)
{
	struct buf b = BUF_INIT;

	(void)s;
	buf_adds(&b, "kept");
	buf_add(&b, "x", SIZE_MAX - 2);
	assert_true(buf_failed(&b));
	assert_string_equal(b.data, "kept");
	buf_adds(&b, "more");
	buf_addc(&b, 'c');
	buf_printf(&b, "%d", 1);
	assert_string_equal(b.data, "kept");
	assert_null(buf_take(&b));
	assert_false(buf_failed(&b));
	assert_string_equal(b.data, "");

	buf_adds(&b, "kept");
	buf_add(&b, "x", SIZE_MAX);
	assert_true(buf_failed(&b));
	buf_reset(&b);
	assert_false(buf_failed(&b));
	buf_adds(&b, "new");
	assert_string_equal(b.data, "new");
	buf_done(&b);
}

static void take_gives_away(void **s)
{
	struct buf b = BUF_INIT;
	char *p;

	(void)s;
	p = buf_take(&b);
	assert_string_equal(p, "");
	free(p);
	buf_adds(&b, "text");
	p = buf_take(&b);
	assert_string_equal(p, "text");
	assert_string_equal(b.data, "");
	assert_int_equal(b.size, 0);
	free(p);
	buf_adds(&b, "again");
	assert_string_equal(b.data, "again");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(empty_is_a_string),
	        cmocka_unit_test(grows),
	        cmocka_unit_test(all_kinds_of_adding),
	        cmocka_unit_test(the_end_is_always_marked),
	        cmocka_unit_test(failure_sticks),
	        cmocka_unit_test(take_gives_away),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
