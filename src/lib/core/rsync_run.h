/* SPDX-License-Identifier: MIT */
/*
 * rsync_run: one rsync from start to verdict: started confined, listened to,
 * watched, and judged.
 *
 * rsync's own --timeout does not notice a hung local disk, so a watchdog looks
 * at the disk (still there, still the same), at what rsync prints and at what
 * the disk takes.
 */
#ifndef CORE_RSYNC_RUN_H
#define CORE_RSYNC_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "str.h"
#include "core/rsync_exit.h"
#include "core/rsync_out.h"

struct settings;
struct target;

struct rsync_run {
	const struct settings *settings;
	const struct target *target;
	const struct strv *argv;        /* of rsync_cmd_build() */
	bool dry_run;                   /* confine it to reading */
	int copy_lock_fd;               /* rsync inherits it; -1 = none */
	struct rsync_out_events events; /* what the caller wants to hear */
	/* About once a second; non-zero cancels (-ECANCELED). */
	int (*on_tick)(void *arg);
	void *tick_arg;
};

struct rsync_run_result {
	enum rsync_verdict verdict;
	bool disk_lost;    /* pulled out, or died */
	bool disk_hangs;   /* took nothing for disk-idle-timeout-seconds */
	bool cancelled;    /* by a signal or by on_tick */
	bool left_running; /* rsync hangs in the kernel and could not be ended
	                    */
	int exit_code;
	struct rsync_stats stats;
	struct rsync_errors errors;
	char confinement[128]; /* what of the sandbox was missing; "" = nothing
	                        */
};

/* The I/O priority of a copy, as in ioprio_set(2); 0 = as we are. */
int rsync_run_ioprio(const struct settings *s);

/* 0: rsync ran, look at @ret (err is set unless the verdict is RSYNC_OK);
 * negative errno: it could not be started or understood. */
int rsync_run(const struct rsync_run *run, struct rsync_run_result *ret,
        struct err *err) _must_check_;

#endif
