/* SPDX-License-Identifier: MIT */
/*
 * crypto: HMAC-SHA-256 and random bytes (libcrypto), for the disk marker.
 */
#ifndef SYS_CRYPTO_H
#define SYS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"

#define CRYPTO_KEY_SIZE 32
#define CRYPTO_MAC_HEX_SIZE 65

/* Fills @dst from getrandom(2). 0 or negative errno. */
int crypto_random(void *dst, size_t len);
/* dst: 64 hex digits and NUL. 0 or -EIO. */
int crypto_hmac_hex(const unsigned char key[CRYPTO_KEY_SIZE], const void *data,
        size_t len, char dst[CRYPTO_MAC_HEX_SIZE]);
/* Compares in constant time. */
bool crypto_equal(const char *a, const char *b);

#endif
