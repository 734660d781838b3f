/* SPDX-License-Identifier: MIT */
#include "core/progress.h"

#include <string.h>

#define SAMPLE_EVERY_MS 2000
#define WINDOW_MS 60000
/* Below this the rate is a guess. */
#define RATE_AFTER_MS 3000
/* How far rsync may be ahead of the disk: what the kernel keeps back, with
 * room for devices that count late. */
#define AHEAD_BYTES (UINT64_C(256) << 20)
/* All bytes are there, but not flushed. Rounded it is not 100 either. */
#define PERCENT_UNFINISHED 99.4
#define ETA_MAX_S (INT64_C(10) * 365 * 86400)

void progress_init(struct progress *p, uint64_t bytes_total, int64_t now_ms)
{
	memset(p, 0, sizeof *p);
	p->bytes_total = bytes_total;
	p->started_ms = now_ms;
	p->eta_seconds = -1;
	p->samples[0].at_ms = now_ms;
	p->samples_len = 1;
	p->samples_next = 1;
	if (bytes_total == 0) {
		p->percent = 100;
		p->eta_seconds = 0;
	}
}

static void add_sample(struct progress *p, int64_t now_ms)
{
	unsigned last =
	        (p->samples_next + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES;

	if (now_ms - p->samples[last].at_ms < SAMPLE_EVERY_MS)
		return;
	p->samples[p->samples_next].at_ms = now_ms;
	p->samples[p->samples_next].bytes = p->bytes_done;
	p->samples_next = (p->samples_next + 1) % PROGRESS_SAMPLES;
	if (p->samples_len < PROGRESS_SAMPLES)
		p->samples_len++;
}

/* The oldest sample of the last minute; after a long silence the newest. */
static unsigned base_sample(const struct progress *p, int64_t now_ms)
{
	unsigned i = (p->samples_next + PROGRESS_SAMPLES - p->samples_len) %
	             PROGRESS_SAMPLES;

	for (unsigned n = 1; n < p->samples_len; n++) {
		if (now_ms - p->samples[i].at_ms <= WINDOW_MS)
			break;
		i = (i + 1) % PROGRESS_SAMPLES;
	}
	return i;
}

static void measure(struct progress *p, int64_t now_ms)
{
	unsigned base = base_sample(p, now_ms);
	int64_t took_ms = now_ms - p->samples[base].at_ms;
	double left;

	if (took_ms < RATE_AFTER_MS)
		return;
	p->rate = (uint64_t)((double)(p->bytes_done - p->samples[base].bytes) *
	                     1000.0 / (double)took_ms);
	p->eta_seconds = -1;
	if (p->rate == 0)
		return;
	left = (double)(p->bytes_total - p->bytes_done) / (double)p->rate;
	if (left < (double)ETA_MAX_S)
		p->eta_seconds = (int64_t)(left + 0.5);
}

void progress_update(struct progress *p, uint64_t bytes, uint64_t bytes_on_disk,
        int64_t now_ms)
{
	double percent;

	if (p->finished || p->bytes_total == 0)
		return;
	if (bytes_on_disk < UINT64_MAX - AHEAD_BYTES &&
	        bytes > bytes_on_disk + AHEAD_BYTES)
		bytes = bytes_on_disk + AHEAD_BYTES;
	/* More than planned: the source grew in the meantime. */
	if (bytes > p->bytes_total)
		bytes = p->bytes_total;
	if (bytes > p->bytes_done)
		p->bytes_done = bytes;
	percent = 100.0 * (double)p->bytes_done / (double)p->bytes_total;
	if (percent > PERCENT_UNFINISHED)
		percent = PERCENT_UNFINISHED;
	if (percent > p->percent)
		p->percent = percent;
	measure(p, now_ms);
	add_sample(p, now_ms);
}

void progress_finish(struct progress *p, int64_t now_ms)
{
	int64_t took_ms = now_ms - p->started_ms;

	if (p->finished)
		return;
	p->finished = true;
	p->bytes_done = p->bytes_total;
	p->percent = 100;
	p->eta_seconds = 0;
	/* Over before there was a rate: that of the whole. */
	if (p->rate == 0 && took_ms > 0)
		p->rate = (uint64_t)((double)p->bytes_total * 1000.0 /
		                     (double)took_ms);
}
