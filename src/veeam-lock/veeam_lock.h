/* SPDX-License-Identifier: MIT */
/* veeam_lock: what the files of veeam-lock share. */
#ifndef VEEAM_LOCK_H
#define VEEAM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct settings;

struct lock_options {
	const char *config; /* NULL = the installed one */
	const char *job;    /* NULL = from the environment */
	const char *run;
	int64_t lease_hours;  /* 0 = as configured */
	int64_t wait_minutes; /* -1 = as configured */
	bool remote;
	bool no_mail;
	bool list;
	bool json;
	bool clean;
};

/* Each returns the exit code. */
int lock_take(const struct lock_options *o, const struct settings *s);
int lock_list(const struct lock_options *o, const struct settings *s);
int lock_clean(const struct lock_options *o, const struct settings *s);

#endif
