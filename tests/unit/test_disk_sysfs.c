/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of disks that no test machine has: a prepared tree in
 * place of /sys.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <cmocka.h>

#include "path.h"
#include "scratch.h"
#include "str.h"
#include "sys/disk_internal.h"

#define USB "devices/pci0000:00/usb2/2-1"
#define USB_SCSI USB "/2-1:1.0/host6/target6:0:0/6:0:0:0"
#define SDB USB_SCSI "/block/sdb"
#define SATA_SCSI "devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0"
#define SDA SATA_SCSI "/block/sda"

#define SDA_DEV makedev(8, 0)
#define SDA1_DEV makedev(8, 1)
#define SDB_DEV makedev(8, 16)
#define SDB1_DEV makedev(8, 17)

static char root[SCRATCH_PATH];

/* --- the tree ------------------------------------------------------------- */

static void put(const char *name, const char *text)
{
	char *dir = path_dirname(scratch_path(root, name));
	struct err err = ERR_INIT;

	assert_non_null(dir);
	assert_int_equal(path_mkdirs(dir, 0700, &err), 0);
	free(dir);
	scratch_write(root, name, text);
}

static void take(const char *name)
{
	assert_int_equal(unlink(scratch_path(root, name)), 0);
}

/* "8:16" leads to @where. */
static void number(const char *devno, const char *where)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "dev/block/%s", devno);
	put("dev/block/.keep", "");
	assert_int_equal(
	        symlink(scratch_path(root, where), scratch_path(root, name)),
	        0);
}

/* "DIR/NAME" below the root, valid until the next call. */
static const char *in(const char *dir, const char *name)
{
	static char path[256];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	assert_in_range(n, 1, sizeof(path) - 1);
	return path;
}

static void put_in(const char *dir, const char *name, const char *text)
{
	put(in(dir, name), text);
}

static void put_disk(const char *dir, const char *devno, const char *part,
        const char *part_devno)
{
	char path[128];

	put_in(dir, "dev", devno);
	put_in(dir, "size", "2000\n");
	put_in(dir, "removable", "0\n");
	put_in(dir, "ro", "0\n");
	put_in(dir, "hidden", "0\n");
	put_in(dir, "diskseq", "42\n");
	put_in(dir, "stat", "  10 0 100 5 20 0 200 6 0 7 8 0 0 0 0 0 0\n");
	number(devno, dir);
	(void)str_copy(path, sizeof(path), in(dir, part));
	put_in(path, "dev", part_devno);
	put_in(path, "partition", "1\n");
	put_in(path, "size", "1000\n");
	put_in(path, "ro", "0\n");
	number(part_devno, path);
	assert_int_equal(
	        symlink("../..", scratch_path(root, in(dir, "device"))), 0);
}

