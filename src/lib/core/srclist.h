/* SPDX-License-Identifier: MIT */
/*
 * srclist: a fingerprint of the source: did anything change?
 *
 * Walks the tree without following links and adds up, in an order-independent
 * way, a hash of every entry's path, type, size, mtime and ctime (in
 * nanoseconds).  ctime cannot be set from user space, so an overwrite in place
 * that keeps size and mtime is seen as well.  Constant memory.
 */
#ifndef CORE_SRCLIST_H
#define CORE_SRCLIST_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

#define SRCLIST_NAMES 5

struct srclist {
	uint64_t sum_low, sum_high; /* the fingerprint */
	uint64_t files;             /* regular files */
	uint64_t entries;           /* everything below the root */
	uint64_t bytes;             /* of regular files */
	uint64_t unreadable;        /* entries that could not be read */
	int64_t newest_ns;          /* the latest ctime, the root's included */
	/* Entries whose ctime or mtime is not before @since: names to show. */
	uint64_t recent;
	char recent_names[SRCLIST_NAMES][256];
};

/*
 * Reads the tree below @path. @since_ns: CLOCK_REALTIME, 0 = list no names.
 * Runs in a child; @on_tick as in proc_task().
 * 0, -ECANCELED (signal or tick), or negative errno when the root cannot be
 * read at all.
 */
int srclist_read(const char *path, int64_t since_ns, int (*on_tick)(void *arg),
        void *arg, struct srclist *ret, struct err *err) _must_check_;

/*
 * The same beside something else, in two halves.  srclist_begin() returns 0
 * and *ret; srclist_end() must follow, waits and returns what srclist_read()
 * would have.  srclist_drop() ends it without a result; NULL is nothing.
 */
struct srclist_job;
int srclist_begin(const char *path, int64_t since_ns, int (*on_tick)(void *arg),
        void *arg, struct srclist_job **ret, struct err *err) _must_check_;
int srclist_end(struct srclist_job *job, struct srclist *ret,
        struct err *err) _must_check_;
void srclist_drop(struct srclist_job *job);
static inline void srclist_dropp(struct srclist_job **job)
{
	srclist_drop(*job);
}

/*
 * Calls @fn for every regular file whose ctime or mtime is not before
 * @since_ns: in a child of ours, so that all it can change is outside.
 * A negative return of @fn ends it and is handed up, with its error.
 */
typedef int srclist_fn(const char *path, void *arg, struct err *err);
int srclist_each_recent(const char *path, int64_t since_ns, srclist_fn *fn,
        void *fn_arg, int (*on_tick)(void *arg), void *arg,
        struct err *err) _must_check_;

/* As rsync sees it: the directory on the disk that @path goes to; "" when it
 * ends in a slash. */
const char *srclist_own_name(const char *path);

bool srclist_equal(const struct srclist *a, const struct srclist *b);

#endif
