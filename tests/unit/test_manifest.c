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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "err.h"
#include "clock.h"
#include "core/manifest.h"
#include "util.h"

#define UUID "0A1B2C3D-1111-2222-3333-444455556666"
#define FILE_NAME "0a1b2c3d-1111-2222-3333-444455556666.db"
#define HASH_A "a96faf705af16834e6c632b61e964e1f"
#define HASH_B "4b2212e31ac97fd4575a0b1c44d8843f"

/* --- a state directory for each test ------------------------------------- */

static char state[256];

static int setup(void **unused)
{
	const char *tmp = getenv("TMPDIR");

	(void)unused;
	(void)snprintf(state, sizeof(state), "%s/test_manifest.XXXXXX",
	        tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(state) ? 0 : -1;
}

static void remove_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		(void)closedir(d);
	(void)rmdir(dir);
}

static int teardown(void **unused)
{
	char dir[300];

	(void)unused;
	(void)snprintf(dir, sizeof(dir), "%s/manifest", state);
	remove_all(dir);
	(void)snprintf(dir, sizeof(dir), "%s/tree", state);
	remove_all(dir);
	return rmdir(state);
}

static const char *file_path(const char *suffix)
{
	static char p[400];

	(void)snprintf(
	        p, sizeof(p), "%s/manifest/" FILE_NAME "%s", state, suffix);
	return p;
}

static struct err err; /* of the last call */

