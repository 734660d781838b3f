/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <cmocka.h>

#include "core/lockdir.h"
#include "err.h"
#include "flying_time.h"
#include "lockfile.h"
#include "own_mounts.h"
#include "scratch.h"
#include "str.h"

static char base[SCRATCH_PATH]; /* of the test */
static char path[SCRATCH_PATH]; /* of the locks, below it */
static struct lockdir d;
static struct err err;

/* --- in the place of the C library's -------------------------------------- */

static uint32_t fs_type; /* 0 = as it is */
static int fs_errno;
int fstatfs(int fd, struct statfs *st)
{
	int r = (int)syscall(SYS_fstatfs, fd, st);

	if (fs_type)
		st->f_type = (__fsword_t)fs_type;
	if (fs_errno == 0)
		return r;
	errno = fs_errno;
	return -1;
}

static void (*before_flock)(void);
int flock(int fd, int operation)
{
	if (before_flock)
		before_flock();
	return (int)syscall(SYS_flock, fd, operation);
}

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	d = LOCKDIR_INIT;
	fs_type = 0;
	fs_errno = 0;
	before_flock = NULL;
	stop_time();
	scratch_make(base, "lockdir");
	(void)snprintf(path, sizeof path, "%.*s/lock", SCRATCH_PATH - 8, base);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	before_flock = NULL;
	lockdir_close(&d);
	scratch_remove(base);
	return 0;
}

static void open_it(void)
{
	assert_int_equal(lockdir_open(&d, path, &err), 0);
}

/* Closed, with a reason and something to do. */
static void is_refused(int expected)
{
	static const struct err none;
	struct lockdir x = LOCKDIR_INIT;

	err = none;
	assert_int_equal(lockdir_open(&x, path, &err), expected);
	assert_int_equal(err.code, expected);
	assert_string_equal(err.meaning,
	        "It cannot be seen whether Veeam and the copy keep apart.");
	assert_true(err.action[0]);
	assert_null(x.path);
	assert_int_equal(x.fd, -1);
	assert_int_equal(x.lease_fd, -1);
	assert_int_equal(x.queue_fd, -1);
	assert_int_equal(x.stale_fd, -1);
}

#define SAYS(part)                                                      \
	do {                                                            \
		if (!strstr(err.message, part))                         \
			fail_msg("not '%s' in: %s", part, err.message); \
	} while (0)

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(scratch_path(path, name), &st), 0);
	return st.st_mode & 07777;
}

/* --- opening -------------------------------------------------------------- */

