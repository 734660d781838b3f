/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/manifest.h"
#include "core/readback.h"
#include "core/target.h"
#include "scratch.h"
#include "sig.h"
#include "str.h"

static char dir[SCRATCH_PATH];
static struct target t;
static struct readback b;
static struct err err;

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(dir, "readback");
	t = TARGET_INIT;
	t.dest_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.dest_fd >= 0);
	b = READBACK_INIT;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	readback_done(&b);
	target_done(&t);
	scratch_remove(dir);
	return 0;
}

/* Expects @text (NULL: no hash known) in @path. */
static void expect(const char *path, uint64_t size, const char *text)
{
	struct manifest_file f = {.path = path, .size = size};

	if (text) {
		f.has_hash = true;
		f.hash = hash_bytes(text, strlen(text));
	}
	assert_int_equal(readback_collect(&f, &b), 0);
}

static void read_all(void)
{
	if (readback_read(&b, &t, 0, NULL, NULL, &err) != 0)
		fail_msg("%s", err.message);
}

static void nothing(void **state)
{
	(void)state;
	assert_int_equal(readback_read(&b, &t, 0, NULL, NULL, &err), 0);
	assert_int_equal(b.bytes_read, 0);
}

static void each_verdict(void **state)
{
	struct hash128 h = hash_bytes("unknown", 7);

	(void)state;
	scratch_mkdir(dir, "sub");
	scratch_write(dir, "sub/good", "content");
	scratch_write(dir, "bad", "contenT");
	scratch_write(dir, "short", "conte");
	scratch_write(dir, "unknown", "unknown");
	scratch_write(dir, "empty", "");
	scratch_mkdir(dir, "directory");
	assert_int_equal(symlink("sub/good", scratch_path(dir, "link")), 0);
	assert_int_equal(symlink("sub", scratch_path(dir, "linkdir")), 0);
	assert_int_equal(mkfifo(scratch_path(dir, "fifo"), 0600), 0);

	expect("sub/good", 7, "content");
	expect("bad", 7, "content");
	expect("short", 7, "content");
	expect("unknown", 7, NULL);
	expect("empty", 0, "");
	expect("no/such", 7, "content");
	expect("directory", 7, "content");
	expect("link", 7, "content");
	expect("linkdir/good", 7, "content");
	expect("fifo", 7, "content");
	expect("sub/good/x", 7, "content");
	assert_int_equal(b.bytes, 70);
	read_all();
	assert_int_equal(b.items[0].verdict, READBACK_SAME);
	assert_int_equal(b.items[1].verdict, READBACK_OTHER);
	assert_int_equal(b.items[2].verdict, READBACK_CHANGED);
	assert_int_equal(b.items[3].verdict, READBACK_NO_HASH);
	assert_true(hash_equal(b.items[3].hash, h));
	assert_int_equal(b.items[4].verdict, READBACK_SAME);
	for (size_t i = 5; i < b.len; i++)
		assert_int_equal(b.items[i].verdict, READBACK_MISSING);
	assert_int_equal(b.bytes_read, 21);
}

/* A name that leads out of the disk is never opened. */
static void outside(void **state)
{
	(void)state;
	expect("../x", 1, "x");
	expect("/etc/passwd", 1, "x");
	read_all();
	assert_int_equal(b.items[0].verdict, READBACK_ERROR);
	assert_int_equal(b.items[1].verdict, READBACK_ERROR);
}

static void hostile_names(void **state)
{
	(void)state;
	scratch_write(dir, "a\nb\377", "content");
	expect("a\nb\377", 7, "content");
	read_all();
	assert_int_equal(b.items[0].verdict, READBACK_SAME);
}

/* More than a MiB: the bytes are sums, not sums of sums. */
static void large_file(void **state)
{
	size_t size = (5 << 20) + 123;
	char *data = calloc(1, size);

	(void)state;
	assert_non_null(data);
	memset(data, 'x', size - 1);
	data[size - 1] = 'y';
	scratch_write_mem(dir, "large", data, size);
	scratch_write(dir, "small", "content");
	struct manifest_file f = {.path = "large",
	        .size = size,
	        .has_hash = true,
	        .hash = hash_bytes(data, size)};
	assert_int_equal(readback_collect(&f, &b), 0);
	expect("small", 7, "content");
	read_all();
	assert_int_equal(b.items[0].verdict, READBACK_SAME);
	assert_int_equal(b.items[1].verdict, READBACK_SAME);
	assert_int_equal(b.bytes_read, size + 7);

	/* One bit, in the middle. */
	data[size / 2] ^= 1;
	scratch_write_mem(dir, "large", data, size);
	read_all();
	assert_int_equal(b.items[0].verdict, READBACK_OTHER);
	free(data);
}

