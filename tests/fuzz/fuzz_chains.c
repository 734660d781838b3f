/* SPDX-License-Identifier: MIT */
/*
 * Up to the first NUL byte: lines "path" or "path<TAB>" (a size of 0); behind
 * it the contents of a .vbm.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/chains.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void scan(const char *data, size_t len)
{
	struct strv v = STRV_INIT;

	check(chains_scan_vbm(data, len, &v) == 0);
	check(v.len <= CHAINS_VBM_NAMES_MAX);
	for (size_t i = 0; i < v.len; i++) {
		const char *name = v.items[i];
		enum chains_kind kind;
		char job[256], time[CHAINS_TIME_SIZE];

		check(strlen(name) <= 255 && !strpbrk(name, "/\\\n"));
		check(i == 0 || strcmp(v.items[i - 1], name) < 0);
		check(chains_parse_name(name, &kind, job, sizeof job, time));
	}
	strv_done(&v);
}

static void check_chain(const struct chain *ch)
{
	check(ch->newest != NULL);
	check(ch->restorable <= ch->points);
	check((ch->newest_restorable != NULL) == (ch->restorable > 0));
	check(ch->complete == (ch->problems_total == 0));
	check(ch->problems.len <= ch->problems_total);
	check(ch->problems.len <= CHAINS_PROBLEMS_MAX);
	if (ch->complete) {
		check(ch->restorable == ch->points);
		check(ch->newest == ch->newest_restorable);
	}
	if (ch->newest_restorable)
		check(!ch->newest_restorable->missing &&
		        ch->newest_restorable->size > 0);
}

/* Every point is in exactly one chain. */
static void check_all(const struct chains *c)
{
	size_t points = 0, there = 0;

	for (size_t i = 0; i < c->items_len; i++) {
		check_chain(&c->items[i]);
		points += c->items[i].points;
	}
	for (size_t i = 0; i < c->points_len; i++)
		there += !c->points[i].missing;
	check(points == there);
}

static void add_lines(struct chains *c, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	        line = strtok_r(NULL, "\n", &save)) {
		size_t len = strlen(line);
		uint64_t bytes = 1;

		if (line[len - 1] == '\t') {
			line[len - 1] = '\0';
			bytes = 0;
		}
		check(chains_add(c, line, bytes) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chains c = CHAINS_INIT;
	char *copy = malloc(size + 1);
	size_t head;

	check(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	head = strlen(copy);
	add_lines(&c, copy);
	free(copy);

	if (head < size) {
		/* a copy of just this size, so that a byte too many is seen */
		size_t len = size - head - 1;

		copy = malloc(len ? len : 1);
		check(copy != NULL);
		if (len > 0)
			memcpy(copy, data + head + 1, len);
		scan(copy, len);
		check(chains_add_vbm(&c, "Job.vbm", copy, len) == 0);
		free(copy);
	}
	check(chains_judge(&c, NULL) == 0);
	check_all(&c);
	chains_done(&c);
	return 0;
}
