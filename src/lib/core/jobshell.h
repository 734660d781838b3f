/* SPDX-License-Identifier: MIT */
/*
 * jobshell: what the login shell on the host says beside the answers, and why
 * it has ended without one.
 */
#ifndef CORE_JOBSHELL_H
#define CORE_JOBSHELL_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"

struct buf;
struct sshclient_end;

/* Keeps the beginning of what it says, in @words. */
void jobshell_hear(struct buf *words, const char *data, size_t len);
/* It has ended, @answered is true when it was our program that it ran, @sudo
 * when that was to be run by sudo(8):
 *   -EIO      that has broken off
 *   -EAGAIN   only a part of it has arrived there
 *   -ENOEXEC  something else was run
 * with @err. */
int jobshell_ended(const struct sshclient_end *end, bool answered, bool sudo,
        const struct buf *words, struct err *err);

#endif
