/* SPDX-License-Identifier: MIT */
/*
 * mount: mounting in a namespace of our own (libmount).
 *
 * mount_private() puts the calling process (before any thread) into a mount
 * namespace that receives the host's mounts but shows it none of ours; it dies
 * with its last process, so that a killed run leaves nothing mounted.
 */
#ifndef SYS_MOUNT_H
#define SYS_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "err.h"

int mount_private(struct err *err);

/* In a child, as pre_exec of a program that is to see and change the host's
 * mounts: back to where mount_private() came from.  0, also when it was never
 * called or there is no way back. */
int mount_outside(void *unused);

struct mount_request {
	const char *device; /* "/dev/sdb1" */
	const char *target; /* existing directory */
	const char *fstype; /* from disk_probe() */
	bool read_only;
	bool noatime;
};

/*
 * Mounts with nosuid,nodev,noexec,nosymfollow (and noatime); helpers and
 * /etc/fstab are not consulted.  A kernel without nosymfollow (before 5.10)
 * mounts without; *ret_missing (may be NULL) then is "nosymfollow".
 * The options are read back from mountinfo.
 * 0; -EBUSY; -ENODEV unknown file system type; -EROFS; -EUCLEAN damaged or
 * dirty; -EPERM; -EIO somebody else changes it; each with a sentence and what
 * to do; others.
 */
int mount_attach(const struct mount_request *req, const char **ret_missing,
        struct err *err) _must_check_;
/* It cannot be mounted because of @why: -EUCLEAN, with what to do. */
int mount_damaged(
        const struct mount_request *req, const char *why, struct err *err);
/* An NTFS volume that must be checked by Windows first. -EUCLEAN. */
int mount_unclean(const char *device, struct err *err);
/* @device is not, or no longer, what is seen on @target: -EIO, with what to
 * do. */
int mount_replaced(const char *device, const char *target, struct err *err);
/* What would mount it, in dst: the kernel's name of a file system, or the path
 * of a program.  -ENODEV: nothing. Looks only; device and fstype are used. */
int mount_driver_of(const struct mount_request *req, char *dst, size_t size,
        struct err *err);
/* Unmounts @target; never lazily, never by force. -EBUSY names the holders
 * as far as /proc shows them. */
int mount_detach(const char *target, struct err *err) _must_check_;

/* Where @devno (or, for btrfs, the device path) is mounted already, in the
 * calling namespace: 1 and the first mount point in dst; 0 not; negative. */
int mount_find(const char *device, dev_t devno, char *dst, size_t size);
/* Is @path itself a mount point? 1, 0 or negative errno. */
int mount_is_point(const char *path);

/* Does /etc/fstab want something mounted on @path (compared resolved, "noauto"
 * entries count as well)? 1, 0. */
int mount_is_in_fstab(const char *path);

/* What identifies a mounted file system through an open descriptor. */
struct mount_id {
	dev_t devno;     /* st_dev */
	uint64_t mnt_id; /* statx STX_MNT_ID */
};
int mount_id_of(int fd, struct mount_id *ret);

/* True for file systems that can hold owners, modes and links (ext*, XFS,
 * btrfs, f2fs, ...); false for FAT, exFAT, NTFS. */
bool mount_is_posix(const char *fstype);
/* rsync's --modify-window for @fstype: 0, 1 (exFAT) or 2 (FAT). */
int mount_time_window(const char *fstype);

#endif
