/* SPDX-License-Identifier: MIT */
/*
 * readback: reading files back as the disk has them, not as the page cache
 * has them, and comparing them with the manifest.
 *
 *	struct readback b = READBACK_INIT;
 *	manifest_doubtful(m, readback_collect, &b, err);    // a batch
 *	readback_read(&b, t, idle_s, on_tick, arg, err);    // in a child
 *	for each of b.items: its verdict
 *	readback_done(&b);
 *
 * The child may hang on a dying disk; the caller does not.
 */
#ifndef CORE_READBACK_H
#define CORE_READBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"
#include "sys/hash.h"

struct manifest_file;
struct target;

/* So many files, or bytes, go into one batch. */
#define READBACK_FILES 4096
#define READBACK_BYTES (UINT64_C(8) << 30)

enum readback_verdict {
	READBACK_NOT_READ, /* cancelled before its turn */
	READBACK_SAME,
	READBACK_NO_HASH, /* read well, but nothing to compare with */
	READBACK_OTHER,   /* the content is not what was written */
	READBACK_CHANGED, /* other size: rsync will see to it */
	READBACK_MISSING,
	READBACK_ERROR, /* the disk cannot read it */
};

struct readback_item {
	char *path;    /* owned */
	uint64_t size; /* as the manifest says */
	bool has_hash;
	struct hash128 hash; /* expected; afterwards: as read */
	enum readback_verdict verdict;
};

struct readback {
	struct readback_item *items;
	size_t len, capacity;
	uint64_t bytes;      /* of all items */
	uint64_t bytes_read; /* by readback_read() so far */
	bool more;           /* the batch is full, the list goes on */
};
#define READBACK_INIT ((struct readback){.items = NULL})

/* A manifest_fn: adds the file; returns 1 when the batch is full (the file
 * that was given is in it), -ENOMEM. */
int readback_collect(const struct manifest_file *file, void *readback);

/* The same without a limit: 0 or -ENOMEM. */
int readback_collect_all(const struct manifest_file *file, void *readback);

/*
 * Reads all items and fills in the verdicts. @on_tick about twice a second,
 * non-zero cancels. Gives up (-ETIMEDOUT) when nothing could be read for
 * @idle_timeout_s seconds (0 = never).
 * 0; -ECANCELED; -ETIMEDOUT; -ENOMEM.
 */
int readback_read(struct readback *b, const struct target *t,
        int64_t idle_timeout_s, int (*on_tick)(void *arg), void *arg,
        struct err *err) _must_check_;

/* Frees everything, ready for the next batch. */
void readback_done(struct readback *b);

#endif
