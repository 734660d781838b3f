/* SPDX-License-Identifier: MIT */
/*
 * disk_internal: what the disk_*.c files tell one another.  Nobody else
 * includes this, except the unit test.
 */
#ifndef SYS_DISK_INTERNAL_H
#define SYS_DISK_INTERNAL_H

#include "sys/disk.h"

/* --- disk.c ----------------------------------------------------------------
 */

/* How long disk_list() waits for a device; 0 puts the default back. */
void disk_set_probe_timeout(int ms);

/* --- disk_blkid.c: the superblocks behind a descriptor ---------------------
 */

#define DISK_MAX_SIGNATURES 4

struct disk_content {
	char uuid[64];
	char fstype[32];
	char label[256];
	char table[32];    /* type of a partition table ("gpt"), "" = none */
	bool is_component; /* part of a RAID or volume group, or swap space */
	/* When ambivalent: the types and UUIDs of all that claim the device. */
	size_t signatures_len;
	char signature_type[DISK_MAX_SIGNATURES][32];
	char signature_uuid[DISK_MAX_SIGNATURES][64];
};

/* 0; -ENODATA nothing but perhaps a partition table; -EUCLEAN ambivalent;
 * -EIO or another negative errno: cannot be read. @ret is filled as far as
 * known in every case. */
int disk_blkid_probe(int fd, struct disk_content *ret) _must_check_;

/* --- disk_udev.c: which devices there are, and what udev knows of them -----
 */

struct disk_node {
	char device[256];
	dev_t devno;
};

/* Every block device the kernel has; *ret is malloc'ed, caller frees. */
int disk_udev_list(struct disk_node **ret, size_t *ret_len) _must_check_;
/* ID_SERIAL_SHORT and ID_MODEL of the disk; "" for each that udev does not
 * know, which without a running udevd is always so. 128 bytes each. */
void disk_udev_identity(dev_t whole, char serial[128], char model[128]);

/* --- disk_sysfs.c: what the kernel tells without touching the device -------
 */

/* Tests read a prepared tree in place of /sys; NULL puts /sys back. */
void disk_sysfs_set_root(const char *root);

/* Fills devno, diskseq, size, serial, model, removable, read_only. 0 or
 * -ENOENT when the kernel does not know the device (any more). */
int disk_sysfs_fill(dev_t devno, struct disk *d) _must_check_;
uint64_t disk_sysfs_size(dev_t devno);
/* The whole disk of a partition; of anything else, itself. */
dev_t disk_sysfs_whole(dev_t devno);
/* The whole disk below partitions, encryption and volumes; where it is built
 * upon several, that device itself. */
dev_t disk_sysfs_hardware(dev_t devno);
/* Not offline, not of size 0, and something below it still there. */
bool disk_sysfs_is_alive(dev_t devno);
/* The first @len figures of the "stat" attribute. 0, -ENOENT, -EINVAL. */
int disk_sysfs_stat(dev_t devno, uint64_t *ret, size_t len) _must_check_;
/* Any attribute by its path below /sys. */
int disk_sysfs_read(const char *relative, char *dst, size_t size) _must_check_;
int disk_sysfs_write(const char *relative, const char *text) _must_check_;
/* Does the kernel show partitions on this whole disk? */
bool disk_sysfs_has_partitions(dev_t devno);
/* RAM disk, floppy, optical drive or a hidden path of another device. */
bool disk_sysfs_is_unsuitable(dev_t devno);
/* Is @upper (device mapper, md) built upon @lower or upon the disk that @lower
 * is a partition of? */
bool disk_sysfs_is_below(dev_t lower, dev_t upper);

#endif
