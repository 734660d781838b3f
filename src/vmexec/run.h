/* SPDX-License-Identifier: MIT */
/*
 * run: starts or follows one job; the rest of what vmexec does on a host.
 */
#ifndef VMEXEC_RUN_H
#define VMEXEC_RUN_H

struct options;
struct remote_options;

/* Each returns what the program ends with. */
int run_job(const struct options *o, const struct remote_options *remote);

#endif
