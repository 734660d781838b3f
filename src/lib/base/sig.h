/* SPDX-License-Identifier: MIT */
/*
 * sig: TERM, INT and HUP ask for an orderly end.
 *
 * sig_init() installs handlers that remember the first signal and make
 * sig_fd() readable; it also ignores SIGPIPE and SIGXFSZ, so that a closed
 * pipe or a file size limit is an errno.  proc_run() watches sig_fd() by
 * itself and resets everything in children.
 */
#ifndef BASE_SIG_H
#define BASE_SIG_H

#include "err.h"

int sig_init(struct err *err);
/* The first signal that came (SIGTERM, SIGINT, SIGHUP), or 0. */
int sig_caught(void);
/* Readable (poll POLLIN) once a signal came; never read from it. -1 before
 * sig_init(). */
int sig_fd(void);
/* For cleaning up in peace: forget what came; later signals count again. */
void sig_reset(void);

#endif