static void what_is_missing_is_made(void **s)
{
	mode_t old = umask(0);

	(void)s;
	(void)str_copy(path, sizeof path, scratch_path(base, "a/b/lock"));
	open_it();
	(void)umask(old);
	assert_int_equal(mode_of("."), 0700);
	assert_int_equal(mode_of("lease"), 0700);
	assert_int_equal(mode_of("queue"), 0700);
	assert_int_equal(mode_of("stale"), 0700);
	assert_int_equal(mode_of("copy"), 0600);
	assert_true(fcntl(d.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(d.lease_fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(d.queue_fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(d.stale_fd, F_GETFD) & FD_CLOEXEC);
	lockdir_close(&d);
	assert_int_equal(d.fd, -1);
	lockdir_close(&d);
	open_it(); /* once more, now that it is there */
}

static void looking_makes_nothing(void **s)
{
	(void)s;
	assert_int_equal(lockdir_open_existing(&d, path, &err), -ENOENT);
	assert_false(scratch_has(path, "."));
	scratch_mkdir(base, "lock");
	assert_int_equal(lockdir_open_existing(&d, path, &err), -ENOENT);
	assert_false(scratch_has(path, "lease"));
	open_it();
	lockdir_close(&d);
	assert_int_equal(lockdir_open_existing(&d, path, &err), 0);
	assert_false(scratch_has(path, "gate"));
}

static void a_link_is_refused(void **s)
{
	(void)s;
	scratch_mkdir(base, "real");
	assert_int_equal(symlink("real", path), 0);
	is_refused(-ELOOP);
	SAYS("is a symbolic link");
	strcat(path, "/");
	is_refused(-ELOOP);
	strcat(path, "//");
	is_refused(-ELOOP);
	assert_false(scratch_has(base, "real/lease"));
}

static void slashes_behind_it_are_nothing(void **s)
{
	_cleanup_close_ int gate = -1;

	(void)s;
	strcat(path, "///");
	open_it();
	assert_false(str_ends(d.path, "/"));
	gate = lockdir_enter(&d, &err);
	assert_true(gate >= 0);
}

static void no_directory_is_refused(void **s)
{
	(void)s;
	scratch_write(base, "lock", "");
	is_refused(-ENOTDIR);
	scratch_write(base, "file", "");
	(void)str_copy(path, sizeof path, scratch_path(base, "file/lock"));
	is_refused(-ENOTDIR);
	path[0] = '\0';
	is_refused(-ENOENT);
}

static void parts_that_are_not_ours(void **s)
{
	static const char *const parts[] = {"lease", "queue", "stale"};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		open_it();
		lockdir_close(&d);
		assert_int_equal(rmdir(scratch_path(path, parts[i])), 0);
		assert_int_equal(
		        symlink("..", scratch_path(path, parts[i])), 0);
		is_refused(-ELOOP);
		SAYS(parts[i]);
		assert_int_equal(unlink(scratch_path(path, parts[i])), 0);
		scratch_write(path, parts[i], "");
		is_refused(-ENOTDIR);
		assert_int_equal(unlink(scratch_path(path, parts[i])), 0);
		scratch_mkdir(path, parts[i]);
		assert_int_equal(chmod(scratch_path(path, parts[i]), 0777), 0);
		is_refused(-EPERM);
		SAYS(parts[i]);
		assert_int_equal(chmod(scratch_path(path, parts[i]), 0700), 0);
	}
	assert_int_equal(unlink(scratch_path(path, "copy")), 0);
	assert_int_equal(symlink("elsewhere", scratch_path(path, "copy")), 0);
	is_refused(-ELOOP);
	assert_false(scratch_has(path, "elsewhere"));
}

static void others_may_not_write_to_it(void **s)
{
	static const mode_t bad[] = {0777, 01777, 0770, 0702, 0720},
	                    good[] = {0700, 0755, 0711, 0750};

	(void)s;
	scratch_mkdir(base, "lock");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(chmod(path, bad[i]), 0);
		is_refused(-EPERM);
		SAYS("others may write to ");
		assert_non_null(strstr(err.action, "chmod 0700 "));
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(chmod(path, good[i]), 0);
		open_it();
		lockdir_close(&d);
	}
}

static void somebody_elses_is_refused(void **s)
{
	(void)s;
	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	scratch_mkdir(base, "lock");
	assert_int_equal(chown(path, 12345, 0), 0);
	is_refused(-EPERM);
	SAYS("belongs to somebody else (uid 12345)");
	assert_int_equal(chown(path, 0, 0), 0);
	open_it();
	lockdir_close(&d);
	assert_int_equal(chown(scratch_path(path, "queue"), 12345, 0), 0);
	is_refused(-EPERM);
	SAYS("queue");
}

static void only_local_file_systems(void **s)
{
	static const uint32_t bad[] = {0x6969, 0x517b, 0xff534d42, 0xfe534d42,
	        0x65735546, 0x01021997, 0x5346414f, 0x6b414653, 0x00c36400,
	        0x73757245, 0x786f4256, 0xbacbacbc, 0x7c7c6673, 0x0bd00bd0,
	        0x47504653, 0x19830326, 0x20030528, 0x7461636f, 0x01161970};
	/* ext4, XFS, btrfs, tmpfs, ZFS, and overlayfs, whose flock(2) is that
	 * of one kernel */
	static const uint32_t good[] = {0xef53, 0x58465342, 0x9123683e,
	        0x01021994, 0x2fc12fc1, 0x794c7630};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fs_type = bad[i];
		is_refused(-EOPNOTSUPP);
		SAYS("network or FUSE file system");
		assert_int_equal(
		        lockdir_open_existing(&d, path, &err), -EOPNOTSUPP);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		fs_type = good[i];
		open_it();
		lockdir_close(&d);
	}
	fs_errno = EIO;
	is_refused(-EIO);
}

