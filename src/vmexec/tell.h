/* SPDX-License-Identifier: MIT */
/*
 * tell: what happens to a job, for people on standard error, or as JSON, one
 * object a line, on standard output (asbackup-json(5)).
 */
#ifndef VMEXEC_TELL_H
#define VMEXEC_TELL_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"
#include "core/job.h"

/* Before everything else. @options: how the host is reached, to be typed again
 * between "vmexec" and what follows. */
void tell_init(bool json, const char *host, const char *options);
void tell_event(enum job_event what, const char *job, const char *text);
/* A piece of output, as JSON. 0 or negative errno with @err. */
int tell_output(bool is_stderr, const char *data, size_t len,
        struct err *err) _must_check_;
/* 0, or negative errno with @err: not all that was told has been written. */
int tell_end(const char *job, const struct job_result *result, int exitcode,
        struct err *err) _must_check_;
enum tell_detached {
	TELL_GOES_ON,
	TELL_UNKNOWN,   /* whether it has started */
	TELL_CANCELLED, /* unknown, whether the host has heard of that */
	TELL_ENDED,     /* but not all of it could be written here */
};
/* We leave it alone; how to come back. */
void tell_detached(const char *job, enum tell_detached how);

#endif
