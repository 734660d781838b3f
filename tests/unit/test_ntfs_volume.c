/* SPDX-License-Identifier: MIT */
/* ntfs_volume on volumes that mkntfs makes, and on bytes that nobody makes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scratch.h"
#include "loopdev.h"
#include "sys/ntfs_volume.h"

#define SIZE (16 << 20)

static char dir[SCRATCH_PATH];

static int set_up(void **state)
{
	(void)state;
	scratch_make(dir, "ntfs");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

/* An image with clusters of @cluster bytes, open; -1: no mkntfs here. */
static int make(const char *cluster, const char *label)
{
	const char *path = scratch_path(dir, "d.img");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	if (TOOL("mkntfs", "-q", "-F", "-Q", "-c", cluster, "-L", label,
	            path) == 0)
		return fd;
	print_message("mkntfs is not installed\n");
	assert_int_equal(close(fd), 0);
	return -1;
}

/* What ntfsinfo thinks: 1 when it refuses a volume as dirty. */
static bool others_refuse(void)
{
	return TOOL("ntfsinfo", "-m", scratch_path(dir, "d.img")) != 0;
}

static void try_volume(const char *cluster, const char *label)
{
	struct ntfs_volume v, again;
	unsigned char before[SIZE / 1024], after[SIZE / 1024];
	int fd = make(cluster, label);

	if (fd < 0)
		skip();
	assert_int_equal(ntfs_volume_read(fd, SIZE, &v), 0);
	assert_false(ntfs_volume_is_dirty(&v));
	assert_true(v.flags_at[0] != v.flags_at[1]);
	assert_int_equal(
	        pread(fd, before, sizeof(before), (off_t)v.flags_at[0] - 100),
	        sizeof(before));

	assert_int_equal(ntfs_volume_mark(fd, &v, true), 0);
	assert_true(ntfs_volume_is_dirty(&v));
	assert_int_equal(ntfs_volume_read(fd, SIZE, &again), 0);
	assert_true(ntfs_volume_is_dirty(&again));
	assert_true(others_refuse());
	/* Nothing else has changed. */
	assert_int_equal(
	        pread(fd, after, sizeof(after), (off_t)v.flags_at[0] - 100),
	        sizeof(after));
	after[100] = (unsigned char)(after[100] & ~1);
	assert_memory_equal(before, after, sizeof(after));

	assert_int_equal(ntfs_volume_mark(fd, &again, false), 0);
	assert_int_equal(ntfs_volume_read(fd, SIZE, &v), 0);
	assert_false(ntfs_volume_is_dirty(&v));
	assert_false(others_refuse());
	assert_int_equal(close(fd), 0);
}

static void test_clusters(void **state)
{
	(void)state;
	try_volume("512", "");
	try_volume("4096", "Monday (blue)");
	try_volume("65536", "a label of thirty-two characters");
}

