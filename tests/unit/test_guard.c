/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/guard.h"
#include "core/settings.h"
#include "scratch.h"

static char dir[SCRATCH_PATH];
static struct settings *s;
static struct err err;

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(dir, "guard");
	scratch_mkdir(dir, "source");
	scratch_mkdir(dir, "state");
	scratch_mkdir(dir, "mnt");
	scratch_write(dir, "source/a.vbk", "a");
	s = settings_new();
	assert_non_null(s);
	scratch_set(&s->source, scratch_path(dir, "source/"));
	scratch_set(&s->state_directory, scratch_path(dir, "state"));
	scratch_set(&s->mount_directory, scratch_path(dir, "mnt"));
	scratch_set(&s->destination, "");
	s->min_source_files = 1;
	s->source_must_be_mountpoint = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	settings_freep(&s);
	scratch_remove(dir);
	return 0;
}

static void assert_refused(int code)
{
	err = ERR_INIT;
	assert_int_equal(guard_source(s, &err), code);
	assert_int_equal(err.code, code);
	assert_true(err.message[0] && err.meaning[0] && err.action[0]);
}

static void assert_good(void)
{
	if (guard_source(s, &err) != 0)
		fail_msg("%s", err.message);
}

static void good(void **state)
{
	(void)state;
	assert_good();
}

static void not_there(void **state)
{
	(void)state;
	scratch_set(&s->source, scratch_path(dir, "no"));
	assert_refused(-ENOENT);
	scratch_set(&s->source, scratch_path(dir, "source/a.vbk"));
	assert_refused(-ENOTDIR);
}

static void too_few_files(void **state)
{
	(void)state;
	s->min_source_files = 2;
	assert_refused(-ENODATA);
	/* Only regular files count, in whatever directory. */
	scratch_mkdir(dir, "source/sub");
	assert_int_equal(symlink("a.vbk", scratch_path(dir, "source/l")), 0);
	assert_refused(-ENODATA);
	scratch_write(dir, "source/sub/b", "b");
	assert_good();

	assert_int_equal(unlink(scratch_path(dir, "source/a.vbk")), 0);
	assert_int_equal(unlink(scratch_path(dir, "source/sub/b")), 0);
	s->min_source_files = 1;
	assert_refused(-ENODATA);
	s->min_source_files = 0;
	assert_good();
}

static void unreadable(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0711), 0);
	assert_int_equal(chmod(scratch_path(dir, "source"), 0711), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(10);
		_exit(guard_source(s, &err) == -EACCES ? 0 : 11);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void overlaps(void **state)
{
	(void)state;
	scratch_mkdir(dir, "source/dest");
	scratch_set(&s->destination, scratch_path(dir, "source/dest"));
	assert_refused(-ELOOP);
	scratch_set(&s->destination, scratch_path(dir, "source"));
	assert_refused(-ELOOP);
	scratch_set(&s->destination, dir);
	assert_refused(-ELOOP);
	/* A name that only begins alike. */
	scratch_mkdir(dir, "source2");
	scratch_set(&s->destination, scratch_path(dir, "source2"));
	assert_good();

	scratch_set(&s->destination, "");
	scratch_set(&s->mount_directory, scratch_path(dir, "source/dest"));
	assert_refused(-ELOOP);
	scratch_set(&s->mount_directory, scratch_path(dir, "mnt"));
	scratch_set(&s->state_directory, scratch_path(dir, "source/dest"));
	assert_refused(-ELOOP);
}

/* The mount point is made later, and then it is too late. */
static void overlaps_with_what_is_not_there_yet(void **state)
{
	(void)state;
	scratch_set(&s->destination, scratch_path(dir, "source/x/y"));
	assert_refused(-ELOOP);
	scratch_set(&s->destination, scratch_path(dir, "mnt/x/y"));
	assert_good();
	scratch_set(&s->state_directory, scratch_path(dir, "source/x/y"));
	assert_refused(-ELOOP);
}

static void overlaps_through_a_link(void **state)
{
	(void)state;
	assert_int_equal(symlink("source", scratch_path(dir, "link")), 0);
	scratch_set(&s->destination, scratch_path(dir, "link/x"));
	assert_refused(-ELOOP);
}

static void must_be_a_mount_point(void **state)
{
	(void)state;
	s->source_must_be_mountpoint = true;
	assert_refused(-ENOENT);
	assert_non_null(strstr(err.action, "mount "));
}

/* In a mount namespace of its own: 0 when all is as it should be. */
static int with_mounts(void)
{
	char fstab[2 * SCRATCH_PATH];

	if (unshare(CLONE_NEWNS) < 0 ||
	        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return 10;
	(void)snprintf(fstab, sizeof(fstab),
	        "# a comment\n/dev/sdz1 %s/source ext4 noauto 0 0\n", dir);
	scratch_write(dir, "fstab", fstab);
	if (mount(scratch_path(dir, "fstab"), "/etc/fstab", "none", MS_BIND,
	            NULL) < 0)
		return 11;
	/* It has files, but they are those below the missing mount. */
	if (guard_source(s, &err) != -ENOENT)
		return 12;
	if (mount("none", scratch_path(dir, "source"), "tmpfs", 0, NULL) < 0)
		return 13;
	if (guard_source(s, &err) != -ENODATA)
		return 14;
	scratch_write(dir, "source/b", "b");
	s->source_must_be_mountpoint = true;
	return guard_source(s, &err) == 0 ? 0 : 15;
}

static void mount_that_is_missing(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (geteuid() != 0 || access("/etc/fstab", F_OK) < 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(with_mounts());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 10)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(good),
	        T(not_there),
	        T(too_few_files),
	        T(unreadable),
	        T(overlaps),
	        T(overlaps_with_what_is_not_there_yet),
	        T(overlaps_through_a_link),
	        T(must_be_a_mount_point),
	        T(mount_that_is_missing),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
