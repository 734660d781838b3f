/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"
#include "util.h"

/* 2026-11-20 18:45:09 UTC */
#define MOMENT INT64_C(1795200309)

static int set_zone(void **s)
{
	(void)s;
	/* A rule of its own, so that no zone files are needed. */
	return setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
}

static void clocks_run(void **s)
{
	int64_t mono = clock_mono_ms(), boot = clock_boot_ms();
	int64_t real = clock_real_s();

	(void)s;
	assert_true(mono > 0);
	assert_true(boot >= mono);
	assert_true(clock_mono_ms() >= mono);
	assert_true(real > INT64_C(1700000000));
	assert_true(clock_real_ns() / 1000000000 >= real);
}

static void formats(void **s)
{
	char a[32], b[64];

	(void)s;
	assert_string_equal(clock_utc(a, MOMENT), "2026-11-20T18:45:09Z");
	assert_ptr_equal(clock_utc(a, 0), a);
	assert_string_equal(a, "1970-01-01T00:00:00Z");
	assert_string_equal(clock_local(a, MOMENT), "2026-11-20 19:45");
	assert_string_equal(
	        clock_mail(b, MOMENT), "Fri, 20 Nov 2026 19:45:09 +0100");
	/* Summer, and a day of one digit. */
	assert_string_equal(clock_mail(b, INT64_C(1783000000)),
	        "Thu, 02 Jul 2026 15:46:40 +0200");
	assert_string_equal(clock_utc(a, -1), "1969-12-31T23:59:59Z");
}

static void impossible_years(void **s)
{
	char a[32], b[64];

	(void)s;
	assert_string_equal(clock_utc(a, INT64_MAX), "?");
	assert_string_equal(clock_local(a, INT64_MIN), "?");
	assert_string_equal(clock_mail(b, INT64_MAX), "?");
	/* The largest year that struct tm can hold still fits. */
	assert_true(strlen(clock_utc(a, INT64_C(67768036191676799))) < 32);
	assert_true(strlen(clock_mail(b, INT64_C(67768036191600000))) < 64);
}

static void parsing(void **s)
{
	static const char *const bad[] = {"", "2026-11-20", "x",
	        "2026-11-20T18:45:09", "2026-11-20T18:45:09+", "T",
	        "2026-11-20t18:45:09Z", "2026-11-20 18:45:09Z",
	        "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
	        "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z",
	        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
	        "2026-01-01T00:00:60Z", "2026-01-01T00:00:0-Z",
	        " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ",
	        "+026-01-01T00:00:00Z", "2025-02-29T00:00:00Z"};
	int64_t t = 42;

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(clock_parse_utc(bad[i], &t), -EINVAL);
	assert_int_equal(clock_parse_utc(NULL, &t), -EINVAL);
	assert_true(t == 42);

	assert_int_equal(clock_parse_utc("2026-11-20T18:45:09Z", &t), 0);
	assert_true(t == MOMENT);
	assert_int_equal(clock_parse_utc("2024-02-29T00:00:00Z", &t), 0);
	assert_int_equal(clock_parse_utc("1969-12-31T23:59:59Z", &t), 0);
	assert_true(t == -1);
}

static void there_and_back(void **s)
{
	(void)s;
	for (int64_t t = 0; t < INT64_C(8000000000); t += 12345677) {
		int64_t back = 0;
		char a[32];

		assert_int_equal(clock_parse_utc(clock_utc(a, t), &back), 0);
		assert_true(back == t);
	}
}

static void boot_id(void **s)
{
	const char *id = clock_boot_id();

	(void)s;
	if (!id[0])
		skip();
	assert_int_equal(strlen(id), 36);
	assert_string_equal(clock_boot_id(), id);
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(clocks_run),
	        cmocka_unit_test(formats),
	        cmocka_unit_test(impossible_years),
	        cmocka_unit_test(parsing),
	        cmocka_unit_test(there_and_back),
	        cmocka_unit_test(boot_id),
	};

	return cmocka_run_group_tests_name("clock", tests, set_zone, NULL);
}
