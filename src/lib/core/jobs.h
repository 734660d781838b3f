/* SPDX-License-Identifier: MIT */
/*
 * jobs: Veeam jobs that are running, as told by old lock files.
 *
 * A job is a "*.lock" file in one of the configured directories: empty and
 * named by time, made by the old script, or by hand.  The directories
 * are watched from jobs_open() on, so that a job that came and went unseen is
 * known as an overlap all the same.
 */
#ifndef CORE_JOBS_H
#define CORE_JOBS_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "str.h"

struct jobs;

/* @dirs is copied; directories that are not there are created (0700, the
 * directory may lie on a tmpfs that a reboot has emptied).  Fails closed:
 * a directory that cannot be read is an error. */
int jobs_open(const struct strv *dirs, struct jobs **ret,
        struct err *err) _must_check_;
void jobs_free(struct jobs *j);

/* The running jobs, as file names; appended to @ret. 0 or negative errno. */
int jobs_list(struct jobs *j, struct strv *ret, struct err *err) _must_check_;

/* Readable when something changed in a directory; -1 when it cannot be
 * watched (then look every few seconds). */
int jobs_fd(const struct jobs *j);

/* Takes note of what has happened; jobs_fd() is not readable any more. */
void jobs_drain(struct jobs *j);

/* Forgets overlaps seen so far; from now on counts. */
int jobs_mark(struct jobs *j, struct err *err) _must_check_;
/* 1: a job was or is there since jobs_mark(), *ret_name (256 bytes) names one;
 * 0: none; negative errno: not known, to be taken as 1. */
int jobs_overlap(struct jobs *j, char *ret_name, struct err *err) _must_check_;

#endif
