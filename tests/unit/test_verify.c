/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "core/manifest.h"
#include "core/settings.h"
#include "core/target.h"
#include "core/verify.h"
#include "log.h"
#include "scratch.h"

#define UUID "0123-4567"

static char state_dir[SCRATCH_PATH], dir[SCRATCH_PATH];
static struct target t;
static struct settings *s;
static struct manifest *m;
static struct verify v;
static struct verify_result res;
static struct err err;

#define OK(call)                                                \
	do {                                                    \
		if ((call) < 0)                                 \
			fail_msg("%s: %s", #call, err.message); \
	} while (0)

/* Takes the place of the C library's: a file that begins with "Error" cannot
 * be read. */
ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	ssize_t n = syscall(SYS_pread64, fd, buf, size, offset);

	if (n >= 5 && memcmp(buf, "Error", 5) == 0) {
		errno = EIO;
		return -1;
	}
	return n;
}

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(state_dir, "verify-state");
	scratch_make(dir, "verify-disk");
	t = TARGET_INIT;
	t.dest_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.dest_fd >= 0);
	s = settings_new();
	assert_non_null(s);
	OK(manifest_open(state_dir, UUID, false, &m, NULL, &err));
	OK(manifest_run_begin(m, 1, &err));
	v = (struct verify){.manifest = m, .target = &t, .settings = s};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	manifest_closep(&m);
	settings_freep(&s);
	target_done(&t);
	scratch_remove(state_dir);
	scratch_remove(dir);
	return 0;
}

/* A file as run 1 wrote it. */
static void copied(const char *path, const char *text)
{
	char hex[HASH_HEX_SIZE];

	OK(manifest_copied(m, path, strlen(text), 1000,
	        hash_hex(hex, hash_bytes(text, strlen(text))), &err));
	scratch_write(dir, path, text);
}

static void flushed(void)
{
	OK(manifest_run_flushed(m, 1, &err));
}

static struct manifest_file get(const char *path)
{
	struct manifest_file f;

	assert_int_equal(manifest_get(m, path, &f, &err), 1);
	return f;
}

static void all_good(void **state)
{
	(void)state;
	copied("a", "content a");
	copied("b", "content b");
	copied("empty", "");
	flushed();
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.files, 3);
	assert_int_equal(res.good, 3);
	assert_int_equal(res.bytes, 18);
	assert_int_equal(res.damaged + res.missing + res.learned, 0);
	assert_int_equal(res.names_len, 0);
	assert_true(get("a").verified > 0);
}

static void one_damaged_byte(void **state)
{
	(void)state;
	copied("a", "content a");
	copied("bad\n\033[31m", "content b");
	copied("c", "content c");
	flushed();
	scratch_write(dir, "bad\n\033[31m", "cOntent b");
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.damaged, 1);
	assert_int_equal(res.good, 2);
	assert_int_equal(res.names_len, 1);
	assert_string_equal(res.names[0], "bad\n\033[31m");
	assert_int_equal(get("bad\n\033[31m").state, MANIFEST_BAD);

	verify_describe(&res, &err);
	assert_non_null(strstr(err.message, "bad\\n\\x1B[31m"));
	assert_true(err.meaning[0] && err.action[0]);
	assert_int_equal(err.code, -EIO);
}

static void missing_and_unreadable(void **state)
{
	(void)state;
	copied("gone", "content");
	copied("short", "content");
	copied("broken", "Error content");
	copied("link", "content");
	flushed();
	assert_int_equal(unlink(scratch_path(dir, "gone")), 0);
	scratch_write(dir, "short", "con");
	assert_int_equal(unlink(scratch_path(dir, "link")), 0);
	assert_int_equal(symlink("/etc/passwd", scratch_path(dir, "link")), 0);
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.missing, 3);
	assert_int_equal(res.damaged, 1);
	assert_int_equal(res.good, 0);
	assert_int_equal(res.names_len, 4);
	assert_int_equal(get("broken").state, MANIFEST_BAD);
}

static void more_names_than_fit(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 9; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		copied(name, "content");
		scratch_write(dir, name, "contenT");
	}
	flushed();
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.damaged, 9);
	assert_int_equal(res.names_len, VERIFY_NAMES);
	verify_describe(&res, &err);
	assert_memory_equal(err.message, "9 files", 7);
}

