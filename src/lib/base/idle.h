/* SPDX-License-Identifier: MIT */
/*
 * idle: has nothing moved for too long?
 *
 *	idle_start(&idle, limit_s);
 *	... now and then: idle_too_long(&idle, counter) ...
 */
#ifndef BASE_IDLE_H
#define BASE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle {
	int64_t limit_ms; /* 0 = it may be idle for ever */
	int64_t last_ms;  /* when something last moved, clock_mono_ms() */
	uint64_t count;   /* what was counted then */
};

/* From now on, for @limit_s seconds. */
void idle_start(struct idle *idle, int64_t limit_s);
/* Something moved that is not counted. */
void idle_moved(struct idle *idle);
/* @count changes when something moves. */
bool idle_too_long(struct idle *idle, uint64_t count);

#endif
