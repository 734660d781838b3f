/* SPDX-License-Identifier: MIT */
/* mount_fuse on a loop device: what is told of a driver that fails. What a run
 * makes of it is in root/ntfs.sh. */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "scratch.h"
#include "loopdev.h"
#include "ntfsdisk.h"
#include "str.h"
#include "sys/mount.h"
#include "sys/mount_fuse.h"

static struct ntfs_disk d;
static struct mount_fuse *driver;

static int set_up(void **state)
{
	(void)state;
	ntfs_set_up(&d);
	driver = NULL;
	return 0;
}

static int tear_down(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	while (umount2(d.target, MNT_DETACH) == 0)
		;
	if (driver)
		(void)!mount_fuse_end(driver, 1000, &err);
	ntfs_tear_down(&d);
	return 0;
}

/* The right to mount; without it a driver that runs already goes on. */
static void set_mount_right(bool on)
{
	struct __user_cap_header_struct head = {
	        .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct cap[2];

	assert_int_equal(syscall(SYS_capget, &head, cap), 0);
	if (on)
		cap[0].effective |= 1U << CAP_SYS_ADMIN;
	else
		cap[0].effective &= ~(1U << CAP_SYS_ADMIN);
	assert_int_equal(syscall(SYS_capset, &head, cap), 0);
}

static int confine_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int start_with(const char *path, bool read_only,
        const struct mount_fuse_options *opt, struct err *err)
{
	struct mount_request req = {.device = d.loop.device,
	        .target = d.target,
	        .fstype = "ntfs",
	        .read_only = read_only,
	        .noatime = true};
	const char *missing = "x";
	int r = mount_fuse_start(path, &req, opt, &driver, &missing, err);

	if (r == 0)
		assert_null(missing);
	return r;
}

static int start(bool read_only, struct err *err)
{
	struct mount_fuse_options opt = {
	        .confine = confine_nothing, .timeout_ms = 30000};
	_cleanup_free_ char *path = NULL;

	assert_int_equal(mount_fuse_find("ntfs", &path, err), 0);
	return start_with(path, read_only, &opt, err);
}

static void detach(void)
{
	struct err err = ERR_INIT;

	if (mount_detach(d.target, &err) < 0)
		fail_msg("%s", err.message);
}

static int end(struct err *err)
{
	struct mount_fuse *m = driver;

	driver = NULL;
	return mount_fuse_end(m, 10000, err);
}

static void test_good(void **state)
{
	char where[SCRATCH_PATH];
	struct err err = ERR_INIT;
	uint64_t did;

	(void)state;
	NEED_NTFS(&d);
	assert_int_equal(start(false, &err), 0);
	assert_int_equal(
	        mount_find(d.loop.device, d.loop.devno, where, sizeof(where)),
	        1);
	assert_string_equal(where, d.target);
	assert_false(mount_fuse_has_ended(driver));
	assert_int_equal(mount_fuse_drop(driver, d.target), -EBUSY);
	assert_false(mount_fuse_await_end(driver, 1));
	did = mount_fuse_activity(driver);
	assert_true(did > 0);
	scratch_write(d.target, "file", "text");
	assert_true(mount_fuse_activity(driver) > did);
	detach();
	assert_int_equal(end(&err), 0);
}

static void test_read_only(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	NEED_NTFS(&d);
	assert_int_equal(start(true, &err), 0);
	assert_int_equal(
	        open(scratch_path(d.target, "f"), O_WRONLY | O_CREAT, 0600),
	        -1);
	assert_int_equal(errno, EROFS);
	detach();
	assert_int_equal(end(&err), 0);
}

static void test_killed(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	NEED_NTFS(&d);
	assert_int_equal(start(false, &err), 0);
	mount_fuse_kill(driver);
	assert_true(mount_fuse_await_end(driver, 10000));
	assert_int_equal(mount_fuse_drop(driver, d.target), 0);
	assert_int_equal(mount_is_point(d.target), 0);
	assert_int_equal(end(&err), -EIO);
	assert_non_null(strstr(err.message, "Killed"));
}

static void test_not_ntfs(void **state)
{
	struct err err = ERR_INIT;
	char zeros[4096] = {0};

	(void)state;
	NEED_NTFS(&d);
	assert_int_equal(pwrite(d.loop.fd, zeros, sizeof(zeros), 0), 4096);
	assert_int_equal(start(false, &err), -EUCLEAN);
	assert_non_null(strstr(err.action, "chkdsk"));
	assert_null(driver);
	assert_int_equal(mount_is_point(d.target), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* --- it is mounted, but not as it must be --------------------------------- */

/* Lets the driver go on, with an option missing that we cannot add either. */
static int on_tick_without_rights(void *arg)
{
	int fd = open(scratch_path(d.dir, "go"), O_WRONLY | O_NONBLOCK);

	(void)arg;
	if (fd < 0)
		return 0;
	set_mount_right(false);
	assert_int_equal(write(fd, "\n", 1), 1);
	assert_int_equal(close(fd), 0);
	return 0;
}

static void test_unsafe(void **state)
{
	bool killed = false;
	struct mount_fuse_options opt = {.confine = confine_nothing,
	        .on_tick = on_tick_without_rights,
	        .timeout_ms = 30000,
	        .ret_killed = &killed};
	struct err err = ERR_INIT;
	int r;

	(void)state;
	NEED_NTFS(&d);
	assert_int_equal(mkfifo(scratch_path(d.dir, "go"), 0600), 0);
	r = start_with(ntfs_fake_driver(&d,
	                       "read -r x < \"${0%/*}/go\"\n"
	                       "options=$(echo \"$2\" | sed s/noexec,//)\n"
	                       "exec ntfs-3g -o \"$options\" \"$3\" \"$4\""),
	        false, &opt, &err);
	set_mount_right(true);
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(err.message, "noexec"));
	assert_true(killed);
	assert_null(driver);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* --- it is not mounted ---------------------------------------------------- */

static int stop_at_tick_3(void *arg)
{
	int *ticks = arg;

	return ++*ticks == 3;
}

static int64_t cpu_ms(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* Without a word, or with too many: it is waited for without burning. */
static void waits(const char *script)
{
	int ticks = 0;
	bool killed = false;
	struct mount_fuse_options opt = {.confine = confine_nothing,
	        .on_tick = stop_at_tick_3,
	        .tick_arg = &ticks,
	        .timeout_ms = 30000,
	        .ret_killed = &killed};
	struct err err = ERR_INIT;
	int64_t before = cpu_ms();

	assert_int_equal(
	        start_with(ntfs_fake_driver(&d, script), false, &opt, &err),
	        -ECANCELED);
	assert_int_equal(ticks, 3);
	assert_true(killed);
	assert_true(cpu_ms() - before < 500);
	assert_null(driver);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_waits(void **state)
{
	(void)state;
	NEED_NTFS(&d);
	waits("exec > /dev/null 2>&1 sleep 1000");
	waits("head -c 1000000 /dev/zero; exec sleep 1000");
}

static int fails(
        const char *script, struct mount_fuse_options *opt, struct err *err)
{
	bool killed = true;
	int r;

	*err = ERR_INIT;
	opt->ret_killed = &killed;
	r = start_with(ntfs_fake_driver(&d, script), false, opt, err);
	assert_false(killed);
	assert_null(driver);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return r;
}

/* What is made of its exit code, and of what it says. */
static void test_explains(void **state)
{
	static const struct {
		const char *script;
		int code;
		const char *message, *action;
	} cases[] = {
	        {"exit 12", -EUCLEAN, "exit code 12", "chkdsk"},
	        {"echo bad; exit 13", -EUCLEAN, "(bad)", "chkdsk"},
	        {"exit 18", -EUCLEAN, "exit code 18", "chkdsk"},
	        {"exit 14", -EUCLEAN, "hibernates", "chkdsk"},
	        {"exit 15", -EUCLEAN, "hibernates", "chkdsk"},
	        {"exit 16", -EBUSY, "in use", "fuser -v /dev/loop"},
	        {"exit 21", -EIO, "exit code 21", "modprobe fuse"},
	        {"echo why >&2; exit 1", -EIO, "why", "modprobe fuse"},
	        {"exit 0", -EIO, "exit code 0", "modprobe fuse"},
	};
	struct mount_fuse_options opt = {
	        .confine = confine_nothing, .timeout_ms = 30000};
	struct err err;

	(void)state;
	NEED_NTFS(&d);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
		        fails(cases[i].script, &opt, &err), cases[i].code);
		if (!strstr(err.message, cases[i].message) ||
		        !strstr(err.action, cases[i].action))
			fail_msg("%s: %s; %s", cases[i].script, err.message,
			        err.action);
	}
}

static int confine_refused(void *arg)
{
	(void)arg;
	return -ENOSYS;
}

static void test_not_confined(void **state)
{
	struct mount_fuse_options opt = {
	        .confine = confine_refused, .timeout_ms = 30000};
	struct err err;

	(void)state;
	NEED_NTFS(&d);
	assert_int_equal(fails("exit 0", &opt, &err), -ENOSYS);
	assert_non_null(strstr(err.message, "ntfs-3g"));
}

/* Of one that mounts too late nobody knows what it has written. */
static void test_takes_too_long(void **state)
{
	bool killed = false;
	struct mount_fuse_options opt = {.confine = confine_nothing,
	        .timeout_ms = 1,
	        .ret_killed = &killed};
	struct err err = ERR_INIT;

	(void)state;
	NEED_NTFS(&d);
	assert_int_equal(start_with(ntfs_fake_driver(&d, "exec sleep 1000"),
	                         false, &opt, &err),
	        -ETIMEDOUT);
	assert_true(killed);
	assert_null(driver);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_find(void **state)
{
	struct err err = ERR_INIT;
	char *path = NULL;

	(void)state;
	assert_int_equal(mount_fuse_find("ext4", &path, &err), -ENOENT);
	assert_null(path);
	assert_int_equal(err.code, 0);
}

/* --- what it says --------------------------------------------------------- */

#define USUAL                                                       \
	"Version 2022.10.3 integrated FUSE 28\n"                    \
	"Mounted /dev/loop1 (Read-Write, label \"x\", NTFS 3.1)\n"  \
	"Cmdline options: no_detach,rw\nMount options: nosuid\n"    \
	"Global ownership and permissions enforced, configuration " \
	"type 7\n"                                                  \
	"x: Invalid or incomplete multibyte or wide character\n"    \
	"Unmounting /dev/loop1 (x)\n"

static void complaint_is(const char *said, const char *wanted)
{
	char got[200];

	mount_fuse_complaint(said, strlen(said), got, sizeof(got));
	assert_string_equal(got, wanted);
}

static void test_complaint(void **state)
{
	char got[8];

	(void)state;
	complaint_is("", "");
	complaint_is("\n\n", "");
	complaint_is(USUAL, "");
	complaint_is(USUAL "Failed to sync device /dev/x: I/O error\nmore\n",
	        "Failed to sync device /dev/x: I/O error");
	complaint_is(USUAL "no end of line", "no end of line");
	complaint_is("Ver", "Ver");
	complaint_is("a\033[31mb\n", "a\\x1B[31mb");
	complaint_is(
	        "x: No space left on device\n", "x: No space left on device");
	mount_fuse_complaint("a\0b\n", 4, got, sizeof(got));
	assert_string_equal(got, "a?b");
	mount_fuse_complaint("\0b\n", 3, got, sizeof(got));
	assert_true(got[0] != '\0');
	mount_fuse_complaint("much too long\n", 14, got, sizeof(got));
	assert_true(got[0] != '\0' && strlen(got) < sizeof(got));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_good),
	        TEST(test_read_only),
	        TEST(test_killed),
	        TEST(test_not_ntfs),
	        TEST(test_unsafe),
	        TEST(test_waits),
	        TEST(test_explains),
	        TEST(test_not_confined),
	        TEST(test_takes_too_long),
	        TEST(test_find),
	        TEST(test_complaint),
	};

	if (!ntfs_unshare())
		return 1;
	return cmocka_run_group_tests_name("mount_fuse", tests, NULL, NULL);
}
