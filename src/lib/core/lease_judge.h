/* SPDX-License-Identifier: MIT */
/*
 * lease_judge: does a lease still count?  Pure arithmetic.
 *
 * Within one boot the age comes from CLOCK_BOOTTIME, which nobody can set and
 * which counts suspend.  After a restart of this machine a local job is over,
 * and one on another machine is not: its age comes from the wall clock, and
 * only when that can be trusted.  A clock that was put back makes nothing
 * immortal: a lease is at least as old as this boot.
 */
#ifndef CORE_LEASE_JUDGE_H
#define CORE_LEASE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

struct lease_record;

struct lease_now {
	int64_t real;      /* seconds since 1970 */
	int64_t boot_ms;   /* CLOCK_BOOTTIME */
	bool is_clock_set; /* clocksync.h */
	char machine[40];
	char boot[40];
};

enum lease_verdict {
	LEASE_LIVE,
	LEASE_EXPIRED,    /* older than its time */
	LEASE_REBOOTED,   /* its job ended with the boot it ran in */
	LEASE_SUPERSEDED, /* a newer run of its job has taken its place */
};

/* machine is "" when /etc/machine-id cannot be read, boot when /proc cannot:
 * then no lease counts as rebooted, and neither does one without them. */
void lease_now(struct lease_now *ret);

enum lease_verdict lease_judge(
        const struct lease_record *rec, const struct lease_now *now);
/* A file that cannot be read as a lease, last changed at @mtime; live when that
 * is in the future (lease_reap() sees to it that it does not stay so). */
enum lease_verdict lease_judge_unreadable(
        int64_t mtime, int64_t ttl_s, const struct lease_now *now);
/* Milliseconds until it expires, at least 0. */
int64_t lease_judge_left_ms(
        const struct lease_record *rec, const struct lease_now *now);

#endif
