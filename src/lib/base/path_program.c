/* SPDX-License-Identifier: MIT */
/* path_program: finding a program, and whether root may trust it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "i18n.h"
#include "path.h"
#include "str.h"

char *path_find_program(const char *name)
{
	static const char *const dirs[] = {
	        "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

	if (!*name || strchr(name, '/'))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char *path = path_join(dirs[i], name);
		struct stat st;

		if (!path)
			return NULL;
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		        access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* Links in a path, as many as the kernel allows. */
#define LINKS_MAX 40

/* Only root (or we) may change @path, whose lstat() is @st. */
static int check_owner(const char *path, const struct stat *st, struct err *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		(void)err_set(err, -EPERM,
		        _("%s belongs to user %u, who could replace it"), path,
		        (unsigned)st->st_uid);
		err_action(err, _("Run: chown root %s"), path);
		return -EPERM;
	}
	if (!S_ISLNK(st->st_mode) && st->st_mode & 022) {
		(void)err_set(err, -EPERM,
		        _("%s can be changed by group or others"), path);
		if (st->st_mode & S_ISVTX) /* /tmp is meant to be so */
			err_action(err, "%s",
			        _("Put the program into a directory that only "
			          "root can change"));
		else
			err_action(err, _("Run: chmod go-w %s"), path);
		return -EPERM;
	}
	return 0;
}

static int check_file(const char *path, const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL,
		        _("%s is not a program file"), path);
	if (!(st->st_mode & 0111) || access(path, X_OK) < 0) {
		(void)err_set(err, -EACCES, _("%s is not executable"), path);
		err_action(err, _("Run: chmod +x %s"), path);
		return -EACCES;
	}
	return 0;
}

/* @real goes one component up or down; it has no links, so ".." is its
 * parent. */
static int step(char *real, const char *name, size_t len)
{
	size_t used = strlen(real);

	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		while (used > 0 && real[used - 1] != '/')
			used--;
		real[used > 0 ? used - 1 : 0] = '\0';
		return 0;
	}
	if (used + 1 + len >= PATH_MAX)
		return -ENAMETOOLONG;
	real[used] = '/';
	memcpy(real + used + 1, name, len);
	real[used + 1 + len] = '\0';
	return 0;
}

/* Replaces the link @real by its directory, and puts its target in front of
 * @rest. */
static int follow(char *real, char *rest)
{
	char target[PATH_MAX], tail[PATH_MAX];
	ssize_t n = readlink(real, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (target[0] == '/')
		real[0] = '\0';
	else
		*strrchr(real, '/') = '\0';

	/* What is left is empty or starts with a slash. */
	(void)str_copy(tail, sizeof(tail), rest);
	if (snprintf(rest, PATH_MAX, "%s%s", target, tail) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/*
 * Resolves @rest (absolute, PATH_MAX bytes) component by component as the
 * kernel does and checks everything that is gone through, so also the
 * directories in which links lie.  @real becomes the resolved path.
 */
static int check_walk(char *real, char *rest, struct stat *st, struct err *err)
{
	int links = 0, r = 0;

	real[0] = '\0';
	if (lstat("/", st) < 0)
		return -errno;
	r = check_owner("/", st, err);
	while (r == 0 && *rest) {
		size_t skip = strspn(rest, "/");
		size_t len = strcspn(rest + skip, "/");

		r = step(real, rest + skip, len);
		memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
		if (r < 0 || lstat(*real ? real : "/", st) < 0)
			return r < 0 ? r : -errno;
		r = check_owner(*real ? real : "/", st, err);
		if (r == 0 && S_ISLNK(st->st_mode))
			r = ++links > LINKS_MAX ? -ELOOP : follow(real, rest);
		else if (r == 0 && *rest && !S_ISDIR(st->st_mode))
			r = -ENOTDIR;
	}
	return r;
}

int path_check_program(const char *path, struct err *err)
{
	struct err local = ERR_INIT;
	char real[PATH_MAX], rest[PATH_MAX];
	struct stat st;
	int r;

	if (*path != '/')
		return err_set(err, -EINVAL,
		        _("the program %s is not named with its full path"),
		        path);
	if (str_copy(rest, sizeof(rest), path) < 0)
		return err_sys(err, -ENAMETOOLONG, _("cannot use %s"), path);

	r = check_walk(real, rest, &st, &local);
	if (r == 0)
		r = check_file(*real ? real : "/", &st, &local);
	if (r == 0)
		return 0;
	if (local.code == 0)
		return err_sys(err, r, _("cannot use %s"), path);
	/* The place to mend may lie elsewhere than the path suggests. */
	if (!str_starts(local.message, path))
		err_prefix(&local, _("the program %s"), path);
	if (err)
		*err = local;
	return r;
}
