/* SPDX-License-Identifier: MIT */
/*
 * target: the disk that is copied to: found, mounted, flushed, unmounted.
 *
 *	struct target t = TARGET_INIT;
 *	target_find(&t, s, uuid, device, err);       step match
 *	target_mount(&t, s, read_only, err);         step mount
 *	... work below t.dest_fd ...
 *	target_flush(&t, s, ..., err);               exactly once
 *	target_unmount(&t, err);
 *	target_done(&t);
 *
 * Nothing here waits for ever on a dead disk: calls that can hang run in a
 * child with a time limit and are given up when the disk is gone.
 */
#ifndef CORE_TARGET_H
#define CORE_TARGET_H

#include <stdbool.h>
#include "err.h"
#include "sys/disk.h"
#include "sys/mount.h"
#include "sys/ntfs_volume.h"

struct flush_watch;
struct mount_fuse;
struct proc_running;
struct settings;
struct settings_disk;

struct target {
	struct disk disk;                 /* as probed */
	const struct settings_disk *conf; /* borrowed from the settings */
	char mountpoint[1024];            /* "" = not mounted */
	bool own_mountpoint;              /* made by us, removed by us */
	bool mounted;
	bool mounted_read_only;
	bool hangs;  /* it stopped answering: touched from children only, and
	              * not for long */
	bool posix;  /* holds owners, modes, links */
	int root_fd; /* opened right after mounting: it
	              * alone learns of every write error */
	int dest_fd; /* where rsync works */
	struct mount_id id;         /* of root_fd, for later comparison */
	char note[256];             /* a protection that was missing */
	struct proc_running *early; /* target_flush_begin(); or NULL */
	int early_last_fd;          /* readable: its next round is the last */
	struct flush_watch *watch;  /* of the flush that goes on */
	struct mount_fuse *driver; /* a program, or NULL: see target_driver.h */
	int device_fd;             /* with a driver: open since before it */
	bool driver_failed;        /* the volume stays marked as dirty */
	struct proc_running *guard; /* of the driver */
	int64_t guard_idle_s;       /* so long a driver may be silent */
	int guard_end_fd;           /* ends with it and its question */
	struct ntfs_volume volume;  /* with a driver, unless read-only */
};

#define TARGET_INIT                     \
	((struct target){.root_fd = -1, \
	        .dest_fd = -1,          \
	        .early_last_fd = -1,    \
	        .device_fd = -1})

/*
 * Finds the disk: the given UUID (must be configured), the given device (its
 * UUID must be configured), else the first configured UUID that is attached.
 * -ENODEV: none attached; -ENOTUNIQ: two attached devices with that UUID;
 * -EACCES: not configured; others from probing.
 */
int target_find(struct target *t, const struct settings *s, const char *uuid,
        const char *device, struct err *err) _must_check_;

/* Somebody else has it mounted where it can be seen from here. */
bool target_is_in_use(const struct target *t);

/*
 * Mounts it in a mount namespace of our own (unless mount-visible), opens
 * root_fd and dest_fd, and makes sure that they are on that very device.
 * -EBUSY: mounted elsewhere (err says where).  -EROFS: write-protected.
 */
int target_mount(struct target *t, const struct settings *s, bool read_only,
        struct err *err) _must_check_;

/* Still the same disk, same mount, writable? 0; -ENODEV gone; -EROFS. */
int target_check(const struct target *t, struct err *err);
/* What is said of a disk that was found to be gone, whatever a second look
 * would find.  -ENODEV. */
int target_explain_gone(const struct target *t, struct err *err);

/*
 * Begins to write everything out beside whatever comes next, so that
 * target_flush() has little left to do: round after round while files are
 * still being written, until target_flush_last() says that the next round is
 * the last (and begins it if none goes on).  Uses a descriptor of its own: the
 * errors it meets are told again by target_flush(), which alone decides.
 * Best effort; target_flush() and target_unmount() end it.
 */
void target_flush_begin(struct target *t);
void target_flush_last(struct target *t);
/* Ends it: for target_unmount(). */
void target_flush_stop(struct target *t);
/* Waits until that is through, by the rules of target_flush(): reading what is
 * still to be written would write it page by page.  Decides nothing. */
void target_flush_settle(struct target *t, int64_t idle_timeout_s,
        int (*on_tick)(void *arg), void *arg);

/*
 * Writes everything out: one syncfs on root_fd, no second try.  @on_tick may
 * be NULL; called about once a second.  Gives up when the disk is gone or has
 * taken nothing for @idle_timeout_s seconds (0 = never).
 */
int target_flush(struct target *t, int64_t idle_timeout_s,
        int (*on_tick)(void *arg), void *arg, struct err *err) _must_check_;

/* Does the disk take a small change within @limit_s seconds? If not, t->hangs
 * is set, and nothing may be done to it that is not done in a child. */
bool target_answers(struct target *t, int64_t limit_s);

/* Closes the descriptors and unmounts. When this returns 0 the disk is
 * unmounted and still there. */
int target_unmount(struct target *t, struct err *err) _must_check_;

/* Free and total bytes for an unprivileged writer. */
int target_space(const struct target *t, uint64_t *ret_free,
        uint64_t *ret_total, uint64_t *ret_free_inodes);

/* Closes what is open; unmounts nothing. */
void target_done(struct target *t);

#endif
