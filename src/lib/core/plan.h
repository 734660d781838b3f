/* SPDX-License-Identifier: MIT */
/*
 * plan: does it fit, and is it sane?  Pure arithmetic, fed by the dry run.
 *
 * rsync writes every file aside and then renames it, so the disk needs the
 * room of the new file before the old one is free: the plan simulates that in
 * the order in which rsync will work.
 */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

struct plan {
	uint32_t block;       /* allocation unit in bytes */
	bool inplace;         /* classic mode: no temporary file */
	uint64_t files;       /* to copy */
	uint64_t bytes;       /* to copy: the progress' denominator */
	uint64_t largest;     /* size of the largest file to copy */
	uint64_t new_entries; /* files, directories, links to be made */
	uint64_t deletes;     /* entries to delete */
	uint64_t deletes_regular;
	uint64_t freed;   /* bytes that the deletes free */
	int64_t used;     /* simulated growth so far; may be negative */
	int64_t peak;     /* highest growth on the way */
	uint64_t changes; /* everything that is not as in the source */
};

void plan_init(struct plan *p, uint32_t block_size, bool inplace);
/* @old_bytes: what the file occupies on the disk now; 0 = not there. */
void plan_add_file(struct plan *p, uint64_t new_size, uint64_t old_bytes);
void plan_add_entry(struct plan *p);
void plan_add_delete(struct plan *p, uint64_t occupied_bytes, bool regular);

enum plan_fit {
	PLAN_FITS,
	PLAN_FITS_DELETING_FIRST,
	PLAN_TOO_BIG, /* *ret_missing bytes are missing */
	PLAN_NO_INODES,
};
/* @free_inodes: UINT64_MAX where the file system does not count them. */
enum plan_fit plan_fit(const struct plan *p, uint64_t free_bytes,
        uint64_t free_inodes, uint64_t *ret_missing);

/* Percent (rounded up) of the files on the disk that would be deleted;
 * directories, which cost nothing, do not count. @existing: files on the disk
 * now. 0 when no file is deleted. */
unsigned plan_delete_percent(const struct plan *p, uint64_t existing);

#endif
