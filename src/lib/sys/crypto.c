/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "sys/crypto.h"

#define MAC_SIZE ((CRYPTO_MAC_HEX_SIZE - 1) / 2)

int crypto_random(void *dst, size_t len)
{
	unsigned char *p = dst;

	/* More than 256 bytes may come in pieces. */
	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int crypto_hmac_hex(const unsigned char key[CRYPTO_KEY_SIZE], const void *data,
        size_t len, char dst[CRYPTO_MAC_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	/* libcrypto takes NULL for "the data comes later". */
	if (!HMAC(EVP_sha256(), key, CRYPTO_KEY_SIZE, data ? data : "", len,
	            mac, &mac_len) ||
	        mac_len != MAC_SIZE)
		return -EIO;
	for (size_t i = 0; i < MAC_SIZE; i++) {
		dst[2 * i] = digits[mac[i] >> 4];
		dst[2 * i + 1] = digits[mac[i] & 15];
	}
	dst[2 * MAC_SIZE] = '\0';
	return 0;
}

bool crypto_equal(const char *a, const char *b)
{
	size_t len = strlen(a);

	/* The length of a code is no secret. */
	return strlen(b) == len && CRYPTO_memcmp(a, b, len) == 0;
}