static void test_read_only(void **state)
{
	struct ntfs_volume v;
	int fd = make("4096", "x");
	int ro;

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(ntfs_volume_read(fd, SIZE, &v), 0);
	ro = open(scratch_path(dir, "d.img"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(ntfs_volume_mark(ro, &v, true), -EBADF);
	assert_false(ntfs_volume_is_dirty(&v));
	assert_int_equal(close(ro), 0);
	assert_int_equal(close(fd), 0);
}

static void test_chkdsk_underway(void **state)
{
	struct ntfs_volume v = {.flags = 0x4000};

	(void)state;
	assert_true(ntfs_volume_is_dirty(&v));
	v.flags = 0x8000; /* has been checked once */
	assert_false(ntfs_volume_is_dirty(&v));
}

/* --- bytes that nobody makes ---------------------------------------------- */

static void put(unsigned char *p, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (unsigned char)(value >> (8 * i));
}

static void boot(unsigned char s[512])
{
	memset(s, 0, 512);
	memcpy(s + 3, "NTFS    ", 8);
	put(s + 0x0b, 512, 2);
	s[0x0d] = 8;
	put(s + 0x30, 4, 8);
	put(s + 0x38, 100, 8);
	s[0x40] = 0xf6; /* 1 << 10 */
}

static void test_boot(void **state)
{
	static const struct {
		unsigned at, bytes;
		uint64_t value;
	} bad[] = {
	        {3, 1, 'X'},
	        {0x0b, 2, 0},
	        {0x0b, 2, 513},
	        {0x0b, 2, 8192},
	        {0x0d, 1, 0},
	        {0x0d, 1, 3},
	        {0x0d, 1, 0x81},
	        {0x0d, 1, 0xe0},
	        {0x30, 8, 0},
	        {0x30, 8, UINT64_MAX},
	        {0x30, 8, SIZE / 4096},
	        {0x38, 8, 1ULL << 52},
	        {0x38, 8, 0x8000000000000000ULL},
	        {0x40, 1, 0},
	        {0x40, 1, 0x80},
	        {0x40, 1, 0xff},
	        {0x40, 1, 3},
	        {0x40, 1, 100},
	};
	struct ntfs_volume_boot b;
	unsigned char s[512];

	(void)state;
	boot(s);
	assert_int_equal(ntfs_volume_parse_boot(s, SIZE, &b), 0);
	assert_int_equal(b.record_at[0], 4 * 4096 + 3 * 1024);
	assert_int_equal(b.record_at[1], 100 * 4096 + 3 * 1024);
	assert_int_equal(b.record_size, 1024);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		boot(s);
		put(s + bad[i].at, bad[i].value, bad[i].bytes);
		if (ntfs_volume_parse_boot(s, SIZE, &b) != -EUCLEAN)
			fail_msg("%zu was taken", i);
	}
	boot(s);
	assert_int_equal(ntfs_volume_parse_boot(s, 0, &b), -EUCLEAN);
}

/* $Volume with one attribute before the one that is looked for. */
static void record(unsigned char r[1024])
{
	memset(r, 0, 1024);
	memcpy(r, "FILE", 4);
	put(r + 4, 0x30, 2); /* the update sequence */
	put(r + 6, 3, 2);
	put(r + 0x30, 0x1234, 2);
	put(r + 0x32, 0xaaaa, 2);
	put(r + 0x34, 0xbbbb, 2);
	put(r + 510, 0x1234, 2);
	put(r + 1022, 0x1234, 2);
	put(r + 0x14, 0x38, 2);
	put(r + 0x18, 0x100, 4);
	put(r + 0x38, 0x10, 4);
	put(r + 0x3c, 0x20, 4);
	put(r + 0x58, 0x70, 4);
	put(r + 0x5c, 0x28, 4);
	put(r + 0x58 + 0x10, 12, 4);
	put(r + 0x58 + 0x14, 0x18, 2);
	put(r + 0x58 + 0x18 + 10, 0x8001, 2);
	put(r + 0x80, 0xffffffff, 4);
}

static void test_record(void **state)
{
	static const struct {
		unsigned at, bytes;
		uint64_t value;
	} bad[] = {
	        {0, 1, 'B'},
	        {4, 2, 0xfffe},
	        {4, 2, 508},
	        {6, 2, 0},
	        {6, 2, 2},
	        {6, 2, 0xffff},
	        {510, 2, 0},
	        {1022, 2, 0x4321},
	        {0x14, 2, 0xffff},
	        {0x14, 2, 0xf8},
	        {0x18, 4, 0xffffffff},
	        {0x18, 4, 0x60},
	        {0x3c, 4, 0},
	        {0x3c, 4, 8},
	        {0x3c, 4, 0xfffffff0},
	        {0x38, 4, 0xffffffff},
	        {0x5c, 4, 0x10},
	        {0x5c, 4, 0x1000},
	        {0x60, 1, 1},
	        {0x68, 4, 11},
	        {0x68, 4, 0xffffffff},
	        {0x6c, 2, 0xffff},
	        {0x6c, 2, 0x1d},
	};
	unsigned char r[1024];
	uint16_t flags;
	size_t at;

	(void)state;
	record(r);
	assert_int_equal(
	        ntfs_volume_parse_record(r, sizeof(r), &at, &flags), 0);
	assert_int_equal(at, 0x58 + 0x18 + 10);
	assert_int_equal(flags, 0x8001);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		record(r);
		put(r + bad[i].at, bad[i].value, bad[i].bytes);
		if (ntfs_volume_parse_record(r, sizeof(r), &at, &flags) !=
		        -EUCLEAN)
			fail_msg("%zu was taken", i);
	}
}

/* Flags where a sector's last bytes are kept elsewhere are left alone. */
static void test_sector_end(void **state)
{
	unsigned char r[1024];
	uint16_t flags;
	size_t at;

	(void)state;
	record(r);
	put(r + 0x18, 0x300, 4);
	put(r + 0x3c, 510 - 10 - 0x18 - 0x38, 4);
	put(r + 510 - 10 - 0x18, 0x70, 4);
	put(r + 510 - 10 - 0x18 + 4, 0x28, 4);
	put(r + 510 - 10 - 0x18 + 0x10, 12, 4);
	put(r + 510 - 10 - 0x18 + 0x14, 0x18, 2);
	assert_int_equal(
	        ntfs_volume_parse_record(r, sizeof(r), &at, &flags), -EUCLEAN);
}

static void test_no_volume(void **state)
{
	struct ntfs_volume v;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(ntfs_volume_read(fd, SIZE, &v), -EUCLEAN);
	assert_int_equal(close(fd), 0);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(ntfs_volume_read(fd, SIZE, &v), -EUCLEAN);
	assert_int_equal(close(fd), 0);
	assert_int_equal(ntfs_volume_read(-1, SIZE, &v), -EBADF);
}

static int make_and_read(struct ntfs_volume *v)
{
	int fd = make("4096", "x");

	if (fd < 0)
		skip();
	assert_int_equal(ntfs_volume_read(fd, SIZE, v), 0);
	return fd;
}

/* The device ends in the middle of a record, or of what is marked there. */
static void test_short(void **state)
{
	struct ntfs_volume v;
	int fd = make_and_read(&v);

	(void)state;
	for (int i = 1; i >= 0; i--) {
		assert_int_equal(ftruncate(fd, (off_t)v.flags_at[i]), 0);
		assert_int_equal(ntfs_volume_read(fd, SIZE, &v), -EUCLEAN);
	}
	assert_int_equal(close(fd), 0);
}

/* Half a mark is an error. */
static void test_half_a_mark(void **state)
{
	struct ntfs_volume v;
	int fd = make_and_read(&v);

	(void)state;
	v.flags_at[1] = INT64_MAX;
	assert_true(ntfs_volume_mark(fd, &v, true) < 0);
	assert_false(ntfs_volume_is_dirty(&v));
	assert_int_equal(close(fd), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_clusters),
	        TEST(test_read_only),
	        TEST(test_chkdsk_underway),
	        TEST(test_boot),
	        TEST(test_record),
	        TEST(test_sector_end),
	        TEST(test_no_volume),
	        TEST(test_short),
	        TEST(test_half_a_mark),
	};

	return cmocka_run_group_tests_name("ntfs_volume", tests, NULL, NULL);
}