static void batches(void **state)
{
	struct manifest_file f = {.path = "x", .size = 1};

	(void)state;
	for (int i = 0; i < READBACK_FILES - 1; i++)
		assert_int_equal(readback_collect(&f, &b), 0);
	assert_false(b.more);
	assert_int_equal(readback_collect(&f, &b), 1);
	assert_true(b.more);
	assert_int_equal(b.len, READBACK_FILES);
	readback_done(&b);
	assert_int_equal(b.len, 0);
	assert_false(b.more);

	f.size = READBACK_BYTES - 1;
	assert_int_equal(readback_collect(&f, &b), 0);
	assert_int_equal(readback_collect(&f, &b), 1);
	/* Without a limit. */
	assert_int_equal(readback_collect_all(&f, &b), 0);
	assert_int_equal(b.len, 3);
}

/* --- ends before the end -------------------------------------------------- */

/* Takes the place of the C library's: what a file begins with says how the
 * disk behaves when it is read. */
ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	ssize_t n = syscall(SYS_pread64, fd, buf, size, offset);

	if (n < 5)
		return n;
	while (memcmp(buf, "Hangs", 5) == 0)
		(void)pause();
	errno = memcmp(buf, "Error", 5) == 0    ? EIO
	        : memcmp(buf, "Memory", 5) == 0 ? ENOMEM
	                                        : 0;
	return errno ? -1 : n;
}

static void expect_files(void)
{
	scratch_write(dir, "first", "content");
	scratch_write(dir, "second", "Hangs");
	scratch_write(dir, "third", "content");
	expect("first", 7, "content");
	expect("second", 5, "Hangs");
	expect("third", 7, "content");
}

static int cancel_when_read(void *arg)
{
	const struct readback *r = arg;

	return r->bytes_read >= 7;
}

static void cancelled(void **state)
{
	(void)state;
	expect_files();
	assert_int_equal(readback_read(&b, &t, 0, cancel_when_read, &b, &err),
	        -ECANCELED);
	assert_int_equal(b.items[0].verdict, READBACK_SAME);
	assert_int_equal(b.items[1].verdict, READBACK_NOT_READ);
	assert_int_equal(b.items[2].verdict, READBACK_NOT_READ);
}

static void disk_does_not_answer(void **state)
{
	(void)state;
	expect_files();
	(void)str_copy(t.disk.device, sizeof(t.disk.device), "/dev/sdz1");
	assert_int_equal(
	        readback_read(&b, &t, 1, NULL, NULL, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.message, "/dev/sdz1"));
	assert_true(err.action[0]);
	assert_int_equal(b.items[0].verdict, READBACK_SAME);
	assert_int_equal(b.items[2].verdict, READBACK_NOT_READ);
}

static int send_signal(void *arg)
{
	(void)arg;
	(void)kill(getpid(), SIGTERM);
	return 0;
}

static void ended_by_a_signal(void **state)
{
	(void)state;
	expect_files();
	assert_int_equal(
	        readback_read(&b, &t, 0, send_signal, NULL, &err), -ECANCELED);
	sig_reset();
}

static void cannot_be_read(void **state)
{
	(void)state;
	scratch_write(dir, "a", "Error");
	scratch_write(dir, "b", "content");
	expect("a", 5, "Error");
	expect("b", 7, "content");
	read_all();
	assert_int_equal(b.items[0].verdict, READBACK_ERROR);
	assert_int_equal(b.items[1].verdict, READBACK_SAME);
}

/* No memory here is no damage there. */
static void no_memory(void **state)
{
	(void)state;
	scratch_write(dir, "a", "Memory");
	expect("a", 6, "Memory");
	assert_int_equal(readback_read(&b, &t, 0, NULL, NULL, &err), -ENOMEM);
	assert_int_equal(b.items[0].verdict, READBACK_NOT_READ);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(nothing),
	        T(each_verdict),
	        T(outside),
	        T(hostile_names),
	        T(large_file),
	        T(batches),
	        T(cancelled),
	        T(disk_does_not_answer),
	        T(ended_by_a_signal),
	        T(cannot_be_read),
	        T(no_memory),
	};

	if (sig_init(NULL) < 0)
		return 1;
	return cmocka_run_group_tests_name("readback", tests, NULL, NULL);
}
