/* SPDX-License-Identifier: MIT */
/*
 * jobframe_reading: what is read out of a host's answer, collected; for the
 * unit test and the fuzz target, which say what becomes of a broken promise.
 */
#ifndef TESTS_JOBFRAME_READING_H
#define TESTS_JOBFRAME_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "buf.h"
#include "core/jobframe.h"

#define NONCE "0123456789abcdef0123456789abcdef"

/* Does not return when it does not hold. */
static void check(bool holds);

struct reading {
	struct jobframe frame;
	struct buf lines; /* "S a|b|c;" */
	struct buf out[2];
	int calls;   /* of on_data */
	int stop_at; /* it returns false; 0 = never */
	int refuse;  /* what on_line returns */
	int result;
	struct err err;
};

static bool reading_on_data(
        bool is_stderr, const char *data, size_t len, void *arg)
{
	struct reading *r = arg;

	check(len > 0);
	buf_add(&r->out[is_stderr], data, len);
	return ++r->calls != r->stop_at;
}

static int reading_on_line(
        const struct jobframe_line *line, void *arg, struct err *err)
{
	struct reading *r = arg;

	check(line->letter && strchr("SHXGFJZ", line->letter));
	check(line->len <= JOBFRAME_WORDS);
	buf_addc(&r->lines, line->letter);
	for (size_t i = 0; i < line->len; i++) {
		buf_addc(&r->lines, i ? '|' : ' ');
		buf_adds(&r->lines, line->words[i]);
	}
	buf_addc(&r->lines, ';');
	return r->refuse < 0 ? err_set(err, r->refuse, "no") : 0;
}

static void reading_init(struct reading *r)
{
	*r = (struct reading){.lines = BUF_INIT,
	        .out = {BUF_INIT, BUF_INIT},
	        .err = ERR_INIT};
	r->frame = (struct jobframe){.nonce = NONCE,
	        .on_data = reading_on_data,
	        .on_line = reading_on_line,
	        .arg = r};
}

static void reading_done(struct reading *r)
{
	buf_done(&r->lines);
	buf_done(&r->out[0]);
	buf_done(&r->out[1]);
}

#endif
