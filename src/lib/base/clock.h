/* SPDX-License-Identifier: MIT */
/*
 * clock: durations come from the monotonic clock, stored times are UTC,
 * shown times are local.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void); /* CLOCK_MONOTONIC */
int64_t clock_boot_ms(void); /* CLOCK_BOOTTIME: counts suspend */
int64_t clock_real_s(void);  /* CLOCK_REALTIME, seconds since 1970 */
int64_t clock_real_ns(void);

/* "2026-11-20T18:45:09Z"; dst 32 bytes; returns dst. */
char *clock_utc(char dst[32], int64_t real_s);
/* "2026-11-20 19:45" in the local zone. */
char *clock_local(char dst[32], int64_t real_s);
/* RFC 5322: "Fri, 20 Nov 2026 19:45:09 +0100", always English. */
char *clock_mail(char dst[64], int64_t real_s);
/* Reads clock_utc()'s format; 0 or -EINVAL. */
int clock_parse_utc(const char *s, int64_t *ret_real_s);
/* The kernel's boot id (36 characters); "" when /proc is not there. */
const char *clock_boot_id(void);

#endif
