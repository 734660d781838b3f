/* SPDX-License-Identifier: MIT */
/* A disk that is found to be gone, and seems to be there at a second look: the
 * linker turns each look to the one here, mk/check.mk. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "str.h"
#include "core/target.h"

static struct target t;
static struct err err;
static int looks;

enum disk_state __wrap_disk_check(const struct disk *disk);
enum disk_state __wrap_disk_check(const struct disk *disk)
{
	(void)disk;
	return looks++ == 0 ? DISK_GONE : DISK_PRESENT;
}

static int set_up(void **state)
{
	(void)state;
	t = TARGET_INIT;
	err = ERR_INIT;
	looks = 0;
	return 0;
}

static void is_told(int r)
{
	assert_int_equal(r, -ENODEV);
	assert_int_equal(err.code, -ENODEV);
	assert_non_null(strstr(err.meaning, "NOT complete"));
	assert_non_null(strstr(err.action, "Plug it in"));
}

static void test_flush(void **state)
{
	(void)state;
	is_told(target_flush(&t, 0, NULL, NULL, &err));
}

/* Unmounting fails as well: that is no good end. */
static void test_unmount(void **state)
{
	(void)state;
	t.mounted = true;
	assert_int_equal(str_copy(t.mountpoint, sizeof(t.mountpoint),
	                         "/nonexistent/mountpoint"),
	        0);
	is_told(target_unmount(&t, &err));
	assert_true(t.mounted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_flush, set_up),
	        cmocka_unit_test_setup(test_unmount, set_up),
	};

	return cmocka_run_group_tests_name("target_gone", tests, NULL, NULL);
}
