/* SPDX-License-Identifier: MIT */
/*
 * mount_holders: which processes keep a mount from being unmounted, as far as
 * /proc shows them: open and mapped files, working and root directories.
 */
#ifndef SYS_MOUNT_HOLDERS_H
#define SYS_MOUNT_HOLDERS_H

#include <stddef.h>

/* "rsync (pid 4711), less (pid 12)" in dst; "" when none is found.  @target
 * without links, as realpath(3) gives it. */
void mount_holders(const char *target, char *dst, size_t size);

#endif
