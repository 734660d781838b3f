/* SPDX-License-Identifier: MIT */
#include "core/lease_judge.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/clocksync.h"
#include "core/lease_record.h"

/* A server whose clock lost its battery has the right time by then. */
#define SETTLED_S (30 * 60)

static void read_machine(struct lease_now *now)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (path_read_file("/etc/machine-id", 128, &text, &len) == 0)
		(void)str_copy(
		        now->machine, sizeof now->machine, str_trim(text));
}

void lease_now(struct lease_now *ret)
{
	*ret = (struct lease_now){
	        .real = clock_real_s(),
	        .boot_ms = clock_boot_ms(),
	        .is_clock_set = clocksync_is_set(),
	};
	(void)str_copy(ret->boot, sizeof ret->boot, clock_boot_id());
	read_machine(ret);
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The age of something that the wall clock said was made at @then. */
static int64_t wall_age_s(int64_t then, const struct lease_now *now)
{
	int64_t uptime = now->boot_ms / 1000;

	if (now->real < then)
		return uptime; /* the clock was put back */
	if (now->is_clock_set && uptime > SETTLED_S)
		return now->real - then;
	/* It may have been put forward, but not while this machine was up. */
	return smaller(now->real - then, uptime);
}

static bool is_this_boot(
        const struct lease_record *rec, const struct lease_now *now)
{
	return now->boot[0] && str_eq(rec->boot, now->boot) &&
	       rec->taken_boot_ms <= now->boot_ms;
}

static bool is_this_machine(
        const struct lease_record *rec, const struct lease_now *now)
{
	return now->machine[0] && str_eq(rec->machine, now->machine);
}

static int64_t age_ms(
        const struct lease_record *rec, const struct lease_now *now)
{
	if (is_this_boot(rec, now))
		return now->boot_ms - rec->taken_boot_ms;
	return wall_age_s(rec->taken, now) * 1000;
}

enum lease_verdict lease_judge(
        const struct lease_record *rec, const struct lease_now *now)
{
	if (now->boot[0] && rec->boot[0] && !str_eq(rec->boot, now->boot) &&
	        is_this_machine(rec, now) && !rec->remote)
		return LEASE_REBOOTED;
	return age_ms(rec, now) > rec->ttl_s * 1000 ? LEASE_EXPIRED
	                                            : LEASE_LIVE;
}

enum lease_verdict lease_judge_unreadable(
        int64_t mtime, int64_t ttl_s, const struct lease_now *now)
{
	/* Of which boot it is nobody knows: nothing tells its age but mtime. */
	if (mtime > now->real)
		return LEASE_LIVE;
	if (mtime < 0)
		mtime = 0;
	return wall_age_s(mtime, now) > ttl_s ? LEASE_EXPIRED : LEASE_LIVE;
}

int64_t lease_judge_left_ms(
        const struct lease_record *rec, const struct lease_now *now)
{
	int64_t left = rec->ttl_s * 1000 - age_ms(rec, now);

	return left > 0 ? left : 0;
}
