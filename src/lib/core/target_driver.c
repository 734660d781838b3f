/* SPDX-License-Identifier: MIT */
/*
 * target_driver: a disk whose file system is driven by a program.
 *
 * What makes the word "good" true with ntfs-3g, for umount(2) and its exit code
 * are 0 also when nothing reached the disk:
 *
 *   - device_fd is open before the driver starts, and fsync(2) on it tells of
 *     every page of the device that could not be written since then;
 *   - the driver has ended by itself, with 0, and complained of nothing;
 *   - the volume is marked as dirty before the first write and as clean only
 *     after all that.  Whatever ends it earlier leaves the mark, and a volume
 *     that has it is not written to (ntfs_volume.h).
 */
#include "core/target_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "i18n.h"
#include "log.h"
#include "proc.h"
#include "str.h"
#include "util.h"
#include "core/target.h"
#include "sys/mount_fuse.h"
#include "sys/ntfs_volume.h"
#include "sys/sandbox.h"

#define CAP_SYS_ADMIN_BIT (1ULL << 21)
#define MOUNT_TIMEOUT_MS (10 * 60 * 1000)
#define MARK_TIMEOUT_MS (2 * 60 * 1000)
/* The unmount has waited for it already. */
#define END_TIMEOUT_MS (30 * 1000)
#define KILLED_MS 5000

static int confine(void *unused)
{
	/* Not Landlock: who is in it cannot mount. */
	struct sandbox sb = {.ruleset_fd = -1, .keep_caps = CAP_SYS_ADMIN_BIT};
	int r = sandbox_apply(&sb);

	(void)unused;
	return r < 0 ? r : sandbox_forbid();
}

/* --- the mark ------------------------------------------------------------- */

static int write_mark(const struct target *t, struct ntfs_volume *v, bool dirty,
        struct err *err)
{
	_cleanup_close_ int fd = open(t->disk.device, O_RDWR | O_CLOEXEC);
	int r = fd < 0 ? -errno : ntfs_volume_mark(fd, v, dirty);

	return r < 0 ? err_sys(err, r, _("cannot write to %s"), t->disk.device)
	             : 0;
}

/* Before the mount. */
static int mark_task(void *arg, void *reply, struct err *err)
{
	const struct target *t = arg;
	const struct mount_request req = {
	        .device = t->disk.device, .fstype = t->disk.fstype};
	struct ntfs_volume *v = reply;
	int r;

	/* What happened before us is not ours: from here on it counts. */
	if (fsync(t->device_fd) < 0)
		log_debug("%s: an older error: %s", t->disk.device,
		        err_text(errno));
	if (t->mounted_read_only)
		return 0;
	r = ntfs_volume_read(t->device_fd, t->disk.size_bytes, v);
	if (r == -EUCLEAN)
		return mount_damaged(&req, err_text(r), err);
	if (r < 0)
		return err_sys(err, r, _("cannot read %s"), t->disk.device);
	if (ntfs_volume_is_dirty(v))
		return mount_unclean(t->disk.device, err);
	return write_mark(t, v, true, err);
}

/* After everything: all of it on the disk, and then the mark. */
static int clear_task(void *arg, void *reply, struct err *err)
{
	const struct target *t = arg;
	struct ntfs_volume *v = reply;

	*v = t->volume;
	if (fsync(t->device_fd) < 0)
		return err_sys(err, -EIO, "%s",
		        _("the disk did not take everything that was written "
		          "to it"));
	return t->mounted_read_only || t->driver_failed
	               ? 0
	               : write_mark(t, v, false, err);
}

static int run_task(struct target *t, int (*fn)(void *, void *, struct err *),
        struct err *err)
{
	struct ntfs_volume v = t->volume;
	struct proc_task task = {
	        .name = "mark",
	        .fn = fn,
	        .arg = t,
	        .reply = &v,
	        .reply_size = sizeof v,
	        .timeout_ms = MARK_TIMEOUT_MS,
	        .tick_ms = 500,
	        .on_tick = disk_tick,
	        .tick_arg = &t->disk,
	        .ignore_signals = true,
	};
	int r = proc_task(&task, err);

	if (r == 0)
		t->volume = v;
	return r;
}

/* --- mounting ------------------------------------------------------------- */

