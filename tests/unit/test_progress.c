/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/progress.h"

#define MIB (UINT64_C(1) << 20)
#define UNKNOWN UINT64_MAX

static void nothing_to_do_is_100(void **state)
{
	struct progress p;

	(void)state;
	progress_init(&p, 0, 1000);
	assert_true(p.percent >= 100);
	assert_int_equal(p.eta_seconds, 0);
	progress_update(&p, 77, UNKNOWN, 2000);
	assert_int_equal(p.bytes_done, 0);
	progress_finish(&p, 3000);
	assert_true(p.percent >= 100 && p.percent <= 100);
	assert_true(p.finished);
}

static void never_back_never_above(void **state)
{
	struct progress p;
	double last;

	(void)state;
	progress_init(&p, 100 * MIB, 0);
	assert_int_equal(p.eta_seconds, -1);
	progress_update(&p, 50 * MIB, UNKNOWN, 1000);
	assert_true(p.percent > 49.9 && p.percent < 50.1);
	last = p.percent;
	progress_update(&p, 10 * MIB, UNKNOWN, 2000);
	assert_true(p.percent >= last);
	assert_int_equal(p.bytes_done, 50 * MIB);
	progress_update(&p, 500 * MIB, UNKNOWN, 3000);
	assert_int_equal(p.bytes_done, 100 * MIB);
	/* not even when rounded */
	assert_true(p.percent < 99.5);
	assert_false(p.finished);
	progress_finish(&p, 4000);
	assert_true(p.percent >= 100 && p.percent <= 100);
	assert_int_equal(p.eta_seconds, 0);
	/* what still comes changes nothing */
	progress_update(&p, 1, 1, 5000);
	assert_true(p.percent >= 100);
	assert_int_equal(p.bytes_done, 100 * MIB);
}

static void held_back_by_the_disk(void **state)
{
	struct progress p;

	(void)state;
	progress_init(&p, 10000 * MIB, 0);
	progress_update(&p, 5000 * MIB, 0, 1000);
	assert_int_equal(p.bytes_done, 256 * MIB);
	progress_update(&p, 5000 * MIB, 1000 * MIB, 2000);
	assert_int_equal(p.bytes_done, 1256 * MIB);
	/* metadata: the disk may be ahead */
	progress_update(&p, 5000 * MIB, 9000 * MIB, 3000);
	assert_int_equal(p.bytes_done, 5000 * MIB);
	progress_update(&p, 6000 * MIB, UNKNOWN, 4000);
	assert_int_equal(p.bytes_done, 6000 * MIB);
	progress_update(&p, 7000 * MIB, UINT64_MAX - 1, 5000);
	assert_int_equal(p.bytes_done, 7000 * MIB);
	/* small amounts are not stuck */
	progress_init(&p, 100 * MIB, 0);
	progress_update(&p, 90 * MIB, 0, 1000);
	assert_int_equal(p.bytes_done, 90 * MIB);
}

/* 10 MiB/s for a minute and more, in steps of a second. */
static void rate_and_eta(void **state)
{
	struct progress p;

	(void)state;
	progress_init(&p, 2000 * MIB, 5000);
	progress_update(&p, 10 * MIB, UNKNOWN, 6000);
	assert_int_equal(p.eta_seconds, -1);
	assert_int_equal(p.rate, 0);
	for (unsigned s = 2; s <= 100; s++)
		progress_update(&p, s * 10 * MIB, UNKNOWN, 5000 + s * 1000);
	assert_int_equal(p.rate, 10 * MIB);
	assert_int_equal(p.eta_seconds, 100);
}

static void only_the_last_minute_counts(void **state)
{
	struct progress p;
	uint64_t bytes = 0;
	int64_t now = 0;

	(void)state;
	progress_init(&p, 100000 * MIB, 0);
	for (int s = 0; s < 200; s++)
		progress_update(&p, bytes += 100 * MIB, UNKNOWN, now += 1000);
	assert_true(p.rate > 99 * MIB && p.rate < 101 * MIB);
	for (int s = 0; s < 65; s++)
		progress_update(&p, bytes += MIB, UNKNOWN, now += 1000);
	assert_true(p.rate < 2 * MIB);
}

static void a_stall_and_its_end(void **state)
{
	struct progress p;
	int64_t now = 0;

	(void)state;
	progress_init(&p, 1000 * MIB, 0);
	for (int s = 1; s <= 10; s++)
		progress_update(&p, (uint64_t)s * MIB, UNKNOWN, now += 1000);
	for (int s = 0; s < 90; s++)
		progress_update(&p, 10 * MIB, UNKNOWN, now += 1000);
	assert_int_equal(p.rate, 0);
	assert_int_equal(p.eta_seconds, -1);
	/* silence for minutes: the next word does not look like a rush */
	progress_update(&p, 20 * MIB, UNKNOWN, now += 120000);
	assert_true(p.rate < MIB);
	progress_update(&p, 30 * MIB, UNKNOWN, now += 5000);
	assert_int_equal(p.rate, 2 * MIB);
	assert_true(p.eta_seconds > 0);
}

static void huge_figures(void **state)
{
	struct progress p;

	(void)state;
	progress_init(&p, UINT64_MAX, 0);
	progress_update(&p, 1, UNKNOWN, 10000);
	assert_int_equal(p.eta_seconds, -1);
	progress_update(&p, UINT64_MAX - 1, UNKNOWN, 20000);
	assert_true(p.percent < 100);
	progress_finish(&p, 0);
	assert_true(p.percent >= 100);
}

static void finished_before_it_was_measured(void **state)
{
	struct progress p;

	(void)state;
	progress_init(&p, 10 * MIB, 0);
	progress_update(&p, 10 * MIB, UNKNOWN, 500);
	progress_finish(&p, 1000);
	assert_int_equal(p.rate, 10 * MIB);
	progress_finish(&p, 9000);
	assert_int_equal(p.rate, 10 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nothing_to_do_is_100),
	        cmocka_unit_test(never_back_never_above),
	        cmocka_unit_test(held_back_by_the_disk),
	        cmocka_unit_test(rate_and_eta),
	        cmocka_unit_test(only_the_last_minute_counts),
	        cmocka_unit_test(a_stall_and_its_end),
	        cmocka_unit_test(huge_figures),
	        cmocka_unit_test(finished_before_it_was_measured),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
