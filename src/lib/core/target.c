/* SPDX-License-Identifier: MIT */
#include "core/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "i18n.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "util.h"
#include "core/settings.h"

/* Probing and mounting a healthy disk takes seconds; a spun-down one half a
 * minute; a journal replay may take longer. */
#define PROBE_TIMEOUT_MS (60 * 1000)

struct probe {
	const struct settings *settings; /* any configured one, or */
	const char *uuid;                /* or */
	const char *device;
};

struct found {
	size_t len;       /* how many devices carry the UUID */
	struct disk disk; /* the first */
	char second[256]; /* device name of another one */
};

static bool has_device(const struct disk *list, size_t len, dev_t devno)
{
	for (size_t i = 0; i < len; i++)
		if (list[i].devno == devno)
			return true;
	return false;
}

/* The first configured one that is attached, "" when there is none: one look
 * at all the devices instead of one for each configured disk. */
static int first_attached(
        const struct settings *s, char *ret, size_t size, struct err *err)
{
	_cleanup_free_ struct disk *list = NULL;
	size_t len = 0;
	int r;

	ret[0] = '\0';
	r = disk_list(NULL, &list, &len, err);
	for (size_t i = 0; r == 0 && i < s->disks_len; i++)
		for (size_t k = 0; k < len; k++)
			if (str_eq_nocase(s->disks[i].uuid, list[k].uuid))
				return str_copy(ret, size, list[k].uuid);
	/* Asked for by its UUID, a device that cannot be used says why. */
	for (size_t i = 0; r == 0 && i < s->disks_len; i++) {
		util_freep(&list);
		r = disk_list(s->disks[i].uuid, &list, &len, err);
	}
	return r;
}

static int probe_task(void *arg, void *reply, struct err *err)
{
	const struct probe *p = arg;
	struct found *found = reply;
	_cleanup_free_ struct disk *list = NULL;
	char any[sizeof found->disk.uuid];
	const char *uuid = p->uuid;
	struct disk first;
	size_t len = 0;
	int r;

	memset(found, 0, sizeof *found);
	if (p->settings) {
		r = first_attached(p->settings, any, sizeof any, err);
		if (r < 0 || !any[0])
			return r;
		uuid = any;
	}
	if (p->device) {
		r = disk_probe(p->device, &first, err);
		if (r < 0)
			return r;
		uuid = first.uuid;
	}
	r = disk_list(uuid, &list, &len, err);
	if (r < 0)
		return r;
	found->len = len;
	if (p->device)
		found->disk = first;
	else if (len > 0)
		found->disk = list[0];
	/* A device that the enumeration leaves out can still be named. */
	if (p->device && !has_device(list, len, first.devno))
		found->len++;
	for (size_t i = 0; i < len; i++)
		if (list[i].devno != found->disk.devno)
			(void)str_copy(found->second, sizeof found->second,
			        list[i].device);
	return 0;
}

static int find(const struct probe *p, struct found *ret, struct err *err)
{
	struct proc_task task = {
	        .name = "disk probe",
	        .fn = probe_task,
	        .arg = (void *)(uintptr_t)p,
	        .reply = ret,
	        .reply_size = sizeof *ret,
	        .timeout_ms = PROBE_TIMEOUT_MS,
	};
	int r = proc_task(&task, err);

	if (r == -ETIMEDOUT) {
		err_set(err, r, "%s", _("a disk does not answer"));
		err_action(err, "%s",
		        _("Unplug the disk, plug it in again, try another "
		          "cable or port; \"dmesg\" shows what the kernel "
		          "says."));
	}
	return r;
}

static int refuse_two(const struct found *f, struct err *err)
{
	err_set(err, -ENOTUNIQ,
	        _("two attached disks carry the same UUID %s: %s and %s"),
	        f->disk.uuid, f->disk.device, f->second);
	err_meaning(err, "%s",
	        _("One is a clone of the other. It cannot be known which one "
	          "is meant, so nothing was copied."));
	err_action(err, "%s",
	        _("Unplug the disk that is not meant, or give the clone a UUID "
	          "of its own (tune2fs -U random, xfs_admin -U generate, "
	          "btrfstune -u)."));
	return -ENOTUNIQ;
}

static int accept(struct target *t, const struct settings *s,
        const struct found *f, struct err *err)
{
	if (f->len > 1)
		return refuse_two(f, err);
	t->conf = settings_find_disk(s, f->disk.uuid);
	if (!t->conf) {
		err_set(err, -EACCES,
		        _("the disk %s (UUID %s) is not configured"),
		        f->disk.device, f->disk.uuid);
		err_action(err, "%s",
		        _("Add it with \"asbackup disks --add\" if it is meant "
		          "for backups."));
		return -EACCES;
	}
	t->disk = f->disk;
	t->posix = mount_is_posix(f->disk.fstype);
	return 0;
}

static int none_attached(const struct settings *s, struct err *err)
{
	if (s->disks_len == 0) {
		err_set(err, -ENODEV, "%s", _("no backup disk is configured"));
		err_action(err, "%s",
		        _("Plug a disk in and run \"asbackup disks --add\"."));
		return -ENODEV;
	}
	err_set(err, -ENODEV, "%s",
	        _("none of the configured backup disks is attached"));
	err_meaning(err, "%s", _("Nothing was copied."));
	err_action(err, "%s",
	        _("Plug a backup disk in and try again; \"asbackup disks\" "
	          "lists them."));
	return -ENODEV;
}