static int set_up(void **state)
{
	(void)state;
	scratch_make(root, "disk_sysfs");
	disk_sysfs_set_root(root);
	put_disk(SDB, "8:16", "sdb1", "8:17");
	put(USB "/idVendor", "0bda\n");
	put(USB "/serial", " USB-SERIAL\n");
	put(USB_SCSI "/model", "  Portable SSD \n");
	put_disk(SDA, "8:0", "sda1", "8:1");
	put(SATA_SCSI "/model", "SATA\x1b[31m\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	disk_sysfs_set_root(NULL);
	scratch_remove(root);
	return 0;
}

static void vpd(const char *dir, const char *text)
{
	char page[64] = {0, (char)0x80, 0, (char)strlen(text)};

	memcpy(page + 4, text, strlen(text));
	scratch_write_mem(root, in(dir, "vpd_pg80"), page, 4 + strlen(text));
}

/* --- tests ---------------------------------------------------------------- */

static void test_usb(void **state)
{
	struct disk d = {.devno = 0};

	(void)state;
	assert_int_equal(disk_sysfs_fill(SDB1_DEV, &d), 0);
	assert_true(d.devno == SDB1_DEV);
	assert_string_equal(d.serial, "USB-SERIAL");
	assert_string_equal(d.model, "Portable SSD");
	assert_true(d.removable);
	assert_false(d.read_only);
	assert_int_equal(d.size_bytes, 1000 * 512);
	assert_int_equal(d.diskseq, 42);
	assert_int_equal(disk_sysfs_size(SDB_DEV), 2000 * 512);
	assert_true(disk_sysfs_whole(SDB1_DEV) == SDB_DEV);
	assert_true(disk_sysfs_whole(SDB_DEV) == SDB_DEV);
}

static void test_serial(void **state)
{
	struct disk d = {.devno = 0};

	(void)state;
	/* None at all. */
	assert_int_equal(disk_sysfs_fill(SDA_DEV, &d), 0);
	assert_string_equal(d.serial, "");
	assert_string_equal(d.model, "SATA\x1b[31m");
	assert_false(d.removable);
	/* SCSI's page. */
	vpd(SATA_SCSI, "  VPD-1  ");
	assert_int_equal(disk_sysfs_fill(SDA1_DEV, &d), 0);
	assert_string_equal(d.serial, "VPD-1");
	vpd(SATA_SCSI, "");
	assert_int_equal(disk_sysfs_fill(SDA1_DEV, &d), 0);
	assert_string_equal(d.serial, "");
	/* NVMe has an attribute. */
	put(SATA_SCSI "/serial", "S3RIAL   \n");
	assert_int_equal(disk_sysfs_fill(SDA1_DEV, &d), 0);
	assert_string_equal(d.serial, "S3RIAL");
	/* A USB device without one. */
	take(USB "/serial");
	vpd(USB_SCSI, "VPD-2");
	assert_int_equal(disk_sysfs_fill(SDB1_DEV, &d), 0);
	assert_string_equal(d.serial, "VPD-2");
}

/* Longer than we keep: cut, not overrun. */
static void test_long(void **state)
{
	char text[600];
	struct disk d = {.devno = 0};

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	put(USB "/serial", text);
	put(USB_SCSI "/model", text);
	assert_int_equal(disk_sysfs_fill(SDB1_DEV, &d), 0);
	assert_int_equal(strlen(d.serial), sizeof(d.serial) - 1);
	assert_int_equal(strlen(d.model), sizeof(d.model) - 1);
}

static void test_broken_numbers(void **state)
{
	struct disk d = {.devno = 0};
	uint64_t v[7];

	(void)state;
	put(SDB "/size", "many\n");
	put(SDB "/diskseq", "-1\n");
	put(SDB "/removable", "\n");
	assert_int_equal(disk_sysfs_fill(SDB_DEV, &d), 0);
	assert_int_equal(d.size_bytes, 0);
	assert_int_equal(d.diskseq, 0);
	put(SDB "/dev", "8;16\n");
	assert_true(disk_sysfs_whole(SDB1_DEV) == SDB1_DEV);
	put(SDB "/stat", "1 2 3\n");
	assert_int_equal(disk_sysfs_stat(SDB_DEV, v, 7), -EINVAL);
	assert_int_equal(disk_bytes_written(SDB_DEV), 0);
	assert_int_equal(disk_activity(SDB_DEV), 0);
	assert_int_equal(disk_sysfs_fill(makedev(8, 99), &d), -ENOENT);
	assert_int_equal(disk_sysfs_stat(makedev(8, 99), v, 7), -ENOENT);
	assert_int_equal(disk_bytes_written(makedev(8, 99)), 0);
}

static void test_figures(void **state)
{
	uint64_t before;

	(void)state;
	assert_int_equal(disk_bytes_written(SDB_DEV), 200 * 512);
	before = disk_activity(SDB_DEV);
	assert_true(before != 0);
	put(SDB "/stat", "11 0 108 5 20 0 200 6 0 7 8\n");
	assert_true(disk_activity(SDB_DEV) != before);
	assert_int_equal(disk_bytes_written(SDB_DEV), 200 * 512);
	/* A disk that has done nothing is not an unknown one. */
	put(SDB "/stat", "0 0 0 0 0 0 0 0 0 0 0\n");
	assert_true(disk_activity(SDB_DEV) != 0);
}

static void pull_out(int sig)
{
	(void)sig;
	take("dev/block/8:17");
}

/* The kernel's I/O errors come before the disk goes from sysfs. */
static void test_check_after(void **state)
{
	const struct itimerval soon = {.it_value.tv_usec = 30000};
	struct disk d = {.devno = 0};

	(void)state;
	assert_int_equal(disk_sysfs_fill(SDB1_DEV, &d), 0);
	assert_int_equal(disk_check_after(&d, 0), DISK_PRESENT);
	assert_int_equal(disk_check_after(&d, -ENOSPC), DISK_PRESENT);
	assert_int_equal(disk_check_after(&d, -EIO), DISK_PRESENT);
	assert_true(signal(SIGALRM, pull_out) != SIG_ERR);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(disk_check_after(&d, -EIO), DISK_GONE);
	assert_true(signal(SIGALRM, SIG_DFL) != SIG_ERR);
	assert_int_equal(disk_check_after(&d, 0), DISK_GONE);
}

static void test_check(void **state)
{
	struct disk d = {.devno = 0};

	(void)state;
	assert_int_equal(disk_sysfs_fill(SDB1_DEV, &d), 0);
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	put(SDB "/sdb1/ro", "1\n");
	assert_int_equal(disk_check(&d), DISK_READONLY);
	/* It is there, and may still be unmounted. */
	assert_int_equal(disk_tick(&d), 0);
	d.read_only = true;
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	put(SDB "/diskseq", "43\n");
	assert_int_equal(disk_check(&d), DISK_GONE);
	put(SDB "/diskseq", "42\n");
	put(SDB "/sdb1/size", "0\n");
	assert_int_equal(disk_check(&d), DISK_GONE);
	put(SDB "/sdb1/size", "1000\n");
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	take("dev/block/8:17");
	assert_int_equal(disk_check(&d), DISK_GONE);
	assert_int_equal(disk_tick(&d), -ENODEV);
}

static void test_unsuitable(void **state)
{
	static const char *const names[] = {"ram0", "zram1", "fd0", "sr0"};
	char where[64], devno[16];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(where, sizeof(where), "devices/%s", names[i]);
		(void)snprintf(devno, sizeof(devno), "1:%u", i);
		put_in(where, "size", "100\n");
		number(devno, where);
		assert_true(disk_sysfs_is_unsuitable(makedev(1, i)));
	}
	assert_false(disk_sysfs_is_unsuitable(SDB_DEV));
	assert_false(disk_sysfs_is_unsuitable(SDB1_DEV));
	put(SDB "/hidden", "1\n");
	assert_true(disk_sysfs_is_unsuitable(SDB_DEV));
	assert_true(disk_sysfs_is_unsuitable(SDB1_DEV));
}

