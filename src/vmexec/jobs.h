/* SPDX-License-Identifier: MIT */
/*
 * jobs: which jobs a host has; ending one; removing those that are over.
 */
#ifndef VMEXEC_JOBS_H
#define VMEXEC_JOBS_H

struct options;
struct remote_options;

/* Each returns what the program ends with. */
int jobs_list(const struct options *o, const struct remote_options *remote,
        const char *host);
int jobs_cancel(const struct options *o, const struct remote_options *remote,
        const char *host);
int jobs_clean(const struct options *o, const struct remote_options *remote,
        const char *host);

#endif
