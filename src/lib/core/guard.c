/* SPDX-License-Identifier: MIT */
#include "core/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "i18n.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/settings.h"
#include "sys/mount.h"

static int refuse(struct err *err, int code)
{
	err_meaning_default(err, "%s",
	        _("Nothing was copied and nothing was deleted; what is on the "
	          "disk is as old as before."));
	return code;
}

static int check_directory(const struct settings *s, struct err *err)
{
	struct stat st;

	if (stat(s->source, &st) < 0) {
		int r = -errno;

		err_sys(err, r, _("the source %s is not there"), s->source);
		err_action(err, "%s",
		        _("Is the repository's disk or share mounted? Mount "
		          "it, "
		          "or correct backup-source."));
		return refuse(err, r);
	}
	if (!S_ISDIR(st.st_mode)) {
		err_set(err, -ENOTDIR, _("the source %s is not a directory"),
		        s->source);
		err_action(err, "%s", _("Correct backup-source."));
		return refuse(err, -ENOTDIR);
	}
	return 0;
}

static int not_mounted(const struct settings *s, struct err *err)
{
	err_set(err, -ENOENT, _("the source %s is not mounted"), s->source);
	err_action(err, _("Mount it (\"mount %s\") and start the copy again."),
	        s->source);
	return refuse(err, -ENOENT);
}

/* Counts regular files below @dir_fd up to @want. Takes over @dir_fd. */
static int64_t count_files(int dir_fd, int64_t want, int depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(dir_fd);
	int64_t n = 0;
	struct dirent *de;

	if (!dir)
		util_closep(&dir_fd);
	while (dir && n < want && (de = readdir(dir))) {
		struct stat st;
		int fd;

		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) <
		        0)
			continue;
		if (S_ISREG(st.st_mode))
			n++;
		if (!S_ISDIR(st.st_mode) || depth > 64)
			continue;
		fd = openat(dirfd(dir), de->d_name,
		        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			n += count_files(fd, want - n, depth + 1);
	}
	return n;
}

static int check_files(const struct settings *s, bool is_point, struct err *err)
{
	int64_t want = s->min_source_files, n;
	int fd;

	fd = open(s->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int r = -errno;

		err_sys(err, r, _("the source %s cannot be read"), s->source);
		err_action(err, "%s",
		        _("Look at the permissions and at the disk or share "
		          "that it lies on."));
		return refuse(err, r);
	}
	n = count_files(fd, want, 0);
	if (n >= want)
		return 0;

	err_set(err, -ENODATA,
	        n == 0 ? _("the source %s has no files")
	               : _("the source %s has too few files"),
	        s->source);
	err_action(err, "%s",
	        is_point
	                ? _("Look at the repository: if it is empty for good, "
	                    "set min-source-files to 0.")
	                : _("Is the repository's disk or share mounted? If the "
	                    "repository is meant to be so small, set "
	                    "min-source-files."));
	return refuse(err, -ENODATA);
}

static int overlap(const struct settings *s, const char *what, const char *path,
        struct err *err)
{
	err_set(err, -ELOOP,
	        _("the source %s and the %s %s lie in one another"), s->source,
	        what, path);
	err_action(err, "%s",
	        _("The copy would copy itself. Correct backup-source or the "
	          "other path in the configuration."));
	return refuse(err, -ELOOP);
}

/* The same for an @inner that may not exist yet: where it would be made. */
static bool will_contain(const char *outer, const char *inner)
{
	_cleanup_free_ char *path = strdup(inner);
	int r = -ENOMEM;

	while (path && (r = path_contains(outer, path)) == -ENOENT) {
		char *parent = path_dirname(path);

		if (parent && str_eq(parent, path)) {
			free(parent);
			break;
		}
		free(path);
		path = parent;
	}
	return r == 1;
}

static int check_overlap(const struct settings *s, struct err *err)
{
	const char *dest = s->destination;

	if (str_is_empty(dest))
		dest = s->mount_directory;
	if (will_contain(s->source, dest) ||
	        path_contains(dest, s->source) == 1)
		return overlap(s, _("destination"), dest, err);
	if (will_contain(s->source, s->state_directory))
		return overlap(
		        s, _("state directory"), s->state_directory, err);
	return 0;
}

int guard_source(const struct settings *s, struct err *err)
{
	int r, is_point;

	r = check_directory(s, err);
	if (r < 0)
		return r;
	is_point = mount_is_point(s->source);
	/* Not known is as bad as not mounted. */
	if (s->source_must_be_mountpoint && is_point != 1)
		return not_mounted(s, err);
	if (is_point != 1 && mount_is_in_fstab(s->source) == 1)
		return not_mounted(s, err);
	r = check_overlap(s, err);
	if (r < 0)
		return r;
	return check_files(s, is_point == 1, err);
}
