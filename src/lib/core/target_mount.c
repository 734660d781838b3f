/* SPDX-License-Identifier: MIT */
/* target_mount: the disk mounted and unmounted. */
#include "core/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "path.h"
#include "proc.h"
#include "sig.h"
#include "str.h"
#include "util.h"
#include "core/marker.h"
#include "core/settings.h"
#include "core/target_driver.h"
#include "core/target_guard.h"
#include "sys/mount_fuse.h"

/* A journal replay on a large slow disk takes minutes. */
#define MOUNT_TIMEOUT_MS (10 * 60 * 1000)
#define CLAIM_TIMEOUT_MS 5000
/* After the flush there is little left to write. */
#define UNMOUNT_TIMEOUT_MS (5 * 60 * 1000)
#define UNMOUNT_HANGING_MS (10 * 1000)

struct mount_reply {
	char missing[64];
};

static int mount_task(void *arg, void *reply, struct err *err)
{
	struct mount_reply *out = reply;
	const char *missing = NULL;
	int r;

	r = mount_attach(arg, &missing, err);
	(void)str_copy(
	        out->missing, sizeof out->missing, missing ? missing : "");
	return r;
}

static void log_leftover(const struct target *t, const char *where)
{
	log_warn(_("%s is still mounted on %s from a run that was killed; "
	           "unmounting it"),
	        t->disk.device, where);
}

static int make_mountpoint(
        struct target *t, const struct settings *s, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	t->own_mountpoint = str_is_empty(s->destination);
	path = t->own_mountpoint ? path_join(s->mount_directory, t->disk.uuid)
	                         : strdup(s->destination);
	if (!path)
		return err_nomem(err);
	if (str_copy(t->mountpoint, sizeof t->mountpoint, path) < 0)
		return err_set(err, -ENAMETOOLONG,
		        _("the mount point %s is too long"), path);
	if (mount_fuse_leftover(path) == 1)
		log_leftover(t, path);
	r = path_mkdirs(path, 0700, err);
	if (r < 0)
		err_prefix(err, "%s", _("cannot make the mount point"));
	return r;
}

static int refuse_mounted(
        const struct target *t, const char *where, struct err *err)
{
	err_set(err, -EBUSY, _("the disk %s is already mounted on %s"),
	        t->disk.device, where);
	err_meaning(err, "%s",
	        _("Somebody else may be writing to it, so nothing was "
	          "copied."));
	err_action(err,
	        _("Run \"umount %s\" and try again; keep the desktop's "
	          "automatic mounting away from backup disks."),
	        where);
	return -EBUSY;
}

/* A run that was killed a moment ago is unmounted by the kernel behind its
 * back; that takes a little. */
static int wait_unclaimed(const struct target *t, struct err *err)
{
	int64_t until_ms = clock_mono_ms() + CLAIM_TIMEOUT_MS;

	while (disk_is_claimed(t->disk.device) == 1) {
		if (clock_mono_ms() < until_ms && !sig_caught()) {
			(void)poll(NULL, 0, 50);
			continue;
		}
		err_set(err, -EBUSY,
		        _("the disk %s is in use: another program has mounted "
		          "it where it cannot be seen from here, or it belongs "
		          "to a RAID"),
		        t->disk.device);
		err_meaning(err, "%s",
		        _("Somebody else may be writing to it, so nothing was "
		          "copied."));
		err_action(err,
		        _("Find the program (\"grep -l %s "
		          "/proc/*/mountinfo\") and end it."),
		        t->disk.device);
		return -EBUSY;
	}
	return 0;
}

/* With mount-visible a killed run leaves its mount behind: ours to remove. */
static int remove_leftover(struct target *t, const struct settings *s,
        const char *where, struct err *err)
{
	if (!s->mount_visible || !str_eq(where, t->mountpoint))
		return refuse_mounted(t, where, err);
	log_leftover(t, where);
	return mount_detach(where, err);
}

