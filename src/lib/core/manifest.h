/* SPDX-License-Identifier: MIT */
/*
 * manifest: every file on one disk, with its hash, remembered on the server
 * (STATE/manifest/UUID.db, SQLite).
 *
 * What it is for: to read a disk back and compare; to know, after a copy that
 * was cut off, which files on the disk cannot be believed (their data may
 * never have reached it although name, size and time are right, so that rsync
 * would skip them); to export a list that "xxhsum -c" understands anywhere.
 *
 * The order of calls in a run:
 *
 *	manifest_open(state, uuid, false, &m, &was_damaged, err);
 *	manifest_doubtful(m, ...);          // left by runs that were cut off
 *	manifest_run_begin(m, n, err);      // durable
 *	manifest_pending(m, ...);           // each file of the plan
 *	manifest_commit(m, err);            // durable, before the copy starts
 *	manifest_copied(m, ...);            // as rsync tells them
 *	manifest_commit(m, err);            // about once a second
 *	... rsync ended, syncfs was good ...
 *	manifest_run_flushed(m, n, err);    // durable
 *	manifest_close(m);
 *
 * Functions that write open a transaction by themselves; nothing of it is
 * kept before manifest_commit(), _run_begin() or _run_flushed().  After a
 * write that failed, all others fail too until the commit, which reports it
 * and keeps nothing: what is durable is never a part with holes.
 *
 * Paths are raw bytes relative to the root of the copy, as rsync prints them.
 * The callbacks may call every writing function here for the file that they
 * were given, and manifest_commit(); a non-zero return ends the listing and is
 * handed up.  Errors are those of sys/db.h.
 */
#ifndef CORE_MANIFEST_H
#define CORE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "sys/hash.h"

struct manifest;

enum manifest_state {
	MANIFEST_PENDING, /* planned or begun in run N, not known to be done */
	MANIFEST_COPIED,  /* rsync said so in run N */
	MANIFEST_PROVEN,  /* and read back, in a later run, as it should be */
	MANIFEST_BAD,     /* read back, and it is not what was written */
};

struct manifest_file {
	const char *path; /* raw bytes; valid during the callback */
	uint64_t size;
	int64_t old_size; /* pending: on the disk before; -1 = was not there */
	int64_t mtime_s;  /* 0 = not known */
	bool has_hash;
	struct hash128 hash; /* of what the source gave */
	int64_t run;         /* the run that wrote it; 0 = before the first */
	int64_t verified;    /* last read back well; 0 = never */
	enum manifest_state state;
};

typedef int manifest_fn(const struct manifest_file *file, void *arg);

/*
 * Opens the manifest of the disk @uuid (any case; hex digits and dashes only,
 * else -EINVAL), creating directories (0700) and file unless @read_only
 * (-ENOENT then).
 * A damaged file is moved to UUID.db.damaged (replacing an older one) and a
 * new one is begun: *ret_was_damaged (may be NULL) is set, and nothing is
 * known about the files on the disk.  With @read_only it is -EUCLEAN.
 */
int manifest_open(const char *state_directory, const char *uuid, bool read_only,
        struct manifest **ret, bool *ret_was_damaged,
        struct err *err) _must_check_;
/* What was not committed is forgotten. NULL is fine. */
void manifest_close(struct manifest *m);
/* Moves the closed manifest to UUID.db.damaged, as if it were damaged: needs
 * no space.  0 also when there is none. */
int manifest_set_aside(const char *state_directory, const char *uuid,
        struct err *err) _must_check_;
void manifest_closep(struct manifest **m);
/* Makes everything so far durable. Nothing to do is fine. */
int manifest_commit(struct manifest *m, struct err *err) _must_check_;

/* --- runs ---------------------------------------------------------------- */

/* Run @run (> 0) writes from now on. A number that is there already is begun
 * anew, and all its files are doubtful. */
int manifest_run_begin(
        struct manifest *m, int64_t run, struct err *err) _must_check_;
/* Everything that run @run wrote has reached the disk. Commits. -ENOENT when
 * it never began. */
int manifest_run_flushed(
        struct manifest *m, int64_t run, struct err *err) _must_check_;