/* --- on a disk that is full or read-only ---------------------------------- */

static void tmpfs(const char *options)
{
	assert_int_equal(mkdir(path, 0700), 0);
	if (!own_mounts())
		skip();
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, options), 0);
}

static void a_full_disk(void **s)
{
	(void)s;
	tmpfs("nr_inodes=4,mode=700"); /* room for three directories */
	is_refused(-ENOSPC);
	SAYS("copy");
	assert_int_equal(umount(path), 0);
	assert_int_equal(
	        mount("tmpfs", path, "tmpfs", 0, "nr_inodes=2,mode=700"), 0);
	is_refused(-ENOSPC);
	assert_int_equal(umount(path), 0);
	/* The gate is the last to find no room. */
	assert_int_equal(
	        mount("tmpfs", path, "tmpfs", 0, "nr_inodes=5,mode=700"), 0);
	open_it();
	assert_int_equal(lockdir_enter(&d, &err), -ENOSPC);
	assert_true(str_starts(err.message, path));
	lockdir_close(&d);
	assert_int_equal(umount(path), 0);
}

static void a_read_only_disk(void **s)
{
	(void)s;
	tmpfs("mode=700");
	assert_int_equal(
	        mount(NULL, path, "none", MS_REMOUNT | MS_RDONLY, NULL), 0);
	is_refused(-EROFS);
	assert_int_equal(mount(NULL, path, "none", MS_REMOUNT, NULL), 0);
	open_it();
	(void)close(lockdir_enter(&d, &err));
	lockdir_close(&d);
	assert_int_equal(
	        mount(NULL, path, "none", MS_REMOUNT | MS_RDONLY, NULL), 0);
	/* all of it is there: one may look, but not enter */
	assert_int_equal(lockdir_open_existing(&d, path, &err), 0);
	assert_int_equal(lockdir_enter(&d, &err), -EROFS);
	assert_true(str_starts(err.message, path));
	lockdir_close(&d);
	assert_int_equal(umount(path), 0);
}

/* --- the gate ------------------------------------------------------------- */

static bool is_held(void)
{
	return lockfile_is_held(AT_FDCWD, scratch_path(path, "gate"));
}