#define OK(call)                                                       \
	do {                                                           \
		int _r;                                                \
		err = ERR_INIT;                                        \
		_r = (call);                                           \
		if (_r < 0)                                            \
			fail_msg("%s: %d %s", #call, _r, err.message); \
	} while (0)

static struct manifest *open_it(void)
{
	struct manifest *m = NULL;

	OK(manifest_open(state, UUID, false, &m, NULL, &err));
	assert_non_null(m);
	return m;
}

/* Lists as text, one line per file: path, state, hash known. */
static int describe(const struct manifest_file *f, void *arg)
{
	buf_printf(arg, "%s:%d%s\n", f->path, (int)f->state,
	        f->has_hash ? "h" : "");
	return 0;
}

#define assert_list(call, want)                           \
	do {                                              \
		_cleanup_buf_ struct buf list = BUF_INIT; \
		OK(call);                                 \
		assert_string_equal(list.data, want);     \
	} while (0)
#define assert_doubtful(m, want) \
	assert_list(manifest_doubtful(m, describe, &list, &err), want)
#define assert_to_verify(m, max, want) \
	assert_list(                   \
	        manifest_next_to_verify(m, max, describe, &list, &err), want)

/* A whole good run that copies @path. */
static void good_run(struct manifest *m, int64_t run, const char *path,
        uint64_t size, const char *hash)
{
	OK(manifest_run_begin(m, run, &err));
	OK(manifest_pending(m, path, size, -1, &err));
	OK(manifest_commit(m, &err));
	OK(manifest_copied(m, path, size, 1000, hash, &err));
	OK(manifest_run_flushed(m, run, &err));
}

/* --- tests --------------------------------------------------------------- */

static void opens(void **unused)
{
	struct manifest *m = NULL;
	struct stat st;
	bool damaged = true;

	(void)unused;
	assert_int_equal(
	        manifest_open(state, UUID, true, &m, NULL, &err), -ENOENT);
	assert_null(m);
	assert_int_equal(
	        manifest_open(state, UUID, false, &m, &damaged, &err), 0);
	assert_false(damaged);
	manifest_closep(&m);
	assert_int_equal(stat(file_path(""), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(
	        manifest_open(state, UUID, true, &m, &damaged, &err), 0);
	assert_int_equal(manifest_run_begin(m, 1, &err), -EROFS);
	manifest_closep(&m);
	manifest_close(NULL);

	char zeros[65] = {0};
	memset(zeros, '0', 64);
	const char *const bad[] = {"", "../x", "a/b", "a.b", "abcg", zeros};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(
		        manifest_open(state, bad[i], false, &m, NULL, &err),
		        -EINVAL);
	assert_int_equal(
	        manifest_open("/proc/nowhere", UUID, false, &m, NULL, &err) < 0,
	        1);
	assert_null(m);
}

static void one_good_run(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	struct manifest_file f;
	int64_t last = -1;

	(void)unused;
	OK(manifest_last_run(m, &last, &err));
	assert_int_equal(last, 0);
	assert_int_equal(manifest_get(m, "a", &f, &err), 0);
	good_run(m, 7, "a", 10, HASH_A);
	OK(manifest_last_run(m, &last, &err));
	assert_int_equal(last, 7);

	assert_int_equal(manifest_get(m, "a", &f, &err), 1);
	assert_string_equal(f.path, "a");
	assert_int_equal(f.size, 10);
	assert_int_equal(f.mtime_s, 1000);
	assert_int_equal(f.run, 7);
	assert_int_equal(f.verified, 0);
	assert_int_equal(f.state, MANIFEST_COPIED);
	assert_true(f.has_hash);
	assert_true(hash_equal(f.hash, hash_bytes("a", 1)));
	assert_doubtful(m, "");
}

static void writing_needs_a_run(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();

	(void)unused;
	assert_int_equal(manifest_pending(m, "a", 1, 0, &err), -EINVAL);
	assert_int_equal(manifest_copied(m, "a", 1, 0, NULL, &err), -EINVAL);
	assert_int_equal(manifest_run_begin(m, 0, &err), -EINVAL);
	assert_int_equal(manifest_run_flushed(m, 5, &err), -ENOENT);
	assert_int_equal(manifest_set_verified(m, "a", 1, true, &err), -ENOENT);
	assert_int_equal(
	        manifest_set_hash(m, "a", 1, hash_bytes("", 0), &err), -ENOENT);
	/* That was no failed write. */
	OK(manifest_commit(m, &err));
	OK(manifest_deleted(m, "a", &err));
	OK(manifest_commit(m, &err));
	OK(manifest_commit(m, &err));
}

static void hashes_that_are_none(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	static const char *const bad[] = {NULL, "", "abc", HASH_A "0",
	        "                                "};
	struct manifest_file f;

	(void)unused;
	OK(manifest_run_begin(m, 1, &err));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		OK(manifest_copied(m, "a", 1, 0, HASH_A, &err));
		OK(manifest_copied(m, "a", 1, 0, bad[i], &err));
		assert_int_equal(manifest_get(m, "a", &f, &err), 1);
		assert_false(f.has_hash);
	}
}

static void pending_forgets_the_old(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	struct manifest_file f;

	(void)unused;
	good_run(m, 1, "a", 10, HASH_A);
	OK(manifest_run_begin(m, 2, &err));
	OK(manifest_set_verified(m, "a", 500, true, &err));
	OK(manifest_pending(m, "a", 20, 10, &err));
	assert_int_equal(manifest_get(m, "a", &f, &err), 1);
	assert_int_equal(f.state, MANIFEST_PENDING);
	assert_false(f.has_hash);
	assert_int_equal(f.size, 20);
	assert_int_equal(f.old_size, 10);
	assert_int_equal(f.verified, 0);
	assert_int_equal(f.run, 2);
}

static void doubtful_after_runs_that_broke_off(void **unused)
{
	struct manifest *m = open_it();

	(void)unused;
	good_run(m, 1, "good", 10, HASH_A);
	good_run(m, 2, "again", 10, HASH_A);
	OK(manifest_run_begin(m, 3, &err));
	OK(manifest_pending(m, "again", 11, 10, &err));
	OK(manifest_pending(m, "new", 12, -1, &err));
	OK(manifest_pending(m, "no-hash", 12, -1, &err));
	OK(manifest_commit(m, &err));
	OK(manifest_copied(m, "new", 12, 5, HASH_B, &err));
	OK(manifest_copied(m, "no-hash", 12, 5, "", &err));
	OK(manifest_commit(m, &err));
	/* While it goes on nothing of it is doubtful. */
	assert_doubtful(m, "");
	manifest_closep(&m);

	m = open_it();
	assert_doubtful(m, "again:0\nnew:1h\nno-hash:1\n");
	assert_to_verify(m, UINT64_MAX, "good:1h\n");
	OK(manifest_run_begin(m, 4, &err));
	assert_doubtful(m, "again:0\nnew:1h\nno-hash:1\n");

	/* Three ways out of it. */
	OK(manifest_set_verified(m, "new", 900, true, &err));
	OK(manifest_deleted(m, "again", &err));
	OK(manifest_pending(m, "no-hash", 12, 12, &err));
	assert_doubtful(m, "");
	OK(manifest_run_flushed(m, 4, &err));
	manifest_closep(&m);

	/* Still pending, though its run was flushed. */
	m = open_it();
	assert_doubtful(m, "no-hash:0\n");
	manifest_closep(&m);
}

static void bad_files_are_doubtful(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	struct manifest_file f;

	(void)unused;
	good_run(m, 1, "a", 10, HASH_A);
	OK(manifest_set_verified(m, "a", 500, true, &err));
	OK(manifest_set_verified(m, "a", 900, false, &err));
	assert_int_equal(manifest_get(m, "a", &f, &err), 1);
	assert_int_equal(f.state, MANIFEST_BAD);
	assert_int_equal(f.verified, 500);
	assert_doubtful(m, "a:3h\n");
	assert_to_verify(m, UINT64_MAX, "");
	/* Copied anew it is as good as any. */
	good_run(m, 2, "a", 10, HASH_A);
	assert_doubtful(m, "");
	/* Bad in its very own run, too. */
	OK(manifest_set_verified(m, "a", 901, false, &err));
	assert_doubtful(m, "a:3h\n");
}

/* The disk may have it in its cache only. */
static void not_proven_in_its_own_run(void **unused)
{
	struct manifest *m = open_it();
	struct manifest_file f;

	(void)unused;
	OK(manifest_run_begin(m, 1, &err));
	OK(manifest_copied(m, "a", 1, 1, HASH_A, &err));
	OK(manifest_set_verified(m, "a", 500, true, &err));
	OK(manifest_commit(m, &err));
	assert_int_equal(manifest_get(m, "a", &f, &err), 1);
	assert_int_equal(f.state, MANIFEST_COPIED);
	assert_int_equal(f.verified, 500);
	manifest_closep(&m);
	m = open_it();
	assert_doubtful(m, "a:1h\n");
	OK(manifest_set_verified(m, "a", 600, true, &err));
	assert_doubtful(m, "");
	manifest_closep(&m);
}

static void clears(void **unused)
{
	struct manifest *m = open_it();
	struct manifest_totals t;
	int64_t last = 0;

	(void)unused;
	good_run(m, 5, "a", 1, HASH_A);
	OK(manifest_run_begin(m, 6, &err));
	OK(manifest_copied(m, "b", 1, 1, HASH_A, &err));
	OK(manifest_clear(m, &err));
	manifest_closep(&m);
	m = open_it();
	OK(manifest_totals(m, &t, &err));
	assert_int_equal(t.files + t.pending, 0);
	OK(manifest_last_run(m, &last, &err));
	assert_int_equal(last, 6);
	manifest_closep(&m);
}

static void run_number_used_twice(void **unused)
{
	struct manifest *m = open_it();

	(void)unused;
	good_run(m, 1, "a", 1, HASH_A);
	OK(manifest_run_begin(m, 1, &err));
	manifest_closep(&m);
	m = open_it();
	assert_doubtful(m, "a:1h\n");
	manifest_closep(&m);
}

static void found_files(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	struct manifest_file f;

	(void)unused;
	OK(manifest_found(m, "old", 5, 77, &err));
	assert_int_equal(manifest_get(m, "old", &f, &err), 1);
	assert_int_equal(f.state, MANIFEST_COPIED);
	assert_false(f.has_hash);
	assert_int_equal(f.run, 0);
	assert_int_equal(f.mtime_s, 77);
	assert_doubtful(m, "");

	good_run(m, 1, "new", 6, HASH_A);
	OK(manifest_found(m, "new", 6, 88, &err));
	assert_int_equal(manifest_get(m, "new", &f, &err), 1);
	assert_true(f.has_hash);
	/* Another size: what we knew is not what lies there. */
	OK(manifest_found(m, "new", 7, 88, &err));
	assert_int_equal(manifest_get(m, "new", &f, &err), 1);
	assert_false(f.has_hash);
	assert_int_equal(f.size, 7);

	OK(manifest_set_hash(m, "old", 500, hash_bytes("a", 1), &err));
	assert_int_equal(manifest_get(m, "old", &f, &err), 1);
	assert_true(f.has_hash);
	assert_true(hash_equal(f.hash, hash_bytes("a", 1)));
	assert_int_equal(f.verified, 500);
	assert_int_equal(f.state, MANIFEST_PROVEN);
}

static void what_to_verify_next(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	int64_t now = clock_real_s();

	(void)unused;
	good_run(m, 2, "later", 100, HASH_A);
	good_run(m, 1, "zz-first", 100, HASH_A);
	good_run(m, 3, "seen-old", 100, HASH_A);
	good_run(m, 4, "seen-new", 100, HASH_A);
	/* A reading counts like a writing: the later one is the last proof. */
	OK(manifest_set_verified(m, "seen-old", now + 500, true, &err));
	OK(manifest_set_verified(m, "seen-new", now + 600, true, &err));

	assert_to_verify(m, UINT64_MAX,
	        "zz-first:1h\nlater:1h\nseen-old:2h\nseen-new:1h\n");
	assert_to_verify(m, 300, "zz-first:1h\nlater:1h\nseen-old:2h\n");
	assert_to_verify(m, 299, "zz-first:1h\nlater:1h\n");
	/* Always one. */
	assert_to_verify(m, 99, "zz-first:1h\n");
	assert_to_verify(m, 0, "zz-first:1h\n");
	OK(manifest_set_verified(m, "zz-first", now + 700, true, &err));
	assert_to_verify(m, 0, "later:1h\n");
}

static int stop_at_second(const struct manifest_file *f, void *arg)
{
	int *calls = arg;

	(void)f;
	return ++*calls == 2 ? 42 : 0;
}

static void callbacks_can_stop(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	int calls = 0;

	(void)unused;
	for (int i = 0; i < 5; i++) {
		char name[] = "a0";

		name[1] = (char)('0' + i);
		OK(manifest_found(m, name, 1, 1, &err));
	}
	assert_int_equal(
	        manifest_part(m, 1, 1, stop_at_second, &calls, NULL), 42);
	assert_int_equal(calls, 2);
	calls = 0;
	assert_int_equal(manifest_next_to_verify(
	                         m, UINT64_MAX, stop_at_second, &calls, NULL),
	        42);
	assert_int_equal(calls, 2);
}

static int count(const struct manifest_file *f, void *arg)
{
	int *n = arg;

	(void)f;
	++*n;
	return 0;
}

static void parts(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	int total = 0;

	(void)unused;
	OK(manifest_run_begin(m, 1, &err));
	for (int i = 0; i < 1000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "dir/file-%d", i);
		OK(manifest_copied(m, name, 1, 1, NULL, &err));
	}
	OK(manifest_pending(m, "pending", 1, 1, &err));
	for (unsigned n = 1; n <= 7; n++) {
		int here = 0, again = 0;

		OK(manifest_part(m, n, 7, count, &here, &err));
		OK(manifest_part(m, n, 7, count, &again, &err));
		assert_int_equal(here, again);
		/* Even enough. */
		assert_in_range(here, 80, 220);
		total += here;
	}
	assert_int_equal(total, 1000);
	assert_int_equal(manifest_part(m, 0, 7, count, &total, &err), -EINVAL);
	assert_int_equal(manifest_part(m, 8, 7, count, &total, &err), -EINVAL);
	assert_int_equal(manifest_part(m, 1, 0, count, &total, &err), -EINVAL);
}

struct changer {
	struct manifest *m;
	int seen;
};

/* Changes, deletes and commits in the middle of the list. */
static int change(const struct manifest_file *f, void *arg)
{
	struct changer *c = arg;
	_cleanup_free_ char *path = strdup(f->path);

	c->seen++;
	if (c->seen % 3 == 0)
		OK(manifest_deleted(c->m, path, &err));
	else if (c->seen % 3 == 1)
		OK(manifest_set_verified(c->m, path, 900, true, &err));
	else
		OK(manifest_pending(c->m, path, 5, 4, &err));
	if (c->seen % 10 == 0)
		OK(manifest_commit(c->m, &err));
	return 0;
}

static void changes_while_listing(void **unused)
{
	struct manifest *m = open_it();
	struct changer c;
	struct manifest_totals t;

	(void)unused;
	OK(manifest_run_begin(m, 1, &err));
	for (int i = 0; i < 3000; i++) {
		char name[100];

		(void)snprintf(name, sizeof(name), "some/dir/%08d-%040d", i, i);
		OK(manifest_pending(m, name, 4, -1, &err));
	}
	OK(manifest_commit(m, &err));
	manifest_closep(&m);

	m = open_it();
	OK(manifest_run_begin(m, 2, &err));
	c = (struct changer){.m = m};
	OK(manifest_doubtful(m, change, &c, &err));
	assert_int_equal(c.seen, 3000);
	OK(manifest_commit(m, &err));
	assert_doubtful(m, "");
	OK(manifest_totals(m, &t, &err));
	assert_int_equal(t.files, 1000);
	assert_int_equal(t.pending, 1000);

	c = (struct changer){.m = m};
	OK(manifest_next_to_verify(m, UINT64_MAX, change, &c, &err));
	assert_int_equal(c.seen, 1000);
	manifest_closep(&m);
}

static void totals(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	struct manifest_totals t;

	(void)unused;
	OK(manifest_totals(m, &t, &err));
	assert_int_equal(t.files, 0);
	assert_int_equal(t.bytes, 0);
	assert_int_equal(t.oldest_verified, 0);

	good_run(m, 1, "a", 100, HASH_A);
	good_run(m, 2, "b", (uint64_t)1 << 42, HASH_A);
	OK(manifest_found(m, "c", 1, 1, &err));
	OK(manifest_run_begin(m, 3, &err));
	OK(manifest_pending(m, "d", 1000, -1, &err));
	OK(manifest_set_verified(m, "b", 600, true, &err));
	OK(manifest_set_verified(m, "c", 500, false, &err));
	OK(manifest_totals(m, &t, &err));
	assert_int_equal(t.files, 3);
	assert_true(t.bytes == ((uint64_t)1 << 42) + 101);
	assert_int_equal(t.pending, 1);
	assert_int_equal(t.bad, 1);
	assert_int_equal(t.without_hash, 1);
	assert_int_equal(t.never_verified, 2);
	assert_int_equal(t.oldest_verified, 600);
}

/* --- export -------------------------------------------------------------- */

static char *export_text(struct manifest *m, struct manifest_exported *ret)
{
	char path[300];
	_cleanup_close_ int fd = -1;
	char *text = calloc(1, 1 << 20);

	(void)snprintf(path, sizeof(path), "%s/manifest/export", state);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	OK(manifest_export(m, fd, ret, &err));
	assert_true(pread(fd, text, (1 << 20) - 1, 0) >= 0);
	return text;
}

static void exports(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	_cleanup_free_ char *text = NULL;
	struct manifest_exported n;
	static const char *const names[] = {"b", "a/x y", "back\\slash",
	        "new\nline\r\\", "cr\r", "stdin", "sub/stdin", "bad\xff", "-",
	        " lead", "#x"};

	(void)unused;
	OK(manifest_run_begin(m, 1, &err));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		OK(manifest_copied(m, names[i], 1, 1, HASH_A, &err));
	OK(manifest_copied(m, "unknown", 1, 1, NULL, &err));
	OK(manifest_pending(m, "pending", 1, 1, &err));
	OK(manifest_copied(m, "wrong", 1, 1, HASH_B, &err));
	OK(manifest_set_verified(m, "wrong", 1, false, &err));
	text = export_text(m, &n);
	/* clang-format off */
	assert_string_equal(text,
	        HASH_A "   lead\n"
	        HASH_A "  #x\n"
	        HASH_A "  -\n"
	        HASH_A "  a/x y\n"
	        HASH_A "  b\n"
	        HASH_A "  back\\slash\n"
	        HASH_A "  bad\xff\n"
	        HASH_A "  cr\r\n"
	        "\\" HASH_A "  new\\nline\\r\\\\\n"
	        HASH_A "  ./stdin\n"
	        HASH_A "  sub/stdin\n"
	        HASH_B "  wrong\n");
	/* clang-format on */
	assert_int_equal(n.written, 12);
	assert_int_equal(n.without_hash, 1);
	assert_int_equal(n.escaped, 1);
}

static void export_errors(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct manifest_exported n = {9, 9, 9};

	(void)unused;
	OK(manifest_export(m, full, &n, &err));
	assert_int_equal(n.written, 0);
	good_run(m, 1, "a", 1, HASH_A);
	n.written = 9;
	assert_int_equal(manifest_export(m, full, &n, &err), -ENOSPC);
	assert_int_equal(n.written, 9);
	assert_int_equal(manifest_export(m, -1, &n, &err), -EBADF);
}

/* More than one piece. */
static void exports_many(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	_cleanup_free_ char *text = NULL;
	struct manifest_exported n;
	size_t lines = 0;

	(void)unused;
	OK(manifest_run_begin(m, 1, &err));
	for (int i = 0; i < 5000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%d", i);
		OK(manifest_copied(m, name, 1, 1, HASH_A, &err));
	}
	text = export_text(m, &n);
	for (char *p = text; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 5000);
	assert_int_equal(n.written, 5000);
	assert_non_null(strstr(text, "\n" HASH_A "  999\n"));
}

/* What xxhsum itself says, where it is installed. */
static void xxhsum_agrees(void **unused)
{
	_cleanup_(manifest_closep) struct manifest *m = NULL;
	_cleanup_free_ char *text = NULL;
	struct manifest_exported n;
	static const char *const names[] = {"plain", "back\\nslash", "stdin",
	        "-", "cr\r", " lead", "bad\xff", "\\first"};
	pid_t pid;
	int status;
	char tree[300];

	(void)unused;
	if (access("/usr/bin/xxhsum", X_OK) < 0)
		skip();
	m = open_it();
	(void)snprintf(tree, sizeof(tree), "%s/tree", state);
	assert_int_equal(mkdir(tree, 0700), 0);
	OK(manifest_run_begin(m, 1, &err));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[400];
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%s", tree, names[i]);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "a", 1), 1);
		(void)close(fd);
		OK(manifest_copied(m, names[i], 1, 1, HASH_A, &err));
	}
	text = export_text(m, &n);

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		(void)dup2(null, 0);
		(void)dup2(null, 1);
		if (chdir(tree) < 0)
			_exit(9);
		(void)execl("/usr/bin/xxhsum", "xxhsum", "--strict", "-c",
		        "../manifest/export", (char *)NULL);
		_exit(9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- faults -------------------------------------------------------------- */

/* The file on disk must not be older than what was promised as durable, and
 * never believe more than that.  Dies after @step of the calls below. */
static void die_after(int step)
{
	struct manifest *m = NULL;
	int r = manifest_open(state, UUID, false, &m, NULL, NULL);

#define STEP(n, call)                                  \
	do {                                           \
		if (r < 0)                             \
			_exit(1);                      \
		if (step == (n))                       \
			(void)kill(getpid(), SIGKILL); \
		r = (call);                            \
	} while (0)
	STEP(0, manifest_run_begin(m, 2, NULL));
	STEP(1, manifest_pending(m, "a", 20, 10, NULL));
	STEP(2, manifest_pending(m, "b", 20, -1, NULL));
	STEP(3, manifest_commit(m, NULL));
	STEP(4, manifest_copied(m, "a", 20, 5, HASH_B, NULL));
	STEP(5, manifest_commit(m, NULL));
	STEP(6, manifest_copied(m, "b", 20, 5, HASH_B, NULL));
	STEP(7, manifest_run_flushed(m, 2, NULL));
	STEP(8, 0);
	_exit(2);
}

static void crashes(void **unused)
{
	static const char *const want[] = {"", "", "", "", "a:0\nb:0\n",
	        "a:0\nb:0\n", "a:1h\nb:0\n", "a:1h\nb:0\n", ""};

	(void)unused;
	for (int step = 0; step <= 8; step++) {
		struct manifest *m = open_it();
		bool damaged = true;
		int status;
		pid_t pid;

		OK(manifest_deleted(m, "b", &err));
		good_run(m, 1, "a", 10, HASH_A);
		manifest_closep(&m);

		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			die_after(step);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));

		OK(manifest_open(state, UUID, false, &m, &damaged, &err));
		assert_false(damaged);
		assert_doubtful(m, want[step]);
		/* The next crash hits a manifest that was just recovered. */
		manifest_closep(&m);
	}
}

