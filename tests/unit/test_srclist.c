/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "core/srclist.h"
#include "scratch.h"

static char dir[SCRATCH_PATH];
static struct srclist before, after;
static struct err err;

static int setup(void **state)
{
	(void)state;
	scratch_make(dir, "srclist");
	err = ERR_INIT;
	scratch_write(dir, "a.vbk", "content of a");
	scratch_mkdir(dir, "sub");
	scratch_write(dir, "sub/b.vib", "content of b");
	assert_int_equal(symlink("a.vbk", scratch_path(dir, "link")), 0);
	assert_int_equal(srclist_read(dir, 0, NULL, NULL, &before, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static bool changed(void)
{
	assert_int_equal(srclist_read(dir, 0, NULL, NULL, &after, &err), 0);
	return !srclist_equal(&before, &after);
}

static void counts(void **state)
{
	(void)state;
	assert_int_equal(before.files, 2);
	assert_int_equal(before.entries, 4);
	assert_int_equal(before.bytes, 24);
	assert_int_equal(before.unreadable, 0);
	assert_int_equal(before.recent, 0);
	assert_false(changed());
	assert_false(changed());
}

/* What --size-only or a look at the time would not see. */
static void overwritten_in_place_with_its_time_restored(void **state)
{
	struct timespec times[2];
	struct stat st, now;
	int fd;

	(void)state;
	assert_int_equal(stat(scratch_path(dir, "a.vbk"), &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	fd = open(scratch_path(dir, "a.vbk"), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	/* The clock of inodes may stand still for some milliseconds. */
	do {
		assert_int_equal(pwrite(fd, "CONTENT of A", 12, 0), 12);
		assert_int_equal(futimens(fd, times), 0);
		assert_int_equal(fstat(fd, &now), 0);
	} while (now.st_ctim.tv_sec == st.st_ctim.tv_sec &&
	         now.st_ctim.tv_nsec == st.st_ctim.tv_nsec);
	(void)close(fd);
	assert_int_equal(now.st_mtim.tv_nsec, st.st_mtim.tv_nsec);
	assert_int_equal(now.st_size, st.st_size);
	assert_true(changed());
}

static void renamed(void **state)
{
	(void)state;
	assert_int_equal(
	        rename(scratch_path(dir, "a.vbk"), scratch_path(dir, "c.vbk")),
	        0);
	assert_true(changed());
	assert_int_equal(after.entries, before.entries);
	assert_int_equal(after.bytes, before.bytes);
}

static void two_names_exchanged(void **state)
{
	(void)state;
	scratch_write(dir, "tmp", "");
	assert_int_equal(srclist_read(dir, 0, NULL, NULL, &before, &err), 0);
	assert_int_equal(
	        renameat2(AT_FDCWD, scratch_path(dir, "a.vbk"), AT_FDCWD,
	                scratch_path(dir, "sub/b.vib"), RENAME_EXCHANGE),
	        0);
	assert_true(changed());
}

static void vanished_and_new(void **state)
{
	(void)state;
	assert_int_equal(unlink(scratch_path(dir, "sub/b.vib")), 0);
	assert_true(changed());
	assert_int_equal(after.files, 1);
	scratch_write(dir, "sub/b.vib", "content of b");
	assert_true(changed());
}

static void other_link_and_mode(void **state)
{
	(void)state;
	assert_int_equal(unlink(scratch_path(dir, "link")), 0);
	assert_int_equal(symlink("sub", scratch_path(dir, "link")), 0);
	assert_true(changed());
	/* It is not followed: sub is counted once. */
	assert_int_equal(after.files, 2);
	before = after;
	assert_int_equal(chmod(scratch_path(dir, "sub"), 0755), 0);
	assert_true(changed());
}

static void names_to_show(void **state)
{
	int64_t since = clock_real_ns() + INT64_C(3600) * 1000000000;
	const struct timespec later[2] = {{.tv_sec = since / 1000000000 + 2},
	        {.tv_sec = since / 1000000000 + 2}};

	(void)state;
	for (int i = 0; i < 7; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "new%d", i);
		scratch_write(dir, name, "x");
		assert_int_equal(
		        utimensat(AT_FDCWD, scratch_path(dir, name), later, 0),
		        0);
	}
	assert_int_equal(srclist_read(dir, since, NULL, NULL, &after, &err), 0);
	assert_int_equal(after.recent, 7);
	for (int i = 0; i < SRCLIST_NAMES; i++)
		assert_memory_equal(after.recent_names[i], "new", 3);
	/* All of them are recent compared with an hour ago, directories are
	 * never named. */
	assert_int_equal(srclist_read(dir, clock_real_ns() - since + 1, NULL,
	                         NULL, &after, &err),
	        0);
	assert_int_equal(after.recent, 10);
}

static void hostile_names(void **state)
{
	(void)state;
	scratch_write(dir, "new\nline\033[31m", "x");
	scratch_write(dir, "broken\377\300utf8", "y");
	scratch_write(dir, "-rf", "z");
	assert_true(changed());
	assert_int_equal(after.files, 5);
	before = after;
	assert_false(changed());
	assert_int_equal(rename(scratch_path(dir, "broken\377\300utf8"),
	                         scratch_path(dir, "broken\376\300utf8")),
	        0);
	assert_true(changed());
}

/* Goes down @levels directories called "d" and makes them. */
static int descend(int levels)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < levels; i++) {
		int next;

		(void)mkdirat(fd, "d", 0700);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
	}
	return fd;
}

/* From there on; their path is too long for nftw(3). */
static void ascend(int levels)
{
	int fd = descend(levels);

	while (levels-- > 0) {
		int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(up >= 0);
		(void)close(fd);
		fd = up;
		assert_int_equal(unlinkat(fd, "d", AT_REMOVEDIR), 0);
	}
	(void)close(fd);
}

static void deep_trees(void **state)
{
	int fd = descend(900);

	(void)state;
	assert_int_equal(srclist_read(dir, 0, NULL, NULL, &before, &err), 0);
	assert_int_equal(before.unreadable, 0);
	assert_int_equal(before.entries, 904);
	assert_int_equal(mkdirat(fd, "at the end", 0700), 0);
	assert_true(changed());
	assert_int_equal(unlinkat(fd, "at the end", AT_REMOVEDIR), 0);
	(void)close(fd);

	/* Deeper than rsync can go: told, and no endless walk. */
	(void)close(descend(2100));
	assert_true(changed());
	ascend(2100);
	assert_int_equal(after.unreadable, 1);
}

static void unreadable_directory(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(scratch_path(dir, "sub"), 0700), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(10);
		if (srclist_read(dir, 0, NULL, NULL, &after, &err) < 0)
			_exit(11);
		_exit(after.unreadable == 1 && after.files == 1 ? 0 : 12);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void no_source(void **state)
{
	struct srclist list = {.files = 42};

	(void)state;
	assert_int_equal(srclist_read(scratch_path(dir, "no"), 0, NULL, NULL,
	                         &list, &err),
	        -ENOENT);
	assert_non_null(strstr(err.message, "/no"));
	assert_int_equal(srclist_read(scratch_path(dir, "a.vbk"), 0, NULL, NULL,
	                         &list, &err),
	        -ENOTDIR);
	assert_int_equal(list.files, 42);
}

/* --- those that changed, one by one ----------------------------------------
 */

static int64_t in_an_hour(void)
{
	return clock_real_ns() + INT64_C(3600) * 1000000000;
}

/* In the child: what it tells must be outside. */
static int append(const char *path, void *arg, struct err *e)
{
	int fd = *(int *)arg;

	if (strcmp(path, "stop") == 0)
		return err_set(e, -EDOM, "stopped at %s", path);
	return dprintf(fd, "%s|", path) < 0 ? -EIO : 0;
}

static void each_recent(void **state)
{
	int64_t since = in_an_hour();
	const struct timespec later[2] = {{.tv_sec = since / 1000000000 + 2},
	        {.tv_sec = since / 1000000000 + 2}};
	_cleanup_free_ char *told = NULL;
	char out[SCRATCH_PATH];
	int fd;

	(void)state;
	scratch_make(out, "srclist-out");
	fd = open(scratch_path(out, "list"),
	        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(
	        utimensat(AT_FDCWD, scratch_path(dir, "sub/b.vib"), later, 0),
	        0);
	/* Neither a link nor a directory is handed out. */
	assert_int_equal(utimensat(AT_FDCWD, scratch_path(dir, "link"), later,
	                         AT_SYMLINK_NOFOLLOW),
	        0);
	assert_int_equal(
	        utimensat(AT_FDCWD, scratch_path(dir, "sub"), later, 0), 0);
	assert_int_equal(
	        srclist_each_recent(dir, since, append, &fd, NULL, NULL, &err),
	        0);
	told = scratch_read(out, "list");
	assert_string_equal(told, "sub/b.vib|");

	scratch_write(dir, "stop", "x");
	assert_int_equal(
	        utimensat(AT_FDCWD, scratch_path(dir, "stop"), later, 0), 0);
	assert_int_equal(
	        srclist_each_recent(dir, since, append, &fd, NULL, NULL, &err),
	        -EDOM);
	assert_string_equal(err.message, "stopped at stop");
	(void)close(fd);
	scratch_remove(out);
}

static void beside_something_else(void **state)
{
	struct srclist_job *job = NULL;
	struct srclist_job *other = NULL;
	int64_t now = clock_real_ns();

	(void)state;
	assert_int_equal(srclist_begin(dir, 0, NULL, NULL, &job, &err), 0);
	assert_int_equal(srclist_begin(dir, 0, NULL, NULL, &other, &err), 0);
	srclist_drop(other);
	srclist_drop(NULL);
	assert_int_equal(srclist_end(job, &after, &err), 0);
	assert_true(srclist_equal(&before, &after));
	/* All was made just now, and nothing later than now. */
	assert_true(after.newest_ns <= now);
	assert_true(after.newest_ns > now - INT64_C(60000000000));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A file that is gone leaves its trace in the directory. */
static void newest_counts_directories(void **state)
{
	int64_t old = before.newest_ns;

	(void)state;
	do {
		scratch_write(dir, "gone", "x");
		assert_int_equal(unlink(scratch_path(dir, "gone")), 0);
		assert_false(changed());
	} while (after.newest_ns == old); /* the clock's next tick */
	assert_true(after.newest_ns > old);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(counts),
	        T(overwritten_in_place_with_its_time_restored),
	        T(renamed),
	        T(two_names_exchanged),
	        T(vanished_and_new),
	        T(other_link_and_mode),
	        T(names_to_show),
	        T(hostile_names),
	        T(deep_trees),
	        T(unreadable_directory),
	        T(no_source),
	        T(each_recent),
	        T(beside_something_else),
	        T(newest_counts_directories),
	};

	return cmocka_run_group_tests_name("srclist", tests, NULL, NULL);
}
