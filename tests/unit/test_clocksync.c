/* SPDX-License-Identifier: MIT */
/* A script takes the place of timedatectl, seen by no mount namespace but our
 * own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/timex.h>

#include <cmocka.h>

#include "own_mounts.h"
#include "path.h"
#include "scratch.h"
#include "str.h"
#include "util.h"
#include "core/clocksync.h"

static char base[SCRATCH_PATH];
static char *program;
static bool is_replaced;

/* --- in the place of the C library's -------------------------------------- */

static enum { SYNCHRONISED, NOT_SYNCHRONISED, FORBIDDEN } kernel;
int adjtimex(struct timex *tx)
{
	tx->status = kernel == NOT_SYNCHRONISED ? STA_UNSYNC : 0;
	errno = EPERM;
	if (kernel == FORBIDDEN)
		return -1;
	return kernel == NOT_SYNCHRONISED ? TIME_ERROR : TIME_OK;
}

static void answers(const char *script)
{
	char text[4096];

	(void)snprintf(text, sizeof text,
	        "#!/bin/sh\necho \"$*\" >> %s/calls\n%s\n", base, script);
	scratch_write(base, "fake", text);
	assert_int_equal(chmod(scratch_path(base, "fake"), 0755), 0);
}

static size_t calls(void)
{
	_cleanup_free_ char *text = NULL;
	size_t n = 0;

	if (!scratch_has(base, "calls"))
		return 0;
	text = scratch_read(base, "calls");
	for (char *p = text; *p; p++)
		n += *p == '\n';
	return n;
}

static void the_kernel_is_asked(void **s)
{
	(void)s;
	kernel = SYNCHRONISED;
	clocksync_ask();
	assert_true(clocksync_is_set());
	kernel = NOT_SYNCHRONISED;
	clocksync_ask();
	assert_false(clocksync_is_set());
	/* nobody was asked: it is not known */
	kernel = FORBIDDEN;
	assert_false(clocksync_is_set());
}

static void systemd_is_asked(void **s)
{
	static const char *const no[] = {"echo no", "echo", "", "exit 1",
	        "echo yes; exit 1", "echo yes >&2", "echo yesno", "kill -9 $$"};
	_cleanup_free_ char *text = NULL;

	(void)s;
	program = path_find_program("timedatectl");
	if (!program) {
		print_message("there is no timedatectl\n");
		skip();
	}
	if (!own_mounts())
		skip();
	scratch_make(base, "clocksync");
	answers("");
	assert_int_equal(
	        mount(scratch_path(base, "fake"), program, NULL, MS_BIND, NULL),
	        0);
	is_replaced = true;
	kernel = NOT_SYNCHRONISED;
	clocksync_ask();
	assert_int_equal(calls(), 0);
	kernel = FORBIDDEN;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		answers(no[i]);
		clocksync_ask();
		assert_int_equal(calls(), i + 1);
		assert_false(clocksync_is_set());
	}
	answers("echo yes");
	clocksync_ask();
	assert_true(clocksync_is_set());
	assert_int_equal(calls(), ARRAY_SIZE(no) + 1);
	text = scratch_read(base, "calls");
	assert_true(
	        str_starts(text, "show --property=NTPSynchronized --value\n"));
	/* not again */
	answers("echo no");
	clocksync_ask();
	assert_true(clocksync_is_set());
	/* the kernel's word is newer */
	kernel = NOT_SYNCHRONISED;
	assert_false(clocksync_is_set());
}

static int tear_down(void **state)
{
	(void)state;
	if (is_replaced)
		(void)umount(program);
	free(program);
	scratch_remove(base);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_kernel_is_asked),
	        cmocka_unit_test(systemd_is_asked),
	};

	return cmocka_run_group_tests_name("clocksync", tests, NULL, tear_down);
}
