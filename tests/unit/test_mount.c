/* SPDX-License-Identifier: MIT */
/*
 * mount on real loop devices with real file systems, in a mount namespace of
 * the test's own: whatever happens, nothing stays mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdbool.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "scratch.h"
#include "loopdev.h"
#include "str.h"
#include "sys/mount.h"
#include "sys/mount_internal.h"

static char dir[SCRATCH_PATH];
static char target[SCRATCH_PATH];
static struct loop loop;

static int set_up(void **state)
{
	(void)state;
	scratch_make(dir, "mount");
	/* Resolved, as mountinfo shows it. */
	scratch_mkdir(dir, "target");
	(void)str_copy(target, sizeof(target), scratch_path(dir, "target"));
	loop.fd = -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (umount2(target, MNT_DETACH) == 0)
		;
	if (loop.fd >= 0)
		loop_detach(&loop);
	scratch_remove(dir);
	return 0;
}

/* A loop device with @fstype on it; false: it cannot be tested here. */
static bool make_disk(const char *fstype, bool read_only)
{
	const char *image = scratch_path(dir, "d.img");
	char uuid[40];

	if (!kernel_has(fstype)) {
		print_message("this kernel has no %s\n", fstype);
		return false;
	}
	/* XFS mounts a UUID only once at a time. */
	image_uuid(uuid);
	if (!image_mkfs(image, fstype, uuid, "a"))
		return false;
	loop_attach(&loop, image, read_only);
	return true;
}

static struct mount_request request(const char *fstype)
{
	return (struct mount_request){.device = loop.device,
	        .target = target,
	        .fstype = fstype,
	        .noatime = true};
}

static void attach(const char *fstype)
{
	struct mount_request req = request(fstype);
	struct err err = ERR_INIT;

	if (mount_attach(&req, NULL, &err) < 0)
		fail_msg("%s", err.message);
}

static void detach(void)
{
	struct err err = ERR_INIT;

	if (mount_detach(target, &err) < 0)
		fail_msg("%s", err.message);
}

/* The options of @path in mountinfo, "" when nothing is mounted there. */
static void options_of(const char *path, char *dst, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], point[2048], options[500];

	assert_non_null(f);
	dst[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %*s %*s %2047s %499s", point,
		            options) == 2 &&
		        str_eq(point, path))
			(void)snprintf(dst, size, ",%s,", options);
	(void)fclose(f);
}

/* --- mounting ------------------------------------------------------------- */

static void test_attach(void **state)
{
	static const char *const wanted[] = {",nosuid,", ",nodev,", ",noexec,",
	        ",noatime,", ",nosymfollow,", ",rw,"};
	struct mount_request req = {.noatime = true};
	struct mount_id above, inside;
	const char *missing = "x";
	char options[512], where[SCRATCH_PATH];
	struct err err = ERR_INIT;
	int fd;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mount_id_of(fd, &above), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(mount_is_point(target), 0);
	assert_int_equal(
	        mount_find(loop.device, loop.devno, where, sizeof(where)), 0);

	req = request("ext4");
	assert_int_equal(mount_attach(&req, &missing, &err), 0);
	assert_null(missing);
	options_of(target, options, sizeof(options));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_non_null(strstr(options, wanted[i]));

	assert_int_equal(mount_is_point(target), 1);
	assert_int_equal(
	        mount_find(loop.device, loop.devno, where, sizeof(where)), 1);
	assert_string_equal(where, target);
	fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mount_id_of(fd, &inside), 0);
	assert_int_equal(close(fd), 0);
	assert_true(inside.devno == loop.devno);
	assert_true(inside.mnt_id != above.mnt_id);

	detach();
	assert_int_equal(mount_is_point(target), 0);
	assert_int_equal(
	        mount_find(loop.device, loop.devno, where, sizeof(where)), 0);
}

/* What a foreign disk may bring: a link as its own directory. */
static void test_no_links(void **state)
{
	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	attach("ext4");
	assert_int_equal(symlink(dir, scratch_path(target, "link")), 0);
	assert_int_equal(
	        open(scratch_path(target, "link/d.img"), O_RDONLY | O_CLOEXEC),
	        -1);
	assert_int_equal(errno, ELOOP);
	detach();
}

