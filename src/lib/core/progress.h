/* SPDX-License-Identifier: MIT */
/*
 * progress: from bytes to "43 %, 81 MB/s, 12 min left".
 *
 * The denominator is the plan's transferred size; the numerator is rsync's
 * count, held back by what the disk has really taken.  Never goes back, never
 * passes 100, is 100 only when told that the work is done; a run with nothing
 * to copy is 100 at once.  Pure: time is an argument.
 */
#ifndef CORE_PROGRESS_H
#define CORE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_SAMPLES 32

struct progress {
	uint64_t bytes_total; /* of the plan */
	uint64_t bytes_done;  /* high-water mark, <= bytes_total */
	double percent;       /* 0..100, high-water mark */
	uint64_t rate;        /* bytes per second over the last minute */
	int64_t eta_seconds;  /* -1 = not known yet */
	int64_t started_ms;
	bool finished;
	struct {
		int64_t at_ms;
		uint64_t bytes;
	} samples[PROGRESS_SAMPLES];
	unsigned samples_len;
	unsigned samples_next;
};

void progress_init(struct progress *p, uint64_t bytes_total, int64_t now_ms);
/* @bytes: rsync's count; @bytes_on_disk: what the device has written since the
 * start, or UINT64_MAX when unknown. */
void progress_update(struct progress *p, uint64_t bytes, uint64_t bytes_on_disk,
        int64_t now_ms);
/* Everything is copied and flushed: 100 %. */
void progress_finish(struct progress *p, int64_t now_ms);

#endif
