/* SPDX-License-Identifier: MIT */
/*
 * found: the files that are on the disk longer than the list of its files.
 *
 * Those of the old script, or all when the list was lost: rsync tells nothing
 * about them, because it has nothing to do.
 */
#ifndef CORE_FOUND_H
#define CORE_FOUND_H

#include "err.h"

struct manifest;
struct settings;
struct target;

/*
 * Enters them into @m, without hashes; the next reading back learns those.
 * Only when disk and source were found to be alike: a file counts when the
 * source has it too.  Commits.  @on_tick as in proc_task().
 * 0, -ECANCELED, or a negative errno with @err.
 */
int found_enter(struct manifest *m, const struct target *t,
        const struct settings *s, int (*on_tick)(void *arg), void *arg,
        struct err *err) _must_check_;

#endif
