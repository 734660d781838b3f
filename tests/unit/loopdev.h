/* SPDX-License-Identifier: MIT */
/*
 * loopdev: loop devices and file systems for a unit test that runs as root.
 *
 * A device lives as long as the descriptor that this file keeps open, so that
 * it is gone when the test is, however it ends.  Everything asserts; include
 * it behind cmocka.h and scratch.h.
 */
#ifndef TESTS_LOOPDEV_H
#define TESTS_LOOPDEV_H

#include <errno.h>
#include <linux/blkpg.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "proc.h"
#include "util.h"

#define LOOP_MIB (1024LL * 1024)

struct loop {
	int fd;
	char device[32];
	char image[SCRATCH_PATH];
	dev_t devno;
};

/* --- programs ------------------------------------------------------------- */

/* Where a program is, or NULL; valid until the next call. */
static const char *tool_path(const char *name)
{
	static const char *const dirs[] = {
	        "/usr/sbin", "/sbin", "/usr/bin", "/bin"};
	static char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

#define ARGS_MAX 12

/* Its exit code; -1 when it is not installed. */
static int tool(const char *const *args)
{
	char program[128], copy[ARGS_MAX][SCRATCH_PATH];
	char *argv[ARGS_MAX + 1] = {program};
	struct proc_spec spec = {PROC_SPEC_INIT, .name = args[0], .argv = argv};
	struct proc_result res;
	struct err err = ERR_INIT;
	const char *path = tool_path(args[0]);

	if (!path)
		return -1;
	(void)snprintf(program, sizeof(program), "%s", path);
	for (size_t i = 1; args[i]; i++) {
		assert_true(i < ARGS_MAX);
		(void)snprintf(copy[i], sizeof(copy[i]), "%s", args[i]);
		argv[i] = copy[i];
	}
	assert_int_equal(proc_run(&spec, &res, &err), 0);
	return res.exit_code;
}
#define TOOL(...) tool((const char *const[]){__VA_ARGS__, NULL})

_unused_ static bool kernel_has(const char *fstype)
{
	FILE *f = fopen("/proc/filesystems", "re");
	char line[128];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, "nodev") != 0 && line[0] == '\t' &&
		        strcmp(line + 1, fstype) == 0;
	}
	if (f)
		(void)fclose(f);
	return found;
}

/* --- images --------------------------------------------------------------- */

_unused_ static void image_make(const char *path, long long size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(close(fd), 0);
}

_unused_ static void image_write(
        const char *path, off_t offset, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, offset), len);
	assert_int_equal(close(fd), 0);
}

_unused_ static void image_read(
        const char *path, off_t offset, void *dst, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, dst, len, offset), len);
	assert_int_equal(close(fd), 0);
}

/* Makes the image and a file system in it; false: its mkfs is missing. */
_unused_ static bool image_mkfs(const char *path, const char *fstype,
        const char *uuid, const char *label)
{
	char param[64];
	int r = 0;

	if (strcmp(fstype, "xfs") == 0) {
		image_make(path, 310 * LOOP_MIB);
		(void)snprintf(param, sizeof(param), "uuid=%s", uuid);
		r = TOOL(
		        "mkfs.xfs", "-q", "-f", "-m", param, "-L", label, path);
	} else if (strcmp(fstype, "btrfs") == 0) {
		image_make(path, 160 * LOOP_MIB);
		r = TOOL("mkfs.btrfs", "-q", "-f", "-U", uuid, "-L", label,
		        path);
	} else {
		image_make(path, 16 * LOOP_MIB);
		r = TOOL(
		        "mkfs.ext4", "-q", "-F", "-U", uuid, "-L", label, path);
	}
	if (r < 0)
		print_message("mkfs.%s is not installed\n", fstype);
	assert_true(r <= 0);
	return r == 0;
}

/* A new one: the same test may run twice at a time. */
_unused_ static void image_uuid(char dst[40])
{
	FILE *f = fopen("/proc/sys/kernel/random/uuid", "re");

	assert_non_null(f);
	assert_non_null(fgets(dst, 40, f));
	assert_int_equal(fclose(f), 0);
	dst[strcspn(dst, "\n")] = '\0';
}

/* --- devices -------------------------------------------------------------- */

_unused_ static bool loop_possible(void)
{
	if (geteuid() != 0)
		print_message("needs root\n");
	else if (access("/dev/loop-control", R_OK | W_OK) < 0)
		print_message("this machine has no loop devices\n");
	else
		return true;
	return false;
}

#define NEED_LOOP()                   \
	do {                          \
		if (!loop_possible()) \
			skip();       \
	} while (0)

/* 0 or -1 with errno. */
static int loop_configure(int fd, const char *image, bool read_only)
{
	_cleanup_close_ int back =
	        open(image, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct loop_config config = {.fd = (uint32_t)back};

	assert_true(back >= 0);
	config.info.lo_flags =
	        LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0U);
	return ioctl(fd, LOOP_CONFIGURE, &config);
}

_unused_ static void loop_attach(
        struct loop *ret, const char *image, bool read_only)
{
	_cleanup_close_ int control =
	        open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct stat st;

	/* Somebody else may take the free one before we do. */
	for (;;) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		assert_true(n >= 0);
		(void)snprintf(
		        ret->device, sizeof(ret->device), "/dev/loop%d", n);
		ret->fd = open(ret->device,
		        (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		assert_true(ret->fd >= 0);
		if (loop_configure(ret->fd, image, read_only) == 0)
			break;
		assert_int_equal(errno, EBUSY);
		(void)close(ret->fd);
	}
	assert_int_equal(fstat(ret->fd, &st), 0);
	ret->devno = st.st_rdev;
	(void)snprintf(ret->image, sizeof(ret->image), "%s", image);
}

static bool loop_is_attached(const struct loop *loop)
{
	char path[64], text[SCRATCH_PATH + 32] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file",
	        loop->device + strlen("/dev/"));
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	(void)fclose(f);
	return strncmp(text, loop->image, strlen(loop->image)) == 0;
}

/* The kernel detaches it with its last user, and somebody else may just be
 * looking at all disks of this machine. */
_unused_ static void loop_detach(struct loop *loop)
{
	assert_int_equal(close(loop->fd), 0);
	loop->fd = -1;
	for (int i = 0; i < 5000 && loop_is_attached(loop); i++)
		(void)usleep(2000);
	assert_false(loop_is_attached(loop));
}

/* Partition @number, which begins at @start: as the kernel's own parsers,
 * which it may not have, would add it. @add false: takes it away. */
_unused_ static void loop_partition(const struct loop *loop, int number,
        long long start, long long length, bool add)
{
	struct blkpg_partition part = {
	        .start = start, .length = length, .pno = number};
	struct blkpg_ioctl_arg arg = {
	        .op = add ? BLKPG_ADD_PARTITION : BLKPG_DEL_PARTITION,
	        .datalen = sizeof(part),
	        .data = &part};

	assert_int_equal(ioctl(loop->fd, BLKPG, &arg), 0);
}

#endif