/* A destination in the configuration may be a link, or end in a slash. */
static void test_target_names(void **state)
{
	static const char *const names[] = {
	        "link", "target/", "./target", "link/../target"};
	struct err err = ERR_INIT;
	struct mount_request req;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	assert_int_equal(symlink(target, scratch_path(dir, "link")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = scratch_path(dir, names[i]);

		req = request("ext4");
		req.target = name;
		if (mount_attach(&req, NULL, &err) < 0)
			fail_msg("%s: %s", name, err.message);
		assert_int_equal(mount_is_point(target), 1);
		if (mount_detach(name, &err) < 0)
			fail_msg("%s: %s", name, err.message);
		assert_int_equal(mount_is_point(target), 0);
	}
}

static void test_read_only(void **state)
{
	struct mount_request req;
	struct err err = ERR_INIT;
	char options[512];

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", true))
		skip();
	/* Never quietly read-only. */
	req = request("ext4");
	assert_int_equal(mount_attach(&req, NULL, &err), -EROFS);
	assert_non_null(strstr(err.message, loop.device));
	assert_non_null(strstr(err.action, "write protection"));
	assert_int_equal(mount_is_point(target), 0);

	req.read_only = true;
	assert_int_equal(mount_attach(&req, NULL, &err), 0);
	options_of(target, options, sizeof(options));
	assert_non_null(strstr(options, ",ro,"));
	detach();
}

static void test_btrfs(void **state)
{
	char where[SCRATCH_PATH];

	(void)state;
	NEED_LOOP();
	if (!make_disk("btrfs", false))
		skip();
	attach("btrfs");
	assert_int_equal(
	        mount_find(loop.device, loop.devno, where, sizeof(where)), 1);
	assert_string_equal(where, target);
	/* Under another name of the same device. */
	assert_int_equal(
	        mount_find("/dev/other", loop.devno, where, sizeof(where)), 1);
	detach();
}

/* --- what cannot be mounted ----------------------------------------------- */

static void refused(const char *fstype, int code, struct err *err)
{
	struct mount_request req = request(fstype);

	*err = ERR_INIT;
	assert_int_equal(mount_attach(&req, NULL, err), code);
	assert_int_equal(err->code, code);
	assert_true(err->message[0] != '\0');
	assert_int_equal(mount_is_point(target), 0);
}

static void test_unknown_type(void **state)
{
	struct err err;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	refused("nosuchfs", -ENODEV, &err);
	assert_non_null(strstr(err.message, "nosuchfs"));
	assert_non_null(strstr(err.action, "modprobe nosuchfs"));
	if (kernel_has("ntfs3"))
		return;
	/* Either helps. */
	refused("ntfs", -ENODEV, &err);
	assert_non_null(strstr(err.action, "package ntfs-3g"));
	assert_non_null(strstr(err.action, "modprobe ntfs3"));
}

/* What is seen at the place, not what lies below. */
static void test_covered(void **state)
{
	struct mount_request req;
	struct err err = ERR_INIT;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	req = request("ext4");
	assert_false(mount_is_done(&req));
	attach("ext4");
	assert_true(mount_is_done(&req));
	assert_int_equal(mount("none", target, "tmpfs", 0, NULL), 0);
	assert_false(mount_is_done(&req));
	assert_int_equal(mount_verify(&req, NULL, &err), -EIO);
	assert_non_null(strstr(err.action, target));
	assert_int_equal(umount2(target, 0), 0);
	assert_true(mount_is_done(&req));
	detach();
	assert_false(mount_is_done(&req));
}

static void test_wrong_places(void **state)
{
	struct mount_request req;
	struct err err = ERR_INIT;
	struct loop empty;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	req = request("ext4");
	req.device = "/dev/nosuchdevice";
	assert_int_equal(mount_attach(&req, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.message, "nosuchdevice"));
	req = request("ext4");
	req.target = scratch_path(dir, "nowhere");
	assert_int_equal(mount_attach(&req, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.message, "nowhere"));
	req = request("ext4");
	req.device = "/dev/null";
	assert_int_equal(mount_attach(&req, NULL, &err), -ENOTBLK);
	/* A disk that was pulled, or a card reader without a card. */
	image_make(scratch_path(dir, "e.img"), 0);
	loop_attach(&empty, scratch_path(dir, "e.img"), false);
	req = request("ext4");
	req.device = empty.device;
	assert_true(mount_attach(&req, NULL, &err) < 0);
	loop_detach(&empty);
	assert_int_equal(mount_is_point(target), 0);
}

static void damage(off_t offset, size_t len)
{
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	image_write(scratch_path(dir, "d.img"), offset, junk, len);
	assert_int_equal(ioctl(loop.fd, BLKFLSBUF), 0);
}

/* Each names the program that checks this type, and runs none. */
static void test_damaged(void **state)
{
	static const struct {
		const char *fstype, *program;
		off_t offset;
		size_t len;
	} cases[] = {
	        /* Sizes and counts; the group descriptors; the magic. */
	        {"ext4", "fsck", 1024, 32},
	        {"ext4", "fsck", 2048, 1024},
	        {"ext4", "fsck", 1024 + 56, 2},
	        {"xfs", "xfs_repair", 100, 200},
	        {"btrfs", "btrfs check", 65536 + 300, 200},
	};
	struct err err;

	(void)state;
	NEED_LOOP();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!make_disk(cases[i].fstype, false))
			continue;
		damage(cases[i].offset, cases[i].len);
		refused(cases[i].fstype, -EUCLEAN, &err);
		assert_non_null(strstr(err.message, loop.device));
		assert_non_null(strstr(err.action, cases[i].program));
		assert_non_null(strstr(err.action, loop.device));
		loop_detach(&loop);
	}
}

