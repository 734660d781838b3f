/* SPDX-License-Identifier: MIT */
/* target_driver: what target*.c need for a disk whose file system is driven by
 * a program (NTFS without a driver in the kernel). For others each of these
 * does nothing. */
#ifndef CORE_TARGET_DRIVER_H
#define CORE_TARGET_DRIVER_H

#include <stdbool.h>
#include "err.h"

struct mount_request;
struct target;

/* In place of mount_attach(): 0; -ENOENT no program does it either (@err is
 * untouched); others with what to do. */
int target_driver_mount(struct target *t, const struct mount_request *req,
        const char **ret_missing, struct err *err) _must_check_;

/* After it, unless others are to see the mount: see mount_fuse_separate().
 * When this fails, it is for target_unmount() to tidy up. */
int target_driver_separate(const struct target *t, struct err *err);

/* Every page of the device on the disk?  The one who asks hears of an error,
 * the next does not.  May hang. */
int target_driver_flush(const struct target *t) _must_check_;
/* What is read from now on comes from the disk. */
void target_driver_forget(const struct target *t);
/* -EIO when it has died. */
int target_driver_check(const struct target *t, struct err *err);

/* It does not answer: kills it, and who waits for it gets an error.  Also in a
 * child of ours. */
void target_driver_kill(const struct target *t);
/* The same in the parent, who waits until it is dead.  False when there is
 * none. */
bool target_driver_give_up(struct target *t);
/* Takes away the mount of a driver that is dead, also while it is in use:
 * nothing can be written through it any more.  0 or negative errno. */
int target_driver_drop(const struct target *t);
/* After the unmount: the verdict. 0, or -EIO: the copy is not good. */
int target_driver_end(struct target *t, struct err *err) _must_check_;

#endif
