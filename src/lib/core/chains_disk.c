/* SPDX-License-Identifier: MIT */
/* chains_disk: the files of chains.h, from a disk. */
#include "core/chains.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "i18n.h"
#include "path.h"
#include "sig.h"
#include "util.h"
#include "core/marker.h"

/* Veeam nests two or three deep; each level takes a descriptor. */
#define DEPTH_MAX 64

struct walk {
	struct chains *c;
	struct buf path; /* of the entry in work */
	int depth;
};

static void note_unreadable(struct walk *w)
{
	struct chains *c = w->c;

	if (c->unreadable++ == 0)
		(void)str_copy(c->unreadable_name, sizeof c->unreadable_name,
		        w->path.data);
}

static int add_vbm(struct walk *w, int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *data = NULL;
	struct stat st;
	ssize_t len;

	/* NONBLOCK: a FIFO may have taken its place. */
	fd = path_open_beneath(
	        dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	        (uint64_t)st.st_size > CHAINS_VBM_MAX)
		return chains_add(w->c, w->path.data, 0);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	len = path_read_all(fd, data, (size_t)st.st_size);
	return chains_add_vbm(
	        w->c, w->path.data, data, len > 0 ? (size_t)len : 0);
}

static int walk_dir(struct walk *w, int fd);

static int walk_entry(struct walk *w, int dir_fd, const char *name)
{
	struct stat st;
	int fd;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		note_unreadable(w);
		return 0;
	}
	if (S_ISREG(st.st_mode)) {
		size_t len = strlen(name);

		if (len > 4 && str_eq_nocase(name + len - 4, ".vbm"))
			return add_vbm(w, dir_fd, name);
		return chains_add(w->c, w->path.data, (uint64_t)st.st_size);
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (w->depth == 1 && str_eq(name, MARKER_DIR))
		return 0;
	fd = w->depth < DEPTH_MAX
	             ? path_open_beneath(dir_fd, name,
	                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
	             : -ELOOP;
	if (fd < 0) {
		note_unreadable(w);
		return 0;
	}
	return walk_dir(w, fd);
}

/* Takes over @fd. */
static int walk_dir(struct walk *w, int fd)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	size_t len = w->path.len;
	struct dirent *de;
	int r = 0;

	if (!dir) {
		(void)close(fd);
		return -ENOMEM;
	}
	w->depth++;
	while (r == 0 && (errno = 0, de = readdir(dir))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (sig_caught())
			return -ECANCELED;
		if (len > 0)
			buf_addc(&w->path, '/');
		buf_adds(&w->path, de->d_name);
		r = buf_failed(&w->path) ? -ENOMEM
		                         : walk_entry(w, fd, de->d_name);
		buf_cut(&w->path, len);
	}
	if (r == 0 && errno != 0)
		note_unreadable(w);
	w->depth--;
	return r;
}

int chains_read(struct chains *c, int dir_fd, struct err *err)
{
	struct walk w = {.c = c, .path = BUF_INIT};
	int fd = path_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (fd < 0)
		return err_sys(err, fd, "%s", _("cannot read the disk"));
	r = walk_dir(&w, fd);
	buf_done(&w.path);
	if (r < 0)
		return err_sys(err, r, "%s", _("cannot read the disk"));
	return 0;
}
