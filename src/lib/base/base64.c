/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <stdint.h>

#include "buf.h"

static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One to three bytes. */
static void add_group(struct buf *b, const unsigned char *p, size_t n)
{
	uint32_t v = (uint32_t)p[0] << 16;
	char group[4];

	if (n > 1)
		v |= (uint32_t)p[1] << 8;
	if (n > 2)
		v |= p[2];
	group[0] = digits[v >> 18];
	group[1] = digits[v >> 12 & 63];
	group[2] = n > 1 ? digits[v >> 6 & 63] : '=';
	group[3] = n > 2 ? digits[v & 63] : '=';
	buf_add(b, group, sizeof group);
}

void base64_add(struct buf *b, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i += 3)
		add_group(b, p + i, len - i < 3 ? len - i : 3);
}