/* The highest number of a run met so far, 0 for none. */
int manifest_last_run(
        struct manifest *m, int64_t *ret, struct err *err) _must_check_;

/* --- files --------------------------------------------------------------- */

/* The plan will transfer it; the hash that was known is forgotten. */
int manifest_pending(struct manifest *m, const char *path, uint64_t size,
        int64_t old_size, struct err *err) _must_check_;
/* rsync has transferred it. @hash: 32 hex digits of XXH128, anything else
 * (also NULL and "") means not known. */
int manifest_copied(struct manifest *m, const char *path, uint64_t size,
        int64_t mtime_s, const char *hash, struct err *err) _must_check_;
/* It lies on the disk since before the manifest. Changes nothing when it is
 * known already with this size. */
int manifest_found(struct manifest *m, const char *path, uint64_t size,
        int64_t mtime_s, struct err *err) _must_check_;
/* It is not on the disk any more. Not known: fine. */
int manifest_deleted(
        struct manifest *m, const char *path, struct err *err) _must_check_;
/* It was read back at @when; @good: as it should be. -ENOENT: not known. */
int manifest_set_verified(struct manifest *m, const char *path, int64_t when,
        bool good, struct err *err) _must_check_;
/* The same for a file whose hash was not known: this is it from now on. */
int manifest_set_hash(struct manifest *m, const char *path, int64_t when,
        struct hash128 hash, struct err *err) _must_check_;
/* The disk is another one now, or was made anew: forgets all files (not the
 * runs' numbers). Commits. */
int manifest_clear(struct manifest *m, struct err *err) _must_check_;
/* 1 and *ret (ret->path is @path), 0 when it is not known. */
int manifest_get(struct manifest *m, const char *path,
        struct manifest_file *ret, struct err *err) _must_check_;

/* --- lists --------------------------------------------------------------- */

/*
 * Files that cannot be believed before they were read back: pending ones,
 * those of a run (but not of the one that goes on now) that was never flushed,
 * bad ones.  By path.  For each of them: gone from the disk ->
 * manifest_deleted(); as it should be -> manifest_set_verified(true); not, or
 * no hash -> make rsync copy it anew.
 */
int manifest_doubtful(struct manifest *m, manifest_fn *fn, void *arg,
        struct err *err) _must_check_;
/* What a verification should read next: the files whose writing and last
 * reading are longest ago, until @max_bytes would be exceeded; always at least
 * one. Doubtful files are left out. */
int manifest_next_to_verify(struct manifest *m, uint64_t max_bytes,
        manifest_fn *fn, void *arg, struct err *err) _must_check_;
/* The @n-th (from 1) of @t parts of all files, pending ones left out; every
 * file is in exactly one part, always in the same. By path. -EINVAL for
 * n < 1 or n > t. */
int manifest_part(struct manifest *m, unsigned n, unsigned t, manifest_fn *fn,
        void *arg, struct err *err) _must_check_;

struct manifest_totals {
	uint64_t files; /* on the disk: all but the pending ones */
	uint64_t bytes;
	uint64_t pending;
	uint64_t bad;
	uint64_t without_hash;   /* of files */
	uint64_t never_verified; /* of files */
	int64_t oldest_verified; /* of those verified; 0 = none was */
};
int manifest_totals(struct manifest *m, struct manifest_totals *ret,
        struct err *err) _must_check_;

/*
 * Writes all files with a known hash to @fd, sorted by path (as bytes), in the
 * format of "xxhsum -H2": HASH, two blanks, path.  "xxhsum -c" run in the
 * root of the copy verifies it.
 *
 * A name with a newline is written as xxhsum does since 0.8.2: a backslash
 * before the hash, and in the name \n, \r and \\.  Older ones call such a
 * line improperly formatted.  All other names, also with backslashes, are
 * written as they are, which every version reads; "stdin" becomes "./stdin".
 */
struct manifest_exported {
	uint64_t written;      /* lines */
	uint64_t without_hash; /* left out */
	uint64_t escaped;      /* lines that need xxhsum 0.8.2 */
};
int manifest_export(struct manifest *m, int fd, struct manifest_exported *ret,
        struct err *err) _must_check_;

#endif
