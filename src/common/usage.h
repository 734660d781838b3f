/* SPDX-License-Identifier: MIT */
/*
 * usage: how a program is told that it was called in a wrong way.
 */
#ifndef COMMON_USAGE_H
#define COMMON_USAGE_H

#include <stdint.h>
#include "util.h"

/* For a program that does not end with 2 when it was called wrongly. */
void usage_set_exitcode(int code);

/* "PROGRAM: ...", where to look it up, and exit code 2. */
_Noreturn void usage_error(const char *program, const char *fmt, ...)
        _printf_(2, 3);
/* After what getopt_long(3) has said itself: only where to look it up. */
_Noreturn void usage_try_help(const char *program);

/* The argument of an option: checked, or usage_error(). */
const char *usage_id(const char *program, const char *text);
int64_t usage_number(
        const char *program, const char *text, int64_t min, int64_t max);

#endif