static void not_committed_is_forgotten(void **unused)
{
	struct manifest *m = open_it();
	struct manifest_file f;

	(void)unused;
	OK(manifest_run_begin(m, 1, &err));
	OK(manifest_copied(m, "a", 1, 1, HASH_A, &err));
	manifest_closep(&m);
	m = open_it();
	assert_int_equal(manifest_get(m, "a", &f, NULL), 0);
	manifest_closep(&m);
}

/* After an error in the middle nothing of the batch becomes durable, and the
 * commit says so. */
static void failed_write_sticks(void **unused)
{
	pid_t pid;
	int status;

	(void)unused;
	manifest_close(open_it());
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit lim = {300 * 1024, 300 * 1024};
		struct manifest *m = NULL;
		int r, i;

		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &lim);
		if (manifest_open(state, UUID, false, &m, NULL, NULL) < 0 ||
		        manifest_run_begin(m, 1, NULL) < 0)
			_exit(1);
		for (r = 0, i = 0; r == 0 && i < 200000; i++) {
			char name[200];

			(void)snprintf(name, sizeof(name), "%0150d", i);
			r = manifest_pending(m, name, 1, 1, NULL);
		}
		if (r == 0 || manifest_pending(m, "x", 1, 1, NULL) != r ||
		        manifest_deleted(m, "x", NULL) != r ||
		        manifest_commit(m, &err) != r || err.code != r)
			_exit(2);
		/* And works again. */
		lim.rlim_cur = lim.rlim_max;
		if (manifest_pending(m, "after", 1, 1, NULL) != 0 ||
		        manifest_commit(m, NULL) != 0)
			_exit(3);
		manifest_closep(&m);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	_cleanup_(manifest_closep) struct manifest *m = open_it();
	assert_doubtful(m, "after:0\n");
}

