/* SPDX-License-Identifier: MIT */
/*
 * The disks are loop devices that this test makes itself, seen by no mount
 * namespace but its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "core/settings.h"
#include "core/target.h"
#include "path.h"
#include "proc.h"
#include "scratch.h"
#include "str.h"

#define OTHER "5f0c1a7e-1111-4222-8333-0123456789ac"
#define IMAGE_SIZE (16 << 20)

/* Another one in each process: the same test may run twice at a time. */
static char uuid[40];
static char dir[SCRATCH_PATH];
static struct settings *s;
static struct target t;
static struct err err;
static bool can_mount; /* a namespace of our own */

struct loop {
	int fd;
	char device[32];
};
static struct loop loops[2];

/* Takes the place of the C library's. */
static enum { SYNC_REAL, SYNC_FAILS, SYNC_HANGS } sync_mode;
static int rounds[2] = {-1, -1}; /* a pipe: a byte for each call */
int syncfs(int fd)
{
	if (rounds[1] >= 0 && write(rounds[1], "x", 1) != 1)
		return -1;
	while (sync_mode == SYNC_HANGS)
		(void)pause();
	if (sync_mode == SYNC_REAL)
		return (int)syscall(SYS_syncfs, fd);
	errno = EIO;
	return -1;
}

static void configure(const char *wanted)
{
	struct settings_disk *d =
	        reallocarray(s->disks, s->disks_len + 1, sizeof(*s->disks));

	assert_non_null(d);
	s->disks = d;
	d[s->disks_len] = (struct settings_disk){.uuid = strdup(wanted)};
	assert_non_null(d[s->disks_len].uuid);
	s->disks_len++;
}

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	sync_mode = SYNC_REAL;
	loops[0].fd = loops[1].fd = -1;
	t = TARGET_INIT;
	scratch_make(dir, "target");
	s = settings_new();
	assert_non_null(s);
	scratch_set(&s->mount_directory, scratch_path(dir, "mnt"));
	scratch_set(&s->destination, "");
	/* The namespace is ours already. */
	s->mount_visible = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	target_done(&t);
	if (t.mounted)
		(void)umount2(t.mountpoint, MNT_DETACH);
	for (size_t i = 0; i < ARRAY_SIZE(loops); i++) {
		if (loops[i].fd >= 0)
			(void)ioctl(loops[i].fd, LOOP_CLR_FD, 0);
		util_closep(&loops[i].fd);
	}
	util_closep(&rounds[0]);
	util_closep(&rounds[1]);
	settings_freep(&s);
	scratch_remove(dir);
	return 0;
}

