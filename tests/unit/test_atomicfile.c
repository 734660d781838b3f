/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "atomicfile.h"
#include "path.h"
#include "str.h"

static char dir[256];
static int dir_fd = -1;

/* Takes the place of the C library's: counts, and fails when it is told to
 * (the number of the call, from 1). */
static int fsyncs, fail_fsync, fsync_error;

int fsync(int fd)
{
	if (++fsyncs == fail_fsync) {
		errno = fsync_error;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static int make_dir(void **s)
{
	const char *tmp = getenv("TMPDIR");

	(void)s;
	(void)snprintf(
	        dir, sizeof(dir), "%s/atomicfile.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fsyncs = 0;
	fail_fsync = 0;
	return dir_fd < 0 ? -1 : 0;
}

/* How many names the directory has besides . and .. */
static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = -2;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static int remove_dir(void **s)
{
	static const char *const names[] = {
	        "f", "other", "link", "sub/f", "sub"};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (unlinkat(dir_fd, names[i], 0) < 0 && errno == EISDIR)
			(void)unlinkat(dir_fd, names[i], AT_REMOVEDIR);
	(void)close(dir_fd);
	/* Fails when a test has left a temporary file behind. */
	return rmdir(dir);
}

static void check_content(const char *name, const char *expected)
{
	char *path = path_join(dir, name), *text = NULL;

	assert_int_equal(path_read_file(path, 1000, &text, NULL), 0);
	assert_string_equal(text, expected);
	free(text);
	free(path);
}

static void appears_at_once(void **s)
{
	struct err e = ERR_INIT;
	struct atomicfile f;

	(void)s;
	assert_int_equal(atomicfile_open(&f, dir_fd, "f", 0644, &e), 0);
	assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(atomicfile_write_all(f.fd, "hello", 5), 0);
	assert_int_equal(faccessat(dir_fd, "f", F_OK, 0), -1);
	assert_int_equal(entries(dir), 1);
	assert_true(str_starts(f.temp, ".f."));

	assert_int_equal(atomicfile_commit(&f, &e), 0);
	assert_int_equal(f.fd, -1);
	assert_int_equal(f.own_dir_fd, -1);
	/* The file, then the directory. */
	assert_int_equal(fsyncs, 2);
	check_content("f", "hello");
	assert_int_equal(entries(dir), 1);
	atomicfile_abort(&f);
	check_content("f", "hello");
	assert_int_equal(atomicfile_commit(&f, &e), -EBADF);
	check_content("f", "hello");
}

static void mode_is_exact(void **s)
{
	mode_t old = umask(077);
	struct stat st;

	(void)s;
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "x", 1, 0644, false, NULL), 0);
	(void)umask(0);
	assert_int_equal(
	        atomicfile_write(dir_fd, "other", "x", 1, 0600, false, NULL),
	        0);
	(void)umask(old);
	assert_int_equal(fstatat(dir_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(fstatat(dir_fd, "other", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fsyncs, 0);
}

static void abort_leaves_nothing(void **s)
{
	struct atomicfile f;

	(void)s;
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "old", 3, 0600, true, NULL), 0);
	assert_int_equal(atomicfile_open(&f, dir_fd, "f", 0600, NULL), 0);
	assert_int_equal(atomicfile_write_all(f.fd, "new", 3), 0);
	atomicfile_abort(&f);
	atomicfile_abort(&f);
	check_content("f", "old");
	assert_int_equal(entries(dir), 1);
}

static void two_writers_do_not_meet(void **s)
{
	struct atomicfile a, b;

	(void)s;
	assert_int_equal(atomicfile_open(&a, dir_fd, "f", 0600, NULL), 0);
	assert_int_equal(atomicfile_open(&b, dir_fd, "f", 0600, NULL), 0);
	assert_string_not_equal(a.temp, b.temp);
	(void)atomicfile_write_all(a.fd, "a", 1);
	(void)atomicfile_write_all(b.fd, "b", 1);
	assert_int_equal(atomicfile_commit_volatile(&b, NULL), 0);
	check_content("f", "b");
	assert_int_equal(atomicfile_commit_volatile(&a, NULL), 0);
	check_content("f", "a");
	assert_int_equal(fsyncs, 0);
}

static void names_with_directories(void **s)
{
	char *path = path_join(dir, "sub/f"), cwd[4096];

	(void)s;
	assert_int_equal(mkdirat(dir_fd, "sub", 0700), 0);
	assert_int_equal(
	        atomicfile_write(dir_fd, "sub/f", "1", 1, 0600, true, NULL), 0);
	check_content("sub/f", "1");
	/* Absolute, and relative to where we are. */
	assert_int_equal(
	        atomicfile_write(AT_FDCWD, path, "2", 1, 0600, true, NULL), 0);
	check_content("sub/f", "2");
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(
	        atomicfile_write(AT_FDCWD, "f", "3", 1, 0600, true, NULL), 0);
	assert_int_equal(chdir(cwd), 0);
	check_content("f", "3");
	free(path);
}

static void the_longest_name(void **s)
{
	struct err e = ERR_INIT;
	struct atomicfile f;
	char name[257];

	(void)s;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_int_equal(atomicfile_open(&f, dir_fd, name, 0600, &e), 0);
	assert_int_equal(atomicfile_commit_volatile(&f, &e), 0);
	assert_int_equal(unlinkat(dir_fd, name, 0), 0);
	name[255] = 'n';
	name[256] = '\0';
	assert_int_equal(
	        atomicfile_open(&f, dir_fd, name, 0600, &e), -ENAMETOOLONG);
	assert_int_equal(f.fd, -1);
	atomicfile_abort(&f);
}

static void bad_names(void **s)
{
	static const char *const names[] = {"", ".", "..", "a/", "/", "a/.."};
	struct atomicfile f;

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(
		        atomicfile_open(&f, dir_fd, names[i], 0600, &e),
		        -EINVAL);
		assert_int_equal(e.code, -EINVAL);
		atomicfile_abort(&f);
	}
	assert_int_equal(entries(dir), 0);
}

static void missing_directory(void **s)
{
	struct err e = ERR_INIT;
	struct atomicfile f;

	(void)s;
	assert_int_equal(
	        atomicfile_open(&f, dir_fd, "no/f", 0600, &e), -ENOENT);
	assert_string_equal(
	        e.message, "cannot create no/f: No such file or directory");
	assert_int_equal(
	        atomicfile_write(dir_fd, "no/f", "", 0, 0600, true, &e),
	        -ENOENT);
}

static void a_link_is_replaced_not_followed(void **s)
{
	struct stat st;

	(void)s;
	assert_int_equal(
	        atomicfile_write(dir_fd, "other", "o", 1, 0600, true, NULL), 0);
	assert_int_equal(symlinkat("other", dir_fd, "f"), 0);
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "new", 3, 0600, true, NULL), 0);
	assert_int_equal(fstatat(dir_fd, "f", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	check_content("other", "o");
}

static void a_failed_flush_keeps_the_old_file(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "old", 3, 0600, false, NULL), 0);
	fail_fsync = 1;
	fsync_error = EIO;
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "new", 3, 0600, true, &e), -EIO);
	assert_string_equal(e.message, "cannot write f: Input/output error");
	check_content("f", "old");
	assert_int_equal(entries(dir), 1);
}