static void one_at_a_time(void **s)
{
	int gate;

	(void)s;
	open_it();
	gate = lockdir_enter(&d, &err);
	assert_true(gate >= 0);
	assert_true(fcntl(gate, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(mode_of("gate"), 0600);
	assert_true(is_held());
	(void)close(gate);
	assert_false(is_held());
}

static void held_for_ever(void **s)
{
	int gate;

	(void)s;
	open_it();
	gate = lockdir_enter(&d, &err);
	time_flies = true;
	assert_int_equal(lockdir_enter(&d, &err), -ETIMEDOUT);
	assert_int_equal(err.code, -ETIMEDOUT);
	SAYS("another program holds ");
	SAYS("/lock/gate and does not let go of it");
	assert_non_null(strstr(err.action, "/lock/gate"));
	(void)close(gate);
	gate = lockdir_enter(&d, &err);
	assert_true(gate >= 0);
	(void)close(gate);
}

static void enters(void)
{
	int gate = lockdir_enter(&d, &err);
	struct stat a, b;

	if (gate < 0)
		fail_msg("%s", err.message);
	assert_true(is_held());
	assert_int_equal(fstat(d.fd, &a), 0);
	assert_int_equal(stat(path, &b), 0);
	assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	assert_int_equal(faccessat(d.lease_fd, ".", W_OK, 0), 0);
	assert_int_equal(fstat(d.lease_fd, &a), 0);
	assert_int_equal(stat(scratch_path(path, "lease"), &b), 0);
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(fstat(d.queue_fd, &a), 0);
	assert_int_equal(stat(scratch_path(path, "queue"), &b), 0);
	assert_true(a.st_ino == b.st_ino);
	(void)close(gate);
}

/* Somebody holds the one that is gone. */
static void the_gate_is_removed(void **s)
{
	_cleanup_close_ int gate = -1;

	(void)s;
	open_it();
	gate = lockdir_enter(&d, &err);
	assert_int_equal(unlink(scratch_path(path, "gate")), 0);
	enters();
	scratch_write(path, "other", "");
	assert_int_equal(
	        rename(scratch_path(path, "other"), scratch_path(path, "gate")),
	        0);
	enters();
}

static void the_gate_is_something_else(void **s)
{
	(void)s;
	open_it();
	assert_int_equal(symlink("copy", scratch_path(path, "gate")), 0);
	assert_int_equal(lockdir_enter(&d, &err), -ELOOP);
	assert_true(str_starts(err.message, path));
	assert_int_equal(unlink(scratch_path(path, "gate")), 0);
	assert_int_equal(mkfifo(scratch_path(path, "gate"), 0600), 0);
	assert_int_equal(lockdir_enter(&d, &err), -EINVAL);
}

static void the_directory_is_moved_away(void **s)
{
	(void)s;
	open_it();
	assert_int_equal(rename(path, scratch_path(base, "old")), 0);
	enters();
	assert_false(scratch_has(base, "old/gate") && is_held());
}

static void the_directory_is_removed(void **s)
{
	(void)s;
	open_it();
	scratch_remove(path);
	enters();
}

static void the_directory_is_a_link_now(void **s)
{
	(void)s;
	open_it();
	assert_int_equal(rename(path, scratch_path(base, "old")), 0);
	assert_int_equal(symlink("old", path), 0);
	assert_int_equal(lockdir_enter(&d, &err), -ELOOP);
	lockdir_close(&d);
}

static void a_part_is_replaced(void **s)
{
	static const char *const parts[] = {"lease", "queue", "stale"};

	(void)s;
	open_it();
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		assert_int_equal(rmdir(scratch_path(path, parts[i])), 0);
		enters();
		assert_true(scratch_has(path, parts[i]));
		assert_int_equal(rename(scratch_path(path, parts[i]),
		                         scratch_path(base, parts[i])),
		        0);
		scratch_mkdir(path, parts[i]);
		enters();
	}
}

/* Just before the lock is taken, and again and again. */
static void move_away(void)
{
	static int n;
	char to[32];

	(void)snprintf(to, sizeof to, "moved%d", n++);
	(void)rename(path, scratch_path(base, to));
}

static void replaced_again_and_again(void **s)
{
	(void)s;
	open_it();
	before_flock = move_away;
	assert_int_equal(lockdir_enter(&d, &err), -ESTALE);
	SAYS("is replaced again and again");
	before_flock = NULL;
	enters();
}

/* --- half made ------------------------------------------------------------ */

static void what_is_half_made_goes(void **s)
{
	(void)s;
	open_it();
	scratch_write(path, "lease/.job.x1y2z3", "");
	scratch_write(path, "lease/...", "");
	scratch_write(path, "lease/job", "");
	scratch_mkdir(path, "lease/.dir");
	lockdir_clear_away(d.lease_fd);
	assert_false(scratch_has(path, "lease/.job.x1y2z3"));
	assert_false(scratch_has(path, "lease/..."));
	assert_true(scratch_has(path, "lease/job"));
	assert_true(scratch_has(path, "lease/.dir"));
	lockdir_clear_away(-1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(what_is_missing_is_made),
	        TEST(looking_makes_nothing),
	        TEST(a_link_is_refused),
	        TEST(slashes_behind_it_are_nothing),
	        TEST(no_directory_is_refused),
	        TEST(parts_that_are_not_ours),
	        TEST(others_may_not_write_to_it),
	        TEST(somebody_elses_is_refused),
	        TEST(only_local_file_systems),
	        TEST(a_full_disk),
	        TEST(a_read_only_disk),
	        TEST(one_at_a_time),
	        TEST(held_for_ever),
	        TEST(the_gate_is_removed),
	        TEST(the_gate_is_something_else),
	        TEST(the_directory_is_moved_away),
	        TEST(the_directory_is_removed),
	        TEST(the_directory_is_a_link_now),
	        TEST(a_part_is_replaced),
	        TEST(replaced_again_and_again),
	        TEST(what_is_half_made_goes),
	};

	return cmocka_run_group_tests_name("lockdir", tests, NULL, NULL);
}
