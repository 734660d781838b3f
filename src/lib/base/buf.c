/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

char buf_empty[1] = "";

#define FIRST_SIZE 64

void buf_done(struct buf *b)
{
	if (b->size > 0)
		free(b->data);
	*b = BUF_INIT;
}

void buf_reset(struct buf *b)
{
	if (b->size > 0)
		b->data[0] = '\0';
	b->len = 0;
	b->failed = false;
}

/* Makes room for @more bytes and the NUL. False: failed, now or earlier. */
static bool reserve(struct buf *b, size_t more)
{
	size_t want, size;
	char *data;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->len, more, &want) ||
	        __builtin_add_overflow(want, 1, &want))
		goto fail;
	if (want <= b->size)
		return true;

	size = b->size > 0 ? b->size : FIRST_SIZE;
	while (size < want)
		size = size > SIZE_MAX / 2 ? want : size * 2;

	data = realloc(b->size > 0 ? b->data : NULL, size);
	if (!data)
		goto fail;
	if (b->size == 0)
		data[0] = '\0';
	b->data = data;
	b->size = size;
	return true;
fail:
	b->failed = true;
	return false;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0 || !reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	if (b->failed)
		return;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (n == 0 || !reserve(b, (size_t)n))
		return;
	(void)vsnprintf(b->data + b->len, b->size - b->len, fmt, ap);
	b->len += (size_t)n;
}

void buf_cut(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

bool buf_failed(const struct buf *b)
{
	return b->failed;
}

char *buf_take(struct buf *b)
{
	char *s = NULL;

	/* An empty one has no memory of its own yet. */
	if (reserve(b, 0)) {
		s = b->data;
		b->size = 0;
	}
	buf_done(b);
	return s;
}
