/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "str.h"
#include "text.h"

static void comparing(void **s)
{
	(void)s;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "A"));

	assert_true(str_eq_nocase(NULL, NULL));
	assert_false(str_eq_nocase("a", NULL));
	assert_true(str_eq_nocase("YeS", "yEs"));
	assert_false(str_eq_nocase("yes", "yess"));
	assert_false(str_eq_nocase("yess", "yes"));
	/* '@' and '`' differ by the same bit as 'A' and 'a'. */
	assert_false(str_eq_nocase("@", "`"));
	assert_false(str_eq_nocase("[", "{"));

	assert_true(str_is_empty(NULL));
	assert_true(str_is_empty(""));
	assert_false(str_is_empty(" "));
}

static void starts_and_ends(void **s)
{
	(void)s;
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("ab", "abc"));
	assert_false(str_starts(NULL, "a"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_true(str_ends("abc", "abc"));
	assert_false(str_ends("bc", "abc"));
	assert_false(str_ends("abcd", "bc"));
	assert_false(str_ends(NULL, "a"));
}

static void copying(void **s)
{
	char dst[6];

	(void)s;
	assert_int_equal(str_copy(dst, sizeof(dst), "12345"), 0);
	assert_string_equal(dst, "12345");
	assert_int_equal(str_copy(dst, sizeof(dst), "123456"), -ENAMETOOLONG);
	assert_string_equal(dst, "12345");
	assert_int_equal(str_copy(dst, 1, "x"), -ENAMETOOLONG);
	assert_string_equal(dst, "");
	assert_int_equal(str_copy(dst, 1, ""), 0);
	memcpy(dst, "keep", 5);
	assert_int_equal(str_copy(dst, 0, ""), -ENAMETOOLONG);
	assert_string_equal(dst, "keep");
}

static void copying_tears_no_character(void **s)
{
	/* One, two, three and four bytes. */
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xbe!";
	static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
	char dst[16];

	(void)s;
	for (size_t size = 1; size <= 12; size++) {
		(void)str_copy(dst, size, text);
		assert_int_equal(strlen(dst), expected[size - 1]);
		assert_true(text_utf8_is_valid(dst, strlen(dst)));
	}
	/* What is not UTF-8 is cut anywhere, but not to nothing. */
	(void)str_copy(dst, 6, "\x80\x80\x80\x80\x80\x80\x80\x80");
	assert_int_equal(strlen(dst), 5);
}

static void trimming(void **s)
{
	char a[] = " \t\r\n x y \v\f", b[] = "", c[] = "   ", d[] = "x";

	(void)s;
	assert_string_equal(str_trim(a), "x y");
	assert_string_equal(str_trim(b), "");
	assert_string_equal(str_trim(c), "");
	assert_string_equal(str_trim(d), "x");
}

static void printing_and_lowering(void **s)
{
	char *p = str_printf("%s-%d", "a", 5);
	char text[] = "ABZ[\xc3\x84";

	(void)s;
	assert_string_equal(p, "a-5");
	free(p);
	str_lower(text);
	assert_string_equal(text, "abz[\xc3\x84");
}

static void vectors(void **s)
{
	struct strv v = STRV_INIT;

	(void)s;
	assert_false(strv_has(&v, "a"));
	assert_int_equal(strv_add(&v, "a"), 0);
	assert_int_equal(strv_addf(&v, "b%d", 2), 0);
	assert_int_equal(v.len, 2);
	assert_string_equal(v.items[0], "a");
	assert_string_equal(v.items[1], "b2");
	assert_null(v.items[2]);
	assert_true(strv_has(&v, "b2"));
	assert_false(strv_has(&v, "b"));
	strv_done(&v);
	assert_null(v.items);
	assert_int_equal(v.len, 0);
	strv_done(&v);
}

static void splitting(void **s)
{
	struct strv v = STRV_INIT;

	(void)s;
	assert_int_equal(strv_split(&v, "", ","), 0);
	assert_int_equal(strv_split(&v, " , ,,", ","), 0);
	assert_int_equal(v.len, 0);
	assert_null(v.items);
	assert_int_equal(strv_split(&v, " a b ,c;\td\n,", ",;"), 0);
	assert_int_equal(v.len, 3);
	assert_string_equal(v.items[0], "a b");
	assert_string_equal(v.items[1], "c");
	assert_string_equal(v.items[2], "d");
	assert_int_equal(strv_split(&v, "e", ","), 0);
	assert_int_equal(v.len, 4);
	assert_string_equal(v.items[3], "e");
	assert_null(v.items[4]);
	strv_done(&v);
	assert_int_equal(strv_split(&v, "a b  c", " "), 0);
	assert_int_equal(v.len, 3);
	strv_done(&v);
}

static void distance(void **s)
{
	char lng[200];

	(void)s;
	assert_int_equal(str_distance("", "", 9), 0);
	assert_int_equal(str_distance("abc", "", 9), 3);
	assert_int_equal(str_distance("", "abc", 9), 3);
	assert_int_equal(str_distance("kitten", "sitting", 9), 3);
	assert_int_equal(str_distance("compres", "compress", 9), 1);
	assert_int_equal(str_distance("abcdef", "uvwxyz", 3), 3);
	memset(lng, 'a', sizeof(lng));
	lng[sizeof(lng) - 1] = '\0';
	assert_int_equal(str_distance(lng, "b", 5), 5);
	assert_int_equal(str_distance(lng, lng, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(comparing),
	        cmocka_unit_test(starts_and_ends),
	        cmocka_unit_test(copying),
	        cmocka_unit_test(copying_tears_no_character),
	        cmocka_unit_test(trimming),
	        cmocka_unit_test(printing_and_lowering),
	        cmocka_unit_test(vectors),
	        cmocka_unit_test(splitting),
	        cmocka_unit_test(distance),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
