/* SPDX-License-Identifier: MIT */
/* ssh: how ssh.exe is called, and what its exit code means.
 *
 * Pure functions on text. */
#ifndef SSH_H
#define SSH_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include "quote.h"
#include "settings.h"

/* What the program that we are does. */
enum ssh_action { SSH_LOCK, SSH_UNLOCK };

/* ssh_command: ssh's command line.
 *
 *	s	the settings; s->ssh is the full path of ssh.exe
 *	action	what is asked for
 *	job	an id, or empty
 *	run	an id, or empty
 *
 * Returns 0, or -1 when it is too long. */
int ssh_command(struct quote *q, const struct settings *s,
        enum ssh_action action, const wchar_t *job, const wchar_t *run);

/* What came of it. */
struct ssh_outcome {
	int exit_code;       /* ours: 0, 1, 2, 3 or 75 */
	const wchar_t *text; /* a sentence for the administrator */
};

/* ssh_outcome: from ssh's exit code to ours. */
struct ssh_outcome ssh_outcome(enum ssh_action action, unsigned long code);

/* ssh_timed_out: the same when the time limit ended ssh. */
struct ssh_outcome ssh_timed_out(enum ssh_action action);

/* The exit code of ssh itself, when there was no answer from the server. */
#define SSH_FAILED 255

#endif