static bool run(const char *program, const char *const *args)
{
	_cleanup_free_ char *path = path_find_program(program);
	char *argv[16] = {path};
	struct proc_spec spec = {PROC_SPEC_INIT, .name = program, .argv = argv};
	struct proc_result res;

	for (int i = 0; path && args[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	return path && proc_run(&spec, &res, &err) == 0 && res.exit_code == 0;
}

/* An image with a file system, or skips. */
static void make_image(const char *name)
{
	const char *image = scratch_path(dir, name);
	const char *const args[] = {
	        "-q", "-F", "-U", uuid, "-L", "label\033[31m", image, NULL};

	if (!can_mount)
		skip();
	scratch_write(dir, name, "");
	assert_int_equal(truncate(image, IMAGE_SIZE), 0);
	if (!run("mkfs.ext4", args))
		skip();
}

/* A free device; somebody else may take it first.  0 or negative errno. */
static int try_attach(struct loop *l, int control, int image, uint32_t flags)
{
	struct loop_config config = {
	        .fd = (uint32_t)image, .info.lo_flags = flags};
	int n = ioctl(control, LOOP_CTL_GET_FREE), fd, r;

	if (n < 0)
		return -errno;
	(void)snprintf(l->device, sizeof(l->device), "/dev/loop%d", n);
	fd = open(l->device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = ioctl(fd, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
	/* Only one that is ours is detached again. */
	if (r == 0)
		l->fd = TAKE_FD(fd);
	util_closep(&fd);
	return r;
}

static void attach(struct loop *l, const char *name, uint32_t flags)
{
	int access_mode = flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR;
	int control, image, r;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		skip();
	image = open(scratch_path(dir, name), access_mode | O_CLOEXEC);
	assert_true(image >= 0);
	do {
		r = try_attach(l, control, image, flags);
	} while (r == -EBUSY);
	(void)close(image);
	(void)close(control);
	if (r < 0)
		skip();
}

static void one_disk(uint32_t flags)
{
	make_image("image");
	configure(uuid);
	attach(&loops[0], "image", flags);
}

static void ok(int r)
{
	if (r != 0)
		fail_msg("%s", err.message);
}

static void assert_told(int r, int expected)
{
	if (r != expected)
		fail_msg("%d instead of %d: %s", r, expected, err.message);
	assert_int_equal(err.code, expected);
	assert_true(err.message[0]);
}

static bool can_list(void)
{
	struct disk *list = NULL;
	size_t len;
	bool can = geteuid() == 0 && disk_list(NULL, &list, &len, NULL) == 0;

	free(list);
	return can;
}

/* --- finding -------------------------------------------------------------- */

static void nothing_configured(void **state)
{
	(void)state;
	assert_told(target_find(&t, s, NULL, NULL, &err), -ENODEV);
	assert_non_null(strstr(err.action, "disks --add"));
	assert_told(target_find(&t, s, OTHER, NULL, &err), -EACCES);
	assert_true(err.action[0]);
}

static void nothing_attached(void **state)
{
	(void)state;
	if (!can_list())
		skip();
	configure(OTHER);
	configure("0a1b2c3d-dead-4eef-8333-0123456789ab");
	assert_told(target_find(&t, s, NULL, NULL, &err), -ENODEV);
	assert_true(err.meaning[0] && err.action[0]);
	assert_told(target_find(&t, s, OTHER, NULL, &err), -ENODEV);
	assert_non_null(strstr(err.message, OTHER));
	assert_true(err.action[0]);
}

static void devices_that_are_none(void **state)
{
	(void)state;
	assert_told(target_find(&t, s, NULL, "/no/such/device", &err), -ENOENT);
	assert_told(target_find(&t, s, NULL, "/dev/null", &err), -ENOTBLK);
	assert_told(target_find(&t, s, NULL, dir, &err), -ENOTBLK);
}

static void found(void **state)
{
	(void)state;
	configure(OTHER);
	one_disk(0);
	ok(target_find(&t, s, NULL, NULL, &err));
	assert_string_equal(t.disk.uuid, uuid);
	assert_string_equal(t.disk.device, loops[0].device);
	assert_string_equal(t.disk.fstype, "ext4");
	assert_int_equal(t.disk.size_bytes, IMAGE_SIZE);
	assert_ptr_equal(t.conf, &s->disks[1]);
	assert_true(t.posix);

	t = TARGET_INIT;
	uuid[0] = 'F';
	ok(target_find(&t, s, uuid, NULL, &err));
	uuid[0] = 'f';
	assert_string_equal(t.disk.device, loops[0].device);
	t = TARGET_INIT;
	ok(target_find(&t, s, NULL, loops[0].device, &err));
	assert_string_equal(t.disk.uuid, uuid);
	assert_told(target_find(&t, s, OTHER, loops[0].device, &err), -EACCES);
	ok(target_check(&t, &err));
}

static void not_configured(void **state)
{
	(void)state;
	one_disk(0);
	s->disks[0].uuid[0] = 'e';
	assert_told(target_find(&t, s, NULL, loops[0].device, &err), -EACCES);
	assert_told(target_find(&t, s, NULL, NULL, &err), -ENODEV);
}

static void a_clone_beside_it(void **state)
{
	(void)state;
	one_disk(0);
	_cleanup_free_ char *data = malloc(IMAGE_SIZE);
	int fd = open(scratch_path(dir, "image"), O_RDONLY | O_CLOEXEC);

	assert_non_null(data);
	assert_int_equal(read(fd, data, IMAGE_SIZE), IMAGE_SIZE);
	(void)close(fd);
	scratch_write_mem(dir, "clone", data, IMAGE_SIZE);
	attach(&loops[1], "clone", 0);
	const char *const devices[] = {NULL, loops[0].device, loops[1].device};

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		err = ERR_INIT;
		assert_told(
		        target_find(&t, s, NULL, devices[i], &err), -ENOTUNIQ);
		assert_non_null(strstr(err.message, loops[0].device));
		assert_non_null(strstr(err.message, loops[1].device));
		assert_true(err.meaning[0] && err.action[0]);
	}
}

/* --- mounting ------------------------------------------------------------- */

static void find_and_mount(bool read_only)
{
	ok(target_find(&t, s, NULL, NULL, &err));
	ok(target_mount(&t, s, read_only, &err));
}

static void whole_life(void **state)
{
	uint64_t free_bytes = 0, total = 0, inodes = 0;
	char mountpoint[sizeof(t.mountpoint)];
	struct stat st;
	int fd;

	(void)state;
	one_disk(0);
	find_and_mount(false);
	assert_true(t.mounted && t.own_mountpoint && !t.mounted_read_only);
	assert_string_equal(
	        t.mountpoint, scratch_path(s->mount_directory, uuid));
	assert_int_equal(fstat(t.dest_fd, &st), 0);
	assert_int_equal(st.st_dev, t.disk.devno);
	ok(target_check(&t, &err));
	ok(target_space(&t, &free_bytes, &total, &inodes));
	assert_true(free_bytes > 0 && free_bytes <= total);
	assert_true(total <= IMAGE_SIZE);
	assert_true(inodes > 0 && inodes < 1000000);

	fd = openat(t.dest_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	(void)close(fd);
	ok(target_flush(&t, 60, NULL, NULL, &err));
	(void)snprintf(mountpoint, sizeof(mountpoint), "%s", t.mountpoint);
	ok(target_unmount(&t, &err));
	assert_false(t.mounted);
	assert_int_equal(t.root_fd, -1);
	assert_int_equal(access(mountpoint, F_OK), -1);

	/* And again: the file is there. */
	t = TARGET_INIT;
	find_and_mount(true);
	assert_true(t.mounted_read_only);
	assert_int_equal(faccessat(t.dest_fd, "file", F_OK, 0), 0);
	assert_int_equal(
	        openat(t.dest_fd, "new", O_WRONLY | O_CREAT, 0600), -1);
	assert_int_equal(errno, EROFS);
	ok(target_unmount(&t, &err));
}

static void configured_destination(void **state)
{
	(void)state;
	one_disk(0);
	scratch_set(&s->destination, scratch_path(dir, "own/place"));
	find_and_mount(false);
	assert_string_equal(t.mountpoint, scratch_path(dir, "own/place"));
	assert_false(t.own_mountpoint);
	ok(target_unmount(&t, &err));
	/* It is the administrator's. */
	assert_true(scratch_has(dir, "own/place"));
}

static void mounted_elsewhere(void **state)
{
	(void)state;
	one_disk(0);
	scratch_mkdir(dir, "elsewhere");
	assert_int_equal(mount(loops[0].device, scratch_path(dir, "elsewhere"),
	                         "ext4", 0, NULL),
	        0);
	ok(target_find(&t, s, NULL, NULL, &err));
	assert_told(target_mount(&t, s, false, &err), -EBUSY);
	assert_non_null(strstr(err.message, "/elsewhere"));
	assert_non_null(strstr(err.action, "umount"));
	assert_false(t.mounted);
	assert_int_equal(umount(scratch_path(dir, "elsewhere")), 0);
}

/* Of a run that was killed, with mount-visible. */
static void own_leftover(void **state)
{
	(void)state;
	one_disk(0);
	find_and_mount(false);
	target_done(&t);
	t = TARGET_INIT;
	find_and_mount(false);
	ok(target_unmount(&t, &err));
}

static void write_protected(void **state)
{
	(void)state;
	one_disk(LO_FLAGS_READ_ONLY);
	ok(target_find(&t, s, NULL, NULL, &err));
	assert_true(t.disk.read_only);
	assert_told(target_mount(&t, s, false, &err), -EROFS);
	assert_true(err.action[0]);
	assert_false(t.mounted);
	ok(target_mount(&t, s, true, &err));
	ok(target_unmount(&t, &err));
}

static void locked_luks(void **state)
{
	(void)state;
	(void)str_copy(t.disk.fstype, sizeof(t.disk.fstype), "crypto_LUKS");
	(void)str_copy(t.disk.device, sizeof(t.disk.device), "/dev/sdz1");
	assert_told(target_mount(&t, s, false, &err), -ENODEV);
	assert_non_null(strstr(err.action, "cryptsetup open /dev/sdz1"));
}

static void in_use(void **state)
{
	int fd;

	(void)state;
	one_disk(0);
	find_and_mount(false);
	fd = openat(t.dest_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_told(target_unmount(&t, &err), -EBUSY);
	assert_true(t.mounted);
	(void)close(fd);
	ok(target_unmount(&t, &err));
	/* Nothing to do is fine. */
	ok(target_unmount(&t, &err));
}

/* --- a disk that goes away ------------------------------------------------ */

static void write_error(void **state)
{
	(void)state;
	one_disk(0);
	find_and_mount(false);
	sync_mode = SYNC_FAILS;
	assert_told(target_flush(&t, 60, NULL, NULL, &err), -EIO);
	assert_non_null(strstr(err.meaning, "NOT good"));
	assert_true(err.action[0]);
	ok(target_unmount(&t, &err));
}

static void flush_that_hangs(void **state)
{
	(void)state;
	one_disk(0);
	find_and_mount(false);
	sync_mode = SYNC_HANGS;
	assert_told(target_flush(&t, 1, NULL, NULL, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.message, loops[0].device));
	assert_true(err.meaning[0] && err.action[0]);

	/* The same, and the disk is gone: that is what is told, at once. */
	t.disk.diskseq++;
	err = ERR_INIT;
	assert_told(target_flush(&t, 0, NULL, NULL, &err), -ENODEV);
	t.disk.diskseq--;
	ok(target_unmount(&t, &err));
}

/* --- the early flush ------------------------------------------------------ */

static void begin_early(void)
{
	one_disk(0);
	find_and_mount(false);
	assert_int_equal(pipe2(rounds, O_CLOEXEC), 0);
	target_flush_begin(&t);
	assert_non_null(t.early);
}

static void await_round(void)
{
	char x;

	assert_int_equal(read(rounds[0], &x, 1), 1);
}

/* How many rounds there were since; nobody flushes any more. */
static size_t rounds_left(void)
{
	char x[64];
	ssize_t n;

	assert_null(t.early);
	util_closep(&rounds[1]);
	n = read(rounds[0], x, sizeof(x));
	assert_true(n >= 0);
	util_closep(&rounds[0]);
	return (size_t)n;
}

static void early_rounds(void **state)
{
	(void)state;
	begin_early();
	target_flush_begin(&t); /* not a second one */
	await_round();
	await_round();
	await_round();
	target_flush_last(&t);
	target_flush_settle(&t, 60, NULL, NULL);
	/* The last one, and one that had begun. */
	assert_in_range(rounds_left(), 1, 2);
	ok(target_flush(&t, 60, NULL, NULL, &err));
	ok(target_unmount(&t, &err));
}

static void early_without_rounds(void **state)
{
	(void)state;
	one_disk(0);
	find_and_mount(false);
	assert_int_equal(pipe2(rounds, O_CLOEXEC), 0);
	target_flush_last(&t);
	target_flush_settle(&t, 60, NULL, NULL);
	assert_in_range(rounds_left(), 1, 2);
	ok(target_unmount(&t, &err));
}

/* A copy that failed never tells which round is the last. */
static void early_ended_by_flush(void **state)
{
	(void)state;
	begin_early();
	await_round();
	ok(target_flush(&t, 60, NULL, NULL, &err));
	assert_in_range(rounds_left(), 1, 3);
	ok(target_unmount(&t, &err));
}

static void early_ended_by_unmount(void **state)
{
	(void)state;
	begin_early();
	await_round();
	ok(target_unmount(&t, &err));
	(void)rounds_left();
	assert_int_equal(t.early_last_fd, -1);
}

/* It does not try again, and does not keep the error to itself. */
static void early_error(void **state)
{
	(void)state;
	sync_mode = SYNC_FAILS;
	begin_early();
	await_round();
	target_flush_settle(&t, 60, NULL, NULL);
	assert_int_equal(rounds_left(), 0);
	assert_told(target_flush(&t, 60, NULL, NULL, &err), -EIO);
	ok(target_unmount(&t, &err));
}

static void early_that_hangs(void **state)
{
	(void)state;
	sync_mode = SYNC_HANGS;
	begin_early();
	await_round();
	assert_told(target_flush(&t, 1, NULL, NULL, &err), -ETIMEDOUT);
	assert_int_equal(rounds_left(), 0);
	assert_true(t.hangs);
	ok(target_unmount(&t, &err));
}

/* Of a disk that is known to hang nobody waits for it any more. */
static void early_known_to_hang(void **state)
{
	int64_t began;

	(void)state;
	sync_mode = SYNC_HANGS;
	begin_early();
	await_round();
	t.hangs = true;
	began = clock_mono_ms();
	assert_told(target_flush(&t, 60, NULL, NULL, &err), -ETIMEDOUT);
	assert_true(clock_mono_ms() - began < 30000);
	ok(target_unmount(&t, &err));
}

static int stop(void *arg)
{
	(void)arg;
	return -1;
}

static void flush_cancelled(void **state)
{
	(void)state;
	one_disk(0);
	find_and_mount(false);
	sync_mode = SYNC_HANGS;
	assert_told(target_flush(&t, 0, stop, NULL, &err), -ECANCELED);
	ok(target_unmount(&t, &err));
}

static void pulled_out(void **state)
{
	(void)state;
	one_disk(0);
	find_and_mount(false);
	/* Another disk has its place now. */
	t.disk.diskseq++;
	assert_told(target_check(&t, &err), -ENODEV);
	assert_true(err.meaning[0] && err.action[0]);
	/* The kernel unmounts such a disk without a word. */
	err = ERR_INIT;
	assert_told(target_unmount(&t, &err), -ENODEV);
}

static void another_mount(void **state)
{
	(void)state;
	one_disk(0);
	find_and_mount(false);
	t.id.mnt_id++;
	assert_told(target_check(&t, &err), -ENODEV);
	t.id.mnt_id--;
	ok(target_unmount(&t, &err));
}

static void became_read_only(void **state)
{
	int on = 1, off = 0;

	(void)state;
	one_disk(0);
	find_and_mount(false);
	assert_int_equal(ioctl(loops[0].fd, BLKROSET, &on), 0);
	assert_told(target_check(&t, &err), -EROFS);
	assert_true(err.meaning[0] && err.action[0]);
	assert_int_equal(ioctl(loops[0].fd, BLKROSET, &off), 0);
	ok(target_unmount(&t, &err));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(nothing_configured),
	        T(nothing_attached),
	        T(devices_that_are_none),
	        T(found),
	        T(not_configured),
	        T(a_clone_beside_it),
	        T(whole_life),
	        T(configured_destination),
	        T(mounted_elsewhere),
	        T(own_leftover),
	        T(write_protected),
	        T(locked_luks),
	        T(in_use),
	        T(write_error),
	        T(flush_that_hangs),
	        T(flush_cancelled),
	        T(early_rounds),
	        T(early_without_rounds),
	        T(early_ended_by_flush),
	        T(early_ended_by_unmount),
	        T(early_error),
	        T(early_that_hangs),
	        T(early_known_to_hang),
	        T(pulled_out),
	        T(another_mount),
	        T(became_read_only),
	};

	(void)snprintf(uuid, sizeof(uuid), "f0c1a7e0-%04x-4222-8333-%012llx",
	        (unsigned)getpid() & 0xffff,
	        (unsigned long long)clock_real_ns() & 0xffffffffffff);
	can_mount = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	            mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
