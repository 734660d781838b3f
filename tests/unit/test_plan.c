/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/plan.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define ENTRY 512
#define RESERVE (4 * MIB)
#define MANY UINT64_MAX /* inodes */

static struct plan p;
static uint64_t missing;

static int setup(void **state)
{
	(void)state;
	plan_init(&p, 4096, false);
	missing = 77;
	return 0;
}

/* Exactly @bytes must be free. */
static void assert_needs(uint64_t bytes)
{
	assert_int_equal(plan_fit(&p, bytes, MANY, &missing), PLAN_FITS);
	assert_int_equal(missing, 0);
	assert_int_equal(plan_fit(&p, bytes - 1, MANY, &missing), PLAN_TOO_BIG);
	assert_int_equal(missing, 1);
}

static void nothing_to_do(void **state)
{
	(void)state;
	assert_int_equal(plan_fit(&p, 0, 0, &missing), PLAN_FITS);
	assert_int_equal(missing, 0);
	assert_int_equal(p.changes, 0);
	assert_int_equal(plan_delete_percent(&p, 0), 0);
}

static void block_size_unknown(void **state)
{
	(void)state;
	plan_init(&p, 0, false);
	assert_int_equal(p.block, 4096);
}

static void new_files_are_rounded_up(void **state)
{
	(void)state;
	plan_add_file(&p, 1, 0);
	assert_int_equal(p.used, 4096 + ENTRY);
	plan_add_file(&p, 4096, 0);
	assert_int_equal(p.used, 2 * (4096 + ENTRY));
	plan_add_file(&p, 0, 0);
	assert_int_equal(p.files, 3);
	assert_int_equal(p.changes, 3);
	assert_int_equal(p.new_entries, 3);
	assert_int_equal(p.bytes, 4097);
	assert_needs(2 * 4096 + 3 * ENTRY + RESERVE);
}

static void block_that_is_no_power_of_two(void **state)
{
	(void)state;
	plan_init(&p, 1000, false);
	plan_add_file(&p, 1001, 8);
	assert_int_equal(p.used, 2000 - 8);
	assert_int_equal(p.peak, 2000);
}

/* The new file stands beside the old one until it is renamed. */
static void replacing_needs_both(void **state)
{
	(void)state;
	plan_add_file(&p, 10 * MIB, 10 * MIB);
	assert_int_equal(p.used, 0);
	assert_int_equal(p.peak, 10 * MIB);
	assert_int_equal(p.new_entries, 0);
	assert_needs(10 * MIB + RESERVE);
}

/* What a shrinking file gives back is there for the next one. */
static void order_counts(void **state)
{
	(void)state;
	plan_add_file(&p, 1 * MIB, 100 * MIB);
	assert_int_equal(p.used, -99 * (int64_t)MIB);
	plan_add_file(&p, 90 * MIB, 0);
	assert_int_equal(p.peak, 1 * MIB);
	assert_needs(1 * MIB + RESERVE);

	plan_init(&p, 4096, false);
	plan_add_file(&p, 90 * MIB, 0);
	plan_add_file(&p, 1 * MIB, 100 * MIB);
	assert_needs(91 * MIB + ENTRY + RESERVE);
}

static void in_place_needs_the_difference(void **state)
{
	(void)state;
	plan_init(&p, 4096, true);
	plan_add_file(&p, 10 * MIB, 8 * MIB);
	assert_int_equal(p.used, 2 * MIB);
	plan_add_file(&p, 1 * MIB, 5 * MIB);
	assert_int_equal(p.used, -2 * (int64_t)MIB);
	plan_add_file(&p, 3 * MIB, 0);
	assert_int_equal(p.peak, 2 * MIB);
	assert_needs(2 * MIB + RESERVE);
}

static void entries(void **state)
{
	(void)state;
	plan_add_entry(&p);
	assert_int_equal(p.new_entries, 1);
	assert_int_equal(p.changes, 1);
	assert_int_equal(p.files, 0);
	assert_needs(4096 + RESERVE);
}

