/* SPDX-License-Identifier: MIT */
#include "core/lockdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "i18n.h"
#include "lockfile.h"
#include "path.h"
#include "util.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Nobody stays in the gate longer than one durable write takes. */
#define GATE_MS 30000
#define REOPEN_TRIES 10

/* Where flock(2) is somebody else's idea of it; numbers from statfs(2) and
 * linux/magic.h. */
static const uint32_t foreign[] = {
        0x00006969, /* NFS */
        0x0000517B, /* SMB */
        0xFF534D42, /* CIFS */
        0xFE534D42, /* SMB2 */
        0x65735546, /* FUSE */
        0x01021997, /* 9P */
        0x5346414F, /* AFS */
        0x6B414653, /* AFS, the kernel's own */
        0x00C36400, /* Ceph */
        0x73757245, /* Coda */
        0x786F4256, /* VirtualBox */
        0xBACBACBC, /* VMware */
        0x7C7C6673, /* Parallels */
        0x0BD00BD0, /* Lustre */
        0x47504653, /* GPFS */
        0x19830326, /* BeeGFS */
        0x20030528, /* OrangeFS */
        0x7461636F, /* OCFS2 */
        0x01161970, /* GFS2 */
};

static int check_filesystem(int fd, const char *path, struct err *err)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return err_sys(err, -errno, _("cannot examine %s"), path);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if ((uint32_t)st.f_type == foreign[i])
			return err_set(err, -EOPNOTSUPP,
			        _("%s is on a network or FUSE file system, "
			          "where locks cannot be relied on"),
			        path);
	return 0;
}

static int check_owner(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, _("cannot examine %s"), path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		err_set(err, -EPERM, _("%s belongs to somebody else (uid %u)"),
		        path, (unsigned)st.st_uid);
	else if (st.st_mode & 022)
		err_set(err, -EPERM, _("others may write to %s"), path);
	else
		return 0;
	err_action(err,
	        _("Give the locks a directory of their own (veeam-lockfiles "
	          "in section [VEEAM]), or: chown root %s; chmod 0700 %s"),
	        path, path);
	return -EPERM;
}

static int explain_open(int dir_fd, const char *name, int error,
        const char *shown, struct err *err)
{
	struct stat st;

	/* The kernel calls a link with O_DIRECTORY "not a directory". */
	if (error == -ENOTDIR &&
	        fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	        S_ISLNK(st.st_mode))
		error = -ELOOP;
	if (error == -ELOOP || error == -ENOTDIR)
		return err_set(err, error,
		        _("%s is a symbolic link, or not a directory"), shown);
	return err_sys(
	        err, error, _("cannot open the directory of locks %s"), shown);
}

