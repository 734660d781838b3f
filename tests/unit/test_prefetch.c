/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "core/prefetch.h"
#include "scratch.h"
#include "util.h"

#define SIZE 8192
#define TMPFS 0x01021994
#define LONG_MS 20000 /* for what must happen */

static char dir[SCRATCH_PATH];

static int setup(void **state)
{
	(void)state;
	scratch_make(dir, "prefetch");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static bool is_cached(const char *name)
{
	int fd = open(scratch_path(dir, name), O_RDONLY | O_CLOEXEC);
	unsigned char pages[SIZE / 4096] = {0};
	bool all = true;
	void *map;

	assert_true(fd >= 0);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(mincore(map, SIZE, pages), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		all = all && (pages[i] & 1);
	(void)munmap(map, SIZE);
	(void)close(fd);
	return all;
}

/* A file on the disk that is not in the page cache; somebody else's look at the
 * page may keep it there for a moment.  False: for longer. */
static bool cold_file(const char *name)
{
	char data[SIZE];
	int fd = open(
	        scratch_path(dir, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	memset(data, 'x', sizeof data);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, sizeof data), sizeof data);
	assert_int_equal(fsync(fd), 0);
	for (int i = 0; i < 1000 && is_cached(name); i++) {
		assert_int_equal(
		        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		(void)poll(NULL, 0, 1);
	}
	(void)close(fd);
	return !is_cached(name);
}

/* tmpfs has nothing else than the cache. */
static bool has_disk(void)
{
	struct statfs st;

	if (cold_file("probe") && statfs(dir, &st) == 0 && st.f_type != TMPFS)
		return true;
	printf("# the page cache cannot be emptied here\n");
	return false;
}

/* The kernel does not tell when it has read. */
static bool becomes_cached(const char *name)
{
	int64_t deadline = clock_mono_ms() + LONG_MS;

	while (!is_cached(name)) {
		if (clock_mono_ms() > deadline)
			return false;
		(void)poll(NULL, 0, 1);
	}
	return true;
}

static void no_child_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void reads_what_was_added(void **state)
{
	struct prefetch *p;
	char slash[SCRATCH_PATH + 1];

	(void)state;
	scratch_mkdir(dir, "sub");
	if (!has_disk() || !cold_file("a") || !cold_file("sub/b\n%s") ||
	        !cold_file("not"))
		skip();
	p = prefetch_new(1 << 20);
	assert_non_null(p);
	prefetch_add(p, "gone", SIZE);
	prefetch_add(p, "a", SIZE);
	prefetch_add(p, "sub/b\n%s", SIZE);
	(void)snprintf(slash, sizeof slash, "%s/", dir);
	prefetch_start(p, slash, 0);
	assert_true(becomes_cached("a"));
	assert_true(becomes_cached("sub/b\n%s"));
	assert_false(is_cached("not"));
	prefetch_free(p);
	no_child_is_left();
}

/* Without a slash the names begin with the directory's own. */
static void source_without_a_slash(void **state)
{
	struct prefetch *p;

	(void)state;
	scratch_mkdir(dir, "repo");
	if (!has_disk() || !cold_file("repo/a"))
		skip();
	p = prefetch_new(1 << 20);
	prefetch_add(p, "repo/a", SIZE);
	prefetch_start(p, scratch_path(dir, "repo"), 0);
	assert_true(becomes_cached("repo/a"));
	prefetch_free(p);
}

/* Nothing that lies elsewhere is touched, whatever the names say. */
static void stays_below_the_source(void **state)
{
	struct prefetch *p;
	char slash[SCRATCH_PATH + 8];

	(void)state;
	scratch_mkdir(dir, "repo");
	if (!has_disk() || !cold_file("outside") || !cold_file("repo/last"))
		skip();
	p = prefetch_new(1 << 20);
	assert_int_equal(symlink("../outside", scratch_path(dir, "repo/l")), 0);
	assert_int_equal(mkfifo(scratch_path(dir, "repo/fifo"), 0600), 0);
	prefetch_add(p, "../outside", SIZE);
	prefetch_add(p, "l", SIZE);
	prefetch_add(p, "fifo", SIZE);
	prefetch_add(p, "last", SIZE);
	(void)snprintf(slash, sizeof slash, "%s/repo/", dir);
	prefetch_start(p, slash, 0);
	assert_true(becomes_cached("repo/last"));
	assert_false(is_cached("outside"));
	prefetch_free(p);
}

static void limits(void **state)
{
	struct prefetch *p;
	char slash[SCRATCH_PATH + 1];

	(void)state;
	if (!has_disk() || !cold_file("large") || !cold_file("one") ||
	        !cold_file("two") || !cold_file("three"))
		skip();
	p = prefetch_new(2 * SIZE);
	prefetch_add(p, "large", PREFETCH_FILE_MAX + 1);
	prefetch_add(p, "one", SIZE);
	prefetch_add(p, "three", 2 * SIZE);
	prefetch_add(p, "two", SIZE);
	(void)snprintf(slash, sizeof slash, "%s/", dir);
	prefetch_start(p, slash, 0);
	assert_true(becomes_cached("one"));
	assert_true(becomes_cached("two"));
	assert_false(is_cached("large"));
	assert_false(is_cached("three"));
	prefetch_free(p);
}

/* A long row of files that are there already does not end it. */
static void goes_on_behind_a_warm_row(void **state)
{
	struct prefetch *p;
	char slash[SCRATCH_PATH + 1], name[32];

	(void)state;
	if (!has_disk())
		skip();
	p = prefetch_new(16 << 20);
	scratch_write(dir, "warm", "in the cache");
	for (int i = 0; i < 500; i++)
		prefetch_add(p, "warm", 12);
	for (int i = 0; i < 64; i++) {
		(void)snprintf(name, sizeof name, "cold%d", i);
		(void)cold_file(name);
		prefetch_add(p, name, SIZE);
	}
	(void)snprintf(slash, sizeof slash, "%s/", dir);
	prefetch_start(p, slash, 0);
	assert_true(becomes_cached("cold63"));
	prefetch_free(p);
}

static void nothing_to_do(void **state)
{
	struct prefetch *p = prefetch_new(SIZE);

	(void)state;
	assert_true(prefetch_limit() > 0);
	assert_null(prefetch_new(0));
	prefetch_add(NULL, "a", 1);
	prefetch_start(NULL, dir, 0);
	prefetch_free(NULL);
	prefetch_add(p, "empty", 0);
	prefetch_start(p, dir, 0);
	no_child_is_left();
	prefetch_add(p, "a", 1);
	prefetch_start(p, "/nowhere/at/all", 0);
	prefetch_free(p);
	no_child_is_left();
	prefetch_free(prefetch_new(SIZE));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(reads_what_was_added),
	        T(source_without_a_slash),
	        T(stays_below_the_source),
	        T(limits),
	        T(goes_on_behind_a_warm_row),
	        T(nothing_to_do),
	};

	return cmocka_run_group_tests_name("prefetch", tests, NULL, NULL);
}
