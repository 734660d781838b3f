/* SPDX-License-Identifier: MIT */
/*
 * scratch: a directory of its own for a unit test, and files in it.
 *
 * Everything here asserts; include it behind cmocka.h.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define SCRATCH_PATH 512

/* Makes "$TMPDIR/NAME.XXXXXX", mode 0700. */
_unused_ static void scratch_make(char dst[SCRATCH_PATH], const char *name)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(
	        dst, SCRATCH_PATH, "%s/%s.XXXXXX", tmp ? tmp : "/tmp", name);
	assert_non_null(mkdtemp(dst));
}

static int scratch_remove_one(
        const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Removes the whole tree, without following links. */
_unused_ static void scratch_remove(const char *path)
{
	if (path[0])
		(void)nftw(path, scratch_remove_one, 16,
		        FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* "DIR/NAME", valid until the eighth call after it. */
_unused_ static const char *scratch_path(const char *dir, const char *name)
{
	static char paths[8][2 * SCRATCH_PATH];
	static unsigned next;
	char *p = paths[next++ % ARRAY_SIZE(paths)];

	(void)snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

_unused_ static void scratch_mkdir(const char *dir, const char *name)
{
	assert_int_equal(mkdir(scratch_path(dir, name), 0700), 0);
}

/* Writes (in place, when it is there) a file. */
_unused_ static void scratch_write_mem(
        const char *dir, const char *name, const void *data, size_t len)
{
	int fd = open(scratch_path(dir, name),
	        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(close(fd), 0);
}

_unused_ static void scratch_write(
        const char *dir, const char *name, const char *text)
{
	scratch_write_mem(dir, name, text, strlen(text));
}

/* The whole file, NUL-terminated; free(). */
_unused_ static char *scratch_read(const char *dir, const char *name)
{
	FILE *f = fopen(scratch_path(dir, name), "re");
	char *text = calloc(1, 1 << 20);

	assert_non_null(text);
	if (!f)
		fail_msg("cannot read %s/%s", dir, name);
	assert_true(fread(text, 1, (1 << 20) - 1, f) < (1 << 20) - 1);
	assert_int_equal(fclose(f), 0);
	return text;
}

_unused_ static bool scratch_has(const char *dir, const char *name)
{
	return faccessat(AT_FDCWD, scratch_path(dir, name), F_OK,
	               AT_SYMLINK_NOFOLLOW) == 0;
}

/* No more than @n descriptors can be opened from now on, and what could be
 * before; -1 = as before. */
_unused_ static void scratch_limit_fds(int n)
{
	static rlim_t before;
	struct rlimit limit;
	int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (before == 0)
		before = limit.rlim_cur;
	limit.rlim_cur = n < 0 ? before : (rlim_t)(lowest + n);
	if (lowest >= 0)
		(void)close(lowest);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Replaces a string that settings_free() will free. */
_unused_ static void scratch_set(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
	assert_non_null(*field);
}

#endif
