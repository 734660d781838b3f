/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "idle.h"

/* As if so much time had passed. */
static void pass(struct idle *i, int64_t s)
{
	i->last_ms -= s * 1000;
}

static void test_start(void **state)
{
	struct idle i = {.count = 7};

	(void)state;
	idle_start(&i, 10);
	assert_true(clock_mono_ms() - i.last_ms < 5000);
	assert_int_equal(i.count, 0);
	assert_false(idle_too_long(&i, 0));
	pass(&i, 5);
	assert_false(idle_too_long(&i, 0));
	pass(&i, 6);
	assert_true(idle_too_long(&i, 0));
	assert_true(idle_too_long(&i, 0));
}

static void test_moves(void **state)
{
	struct idle i;

	(void)state;
	idle_start(&i, 10);
	for (uint64_t n = 1; n < 4; n++) {
		pass(&i, 11);
		assert_false(idle_too_long(&i, n));
	}
	/* A new disk counts from 0: that is something too. */
	pass(&i, 11);
	assert_false(idle_too_long(&i, 0));
	pass(&i, 11);
	idle_moved(&i);
	assert_false(idle_too_long(&i, 0));
	pass(&i, 11);
	assert_true(idle_too_long(&i, 0));
}

static void test_no_limit(void **state)
{
	struct idle i;

	(void)state;
	idle_start(&i, 0);
	pass(&i, 1000000);
	assert_false(idle_too_long(&i, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_start),
	        cmocka_unit_test(test_moves),
	        cmocka_unit_test(test_no_limit),
	};

	return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