/* ext4 remembers an error and mounts all the same. */
static void test_ext4_with_errors(void **state)
{
	const uint16_t had_errors = 2;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	if (TOOL("tune2fs", "-O", "^metadata_csum", loop.device) != 0 ||
	        pwrite(loop.fd, &had_errors, 2, 1024 + 58) != 2)
		skip();
	assert_int_equal(fsync(loop.fd), 0);
	attach("ext4");
	detach();
}

/* A journal that was not written back: replayed, but not when it cannot be. */
static void test_xfs_dirty(void **state)
{
	struct mount_request req;
	struct err err = ERR_INIT;

	(void)state;
	NEED_LOOP();
	if (!tool_path("xfs_io") || !make_disk("xfs", false))
		skip();
	attach("xfs");
	scratch_write(target, "file", "x");
	assert_int_equal(TOOL("xfs_io", "-x", "-c", "shutdown -f", target), 0);
	detach();
	loop_detach(&loop);

	loop_attach(&loop, scratch_path(dir, "d.img"), true);
	req = request("xfs");
	assert_int_equal(mount_attach(&req, NULL, &err), -EROFS);
	assert_non_null(strstr(err.action, "checked"));
	loop_detach(&loop);

	loop_attach(&loop, scratch_path(dir, "d.img"), false);
	attach("xfs");
	assert_int_equal(access(scratch_path(target, "file"), F_OK), 0);
	detach();
}

/* --- unmounting ----------------------------------------------------------- */

static void busy(const char *who)
{
	struct err err = ERR_INIT;
	char name[64];

	(void)snprintf(name, sizeof(name), "(pid %s)", who);
	assert_int_equal(mount_detach(target, &err), -EBUSY);
	assert_non_null(strstr(err.message, target));
	if (!strstr(err.message, name))
		fail_msg("%s not named: %s", name, err.message);
	assert_non_null(strstr(err.action, "unmount"));
	assert_int_equal(mount_is_point(target), 1);
}

static void test_busy(void **state)
{
	char pid[32];
	int fd;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	attach("ext4");
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	fd = open(scratch_path(target, "a\nb"), O_RDWR | O_CREAT | O_CLOEXEC,
	        0600);
	assert_true(fd >= 0);
	busy(pid);
	assert_int_equal(close(fd), 0);

	assert_int_equal(chdir(target), 0);
	busy(pid);
	assert_int_equal(chdir("/"), 0);
	detach();
}

/* A mapped file needs no descriptor. */
static void test_busy_mapped(void **state)
{
	char pid[32];
	void *map;
	int fd;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	attach("ext4");
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	scratch_write(target, "file", "x");
	fd = open(scratch_path(target, "file"), O_RDONLY | O_CLOEXEC);
	map = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(close(fd), 0);
	busy(pid);
	assert_int_equal(munmap(map, 1), 0);
	detach();
}

