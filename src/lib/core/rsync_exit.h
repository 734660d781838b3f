/* SPDX-License-Identifier: MIT */
/*
 * rsync_exit: what rsync's exit codes and error lines mean for the backup.
 */
#ifndef CORE_RSYNC_EXIT_H
#define CORE_RSYNC_EXIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

enum rsync_verdict {
	RSYNC_OK,
	RSYNC_CHECK,   /* 24: source files vanished; the verify step decides */
	RSYNC_PARTIAL, /* 23, 25: something was not copied or not deleted */
	RSYNC_FULL,    /* no space left on the disk */
	RSYNC_DISK,    /* the disk failed: I/O error, read-only, gone */
	RSYNC_STOPPED, /* ended by a signal that we or the operator sent */
	RSYNC_BROKEN,  /* rsync itself: usage, protocol, memory, unknown code */
};

/*
 * Error lines of rsync's standard error, boiled down.  The first
 * RSYNC_ERRORS_KEPT lines are kept (cut to 300 bytes, raw), all are counted.
 */
#define RSYNC_ERRORS_KEPT 20
struct rsync_errors {
	uint64_t lines;
	uint64_t read_errors;  /* of the source */
	uint64_t write_errors; /* of the disk */
	uint64_t vanished;
	uint64_t no_space;  /* ENOSPC, EDQUOT, EFBIG */
	uint64_t io_errors; /* EIO and friends on the disk */
	uint64_t read_only; /* EROFS */
	char kept[RSYNC_ERRORS_KEPT][304];
	size_t kept_len;
	char partial[2048]; /* an unfinished line */
	size_t partial_len;
};

void rsync_errors_init(struct rsync_errors *e);
void rsync_errors_feed(struct rsync_errors *e, const char *data, size_t len);
void rsync_errors_end(struct rsync_errors *e);

/*
 * Judges an ended rsync: its exit code (-1 = killed by @signal) and the error
 * lines seen.  For everything but RSYNC_OK, @err says what happened, what it
 * means and what to do.  Exit 0 together with error lines about the disk is
 * not OK.
 */
enum rsync_verdict rsync_exit_judge(int exit_code, int signal,
        const struct rsync_errors *errors, struct err *err);

/* rsync's own words for @code, translated ("partial transfer due to error");
 * never NULL. */
const char *rsync_exit_text(int code);
/* i-th code that rsync documents, -1 behind the last: for the tests. */
int rsync_exit_code_at(size_t i);

#endif
