/* SPDX-License-Identifier: MIT */
/*
 * rsync_cmd: the argument vector of every rsync call.
 *
 * The destination is always "./" (the caller gives the opened directory as
 * working directory), behind "--"; the source is the last word before it.
 * The plan, the copy and the closing check differ only in --dry-run, progress
 * and the delete mode.
 */
#ifndef CORE_RSYNC_CMD_H
#define CORE_RSYNC_CMD_H

#include <stdbool.h>
#include "err.h"
#include "str.h"

struct settings;

enum rsync_purpose { RSYNC_PLAN, RSYNC_COPY, RSYNC_CHECK_SAME };

struct rsync_program {
	char *path; /* absolute; owned */
	char version[32];
	char note[512];  /* a warning; "" = none */
	bool has_xxh128; /* older ones hash with MD5, unasked, in as many
	                  * digits */
};

struct rsync_cmd {
	enum rsync_purpose purpose;
	const struct rsync_program *program;
	const char *fstype; /* of the disk: decides -a or -rt and the
	                     * accuracy of times */
	bool delete_before; /* room must be made first */
	bool no_deletes;    /* the plan found nothing to delete */
	bool small_files;   /* no file is large: every one is a step */
	/* Names below the destination that rsync must neither delete nor
	 * overwrite: our own directory and the lock file; relative. */
	struct strv keep;
};

/* Appends the vector to @argv. 0 or negative errno with @err. */
int rsync_cmd_build(const struct rsync_cmd *cmd, const struct settings *s,
        struct strv *argv, struct err *err) _must_check_;

/* Finds the rsync that will be used: an rsync older than 3.1.0 (no progress2)
 * is refused, one older than 3.5.0 gives a warning in ret->note. */
int rsync_cmd_find(struct rsync_program *ret, struct err *err) _must_check_;
/* Its second half: judges what "rsync --version" of ret->path printed. */
int rsync_cmd_judge_version(struct rsync_program *ret, const char *output,
        struct err *err) _must_check_;
void rsync_program_done(struct rsync_program *p);

#endif
