/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/doubt.h"
#include "core/manifest.h"
#include "core/settings.h"
#include "core/status.h"
#include "core/target.h"
#include "log.h"
#include "scratch.h"

#define UUID "0123-4567"

static char state_dir[SCRATCH_PATH], dir[SCRATCH_PATH];
static struct target t;
static struct settings *s;
static struct status st;
static struct manifest *m;
static struct err err;

#define OK(call)                                                \
	do {                                                    \
		if ((call) < 0)                                 \
			fail_msg("%s: %s", #call, err.message); \
	} while (0)

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(state_dir, "doubt-state");
	scratch_make(dir, "doubt-disk");
	t = TARGET_INIT;
	t.dest_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t.dest_fd >= 0);
	s = settings_new();
	assert_non_null(s);
	s->rsync_options = SETTINGS_RSYNC_SAFE;
	status_init(&st);
	OK(manifest_open(state_dir, UUID, false, &m, NULL, &err));
	OK(manifest_run_begin(m, 1, &err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	manifest_closep(&m);
	status_done(&st);
	settings_freep(&s);
	target_done(&t);
	scratch_remove(state_dir);
	scratch_remove(dir);
	return 0;
}

/* Run 1 copied @was to @path; what the disk has of it is @is. */
static void copied(const char *path, const char *was, const char *is)
{
	char hex[HASH_HEX_SIZE];

	OK(manifest_pending(m, path, strlen(was), -1, &err));
	OK(manifest_copied(m, path, strlen(was), 1000,
	        hash_hex(hex, hash_bytes(was, strlen(was))), &err));
	if (is)
		scratch_write(dir, path, is);
}

/* Run 1 was cut off; the next one looks. */
static int settle(void)
{
	OK(manifest_commit(m, &err));
	manifest_closep(&m);
	OK(manifest_open(state_dir, UUID, false, &m, NULL, &err));
	return doubt_settle(m, &t, s, &st, NULL, NULL, &err);
}

static int count(const struct manifest_file *f, void *arg)
{
	(void)f;
	++*(int *)arg;
	return 0;
}

static int doubtful(void)
{
	int n = 0;

	OK(manifest_doubtful(m, count, &n, &err));
	return n;
}

static int64_t mtime(const char *path)
{
	struct stat file;

	assert_int_equal(stat(scratch_path(dir, path), &file), 0);
	return file.st_mtim.tv_sec;
}

static bool known(const char *path)
{
	struct manifest_file f;
	int r = manifest_get(m, path, &f, &err);

	OK(r);
	return r == 1;
}

static void no_doubt(void **state)
{
	(void)state;
	copied("a", "content", "contenT");
	OK(manifest_run_flushed(m, 1, &err));
	assert_int_equal(settle(), 0);
	assert_int_equal(st.warnings.len, 0);
	assert_true(known("a"));
}

static void good_files_are_proven(void **state)
{
	struct manifest_file f;
	int64_t before;

	(void)state;
	copied("a", "content", "content");
	before = mtime("a");
	assert_int_equal(settle(), 0);
	assert_int_equal(mtime("a"), before);
	assert_int_equal(manifest_get(m, "a", &f, &err), 1);
	assert_int_equal(f.state, MANIFEST_PROVEN);
	assert_int_equal(doubtful(), 0);
	assert_int_equal(st.warnings.len, 1);
	assert_non_null(strstr(st.warnings.items[0], "1 good"));
	/* Durable. */
	manifest_closep(&m);
	OK(manifest_open(state_dir, UUID, false, &m, NULL, &err));
	assert_int_equal(doubtful(), 0);
}

static void damaged_files_are_copied_anew(void **state)
{
	(void)state;
	scratch_mkdir(dir, "sub");
	copied("sub/a", "content", "contenT");
	assert_int_equal(settle(), 0);
	assert_int_equal(mtime("sub/a"), 0);
	assert_false(known("sub/a"));
	assert_int_equal(doubtful(), 0);
	assert_non_null(strstr(st.warnings.items[0], "1 damaged"));
}

/* A source from 1970: the time on the disk must differ all the same. */
static void damaged_file_of_1970(void **state)
{
	const struct timespec zero[2] = {{.tv_sec = 0}, {.tv_sec = 0}};

	(void)state;
	copied("a", "content", "contenT");
	assert_int_equal(
	        utimensat(AT_FDCWD, scratch_path(dir, "a"), zero, 0), 0);
	assert_int_equal(settle(), 0);
	assert_true(mtime("a") > 2);
}

static void damaged_file_in_classic_mode(void **state)
{
	(void)state;
	s->rsync_options = SETTINGS_RSYNC_CLASSIC;
	scratch_mkdir(dir, "sub");
	copied("sub/a", "content", "contenT");
	copied("b", "content", "contenT");
	copied("c", "content", "content");
	assert_int_equal(settle(), 0);
	assert_false(scratch_has(dir, "sub/a"));
	assert_false(scratch_has(dir, "b"));
	assert_true(scratch_has(dir, "c"));
	assert_int_equal(doubtful(), 0);
}

static void begun_and_never_finished(void **state)
{
	(void)state;
	OK(manifest_pending(m, "a", 7, -1, &err));
	OK(manifest_pending(m, "b", 7, -1, &err));
	OK(manifest_pending(m, "c", 7, -1, &err));
	scratch_write(dir, "a", "content");
	scratch_write(dir, "b", "con");
	assert_int_equal(settle(), 0);
	/* Whole, but nobody knows what it should be. */
	assert_int_equal(mtime("a"), 0);
	/* rsync sees by itself what the others lack. */
	assert_true(mtime("b") > 0);
	assert_int_equal(doubtful(), 0);
	assert_false(known("a") || known("b") || known("c"));
	assert_non_null(strstr(st.warnings.items[0], "1 unknown"));
}

static void gone_meanwhile(void **state)
{
	(void)state;
	copied("a", "content", NULL);
	assert_int_equal(settle(), 0);
	assert_false(known("a"));
	assert_int_equal(st.warnings.len, 0);
}

/* A disk that was prepared: what the links lead to is left alone. */
static void links_on_the_disk(void **state)
{
	(void)state;
	s->rsync_options = SETTINGS_RSYNC_CLASSIC;
	scratch_mkdir(state_dir, "victim");
	scratch_write(state_dir, "victim/a", "contenT");
	assert_int_equal(symlink(scratch_path(state_dir, "victim"),
	                         scratch_path(dir, "sub")),
	        0);
	copied("sub/a", "content", NULL);
	copied("../victim", "content", NULL);
	(void)settle();
	assert_true(scratch_has(state_dir, "victim/a"));
}

/* More than one batch. */
static void many_files(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "f%04d", i);
		copied(name, "content", NULL);
	}
	scratch_write(dir, "f4999", "contenT");
	scratch_write(dir, "f4998", "content");
	assert_int_equal(settle(), 0);
	assert_int_equal(doubtful(), 0);
	assert_non_null(strstr(st.warnings.items[0], "1 good, 1 "));
}

