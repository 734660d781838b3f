/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "i18n.h"
#include "log.h"
#include "num.h"
#include "usage.h"
#include "version.h"
#include "core/exitcode.h"
#include "core/lease_record.h"

static int exitcode = EXITCODE_USAGE;

void usage_set_exitcode(int code)
{
	exitcode = code;
}

void usage_try_help(const char *program)
{
	fprintf(stderr, _("Try '%s --help'.\n"), program);
	exit(exitcode);
}

void usage_error(const char *program, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	usage_try_help(program);
}

bool usage_option(const char *program, void (*help)(void), int c)
{
	switch (c) {
	case 'v':
		log_set_level(LOG_LEVEL_INFO);
		return true;
	case 'q':
		log_set_level(LOG_LEVEL_WARNING);
		return true;
	case 'h':
		help();
		exit(EXITCODE_DONE);
	case 'V':
		printf("%s %s\n", program, VERSION);
		exit(EXITCODE_DONE);
	case '?':
		usage_try_help(program);
	default:
		return false;
	}
}

const char *usage_id(const char *program, const char *text)
{
	if (!lease_record_is_id(text))
		usage_error(program,
		        _("an id has 1 to %d bytes and no control characters"),
		        LEASE_JOB_MAX);
	return text;
}

int64_t usage_number(
        const char *program, const char *text, int64_t min, int64_t max)
{
	int64_t n;

	if (num_parse_i64(text, min, max, &n) < 0)
		usage_error(program,
		        _("'%s' is not a number from %lld to %lld"), text,
		        (long long)min, (long long)max);
	return n;
}
