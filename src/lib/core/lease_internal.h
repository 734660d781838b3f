/* SPDX-License-Identifier: MIT */
/* lease_internal: what the files lease*.c share; nobody else includes it. */
#ifndef CORE_LEASE_INTERNAL_H
#define CORE_LEASE_INTERNAL_H

#include "core/lease.h"

#define LEASE_NAME_MAX (3 * LEASE_JOB_MAX + 1)

/* --- lease_file.c: the files ------------------------------------------------
 */

/* 0; -ENOENT; -EBADMSG: it is there, but no lease; other negative errnos: that
 * cannot be found out now. */
int lease_file_read(int dir_fd, const char *name, struct lease_record *ret);
/* Every file of lease/, judged. @name is its name. */
int lease_file_each(const struct lease *l,
        int (*fn)(const struct lease_entry *e, const char *name, void *arg),
        void *arg, struct err *err);
/* On the disk when it returns 0; what was there before is replaced. */
int lease_file_write(
        const struct lease *l, const struct lease_record *rec, struct err *err);
/* For a disk without room: an empty file, which is no lease but counts as one
 * that cannot be read. On the disk when it returns 0; negative errno. */
int lease_file_mark(const struct lease *l, const char *job);

/* --- lease_reap.c: what nobody stands behind; under the gate ----------------
 */

/* The dead tickets, and what a crash left half made. */
int lease_reap_queue(struct lease *l, struct err *err);
/* That, and the leases whose time is over. */
int lease_reap(struct lease *l, struct err *err);
/* The copy that runs is no longer clean. Works on a full disk. */
int lease_taint(const struct lease *l, struct err *err);

#endif
