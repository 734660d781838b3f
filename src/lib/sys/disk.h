/* SPDX-License-Identifier: MIT */
/*
 * disk: which block devices are there, and what is on them (libudev, libblkid).
 *
 * Nothing here trusts /dev/disk/by-uuid or blkid's cache: both "jump" when two
 * devices carry the same UUID.  A device is opened once; what is read, is read
 * from that descriptor; major:minor and the kernel's disk sequence number tell
 * later whether it is still the same.
 */
#ifndef SYS_DISK_H
#define SYS_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "err.h"

struct disk {
	char device[256];    /* "/dev/sdb1" */
	char uuid[64];       /* of the file system, as blkid writes it */
	char fstype[32];     /* "ext4", "crypto_LUKS", ... */
	char label[256];     /* raw bytes of the file system label: hostile */
	char serial[128];    /* of the hardware, also below LUKS; "" = none */
	char model[128];     /* raw, trimmed: hostile */
	dev_t devno;         /* of the device that holds the file system */
	uint64_t diskseq;    /* of the whole disk; 0 = kernel does not tell */
	uint64_t size_bytes; /* of the device that holds the file system */
	bool removable;      /* removable or hot-plugged by USB */
	bool read_only;      /* the kernel says writes are refused */
};

/*
 * Probes @device: superblocks, ambivalent signatures refused.
 * 0; -ENODATA nothing recognised; -EUCLEAN ambivalent (err names wipefs);
 * -ENOTBLK; or another negative errno.  Opens read-only without blocking and
 * closes it again.  The caller runs it in proc_task() when the device may hang.
 */
int disk_probe(
        const char *device, struct disk *ret, struct err *err) _must_check_;

/*
 * Every block device (whole disks and partitions, also loop devices; not RAM
 * disks, not floppies, not empty ones) that holds a file system.  Devices that
 * cannot be probed are left out with a debug line, those that do not answer
 * within 15 s with a warning; *ret is malloc'ed, caller frees.
 * @uuid != NULL: only devices with it (compared without case).  A device below
 * a device mapper or md device with the same file system is not counted.
 * 0; with @uuid also -EUCLEAN when it is on a device with ambivalent
 * signatures, and -ETIMEDOUT when it was not found but a device did not answer.
 * Starts a child for every device.
 */
int disk_list(const char *uuid, struct disk **ret, size_t *ret_len,
        struct err *err) _must_check_;

/* Does anybody hold @device (mounted in whatever namespace, part of a RAID,
 * swap)? 1, 0 or negative errno. */
int disk_is_claimed(const char *device);

/* Why a disk is no longer the one that was opened. */
enum disk_state {
	DISK_PRESENT,
	DISK_GONE,     /* sysfs entry away, size 0, offline, another disk
	                * sequence, or so for all that it is built upon */
	DISK_READONLY, /* became read-only */
};
/* Looks at sysfs only, never at the device: cannot hang. */
enum disk_state disk_check(const struct disk *disk);
/* The same after @error (negative errno) of something that was on it: when it
 * could come from a disk that is being pulled out, the kernel gets a second to
 * say so, for its I/O errors come first. */
enum disk_state disk_check_after(const struct disk *disk, int error);

/* For on_tick of proc_task(): -ENODEV, once @disk (a struct disk) is gone. */
int disk_tick(void *disk);

/* Bytes that the kernel has written to the device since it appeared, from
 * /sys/dev/block/M:m/stat; 0 when unknown. */
uint64_t disk_bytes_written(dev_t devno);
/* A number that changes whenever the device has read or written something;
 * for watchdogs. 0 when unknown. */
uint64_t disk_activity(dev_t devno);
/* Keeps the page cache of this disk small (bdi/max_ratio = @percent) so that
 * progress is honest and unmounting quick. Best effort: 0 or negative errno.
 * *ret_old (may be NULL) is the value before, for putting it back. */
int disk_limit_cache(dev_t devno, unsigned percent, unsigned *ret_old);

/* Powers the whole disk down (sysfs device/delete); -EOPNOTSUPP when it is no
 * hot-plug device. */
int disk_power_off(const struct disk *disk, struct err *err);

#endif
