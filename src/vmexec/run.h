/* SPDX-License-Identifier: MIT */
/*
 * run: starts or follows one job.
 */
#ifndef VMEXEC_RUN_H
#define VMEXEC_RUN_H

struct ask_memory;
struct options;
struct remote_options;

/* Returns what the program ends with. */
int run_job(const struct options *o, const struct remote_options *remote,
        struct ask_memory *memory);

#endif