static void overwrite(const char *path, off_t off, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	char junk[8192];

	assert_true(fd >= 0);
	memset(junk, 0xa5, sizeof(junk));
	assert_int_equal(pwrite(fd, junk, len, off), (ssize_t)len);
}

static void fill(struct manifest *m)
{
	OK(manifest_run_begin(m, 1, &err));
	for (int i = 0; i < 2000; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "dir/%040d", i);
		OK(manifest_copied(m, name, 1, 1, HASH_A, &err));
	}
	OK(manifest_run_flushed(m, 1, &err));
}

/* In its header, in the middle, and cut off. */
static void damaged_files(void **unused)
{
	(void)unused;
	for (int kind = 0; kind < 3; kind++) {
		struct manifest *m = open_it();
		struct manifest_totals t;
		bool damaged = false;
		int fd;

		fill(m);
		manifest_closep(&m);
		if (kind == 0)
			overwrite(file_path(""), 0, 100);
		else if (kind == 1)
			overwrite(file_path(""), (off_t)12 * 4096, 4096);
		else
			assert_int_equal(truncate(file_path(""), 20 * 4096), 0);
		/* Log files without meaning go with it. */
		fd = open(file_path("-wal"), O_WRONLY | O_CREAT | O_CLOEXEC,
		        0600);
		assert_int_equal(write(fd, "junk", 4), 4);
		(void)close(fd);

		OK(manifest_open(state, UUID, false, &m, &damaged, &err));
		assert_true(damaged);
		assert_int_equal(access(file_path(".damaged"), F_OK), 0);
		OK(manifest_totals(m, &t, &err));
		assert_int_equal(t.files, 0);
		good_run(m, 9, "a", 1, HASH_A);
		manifest_closep(&m);
		OK(manifest_open(state, UUID, false, &m, &damaged, &err));
		assert_false(damaged);
		manifest_closep(&m);
	}
}

