/* SPDX-License-Identifier: MIT */
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "i18n.h"
#include "str.h"
#include "util.h"
#include "sys/mount_holders.h"
#include "sys/mount_internal.h"

#define MOUNTINFO "/proc/self/mountinfo"
/* What the disk may not do to us. */
#define OPTIONS "nosuid,nodev,noexec"

static void free_context(struct libmnt_context **c)
{
	mnt_free_context(*c);
}

static void free_table(struct libmnt_table **t)
{
	mnt_unref_table(*t);
}

static void free_iter(struct libmnt_iter **i)
{
	mnt_free_iter(*i);
}

/* The host's mount namespace; -1 = that is where we are. */
static int outside_fd = -1;

int mount_private(struct err *err)
{
	if (outside_fd < 0)
		outside_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(
		        err, -errno, "%s", _("cannot make a mount namespace"));
	/* Slave, not private: a disk that the host unmounts must not stay
	 * mounted here. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, -errno, "%s",
		        _("cannot set up the mount namespace"));
	return 0;
}

int mount_outside(void *unused)
{
	(void)unused;
	if (outside_fd >= 0)
		(void)setns(outside_fd, CLONE_NEWNS);
	return 0;
}

/* --- mounting ---------------------------------------------------------------
 */

static const char *fsck_of(const char *fstype)
{
	if (str_eq(fstype, "xfs"))
		return "xfs_repair";
	if (str_eq(fstype, "btrfs"))
		return "btrfs check";
	return "fsck";
}

const char *mount_kernel_type(const char *fstype)
{
	return str_eq(fstype, "ntfs") ? "ntfs3" : fstype;
}

#define CHKDSK                                                             \
	N_("Plug the disk into a Windows computer, run \"chkdsk X: /f\" "  \
	   "(X: is its drive letter) and remove it safely; or format it. " \
	   "Nothing is repaired here.")

int mount_unclean(const char *device, struct err *err)
{
	err_set(err, -EUCLEAN,
	        _("the NTFS disk %s was not unmounted properly, or Windows "
	          "hibernates with it"),
	        device);
	err_meaning(err, "%s",
	        _("Writing to it now could damage what is on it, so nothing "
	          "was copied."));
	err_action(err, "%s", _(CHKDSK));
	return -EUCLEAN;
}

int mount_unknown(const struct mount_request *req, struct err *err)
{
	err_set(err, -ENODEV,
	        _("this system cannot mount the file system %s of %s"),
	        req->fstype, req->device);
	if (str_eq(req->fstype, "ntfs"))
		err_action(err, "%s",
		        _("Install the package ntfs-3g; or load the kernel "
		          "module (\"modprobe ntfs3\") or use a kernel that "
		          "has it; or use a disk with ext4 or XFS."));
	else
		err_action(err,
		        _("Load its kernel module (\"modprobe %s\") or use a "
		          "kernel that has it; or use a disk with ext4 or "
		          "XFS."),
		        req->fstype);
	return -ENODEV;
}

int mount_damaged(
        const struct mount_request *req, const char *why, struct err *err)
{
	err_set(err, -EUCLEAN,
	        _("the file system %s on %s cannot be mounted: it is damaged "
	          "(%s)"),
	        req->fstype, req->device, why);
	if (str_eq(req->fstype, "ntfs")) {
		err_action(err, "%s", _(CHKDSK));
		return -EUCLEAN;
	}
	err_action(err,
	        _("Check it with \"%s %s\"; nothing is repaired by itself. If "
	          "that does not help, format the disk or use another one."),
	        fsck_of(req->fstype), req->device);
	return -EUCLEAN;
}

int mount_busy(const struct mount_request *req, struct err *err)
{
	err_set(err, -EBUSY, _("%s is in use"), req->device);
	err_meaning(err, "%s",
	        _("Somebody else may be writing to it, so nothing was "
	          "copied."));
	err_action(err,
	        _("Find the program that uses it (\"fuser -v %s\"), end it "
	          "and try again."),
	        req->device);
	return -EBUSY;
}

static int explain(const struct mount_request *req, int e, struct err *err)
{
	switch (e) {
	case ENODEV:
		return mount_unknown(req, err);
	case EINVAL:
	case EUCLEAN:
	case EIO:
	case EBADMSG:
		return mount_damaged(req, err_text(e), err);
	case EBUSY:
		return mount_busy(req, err);
	case EROFS:
	case EACCES:
		err_set(err, -EROFS, _("%s cannot be written"), req->device);
		err_action(err, "%s",
		        _("Look for a write protection switch on the disk; a "
		          "file system that was not unmounted well must be "
		          "checked first (fsck)."));
		return -EROFS;
	case EPERM:
		err_set(err, -EPERM, "%s", _("only root may mount disks"));
		err_action(err, "%s", _("Run it with sudo."));
		return -EPERM;
	default:
		return err_sys(err, -e, _("cannot mount %s on %s"), req->device,
		        req->target);
	}
}

/* What went wrong, as a positive errno.  libmount finds some mistakes before
 * the system call (no such device), and has codes of its own from 5000 on. */
static int errno_of(struct libmnt_context *c, int r)
{
	int e = mnt_context_get_syscall_errno(c);

	if (e > 0)
		return e;
	return r < 0 && r > -MNT_ERR_NOFSTAB ? -r : EINVAL;
}

/* 0 or a positive errno. */
static int try_mount(const struct mount_request *req, bool nosymfollow)
{
	_cleanup_(free_context) struct libmnt_context *c = mnt_new_context();
	char options[128];
	int r;

	if (!c)
		return ENOMEM;
	(void)snprintf(options, sizeof(options), "%s%s%s,%s", OPTIONS,
	        nosymfollow ? ",nosymfollow" : "",
	        req->noatime ? ",noatime" : "", req->read_only ? "ro" : "rw");
	if (mnt_context_set_source(c, req->device) < 0 ||
	        mnt_context_set_target(c, req->target) < 0 ||
	        mnt_context_set_fstype(c, mount_kernel_type(req->fstype)) < 0 ||
	        mnt_context_set_options(c, options) < 0 ||
	        mnt_context_set_optsmode(c, MNT_OMODE_NOTAB) < 0 ||
	        mnt_context_disable_helpers(c, 1) < 0)
		return ENOMEM;
	/* Otherwise a write-protected device is mounted read-only without a
	 * word. */
	if (mnt_context_enable_rwonly_mount(c, !req->read_only) < 0)
		return ENOMEM;
	r = mnt_context_mount(c);
	if (r == 0 && mnt_context_get_status(c) == 1)
		return 0;
	return errno_of(c, r);
}

static struct libmnt_table *read_table(void)
{
	return mnt_new_table_from_file(MOUNTINFO);
}

/* btrfs has a made-up device number; the source tells there.  A device has
 * several names; only what is in /dev is looked at: anything else may be on a
 * file system that hangs. */
static bool is_on(struct libmnt_fs *fs, const char *device, dev_t devno)
{
	const char *source = mnt_fs_get_srcpath(fs);
	struct stat st;

	if (mnt_fs_get_devno(fs) == devno)
		return true;
	if (!source)
		return false;
	return str_eq(source, device) ||
	       (str_starts(source, "/dev/") && stat(source, &st) == 0 &&
	               S_ISBLK(st.st_mode) && st.st_rdev == devno);
}

/* The options of the mount on @req->target, when it is that of the device;
 * NULL else. */
static const char *options_of(
        struct libmnt_table *tb, const struct mount_request *req)
{
	struct libmnt_fs *fs =
	        mnt_table_find_target(tb, req->target, MNT_ITER_BACKWARD);
	struct stat st;

	if (!fs || stat(req->device, &st) < 0 ||
	        !is_on(fs, req->device, st.st_rdev))
		return NULL;
	return mnt_fs_get_vfs_options(fs);
}

bool mount_is_done(const struct mount_request *req)
{
	_cleanup_(free_table) struct libmnt_table *tb = read_table();

	return tb && options_of(tb, req) != NULL;
}

int mount_replaced(const char *device, const char *target, struct err *err)
{
	err_set(err, -EIO, _("%s was not mounted on %s"), device, target);
	err_action(err,
	        _("Another program seems to mount and unmount there: end it "
	          "and try again; \"findmnt %s\" shows what is mounted."),
	        target);
	return -EIO;
}

static int is_unsafe(
        const struct mount_request *req, const char *option, struct err *err)
{
	err_set(err, -EIO, _("%s was mounted without %s"), req->device, option);
	err_meaning(err, "%s",
	        _("A disk that somebody has prepared could harm this system, "
	          "so nothing was copied."));
	err_action(err, "%s",
	        _("Another program seems to change how it is mounted: end it "
	          "and try again. If there is none, use a disk with another "
	          "file system."));
	return -EIO;
}

/* What the kernel really made of the options. */
int mount_verify(const struct mount_request *req, const char **ret_missing,
        struct err *err)
{
	static const char *const wanted[] = {"nosuid", "nodev", "noexec"};
	_cleanup_(free_table) struct libmnt_table *tb = read_table();
	const char *options = tb ? options_of(tb, req) : NULL;

	if (!options)
		return mount_replaced(req->device, req->target, err);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (mnt_optstr_get_option(options, wanted[i], NULL, NULL) != 0)
			return is_unsafe(req, wanted[i], err);
	if (ret_missing &&
	        mnt_optstr_get_option(options, "nosymfollow", NULL, NULL) != 0)
		*ret_missing = "nosymfollow";
	return 0;
}

int mount_attach(const struct mount_request *req, const char **ret_missing,
        struct err *err)
{
	/* The target by the name that mountinfo will show: it may be given
	 * through a link.  When it is not there, mounting says so. */
	_cleanup_free_ char *real = realpath(req->target, NULL);
	struct mount_request at = *req;
	struct err undo = ERR_INIT;
	int e, r;

	if (ret_missing)
		*ret_missing = NULL;
	if (real)
		at.target = real;
	e = try_mount(&at, true);
	/* Before Linux 5.10. */
	if (e == EINVAL)
		e = try_mount(&at, false);
	if (e != 0)
		return explain(req, e, err);
	r = mount_verify(&at, ret_missing, err);
	if (r < 0 && mount_detach(at.target, &undo) < 0)
		err_prefix(err, "%s", undo.message);
	return r;
}

static int in_use(const char *target, struct err *err)
{
	/* /proc knows it by its real name. */
	_cleanup_free_ char *real = realpath(target, NULL);
	char holders[512];

	mount_holders(real ? real : target, holders, sizeof(holders));
	if (holders[0])
		err_set(err, -EBUSY,
		        _("%s cannot be unmounted, it is in use by %s"), target,
		        holders);
	else
		err_set(err, -EBUSY, _("%s cannot be unmounted, it is in use"),
		        target);
	err_action(err, "%s",
	        _("End the programs that use the disk, then unmount it."));
	return -EBUSY;
}

int mount_detach(const char *target, struct err *err)
{
	_cleanup_(free_context) struct libmnt_context *c = mnt_new_context();
	int r, e;

	if (!c || mnt_context_set_target(c, target) < 0 ||
	        mnt_context_disable_helpers(c, 1) < 0)
		return err_nomem(err);
	r = mnt_context_umount(c);
	if (r == 0 && mnt_context_get_status(c) == 1)
		return 0;
	e = errno_of(c, r);
	return e == EBUSY ? in_use(target, err)
	                  : err_sys(err, -e, _("cannot unmount %s"), target);
}

/* --- looking ----------------------------------------------------------------
 */

int mount_find(const char *device, dev_t devno, char *dst, size_t size)
{
	_cleanup_(free_table) struct libmnt_table *tb = read_table();
	_cleanup_(free_iter) struct libmnt_iter *it =
	        mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	if (!tb)
		return -ENOENT;
	if (!it)
		return -ENOMEM;
	while (mnt_table_next_fs(tb, it, &fs) == 0) {
		if (!is_on(fs, device, devno))
			continue;
		(void)str_copy(dst, size, mnt_fs_get_target(fs));
		return 1;
	}
	return 0;
}

int mount_is_point(const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_(free_table) struct libmnt_table *tb = NULL;

	if (!real)
		return -errno;
	tb = read_table();
	if (!tb)
		return -ENOENT;
	return mnt_table_find_target(tb, real, MNT_ITER_BACKWARD) != NULL;
}

int mount_id_of(int fd, struct mount_id *ret)
{
	struct statx x;

	/* Both are the kernel's own: a driver that is a program is not asked,
	 * for it may not answer. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID,
	            &x) < 0)
		return -errno;
	ret->devno = makedev(x.stx_dev_major, x.stx_dev_minor);
	/* Before Linux 5.8 it is not told; then it is 0 for all. */
	ret->mnt_id = (x.stx_mask & STATX_MNT_ID) ? x.stx_mnt_id : 0;
	return 0;
}

bool mount_is_posix(const char *fstype)
{
	static const char *const foreign[] = {
	        "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk"};

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (str_eq(fstype, foreign[i]))
			return false;
	return true;
}

int mount_time_window(const char *fstype)
{
	if (str_eq(fstype, "vfat") || str_eq(fstype, "msdos"))
		return 2;
	return str_eq(fstype, "exfat") ? 1 : 0;
}
