/* SPDX-License-Identifier: MIT */
/*
 * stream: bytes to a pipe, terminal or file that may take its time.
 */
#ifndef VMEXEC_STREAM_H
#define VMEXEC_STREAM_H

#include <stddef.h>
#include "util.h"

/* The same pipe or terminal by a description of our own, which does not block;
 * that is none of the business of who shares the other one.  @fd itself where
 * there is none. */
int stream_open(int fd);
/* Waits until all of it is taken.  0, or negative errno; -EINTR: a signal came
 * first (after sig_init()). */
int stream_write(int fd, const char *data, size_t len) _must_check_;

#endif
