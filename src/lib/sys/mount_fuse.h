/* SPDX-License-Identifier: MIT */
/*
 * mount_fuse: a file system whose driver is a program (ntfs-3g, through FUSE).
 *
 *	mount_fuse_find("ntfs", &path, err)        is it installed?
 *	mount_fuse_start(path, &req, ..., &m, err) until it is mounted
 *	... mount_detach(req.target, err) ...
 *	mount_fuse_end(m, limit_ms, err)           what became of it
 *
 * The driver is a child of the calling process and dies with it.  What it says
 * is kept: neither its exit code nor umount(2) tell of a write that failed
 * (both are 0), only a line of its log does, and fsync(2) on a descriptor of
 * the device that was open before the mount.
 *
 * syncfs(2) on such a mount writes the device's page cache, but does not see
 * what the driver itself keeps in memory; that is written by the unmount, which
 * waits for it.
 */
#ifndef SYS_MOUNT_FUSE_H
#define SYS_MOUNT_FUSE_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

struct mount_fuse;
struct mount_request;

/* The only driver there is so far. */
#define MOUNT_FUSE_NTFS "ntfs-3g"

/* The driver for @fstype: 0 and its path (caller frees); -ENOENT there is none,
 * or it is not installed (@err untouched); or it is not to be trusted. */
int mount_fuse_find(
        const char *fstype, char **ret_path, struct err *err) _must_check_;

struct mount_fuse_options {
	/* In the child, before it executes; 0 or negative errno. */
	int (*confine)(void *arg);
	void *confine_arg;
	/* About every half second: non-zero ends the wait. */
	int (*on_tick)(void *arg);
	void *tick_arg;
	int64_t timeout_ms;
	/* May be NULL. After a failure: the driver could write to the device
	 * and did not end by itself, so what it wrote may be half done. */
	bool *ret_killed;
};

/*
 * Starts the driver and waits until @req is mounted, with the options of
 * mount_attach().  A volume that can only be mounted read-only is refused when
 * @req is not.
 * 0 and *ret; -EUCLEAN damaged, or not unmounted well; -EBUSY; -ETIMEDOUT;
 * -ECANCELED; others.  Nothing is mounted and no driver is left then.
 */
int mount_fuse_start(const char *path, const struct mount_request *req,
        const struct mount_fuse_options *opt, struct mount_fuse **ret,
        const char **ret_missing, struct err *err) _must_check_;

/*
 * The driver out of the way of our mount, for a process in a namespace of its
 * own (mount_private()): puts the caller into another one and takes the mount
 * out of the driver's.  Otherwise a driver that is the last to die would, at
 * its death, unmount what it serves, and wait for its own answer for ever.
 * Before anything is opened on @target, and before other children are started.
 */
int mount_fuse_separate(const char *target, struct err *err) _must_check_;

/* Ends a driver that does not answer: who waits for it gets an error at once.
 * Also in a child of ours. */
void mount_fuse_kill(const struct mount_fuse *m);
/* False in a child of ours. */
bool mount_fuse_has_ended(const struct mount_fuse *m);
/* The same, after @limit_ms at the latest. */
bool mount_fuse_await_end(const struct mount_fuse *m, int64_t limit_ms);
/* A mount on @target whose driver has died, of a run that was killed: takes it
 * away.  1 it did; 0 there is none; negative errno. */
int mount_fuse_leftover(const char *target);
/* Takes the mount of a dead driver away, also while it is in use.  0; -EBUSY
 * when the driver is not dead; negative errno. */
int mount_fuse_drop(const struct mount_fuse *m, const char *target);
/* Grows as long as the driver does something. */
uint64_t mount_fuse_activity(const struct mount_fuse *m);

/*
 * After the unmount: waits until the driver has ended, at most @limit_ms, then
 * it is killed.  Frees @m.  0 when it ended by itself with 0 and had nothing to
 * complain about; -EIO with what it said, in @err.
 */
int mount_fuse_end(
        struct mount_fuse *m, int64_t limit_ms, struct err *err) _must_check_;

/* The first line of @said, which has @len bytes, that is neither one of the
 * driver's usual ones nor an error that the caller of the driver got as well;
 * "" in dst: none.  Pure; here for the tests. */
void mount_fuse_complaint(const char *said, size_t len, char *dst, size_t size);

#endif