/* Below @dir_fd (or AT_FDCWD). */
static int open_checked(
        int dir_fd, const char *name, const char *shown, struct err *err)
{
	int r, fd = openat(dir_fd, name, DIR_FLAGS);

	if (fd < 0)
		return explain_open(dir_fd, name, -errno, shown, err);
	/* In this order: on some of these file systems nobody can do what the
	 * second would ask for. */
	r = check_filesystem(fd, shown, err);
	if (r == 0)
		r = check_owner(fd, shown, err);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

static int open_sub(
        struct lockdir *d, const char *name, bool make, struct err *err)
{
	_cleanup_free_ char *shown = path_join(d->path, name);

	if (!shown)
		return err_nomem(err);
	if (make && mkdirat(d->fd, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, -errno, _("cannot make %s"), shown);
	return open_checked(d->fd, name, shown, err);
}

/* It is watched for the end of a copy, so it has to be there. */
static int make_copy_file(const struct lockdir *d, struct err *err)
{
	int fd = openat(d->fd, "copy",
	        O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(
		        err, -errno, _("cannot make %s/%s"), d->path, "copy");
	(void)close(fd);
	return 0;
}

static int open_parts(struct lockdir *d, bool make, struct err *err)
{
	const struct {
		const char *name;
		int *fd;
	} parts[] = {
	        {"lease", &d->lease_fd},
	        {"queue", &d->queue_fd},
	        {"stale", &d->stale_fd},
	};
	int r;

	r = open_checked(AT_FDCWD, d->path, d->path, err);
	if (r < 0)
		return r;
	d->fd = r;
	for (size_t i = 0; i < ARRAY_SIZE(parts) && r >= 0; i++) {
		r = open_sub(d, parts[i].name, make, err);
		if (r >= 0)
			*parts[i].fd = r;
	}
	if (r >= 0 && make)
		r = make_copy_file(d, err);
	return r < 0 ? r : 0;
}

static int open_all(
        struct lockdir *d, const char *path, bool make, struct err *err)
{
	int r = 0;

	*d = LOCKDIR_INIT;
	d->path = strdup(path);
	if (!d->path)
		return err_nomem(err);
	/* With a slash behind it a link would be followed. */
	for (size_t n = strlen(path); n > 1 && d->path[n - 1] == '/'; n--)
		d->path[n - 1] = '\0';
	if (make)
		r = path_mkdirs(d->path, 0700, err);
	if (r == 0)
		r = open_parts(d, make, err);
	if (r == 0)
		return 0;
	lockdir_close(d);
	err_meaning_default(err, "%s",
	        _("It cannot be seen whether Veeam and the copy keep apart."));
	err_action_default(err,
	        _("See that %s is a directory that only root can write to, on "
	          "a local file system."),
	        path);
	return r;
}

int lockdir_open(struct lockdir *d, const char *path, struct err *err)
{
	return open_all(d, path, true, err);
}

int lockdir_open_existing(struct lockdir *d, const char *path, struct err *err)
{
	return open_all(d, path, false, err);
}

void lockdir_close(struct lockdir *d)
{
	util_closep(&d->stale_fd);
	util_closep(&d->queue_fd);
	util_closep(&d->lease_fd);
	util_closep(&d->fd);
	util_freep(&d->path);
}

/* A directory that was removed reads as an empty one: no leases, no queue. */
static bool is_in_place(const struct lockdir *d)
{
	return path_names(d->fd, AT_FDCWD, d->path) &&
	       path_names(d->lease_fd, d->fd, "lease") &&
	       path_names(d->queue_fd, d->fd, "queue") &&
	       path_names(d->stale_fd, d->fd, "stale");
}

static int reopen(struct lockdir *d, struct err *err)
{
	struct lockdir new;
	int r = lockdir_open(&new, d->path, err);

	if (r < 0)
		return r;
	lockdir_close(d);
	*d = new;
	return 0;
}

static int explain_gate(const struct lockdir *d, int error, struct err *err)
{
	if (error != -ETIMEDOUT) {
		err_prefix(err, "%s", d->path);
		return error;
	}
	(void)err_set(err, error,
	        _("another program holds %s/%s and does not let go of it"),
	        d->path, "gate");
	err_action(
	        err, _("See which one it is: fuser -v %s/%s"), d->path, "gate");
	return error;
}

int lockdir_enter(struct lockdir *d, struct err *err)
{
	for (int i = 0; i < REOPEN_TRIES; i++) {
		int r, fd = lockfile_take_wait(d->fd, "gate", GATE_MS, err);

		if (fd >= 0 && is_in_place(d))
			return fd;
		/* In a directory that was removed nothing can be made. */
		if (fd < 0 && fd != -ENOENT)
			return explain_gate(d, fd, err);
		util_closep(&fd);
		r = reopen(d, err);
		if (r < 0)
			return r;
	}
	return err_set(err, -ESTALE,
	        _("the directory %s is replaced again and again"), d->path);
}

void lockdir_clear_away(int dir_fd)
{
	_cleanup_closedir_ DIR *dir = path_open_dir(dir_fd);
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if (de->d_name[0] == '.' && strcmp(de->d_name, ".") != 0 &&
		        strcmp(de->d_name, "..") != 0)
			(void)unlinkat(dir_fd, de->d_name, 0);
}