static void test_partitions(void **state)
{
	(void)state;
	assert_true(disk_sysfs_has_partitions(SDB_DEV));
	assert_false(disk_sysfs_has_partitions(SDB1_DEV));
	take(SDB "/sdb1/partition");
	assert_false(disk_sysfs_has_partitions(SDB_DEV));
	assert_false(disk_sysfs_has_partitions(makedev(8, 99)));
}

static void test_stack(void **state)
{
	const dev_t md = makedev(9, 0), dm = makedev(253, 0);

	(void)state;
	put("devices/virtual/block/md0/slaves/sdb1/dev", "8:17\n");
	number("9:0", "devices/virtual/block/md0");
	put("devices/virtual/block/dm-0/slaves/md0/dev", "9:0\n");
	number("253:0", "devices/virtual/block/dm-0");
	assert_true(disk_sysfs_is_below(SDB1_DEV, md));
	assert_true(disk_sysfs_is_below(SDB1_DEV, dm));
	assert_true(disk_sysfs_is_below(md, dm));
	assert_false(disk_sysfs_is_below(dm, md));
	assert_false(disk_sysfs_is_below(SDA1_DEV, dm));
	assert_false(disk_sysfs_is_below(dm, dm));
	assert_false(disk_sysfs_is_below(SDB1_DEV, SDB_DEV));
	/* Multipath is built upon the whole disk. */
	put("devices/virtual/block/md0/slaves/sdb1/dev", "8:16\n");
	assert_true(disk_sysfs_is_below(SDB1_DEV, dm));
}

/* A stack that goes in a circle ends all the same. */
static void test_circle(void **state)
{
	(void)state;
	put("devices/virtual/block/md0/slaves/md0/dev", "9:0\n");
	number("9:0", "devices/virtual/block/md0");
	assert_false(disk_sysfs_is_below(SDB1_DEV, makedev(9, 0)));
	put_in("devices/virtual/block/md0", "size", "100\n");
	assert_true(disk_sysfs_hardware(makedev(9, 0)) == makedev(9, 0));
	assert_true(disk_sysfs_is_alive(makedev(9, 0)));
}

#define DM "devices/virtual/block/dm-0"
#define DM_DEV makedev(253, 0)

