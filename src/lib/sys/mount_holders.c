/* SPDX-License-Identifier: MIT */
#include "sys/mount_holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "str.h"
#include "text.h"
#include "util.h"

/* More names help nobody. */
#define HOLDERS_MAX 5

static bool is_below(const char *path, const char *target)
{
	size_t n = strlen(target);

	return strncmp(path, target, n) == 0 &&
	       (path[n] == '/' || path[n] == '\0');
}

static bool link_is_below(int dir_fd, const char *name, const char *target)
{
	char path[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, path, sizeof(path) - 1);

	if (n < 0)
		return false;
	path[n] = '\0';
	return is_below(path, target);
}

static bool has_open_file(int proc_fd, const char *target)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;

	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while ((de = readdir(dir)))
		if (link_is_below(dirfd(dir), de->d_name, target))
			return true;
	return false;
}

/* A mapped file needs no descriptor. */
static bool has_mapping(int proc_fd, const char *target)
{
	int fd = openat(proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!f && fd >= 0)
		close(fd);
	while (f && getline(&line, &size, f) > 0) {
		/* The path is the last field and the only one with a slash. */
		const char *path = strchr(line, '/');

		if (path && is_below(path, target))
			return true;
	}
	return false;
}

static bool holds(int proc_fd, const char *target)
{
	return link_is_below(proc_fd, "cwd", target) ||
	       link_is_below(proc_fd, "root", target) ||
	       has_open_file(proc_fd, target) || has_mapping(proc_fd, target);
}

static void add_name(struct buf *b, int proc_fd, const char *pid)
{
	_cleanup_close_ int fd = openat(proc_fd, "comm", O_RDONLY | O_CLOEXEC);
	char comm[64] = "?";
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);

	if (n > 0)
		comm[n] = '\0';
	if (b->len > 0)
		buf_adds(b, ", ");
	/* A process chooses its own name. */
	text_visible(b, str_trim(comm), strlen(str_trim(comm)));
	buf_printf(b, " (pid %s)", pid);
}

void mount_holders(const char *target, char *dst, size_t size)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct dirent *de;
	int found = 0;

	dst[0] = '\0';
	while (proc && found < HOLDERS_MAX && (de = readdir(proc))) {
		_cleanup_close_ int fd = -1;

		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		fd = openat(dirfd(proc), de->d_name,
		        O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || !holds(fd, target))
			continue;
		add_name(&b, fd, de->d_name);
		found++;
	}
	if (!buf_failed(&b))
		(void)str_copy(dst, size, b.data);
}
