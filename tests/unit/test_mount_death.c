/* SPDX-License-Identifier: MIT */
/*
 * mount: a run that is killed, a disk that was pulled out, a device that
 * somebody else holds, a server in fstab.  The plain cases: test_mount.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "scratch.h"
#include "loopdev.h"
#include "str.h"
#include "sys/mount.h"

static char dir[SCRATCH_PATH], target[SCRATCH_PATH], image[SCRATCH_PATH];
static bool own_namespace;

static int set_up(void **state)
{
	(void)state;
	scratch_make(dir, "mount");
	scratch_mkdir(dir, "target");
	(void)str_copy(target, sizeof(target), scratch_path(dir, "target"));
	(void)str_copy(image, sizeof(image), scratch_path(dir, "d.img"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	/* What a failed test left behind; in our own namespace only. */
	while (umount2(target, MNT_DETACH) == 0)
		;
	scratch_remove(dir);
	return 0;
}

#define NEED_MOUNT()                                     \
	do {                                             \
		NEED_LOOP();                             \
		if (!own_namespace) {                    \
			print_message("no namespace\n"); \
			skip();                          \
		}                                        \
	} while (0)

static void make(struct loop *loop, const char *fstype)
{
	char uuid[40];

	if (!kernel_has(fstype)) {
		print_message("this kernel has no %s\n", fstype);
		skip();
	}
	/* XFS mounts a UUID only once at a time. */
	image_uuid(uuid);
	if (!image_mkfs(image, fstype, uuid, "test"))
		skip();
	loop_attach(loop, image, false);
}

static int attach(const struct loop *loop, const char *fstype, struct err *err)
{
	struct mount_request req = {.device = loop->device,
	        .target = target,
	        .fstype = fstype,
	        .noatime = true};

	return mount_attach(&req, NULL, err);
}

static void must_attach(const struct loop *loop, const char *fstype)
{
	struct err err = ERR_INIT;

	if (attach(loop, fstype, &err) < 0)
		fail_msg("%s", err.message);
}

static void must_detach(void)
{
	struct err err = ERR_INIT;

	if (mount_detach(target, &err) < 0)
		fail_msg("%s", err.message);
}

/* The options of what is mounted on the target, "" when nothing is. */
static void options_of(const char *mountinfo, char dst[256])
{
	FILE *f = fopen(mountinfo, "re");
	char line[4096], point[2048], options[256];

	assert_non_null(f);
	dst[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %*s %*s %2047s %255s", point,
		            options) == 2 &&
		        str_eq(point, target))
			(void)str_copy(dst, 256, options);
	(void)fclose(f);
}

static bool has_option(const char *options, const char *name)
{
	struct strv v = STRV_INIT;
	bool has;

	assert_int_equal(strv_split(&v, options, ","), 0);
	has = strv_has(&v, name);
	strv_done(&v);
	return has;
}

static void put_file(const char *name, const char *text)
{
	scratch_write(target, name, text);
}

/* Device nodes on a foreign disk open nothing. */
static void test_device_node(void **state)
{
	struct loop loop;
	int fd;

	(void)state;
	NEED_MOUNT();
	make(&loop, "ext4");
	must_attach(&loop, "ext4");
	assert_int_equal(symlink("/etc", scratch_path(target, "link")), 0);
	assert_int_equal(mknod(scratch_path(target, "null"), S_IFCHR | 0666,
	                         makedev(1, 3)),
	        0);
	fd = open(scratch_path(target, "link/passwd"), O_RDONLY | O_CLOEXEC);
	assert_true(fd < 0 && errno == ELOOP);
	fd = open(scratch_path(target, "null"), O_RDONLY | O_CLOEXEC);
	assert_true(fd < 0 && errno == EACCES);
	must_detach();
	loop_detach(&loop);
}