/* A log that is left over and in itself whole must not be played into the new
 * file. */
static void damaged_with_a_log(void **unused)
{
	struct manifest *m = open_it();
	struct manifest_totals t;
	bool damaged = false;
	int status;
	pid_t pid;

	(void)unused;
	fill(m);
	manifest_closep(&m);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (manifest_open(state, UUID, false, &m, NULL, NULL) == 0 &&
		        manifest_found(m, "x", 1, 1, NULL) == 0 &&
		        manifest_commit(m, NULL) == 0)
			(void)kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(access(file_path("-wal"), F_OK), 0);
	overwrite(file_path(""), 0, 100);

	OK(manifest_open(state, UUID, false, &m, &damaged, &err));
	assert_true(damaged);
	OK(manifest_totals(m, &t, &err));
	assert_int_equal(t.files, 0);
	good_run(m, 9, "a", 1, HASH_A);
	manifest_closep(&m);
	OK(manifest_open(state, UUID, false, &m, &damaged, &err));
	assert_false(damaged);
	manifest_closep(&m);
}

static void set_aside(void **unused)
{
	struct manifest *m = open_it();
	struct manifest_totals t;

	(void)unused;
	fill(m);
	manifest_closep(&m);
	OK(manifest_set_aside(state, UUID, &err));
	assert_int_equal(access(file_path(""), F_OK), -1);
	assert_int_equal(access(file_path(".damaged"), F_OK), 0);
	/* There is none any more. */
	OK(manifest_set_aside(state, UUID, &err));
	assert_int_equal(manifest_set_aside(state, "../x", &err), -EINVAL);
	m = open_it();
	OK(manifest_totals(m, &t, &err));
	assert_int_equal(t.files, 0);
	manifest_closep(&m);
}

