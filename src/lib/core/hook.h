/* SPDX-License-Identifier: MIT */
/*
 * hook: the administrator's own programs before and after a run.
 *
 * The value is a program's absolute path and arguments, split at blanks; no
 * shell looks at it.  Environment: ASBACKUP_UUID, _TITLE, _DEVICE, _STEP,
 * _STATE, _EXIT_CODE.  What it prints goes to the log.
 */
#ifndef CORE_HOOK_H
#define CORE_HOOK_H

#include "err.h"

struct status;

/* The program is there and only root can change it. 0 for an empty value. */
int hook_check(const char *command, const char *key, struct err *err);

/* 0 = went well or nothing to run; else the program's exit code, or
 * EXITCODE_FAILED when it could not be run; with @err. */
int hook_run(const char *command, const char *key, const struct status *st,
        struct err *err);

#endif
