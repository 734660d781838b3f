/* SPDX-License-Identifier: MIT */
/*
 * claim: the copy's claim to the repository: no Veeam job runs, and none
 * shall.
 *
 * Two ways in which a job tells that it runs, seen as one: a lease (lease.h;
 * veeam-lock) and an old lock file (jobs.h; the old script, or by hand).  The
 * first cannot come unseen while the claim holds, the second can, and is
 * noticed.
 */
#ifndef CORE_CLAIM_H
#define CORE_CLAIM_H

#include <stdint.h>
#include "err.h"
#include "str.h"
#include "core/lease.h"

struct claim;

struct claim_spec {
	const struct strv *old_dirs; /* of jobs.h */
	const char *lock_dir;        /* of lockdir.h */
	int64_t lease_s;             /* of leases that cannot be read */
	/* Who we are, for those who wait for us; job is the disk's title. */
	const struct lease_record *self;
	/* See lease.h; may be NULL. */
	void (*on_reaped)(const char *job, enum lease_verdict why, void *arg);
	void *arg;
};

/* 0 and *ret; fails closed. */
int claim_open(const struct claim_spec *spec, struct claim **ret,
        struct err *err) _must_check_;
/* Also gives it back. */
void claim_close(struct claim *c);

struct claim_wait {
	int64_t limit_ms;
	/* The jobs that are waited for: at once and whenever they change; may
	 * be NULL. */
	void (*on_wait)(const struct strv *names, void *arg);
	/* About every five seconds; non-zero gives up.  May be NULL. */
	int (*on_look)(void *arg);
	void *arg;
};

/*
 * Waits for its turn and takes it; what happened before no longer counts as an
 * overlap.  0; -ETIMEDOUT; -EINTR on a signal; -ECANCELED by on_look;
 * -EWOULDBLOCK another copy is at work; other negative errnos.
 */
int claim_take(struct claim *c, const struct claim_wait *wait,
        struct err *err) _must_check_;
/* The lock: rsync inherits it. -1 when it is not taken. Lent. */
int claim_fd(const struct claim *c);
/* Jobs may begin as soon as rsync has closed it, too. */
void claim_release(struct claim *c);

/* The jobs that wait for us by veeam-lock, appended to @ret. 0 or negative
 * errno. */
int claim_waiting(
        struct claim *c, struct strv *ret, struct err *err) _must_check_;
/* 1: a job was or is there since claim_take(), *ret_name (256 bytes) names one;
 * 0: none; negative errno: not known, to be taken as 1. */
int claim_overlap(
        struct claim *c, char *ret_name, struct err *err) _must_check_;

#endif
