/* SPDX-License-Identifier: MIT */
/*
 * lockfile: an flock(2) on a file, taken and then verified.
 *
 * The lock belongs to the open file description: it is free when the last
 * descriptor that refers to it is closed, in whatever process.  It is never
 * released with LOCK_UN (that would release it for a child that still needs
 * it), only by close.  After locking, the path must still name the same inode,
 * otherwise it is opened again.
 */
#ifndef BASE_LOCKFILE_H
#define BASE_LOCKFILE_H

#include <stdbool.h>
#include <sys/types.h>
#include "err.h"

/*
 * Opens (creating with 0600 unless there) @path below @dir_fd (or AT_FDCWD)
 * without following a link in the last component and takes an exclusive lock
 * without waiting.
 * Returns a descriptor (close-on-exec) >= 0; *ret_existed (may be NULL) tells
 * that the file was there before.  -EWOULDBLOCK: somebody holds it.  Other
 * negative errno with @err.
 */
int lockfile_take(
        int dir_fd, const char *path, bool *ret_existed, struct err *err);

/*
 * The same, but waits for the holder, at most @timeout_ms: -ETIMEDOUT then,
 * -EINTR when a signal was caught (sig.h).  Those who wait are served in the
 * order of the kernel, without waking one another.  Uses SIGALRM and
 * ITIMER_REAL meanwhile.
 */
int lockfile_take_wait(
        int dir_fd, const char *path, int timeout_ms, struct err *err);

/* True when somebody (also ourselves) holds a lock on @path. A file that is
 * not there is not locked; one that cannot be opened (a symbolic link, no
 * permission) counts as locked.  Takes a shared lock for a moment;
 * lockfile_take() has the patience for that. */
bool lockfile_is_held(int dir_fd, const char *path);

/* Waits until @path is no longer held, a signal was caught (sig.h) or
 * @timeout_ms is over; which of them is for the caller to find out.  May
 * return early.  Wakes within milliseconds of the holder's end, also when it
 * was killed. */
void lockfile_wait(const char *path, int timeout_ms);

/* Replaces the content by @text (for people only). 0 or negative errno. */
int lockfile_note(int fd, const char *text);

#endif
