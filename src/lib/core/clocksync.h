/* SPDX-License-Identifier: MIT */
/*
 * clocksync: is the wall clock held to be right?
 *
 * The kernel knows (adjtimex(2)), but a service that cannot set the clock
 * (ProtectClock= of systemd) may not even ask.  There systemd is asked, whose
 * answer is the kernel's, whatever program it is that keeps the time.
 */
#ifndef CORE_CLOCKSYNC_H
#define CORE_CLOCKSYNC_H

#include <stdbool.h>

/* Asks systemd if the kernel cannot be asked: some milliseconds, for a program
 * is started (timedatectl); seconds at most, and not while a lock is held. Once
 * the answer was yes it is not asked again. */
void clocksync_ask(void);

/* At once: what the kernel says, or the last clocksync_ask() heard; false when
 * nobody could tell. */
bool clocksync_is_set(void);

#endif