static void deleting_first(void **state)
{
	(void)state;
	plan_add_file(&p, 100 * MIB, 0);
	plan_add_delete(&p, 60 * MIB, true);
	plan_add_delete(&p, 0, false);
	assert_int_equal(p.deletes, 2);
	assert_int_equal(p.deletes_regular, 1);
	assert_int_equal(p.changes, 3);
	assert_int_equal(plan_fit(&p, 200 * MIB, MANY, &missing), PLAN_FITS);
	assert_int_equal(plan_fit(&p, 50 * MIB, MANY, &missing),
	        PLAN_FITS_DELETING_FIRST);
	assert_int_equal(missing, 0);
	assert_int_equal(plan_fit(&p, 30 * MIB, MANY, &missing), PLAN_TOO_BIG);
	assert_int_equal(missing, 14 * MIB + ENTRY);
}

static void inodes(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		plan_add_entry(&p);
	plan_add_delete(&p, 0, true);
	plan_add_delete(&p, 0, true);
	assert_int_equal(plan_fit(&p, GIB, 5, &missing), PLAN_FITS);
	/* Deletes come last unless they are needed. */
	assert_int_equal(
	        plan_fit(&p, GIB, 4, &missing), PLAN_FITS_DELETING_FIRST);
	assert_int_equal(
	        plan_fit(&p, GIB, 3, &missing), PLAN_FITS_DELETING_FIRST);
	assert_int_equal(plan_fit(&p, GIB, 2, &missing), PLAN_NO_INODES);
}

/* A sparse file may claim any size. */
static void absurd_sizes(void **state)
{
	(void)state;
	plan_add_file(&p, UINT64_MAX, 0);
	plan_add_file(&p, UINT64_MAX, UINT64_MAX);
	plan_add_file(&p, INT64_MAX, 1);
	assert_int_equal(p.bytes, UINT64_MAX);
	assert_int_equal(p.peak, INT64_MAX);
	assert_int_equal(plan_fit(&p, 4 * GIB, MANY, &missing), PLAN_TOO_BIG);
	assert_int_equal(missing, (uint64_t)INT64_MAX - 4 * GIB);
	plan_add_delete(&p, UINT64_MAX, true);
	plan_add_delete(&p, UINT64_MAX, true);
	assert_int_equal(p.freed, UINT64_MAX);
	assert_int_equal(plan_fit(&p, UINT64_MAX, MANY, &missing), PLAN_FITS);

	plan_init(&p, 4096, true);
	for (int i = 0; i < 3; i++)
		plan_add_file(&p, 0, UINT64_MAX);
	assert_int_equal(p.used, INT64_MIN);
	assert_int_equal(p.peak, 0);
	assert_int_equal(plan_fit(&p, 0, MANY, &missing), PLAN_FITS);
}

static void largest(void **state)
{
	(void)state;
	assert_int_equal(p.largest, 0);
	plan_add_file(&p, 7, 0);
	plan_add_file(&p, 9, 0);
	plan_add_file(&p, 8, 4096);
	assert_int_equal(p.largest, 9);
}

static void delete_percent(void **state)
{
	(void)state;
	plan_add_delete(&p, 1, true);
	assert_int_equal(plan_delete_percent(&p, 1000), 1);
	assert_int_equal(plan_delete_percent(&p, 100), 1);
	assert_int_equal(plan_delete_percent(&p, 99), 2);
	assert_int_equal(plan_delete_percent(&p, 2), 50);
	assert_int_equal(plan_delete_percent(&p, 1), 100);
	assert_int_equal(plan_delete_percent(&p, 0), 100);
	/* Directories cost nothing. */
	plan_add_delete(&p, 0, false);
	assert_int_equal(plan_delete_percent(&p, 100), 1);
	plan_add_delete(&p, 1, true);
	assert_int_equal(plan_delete_percent(&p, 1), 100);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        T(nothing_to_do),
	        T(block_size_unknown),
	        T(new_files_are_rounded_up),
	        T(block_that_is_no_power_of_two),
	        T(replacing_needs_both),
	        T(order_counts),
	        T(in_place_needs_the_difference),
	        T(entries),
	        T(deleting_first),
	        T(inodes),
	        T(absurd_sizes),
	        T(largest),
	        T(delete_percent),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
