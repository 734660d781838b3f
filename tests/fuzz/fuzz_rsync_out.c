/* SPDX-License-Identifier: MIT */
/* The same bytes in portions and at once are the same events. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/rsync_exit.h"
#include "core/rsync_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* A sum over everything that was heard. */
struct heard {
	uint64_t sum;
	uint64_t events;
};

static void mix(struct heard *h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h->sum = (h->sum ^ p[i]) * UINT64_C(0x100000001b3);
}

static int on_item(const struct rsync_item *it, void *arg)
{
	struct heard *h = arg;
	size_t hash = strlen(it->hash);

	check(it->name_len <= RSYNC_OUT_LINE_MAX);
	check(it->name[it->name_len] == '\0');
	check(hash == 0 || hash == 32);
	check(strlen(it->changes) < sizeof it->changes);
	check(it->kind <= RSYNC_ITEM_OTHER);
	h->events++;
	mix(h, "item", 4);
	mix(h, &it->kind, sizeof it->kind);
	mix(h, &it->type, 1);
	mix(h, &it->is_new, 1);
	mix(h, &it->is_dir, 1);
	mix(h, &it->size, sizeof it->size);
	mix(h, it->hash, hash);
	mix(h, it->name, it->name_len);
	mix(h, it->changes, strlen(it->changes));
	return 0;
}

static int on_progress(const struct rsync_progress *p, void *arg)
{
	struct heard *h = arg;

	check(p->percent >= 0 && p->percent <= 100);
	h->events++;
	mix(h, "progress", 8);
	mix(h, &p->bytes, sizeof p->bytes);
	mix(h, &p->percent, sizeof p->percent);
	return 0;
}

static int on_message(const char *line, void *arg)
{
	struct heard *h = arg;

	check(strlen(line) <= RSYNC_OUT_LINE_MAX);
	h->events++;
	mix(h, "message", 7);
	mix(h, line, strlen(line));
	return 0;
}

/* @step 0 = all at once; else the length of a portion comes from the bytes
 * themselves. */
static void hear(struct heard *h, struct rsync_stats *stats, const char *data,
        size_t size, size_t step)
{
	struct rsync_out_events ev = {.on_item = on_item,
	        .on_progress = on_progress,
	        .on_message = on_message,
	        .arg = h};
	struct rsync_out *p = malloc(sizeof *p);
	size_t done = 0;

	check(p != NULL);
	*h = (struct heard){.sum = UINT64_C(0xcbf29ce484222325)};
	rsync_out_init(p, &ev);
	while (done < size) {
		size_t len =
		        step == 0 ? size : 1 + (unsigned char)data[done] % step;
		char *copy;

		if (len > size - done)
			len = size - done;
		/* of just this size, so that a byte too many is seen */
		copy = malloc(len);
		check(copy != NULL);
		memcpy(copy, data + done, len);
		check(rsync_out_feed(p, copy, len) == 0);
		free(copy);
		done += len;
	}
	check(rsync_out_end(p) == 0);
	*stats = p->stats;
	free(p);
}

/* The other stream of rsync, the same way. */
static void errors(const char *data, size_t size)
{
	static struct rsync_errors whole, parts;
	struct err err = ERR_INIT;

	rsync_errors_init(&whole);
	rsync_errors_feed(&whole, data, size);
	rsync_errors_end(&whole);
	rsync_errors_init(&parts);
	for (size_t i = 0; i < size; i++)
		rsync_errors_feed(&parts, data + i, 1);
	rsync_errors_end(&parts);
	check(memcmp(whole.kept, parts.kept, sizeof whole.kept) == 0);
	check(whole.lines == parts.lines);
	check(whole.no_space == parts.no_space);
	check(whole.kept_len <= RSYNC_ERRORS_KEPT);
	check(whole.read_errors + whole.write_errors + whole.vanished <=
	        whole.lines);
	check(rsync_exit_judge(23, 0, &whole, &err) != RSYNC_OK);
	check(err.code < 0 && err.message[0] && err.action[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct heard whole, parts;
	struct rsync_stats a, b;

	hear(&whole, &a, text, size, 0);
	for (size_t step = 1; step <= 64; step *= 8) {
		hear(&parts, &b, text, size, step);
		check(whole.sum == parts.sum);
		check(whole.events == parts.events);
		check(a.complete == b.complete);
		check(a.bytes_transferred == b.bytes_transferred);
		check(a.files_total == b.files_total);
	}
	errors(text, size);
	return 0;
}