/* On the same device, and really mounted: not the directory underneath. */
static int verify(struct target *t, struct err *err)
{
	_cleanup_free_ char *parent_path = NULL;
	_cleanup_close_ int parent = -1;
	struct mount_id above;
	char where[1024];
	int r;

	r = mount_id_of(t->root_fd, &t->id);
	if (r < 0)
		return err_sys(err, r, _("cannot examine %s"), t->mountpoint);
	parent_path = path_dirname(t->mountpoint);
	if (!parent_path)
		return err_nomem(err);
	parent = open(parent_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = parent < 0 ? -errno : mount_id_of(parent, &above);
	if (r < 0)
		return err_sys(err, r, _("cannot examine %s"), parent_path);
	/* An old kernel tells no mount ids: all are 0.  btrfs has an anonymous
	 * device number: mountinfo knows better. */
	if ((above.mnt_id == t->id.mnt_id && above.devno == t->id.devno) ||
	        mount_find(t->disk.device, t->disk.devno, where,
	                sizeof where) != 1)
		return mount_replaced(t->disk.device, t->mountpoint, err);
	return 0;
}

static int open_root(struct target *t, struct err *err)
{
	int r;

	/* Before anything is written: a descriptor opened later would not be
	 * told of write errors that happened in between. */
	t->root_fd = open(t->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->root_fd < 0)
		return err_sys(err, -errno, _("cannot open %s"), t->mountpoint);
	r = verify(t, err);
	if (r < 0)
		return r;
	t->dest_fd =
	        path_open_beneath(t->root_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (t->dest_fd < 0)
		return err_sys(
		        err, t->dest_fd, _("cannot open %s"), t->mountpoint);
	return 0;
}

/* What mounting cannot know. */
static int not_mounted(const struct target *t, int r, struct err *err)
{
	if (disk_check_after(&t->disk, r) == DISK_GONE) {
		r = target_explain_gone(t, err);
		err_meaning(err, "%s", _("Nothing was copied."));
	}
	if (r == -ETIMEDOUT)
		err_action_default(err, "%s",
		        _("Unplug the disk, plug it in again, try another "
		          "cable or port; \"dmesg\" shows what the kernel "
		          "says."));
	return r;
}

static int attach(struct target *t, bool read_only, struct err *err)
{
	struct mount_request req = {
	        .device = t->disk.device,
	        .target = t->mountpoint,
	        .fstype = t->disk.fstype,
	        .read_only = read_only,
	        .noatime = true,
	};
	struct mount_reply reply = {""};
	struct proc_task task = {
	        .name = "mount",
	        .fn = mount_task,
	        .arg = &req,
	        .reply = &reply,
	        .reply_size = sizeof reply,
	        .timeout_ms = MOUNT_TIMEOUT_MS,
	        .tick_ms = 500,
	        .on_tick = disk_tick,
	        .tick_arg = &t->disk,
	};
	const char *missing = NULL;
	int r = proc_task(&task, err);

	if (r == -ENODEV && disk_check(&t->disk) != DISK_GONE) {
		int e = target_driver_mount(t, &req, &missing, err);

		r = e == -ENOENT ? r : e;
		(void)str_copy(reply.missing, sizeof reply.missing,
		        missing ? missing : "");
	}
	if (r < 0)
		return not_mounted(t, r, err);
	t->mounted = true;
	t->mounted_read_only = read_only;
	if (reply.missing[0])
		(void)str_copy(t->note, sizeof t->note, reply.missing);
	return 0;
}

static int no_file_system(const struct target *t, struct err *err)
{
	err_set(err, -ENODEV, _("the device %s holds no file system, but %s"),
	        t->disk.device, t->disk.fstype);
	err_action(err, "%s",
	        _("Is it the right device? Correct the UUID in the "
	          "configuration."));
	return -ENODEV;
}

/* Known to blkid, and with a UUID, but nothing to mount. */
static bool is_no_file_system(const char *fstype)
{
	static const char *const others[] = {
	        "swap",
	        "LVM2_member",
	        "linux_raid_member",
	        "zfs_member",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (str_eq(fstype, others[i]))
			return true;
	return false;
}

static int refuse_locked(const struct target *t, struct err *err)
{
	err_set(err, -ENODEV, _("the disk %s is encrypted and locked"),
	        t->disk.device);
	err_action(err,
	        _("Unlock it (\"cryptsetup open %s NAME\") and configure the "
	          "UUID of the file system inside."),
	        t->disk.device);
	return -ENODEV;
}

static int refuse_protected(const struct target *t, struct err *err)
{
	err_set(err, -EROFS, _("the disk %s is write-protected"),
	        t->disk.device);
	err_action(err, "%s",
	        _("Look for a switch on the disk or its case, or use another "
	          "disk."));
	return -EROFS;
}

static int check_kind(const struct target *t, bool read_only, struct err *err)
{
	if (t->disk.read_only && !read_only)
		return refuse_protected(t, err);
	if (is_no_file_system(t->disk.fstype))
		return no_file_system(t, err);
	if (str_eq(t->disk.fstype, "crypto_LUKS"))
		return refuse_locked(t, err);
	return 0;
}

/* Nobody else has it mounted. */
static int check_free(
        struct target *t, const struct settings *s, struct err *err)
{
	char where[1024];
	int r = mount_find(t->disk.device, t->disk.devno, where, sizeof where);

	if (r < 0)
		return err_sys(
		        err, r, "%s", _("cannot find out what is mounted"));
	if (r == 1)
		r = remove_leftover(t, s, where, err);
	return r < 0 ? r : wait_unclaimed(t, err);
}

int target_mount(struct target *t, const struct settings *s, bool read_only,
        struct err *err)
{
	int r = check_kind(t, read_only, err);

	if (r == 0)
		r = make_mountpoint(t, s, err);
	if (r == 0)
		r = check_free(t, s, err);
	if (r == 0 && !s->mount_visible)
		r = mount_private(err);
	if (r == 0)
		r = attach(t, read_only, err);
	if (r == 0 && !s->mount_visible)
		r = target_driver_separate(t, err);
	if (r == 0)
		r = open_root(t, err);
	if (r == 0)
		target_guard_start(t, s->disk_idle_timeout_seconds);
	return r;
}

#define PROBE_NAME MARKER_DIR "/alive"

/* Whether it can be written is somebody else's question. */
static int touch_task(void *arg, void *reply, struct err *err)
{
	const struct target *t = arg;
	int fd;

	(void)reply;
	(void)err;
	fd = path_open_beneath(
	        t->dest_fd, PROBE_NAME, O_WRONLY | O_CREAT | O_NONBLOCK, 0600);
	if (fd < 0)
		return 0;
	(void)unlinkat(t->dest_fd, PROBE_NAME, 0);
	close(fd);
	return 0;
}

bool target_answers(struct target *t, int64_t limit_s)
{
	struct proc_task task = {
	        .name = "disk check",
	        .fn = touch_task,
	        .arg = t,
	        .timeout_ms = limit_s * 1000,
	        .tick_ms = 500,
	        .on_tick = disk_tick,
	        .tick_arg = &t->disk,
	        .ignore_signals = true,
	};

	if (!t->hangs && proc_task(&task, NULL) == -ETIMEDOUT)
		t->hangs = true;
	return !t->hangs;
}

static int unmount_task(void *arg, void *reply, struct err *err)
{
	(void)reply;
	return mount_detach(arg, err);
}

static int detach(struct target *t, int64_t timeout_ms, struct err *err)
{
	struct proc_task task = {
	        .name = "unmount",
	        .fn = unmount_task,
	        .arg = t->mountpoint,
	        .timeout_ms = timeout_ms,
	        .tick_ms = 500,
	        .on_tick = disk_tick,
	        .tick_arg = &t->disk,
	        .ignore_signals = true,
	};

	return proc_task(&task, err);
}

/* A driver that is dead waits for nothing and lets nobody wait; unmounting
 * while it hangs would. */
static int detach_patiently(struct target *t, struct err *err)
{
	bool gave_up = (t->hangs || disk_check(&t->disk) == DISK_GONE) &&
	               target_driver_give_up(t);
	struct err again = ERR_INIT;
	int r = detach(
	        t, gave_up ? UNMOUNT_HANGING_MS : UNMOUNT_TIMEOUT_MS, err);

	if (r < 0 && r != -EBUSY && !gave_up && target_driver_give_up(t))
		r = detach(t, UNMOUNT_HANGING_MS, &again);
	return r;
}

static int detach_driver(struct target *t, struct err *err)
{
	struct err first = ERR_INIT;
	int r = detach_patiently(t, &first);

	/* Who was waiting for it when it died may still have it open. */
	if (r < 0 && t->driver_failed && target_is_in_use(t))
		r = target_driver_drop(t);
	/* The first try may have succeeded with its death. */
	if (r < 0 && target_is_in_use(t)) {
		*err = first;
		return r;
	}
	t->mounted = false;
	return target_driver_end(t, err);
}

int target_unmount(struct target *t, struct err *err)
{
	int r;

	target_flush_stop(t);
	if (t->hangs)
		(void)target_driver_give_up(t);
	target_guard_stop(t);
	target_done(t);
	if (!t->mounted)
		return 0;
	r = t->driver ? detach_driver(t, err)
	              : detach(t,
	                        t->hangs ? UNMOUNT_HANGING_MS
	                                 : UNMOUNT_TIMEOUT_MS,
	                        err);
	if (r == 0)
		t->mounted = false;
	/* A leftover directory does no harm. */
	if (!t->mounted && t->own_mountpoint)
		(void)rmdir(t->mountpoint);
	/* The kernel unmounts a disk that is gone without a word. */
	if (disk_check(&t->disk) == DISK_GONE)
		return target_explain_gone(t, err);
	return r;
}
