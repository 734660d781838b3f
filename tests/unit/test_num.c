/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "num.h"

static const char *const not_numbers[] = {"", " ", "-", "+1", " 1", "1 ", "1\n",
        "--1", "0x10", "00", "01", "-01", "1e3", "1a", "a", "\xd9\xa1",
        "99999999999999999999x", "1-"};

static void nonsense_is_refused(void **s)
{
	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(not_numbers); i++) {
		int64_t n = 42;
		uint64_t u = 42;

		assert_int_equal(
		        num_parse_i64(not_numbers[i], INT64_MIN, INT64_MAX, &n),
		        -EINVAL);
		assert_int_equal(
		        num_parse_u64(not_numbers[i], UINT64_MAX, &u), -EINVAL);
		assert_int_equal(
		        num_parse_fixed(not_numbers[i], 2, INT64_MAX, &n),
		        -EINVAL);
		assert_int_equal(num_parse_bytes(not_numbers[i], &u), -EINVAL);
		assert_int_equal(n, 42);
		assert_int_equal(u, 42);
	}
}

static void null_is_no_number(void **s)
{
	int64_t n = 1;
	uint64_t u = 1;
	bool b = true;

	(void)s;
	assert_int_equal(num_parse_i64(NULL, 0, 1, &n), -EINVAL);
	assert_int_equal(num_parse_u64(NULL, 1, &u), -EINVAL);
	assert_int_equal(num_parse_fixed(NULL, 1, 1, &n), -EINVAL);
	assert_int_equal(num_parse_bytes(NULL, &u), -EINVAL);
	assert_int_equal(num_parse_bool(NULL, &b), -EINVAL);
}

static int64_t i64(const char *text)
{
	int64_t n = 0;

	assert_int_equal(num_parse_i64(text, INT64_MIN, INT64_MAX, &n), 0);
	return n;
}

static void signed_numbers(void **s)
{
	int64_t n = 42;

	(void)s;
	assert_true(i64("0") == 0);
	assert_true(i64("-1") == -1);
	assert_true(i64("9223372036854775807") == INT64_MAX);
	assert_true(i64("-9223372036854775808") == INT64_MIN);
	assert_int_equal(num_parse_i64("-0", -1, 1, &n), -EINVAL);
	assert_int_equal(
	        num_parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &n),
	        -ERANGE);
	assert_int_equal(
	        num_parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &n),
	        -ERANGE);
	assert_int_equal(num_parse_i64("99999999999999999999999999", INT64_MIN,
	                         INT64_MAX, &n),
	        -ERANGE);
	/* 2^64 and its neighbours would come back as small numbers. */
	assert_int_equal(
	        num_parse_i64("18446744073709551616", INT64_MIN, INT64_MAX, &n),
	        -ERANGE);
	assert_int_equal(num_parse_i64("5", 6, 10, &n), -ERANGE);
	assert_int_equal(num_parse_i64("11", 6, 10, &n), -ERANGE);
	assert_int_equal(n, 42);
	assert_int_equal(num_parse_i64("6", 6, 10, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(num_parse_i64("10", 6, 10, &n), 0);
}

static void unsigned_numbers(void **s)
{
	uint64_t u = 42;

	(void)s;
	assert_int_equal(num_parse_u64("0", 0, &u), 0);
	assert_true(u == 0);
	assert_int_equal(
	        num_parse_u64("18446744073709551615", UINT64_MAX, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(
	        num_parse_u64("18446744073709551616", UINT64_MAX, &u), -ERANGE);
	assert_int_equal(num_parse_u64("8", 7, &u), -ERANGE);
	assert_int_equal(num_parse_u64("-1", 7, &u), -ERANGE);
	assert_int_equal(num_parse_u64("-0", 7, &u), -EINVAL);
	assert_true(u == UINT64_MAX);
}

static int64_t fixed(const char *text, int places)
{
	int64_t n = -1;

	assert_int_equal(num_parse_fixed(text, places, INT64_MAX, &n), 0);
	return n;
}

static void fixed_point(void **s)
{
	static const char *const bad[] = {
	        "1.", ".5", "1.234", "1,", "1.2.3", "1.-2", "-1.5", "1. 5"};
	int64_t n = 42;

	(void)s;
	assert_true(fixed("1.5", 2) == 150);
	assert_true(fixed("1,5", 2) == 150);
	assert_true(fixed("0.05", 2) == 5);
	assert_true(fixed("7", 2) == 700);
	assert_true(fixed("7", 0) == 7);
	assert_true(fixed("0", 3) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(
		        num_parse_fixed(bad[i], 2, INT64_MAX, &n), -EINVAL);
	assert_int_equal(num_parse_fixed("7.1", 0, INT64_MAX, &n), -EINVAL);
	assert_int_equal(num_parse_fixed("1.01", 2, 100, &n), -ERANGE);
	assert_int_equal(
	        num_parse_fixed("9223372036854775807", 2, INT64_MAX, &n),
	        -ERANGE);
	assert_int_equal(
	        num_parse_fixed("10000000000000000000", 0, INT64_MAX, &n),
	        -ERANGE);
	assert_int_equal(n, 42);
}

static void booleans(void **s)
{
	static const char *const yes[] = {
	        "yes", "YES", "true", "True", "on", "oN", "1"};
	static const char *const no[] = {
	        "no", "No", "false", "off", "OFF", "0"};
	static const char *const bad[] = {
	        "", "y", "n", "2", "yess", " yes", "ja", "10"};
	bool b;

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		b = false;
		assert_int_equal(num_parse_bool(yes[i], &b), 0);
		assert_true(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		b = true;
		assert_int_equal(num_parse_bool(no[i], &b), 0);
		assert_false(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(num_parse_bool(bad[i], &b), -EINVAL);
}

static uint64_t bytes(const char *text)
{
	uint64_t n = 0;

	assert_int_equal(num_parse_bytes(text, &n), 0);
	return n;
}

static void byte_counts(void **s)
{
	static const char *const bad[] = {"1k", "1KB", "1kb", "1 G", "G", "1B",
	        "1.5G", "1GG", "1GiB", "-1G"};
	uint64_t n = 42;

	(void)s;
	assert_true(bytes("0") == 0);
	assert_true(bytes("512") == 512);
	assert_true(bytes("1K") == 1024);
	assert_true(bytes("2M") == 2 * 1024 * 1024);
	assert_true(bytes("1G") == 1ULL << 30);
	assert_true(bytes("3T") == 3ULL << 40);
	assert_true(bytes("1kB") == 1000);
	assert_true(bytes("1MB") == 1000000);
	assert_true(bytes("4GB") == 4000000000ULL);
	assert_true(bytes("5TB") == 5000000000000ULL);
	assert_true(bytes("16777215T") == 16777215ULL << 40);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(num_parse_bytes(bad[i], &n), -EINVAL);
	assert_int_equal(num_parse_bytes("16777216T", &n), -ERANGE);
	assert_int_equal(num_parse_bytes("18446744073709551616", &n), -ERANGE);
	assert_int_equal(num_parse_bytes("18446744073709551616K", &n), -ERANGE);
	assert_true(n == 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nonsense_is_refused),
	        cmocka_unit_test(null_is_no_number),
	        cmocka_unit_test(signed_numbers),
	        cmocka_unit_test(unsigned_numbers),
	        cmocka_unit_test(fixed_point),
	        cmocka_unit_test(booleans),
	        cmocka_unit_test(byte_counts),
	};

	return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
