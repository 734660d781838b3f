/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sys/crypto.h"
#include "util.h"

static void random_differs(void **state)
{
	unsigned char a[1024] = {0}, b[1024] = {0};
	unsigned char zero[32] = {0};

	(void)state;
	assert_int_equal(crypto_random(a, sizeof(a)), 0);
	assert_int_equal(crypto_random(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	/* To the very end, not only the first piece. */
	assert_memory_not_equal(a + sizeof(a) - 32, zero, 32);
	assert_int_equal(crypto_random(a, 0), 0);
}

static void random_bad_address(void **state)
{
	const char *preload = getenv("LD_PRELOAD");

	(void)state;
	/* valgrind would report what is done here on purpose. */
	if (preload && strstr(preload, "vgpreload"))
		skip();
	assert_true(crypto_random((void *)(uintptr_t)8, 16) < 0);
}

/* Keys of 32 bytes; expected values from an independent implementation
 * (Python's hmac module). */
static void hmac_known_values(void **state)
{
	unsigned char key[CRYPTO_KEY_SIZE];
	char mac[CRYPTO_MAC_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (unsigned char)i;
	assert_int_equal(crypto_hmac_hex(key, "abc", 3, mac), 0);
	assert_string_equal(mac, "f0133729c4163dede81e21cd47839256da58171238c8a"
	                         "0d874397c73b14e1e47");
	assert_int_equal(crypto_hmac_hex(key, "", 0, mac), 0);
	assert_string_equal(mac, "d38b42096d80f45f826b44a9d5607de72496a415d3f4a"
	                         "1a8c88e3bb9da8dc1cb");
	assert_int_equal(crypto_hmac_hex(key, NULL, 0, mac), 0);
	assert_string_equal(mac, "d38b42096d80f45f826b44a9d5607de72496a415d3f4a"
	                         "1a8c88e3bb9da8dc1cb");

	memset(key, 0, sizeof(key));
	assert_int_equal(crypto_hmac_hex(key, "a\0b", 3, mac), 0);
	assert_string_equal(mac, "5f4c8963bfc503bf0ef713905dd7bfdda9467de404901"
	                         "ca908222c4938d0f385");
}

static void hmac_depends_on_key(void **state)
{
	unsigned char key[CRYPTO_KEY_SIZE] = {0};
	char a[CRYPTO_MAC_HEX_SIZE], b[CRYPTO_MAC_HEX_SIZE];

	(void)state;
	assert_int_equal(crypto_hmac_hex(key, "abc", 3, a), 0);
	key[CRYPTO_KEY_SIZE - 1] = 1;
	assert_int_equal(crypto_hmac_hex(key, "abc", 3, b), 0);
	assert_string_not_equal(a, b);
}

static void equal(void **state)
{
	(void)state;
	assert_true(crypto_equal("", ""));
	assert_true(crypto_equal("abc", "abc"));
	assert_false(crypto_equal("abc", "abd"));
	assert_false(crypto_equal("abc", "abcd"));
	assert_false(crypto_equal("abc", ""));
	assert_false(crypto_equal("", "abc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(random_differs),
	        cmocka_unit_test(random_bad_address),
	        cmocka_unit_test(hmac_known_values),
	        cmocka_unit_test(hmac_depends_on_key),
	        cmocka_unit_test(equal),
	};

	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