static void damaged_and_read_only(void **unused)
{
	struct manifest *m = open_it();
	bool damaged = false;

	(void)unused;
	fill(m);
	manifest_closep(&m);
	overwrite(file_path(""), 0, 100);
	assert_int_equal(
	        manifest_open(state, UUID, true, &m, &damaged, &err), -EUCLEAN);
	assert_null(m);
	assert_false(damaged);
	assert_int_equal(access(file_path(".damaged"), F_OK), -1);
	assert_true(err.action[0] != '\0');
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(opens),
	        T(one_good_run),
	        T(writing_needs_a_run),
	        T(hashes_that_are_none),
	        T(pending_forgets_the_old),
	        T(doubtful_after_runs_that_broke_off),
	        T(bad_files_are_doubtful),
	        T(not_proven_in_its_own_run),
	        T(run_number_used_twice),
	        T(clears),
	        T(found_files),
	        T(what_to_verify_next),
	        T(callbacks_can_stop),
	        T(parts),
	        T(changes_while_listing),
	        T(totals),
	        T(exports),
	        T(export_errors),
	        T(exports_many),
	        T(xxhsum_agrees),
	        T(crashes),
	        T(not_committed_is_forgotten),
	        T(failed_write_sticks),
	        T(damaged_files),
	        T(damaged_with_a_log),
	        T(set_aside),
	        T(damaged_and_read_only),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
