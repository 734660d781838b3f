/* SPDX-License-Identifier: MIT */
/*
 * disk on real loop devices with real file systems.  What the kernel tells of
 * other hardware: test_disk_sysfs.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "path.h"
#include "scratch.h"
#include "loopdev.h"
#include "str.h"
#include "sys/disk_internal.h"

static char dir[SCRATCH_PATH];
static char uuid_a[40], uuid_b[40];

static int set_up(void **state)
{
	(void)state;
	scratch_make(dir, "disk");
	image_uuid(uuid_a);
	image_uuid(uuid_b);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	disk_sysfs_set_root(NULL);
	scratch_remove(dir);
	return 0;
}

static void make_ext4(char image[SCRATCH_PATH], const char *name,
        const char *uuid, const char *label)
{
	(void)str_copy(image, SCRATCH_PATH, scratch_path(dir, name));
	assert_true(image_mkfs(image, "ext4", uuid, label));
}

/* How many devices of @uuid there are; *ret (may be NULL): the first. */
static size_t list(const char *uuid, struct disk *ret)
{
	_cleanup_free_ struct disk *items = NULL;
	struct err err = ERR_INIT;
	size_t len = 99;

	if (disk_list(uuid, &items, &len, &err) < 0)
		fail_msg("%s", err.message);
	if (ret && len > 0)
		*ret = items[0];
	return len;
}

static bool is_listed(dev_t devno)
{
	_cleanup_free_ struct disk *items = NULL;
	struct err err = ERR_INIT;
	size_t len = 0;

	assert_int_equal(disk_list(NULL, &items, &len, &err), 0);
	for (size_t i = 0; i < len; i++)
		if (items[i].devno == devno)
			return true;
	return false;
}

/* --- what is on it -------------------------------------------------------- */

