/* SPDX-License-Identifier: MIT */
/* target_guard: a driver that does not answer must not hold the run. */
#ifndef CORE_TARGET_GUARD_H
#define CORE_TARGET_GUARD_H

#include <stdint.h>

struct target;

/* Watches over the driver of @t, from mounting to unmounting: when it neither
 * answers nor does anything for @idle_timeout_s (0 = for ever), it is killed,
 * and who waits for it gets an error.  Without a driver nothing is done. */
void target_guard_start(struct target *t, int64_t idle_timeout_s);
/* Harmless when there is no guard. */
void target_guard_stop(struct target *t);

#endif
