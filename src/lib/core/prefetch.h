/* SPDX-License-Identifier: MIT */
/*
 * prefetch: has the kernel read small files of the source before rsync asks
 * for them.  rsync opens one file after the other and waits for each; with
 * thousands of small files on a cold disk that is most of its time.
 *
 *	struct prefetch *p = prefetch_new(limit);     NULL is fine
 *	prefetch_add(p, name, size);                  in the plan's order
 *	prefetch_start(p, source, ioprio);            a child of ours, beside
 *	prefetch_free(p);                             ends the child
 *
 * Only a hint: nothing depends on it, nothing is told when it fails.
 */
#ifndef CORE_PREFETCH_H
#define CORE_PREFETCH_H

#include <stdint.h>

/* Larger ones the kernel reads ahead well enough by itself. */
#define PREFETCH_FILE_MAX (UINT64_C(1) << 20)

struct prefetch;

/* @limit: bytes of files in all, so that what was read is still there when
 * rsync comes. NULL: not to be had. */
struct prefetch *prefetch_new(uint64_t limit);
/* A share of this machine's memory. */
uint64_t prefetch_limit(void);

/* @name as rsync prints it, below the directory that @source of
 * prefetch_start() is copied from.  Beyond the limit, too large or empty: left
 * out. */
void prefetch_add(struct prefetch *p, const char *name, uint64_t size);
/* @source as it is configured, with or without a slash at the end; @ioprio as
 * in ioprio_set(2), 0 = as we are. */
void prefetch_start(struct prefetch *p, const char *source, int ioprio);
void prefetch_free(struct prefetch *p);
void prefetch_freep(struct prefetch **p);

#endif
