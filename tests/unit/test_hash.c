/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/hash.h"
#include "util.h"

#define MIB ((size_t)1 << 20)

/* What "xxhsum -H2" prints for these. */
static void known_values(void **state)
{
	char hex[HASH_HEX_SIZE];

	(void)state;
	assert_string_equal(hash_hex(hex, hash_bytes("", 0)),
	        "99aa06d3014798d86001c324468d497f");
	assert_string_equal(hash_hex(hex, hash_bytes(NULL, 0)),
	        "99aa06d3014798d86001c324468d497f");
	assert_string_equal(hash_hex(hex, hash_bytes("a", 1)),
	        "a96faf705af16834e6c632b61e964e1f");
}

static void parse(void **state)
{
	struct hash128 h = {1, 2};
	char hex[HASH_HEX_SIZE];

	(void)state;
	assert_int_equal(hash_parse("0123456789abcdefFEDCBA9876543210", &h), 0);
	assert_true(h.high == 0x0123456789abcdefULL);
	assert_true(h.low == 0xfedcba9876543210ULL);
	assert_string_equal(
	        hash_hex(hex, h), "0123456789abcdeffedcba9876543210");

	static const char *const bad[] = {"", "0",
	        "0123456789abcdef0123456789abcde",
	        "0123456789abcdef0123456789abcdef0",
	        "0123456789abcdef0123456789abcdeg",
	        " 123456789abcdef0123456789abcdef",
	        "-123456789abcdef0123456789abcdef"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(hash_parse(bad[i], &h), -EINVAL);
	assert_true(h.high == 0x0123456789abcdefULL);
}

static void equal(void **state)
{
	struct hash128 a = {1, 2}, b = {1, 3}, c = {2, 2};

	(void)state;
	assert_true(hash_equal(a, a));
	assert_false(hash_equal(a, b));
	assert_false(hash_equal(a, c));
}

static unsigned char *make_data(size_t len)
{
	unsigned char *p = malloc(len ? len : 1);
	uint32_t x = 12345;

	assert_non_null(p);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (unsigned char)(x >> 24);
	}
	return p;
}

static void streaming_is_the_same(void **state)
{
	_cleanup_free_ unsigned char *data = make_data(10000);
	_cleanup_(hash_freep) struct hash_state *h = hash_new();

	(void)state;
	assert_non_null(h);
	for (int round = 0; round < 2; round++) {
		for (size_t off = 0, n = 1; off < 10000; off += n, n += 7) {
			if (n > 10000 - off)
				n = 10000 - off;
			hash_add(h, data + off, n);
		}
		hash_add(h, NULL, 0);
		assert_true(
		        hash_equal(hash_result(h), hash_bytes(data, 10000)));
		hash_reset(h);
	}
	assert_true(hash_equal(hash_result(h), hash_bytes("", 0)));
}

static void free_null(void **state)
{
	struct hash_state *h = NULL;

	(void)state;
	hash_free(NULL);
	hash_freep(&h);
}

/* --- files --------------------------------------------------------------- */

/* An unlinked file below @dir with @len bytes of make_data(). */
static int make_file(const char *dir, const unsigned char *data, size_t len)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/test_hash.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -1;
	(void)unlink(path);
	for (size_t off = 0; off < len;) {
		ssize_t n = write(fd, data + off, len - off);

		assert_true(n > 0);
		off += (size_t)n;
	}
	return fd;
}

static const char *temp_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/tmp";
}

static void check_sizes(const char *dir)
{
	static const size_t sizes[] = {0, 1, 511, 512, 513, 4095, 4096, 4097,
	        MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 12345};
	_cleanup_free_ unsigned char *data = make_data(3 * MIB + 12345);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct hash128 want = hash_bytes(data, sizes[i]);
		_cleanup_close_ int fd = make_file(dir, data, sizes[i]);

		if (fd < 0)
			skip();
		for (int bypass = 0; bypass < 2; bypass++) {
			struct hash128 got = {0, 0};
			uint64_t size = 77;

			assert_int_equal(
			        hash_file(fd, bypass, NULL, NULL, &got, &size),
			        0);
			assert_true(hash_equal(got, want));
			assert_true(size == sizes[i]);
			/* Position not moved. */
			assert_true(lseek(fd, 0, SEEK_CUR) == (off_t)sizes[i]);
		}
		assert_int_equal(
		        hash_file(fd, true, NULL, NULL, &want, NULL), 0);
	}
}

static void file_sizes(void **state)
{
	(void)state;
	check_sizes(temp_dir());
}

/* tmpfs knows no O_DIRECT before Linux 6.6: the other way. */
static void file_without_direct(void **state)
{
	(void)state;
	check_sizes("/dev/shm");
}

struct seen {
	uint64_t last;
	int calls;
	int cancel_at; /* this call returns non-zero; 0 = none */
};

static int on_bytes(uint64_t bytes, void *arg)
{
	struct seen *s = arg;

	assert_true(bytes > s->last);
	s->last = bytes;
	s->calls++;
	return s->calls == s->cancel_at;
}

static void file_progress_and_cancel(void **state)
{
	size_t len = 3 * MIB + 5;
	_cleanup_free_ unsigned char *data = make_data(len);
	_cleanup_close_ int fd = make_file(temp_dir(), data, len);
	struct hash128 got = {1, 2};
	uint64_t size = 77;
	struct seen s = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(hash_file(fd, true, on_bytes, &s, &got, &size), 0);
	assert_true(s.last == len);
	assert_true(s.calls >= 4);

	s = (struct seen){.cancel_at = 2};
	got = (struct hash128){1, 2};
	size = 77;
	assert_int_equal(
	        hash_file(fd, true, on_bytes, &s, &got, &size), -ECANCELED);
	assert_int_equal(s.calls, 2);
	/* Untouched. */
	assert_true(got.low == 1 && got.high == 2 && size == 77);
}

static void file_errors(void **state)
{
	struct hash128 got = {1, 2};
	uint64_t size;
	int p[2];
	_cleanup_close_ int dir = open("/", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int wr = -1;
	char path[256];

	(void)state;
	assert_int_equal(hash_file(-1, true, NULL, NULL, &got, &size), -EBADF);
	assert_int_equal(
	        hash_file(dir, true, NULL, NULL, &got, &size), -EISDIR);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(
	        hash_file(p[0], true, NULL, NULL, &got, &size), -EINVAL);
	(void)close(p[0]);
	(void)close(p[1]);

	/* Open for writing only. */
	(void)snprintf(path, sizeof(path), "%s/test_hash.XXXXXX", temp_dir());
	wr = mkostemp(path, O_CLOEXEC);
	assert_true(wr >= 0);
	(void)close(wr);
	wr = open(path, O_WRONLY | O_CLOEXEC);
	(void)unlink(path);
	assert_int_equal(hash_file(wr, false, NULL, NULL, &got, &size), -EBADF);
	assert_true(got.low == 1 && got.high == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(known_values),
	        cmocka_unit_test(parse),
	        cmocka_unit_test(equal),
	        cmocka_unit_test(streaming_is_the_same),
	        cmocka_unit_test(free_null),
	        cmocka_unit_test(file_sizes),
	        cmocka_unit_test(file_without_direct),
	        cmocka_unit_test(file_progress_and_cancel),
	        cmocka_unit_test(file_errors),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
