/* SPDX-License-Identifier: MIT */
/* mount_internal: what the files mount*.c share; nobody else includes
 * it (the unit test does). */
#ifndef SYS_MOUNT_INTERNAL_H
#define SYS_MOUNT_INTERNAL_H

#include "err.h"
#include "sys/mount.h"

/* The driver in the kernel for @fstype, as blkid calls it. */
const char *mount_kernel_type(const char *fstype);

/* Is the device of @req what is seen on its target (a resolved path)? */
bool mount_is_done(const struct mount_request *req);

/* What the kernel really made of the options.  0, or -EIO when @req is not
 * mounted or lacks one. */
int mount_verify(const struct mount_request *req, const char **ret_missing,
        struct err *err);

/* It is in use: -EBUSY, with what to do. */
int mount_busy(const struct mount_request *req, struct err *err);

/* No driver for it: -ENODEV, with what to do. */
int mount_unknown(const struct mount_request *req, struct err *err);

#endif
