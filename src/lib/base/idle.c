/* SPDX-License-Identifier: MIT */
#include "idle.h"

#include "clock.h"

void idle_start(struct idle *idle, int64_t limit_s)
{
	*idle = (struct idle){
	        .limit_ms = limit_s * 1000, .last_ms = clock_mono_ms()};
}

void idle_moved(struct idle *idle)
{
	idle->last_ms = clock_mono_ms();
}

bool idle_too_long(struct idle *idle, uint64_t count)
{
	if (count != idle->count) {
		idle->count = count;
		idle_moved(idle);
	}
	return idle->limit_ms > 0 &&
	       clock_mono_ms() - idle->last_ms > idle->limit_ms;
}
