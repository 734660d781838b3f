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
#include "core/rsync_run.h"
#include "core/settings.h"
#include "core/target.h"
#include "scratch.h"

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

/* While something runs in the place of rsync, which is stopped. */
static void test_rsync(void **state)
{
	_cleanup_strv_ struct strv argv = STRV_INIT;
	struct settings s = {.io_priority = SETTINGS_IO_NORMAL};
	struct rsync_run run = {.settings = &s,
	        .target = &t,
	        .argv = &argv,
	        .copy_lock_fd = -1};
	static struct rsync_run_result res;
	char dir[SCRATCH_PATH];

	(void)state;
	scratch_make(dir, "gone");
	s.source = dir;
	t.dest_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(strv_add(&argv, "/bin/sh"), 0);
	assert_int_equal(strv_add(&argv, "-c"), 0);
	assert_int_equal(
	        strv_add(&argv, "trap 'exit 20' TERM; sleep 60 & wait"), 0);
	assert_int_equal(rsync_run(&run, &res, &err), 0);
	assert_true(looks > 1);
	assert_true(res.disk_lost);
	assert_int_equal(res.verdict, RSYNC_DISK);
	is_told(err.code);
	target_done(&t);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_flush, set_up),
	        cmocka_unit_test_setup(test_unmount, set_up),
	        cmocka_unit_test_setup(test_rsync, set_up),
	};

	return cmocka_run_group_tests_name("target_gone", tests, NULL, NULL);
}