static void a_failed_flush_of_the_directory_is_told(void **s)
{
	(void)s;
	fail_fsync = 2;
	fsync_error = EIO;
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "new", 3, 0600, true, NULL),
	        -EIO);
	assert_int_equal(entries(dir), 1);

	/* But a file system that cannot flush directories is none. */
	fsyncs = 0;
	fsync_error = EINVAL;
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "new", 3, 0600, true, NULL), 0);
}

static void a_failed_rename_is_cleaned_up(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	assert_int_equal(mkdirat(dir_fd, "f", 0700), 0);
	assert_int_equal(
	        atomicfile_write(dir_fd, "f", "x", 1, 0600, true, &e), -EISDIR);
	assert_int_equal(entries(dir), 1);
}

static void write_errors_come_back(void **s)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), fds[2];

	(void)s;
	assert_int_equal(atomicfile_write_all(full, "x", 1), -ENOSPC);
	assert_int_equal(atomicfile_write_all(full, "", 0), 0);
	(void)close(full);
	assert_int_equal(atomicfile_write_all(-1, "x", 1), -EBADF);

	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	/* More than a pipe holds: part of it, then the error. */
	{
		size_t len = 1 << 20;
		char *big = calloc(1, len);

		assert_int_equal(
		        atomicfile_write_all(fds[1], big, len), -EAGAIN);
		free(big);
	}
	(void)close(fds[0]);
	assert_int_equal(atomicfile_write_all(fds[1], "x", 1), -EPIPE);
	(void)close(fds[1]);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
	        TEST(appears_at_once),
	        TEST(mode_is_exact),
	        TEST(abort_leaves_nothing),
	        TEST(two_writers_do_not_meet),
	        TEST(names_with_directories),
	        TEST(the_longest_name),
	        TEST(bad_names),
	        TEST(missing_directory),
	        TEST(a_link_is_replaced_not_followed),
	        TEST(a_failed_flush_keeps_the_old_file),
	        TEST(a_failed_flush_of_the_directory_is_told),
	        TEST(a_failed_rename_is_cleaned_up),
	        TEST(write_errors_come_back),
	};

	return cmocka_run_group_tests_name("atomicfile", tests, NULL, NULL);
}
