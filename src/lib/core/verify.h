/* SPDX-License-Identifier: MIT */
/*
 * verify: reading the disk back and comparing it with the manifest.
 */
#ifndef CORE_VERIFY_H
#define CORE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

struct manifest;
struct settings;
struct target;

#define VERIFY_NAMES 5

struct verify_result {
	uint64_t files; /* read and compared */
	uint64_t bytes;
	uint64_t good;
	uint64_t learned;              /* had no hash; have one now */
	uint64_t damaged;              /* other content, or unreadable */
	uint64_t missing;              /* gone, or of another size */
	char names[VERIFY_NAMES][512]; /* of damaged and missing ones */
	unsigned names_len;
};

struct verify {
	struct manifest *manifest;
	const struct target *target;
	const struct settings *settings;
	/* About twice a second; non-zero cancels. May be NULL. */
	int (*on_tick)(const struct verify_result *so_far, void *arg);
	void *arg;
	/* The disk was compared with the source just now, by names, sizes and
	 * times: a file of the list that is missing or another one is a mistake
	 * of the list (a run could not write it), and is forgotten. */
	bool is_compared;
};

/* The files that were not read for longest, @percent of all bytes, at least
 * one file; nothing for 0. 0, -ECANCELED or negative errno. */
int verify_share(const struct verify *v, int64_t percent,
        struct verify_result *ret, struct err *err) _must_check_;
/* The @n-th of @t parts (1/1 = everything). */
int verify_part(const struct verify *v, unsigned n, unsigned t,
        struct verify_result *ret, struct err *err) _must_check_;

/* Fills in what damage means and what to do about it. */
void verify_describe(const struct verify_result *res, struct err *err);

#endif
