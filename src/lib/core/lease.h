/* SPDX-License-Identifier: MIT */
/*
 * lease: the copy and the Veeam jobs keep apart.
 *
 * Many jobs may run at once, one copy may run at a time, never both kinds
 * together.  A job's lease is a file that outlives the script that took it; the
 * copy's lock is an flock(2) that lives exactly as long as the copy and its
 * rsync.  Every "may I?" and its "I do" happen under one short lock, the gate;
 * whatever becomes free, becomes free without it.
 *
 * Veeam starts a job whatever its pre-job script said.  So nothing here can
 * keep a job away; what is promised is that a copy that lease_copy_verdict()
 * calls clean overlapped none.  The steps have the names of the model,
 * tests/model/lease.pml:
 *
 *	C1  copy: a ticket of the queue is taken
 *	C2  copy: no lease, no older ticket, nobody copies: the lock is ours
 *	C3  copy: does a job wait?
 *	C4  copy: was it left alone?
 *
 *	V1  job: granted at once, or a ticket is taken
 *	V2  job: nobody copies, and no copy has an older ticket?
 *	V3  job: the lease is on the disk before the ticket goes
 *	V4  job: its time is up; a forced lease, and the copy learns it
 *	U   job: has ended, its lease goes
 *
 * Whoever comes reaps first: dead tickets of copies go; dead tickets of jobs
 * (a pre-job script was killed, its job runs all the same) become forced
 * leases, and the copy learns it; leases whose time is over go to stale/.
 */
#ifndef CORE_LEASE_H
#define CORE_LEASE_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "core/lease_judge.h"
#include "core/lease_record.h"
#include "core/lockdir.h"
#include "core/ticket.h"

struct strv;

struct lease {
	struct lockdir dir;
	struct ticket ticket; /* ours, while we wait */
	int64_t ttl_s;        /* of files that cannot be read */
	int inotify_fd; /* from the first wait on: its close(2) takes 15 ms */
	bool is_watching;
	bool was_woken;   /* by it, when we waited last */
	int copy_fd;      /* the copy's lock, while it is ours; lent */
	int untouched_fd; /* of the file with that name, as we made it */
	/* Called for every lease that ended without veeam-unlock, and with
	 * LEASE_LIVE for every pre-job script that was killed while it waited;
	 * under the gate, so for the log and nothing else.  May be NULL. */
	void (*on_reaped)(const char *job, enum lease_verdict why, void *arg);
	void *arg;
};

#define LEASE_INIT                           \
	((struct lease){.dir = LOCKDIR_INIT, \
	        .ticket = TICKET_INIT,       \
	        .inotify_fd = -1,            \
	        .copy_fd = -1,               \
	        .untouched_fd = -1})

/* Opens the directory.  Files that cannot be read as
 * leases count for @ttl_s after their last change. */
int lease_open(struct lease *l, const char *path, int64_t ttl_s,
        struct err *err) _must_check_;
/* Only to look at it (lease_list()); nothing is made. -ENOENT: there is none.
 */
int lease_open_existing(struct lease *l, const char *path, int64_t ttl_s,
        struct err *err) _must_check_;
/* Closes it; a ticket that is still ours goes, a copy's lock is left alone. */
void lease_close(struct lease *l);

/* Our ticket goes, if we have one. */
void lease_leave_queue(struct lease *l);
/* Readable when something changed that may let us go on; -1: look now and
 * then.  Begins to watch: look once more after the first call. */
int lease_fd(struct lease *l);
/* Until something changed that may let us go on, @timeout_ms (at most) or a
 * signal.  May return early. */
void lease_wait(struct lease *l, int timeout_ms);

/* --- the copy ---------------------------------------------------------------
 */

/* C1.  On a full disk without a ticket: behind everybody, and unseen. */
int lease_copy_queue(struct lease *l, const struct lease_record *rec,
        struct err *err) _must_check_;
/*
 * C2. 0: *ret_fd is the lock; it goes to rsync as well, and is free when the
 * last of them has closed it.  1: not yet; the jobs with a lease or an older
 * ticket are appended to @ret_jobs (empty: another copy).
 */
int lease_copy_try(struct lease *l, int *ret_fd, struct strv *ret_jobs,
        struct err *err) _must_check_;
/* C3, without the gate. Names of the jobs that wait; 0 or negative errno. */
int lease_copy_waiting(
        struct lease *l, struct strv *ret_jobs, struct err *err) _must_check_;
/* C4. 0: no job ran beside it since C2.  1: one did, or may have; @ret_jobs
 * names those that are known.  Negative errno: not known, to be taken as 1. */
int lease_copy_verdict(
        struct lease *l, struct strv *ret_jobs, struct err *err) _must_check_;

/* --- a job ------------------------------------------------------------------
 */

/* V1. 0: the lease is ours; 1: a ticket is ours, try again (V2). */
int lease_job_queue(struct lease *l, const struct lease_record *rec,
        struct err *err) _must_check_;
/* V2, V3. 0: granted; 1: not yet.  Negative errno: the ticket is still ours;
 * if the job will run, lease_job_force() is next. */
int lease_job_try(struct lease *l, const struct lease_record *rec,
        struct err *err) _must_check_;
/* V4. 0: granted after all, nobody copies; 1: the job will run beside a copy,
 * which is recorded, and the copy is not clean.  On a full disk the lease may
 * be a name alone, which counts as one that cannot be read.  Negative errno:
 * there is no lease; a ticket that was ours stays, and becomes one when the
 * next comes. */
int lease_job_force(struct lease *l, const struct lease_record *rec,
        struct err *err) _must_check_;

/* It has a lease, of whichever run. Without the gate, for people. */
bool lease_job_is_held(const struct lease *l, const char *job);

enum lease_released {
	LEASE_RELEASED,
	LEASE_RELEASED_FORCED, /* the job may have run beside a copy */
	LEASE_NOT_THERE,       /* nothing to release */
	LEASE_NEWER_RUN,       /* it belongs to another run: kept */
};
/* U. @run "" = whichever.  Needs no space on the disk. Returns one of the
 * above or a negative errno. */
int lease_release(struct lease *l, const char *job, const char *run,
        struct err *err) _must_check_;

/* --- for people -------------------------------------------------------------
 */

struct lease_entry {
	enum { LEASE_ENTRY_LEASE, LEASE_ENTRY_JOB, LEASE_ENTRY_COPY } kind;
	struct lease_record record;
	bool is_readable; /* else only record.job is known */
	enum lease_verdict verdict;
	bool is_alive;  /* a ticket: somebody waits with it */
	uint64_t place; /* a ticket: its place in the queue */
};
/* Everything as it is now, the queue in its order, then the leases; reaps
 * nothing.  Who is let in meanwhile may be there twice, but not be missing.
 * @fn returns 0 to go on. */
int lease_list(struct lease *l,
        int (*fn)(const struct lease_entry *e, void *arg), void *arg,
        struct err *err) _must_check_;
/* Somebody holds the copy's lock. */
bool lease_is_copying(const struct lease *l);
/* Who copies, as the copy has told (job is its disk). 0; negative errno: there
 * is no telling. */
int lease_copy_holder(const struct lease *l, struct lease_record *ret);
/* Reaps, and says so by on_reaped. */
int lease_clean(struct lease *l, struct err *err) _must_check_;

#endif
