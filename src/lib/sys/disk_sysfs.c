/* SPDX-License-Identifier: MIT */
/* disk_sysfs: what the kernel tells of a device without touching it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "num.h"
#include "str.h"
#include "util.h"

#include "sys/disk_internal.h"

/* dm on md on dm: deeper stacks are a loop in broken data. */
#define STACK_DEPTH_MAX 8

static const char *sysfs_root = "/sys";

void disk_sysfs_set_root(const char *root)
{
	sysfs_root = root ? root : "/sys";
}

/* The first line of an attribute, trimmed; "" when there is none. */
static bool read_text(const char *path, char *dst, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n;

	dst[0] = '\0';
	if (fd < 0)
		return false;
	/* "Not read" would mean "gone" to those who ask. */
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return false;
	text[n] = '\0';
	(void)str_copy(dst, size, str_trim(text));
	return true;
}

static void attr_path(char dst[PATH_MAX], dev_t devno, const char *name)
{
	(void)snprintf(dst, PATH_MAX, "%s/dev/block/%u:%u/%s", sysfs_root,
	        major(devno), minor(devno), name);
}

static bool attr(dev_t devno, const char *name, char *dst, size_t size)
{
	char path[PATH_MAX];

	attr_path(path, devno, name);
	return read_text(path, dst, size);
}

static uint64_t attr_number(dev_t devno, const char *name)
{
	char text[64];
	uint64_t n = 0;

	if (!attr(devno, name, text, sizeof(text)) ||
	        num_parse_u64(text, UINT64_MAX, &n) < 0)
		return 0;
	return n;
}

static bool parse_devno(const char *text, dev_t *ret)
{
	char copy[64];
	char *colon;
	int64_t ma, mi;

	if (str_copy(copy, sizeof(copy), text) < 0 ||
	        !(colon = strchr(copy, ':')))
		return false;
	*colon = '\0';
	if (num_parse_i64(copy, 0, 1 << 20, &ma) < 0 ||
	        num_parse_i64(colon + 1, 0, 1 << 20, &mi) < 0)
		return false;
	*ret = makedev((unsigned)ma, (unsigned)mi);
	return true;
}

dev_t disk_sysfs_whole(dev_t devno)
{
	char text[64];
	dev_t whole;

	/* A partition's directory lies in that of its disk. */
	if (!attr(devno, "partition", text, sizeof(text)))
		return devno;
	if (!attr(devno, "../dev", text, sizeof(text)) ||
	        !parse_devno(text, &whole))
		return devno;
	return whole;
}

uint64_t disk_sysfs_size(dev_t devno)
{
	/* Always in units of 512 bytes, whatever the sector size. */
	return attr_number(devno, "size") * 512;
}

static bool name_starts(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && name[n] >= '0' &&
	       name[n] <= '9';
}

static void kernel_name(dev_t devno, char *dst, size_t size)
{
	char path[PATH_MAX], real[PATH_MAX];
	const char *slash;

	attr_path(path, devno, ".");
	dst[0] = '\0';
	if (!realpath(path, real))
		return;
	slash = strrchr(real, '/');
	(void)str_copy(dst, size, slash ? slash + 1 : real);
}

bool disk_sysfs_is_unsuitable(dev_t devno)
{
	char name[128];

	kernel_name(devno, name, sizeof(name));
	if (name_starts(name, "ram") || name_starts(name, "zram") ||
	        name_starts(name, "fd") || name_starts(name, "sr"))
		return true;
	return attr_number(disk_sysfs_whole(devno), "hidden") != 0;
}

bool disk_sysfs_has_partitions(dev_t devno)
{
	char path[PATH_MAX], entry[PATH_MAX + 300];
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;

	attr_path(path, devno, ".");
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		(void)snprintf(entry, sizeof(entry), "%s/%s/partition", path,
		        de->d_name);
		if (de->d_name[0] != '.' && access(entry, F_OK) == 0)
			return true;
	}
	return false;
}

static bool is_slave(dev_t upper, dev_t lower, dev_t whole, int depth)
{
	char path[PATH_MAX], entry[PATH_MAX + 300], text[64];
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;
	dev_t dev;

	attr_path(path, upper, "slaves");
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		(void)snprintf(
		        entry, sizeof(entry), "%s/%s/dev", path, de->d_name);
		if (!read_text(entry, text, sizeof(text)) ||
		        !parse_devno(text, &dev))
			continue;
		if (dev == lower || dev == whole)
			return true;
		if (depth < STACK_DEPTH_MAX &&
		        is_slave(dev, lower, whole, depth + 1))
			return true;
	}
	return false;
}

bool disk_sysfs_is_below(dev_t lower, dev_t upper)
{
	if (lower == upper)
		return false;
	return is_slave(upper, lower, disk_sysfs_whole(lower), 0);
}

/* The device behind the @nth entry of "slaves", 0 when it has left; false:
 * there are no more. */