/* Another process, whose name is not fit to be printed. */
static void test_busy_child(void **state)
{
	struct err err = ERR_INIT;
	int go[2], ready[2];
	char name[32], c;
	pid_t child;

	(void)state;
	NEED_LOOP();
	if (!make_disk("ext4", false))
		skip();
	attach("ext4");
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		int comm = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
		bool ok = write(comm, "e\x1b[2J", 5) == 5 &&
		          chdir(target) == 0 && write(ready[1], "x", 1) == 1;

		(void)close(go[1]);
		_exit(ok && read(go[0], &c, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)snprintf(name, sizeof(name), "%d", (int)child);
	busy(name);
	assert_int_equal(mount_detach(target, &err), -EBUSY);
	assert_null(strchr(err.message, '\x1b'));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(close(go[1 - i]), 0);
		assert_int_equal(close(ready[i]), 0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	detach();
}

static void test_not_mounted(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	NEED_LOOP();
	assert_true(mount_detach(target, &err) < 0);
	assert_non_null(strstr(err.message, target));
	assert_true(mount_detach(scratch_path(dir, "nowhere"), &err) < 0);
	assert_int_equal(mount_is_point(scratch_path(dir, "nowhere")), -ENOENT);
	assert_int_equal(mount_is_point("/"), 1);
	assert_int_equal(mount_is_point("/proc"), 1);
}

/* --- the namespace -------------------------------------------------------- */

/* Its exit code is the answer; @fn runs in a child. */
static int in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int mount_privately(void)
{
	struct err err = ERR_INIT;

	if (mount_private(&err) < 0)
		return 1;
	if (mount("test", target, "tmpfs", 0, "size=64k") < 0)
		return 2;
	return mount_is_point(target) == 1 ? 0 : 3;
}

static int as_nobody(void)
{
	struct err err = ERR_INIT;

	if (setresuid(65534, 65534, 65534) < 0)
		return 1;
	if (mount_private(&err) != -EPERM)
		return 2;
	return err.message[0] ? 0 : 3;
}

static void test_private(void **state)
{
	(void)state;
	NEED_LOOP();
	assert_int_equal(in_child(mount_privately), 0);
	assert_int_equal(mount_is_point(target), 0);
	assert_int_equal(in_child(as_nobody), 0);
}

/* --- facts ---------------------------------------------------------------- */

static void test_fstab(void **state)
{
	char text[4 * SCRATCH_PATH];

	(void)state;
	NEED_LOOP();
	assert_int_equal(symlink(target, scratch_path(dir, "link")), 0);
	(void)snprintf(text, sizeof(text),
	        "# %s\nUUID=x none swap sw 0 0\nbroken\n"
	        "/dev/x %s ext4 noauto 0 0\n",
	        dir, scratch_path(dir, "link"));
	scratch_write(dir, "fstab", text);
	if (mount(scratch_path(dir, "fstab"), "/etc/fstab", "", MS_BIND, "") <
	        0)
		skip();
	assert_int_equal(mount_is_in_fstab(target), 1);
	assert_int_equal(mount_is_in_fstab(scratch_path(dir, "link")), 1);
	assert_int_equal(mount_is_in_fstab(dir), 0);
	assert_int_equal(mount_is_in_fstab(scratch_path(dir, "nowhere")), 0);
	assert_int_equal(umount2("/etc/fstab", MNT_DETACH), 0);
}

static void test_types(void **state)
{
	(void)state;
	assert_true(mount_is_posix("ext4"));
	assert_true(mount_is_posix("xfs"));
	assert_true(mount_is_posix("btrfs"));
	assert_false(mount_is_posix("vfat"));
	assert_false(mount_is_posix("exfat"));
	assert_false(mount_is_posix("ntfs"));
	assert_int_equal(mount_time_window("ext4"), 0);
	assert_int_equal(mount_time_window("exfat"), 1);
	assert_int_equal(mount_time_window("vfat"), 2);
}

static void test_bad_descriptor(void **state)
{
	struct mount_id id;

	(void)state;
	assert_int_equal(mount_id_of(-1, &id), -EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_attach),
	        TEST(test_no_links),
	        TEST(test_target_names),
	        TEST(test_read_only),
	        TEST(test_btrfs),
	        TEST(test_unknown_type),
	        TEST(test_covered),
	        TEST(test_wrong_places),
	        TEST(test_damaged),
	        TEST(test_ext4_with_errors),
	        TEST(test_xfs_dirty),
	        TEST(test_busy),
	        TEST(test_busy_mapped),
	        TEST(test_busy_child),
	        TEST(test_not_mounted),
	        TEST(test_private),
	        TEST(test_fstab),
	        TEST(test_types),
	        TEST(test_bad_descriptor),
	};
	struct err err = ERR_INIT;

	if (geteuid() == 0 && mount_private(&err) < 0) {
		print_error("%s\n", err.message);
		return 1;
	}
	return cmocka_run_group_tests_name("mount", tests, NULL, NULL);
}
