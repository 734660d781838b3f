/* SPDX-License-Identifier: MIT */
/*
 * lockjob: who takes a lock: which job, which run of it, on which machine.
 */
#ifndef CORE_LOCKJOB_H
#define CORE_LOCKJOB_H

#include <stddef.h>
#include "core/lease_judge.h"
#include "core/lease_record.h"

/* Everything of a record but job and run, as it is now: machine, boot, times,
 * pid, remote as lockjob_is_remote() says. */
void lockjob_record(struct lease_record *ret, int64_t ttl_s);

/*
 * The ids as the environment gives them, where Veeam provides any
 * (VEEAM_JOB_ID, VEEAM_JOB_NAME; VEEAM_SESSION_ID), else job "veeam" and run
 * "".  What cannot be an id is passed over.
 */
void lockjob_from_environment(struct lease_record *ret);

/* We were called over ssh: then the job runs elsewhere, and goes on when this
 * machine is restarted.  Seen by the environment, and by a parent process
 * called sshd, for sudo clears the environment. */
bool lockjob_is_remote(void);

/* One sentence for the log about a lease that lease_reap() took away. */
char *lockjob_reaped(
        char *dst, size_t size, const char *job, enum lease_verdict why);
/* The same as a warning, for on_reaped of lease.h. */
void lockjob_log_reaped(const char *job, enum lease_verdict why, void *arg);

#endif
