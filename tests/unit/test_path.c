/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "path.h"
#include "str.h"
#include "util.h"

static char dir[256];
static int dir_fd = -1;
static bool private_mounts; /* we are root in a mount namespace of our own */

/* Mounts made here are seen and kept by this process only. */
static int enter_namespace(void **s)
{
	(void)s;
	private_mounts =
	        geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	        mount("none", "/", "none", MS_REC | MS_PRIVATE, "") == 0;
	return 0;
}

static int make_dir(void **s)
{
	const char *tmp = getenv("TMPDIR");

	(void)s;
	(void)snprintf(dir, sizeof(dir), "%s/path.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int remove_one(
        const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_dir(void **s)
{
	(void)s;
	(void)close(dir_fd);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put_file(const char *name, const char *text, mode_t mode)
{
	int fd = openat(
	        dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

/* --- opening beneath: both ways must give the same ------------------------ */

typedef int open_fn(int dir_fd, const char *path, int flags, mode_t mode);
static open_fn *const ways[] = {path_open_beneath, path_open_beneath_walk};

static int beneath(open_fn *way, int fd, const char *path, int flags)
{
	int r = way(fd, path, flags, 0600);

	if (r < 0)
		return r;
	assert_true(fcntl(r, F_GETFD) & FD_CLOEXEC);
	(void)close(r);
	return 0;
}

static void make_tree(void)
{
	char absolute[300];

	(void)snprintf(absolute, sizeof(absolute), "%s/a", dir);
	assert_int_equal(mkdirat(dir_fd, "a", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "a/b", 0700), 0);
	put_file("a/b/f", "hello", 0600);
	assert_int_equal(symlinkat("/", dir_fd, "to-root"), 0);
	assert_int_equal(symlinkat(absolute, dir_fd, "absolute"), 0);
	assert_int_equal(symlinkat("a", dir_fd, "relative"), 0);
	assert_int_equal(symlinkat("f", dir_fd, "a/b/link"), 0);
	assert_int_equal(symlinkat("none", dir_fd, "a/b/dangling"), 0);
	assert_int_equal(symlinkat("../..", dir_fd, "a/up"), 0);
}

static void plain_names_open(void **s)
{
	(void)s;
	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		open_fn *w = ways[i];
		char text[8] = "";
		int fd;

		fd = w(dir_fd, "a/b/f", O_RDONLY, 0);
		assert_int_equal(read(fd, text, sizeof(text)), 5);
		assert_string_equal(text, "hello");
		(void)close(fd);
		assert_int_equal(beneath(w, dir_fd, "a//b/./f", O_RDONLY), 0);
		assert_int_equal(beneath(w, dir_fd, "a", O_PATH), 0);
		assert_int_equal(beneath(w, dir_fd, ".", O_RDONLY), 0);
		assert_int_equal(
		        beneath(w, dir_fd, "a/b/", O_RDONLY | O_DIRECTORY), 0);
		assert_int_equal(beneath(w, dir_fd, "a/", O_RDONLY), 0);
		assert_int_equal(beneath(w, dir_fd, "a/b/.", O_RDONLY), 0);
	}
}

static void the_usual_errors(void **s)
{
	char name[NAME_MAX + 2];

	(void)s;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		open_fn *w = ways[i];

		assert_int_equal(beneath(w, dir_fd, "", O_RDONLY), -ENOENT);
		assert_int_equal(beneath(w, dir_fd, "x", O_RDONLY), -ENOENT);
		assert_int_equal(beneath(w, dir_fd, "x/y", O_RDONLY), -ENOENT);
		assert_int_equal(
		        beneath(w, dir_fd, "a/b/f/g", O_RDONLY), -ENOTDIR);
		assert_int_equal(
		        beneath(w, dir_fd, "a/b/f/", O_RDONLY), -ENOTDIR);
		assert_int_equal(
		        beneath(w, dir_fd, "a/b/f", O_RDONLY | O_DIRECTORY),
		        -ENOTDIR);
		assert_int_equal(beneath(w, dir_fd, "a", O_WRONLY), -EISDIR);
		assert_int_equal(
		        beneath(w, dir_fd, name, O_RDONLY), -ENAMETOOLONG);
		assert_int_equal(beneath(w, -1, "a", O_RDONLY), -EBADF);
	}
}

static void creating(void **s)
{
	(void)s;
	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		open_fn *w = ways[i];
		struct stat st;

		assert_int_equal(beneath(w, dir_fd, "a/new",
		                         O_WRONLY | O_CREAT | O_EXCL),
		        0);
		assert_int_equal(fstatat(dir_fd, "a/new", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(beneath(w, dir_fd, "a/new",
		                         O_WRONLY | O_CREAT | O_EXCL),
		        -EEXIST);
		assert_int_equal(unlinkat(dir_fd, "a/new", 0), 0);
		/* Not through a link to where nothing is yet. */
		assert_int_equal(
		        beneath(w, dir_fd, "a/b/dangling", O_WRONLY | O_CREAT),
		        -ELOOP);
		assert_int_equal(faccessat(dir_fd, "a/b/none", F_OK, 0), -1);
	}
}

static void links_are_refused(void **s)
{
	static const char *const paths[] = {"to-root/etc", "to-root",
	        "absolute/b/f", "absolute", "relative/b/f", "relative",
	        "relative/", "a/b/link", "a/up/a/b/f", "a/b/dangling"};

	(void)s;
	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(paths); k++) {
			assert_int_equal(
			        beneath(ways[i], dir_fd, paths[k], O_RDONLY),
			        -ELOOP);
			assert_int_equal(
			        beneath(ways[i], dir_fd, paths[k], O_PATH),
			        -ELOOP);
		}
		assert_int_equal(beneath(ways[i], dir_fd, "relative",
		                         O_RDONLY | O_DIRECTORY),
		        -ELOOP);
		/* Who asks for the link itself gets it. */
		assert_int_equal(beneath(ways[i], dir_fd, "relative",
		                         O_PATH | O_NOFOLLOW),
		        0);
	}
}

static void leaving_is_refused(void **s)
{
	static const char *const paths[] = {"..", "../x", "a/..", "a/../a",
	        "a/b/../../..", "/", "/etc/passwd", "a/../", "//a"};

	(void)s;
	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		for (size_t k = 0; k < ARRAY_SIZE(paths); k++)
			assert_int_equal(
			        beneath(ways[i], dir_fd, paths[k], O_RDONLY),
			        -EXDEV);
	/* But names that only look like it are names. */
	put_file("..a", "x", 0600);
	put_file("...", "x", 0600);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(beneath(ways[i], dir_fd, "..a", O_RDONLY), 0);
		assert_int_equal(beneath(ways[i], dir_fd, "...", O_RDONLY), 0);
	}
}

static void magic_links_are_refused(void **s)
{
	int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)s;
	if (proc < 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(
		        beneath(ways[i], proc, "exe", O_RDONLY), -ELOOP);
		assert_int_equal(
		        beneath(ways[i], proc, "cwd", O_RDONLY), -ELOOP);
		assert_int_equal(
		        beneath(ways[i], proc, "root/etc", O_RDONLY), -ELOOP);
		assert_int_equal(
		        beneath(ways[i], proc, "fd/0", O_RDONLY), -ELOOP);
		assert_int_equal(beneath(ways[i], proc, "status", O_RDONLY), 0);
	}
	(void)close(proc);
}

