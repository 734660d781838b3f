/* SPDX-License-Identifier: MIT */
/*
 * base64: bytes as letters (RFC 4648, section 4).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

struct buf;

/* Appends @data in one line, padded with '='. */
void base64_add(struct buf *b, const void *data, size_t len);

#endif
