/* SPDX-License-Identifier: MIT */
/*
 * run_internal: what the files run*.c share; nobody else includes it.
 *
 * A step returns 0 or the exit code that ends the run, with r->err set.
 */
#ifndef CORE_RUN_INTERNAL_H
#define CORE_RUN_INTERNAL_H

#include <stdio.h>
#include <sys/types.h>

#include "core/claim.h"
#include "core/ledger.h"
#include "core/manifest.h"
#include "core/marker.h"
#include "core/plan.h"
#include "core/prefetch.h"
#include "core/progress.h"
#include "core/rsync_cmd.h"
#include "core/rsync_run.h"
#include "core/run.h"
#include "core/settings.h"
#include "core/srclist.h"
#include "core/target.h"

struct run {
	const struct settings *s;
	const struct run_options *opt;
	struct status *st;
	struct err err;

	struct rsync_program rsync;
	bool matched; /* a disk of ours is there: mails go out */
	struct target target;
	bool in_use; /* somebody else has it mounted */
	struct ledger *ledger;
	int64_t number; /* of this run */
	struct manifest *manifest;
	struct claim *claim;   /* keeps Veeam out */
	int64_t asked_ms;      /* when a waiting job was last looked for */
	bool yielding;         /* one waits: the step ends, and is begun anew */
	int yields;            /* how often that was so */
	int64_t wait_began_ms; /* for Veeam jobs */
	bool wait_mailed;      /* that it takes so long */
	int run_lock_fd;       /* one run at a time on this machine */
	int disk_dir_fd;       /* directory of the lock file on the disk */
	int disk_lock_fd;      /* the lock file on the disk */
	char disk_lock_name[256];
	struct marker marker; /* as found on the disk, then ours */
	bool marker_written;
	bool flushed; /* and everything of it is on the disk */

	int64_t began_ms;
	struct plan plan;
	struct srclist before;     /* the source before the copy */
	int64_t before_ns;         /* when reading that began */
	int64_t before_mono_ms;    /* the same, by the clock nobody sets */
	struct prefetch *prefetch; /* of the plan; NULL */
	struct progress progress;
	struct rsync_stats stats; /* of the last rsync */
	int64_t copy_started_ms;
	uint64_t disk_written_before;
	uint64_t rsync_bytes; /* as rsync told last */
	bool missed;          /* the disk was not there when it was needed */
	bool copying;         /* rsync is at it now */
	bool doubtful;        /* what rsync told as copied may not be */
	int64_t published_ms; /* when the status was last published */
	int64_t committed_ms; /* when the manifest was last committed */
	FILE *rsync_log;
};

/* run.c */
void run_step(struct run *r, enum status_step step);
/* Publishes when the interval is over, or at once. */
void run_publish(struct run *r, bool now);
/* An error of the manifest: warns and goes on without it.  SQLite tries for
 * seconds before it gives up; it is not asked a second time.  What was pending
 * stays so, and the next run reads it back. */
void run_drop_list(struct run *r, const struct err *err);
/* The same before the list knows what will be written: it would take the new
 * files for damaged old ones, so it is put aside, and the next run begins a new
 * one.  @err is not looked at when it was dropped already. */
void run_lose_list(struct run *r, const struct err *err);
/* Between long calls: -ENODEV when the disk is gone, -EINTR on a signal. */
int run_tick(void *run);
/* The exit code of a failed call: the signal's, DISK_LOST, or @otherwise. */
int run_code(struct run *r, int error, int otherwise);

/* run_steps.c */
int run_config(struct run *r);
int run_match(struct run *r);
int run_guard(struct run *r);
int run_mount(struct run *r);
int run_lock(struct run *r);

/* run_veeam.c: no Veeam job beside the copy */
int run_veeam_wait(struct run *r);
/* Gives the claim back and takes it anew: before a second pass. */
int run_claim(struct run *r);
void run_release_claim(struct run *r);
/* As claim_overlap(), with the error in @ret_name. */
int run_overlap(struct run *r, char *ret_name);
/* A job waits, and the copy gives way: what goes on must end. */
bool run_must_yield(struct run *r);
/* And when it has ended: after the job it is our turn again. */
int run_yield(struct run *r);

/* run_identity.c: is it the disk we know? */
int run_identity(struct run *r);
int run_mark(struct run *r, enum marker_state state);

/* run_plan.c, run_transfer.c, run_verify.c */
/* Now the list of the source is read against which a later one is held. */
void run_before(struct run *r);
int run_plan(struct run *r);
/* The dry run after a pass: r->plan is what is left to do. */
int run_plan_rest(struct run *r);
int run_transfer(struct run *r);
int run_verify(struct run *r);
/* One rsync with the given purpose, everything wired up. */
int run_rsync(struct run *r, enum rsync_purpose purpose,
        const struct rsync_out_events *events, struct rsync_run_result *res);
/* About once a second while rsync copies: rate, time left, manifest. */
void run_progress(struct run *r);
void run_log_rsync(struct run *r, const struct rsync_item *item);

/* run_report.c: the mail at the start; the mail, the history and the hooks at
 * the end. */
void run_announce(struct run *r);
/* The mail about a wait that takes long. */
void run_announce_wait(struct run *r, int64_t waited_ms, int64_t left_ms);
void run_report(struct run *r);

/* run_tail.c: always runs; returns the final exit code. */
int run_tail(struct run *r, int code);

#endif