/* Files of before the manifest: the first reading is the measure. */
static void learns_hashes(void **state)
{
	(void)state;
	OK(manifest_found(m, "old", 7, 1000, &err));
	scratch_write(dir, "old", "content");
	flushed();
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.learned, 1);
	assert_int_equal(res.good, 0);
	assert_true(get("old").has_hash);
	scratch_write(dir, "old", "contenT");
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.damaged, 1);
}

static void parts(void **state)
{
	uint64_t files = 0;
	char name[32];

	(void)state;
	for (int i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		copied(name, "content");
	}
	flushed();
	for (unsigned n = 1; n <= 4; n++) {
		OK(verify_part(&v, n, 4, &res, &err));
		assert_true(res.files < 50);
		files += res.files;
	}
	assert_int_equal(files, 50);
	assert_int_equal(verify_part(&v, 0, 4, &res, &err), -EINVAL);
	assert_int_equal(verify_part(&v, 5, 4, &res, &err), -EINVAL);
	assert_int_equal(verify_part(&v, 1, 0, &res, &err), -EINVAL);
	assert_true(err.message[0]);
}

/* More than one batch: each file once, and in its part. */
static void large_parts(void **state)
{
	char name[32];
	uint64_t files = 0;

	(void)state;
	for (int i = 0; i < 9000; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		OK(manifest_found(m, name, 1, 1000, &err));
	}
	flushed();
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.missing, 9000);
	for (unsigned n = 1; n <= 2; n++) {
		OK(verify_part(&v, n, 2, &res, &err));
		files += res.missing;
	}
	assert_int_equal(files, 9000);
}

static void shares(void **state)
{
	char name[32];
	int seen = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		copied(name, "0123456789");
	}
	flushed();
	OK(verify_share(&v, 0, &res, &err));
	assert_int_equal(res.files, 0);
	/* At least one, however little that is. */
	OK(verify_share(&v, 1, &res, &err));
	assert_int_equal(res.files, 1);
	/* As if that had been some time after the others. */
	OK(manifest_set_verified(m, "f0", clock_real_s() + 60, true, &err));
	OK(manifest_commit(m, &err));
	OK(verify_share(&v, 30, &res, &err));
	assert_int_equal(res.files, 3);
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		seen += get(name).verified > 0;
	}
	/* Others than the first time. */
	assert_int_equal(seen, 4);
	OK(verify_share(&v, 100, &res, &err));
	assert_int_equal(res.files, 10);
}

/* Not one is left out by rounding. */
static void whole_share_of_little(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 99; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		copied(name, "x");
	}
	flushed();
	OK(verify_share(&v, 100, &res, &err));
	assert_int_equal(res.files, 99);
}

static void share_of_nothing(void **state)
{
	(void)state;
	flushed();
	OK(verify_share(&v, 100, &res, &err));
	OK(verify_part(&v, 1, 1, &res, &err));
	assert_int_equal(res.files, 0);
}

static int stop(const struct verify_result *so_far, void *arg)
{
	*(uint64_t *)arg = so_far->bytes;
	return -1;
}

static void cancelled(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	/* Sparse, so that it takes longer than a tick. */
	scratch_write(dir, "b", "");
	if (truncate(scratch_path(dir, "b"), INT64_C(1) << 36) < 0)
		skip();
	copied("a", "content");
	scratch_write(dir, "a", "contenT");
	OK(manifest_found(m, "b", UINT64_C(1) << 36, 1000, &err));
	flushed();
	v.on_tick = stop;
	v.arg = &bytes;
	assert_int_equal(verify_part(&v, 1, 1, &res, &err), -ECANCELED);
	assert_true(bytes > 7);
	/* What was found until then counts. */
	assert_int_equal(res.damaged, 1);
	assert_int_equal(get("a").state, MANIFEST_BAD);
	assert_false(get("b").has_hash);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(all_good),
	        T(one_damaged_byte),
	        T(missing_and_unreadable),
	        T(more_names_than_fit),
	        T(learns_hashes),
	        T(parts),
	        T(large_parts),
	        T(shares),
	        T(whole_share_of_little),
	        T(share_of_nothing),
	        T(cancelled),
	};

	/* Not even errors: every bad file is one. */
	log_init((enum log_level)(LOG_LEVEL_ERR - 1));
	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
