/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base64.h"
#include "buf.h"

static void expect(const char *data, size_t len, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	base64_add(&b, data, len);
	assert_string_equal(b.data, text);
	assert_int_equal(b.len, strlen(text));
}

/* RFC 4648, section 10. */
static void test_vectors(void **state)
{
	(void)state;
	expect("", 0, "");
	expect("f", 1, "Zg==");
	expect("foo", 2, "Zm8=");
	expect("foo", 3, "Zm9v");
	expect("foob", 4, "Zm9vYg==");
	expect("fooba", 5, "Zm9vYmE=");
	expect("foobar", 6, "Zm9vYmFy");
	expect("\0", 1, "AA==");
	expect("\xff\xff\xff", 3, "////");
	expect("\xfb\xef\xbe", 3, "++++");
}

static void test_appends(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	buf_adds(&b, "x");
	base64_add(&b, "foo", 3);
	base64_add(&b, "f", 1);
	assert_string_equal(b.data, "xZm9vZg==");
}

static int value_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                             "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* Every byte in every place comes back. */
static void test_back(void **state)
{
	unsigned char data[256 * 3], back[sizeof data + 3];
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i / 3 + i % 3 * 85);
	base64_add(&b, data, sizeof data);
	assert_int_equal(b.len, sizeof data / 3 * 4);
	for (size_t i = 0; i < b.len; i += 4) {
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = value_of(b.data[i + k]);

			assert_true(d >= 0);
			v = v << 6 | (uint32_t)d;
		}
		back[n++] = (unsigned char)(v >> 16);
		back[n++] = (unsigned char)(v >> 8);
		back[n++] = (unsigned char)v;
	}
	assert_int_equal(n, sizeof data);
	assert_memory_equal(back, data, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vectors),
	        cmocka_unit_test(test_appends),
	        cmocka_unit_test(test_back),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
