/* SPDX-License-Identifier: MIT */
/*
 * doubt: what a run that was cut off, or whose flush failed, left on the disk.
 *
 * A file that was written but never flushed may have the right name, size and
 * time and the wrong data; rsync would skip it for ever.  Each such file is
 * read back and compared with the hash that rsync told; one that is wrong, or
 * whose hash is not known, is made so that rsync copies it anew.
 */
#ifndef CORE_DOUBT_H
#define CORE_DOUBT_H

#include <stdint.h>
#include "err.h"

struct manifest;
struct settings;
struct status;
struct target;

/* Nothing in doubt: quick. Warns in @st about what was found. 0, -ECANCELED,
 * or a negative errno with @err when the disk cannot be read. */
int doubt_settle(struct manifest *m, const struct target *t,
        const struct settings *s, struct status *st, int (*on_tick)(void *arg),
        void *arg, struct err *err) _must_check_;

/*
 * The same for files of the source that changed since @since_ns
 * (CLOCK_REALTIME), while they were copied: one that was overwritten in place
 * and got its old time back looks copied already.
 */
int doubt_changed(const struct target *t, const struct settings *s,
        int64_t since_ns, int (*on_tick)(void *arg), void *arg,
        struct err *err) _must_check_;

/*
 * Whether any of these files lies on the disk: one that is excluded from the
 * copy may change as it likes.  1, 0, or a negative errno with @err.
 */
int doubt_concerns_copy(const struct target *t, const struct settings *s,
        int64_t since_ns, int (*on_tick)(void *arg), void *arg,
        struct err *err) _must_check_;

#endif
