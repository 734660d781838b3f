/* SPDX-License-Identifier: MIT */
/*
 * jobs: Veeam jobs that are running, as told by lock files.
 *
 * A job is a "*.lock" file in one of the configured directories (made by
 * veeam-lock or, empty and named by time, by the old script).  The directories
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

/* Waits until no job is running, @timeout_ms is over (-ETIMEDOUT) or a signal
 * asks for the end (-EINTR). @on_wait is called with the names at once and
 * whenever they change, may be NULL. */
int jobs_wait(struct jobs *j, int64_t timeout_ms,
        void (*on_wait)(const struct strv *names, void *arg), void *arg,
        struct err *err) _must_check_;

/* @fn is called about every five seconds of a wait, and whenever something
 * changes; non-zero ends the wait (-ECANCELED). */
void jobs_on_look(struct jobs *j, int (*fn)(void *arg), void *arg);

/* Forgets overlaps seen so far; from now on counts. */
int jobs_mark(struct jobs *j, struct err *err) _must_check_;
/* 1: a job was or is there since jobs_mark(), *ret_name (256 bytes) names one;
 * 0: none; negative errno: not known, to be taken as 1. */
int jobs_overlap(struct jobs *j, char *ret_name, struct err *err) _must_check_;

#endif
