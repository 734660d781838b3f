/* SPDX-License-Identifier: MIT */
/* path_beneath: opening below a directory, with openat2() or step by step. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "path.h"

/* How often a rename elsewhere may make openat2 say EAGAIN. */
#define BENEATH_TRIES 32

/* Absolute, or with a ".." anywhere. */
static bool leaves_root(const char *path)
{
	if (*path == '/')
		return true;
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += len;
		p += strspn(p, "/");
	}
	return false;
}

int path_open_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
	        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
	                   RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	/* openat2 allows "a/.." that stays inside; the walk does not. Nobody
	 * needs it, so it is refused alike. */
	if (leaves_root(path))
		return -EXDEV;
	/* A mode without a file to create is an error to openat2. */
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode & 07777;

	for (int i = 0; i < BENEATH_TRIES; i++) {
		long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		/* EPERM: old container sandboxes say that for ENOSYS. */
		if (errno == ENOSYS || errno == EPERM)
			return path_open_beneath_walk(
			        dir_fd, path, flags, mode);
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

/* Where a directory or file lives. The mount id (Linux 5.8) also tells bind
 * mounts of one file system apart. */
struct place {
	unsigned major, minor;
	uint64_t mount_id;
	mode_t type;
};

/* @name "" = @fd itself. */
static int get_place(int fd, const char *name, struct place *ret)
{
	struct statx stx;

	if (statx(fd, name,
	            AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	            STATX_TYPE | STATX_MNT_ID, &stx) < 0)
		return -errno;
	*ret = (struct place){
	        .major = stx.stx_dev_major,
	        .minor = stx.stx_dev_minor,
	        .mount_id = stx.stx_mask & STATX_MNT_ID ? stx.stx_mnt_id : 0,
	        .type = stx.stx_mode & S_IFMT,
	};
	return 0;
}

static bool same_mount(const struct place *a, const struct place *b)
{
	return a->major == b->major && a->minor == b->minor &&
	       a->mount_id == b->mount_id;
}

/* Opens the directory @name in @fd, which lies on @root's mount. */
static int enter(int fd, const char *name, const struct place *root)
{
	_cleanup_close_ int next = -1;
	struct place here;
	int r;

	/* O_PATH | O_NOFOLLOW opens a link itself, so that what is looked at
	 * is what will be gone through. */
	next = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return -errno;
	r = get_place(next, "", &here);
	if (r < 0)
		return r;
	if (here.type == S_IFLNK)
		return -ELOOP;
	if (!same_mount(&here, root))
		return -EXDEV;
	if (here.type != S_IFDIR)
		return -ENOTDIR;
	return TAKE_FD(next);
}

/* Opens the last component as the caller asked. */
static int open_last(int fd, const char *name, int flags, mode_t mode,
        const struct place *root)
{
	bool link_itself = (flags & O_PATH) && (flags & O_NOFOLLOW);
	_cleanup_close_ int last = -1;
	struct place here;
	int r;

	/* Looked at first: opening a device has effects, and so has O_TRUNC
	 * on the other side of a mount. */
	r = get_place(fd, name, &here);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && here.type == S_IFLNK && !link_itself)
		return -ELOOP;
	if (r == 0 && !same_mount(&here, root))
		return -EXDEV;

	last = openat(fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	if (last < 0)
		return -errno;
	/* And again: it may have been replaced in between. */
	r = get_place(last, "", &here);
	if (r < 0)
		return r;
	if (here.type == S_IFLNK && !link_itself)
		return -ELOOP;
	return same_mount(&here, root) ? TAKE_FD(last) : -EXDEV;
}

int path_open_beneath_walk(int dir_fd, const char *path, int flags, mode_t mode)
{
	_cleanup_close_ int cur = -1;
	char name[NAME_MAX + 1];
	struct place root;
	int r;

	if (leaves_root(path))
		return -EXDEV;
	if (!*path)
		return -ENOENT;
	cur = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cur < 0)
		return -errno;
	r = get_place(cur, "", &root);
	if (r < 0)
		return r;

	for (;;) {
		size_t len = strcspn(path, "/");
		const char *rest = path + len + strspn(path + len, "/");
		int next;

		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, len);
		name[len] = '\0';
		if (!*rest)
			break;
		next = enter(cur, name, &root);
		if (next < 0)
			return next;
		util_closep(&cur);
		cur = next;
		path = rest;
	}
	/* "name/" is a directory or an error. */
	if (path[strlen(name)] == '/')
		flags |= O_DIRECTORY;
	return open_last(cur, name, flags, mode, &root);
}
