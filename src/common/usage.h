/* SPDX-License-Identifier: MIT */
/*
 * usage: how a program is told that it was called in a wrong way.
 */
#ifndef COMMON_USAGE_H
#define COMMON_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "util.h"

/* The end of the table for getopt_long(3), with getopt.h: the options that
 * every program has; and their letters. */
#define USAGE_OPTIONS                                \
	{"verbose", no_argument, NULL, 'v'},         \
	        {"quiet", no_argument, NULL, 'q'},   \
	        {"help", no_argument, NULL, 'h'},    \
	        {"version", no_argument, NULL, 'V'}, \
	{                                            \
		NULL, 0, NULL, 0                     \
	}
#define USAGE_LETTERS "vqhV"

/* For a program that does not end with 2 when it was called wrongly. */
void usage_set_exitcode(int code);

/* "PROGRAM: ...", where to look it up, and exit code 2. */
_Noreturn void usage_error(const char *program, const char *fmt, ...)
        _printf_(2, 3);
/* After what getopt_long(3) has said itself: only where to look it up. */
_Noreturn void usage_try_help(const char *program);

/* What getopt_long(3) has found, after the program's own options: true when it
 * was -v or -q, which are done then.  Ends the program with 0 after @help or
 * the version, and with usage_try_help() when there is no such option. */
bool usage_option(const char *program, void (*help)(void), int c);

/* The argument of an option: checked, or usage_error(). */
const char *usage_id(const char *program, const char *text);
int64_t usage_number(
        const char *program, const char *text, int64_t min, int64_t max);

#endif
