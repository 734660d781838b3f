/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "i18n.h"
#include "path.h"
#include "str.h"

char *path_dirname(const char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return strdup(*path == '/' ? "/" : ".");
	return strndup(path, len);
}

char *path_join(const char *a, const char *b)
{
	size_t len = strlen(a);

	while (len > 0 && a[len - 1] == '/')
		len--;
	b += strspn(b, "/");
	if (!*a)
		return strdup(b);
	if (!*b && len > 0)
		return strndup(a, len);
	return str_printf("%.*s/%s", (int)len, a, b);
}

bool path_is_clean_absolute(const char *path)
{
	if (!path || *path != '/' || strlen(path) >= PATH_MAX)
		return false;
	if (strstr(path, "//") || strstr(path, "/../") || str_ends(path, "/.."))
		return false;
	for (const char *p = path; *p; p++) {
		unsigned char c = (unsigned char)*p;

		/* C2 80 to C2 9F are the control characters of C1. */
		if (c < 0x20 || c == 0x7f ||
		        (c == 0xc2 && (unsigned char)p[1] < 0xa0))
			return false;
	}
	return true;
}

int path_contains(const char *outer, const char *inner)
{
	_cleanup_free_ char *real_outer = NULL, *real_inner = NULL;
	size_t len;

	real_outer = realpath(outer, NULL);
	if (!real_outer)
		return -errno;
	real_inner = realpath(inner, NULL);
	if (!real_inner)
		return -errno;
	if (str_eq(real_outer, "/"))
		return 1;
	len = strlen(real_outer);
	return strncmp(real_outer, real_inner, len) == 0 &&
	       (real_inner[len] == '/' || !real_inner[len]);
}

static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	/* Somebody may have been faster; and on a read-only file system the
	 * error for an existing directory is EROFS. */
	if (errno != EEXIST && errno != EROFS && errno != EACCES)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int path_mkdirs(const char *path, mode_t mode, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path);
	char *p;

	if (!copy)
		return err_nomem(err);
	if (!*copy)
		return err_sys(err, -ENOENT, "%s",
		        _("cannot create a directory without a name"));

	for (p = copy + strspn(copy, "/"); *p;) {
		char *end = p + strcspn(p, "/");
		char saved = *end;
		int r;

		*end = '\0';
		r = make_dir(copy, mode);
		if (r < 0)
			return err_sys(err, r,
			        _("cannot create the directory %s"), copy);
		*end = saved;
		p = end + strspn(end, "/");
	}
	return 0;
}

/* O_NONBLOCK: a FIFO in its place must not stop us. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

ssize_t path_read_all(int fd, void *dst, size_t size)
{
	char *p = dst;
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, p + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* Reads @fd to its end. The size of stat() is not asked: it is 0 in /proc,
 * and a file can grow. */
int path_read_fd(int fd, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (size - len < 2) {
			char *more;

			size = size > 0 ? size * 2 : 4096;
			/* One byte over the limit tells a larger file. */
			if (size > max && size - max > 2)
				size = max + 2;
			more = realloc(data, size);
			if (!more)
				return -ENOMEM;
			data = more;
		}
		n = path_read_all(fd, data + len, size - len - 1);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (len < size - 1)
			break;
	}
	data[len] = '\0';
	*ret = TAKE_PTR(data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

/* Opens @path and tells what it is; -EISDIR, -EINVAL unless regular. */
static int open_regular(const char *path, int flags, struct stat *st)
{
	_cleanup_close_ int fd = open(path, READ_FLAGS | flags);

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

int path_read_file(const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	r = open_regular(path, 0, &st);
	if (r < 0)
		return r;
	fd = r;
	return path_read_fd(fd, max, ret, ret_len);
}

static int check_secret(
        const char *path, const struct stat *st, struct err *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		(void)err_set(err, -EPERM,
		        _("%s holds a secret but belongs to user %u"), path,
		        (unsigned)st->st_uid);
		err_action(err, _("Run: chown root %s"), path);
		return -EPERM;
	}
	if (st->st_mode & 077) {
		(void)err_set(err, -EPERM,
		        _("%s holds a secret but group or others may access "
		          "it"),
		        path);
		err_action(err, _("Run: chmod 600 %s"), path);
		return -EPERM;
	}
	return 0;
}

int path_read_secret(const char *path, size_t max, char **ret, struct err *err)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	size_t len = 0;
	int r;

	r = open_regular(path, O_NOFOLLOW, &st);
	if (r == -ELOOP) {
		(void)err_set(err, -EPERM,
		        _("%s holds a secret but is a symbolic link"), path);
		err_action(err, "%s",
		        _("Name the file that it points to, and protect that "
		          "with chmod 600"));
		return -EPERM;
	}
	if (r < 0)
		return err_sys(err, r, _("cannot read %s"), path);
	fd = r;

	r = check_secret(path, &st, err);
	if (r < 0)
		return r;
	r = path_read_fd(fd, max, &data, &len);
	if (r < 0)
		return err_sys(err, r, _("cannot read %s"), path);
	if (strlen(data) != len) {
		explicit_bzero(data, len);
		return err_set(err, -EINVAL, _("%s is not a text file"), path);
	}
	*ret = TAKE_PTR(data);
	return 0;
}

bool path_names(int fd, int dir_fd, const char *name)
{
	struct stat open_st, path_st;

	return fstat(fd, &open_st) == 0 &&
	       fstatat(dir_fd, name, &path_st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       open_st.st_dev == path_st.st_dev &&
	       open_st.st_ino == path_st.st_ino;
}

DIR *path_open_dir(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		util_closep(&fd);
	return dir;
}
