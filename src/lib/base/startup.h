/* SPDX-License-Identifier: MIT */
/*
 * startup: what every program does before anything else.
 */
#ifndef BASE_STARTUP_H
#define BASE_STARTUP_H

/* Opens the standard descriptors that are closed, forbids core dumps (they
 * would hold passwords), sets the umask, the language and the log. */
void startup(void);

#endif
