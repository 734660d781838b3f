/* SPDX-License-Identifier: MIT */
/* target_driver and target_guard on a loop device with ntfs-3g: the verdict,
 * and a driver that stands still under a call of ours. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "scratch.h"
#include "clock.h"
#include "loopdev.h"
#include "ntfsdisk.h"
#include "str.h"
#include "core/target.h"
#include "core/target_driver.h"
#include "core/target_guard.h"
#include "sys/mount_fuse.h"
#include "sys/ntfs_volume.h"

static struct ntfs_disk d;
static struct target t;
static struct err err;
static char replaced[SCRATCH_PATH]; /* a program; "" = none */

/* In the place of poll(2), mk/check.mk: a signal comes at the end of the
 * guard. */
static int interrupted;
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	if (n == 1 && fds->fd == t.guard_end_fd && interrupted++ == 0) {
		errno = EINTR;
		return -1;
	}
	return __real_poll(fds, n, timeout_ms);
}

static int set_up(void **state)
{
	(void)state;
	ntfs_set_up(&d);
	t = TARGET_INIT;
	err = ERR_INIT;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	target_guard_stop(&t);
	target_done(&t);
	while (umount2(t.mountpoint, MNT_DETACH) == 0)
		;
	if (t.driver) {
		(void)target_driver_give_up(&t);
		(void)!target_driver_end(&t, &err);
	}
	if (replaced[0])
		assert_int_equal(umount2(replaced, 0), 0);
	replaced[0] = '\0';
	ntfs_tear_down(&d);
	return 0;
}

static int try_mount(void)
{
	struct mount_request req = {.device = d.loop.device,
	        .target = t.mountpoint,
	        .fstype = "ntfs",
	        .noatime = true};

	(void)str_copy(t.mountpoint, sizeof(t.mountpoint), d.target);
	assert_int_equal(disk_probe(d.loop.device, &t.disk, &err), 0);
	return target_driver_mount(&t, &req, NULL, &err);
}

static void mount_it(void)
{
	if (try_mount() < 0)
		fail_msg("%s", err.message);
	t.root_fd = open(t.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.root_fd >= 0);
}

#define NEED_MOUNT()           \
	do {                   \
		NEED_NTFS(&d); \
		mount_it();    \
	} while (0)

static bool is_dirty(void)
{
	struct ntfs_volume v;

	assert_int_equal(ntfs_volume_read(d.loop.fd, NTFS_SIZE, &v), 0);
	return ntfs_volume_is_dirty(&v);
}

