/* SPDX-License-Identifier: MIT */
/*
 * num: the one strict parser for numbers from outside.
 *
 * The whole string must be the number: no white space, no sign but '-', no
 * leading zeros but "0" itself, no overflow.  On failure @ret is untouched.
 * All return 0, -EINVAL (not a number) or -ERANGE (outside min..max).
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>
#include "util.h"

int num_parse_i64(
        const char *s, int64_t min, int64_t max, int64_t *ret) _must_check_;
int num_parse_u64(const char *s, uint64_t max, uint64_t *ret) _must_check_;
/* Decimal with at most @digits digits behind the point, as an integer scaled
 * by 10^digits: "1.5" with digits 2 is 150. A comma is accepted as point. */
int num_parse_fixed(
        const char *s, int digits, int64_t max, int64_t *ret) _must_check_;
/* yes/no, true/false, on/off, 1/0 in any case. */
int num_parse_bool(const char *s, bool *ret) _must_check_;
/* Bytes with an optional unit K M G T (1024) or kB MB GB TB (1000). */
int num_parse_bytes(const char *s, uint64_t *ret) _must_check_;

#endif