static void test_in_use(void **state)
{
	struct err err = ERR_INIT;
	struct loop loop;
	int fd;

	(void)state;
	NEED_MOUNT();
	make(&loop, "ext4");
	fd = open(loop.device, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(attach(&loop, "ext4", &err), -EBUSY);
	assert_non_null(strstr(err.message, loop.device));
	(void)close(fd);
	must_attach(&loop, "ext4");
	must_detach();
	loop_detach(&loop);
}

/* --- a disk that was pulled out ------------------------------------------- */

/* Copies the image while it is mounted: what a pulled disk looks like. */
static void make_dirty(struct loop *loop, const char *fstype)
{
	char copy[SCRATCH_PATH];
	int fd;

	make(loop, fstype);
	must_attach(loop, fstype);
	put_file("file", "text");
	fd = open(scratch_path(target, "file"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsync(fd), 0);
	(void)close(fd);
	(void)str_copy(copy, sizeof(copy), scratch_path(dir, "copy.img"));
	assert_int_equal(TOOL("cp", "--sparse=always", image, copy), 0);
	must_detach();
	loop_detach(loop);
	(void)str_copy(image, sizeof(image), copy);
}

static void replay(const char *fstype)
{
	struct loop loop;
	char *text;

	make_dirty(&loop, fstype);
	loop_attach(&loop, image, false);
	must_attach(&loop, fstype);
	text = scratch_read(target, "file");
	assert_string_equal(text, "text");
	free(text);
	must_detach();
	loop_detach(&loop);
}

static void test_dirty_ext4(void **state)
{
	unsigned char incompat = 0;
	struct err err = ERR_INIT;
	struct loop loop;

	(void)state;
	NEED_MOUNT();
	make_dirty(&loop, "ext4");
	/* Its journal is to be replayed, or this test proves nothing. */
	image_read(image, 1024 + 0x60, &incompat, 1);
	assert_true(incompat & 4);
	/* That cannot be done where nothing can be written. */
	loop_attach(&loop, image, true);
	assert_int_equal(attach(&loop, "ext4", &err), -EROFS);
	assert_non_null(strstr(err.action, "fsck"));
	loop_detach(&loop);

	(void)str_copy(image, sizeof(image), scratch_path(dir, "d.img"));
	replay("ext4");
	image_read(image, 1024 + 0x60, &incompat, 1);
	assert_false(incompat & 4);
}

static void test_dirty_xfs(void **state)
{
	(void)state;
	NEED_MOUNT();
	replay("xfs");
}

/* --- the namespace -------------------------------------------------------- */

/* A run: mounts in a namespace of its own, and says so. */
static void private_run(const struct loop *loop, int told)
{
	struct err err = ERR_INIT;
	char c = 'y';

	/* A test that fails must not leave it behind. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount_private(&err) < 0 || attach(loop, "ext4", &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		c = 'n';
	}
	(void)!write(told, &c, 1);
	for (;;)
		(void)pause();
}

static void test_private(void **state)
{
	char options[256], mountinfo[64], c = 'n';
	struct loop loop;
	pid_t pid;
	int p[2], fd;

	(void)state;
	NEED_MOUNT();
	make(&loop, "ext4");
	/* As on a host: what is mounted is seen in other namespaces. */
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		private_run(&loop, p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	(void)snprintf(mountinfo, sizeof(mountinfo), "/proc/%d/mountinfo", pid);
	options_of(mountinfo, options);
	assert_true(has_option(options, "nosuid"));
	/* We do not see it, but the device is in use. */
	options_of("/proc/self/mountinfo", options);
	assert_string_equal(options, "");
	fd = open(loop.device, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd < 0 && errno == EBUSY);
	/* What we mount now is seen there, as a stick that the host mounts. */
	assert_int_equal(mount("x", dir, "tmpfs", 0, NULL), 0);
	assert_int_equal(umount(dir), 0);

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fd = open(loop.device, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	(void)close(p[0]);
	(void)close(p[1]);
	loop_detach(&loop);
}

/* --- fstab -----------------------------------------------------------------
 */

static void fstab(const char *text)
{
	scratch_write(dir, "fstab", text);
}

static void test_fstab(void **state)
{
	char text[4 * SCRATCH_PATH], wanted[SCRATCH_PATH];

	(void)state;
	NEED_MOUNT();
	fstab("");
	if (mount(scratch_path(dir, "fstab"), "/etc/fstab", NULL, MS_BIND,
	            NULL) < 0) {
		print_message("there is no /etc/fstab\n");
		skip();
	}
	assert_int_equal(mount_is_in_fstab(target), 0);
	(void)snprintf(text, sizeof(text),
	        "# %s\nproc /proc proc defaults 0 0\n/dev/x none swap sw 0 0\n"
	        "/dev/x %sx ext4 defaults 0 0\nbroken\n",
	        target, target);
	fstab(text);
	assert_int_equal(mount_is_in_fstab(target), 0);
	assert_int_equal(mount_is_in_fstab(scratch_path(dir, "missing")), 0);
	(void)snprintf(text, sizeof(text),
	        "broken\nUUID=1 %s/../target/ ext4 noauto 0 0\n", target);
	fstab(text);
	assert_int_equal(mount_is_in_fstab(target), 1);
	/* A name for the same directory, on either side. */
	assert_int_equal(symlink(target, scratch_path(dir, "link")), 0);
	assert_int_equal(mount_is_in_fstab(scratch_path(dir, "link")), 1);
	(void)snprintf(text, sizeof(text), "/dev/x %s/link ext4 x 0 0\n", dir);
	fstab(text);
	assert_int_equal(mount_is_in_fstab(target), 1);
	/* A server's: not looked at, compared as it stands. */
	(void)snprintf(text, sizeof(text), "host:/x %s nfs4 x 0 0\n", target);
	fstab(text);
	assert_int_equal(mount_is_in_fstab(target), 1);
	(void)snprintf(text, sizeof(text), "host:/x %s/link nfs x 0 0\n", dir);
	fstab(text);
	assert_int_equal(mount_is_in_fstab(target), 0);
	/* A blank in the name. */
	scratch_mkdir(dir, "a b");
	(void)snprintf(
	        text, sizeof(text), "/dev/x %s/a\\040b ext4 x 0 0\n", dir);
	fstab(text);
	(void)str_copy(wanted, sizeof(wanted), scratch_path(dir, "a b"));
	assert_int_equal(mount_is_in_fstab(wanted), 1);
	assert_int_equal(umount("/etc/fstab"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_device_node),
	        TEST(test_in_use),
	        TEST(test_dirty_ext4),
	        TEST(test_dirty_xfs),
	        TEST(test_private),
	        TEST(test_fstab),
	};

	own_namespace = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return cmocka_run_group_tests_name("mount_death", tests, NULL, NULL);
}
