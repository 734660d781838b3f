/* SPDX-License-Identifier: MIT */
/*
 * run: one copy from start to end: the thirteen steps, what each of them
 * undoes, and the verdict.
 *
 * Every step is a function of its own (run_steps.c, run_copy.c, run_verify.c);
 * run.c calls them in order.  Whatever ends a run early, the tail is the same:
 * unlock, flush, unmount, report, each as far as its counterpart was done.
 */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include <stdbool.h>
#include "core/status.h"

struct settings;

struct run_options {
	const char *uuid;   /* NULL = the first configured one attached */
	const char *device; /* NULL */
	bool dry_run;       /* ends after the plan */
	bool no_mail;
	bool no_wait;  /* Veeam jobs running: end at once */
	bool force;    /* more deletes than allowed are allowed once */
	bool new_disk; /* adopt what carries a known UUID, once */
	bool queue;    /* another run is active: wait for its end */
};

/*
 * Does it.  @st is initialised by the caller, holds everything that is to be
 * told afterwards, and is published while the run goes on.
 * Returns the exit code (exitcode.h), which is also st->exit_code.
 */
int run_copy(const struct settings *s, const struct run_options *opt,
        struct status *st);

/* Called by run_copy() whenever the status changed enough to be shown (about
 * once a second while copying); for the terminal. May be NULL. */
extern void (*run_on_status)(const struct status *st);

#endif