/* The @n-th child of @pid, 0 when it has not so many. */
static pid_t child_of(pid_t pid, int n)
{
	char path[64];
	long child = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	        (int)pid, (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	for (int i = 0; i < n; i++)
		if (fscanf(f, "%ld", &child) != 1)
			child = 0;
	assert_int_equal(fclose(f), 0);
	return (pid_t)child;
}

static pid_t driver_pid(void)
{
	return child_of(getpid(), 1);
}

static void unmount(void)
{
	target_done(&t);
	if (mount_detach(t.mountpoint, &err) < 0)
		fail_msg("%s", err.message);
}

static void test_good(void **state)
{
	(void)state;
	NEED_MOUNT();
	assert_true(is_dirty());
	target_guard_start(&t, 600);
	scratch_write(d.target, "file", "text");
	assert_int_equal(target_driver_flush(&t), 0);
	assert_int_equal(target_driver_check(&t, &err), 0);
	interrupted = 0;
	target_guard_stop(&t);
	assert_int_equal(interrupted, 2);
	unmount();
	assert_int_equal(target_driver_end(&t, &err), 0);
	assert_false(is_dirty());
	assert_int_equal(t.device_fd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_replaced(void **state)
{
	(void)state;
	NEED_MOUNT();
	assert_int_equal(mount_id_of(t.root_fd, &t.id), 0);
	assert_int_equal(target_check(&t, &err), 0);
	t.id.devno++;
	assert_int_equal(target_check(&t, &err), -ENODEV);
	assert_non_null(strstr(err.meaning, "NOT complete"));
	assert_non_null(strstr(err.action, t.mountpoint));
}

/* An error that somebody has heard of before the end is not forgotten. */
static void test_failed_before(void **state)
{
	(void)state;
	NEED_MOUNT();
	t.driver_failed = true;
	unmount();
	assert_int_equal(target_driver_end(&t, &err), 0);
	assert_true(is_dirty());
}

static void test_dead(void **state)
{
	(void)state;
	NEED_MOUNT();
	assert_true(target_driver_give_up(&t));
	assert_int_equal(target_driver_check(&t, &err), -EIO);
	unmount();
	assert_int_equal(target_driver_end(&t, &err), -EIO);
	assert_non_null(strstr(err.meaning, "NOT good"));
	assert_non_null(strstr(err.action, "chkdsk"));
	assert_true(is_dirty());
}

/* A call that would wait for ever fails. */
static void test_guard(void **state)
{
	int64_t began = clock_mono_ms();
	struct statvfs v;

	(void)state;
	NEED_MOUNT();
	target_guard_start(&t, 1);
	assert_int_equal(kill(driver_pid(), SIGSTOP), 0);
	assert_int_equal(fstatvfs(t.root_fd, &v), -1);
	assert_true(clock_mono_ms() - began < 30000);
	target_guard_stop(&t);
	unmount();
	assert_int_equal(target_driver_end(&t, &err), -EIO);
	assert_true(is_dirty());
}

/* Idle for much longer than the limit, but for the guard's questions. */
static void test_guard_idle(void **state)
{
	int64_t until_ms = clock_mono_ms() + 60000;
	uint64_t now, before = 0;
	int questions = 0;

	(void)state;
	NEED_MOUNT();
	before = mount_fuse_activity(t.driver);
	target_guard_start(&t, 1);
	while (questions < 2) {
		assert_true(clock_mono_ms() < until_ms);
		assert_false(mount_fuse_await_end(t.driver, 50));
		now = mount_fuse_activity(t.driver);
		questions += now != before;
		before = now;
	}
	target_guard_stop(&t);
	unmount();
	assert_int_equal(target_driver_end(&t, &err), 0);
}

static void use_disk(void)
{
	char sector[512];

	assert_int_equal(pread(d.loop.fd, sector, sizeof(sector), 0), 512);
	assert_int_equal(pwrite(d.loop.fd, sector, sizeof(sector), 0), 512);
	assert_int_equal(fsync(d.loop.fd), 0);
}

/* It does not answer for much longer than the limit, but the disk works. */
static void test_guard_busy(void **state)
{
	int64_t until_ms = clock_mono_ms() + 60000;
	pid_t guard;

	(void)state;
	NEED_MOUNT();
	target_guard_start(&t, 1);
	guard = child_of(getpid(), 2);
	assert_true(guard > 0);
	assert_int_equal(kill(driver_pid(), SIGSTOP), 0);
	while (child_of(guard, 1) == 0) {
		assert_true(clock_mono_ms() < until_ms);
		(void)usleep(20000);
	}
	/* The question is asked. */
	until_ms = clock_mono_ms() + 3000;
	while (clock_mono_ms() < until_ms) {
		use_disk();
		assert_false(mount_fuse_await_end(t.driver, 100));
	}
	assert_int_equal(kill(driver_pid(), SIGCONT), 0);
	target_guard_stop(&t);
	unmount();
	assert_int_equal(target_driver_end(&t, &err), 0);
}

/* --- mounting fails ------------------------------------------------------- */

static void mount_fails(const char *script, int code)
{
	assert_int_equal(
	        str_copy(replaced, sizeof(replaced), tool_path("ntfs-3g")), 0);
	assert_int_equal(mount(ntfs_fake_driver(&d, script), replaced, NULL,
	                         MS_BIND, NULL),
	        0);
	assert_int_equal(try_mount(), code);
	assert_null(t.driver);
	assert_int_equal(t.device_fd, -1);
	assert_int_equal(mount_is_point(d.target), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_refused(void **state)
{
	(void)state;
	NEED_NTFS(&d);
	mount_fails("exit 16", -EBUSY);
	assert_null(strstr(err.meaning, "chkdsk"));
	assert_false(is_dirty());
}

/* Nobody knows what it has written. */
static void test_killed_early(void **state)
{
	(void)state;
	NEED_NTFS(&d);
	mount_fails(NTFS_BE_KILLED, -EIO);
	assert_non_null(strstr(err.meaning, "chkdsk"));
	assert_true(is_dirty());
}

static void test_others(void **state)
{
	(void)state;
	assert_false(target_driver_give_up(&t));
	target_driver_kill(&t);
	target_driver_forget(&t);
	target_guard_start(&t, 600);
	assert_null(t.guard);
	target_guard_stop(&t);
	assert_int_equal(target_driver_flush(&t), 0);
	assert_int_equal(target_driver_check(&t, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_good),
	        TEST(test_replaced),
	        TEST(test_failed_before),
	        TEST(test_dead),
	        TEST(test_guard),
	        TEST(test_guard_idle),
	        TEST(test_guard_busy),
	        TEST(test_refused),
	        TEST(test_killed_early),
	        TEST(test_others),
	};

	if (!ntfs_unshare())
		return 1;
	return cmocka_run_group_tests_name("target_driver", tests, NULL, NULL);
}
