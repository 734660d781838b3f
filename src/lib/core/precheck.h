/* SPDX-License-Identifier: MIT */
/*
 * precheck: what later steps will need, looked at before anything is done.
 *
 * Shared by the first step of a run and by "asbackup check".
 */
#ifndef CORE_PRECHECK_H
#define CORE_PRECHECK_H

#include <stdio.h>
#include "err.h"

struct settings;

/* Makes the state (0700), lock, spool and runtime directories; each must be
 * writable and the state directory must lie on a local file system, since
 * flock(2) does not hold on NFS, CIFS and FUSE. 0 or negative errno. */
int precheck_directories(const struct settings *s, struct err *err);

/* Takes the lock "one run at a time". A descriptor, -EWOULDBLOCK when a run is
 * active (err says since when), or another negative errno. */
int precheck_run_lock(const struct settings *s, struct err *err);
/* The same, but waits for its turn. -EINTR (without an error text) when a
 * signal was caught meanwhile. */
int precheck_run_lock_queued(const struct settings *s, struct err *err);

/* Opens the general log (log_open_file) and rsync's (*ret_rsync_log, appended
 * to; the caller flushes it now and then). 0 or negative errno. */
int precheck_logs(
        const struct settings *s, FILE **ret_rsync_log, struct err *err);

/* The other files of the configuration: excludes, certificates, hooks. */
int precheck_files(const struct settings *s, struct err *err);

/* Full paths of the two logs; caller frees; NULL = out of memory. */
char *precheck_log_path(const struct settings *s);
char *precheck_rsync_log_path(const struct settings *s);

#endif
