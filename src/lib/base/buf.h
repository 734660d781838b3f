/* SPDX-License-Identifier: MIT */
/*
 * buf: a growing string.
 *
 *	_cleanup_buf_ struct buf b = BUF_INIT;
 *	buf_printf(&b, "%d", 1);
 *	if (buf_failed(&b)) return -ENOMEM;
 *	send(b.data, b.len);
 *
 * Errors stick: after the first failed allocation everything is a no-op and
 * buf_failed() is true, so that long compositions check once, at the end.
 * data is always NUL-terminated, also when empty, never NULL.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include "util.h"

struct buf {
	char *data;  /* NUL-terminated; owned by the buf */
	size_t len;  /* bytes without the NUL */
	size_t size; /* bytes allocated; 0 = data is static */
	bool failed; /* an allocation failed */
};

extern char buf_empty[1];
#define BUF_INIT ((struct buf){.data = buf_empty})

void buf_done(struct buf *b);
#define _cleanup_buf_ _cleanup_(buf_done)

/* Empties it, keeps the memory; clears the failure too. */
void buf_reset(struct buf *b);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) _printf_(2, 0);
/* Cuts it to @len bytes when it is longer. */
void buf_cut(struct buf *b, size_t len);
bool buf_failed(const struct buf *b);
/* Gives the string to the caller (free()), NULL if failed; b is empty then. */
char *buf_take(struct buf *b);

#endif