static int stop(void *arg)
{
	(void)arg;
	return -1;
}

static void cancelled(void **state)
{
	(void)state;
	/* Sparse, so that it takes longer than a tick. */
	copied("a", "content", NULL);
	OK(manifest_pending(m, "b", UINT64_C(1) << 36, -1, &err));
	scratch_write(dir, "a", "contenT");
	scratch_write(dir, "b", "");
	if (truncate(scratch_path(dir, "b"), INT64_C(1) << 36) < 0)
		skip();
	OK(manifest_commit(m, &err));
	manifest_closep(&m);
	OK(manifest_open(state_dir, UUID, false, &m, NULL, &err));
	assert_int_equal(
	        doubt_settle(m, &t, s, &st, stop, NULL, &err), -ECANCELED);
	assert_int_equal(doubtful(), 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(no_doubt),
	        T(good_files_are_proven),
	        T(damaged_files_are_copied_anew),
	        T(damaged_file_of_1970),
	        T(damaged_file_in_classic_mode),
	        T(begun_and_never_finished),
	        T(gone_meanwhile),
	        T(links_on_the_disk),
	        T(many_files),
	        T(cancelled),
	};

	log_init(LOG_LEVEL_ERR);
	return cmocka_run_group_tests_name("doubt", tests, NULL, NULL);
}