/* An encrypted USB disk: the mapper stays when the disk is pulled. */
static void test_encrypted(void **state)
{
	struct disk d = {.devno = 0};
	struct err err = ERR_INIT;

	(void)state;
	put_in(DM, "size", "900\n");
	put_in(DM, "diskseq", "7\n");
	put_in(DM, "slaves/sdb1/dev", "8:17\n");
	number("253:0", DM);
	assert_int_equal(disk_sysfs_fill(DM_DEV, &d), 0);
	assert_true(disk_sysfs_hardware(DM_DEV) == SDB_DEV);
	assert_string_equal(d.serial, "USB-SERIAL");
	assert_string_equal(d.model, "Portable SSD");
	assert_int_equal(d.diskseq, 7);
	assert_int_equal(d.size_bytes, 900 * 512);
	assert_true(d.removable);
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	/* Not from under the mapper. */
	put(USB_SCSI "/delete", "");
	assert_int_equal(disk_power_off(&d, &err), -EOPNOTSUPP);

	put(SDB "/sdb1/size", "0\n");
	assert_int_equal(disk_check(&d), DISK_GONE);
	put(SDB "/sdb1/size", "1000\n");
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	/* The link is still there and leads nowhere. */
	take(DM "/slaves/sdb1/dev");
	assert_int_equal(disk_check(&d), DISK_GONE);
}

/* Of two disks: nobody's serial, and one of them is enough. */
static void test_raid(void **state)
{
	struct disk d = {.devno = 0};

	(void)state;
	put_in(DM, "size", "900\n");
	put_in(DM, "slaves/sdb1/dev", "8:17\n");
	put_in(DM, "slaves/sda1/dev", "8:1\n");
	number("253:0", DM);
	assert_int_equal(disk_sysfs_fill(DM_DEV, &d), 0);
	assert_true(disk_sysfs_hardware(DM_DEV) == DM_DEV);
	assert_string_equal(d.serial, "");
	assert_false(d.removable);
	take(DM "/slaves/sdb1/dev");
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	put(SDA "/size", "0\n");
	assert_int_equal(disk_check(&d), DISK_GONE);
}

/* Given up by the kernel after errors: there, but not to be used. */
static void test_offline(void **state)
{
	static const char *const dead[] = {
	        "offline\n", "transport-offline\n", "deleted\n", "dead\n"};
	struct disk d = {.devno = 0};

	(void)state;
	assert_int_equal(disk_sysfs_fill(SDB1_DEV, &d), 0);
	put(USB_SCSI "/state", "running\n");
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	put(USB_SCSI "/state", "blocked\n");
	assert_int_equal(disk_check(&d), DISK_PRESENT);
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
		put(USB_SCSI "/state", dead[i]);
		assert_int_equal(disk_check(&d), DISK_GONE);
	}
}

static void test_limit_cache(void **state)
{
	unsigned old = 0;
	char *text;

	(void)state;
	put("class/bdi/8:16/max_ratio", "100\n");
	assert_int_equal(disk_limit_cache(SDB1_DEV, 5, &old), 0);
	assert_int_equal(old, 100);
	text = scratch_read(root, "class/bdi/8:16/max_ratio");
	assert_true(strncmp(text, "5", 1) == 0);
	free(text);
	put("class/bdi/8:16/max_ratio", "lots\n");
	assert_int_equal(disk_limit_cache(SDB1_DEV, 5, NULL), -EINVAL);
	assert_true(disk_limit_cache(SDA1_DEV, 5, NULL) < 0);
}

static void test_power_off(void **state)
{
	struct disk d = {.devno = 0};
	struct err err = ERR_INIT;
	char *text;

	(void)state;
	assert_int_equal(disk_sysfs_fill(SDB1_DEV, &d), 0);
	assert_int_equal(disk_power_off(&d, &err), -EOPNOTSUPP);
	assert_true(err.message[0] != '\0');
	put(USB_SCSI "/delete", "");
	assert_int_equal(disk_power_off(&d, &err), 0);
	text = scratch_read(root, USB_SCSI "/delete");
	assert_string_equal(text, "1");
	free(text);
	/* Never what is built in. */
	put(SATA_SCSI "/delete", "");
	assert_int_equal(disk_sysfs_fill(SDA1_DEV, &d), 0);
	assert_int_equal(disk_power_off(&d, &err), -EOPNOTSUPP);
	text = scratch_read(root, SATA_SCSI "/delete");
	assert_string_equal(text, "");
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_usb),
	        TEST(test_serial),
	        TEST(test_long),
	        TEST(test_broken_numbers),
	        TEST(test_figures),
	        TEST(test_check),
	        TEST(test_check_after),
	        TEST(test_unsuitable),
	        TEST(test_partitions),
	        TEST(test_stack),
	        TEST(test_circle),
	        TEST(test_encrypted),
	        TEST(test_raid),
	        TEST(test_offline),
	        TEST(test_limit_cache),
	        TEST(test_power_off),
	};

	return cmocka_run_group_tests_name("disk_sysfs", tests, NULL, NULL);
}
