/* SPDX-License-Identifier: MIT */
/*
 * chains: which Veeam backups among some files could be restored from.
 *
 *	struct chains c = CHAINS_INIT;
 *	chains_read(&c, dest_fd, err);        or chains_add() for each file
 *	chains_judge(&c, err);
 *	... c.items[0 .. c.items_len) ...
 *	chains_done(&c);
 *
 * A full backup (.vbk) carries the increments (.vib) that follow it until the
 * next full one, and the reverse increments (.vrb) that lead up to it.  Each
 * full one makes a chain; increments without one make a chain of their own
 * that nothing can be restored from.  The order comes from the date in the
 * names ("Job2026-11-14T220000.vib", "vm.vm-12D2026-11-14T220000_F3A1.vbk"),
 * the job from what stands before it.  Files without a date make one job per
 * directory.  Only names and sizes are looked at: whether the bytes are good
 * is what verify is for.
 */
#ifndef CORE_CHAINS_H
#define CORE_CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"
#include "str.h"

/* In the order in which points of the same time stand in a chain. */
enum chains_kind { CHAINS_REVERSE, CHAINS_FULL, CHAINS_INCREMENT };

#define CHAINS_TIME_SIZE 20
/* Problems told per chain; the rest is counted. */
#define CHAINS_PROBLEMS_MAX 20
/* Larger .vbm files, and more names in one, are not looked at. */
#define CHAINS_VBM_MAX ((size_t)64 << 20)
#define CHAINS_VBM_NAMES_MAX 100000

/* One restore point. */
struct chains_point {
	char *directory;             /* below the destination; "" = itself */
	char *name;                  /* of the file */
	char *job;                   /* "" = the name has no date */
	char time[CHAINS_TIME_SIZE]; /* "2026-11-14T220000"; "" = none */
	enum chains_kind kind;
	uint64_t size;
	bool missing; /* known from a .vbm or from a rest only */
	bool partial; /* missing, and a rest of it lies there: rsync's temporary
	               * file of a copy that was killed */
};

/* A .vbm file, Veeam's list of a job's files. */
struct chains_vbm {
	char *directory;
	char *name;
	bool empty;         /* or could not be read */
	struct strv listed; /* file names in it, sorted, each once */
};

struct chain {
	const char *directory;
	const char *job;
	bool complete; /* every point of it can be restored */
	bool vbm;      /* there is a .vbm for it */
	size_t points; /* files of it, without missing ones */
	size_t restorable;
	const struct chains_point *newest;            /* never NULL */
	const struct chains_point *newest_restorable; /* NULL = none */
	struct strv problems; /* sentences, at most CHAINS_PROBLEMS_MAX */
	size_t problems_total;
};

struct chains {
	struct chains_point *points;
	size_t points_len, points_size;
	struct chains_vbm *vbms;
	size_t vbms_len, vbms_size;
	struct chain *items; /* by directory and job, the newest first */
	size_t items_len, items_size;
	size_t unreadable;         /* directories that could not be read */
	char unreadable_name[512]; /* the first of them */
};

#define CHAINS_INIT ((struct chains){.points = NULL})
void chains_done(struct chains *c);

/* Notes the file @path (relative, raw bytes) when it is a restore point; a
 * .vbm counts as one that lists nothing.  0 or -ENOMEM. */
int chains_add(struct chains *c, const char *path, uint64_t size) _must_check_;
/* The same for a .vbm with its contents. */
int chains_add_vbm(struct chains *c, const char *path, const char *data,
        size_t len) _must_check_;

/*
 * Walks everything below @dir_fd: no links are followed, no other mount
 * entered, ".asbackup" at the top left out.  What cannot be read is counted.
 * -ECANCELED when a signal was caught.
 */
int chains_read(struct chains *c, int dir_fd, struct err *err) _must_check_;

/* Fills items; call it once, after everything was added. */
int chains_judge(struct chains *c, struct err *err) _must_check_;

/* Splits @name; false when it is no restore point. @ret_job has @size bytes. */
bool chains_parse_name(const char *name, enum chains_kind *ret_kind,
        char *ret_job, size_t size, char ret_time[CHAINS_TIME_SIZE]);

/*
 * Collects the names that end in .vbk, .vib or .vrb from a .vbm (XML in UTF-8
 * or UTF-16LE, but anything may come), without their directories, sorted, each
 * once.  0 or -ENOMEM.
 */
int chains_scan_vbm(
        const char *data, size_t len, struct strv *ret) _must_check_;

#endif
