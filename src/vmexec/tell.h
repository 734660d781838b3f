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

/* Before everything else. */
void tell_init(bool json, const char *host);
void tell_event(enum job_event what, const char *job, const char *text);
/* A piece of output, as JSON. 0 or negative errno with @err. */
int tell_output(bool is_stderr, const char *data, size_t len,
        struct err *err) _must_check_;
void tell_end(const char *job, const struct job_result *result, int exitcode);
/* It goes on, and how to come back. */
void tell_detached(const char *job);

#endif
