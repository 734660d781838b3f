/* SPDX-License-Identifier: MIT */
#include "core/spool_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "core/spool.h"
#include "i18n.h"
#include "log.h"
#include "path.h"

#define NAME_MAX_BYTES 60
#define LEFTOVER_AGE_S 3600
#define SERVICE_UID_MAX 999 /* people come after */

/* root puts mails into the directory of the user that sends them. */
static bool is_service(const struct stat *st)
{
	return geteuid() == 0 && st->st_uid <= SERVICE_UID_MAX;
}

void spool_dir_give(int dir_fd, int fd)
{
	struct stat st;

	if (geteuid() != 0 || fstat(dir_fd, &st) < 0 || st.st_uid == 0)
		return;
	if (fchown(fd, st.st_uid, st.st_gid) < 0)
		log_debug("a mail stays root's: %s", err_text(-errno));
}

bool spool_dir_is_ours(int dir_fd, const struct stat *file)
{
	struct stat st;

	/* A second name could be that of any file of ours. */
	if (!S_ISREG(file->st_mode) || file->st_nlink != 1)
		return false;
	return file->st_uid == geteuid() || file->st_uid == 0 ||
	       (geteuid() == 0 && fstat(dir_fd, &st) == 0 &&
	               st.st_uid == file->st_uid);
}

int spool_dir_open(const char *dir, bool create, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (create) {
		int r = path_mkdirs(dir, 0700, err);

		if (r < 0)
			return r;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(
		        err, -errno, _("cannot open the directory %s"), dir);
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, _("cannot look at %s"), dir);
	if (st.st_uid != geteuid() && st.st_uid != 0 && !is_service(&st)) {
		err_set(err, -EPERM, _("%s belongs to another user"), dir);
		err_action(err, _("run: chown %u %s"), geteuid(), dir);
		return -EPERM;
	}
	if ((st.st_mode & 022) != 0) {
		err_set(err, -EPERM, _("others may write to %s"), dir);
		err_action(err, _("run: chmod 700 %s"), dir);
		return -EPERM;
	}
	return TAKE_FD(fd);
}

bool spool_dir_is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && len <= NAME_MAX_BYTES && name[0] != '.' &&
	       strchr(name, '/') == NULL && str_ends(name, ".eml");
}

void spool_dir_env_name(char dst[64], const char *name)
{
	(void)snprintf(dst, 64, "%.*s.env", (int)strlen(name) - 4, name);
}

static int open_entries(int dir_fd, DIR **ret)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (*ret == NULL) {
		int r = -errno;

		close(fd);
		return r;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int spool_dir_list(int dir_fd, struct strv *ret)
{
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *e;
	int r = open_entries(dir_fd, &d);

	if (r < 0)
		return r;
	while (errno = 0, (e = readdir(d)) != NULL)
		if (spool_dir_is_name(e->d_name) &&
		        strv_add(ret, e->d_name) < 0)
			return -ENOMEM;
	if (errno != 0)
		return -errno;
	if (ret->len > 0)
		qsort(ret->items, ret->len, sizeof(ret->items[0]), by_name);
	return 0;
}

int spool_dir_remove(int dir_fd, const char *name)
{
	char env_name[64];

	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	(void)fsync(dir_fd);
	spool_dir_env_name(env_name, name);
	(void)unlinkat(dir_fd, env_name, 0);
	return 0;
}

int spool_dir_fail(int dir_fd, const char *name, const char *env_name)
{
	_cleanup_close_ int to = -1;

	if (mkdirat(dir_fd, "failed", 0700) < 0 && errno != EEXIST)
		return -errno;
	to = openat(dir_fd, "failed",
	        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	spool_dir_give(dir_fd, to);
	if (renameat(dir_fd, env_name, to, env_name) < 0 && errno != ENOENT)
		return -errno;
	if (renameat(dir_fd, name, to, name) < 0)
		return -errno;
	(void)fsync(to);
	(void)fsync(dir_fd);
	spool_dir_limit(to, "failed", SPOOL_KEEP);
	return 0;
}

/* Not while somebody sends it. */
static bool drop(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = openat(
	        dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	return spool_dir_remove(dir_fd, name) == 0;
}

void spool_dir_limit(int dir_fd, const char *dir, size_t keep)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	if (spool_dir_list(dir_fd, &names) < 0)
		return;
	for (size_t i = 0; i + keep < names.len; i++)
		if (drop(dir_fd, names.items[i]))
			log_warn(_("the spool %s is full: e-mail %s was "
			           "dropped unsent"),
			        dir, names.items[i]);
}

static bool is_old(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) &&
	       st.st_mtim.tv_sec < clock_real_s() - LEFTOVER_AGE_S;
}

static bool is_leftover(int dir_fd, const char *name)
{
	char eml[256];
	struct stat st;

	if (name[0] == '.')
		return strstr(name, ".eml.") != NULL ||
		       strstr(name, ".env.") != NULL;
	if (!str_ends(name, ".env") || strlen(name) > NAME_MAX_BYTES)
		return false;
	(void)snprintf(
	        eml, sizeof(eml), "%.*s.eml", (int)strlen(name) - 4, name);
	return fstatat(dir_fd, eml, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT;
}

void spool_dir_clean(int dir_fd)
{
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *e;

	if (open_entries(dir_fd, &d) < 0)
		return;
	while ((e = readdir(d)) != NULL)
		if (is_leftover(dir_fd, e->d_name) && is_old(dir_fd, e->d_name))
			(void)unlinkat(dir_fd, e->d_name, 0);
}
