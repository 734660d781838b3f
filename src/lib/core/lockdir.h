/* SPDX-License-Identifier: MIT */
/*
 * lockdir: the directory in which the copy and the Veeam jobs keep apart.
 *
 *	gate       flock(2): whoever decides holds it, for microseconds
 *	copy       flock(2): held by the copy and its rsync
 *	lease/     one file for every Veeam job that runs
 *	queue/     one file for everybody that waits
 *	stale/     leases that ended by themselves, for people
 *	untouched  gone as soon as a job may have run beside the copy
 *
 * It belongs to root (or to us) alone and lies on a local file system, for on
 * others flock(2) means less or nothing.
 */
#ifndef CORE_LOCKDIR_H
#define CORE_LOCKDIR_H

#include "err.h"

struct lockdir {
	char *path;
	int fd;
	int lease_fd;
	int queue_fd;
	int stale_fd;
};

#define LOCKDIR_INIT       \
	((struct lockdir){ \
	        .fd = -1, .lease_fd = -1, .queue_fd = -1, .stale_fd = -1})

/* Makes what is missing, 0700.  Fails closed: -EPERM (others may write there,
 * or it is somebody else's), -ELOOP (a symbolic link), -EOPNOTSUPP (NFS, CIFS,
 * FUSE, ...), other negative errnos; @err says what to do. */
int lockdir_open(struct lockdir *d, const char *path, struct err *err);
/* Only looks: nothing is made. -ENOENT when there is none. */
int lockdir_open_existing(struct lockdir *d, const char *path, struct err *err);
void lockdir_close(struct lockdir *d);

/*
 * Enters the gate: returns a descriptor, close(2) leaves it.  Nobody waits,
 * forks, mails or touches a disk in there.  If the directory was replaced
 * meanwhile it is opened anew.  -ETIMEDOUT: somebody is stuck in it.
 */
int lockdir_enter(struct lockdir *d, struct err *err);

/* In the gate: takes away what crashes left half made in lease/ or queue/. */
void lockdir_clear_away(int dir_fd);

#endif