static int start(struct target *t, const char *path,
        const struct mount_request *req, const char **ret_missing,
        struct err *err)
{
	bool killed = false; /* for cppcheck: mount_fuse_start() sets it */
	struct mount_fuse_options opt = {
	        .confine = confine,
	        .on_tick = disk_tick,
	        .tick_arg = &t->disk,
	        .timeout_ms = MOUNT_TIMEOUT_MS,
	        .ret_killed = &killed,
	};
	struct err other = ERR_INIT;
	int r = run_task(t, mark_task, err);

	if (r < 0)
		return r;
	r = mount_fuse_start(path, req, &opt, &t->driver, ret_missing, err);
	if (r >= 0 || req->read_only)
		return r;
	/* A driver that refuses a volume has written nothing. */
	if (killed)
		err_meaning(err, "%s",
		        _("Nothing was copied. The driver was stopped in the "
		          "middle of its work: before the next copy Windows "
		          "has to check the disk (\"chkdsk X: /f\", X: is its "
		          "drive letter)."));
	else if (run_task(t, clear_task, &other) < 0)
		log_debug("the mark stays: %s", other.message);
	return r;
}

int target_driver_mount(struct target *t, const struct mount_request *req,
        const char **ret_missing, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int r = mount_fuse_find(req->fstype, &path, err);

	if (r < 0)
		return r;
	t->driver_failed = false;
	t->mounted_read_only = req->read_only;
	t->device_fd = open(t->disk.device, O_RDONLY | O_CLOEXEC);
	if (t->device_fd < 0)
		return err_sys(
		        err, -errno, _("cannot open %s"), t->disk.device);
	r = start(t, path, req, ret_missing, err);
	if (r < 0)
		util_closep(&t->device_fd);
	return r;
}

int target_driver_separate(const struct target *t, struct err *err)
{
	return t->driver ? mount_fuse_separate(t->mountpoint, err) : 0;
}

/* --- at work -------------------------------------------------------------- */

int target_driver_flush(const struct target *t)
{
	return t->device_fd >= 0 && fsync(t->device_fd) < 0 ? -errno : 0;
}

void target_driver_forget(const struct target *t)
{
	if (t->device_fd >= 0)
		(void)posix_fadvise(t->device_fd, 0, 0, POSIX_FADV_DONTNEED);
}

int target_driver_check(const struct target *t, struct err *err)
{
	if (!t->driver || !mount_fuse_has_ended(t->driver))
		return 0;
	err_set(err, -EIO, _("the driver %s of the disk %s has ended"),
	        MOUNT_FUSE_NTFS, t->disk.device);
	err_meaning(err, "%s", _("The copy on the disk is NOT complete."));
	err_action(err, "%s",
	        _("Look into the system's log why; if nobody ended it, try "
	          "another cable or port, then another disk."));
	return -EIO;
}

/* --- ending --------------------------------------------------------------- */

void target_driver_kill(const struct target *t)
{
	if (t->driver)
		mount_fuse_kill(t->driver);
}

int target_driver_drop(const struct target *t)
{
	return mount_fuse_drop(t->driver, t->mountpoint);
}

bool target_driver_give_up(struct target *t)
{
	if (!t->driver)
		return false;
	t->driver_failed = true;
	target_driver_kill(t);
	(void)mount_fuse_await_end(t->driver, KILLED_MS);
	return true;
}

static int not_good(const struct target *t, struct err *err)
{
	err_prefix(err, "%s",
	        _("the disk may not hold everything that was written to it"));
	err_meaning(err, "%s",
	        t->mounted_read_only
	                ? _("What was read from it cannot be relied on.")
	                : _("Files on the disk may be damaged. This copy is "
	                    "NOT good."));
	err_action(err, "%s",
	        _("Plug the disk into a Windows computer and run \"chkdsk X: "
	          "/f\" (X: is its drive letter), then start the copy again. "
	          "If it happens again, use another disk."));
	return -EIO;
}

int target_driver_end(struct target *t, struct err *err)
{
	struct err later = ERR_INIT;
	int r = mount_fuse_end(TAKE_PTR(t->driver), END_TIMEOUT_MS, err);
	int e;

	if (r < 0 && t->mounted_read_only) {
		log_debug("%s", err->message);
		r = 0;
	}
	t->driver_failed |= r < 0;
	e = run_task(t, clear_task, &later);
	if (r == 0 && e < 0)
		*err = later;
	util_closep(&t->device_fd);
	return r < 0 || e < 0 ? not_good(t, err) : 0;
}