static bool nth_slave(dev_t upper, size_t nth, dev_t *ret)
{
	char path[PATH_MAX], entry[PATH_MAX + 300], text[64];
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;

	attr_path(path, upper, "slaves");
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.' || nth-- > 0)
			continue;
		(void)snprintf(
		        entry, sizeof(entry), "%s/%s/dev", path, de->d_name);
		if (!read_text(entry, text, sizeof(text)) ||
		        !parse_devno(text, ret))
			*ret = 0;
		return true;
	}
	return false;
}

dev_t disk_sysfs_hardware(dev_t devno)
{
	dev_t whole = disk_sysfs_whole(devno), slave, other;

	/* Of several disks none is "the" disk. */
	for (int depth = 0; depth < STACK_DEPTH_MAX; depth++) {
		if (!nth_slave(whole, 0, &slave) || slave == 0 ||
		        nth_slave(whole, 1, &other))
			break;
		whole = disk_sysfs_whole(slave);
	}
	return whole;
}

/* What the driver says; SCSI and NVMe have an attribute for it. */
static bool is_dead(dev_t whole)
{
	static const char *const dead[] = {"offline", "transport-offline",
	        "cancel", "deleted", "dead", "deleting"};
	char state[64];

	if (!attr(whole, "device/state", state, sizeof(state)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++)
		if (str_eq(state, dead[i]))
			return true;
	return false;
}

static bool is_alive(dev_t devno, int depth)
{
	dev_t whole = disk_sysfs_whole(devno), slave;
	size_t n = 0;

	if (disk_sysfs_size(devno) == 0 || disk_sysfs_size(whole) == 0 ||
	        is_dead(whole))
		return false;
	/* A RAID lives as long as one of its disks. */
	for (; depth < STACK_DEPTH_MAX && nth_slave(whole, n, &slave); n++)
		if (slave != 0 && is_alive(slave, depth + 1))
			return true;
	return n == 0;
}

bool disk_sysfs_is_alive(dev_t devno)
{
	return is_alive(devno, 0);
}

/* SCSI's page 0x80 "unit serial number": 4 bytes of header, then text. */
static bool read_vpd(dev_t whole, char *dst, size_t size)
{
	char path[PATH_MAX], page[260];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	attr_path(path, whole, "device/vpd_pg80");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, page, sizeof(page) - 1);
	if (n <= 4)
		return false;
	page[n] = '\0';
	(void)str_copy(dst, size, str_trim(page + 4));
	return dst[0] != '\0';
}

/* The serial number of the USB device that the disk is behind. */
static bool read_usb_serial(dev_t whole, char *dst, size_t size)
{
	char path[PATH_MAX], real[PATH_MAX], file[PATH_MAX + 32];

	attr_path(path, whole, "device");
	if (!realpath(path, real))
		return false;
	for (char *slash = real + strlen(real); slash;
	        slash = strrchr(real, '/')) {
		*slash = '\0';
		(void)snprintf(file, sizeof(file), "%s/idVendor", real);
		if (access(file, F_OK) < 0)
			continue;
		(void)snprintf(file, sizeof(file), "%s/serial", real);
		return read_text(file, dst, size) && dst[0];
	}
	return false;
}

static void find_serial(dev_t whole, char *dst, size_t size)
{
	/* A USB bridge often shows a made-up serial of its own in the SCSI
	 * page; that of the USB device comes first, as udev does it. */
	if (read_usb_serial(whole, dst, size))
		return;
	if (attr(whole, "device/serial", dst, size) && dst[0])
		return;
	if (read_vpd(whole, dst, size))
		return;
	dst[0] = '\0';
}

static bool is_usb(dev_t whole)
{
	char path[PATH_MAX], real[PATH_MAX];

	attr_path(path, whole, "device");
	return realpath(path, real) && strstr(real, "/usb");
}

int disk_sysfs_fill(dev_t devno, struct disk *d)
{
	dev_t hardware = disk_sysfs_hardware(devno);
	char text[16];

	if (!attr(devno, "size", text, sizeof(text)))
		return -ENOENT;
	d->devno = devno;
	d->diskseq = attr_number(disk_sysfs_whole(devno), "diskseq");
	d->size_bytes = disk_sysfs_size(devno);
	d->removable =
	        attr_number(hardware, "removable") != 0 || is_usb(hardware);
	d->read_only = attr_number(devno, "ro") != 0;
	find_serial(hardware, d->serial, sizeof(d->serial));
	(void)attr(hardware, "device/model", d->model, sizeof(d->model));
	return 0;
}

/* Fields of Documentation/block/stat.rst, from 0. */
int disk_sysfs_stat(dev_t devno, uint64_t *ret, size_t len)
{
	char text[512];
	char *rest = text;

	if (!attr(devno, "stat", text, sizeof(text)))
		return -ENOENT;
	for (size_t i = 0; i < len; i++) {
		char *end;

		ret[i] = strtoull(rest, &end, 10);
		if (end == rest)
			return -EINVAL;
		rest = end;
	}
	return 0;
}

/* Writes @text to the attribute @name, "class" attributes by full path. */
int disk_sysfs_write(const char *relative, const char *text)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s", sysfs_root, relative);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

int disk_sysfs_read(const char *relative, char *dst, size_t size)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", sysfs_root, relative);
	return read_text(path, dst, size) ? 0 : -ENOENT;
}