static int find_uuid(struct target *t, const struct settings *s,
        const char *uuid, struct err *err)
{
	struct probe p = {.uuid = uuid};
	struct found f;
	int r;

	r = find(&p, &f, err);
	if (r < 0)
		return r;
	if (f.len == 0) {
		err_set(err, -ENODEV,
		        _("the disk with UUID %s is not attached"), uuid);
		err_action(err, "%s",
		        _("Plug a backup disk in and try again; \"asbackup "
		          "disks\" lists them."));
		return -ENODEV;
	}
	return accept(t, s, &f, err);
}

static int find_any(struct target *t, const struct settings *s, struct err *err)
{
	struct probe p = {.settings = s};
	struct found f = {.len = 0};
	int r = 0;

	if (s->disks_len > 0)
		r = find(&p, &f, err);
	if (r < 0)
		return r;
	return f.len == 0 ? none_attached(s, err) : accept(t, s, &f, err);
}

int target_find(struct target *t, const struct settings *s, const char *uuid,
        const char *device, struct err *err)
{
	struct probe p = {.device = device};
	struct found f;
	int r;

	if (device) {
		r = find(&p, &f, err);
		if (r < 0)
			return r;
		if (uuid && !str_eq_nocase(uuid, f.disk.uuid))
			return err_set(err, -EACCES,
			        _("the device %s has the UUID %s, not %s"),
			        device, f.disk.uuid, uuid);
		return accept(t, s, &f, err);
	}
	if (!uuid)
		return find_any(t, s, err);
	if (!settings_find_disk(s, uuid)) {
		err_set(err, -EACCES, _("the UUID %s is not configured"), uuid);
		err_action(err, "%s",
		        _("\"asbackup disks\" lists the configured disks, "
		          "\"asbackup disks --add\" adds one."));
		return -EACCES;
	}
	r = find_uuid(t, s, uuid, err);
	if (r == -ENODEV)
		err_action_default(err, "%s", _("Plug it in and try again."));
	return r;
}

bool target_is_in_use(const struct target *t)
{
	char where[1024];

	return mount_find(t->disk.device, t->disk.devno, where, sizeof where) ==
	       1;
}

int target_explain_gone(const struct target *t, struct err *err)
{
	err_set(err, -ENODEV, _("the disk %s is gone"), t->disk.device);
	err_meaning(err, "%s",
	        _("It was pulled out, or it failed. The copy on it is NOT "
	          "complete."));
	err_action(err, "%s",
	        _("Plug it in again: the next run goes on where this one "
	          "ended. If nobody pulled it out, try another cable or port, "
	          "then another disk."));
	return -ENODEV;
}

static int explain_read_only(const struct target *t, struct err *err)
{
	err_set(err, -EROFS, _("the disk %s refuses to be written"),
	        t->disk.device);
	err_meaning(err, "%s",
	        _("The disk or its file system is damaged. The copy on it is "
	          "NOT complete."));
	err_action(err, "%s",
	        _("Check the file system (fsck) on this disk, or use another "
	          "one."));
	return -EROFS;
}

static int explain_replaced(const struct target *t, struct err *err)
{
	err_set(err, -ENODEV, _("the disk %s is no longer what was mounted"),
	        t->disk.device);
	err_meaning(err, "%s", _("The copy on the disk is NOT complete."));
	err_action(err,
	        _("Another program seems to mount and unmount there: end it "
	          "and try again; \"findmnt %s\" shows what is mounted."),
	        t->mountpoint);
	return -ENODEV;
}

int target_check(const struct target *t, struct err *err)
{
	struct mount_id now;

	switch (disk_check(&t->disk)) {
	case DISK_PRESENT:
		break;
	case DISK_GONE:
		return target_explain_gone(t, err);
	case DISK_READONLY:
		return explain_read_only(t, err);
	}
	if (t->root_fd < 0)
		return 0;
	if (mount_id_of(t->root_fd, &now) < 0 || now.devno != t->id.devno ||
	        now.mnt_id != t->id.mnt_id)
		return explain_replaced(t, err);
	return 0;
}

int target_space(const struct target *t, uint64_t *ret_free,
        uint64_t *ret_total, uint64_t *ret_free_inodes)
{
	struct statvfs v;

	if (fstatvfs(t->root_fd, &v) < 0)
		return -errno;
	*ret_free = (uint64_t)v.f_bavail * v.f_frsize;
	*ret_total = (uint64_t)v.f_blocks * v.f_frsize;
	/* btrfs, FAT and exFAT make inodes as needed and say 0. */
	*ret_free_inodes = v.f_files == 0 ? UINT64_MAX : v.f_favail;
	return 0;
}

void target_done(struct target *t)
{
	util_closep(&t->dest_fd);
	util_closep(&t->root_fd);
	/* The driver's errors are told at its end. */
	if (!t->driver)
		util_closep(&t->device_fd);
}