static void other_file_systems_are_refused(void **s)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)s;
	if (access("/proc/version", R_OK) < 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(
		        beneath(ways[i], root, "proc", O_RDONLY), -EXDEV);
		assert_int_equal(
		        beneath(ways[i], root, "proc/version", O_RDONLY),
		        -EXDEV);
	}
	(void)close(root);
}

static void bind_mounts_are_refused(void **s)
{
	char from[300], to[300];

	(void)s;
	if (!private_mounts)
		skip();
	make_tree();
	put_file("file", "x", 0600);
	assert_int_equal(mkdirat(dir_fd, "m", 0700), 0);
	(void)snprintf(from, sizeof(from), "%s/a", dir);
	(void)snprintf(to, sizeof(to), "%s/m", dir);
	assert_int_equal(mount(from, to, "none", MS_BIND, ""), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		assert_int_equal(
		        beneath(ways[i], dir_fd, "m", O_RDONLY), -EXDEV);
		assert_int_equal(
		        beneath(ways[i], dir_fd, "m/b/f", O_RDONLY), -EXDEV);
	}
	assert_int_equal(umount(to), 0);
	/* A file can be a mount point too; O_TRUNC must not reach it. */
	(void)snprintf(from, sizeof(from), "%s/a/b/f", dir);
	(void)snprintf(to, sizeof(to), "%s/file", dir);
	assert_int_equal(mount(from, to, "none", MS_BIND, ""), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		assert_int_equal(beneath(ways[i], dir_fd, "file",
		                         O_WRONLY | O_TRUNC | O_CREAT),
		        -EXDEV);
	assert_int_equal(umount(to), 0);
	{
		struct stat st;

		assert_int_equal(fstatat(dir_fd, "a/b/f", &st, 0), 0);
		assert_int_equal(st.st_size, 5);
	}
}

/* --- names ---------------------------------------------------------------- */

static void check_and_free(char *got, const char *expected)
{
	assert_non_null(got);
	assert_string_equal(got, expected);
	free(got);
}

static void dirnames(void **s)
{
	(void)s;
	check_and_free(path_dirname("a"), ".");
	check_and_free(path_dirname(""), ".");
	check_and_free(path_dirname("/"), "/");
	check_and_free(path_dirname("//"), "/");
	check_and_free(path_dirname("/a"), "/");
	check_and_free(path_dirname("/a/"), "/");
	check_and_free(path_dirname("a/b"), "a");
	check_and_free(path_dirname("a//b//"), "a");
	check_and_free(path_dirname("/a/b/c"), "/a/b");
}

static void joining(void **s)
{
	(void)s;
	check_and_free(path_join("a", "b"), "a/b");
	check_and_free(path_join("a/", "/b"), "a/b");
	check_and_free(path_join("a//", "b/"), "a/b/");
	check_and_free(path_join("/", "b"), "/b");
	check_and_free(path_join("", "b"), "b");
	check_and_free(path_join("a", ""), "a");
	check_and_free(path_join("/", ""), "/");
}

static void clean_absolute(void **s)
{
	static const char *const good[] = {
	        "/", "/a", "/a/b/", "/a..b/..c", "/\xc3\xa4", "/a b"};
	static const char *const bad[] = {"", "a", "./a", "/..", "/a/../b",
	        "/a/..", "//a", "/a//b", "/a\nb", "/a\x1b", "/a\x7f",
	        "/a\xc2\x9b"};
	char lng[PATH_MAX + 1];

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(path_is_clean_absolute(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(path_is_clean_absolute(bad[i]));
	assert_false(path_is_clean_absolute(NULL));
	memset(lng, 'a', sizeof(lng));
	lng[0] = '/';
	lng[PATH_MAX] = '\0';
	assert_false(path_is_clean_absolute(lng));
	lng[PATH_MAX - 1] = '\0';
	assert_true(path_is_clean_absolute(lng));
}

static void containing(void **s)
{
	char *a, *b, *link, *sibling, *none;

	(void)s;
	make_tree();
	assert_int_equal(mkdirat(dir_fd, "ab", 0700), 0);
	a = path_join(dir, "a");
	b = path_join(dir, "a/b");
	link = path_join(dir, "relative/b");
	sibling = path_join(dir, "ab");
	none = path_join(dir, "none");
	assert_int_equal(path_contains(a, a), 1);
	assert_int_equal(path_contains(a, b), 1);
	assert_int_equal(path_contains(a, link), 1);
	assert_int_equal(path_contains(b, a), 0);
	assert_int_equal(path_contains(a, sibling), 0);
	assert_int_equal(path_contains("/", a), 1);
	assert_int_equal(path_contains(a, "/"), 0);
	assert_int_equal(path_contains(a, none), -ENOENT);
	assert_int_equal(path_contains(none, a), -ENOENT);
	free(a);
	free(b);
	free(link);
	free(sibling);
	free(none);
}

static void making_directories(void **s)
{
	struct err e = ERR_INIT;
	struct stat st;
	char *path;

	(void)s;
	path = path_join(dir, "x//y/z/");
	assert_int_equal(path_mkdirs(path, 0750, &e), 0);
	assert_int_equal(path_mkdirs(path, 0750, &e), 0);
	assert_int_equal(fstatat(dir_fd, "x/y/z", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	free(path);
	assert_int_equal(path_mkdirs("/", 0700, &e), 0);
	assert_int_equal(path_mkdirs("/proc/self", 0700, &e), 0);
	assert_int_equal(path_mkdirs("", 0700, &e), -ENOENT);

	put_file("file", "", 0600);
	path = path_join(dir, "file/sub");
	assert_int_equal(path_mkdirs(path, 0700, &e), -ENOTDIR);
	assert_non_null(strstr(e.message, "cannot create the directory"));
	assert_true(str_ends(e.message, "file: Not a directory"));
	free(path);
}

/* --- programs ------------------------------------------------------------- */

static void finding_programs(void **s)
{
	char *path = path_find_program("sh");

	(void)s;
	assert_non_null(path);
	assert_true(str_ends(path, "bin/sh"));
	free(path);
	assert_null(path_find_program("no-such-program-anywhere"));
	assert_null(path_find_program(""));
	assert_null(path_find_program("."));
	assert_null(path_find_program("../bin/sh"));
	assert_null(path_find_program("/bin/sh"));
}

static void system_programs_are_fine(void **s)
{
	struct err e = ERR_INIT;

	(void)s;
	if (path_check_program("/usr/bin/env", &e) != 0)
		fail_msg("%s", e.message);
	/* /bin may be a link, and sh is one. */
	if (path_check_program("/bin/sh", &e) != 0)
		fail_msg("%s", e.message);
	assert_int_equal(e.code, 0);
}

static void programs_in_tmp_are_not(void **s)
{
	struct err e = ERR_INIT;
	char *path = path_join(dir, "p");
	struct stat st;

	(void)s;
	if (!str_starts(dir, "/tmp/") || stat("/tmp", &st) < 0 ||
	        !(st.st_mode & S_ISVTX)) {
		free(path);
		skip();
	}
	put_file("p", "#!/bin/true\n", 0755);
	assert_int_equal(path_check_program(path, &e), -EPERM);
	assert_non_null(
	        strstr(e.message, ": /tmp can be changed by group or others"));
	/* "chmod go-w /tmp" would be bad advice. */
	assert_null(strstr(e.action, "chmod"));
	assert_int_equal(path_check_program(path, NULL), -EPERM);
	free(path);
}

static void check_program(
        const char *path, int code, const char *message, const char *action)
{
	struct err e = ERR_INIT;
	int r = path_check_program(path, &e);

	if (r != code)
		fail_msg("%s: %d, %s", path, r, e.message);
	assert_int_equal(e.code, code);
	assert_string_equal(e.message, message);
	assert_string_equal(e.action, action);
}

static void make_program(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

/* A clean directory whose parents are clean too: /mnt in our namespace. */
static void what_is_wrong_is_named(void **s)
{
	(void)s;
	if (!private_mounts ||
	        mount("none", "/mnt", "tmpfs", 0, "mode=0755") < 0)
		skip();
	assert_int_equal(mkdir("/mnt/d", 0755), 0);
	make_program("/mnt/d/p", 0755);
	check_program("/mnt/d/p", 0, "", "");
	check_program("/mnt//d/./../d/p", 0, "", "");

	assert_int_equal(chmod("/mnt/d/p", 0775), 0);
	check_program("/mnt/d/p", -EPERM,
	        "/mnt/d/p can be changed by group or others",
	        "Run: chmod go-w /mnt/d/p");
	assert_int_equal(chmod("/mnt/d/p", 0644), 0);
	check_program("/mnt/d/p", -EACCES, "/mnt/d/p is not executable",
	        "Run: chmod +x /mnt/d/p");
	assert_int_equal(chmod("/mnt/d/p", 0755), 0);
	assert_int_equal(chown("/mnt/d/p", 1, 0), 0);
	check_program("/mnt/d/p", -EPERM,
	        "/mnt/d/p belongs to user 1, who could replace it",
	        "Run: chown root /mnt/d/p");
	assert_int_equal(chown("/mnt/d/p", 0, 0), 0);

	assert_int_equal(chmod("/mnt/d", 0757), 0);
	check_program("/mnt/d/p", -EPERM,
	        "the program /mnt/d/p: /mnt/d can be changed by group or "
	        "others",
	        "Run: chmod go-w /mnt/d");
	/* A clean link into a directory that is not, and the other way. */
	assert_int_equal(symlink("d/p", "/mnt/link"), 0);
	check_program("/mnt/link", -EPERM,
	        "the program /mnt/link: /mnt/d can be changed by group or "
	        "others",
	        "Run: chmod go-w /mnt/d");
	make_program("/mnt/good", 0755);
	assert_int_equal(symlink("../good", "/mnt/d/link"), 0);
	assert_int_equal(path_check_program("/mnt/d/link", NULL), -EPERM);
	assert_int_equal(symlink("/mnt/d/link", "/mnt/twice"), 0);
	assert_int_equal(path_check_program("/mnt/twice", NULL), -EPERM);
	assert_int_equal(chmod("/mnt/d", 0755), 0);
	check_program("/mnt/link", 0, "", "");
	check_program("/mnt/twice", 0, "", "");

	assert_int_equal(symlink("loop", "/mnt/loop"), 0);
	check_program("/mnt/loop", -ELOOP,
	        "cannot use /mnt/loop: Too many levels of symbolic links", "");
	check_program("/mnt/d", -EISDIR, "/mnt/d is not a program file", "");
	check_program("/mnt/good/x", -ENOTDIR,
	        "cannot use /mnt/good/x: Not a directory", "");
	assert_int_equal(umount("/mnt"), 0);
}

static void odd_program_names(void **s)
{
	char lng[PATH_MAX + 10];

	(void)s;
	check_program("sh", -EINVAL,
	        "the program sh is not named with its full path", "");
	check_program("", -EINVAL,
	        "the program  is not named with its full path", "");
	check_program("/no/such", -ENOENT,
	        "cannot use /no/such: No such file or directory", "");
	check_program("/", -EISDIR, "/ is not a program file", "");
	check_program("/dev/null", -EPERM,
	        "/dev/null can be changed by group or others",
	        "Run: chmod go-w /dev/null");
	memset(lng, 'a', sizeof(lng));
	lng[0] = '/';
	lng[sizeof(lng) - 1] = '\0';
	assert_int_equal(path_check_program(lng, NULL), -ENAMETOOLONG);
}

/* --- reading -------------------------------------------------------------- */

static void reading_files(void **s)
{
	char *path = path_join(dir, "f"), *text = NULL, *big;
	size_t len = 0;

	(void)s;
	put_file("f", "hello", 0600);
	assert_int_equal(path_read_file(path, 5, &text, &len), 0);
	assert_string_equal(text, "hello");
	assert_int_equal(len, 5);
	free(text);
	text = NULL;
	assert_int_equal(path_read_file(path, 4, &text, NULL), -EFBIG);
	assert_int_equal(path_read_file(path, 0, &text, NULL), -EFBIG);
	assert_null(text);
	put_file("f", "", 0600);
	assert_int_equal(path_read_file(path, 0, &text, &len), 0);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	free(text);

	/* Around the sizes at which memory is taken. */
	for (size_t size = 4090; size < 4100; size++) {
		big = malloc(size + 1);
		memset(big, 'b', size);
		big[size] = '\0';
		put_file("f", big, 0600);
		assert_int_equal(path_read_file(path, size, &text, &len), 0);
		assert_int_equal(len, size);
		assert_string_equal(text, big);
		free(text);
		assert_int_equal(
		        path_read_file(path, SIZE_MAX, &text, &len), 0);
		assert_int_equal(len, size);
		free(text);
		assert_int_equal(
		        path_read_file(path, size - 1, &text, NULL), -EFBIG);
		free(big);
	}
	free(path);
}

static void what_cannot_be_read(void **s)
{
	char *path = path_join(dir, "f"), *text = NULL;

	(void)s;
	assert_int_equal(path_read_file(dir, 100, &text, NULL), -EISDIR);
	assert_int_equal(path_read_file(path, 100, &text, NULL), -ENOENT);
	assert_int_equal(mkfifoat(dir_fd, "f", 0600), 0);
	assert_int_equal(path_read_file(path, 100, &text, NULL), -EINVAL);
	assert_int_equal(
	        path_read_file("/dev/zero", 100, &text, NULL), -EINVAL);
	assert_null(text);
	/* Files whose size is not known beforehand. */
	if (access("/proc/self/stat", R_OK) == 0) {
		assert_int_equal(
		        path_read_file("/proc/self/stat", 100000, &text, NULL),
		        0);
		assert_true(strlen(text) > 10);
		free(text);
	}
	free(path);
}

static void secrets(void **s)
{
	char *path = path_join(dir, "f"), *link = path_join(dir, "l");
	char *text = NULL, expected[600];
	struct err e = ERR_INIT;

	(void)s;
	put_file("f", "pass\n", 0600);
	assert_int_equal(path_read_secret(path, 100, &text, &e), 0);
	assert_string_equal(text, "pass\n");
	free(text);
	text = NULL;
	assert_int_equal(path_read_secret(path, 4, &text, &e), -EFBIG);

	put_file("f", "pass\n", 0640);
	assert_int_equal(path_read_secret(path, 100, &text, &e), -EPERM);
	(void)snprintf(expected, sizeof(expected), "Run: chmod 600 %s", path);
	assert_string_equal(e.action, expected);
	put_file("f", "pass\n", 0601);
	assert_int_equal(path_read_secret(path, 100, &text, &e), -EPERM);
	put_file("f", "pass\n", 0400);
	assert_int_equal(path_read_secret(path, 100, &text, &e), 0);
	free(text);
	text = NULL;

	assert_int_equal(symlinkat("f", dir_fd, "l"), 0);
	assert_int_equal(path_read_secret(link, 100, &text, &e), -EPERM);
	assert_non_null(strstr(e.message, "symbolic link"));
	assert_non_null(strstr(e.action, "chmod 600"));
	assert_int_equal(path_read_secret(dir, 100, &text, &e), -EISDIR);
	assert_int_equal(path_read_secret("/no/such", 100, &text, &e), -ENOENT);
	assert_string_equal(
	        e.message, "cannot read /no/such: No such file or directory");
	assert_null(text);
	free(path);
	free(link);
}

static void binary_secrets(void **s)
{
	char *path = path_join(dir, "f"), *text = NULL;
	struct err e = ERR_INIT;
	int fd = openat(dir_fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)s;
	assert_int_equal(write(fd, "a\0b", 3), 3);
	(void)close(fd);
	assert_int_equal(path_read_secret(path, 100, &text, &e), -EINVAL);
	assert_null(text);
	free(path);
}

static void secrets_of_others(void **s)
{
	char *path, *text = NULL;
	struct err e = ERR_INIT;

	(void)s;
	if (geteuid() != 0)
		skip();
	path = path_join(dir, "f");
	put_file("f", "pass", 0600);
	assert_int_equal(chown(path, 1, 1), 0);
	assert_int_equal(path_read_secret(path, 100, &text, &e), -EPERM);
	assert_non_null(strstr(e.message, "belongs to user 1"));
	assert_true(str_starts(e.action, "Run: chown root "));
	free(path);
}

static int make_file(const char *name, const char *text)
{
	int fd = openat(
	        dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void what_a_name_means(void **s)
{
	int fd = make_file("a", "x");

	(void)s;
	assert_true(path_names(fd, dir_fd, "a"));
	assert_int_equal(linkat(dir_fd, "a", dir_fd, "b", 0), 0);
	assert_true(path_names(fd, dir_fd, "b"));
	assert_int_equal(symlinkat("a", dir_fd, "link"), 0);
	assert_false(path_names(fd, dir_fd, "link"));
	assert_int_equal(unlinkat(dir_fd, "a", 0), 0);
	assert_false(path_names(fd, dir_fd, "a"));
	(void)close(make_file("a", "x"));
	assert_false(path_names(fd, dir_fd, "a"));
	(void)close(fd);
	assert_false(path_names(-1, dir_fd, "a"));
}

static void opening_a_directory(void **s)
{
	(void)s;
	(void)close(make_file("file", ""));
	/* twice: each reads from the start, and dir_fd is still there */
	for (int i = 0; i < 2; i++) {
		_cleanup_closedir_ DIR *d = path_open_dir(dir_fd);
		struct dirent *de;
		int found = 0;

		assert_non_null(d);
		while ((de = readdir(d)))
			found += str_eq(de->d_name, "file");
		assert_int_equal(found, 1);
	}
	errno = 0;
	assert_null(path_open_dir(-1));
	assert_int_equal(errno, EBADF);
}

static void reading_all(void **s)
{
	char text[8] = "";
	int fd = make_file("file", "12345"), p[2];

	(void)s;
	assert_int_equal(path_read_all(fd, text, 3), 3);
	assert_memory_equal(text, "123", 3);
	assert_int_equal(path_read_all(fd, text, sizeof(text)), 2);
	assert_int_equal(path_read_all(fd, text, sizeof(text)), 0);
	(void)close(fd);
	assert_int_equal(path_read_all(dir_fd, text, 1), -EBADF);
	/* what comes in pieces */
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "ab", 2), 2);
	(void)close(p[1]);
	assert_int_equal(path_read_all(p[0], text, sizeof(text)), 2);
	(void)close(p[0]);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
	        TEST(plain_names_open),
	        TEST(the_usual_errors),
	        TEST(creating),
	        TEST(links_are_refused),
	        TEST(leaving_is_refused),
	        TEST(magic_links_are_refused),
	        TEST(other_file_systems_are_refused),
	        TEST(bind_mounts_are_refused),
	        TEST(dirnames),
	        TEST(joining),
	        TEST(clean_absolute),
	        TEST(containing),
	        TEST(making_directories),
	        TEST(finding_programs),
	        TEST(system_programs_are_fine),
	        TEST(programs_in_tmp_are_not),
	        TEST(what_is_wrong_is_named),
	        TEST(odd_program_names),
	        TEST(reading_files),
	        TEST(what_cannot_be_read),
	        TEST(secrets),
	        TEST(binary_secrets),
	        TEST(secrets_of_others),
	        TEST(what_a_name_means),
	        TEST(opening_a_directory),
	        TEST(reading_all),
	};

	return cmocka_run_group_tests_name(
	        "path", tests, enter_namespace, NULL);
}