static void test_probe(void **state)
{
	char image[SCRATCH_PATH];
	struct err err = ERR_INIT;
	struct loop loop;
	struct disk d;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a\nb\x1b[31m");
	loop_attach(&loop, image, false);
	assert_int_equal(disk_probe(loop.device, &d, &err), 0);
	assert_string_equal(d.device, loop.device);
	assert_string_equal(d.uuid, uuid_a);
	assert_string_equal(d.fstype, "ext4");
	assert_string_equal(d.label, "a\nb\x1b[31m");
	assert_true(d.devno == loop.devno);
	assert_int_equal(d.size_bytes, 16 * LOOP_MIB);
	assert_false(d.read_only);
	assert_false(d.removable);
	assert_string_equal(d.serial, "");
	assert_true(is_listed(loop.devno));
	loop_detach(&loop);
	assert_int_equal(list(uuid_a, NULL), 0);
}

/* File systems of which we probe only what mkfs wrote. */
static void probe_type(const char *const *mkfs, const char *fstype,
        const char *uuid, const char *label)
{
	const char *image = scratch_path(dir, "type.img");
	struct err err = ERR_INIT;
	struct loop loop;
	struct disk d;
	int r;

	image_make(image, 340 * LOOP_MIB);
	r = tool(mkfs);
	if (r < 0) {
		print_message("%s is not installed\n", mkfs[0]);
		return;
	}
	assert_int_equal(r, 0);
	loop_attach(&loop, image, false);
	if (disk_probe(loop.device, &d, &err) < 0)
		fail_msg("%s: %s", fstype, err.message);
	assert_string_equal(d.fstype, fstype);
	if (uuid)
		assert_string_equal(d.uuid, uuid);
	else
		assert_int_equal(
		        strlen(d.uuid), str_eq(fstype, "ntfs") ? 16 : 9);
	assert_string_equal(d.label, label);
	assert_int_equal(list(d.uuid, NULL), 1);
	str_lower(d.uuid);
	assert_int_equal(list(d.uuid, NULL), 1);
	loop_detach(&loop);
}

static void test_types(void **state)
{
	char image[SCRATCH_PATH], uuid[64];

	(void)state;
	NEED_LOOP();
	(void)str_copy(image, sizeof(image), scratch_path(dir, "type.img"));
#define TYPE(fstype, uuid, label, ...)                                      \
	probe_type((const char *const[]){__VA_ARGS__, image, NULL}, fstype, \
	        uuid, label)
	(void)snprintf(uuid, sizeof(uuid), "uuid=%s", uuid_b);
	TYPE("xfs", uuid_b, "x", "mkfs.xfs", "-q", "-m", uuid, "-L", "x");
	TYPE("btrfs", uuid_b, "b", "mkfs.btrfs", "-q", "-U", uuid_b, "-L", "b");
	TYPE("vfat", "ABCD-12EF", "V", "mkfs.vfat", "-i", "ABCD12EF", "-n",
	        "V");
	TYPE("exfat", NULL, "e", "mkfs.exfat", "-L", "e");
	TYPE("ntfs", NULL, "n", "mkntfs", "-q", "-f", "-F", "-L", "n");
}

static void test_nothing(void **state)
{
	const char *image = scratch_path(dir, "empty.img");
	struct err err = ERR_INIT;
	struct loop loop;
	struct disk d;

	(void)state;
	NEED_LOOP();
	image_make(image, LOOP_MIB);
	loop_attach(&loop, image, false);
	assert_int_equal(disk_probe(loop.device, &d, &err), -ENODATA);
	assert_non_null(strstr(err.message, "no file system"));
	assert_false(is_listed(loop.devno));
	loop_detach(&loop);
	/* A card reader without a card. */
	image_make(image, 0);
	loop_attach(&loop, image, false);
	assert_true(disk_probe(loop.device, &d, &err) < 0);
	assert_false(is_listed(loop.devno));
	loop_detach(&loop);

	assert_int_equal(disk_probe("/dev/null", &d, &err), -ENOTBLK);
	assert_int_equal(disk_probe(image, &d, &err), -ENOTBLK);
	assert_int_equal(disk_probe(dir, &d, &err), -ENOTBLK);
	assert_int_equal(
	        disk_probe(scratch_path(dir, "none"), &d, &err), -ENOENT);
	assert_non_null(strstr(err.message, "none"));
}

/* The newer file system left the older one's signature where it was. */
static void test_ambivalent(void **state)
{
	_cleanup_free_ struct disk *items = NULL;
	char image[SCRATCH_PATH], xfs[SCRATCH_PATH], block[512];
	struct err err = ERR_INIT;
	struct loop loop;
	struct disk d;
	size_t len;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a");
	(void)str_copy(xfs, sizeof(xfs), scratch_path(dir, "x.img"));
	if (!image_mkfs(xfs, "xfs", uuid_b, "x"))
		skip();
	image_read(xfs, 0, block, sizeof(block));
	image_write(image, 0, block, sizeof(block));
	loop_attach(&loop, image, false);
	assert_int_equal(disk_probe(loop.device, &d, &err), -EUCLEAN);
	assert_non_null(strstr(err.message, "ext4"));
	assert_non_null(strstr(err.message, "xfs"));
	assert_non_null(strstr(err.action, "wipefs"));
	assert_non_null(strstr(err.action, loop.device));
	/* Whoever looks for one of the two is told; others are not bothered. */
	err = ERR_INIT;
	assert_int_equal(disk_list(uuid_a, &items, &len, &err), -EUCLEAN);
	assert_non_null(strstr(err.message, loop.device));
	assert_int_equal(disk_list(uuid_b, &items, &len, &err), -EUCLEAN);
	assert_int_equal(list("33333333-aaaa-4bbb-8ccc-0123456789ab", NULL), 0);
	assert_false(is_listed(loop.devno));
	loop_detach(&loop);
}

/* A superblock whose checksum is wrong still has a UUID: mounting it tells
 * what is damaged, "not attached" would be a lie. */
static void test_bad_checksum(void **state)
{
	char image[SCRATCH_PATH];
	struct err err = ERR_INIT;
	struct loop loop;
	struct disk d;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a");
	/* The volume name, which the checksum covers. */
	image_write(image, 1024 + 0x78, "b", 1);
	loop_attach(&loop, image, false);
	assert_int_equal(disk_probe(loop.device, &d, &err), 0);
	assert_string_equal(d.uuid, uuid_a);
	assert_int_equal(list(uuid_a, NULL), 1);
	loop_detach(&loop);
}

/* --- which devices -------------------------------------------------------- */

static void test_clones(void **state)
{
	char image[SCRATCH_PATH], upper[40];
	struct loop one, two;
	struct disk d;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a");
	assert_int_equal(list(uuid_a, NULL), 0);
	loop_attach(&one, image, false);
	(void)str_copy(upper, sizeof(upper), uuid_a);
	for (char *p = upper; *p; p++)
		if (*p >= 'a' && *p <= 'f')
			*p = (char)(*p - 'a' + 'A');
	assert_int_equal(list(upper, &d), 1);
	assert_true(d.devno == one.devno);
	loop_attach(&two, image, true);
	assert_int_equal(list(uuid_a, NULL), 2);
	loop_detach(&one);
	assert_int_equal(list(uuid_a, &d), 1);
	assert_true(d.devno == two.devno);
	assert_true(d.read_only);
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	loop_detach(&two);
	assert_int_equal(list(uuid_a, NULL), 0);
}

static void test_partition(void **state)
{
	static char bytes[16 * LOOP_MIB];
	char image[SCRATCH_PATH], fs[SCRATCH_PATH], device[64];
	struct err err = ERR_INIT;
	struct loop loop;
	struct disk d;

	(void)state;
	NEED_LOOP();
	make_ext4(fs, "fs.img", uuid_a, "a");
	(void)str_copy(image, sizeof(image), scratch_path(dir, "p.img"));
	image_make(image, 20 * LOOP_MIB);
	image_read(fs, 0, bytes, sizeof(bytes));
	image_write(image, LOOP_MIB, bytes, sizeof(bytes));
	loop_attach(&loop, image, false);
	loop_partition(&loop, 1, LOOP_MIB, 16 * LOOP_MIB, true);
	(void)snprintf(device, sizeof(device), "%sp1", loop.device);
	assert_int_equal(list(uuid_a, &d), 1);
	assert_string_equal(d.device, device);
	assert_true(disk_sysfs_whole(d.devno) == loop.devno);
	assert_int_equal(d.size_bytes, 16 * LOOP_MIB);
	assert_true(d.diskseq > 0);
	assert_int_equal(disk_probe(loop.device, &d, &err), -ENODATA);
	assert_int_equal(disk_probe(device, &d, &err), 0);
	assert_int_equal(disk_check(&d), DISK_PRESENT);

	/* What is left of a file system on the whole disk is no disk. */
	image_write(image, 1024, bytes + 1024, 1024);
	assert_int_equal(ioctl(loop.fd, BLKFLSBUF), 0);
	assert_int_equal(disk_probe(loop.device, &d, &err), -ENODATA);
	assert_non_null(strstr(err.action, "partitions"));
	assert_false(is_listed(loop.devno));
	assert_int_equal(disk_probe(device, &d, &err), 0);

	loop_partition(&loop, 1, 0, 0, false);
	assert_int_equal(disk_check(&d), DISK_GONE);
	loop_detach(&loop);
}

/* A device mapper on a loop device, as far as sysfs can tell: its upper one
 * alone is listed, and hidden ones never. */
static void test_stacked(void **state)
{
	char image[SCRATCH_PATH], name[SCRATCH_PATH + 64], text[32];
	struct loop lower, upper;
	struct disk d;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a");
	loop_attach(&lower, image, false);
	loop_attach(&upper, image, false);
	for (int i = 0; i < 2; i++) {
		struct loop *loop = i ? &upper : &lower;
		struct err err = ERR_INIT;

		(void)snprintf(name, sizeof(name),
		        "%s/dev/block/%u:%u/slaves/x", dir, major(loop->devno),
		        minor(loop->devno));
		assert_int_equal(path_mkdirs(name, 0700, &err), 0);
		(void)snprintf(name, sizeof(name), "dev/block/%u:%u/size",
		        major(loop->devno), minor(loop->devno));
		scratch_write(dir, name, "32768\n");
	}
	disk_sysfs_set_root(dir);
	assert_int_equal(list(uuid_a, NULL), 2);
	(void)snprintf(name, sizeof(name), "dev/block/%u:%u/slaves/x/dev",
	        major(upper.devno), minor(upper.devno));
	(void)snprintf(text, sizeof(text), "%u:%u\n", major(lower.devno),
	        minor(lower.devno));
	scratch_write(dir, name, text);
	assert_int_equal(list(uuid_a, &d), 1);
	assert_true(d.devno == upper.devno);
	(void)snprintf(name, sizeof(name), "dev/block/%u:%u/hidden",
	        major(upper.devno), minor(upper.devno));
	scratch_write(dir, name, "1\n");
	assert_int_equal(list(uuid_a, &d), 1);
	assert_true(d.devno == lower.devno);
	disk_sysfs_set_root(NULL);
	loop_detach(&upper);
	loop_detach(&lower);
}

/* --- while it is used ----------------------------------------------------- */

static void test_vanishes(void **state)
{
	char image[SCRATCH_PATH];
	struct loop loop;
	struct disk d;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a");
	loop_attach(&loop, image, false);
	assert_int_equal(list(uuid_a, &d), 1);
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	assert_int_equal(truncate(image, 0), 0);
	assert_int_equal(ioctl(loop.fd, LOOP_SET_CAPACITY, 0), 0);
	assert_int_equal(disk_check(&d), DISK_GONE);
	loop_detach(&loop);
	assert_int_equal(disk_check(&d), DISK_GONE);
}

/* The same name and number, and even the same file system: another disk. */
static void test_comes_back(void **state)
{
	char image[SCRATCH_PATH];
	struct loop loop;
	struct disk d;
	int r;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a");
	loop_attach(&loop, image, false);
	assert_int_equal(list(uuid_a, &d), 1);
	assert_true(d.diskseq > 0);
	loop_detach(&loop);
	loop.fd = open(loop.device, O_RDWR | O_CLOEXEC);
	assert_true(loop.fd >= 0);
	r = loop_configure(loop.fd, image, false);
	/* Or somebody else's by now, which is another one, too. */
	assert_true(r == 0 || errno == EBUSY);
	assert_int_equal(disk_check(&d), DISK_GONE);
	loop_detach(&loop);
}

static void test_becomes_read_only(void **state)
{
	char image[SCRATCH_PATH];
	struct loop loop;
	struct disk d;
	int on = 1, off = 0;
	enum disk_state state_now;
	size_t len;

	(void)state;
	NEED_LOOP();
	make_ext4(image, "a.img", uuid_a, "a");
	loop_attach(&loop, image, false);
	assert_int_equal(list(uuid_a, &d), 1);
	assert_int_equal(ioctl(loop.fd, BLKROSET, &on), 0);
	state_now = disk_check(&d);
	len = list(uuid_a, &d);
	/* The kernel keeps it for whoever gets this device next. */
	assert_int_equal(ioctl(loop.fd, BLKROSET, &off), 0);
	assert_int_equal(state_now, DISK_READONLY);
	assert_int_equal(len, 1);
	assert_true(d.read_only);
	loop_detach(&loop);
}

static void test_figures(void **state)
{
	static char bytes[256 * 1024];
	const char *image = scratch_path(dir, "a.img");
	uint64_t written, activity;
	struct loop loop;

	(void)state;
	NEED_LOOP();
	image_make(image, LOOP_MIB);
	loop_attach(&loop, image, false);
	written = disk_bytes_written(loop.devno);
	activity = disk_activity(loop.devno);
	assert_true(activity > 0);
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(
	        pwrite(loop.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(fsync(loop.fd), 0);
	assert_int_equal(
	        disk_bytes_written(loop.devno), written + sizeof(bytes));
	assert_true(disk_activity(loop.devno) != activity);
	loop_detach(&loop);
}

static void test_limit_cache(void **state)
{
	const char *image = scratch_path(dir, "a.img");
	unsigned old = 0, now = 0;
	struct loop loop;

	(void)state;
	NEED_LOOP();
	image_make(image, LOOP_MIB);
	loop_attach(&loop, image, false);
	assert_int_equal(disk_limit_cache(loop.devno, 7, &old), 0);
	assert_in_range(old, 0, 100);
	assert_int_equal(disk_limit_cache(loop.devno, old, &now), 0);
	assert_int_equal(now, 7);
	assert_true(disk_limit_cache(loop.devno, 101, NULL) < 0);
	loop_detach(&loop);
}

/* --- a disk that cannot be read ------------------------------------------- */

/* faultfs on @dir, or -1. */
static pid_t faultfs_start(
        const char *source, const char *fs, const char *control)
{
	char program[PATH_MAX], word[16] = "";
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 40);
	char *slash;
	pid_t pid;
	int p[2];

	assert_true(n > 0);
	program[n] = '\0';
	for (int i = 0; i < 2 && (slash = strrchr(program, '/')); i++)
		*slash = '\0';
	(void)strncat(program, "/helpers/faultfs", 20);
	if (access(program, X_OK) < 0)
		return -1;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		/* A test that fails must not leave it behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)dup2(p[1], 1);
		(void)close(p[0]);
		(void)close(p[1]);
		(void)execl(program, program, source, fs, control, NULL);
		_exit(127);
	}
	(void)close(p[1]);
	n = read(p[0], word, sizeof(word) - 1);
	/* Left open: it may say more. */
	if (n > 0 && str_starts(word, "ready"))
		return pid;
	(void)close(p[0]);
	(void)waitpid(pid, NULL, 0);
	return -1;
}

/* One device on a file system that fails as @fault says, and a good one. */
struct bad_disk {
	struct loop broken, fine;
	pid_t pid;
};

static bool bad_disk_make(struct bad_disk *b, const char *fault)
{
	char bad[SCRATCH_PATH], good[SCRATCH_PATH], fs[SCRATCH_PATH];

	scratch_mkdir(dir, "source");
	scratch_mkdir(dir, "fs");
	make_ext4(bad, "source/bad.img", uuid_a, "a");
	make_ext4(good, "good.img", uuid_b, "b");
	scratch_write(dir, "control", fault);
	(void)str_copy(fs, sizeof(fs), scratch_path(dir, "fs"));
	b->pid = faultfs_start(
	        scratch_path(dir, "source"), fs, scratch_path(dir, "control"));
	if (b->pid < 0) {
		print_message("faultfs does not run here\n");
		return false;
	}
	loop_attach(&b->broken, scratch_path(dir, "fs/bad.img"), false);
	loop_attach(&b->fine, good, false);
	return true;
}

static void bad_disk_remove(struct bad_disk *b)
{
	loop_detach(&b->fine);
	loop_detach(&b->broken);
	assert_int_equal(kill(b->pid, SIGTERM), 0);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
}

static void test_unreadable(void **state)
{
	struct err err = ERR_INIT;
	struct bad_disk b;
	struct disk d;
	int r;

	(void)state;
	NEED_LOOP();
	if (!bad_disk_make(&b, "read eio *\n"))
		skip();
	r = disk_probe(b.broken.device, &d, &err);
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(err.message, "cannot be read"));
	assert_non_null(strstr(err.action, "cable"));
	assert_int_equal(list(uuid_a, NULL), 0);
	assert_int_equal(list(uuid_b, NULL), 1);
	assert_true(is_listed(b.fine.devno));
	assert_false(is_listed(b.broken.devno));
	bad_disk_remove(&b);
}

/* The others are found; only who may be looking for it hears of it. */
static void test_hangs(void **state)
{
	struct err err = ERR_INIT;
	struct disk *items = NULL;
	struct bad_disk b;
	size_t len = 99, good;
	int r;

	(void)state;
	NEED_LOOP();
	if (!bad_disk_make(&b, "read hang *\n"))
		skip();
	disk_set_probe_timeout(1000);
	good = list(uuid_b, NULL);
	r = disk_list(uuid_a, &items, &len, &err);
	/* Before anything is judged: what hangs would outlive the test. */
	scratch_write(dir, "control", "");
	disk_set_probe_timeout(0);
	assert_int_equal(good, 1);
	assert_int_equal(r, -ETIMEDOUT);
	assert_int_equal(len, 99);
	assert_non_null(strstr(err.message, b.broken.device));
	assert_int_equal(list(uuid_a, NULL), 1);
	bad_disk_remove(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_probe),
	        TEST(test_types),
	        TEST(test_nothing),
	        TEST(test_ambivalent),
	        TEST(test_bad_checksum),
	        TEST(test_clones),
	        TEST(test_partition),
	        TEST(test_stacked),
	        TEST(test_vanishes),
	        TEST(test_comes_back),
	        TEST(test_becomes_read_only),
	        TEST(test_figures),
	        TEST(test_limit_cache),
	        TEST(test_unreadable),
	        TEST(test_hangs),
	};

	/* What a test that fails leaves mounted goes with it. */
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
