/* SPDX-License-Identifier: MIT */
#include "core/jobs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "i18n.h"
#include "path.h"
#include "util.h"

/* Which directory it was at jobs_mark(), and when it was last changed. */
struct place {
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
};

struct jobs {
	struct strv dirs;
	struct place *places; /* one for each of dirs */
	int inotify_fd;
	bool seen;      /* a lock file appeared since jobs_mark() */
	char name[256]; /* its name */
};

static bool is_lock_name(const char *name)
{
	return str_ends(name, ".lock") && name[0] != '.';
}

static int watch(struct jobs *j, const char *dir)
{
	if (j->inotify_fd < 0)
		return -ENOSYS;
	if (inotify_add_watch(j->inotify_fd, dir,
	            IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM |
	                    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0)
		return -errno;
	return 0;
}

/* Also for a directory that was made anew since: the watch was on the old
 * one.  No inotify left is no reason to fail: looking now and then and the
 * time of the directory do it, too. */
static int look_at_place(struct jobs *j, size_t i, struct err *err)
{
	const char *dir = j->dirs.items[i];
	struct stat st;

	if (watch(j, dir) < 0)
		util_closep(&j->inotify_fd);
	if (stat(dir, &st) < 0)
		return err_sys(err, -errno,
		        _("cannot examine the directory of Veeam's lock files "
		          "%s"),
		        dir);
	j->places[i] = (struct place){
	        .dev = st.st_dev,
	        .ino = st.st_ino,
	        .mtime = st.st_mtim,
	};
	return 0;
}

static int check_readable(const char *path, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir(path);

	return dir ? 0 : err_sys(err, -errno, _("cannot read %s"), path);
}

static int open_dir(struct jobs *j, const char *dir, struct err *err)
{
	int r;

	r = strv_add(&j->dirs, dir);
	if (r < 0)
		return err_nomem(err);
	r = path_mkdirs(dir, 0700, err);
	if (r == 0)
		r = check_readable(dir, err);
	if (r == 0)
		r = look_at_place(j, j->dirs.len - 1, err);
	if (r == 0)
		return 0;

	err_prefix(err, "%s", _("directory of Veeam's lock files"));
	err_meaning(err, "%s",
	        _("It cannot be seen whether Veeam jobs are running, so "
	          "nothing "
	          "was copied."));
	err_action(err,
	        _("Create the directory %s, or correct veeam-lockfile-dir and "
	          "veeam-lockfiles in the configuration."),
	        dir);
	return r;
}

int jobs_open(const struct strv *dirs, struct jobs **ret, struct err *err)
{
	struct jobs *j = calloc(1, sizeof *j);
	int r = 0;

	if (!j)
		return err_nomem(err);
	j->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	j->places = calloc(dirs->len + 1, sizeof *j->places);
	if (!j->places)
		r = err_nomem(err);
	for (size_t i = 0; i < dirs->len && r == 0; i++)
		r = open_dir(j, dirs->items[i], err);
	if (r < 0) {
		jobs_free(j);
		return r;
	}
	*ret = j;
	return 0;
}

void jobs_free(struct jobs *j)
{
	if (!j)
		return;
	strv_done(&j->dirs);
	free(j->places);
	util_closep(&j->inotify_fd);
	free(j);
}

static int list_dir(const char *path, struct strv *ret, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;

	if (!dir)
		return err_sys(err, -errno,
		        _("cannot read the directory of Veeam's lock files %s"),
		        path);
	while (errno = 0, (de = readdir(dir)))
		if (is_lock_name(de->d_name) && !strv_has(ret, de->d_name) &&
		        strv_add(ret, de->d_name) < 0)
			return err_nomem(err);
	if (errno != 0)
		return err_sys(err, -errno,
		        _("cannot read the directory of Veeam's lock files %s"),
		        path);
	return 0;
}

int jobs_list(struct jobs *j, struct strv *ret, struct err *err)
{
	for (size_t i = 0; i < j->dirs.len; i++) {
		int r = list_dir(j->dirs.items[i], ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int jobs_fd(const struct jobs *j)
{
	return j->inotify_fd;
}

static void note_unknown(struct jobs *j)
{
	if (!j->seen)
		(void)str_copy(j->name, sizeof j->name, "?");
	j->seen = true;
}

static void note_event(struct jobs *j, const struct inotify_event *ev)
{
	/* Events were lost, or the directory is another one now and what is
	 * in it unwatched: take it as seen, to be safe. */
	if (ev->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT |
	                       IN_DELETE_SELF | IN_MOVE_SELF)) {
		note_unknown(j);
		return;
	}
	if (ev->len == 0 || !(ev->mask & (IN_CREATE | IN_MOVED_TO)))
		return;
	if (!is_lock_name(ev->name))
		return;
	j->seen = true;
	(void)str_copy(j->name, sizeof j->name, ev->name);
}

void jobs_drain(struct jobs *j)
{
	_Alignas(struct inotify_event) char buf[8192];
	ssize_t n;

	if (j->inotify_fd < 0)
		return;
	while ((n = read(j->inotify_fd, buf, sizeof buf)) > 0)
		for (char *p = buf; p < buf + n;) {
			struct inotify_event ev;

			memcpy(&ev, p, sizeof ev);
			note_event(j, (void *)p);
			p += sizeof ev + ev.len;
		}
}

int jobs_mark(struct jobs *j, struct err *err)
{
	for (size_t i = 0; i < j->dirs.len; i++) {
		int r = look_at_place(j, i, err);
		if (r < 0)
			return r;
	}
	jobs_drain(j);
	j->seen = false;
	j->name[0] = '\0';
	return 0;
}

/* What no event tells: a directory above was replaced; or there are no
 * events, and the directory itself must tell that something came and went. */
static void compare_places(struct jobs *j)
{
	for (size_t i = 0; i < j->dirs.len; i++) {
		const struct place *p = &j->places[i];
		struct stat st;

		if (stat(j->dirs.items[i], &st) < 0 || st.st_dev != p->dev ||
		        st.st_ino != p->ino)
			note_unknown(j);
		else if (j->inotify_fd < 0 &&
		         (st.st_mtim.tv_sec != p->mtime.tv_sec ||
		                 st.st_mtim.tv_nsec != p->mtime.tv_nsec))
			note_unknown(j);
	}
}

int jobs_overlap(struct jobs *j, char *ret_name, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	int r;

	ret_name[0] = '\0';
	jobs_drain(j);
	compare_places(j);
	r = jobs_list(j, &names, err);
	if (r < 0)
		return r;
	if (names.len > 0) {
		(void)str_copy(ret_name, 256, names.items[0]);
		return 1;
	}
	if (j->seen) {
		(void)str_copy(ret_name, 256, j->name);
		return 1;
	}
	return 0;
}
