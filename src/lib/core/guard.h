/* SPDX-License-Identifier: MIT */
/*
 * guard: is the source what it must be, before anything is deleted for it?
 *
 * An unmounted or emptied source together with deletion is how backups die.
 */
#ifndef CORE_GUARD_H
#define CORE_GUARD_H

#include "err.h"

struct settings;

/*
 * 0 when the source is a readable directory, has at least min-source-files
 * regular files, is a mount point when it must be, is not the empty mount
 * point of a file system that /etc/fstab wants there, and neither contains the
 * destination and the state directory nor lies in the destination.
 * Negative errno with message, meaning and action otherwise.
 */
int guard_source(const struct settings *s, struct err *err) _must_check_;

#endif
